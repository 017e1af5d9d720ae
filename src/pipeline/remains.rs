//! What a run has made that exists now, told by its tags; and the end of what it runs on a machine.

use super::{Context, PipelineError, names};
use crate::cloud::{Cloud, CloudError, ImageState, Tags, tags};
use crate::id::{InstanceId, RunId, StepId};
use crate::node::Node;
use crate::run::Run;

/// Returns what the run has made that exists now: label and value, for people.
pub async fn left_by(cloud: &Cloud, run: &RunId) -> Result<Vec<(String, String)>, CloudError> {
    let ours = Tags::from([(tags::RUN.to_owned(), run.to_string())]);
    let mut list = Vec::new();
    for instance in cloud.instances_tagged(&ours).await? {
        if !instance.state.is_gone() {
            let role = instance
                .tags
                .get(tags::ROLE)
                .map_or("instance", String::as_str);
            list.push((
                role.to_owned(),
                format!("{} ({})", instance.id, instance.state.as_str()),
            ));
        }
    }
    let mut images = cloud.images_tagged(&ours).await?;
    // EC2 lists them in whatever order.
    images.sort_by(|one, other| one.name.cmp(&other.name));
    for image in images {
        let role = image.tags.get(tags::ROLE).map_or("image", String::as_str);
        let state = match &image.state {
            ImageState::Available => "available",
            ImageState::Pending => "pending",
            ImageState::Unusable(state) => state,
        };
        list.push((format!("{role} image"), format!("{} ({state})", image.id)));
    }
    Ok(list)
}

/// Ends the recipes that run on the seed, if they do: an interrupted run must not go on working by itself. A migration
/// comes to its end: half a change of the data is the worst of all states.
pub async fn stop_work(context: &Context<'_>, run: &Run) -> Result<(), PipelineError> {
    let applying = run
        .record()
        .unfinished()
        .is_some_and(|step| step.id.as_str() == "apply/recipes");
    let seed = run.record().step(&StepId::new("launch/seed"));
    let seed = seed.and_then(|step| serde_json::from_value::<InstanceId>(step.output.clone()).ok());
    if let (true, Some(seed)) = (applying, seed) {
        Node::new(context.cloud, &seed)
            .stop(&names::unit(run.id(), "apply"))
            .await?;
    }
    Ok(())
}
