//! Snapshots: each belongs to the image that was made with it.

use super::dry_run;
use super::filters::Filters;
use super::images::{Image, ImageState};
use super::tags::{self, Tags};
use crate::sandbox::state::State;
use crate::sandbox::wire::xml::Xml;
use crate::sandbox::wire::{ApiError, Call, moment};

/// How far a snapshot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SnapshotState {
    Pending,
    Completed,
    Error,
}

impl SnapshotState {
    /// The word of the API.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Completed => "completed",
            Self::Error => "error",
        }
    }
}

/// A snapshot.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) id: String,
    pub(crate) volume_id: String,
    /// The image that uses it, until that is deregistered.
    pub(crate) image_id: String,
    /// The account that owns it; `None` for ours.
    pub(crate) owner: Option<&'static str>,
    pub(crate) description: String,
    pub(crate) state: SnapshotState,
    pub(crate) progress: String,
    pub(crate) message: Option<String>,
    pub(crate) gibibytes: usize,
    pub(crate) encrypted: bool,
    /// The KMS key that it is encrypted with, where one was named.
    pub(crate) key: Option<String>,
    pub(crate) started: jiff::Timestamp,
    pub(crate) tags: Tags,
}

impl Snapshot {
    /// The snapshot of one of the platform's own images.
    pub(crate) fn of_stock_image(image: &Image) -> Self {
        Self {
            id: image
                .disks
                .first()
                .and_then(|disk| disk.snapshot_id.clone())
                .unwrap_or_default(),
            volume_id: "vol-ffffffff".to_owned(),
            image_id: image.id.clone(),
            owner: Some(super::images::AMAZON),
            description: format!("Created for {}", image.id),
            state: SnapshotState::Completed,
            progress: "100%".to_owned(),
            message: None,
            gibibytes: image.disks.first().map_or(8, |disk| disk.gibibytes),
            encrypted: false,
            key: None,
            started: image.created,
            tags: Tags::new(),
        }
    }

    fn values(&self, filter: &str, account: &str) -> Vec<String> {
        vec![match filter {
            "snapshot-id" => self.id.clone(),
            "status" => self.state.name().to_owned(),
            "volume-id" => self.volume_id.clone(),
            "description" => self.description.clone(),
            "progress" => self.progress.clone(),
            "encrypted" => self.encrypted.to_string(),
            "volume-size" => self.gibibytes.to_string(),
            _ => self.owner.unwrap_or(account).to_owned(),
        }]
    }
}

/// `DescribeSnapshots`.
pub(super) fn describe(state: &mut State, call: &Call) -> Result<Xml, ApiError> {
    let ids = call.query.list("SnapshotId");
    let owners = call.query.list("Owner");
    let known = [
        "snapshot-id",
        "status",
        "volume-id",
        "description",
        "progress",
        "encrypted",
        "volume-size",
        "owner-id",
    ];
    let filters = Filters::read(&call.query, &known)?;
    if let Some(missing) = ids.iter().find(|id| !state.snapshots.contains_key(*id)) {
        return Err(missing_snapshot(missing));
    }
    let images: std::collections::BTreeSet<String> = state
        .snapshots
        .values()
        .filter(|snapshot| ids.is_empty() || ids.contains(&snapshot.id))
        .map(|snapshot| snapshot.image_id.clone())
        .collect();
    for image_id in images {
        state.look_at_image(&image_id);
    }
    let account = &state.account;
    let found = state
        .snapshots
        .values()
        .filter(|snapshot| ids.is_empty() || ids.contains(&snapshot.id))
        .filter(|snapshot| {
            owners.is_empty()
                || owners.iter().any(|owner| match snapshot.owner {
                    None => owner == "self" || owner == account,
                    Some(other) => owner == "amazon" || owner == other,
                })
        })
        .filter(|snapshot| filters.pass(&snapshot.tags, |name| snapshot.values(name, account)))
        .collect();
    let (page, token) = super::paged(call, &ids, found)?;
    let mut xml = Xml::new();
    xml.list("snapshotSet", "item", page, |xml, snapshot: &Snapshot| {
        xml.text("snapshotId", &snapshot.id)
            .text("volumeId", &snapshot.volume_id)
            .text("status", snapshot.state.name())
            .optional("statusMessage", snapshot.message.as_ref())
            .text("startTime", moment(snapshot.started))
            .text("progress", &snapshot.progress)
            .text("ownerId", snapshot.owner.unwrap_or(account))
            .text("volumeSize", snapshot.gibibytes)
            .text("description", &snapshot.description)
            .text("encrypted", snapshot.encrypted)
            .optional("kmsKeyId", snapshot.key.as_ref())
            .text("storageTier", "standard");
        tags::write(xml, &snapshot.tags);
    })
    .optional("nextToken", token);
    Ok(xml)
}

/// `DeleteSnapshot`.
pub(super) fn delete(state: &mut State, call: &Call) -> Result<Xml, ApiError> {
    let id = call.query.required("SnapshotId")?;
    let snapshot = state
        .snapshots
        .get(id)
        .ok_or_else(|| missing_snapshot(id))?;
    if snapshot.owner.is_some() {
        return Err(ApiError::with_status(
            403,
            "UnauthorizedOperation",
            "You are not authorized to perform this operation.",
        ));
    }
    let user = state
        .images
        .get(&snapshot.image_id)
        .filter(|image| image.state != ImageState::Deregistered);
    if let Some(image) = user {
        return Err(ApiError::new(
            "InvalidSnapshot.InUse",
            format!("The snapshot {id} is currently in use by {}", image.id),
        ));
    }
    dry_run(call)?;
    state.snapshots.remove(id);
    Ok(tags::done())
}

fn missing_snapshot(id: &str) -> ApiError {
    ApiError::new(
        "InvalidSnapshot.NotFound",
        format!("The snapshot '{id}' does not exist."),
    )
}
