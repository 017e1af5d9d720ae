//! Abandon: a run that nobody will go on with ends, and the world is as before it.
//!
//! The run is taken over first, as `resume` does, so that a driver that still lives stops at its next step. What was
//! made goes before the verdict is written: an abandon that is cut off is simply called again. Once the base image was
//! swapped, or data was migrated, there is something in service that only a verdict on it can end.

use super::preflight::Ready;
use super::remains::{self, Cleared, Remains};
use super::unsent::{self, Seen};
use super::{PipelineError, in_use};
use crate::cloud::{Cloud, CloudError, WaitError};
use crate::id::{EnvironmentId, ImageId, InstanceId, RunId, StepId};
use crate::record::{RunRecord, Verb, Verdict};
use crate::run::{self, Held, LeaseError, Run, StoreError};

/// Why a run was not abandoned.
#[derive(Debug, thiserror::Error)]
pub enum AbandonError {
    /// It has ended, and nothing is left to remove.
    #[error("run {run} has ended: {}", verdict.as_str())]
    Ended {
        /// The run.
        run: RunId,
        /// How.
        verdict: Verdict,
    },
    /// It has changed what is in service, or the data.
    #[error("run {run} may have {what}: it cannot be abandoned any more")]
    Begun {
        /// The run.
        run: RunId,
        /// Its pipeline.
        pipeline: String,
        /// What it does.
        verb: Verb,
        /// What it may have done.
        what: &'static str,
        /// What came of it, as far as that was looked at.
        seen: Seen,
    },
    /// One of its images is in use.
    #[error("{image} of run {run} is in use: {by}; it stays")]
    InUse {
        /// The run.
        run: RunId,
        /// The image.
        image: ImageId,
        /// What uses it.
        by: String,
    },
    /// AWS refused, or the record could not be kept.
    #[error(transparent)]
    Pipeline(Box<PipelineError>),
}

impl From<PipelineError> for AbandonError {
    fn from(error: PipelineError) -> Self {
        Self::Pipeline(Box::new(error))
    }
}

impl From<CloudError> for AbandonError {
    fn from(error: CloudError) -> Self {
        PipelineError::from(error).into()
    }
}

impl From<StoreError> for AbandonError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Ended { run, verdict } => Self::Ended { run, verdict },
            other => PipelineError::from(other).into(),
        }
    }
}

impl From<WaitError> for AbandonError {
    fn from(error: WaitError) -> Self {
        PipelineError::from(error).into()
    }
}

/// That a run has begun to change the data.
const MIGRATED: &str = "migrated the data";

/// What a run may have changed beyond what it has built, if it has begun to; from then on it ends only with a verdict
/// on that.
pub fn has_begun(record: &RunRecord) -> Option<&'static str> {
    let mut steps = record.steps.iter().map(|step| step.id.as_str());
    // An update that was refused has changed nothing.
    if steps.any(|step| step.starts_with("swap/") && !record.has_ended(step)) {
        Some("swapped the base image")
    } else if has_migrated(record) {
        Some(MIGRATED)
    } else {
        None
    }
}

/// Whether a run has begun to migrate data.
pub(super) fn has_migrated(record: &RunRecord) -> bool {
    record.step(&StepId::new("migrate/data")).is_some()
}

/// The environment that a run has begun to look at for a change, and may hold the lease on.
pub fn changed_environment(record: &RunRecord) -> Option<EnvironmentId> {
    remains::output::<Ready>(record, "preflight/environment").map(|ready| ready.environment)
}

/// Refuses what cannot be abandoned by what its record says alone. Pure.
///
/// # Errors
/// [`AbandonError::Ended`] and [`AbandonError::Begun`].
pub fn may_abandon(record: &RunRecord) -> Result<(), AbandonError> {
    if let Some(verdict) = record.verdict {
        return Err(AbandonError::Ended {
            run: record.run.clone(),
            verdict,
        });
    }
    match has_begun(record) {
        Some(what) => Err(AbandonError::Begun {
            run: record.run.clone(),
            pipeline: record.pipeline.clone(),
            verb: record.verb,
            what,
            seen: Seen::Unclear,
        }),
        None => Ok(()),
    }
}

