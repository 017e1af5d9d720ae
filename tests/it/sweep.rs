//! `goldseed sweep`: what dead runs left is shown with its cost and removed on request; what anybody needs stays.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_sdk_ec2::types::Tag;
use goldseed::sandbox::{Fate, Hook};

use super::unsent::{assert_says, minutes_pass};
use super::world::{Output, World, mutates, send_signal};

/// A run that nobody knows any more.
const OLD: &str = "20200101-000000-0001";

/// Runs a verb and kills it at the nth request of this operation, whose answer is lost.
fn killed_at<const N: usize>(
    world: &World,
    arguments: [&str; N],
    operation: &'static str,
    wanted: usize,
) -> Output {
    let pid: Arc<OnceLock<u32>> = Arc::default();
    let seen = std::sync::Mutex::new(0);
    world.signal_at(&pid, "KILL", Fate::LoseAnswer, move |request| {
        if request.operation != operation || request.parameters["DryRun"] == "true" {
            return false;
        }
        let mut seen = seen.lock().unwrap();
        *seen += 1;
        *seen >= wanted
    });
    let output = world.goldseed(arguments).run_as(&pid);
    world.sandbox.set_hook(None);
    assert_eq!(output.code, None, "{output}");
    output
}

/// The ids of everything of ours that is there: machines, images and snapshots.
fn ours(world: &World) -> BTreeSet<String> {
    let all = world.sandbox.world();
    let gone = ["terminated", "shutting-down", "deregistered"];
    ["instances", "images", "snapshots"]
        .iter()
        .flat_map(|kind| all[kind].as_array().unwrap().clone())
        .filter(|one| one["tags"]["goldseed:run"].is_string())
        .filter(|one| !gone.contains(&one["state"].as_str().unwrap_or_default()))
        .map(|one| one["id"].as_str().unwrap().to_owned())
        .collect()
}

/// Tags resources.
pub(crate) fn tag(world: &World, ids: impl IntoIterator<Item = String>, tags: &[(&str, &str)]) {
    let list = tags
        .iter()
        .map(|(key, value)| Tag::builder().key(*key).value(*value).build());
    let call = world
        .ec2()
        .create_tags()
        .set_resources(Some(ids.into_iter().collect()))
        .set_tags(Some(list.collect()));
    world.wait_for(call.send()).unwrap();
}

/// Makes everything of ours as old as years, of a run that nobody knows any more.
fn make_old(world: &World) {
    let expired = [
        ("goldseed:run", OLD),
        ("goldseed:expires", "2020-01-02T00:00:00Z"),
    ];
    tag(world, ours(world), &expired);
}

/// What changed anything since so many requests.
fn changes_since(world: &World, from: usize) -> usize {
    let requests = world.sandbox.requests().split_off(from);
    requests.iter().filter(|request| mutates(request)).count()
}

#[test]
fn what_is_in_order_is_no_leftover() {
    let world = World::new();
    let nothing = world.succeed(["sweep"]);
    assert!(nothing.stdout.contains("have left nothing"), "{nothing}");
    world.succeed(["rebuild", "shop"]);
    world.edit("text: Hello", "text: Good evening");
    // Proved and not promoted, and the ledger's; however old.
    world.succeed(["build", "shop"]);
    make_old(&world);
    let before = ours(&world);
    let nothing = world.succeed(["sweep", "--yes"]);
    assert!(nothing.stdout.contains("have left nothing"), "{nothing}");
    assert_eq!(ours(&world), before);
}

#[test]
fn nothing_of_a_run_that_may_go_on_is_touched() {
    let world = World::new();
    let run = killed_at(&world, ["rebuild", "shop"], "CreateImage", 2).run_id();
    // Even where its tags say that it is expired.
    let expired = [("goldseed:expires", "2020-01-02T00:00:00Z")];
    tag(&world, ours(&world), &expired);
    let before = ours(&world);
    assert!(before.len() > 2, "{before:?}");
    let nothing = world.succeed(["sweep", "--yes"]);
    assert!(nothing.stdout.contains("have left nothing"), "{nothing}");
    assert_eq!(ours(&world), before);
    world.succeed(["resume", &run]);
}

