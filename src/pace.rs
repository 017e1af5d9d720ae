//! Everything that waits: the clock, sleeping, poll schedules, deadlines.
//!
//! All durations in the code are those of real AWS. [`Pace`] multiplies every one of them by the factor of
//! `GOLDSEED_PACE` (1 when it is not set), so that a rehearsal takes minutes and a test milliseconds. The other
//! modules never sleep by themselves (`clippy.toml` holds them to it).

use std::time::{Duration, Instant};

/// From this pace up there may be real machines behind a local AWS.
const REAL_MACHINES: f64 = 0.01;
/// And they get this part of the time that they have on real AWS at least: a container boots no faster for the pace.
const LEAST_PATIENCE: f64 = 0.25;

/// The factor by which all waiting is scaled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    factor: f64,
}

impl Default for Pace {
    fn default() -> Self {
        Self { factor: 1.0 }
    }
}

impl Pace {
    /// The pace for a factor above 0 and up to 10; `None` for any other.
    pub fn new(factor: f64) -> Option<Self> {
        (factor > 0.0 && factor <= 10.0).then_some(Self { factor })
    }

    /// Returns the factor.
    pub fn factor(self) -> f64 {
        self.factor
    }

    /// Scales a duration of real AWS to what is waited here.
    pub fn scale(self, duration: Duration) -> Duration {
        times(duration, self.factor)
    }

    /// Turns a duration that passed here into the one that would have passed on real AWS: rules are written in those.
    pub fn unscale(self, duration: Duration) -> Duration {
        times(duration, self.factor.recip())
    }

    /// Sleeps for the scaled duration.
    pub async fn sleep(self, duration: Duration) {
        self.sleep_unscaled(self.scale(duration)).await;
    }

    /// Sleeps for just that long: for intervals that were scaled already.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where anything sleeps"
    )]
    pub async fn sleep_unscaled(self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    /// Starts a deadline that ends after the scaled duration.
    pub fn deadline(self, duration: Duration) -> Deadline {
        Deadline {
            started: Instant::now(),
            allowed: self.scale(duration),
        }
    }

    /// The pace of what machines do: no faster than what a real one may need that boots or works on a busy laptop. One
    /// that fails does so in its own time, too.
    #[must_use]
    pub fn of_machines(self) -> Self {
        let factor = if self.factor < REAL_MACHINES {
            self.factor
        } else {
            self.factor.max(LEAST_PATIENCE)
        };
        Self { factor }
    }

    /// Starts a deadline for what machines do.
    pub fn patience(self, duration: Duration) -> Deadline {
        self.of_machines().deadline(duration)
    }

    /// Returns how much of what took so long counts for no deadline of this pace: work and requests are not faster when
    /// waiting is.
    pub fn unhurried(self, took: Duration) -> Duration {
        took.mul_f64((1.0 - self.factor).max(0.0))
    }
}

/// Multiplies, up to the longest time there is.
fn times(duration: Duration, factor: f64) -> Duration {
    Duration::try_from_secs_f64(duration.as_secs_f64() * factor).unwrap_or(Duration::MAX)
}

/// Returns the time of the wall clock: for records, names and expiry, never for choosing a path.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where the clock is read"
)]
pub fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// The point after which waiting is given up.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    started: Instant,
    allowed: Duration,
}

impl Deadline {
    /// Tells whether the time is up.
    pub fn is_over(&self) -> bool {
        self.elapsed() >= self.allowed
    }

    /// Gives more time: for what was not waiting.
    pub fn extend(&mut self, by: Duration) {
        self.allowed += by;
    }

    /// Returns how long has been waited.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Returns what is left, zero when the time is up.
    pub fn left(&self) -> Duration {
        self.allowed.saturating_sub(self.elapsed())
    }
}

/// How often something is asked for, and for how long: durations of real AWS.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    /// The pause before the second question (the first is asked at once).
    pub first: Duration,
    /// The pause that the others grow to, each half as long again as the one before, ±20 %.
    pub every: Duration,
    /// When to give up.
    pub within: Duration,
}

