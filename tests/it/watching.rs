//! The watch while an update is under way: strong evidence against the first new instances ends it, as long as old ones
//! serve; and what counts as in service.

use std::sync::{Arc, Mutex, OnceLock};

use super::world::{EnvironmentKind, Output, ROLLING, World};
use goldseed::sandbox::{Behaviour, Fate, Hook};

/// Four instances, replaced one after the other or all at once beside the old ones.
fn four(policy: &str) -> World {
    let kind = EnvironmentKind::default()
        .set("aws:autoscaling:asg", "MinSize", "4")
        .set("aws:autoscaling:asg", "MaxSize", "8")
        .set(ROLLING, "MinInstancesInService", "3")
        .set(ROLLING, "RollingUpdateType", policy);
    World::with(&kind)
}

/// The recipe asks through the balancer what every simulated instance answers.
fn with_a_check_at_the_balancer(world: &World) {
    let recipe = "recipe: 1
name: greeting
params:
  text: {type: string}
steps:
  - file: {path: /etc/motd, content: \"${{ text }}\\n\"}
verify:
  - http: {path: /, contains: simulated}
    at: balancer
";
    world.write("recipes/greeting.yaml", recipe);
}

/// A rebuild whose update is aborted; how many instances ran another image than the new one when that was asked for.
fn is_aborted(world: &World, says: &[&str]) -> (Output, usize) {
    let old = Arc::new(Mutex::new(0));
    let count = Arc::clone(&old);
    let golden = Arc::new(Mutex::new(String::new()));
    let now = Arc::clone(&golden);
    let aborts =
        move |request: &goldseed::sandbox::Request| request.operation == "AbortEnvironmentUpdate";
    let output = world.meanwhile(["rebuild", "shop"], aborts, || {
        let [image] = world.images("golden").try_into().unwrap();
        let members = world.member_images();
        *count.lock().unwrap() = members.iter().filter(|one| **one != image.id).count();
        *now.lock().unwrap() = image.id;
    });
    assert_eq!(output.code, Some(7), "{output}");
    for text in says {
        assert!(
            output.said().contains(text),
            "`{text}` is not said: {output}"
        );
    }
    assert_eq!(world.count("UpdateEnvironment"), 1, "{output}");
    assert_eq!(world.base_image(), None);
    let golden = world.image(&golden.lock().unwrap());
    assert!(golden.tags.contains_key("goldseed:quarantined"), "{output}");
    let old = *old.lock().unwrap();
    (output, old)
}

#[test]
fn a_blank_page_of_the_first_batch_ends_a_rolling_update() {
    let world = four("Health");
    with_a_check_at_the_balancer(&world);
    let behaviour = Behaviour::Answers {
        status: 200,
        page: "",
    };
    world.sandbox.behave("golden", behaviour);
    let says = [
        "answers 200 without `simulated` in its 0 bytes, 3 times in a row",
        "Beanstalk replaces the instances that run it already once more",
    ];
    let (output, old) = is_aborted(&world, &says);
    assert!(old >= 2, "{old} old instances were left: {output}");
}

#[test]
fn a_blank_page_beside_the_old_fleet_ends_an_immutable_update() {
    let world = four("Immutable");
    with_a_check_at_the_balancer(&world);
    let behaviour = Behaviour::Answers {
        status: 200,
        page: "",
    };
    world.sandbox.behave("golden", behaviour);
    let says = [
        "answers 200 without `simulated` in its 0 bytes, 3 times in a row",
        "the old ones serve all along",
    ];
    let (output, old) = is_aborted(&world, &says);
    assert_eq!(old, 4, "{output}");
}

#[test]
fn errors_that_visitors_get_end_the_update_where_no_probe_asks() {
    let world = four("Health");
    let behaviour = Behaviour::Answers {
        status: 500,
        page: "oops",
    };
    world.sandbox.behave("golden", behaviour);
    let says = ["answers 5xx to 10 of 10 requests, 3 times in a row"];
    let (output, old) = is_aborted(&world, &says);
    assert!(old >= 2, "{old} old instances were left: {output}");
}

#[test]
fn a_first_batch_that_stays_ill_ends_the_update_before_beanstalk_does() {
    let world = four("Health");
    world.sandbox.behave("golden", Behaviour::StaysUpdating);
    let says = ["is Severe: ELB health is failing or not available, for"];
    let (output, old) = is_aborted(&world, &says);
    assert_eq!(old, 3, "{output}");
}

#[test]
fn a_check_that_failed_before_does_not_end_the_update() {
    let world = four("Health");
    let recipe = "recipe: 1
name: greeting
params:
  text: {type: string}
steps:
  - file: {path: /etc/motd, content: \"${{ text }}\\n\"}
verify:
  - http: {path: /, contains: New}
    at: balancer
";
    world.write("recipes/greeting.yaml", recipe);
    let page = "New";
    world
        .sandbox
        .behave("golden", Behaviour::Answers { status: 200, page });
    world.succeed(["rebuild", "shop"]);
    assert_eq!(world.count("AbortEnvironmentUpdate"), 0);
}

#[test]
fn a_rollback_by_hand_is_left_to_beanstalk() {
    let world = World::new();
    with_a_check_at_the_balancer(&world);
    world.succeed(["rebuild", "shop"]);
    world.edit("text: Hello", "text: Good evening");
    world.succeed(["rebuild", "shop"]);
    let first = world.images("golden")[0].id.clone();
    let behaviour = Behaviour::Answers {
        status: 500,
        page: "oops",
    };
    world.sandbox.behave(&first, behaviour);
    // Nothing is asked of an image of other recipes, and nothing takes back what a person has asked for.
    world.succeed(["rollback", "shop"]);
    assert_eq!(world.count("AbortEnvironmentUpdate"), 0);
    assert_eq!(world.base_image(), Some(first));
}

#[test]
fn status_tells_first_of_a_run_that_nobody_watches() {
    let world = World::new();
    let pid: Arc<OnceLock<u32>> = Arc::default();
    let swapped = Mutex::new(false);
    world.signal_at(&pid, "KILL", Fate::LoseAnswer, move |request| {
        let mut swapped = swapped.lock().unwrap();
        *swapped |= request.operation == "UpdateEnvironment";
        *swapped && request.operation == "DescribeEvents"
    });
    let output = world.goldseed(["rebuild", "shop"]).run_as(&pid);
    world.sandbox.set_hook(None);
    assert_eq!(output.code, None, "{output}");
    world.until_ready();
    let run = output.run_id();
    let golden = world.base_image().unwrap();
    let status = world.succeed(["status", "shop"]);
    let first = format!(
        "run {run} (rebuild) is unfinished: an update from platform to {golden} was sent, and {golden} was not judged"
    );
    assert!(status.stdout.starts_with(&first), "{status}");
    world.succeed(["resume", &run]);
    let status = world.succeed(["status", "shop"]);
    assert!(status.stdout.starts_with("shop-prod ("), "{status}");
}

#[test]
fn status_counts_what_serves_and_not_what_runs() {
    let world = World::new();
    let status = world.succeed(["status", "shop"]);
    assert!(
        status.stdout.contains("2 of 2 instances in service"),
        "{status}"
    );
    world
        .sandbox
        .behave(super::world::STOCK, Behaviour::Unhealthy);
    let status = world.succeed(["status", "shop"]);
    assert!(
        status.stdout.contains("0 of 2 instances in service"),
        "{status}"
    );
}

#[test]
fn info_is_called_info() {
    let world = World::new();
    let output = world.succeed(["rebuild", "shop"]);
    let line = output
        .stderr
        .lines()
        .find(|line| line.contains("Updating, "))
        .unwrap();
    assert!(line.contains("health Info"), "{line}");
}

#[test]
fn an_update_that_cannot_be_aborted_any_more_is_waited_for() {
    let world = four("Health");
    let behaviour = Behaviour::Answers {
        status: 500,
        page: "oops",
    };
    world.sandbox.behave("golden", behaviour);
    world.sandbox.set_hook(Some(Hook::new(|request| {
        if request.operation == "AbortEnvironmentUpdate" {
            Fate::refused("InvalidParameterValue", "Must be pending deployment.")
        } else {
            Fate::Serve
        }
    })));
    let output = world.run(["rebuild", "shop"]);
    assert_eq!(output.code, Some(7), "{output}");
    assert_eq!(world.count("UpdateEnvironment"), 2, "{output}");
    assert_eq!(world.base_image(), None);
}
