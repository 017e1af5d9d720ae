//! What a run has made that exists now, told by its tags and its record; its removal; and the end of what it runs on a
//! machine.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use super::snapshot::Origin;
use super::{PipelineError, in_use, names};
use crate::cloud::{
    Cloud, CloudError, ErrorKind, Image, ImageState, Instance, Look, Snapshot, Tags, Wait,
    WaitError, tags,
};
use crate::id::{ImageId, InstanceId, RunId, StepId};
use crate::node::Node;
use crate::pace::Schedule;
use crate::record::RunRecord;

/// How long removing takes at most, and how often is looked whether it is done: a driver that still lives may make
/// something again before it sees that its run was taken over, and tags are shown seconds late.
const REMOVAL: Schedule = Schedule {
    first: Duration::from_secs(10),
    every: Duration::from_secs(20),
    within: Duration::from_mins(30),
};

/// The steps whose output is a machine of the run.
const MACHINES: [&str; 3] = ["launch/seed", "prove/launch", "migrate/launch"];

/// Returns the instances that a run has launched, as its record names them.
pub(super) fn machines(record: &RunRecord) -> Vec<InstanceId> {
    let steps = MACHINES.iter();
    steps.filter_map(|step| output(record, step)).collect()
}

/// What exists of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Remains {
    pub(super) instances: Vec<Instance>,
    pub(super) images: Vec<Image>,
    pub(super) snapshots: Vec<Snapshot>,
}

