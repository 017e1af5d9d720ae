//! What happens when something happens in between: signals, a process that dies, answers and requests that are lost.
//! Whatever it was, the world is afterwards as if nothing had been, once the run has gone on.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use goldseed::sandbox::{Fate, Hook, Request};

use super::world::{Image, Output, World, changes, every_first, mutates, send_signal};

/// What becomes of a request.
type Fault = fn(&Request) -> Fate;

/// The world is as one undisturbed rebuild leaves it, and nothing was made twice.
pub(crate) fn assert_converged(world: &World, what: &str) {
    let golden: Vec<_> = world
        .images("golden")
        .into_iter()
        .filter(Image::is_usable)
        .collect();
    assert_eq!(golden.len(), 1, "{what}: golden images");
    assert_eq!(golden[0].tags["goldseed:proved"], "boot", "{what}");
    assert_eq!(
        world.images("golden").len(),
        1,
        "{what}: golden images that are gone"
    );
    let raw = world.images("raw");
    assert_eq!(raw.len(), 1, "{what}: raw images");
    assert!(!raw[0].is_usable(), "{what}: the raw image is left over");
    assert_eq!(world.launches(), 2, "{what}: machines launched");
    assert!(
        world.machines().is_empty(),
        "{what}: {:?} are left over",
        world.machines()
    );
    assert_eq!(world.base_image().as_ref(), Some(&golden[0].id), "{what}");
    assert_eq!(world.member_images(), [golden[0].id.as_str(); 2], "{what}");
    let parameters = world.parameters();
    let ledger = &parameters["/goldseed/shop/image"];
    assert!(
        ledger.iter().all(|value| *value == golden[0].id),
        "{what}: {ledger:?}"
    );
    // Of a run that has ended one page is left.
    let pages = parameters.keys().filter(|name| name.contains("/runs/"));
    assert_eq!(pages.count(), 1, "{what}: pages of runs");
    let history = world.succeed(["history", "shop"]);
    assert_eq!(
        history.stdout.matches("promotion").count(),
        1,
        "{what}: {history}"
    );
}

/// Runs a rebuild, signals it when `at` comes true, and loses that request or its answer.
fn disturbed(
    world: &World,
    signal: &'static str,
    lost: Fate,
    at: impl Fn(&Request) -> bool + Send + Sync + 'static,
) -> Output {
    let pid: Arc<OnceLock<u32>> = Arc::default();
    world.signal_at(&pid, signal, lost, at);
    let rebuild = world.goldseed(["rebuild", "shop"]).heeding("HUP");
    let output = rebuild.run_as(&pid);
    world.sandbox.set_hook(None);
    output
}

