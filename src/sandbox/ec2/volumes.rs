//! Volumes: each is attached to an instance for the whole of its life.

use super::filters::Filters;
use super::tags::{self, Tags};
use crate::sandbox::state::State;
use crate::sandbox::wire::query::Query;
use crate::sandbox::wire::xml::Xml;
use crate::sandbox::wire::{ApiError, Call, moment};

/// A disk of an image: what a volume is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Disk {
    pub(crate) device: String,
    pub(crate) snapshot_id: Option<String>,
    pub(crate) gibibytes: usize,
    pub(crate) kind: String,
    pub(crate) encrypted: bool,
    /// The KMS key that it is encrypted with, where one was named.
    pub(crate) key: Option<String>,
    pub(crate) delete_on_termination: bool,
}

/// A volume.
#[derive(Clone, Debug)]
pub(crate) struct Volume {
    pub(crate) id: String,
    pub(crate) disk: Disk,
    pub(crate) instance_id: String,
    pub(crate) availability_zone: String,
    pub(crate) created: jiff::Timestamp,
    pub(crate) tags: Tags,
}

/// Lays the `BlockDeviceMapping`s of a request over the disks of an image.
pub(crate) fn overlay(disks: &[Disk], query: &Query) -> Result<Vec<Disk>, ApiError> {
    let mut result = disks.to_vec();
    for mapping in query.structures("BlockDeviceMapping") {
        let device = mapping.required("DeviceName")?;
        // `NoDevice` comes as an empty text, which reads as absent: a mapping that says nothing else means it.
        let says_nothing_else = mapping.iter().all(|(name, _)| name == "DeviceName");
        if says_nothing_else || mapping.get("NoDevice").is_some() {
            result.retain(|disk| disk.device != device);
            continue;
        }
        let wanted = mapping.below("Ebs");
        let known = result.iter().position(|disk| disk.device == device);
        let index = known.unwrap_or_else(|| {
            result.push(Disk {
                device: device.to_owned(),
                snapshot_id: wanted.owned("SnapshotId"),
                gibibytes: 8,
                kind: "gp3".to_owned(),
                encrypted: false,
                key: None,
                delete_on_termination: false,
            });
            result.len() - 1
        });
        let disk = &mut result[index];
        if let Some(size) = wanted.number("VolumeSize")? {
            if known.is_some() && size < disk.gibibytes {
                return Err(too_small(size, disk));
            }
            disk.gibibytes = size;
        }
        if let Some(kind) = wanted.owned("VolumeType") {
            disk.kind = kind;
        }
        if wanted.get("Encrypted").is_some() {
            disk.encrypted |= wanted.flag("Encrypted")?;
        }
        if let Some(key) = wanted.owned("KmsKeyId") {
            disk.key = Some(key);
        }
        if wanted.get("DeleteOnTermination").is_some() {
            disk.delete_on_termination = wanted.flag("DeleteOnTermination")?;
        }
    }
    Ok(result)
}

/// The refusal of a volume that is smaller than the snapshot that it is made of.
pub(crate) fn too_small(size: usize, disk: &Disk) -> ApiError {
    let snapshot = disk.snapshot_id.as_deref().unwrap_or("the snapshot");
    ApiError::new(
        "InvalidBlockDeviceMapping",
        format!(
            "Volume of size {size}GB is smaller than snapshot '{snapshot}', expect size>= {}GB",
            disk.gibibytes
        ),
    )
}

/// `DescribeVolumes`.
pub(super) fn describe(state: &State, call: &Call) -> Result<Xml, ApiError> {
    let ids = call.query.list("VolumeId");
    let known = [
        "volume-id",
        "status",
        "size",
        "encrypted",
        "snapshot-id",
        "attachment.instance-id",
        "attachment.device",
        "volume-type",
        "availability-zone",
    ];
    let filters = Filters::read(&call.query, &known)?;
    if let Some(missing) = ids.iter().find(|id| !state.volumes.contains_key(*id)) {
        return Err(ApiError::new(
            "InvalidVolume.NotFound",
            format!("The volume '{missing}' does not exist."),
        ));
    }
    let found = state
        .volumes
        .values()
        .filter(|volume| ids.is_empty() || ids.contains(&volume.id))
        .filter(|volume| filters.pass(&volume.tags, |name| volume.values(name)))
        .collect();
    let (page, token) = super::paged(call, &ids, found)?;
    let mut xml = Xml::new();
    xml.list("volumeSet", "item", page, |xml, volume: &Volume| {
        volume.write(xml);
    })
    .optional("nextToken", token);
    Ok(xml)
}

impl Volume {
    fn values(&self, filter: &str) -> Vec<String> {
        match filter {
            "volume-id" => vec![self.id.clone()],
            "status" => vec!["in-use".to_owned()],
            "size" => vec![self.disk.gibibytes.to_string()],
            "encrypted" => vec![self.disk.encrypted.to_string()],
            "snapshot-id" => self.disk.snapshot_id.clone().into_iter().collect(),
            "attachment.instance-id" => vec![self.instance_id.clone()],
            "attachment.device" => vec![self.disk.device.clone()],
            "volume-type" => vec![self.disk.kind.clone()],
            "availability-zone" => vec![self.availability_zone.clone()],
            _ => Vec::new(),
        }
    }

    fn write(&self, xml: &mut Xml) {
        let created = moment(self.created);
        xml.text("volumeId", &self.id)
            .text("size", self.disk.gibibytes)
            .optional("snapshotId", self.disk.snapshot_id.as_ref())
            .text("availabilityZone", &self.availability_zone)
            .text("status", "in-use")
            .text("createTime", &created);
        xml.list("attachmentSet", "item", [self], |xml, volume| {
            xml.text("volumeId", &volume.id)
                .text("instanceId", &volume.instance_id)
                .text("device", &volume.disk.device)
                .text("status", "attached")
                .text("attachTime", &created)
                .text("deleteOnTermination", volume.disk.delete_on_termination);
        });
        tags::write(xml, &self.tags);
        xml.text("volumeType", &self.disk.kind)
            .text("encrypted", self.disk.encrypted)
            .text("multiAttachEnabled", false);
    }
}
