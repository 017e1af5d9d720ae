//! `goldseed abandon`: a run ends and the world is as before it, whenever it was cut off; what is in service stays.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use goldseed::sandbox::{Fate, Request};

use super::unsent::{assert_says, leases_are_renewed};
use super::world::{Output, World, changes, mutates};

/// What was there before a run, and must be again after it was abandoned: everything but records, leases and machines
/// that are terminated.
fn everything(world: &World) -> serde_json::Value {
    let mut all = world.sandbox.world();
    for (kind, gone) in [
        ("instances", "terminated"),
        ("instances", "shutting-down"),
        ("images", "deregistered"),
    ] {
        let list = all[kind].as_array_mut().unwrap();
        list.retain(|one| one["state"] != gone);
    }
    let parameters = all["parameters"].as_array_mut().unwrap();
    parameters.retain(|one| {
        let name = one["name"].as_str().unwrap();
        !name.contains("/runs/") && !name.contains("/lease/")
    });
    all
}

/// Runs a verb and kills it when `at` comes true, with the answer lost.
fn killed<const N: usize>(
    world: &World,
    arguments: [&str; N],
    at: impl Fn(&Request) -> bool + Send + Sync + 'static,
) -> Output {
    let pid: Arc<OnceLock<u32>> = Arc::default();
    world.signal_at(&pid, "KILL", Fate::LoseAnswer, at);
    let output = world.goldseed(arguments).run_as(&pid);
    world.sandbox.set_hook(None);
    assert_eq!(output.code, None, "{output}");
    output
}

/// The nth request of an operation that changes something.
fn nth(operation: &'static str, wanted: usize) -> impl Fn(&Request) -> bool + Send + Sync {
    let seen = std::sync::Mutex::new(0);
    move |request| {
        if request.operation != operation || request.parameters["DryRun"] == "true" {
            return false;
        }
        let mut seen = seen.lock().unwrap();
        *seen += 1;
        *seen >= wanted
    }
}

/// The run whose record there is.
fn recorded_run(world: &World) -> String {
    let parameters = world.parameters();
    let page = parameters.keys().find(|name| name.contains("/runs/"));
    page.unwrap().rsplit('/').nth(1).unwrap().to_owned()
}

#[test]
fn after_abandon_the_world_is_as_before_the_run() {
    // Until the swap, wherever the run was cut off: with raw and golden image pending or there, seed or proof running.
    for (operation, count) in [
        ("CreateImage", 1),
        ("RunInstances", 1),
        ("SendCommand", 4),
        ("CreateImage", 2),
        ("RunInstances", 2),
        ("CreateTags", 1),
        ("TerminateInstances", 1),
        ("DeregisterImage", 1),
    ] {
        let what = format!("{operation} number {count}");
        let world = World::new();
        let before = everything(&world);
        killed(&world, ["rebuild", "shop"], nth(operation, count));
        assert_ne!(everything(&world), before, "{what}: nothing was made");
        let run = recorded_run(&world);
        let output = world.succeed(["abandon", &run]);
        assert_eq!(everything(&world), before, "{what}: {output}");
        let again = world.run(["abandon", &run]);
        assert_eq!(again.code, Some(4), "{what}: {again}");
        assert!(
            again.stderr.contains("has ended: abandoned"),
            "{what}: {again}"
        );
        let resumed = world.run(["resume", &run]);
        assert_eq!(resumed.code, Some(4), "{what}: {resumed}");
    }
}

#[test]
fn abandon_says_what_it_removed() {
    let world = World::new();
    killed(&world, ["build", "shop"], nth("CreateImage", 2));
    let output = world.succeed(["abandon", &recorded_run(&world)]);
    insta::assert_snapshot!("removed", output);
}

#[test]
fn an_abandon_that_was_killed_is_called_again() {
    // The changes of an undisturbed abandon of a run with machine and images, as they come.
    let begin = |world: &World| {
        killed(world, ["build", "shop"], nth("CreateImage", 2));
        recorded_run(world)
    };
    let undisturbed = World::new();
    let run = begin(&undisturbed);
    let from = undisturbed.sandbox.requests().len();
    undisturbed.succeed(["abandon", &run]);
    let mut counts = std::collections::BTreeMap::new();
    let mut points = Vec::new();
    for request in undisturbed.sandbox.requests().split_off(from) {
        if mutates(&request) {
            let count = counts.entry(request.operation.clone()).or_insert(0);
            *count += 1;
            points.push((request.operation, *count));
        }
    }
    assert!(points.len() >= 4, "{points:?}");
    for (operation, count) in points {
        let what = format!("{operation} number {count}");
        let world = World::new();
        let before = everything(&world);
        let run = begin(&world);
        let seen = std::sync::Mutex::new(0);
        killed(&world, ["abandon", &run], move |request| {
            if request.operation != operation {
                return false;
            }
            let mut seen = seen.lock().unwrap();
            *seen += 1;
            *seen >= count
        });
        let output = world.run(["abandon", &run]);
        // The verdict itself may have been written before the kill.
        assert!(matches!(output.code, Some(0 | 4)), "{what}: {output}");
        assert_eq!(everything(&world), before, "{what}: {output}");
        let once_more = world.run(["abandon", &run]);
        assert_eq!(once_more.code, Some(4), "{what}: {once_more}");
    }
}