/// As [`may_abandon`], but looks what came of an update that was announced: one that was never sent, and that nobody may
/// send any more, is no obstacle, and neither is data that was changed where it is `said` that it stays so.
async fn must_be_unsent(
    cloud: &Cloud,
    record: &RunRecord,
    said: DataStays,
) -> Result<(), AbandonError> {
    let mut refused = may_abandon(record);
    if let Err(AbandonError::Begun { seen, what, .. }) = &mut refused {
        *seen = unsent::look(cloud, record).await?;
        match seen {
            Seen::Unsent => return Ok(()),
            Seen::DataStays if said.0 => return Ok(()),
            Seen::DataStays | Seen::Migrating(_) => *what = MIGRATED,
            _ => {}
        }
    }
    refused
}

/// Whether it was said that data which a run has begun to change stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DataStays(pub bool);

/// What a run has done to the data, which nobody takes back; none: nothing.
pub fn changed_data(record: &RunRecord) -> Option<&'static str> {
    has_migrated(record).then(|| {
        if record.is_done("migrate/data") {
            "was changed"
        } else {
            "may have been changed in part"
        }
    })
}

/// Refuses what cannot be abandoned, before anything is changed. A run that was abandoned and of which something is left
/// passes: tags are shown late.
///
/// # Errors
/// What [`may_abandon`] refuses, an image that is in use, and what AWS refused.
pub async fn must_be_removable(
    cloud: &Cloud,
    record: &RunRecord,
    said: DataStays,
) -> Result<(), AbandonError> {
    let again = record.verdict == Some(Verdict::Abandoned);
    if !again {
        must_be_unsent(cloud, record, said).await?;
    }
    let (remains, _) = Remains::of(cloud, record).await?.parted();
    if again && remains.is_empty() {
        may_abandon(record)?;
    }
    let images: Vec<ImageId> = remains.images.into_iter().map(|image| image.id).collect();
    must_be_unused(cloud, &record.run, &images).await
}

/// Abandons a run that [`must_be_removable`] let pass. Returns what became of what it had made. `forced` is why it is
/// taken from a process that may be driving it.
///
/// # Errors
/// What AWS refused: then it can be called again; or what a driver that still lives has begun in the meantime, or somebody
/// else has made of its images.
pub async fn abandon(
    cloud: &Cloud,
    record: &RunRecord,
    who: &str,
    said: DataStays,
    forced: Option<&str>,
) -> Result<Cleared, AbandonError> {
    if record.verdict == Some(Verdict::Abandoned) {
        let against = async |images: &[ImageId]| {
            against_removal(must_be_unused(cloud, &record.run, images).await)
        };
        return remains::remove(cloud, record, against).await;
    }
    cloud.halt().here().await;
    let mut run = Run::take_over(cloud, &record.pipeline, &record.run, who, forced).await?;
    must_be_unsent(cloud, run.record(), said).await?;
    end_work(cloud, run.record()).await;
    give_back(cloud, run.record()).await?;
    // Since then no process of the run renews its lease, and none sends without: what was sent before is seen now.
    must_be_unsent(cloud, run.record(), said).await?;
    let driver = run.driver();
    let against = async |images: &[ImageId]| {
        let still = async {
            driver.must_drive().await?;
            must_be_unused(cloud, driver.run(), images).await
        };
        against_removal(still.await)
    };
    let cleared = remains::remove(cloud, run.record(), against).await?;
    run.finish(Verdict::Abandoned).await?;
    Ok(cleared)
}

/// What ends a removal; where AWS could not be asked it is asked again.
fn against_removal(still: Result<(), AbandonError>) -> Result<Option<AbandonError>, CloudError> {
    match still {
        Ok(()) => Ok(None),
        Err(AbandonError::Pipeline(error)) => match *error {
            PipelineError::Cloud(error) | PipelineError::Store(StoreError::Cloud(error)) => {
                Err(error)
            }
            other => Ok(Some(other.into())),
        },
        Err(other) => Ok(Some(other)),
    }
}

