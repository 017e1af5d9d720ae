//! Watch: looks at the environment poll by poll until the judgement is clear.

mod events;
mod look;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::preflight::{LAUNCH, Ready};
use super::swap::Direction;
use super::verdict::{Health, Judge, Judgement, Sample, Standing};
use super::{Context, PipelineError, Trouble, probes, swap};
use crate::cloud::{CloudError, Environment, ErrorKind};
use crate::event::Event;
use crate::id::{ImageId, RunId};
use crate::pace::Schedule;
use crate::recipe::HttpCheck;
use crate::run::{Held, LeaseError, Outcome};
use look::{Ask, look};

/// Beanstalk throttles at low rates: 5-second polls of several deployments at once are refused in the wild.
const POLL: Schedule = Schedule {
    first: Duration::from_secs(5),
    every: Duration::from_secs(15),
    within: Duration::ZERO,
};

/// After so many answers without a field that they must have, with no good one between, the tool does not understand AWS.
const MALFORMED: u32 = 5;

/// What a watch came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Verdict {
    /// The environment is well with the image.
    Well,
    /// It is not: the reason.
    Unwell(String),
    /// AWS could not carry the update out, so that the image was not judged: the reason.
    Hindered(Trouble, String),
}

impl Outcome for Verdict {
    fn outcome(&self) -> String {
        match self {
            Self::Well => "well".to_owned(),
            Self::Unwell(reason) => format!("not well: {reason}"),
            Self::Hindered(_, reason) => format!("not carried out by AWS: {reason}"),
        }
    }
}

/// What is watched.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watched<'a> {
    /// Whether it is what was asked for, or the way back from it.
    pub(super) direction: Direction,
    /// The image that the environment should be on.
    pub(super) target: &'a ImageId,
    /// The image that it was on when the swap began.
    pub(super) before: &'a ImageId,
    /// Whether the wanted one is the platform's own, which settings need not name.
    pub(super) platform: bool,
    /// What the swap stood on.
    pub(super) ready: &'a Ready,
    /// When its update was sent, or shortly before.
    pub(super) since: jiff::Timestamp,
    /// Whether strong evidence against the image ends the update while it is under way: where it is taken back then.
    pub(super) early: bool,
    /// Whether it was watched before: a person who goes on with a run has it judged as it is then.
    pub(super) again: bool,
}

impl Watched<'_> {
    /// The application version that somebody else has deployed since the swap was decided upon; what is judged again
    /// is judged with the version that runs.
    fn other_version<'s>(&self, samples: &'s [Sample]) -> Option<&'s str> {
        if self.again {
            return None;
        }
        let now = samples
            .iter()
            .rev()
            .find_map(|one| one.version.as_deref())?;
        (self
            .ready
            .version
            .as_deref()
            .is_some_and(|before| before != now))
        .then_some(now)
    }

    /// Whether the last poll shows something of the image itself, and not only that its instances are missing.
    fn has_judged(&self, last: Option<&Sample>) -> bool {
        last.is_some_and(|last| last.probes.is_err() || self.has_ill(last))
    }

    /// Whether instances of the image were unhealthy when they were seen last, before Beanstalk terminated them.
    fn had_judged(&self, samples: &[Sample]) -> bool {
        let of_image = |sample: &&Sample| {
            let mut images = sample.members.iter().map(|member| &member.image);
            images.any(|image| image == self.target)
        };
        let last = samples.iter().rev().find(of_image);
        last.is_some_and(|last| self.has_ill(last))
    }

    fn has_ill(&self, sample: &Sample) -> bool {
        sample.members.iter().any(|member| {
            member.image == *self.target
                && (matches!(member.standing, Standing::Ill(_)) || member.wrong_answers.is_some())
        })
    }

    /// Somebody else's change is neither blamed on the image nor undone.
    fn disturbed(&self, context: &Context<'_>, run: &RunId, seen: &str) -> PipelineError {
        let state = match self.direction {
            Direction::Forward => "nothing was taken back",
            Direction::Back => "the promotion was being taken back",
        };
        PipelineError::Disturbed(format!(
            "somebody else changes {} while {} is watched: {seen}; {state}. Wait until that is over and go on with \
             `goldseed resume {run}`, which judges what runs then, or set {LAUNCH} ImageId by hand",
            context.plan.environment, self.target
        ))
    }
}

pub(super) use look::member;