#[test]
fn once_the_base_image_was_swapped_a_run_is_not_abandoned() {
    let world = World::new();
    killed(&world, ["rebuild", "shop"], nth("UpdateEnvironment", 1));
    let from = world.sandbox.requests().len();
    let run = recorded_run(&world);
    let output = world.run(["abandon", &run]);
    assert_eq!(output.code, Some(4), "{output}");
    insta::assert_snapshot!("swapped", output);
    let sent = world.sandbox.requests().split_off(from);
    assert!(!sent.iter().any(mutates), "something was changed: {output}");
    assert!(world.images("golden")[0].is_usable());
    world.succeed(["resume", &run]);
}

#[test]
fn what_is_no_run_or_has_ended_is_not_abandoned() {
    let world = World::new();
    let nonsense = world.run(["abandon", "yesterday"]);
    assert_eq!(nonsense.code, Some(2), "{nonsense}");
    let unknown = world.run(["abandon", "20200101-000000-0000"]);
    assert_eq!(unknown.code, Some(3), "{unknown}");
    assert!(unknown.stderr.contains("has a run 2020"), "{unknown}");
    let done = world.succeed(["build", "shop"]).run_id();
    let from = world.sandbox.requests().len();
    let ended = world.run(["abandon", &done]);
    assert_eq!(ended.code, Some(4), "{ended}");
    assert!(ended.stderr.contains("has ended: done"), "{ended}");
    let sent = world.sandbox.requests().split_off(from);
    assert!(!sent.iter().any(mutates), "something was changed: {ended}");
    assert_eq!(world.images("golden").len(), 1);
}

#[test]
fn an_image_that_somebody_put_into_service_is_kept() {
    let world = World::new();
    // The golden image is proved; the run is cut off while it tidies up.
    killed(&world, ["build", "shop"], nth("DeregisterImage", 1));
    let run = recorded_run(&world);
    let golden = world.images("golden")[0].id.clone();
    world.succeed(["promote", "shop", "--image", &golden]);
    let from = world.sandbox.requests().len();
    let output = world.run(["abandon", &run]);
    assert_eq!(output.code, Some(4), "{output}");
    assert!(output.stderr.contains("is in use"), "{output}");
    let sent = world.sandbox.requests().split_off(from);
    assert!(!sent.iter().any(mutates), "something was changed: {output}");
    assert!(world.image(&golden).is_usable());
    // Also once it is in the ledger alone.
    world.succeed(["rollback", "shop"]);
    let output = world.run(["abandon", &run]);
    assert_eq!(output.code, Some(4), "{output}");
    assert!(output.stderr.contains("the ledger of `shop`"), "{output}");
    assert!(world.image(&golden).is_usable());
}

#[test]
fn a_lease_that_the_run_held_is_given_back() {
    let world = World::new();
    let golden = world.succeed(["build", "shop"]);
    drop(golden);
    // The lease is a parameter that is created once; after it the run is cut off before it swaps.
    let run = {
        let output = killed(&world, ["promote", "shop"], |request| {
            request.operation == "PutParameter"
                && request.parameters["Name"]
                    .as_str()
                    .is_some_and(|name| name.contains("/lease/"))
        });
        output.run_id()
    };
    leases_are_renewed(&world);
    let held = world.run(["promote", "shop"]);
    assert_eq!(held.code, Some(4), "{held}");
    assert_says(&held, "holds the environment");
    world.succeed(["abandon", &run]);
    world.succeed(["promote", "shop"]);
}