impl Schedule {
    /// The pause after the question number `asked` (from 1), before scaling; `jitter` is between 0 and 1.
    pub fn pause(&self, asked: u32, jitter: f64) -> Duration {
        let growth = 1.5_f64.powi(i32::try_from(asked.min(40)).unwrap_or(40) - 1);
        let plain = (self.first.as_secs_f64() * growth).min(self.every.as_secs_f64());
        Duration::from_secs_f64(plain * (0.8 + 0.4 * jitter.clamp(0.0, 1.0)))
    }
}

/// Writes a duration as people say it: `48 s`, `12 min 5 s`, `3 h 20 min`.
pub fn spoken(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 if seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ if (seconds / 60).is_multiple_of(60) => format!("{} h", seconds / 3600),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_limit_and_stay_within_the_jitter() {
        let schedule = Schedule {
            first: Duration::from_secs(2),
            every: Duration::from_secs(15),
            within: Duration::from_mins(10),
        };
        assert_eq!(schedule.pause(1, 0.5), Duration::from_secs(2));
        assert_eq!(schedule.pause(100, 0.5), Duration::from_secs(15));
        assert_eq!(schedule.pause(100, 0.0), Duration::from_secs(12));
        assert_eq!(schedule.pause(100, 1.0), Duration::from_secs(18));
    }

    #[test]
    fn a_pace_refuses_what_would_stop_or_reverse_time() {
        for wrong in [0.0, -1.0, f64::NAN, 11.0, f64::INFINITY] {
            assert!(Pace::new(wrong).is_none(), "{wrong}");
        }
        assert_eq!(
            Pace::new(0.01).unwrap().scale(Duration::from_secs(100)),
            Duration::from_secs(1)
        );
    }

    #[test]
    fn no_factor_takes_a_duration_out_of_its_bounds() {
        let smallest = Pace::new(f64::MIN_POSITIVE).unwrap();
        assert_eq!(smallest.unscale(Duration::from_secs(1)), Duration::MAX);
        assert_eq!(smallest.scale(Duration::MAX), Duration::ZERO);
        let largest = Pace::new(10.0).unwrap();
        assert_eq!(largest.scale(Duration::MAX), Duration::MAX);
    }

    #[test]
    fn machines_get_their_time_at_the_pace_of_a_rehearsal() {
        let allowed = |factor| {
            let pace = Pace::new(factor).unwrap();
            pace.patience(Duration::from_mins(12)).allowed
        };
        assert_eq!(allowed(1.0), Duration::from_mins(12));
        assert_eq!(allowed(0.05), Duration::from_mins(3));
        assert_eq!(allowed(0.001), Duration::from_millis(720));
    }

    #[test]
    fn a_soak_outlasts_a_machine_that_dies_after_a_minute_at_the_pace_of_a_rehearsal() {
        let soak = |factor| {
            let pace = Pace::new(factor).unwrap().of_machines();
            pace.scale(Duration::from_mins(5))
        };
        for factor in [1.0, 0.25, 0.05, 0.01] {
            assert!(soak(factor) > Duration::from_mins(1), "{factor}");
        }
        assert!(soak(0.001) < Duration::from_secs(1), "no machine is real");
    }

    #[test]
    fn what_is_no_waiting_counts_as_little_as_waiting_does() {
        let took = Duration::from_secs(10);
        for (factor, left) in [(1.0, 0), (0.5, 5), (10.0, 0)] {
            let unhurried = Pace::new(factor).unwrap().unhurried(took);
            assert_eq!(unhurried, Duration::from_secs(left), "{factor}");
        }
    }

    #[test]
    fn durations_are_written_as_people_say_them() {
        for (seconds, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (725, "12 min 5 s"),
            (12000, "3 h 20 min"),
        ] {
            assert_eq!(spoken(Duration::from_secs(seconds)), text);
        }
    }
}
