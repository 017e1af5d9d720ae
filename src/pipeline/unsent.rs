//! What came of an update that a run has announced, seen from outside of the run: whether it is in service, or was never
//! sent and cannot be sent any more. Whatever is in doubt counts as sent.

use jiff::Timestamp;

use super::PipelineError;
use super::abandon::has_migrated;
use super::preflight::Ready;
use super::remains;
use crate::cloud::{Cloud, ConfigurationSet};
use crate::record::{BaseImage, RunRecord};
use crate::run;

/// What can be seen of a run's change of its environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The deployed settings name what the run was to set, and no data was migrated.
    InService,
    /// Nothing names it, nothing is under way, and nobody may send it; or the environment is gone.
    Unsent,
    /// A process of the run may be sending it, as long as its lease lasts.
    Held(Timestamp),
    /// It is not known, or data may have been migrated.
    Unclear,
}

/// Looks what came of a run's change of its environment.
///
/// # Errors
/// What AWS refused.
pub(super) async fn look(cloud: &Cloud, record: &RunRecord) -> Result<Seen, PipelineError> {
    let ready = remains::output::<Ready>(record, "preflight/environment");
    let Some(ready) = ready.filter(|_| !has_migrated(record)) else {
        return Ok(Seen::Unclear);
    };
    // The lease first: who holds none afterwards sends nothing afterwards.
    let lease = run::holder(cloud, &ready.environment).await?;
    let environments = cloud.environments().await?;
    let mut environments = environments.iter();
    let environment = environments.find(|one| one.id == ready.environment && !one.is_gone());
    let seen = match environment {
        Some(environment) => {
            let sets = cloud.configuration_sets(environment).await?;
            judge(environment.is_ready(), &sets, &ready)
        }
        // Nothing is in service in an environment that is gone.
        None => Seen::Unsent,
    };
    Ok(match lease.filter(|lease| lease.run == record.run) {
        Some(lease) if seen == Seen::Unsent => Seen::Held(lease.until),
        _ => seen,
    })
}

/// Judges by the environment's settings. Settings without an image are those of the platform's own. Pure.
pub(super) fn judge(is_ready: bool, sets: &[ConfigurationSet], ready: &Ready) -> Seen {
    let named = |set: &&ConfigurationSet| match set.image() {
        Some(named) => named == ready.target_image,
        None => ready.target == BaseImage::PLATFORM,
    };
    if sets.iter().filter(named).any(ConfigurationSet::is_deployed) {
        return Seen::InService;
    }
    let deployed = sets.iter().any(ConfigurationSet::is_deployed);
    if is_ready && deployed && !sets.iter().any(|set| named(&set)) {
        Seen::Unsent
    } else {
        Seen::Unclear
    }
}