#[test]
fn a_driver_that_lives_stops_and_makes_nothing_more() {
    use super::world::send_signal;
    let world = World::new();
    let before = everything(&world);
    let pid: Arc<OnceLock<u32>> = Arc::default();
    let process = Arc::clone(&pid);
    let slept = std::sync::Mutex::new(false);
    let (sleeps, asleep) = std::sync::mpsc::channel();
    world
        .sandbox
        .set_hook(Some(goldseed::sandbox::Hook::new(move |request| {
            if request.operation != "RunInstances"
                || request.parameters["DryRun"] == "true"
                || std::mem::replace(&mut *slept.lock().unwrap(), true)
            {
                return Fate::Serve;
            }
            send_signal(*process.wait(), "STOP");
            sleeps.send(()).unwrap();
            Fate::Serve
        })));
    let slow = std::thread::scope(|scope| {
        let slow = scope.spawn(|| world.goldseed(["rebuild", "shop"]).run_as(&pid));
        asleep.recv_timeout(Duration::from_mins(1)).unwrap();
        let run = recorded_run(&world);
        let asked = world.run(["abandon", &run]);
        assert_eq!(asked.code, Some(4), "{asked}");
        assert_says(&asked, "is being driven by process");
        world.succeed(["abandon", &run, "--force", "the process hangs"]);
        let sent = world.sandbox.requests().len();
        send_signal(*pid.wait(), "CONT");
        let slow = slow.join().unwrap();
        let later = world.sandbox.requests().split_off(sent);
        let updates = later
            .iter()
            .filter(|one| changes(&one.operation) && one.operation == "UpdateEnvironment");
        assert_eq!(updates.count(), 0);
        slow
    });
    assert_ne!(slow.code, Some(0), "{slow}");
    assert_says(&slow, "(reason given by ada@");
    assert_says(&slow, ": the process hangs)");
    world.run(["abandon", &recorded_run(&world)]);
    assert_eq!(everything(&world), before, "{slow}");
}

#[test]
fn a_driver_that_is_at_work_meanwhile_leaves_nothing() {
    for operation in ["RunInstances", "CreateImage", "SendCommand"] {
        let world = World::new();
        let before = everything(&world);
        let told = std::sync::Mutex::new(false);
        let (begins, begun) = std::sync::mpsc::channel();
        world
            .sandbox
            .set_hook(Some(goldseed::sandbox::Hook::new(move |request| {
                if request.operation == operation
                    && request.parameters["DryRun"] != "true"
                    && !std::mem::replace(&mut *told.lock().unwrap(), true)
                {
                    begins.send(()).unwrap();
                }
                Fate::Serve
            })));
        let driver = std::thread::scope(|scope| {
            let driver = scope.spawn(|| world.run(["build", "shop"]));
            begun.recv_timeout(Duration::from_mins(1)).unwrap();
            let run = recorded_run(&world);
            let abandoned = world.run(["abandon", &run, "--yes"]);
            assert_eq!(abandoned.code, Some(0), "{operation}: {abandoned}");
            driver.join().unwrap()
        });
        assert!(matches!(driver.code, Some(4 | 5)), "{operation}: {driver}");
        // What the driver made in the moment before it stopped.
        world.run(["abandon", &recorded_run(&world)]);
        assert_eq!(everything(&world), before, "{operation}: {driver}");
    }
}

#[test]
fn a_swap_that_is_announced_while_the_run_is_taken_over_is_seen() {
    let world = World::new();
    world.succeed(["build", "shop"]);
    let run = killed(&world, ["promote", "shop"], |request| {
        request.operation == "PutParameter"
            && request.parameters["Name"]
                .as_str()
                .is_some_and(|name| name.contains("/lease/"))
    })
    .run_id();
    let page = |number: u32| format!("/goldseed/shop/runs/{run}/{number}");
    let own = page(2);
    let takes_over = move |request: &Request| {
        request.operation == "PutParameter" && request.parameter("Name") == Some(&own)
    };
    let output = world.meanwhile(["abandon", &run], takes_over, || {
        // The driver is alive after all, and announces its swap on its own page.
        let written = world.parameters()[&page(1)].last().unwrap().clone();
        let mut record: serde_json::Value = serde_json::from_str(&written).unwrap();
        let steps = record["steps"].as_array_mut().unwrap();
        steps.push(serde_json::json!({"s": "swap/update", "t": 1}));
        let call = world
            .ssm()
            .put_parameter()
            .name(page(1))
            .value(record.to_string())
            .overwrite(true);
        world.wait_for(call.send()).unwrap();
    });
    assert_eq!(output.code, Some(4), "{output}");
    assert!(output.stderr.contains("swapped the base image"), "{output}");
    let taken = world.parameters()[&page(2)].last().unwrap().clone();
    assert!(taken.contains("swap/update"), "{taken}");
    world.succeed(["resume", &run]);
}
