//! Image: taking an image of a machine and waiting for it; the golden image of the stopped seed.

use std::time::Duration;

use super::names::{self, Role};
use super::observe::Ground;
use super::snapshot::Origin;
use super::{Context, PipelineError, preflight};
use crate::cloud::{
    Cloud, CloudError, Image, ImageRequest, ImageState, InstanceState, Look, Wait, WaitError, tags,
};
use crate::id::{ImageId, InstanceId, RunId};
use crate::pace::Schedule;
use crate::run::{Driver, Run};

/// An image takes minutes to half an hour routinely, and "sometimes up to 24 hours" (EC2 API reference). The wait ends
/// after some hours with "pending, resumable", and the image is found again by its name.
const IMAGE: Schedule = Schedule {
    first: Duration::from_secs(5),
    every: Duration::from_secs(15),
    within: Duration::from_hours(6),
};

/// How often an image that fails is taken anew.
const ATTEMPTS: u32 = 3;

/// Takes the golden image of the stopped seed.
pub(super) async fn take(
    run: &mut Run,
    context: &Context<'_>,
    ground: &Ground,
    origin: &Origin,
    seed: &InstanceId,
) -> Result<ImageId, PipelineError> {
    let id = run.id().clone();
    let driver = run.driver();
    let taken = run.step(
        "image/golden",
        format!("take the golden image of {seed}"),
        async || {
            let image = take_and_wait(context, &driver, Role::Golden, |attempt| ImageRequest {
                name: names::image(context.plan, &id, Role::Golden, attempt),
                description: format!("goldseed: golden image for {}", context.plan.environment),
                instance: seed.clone(),
                no_reboot: true,
                without_devices: Vec::new(),
                // The seed's volumes go with it, but those of the fleet only where that was so before.
                lasting_devices: origin.lasting_devices.clone(),
                tags: lineage(context, &id, ground, origin, attempt),
            });
            image.await.map(|image| image.id)
        },
    );
    taken.await.map_err(PipelineError::from)
}

fn lineage(
    context: &Context<'_>,
    run: &RunId,
    ground: &Ground,
    origin: &Origin,
    attempt: u32,
) -> crate::cloud::Tags {
    let mut list = names::tags(context.plan, run, Role::Golden, attempt);
    let source = ground
        .instance
        .as_ref()
        .map_or_else(|| "none".to_owned(), ToString::to_string);
    for (key, value) in [
        (tags::SOURCE_INSTANCE, source),
        (tags::RAW_IMAGE, origin.image.to_string()),
        (tags::BASE_IMAGE, ground.base_image.to_string()),
        (tags::PLATFORM, ground.platform.clone()),
        (
            tags::RECIPES,
            context.plan.recipes_digest().as_str().to_owned(),
        ),
        (tags::GENERATION, (ground.generation + 1).to_string()),
        (tags::TOOL, env!("CARGO_PKG_VERSION").to_owned()),
        (tags::ENVIRONMENT, context.plan.environment.clone()),
        (tags::ENVIRONMENT_ID, ground.environment.to_string()),
        (tags::PROVED, "no".to_owned()),
    ] {
        list.insert(key.to_owned(), value);
    }
    if let Some(migration) = &context.plan.migration {
        let word = if migration.breaks {
            "breaking"
        } else {
            "compatible"
        };
        list.insert(tags::MIGRATIONS.to_owned(), word.to_owned());
    }
    list
}

/// Takes an image and waits until it is available; one that fails is deregistered and taken anew under the next
/// attempt's name, for a failed image keeps its name. Hours may pass in between, so each time it is looked first whether
/// this process still drives the run.
pub(super) async fn take_and_wait(
    context: &Context<'_>,
    driver: &Driver,
    role: Role,
    request: impl Fn(u32) -> ImageRequest,
) -> Result<Image, PipelineError> {
    let cloud = context.cloud;
    let mut attempt = 1;
    loop {
        let request = request(attempt);
        if role == Role::Golden {
            must_be_stopped(context, &request.instance, driver.run()).await?;
        }
        let image = cloud.ensure_image(&request).await?;
        match wait(context, &image).await {
            Ok(taken) => return Ok(taken),
            Err(WaitError::Never { subject, reason }) if attempt < ATTEMPTS => {
                cloud
                    .events()
                    .warn(format!("{subject} failed and is taken again: {reason}"));
                driver.must_drive().await?;
                cloud.ensure_deregistered(&image).await?;
                attempt += 1;
            }
            Err(error @ WaitError::Never { .. }) => {
                driver.must_drive().await?;
                cloud.ensure_deregistered(&image).await?;
                return Err(error.into());
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// A golden image is only ever taken of a stopped machine: consistent, and with no process that could write its
/// identity back.
async fn must_be_stopped(
    context: &Context<'_>,
    instance: &InstanceId,
    run: &RunId,
) -> Result<(), PipelineError> {
    let state = context.cloud.instance(instance).await?.state;
    if state == InstanceState::Stopped {
        return Ok(());
    }
    Err(PipelineError::Disturbed(format!(
        "the seed {instance} of run {run} is {} and not stopped: somebody started it after it was generalised",
        state.as_str()
    )))
}

async fn wait(context: &Context<'_>, image: &ImageId) -> Result<Image, WaitError> {
    let cloud = context.cloud;
    let wait = Wait {
        subject: format!("image {image}"),
        schedule: IMAGE,
        // Two in a row: the next call may be answered by another server that has not heard of it.
        in_a_row: 2,
        unseen_for: Duration::from_mins(10),
    };
    cloud
        .poll_until(wait, async || {
            let seen = cloud.image(image).await?;
            match seen.state {
                ImageState::Available => Ok(Look::Ready(seen)),
                ImageState::Unusable(reason) => Ok(Look::Never(reason)),
                ImageState::Pending => {
                    let progress = cloud.snapshot_progress(&seen.snapshots).await?;
                    if let Some(failure) = progress.failure {
                        return Ok(Look::Never(failure));
                    }
                    let state = match (progress.completed, progress.done) {
                        (true, _) => "pending, its snapshots are completed".to_owned(),
                        (false, Some(done)) => {
                            format!("pending, snapshot at {:.0} %", done * 100.0)
                        }
                        (false, None) => "pending".to_owned(),
                    };
                    Ok(Look::Pending {
                        state,
                        done: progress.done,
                    })
                }
            }
        })
        .await
}

/// Whether an image is there, can be launched and is not in quarantine.
///
/// # Errors
/// What AWS refused.
pub async fn is_fit(cloud: &Cloud, id: &ImageId) -> Result<bool, CloudError> {
    let image = preflight::known(cloud, id).await?;
    Ok(image.is_some_and(|image| {
        image.state == ImageState::Available && !image.tags.contains_key(tags::QUARANTINED)
    }))
}

/// Returns an image, and refuses one that cannot be launched.
pub(super) async fn must_be_available(
    context: &Context<'_>,
    image: &ImageId,
) -> Result<Image, PipelineError> {
    let seen = context.cloud.image(image).await?;
    match seen.state {
        ImageState::Available => Ok(seen),
        ImageState::Pending => Err(WaitError::Never {
            subject: format!("image {image}"),
            reason: "it is still pending".into(),
        }
        .into()),
        ImageState::Unusable(reason) => Err(WaitError::Never {
            subject: format!("image {image}"),
            reason,
        }
        .into()),
    }
}
