//! EC2: instances and images in domain words.

mod images;
mod instance;
mod instances;
mod network;
mod snapshots;
mod templates;
mod trial;

pub use images::{Image, ImageRequest, ImageState};
pub use instance::{Instance, InstanceState};
pub use instances::{Ensured, LaunchRequest};
pub use network::{Checks, Egress, Endpoint, Placement, Route};
pub use snapshots::{Snapshot, SnapshotProgress};
pub use trial::{InstanceKind, TrialLaunch};

use super::tags::Tags;

/// Reads the SDK's tags; a tag without a key or value is not one.
fn read_tags(tags: &[aws_sdk_ec2::types::Tag]) -> Tags {
    tags.iter()
        .filter_map(|tag| Some((tag.key.clone()?, tag.value.clone().unwrap_or_default())))
        .collect()
}

/// Writes tags for several kinds of resource at once.
fn tag_specifications(
    kinds: &[aws_sdk_ec2::types::ResourceType],
    tags: &Tags,
) -> Vec<aws_sdk_ec2::types::TagSpecification> {
    let list: Vec<_> = tags
        .iter()
        .map(|(key, value)| {
            aws_sdk_ec2::types::Tag::builder()
                .key(key)
                .value(value)
                .build()
        })
        .collect();
    kinds
        .iter()
        .map(|kind| {
            aws_sdk_ec2::types::TagSpecification::builder()
                .resource_type(kind.clone())
                .set_tags(Some(list.clone()))
                .build()
        })
        .collect()
}

/// One filter of a Describe call.
fn filter(name: &str, values: &[&str]) -> aws_sdk_ec2::types::Filter {
    aws_sdk_ec2::types::Filter::builder()
        .name(name)
        .set_values(Some(values.iter().map(ToString::to_string).collect()))
        .build()
}
