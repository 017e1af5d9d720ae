//! Runs that nobody goes on with: sweep ends them, once what they made is removed.
//!
//! A run that was left unfinished for a day loses its machines and images to a sweep and could not be gone on with. It
//! ends as abandoned, unless it may have changed what is in service, or data: that only a verdict on it ends.

use std::collections::BTreeSet;

use super::choice::{self, Facts, Found, Leftover, RunState, Stays, What};
use crate::cloud::Cloud;
use crate::id::RunId;
use crate::pace;
use crate::pipeline::in_use::ROOT;
use crate::pipeline::{changed_environment, has_begun, may_abandon};
use crate::record::Verdict;
use crate::run::{self, Kept, Run, StoreError};

/// Adds the runs that may end to what was found, and tells of those that only a person can end.
pub(super) fn choose(facts: &Facts, kept: &[Kept], found: &mut Found) {
    for kept in kept {
        if facts.runs.get(&kept.run) != Some(&RunState::Left) {
            continue;
        }
        let Ok(record) = &kept.record else {
            continue;
        };
        let run = &kept.run;
        if let Some(what) = has_begun(record) {
            found.stays.push(Stays {
                id: run.to_string(),
                why: format!(
                    "the run stays unfinished: it may have {what}; end it with goldseed resume {run}"
                ),
            });
        } else if !choice::is_awaited(facts, run) {
            found.leftovers.push(Leftover {
                what: What::Run(run.clone()),
                label: format!("unfinished {}", record.verb.as_str()),
                run: Some(run.clone()),
                pipeline: kept.pipeline.clone(),
                since: run.started(),
                why: "nobody goes on with it: it ends as abandoned".to_owned(),
                monthly: Some(0.0),
            });
        }
    }
}

/// Ends a run that [`choose`] chose, looked at anew: it is taken over first, so that a driver that sleeps stops when it
/// wakes.
///
/// # Errors
/// Why it does not end, for people.
pub(super) async fn end(
    cloud: &Cloud,
    pipeline: &str,
    run: &RunId,
    who: &str,
) -> Result<(), String> {
    let pages = cloud
        .parameters_below(&format!("{ROOT}/{pipeline}/runs/{run}"))
        .await
        .map_err(|error| error.to_string())?;
    let Some(kept) = run::kept_in(&pages).pop() else {
        return Ok(());
    };
    let environment = kept.record.as_ref().ok().and_then(changed_environment);
    let mut holds = BTreeSet::new();
    if let Some(environment) = environment {
        let holder = run::holder(cloud, &environment).await;
        let holder = holder.map_err(|error| error.to_string())?;
        holds.extend(holder.map(|lease| lease.run));
    }
    match choice::state_of(&kept, &holds, pace::now()) {
        RunState::Left => {}
        RunState::Ended(_) => return Ok(()),
        RunState::Live | RunState::Unreadable => {
            return Err("somebody goes on with it".to_owned());
        }
    }
    let ended = async {
        let who = format!("sweep by {who}");
        let mut taken = Run::resume(cloud, pipeline, run, &who).await?;
        // Whoever woke and announced an update or a migration before it was taken over.
        if let Err(begun) = may_abandon(taken.record()) {
            return Ok(Err(begun.to_string()));
        }
        taken.finish(Verdict::Abandoned).await.map(Ok)
    };
    match ended.await {
        Ok(ended) => ended,
        Err(StoreError::Ended { .. }) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}
