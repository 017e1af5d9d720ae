//! Whether an environment is well with an image: a pure judgement over what was seen, poll by poll.
//!
//! `Ready` is not success: a failed update is reverted by Beanstalk and ends `Ready` on the old image. Success is
//! `Ready`, **and** the deployed settings name the image, **and** every in-service instance runs it, **and** health
//! holds K of N polls through the soak time, **and** the probes through the load balancer pass. While the update is under way
//! the same judge weighs what the first new instances show (`evidence`).

mod evidence;
mod sample;

use crate::id::ImageId;

pub use sample::Sample;
pub(super) use sample::{Draft, Health, Member, Standing, wrong_answers};

/// So many seconds after the time of a watch is up somebody must have been able to look; and so many times it is tried.
const SEEN_WITHIN: u64 = 600;
const LOOKS: usize = 3;

/// After so many seconds an update that was sent shows in every read.
const SHOWS_WITHIN: u64 = 120;

/// The rules of a watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judge {
    /// The image that the environment should be on.
    pub target: ImageId,
    /// The image that the environment was on before.
    pub before: ImageId,
    /// The application version that the environment should be on, where it is known.
    pub version: Option<String>,
    /// How long it must stay well, in seconds.
    pub soak: u64,
    /// How many of the last `of` samples must be good.
    pub good: usize,
    /// How many samples are looked at.
    pub of: usize,
    /// After how many seconds the watch is over; a soak that has begun by then is seen to its end.
    pub deadline: u64,
    /// Whether strong evidence ends an update that is under way.
    pub early: bool,
}

/// What the samples so far come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// Nobody can tell yet: the state for people.
    Waiting(String),
    /// It is well.
    Well,
    /// It is not, and will not be: the reason for people.
    Unwell(String),
    /// It is Ready with the image before: Beanstalk reverted the update, or the update never came.
    Reverted,
    /// It is Ready with an image that is neither the one it should be on nor the one before: somebody else set that.
    Replaced(ImageId),
    /// Somebody else changes the environment, so that nobody can tell what the image does: what was seen.
    Disturbed(String),
    /// The time is up and nobody could look since, so that nothing can be said: what was seen last.
    Unseen(String),
}

impl Judge {
    /// Judges all samples of a watch, oldest first.
    pub fn judge(&self, samples: &[Sample]) -> Judgement {
        let Some(last) = samples.last() else {
            return Judgement::Waiting("no sample yet".into());
        };
        if matches!(last.status.as_str(), "Terminating" | "Terminated") {
            return Judgement::Unwell(format!("the environment is {}", last.status.to_lowercase()));
        }
        if let Some(seen) = self.disturbed(samples) {
            return Judgement::Disturbed(seen);
        }
        if let Some(reason) = self.refuted(samples) {
            return Judgement::Unwell(reason);
        }
        // Only what came after the last time that the update was under way counts for the soak.
        let settled = samples
            .iter()
            .rposition(|sample| sample.status != "Ready")
            .map_or(0, |at| at + 1);
        let settled = &samples[settled..];
        let late = last.at >= self.deadline;
        let Some(first) = settled.first() else {
            let state = self.describe_update(samples, last);
            return if late && !last.seen {
                self.blind(samples, state)
            } else if late {
                Judgement::Unwell(format!("the update did not end in time: {state}"))
            } else {
                Judgement::Waiting(state)
            };
        };
        // Right after the sending two reads can come from a server that is behind.
        if self.is_unseen(samples) && last.at < SHOWS_WITHIN {
            return Judgement::Waiting("the update does not show yet".into());
        }
        if let Some(image) = self.other_image(settled) {
            return if *image == self.before {
                Judgement::Reverted
            } else {
                Judgement::Replaced(image.clone())
            };
        }
        let window = &settled[settled.len().saturating_sub(self.of)..];
        let grades: Vec<Grade> = window.iter().map(|sample| self.grade(sample)).collect();
        let good = grades.iter().filter(|grade| **grade == Grade::Good).count();
        let bad = grades
            .iter()
            .filter(|grade| matches!(grade, Grade::Bad(_)))
            .count();
        let soaked = last.at.saturating_sub(first.at) >= self.soak && window.len() >= self.of;
        if soaked && good >= self.good && grades.last() == Some(&Grade::Good) {
            return Judgement::Well;
        }
        let complaint = grades.into_iter().rev().find_map(Grade::complaint);
        let score = format!(
            "{good} of the last {} samples good, {} wanted",
            window.len(),
            self.good
        );
        let unread = window.iter().any(|sample| !sample.seen);
        if soaked && late && unread && bad <= self.of.saturating_sub(self.good) {
            let complaint = complaint.unwrap_or_else(|| "too few samples".into());
            return self.blind(samples, format!("{complaint} ({score})"));
        }
        // What nobody knows speaks against an environment only when the time is up, and what nobody could read never does;
        // and an update that ends shortly before the deadline has its soak time like any other.
        if soaked && (late && good < self.good || bad > self.of.saturating_sub(self.good)) {
            let complaint = complaint.unwrap_or_else(|| "too few samples".into());
            return Judgement::Unwell(format!("{complaint} ({score})"));
        }
        Judgement::Waiting(complaint.map_or_else(
            || format!("well for {} s of {} s", last.at - first.at, self.soak),
            |complaint| format!("{complaint} ({score})"),
        ))
    }

