//! Group 4: two drivers of one run, two runs on one environment, and a driver that sleeps past its lease.

use std::sync::{Arc, Mutex, PoisonError};

use goldseed::id::EnvironmentId;
use goldseed::pipeline::PipelineError;
use goldseed::record::Verb;
use goldseed::run::holder;
use goldseed::sandbox::{Fate, Hook, Request};

use crate::Trouble;
use crate::case::{Outcome, Subject, go_on, waited};
use crate::comparison::Picture;
use crate::driver::{Driver, Ending};
use crate::soundness;
use crate::turns::Turns;
use crate::world::World;

/// How two drivers meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meeting {
    /// The second one goes on with the run that the first one drives.
    OneRun,
    /// Each has a run of its own on the same environment.
    TwoRuns,
    /// The first one sleeps until its lease is over, the second one has a run of its own, and then the first wakes up.
    Sleeper,
}

/// All of them.
pub(crate) const MEETINGS: [Meeting; 3] = [Meeting::OneRun, Meeting::TwoRuns, Meeting::Sleeper];

/// How many requests the first driver may make before the second one comes; the first request of all makes the record.
const ALONE: std::ops::Range<usize> = 2..260;

/// How many requests after it took its lease a sleeper may make before it falls asleep.
const AFTER_LEASE: std::ops::Range<usize> = 0..70;

/// The step that changes the environment, and how many requests a sleeper may make in it.
const SWAP: (&str, std::ops::Range<usize>) = ("swap/update", 0..8);

/// How often all that is unfinished is gone on with in the end.
const PATIENCE: usize = 4;

/// Has two drivers meet, as the seed says.
pub(crate) fn meet(subject: &Subject, meeting: Meeting, seed: u64) -> Outcome {
    try_to_meet(subject, meeting, seed)
        .unwrap_or_else(|trouble| Outcome::Failed(trouble.to_string()))
}

fn try_to_meet(subject: &Subject, meeting: Meeting, seed: u64) -> Result<Outcome, Trouble> {
    let world = World::new();
    let [first, second] = ["ada@one", "eve@two"].map(|who| Driver::of(&world, who));
    let endings = if meeting == Meeting::Sleeper {
        asleep(&world, &first, &second, seed)?
    } else {
        let mut random = fastrand::Rng::with_seed(seed);
        let turns = Turns::new(seed, [&first.reins, &second.reins], random.usize(ALONE));
        take(&world, &turns);
        let work = async |driver: &Driver, joins: bool| {
            let work = async {
                if joins {
                    go_on(driver, Verb::Rebuild).await
                } else {
                    driver.start(Verb::Rebuild).await
                }
            };
            let ending = driver.reins.steer(Box::pin(work)).await;
            turns.leave(&driver.reins);
            ending.unwrap_or(Ok(Ending::Killed))
        };
        let (first, second) = waited(&world, async {
            Ok(tokio::join!(
                work(&first, false),
                work(&second, meeting == Meeting::OneRun)
            ))
        })?;
        [first?, second?]
    };
    world.sandbox.set_hook(None);
    for ending in &endings {
        if let Ending::Failed(error, _) = ending {
            soundness::must_not_blame(error)?;
        }
    }
    settle(&world)?;
    let difference = if meeting == Meeting::OneRun {
        Picture::of(&world).against(&subject.good)
    } else {
        soundness::of(&world)
    };
    Ok(Outcome::of(difference))
}

/// The first driver falls asleep while it has the lease, and wakes up while the second one, which has waited for the
/// lease to end, is at work.
fn asleep(
    world: &World,
    first: &Driver,
    second: &Driver,
    seed: u64,
) -> Result<[Ending; 2], Trouble> {
    let mut random = fastrand::Rng::with_seed(seed);
    // Every other sleeper falls asleep where it matters most: on the way from the last look to the change.
    let in_the_swap = random.bool();
    let until = random.usize(if in_the_swap { SWAP.1 } else { AFTER_LEASE });
    let alone = random.usize(ALONE);
    let tired = Arc::new(tokio::sync::Notify::new());
    let since = Mutex::new(None);
    let (sleeper, bell) = (first.reins.clone(), Arc::clone(&tired));
    world.sandbox.set_hook(Some(Hook::new(move |request| {
        let mut since = since.lock().unwrap_or_else(PoisonError::into_inner);
        let begins = if in_the_swap {
            sleeper.step() == SWAP.0
        } else {
            is_lease(request)
        };
        match *since {
            None if begins => *since = Some(0),
            Some(count) if count == until => {
                sleeper.stop(true);
                bell.notify_one();
                *since = Some(count + 1);
            }
            Some(count) => *since = Some(count + 1),
            None => {}
        }
        Fate::Serve
    })));
    let turns = Mutex::new(None);
    let leave = |driver: &Driver| {
        let turns = turns.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turns) = turns.as_ref() {
            Turns::leave(turns, &driver.reins);
        }
    };
    let lead = async {
        let ending = first.start(Verb::Rebuild).await;
        // It may have come to its end before it was tired.
        tired.notify_one();
        leave(first);
        ending
    };
    let follow = async {
        tired.notified().await;
        until_free(world, second).await?;
        let both = Turns::new(seed, [&second.reins, &first.reins], alone);
        take(world, &both);
        *turns.lock().unwrap_or_else(PoisonError::into_inner) = Some(both);
        let ending = second.start(Verb::Rebuild).await;
        leave(second);
        ending
    };
    let (first, second) = waited(world, async { Ok(tokio::join!(lead, follow)) })?;
    Ok([first?, second?])
}

/// Has the requests that come from now on decide whose turn it is.
fn take(world: &World, turns: &Turns) {
    let turns = turns.clone();
    world.sandbox.set_hook(Some(Hook::new(move |_| {
        turns.asked();
        Fate::Serve
    })));
}

fn is_lease(request: &Request) -> bool {
    request.operation == "PutParameter"
        && request
            .parameter("Name")
            .is_some_and(|name| name.contains("/lease/"))
}

/// Waits until nobody holds the environment.
async fn until_free(world: &World, driver: &Driver) -> Result<(), Trouble> {
    let cloud = driver.connect().await?;
    let id = world.environment()["id"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let environment = EnvironmentId::new(id);
    while let Some(lease) = holder(&cloud, &environment).await? {
        let left = lease.until.duration_since(goldseed::pace::now());
        let left = std::time::Duration::try_from(left).unwrap_or_default();
        // The margin is a minute of AWS.
        let margin = cloud.pace().scale(std::time::Duration::from_mins(1));
        cloud.pace().sleep_unscaled(left + margin).await;
    }
    Ok(())
}

/// A person goes on with everything that is unfinished, and gives up what cannot go on.
fn settle(world: &World) -> Result<(), Trouble> {
    let mut last = String::new();
    for number in 0..PATIENCE {
        let driver = Driver::of(world, &format!("kim@{number}"));
        let records = waited(world, driver.records())?;
        let Some(unfinished) = records.iter().find(|record| record.verdict.is_none()) else {
            return Ok(());
        };
        let run = &unfinished.run;
        if let Ending::Failed(error, None) = waited(world, driver.resume(run))? {
            last = format!("{run} at {}: {error}", driver.reins.step());
            if matches!(*error, PipelineError::Disturbed(_)) {
                waited(world, driver.abandon(unfinished))?;
            }
        }
    }
    Err(format!("what is unfinished does not come to its end: {last}").into())
}
