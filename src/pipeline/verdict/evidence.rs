//! What is seen of a new image while its update is under way, and when that is enough to end the update.
//!
//! A probe through the balancer reaches old and new instances mixed, and a new instance may be ill for minutes while it
//! starts. So the evidence of one poll is: a new instance that answers its visitors with errors, a probe that passed
//! before and fails now that a new instance serves, or a new instance that is ill. It counts only while no old instance
//! shows the same, and a probe only if it did not fail before any new instance served. Wrong answers are strong evidence
//! when they are seen several times in a row, an ill instance when it stays so for minutes as well.

use super::{Judge, Sample, Standing};

/// So many polls in a row show the same.
const IN_A_ROW: usize = 3;

/// So many seconds a new instance must have been ill.
const ILL_FOR: u64 = 180;

/// So many failed probes before a new instance served show that it is not the new image that they fail of.
const UNRELIABLE: usize = 2;

/// What one poll shows against the new image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Evidence {
    /// For people.
    pub(super) text: String,
    /// Whether visitors get wrong answers.
    wrong_answers: bool,
}

impl Judge {
    /// Tells whether an update of ours is under way.
    fn is_under_way(&self, sample: &Sample) -> bool {
        let ours = |draft: &super::Draft| {
            draft
                .image
                .as_ref()
                .is_none_or(|image| *image == self.target)
        };
        sample.status == "Updating" && sample.draft.as_ref().is_some_and(ours)
    }

    /// What a poll shows against the new image; `reliable`: the probes say something of it.
    pub(super) fn evidence(&self, sample: &Sample, reliable: bool) -> Option<Evidence> {
        let is_ill = |standing: &Standing| matches!(standing, Standing::Ill(_));
        let (new, old): (Vec<_>, Vec<_>) = sample
            .members
            .iter()
            .partition(|member| member.image == self.target);
        if old
            .iter()
            .any(|member| is_ill(&member.standing) || member.wrong_answers.is_some())
        {
            return None;
        }
        // One that warms up answers errors until it is in service: for it the patience with an ill instance holds.
        let mut deployed = new
            .iter()
            .filter(|member| !matches!(member.standing, Standing::Coming(_)));
        let wrong = deployed.find_map(|member| {
            let text = member.wrong_answers.as_ref()?;
            Some(format!("{} of {} {text}", member.id, self.target))
        });
        let serves = new
            .iter()
            .any(|member| member.standing == Standing::InService);
        let failed = sample.probes.as_ref().err();
        let failed = failed.filter(|_| serves && reliable).cloned();
        if let Some(text) = wrong.or(failed) {
            return Some(Evidence {
                text,
                wrong_answers: true,
            });
        }
        new.iter().find_map(|member| match &member.standing {
            Standing::Ill(reason) => Some(Evidence {
                text: format!("{} of {} is {reason}", member.id, self.target),
                wrong_answers: false,
            }),
            _ => None,
        })
    }

    /// Tells whether the probes did well as long as old instances served alone.
    pub(super) fn has_reliable_probes(&self, samples: &[Sample]) -> bool {
        let alone = samples.iter().filter(|sample| {
            sample.seen
                && sample.status != "Ready"
                && sample
                    .in_service()
                    .all(|member| member.image != self.target)
        });
        alone.filter(|sample| sample.probes.is_err()).count() < UNRELIABLE
    }

    /// The reason to end an update of ours that is under way, where the evidence is strong. A poll that failed says
    /// nothing for or against.
    pub(super) fn refuted(&self, samples: &[Sample]) -> Option<String> {
        let last = samples.last()?;
        if !self.early || !last.seen || !self.is_under_way(last) {
            return None;
        }
        let reliable = self.has_reliable_probes(samples);
        let run: Vec<(u64, Evidence)> = samples
            .iter()
            .rev()
            .filter(|sample| sample.seen)
            .map_while(|sample| Some((sample.at, self.evidence(sample, reliable)?)))
            .collect();
        let (_, latest) = run.first()?;
        let wrong = run
            .iter()
            .take_while(|(_, evidence)| evidence.wrong_answers)
            .count();
        let lasted = run.last().map_or(0, |(first, _)| last.at - first);
        if wrong >= IN_A_ROW {
            return Some(format!("{}, {wrong} times in a row", latest.text));
        }
        (run.len() >= IN_A_ROW && lasted >= ILL_FOR)
            .then(|| format!("{}, for {lasted} s by now", latest.text))
    }
}
