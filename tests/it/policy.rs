//! The README's policy for building: it allows what a build asks for, and what it lets change is bound to tags.

use std::collections::BTreeSet;

use goldseed::sandbox::Service;
use serde_json::Value;

use super::world::{World, changes};

/// The statements of the README's policy.
fn statements() -> Vec<Value> {
    let readme = fs_err::read_to_string("README.md").unwrap();
    let (_, rest) = readme.split_once("```json\n").unwrap();
    let (policy, _) = rest.split_once("```").unwrap();
    let policy: Value = serde_json::from_str(policy).unwrap();
    policy["Statement"].as_array().unwrap().clone()
}

/// One text or a list of them.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(list) => list.iter().map(|one| one.as_str().unwrap()).collect(),
        one => vec![one.as_str().unwrap()],
    }
}

fn action(service: Service, operation: &str) -> Option<String> {
    let prefix = match service {
        Service::Ec2 => "ec2",
        Service::Beanstalk => "elasticbeanstalk",
        Service::Ssm => "ssm",
        Service::Sts => "sts",
        // Bundles are the deployment's, which is not goldseed's.
        Service::Storage => return None,
    };
    Some(format!("{prefix}:{operation}"))
}

#[test]
fn the_policy_allows_every_call_of_a_build_that_fails_and_goes_on() {
    let world = World::new();
    let before = world.sandbox.requests().len();
    world.fail_recipes_once(&["no"]);
    let failed = world.run(["build", "shop"]);
    assert_eq!(failed.code, Some(6), "{failed}");
    world.succeed(["resume", &failed.run_id()]);
    world.succeed(["status", "shop"]);
    world.succeed(["sweep"]);
    let asked: BTreeSet<String> = world
        .sandbox
        .requests()
        .iter()
        .skip(before)
        .filter_map(|one| action(one.service, &one.operation))
        .collect();
    let statements = statements();
    let allowed: BTreeSet<&str> = statements
        .iter()
        .flat_map(|statement| texts(&statement["Action"]))
        .collect();
    let missing: Vec<_> = asked
        .iter()
        .filter(|action| !allowed.contains(action.as_str()))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    for service in ["autoscaling:", "cloudformation:", "elasticloadbalancing:"] {
        assert!(
            allowed.iter().any(|action| action.starts_with(service)),
            "Beanstalk asks {service} with the caller's rights"
        );
    }
}

#[test]
fn what_changes_anything_is_bound_to_a_tag_or_to_what_it_is_used_with() {
    // What a launch takes, the one document, the tool's own parameters, the seed's role.
    let bound_by_resource = ["LaunchWith", "CommandDocument", "Remember", "SeedsRole"];
    for statement in statements() {
        let sid = statement["Sid"].as_str().unwrap();
        let actions = texts(&statement["Action"]);
        let mutates = actions.iter().any(|action| {
            let (_, operation) = action.split_once(':').unwrap();
            changes(operation)
        });
        if !mutates {
            continue;
        }
        let resources = texts(&statement["Resource"]);
        assert!(!resources.contains(&"*"), "{sid}");
        if !bound_by_resource.contains(&sid) {
            let condition = statement["Condition"].to_string();
            let holds = ["aws:ResourceTag/", "aws:RequestTag/", "ec2:CreateAction"];
            assert!(holds.iter().any(|key| condition.contains(key)), "{sid}");
        }
    }
}
