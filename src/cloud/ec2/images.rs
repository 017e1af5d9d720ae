//! Images: looked at, taken under a derived name, tagged, deregistered with their snapshots.

mod take;

use aws_sdk_ec2::types as sdk;

use super::super::{Cloud, CloudError, ErrorKind, present};
use super::{Tags, filter, read_tags};
use crate::id::{ImageId, SnapshotId};
pub use take::ImageRequest;

/// An image as far as the tool cares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Its id.
    pub id: ImageId,
    /// Its name: unique in an account and region among one's own.
    pub name: String,
    /// The state it is in.
    pub state: ImageState,
    /// `x86_64` or `arm64`.
    pub architecture: String,
    /// `legacy-bios`, `uefi` or `uefi-preferred`; none: as the instance type boots by default.
    pub boot_mode: Option<String>,
    /// Whether the account's Allowed AMIs include it, where they are enabled or audited.
    pub allowed: Option<bool>,
    /// The root device's name.
    pub root_device: String,
    /// The root volume's size in GiB, where the image says it.
    pub root_size: Option<i32>,
    /// The devices whose volumes outlive a machine of it: `DeleteOnTermination` is false.
    pub lasting_devices: Vec<String>,
    /// Its snapshots.
    pub snapshots: Vec<SnapshotId>,
    /// When it was made, as EC2 writes it: sorts as text.
    pub created: String,
    /// Its tags.
    pub tags: Tags,
}

/// The states of an image (EC2 API reference, `ImageState`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageState {
    /// Its snapshots are being made.
    Pending,
    /// It can be launched.
    Available,
    /// It can not and never will be launched: state and reason.
    Unusable(String),
}

impl Image {
    /// Whether it is deregistered: EC2 may show such a one for a while.
    pub fn is_gone(&self) -> bool {
        matches!(&self.state, ImageState::Unusable(state) if state.starts_with(DEREGISTERED))
    }
}

/// The state of an image that is no more (EC2 API reference, `ImageState`).
const DEREGISTERED: &str = "deregistered";

impl Cloud {
    /// Returns one image.
    pub async fn image(&self, id: &ImageId) -> Result<Image, CloudError> {
        let list = self
            .describe_images(id.as_str(), |call| call.image_ids(id.as_str()))
            .await?;
        list.into_iter().next().ok_or_else(|| CloudError {
            operation: "DescribeImages",
            subject: id.to_string(),
            kind: ErrorKind::NotFound,
            code: None,
            message: "there is no such image, or it is not shared with this account".into(),
            request_id: None,
        })
    }

    /// Returns this account's images that carry all of these tags.
    pub async fn images_tagged(&self, wanted: &Tags) -> Result<Vec<Image>, CloudError> {
        let filters: Vec<_> = wanted
            .iter()
            .map(|(key, value)| filter(&format!("tag:{key}"), &[value]))
            .collect();
        self.describe_images("tagged images", |call| {
            call.owners("self").set_filters(Some(filters.clone()))
        })
        .await
    }

    async fn image_named(&self, name: &str) -> Result<Option<Image>, CloudError> {
        let list = self
            .describe_images(name, |call| {
                call.owners("self").filters(filter("name", &[name]))
            })
            .await?;
        Ok(list.into_iter().find(|image| image.name == name))
    }

    async fn describe_images(
        &self,
        subject: &str,
        narrow: impl Fn(
            aws_sdk_ec2::operation::describe_images::builders::DescribeImagesFluentBuilder,
        )
            -> aws_sdk_ec2::operation::describe_images::builders::DescribeImagesFluentBuilder,
    ) -> Result<Vec<Image>, CloudError> {
        const OPERATION: &str = "DescribeImages";
        let mut found = Vec::new();
        let mut token = None;
        loop {
            // Somebody may have disabled one: it keeps its name, its tags and its snapshots.
            let call = narrow(self.ec2.describe_images())
                .include_disabled(true)
                .set_next_token(token);
            let answer = call
                .send()
                .await
                .map_err(|error| CloudError::of(OPERATION, subject, &error))?;
            for image in answer.images() {
                found.push(read_image(image, OPERATION)?);
            }
            token = answer.next_token.filter(|text| !text.is_empty());
            if token.is_none() {
                return Ok(found);
            }
        }
    }

