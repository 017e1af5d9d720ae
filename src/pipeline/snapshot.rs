//! Snapshot: the raw image of the source instance, or the image that the build begins with.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::names::{self, Role};
use super::observe::Ground;
use super::{Context, PipelineError, image};
use crate::cloud::{ErrorKind, Image, ImageRequest, Tags, tags};
use crate::id::{ImageId, InstanceId, RunId};
use crate::node::{Job, Node};
use crate::run::{Outcome, Run};

/// What the seed is launched from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Origin {
    /// The image.
    #[serde(rename = "i")]
    pub(super) image: ImageId,
    /// Whether this run made it: a raw image, which goes when the run is done.
    #[serde(rename = "raw")]
    pub(super) is_raw: bool,
    /// The devices whose volumes outlive a machine of the image: of the golden image they are the same.
    #[serde(rename = "l", default, skip_serializing_if = "Vec::is_empty")]
    pub(super) lasting_devices: Vec<String>,
}

impl Outcome for Origin {
    fn outcome(&self) -> String {
        self.image.to_string()
    }
}

/// Takes the raw image; or nothing, where the build begins with an image.
pub(super) async fn take(
    run: &mut Run,
    context: &Context<'_>,
    ground: &Ground,
) -> Result<Origin, PipelineError> {
    let id = run.id().clone();
    let Some(source) = &ground.instance else {
        let image = ground
            .image
            .clone()
            .unwrap_or_else(|| ground.base_image.clone());
        return run
            .step(
                "snapshot/image",
                format!("begin with {image}"),
                async || {
                    let image = image::must_be_available(context, &image).await?;
                    Ok(Origin {
                        image: image.id,
                        is_raw: false,
                        lasting_devices: image.lasting_devices,
                    })
                },
            )
            .await
            .map_err(PipelineError::from);
    };
    let driver = run.driver();
    let taken = run.step(
        "snapshot/image",
        format!("take an image of {source}"),
        async || {
            flush(context, &names::unit(&id, "flush"), source).await;
            let image = image::take_and_wait(context, &driver, Role::Raw, |attempt| ImageRequest {
                name: names::image(context.plan, &id, Role::Raw, attempt),
                description: format!("goldseed: raw image of {source}, carries its identity"),
                instance: source.clone(),
                // A reboot of a production instance makes its group replace it.
                no_reboot: true,
                without_devices: ground.without.clone(),
                lasting_devices: Vec::new(),
                tags: names::tags(context.plan, &id, Role::Raw, attempt),
            })
            .await?;
            Ok(Origin {
                image: image.id,
                is_raw: true,
                lasting_devices: image.lasting_devices,
            })
        },
    );
    match taken.await.map_err(PipelineError::from) {
        Err(error) => Err(unless_gone(context, &id, source, error).await),
        done => done,
    }
}

/// The error of a raw image that was not taken; where the source is gone and no raw image of it was begun, it never can
/// be, for a run keeps to what it began with.
async fn unless_gone(
    context: &Context<'_>,
    run: &RunId,
    source: &InstanceId,
    error: PipelineError,
) -> PipelineError {
    match &error {
        // An answer that was lost may be that of an image.
        PipelineError::Cloud(cloud) if cloud.is_transient() => return error,
        PipelineError::Cloud(_) | PipelineError::Wait(_) => {}
        _ => return error,
    }
    let raw = Tags::from([
        (tags::RUN.to_owned(), run.to_string()),
        (tags::ROLE.to_owned(), Role::Raw.as_str().to_owned()),
    ]);
    match context.cloud.images_tagged(&raw).await {
        Ok(images) if images.iter().all(Image::is_gone) => {}
        _ => return error,
    }
    let state = match context.cloud.instance(source).await {
        Ok(seen) if seen.state.is_gone() => seen.state.as_str().to_owned(),
        Err(unknown) if unknown.kind == ErrorKind::NotFound => "gone".to_owned(),
        _ => return error,
    };
    PipelineError::Disturbed(format!(
        "the source instance {source} is {state}: run {run} began with it and cannot go on; give the run up with \
         `goldseed abandon {run}` and start another ({error})"
    ))
}

/// Writes the source's file system buffers to its disk where its agent answers: without a reboot an image is only
/// crash-consistent. Beanstalk's own instance profile lacks Systems Manager, so this may well not be possible.
async fn flush(context: &Context<'_>, unit: &str, source: &InstanceId) {
    let events = context.cloud.events();
    let warning = match context.cloud.agent_status(source).await {
        Ok(Some(status)) if status == "Online" => {
            let node = Node::new(context.cloud, source);
            let job = Job {
                unit: unit.to_owned(),
                script: "sync\n",
                contents: &[],
                limit: Duration::from_mins(5),
            };
            match node.run(&job, |_| {}).await {
                Ok(0) => return,
                Ok(code) => format!("`sync` ended with code {code}"),
                Err(error) => error.to_string(),
            }
        }
        Ok(_) => "its agent is not online".to_owned(),
        Err(error) => error.to_string(),
    };
    events.warn(format!(
        "{source} could not be flushed before its image ({warning}): files it wrote in the last minute may be cut off"
    ));
}
