//! A run: steps that are recorded, replayed and resumed; the record lives in Parameter Store.
//!
//! The record is `/goldseed/<pipeline>/runs/<run>/<n>`. A process that drives a run creates page *n*, starting from
//! the record of *n*−1, and only ever overwrites its own; the highest page drives. Before every step the driver looks
//! and stops when it is no longer the highest, so a process that slept and wakes can write only its own old page.
//!
//! What this is not: a workflow engine. A step is a function call with a name; its typed output is a value; the order
//! of steps is the order of the code.

mod driver;
mod kept;
mod lease;
mod ledger;
mod outcome;
mod store;

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::cloud::{Cloud, CloudError};
use crate::event::Event;
use crate::id::{RunId, StepId};
use crate::pace;
use crate::record::{ENDED, FORMAT, RunRecord, StepRecord, Verb, Verdict, Writer};

pub use driver::Driver;
pub use kept::{Kept, kept, kept_in, runs};
pub use lease::{Held, LeaseError, holder, let_go, wait_for};
pub use ledger::{Ledger, LedgerError, NewEntry};
pub use outcome::Outcome;
pub use store::{StoreError, latest};

/// What a run is started with.
#[derive(Clone, Debug)]
pub struct NewRun {
    /// The pipeline's name.
    pub pipeline: String,
    /// What it does.
    pub verb: Verb,
    /// The environment's name.
    pub environment: String,
    /// `person@host`.
    pub who: String,
    /// The plan's digests by section.
    pub plan: std::collections::BTreeMap<String, String>,
    /// What was asked for beside the plan.
    pub asked: std::collections::BTreeMap<String, String>,
}

/// A run that this process drives.
#[derive(Debug)]
pub struct Run {
    cloud: Cloud,
    record: RunRecord,
    page: u64,
}

/// Why a step ended without an output.
#[derive(Debug, thiserror::Error)]
pub enum StepError<E> {
    /// The step's own failure.
    #[error(transparent)]
    Work(E),
    /// The record could not be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Run {
    /// Starts a run: creates its first page.
    pub async fn start(cloud: &Cloud, new: NewRun) -> Result<Self, StoreError> {
        let now = pace::now();
        let record = RunRecord {
            format: FORMAT,
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            run: RunId::starting_at(now, fastrand::u16(..)),
            pipeline: new.pipeline,
            verb: new.verb,
            environment: new.environment,
            started: now.as_second(),
            who: new.who,
            plan: new.plan,
            asked: new.asked,
            steps: Vec::new(),
            verdict: None,
            writer: Writer {
                nonce: nonce(),
                sequence: 0,
            },
        };
        store::create(cloud, &record, 1).await?;
        Ok(Self {
            cloud: cloud.clone(),
            record,
            page: 1,
        })
    }

    /// Takes a run over: creates the page after the highest one. What was recorded is replayed.
    ///
    /// # Errors
    /// [`StoreError::Ended`] of a run that has ended, be it while it was taken over; and what AWS refused.
    pub async fn resume(
        cloud: &Cloud,
        pipeline: &str,
        run: &RunId,
        who: &str,
    ) -> Result<Self, StoreError> {
        let (mut record, page) = store::highest(cloud, pipeline, run).await?;
        must_go_on(&record)?;
        who.clone_into(&mut record.who);
        record.writer = Writer {
            nonce: nonce(),
            sequence: 0,
        };
        store::create(cloud, &record, page + 1).await?;
        let mut run = Self {
            cloud: cloud.clone(),
            record,
            page: page + 1,
        };
        // A driver that lives on may have written between our look and our page; what it announces after our page, it
        // does not do any more.
        if let Some(newer) = store::page(cloud, &run.record, page).await?
            && (newer.steps != run.record.steps || newer.verdict != run.record.verdict)
        {
            run.record.steps = newer.steps;
            run.record.verdict = newer.verdict;
            run.save().await?;
            must_go_on(&run.record)?;
        }
        Ok(run)
    }

    /// Returns the run's id.
    pub fn id(&self) -> &RunId {
        &self.record.run
    }

    /// Returns the record as it stands.
    pub fn record(&self) -> &RunRecord {
        &self.record
    }

    /// Does a step, or returns what came of it if it was done before. `work` may run twice: a process can die
    /// between what it does and the record of it.
    pub async fn step<T, E>(
        &mut self,
        id: &str,
        title: impl fmt::Display,
        work: impl AsyncFnOnce() -> Result<T, E>,
    ) -> Result<T, StepError<E>>
    where
        T: Serialize + DeserializeOwned + Outcome,
        E: fmt::Display,
    {
        self.perform(id, title, false, work).await
    }

    /// Does a step that changes what is in service: that it was begun is recorded before it begins, so that whoever
    /// goes on knows that it may have happened.
    pub async fn announced_step<T, E>(
        &mut self,
        id: &str,
        title: impl fmt::Display,
        work: impl AsyncFnOnce() -> Result<T, E>,
    ) -> Result<T, StepError<E>>
    where
        T: Serialize + DeserializeOwned + Outcome,
        E: fmt::Display,
    {
        self.perform(id, title, true, work).await
    }