    /// The time is up, and the last looks failed: that is not held against the environment, and looking goes on.
    fn blind(&self, samples: &[Sample], state: String) -> Judgement {
        let until = self.deadline + self.soak + SEEN_WITHIN;
        let tried = samples.iter().filter(|sample| sample.at >= self.deadline);
        if tried.count() >= LOOKS && samples.last().is_some_and(|last| last.at >= until) {
            Judgement::Unseen(state)
        } else {
            Judgement::Waiting(state)
        }
    }

    /// Tells what shows that somebody else changes the environment. What an update is told by must be seen twice in a
    /// row, for a single read can come from a server that is behind; a version label never goes back by itself.
    fn disturbed(&self, samples: &[Sample]) -> Option<String> {
        let last = samples.last()?;
        if let (Some(before), Some(now)) = (&self.version, &last.version)
            && before != now
        {
            return Some(format!(
                "the application version is {now} now and was {before}"
            ));
        }
        let [earlier @ .., one, other] = samples else {
            return None;
        };
        let stranger = |sample: &Sample| {
            let image = sample.draft.as_ref()?.image.clone()?;
            (image != self.target).then_some(image)
        };
        if let (Some(_), Some(image)) = (stranger(one), stranger(other)) {
            return Some(format!("an update to {image} is pending"));
        }
        let complete = |sample: &Sample| {
            sample.status == "Ready"
                && sample.draft.is_none()
                && sample.deployed.as_ref() == Some(&self.target)
        };
        let busy =
            |sample: &Sample| sample.seen && !matches!(sample.status.as_str(), "Ready" | "Unknown");
        (earlier.iter().any(complete) && busy(one) && busy(other)).then(|| {
            format!(
                "the environment was Ready with {} and is {} again",
                self.target, other.status
            )
        })
    }

    /// Tells whether nothing of an update was seen at all: no other status than `Ready`, no draft, not its image.
    fn is_unseen(&self, samples: &[Sample]) -> bool {
        samples.iter().all(|sample| {
            matches!(sample.status.as_str(), "Ready" | "Unknown")
                && sample.draft.is_none()
                && sample.deployed.as_ref() != Some(&self.target)
        })
    }