#[test]
fn what_a_dead_run_left_is_shown_and_removed_on_request() {
    let world = World::new();
    killed_at(&world, ["build", "shop"], "CreateImage", 2);
    make_old(&world);
    let before = ours(&world);
    let from = world.sandbox.requests().len();
    let shown = world.succeed(["sweep"]);
    insta::assert_snapshot!("shown", shown);
    assert_eq!(changes_since(&world, from), 0, "{shown}");
    assert_eq!(ours(&world), before);
    let removed = world.succeed(["sweep", "--yes"]);
    assert!(removed.stdout.contains("all 3 are removed"), "{removed}");
    assert_eq!(ours(&world), BTreeSet::new());
    let nothing = world.succeed(["sweep", "--yes"]);
    assert!(nothing.stdout.contains("have left nothing"), "{nothing}");
}

#[test]
fn a_sweep_that_was_killed_is_called_again() {
    for operation in ["TerminateInstances", "DeregisterImage"] {
        let world = World::new();
        killed_at(&world, ["build", "shop"], "CreateImage", 2);
        make_old(&world);
        killed_at(&world, ["sweep", "--yes"], operation, 1);
        world.succeed(["sweep", "--yes"]);
        assert_eq!(ours(&world), BTreeSet::new(), "{operation}");
    }
}

#[test]
fn a_snapshot_without_its_image_is_found_by_its_own_tags() {
    let world = World::new();
    killed_at(&world, ["build", "shop"], "RunInstances", 1);
    make_old(&world);
    let raw = world.images("raw")[0].id.clone();
    let call = world.ec2().deregister_image().image_id(&raw);
    world.wait_for(call.send()).unwrap();
    let left = ours(&world);
    assert!(left.iter().any(|id| id.starts_with("snap-")), "{left:?}");
    let removed = world.succeed(["sweep", "--yes"]);
    assert!(
        removed.stdout.contains("snapshot without image"),
        "{removed}"
    );
    assert_eq!(ours(&world), BTreeSet::new());
}

#[test]
fn what_is_kept_or_in_service_stays() {
    let world = World::new();
    killed_at(&world, ["build", "shop"], "CreateImage", 2);
    make_old(&world);
    let seed = ours(&world).into_iter().find(|id| id.starts_with("i-"));
    tag(&world, seed.clone(), &[("goldseed:keep", "cron")]);
    let golden = world.images("golden")[0].id.clone();
    world.until_available(&golden);
    let image_id = super::world::LAUNCH;
    world.change_environment(&[(image_id, "ImageId", &golden)]);
    let before = ours(&world);
    let swept = world.succeed(["sweep", "--yes"]);
    // The seed is kept, the raw image is what it was started from, the golden one what the environment runs.
    assert!(swept.stdout.contains("have left nothing"), "{swept}");
    assert_eq!(ours(&world), before);
}

#[test]
fn what_cannot_be_removed_is_told_and_does_not_stop_the_rest() {
    let world = World::new();
    killed_at(&world, ["build", "shop"], "CreateImage", 2);
    make_old(&world);
    world.sandbox.set_hook(Some(Hook::new(|request| {
        if request.operation == "TerminateInstances" {
            return Fate::Refuse {
                status: 403,
                code: "UnauthorizedOperation".into(),
                message: "You are not authorized.".into(),
            };
        }
        Fate::Serve
    })));
    let output = world.run(["sweep", "--yes"]);
    world.sandbox.set_hook(None);
    assert_eq!(output.code, Some(5), "{output}");
    assert!(
        output.stderr.contains("1 of 3 were not removed"),
        "{output}"
    );
    assert!(output.stderr.contains("UnauthorizedOperation"), "{output}");
    let left = ours(&world);
    assert!(
        left.len() == 1 && left.iter().all(|id| id.starts_with("i-")),
        "{left:?}"
    );
    world.succeed(["sweep", "--yes"]);
    assert_eq!(ours(&world), BTreeSet::new());
}

#[test]
fn of_a_run_that_ended_one_page_stays() {
    let world = World::new();
    let run = killed_at(&world, ["rebuild", "shop"], "RunInstances", 1).run_id();
    world.succeed(["resume", &run]);
    let pages = |world: &World| {
        let parameters = world.parameters();
        let pages = parameters.keys().filter(|name| name.contains("/runs/"));
        pages.cloned().collect::<Vec<_>>()
    };
    assert_eq!(pages(&world), [format!("/goldseed/shop/runs/{run}/2")]);
    // A page that was left, the run having been killed as it ended.
    world.put_parameter(&format!("/goldseed/shop/runs/{run}/1"), "{}");
    let shown = world.succeed(["sweep"]);
    assert!(shown.stdout.contains("superseded page"), "{shown}");
    world.succeed(["sweep", "--yes"]);
    assert_eq!(pages(&world), [format!("/goldseed/shop/runs/{run}/2")]);
    let history = world.succeed(["history", "shop"]);
    assert!(history.stdout.contains("promotion"), "{history}");
}

