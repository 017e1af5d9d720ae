//! Sweep: what dead runs left is found by its tags and removed.
//!
//! What may go is chosen by two pure functions ([`choice`] and [`records`]). Images go before snapshots whose image is
//! gone already, and every snapshot carries the tags of its image, so a sweep that is cut off leaves nothing that the
//! next one does not find.

mod choice;
mod prices;
mod records;

use std::collections::{BTreeMap, BTreeSet};

pub use choice::{Leftover, What};

use super::PipelineError;
use super::in_use::{self, ROOT};
use crate::cloud::{Cloud, CloudError, Parameter, Tags};
use crate::id::{EnvironmentId, ImageId, RunId};
use crate::pace;
use crate::run::{self, Kept, Ledger};
use choice::{Facts, RunState};

/// Returns what dead runs of any pipeline left, in the order in which it is to be removed. `pipelines` are those of the
/// settings; those whose ledger Parameter Store keeps are looked at as well.
///
/// # Errors
/// What AWS refused: then nothing is known, and nothing may be removed.
pub async fn leftovers(
    cloud: &Cloud,
    pipelines: &[String],
) -> Result<Vec<Leftover>, PipelineError> {
    let all = cloud.parameters_below(ROOT).await?;
    let kept = run::kept_in(&all);
    let pipelines: BTreeSet<String> = pipelines
        .iter()
        .cloned()
        .chain(in_use::ledgers_in(&all))
        .collect();
    let pipelines = Vec::from_iter(pipelines);
    let holds = holders(cloud, &all).await?;
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
    let facts = Facts {
        now,
        runs,
        instances,
        images,
        snapshots: cloud.snapshots_of_runs().await?,
        in_use,
    };
    let mut list = choice::choose(&facts);
    let environments = cloud.environments().await?;
    let environments = environments.iter().map(|one| one.id.to_string());
    list.extend(records::choose(&records::Parameters {
        now,
        runs: &kept,
        all: &all,
        images: &images_of(&facts),
        needed: &needed(cloud, &pipelines, &facts).await?,
        environments: &environments.collect(),
    }));
    Ok(list)
}

/// The runs that hold a lease now, of whatever environment.
async fn holders(cloud: &Cloud, all: &[Parameter]) -> Result<BTreeSet<RunId>, PipelineError> {
    let environments: BTreeSet<&str> = all
        .iter()
        .filter_map(|parameter| parameter.name.strip_prefix("/goldseed/environments/"))
        .filter_map(|rest| rest.split('/').next())
        .collect();
    let mut found = BTreeSet::new();
    for environment in environments {
        let holder = run::holder(cloud, &EnvironmentId::new(environment)).await?;
        found.extend(holder.map(|lease| lease.run));
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

/// Removes leftovers, each in its turn; returns what became of each. What cannot be removed does not stop the rest, and
/// a run that somebody has taken up since they were looked for keeps what it has.
pub async fn remove(cloud: &Cloud, list: &[Leftover]) -> Vec<Result<(), String>> {
    let mut taken_up: BTreeMap<RunId, Result<bool, String>> = BTreeMap::new();
    let mut results = Vec::new();
    for leftover in list {
        if let Some(run) = &leftover.run
            && !taken_up.contains_key(run)
        {
            let looked = is_live(cloud, &leftover.pipeline, run).await;
            taken_up.insert(run.clone(), looked.map_err(|error| error.to_string()));
        }
        let live = leftover.run.as_ref().and_then(|run| taken_up.get(run));
        results.push(match live {
            Some(Ok(true)) => Err("somebody goes on with its run".to_owned()),
            Some(Err(error)) => Err(error.clone()),
            Some(Ok(false)) | None => one(cloud, &leftover.what)
                .await
                .map_err(|error| error.to_string()),
        });
    }
    results
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

async fn one(cloud: &Cloud, what: &What) -> Result<(), CloudError> {
    match what {
        What::Instance(id) => cloud.ensure_terminated(id).await,
        What::Image(id) => cloud.ensure_deregistered(id).await,
        What::Snapshot(id) => cloud.ensure_snapshot_deleted(id).await,
        What::Parameter(name) => cloud.ensure_parameter_deleted(name).await,
    }
}
