//! What speaks against a change of an environment, as a pure function of the facts.

use std::time::Duration;

use super::{Facts, PROXY, Refusal, health, out_of, outage};
use crate::cloud::ManagedAction;
use crate::id::shell_word;
use crate::pipeline::migrate::LeftRunning;
use crate::run::{self, LeaseError};

/// How long a swap with its watch may take where the watch's deadline is earlier: a managed update must not be due
/// before that.
const SWAP_TAKES: Duration = Duration::from_mins(90);

/// What speaks against a promotion: what stands against any change, an environment that is sick before, and one whose
/// web server would not follow the image.
pub(in crate::pipeline) fn refusals(facts: &Facts) -> Vec<Refusal> {
    let mut list = standing_refusals(facts);
    list.extend(due_updates(facts));
    list.extend(health::refusal(facts));
    let apache = facts.option(PROXY, "ProxyServer") == Some("apache");
    if facts.bridged && apache {
        list.push(Refusal::new(
            format!("{} has Apache as its proxy", facts.environment.name),
            "set ProxyServer of aws:elasticbeanstalk:environment:proxy to nginx: what the bridge brings for the web \
             server, such as that no upload is run as PHP, is written for nginx",
        ));
    }
    list
}

/// What speaks against any change of the environment, a rollback included.
pub(in crate::pipeline) fn standing_refusals(facts: &Facts) -> Vec<Refusal> {
    let mut list = Vec::new();
    let name = &facts.environment.name;
    let mut against = |reason: String, way_out: &str| list.push(Refusal::new(reason, way_out));
    if let Some(lease) = &facts.lease {
        against(
            format!("{}", LeaseError::Held(Box::new(lease.clone()))),
            &run::wait_for(&lease.run),
        );
    }
    let held = facts.lease.as_ref().map(|lease| &lease.run);
    if let Some(migrating) = facts.migrating.as_ref()
        && held != Some(&migrating.run)
    {
        let LeftRunning { run, machine } = migrating;
        against(
            format!(
                "run {run} has begun to change the data of {name}, and {machine}, where it does, still runs"
            ),
            &format!(
                "go on with it: goldseed resume {run}; or look whether the migration is over there, and terminate {machine}"
            ),
        );
    }
    if !facts.environment.is_ready() {
        against(
            format!("{name} is {}, not Ready", facts.environment.status),
            &out_of(&facts.environment),
        );
    }
    if facts.environment.tier == "Worker" {
        against(
            format!("{name} is a worker environment: it has no load balancer to judge it by"),
            "workers are not supported",
        );
    }
    if facts.deployed().is_none() {
        against(
            format!("{name} has no deployed settings"),
            "look at it in the console",
        );
    }
    if let Some(draft) = facts.sets.iter().find(|set| set.is_pending()) {
        let way_out = format!(
            "wait until that draft is applied, or delete it: aws elasticbeanstalk delete-environment-configuration \
             --application-name {} --environment-name {}",
            shell_word(&facts.environment.application),
            shell_word(name)
        );
        against(
            format!(
                "{name} has {} settings beside the deployed ones",
                draft.status
            ),
            &way_out,
        );
    }
    list.extend(outage::impossible(facts));
    if !facts.accept_downtime {
        list.extend(outage::outage(facts));
    }
    let at_work = |action: &&ManagedAction| action.status != "Scheduled";
    let at_work = facts.actions.iter().filter(at_work);
    list.extend(at_work.map(|action| managed(name, action)));
    list
}

/// The managed updates that would begin while a swap goes on or is watched. A rollback does not wait for them.
pub(in crate::pipeline) fn due_updates(facts: &Facts) -> Vec<Refusal> {
    let end = facts.now + SWAP_TAKES.max(facts.deadline);
    let due = |action: &&ManagedAction| {
        action.status == "Scheduled" && action.window.is_none_or(|window| window < end)
    };
    let due = facts.actions.iter().filter(due);
    due.map(|action| managed(&facts.environment.name, action))
        .collect()
}

fn managed(environment: &str, action: &ManagedAction) -> Refusal {
    let window = action
        .window
        .map_or_else(String::new, |window| format!(" for {window}"));
    Refusal::new(
        format!(
            "a managed update of {environment} is {}{window}: {}",
            action.status, action.description
        ),
        "wait until it is over, or move its window",
    )
}