/// Refuses to take away an image that something else needs: somebody promoted it by hand, or is about to.
async fn must_be_unused(
    cloud: &Cloud,
    run: &RunId,
    images: &[ImageId],
) -> Result<(), AbandonError> {
    if images.is_empty() {
        return Ok(());
    }
    let needed = in_use::beside(cloud, run).await?;
    for image in images {
        if let Some(by) = needed.by(image) {
            return Err(AbandonError::InUse {
                run: run.clone(),
                image: image.clone(),
                by,
            });
        }
    }
    Ok(())
}

/// Stops the recipes where their machine answers. It is terminated right after, so a failure is only told.
async fn end_work(cloud: &Cloud, record: &RunRecord) {
    let stopped = async {
        if let Some(seed) = remains::output::<InstanceId>(record, "launch/seed")
            && cloud.agent_status(&seed).await?.as_deref() == Some("Online")
        {
            remains::stop_work(cloud, record).await?;
        }
        Ok::<_, PipelineError>(())
    };
    if let Err(error) = stopped.await {
        let text = format!("what runs on the seed was not stopped before it goes: {error}");
        cloud.events().warn(text);
    }
}

/// Gives back the lease that a process of this run holds: it is taken over and released, so that a driver that still
/// lives finds it lost and does not renew it.
async fn give_back(cloud: &Cloud, record: &RunRecord) -> Result<(), PipelineError> {
    let Some(environment) = &changed_environment(record) else {
        return Ok(());
    };
    let holder = run::holder(cloud, environment).await?;
    if holder.is_none_or(|lease| lease.run != record.run) && has_begun(record).is_none() {
        return Ok(());
    }
    match Held::acquire(cloud, environment, record).await {
        // One that was renewed in this very moment may be used for a call: it is kept.
        Ok(held) if held.succeeds().is_some() && has_begun(record).is_some() => Ok(()),
        Ok(held) => Ok(held.release().await?),
        // It ended in the meantime, and another run has it.
        Err(LeaseError::Held(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{FORMAT, StepRecord, Writer};

    fn record(steps: &[&str], verdict: Option<Verdict>) -> RunRecord {
        let step = |id: &&str| StepRecord {
            id: StepId::new(*id),
            attempt: 1,
            started: 0,
            milliseconds: None,
            output: serde_json::Value::Null,
        };
        RunRecord {
            format: FORMAT,
            tool_version: "0".into(),
            run: RunId::new("20261123-034512-7f3a"),
            pipeline: "shop".into(),
            verb: Verb::Rebuild,
            environment: "shop-prod".into(),
            started: 0,
            who: "ada@host".into(),
            plan: std::collections::BTreeMap::new(),
            asked: std::collections::BTreeMap::new(),
            steps: steps.iter().map(step).collect(),
            verdict,
            writer: Writer {
                nonce: "n".into(),
                ..Writer::default()
            },
        }
    }

    #[test]
    fn a_run_is_abandoned_until_it_begins_to_change_what_is_in_service() {
        for steps in [
            &[][..],
            &["launch/seed", "apply/recipes"],
            &["preflight/environment", "migrate/place", "migrate/launch"],
        ] {
            assert!(may_abandon(&record(steps, None)).is_ok(), "{steps:?}");
        }
        for steps in [
            &["preflight/environment", "migrate/data"][..],
            &["preflight/environment", "swap/update"],
            &["swap/update", "watch/health"],
        ] {
            let refused = may_abandon(&record(steps, None));
            assert!(
                matches!(refused, Err(AbandonError::Begun { .. })),
                "{steps:?}"
            );
        }
    }

    #[test]
    fn a_run_that_has_ended_says_how() {
        let refused = may_abandon(&record(&["swap/update"], Some(Verdict::RolledBack)));
        assert_eq!(
            refused.unwrap_err().to_string(),
            "run 20261123-034512-7f3a has ended: rolled back"
        );
    }
}
