//! The one call of a swap: compared before, and after an answer that was lost.

use super::{Direction, Swapped, Way};
use crate::cloud::{CloudError, ConfigurationSet, ErrorKind, Guard};
use crate::id::{EnvironmentId, ImageId};
use crate::pipeline::{Context, PipelineError, observe};
use crate::record::BaseImage;
use crate::run::Ledger;

/// Sends the update unless the deployed settings name the image already, an update to it is under way, or one to it has
/// failed and was reverted: then the answer to the first sending was lost, and the watch judges what came of it. Where neither end of the way is deployed, somebody else was at work.
pub(super) async fn send(
    context: &Context<'_>,
    id: &EnvironmentId,
    way: &Way<'_>,
    guard: Guard,
) -> Result<Swapped, PipelineError> {
    let cloud = context.cloud;
    match names_image(context, id, way.to, way.to_image).await? {
        Named::Deployed => return Ok(Swapped::Already),
        Named::UnderWay => return Ok(Swapped::Sent),
        // On the way back it is tried again.
        Named::Failed if way.direction == Direction::Forward => return Ok(Swapped::Sent),
        Named::Other { image, settled } if image != *way.from_image => {
            let environment = context.plan.environment.clone();
            let was = way.from_image.clone();
            return Err(if settled {
                PipelineError::Overtaken {
                    environment,
                    now: image,
                    was,
                    data: None,
                }
            } else {
                PipelineError::Disturbed(format!(
                    "{environment} is on its way from {image}, and the base image was {was} when this run looked: \
                     somebody changes it, and nothing was sent"
                ))
            });
        }
        Named::Failed | Named::Other { .. } | Named::Nothing => {}
    }
    match cloud.swap_base_image(id, way.to.image(), guard).await {
        Ok(()) => Ok(Swapped::Sent),
        Err(error) if lost_its_answer(&error) || is_refused(&error) => {
            match names_image(context, id, way.to, way.to_image).await? {
                Named::Deployed | Named::UnderWay => Ok(Swapped::Sent),
                Named::Failed if !is_refused(&error) => Ok(Swapped::Sent),
                Named::Failed | Named::Other { .. } | Named::Nothing => Err(error.into()),
            }
        }
        Err(error) => Err(error.into()),
    }
}

/// The end of a run after which another image was set, with the run that set it where the ledger's last entry tells.
pub(in crate::pipeline) async fn replaced(
    context: &Context<'_>,
    target: &BaseImage,
    now: ImageId,
) -> PipelineError {
    let Context { cloud, plan, .. } = *context;
    let by = match Ledger::read(cloud, &plan.pipeline).await {
        Ok(ledger) => {
            let last = ledger.entries.into_iter().last();
            last.filter(|entry| entry.current.image() == Some(&now))
                .map(|entry| entry.run)
        }
        Err(error) => {
            cloud
                .events()
                .warn(format!("who set {now} could not be looked up: {error}"));
            None
        }
    };
    PipelineError::Replaced {
        environment: plan.environment.clone(),
        now,
        by,
        target: target.clone(),
    }
}

/// Whether Beanstalk itself has refused the update, so that nothing comes of it.
pub(in crate::pipeline) fn is_refused(error: &CloudError) -> bool {
    let refused = matches!(
        error.kind,
        ErrorKind::Denied | ErrorKind::Refused | ErrorKind::Quota | ErrorKind::NotFound
    );
    refused && error.operation == UPDATE && error.code.is_some()
}

/// The call that sets a base image.
const UPDATE: &str = "UpdateEnvironment";

/// "Must be Ready" is what our own second sending meets when the first was applied and its answer lost; and a second
/// sending can be held back.
fn lost_its_answer(error: &CloudError) -> bool {
    matches!(
        error.kind,
        ErrorKind::WrongState | ErrorKind::Unreachable | ErrorKind::HeldBack
    )
}

pub(super) enum Named {
    Deployed,
    UnderWay,
    /// By a draft whose update failed: Beanstalk went back by itself.
    Failed,
    /// Another image is deployed.
    Other {
        image: ImageId,
        /// Whether the environment is Ready with it.
        settled: bool,
    },
    Nothing,
}

pub(super) async fn names_image(
    context: &Context<'_>,
    id: &EnvironmentId,
    to: &BaseImage,
    image: &ImageId,
) -> Result<Named, PipelineError> {
    let cloud = context.cloud;
    let plan = context.plan;
    let environment = cloud
        .environment(&plan.environment, plan.application.as_deref())
        .await?;
    observe::again::must_be(&environment, id)?;
    let sets = cloud.configuration_sets(&environment).await?;
    // Settings without an image are those of the platform's own.
    let named = |set: &&ConfigurationSet| match set.image() {
        Some(named) => named == *image,
        None => to.image().is_none(),
    };
    let deployed = sets.iter().filter(named).any(ConfigurationSet::is_deployed);
    let failed = sets.iter().filter(named).any(ConfigurationSet::has_failed);
    let pending = sets.iter().filter(named).any(ConfigurationSet::is_pending);
    Ok(match (environment.is_ready(), deployed, pending) {
        (true, true, _) => Named::Deployed,
        (false, true, _) | (false, _, true) => Named::UnderWay,
        _ if failed => Named::Failed,
        _ => {
            let deployed = sets.iter().find(|set| set.is_deployed());
            let image = deployed.and_then(ConfigurationSet::image);
            image.map_or(Named::Nothing, |image| Named::Other {
                image,
                settled: environment.is_ready(),
            })
        }
    })
}
