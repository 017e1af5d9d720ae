//! Taking an image. `CreateImage` has no client token, so the name is the key.

use std::time::Duration;

use aws_sdk_ec2::types as sdk;

use super::Image;
use crate::cloud::ec2::{Tags, tag_specifications};
use crate::cloud::{Cloud, CloudError, ErrorKind, Look, Wait, WaitError, present, tags};
use crate::id::{ImageId, InstanceId};
use crate::pace::Schedule;

/// How long an image that must be there may not be shown: EC2 can take minutes (EC2 API reference, "Eventual consistency").
const SHOWN: Schedule = Schedule {
    first: Duration::from_secs(2),
    every: Duration::from_secs(15),
    within: Duration::from_mins(10),
};

/// What an image is taken with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageRequest {
    /// The name; derived, for `CreateImage` has no client token.
    pub name: String,
    /// What people read.
    pub description: String,
    /// The machine.
    pub instance: InstanceId,
    /// Whether the machine must not be rebooted: crash-consistent only; of a stopped machine it means nothing.
    pub no_reboot: bool,
    /// Devices that are left out.
    pub without_devices: Vec<String>,
    /// Devices whose volumes are to outlive a machine of the image, whatever is set for them on this one. For a device that
    /// is there no other option can be changed (EC2 API reference, `CreateImage`).
    pub lasting_devices: Vec<String>,
    /// The tags of image and snapshots.
    pub tags: Tags,
}

impl Cloud {
    /// Takes an image unless the same request has taken it already. The name is the key: one that exists and carries
    /// our run's tag is adopted, one that does not is an error of kind `AlreadyExists`.
    pub async fn ensure_image(&self, request: &ImageRequest) -> Result<ImageId, CloudError> {
        const OPERATION: &str = "CreateImage";
        if let Some(found) = self.image_named(&request.name).await? {
            return adopt(request, found);
        }
        let without = request.without_devices.iter().map(|device| {
            sdk::BlockDeviceMapping::builder()
                .device_name(device)
                .no_device("")
                .build()
        });
        let lasting = request.lasting_devices.iter().map(|device| {
            sdk::BlockDeviceMapping::builder()
                .device_name(device)
                .ebs(
                    sdk::EbsBlockDevice::builder()
                        .delete_on_termination(false)
                        .build(),
                )
                .build()
        });
        let mappings: Vec<_> = without.chain(lasting).collect();
        let answer = self
            .ec2
            .create_image()
            .instance_id(request.instance.as_str())
            .name(&request.name)
            .description(&request.description)
            .no_reboot(request.no_reboot)
            .set_block_device_mappings((!mappings.is_empty()).then_some(mappings))
            .set_tag_specifications(Some(tag_specifications(
                &[sdk::ResourceType::Image, sdk::ResourceType::Snapshot],
                &request.tags,
            )))
            .send()
            .await
            .map_err(|error| CloudError::of(OPERATION, request.name.as_str(), &error));
        match answer {
            Ok(answer) => {
                present(answer.image_id, OPERATION, &request.name, "ImageId").map(ImageId::new)
            }
            // The first answer was lost and the SDK sent again, or a twin was faster.
            Err(error) if error.kind == ErrorKind::AlreadyExists => {
                adopt(request, self.holder_of_name(request, error).await?)
            }
            Err(error) => Err(error),
        }
    }

    /// Waits until the image is shown that `CreateImage` says has our name: right after it was taken a list can come from a
    /// server that has not heard of it. It is looked for by its name, and by the id that the refusal tells.
    async fn holder_of_name(
        &self,
        request: &ImageRequest,
        refusal: CloudError,
    ) -> Result<Image, CloudError> {
        let told = image_in(&refusal.message);
        let wait = Wait {
            subject: format!("image {}", request.name),
            schedule: SHOWN,
            in_a_row: 1,
            unseen_for: SHOWN.within,
        };
        let shown = self.poll_until(wait, async || {
            if let Some(found) = self.image_named(&request.name).await? {
                return Ok(Look::Ready(found));
            }
            let Some(id) = &told else {
                return Ok(Look::pending("not visible yet"));
            };
            let found = self.image(id).await?;
            if found.name != request.name {
                return Ok(Look::pending("not visible yet"));
            }
            Ok(Look::Ready(found))
        });
        match shown.await {
            Ok(found) => Ok(found),
            Err(WaitError::Cloud(error)) if error.kind != ErrorKind::NotFound => Err(error),
            // Whose it is nobody can tell, so nobody is told to remove it.
            Err(error) => Err(CloudError {
                kind: ErrorKind::WrongState,
                message: format!("{}, and it is not shown: {error}", refusal.message),
                ..refusal
            }),
        }
    }
}

/// The image that a text names.
fn image_in(text: &str) -> Option<ImageId> {
    let mut words =
        text.split(|character: char| !(character.is_ascii_alphanumeric() || character == '-'));
    let word = words.find(|word| word.starts_with("ami-"))?;
    Some(ImageId::new(word))
}

/// Takes an image of our name for ours if it carries our run's tag.
fn adopt(request: &ImageRequest, found: Image) -> Result<ImageId, CloudError> {
    if found.tags.contains_key(tags::RUN)
        && found.tags.get(tags::RUN) == request.tags.get(tags::RUN)
    {
        return Ok(found.id);
    }
    Err(CloudError {
        operation: "CreateImage",
        subject: request.name.clone(),
        kind: ErrorKind::AlreadyExists,
        code: None,
        message: format!("{} has this name and is not of this run", found.id),
        request_id: None,
    })
}

#[cfg(test)]
mod tests {
    use super::image_in;

    #[test]
    fn the_image_of_a_refusal_is_found_wherever_it_stands() {
        for text in [
            "AMI name shop-1 is already in use by AMI ami-0123456789abcdef0",
            "AMI (ami-0123456789abcdef0) has the name shop-1.",
        ] {
            let found = image_in(text).map(|id| id.to_string());
            assert_eq!(found.as_deref(), Some("ami-0123456789abcdef0"), "{text}");
        }
        assert_eq!(image_in("the name is in use"), None);
    }
}