#[test]
fn a_process_whose_record_was_removed_stops() {
    let world = World::new();
    let pid: Arc<OnceLock<u32>> = Arc::default();
    let process = Arc::clone(&pid);
    let slept = std::sync::Mutex::new(false);
    let (sleeps, asleep) = std::sync::mpsc::channel();
    world.sandbox.set_hook(Some(Hook::new(move |request| {
        if request.operation != "RunInstances"
            || request.parameters["DryRun"] == "true"
            || std::mem::replace(&mut *slept.lock().unwrap(), true)
        {
            return Fate::Serve;
        }
        super::world::send_signal(*process.wait(), "STOP");
        sleeps.send(()).unwrap();
        Fate::Serve
    })));
    let slow = std::thread::scope(|scope| {
        let slow = scope.spawn(|| world.goldseed(["rebuild", "shop"]).run_as(&pid));
        asleep.recv_timeout(Duration::from_mins(1)).unwrap();
        let page = world
            .parameters()
            .into_keys()
            .find(|name| name.contains("/runs/"));
        let call = world.ssm().delete_parameter().name(page.unwrap());
        world.wait_for(call.send()).unwrap();
        super::world::send_signal(*pid.wait(), "CONT");
        slow.join().unwrap()
    });
    assert_eq!(slow.code, Some(4), "{slow}");
    assert!(slow.stderr.contains("is not there any more"), "{slow}");
    assert_says(&slow, "/1 was deleted: this process stops");
    assert_says(&slow, "`goldseed sweep` removes it");
    for verb in ["resume", "abandon"] {
        let offer = format!("goldseed {verb} 2");
        assert!(!slow.stderr.contains(&offer), "{slow}");
    }
    let parameters = world.parameters();
    assert!(
        !parameters.keys().any(|name| name.contains("/runs/")),
        "{parameters:?}"
    );
}

/// More than a day passes: what was left then is expired, and no lease is in force.
fn days_pass(world: &World) {
    let expired = [("goldseed:expires", "2020-01-02T00:00:00Z")];
    if !ours(world).is_empty() {
        tag(world, ours(world), &expired);
    }
    minutes_pass(world);
    let days = jiff::SignedDuration::from_hours(50);
    world.sandbox.age_parameters(days);
}

#[test]
fn a_run_that_nobody_goes_on_with_ends_once_what_it_made_is_removed() {
    let world = World::new();
    let run = killed_at(&world, ["build", "shop"], "RunInstances", 1).run_id();
    days_pass(&world);
    let shown = world.succeed(["sweep"]);
    assert!(shown.stdout.contains("unfinished build"), "{shown}");
    // What cannot be removed keeps its run from ending.
    world.sandbox.set_hook(Some(Hook::new(|request| {
        if request.operation == "DeregisterImage" {
            return Fate::refused("UnauthorizedOperation", "not authorized");
        }
        Fate::Serve
    })));
    let refused = world.run(["sweep", "--yes"]);
    world.sandbox.set_hook(None);
    assert_eq!(refused.code, Some(5), "{refused}");
    assert_says(&refused, "something that it made was not removed");
    assert!(
        !world.succeed(["runs"]).stdout.contains("abandoned"),
        "{refused}"
    );
    let swept = world.succeed(["sweep", "--yes"]);
    assert_eq!(ours(&world), BTreeSet::new(), "{swept}");
    let runs = world.succeed(["runs"]);
    assert!(runs.stdout.contains("sweep by ada"), "{runs}");
    assert!(runs.stdout.contains("abandoned"), "{runs}");
    let resumed = world.run(["resume", &run]);
    assert_says(&resumed, "has ended: abandoned");
    assert_says(&world.run(["resume"]), "no run is unfinished");
    let parameters = world.parameters();
    let pages = parameters.keys().filter(|name| name.contains(&run));
    assert_eq!(pages.count(), 1);
}

#[test]
fn a_run_that_may_have_changed_something_does_not_end_by_a_sweep() {
    let world = World::new();
    let run = killed_at(&world, ["rebuild", "shop"], "UpdateEnvironment", 1).run_id();
    world.until_ready();
    days_pass(&world);
    let swept = world.succeed(["sweep", "--yes"]);
    assert!(!swept.stdout.contains("unfinished rebuild"), "{swept}");
    assert!(swept.stdout.contains("it may have swapped"), "{swept}");
    assert!(
        swept.stdout.contains(&format!("goldseed resume {run}")),
        "{swept}"
    );
    world.succeed(["resume", &run]);
}

