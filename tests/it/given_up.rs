//! What abandon leaves alone, and what it says where it cannot go on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use goldseed::sandbox::{Fate, Hook, Request, RequestSeen};

use super::sweep::tag;
use super::unsent::{assert_says, killed, leases_are_renewed};
use super::world::{LAUNCH, Output, World, mutates, send_signal};

/// A build that was killed when seed, raw and golden image were there.
fn cut_off(world: &World) -> String {
    let cut = killed(world, ["build", "shop"], |request| {
        request.operation == "CreateImage" && request.occurrence > 1
    });
    cut.run_id()
}

/// A build that was killed when its image was proved, and that image.
fn proved(world: &World) -> (String, String) {
    let cut = killed(world, ["build", "shop"], |request| {
        request.operation == "DeregisterImage"
    });
    (cut.run_id(), world.images("golden")[0].id.clone())
}

/// Abandon refuses before it changes anything, and says this.
fn assert_refused(world: &World, run: &str, reason: &str) {
    let from = world.sandbox.requests().len();
    let refused = world.run(["abandon", run]);
    assert_eq!(refused.code, Some(4), "{refused}");
    assert_says(&refused, reason);
    let sent = world.sandbox.requests().split_off(from);
    assert!(
        !sent.iter().any(mutates),
        "something was changed: {refused}"
    );
}

/// Abandons while an operation is not served but answered with this code.
fn abandon_without(
    world: &World,
    run: &str,
    operation: &'static str,
    code: &'static str,
) -> Output {
    world.sandbox.set_hook(Some(Hook::new(move |request| {
        if request.operation == operation {
            Fate::refused(code, "not possible")
        } else {
            Fate::Serve
        }
    })));
    let output = world.run(["abandon", run]);
    world.sandbox.set_hook(None);
    output
}

#[test]
fn what_is_marked_as_kept_or_of_an_unknown_role_stays() {
    let world = World::new();
    let run = cut_off(&world);
    let raw = world.images("raw")[0].id.clone();
    tag(&world, [raw.clone()], &[("goldseed:keep", "for a look")]);
    let seed = world.machine("seed");
    tag(&world, [seed.clone()], &[("goldseed:role", "inspector")]);
    let output = world.succeed(["abandon", &run]);
    assert!(world.images("raw")[0].is_usable(), "{output}");
    assert_eq!(world.machines(), ["inspector"], "{output}");
    assert!(!world.images("golden")[0].is_usable(), "{output}");
    assert_says(&output, "1 removed, 2 kept");
    assert_says(&output, &raw);
    assert_says(&output, &seed);
    assert_says(&world.run(["abandon", &run]), "has ended: abandoned");
}

#[test]
fn an_image_that_another_run_or_any_ledger_names_is_kept() {
    let world = World::new();
    let (run, golden) = proved(&world);
    let other = killed(&world, ["promote", "shop", "--image", &golden], |request| {
        let name = request.parameter("Name").unwrap_or_default();
        request.operation == "PutParameter" && name.contains("/lease/")
    });
    assert_refused(&world, &run, &format!("is in use: run {}", other.run_id()));

    let world = World::new();
    let (run, golden) = proved(&world);
    world.put_parameter("/goldseed/other/image", &golden);
    assert_refused(&world, &run, "the ledger of `other` names it");
    assert!(world.image(&golden).is_usable());
}

#[test]
fn an_image_that_is_put_into_service_meanwhile_is_kept() {
    let world = World::new();
    let (run, golden) = proved(&world);
    let page = format!("/goldseed/shop/runs/{run}/2");
    let taken = move |request: &Request| {
        request.operation == "PutParameter" && request.parameter("Name") == Some(&page)
    };
    let output = world.meanwhile(["abandon", &run], taken, || {
        world.begin_change(&[(LAUNCH, "ImageId", &golden)]);
    });
    assert_eq!(output.code, Some(4), "{output}");
    assert_says(&output, "is in use");
    assert!(world.image(&golden).is_usable());
}

