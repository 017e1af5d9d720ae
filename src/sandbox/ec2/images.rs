//! Images: how they come to be out of an instance, and how they go.

use super::dry_run;
use super::filters::Filters;
use super::snapshots::SnapshotState;
use super::tags::{self, Tags};
use super::volumes::Disk;
use crate::sandbox::beanstalk::behaviour::Behaviour;
use crate::sandbox::clock::Ripening;
use crate::sandbox::jobs::Job;
use crate::sandbox::state::State;
use crate::sandbox::wire::xml::Xml;
use crate::sandbox::wire::{ApiError, Call, moment};

/// The account that plays Amazon's, the owner of the platforms' own images.
pub(crate) const AMAZON: &str = "102837901569";

/// How far an image is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ImageState {
    Pending,
    Available,
    Failed,
    Disabled,
    Deregistered,
}

impl ImageState {
    /// The word of the API.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Available => "available",
            Self::Failed => "failed",
            Self::Disabled => "disabled",
            Self::Deregistered => "deregistered",
        }
    }
}

/// How far the machine's part of making an image is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Capture {
    Running,
    Done,
    Failed(String),
}

/// An image.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    /// The account that owns it; `None` for ours.
    pub(crate) owner: Option<&'static str>,
    pub(crate) architecture: String,
    pub(crate) state: ImageState,
    pub(crate) failure: Option<String>,
    pub(crate) created: jiff::Timestamp,
    pub(crate) disks: Vec<Disk>,
    pub(crate) tags: Tags,
    pub(crate) source_instance: Option<String>,
    pub(crate) parent: Option<String>,
    pub(crate) ripening: Option<Ripening>,
    pub(crate) capture: Capture,
}

/// The name of the disk that a machine boots from.
pub(crate) const ROOT_DEVICE: &str = "/dev/xvda";

impl Image {
    fn values(&self, filter: &str, account: &str) -> Vec<String> {
        vec![match filter {
            "image-id" => self.id.clone(),
            "name" => self.name.clone(),
            "state" => self.state.name().to_owned(),
            "owner-id" => self.owner.unwrap_or(account).to_owned(),
            "owner-alias" => {
                return self
                    .owner
                    .map(|_| "amazon".to_owned())
                    .into_iter()
                    .collect();
            }
            "architecture" => self.architecture.clone(),
            "description" => return self.description.clone().into_iter().collect(),
            "is-public" => self.owner.is_some().to_string(),
            "image-type" => "machine".to_owned(),
            "root-device-type" => "ebs".to_owned(),
            "root-device-name" => ROOT_DEVICE.to_owned(),
            "virtualization-type" => "hvm".to_owned(),
            "source-instance-id" => return self.source_instance.clone().into_iter().collect(),
            _ => {
                return self
                    .disks
                    .iter()
                    .filter_map(|disk| disk.snapshot_id.clone())
                    .collect();
            }
        }]
    }

    fn write(&self, xml: &mut Xml, account: &str, region: &str) {
        let owner = self.owner.unwrap_or(account);
        let failed = self.failure.as_ref();
        xml.text("imageId", &self.id)
            .text("imageLocation", format!("{owner}/{}", self.name))
            .text("imageState", self.state.name())
            .text("imageOwnerId", owner)
            .text("creationDate", moment(self.created))
            .text("isPublic", self.owner.is_some())
            .text("architecture", &self.architecture)
            .text("imageType", "machine")
            .optional("imageOwnerAlias", self.owner.map(|_| "amazon"))
            .text("name", &self.name)
            .optional("description", self.description.as_ref())
            .text("rootDeviceType", "ebs")
            .text("rootDeviceName", ROOT_DEVICE)
            .list("blockDeviceMapping", "item", &self.disks, |xml, disk| {
                xml.text("deviceName", &disk.device).within("ebs", |xml| {
                    xml.optional("snapshotId", disk.snapshot_id.as_ref())
                        .text("volumeSize", disk.gibibytes)
                        .text("deleteOnTermination", disk.delete_on_termination)
                        .text("volumeType", &disk.kind)
                        .text("encrypted", disk.encrypted);
                });
            })
            .text("virtualizationType", "hvm")
            .text("hypervisor", "xen")
            .text("enaSupport", true)
            .text("bootMode", "uefi-preferred")
            .text("imdsSupport", "v2.0")
            .text("platformDetails", "Linux/UNIX")
            .text("usageOperation", "RunInstances")
            .text("imageAllowed", true)
            .optional("sourceInstanceId", self.source_instance.as_ref())
            .optional("sourceImageId", self.parent.as_ref())
            .optional("sourceImageRegion", self.parent.as_ref().map(|_| region));
        if let Some(reason) = failed {
            xml.within("stateReason", |xml| {
                xml.text("code", "Client.InternalError")
                    .text("message", reason);
            });
        }
        tags::write(xml, &self.tags);
    }
}

