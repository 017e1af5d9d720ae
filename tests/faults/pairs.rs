//! Group 2: two faults in one run, drawn by a seed.

use crate::case::{Outcome, Subject, Terms};
use crate::point::Point;
use crate::single::{Fault, WAYS, Way};

/// Two requests, the first before the second, and what happens at each.
pub(crate) type Pair = [(Point, Way); 2];

/// Draws a pair of a run's requests.
pub(crate) fn drawn(points: &[Point], seed: usize) -> Pair {
    let mut random = fastrand::Rng::with_seed(seed as u64);
    let first = random.usize(..points.len() - 1);
    let second = random.usize(first + 1..points.len());
    [first, second].map(|at| (points[at].clone(), WAYS[random.usize(..WAYS.len())]))
}

/// A pair for people.
pub(crate) fn name(pair: &Pair) -> String {
    pair.each_ref()
        .map(|(point, way)| format!("{point}, {way:?}"))
        .join("; ")
}

/// Disturbs a run twice. Where the driver is killed at the first request, the second fault strikes the one that goes
/// on; it may never come, where the first one has made it needless.
pub(crate) fn at(subject: &Subject, pair: &Pair) -> Outcome {
    let faults = pair.clone().map(|(point, way)| Fault::new(point, way));
    subject.disturbed(Terms::default(), move |seen, _, reins| {
        faults.iter().find_map(|fault| fault.strikes(seen, reins))
    })
}
