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
mod process;
mod step;
mod store;

use crate::cloud::{Cloud, CloudError};
use crate::id::RunId;
use crate::pace;
use crate::record::{ENDED, FORCED, FORMAT, RunRecord, Verb, Verdict, Writer};

pub use driver::Driver;
pub use kept::{Kept, kept, kept_in, kept_run, runs};
pub use lease::{Held, LeaseError, holder, let_go, wait_for};
pub use ledger::{Ledger, LedgerError, NewEntry};
pub use outcome::Outcome;
pub use process::{ProcessState, state as process_state};
pub use step::StepError;
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
            writer: writer(),
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
        Self::take_over(cloud, pipeline, run, who, None).await
    }

    /// As [`resume`](Self::resume); `forced` is why it is taken from a process that may be driving it, for the record
    /// and for that process.
    ///
    /// # Errors
    /// As of [`resume`](Self::resume).
    pub async fn take_over(
        cloud: &Cloud,
        pipeline: &str,
        run: &RunId,
        who: &str,
        forced: Option<&str>,
    ) -> Result<Self, StoreError> {
        let (mut record, page) = store::highest(cloud, pipeline, run).await?;
        must_go_on(&record)?;
        who.clone_into(&mut record.who);
        record.writer = writer();
        if let Some(reason) = forced {
            let entry = format!("{who}: {reason}");
            record.asked.insert(FORCED.to_owned(), entry);
        }
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

    /// Records that this process stops driving the run, which is unfinished: anybody may take it over at once.
    ///
    /// # Errors
    /// What AWS refused: then who takes the run over within the next minutes is asked whether they mean to.
    pub async fn leave(&mut self) -> Result<(), StoreError> {
        self.record.writer.left = true;
        self.save().await
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

/// Returns what tells the writes of a run in this process from others'.
fn writer() -> Writer {
    Writer {
        nonce: format!("{:08x}", fastrand::u32(..)),
        process: process::this(),
        ..Writer::default()
    }
}

impl From<CloudError> for StoreError {
    fn from(error: CloudError) -> Self {
        Self::Cloud(error)
    }
}