    /// The image, not the wanted one, that the environment is `Ready` on twice in a row, for a single read can come from a
    /// server that is behind.
    fn other_image<'s>(&self, settled: &'s [Sample]) -> Option<&'s ImageId> {
        let [.., before, last] = settled else {
            return None;
        };
        let other = |sample: &'s Sample| {
            let image = sample.deployed.as_ref()?;
            (*image != self.target).then_some(image)
        };
        other(before)?;
        other(last).filter(|_| last.draft.is_none())
    }

    fn grade(&self, sample: &Sample) -> Grade {
        if let (false, Health::Unknown(error)) = (sample.seen, &sample.health) {
            return Grade::Unknown(format!("the environment could not be read: {error}"));
        }
        if sample.status != "Ready" {
            return Grade::Unknown(format!("the environment is {}", sample.status));
        }
        match &sample.deployed {
            None => return Grade::Unknown("the environment could not be read".into()),
            Some(image) if *image != self.target => {
                return Grade::Bad(format!("the settings name {image}"));
            }
            Some(_) => {}
        }
        if let Some(draft) = &sample.draft {
            return Grade::Unknown(format!(
                "there are {} settings beside the deployed ones",
                draft.status
            ));
        }
        let of = sample.members.len();
        let others = sample
            .members
            .iter()
            .filter(|member| member.image != self.target)
            .count();
        if others > 0 {
            return Grade::Bad(format!("{others} of {of} instances run another image"));
        }
        if let Health::Bad(text) = &sample.health {
            return Grade::Bad(format!("health is {text}"));
        }
        let least = sample.least.max(1);
        let serving = sample.in_service().count();
        let coming = sample
            .members
            .iter()
            .find_map(|member| match &member.standing {
                Standing::Coming(text) => Some(format!("{} is {text}", member.id)),
                _ => None,
            });
        let too_few = format!("{serving} instances in service, {least} wanted");
        match (coming, &sample.probes, &sample.health) {
            (None, _, _) if serving < least => Grade::Bad(with_illness(too_few, sample)),
            (_, Err(reason), _) => Grade::Bad(reason.clone()),
            (Some(text), _, _) if of < least => Grade::Bad(format!("{too_few}: {text}")),
            (Some(text), _, _) => {
                Grade::Unknown(format!("{serving} of {of} instances in service: {text}"))
            }
            (None, Ok(()), Health::Unknown(text)) => Grade::Unknown(format!("health is {text}")),
            (None, Ok(()), Health::Good(_) | Health::Bad(_)) => Grade::Good,
        }
    }

    fn describe_update(&self, samples: &[Sample], last: &Sample) -> String {
        if let (false, Health::Unknown(error)) = (last.seen, &last.health) {
            return format!("not known, {} when it was seen last: {error}", last.status);
        }
        let (Health::Good(health) | Health::Bad(health) | Health::Unknown(health)) = &last.health;
        let serving = last.in_service().count();
        let new = last
            .in_service()
            .filter(|member| member.image == self.target)
            .count();
        let state = format!(
            "{}, {serving} instances in service, {new} of them on {}, health {health}",
            last.status, self.target
        );
        match self.evidence(last, self.has_reliable_probes(samples)) {
            Some(evidence) => format!("{state}; {}", evidence.text),
            None => state,
        }
    }
}

/// Adds why one of the instances is not in service.
fn with_illness(text: String, sample: &Sample) -> String {
    let ill = sample.members.iter().find_map(|member| {
        let Standing::Ill(reason) = &member.standing else {
            return None;
        };
        Some(format!("{text}: {} is {reason}", member.id))
    });
    ill.unwrap_or(text)
}

/// What a sample of a settled environment says.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Grade {
    Good,
    /// Neither: the reason for people.
    Unknown(String),
    /// The reason for people.
    Bad(String),
}

impl Grade {
    fn complaint(self) -> Option<String> {
        match self {
            Self::Good => None,
            Self::Unknown(reason) | Self::Bad(reason) => Some(reason),
        }
    }
}

#[cfg(test)]
#[path = "verdict/tests.rs"]
mod tests;
