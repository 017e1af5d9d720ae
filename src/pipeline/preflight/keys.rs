//! KMS keys of an image's snapshots that an environment's group may not be allowed to use.

use std::collections::BTreeSet;

use super::known;
use crate::cloud::{CloudError, Image};
use crate::id::ImageId;
use crate::pipeline::Context;

/// Warns of keys that instances of the environment were not started with so far. A dry run of a launch tries the caller's
/// rights, and instances start under Auto Scaling's own role: without a grant on a customer's key each of them is ended
/// at its launch. With the keys of the present image the group has started instances already.
pub(super) async fn warn_of_new(
    context: &Context<'_>,
    golden: &Image,
    present: Option<&ImageId>,
) -> Result<(), CloudError> {
    let cloud = context.cloud;
    let wanted = cloud.snapshot_keys(&golden.snapshots).await?;
    if wanted.is_empty() {
        return Ok(());
    }
    let present = match present {
        Some(id) => known(cloud, id).await?,
        None => None,
    };
    let in_use = match present {
        // Snapshots of a stock image are Amazon's, and may not be read.
        Some(image) => cloud
            .snapshot_keys(&image.snapshots)
            .await
            .unwrap_or_default(),
        None => BTreeSet::new(),
    };
    for key in wanted.difference(&in_use) {
        cloud.events().warn(format!(
            "the snapshots of {} are encrypted with KMS key {key}: unless that is AWS's own key (aws/ebs), instances of \
             {} start only if the role AWSServiceRoleForAutoScaling may use it; see the README, \"What the tool may do\"",
            golden.id, context.plan.environment
        ));
    }
    Ok(())
}
