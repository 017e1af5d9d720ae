//! A boot in the middle of an apply: wished for by a step, or come from elsewhere; on real machines and, for what can
//! happen to the driver meanwhile, on simulated ones.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use goldseed::sandbox::{Fate, Hook, Request};

use super::interrupt::assert_converged;
use super::world::{Output, World, send_signal};

/// Tests a recipe on a real machine of the local AWS.
fn tested(name: &str, text: &str) -> Output {
    let world = World::empty();
    world.write(&format!("recipes/{name}.yaml"), text);
    // The engine finds its own programs by the path.
    world
        .goldseed(["recipe", "test", name])
        .env("PATH", env!("PATH"))
        .run()
}

#[test]
fn a_machine_reboots_once_and_the_steps_go_on_with_their_handlers() {
    let recipe = r#"recipe: 1
name: reboots
steps:
  - run: {name: the first boot, command: "touch /run/first-boot /var/lib/first-boot", creates: /var/lib/first-boot}
  - file: {path: /etc/before, content: "x\n"}
    notify: note
  - name: boot anew
    reboot: {only-if: test -e /run/first-boot}
  - file: {path: /etc/after, content: "x\n"}
handlers:
  note: {run: "test ! -e /run/first-boot && echo noted >> /var/lib/noted"}
verify:
  - command: {run: 'test ! -e /run/first-boot && test -e /etc/after && test "$(wc -l < /var/lib/noted)" = 1'}
"#;
    let output = tested("reboots", recipe);
    assert_eq!(output.code, Some(0), "{output}");
    // Those of both boots, each once: the first boot, before, boot anew, after, note.
    assert!(output.stdout.contains("reboots: 5 step(s)"), "{output}");
    assert!(
        output.stderr.contains("reboots: reboots: boot anew"),
        "{output}"
    );
}

#[test]
fn a_condition_that_holds_after_the_reboot_ends_the_apply() {
    let recipe = "recipe: 1\nname: endless\nsteps:\n  - reboot: {only-if: \"true\"}\n";
    let output = tested("endless", recipe);
    assert_eq!(output.code, Some(6), "{output}");
    assert!(
        output.stderr.contains("its condition still wants a reboot"),
        "{output}"
    );
    assert!(output.stderr.contains("endless.yaml:4:5"), "{output}");
}

#[test]
fn a_reboot_that_nobody_wished_for_interrupts_and_the_steps_go_on() {
    // The machine asks EC2 for its own reboot, as an administrator would in the middle of the apply.
    let recipe = r#"recipe: 1
name: disturbed
steps:
  - run:
      name: somebody reboots the machine
      command: |
        touch /var/lib/disturbed
        curl -fsS -d Action=RebootInstances -d Version=2016-11-15 -d "InstanceId.1=$(cat /var/lib/cloud/data/instance-id)" "$AWS_ENDPOINT_URL/"
        sleep 600
      creates: /var/lib/disturbed
  - file: {path: /etc/after, content: "x\n"}
verify:
  - file: {path: /etc/after}
"#;
    let output = tested("disturbed", recipe);
    assert_eq!(output.code, Some(0), "{output}");
}

/// Lets the recipes on the seed wish for a reboot at their first step until the machine was rebooted.
fn wish_for_a_reboot(world: &World, rebooted: &Arc<AtomicBool>) {
    let script = world.plan().apply;
    let marker = &script.digest.as_str()[..8];
    let step = &script.steps[0].id;
    let log = format!(
        "@@{marker} 100 {step} start\n@@{marker} 200 {step} changed\n@@{marker} 200 {step} reboot\n"
    );
    let data = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &log);
    let started = Mutex::new(std::collections::BTreeSet::new());
    let starts = |script: &str| -> Option<String> {
        let line = script.lines().nth(1)?;
        let unit = line.strip_prefix("# goldseed start ")?;
        unit.contains("-apply-a").then(|| unit.to_owned())
    };
    let answer = |fresh: &str| {
        let offset = log.len();
        format!("goldseed 1\nstate finished\ncode 1\nfresh {fresh}\noffset {offset}\ndata {data}\n")
    };
    let done = Arc::clone(rebooted);
    let again = move |script: &str| starts(script).is_some() && !done.load(Ordering::SeqCst);
    world.sandbox.script_result(again, 0, &answer("no"));
    let done = Arc::clone(rebooted);
    let first = move |script: &str| {
        starts(script).is_some_and(|unit| {
            !done.load(Ordering::SeqCst) && started.lock().unwrap().insert(unit)
        })
    };
    world.sandbox.script_result(first, 0, &answer("yes"));
}

/// Tells whether a request is a command with this verb.
fn is_command(request: &Request, words: &str) -> bool {
    let commands = request.parameters["Parameters"]["commands"].to_string();
    request.operation == "SendCommand" && commands.contains(&format!("# goldseed {words}"))
}

