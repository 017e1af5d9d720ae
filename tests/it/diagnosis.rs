//! What is found out about a machine whose agent never answers: in minutes, with what to do, and nothing lost.

use super::world::{Output, World};
use goldseed::sandbox::{Behaviour, Fate, Hook, WayOut};

/// A rebuild whose seed never registers.
fn unanswered(world: &World) -> Output {
    world.sandbox.behave("-raw-", Behaviour::NeverRegisters);
    let output = world.run(["rebuild", "shop"]);
    assert_eq!(output.code, Some(5), "{output}");
    assert_eq!(
        world.machines(),
        ["seed"],
        "it is left for a look: {output}"
    );
    output
}

/// The last part of what is said: the error with its causes and hints.
fn error(output: &Output) -> String {
    let text = output.to_string();
    let group = regex_lite::Regex::new(r"\bsg-[0-9a-f]{17}\b").unwrap();
    let text = group.replace_all(&text, "[sg]");
    text[text.rfind("error: ").unwrap()..].to_owned()
}

#[test]
fn a_seed_that_never_answers_is_diagnosed_and_the_run_goes_on_once_it_does() {
    let world = World::new();
    world.sandbox.set_way_out(WayOut {
        default_route: None,
        ..WayOut::default()
    });
    let output = unanswered(&world);
    insta::assert_snapshot!(error(&output));
    assert!(output.stderr.contains("goldseed resume"), "{output}");

    // The route is mended and the machine comes up: the same machine goes on.
    world.sandbox.set_way_out(WayOut::default());
    world.sandbox.behave("-raw-", Behaviour::Well);
    let seed = world.machine("seed");
    world
        .wait_for(world.ec2().reboot_instances().instance_ids(&seed).send())
        .unwrap();
    world.succeed(["resume", &output.run_id()]);
    assert_eq!(world.launches(), 2);
    assert!(world.machines().is_empty());
}

#[test]
fn the_profile_the_endpoints_and_the_security_groups_are_looked_at() {
    let world = World::new();
    world.edit("seed: {instance-profile: goldseed-seed}", "");
    world.sandbox.set_way_out(WayOut {
        default_route: Some("igw-0a1b2c3d4e5f60718".to_owned()),
        endpoints: vec!["ssm".to_owned()],
        egress: false,
    });
    insta::assert_snapshot!(error(&unanswered(&world)));
}

#[test]
fn looks_that_are_forbidden_are_told_and_hide_nothing() {
    let world = World::new();
    let forbidden = [
        "DescribeInstanceStatus",
        "DescribeRouteTables",
        "DescribeVpcEndpoints",
        "DescribeSecurityGroups",
        "GetConsoleOutput",
    ];
    world.sandbox.set_hook(Some(Hook::new(move |request| {
        if forbidden.contains(&request.operation.as_str()) {
            Fate::Refuse {
                status: 403,
                code: "UnauthorizedOperation".to_owned(),
                message: "You are not authorized to perform this operation.".to_owned(),
            }
        } else {
            Fate::Serve
        }
    })));
    insta::assert_snapshot!(error(&unanswered(&world)));
}

#[test]
fn an_agent_that_is_online_and_takes_nothing_is_diagnosed_too() {
    let world = World::new();
    let probe = |script: &str| script.contains("# goldseed probe ");
    world.sandbox.script_hangs(probe, u32::MAX);
    let output = world.run(["rebuild", "shop"]);
    assert_eq!(output.code, Some(5), "{output}");
    let said: Vec<&str> = output.stderr.split_whitespace().collect();
    let said = said.join(" ");
    assert!(
        said.contains("registered and online, but silent"),
        "{output}"
    );
    assert!(
        said.contains("its agent has registered and does not answer any more"),
        "{output}"
    );
}