    /// Tags resources; the tags must be fit for AWS already.
    pub async fn tag(&self, resource: &str, tags: &Tags) -> Result<(), CloudError> {
        let list = tags
            .iter()
            .map(|(key, value)| sdk::Tag::builder().key(key).value(value).build());
        self.ec2
            .create_tags()
            .resources(resource)
            .set_tags(Some(list.collect()))
            .send()
            .await
            .map(drop)
            .map_err(|error| CloudError::of("CreateTags", resource, &error))
    }

    /// Deregisters an image and deletes its snapshots; one that is gone already is fine. Snapshots that other images
    /// share are left by EC2 itself.
    pub async fn ensure_deregistered(&self, id: &ImageId) -> Result<(), CloudError> {
        let answer = self
            .ec2
            .deregister_image()
            .image_id(id.as_str())
            .delete_associated_snapshots(true)
            .send()
            .await;
        match answer.map_err(|error| CloudError::of("DeregisterImage", id.as_str(), &error)) {
            Err(error) if error.kind == ErrorKind::NotFound => Ok(()),
            // EC2 says so of an image that was deregistered a moment ago.
            Err(error) if error.code.as_deref() == Some("InvalidAMIID.Unavailable") => Ok(()),
            other => {
                for left in other?.delete_snapshot_results() {
                    let code = left.return_code().map_or("unknown", |code| code.as_str());
                    let snapshot = left.snapshot_id().unwrap_or("without an id");
                    if let Some(what) = left_over(code) {
                        let text = format!("snapshot {snapshot} of {id} {what}");
                        self.events.warn(text);
                    }
                }
                Ok(())
            }
        }
    }
}

/// What became of a snapshot whose image was deregistered, by its code (EC2 API reference, `DeleteSnapshotReturnCode`); none:
/// it is deleted. Who removes it later finds it by its own tags.
fn left_over(code: &str) -> Option<String> {
    match code {
        "success" => None,
        "skipped" => Some("stays: another image has it too".to_owned()),
        "missing-permissions" => Some(
            "is left: the caller's role lacks ec2:DeleteSnapshot for it; with that `goldseed sweep` removes it".to_owned(),
        ),
        code => Some(format!(
            "is left ({code}): `goldseed sweep` removes it, a day after its run began"
        )),
    }
}

fn read_image(image: &sdk::Image, operation: &'static str) -> Result<Image, CloudError> {
    let id = present(image.image_id(), operation, "an image", "ImageId")?;
    let state = match present(image.state(), operation, id, "ImageState")? {
        sdk::ImageState::Pending | sdk::ImageState::Transient => ImageState::Pending,
        sdk::ImageState::Available => ImageState::Available,
        other => {
            let reason = image.state_reason().and_then(|reason| reason.message());
            let reason = reason.map(|text| format!(": {text}")).unwrap_or_default();
            ImageState::Unusable(format!("{}{reason}", other.as_str()))
        }
    };
    let root_device = image.root_device_name().unwrap_or_default().to_owned();
    let volumes = image.block_device_mappings();
    let root = volumes
        .iter()
        .find(|volume| volume.device_name() == Some(root_device.as_str()));
    Ok(Image {
        id: ImageId::new(id),
        name: image.name().unwrap_or_default().to_owned(),
        state,
        architecture: present(image.architecture(), operation, id, "Architecture")?
            .as_str()
            .to_owned(),
        boot_mode: image.boot_mode().map(|mode| mode.as_str().to_owned()),
        allowed: image.image_allowed(),
        root_size: root
            .and_then(|volume| volume.ebs())
            .and_then(sdk::EbsBlockDevice::volume_size),
        root_device,
        lasting_devices: volumes
            .iter()
            .filter(|volume| {
                let volume = volume.ebs();
                volume.and_then(sdk::EbsBlockDevice::delete_on_termination) == Some(false)
            })
            .filter_map(|volume| volume.device_name().map(ToOwned::to_owned))
            .collect(),
        snapshots: volumes
            .iter()
            .filter_map(|volume| volume.ebs()?.snapshot_id().map(SnapshotId::new))
            .collect(),
        created: image.creation_date().unwrap_or_default().to_owned(),
        tags: read_tags(image.tags()),
    })
}
