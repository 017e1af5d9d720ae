//! Steps: done once, recorded, and replayed by whoever goes on with the run.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::store::{self, StoreError};
use super::{Outcome, Run};
use crate::event::Event;
use crate::id::StepId;
use crate::pace;
use crate::record::StepRecord;

/// How often a step that takes long has the record written: three times in the time for which a record counts as recent.
const HEARTBEAT: Duration = Duration::from_mins(5);

/// However fast the pace, no more often than so.
const SHORTEST_HEARTBEAT: Duration = Duration::from_secs(5);

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
        let output = match self.with_heartbeat(Box::pin(work())).await {
            Ok(output) => output,
            Err(error) => {
                let kept = self.keep_failed().await;
                let failed = |reason| events.emit(Event::StepFailed { step, reason });
                return match kept {
                    Err(lost @ (StoreError::TakenOver { .. } | StoreError::Removed { .. })) => {
                        failed(lost.to_string());
                        Err(lost.into())
                    }
                    kept => {
                        failed(error.to_string());
                        if let Err(unkept) = kept {
                            let text = format!("the failed step could not be recorded: {unkept}");
                            events.warn(text);
                        }
                        Err(StepError::Work(error))
                    }
                };
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

    /// Does a step's work and meanwhile writes the record again every few minutes, so that its age tells others that
    /// this process lives. A write that has begun is waited for: it must not arrive after that of the step's end.
    async fn with_heartbeat<T>(&mut self, work: impl Future<Output = T>) -> T {
        let pace = self.cloud.pace();
        let pause = pace.scale(HEARTBEAT).max(SHORTEST_HEARTBEAT);
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                () = pace.sleep_unscaled(pause) => {}
            }
            let (done, beat) = {
                let mut beat = std::pin::pin!(self.save());
                tokio::select! {
                    done = &mut work => (Some(done), beat.await),
                    beat = &mut beat => (None, beat),
                }
            };
            if let Some(done) = done {
                return done;
            }
            if let Err(error) = beat
                && !matches!(&error, StoreError::Cloud(error) if error.is_transient())
            {
                let text =
                    format!("the run's record could not be renewed during the step: {error}");
                self.cloud.events().warn(text);
                return work.await;
            }
        }
    }

    /// Records which step is unfinished. Where another process drives the run, it may have taken away what the step
    /// worked on: then that is what has happened, and not the step's own error, which otherwise matters most.
    async fn keep_failed(&mut self) -> Result<(), StoreError> {
        self.save().await?;
        store::must_drive(&self.cloud, &self.record, self.page).await
    }
}
