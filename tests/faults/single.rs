//! Group 1: every request of a rebuild and of a rollback, lost with its driver, served without its driver, or served
//! without its answer.

use std::sync::atomic::{AtomicBool, Ordering};

use goldseed::sandbox::Fate;

use crate::case::{Outcome, Subject, Terms};
use crate::driver::Reins;
use crate::point::Point;

/// What happens at a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// It is received and not applied, and the driver is killed.
    LostAndKilled,
    /// It is applied, and the driver is killed before the answer.
    AppliedAndKilled,
    /// It is applied, and only the answer is lost.
    AnswerLost,
}

/// All of them.
pub(crate) const WAYS: [Way; 3] = [Way::LostAndKilled, Way::AppliedAndKilled, Way::AnswerLost];

/// One of them at one request, once.
#[derive(Debug)]
pub(crate) struct Fault {
    at: Point,
    way: Way,
    done: AtomicBool,
}

impl Fault {
    pub(crate) fn new(at: Point, way: Way) -> Self {
        Self {
            at,
            way,
            done: AtomicBool::new(false),
        }
    }

    /// What becomes of a request if this is the one.
    pub(crate) fn strikes(&self, seen: &Point, reins: &Reins) -> Option<Fate> {
        if *seen != self.at || self.done.swap(true, Ordering::SeqCst) {
            return None;
        }
        if self.way != Way::AnswerLost {
            reins.kill();
        }
        Some(match self.way {
            Way::LostAndKilled => Fate::LoseRequest,
            Way::AppliedAndKilled | Way::AnswerLost => Fate::LoseAnswer,
        })
    }
}

/// Disturbs a run once, at one request.
pub(crate) fn at(subject: &Subject, point: &Point, way: Way) -> Outcome {
    let mut point = point.clone();
    loop {
        let fault = Fault::new(point.clone(), way);
        let outcome = subject.disturbed(Terms::default(), move |seen, _, reins| {
            fault.strikes(seen, reins)
        });
        // How many looks there are depends on the clock where a soak time is watched: the last one may be another.
        if !matches!(outcome, Outcome::NotReached) || point.number == 1 {
            return outcome;
        }
        point.number -= 1;
    }
}
