//! Time in the sandbox: transitions ripen by the clock, or by polls counted.
//!
//! With real machines a transition takes as many seconds as it does on AWS, times the pace. With simulated ones it
//! takes a number of polls: each time that somebody looks at the resource counts. So a test that polls sees the same
//! states in the same order on a fast and on a slow machine.

use std::time::{Duration, Instant};

/// How time passes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Clock {
    /// By polls counted.
    Polls,
    /// By the clock, scaled by the pace.
    Paced(f64),
}

impl Clock {
    /// Starts a transition that takes `polls`, or `seconds` of real AWS.
    pub(crate) fn ripening(self, polls: u32, seconds: f64) -> Ripening {
        match self {
            Self::Polls => Ripening::Polls {
                seen: 0,
                needed: polls,
            },
            Self::Paced(pace) => Ripening::Timed {
                since: Instant::now(),
                lasts: Duration::from_secs_f64(seconds * pace),
            },
        }
    }

    /// Starts a limit for work that real machines do: `polls`, or `seconds` scaled but never under `least`, because
    /// a container does not boot faster when the pace is quicker.
    pub(crate) fn limit(self, polls: u32, seconds: f64, least: Duration) -> Ripening {
        match self.ripening(polls, seconds) {
            Ripening::Timed { since, lasts } => Ripening::Timed {
                since,
                lasts: lasts.max(least),
            },
            counted @ Ripening::Polls { .. } => counted,
        }
    }
}

/// A transition under way.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ripening {
    /// Ends with the last of the polls needed.
    Polls { seen: u32, needed: u32 },
    /// Ends when the time is up.
    Timed { since: Instant, lasts: Duration },
}

impl Ripening {
    /// Counts a poll.
    pub(crate) fn poll(&mut self) {
        if let Self::Polls { seen, .. } = self {
            *seen = seen.saturating_add(1);
        }
    }

    /// Tells whether the transition is over.
    pub(crate) fn is_ripe(&self) -> bool {
        match self {
            Self::Polls { seen, needed } => seen >= needed,
            Self::Timed { since, lasts } => since.elapsed() >= *lasts,
        }
    }

    /// How far the transition is, in percent from 0 to 100.
    pub(crate) fn percent(&self) -> u32 {
        let part = match self {
            Self::Polls { needed: 0, .. } => 1.0,
            Self::Polls { seen, needed } => f64::from(*seen) / f64::from(*needed),
            Self::Timed { lasts, .. } if lasts.is_zero() => 1.0,
            Self::Timed { since, lasts } => since.elapsed().as_secs_f64() / lasts.as_secs_f64(),
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and 100"
        )]
        let percent = (part.clamp(0.0, 1.0) * 100.0) as u32;
        percent
    }
}

/// The time of the wall clock, for dates in answers.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place of the sandbox where the clock is read; it shares nothing with the tool"
)]
pub(crate) fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// Sleeps for just that long.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place of the sandbox where anything sleeps; it shares nothing with the tool"
)]
pub(crate) async fn sleep(duration: Duration) {
    tokio::time::sleep(duration).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counted_transitions_need_their_polls_and_no_time() {
        let mut ripening = Clock::Polls.ripening(3, 1e6);
        let mut seen = Vec::new();
        while !ripening.is_ripe() {
            seen.push(ripening.percent());
            ripening.poll();
        }
        assert_eq!(seen, [0, 33, 66]);
        assert_eq!(ripening.percent(), 100);
    }

    #[test]
    fn limits_of_real_work_have_a_floor() {
        let Ripening::Timed { lasts, .. } =
            Clock::Paced(0.001).limit(1, 600.0, Duration::from_secs(30))
        else {
            panic!("a paced clock gives a timed limit");
        };
        assert_eq!(lasts, Duration::from_secs(30));
    }
}
