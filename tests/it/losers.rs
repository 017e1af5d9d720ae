//! A process that another one took its run from while it slept: it says what happened, whatever it was waiting for.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use goldseed::sandbox::{Fate, Hook};

use super::world::{Output, World, send_signal};

/// The run whose record there is.
fn recorded_run(world: &World) -> String {
    let parameters = world.parameters();
    let page = parameters.keys().find(|name| name.contains("/runs/"));
    page.unwrap().rsplit('/').nth(1).unwrap().to_owned()
}

/// A build sleeps at its first look of this kind; something else happens meanwhile, and then it wakes.
fn sleeps_at(world: &World, operation: &'static str, meanwhile: impl FnOnce(&str)) -> Output {
    let pid: Arc<OnceLock<u32>> = Arc::default();
    let process = Arc::clone(&pid);
    let slept = Mutex::new(false);
    let (sleeps, asleep) = std::sync::mpsc::channel();
    world.sandbox.set_hook(Some(Hook::new(move |request| {
        if request.operation == operation && !std::mem::replace(&mut *slept.lock().unwrap(), true) {
            send_signal(*process.wait(), "STOP");
            sleeps.send(()).unwrap();
        }
        Fate::Serve
    })));
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| world.goldseed(["build", "shop"]).run_as(&pid));
        asleep.recv_timeout(Duration::from_mins(1)).unwrap();
        meanwhile(&recorded_run(world));
        send_signal(*pid.wait(), "CONT");
        slow.join().unwrap()
    })
}

#[test]
fn who_lost_its_run_in_the_middle_of_a_step_says_so_and_offers_nothing() {
    for (verb, ended) in [("abandon", "abandoned"), ("resume", "done")] {
        let world = World::new();
        // It waits for the seed's agent, and the seed goes.
        let slow = sleeps_at(&world, "DescribeInstanceInformation", |run| {
            world.succeed([verb, run, "--yes"]);
        });
        assert_eq!(slow.code, Some(4), "{verb}: {slow}");
        let said: Vec<&str> = slow.stderr.split_whitespace().collect();
        let said = said.join(" ");
        assert!(said.contains("was taken over by ada@"), "{verb}: {slow}");
        let how = format!("and has ended: {ended}");
        assert!(said.contains(&how), "{verb}: {slow}");
        for word in ["goldseed resume", "goldseed abandon", "UserInitiated"] {
            assert!(!said.contains(word), "{verb}, {word}: {slow}");
        }
    }
}