impl Remains {
    /// Looks for what a run has made, by its tags and by the ids that its record names.
    pub(super) async fn of(cloud: &Cloud, record: &RunRecord) -> Result<Self, CloudError> {
        let mut remains = Self::tagged(cloud, &record.run).await?;
        let of_run = |tags: &Tags| {
            tags.get(tags::RUN)
                .is_none_or(|run| *run == *record.run.as_str())
        };
        let machines: Vec<InstanceId> = machines(record)
            .into_iter()
            .filter(|id| remains.instances.iter().all(|one| one.id != *id))
            .collect();
        let mut more = cloud.visible_instances(&machines).await?;
        more.retain(|instance| !instance.state.is_gone() && of_run(&instance.tags));
        remains.instances.extend(more);
        for id in images_of(record) {
            if remains.images.iter().any(|image| image.id == id) {
                continue;
            }
            match cloud.image(&id).await {
                Ok(image) if !image.is_gone() && of_run(&image.tags) => remains.images.push(image),
                Ok(_) => {}
                Err(error) if error.kind == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(remains)
    }

    /// Looks for what carries a run's tag.
    async fn tagged(cloud: &Cloud, run: &RunId) -> Result<Self, CloudError> {
        let ours = Tags::from([(tags::RUN.to_owned(), run.to_string())]);
        let mut instances = cloud.instances_tagged(&ours).await?;
        instances.retain(|instance| !instance.state.is_gone() && in_use::is_ours(instance));
        let mut images = cloud.images_tagged(&ours).await?;
        images.retain(|image| !image.is_gone());
        // EC2 lists them in whatever order.
        images.sort_by(|one, other| one.name.cmp(&other.name));
        let snapshots = cloud.snapshots_tagged(&ours).await?;
        Ok(Self {
            instances,
            images,
            snapshots,
        })
    }

    /// Parts what may go from what stays: what carries `goldseed:keep`, or a role that this version does not know, and what
    /// belongs to that: the image that a machine runs, and an image and its snapshots.
    pub(super) fn parted(self) -> (Self, Self) {
        let (mut go, mut stay) = (Self::default(), Self::default());
        for instance in self.instances {
            let may_go = may_go(&instance.tags, &["seed", "proof", "migration"]);
            let side = if may_go { &mut go } else { &mut stay };
            side.instances.push(instance);
        }
        let keeps = |image: &Image| {
            let of_image = |one: &&Snapshot| image.snapshots.contains(&one.id);
            let mut snapshots = self.snapshots.iter().filter(of_image);
            !may_go(&image.tags, &IMAGES)
                || snapshots.any(|one| !may_go(&one.tags, &IMAGES))
                || stay.instances.iter().any(|one| one.image == image.id)
        };
        let (kept, gone) = self.images.iter().cloned().partition(keeps);
        (stay.images, go.images) = (kept, gone);
        let held = |one: &Snapshot| {
            let mut images = stay.images.iter();
            !may_go(&one.tags, &IMAGES) || images.any(|image| image.snapshots.contains(&one.id))
        };
        let (kept, gone) = self.snapshots.iter().cloned().partition(held);
        (stay.snapshots, go.snapshots) = (kept, gone);
        (go, stay)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.instances.is_empty() && self.images.is_empty() && self.snapshots.is_empty()
    }

    /// Label and value of all of it, for people; of snapshots only those that no image of these has.
    pub(super) fn told(&self) -> Vec<(String, String)> {
        let instances = self.instances.iter().map(|instance| {
            let value = format!("{} ({})", instance.id, instance.state.as_str());
            (role(&instance.tags, "instance"), value)
        });
        let images = self.images.iter().map(|image| {
            let state = match &image.state {
                ImageState::Available => "available",
                ImageState::Pending => "pending",
                ImageState::Unusable(state) => state,
            };
            let label = match image.tags.get(tags::ROLE) {
                Some(role) => format!("{role} image"),
                None => "image".to_owned(),
            };
            (label, format!("{} ({state})", image.id))
        });
        let of_image = |snapshot: &&Snapshot| {
            let mut images = self.images.iter();
            !images.any(|image| image.snapshots.contains(&snapshot.id))
        };
        let snapshots = self.snapshots.iter().filter(of_image);
        let snapshots = snapshots.map(|one| ("snapshot".to_owned(), one.id.to_string()));
        instances.chain(images).chain(snapshots).collect()
    }
}

/// The roles of images and of their snapshots.
const IMAGES: [&str; 2] = ["raw", "golden"];

/// Whether nobody marked something as kept, and its role is one of these. What only the record names may have no tags yet.
fn may_go(of: &Tags, roles: &[&str]) -> bool {
    let role = of.get(tags::ROLE);
    !of.contains_key(tags::KEEP) && role.is_none_or(|role| roles.contains(&role.as_str()))
}

fn role(tags: &Tags, otherwise: &str) -> String {
    let role = tags.get(tags::ROLE);
    role.map_or_else(|| otherwise.to_owned(), Clone::clone)
}

/// The images that the run made, by its record.
fn images_of(record: &RunRecord) -> Vec<ImageId> {
    let raw = output::<Origin>(record, "snapshot/image").filter(|origin| origin.is_raw);
    let golden = output::<ImageId>(record, "image/golden");
    raw.map(|origin| origin.image)
        .into_iter()
        .chain(golden)
        .collect()
}

/// The output of a step that was done.
pub(super) fn output<T: serde::de::DeserializeOwned>(record: &RunRecord, step: &str) -> Option<T> {
    let step = record.step(&StepId::new(step))?;
    step.milliseconds?;
    serde_json::from_value(step.output.clone()).ok()
}

/// Returns what the run has made that exists now: label and value, for people.
pub async fn left_by(cloud: &Cloud, run: &RunId) -> Result<Vec<(String, String)>, CloudError> {
    Ok(Remains::tagged(cloud, run).await?.told())
}

/// Ends the recipes that run on the seed, if they do: an interrupted run must not go on working by itself. A migration
/// comes to its end: half a change of the data is the worst of all states.
pub async fn stop_work(cloud: &Cloud, record: &RunRecord) -> Result<(), PipelineError> {
    let applying = record
        .unfinished()
        .is_some_and(|step| step.id.as_str() == "apply/recipes");
    if let (true, Some(seed)) = (applying, output::<InstanceId>(record, "launch/seed")) {
        Node::new(cloud, &seed)
            .stop(&names::unit(&record.run, "apply"))
            .await?;
    }
    Ok(())
}

/// Counts what cannot be removed in the state it is in: an image whose snapshot is being made, or a snapshot whose image
/// was deregistered a moment ago and is still known to another server.
fn not_yet(removed: Result<(), CloudError>) -> Result<usize, CloudError> {
    match removed {
        Ok(()) => Ok(0),
        Err(error)
            if error.kind == ErrorKind::WrongState
                || error.code.as_deref() == Some("InvalidSnapshot.InUse") =>
        {
            Ok(1)
        }
        Err(error) => Err(error),
    }
}

/// What became of the things that a run has made: label and id, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cleared {
    /// What was removed.
    pub removed: Vec<(String, String)>,
    /// What stays because somebody marked it, or because this version does not know what it is for.
    pub kept: Vec<(String, String)>,
}

/// Removes what a run has made, and looks until there is nothing any more that may go: instances first, then images with
/// their snapshots, then snapshots whose image is gone, which are found by their own tags. `against` is asked at each look
/// before anything goes, with the images that were not asked about before, and its reason ends the removal.
pub(super) async fn remove<E: From<WaitError> + fmt::Display>(
    cloud: &Cloud,
    record: &RunRecord,
    against: impl AsyncFn(&[ImageId]) -> Result<Option<E>, CloudError>,
) -> Result<Cleared, E> {
    let mut known = BTreeSet::new();
    let mut reason = None;
    let mut asked = BTreeSet::new();
    let mut cleared = Cleared::default();
    let wait = Wait {
        subject: format!("what run {} has made", record.run),
        schedule: REMOVAL,
        in_a_row: 2,
        unseen_for: Duration::ZERO,
    };
    let waited = cloud
        .poll_until(wait, async || {
            let (remains, stays) = Remains::of(cloud, record).await?.parted();
            let images = remains.images.iter().map(|image| image.id.clone());
            let fresh: Vec<ImageId> = images.filter(|id| !known.contains(id)).collect();
            if let Some(stop) = against(&fresh).await? {
                let text = stop.to_string();
                reason = Some(stop);
                return Ok(Look::Never(text));
            }
            known.extend(fresh);
            cloud.halt().here().await;
            let kept = stays.told().into_iter();
            cleared.kept = kept.map(|(label, value)| (label, id_of(&value))).collect();
            if remains.is_empty() {
                return Ok(Look::Ready(()));
            }
            for (label, value) in remains.told() {
                let id = id_of(&value);
                if asked.insert(id.clone()) {
                    cloud.events().note(format!("remove the {label} {value}"));
                    cleared.removed.push((label, id));
                }
            }
            let mut held = 0;
            for instance in &remains.instances {
                held += not_yet(cloud.ensure_terminated(&instance.id).await)?;
            }
            for image in &remains.images {
                held += not_yet(cloud.ensure_deregistered(&image.id).await)?;
            }
            for snapshot in &remains.snapshots {
                held += not_yet(cloud.ensure_snapshot_deleted(&snapshot.id).await)?;
            }
            Ok(Look::pending(match held {
                0 => "being removed".to_owned(),
                held => format!("being removed, {held} cannot go yet"),
            }))
        })
        .await;
    match (waited, reason) {
        (Ok(()), _) => Ok(cleared),
        (Err(_), Some(reason)) => Err(reason),
        (Err(error), None) => Err(error.into()),
    }
}

/// The id in a value of [`Remains::told`], which tells the state too.
fn id_of(value: &str) -> String {
    value.split(' ').next().unwrap_or_default().to_owned()
}
