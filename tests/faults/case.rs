//! One case: a world, a disturbed run in it, what a person does then, and what came of it all.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use goldseed::record::{RunRecord, Verb, Verdict};
use goldseed::sandbox::{Fate, Hook, Request};

use crate::Trouble;
use crate::comparison::{Difference, Picture};
use crate::driver::{Driver, Ending, PACE, Reins};
use crate::point::{Counter, Point};
use crate::world::World;

/// How a run is disturbed and gone on with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// How much faster than AWS everything is waited for.
    pub(crate) pace: f64,
    /// How often a person goes on with the run before they give up.
    pub(crate) patience: usize,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            pace: PACE,
            patience: 3,
        }
    }
}

/// What came of a case.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The world is as it should be.
    Converged,
    /// It is not.
    Differs(Difference),
    /// A run did not come to its end, or something else went wrong: what it was.
    Failed(String),
    /// What was to be disturbed never came.
    NotReached,
}

impl Outcome {
    /// The outcome of a comparison.
    pub(crate) fn of(difference: Difference) -> Self {
        if difference.is_none() {
            Self::Converged
        } else {
            Self::Differs(difference)
        }
    }
}

/// A verb with the world that it leaves when nothing disturbs it.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) verb: Verb,
    pub(crate) good: Picture,
    /// All requests of the undisturbed run.
    pub(crate) points: Vec<Point>,
    /// Those of them that are the first to look at something by the id that it got in this run.
    pub(crate) first_looks: Vec<Point>,
}

impl Subject {
    /// Runs a verb undisturbed.
    pub(crate) fn of(verb: Verb) -> Result<Self, Trouble> {
        let world = ground(verb)?;
        let driver = Driver::of(&world, "ada@one");
        let points = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&points);
        let before = Mutex::new(world.sandbox.world().to_string());
        watch(&world, driver.reins.clone(), move |point, request| {
            let new = newly_seen(request, &mut lock(&before));
            lock(&seen).push((point.clone(), new));
            Fate::Serve
        });
        must_be_done(waited(&world, driver.start(verb))?)?;
        world.sandbox.set_hook(None);
        let points = lock(&points);
        let first_looks = points
            .iter()
            .filter(|(point, new)| *new && point.number == 1);
        Ok(Self {
            verb,
            good: Picture::of(&world),
            first_looks: first_looks.map(|(point, _)| point.clone()).collect(),
            points: points.iter().map(|(point, _)| point.clone()).collect(),
        })
    }

    /// Runs the verb disturbed by `fate`, has the unfinished run go on, and compares.
    pub(crate) fn disturbed(
        &self,
        terms: Terms,
        fate: impl Fn(&Point, &Request, &Reins) -> Option<Fate> + Send + Sync + 'static,
    ) -> Outcome {
        self.try_disturbed(terms, fate)
            .unwrap_or_else(|trouble| Outcome::Failed(trouble.to_string()))
    }

    fn try_disturbed(
        &self,
        terms: Terms,
        fate: impl Fn(&Point, &Request, &Reins) -> Option<Fate> + Send + Sync + 'static,
    ) -> Result<Outcome, Trouble> {
        let world = ground(self.verb)?;
        let driver = Driver::of(&world, "ada@one").at_pace(terms.pace);
        let reached = Arc::new(AtomicBool::new(false));
        let fate = Arc::new(fate);
        let disturb = |driver: &Driver| {
            let reins = driver.reins.clone();
            let (reached, fate) = (Arc::clone(&reached), Arc::clone(&fate));
            watch(&world, driver.reins.clone(), move |point, request| {
                let fate = fate(point, request, &reins);
                reached.fetch_or(fate.is_some(), Ordering::SeqCst);
                fate.unwrap_or(Fate::Serve)
            });
        };
        disturb(&driver);
        let mut ending = waited(&world, driver.start(self.verb))?;
        for number in 0..terms.patience {
            if matches!(ending, Ending::Done) {
                break;
            }
            let next = Driver::of(&world, &format!("eve@{number}")).at_pace(terms.pace);
            disturb(&next);
            ending = waited(&world, go_on(&next, self.verb))?;
        }
        world.sandbox.set_hook(None);
        must_be_done(ending)?;
        if !reached.load(Ordering::SeqCst) {
            return Ok(Outcome::NotReached);
        }
        Ok(Outcome::of(Picture::of(&world).against(&self.good)))
    }
}

/// How long anything may take until it counts as hanging: many times what it takes.
const LONGEST: std::time::Duration = std::time::Duration::from_mins(2);

/// Waits for what drivers do, and until what they have asked for is done, also where they were killed meanwhile; what
/// hangs is an error, and not the end of all other cases.
pub(crate) fn waited<T>(
    world: &World,
    work: impl Future<Output = Result<T, Trouble>>,
) -> Result<T, Trouble> {
    let ended = world.wait_for(async { tokio::time::timeout(LONGEST, work).await });
    world.until_served();
    ended.unwrap_or_else(|_| Err(format!("it hangs: no end came in {LONGEST:?}").into()))
}

/// Tells whether a request is the first that looks at something by an id that was not there before; from then on it is
/// among what is `known`.
fn newly_seen(request: &Request, known: &mut String) -> bool {
    let looks = [
        "DescribeInstances",
        "DescribeImages",
        "GetCommandInvocation",
    ];
    if !looks.contains(&request.operation.as_str()) {
        return false;
    }
    let text = request.parameters.to_string();
    let id = text.split('"').find(|word| {
        let form = word.starts_with("i-") || word.starts_with("ami-") || is_command(word);
        form && *word != crate::world::STOCK && !known.contains(word)
    });
    known.extend(id);
    id.is_some()
}

/// Tells whether a word is the id of a command: a UUID.
fn is_command(word: &str) -> bool {
    word.len() == 36 && word.split('-').count() == 5
}

/// What a person does after a run that came to no good end: goes on with it, or begins where there is no record of it.
pub(crate) async fn go_on(driver: &Driver, verb: Verb) -> Result<Ending, Trouble> {
    let records = driver.records().await?;
    let unfinished = records
        .iter()
        .find(|record| record.verb == verb && record.verdict.is_none());
    let is_done = |record: &RunRecord| record.verb == verb && record.verdict == Some(Verdict::Done);
    match unfinished {
        Some(record) => driver.resume(&record.run).await,
        None if records.iter().any(is_done) => Ok(Ending::Done),
        None => driver.start(verb).await,
    }
}

/// A world in which a verb can be run: for a rollback something was promoted before.
pub(crate) fn ground(verb: Verb) -> Result<World, Trouble> {
    let world = World::new();
    if verb == Verb::Rollback {
        let before = Driver::of(&world, "ada@before");
        must_be_done(waited(&world, before.start(Verb::Rebuild))?)?;
    }
    Ok(world)
}

/// Has `decide` decide the fate of each request, which it is told by its name.
pub(crate) fn watch(
    world: &World,
    reins: Reins,
    decide: impl Fn(&Point, &Request) -> Fate + Send + Sync + 'static,
) {
    let counter = Mutex::new(Counter::default());
    world.sandbox.set_hook(Some(Hook::new(move |request| {
        let point = lock(&counter).count(reins.step(), request);
        decide(&point, request)
    })));
}

pub(crate) fn must_be_done(ending: Ending) -> Result<(), Trouble> {
    match ending {
        Ending::Done => Ok(()),
        Ending::Failed(error, _) => Err(error),
        Ending::Killed => Err("the driver was killed once more than it should".into()),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