impl State {
    /// Counts a look at an image, and lets it and its snapshots ripen.
    pub(crate) fn look_at_image(&mut self, image_id: &str) {
        let Some(image) = self.images.get(image_id) else {
            return;
        };
        let stays = self.behaviour_of(&image.id, &image.name) == Behaviour::StaysPending;
        let Some(image) = self.images.get_mut(image_id) else {
            return;
        };
        let Some(ripening) = &mut image.ripening else {
            return;
        };
        let was_ripe = ripening.is_ripe();
        let percent = ripening.percent();
        if !stays || percent < 40 {
            ripening.poll();
        }
        let (state, progress, message) = match &image.capture {
            Capture::Failed(reason) => {
                image.state = ImageState::Failed;
                image.failure = Some(reason.clone());
                image.ripening = None;
                (SnapshotState::Error, String::new(), Some(reason.clone()))
            }
            Capture::Done if was_ripe => {
                image.state = ImageState::Available;
                image.ripening = None;
                (SnapshotState::Completed, "100%".to_owned(), None)
            }
            _ => {
                // An empty progress at first, and a long stay at 99 %, are what EC2 shows.
                let progress = match percent {
                    0 => String::new(),
                    80.. => "99%".to_owned(),
                    other => format!("{other}%"),
                };
                (SnapshotState::Pending, progress, None)
            }
        };
        for snapshot in self.snapshots.values_mut() {
            if snapshot.image_id == image_id {
                snapshot.state = state;
                snapshot.progress.clone_from(&progress);
                snapshot.message.clone_from(&message);
            }
        }
    }
}

/// `DescribeImages`. Disabled images are shown where that is asked for; deprecated ones do not exist here.
pub(super) fn describe(state: &mut State, call: &Call) -> Result<Xml, ApiError> {
    let ids = call.query.list("ImageId");
    let owners = call.query.list("Owner");
    let known = [
        "image-id",
        "name",
        "state",
        "owner-id",
        "owner-alias",
        "architecture",
        "description",
        "is-public",
        "image-type",
        "root-device-type",
        "root-device-name",
        "virtualization-type",
        "source-instance-id",
        "block-device-mapping.snapshot-id",
    ];
    let filters = Filters::read(&call.query, &known)?;
    for id in &ids {
        known_image(state, id)?;
    }
    let with_disabled = call.query.flag("IncludeDisabled")?;
    let looked_at: Vec<String> = state
        .images
        .keys()
        .filter(|id| ids.is_empty() || ids.contains(id))
        .cloned()
        .collect();
    for id in &looked_at {
        state.look_at_image(id);
    }
    let (account, region) = (&state.account, &state.region);
    let found = looked_at
        .iter()
        .filter_map(|id| state.images.get(id))
        .filter(|image| image.state != ImageState::Deregistered || ids.contains(&image.id))
        .filter(|image| image.state != ImageState::Disabled || with_disabled)
        .filter(|image| {
            owners.is_empty()
                || owners.iter().any(|owner| match image.owner {
                    None => owner == "self" || owner == account,
                    Some(other) => owner == "amazon" || owner == other,
                })
        })
        .filter(|image| filters.pass(&image.tags, |name| image.values(name, account)))
        .collect();
    let (page, token) = super::paged(call, &ids, found)?;
    let mut xml = Xml::new();
    xml.list("imagesSet", "item", page, |xml, image: &Image| {
        image.write(xml, account, region);
    })
    .optional("nextToken", token);
    Ok(xml)
}

/// `DeregisterImage`. An image in use may go, as on AWS: what still refers to it fails later.
pub(super) fn deregister(state: &mut State, call: &Call) -> Result<Xml, ApiError> {
    let id = call.query.required("ImageId")?;
    let image = known_image(state, id)?;
    if image.state == ImageState::Deregistered {
        return Err(ApiError::new(
            "InvalidAMIID.Unavailable",
            format!("The image ID '{id}' is no longer available"),
        ));
    }
    if image.owner.is_some() {
        return Err(ApiError::with_status(
            403,
            "AuthFailure",
            format!("Not authorized for image:{id}"),
        ));
    }
    let with_snapshots = call.query.flag("DeleteAssociatedSnapshots")?;
    dry_run(call)?;
    let own: Vec<String> = image
        .disks
        .iter()
        .filter_map(|disk| disk.snapshot_id.clone())
        .filter(|snapshot| state.snapshots.contains_key(snapshot))
        .collect();
    if let Some(image) = state.images.get_mut(id) {
        image.state = ImageState::Deregistered;
        image.ripening = None;
    }
    state.jobs.push(Job::Discard(id.to_owned()));
    let mut xml = tags::done();
    if with_snapshots {
        for snapshot in &own {
            state.snapshots.remove(snapshot);
        }
        xml.list("deleteSnapshotResultSet", "item", own, |xml, snapshot| {
            xml.text("snapshotId", snapshot)
                .text("returnCode", "success");
        });
    }
    Ok(xml)
}

/// `DisableImage`: it can be launched no more, and is no longer shown by itself.
pub(super) fn disable(state: &mut State, call: &Call) -> Result<Xml, ApiError> {
    let id = call.query.required("ImageId")?;
    let image = known_image(state, id)?;
    if image.owner.is_some() || image.state != ImageState::Available {
        return Err(ApiError::new(
            "InvalidAMIID.Unavailable",
            format!("The image ID '{id}' is {}", image.state.name()),
        ));
    }
    dry_run(call)?;
    if let Some(image) = state.images.get_mut(id) {
        image.state = ImageState::Disabled;
    }
    Ok(tags::done())
}

/// Finds an image by the id that a request names.
pub(super) fn known_image<'a>(state: &'a State, id: &str) -> Result<&'a Image, ApiError> {
    if !is_image_id(id) {
        return Err(ApiError::new(
            "InvalidAMIID.Malformed",
            format!("Invalid id: \"{id}\" (expecting \"ami-...\")"),
        ));
    }
    state.images.get(id).ok_or_else(|| {
        ApiError::new(
            "InvalidAMIID.NotFound",
            format!("The image id '[{id}]' does not exist"),
        )
    })
}

fn is_image_id(id: &str) -> bool {
    id.strip_prefix("ami-")
        .is_some_and(|rest| rest.len() >= 8 && rest.bytes().all(|byte| byte.is_ascii_hexdigit()))
}
