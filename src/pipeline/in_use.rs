//! Which images are in use: what nothing of this tool may remove, whoever made it.

use std::collections::BTreeMap;

use super::PipelineError;
use crate::cloud::{Cloud, Instance, tags};
use crate::id::ImageId;
use crate::run::Ledger;

/// Images that something needs, and what that is, for people.
pub(super) type InUse = BTreeMap<ImageId, String>;

/// Returns the images that the ledgers of these pipelines name, the settings of any environment, deployed or not,
/// launch templates, or instances that are not this tool's own.
pub(super) async fn images(
    cloud: &Cloud,
    pipelines: &[String],
    instances: &[Instance],
) -> Result<InUse, PipelineError> {
    let mut found = InUse::new();
    for instance in instances {
        if !is_ours(instance) {
            let what = format!("instance {} runs it", instance.id);
            found.insert(instance.image.clone(), what);
        }
    }
    for (template, image) in cloud.launch_template_images().await? {
        found.insert(image, format!("launch template {template} names it"));
    }
    for pipeline in pipelines {
        for image in Ledger::images(cloud, pipeline).await? {
            found.insert(image, format!("the ledger of `{pipeline}` names it"));
        }
    }
    for environment in cloud.environments().await? {
        if environment.is_gone() {
            continue;
        }
        for set in cloud.configuration_sets(&environment).await? {
            if let Some(image) = set.image() {
                let what = format!("the settings of {} name it", environment.name);
                found.insert(image, what);
            }
        }
    }
    Ok(found)
}

/// Whether a machine is one that a run launched for itself. A member of a group is somebody's, whatever its tags say.
pub(super) fn is_ours(instance: &Instance) -> bool {
    let tags = &instance.tags;
    tags.contains_key(tags::RUN)
        && tags.contains_key(tags::ROLE)
        && !tags.contains_key(tags::GROUP)
        && !tags.contains_key(tags::MEMBER_OF)
}
