//! Sweep: what dead runs left is found by its tags and removed.
//!
//! What may go is chosen by two pure functions ([`choice`] and [`records`]). Images go before snapshots whose image is
//! gone already, and every snapshot carries the tags of its image, so a sweep that is cut off leaves nothing that the
//! next one does not find.

mod choice;
mod ending;
mod prices;
mod records;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

pub use choice::{Found, Leftover, Stays, What};

use super::PipelineError;
use super::abandon::changed_environment;
use super::in_use::{self, ROOT};
use crate::cloud::{Cloud, CloudError, Parameter, Tags};
use crate::id::{EnvironmentId, ImageId, RunId};
use crate::pace;
use crate::run::{self, Kept, LeaseError, Ledger};
use choice::{Facts, RunState};

/// Returns what dead runs of any pipeline left, in the order in which it is to be removed. `pipelines` are those of the
/// settings; those whose ledger Parameter Store keeps are looked at as well. `environments` are the names of those of the
/// settings: an image that was built for any other environment that exists is left to whoever keeps that one.
///
/// # Errors
/// What AWS refused: then nothing is known, and nothing may be removed.
pub async fn leftovers(
    cloud: &Cloud,
    pipelines: &[String],
    environments: &[String],
) -> Result<Found, PipelineError> {
    let all = cloud.parameters_below(ROOT).await?;
    let kept = run::kept_in(&all);
    let pipelines: BTreeSet<String> = pipelines
        .iter()
        .cloned()
        .chain(in_use::ledgers_in(&all))
        .collect();
    let pipelines = Vec::from_iter(pipelines);
    let mut stays = unreadable(&kept);
    let holds = holders(cloud, &all, &kept, &mut stays).await?;
    let now = pace::now();
    let runs: BTreeMap<RunId, RunState> = kept
        .iter()
        .map(|kept| (kept.run.clone(), choice::state_of(kept, &holds, now)))
        .collect();
    let instances = cloud.living_instances().await?;
    let mut images = cloud.images_tagged(&Tags::new()).await?;
    images.retain(|image| !image.is_gone());
    // EC2 lists them in whatever order.
    images.sort_by(|one, other| one.name.cmp(&other.name));
    let in_use = in_use::images(cloud, &pipelines, &instances).await?;
    let all_environments = cloud.environments().await?;
    let others = all_environments.iter().filter(|one| !one.is_gone());
    let others = others.filter(|one| !environments.contains(&one.name));
    let facts = Facts {
        now,
        others: others.cloned().collect(),
        runs,
        instances,
        images,
        snapshots: cloud.snapshots_of_runs().await?,
        in_use,
    };
    let mut found = choice::choose(&facts);
    found.stays.extend(stays);
    let environments = all_environments.iter().map(|one| one.id.to_string());
    found
        .leftovers
        .extend(records::choose(&records::Parameters {
            now,
            runs: &kept,
            all: &all,
            images: &images_of(&facts),
            needed: &needed(cloud, &pipelines, &facts).await?,
            environments: &environments.collect(),
        }));
    // Runs come last: what they made goes before.
    ending::choose(&facts, &kept, &mut found);
    Ok(found)
}

/// Tells of the runs whose record this version cannot read.
fn unreadable(kept: &[Kept]) -> Vec<Stays> {
    let unreadable = kept.iter().filter_map(|kept| {
        let error = kept.record.as_ref().err()?;
        let what = format!("{error}; nothing of this run is touched");
        let why = std::iter::once(what).chain(error.ways_out());
        Some(Stays {
            id: kept.run.to_string(),
            why: why.collect::<Vec<_>>().join("; "),
        })
    });
    unreadable.collect()
}