/// Watches until the judgement is clear, renewing the lease; Beanstalk's own events are shown as they come.
pub(super) async fn until_judged(
    context: &Context<'_>,
    watched: &Watched<'_>,
    held: &mut Held,
) -> Result<Verdict, PipelineError> {
    let Context { cloud, plan, .. } = *context;
    let least = watched.ready.least;
    let judge = Judge {
        target: watched.target.clone(),
        before: watched.before.clone(),
        version: watched.ready.version.clone().filter(|_| !watched.again),
        soak: plan.watch.soak.as_secs(),
        good: plan.watch.good as usize,
        of: plan.watch.of as usize,
        deadline: plan.watch.deadline.as_secs(),
        early: watched.early,
    };
    let mut probes = None;
    let since = crate::pace::now();
    // Machines that die do so in their own time: a soak must outlast that.
    let pace = cloud.pace().of_machines();
    let clock = pace.deadline(plan.watch.deadline);
    let mut samples = Vec::new();
    let mut shown = std::collections::BTreeSet::new();
    let mut malformed = 0;
    let mut renews = true;
    loop {
        match held.renew().await {
            Err(LeaseError::Cloud(error)) if error.is_transient() => {
                // The watch tries again at each poll; one line is enough until it succeeds.
                if std::mem::replace(&mut renews, false) {
                    cloud.events().warn(format!(
                        "the lease on {} cannot be renewed, which is tried again at each poll: {error}",
                        plan.environment
                    ));
                }
            }
            other => {
                other?;
                renews = true;
            }
        }
        let at = pace.unscale(clock.elapsed()).as_secs();
        let sample = match look_once(context, at, watched, &mut probes).await {
            Ok((environment, sample)) => {
                malformed = 0;
                events::show(context, &environment.id, since, &mut shown).await;
                sample
            }
            // A read that fails is unknown, never bad, and nobody else is watching.
            Err(error) => {
                malformed += u32::from(error.kind == ErrorKind::Malformed);
                if cannot_heal(&error) || malformed >= MALFORMED {
                    return Err(error.into());
                }
                unknown(at, least, samples.last(), &error)
            }
        };
        samples.push(sample);
        let state = match judge.judge(&samples) {
            Judgement::Well => return Ok(Verdict::Well),
            Judgement::Disturbed(seen) => {
                return Err(watched.disturbed(context, held.run(), &seen));
            }
            Judgement::Unwell(reason) => {
                if let Some(version) = watched.other_version(&samples) {
                    let seen = format!("it runs version {version} and is not well: {reason}");
                    return Err(watched.disturbed(context, held.run(), &seen));
                }
                let judged = watched.has_judged(samples.last());
                let found = events::Found::Unhealthy { reason, judged };
                return Ok(events::verdict(context, watched, found).await);
            }
            Judgement::Reverted => {
                let judged = watched.had_judged(&samples);
                let found = events::Found::Reverted { judged };
                return Ok(events::verdict(context, watched, found).await);
            }
            Judgement::Replaced(now) => {
                return Err(swap::replaced(context, &watched.ready.target, now).await);
            }
            Judgement::Unseen(reason) => {
                return Err(PipelineError::Unseen {
                    environment: plan.environment.clone(),
                    reason,
                });
            }
            Judgement::Waiting(state) => state,
        };
        cloud.events().emit(Event::Progress {
            subject: format!("environment {}", plan.environment),
            state,
            done: None,
            waited_seconds: clock.elapsed().as_secs(),
        });
        let asked = u32::try_from(samples.len()).unwrap_or(u32::MAX);
        let pause = POLL.pause(asked, fastrand::f64());
        cloud.pause(cloud.pace().scale(pause)).await;
    }
}

/// What no later look would mend.
fn cannot_heal(error: &CloudError) -> bool {
    matches!(
        error.kind,
        ErrorKind::Denied | ErrorKind::NoCredentials | ErrorKind::Expired | ErrorKind::HeldBack
    )
}

/// The sample of a read that failed: the environment is taken to be as it was seen last.
fn unknown(at: u64, least: usize, before: Option<&Sample>, error: &CloudError) -> Sample {
    Sample {
        at,
        seen: false,
        status: before.map_or_else(|| "Unknown".into(), |before| before.status.clone()),
        deployed: None,
        draft: None,
        version: None,
        members: Vec::new(),
        least,
        health: Health::Unknown(error.to_string()),
        probes: Ok(()),
    }
}

/// Looks once as the watch does: what the watch will need to read must be readable before anything is sent.
pub(super) async fn rehearse(context: &Context<'_>) -> Result<(), CloudError> {
    let ask = Ask {
        target: None,
        least: 0,
        probes: &[],
        failing_before: &[],
        unnamed: None,
        accepted: None,
    };
    look(context, 0, &ask).await.map(drop)
}

/// Looks, with the probes that belong to the image; which those are is found out at the first look that can.
async fn look_once(
    context: &Context<'_>,
    at: u64,
    watched: &Watched<'_>,
    probes: &mut Option<Vec<(u16, HttpCheck)>>,
) -> Result<(Environment, Sample), CloudError> {
    let failing = &watched.ready.failing;
    let forward = watched.direction == Direction::Forward;
    let probes = if let Some(found) = probes {
        found
    } else {
        let all = if forward {
            probes::of_image(context, watched.target).await?
        } else {
            // Whatever recipes the earlier image was built from: it passed these before the swap.
            probes::all(context.plan)
        };
        // What failed before the swap does not come right by going back.
        let left_out = &watched.ready.left_out;
        let fit = |position: &u16| {
            !left_out.contains(position) && (forward || !failing.contains(position))
        };
        let all = (0..).zip(all);
        probes.insert(all.filter(|(position, _)| fit(position)).collect())
    };
    let ask = Ask {
        target: Some(watched.target),
        least: watched.ready.least,
        probes,
        failing_before: if forward { failing } else { &[] },
        unnamed: watched.platform.then_some(watched.target),
        accepted: watched.ready.accepted.as_deref(),
    };
    look(context, at, &ask).await
}