#[test]
fn what_is_not_expired_keeps_its_run_from_ending() {
    let world = World::new();
    let run = killed_at(&world, ["build", "shop"], "RunInstances", 1).run_id();
    let days = jiff::SignedDuration::from_hours(50);
    world.sandbox.age_parameters(days);
    let swept = world.succeed(["sweep", "--yes"]);
    assert!(swept.stdout.contains("have left nothing"), "{swept}");
    world.succeed(["resume", &run]);
}

#[test]
fn an_image_stays_with_a_snapshot_that_somebody_keeps() {
    let world = World::new();
    killed_at(&world, ["build", "shop"], "RunInstances", 1);
    make_old(&world);
    let snapshot = ours(&world).into_iter().find(|id| id.starts_with("snap-"));
    tag(&world, snapshot, &[("goldseed:keep", "yes")]);
    let swept = world.succeed(["sweep", "--yes"]);
    assert!(swept.stdout.contains("carries goldseed:keep"), "{swept}");
    assert!(world.images("raw")[0].is_usable(), "{swept}");
    assert!(ours(&world).iter().any(|id| id.starts_with("snap-")));
}

#[test]
fn a_lease_that_cannot_be_read_is_told_and_stops_no_other_pipeline() {
    let world = World::new();
    killed_at(&world, ["build", "shop"], "CreateImage", 2);
    make_old(&world);
    let gone = "/goldseed/environments/e-gone/lease/1";
    world.put_parameter(gone, "garbage");
    let swept = world.succeed(["sweep", "--yes"]);
    assert!(swept.stdout.contains(gone), "{swept}");
    assert_eq!(ours(&world), BTreeSet::new(), "{swept}");

    let environment = world.environment()["id"].as_str().unwrap().to_owned();
    let name = format!("/goldseed/environments/{environment}/lease/7");
    world.put_parameter(&name, "garbage");
    let status = world.succeed(["status", "shop"]);
    assert!(status.stdout.contains(&name), "{status}");
    assert!(status.stdout.contains("base image"), "{status}");
    let refused = world.run(["rebuild", "shop"]);
    assert_eq!(refused.code, Some(1), "{refused}");
    assert_says(
        &refused,
        "once nobody runs goldseed there, it may be deleted",
    );
    assert_says(&refused, &name);
    let call = world.ssm().delete_parameter().name(&name);
    world.wait_for(call.send()).unwrap();
    world.succeed(["resume", &refused.run_id()]);
}

#[test]
fn an_interrupted_sweep_says_what_is_removed() {
    let world = World::new();
    killed_at(&world, ["build", "shop"], "CreateImage", 2);
    make_old(&world);
    let pid: Arc<OnceLock<u32>> = Arc::default();
    let process = Arc::clone(&pid);
    world.sandbox.set_hook(Some(Hook::new(move |request| {
        if request.operation != "TerminateInstances" {
            return Fate::Serve;
        }
        send_signal(*process.wait(), "INT");
        // Its answer is on its way when the signal comes.
        Fate::Stall(Duration::from_millis(300))
    })));
    let output = world.goldseed(["sweep", "--yes"]).run_as(&pid);
    world.sandbox.set_hook(None);
    assert_eq!(output.code, Some(130), "{output}");
    assert_says(&output, "1 of 3 are removed");
    assert_says(&output, "removed: i-");
    assert_says(&output, "goldseed sweep --yes");
    assert_eq!(world.count("DeregisterImage"), 0, "{output}");
    world.succeed(["sweep", "--yes"]);
    assert_eq!(ours(&world), BTreeSet::new());
}

#[test]
fn a_signal_while_something_is_only_looked_at_ends_it() {
    let world = World::new();
    for arguments in [&["runs"][..], &["sweep"], &["status", "shop"]] {
        let pid: Arc<OnceLock<u32>> = Arc::default();
        let process = Arc::clone(&pid);
        world.sandbox.set_hook(Some(Hook::new(move |request| {
            if request.operation != "GetCallerIdentity" {
                return Fate::Serve;
            }
            send_signal(*process.wait(), "INT");
            Fate::Stall(Duration::from_secs(5))
        })));
        let goldseed = match arguments {
            [one] => world.goldseed([one]),
            [one, other] => world.goldseed([one, other]),
            _ => unreachable!(),
        };
        let output = goldseed.run_as(&pid);
        assert_eq!(output.code, Some(130), "{arguments:?}: {output}");
        assert_says(&output, "nothing was changed");
    }
}
