//! `goldseed logs`: what a past run did, from the log on this host and from what AWS keeps.

use super::unsent::assert_says;
use super::world::{Output, World};

/// The events of JSON Lines, by name.
fn names(output: &Output) -> Vec<String> {
    let lines = output.stdout.lines().skip(1);
    let values = lines.map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    values
        .map(|value| value["event"].as_str().unwrap().to_owned())
        .collect()
}

/// This host has no log of any run, as any other host.
fn forget_logs(world: &World) {
    fs_err::remove_dir_all(world.project().join(".goldseed")).unwrap();
}

#[test]
fn a_log_is_shown_whole_and_by_step() {
    let world = World::new();
    world.fail_recipes_once(&["a line of the recipe"]);
    let failed = world.run(["rebuild", "shop"]);
    let run = failed.run_id();
    assert_ne!(failed.code, Some(0), "{failed}");
    let asked = world.sandbox.requests().len();
    let whole = world.succeed(["logs", &run]);
    assert_eq!(world.sandbox.requests().len(), asked, "AWS was asked");
    for text in [
        "snapshot/image",
        "launch/seed",
        "apply/recipes",
        "a line of the recipe",
        "not done",
    ] {
        assert!(whole.stdout.contains(text), "{text}: {whole}");
    }
    world.succeed(["resume", &run]);
    // Both processes are in it.
    let both = world.succeed(["logs", &run]);
    assert_eq!(
        both.stdout
            .matches(&format!("run {run}: rebuild of shop"))
            .count(),
        2,
        "{both}"
    );
    let step = world.succeed(["logs", &run, "--step", "apply/recipes"]);
    assert!(step.stdout.contains("a line of the recipe"), "{step}");
    assert!(!step.stdout.contains("launch/seed"), "{step}");
    let stage = world.succeed(["logs", &run, "--step", "watch"]);
    assert!(stage.stdout.contains("| Beanstalk INFO, "), "{stage}");
    let json = world.succeed(["logs", &run, "--step", "apply", "--json"]);
    let events = names(&json);
    assert_eq!(events.first().map(String::as_str), Some("step_started"));
    assert!(events.contains(&"output".to_owned()), "{json}");
    let unknown = world.run(["logs", &run, "--step", "appl"]);
    assert_eq!(unknown.code, Some(3), "{unknown}");
    assert_says(&unknown, "apply/recipes");
}

#[test]
fn without_a_log_on_this_host_a_run_is_recollected_from_aws() {
    let world = World::new();
    world.fail_recipes_once(&["a line of the recipe"]);
    let failed = world.run(["rebuild", "shop"]);
    let run = failed.run_id();
    world.succeed(["resume", &run]);
    forget_logs(&world);
    let output = world.succeed(["logs", &run]);
    assert_says(&output, "this host has no log of run");
    let golden = &world.images("golden")[0].id;
    for text in [
        "a line of the recipe",
        "apply-a1 on i-",
        "image/golden",
        golden,
        "| Beanstalk INFO, ",
        "Environment update completed successfully.",
        &format!("run {run} done: done"),
    ] {
        assert!(output.stdout.contains(text), "{text}: {output}");
    }
    let step = world.succeed(["logs", &run, "--step", "apply/recipes"]);
    assert!(step.stdout.contains("a line of the recipe"), "{step}");
    assert!(!step.stdout.contains("Beanstalk"), "{step}");
    // What may not be read is said, and the rest is shown.
    world
        .sandbox
        .set_hook(Some(goldseed::sandbox::Hook::new(|request| {
            if request.operation == "ListCommandInvocations" {
                goldseed::sandbox::Fate::refused("AccessDeniedException", "not authorized")
            } else {
                goldseed::sandbox::Fate::Serve
            }
        })));
    let output = world.succeed(["logs", &run]);
    assert_says(&output, "not read: what was printed on i-");
    assert!(output.stdout.contains("apply/recipes"), "{output}");
}

#[test]
fn what_is_no_run_has_no_log() {
    let world = World::new();
    let nonsense = world.run(["logs", "../../etc/passwd"]);
    assert_eq!(nonsense.code, Some(2), "{nonsense}");
    let unknown = world.run(["logs", "20260101-000000-0001"]);
    assert_eq!(unknown.code, Some(3), "{unknown}");
    assert_says(&unknown, "has a run 20260101-000000-0001");
}

#[test]
fn what_abandon_removed_is_in_the_log_of_the_run() {
    let world = World::new();
    world.fail_recipes_once(&["a line"]);
    let run = world.run(["build", "shop"]).run_id();
    world.succeed(["abandon", &run]);
    let output = world.succeed(["logs", &run, "--step", "abandon"]);
    assert!(output.stdout.contains("removed"), "{output}");
}
