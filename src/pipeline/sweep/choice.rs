//! What sweep may remove: a pure function of what exists.
//!
//! Something goes only if all of this holds: its tags say that this tool made it for a run, in a role that this version
//! knows; it is expired; its run has ended, has no record, or was left a day ago; nobody marked it as kept; and nothing
//! uses it. Whatever is in doubt stays.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::prices;
use crate::cloud::{Environment, Image, Instance, InstanceState, Snapshot, Tags, tags};
use crate::id::{ImageId, RunId, SnapshotId};
use crate::pipeline::belonging::Home;
use crate::pipeline::in_use::{self, InUse};
use crate::pipeline::names::EXPIRY;
use crate::record::Verdict;
use crate::run::Kept;

/// What is known of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RunState {
    /// It has ended.
    Ended(Verdict),
    /// It is unfinished and somebody may be at it: nothing of it is touched.
    Live,
    /// It is unfinished, holds no lease, and was not written for as long as what it makes may live.
    Left,
    /// Its record cannot be read by this version: nothing of it is touched.
    Unreadable,
}

/// Judges a run by its record. `holds` are the runs that hold a lease now.
pub(super) fn state_of(kept: &Kept, holds: &BTreeSet<RunId>, now: Timestamp) -> RunState {
    let Ok(record) = &kept.record else {
        return RunState::Unreadable;
    };
    let is_old = kept
        .written
        .is_some_and(|written| is_past(written, EXPIRY, now));
    match record.verdict {
        Some(verdict) => RunState::Ended(verdict),
        None if is_old && !holds.contains(&kept.run) => RunState::Left,
        None => RunState::Live,
    }
}

/// Everything that the choice is made from.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) now: Timestamp,
    /// The environments that exist and that the settings do not name.
    pub(super) others: Vec<Environment>,
    /// The runs that have a record.
    pub(super) runs: BTreeMap<RunId, RunState>,
    /// All instances that are not gone.
    pub(super) instances: Vec<Instance>,
    /// All images of the account that are not gone.
    pub(super) images: Vec<Image>,
    /// All snapshots that carry a run's tag.
    pub(super) snapshots: Vec<Snapshot>,
    /// The images that must stay.
    pub(super) in_use: InUse,
}

/// Something that may go.
#[derive(Clone, Debug, PartialEq)]
pub struct Leftover {
    /// What it is.
    pub what: What,
    /// For people: `seed`, `raw image`, `record`.
    pub label: String,
    /// Its run, where it belongs to one.
    pub run: Option<RunId>,
    /// Its pipeline, where it belongs to one.
    pub pipeline: String,
    /// Since when it is there, where that is known.
    pub since: Option<Timestamp>,
    /// Why it may go, for people.
    pub why: String,
    /// What it costs a month in dollars, about; none: not known.
    pub monthly: Option<f64>,
}

/// Something that does not go although it looks like a leftover, or that keeps others from going.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stays {
    /// Its id or name.
    pub id: String,
    /// Why, and what can be done about it, for people.
    pub why: String,
}

/// What may go, in the order of its removal, and what is told of the rest.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// What may go.
    pub leftovers: Vec<Leftover>,
    /// What stays and is worth a word.
    pub stays: Vec<Stays>,
}

/// What a leftover is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// An instance.
    Instance(crate::id::InstanceId),
    /// An image with its snapshots.
    Image(ImageId),
    /// A snapshot whose image is gone.
    Snapshot(SnapshotId),
    /// A parameter.
    Parameter(String),
    /// A run that nobody goes on with: it gets its verdict.
    Run(RunId),
}

impl What {
    /// The id or name.
    pub fn id(&self) -> &str {
        match self {
            Self::Instance(id) => id.as_str(),
            Self::Image(id) => id.as_str(),
            Self::Snapshot(id) => id.as_str(),
            Self::Parameter(name) => name,
            Self::Run(run) => run.as_str(),
        }
    }
}

/// Chooses what may go, in the order of removal: instances, the images that they may run, and snapshots, which carry
/// their own tags and are found once their image is gone.
pub(super) fn choose(facts: &Facts) -> Found {
    let Found {
        leftovers: mut chosen,
        mut stays,
    } = Found::default();
    let mut stay: BTreeSet<&ImageId> = facts.in_use.keys().collect();
    for instance in &facts.instances {
        match of_instance(facts, instance) {
            Some(leftover) => chosen.push(leftover),
            // What a machine that stays was started from stays too.
            None => {
                stay.insert(&instance.image);
            }
        }
    }
    let mut held: BTreeSet<&SnapshotId> = BTreeSet::new();
    for image in &facts.images {
        // The snapshots of an image that goes go with it.
        held.extend(&image.snapshots);
        if stay.contains(&image.id) {
            continue;
        }
        if let Some(leftover) = of_image(facts, image) {
            // Whoever deregisters it deletes them as well.
            let home = Home::of(&image.tags);
            let mut others = facts.others.iter();
            let of_another = others.find(|environment| home.is(environment)).map(|one| {
                format!(
                    "it was built for {0}; sweep where goldseed.yaml names {0}",
                    one.name
                )
            });
            let mut holding = image.snapshots.iter().filter_map(|id| holding(facts, id));
            match of_another.or_else(|| holding.next()) {
                Some(why) => stays.push(Stays {
                    id: image.id.to_string(),
                    why: format!("the {} stays: {why}", leftover.label),
                }),
                None => chosen.push(leftover),
            }
        }
    }
    for snapshot in &facts.snapshots {
        if !held.contains(&snapshot.id)
            && let Some(reason) = reason(facts, &snapshot.tags, &IMAGES)
        {
            let monthly = Some(prices::snapshots(snapshot.size));
            let what = What::Snapshot(snapshot.id.clone());
            let label = "snapshot without image".to_owned();
            let since = Some(snapshot.started);
            chosen.push(reason.leftover(what, label, since, monthly));
        }
    }
    Found {
        leftovers: chosen,
        stays,
    }
}