/// What is told of a run once it has ended, without why: whether the call that was under way when the signal came was
/// given up in the time for it depends on how busy the machine is.
fn ending(output: &Output) -> String {
    let text = output.to_string();
    // Before it come the lines of the run, its heading and the table of its stages.
    let ending = text.splitn(4, "\n\n").last().unwrap();
    let is_cause =
        |line: &str| line.starts_with("  caused by:") || line.starts_with("             ");
    let lines = ending.lines().filter(|line| !is_cause(line));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn an_interrupt_says_what_exists_and_how_to_go_on() {
    for (name, signal, at) in [
        ("in_the_launch", "INT", "RunInstances"),
        ("in_the_swap", "TERM", "UpdateEnvironment"),
        ("in_the_image", "TERM", "CreateImage"),
        ("when_the_terminal_closes", "HUP", "UpdateEnvironment"),
    ] {
        let world = World::new();
        let output = disturbed(&world, signal, Fate::LoseAnswer, move |request| {
            request.operation == at && request.parameters["DryRun"] != "true" && !is_raw(request)
        });
        assert_eq!(output.code, Some(130), "{output}");
        assert!(
            output.stderr.contains("the present call is finished first"),
            "{output}"
        );
        insta::assert_snapshot!(name, ending(&output));
        world.succeed(["resume", &output.run_id()]);
        assert_converged(&world, name);
    }
}

#[test]
fn a_terminal_that_closes_may_signal_more_than_once() {
    let world = World::new();
    let pid: Arc<OnceLock<u32>> = Arc::default();
    let process = Arc::clone(&pid);
    // At a launch, and at every request after it.
    let came = std::sync::Mutex::new(false);
    world.sandbox.set_hook(Some(Hook::new(move |request| {
        let launches =
            request.operation == "RunInstances" && request.parameters["DryRun"] != "true";
        let mut came = came.lock().unwrap();
        *came |= launches;
        if *came {
            send_signal(*process.wait(), "HUP");
        }
        Fate::Serve
    })));
    let rebuild = world.goldseed(["rebuild", "shop"]).heeding("HUP");
    let output = rebuild.run_as(&pid);
    world.sandbox.set_hook(None);
    assert_eq!(output.code, Some(130), "{output}");
    assert!(output.stderr.contains("interrupted by SIGHUP"), "{output}");
    assert!(!output.stderr.contains("interrupted again"), "{output}");
    world.succeed(["resume", &output.run_id()]);
    assert_converged(&world, "SIGHUP twice");
}

#[test]
fn under_nohup_a_closed_terminal_stops_nothing() {
    let world = World::new();
    let pid: Arc<OnceLock<u32>> = Arc::default();
    let process = Arc::clone(&pid);
    world.sandbox.set_hook(Some(Hook::new(move |request| {
        if changes(&request.operation) {
            send_signal(*process.wait(), "HUP");
        }
        Fate::Serve
    })));
    let rebuild = world.goldseed(["rebuild", "shop"]).ignoring("HUP");
    let output = rebuild.run_as(&pid);
    world.sandbox.set_hook(None);
    assert_eq!(output.code, Some(0), "{output}");
    assert_converged(&world, "nohup");
}

#[test]
fn the_call_that_is_under_way_is_finished_and_recorded() {
    let world = World::new();
    let pid: Arc<OnceLock<u32>> = Arc::default();
    let process = Arc::clone(&pid);
    let came = std::sync::Mutex::new(false);
    world.sandbox.set_hook(Some(Hook::new(move |request| {
        let launches =
            request.operation == "RunInstances" && request.parameters["DryRun"] != "true";
        if !launches || std::mem::replace(&mut *came.lock().unwrap(), true) {
            return Fate::Serve;
        }
        send_signal(*process.wait(), "INT");
        // Its answer is on its way when the signal comes.
        Fate::Stall(Duration::from_millis(300))
    })));
    let output = world.goldseed(["rebuild", "shop"]).run_as(&pid);
    assert_eq!(output.code, Some(130), "{output}");
    // The machine is there, and the message names it.
    assert_eq!(world.launches(), 1, "{output}");
    let text = output.stdout.clone() + &output.stderr;
    let machines = world.sandbox.world()["instances"].clone();
    let seed = machines.as_array().unwrap().iter();
    let seed = seed
        .filter(|one| one["tags"]["goldseed:role"] == "seed")
        .map(|one| one["id"].as_str().unwrap());
    assert!(seed.clone().all(|id| text.contains(id)), "{output}");
    assert_eq!(seed.count(), 1);
    world.sandbox.set_hook(None);
    world.succeed(["resume", &output.run_id()]);
    assert_converged(&world, "a call under way");
}

#[test]
fn a_signal_before_there_is_a_run_is_told_like_any_other() {
    let world = World::new();
    for signal in ["INT", "TERM"] {
        let pid: Arc<OnceLock<u32>> = Arc::default();
        let process = Arc::clone(&pid);
        world.sandbox.set_hook(Some(Hook::new(move |request| {
            if request.operation != "GetCallerIdentity" {
                return Fate::Serve;
            }
            send_signal(*process.wait(), signal);
            Fate::Stall(Duration::from_secs(5))
        })));
        let output = world.goldseed(["rebuild", "shop"]).run_as(&pid);
        assert_eq!(output.code, Some(130), "{output}");
        assert!(
            output.stderr.contains("nothing was made or changed"),
            "{output}"
        );
        assert!(output.stderr.contains("goldseed runs"), "{output}");
    }
    world.sandbox.set_hook(None);
    assert_eq!(world.launches(), 0);
}

/// Tells whether a request is for the raw image.
fn is_raw(request: &Request) -> bool {
    request
        .parameter("Name")
        .is_some_and(|name| name.contains("-raw-"))
}

#[test]
fn an_interrupt_in_the_watch_says_that_nobody_watches() {
    let world = World::new();
    let watching = std::sync::Mutex::new(false);
    let output = disturbed(&world, "INT", Fate::LoseAnswer, move |request| {
        let mut watching = watching.lock().unwrap();
        *watching |= request.operation == "UpdateEnvironment";
        *watching && request.operation == "DescribeEvents"
    });
    assert_eq!(output.code, Some(130), "{output}");
    assert!(output.stderr.contains("nobody is watching it"), "{output}");
    // The lease is the dead process's; the same run takes it over at once.
    world.succeed(["resume", &output.run_id()]);
    assert_converged(&world, "watch");
    assert_eq!(world.count("UpdateEnvironment"), 1);
}

#[test]
fn an_interrupt_stops_the_recipes_on_the_seed() {
    let world = World::new();
    let output = disturbed(&world, "INT", Fate::LoseAnswer, |request| {
        request.operation == "SendCommand" && starts_recipes(request)
    });
    assert_eq!(output.code, Some(130), "{output}");
    let requests = world.sandbox.requests();
    let stops = |one: &goldseed::sandbox::RequestSeen| {
        one.operation == "SendCommand" && one.parameters.to_string().contains("# goldseed stop ")
    };
    assert!(
        requests.iter().any(stops),
        "the recipes were left to themselves: {output}"
    );
    world.succeed(["resume", &output.run_id()]);
    assert_converged(&world, "recipes");
}

/// Tells whether a command starts the recipes.
fn starts_recipes(request: &Request) -> bool {
    let script = request.parameters["Parameters"]["commands"].to_string();
    script.contains("# goldseed start ") && script.contains("-apply-a1")
}

#[test]
fn a_second_interrupt_leaves_at_once() {
    let world = World::new();
    let pid: Arc<OnceLock<u32>> = Arc::default();
    let process = Arc::clone(&pid);
    let interrupted = std::sync::Mutex::new(0);
    world.sandbox.set_hook(Some(Hook::new(move |request| {
        let mut interrupted = interrupted.lock().unwrap();
        match (*interrupted, request.operation.as_str()) {
            (0, "RunInstances") => {
                *interrupted = 1;
                send_signal(*process.wait(), "INT");
                Fate::LoseRequest
            }
            // What exists is looked up after the first interrupt. No answer comes for a minute.
            (1, "DescribeInstances") => {
                *interrupted = 2;
                send_signal(*process.wait(), "INT");
                Fate::Stall(Duration::from_mins(1))
            }
            (0, _) => Fate::Serve,
            _ => Fate::LoseRequest,
        }
    })));
    let output = world.goldseed(["rebuild", "shop"]).run_as(&pid);
    assert_eq!(output.code, Some(130), "{output}");
    assert!(output.stderr.contains("interrupted again"), "{output}");
    assert!(
        output
            .stderr
            .contains(&format!("goldseed resume {}", output.run_id())),
        "{output}"
    );
}

#[test]
fn what_takes_too_long_after_an_interrupt_is_left_and_named() {
    let world = World::new();
    let pid: Arc<OnceLock<u32>> = Arc::default();
    let process = Arc::clone(&pid);
    let interrupted = std::sync::Mutex::new(false);
    world.sandbox.set_hook(Some(Hook::new(move |request| {
        let mut interrupted = interrupted.lock().unwrap();
        if request.operation != "SendCommand" {
            return Fate::Serve;
        }
        if !*interrupted && starts_recipes(request) {
            *interrupted = true;
            send_signal(*process.wait(), "INT");
        }
        // The machine is not reached any more.
        if *interrupted {
            Fate::Stall(Duration::from_mins(1))
        } else {
            Fate::Serve
        }
    })));
    let output = world.goldseed(["rebuild", "shop"]).run_as(&pid);
    assert_eq!(output.code, Some(130), "{output}");
    let said = output.stderr.split_whitespace().collect::<Vec<_>>();
    let said = said.join(" ");
    let (_, open) = said.split_once("caused by: not known after 6 s: ").unwrap();
    let (open, _) = open.split_once(" hint: ").unwrap();
    let stopped = "whether the recipes on the seed are stopped";
    assert!(open.contains(stopped), "{output}");
    // What else came in time, which a busy machine has not for everything, is told.
    let exists = format!("seed {} (running)", world.machine("seed"));
    let told = said.contains(&exists);
    assert_ne!(told, open.contains("what exists"), "{output}");
    let run = output.run_id();
    assert!(said.contains(&format!("goldseed resume {run}")), "{output}");
}

#[test]
fn an_interrupt_of_a_process_that_was_taken_over_stops_nothing() {
    let world = World::new();
    let pid: Arc<OnceLock<u32>> = Arc::default();
    let process = Arc::clone(&pid);
    let slept = std::sync::Mutex::new(false);
    let (sleeps, asleep) = std::sync::mpsc::channel();
    world.sandbox.set_hook(Some(Hook::new(move |request| {
        let starts = request.operation == "SendCommand" && starts_recipes(request);
        if !starts || std::mem::replace(&mut *slept.lock().unwrap(), true) {
            return Fate::Serve;
        }
        send_signal(*process.wait(), "STOP");
        sleeps.send(()).unwrap();
        Fate::LoseAnswer
    })));
    let run = OnceLock::new();
    let slow = std::thread::scope(|scope| {
        let slow = scope.spawn(|| world.goldseed(["rebuild", "shop"]).run_as(&pid));
        asleep.recv_timeout(Duration::from_mins(1)).unwrap();
        let pages = world.parameters();
        let page = pages.keys().find(|name| name.contains("/runs/")).unwrap();
        let id = run.get_or_init(|| page.rsplit('/').nth(1).unwrap().to_owned());
        world.succeed(["resume", id, "--yes"]);
        send_signal(*pid.wait(), "INT");
        send_signal(*pid.wait(), "CONT");
        slow.join().unwrap()
    });
    assert_eq!(slow.code, Some(130), "{slow}");
    for text in ["was taken over by ada@", "ended: done"] {
        assert!(slow.stderr.contains(text), "{text}: {slow}");
    }
    assert!(!slow.stderr.contains("goldseed resume"), "{slow}");
    let requests = world.sandbox.requests();
    let stops = |one: &goldseed::sandbox::RequestSeen| {
        one.operation == "SendCommand" && one.parameters.to_string().contains("# goldseed stop ")
    };
    assert!(!requests.iter().any(stops), "{slow}");
    assert_converged(&world, "taken over");
}

#[test]
fn a_process_that_dies_at_any_change_leaves_a_run_that_goes_on() {
    // The changes of an undisturbed rebuild, as they come. Of the many commands and pages of the record some are
    // enough; the first page is left out, as before it there is no run.
    let undisturbed = World::new();
    let before = undisturbed.sandbox.requests().len();
    undisturbed.succeed(["rebuild", "shop"]);
    let mut counts = std::collections::BTreeMap::new();
    let mut points = Vec::new();
    for request in undisturbed
        .sandbox
        .requests()
        .split_off(before)
        .iter()
        .filter(|one| mutates(one))
    {
        let count = counts.entry(request.operation.clone()).or_insert(0);
        *count += 1;
        let wanted = match request.operation.as_str() {
            "SendCommand" => *count % 7 == 2,
            "PutParameter" => *count % 9 == 2,
            _ => true,
        };
        if wanted {
            points.push((request.operation.clone(), *count));
        }
    }
    assert!(points.len() > 12, "{points:?}");
    for (number, (operation, count)) in points.into_iter().enumerate() {
        // Whether the request or its answer is lost takes turns.
        let lost = if number % 2 == 0 {
            Fate::LoseAnswer
        } else {
            Fate::LoseRequest
        };
        let what = format!("{operation} number {count}, {lost:?}");
        let world = World::new();
        let seen = std::sync::Mutex::new(0);
        let output = disturbed(&world, "KILL", lost, move |request| {
            if request.operation != operation || request.parameters["DryRun"] == "true" {
                return false;
            }
            let mut seen = seen.lock().unwrap();
            *seen += 1;
            *seen >= count
        });
        assert_eq!(output.code, None, "{what}: {output}");
        world.succeed(["resume", &output.run_id()]);
        assert_converged(&world, &what);
    }
}

#[test]
fn every_change_survives_a_throttle_a_lost_request_and_a_lost_answer() {
    let fates: [(&str, Fault); 4] = [
        ("throttled", |request| Fate::throttled(request.service)),
        ("the request is lost", |_| Fate::LoseRequest),
        ("the answer is lost", |_| Fate::LoseAnswer),
        ("the answer is a proxy's", |_| Fate::Garble(502)),
    ];
    for (what, fate) in fates {
        let world = World::new();
        world.sandbox.set_hook(Some(every_first(
            |request| changes(&request.operation),
            fate,
        )));
        world.succeed(["rebuild", "shop"]);
        world.sandbox.set_hook(None);
        assert_converged(&world, what);
    }
}

#[test]
fn a_second_entry_of_the_ledger_survives_a_lost_answer() {
    let world = World::new();
    world.succeed(["rebuild", "shop"]);
    world.edit("text: Hello", "text: Good evening");
    world.sandbox.set_hook(Some(every_first(
        |request| request.operation == "PutParameter",
        |_| Fate::LoseAnswer,
    )));
    world.succeed(["rebuild", "shop"]);
    world.sandbox.set_hook(None);
    let history = world.succeed(["history", "shop"]);
    assert_eq!(history.stdout.matches("promotion").count(), 2, "{history}");
    world.succeed(["rollback", "shop"]);
    assert_eq!(
        world.base_image().as_ref(),
        Some(&world.images("golden")[0].id)
    );
}

#[test]
fn every_look_survives_a_throttle_and_a_lost_request() {
    let fates: [(&str, Fault); 2] = [
        ("throttled", |request| Fate::throttled(request.service)),
        ("the request is lost", |_| Fate::LoseRequest),
    ];
    for (what, fate) in fates {
        let world = World::new();
        world.sandbox.set_hook(Some(every_first(
            |request| !changes(&request.operation),
            fate,
        )));
        world.succeed(["rebuild", "shop"]);
        world.sandbox.set_hook(None);
        assert_converged(&world, what);
    }
}

#[test]
fn a_process_that_slept_while_another_took_its_run_over_stops() {
    // While it wrote that the golden image is there, and while it announced the swap.
    for (page, fate) in [
        ("image/golden", Fate::LoseRequest),
        ("swap/update", Fate::Serve),
    ] {
        slept_at(page, &fate);
    }
}

/// A process sleeps as it writes the page of its record that names this step first, and another goes on with its run.
fn slept_at(step: &'static str, fate: &Fate) {
    let fate = fate.clone();
    let world = World::new();
    let pid: Arc<OnceLock<u32>> = Arc::default();
    let process = Arc::clone(&pid);
    let slept = std::sync::Mutex::new(false);
    let (sleeps, asleep) = std::sync::mpsc::channel();
    world.sandbox.set_hook(Some(Hook::new(move |request| {
        let page = request.operation == "PutParameter"
            && request.parameters["Value"]
                .as_str()
                .is_some_and(|text| text.contains(step));
        if !page || std::mem::replace(&mut *slept.lock().unwrap(), true) {
            return Fate::Serve;
        }
        send_signal(*process.wait(), "STOP");
        sleeps.send(()).unwrap();
        fate.clone()
    })));
    let slow = std::thread::scope(|scope| {
        let slow = scope.spawn(|| world.goldseed(["rebuild", "shop"]).run_as(&pid));
        asleep.recv_timeout(Duration::from_mins(1)).unwrap();
        let runs = world.parameters();
        let page = runs.keys().find(|name| name.contains("/runs/")).unwrap();
        let run = page.rsplit('/').nth(1).unwrap();
        world.succeed(["resume", run, "--yes"]);
        send_signal(*pid.wait(), "CONT");
        slow.join().unwrap()
    });
    assert_eq!(slow.code, Some(4), "{slow}");
    assert!(slow.stderr.contains("was taken over by ada@"), "{slow}");
    assert_eq!(world.count("UpdateEnvironment"), 1, "{step}");
    assert_converged(&world, step);
}
