//! Names, tokens and tags: derived from run, step and attempt, so that a step that runs again comes to the same ones.

use std::time::Duration;

use crate::cloud::{Tags, tags};
use crate::id::{self, RunId};
use crate::pace;

use super::Plan;

/// What a resource is for; the tag `goldseed:role`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// An image of a running machine, with its identity: it only feeds a seed.
    Raw,
    /// The machine that recipes are applied on.
    Seed,
    /// The image of a generalised, stopped seed.
    Golden,
    /// A throw-away machine that proves a golden image.
    Proof,
    /// A throw-away machine that changes the data for a golden image.
    Migration,
}

impl Role {
    /// The tag's value.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Seed => "seed",
            Self::Golden => "golden",
            Self::Proof => "proof",
            Self::Migration => "migration",
        }
    }
}

/// How long what a run makes may live when nobody comes back to it: the tag `goldseed:expires`, and the timer by which a
/// machine of ours stops itself.
pub(super) const EXPIRY: Duration = Duration::from_hours(24);

/// The tags of something that this run makes: the user's own first, ours cannot be covered by them.
pub(super) fn tags(plan: &Plan, run: &RunId, role: Role, attempt: u32) -> Tags {
    let mut list = plan.tags.clone();
    let ours = [
        (
            "Name",
            format!("goldseed {} {}", plan.pipeline, role.as_str()),
        ),
        (tags::PIPELINE, plan.pipeline.clone()),
        (tags::RUN, run.to_string()),
        (tags::ROLE, role.as_str().to_owned()),
        (tags::ATTEMPT, attempt.to_string()),
    ];
    for (key, value) in ours {
        list.insert(key.to_owned(), value);
    }
    if role != Role::Golden {
        // From the run's start: a launch that is sent again must be the same to the letter.
        let expires = run.started().unwrap_or_else(pace::now) + EXPIRY;
        list.insert(
            tags::EXPIRES.to_owned(),
            expires.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        );
    }
    list
}

/// The name of an image: unique in an account and region, 128 characters at most (EC2 API reference, `CreateImage`);
/// a pipeline's name is at most 32.
pub(super) fn image(plan: &Plan, run: &RunId, role: Role, attempt: u32) -> String {
    format!(
        "goldseed-{}-{run}-{}-a{attempt}",
        plan.pipeline,
        role.as_str()
    )
}

/// The client token of a launch.
pub(super) fn launch_token(run: &RunId, role: Role, attempt: u32, parameters: &[&str]) -> String {
    let attempt = attempt.to_string();
    id::token(
        [run.as_str(), role.as_str(), attempt.as_str()]
            .into_iter()
            .chain(parameters.iter().copied()),
    )
}

/// The name of a systemd unit on a machine, without its attempt.
pub(super) fn unit(run: &RunId, step: &str) -> String {
    format!("goldseed-{run}-{step}")
}
