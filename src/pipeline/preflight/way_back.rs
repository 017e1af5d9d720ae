//! The way back: what an environment would be taken back to must be launchable before anything is touched.

use super::{Facts, LAUNCH, Refusal};
use crate::cloud::{Cloud, CloudError, ErrorKind, Image, ImageState};
use crate::id::ImageId;
use crate::pipeline::{Context, PipelineError, observe};

/// Refuses a promotion whose present base image could not be launched again. The platform's own image is Beanstalk's
/// to keep; taking back removes the option.
pub(super) async fn refusal(
    context: &Context<'_>,
    facts: &Facts,
) -> Result<Option<Refusal>, PipelineError> {
    let Some(deployed) = facts.deployed() else {
        return Ok(None);
    };
    let (base, id) = observe::base_image(context.cloud, &facts.environment, deployed).await?;
    if base.image().is_none() {
        return Ok(None);
    }
    let unfit = match known(context.cloud, &id).await? {
        None => Some("is gone".to_owned()),
        Some(image) => unfit(context, facts, &image).await?,
    };
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
        (None, Some(instance_type)) => cloud.architectures(instance_type).await?,
        (None, None) => Vec::new(),
    };
    observe::stock_image_of(cloud, &facts.environment, &architectures).await
}

/// Why the environment's instances could not be launched from an image; none: they can.
pub(in crate::pipeline) async fn unfit(
    context: &Context<'_>,
    facts: &Facts,
    image: &Image,
) -> Result<Option<String>, PipelineError> {
    match &image.state {
        ImageState::Available => {}
        ImageState::Pending => return Ok(Some("is pending".to_owned())),
        ImageState::Unusable(state) => return Ok(Some(format!("is {state}"))),
    }
    let Some(instance_type) = facts.instance_type() else {
        return Ok(None);
    };
    match context
        .cloud
        .may_launch(&image.id, instance_type, facts.subnet())
        .await
    {
        Ok(()) => Ok(None),
        Err(error) if !is_of_the_image(&error) => Err(error.into()),
        Err(error) => Ok(Some(format!(
            "cannot be launched as {instance_type}: {error}"
        ))),
    }
}

/// Whether a refused dry run of a launch says something of the image, and not of the caller, the account or the moment.
/// Codes: EC2 API reference, "Common client errors".
pub(super) fn is_of_the_image(error: &CloudError) -> bool {
    let of_account = matches!(
        error.code.as_deref(),
        Some("Blocked" | "PendingVerification" | "OptInRequired")
    );
    matches!(
        error.kind,
        ErrorKind::NotFound | ErrorKind::Refused | ErrorKind::WrongState
    ) && !of_account
}

impl Facts {
    /// The type that the environment's instances are launched as first.
    pub(super) fn instance_type(&self) -> Option<&str> {
        self.option("aws:ec2:instances", "InstanceTypes")
            .and_then(|types| types.split(',').next())
            .or_else(|| self.option(LAUNCH, "InstanceType"))
            .map(str::trim)
    }

    /// The first of the subnets that were chosen for instances.
    pub(super) fn subnet(&self) -> Option<&str> {
        self.option("aws:ec2:vpc", "Subnets")
            .and_then(|list| list.split(',').next())
            .map(str::trim)
    }
}