#[test]
fn what_each_boot_holds_back_is_let_go_of_before_the_steps_go_on() {
    let world = World::new();
    let rebooted = Arc::new(AtomicBool::new(false));
    wish_for_a_reboot(&world, &rebooted);
    let done = Arc::clone(&rebooted);
    world.sandbox.set_hook(Some(Hook::new(move |request| {
        if request.operation == "RebootInstances" {
            done.store(true, Ordering::SeqCst);
        }
        Fate::Serve
    })));
    world.succeed(["rebuild", "shop"]);
    let requests = world.sandbox.requests();
    let place = |what: &dyn Fn(&str, &str) -> bool| {
        let is = |one: &goldseed::sandbox::RequestSeen| {
            what(&one.operation, &one.parameters.to_string())
        };
        requests.iter().position(is)
    };
    let started = |words: &'static str| {
        place(&|_, text| text.contains("# goldseed start ") && text.contains(words)).unwrap()
    };
    let reboot = place(&|operation, _| operation == "RebootInstances").unwrap();
    let released = started("-seed-quiet-a2");
    assert!(started("-seed-quiet-a1") < reboot && reboot < released);
    assert!(released < started("-apply-a2"));
    assert_converged(&world, "released");
}

#[test]
fn a_driver_that_dies_around_a_reboot_leaves_a_run_that_goes_on() {
    type Point = fn(&Request) -> bool;
    let points: [(&str, Point, Fate); 6] = [
        (
            "the wish was not heard",
            |request| is_command(request, "start ") && commands_apply(request),
            Fate::LoseAnswer,
        ),
        (
            "the reboot was not asked for",
            |request| request.operation == "RebootInstances",
            Fate::LoseRequest,
        ),
        (
            "the answer was lost",
            |request| request.operation == "RebootInstances",
            Fate::LoseAnswer,
        ),
        (
            "the first look was not made",
            |request| is_command(request, "booted "),
            Fate::LoseRequest,
        ),
        (
            "the boot was not seen",
            |request| is_command(request, "booted "),
            Fate::LoseAnswer,
        ),
        (
            "the second start was not seen",
            |request| is_command(request, "start ") && commands_apply_again(request),
            Fate::LoseAnswer,
        ),
    ];
    for (what, at, lost) in points {
        let world = World::new();
        let rebooted = Arc::new(AtomicBool::new(false));
        wish_for_a_reboot(&world, &rebooted);
        let pid: Arc<OnceLock<u32>> = Arc::default();
        let (process, done) = (Arc::clone(&pid), Arc::clone(&rebooted));
        let killed = AtomicBool::new(false);
        world.sandbox.set_hook(Some(Hook::new(move |request| {
            let dead = killed.load(Ordering::SeqCst);
            let fate = if !dead && at(request) {
                killed.store(true, Ordering::SeqCst);
                send_signal(*process.wait(), "KILL");
                lost.clone()
            } else {
                Fate::Serve
            };
            if request.operation == "RebootInstances" && fate != Fate::LoseRequest {
                done.store(true, Ordering::SeqCst);
            }
            fate
        })));
        let output = world.goldseed(["rebuild", "shop"]).run_as(&pid);
        assert_eq!(output.code, None, "{what}: {output}");
        world.succeed(["resume", &output.run_id()]);
        assert!(rebooted.load(Ordering::SeqCst), "{what}");
        assert!(world.count("RebootInstances") <= 2, "{what}");
        assert_converged(&world, what);
    }
}

fn commands_apply(request: &Request) -> bool {
    request.parameters.to_string().contains("-apply-a1")
}

fn commands_apply_again(request: &Request) -> bool {
    request.parameters.to_string().contains("-apply-a2")
}

#[test]
fn a_machine_that_never_comes_back_is_told_and_the_run_goes_on_once_it_does() {
    let world = World::new();
    let rebooted = Arc::new(AtomicBool::new(false));
    wish_for_a_reboot(&world, &rebooted);
    let done = Arc::clone(&rebooted);
    world.sandbox.set_hook(Some(Hook::new(move |request| {
        if request.operation == "RebootInstances" {
            done.store(true, Ordering::SeqCst);
        }
        if is_command(request, "booted ") {
            return Fate::refused(
                "InvalidInstanceId",
                "Instances not in a valid state for account",
            );
        }
        Fate::Serve
    })));
    let output = world.run(["rebuild", "shop"]);
    assert_never_back(&output, "get-console-output --output text --instance-id i-");
    world.sandbox.set_hook(None);
    world.succeed(["resume", &output.run_id()]);
    assert_converged(&world, "it came back");
}

fn assert_never_back(output: &Output, hint: &str) {
    assert_eq!(output.code, Some(5), "{output}");
    let said: Vec<&str> = output.stderr.split_whitespace().collect();
    let said = said.join(" ");
    for text in ["has not come back from its reboot", hint] {
        assert!(said.contains(text), "`{text}` is not said: {output}");
    }
}

#[test]
fn what_keeps_a_machine_from_coming_back_is_told() {
    for (state, hint) in [
        ("absent", "`systemctl list-jobs` on it"),
        ("running", "`journalctl -b -u goldseed-boot` on it"),
    ] {
        let world = World::new();
        wish_for_a_reboot(&world, &Arc::default());
        let booted = |script: &str| script.contains("# goldseed booted ");
        let answer = format!("goldseed 1\nstate {state}\ncode -\nfresh no\noffset 0\ndata \n");
        world.sandbox.script_result(booted, 0, &answer);
        let output = world.run(["rebuild", "shop"]);
        assert_never_back(&output, hint);
    }
}
