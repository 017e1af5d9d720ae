//! What is said of a rollback's cost before anything is replaced, and what a rollback's own watch asks.

use super::unsent::assert_says;
use super::world::{EnvironmentKind, ROLLING, World};

#[test]
fn preflight_says_what_a_rollback_and_a_long_request_will_cost() {
    for (policy, expected) in [
        (
            "Health",
            "(update policy Health) replaces 2 instances in 2 batches of 1",
        ),
        (
            "Immutable",
            "(update policy Immutable) launches 2 more instances",
        ),
    ] {
        let kind = EnvironmentKind::default()
            .set(ROLLING, "RollingUpdateType", policy)
            .set(
                "aws:elasticbeanstalk:environment:process:default",
                "DeregistrationDelay",
                "45",
            );
        let world = World::with(&kind);
        let rebuilt = world.succeed(["rebuild", "shop"]);
        assert_says(&rebuilt, expected);
        assert_says(&rebuilt, "are cut off after 45 s with 502");
        assert_eq!(
            rebuilt.stderr.matches("(update policy").count(),
            1,
            "{rebuilt}"
        );
        let back = world.succeed(["rollback", "shop"]);
        assert_says(&back, expected);
        let built = world.succeed(["build", "shop"]);
        assert!(!built.stderr.contains("(update policy"), "{built}");
    }
}

#[test]
fn a_rollback_is_judged_by_the_recipes_checks_that_passed_before() {
    // One instance, whose page names it: every other one fails the check, and so does the rollback's.
    let kind = EnvironmentKind::default()
        .set(ROLLING, "RollingUpdateType", "Immutable")
        .set("aws:autoscaling:asg", "MinSize", "1");
    let world = World::with(&kind);
    let environment = world.environment();
    let [member] = environment["members"].as_array().unwrap().as_slice() else {
        panic!("{environment}");
    };
    let member = member.as_str().unwrap();
    let recipe = fs_err::read_to_string(world.project().join("recipes/greeting.yaml")).unwrap();
    let check = format!("  - http: {{path: /, contains: \"{member}\"}}\n    at: balancer\n");
    world.write("recipes/greeting.yaml", &(recipe + &check));
    let output = world.run(["rebuild", "shop"]);
    assert_eq!(output.code, Some(8), "{output}");
    assert_says(&output, "and of going back:");
    assert_eq!(
        output.stderr.matches("before the swap").count(),
        0,
        "{output}"
    );
}
