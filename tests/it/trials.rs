//! Trial launches: EC2 is asked for what the fleet asks for, only what it says of the image counts against the image, and
//! nothing of it stops a rollback.

use std::sync::{Arc, Mutex};

use goldseed::sandbox::{Fate, Hook, Request};

use super::world::{Output, World};

fn is_trial(request: &Request) -> bool {
    request.operation == "RunInstances" && request.parameter("DryRun") == Some("true")
}

/// Every trial launch that `refused` picks gets this code; the rest is served.
fn refuse_trials(
    world: &World,
    code: &'static str,
    refused: impl Fn(&Request) -> bool + Send + Sync + 'static,
) {
    world.sandbox.set_hook(Some(Hook::new(move |request| {
        if is_trial(request) && refused(request) {
            Fate::refused(code, "not possible")
        } else {
            Fate::Serve
        }
    })));
}

fn assert_says(output: &Output, text: &str) {
    let said = output.stderr.split_whitespace().collect::<Vec<_>>();
    assert!(said.join(" ").contains(text), "{text}: {output}");
}

/// A world on a golden image, with another one that is built and not promoted.
fn with_two_images() -> World {
    let world = World::new();
    world.succeed(["rebuild", "shop"]);
    world.edit("text: Hello", "text: Good evening");
    world.succeed(["build", "shop"]);
    world
}

/// The subnets of the world, the first of which the environment names first.
fn in_two_subnets(world: &World) -> Vec<String> {
    let answer = world.wait_for(world.ec2().describe_subnets().send());
    let subnets = answer.unwrap();
    let ids: Vec<String> = subnets
        .subnets()
        .iter()
        .take(2)
        .map(|subnet| subnet.subnet_id().unwrap().to_owned())
        .collect();
    world.change_environment(&[("aws:ec2:vpc", "Subnets", &ids.join(","))]);
    ids
}

#[test]
fn an_image_that_may_not_be_launched_is_neither_a_way_back_nor_gone_back_to() {
    let world = World::new();
    world.succeed(["rebuild", "shop"]);
    let first = world.images("golden")[0].id.clone();
    world.edit("text: Hello", "text: Good evening");
    let of_first = move |request: &Request| request.parameter("ImageId") == Some(first.as_str());
    refuse_trials(&world, "InvalidAMIID.Unavailable", of_first.clone());
    let refused = world.run(["rebuild", "shop"]);
    assert_eq!(refused.code, Some(4), "{refused}");
    assert_says(&refused, "cannot be launched as t3.small");

    world.sandbox.set_hook(None);
    world.succeed(["rebuild", "shop"]);
    refuse_trials(&world, "InvalidAMIID.Unavailable", of_first);
    world.succeed(["rollback", "shop"]);
    assert_eq!(world.base_image(), None, "the image was passed over");
}

#[test]
fn what_is_tried_is_what_the_fleet_launches() {
    let world = with_two_images();
    let trials: Arc<Mutex<Vec<serde_json::Value>>> = Arc::default();
    let seen = Arc::clone(&trials);
    world.sandbox.set_hook(Some(Hook::new(move |request| {
        if is_trial(request) {
            seen.lock().unwrap().push(request.parameters.clone());
        }
        Fate::Serve
    })));
    let promoted = world.succeed(["promote", "shop"]);
    assert!(!promoted.stderr.contains("no trial launch"), "{promoted}");
    let trials = trials.lock().unwrap();
    assert!(!trials.is_empty());
    let environment = world.environment()["id"].as_str().unwrap().to_owned();
    for trial in trials.iter() {
        let text = trial.to_string();
        assert_eq!(trial["MetadataOptions.HttpTokens"], "required", "{text}");
        assert_eq!(
            trial["TagSpecification.1.ResourceType"], "instance",
            "{text}"
        );
        assert_eq!(trial["TagSpecification.2.ResourceType"], "volume", "{text}");
        assert!(text.contains("elasticbeanstalk:environment-name"), "{text}");
        assert!(text.contains(&environment), "{text}");
        assert!(!text.contains("aws:"), "{text}");
        assert!(trial["SubnetId"].is_string(), "{text}");
        assert!(trial["SecurityGroupId.1"].is_string(), "{text}");
    }
}

