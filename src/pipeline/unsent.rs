//! What came of an update that a run has announced, seen from outside of the run: whether it is in service, or was never
//! sent and cannot be sent any more. Whatever is in doubt counts as sent.

use super::PipelineError;
use super::abandon::has_migrated;
use super::preflight::Ready;
use super::{migrate, remains};
use crate::cloud::{Cloud, ConfigurationSet};
use crate::id::InstanceId;
use crate::record::{BaseImage, Lease, RunRecord};
use crate::run;

/// What can be seen of a run's change of its environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The deployed settings name what the run was to set, and no data was migrated.
    InService,
    /// Nothing names it, nothing is under way, and nobody may send it; or the environment is gone.
    Unsent,
    /// As [`Unsent`](Self::Unsent), but data was migrated, or was begun to be.
    DataStays,
    /// Data may still be being migrated on this machine.
    Migrating(InstanceId),
    /// A process of the run may be sending it, as long as its lease lasts; where it has migrated data, another run holds
    /// the environment.
    Held(Box<Lease>),
    /// It is not known.
    Unclear,
}

/// Looks what came of a run's change of its environment.
///
/// # Errors
/// What AWS refused.
pub(super) async fn look(cloud: &Cloud, record: &RunRecord) -> Result<Seen, PipelineError> {
    let ready = remains::output::<Ready>(record, "preflight/environment");
    let Some(ready) = ready else {
        return Ok(Seen::Unclear);
    };
    let migrated = has_migrated(record);
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
    match seen {
        Seen::Unsent => {}
        Seen::InService if migrated => return Ok(Seen::Unclear),
        other => return Ok(other),
    }
    if let Some(lease) = lease.filter(|lease| migrated || lease.run == record.run) {
        return Ok(Seen::Held(Box::new(lease)));
    }
    if !migrated {
        return Ok(Seen::Unsent);
    }
    if migrate::may_go_on(record) {
        let machines = migrate::machines(cloud, record).await?;
        if let Some(machine) = machines.into_iter().find(migrate::may_work) {
            return Ok(Seen::Migrating(machine.id));
        }
    }
    Ok(Seen::DataStays)
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
