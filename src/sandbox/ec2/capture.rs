//! `CreateImage`: an image with a snapshot of each disk of an instance.

use super::dry_run;
use super::images::{Capture, Image, ImageState};
use super::instance_calls::no_instance;
use super::instances::{Instance, InstanceState};
use super::snapshots::{Snapshot, SnapshotState};
use super::tags::{self, Tags};
use super::volumes::{self, Disk};
use crate::sandbox::clock;
use crate::sandbox::jobs::Job;
use crate::sandbox::state::State;
use crate::sandbox::wire::query::Query;
use crate::sandbox::wire::xml::Xml;
use crate::sandbox::wire::{ApiError, Call};

/// How long an image takes on AWS: about four minutes for a small disk, in five polls.
const POLLS: u32 = 5;
const SECONDS: f64 = 240.0;

/// `CreateImage`.
pub(super) fn create(state: &mut State, call: &Call) -> Result<Xml, ApiError> {
    let query = &call.query;
    let name = query.required("Name")?;
    let description = check(state, query, name)?;
    let tags = tags::specified(query, "CreateImage", &["image", "snapshot"])?;
    let instance = source(state, query.required("InstanceId")?)?;
    let instance_id = instance.id.clone();
    let reboots = !query.flag("NoReboot")? && instance.state == InstanceState::Running;
    let disks = volumes::overlay(&attached(state, instance), query)?;
    let mut image = Image {
        id: String::new(),
        name: name.to_owned(),
        description,
        owner: None,
        architecture: instance.architecture.clone(),
        state: ImageState::Pending,
        failure: None,
        created: clock::now(),
        disks: Vec::new(),
        tags: tags.get("image").cloned().unwrap_or_default(),
        source_instance: Some(instance_id.clone()),
        parent: Some(instance.image_id.clone()),
        ripening: Some(state.clock.ripening(POLLS, SECONDS)),
        capture: Capture::Running,
    };
    dry_run(call)?;
    image.id = state.new_id("ami");
    let snapshot_tags = tags.get("snapshot").cloned().unwrap_or_default();
    image.disks = disks
        .into_iter()
        .map(|disk| snapshot(state, &image, disk, &snapshot_tags))
        .collect();
    if state.behaviour_of(&image.id, name).fails_to_image() {
        image.capture = Capture::Failed("Client.InternalError: Client error on launch".to_owned());
    } else {
        state.jobs.push(Job::Capture {
            instance_id: instance_id.clone(),
            image_id: image.id.clone(),
            reboot: reboots,
        });
    }
    if reboots {
        state.note_reboot(&instance_id);
    }
    let mut xml = Xml::new();
    xml.text("imageId", &image.id);
    state.images.insert(image.id.clone(), image);
    Ok(xml)
}

/// Checks what the request says of itself, and gives its description back.
fn check(state: &State, query: &Query, name: &str) -> Result<Option<String>, ApiError> {
    check_name(name)?;
    let description = query.owned("Description");
    if description
        .as_ref()
        .is_some_and(|text| text.chars().count() > 255)
    {
        return Err(ApiError::new(
            "InvalidParameterValue",
            "Character length of description exceeds the maximum of 255",
        ));
    }
    // A failed image keeps its name, too.
    let holder = state.images.values().find(|image| {
        image.owner.is_none() && image.name == name && image.state != ImageState::Deregistered
    });
    match holder {
        None => Ok(description),
        Some(holder) => Err(ApiError::new(
            "InvalidAMIName.Duplicate",
            format!("AMI name {name} is already in use by AMI {}", holder.id),
        )),
    }
}

/// The instance that an image is made of: running or stopped.
fn source<'a>(state: &'a State, instance_id: &str) -> Result<&'a Instance, ApiError> {
    let instance = state
        .instances
        .get(instance_id)
        .ok_or_else(|| no_instance(&[instance_id.to_owned()]))?;
    match instance.state {
        InstanceState::Running | InstanceState::Stopped => Ok(instance),
        other => Err(ApiError::new(
            "IncorrectState",
            format!(
                "Instance '{instance_id}' is not in state 'running' or 'stopped' (it is '{}')",
                other.name()
            ),
        )),
    }
}

fn attached(state: &State, instance: &Instance) -> Vec<Disk> {
    instance
        .volumes
        .iter()
        .filter_map(|id| Some(state.volumes.get(id)?.disk.clone()))
        .collect()
}

/// Begins a snapshot, and gives back the disk that refers to it.
fn snapshot(state: &mut State, image: &Image, disk: Disk, tags: &Tags) -> Disk {
    let source = image.source_instance.as_deref().unwrap_or_default();
    let volume_id = state
        .volumes
        .values()
        .find(|volume| volume.instance_id == source && volume.disk.device == disk.device)
        .map(|volume| volume.id.clone())
        .unwrap_or_default();
    let id = state.new_id("snap");
    let snapshot = Snapshot {
        id: id.clone(),
        volume_id,
        image_id: image.id.clone(),
        owner: None,
        description: format!("Created by CreateImage({source}) for {}", image.id),
        state: SnapshotState::Pending,
        progress: String::new(),
        message: None,
        gibibytes: disk.gibibytes,
        encrypted: disk.encrypted,
        key: disk.key.clone(),
        started: image.created,
        tags: tags.clone(),
    };
    state.snapshots.insert(id.clone(), snapshot);
    Disk {
        snapshot_id: Some(id),
        ..disk
    }
}

fn check_name(name: &str) -> Result<(), ApiError> {
    let allowed =
        |character: char| character.is_ascii_alphanumeric() || "()[] ./-'@_".contains(character);
    if (3..=128).contains(&name.len()) && name.chars().all(allowed) {
        return Ok(());
    }
    Err(ApiError::new(
        "InvalidAMIName.Malformed",
        "AMI names must be between 3 and 128 characters long, and may contain letters, numbers, '(', ')', '.', '-', '/', '[', ']', ' ', ''', '@' and '_'",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_as_ec2_checks_them() {
        for (name, wanted) in [
            ("goldseed shop-prod 2026.03.01/1 (raw)", true),
            ("ab", false),
            ("with:colon", false),
            ("ümlaut", false),
            (&"x".repeat(128), true),
            (&"x".repeat(129), false),
        ] {
            assert_eq!(check_name(name).is_ok(), wanted, "{name}");
        }
    }
}