#[test]
fn where_the_account_demands_tokens_and_tags_promotions_and_rollbacks_go_on() {
    let world = with_two_images();
    refuse_trials(&world, "UnauthorizedOperation", |request| {
        let tagged = request.parameters.to_string();
        request.parameter("MetadataOptions.HttpTokens") != Some("required")
            || !tagged.contains("elasticbeanstalk:environment-name")
    });
    for verb in ["promote", "rollback"] {
        let output = world.succeed([verb, "shop"]);
        assert!(!output.stderr.contains("no trial launch"), "{output}");
    }
}

#[test]
fn a_subnet_that_cannot_take_the_type_is_no_word_on_the_image() {
    let world = with_two_images();
    let subnets = in_two_subnets(&world);
    let first = subnets[0].clone();
    refuse_trials(&world, "Unsupported", move |request| {
        request.parameter("SubnetId") == Some(first.as_str())
    });
    for verb in ["promote", "rollback"] {
        let output = world.succeed([verb, "shop"]);
        assert!(!output.stderr.contains("no trial launch"), "{output}");
    }
}

#[test]
fn a_type_that_no_zone_sells_is_said_and_stops_nothing() {
    let world = with_two_images();
    world.sandbox.set_hook(Some(Hook::new(|request| {
        if request.operation == "DescribeInstanceTypeOfferings" {
            Fate::Empty
        } else {
            Fate::Serve
        }
    })));
    for verb in ["promote", "rollback"] {
        let output = world.succeed([verb, "shop"]);
        assert_says(&output, "AWS does not sell t3.small in eu-central-1");
    }
}

#[test]
fn a_trial_that_says_nothing_of_the_image_warns_and_refuses_nothing() {
    for code in [
        "UnauthorizedOperation",
        "VcpuLimitExceeded",
        "InsufficientInstanceCapacity",
        "Unsupported",
        "InvalidSubnetID.NotFound",
        "InvalidParameterValue",
    ] {
        let world = with_two_images();
        refuse_trials(&world, code, |_| true);
        for verb in ["promote", "rollback", "rebuild"] {
            world.edit(
                "text: Good",
                if verb == "rebuild" {
                    "text: Very good"
                } else {
                    "text: Good"
                },
            );
            let output = world.succeed([verb, "shop"]);
            assert_says(
                &output,
                "no trial launch shows whether shop-prod can launch",
            );
            assert_says(&output, code);
            assert!(!output.stderr.contains("way back"), "{output}");
        }
    }
}

#[test]
fn the_warning_comes_in_the_first_minute_of_a_rebuild() {
    let world = World::new();
    refuse_trials(&world, "UnauthorizedOperation", |_| true);
    let output = world.succeed(["rebuild", "shop"]);
    let warned = output.stderr.find("no trial launch shows").unwrap();
    let observed = output.stderr.find("observe/ground").unwrap();
    assert!(warned < observed, "{output}");
    assert_says(&output, "the fleet launches with Auto Scaling's role");
}

#[test]
fn an_account_that_may_launch_nothing_promotes_nothing_and_still_goes_back() {
    let world = with_two_images();
    for (code, helps) in [
        ("OptInRequired", "the account is not subscribed to this"),
        ("PendingVerification", "still verifying the account"),
        ("Blocked", "AWS has blocked the account"),
    ] {
        refuse_trials(&world, code, |_| true);
        for verb in ["promote", "rebuild"] {
            let output = world.run([verb, "shop"]);
            assert_eq!(output.code, Some(5), "{output}");
            assert_says(&output, helps);
            assert!(!output.stderr.contains("way back"), "{output}");
            let abandoned = world.run(["abandon", &output.run_id()]);
            assert_eq!(abandoned.code, Some(0), "{abandoned}");
        }
    }
    assert_eq!(world.count("UpdateEnvironment"), 1);
    let rolled = world.succeed(["rollback", "shop"]);
    assert_says(&rolled, "the rollback continues");
    assert_eq!(world.base_image(), None);
}
