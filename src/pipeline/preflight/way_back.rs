//! The way back: what an environment would be taken back to must be launchable before anything is touched.

use super::trial::{self, Trial};
use super::{Facts, LAUNCH, Refusal, Warnings};
use crate::cloud::{Cloud, CloudError, ErrorKind, Image};
use crate::id::ImageId;
use crate::pipeline::{Context, PipelineError, observe};

/// Refuses a promotion whose present base image could not be launched again. The platform's own image is Beanstalk's
/// to keep; taking back removes the option. Its launch is tried only for the warnings.
pub(super) async fn refusal(
    context: &Context<'_>,
    facts: &Facts,
    warnings: Warnings,
) -> Result<Option<Refusal>, PipelineError> {
    let Some(deployed) = facts.deployed() else {
        return Ok(None);
    };
    let (base, id) = observe::base_image(context.cloud, &facts.environment, deployed).await?;
    if base.image().is_none() && warnings == Warnings::Silent {
        return Ok(None);
    }
    let unfit = match known(context.cloud, &id).await? {
        None => Some("is gone".to_owned()),
        Some(image) => {
            let trial = trial::of(context, facts, &image).await?;
            if let (Warnings::Shown, Some(warning)) = (warnings, trial.warning(facts, &image)) {
                context.cloud.events().warn(warning);
            }
            match trial {
                Trial::Unfit { reason, .. } => Some(reason),
                Trial::Accepted | Trial::Inconclusive(_) => None,
            }
        }
    };
    if base.image().is_none() {
        return Ok(None);
    }
    let name = &facts.environment.name;
    Ok(unfit.map(|reason| {
        Refusal::new(
            format!("there would be no way back: {id}, the base image of {name} now, {reason}"),
            format!(
                "take {name} to an image that can be launched first: restore {id} or its permissions, or go back with \
                 `goldseed rollback {}`, or set another {LAUNCH} ImageId in an update of its own",
                context.plan.pipeline
            ),
        )
    }))
}

/// Returns an image; none where it does not exist, or not for this account.
pub(in crate::pipeline) async fn known(
    cloud: &Cloud,
    id: &ImageId,
) -> Result<Option<Image>, CloudError> {
    match cloud.image(id).await {
        Ok(image) => Ok(Some(image)),
        Err(error) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::Refused) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns the stock image that the environment's instances would run without an image of ours. The image that they
/// run now may be gone: then the architecture is that of their type.
pub(in crate::pipeline) async fn stock_image(
    context: &Context<'_>,
    facts: &Facts,
    now: &ImageId,
) -> Result<ImageId, PipelineError> {
    let cloud = context.cloud;
    let architectures = match (known(cloud, now).await?, facts.instance_type()) {
        (Some(image), _) => vec![image.architecture],
        (None, Some(instance_type)) => cloud.instance_kind(instance_type).await?.architectures,
        (None, None) => Vec::new(),
    };
    observe::stock_image_of(cloud, &facts.environment, &architectures).await
}