/// The roles of images and of their snapshots.
const IMAGES: [&str; 2] = ["raw", "golden"];

/// Why a snapshot of an image must not go with it; none: it may.
fn holding(facts: &Facts, id: &SnapshotId) -> Option<String> {
    let Some(snapshot) = facts.snapshots.iter().find(|one| one.id == *id) else {
        return Some(format!("its snapshot {id} does not carry this tool's tags"));
    };
    if snapshot.tags.contains_key(tags::KEEP) {
        return Some(format!("its snapshot {id} carries {}", tags::KEEP));
    }
    let role = snapshot.tags.get(tags::ROLE);
    let known = role.is_some_and(|role| IMAGES.contains(&role.as_str()));
    (!known).then(|| format!("its snapshot {id} has no role that this version knows"))
}

/// Whether something of a run is not expired yet: then the run is not over either.
pub(super) fn is_awaited(facts: &Facts, run: &RunId) -> bool {
    let instances = facts.instances.iter().filter(|one| in_use::is_ours(one));
    let instances = instances.map(|one| &one.tags);
    let images = facts.images.iter().map(|one| &one.tags);
    let snapshots = facts.snapshots.iter().map(|one| &one.tags);
    instances
        .chain(images)
        .chain(snapshots)
        .filter(|tags| tags.get(tags::RUN).is_some_and(|of| of == run.as_str()))
        .any(|tags| !tags.contains_key(tags::KEEP) && !is_expired(tags, run, facts.now))
}

fn of_instance(facts: &Facts, instance: &Instance) -> Option<Leftover> {
    if !in_use::is_ours(instance) {
        return None;
    }
    let reason = reason(facts, &instance.tags, &["seed", "proof", "migration"])?;
    let image = facts.images.iter().find(|image| image.id == instance.image);
    let running = instance.state != InstanceState::Stopped;
    let root = image.and_then(|image| image.root_size);
    let monthly = prices::instance(&instance.instance_type, running, root);
    let label = format!("{} ({})", reason.role, instance.state.as_str());
    let what = What::Instance(instance.id.clone());
    Some(reason.leftover(what, label, Some(instance.launched), monthly))
}

fn of_image(facts: &Facts, image: &Image) -> Option<Leftover> {
    let reason = reason(facts, &image.tags, &IMAGES)?;
    // An image that was proved is there to be promoted, and one in quarantine says what not to build again.
    let golden = reason.role == "golden";
    if golden && image.tags.get(tags::PROVED).map(String::as_str) != Some("no")
        || image.tags.contains_key(tags::QUARANTINED)
    {
        return None;
    }
    let label = if golden {
        "golden image, not proved".to_owned()
    } else {
        format!("{} image", reason.role)
    };
    let since = image.created.parse().ok();
    let monthly = image.root_size.map(prices::snapshots);
    Some(reason.leftover(What::Image(image.id.clone()), label, since, monthly))
}

/// Why something may go.
struct Reason {
    role: String,
    run: RunId,
    pipeline: String,
    why: String,
}

impl Reason {
    fn leftover(
        self,
        what: What,
        label: String,
        since: Option<Timestamp>,
        monthly: Option<f64>,
    ) -> Leftover {
        Leftover {
            what,
            label,
            run: Some(self.run),
            pipeline: self.pipeline,
            since,
            why: self.why,
            monthly,
        }
    }
}

/// Why something with these tags may go; none: it stays.
fn reason(facts: &Facts, of: &Tags, roles: &[&str]) -> Option<Reason> {
    let (run, role) = (of.get(tags::RUN)?, of.get(tags::ROLE)?);
    let pipeline = of.get(tags::PIPELINE)?;
    if !roles.contains(&role.as_str()) || of.contains_key(tags::KEEP) {
        return None;
    }
    let run = RunId::new(run);
    if !is_expired(of, &run, facts.now) {
        return None;
    }
    let why = match facts.runs.get(&run) {
        Some(RunState::Live | RunState::Unreadable) => return None,
        Some(RunState::Ended(verdict)) => format!("its run has ended: {}", verdict.as_str()),
        Some(RunState::Left) => "its run was left unfinished".to_owned(),
        None => "its run is not known any more".to_owned(),
    };
    Some(Reason {
        role: role.clone(),
        run,
        pipeline: pipeline.clone(),
        why,
    })
}

/// Whether something is expired: by its tag, or, as golden images have none, by its run's start. What cannot be read is
/// not expired, nor is anything else that has lost its tag.
fn is_expired(of: &Tags, run: &RunId, now: Timestamp) -> bool {
    match of.get(tags::EXPIRES) {
        Some(text) => text.parse::<Timestamp>().is_ok_and(|expires| expires < now),
        None => {
            of.get(tags::ROLE).is_some_and(|role| role == "golden")
                && run
                    .started()
                    .is_some_and(|started| is_past(started, EXPIRY, now))
        }
    }
}

/// Whether it is longer ago than this.
pub(super) fn is_past(then: Timestamp, age: Duration, now: Timestamp) -> bool {
    SignedDuration::try_from(age).is_ok_and(|age| now.duration_since(then) > age)
}

#[cfg(test)]
#[path = "choice/tests.rs"]
mod tests;
