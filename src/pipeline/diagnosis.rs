//! Diagnosis: why the agent of a machine does not answer, as far as that can be seen from outside.
//!
//! Whoever waits for a machine that never comes online learns in minutes what is wrong with it: `facts` looks, and
//! `found` makes of what was seen a list of findings, the likeliest first, each with what to do. What may not be looked
//! at is told as such, and never hides why the run ended. The machine stays as it is: for a look, and for `resume`.

mod facts;
mod findings;

use std::time::Duration;

use super::PipelineError;
use crate::cloud::Cloud;
use crate::id::InstanceId;
use crate::pace::spoken;

/// A machine whose agent does not answer, with what was found out about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the agent of {instance} does not answer after {}: {state}", spoken(*waited))]
pub struct Unanswered {
    /// The machine.
    pub instance: InstanceId,
    /// How long was waited.
    pub waited: Duration,
    /// What the agent was last seen doing.
    pub state: String,
    /// What may be the cause, the likeliest first.
    pub findings: Vec<Finding>,
    /// What could not be looked at, and why.
    pub unseen: Vec<String>,
    /// The last lines of the machine's console.
    pub console: Vec<String>,
}

/// Something that keeps an agent from answering, and the way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub way_out: String,
}

/// How many lines of the console are shown.
const SHOWN: usize = 12;

fn last_lines(mut console: Vec<String>) -> Vec<String> {
    console.split_off(console.len().saturating_sub(SHOWN))
}

/// Looks at a machine that did not answer, and returns the error that says why.
pub(super) async fn of(
    cloud: &Cloud,
    instance: &InstanceId,
    state: String,
    waited: Duration,
) -> PipelineError {
    cloud
        .events()
        .warn(format!("{instance} does not answer: looking for the cause"));
    let facts = facts::look(cloud, instance).await;
    PipelineError::Unanswered(Box::new(Unanswered {
        instance: instance.clone(),
        waited,
        findings: findings::found(&state, &facts),
        state,
        unseen: facts.unseen(),
        console: last_lines(facts.console.unwrap_or_default()),
    }))
}
