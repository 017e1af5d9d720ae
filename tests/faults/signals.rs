//! Group 5: the real binary and real signals at moments that a seed draws; then a person goes on or gives up.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use goldseed::record::Verdict;
use goldseed::sandbox::{Fate, Hook};

use crate::Trouble;
use crate::case::{Outcome, Subject, ground, waited};
use crate::comparison::Picture;
use crate::driver::{Driver, PIPELINE};
use crate::world::{Output, World, send_signal};

/// What is sent.
const SIGNALS: [&str; 3] = ["INT", "TERM", "KILL"];

/// The exit code of a run that was interrupted.
const INTERRUPTED: i32 = 130;
/// The exit code of what is refused.
const REFUSED: i32 = 4;

/// A signal at a request, and whether the run is abandoned then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    signal: &'static str,
    request: usize,
    abandon: bool,
}

impl Moment {
    /// Draws a moment of a run of so many requests.
    pub(crate) fn drawn(seed: usize, requests: usize) -> Self {
        let mut random = fastrand::Rng::with_seed(seed as u64);
        Self {
            signal: SIGNALS[seed % SIGNALS.len()],
            request: random.usize(1..requests),
            abandon: random.bool(),
        }
    }
}

/// Signals the binary at a moment, and has a person do what they would.
pub(crate) fn at(subject: &Subject, moment: Moment) -> Outcome {
    try_at(subject, moment).unwrap_or_else(|trouble| Outcome::Failed(trouble.to_string()))
}

fn try_at(subject: &Subject, moment: Moment) -> Result<Outcome, Trouble> {
    let world = ground(subject.verb)?;
    let before = Picture::of(&world);
    let verb = subject.verb.as_str();
    let output = signalled(&world, verb, moment);
    let wanted = (moment.signal != "KILL").then_some(INTERRUPTED);
    if output.code != wanted && output.code != Some(0) {
        return Err(format!(
            "ended with {:?} after {}: {output}",
            output.code, moment.signal
        )
        .into());
    }
    let records = waited(&world, Driver::of(&world, "ada@records").records())?;
    let record = records
        .into_iter()
        .find(|record| record.verb == subject.verb);
    let Some(record) = record else {
        must_succeed(&world.run([verb, PIPELINE]))?;
        return Ok(Outcome::of(Picture::of(&world).against(&subject.good)));
    };
    if record.verdict != Some(Verdict::Done) {
        let run = record.run.as_str();
        if moment.abandon {
            let abandoned = world.run(["abandon", run]);
            if abandoned.code != Some(REFUSED) {
                must_succeed(&abandoned)?;
                return Ok(Outcome::of(
                    Picture::of(&world).against(&before).of_what_is(),
                ));
            }
        }
        must_succeed(&world.run(["resume", run]))?;
    }
    Ok(Outcome::of(Picture::of(&world).against(&subject.good)))
}

/// Runs a verb and signals it when the request comes.
fn signalled(world: &World, verb: &str, moment: Moment) -> Output {
    let pid: Arc<OnceLock<u32>> = Arc::default();
    let process = Arc::clone(&pid);
    let count = AtomicUsize::new(0);
    world.sandbox.set_hook(Some(Hook::new(move |_| {
        if count.fetch_add(1, Ordering::SeqCst) + 1 == moment.request {
            send_signal(*process.wait(), moment.signal);
        }
        Fate::Serve
    })));
    let output = world.goldseed([verb, PIPELINE]).run_as(&pid);
    world.sandbox.set_hook(None);
    output
}

fn must_succeed(output: &Output) -> Result<(), Trouble> {
    match output.code {
        Some(0) => Ok(()),
        _ => Err(output.to_string().into()),
    }
}