#[test]
fn an_abandon_that_was_taken_over_removes_nothing_more() {
    let world = World::new();
    let run = cut_off(&world);
    let page = |number: u32| format!("/goldseed/shop/runs/{run}/{number}");
    let (own, began) = (page(2), AtomicBool::new(false));
    let looks = move |request: &Request| {
        let begins = request.operation == "PutParameter" && request.parameter("Name") == Some(&own);
        began.fetch_or(begins, Ordering::SeqCst) && request.operation == "DescribeImages"
    };
    let output = world.meanwhile(["abandon", &run], looks, || {
        let taken = world.parameters()[&page(2)].last().unwrap().clone();
        world.put_parameter(&page(3), &taken);
    });
    assert_eq!(output.code, Some(4), "{output}");
    assert_says(&output, "is driven by");
    let written = world.parameters()[&page(2)].last().unwrap().clone();
    assert!(!written.contains("abandoned"), "{written}");
    assert_eq!(world.machines(), ["seed"], "{output}");
}

#[test]
fn the_call_that_is_under_way_is_finished_and_nothing_is_begun_after_it() {
    let world = World::new();
    let run = cut_off(&world);
    let pid: Arc<OnceLock<u32>> = Arc::default();
    let process = Arc::clone(&pid);
    let page = format!("/goldseed/shop/runs/{run}/2");
    world.sandbox.set_hook(Some(Hook::new(move |request| {
        if request.operation != "PutParameter" || request.parameter("Name") != Some(&page) {
            return Fate::Serve;
        }
        send_signal(*process.wait(), "INT");
        Fate::Stall(Duration::from_millis(300))
    })));
    let from = world.sandbox.requests().len();
    let output = world.goldseed(["abandon", &run]).run_as(&pid);
    world.sandbox.set_hook(None);
    assert_eq!(output.code, Some(130), "{output}");
    assert_says(&output, "the present call is finished first");
    let sent = world.sandbox.requests().split_off(from);
    let removes = |one: &RequestSeen| mutates(one) && one.operation != "PutParameter";
    assert!(!sent.iter().any(removes), "{output}");
    world.succeed(["abandon", &run]);
}

#[test]
fn an_interrupt_names_the_lease_that_remains() {
    let world = World::new();
    world.succeed(["build", "shop"]);
    let of_lease = |request: &Request| {
        let name = request.parameter("Name").unwrap_or_default();
        request.operation == "PutParameter" && name.contains("/lease/")
    };
    let run = killed(&world, ["promote", "shop"], of_lease).run_id();
    leases_are_renewed(&world);
    let pid: Arc<OnceLock<u32>> = Arc::default();
    world.signal_at(&pid, "INT", Fate::LoseRequest, of_lease);
    let output = world.goldseed(["abandon", &run]).run_as(&pid);
    world.sandbox.set_hook(None);
    assert_eq!(output.code, Some(130), "{output}");
    assert_says(&output, "the run holds the lease on e-");
    world.succeed(["abandon", &run]);
}

#[test]
fn an_interrupt_says_what_exists_and_how_to_go_on() {
    let world = World::new();
    let run = cut_off(&world);
    let pid: Arc<OnceLock<u32>> = Arc::default();
    world.signal_at(&pid, "INT", Fate::LoseRequest, |request| {
        request.operation == "DeregisterImage"
    });
    let output = world.goldseed(["abandon", &run]).run_as(&pid);
    world.sandbox.set_hook(None);
    assert_eq!(output.code, Some(130), "{output}");
    assert_says(&output, "is not abandoned yet");
    assert_says(&output, "there still is the raw image ami-");
    assert_says(&output, &format!("goldseed abandon {run}"));
    world.succeed(["abandon", &run]);
}

#[test]
fn a_machine_that_is_protected_is_named_with_what_takes_that_off() {
    let world = World::new();
    let run = cut_off(&world);
    let seed = world.machine("seed");
    let output = abandon_without(&world, &run, "TerminateInstances", "OperationNotPermitted");
    assert_eq!(output.code, Some(5), "{output}");
    for part in [&seed, "--no-disable-api-termination", "goldseed:keep"] {
        assert_says(&output, part);
    }
    world.succeed(["abandon", &run]);
}
