//! Whether an environment is well with an image: a pure judgement over what was seen, poll by poll.
//!
//! `Ready` is not success: a failed update is reverted by Beanstalk and ends `Ready` on the old image. Success is
//! `Ready`, **and** the deployed settings name the image, **and** every in-service instance runs it, **and** health
//! holds K of N polls through the soak time, **and** the probes through the load balancer pass.

use crate::id::ImageId;

/// What one poll saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Seconds since the watch began.
    pub at: u64,
    /// Whether it saw anything: where a read failed the status is that of the poll before, and the rest is not known.
    pub seen: bool,
    /// The environment's status: `Ready`, `Updating`, …
    pub status: String,
    /// The image that the deployed settings name; none where the read failed.
    pub deployed: Option<ImageId>,
    /// What is pending beside the deployed settings.
    pub draft: Option<Draft>,
    /// The application version that the environment names; none where it has none, or the read failed.
    pub version: Option<String>,
    /// The images of the instances in service.
    pub images: Vec<ImageId>,
    /// The least number of instances that the group should have.
    pub least: usize,
    /// What health says.
    pub health: Health,
    /// What the probes say: none passed or failed where they were not sent.
    pub probes: Result<(), String>,
}

/// Settings beside the deployed ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// How Beanstalk calls their state.
    pub status: String,
    /// The image that they name.
    pub image: Option<ImageId>,
}

/// Health, as the judgement takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// `Ok` or `Info`; `Green` without enhanced health.
    Good,
    /// `Pending`, `Unknown`, `NoData`, `Suspended`, `Grey`, or a read that failed: neither good nor bad.
    Unknown(String),
    /// `Warning`, `Degraded`, `Severe`; `Yellow` or `Red`: with its causes.
    Bad(String),
}

/// So many seconds after the time of a watch is up somebody must have been able to look; and so many times it is tried.
const SEEN_WITHIN: u64 = 600;
const LOOKS: usize = 3;

/// After so many seconds an update that was sent shows in every read.
const SHOWS_WITHIN: u64 = 120;