    async fn perform<T, E>(
        &mut self,
        id: &str,
        title: impl fmt::Display,
        announced: bool,
        work: impl AsyncFnOnce() -> Result<T, E>,
    ) -> Result<T, StepError<E>>
    where
        T: Serialize + DeserializeOwned + Outcome,
        E: fmt::Display,
    {
        let step = StepId::new(id);
        let events = self.cloud.events().clone();
        events.emit(Event::StepStarted {
            step: step.clone(),
            title: title.to_string(),
        });
        if let Some(done) = self.record.step(&step)
            && let Some(milliseconds) = done.milliseconds
        {
            let output: T = serde_json::from_value(done.output.clone()).map_err(|error| {
                StoreError::Output {
                    step: step.clone(),
                    reason: error.to_string(),
                }
            })?;
            let outcome = output.outcome();
            events.emit(Event::StepFinished {
                step,
                outcome,
                milliseconds,
                replayed: true,
            });
            return Ok(output);
        }
        self.cloud.halt().here().await;
        store::must_drive(&self.cloud, &self.record, self.page).await?;
        let started = std::time::Instant::now();
        let begun = pace::now().as_second() - self.record.started;
        match self
            .record
            .steps
            .iter_mut()
            .find(|record| record.id == step)
        {
            Some(failed) => {
                failed.attempt += 1;
                failed.output = serde_json::Value::Null;
            }
            None => self.record.steps.push(StepRecord {
                id: step.clone(),
                attempt: 1,
                started: begun,
                milliseconds: None,
                output: serde_json::Value::Null,
            }),
        }
        if announced {
            self.save().await?;
            // Whoever took the run over since has read either this announcement, or no page after which it is done.
            store::must_drive(&self.cloud, &self.record, self.page).await?;
        }
        let output = match work().await {
            Ok(output) => output,
            Err(error) => {
                events.emit(Event::StepFailed {
                    step,
                    reason: error.to_string(),
                });
                // Which step is unfinished is worth a page; if even that fails, the step's own error matters more.
                if let Err(unsaved) = self.save().await {
                    events.warn(format!("the failed step could not be recorded: {unsaved}"));
                }
                return Err(StepError::Work(error));
            }
        };
        let milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let value = serde_json::to_value(&output).map_err(|error| StoreError::Output {
            step: step.clone(),
            reason: error.to_string(),
        })?;
        if let Some(record) = self
            .record
            .steps
            .iter_mut()
            .find(|record| record.id == step)
        {
            record.milliseconds = Some(milliseconds);
            record.output = value;
        }
        self.save().await?;
        let outcome = output.outcome();
        events.emit(Event::StepFinished {
            step,
            outcome,
            milliseconds,
            replayed: false,
        });
        Ok(output)
    }

    /// Forgets that these steps were done, where they were: what came of them is gone, and they are done again. The
    /// next page says so.
    pub fn reopen(&mut self, steps: &[&str]) {
        for step in &mut self.record.steps {
            if steps.contains(&step.id.as_str()) {
                step.milliseconds = None;
                step.output = serde_json::Value::Null;
            }
        }
    }

    /// Records that what a failed step began has ended by itself, until the step is begun once more.
    pub async fn has_ended(&mut self, step: &str) -> Result<(), StoreError> {
        let mut steps = self.record.steps.iter_mut();
        if let Some(failed) = steps.find(|record| record.id.as_str() == step) {
            failed.output = ENDED.into();
        }
        self.save().await
    }

    /// Ends the run. Who took it over since has read either this verdict, or no page after which it counts.
    ///
    /// # Errors
    /// [`StoreError::TakenOver`] where somebody else drives the run: then its end is theirs to write.
    pub async fn finish(&mut self, verdict: Verdict) -> Result<(), StoreError> {
        store::must_drive(&self.cloud, &self.record, self.page).await?;
        self.record.verdict = Some(verdict);
        self.save().await?;
        store::must_drive(&self.cloud, &self.record, self.page).await?;
        // A run that has ended is driven by nobody: its earlier pages are of no use.
        if let Err(error) = store::prune(&self.cloud, &self.record, self.page).await {
            let text = format!("earlier pages of the record stay until a sweep: {error}");
            self.cloud.events().warn(text);
        }
        Ok(())
    }

    /// Writes the record as it stands: which step is unfinished.
    pub async fn save(&mut self) -> Result<(), StoreError> {
        self.record.writer.sequence += 1;
        store::overwrite(&self.cloud, &self.record, self.page).await
    }
}

/// Refuses to go on with a run that has ended.
fn must_go_on(record: &RunRecord) -> Result<(), StoreError> {
    match record.verdict {
        Some(verdict) => Err(StoreError::Ended {
            run: record.run.clone(),
            verdict,
        }),
        None => Ok(()),
    }
}

/// Draws what tells this process's writes from others'.
fn nonce() -> String {
    format!("{:08x}", fastrand::u32(..))
}

impl From<CloudError> for StoreError {
    fn from(error: CloudError) -> Self {
        Self::Cloud(error)
    }
}
