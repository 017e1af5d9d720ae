//! `goldseed status`: why an environment is unhealthy, and what Beanstalk has reported.

use goldseed::sandbox::Behaviour;

use super::world::{STOCK, World};

#[test]
fn the_causes_of_a_bad_health_are_shown_of_each_instance_too() {
    let world = World::new();
    let healthy = world.succeed(["status", "shop"]);
    assert!(!healthy.stdout.contains("cause:"), "{healthy}");
    assert!(!healthy.stdout.contains("events of Beanstalk"), "{healthy}");
    world.sandbox.behave(STOCK, Behaviour::Unhealthy);
    let output = world.succeed(["status", "shop"]);
    let lines: Vec<&str> = output.stdout.lines().collect();
    assert!(lines[0].contains("health Severe"), "{output}");
    let causes = lines.iter().filter(|line| line.starts_with("  cause: "));
    assert!(causes.count() >= 2, "{output}");
    let instances = lines.iter().filter(|line| line.starts_with("  i-"));
    let severe = instances.filter(|line| line.contains(" is Severe: "));
    assert_eq!(severe.count(), 2, "{output}");
}

#[test]
fn warnings_and_errors_of_beanstalk_are_shown_whole_and_with_their_times() {
    let world = World::new();
    world.sandbox.behave("golden", Behaviour::FailsToDeploy);
    let output = world.run(["rebuild", "shop"]);
    assert_eq!(output.code, Some(7), "{output}");
    let form = r"\| Beanstalk ERROR, \d\d:\d\d:\d\d UTC: \S";
    let form = regex_lite::Regex::new(form).unwrap();
    assert!(form.is_match(&output.stderr), "{}", output.stderr);
    let output = world.succeed(["status", "shop"]);
    let form = r"(?m)^  \d{4}-\d\d-\d\d \d\d:\d\d:\d\d  ERROR  .*[^…]$";
    let form = regex_lite::Regex::new(form).unwrap();
    assert!(form.is_match(&output.stdout), "{}", output.stdout);
    assert!(!output.stdout.contains("  INFO  "), "{}", output.stdout);
}