impl Health {
    /// Sorts a health status or colour (Beanstalk developer guide, enhanced health).
    pub fn read(status: &str, causes: &[String]) -> Self {
        let text = || {
            if causes.is_empty() {
                status.to_owned()
            } else {
                format!("{status}: {}", causes.join("; "))
            }
        };
        match status {
            "Ok" | "Info" | "Green" => Self::Good,
            "Warning" | "Degraded" | "Severe" | "Yellow" | "Red" => Self::Bad(text()),
            _ => Self::Unknown(text()),
        }
    }
}

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
        // Only what came after the last time that the update was under way counts for the soak.
        let settled = samples
            .iter()
            .rposition(|sample| sample.status != "Ready")
            .map_or(0, |at| at + 1);
        let settled = &samples[settled..];
        let late = last.at >= self.deadline;
        let Some(first) = settled.first() else {
            let state = describe_update(last);
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
        if soaked && (late || bad > self.of.saturating_sub(self.good)) {
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
        let others = sample
            .images
            .iter()
            .filter(|image| **image != self.target)
            .count();
        if others > 0 {
            let of = sample.images.len();
            return Grade::Bad(format!("{others} of {of} instances run another image"));
        }
        let least = sample.least.max(1);
        if sample.images.len() < least {
            let seen = sample.images.len();
            return Grade::Bad(format!("{seen} instances in service, {least} wanted"));
        }
        match (&sample.health, &sample.probes) {
            (Health::Bad(text), _) => Grade::Bad(format!("health is {text}")),
            (_, Err(reason)) => Grade::Bad(reason.clone()),
            (Health::Unknown(text), Ok(())) => Grade::Unknown(format!("health is {text}")),
            (Health::Good, Ok(())) => Grade::Good,
        }
    }
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

fn describe_update(sample: &Sample) -> String {
    if let (false, Health::Unknown(error)) = (sample.seen, &sample.health) {
        return format!(
            "not known, {} when it was seen last: {error}",
            sample.status
        );
    }
    let health = match &sample.health {
        Health::Good => "Ok",
        Health::Bad(text) | Health::Unknown(text) => text,
    };
    format!(
        "{}, {} instances in service, health {health}",
        sample.status,
        sample.images.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn judge() -> Judge {
        Judge {
            target: ImageId::new("ami-new"),
            before: ImageId::new("ami-old"),
            version: Some("v1".into()),
            soak: 60,
            good: 3,
            of: 4,
            deadline: 600,
        }
    }

    fn sample(at: u64, status: &str, image: &str) -> Sample {
        Sample {
            at,
            seen: true,
            status: status.into(),
            deployed: Some(ImageId::new(image)),
            draft: None,
            version: Some("v1".into()),
            images: vec![ImageId::new(image); 2],
            least: 2,
            health: Health::Good,
            probes: Ok(()),
        }
    }

    fn well(times: &[u64]) -> Vec<Sample> {
        times
            .iter()
            .map(|at| sample(*at, "Ready", "ami-new"))
            .collect()
    }

    #[test]
    fn well_is_only_what_stays_well_through_the_soak() {
        assert!(matches!(
            judge().judge(&well(&[0, 20, 40])),
            Judgement::Waiting(_)
        ));
        assert_eq!(judge().judge(&well(&[0, 20, 40, 60])), Judgement::Well);
    }

    #[test]
    fn ready_with_the_old_image_is_beanstalks_own_revert() {
        let mut samples = vec![sample(0, "Updating", "ami-old")];
        samples.push(sample(20, "Ready", "ami-old"));
        assert!(
            matches!(judge().judge(&samples), Judgement::Waiting(_)),
            "one read can be behind"
        );
        samples.push(sample(40, "Ready", "ami-old"));
        assert_eq!(judge().judge(&samples), Judgement::Reverted);
    }

    #[test]
    fn ready_with_a_third_image_is_somebody_elses_release() {
        let mut samples = vec![sample(0, "Updating", "ami-old")];
        samples.extend([20, 40].map(|at| sample(at, "Ready", "ami-other")));
        let other = ImageId::new("ami-other");
        assert_eq!(judge().judge(&samples), Judgement::Replaced(other));
    }

    #[test]
    fn an_update_that_does_not_show_yet_has_not_been_reverted() {
        let stale: Vec<Sample> = [5, 20, 65, 80, 119]
            .map(|at| sample(at, "Ready", "ami-old"))
            .into();
        assert!(matches!(judge().judge(&stale), Judgement::Waiting(_)));
        let mut after = stale.clone();
        after.push(sample(130, "Ready", "ami-old"));
        assert_eq!(judge().judge(&after), Judgement::Reverted);
        after = stale;
        after.push(sample(119, "Updating", "ami-old"));
        after.extend([140, 160].map(|at| sample(at, "Ready", "ami-old")));
        assert_eq!(judge().judge(&after), Judgement::Reverted);
    }

    #[test]
    fn one_straggler_on_the_old_image_is_not_well() {
        let mut samples = well(&[0, 20, 40, 60]);
        for sample in &mut samples {
            sample.images = vec![ImageId::new("ami-new"), ImageId::new("ami-old")];
        }
        let Judgement::Unwell(reason) = judge().judge(&samples) else {
            panic!("a mixed fleet is not well")
        };
        assert!(
            reason.starts_with("1 of 2 instances run another image"),
            "{reason}"
        );
    }

    #[test]
    fn grey_is_neither_good_nor_bad_until_the_deadline() {
        let mut samples = well(&[0, 20, 40, 60, 80]);
        for sample in &mut samples {
            sample.health = Health::read("NoData", &[]);
        }
        assert!(matches!(judge().judge(&samples), Judgement::Waiting(_)));
        samples.push(Sample {
            at: 600,
            ..samples[0].clone()
        });
        assert!(matches!(judge().judge(&samples), Judgement::Unwell(_)));
    }

    #[test]
    fn an_update_that_never_ends_is_unwell_at_the_deadline() {
        assert!(matches!(
            judge().judge(&[sample(599, "Updating", "ami-old")]),
            Judgement::Waiting(_)
        ));
        assert!(matches!(
            judge().judge(&[sample(600, "Updating", "ami-old")]),
            Judgement::Unwell(_)
        ));
    }

    #[test]
    fn an_update_that_ends_right_before_the_deadline_has_its_soak() {
        let mut samples = vec![sample(590, "Updating", "ami-old")];
        samples.extend(well(&[605, 620, 640]));
        // Right after an update health often is grey.
        samples[1].health = Health::read("NoData", &[]);
        assert!(matches!(judge().judge(&samples), Judgement::Waiting(_)));
        samples.extend(well(&[665]));
        assert_eq!(judge().judge(&samples), Judgement::Well);
        samples[3].health = Health::read("NoData", &[]);
        assert!(matches!(judge().judge(&samples), Judgement::Unwell(_)));
    }

    /// A read that failed, after this sample.
    fn failed(at: u64, before: &Sample) -> Sample {
        Sample {
            at,
            seen: false,
            deployed: None,
            version: None,
            images: Vec::new(),
            health: Health::Unknown("DescribeEnvironments failed".into()),
            ..before.clone()
        }
    }

    #[test]
    fn nothing_is_judged_without_a_look_after_the_deadline() {
        let mut samples = vec![sample(580, "Updating", "ami-old")];
        for at in [600, 620, 640] {
            samples.push(failed(at, &samples[0]));
            let judgement = judge().judge(&samples);
            assert!(matches!(judgement, Judgement::Waiting(_)), "{judgement:?}");
        }
        let mut seen = samples.clone();
        seen.push(sample(660, "Updating", "ami-old"));
        assert!(matches!(judge().judge(&seen), Judgement::Unwell(_)));
        // It was well all the time.
        seen.pop();
        seen.extend(well(&[660, 680, 700, 720]));
        assert_eq!(judge().judge(&seen), Judgement::Well);
        samples.push(failed(1260, &samples[0]));
        let Judgement::Unseen(state) = judge().judge(&samples) else {
            panic!("nobody can say anything")
        };
        assert_eq!(
            state,
            "not known, Updating when it was seen last: DescribeEnvironments failed"
        );
    }

    #[test]
    fn a_soak_that_nobody_could_read_is_not_held_against_the_image() {
        let mut samples = well(&[540]);
        samples.extend([560, 580, 600].map(|at| failed(at, &samples[0])));
        samples.extend(well(&[620]));
        assert!(matches!(judge().judge(&samples), Judgement::Waiting(_)));
        samples.extend(well(&[640, 660]));
        assert_eq!(judge().judge(&samples), Judgement::Well);
    }

    #[test]
    fn a_read_that_failed_shows_no_second_change() {
        let mut samples = well(&[0, 20]);
        samples.push(sample(40, "Updating", "ami-new"));
        samples.push(failed(60, &samples[2]));
        assert!(matches!(judge().judge(&samples), Judgement::Waiting(_)));
    }

    fn any_sample() -> impl Strategy<Value = Sample> {
        (
            0_u64..700,
            any::<bool>(),
            any::<bool>(),
            0_u8..3,
            any::<bool>(),
        )
            .prop_map(|(at, ready, new, health, probes)| Sample {
                health: match health {
                    0 => Health::Good,
                    1 => Health::Unknown("NoData".into()),
                    _ => Health::Bad("Severe".into()),
                },
                probes: if probes {
                    Ok(())
                } else {
                    Err("home page: 500".into())
                },
                ..sample(
                    at,
                    if ready { "Ready" } else { "Updating" },
                    if new { "ami-new" } else { "ami-old" },
                )
            })
    }

    fn seen(samples: &[Sample]) -> String {
        match judge().judge(samples) {
            Judgement::Disturbed(seen) => seen,
            other => panic!("somebody else is at work, and the judgement is {other:?}"),
        }
    }

    #[test]
    fn somebody_elses_change_is_told_from_ours() {
        let mut deployed = well(&[0, 20]);
        deployed[1].version = Some("v2".into());
        assert_eq!(
            seen(&deployed),
            "the application version is v2 now and was v1"
        );

        let mut updated = well(&[0, 20]);
        updated.push(sample(40, "Updating", "ami-new"));
        assert!(
            matches!(judge().judge(&updated), Judgement::Waiting(_)),
            "one read can be behind"
        );
        updated.push(sample(60, "Updating", "ami-new"));
        assert_eq!(
            seen(&updated),
            "the environment was Ready with ami-new and is Updating again"
        );

        let mut draft = vec![
            sample(0, "Updating", "ami-old"),
            sample(20, "Updating", "ami-old"),
        ];
        for sample in &mut draft {
            sample.draft = Some(Draft {
                status: "pending".into(),
                image: Some(ImageId::new("ami-new")),
            });
        }
        assert!(
            matches!(judge().judge(&draft), Judgement::Waiting(_)),
            "it is our own"
        );
        for sample in &mut draft {
            sample.draft.as_mut().unwrap().image = Some(ImageId::new("ami-other"));
        }
        assert_eq!(seen(&draft), "an update to ami-other is pending");
    }

    fn rank(judgement: &Judgement) -> u8 {
        match judgement {
            Judgement::Unwell(_)
            | Judgement::Reverted
            | Judgement::Replaced(_)
            | Judgement::Disturbed(_) => 0,
            Judgement::Waiting(_) | Judgement::Unseen(_) => 1,
            Judgement::Well => 2,
        }
    }

    proptest! {
        #[test]
        fn a_red_sample_never_improves_the_judgement(
            mut samples in proptest::collection::vec(any_sample(), 1..12), at in any::<prop::sample::Index>(),
        ) {
            samples.sort_by_key(|sample| sample.at);
            let before = rank(&judge().judge(&samples));
            let at = at.index(samples.len());
            samples[at].health = Health::Bad("Severe".into());
            let after = rank(&judge().judge(&samples));
            prop_assert!(after <= before);
        }
    }
}