/// The runs that hold a lease now, of whatever environment. Where a lease cannot be read, it may be that of any unfinished
/// run that changes its environment; and what is wrong with it is told.
async fn holders(
    cloud: &Cloud,
    all: &[Parameter],
    kept: &[Kept],
    stays: &mut Vec<Stays>,
) -> Result<BTreeSet<RunId>, PipelineError> {
    let environments: BTreeSet<&str> = all
        .iter()
        .filter_map(|parameter| parameter.name.strip_prefix("/goldseed/environments/"))
        .filter_map(|rest| rest.split('/').next())
        .collect();
    let mut found = BTreeSet::new();
    for environment in environments {
        let environment = EnvironmentId::new(environment);
        match run::holder(cloud, &environment).await {
            Ok(holder) => found.extend(holder.map(|lease| lease.run)),
            Err(error @ LeaseError::Unreadable { .. }) => {
                let of_environment = |kept: &&Kept| {
                    let record = kept.record.as_ref().ok();
                    record.and_then(changed_environment).as_ref() == Some(&environment)
                };
                let runs = kept.iter().filter(of_environment);
                found.extend(runs.map(|kept| kept.run.clone()));
                let what = format!("{error}; no unfinished run of {environment} is touched");
                let why = std::iter::once(what).chain(error.way_out());
                stays.push(Stays {
                    id: environment.to_string(),
                    why: why.collect::<Vec<_>>().join("; "),
                });
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

/// The images that exist or that something names.
fn images_of(facts: &Facts) -> BTreeSet<ImageId> {
    let existing = facts.images.iter().map(|image| image.id.clone());
    existing.chain(facts.in_use.keys().cloned()).collect()
}

/// The runs of which something is left, and those that a ledger names.
async fn needed(
    cloud: &Cloud,
    pipelines: &[String],
    facts: &Facts,
) -> Result<BTreeSet<RunId>, PipelineError> {
    let instances = facts.instances.iter().map(|one| &one.tags);
    let snapshots = facts.snapshots.iter().map(|one| &one.tags);
    let images = facts.images.iter().map(|one| &one.tags);
    let mut found: BTreeSet<RunId> = instances
        .chain(snapshots)
        .chain(images)
        .filter_map(|tags| tags.get(crate::cloud::tags::RUN))
        .map(RunId::new)
        .collect();
    for pipeline in pipelines {
        let ledger = Ledger::read(cloud, pipeline).await?;
        found.extend(ledger.entries.into_iter().map(|entry| entry.run));
    }
    Ok(found)
}

/// Removes leftovers, each in its turn, for `person@host`; `results` are told what became of each as soon as that is
/// known. What cannot be removed does not stop the rest, and a run that somebody has taken up since they were looked for
/// keeps what it has. A halt is heeded before each.
pub async fn remove(
    cloud: &Cloud,
    list: &[Leftover],
    who: &str,
    results: &RefCell<Vec<Result<(), String>>>,
) {
    let mut taken_up: BTreeMap<RunId, Result<bool, String>> = BTreeMap::new();
    let mut remain: BTreeSet<&RunId> = BTreeSet::new();
    for leftover in list {
        cloud.halt().here().await;
        if let Some(run) = &leftover.run
            && !taken_up.contains_key(run)
        {
            let looked = is_live(cloud, &leftover.pipeline, run).await;
            taken_up.insert(run.clone(), looked.map_err(|error| error.to_string()));
        }
        let live = leftover.run.as_ref().and_then(|run| taken_up.get(run));
        let result = match (live, &leftover.what) {
            (Some(Ok(true)), _) => Err("somebody goes on with its run".to_owned()),
            (Some(Err(error)), _) => Err(error.clone()),
            (_, What::Run(run)) if remain.contains(run) => {
                Err("something that it made was not removed".to_owned())
            }
            (_, What::Run(run)) => ending::end(cloud, &leftover.pipeline, run, who).await,
            (_, what) => one(cloud, what).await.map_err(|error| error.to_string()),
        };
        if result.is_err() {
            remain.extend(&leftover.run);
        }
        results.borrow_mut().push(result);
    }
}

/// Whether a run is one that nothing may be removed of, looked up anew.
async fn is_live(cloud: &Cloud, pipeline: &str, run: &RunId) -> Result<bool, CloudError> {
    let pages = cloud
        .parameters_below(&format!("{ROOT}/{pipeline}/runs/{run}"))
        .await?;
    let kept = run::kept_in(&pages);
    // Who takes a run up writes a page, which tells; a lease alone is not taken without one.
    let state = |kept: &Kept| choice::state_of(kept, &BTreeSet::new(), pace::now());
    Ok(kept
        .iter()
        .any(|kept| matches!(state(kept), RunState::Live | RunState::Unreadable)))
}

/// Removes one thing; a run has nothing that could be removed.
async fn one(cloud: &Cloud, what: &What) -> Result<(), CloudError> {
    match what {
        What::Instance(id) => cloud.ensure_terminated(id).await,
        What::Image(id) => cloud.ensure_deregistered(id).await,
        What::Snapshot(id) => cloud.ensure_snapshot_deleted(id).await,
        What::Parameter(name) => cloud.ensure_parameter_deleted(name).await,
        What::Run(_) => Ok(()),
    }
}
