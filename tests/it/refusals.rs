//! What is refused: with the reason and the way out, before anything is touched.

use std::fmt::Write as _;

use super::unsent::assert_says;
use super::world::{
    EnvironmentKind, KIND, LAUNCH, Output, PLATFORM, ROLLING, STOCK, World, mutates,
};
use goldseed::sandbox::{Behaviour, Fate, Hook};

/// The stock images for another architecture, and of another platform version.
const ARM_STOCK: &str = "ami-0c8a5e1d3c7f20431";
const OLDER_STOCK: &str = "ami-0b8a5e1d3c7f20430";

/// Runs the binary, and has it end with this code without a call that changes anything but its own record.
fn refused<const N: usize>(world: &World, code: i32, arguments: [&str; N]) -> Output {
    let before = world.sandbox.requests().len();
    let output = world.run(arguments);
    assert_eq!(output.code, Some(code), "{output}");
    assert_untouched(world, before);
    output
}

/// Nothing was changed since so many requests but the run's own record.
fn assert_untouched(world: &World, before: usize) {
    for request in world.sandbox.requests().split_off(before) {
        let name = request.parameters["Name"].as_str().unwrap_or_default();
        let own = request.operation == "PutParameter" && name.starts_with("/goldseed/shop/runs/");
        assert!(own || !mutates(&request), "{request:?}");
    }
}

/// Prints outputs under a heading each.
fn listed(outputs: &[(&str, Output)]) -> String {
    let mut text = String::new();
    for (name, output) in outputs {
        write!(text, "##### {name}\n{output}\n\n").unwrap();
    }
    text
}

fn kind() -> EnvironmentKind {
    EnvironmentKind::default()
}

#[test]
fn an_environment_that_is_not_there_is_told_with_those_that_are() {
    let nothing = World::empty();
    let world = World::new();
    world.edit("environment: shop-prod", "environment: shop-live");
    insta::assert_snapshot!(listed(&[
        (
            "no environment at all",
            refused(&nothing, 4, ["rebuild", "shop"])
        ),
        ("another name", refused(&world, 4, ["promote", "shop"])),
        ("rollback", refused(&world, 4, ["rollback", "shop"])),
    ]));
}

#[test]
fn an_environment_that_cannot_be_judged_is_refused() {
    let busy = World::new();
    busy.begin_change(&[(LAUNCH, "ImageId", OLDER_STOCK)]);
    let ill = World::new();
    ill.sandbox.behave(STOCK, Behaviour::Unhealthy);
    let worker = World::with(&kind().worker());
    insta::assert_snapshot!(listed(&[
        ("not ready", refused(&busy, 4, ["rebuild", "shop"])),
        ("not well", refused(&ill, 4, ["rebuild", "shop"])),
        ("a worker", refused(&worker, 4, ["rebuild", "shop"])),
    ]));
}

#[test]
fn an_outage_is_refused_unless_it_is_accepted() {
    let single = kind().set(KIND, "EnvironmentType", "SingleInstance");
    let off = kind().set(ROLLING, "RollingUpdateEnabled", "false");
    let timed = kind().set(ROLLING, "RollingUpdateType", "Time");
    let mut outputs = Vec::new();
    for (name, kind) in [
        (
            "a single instance",
            single.set("aws:autoscaling:asg", "MinSize", "1"),
        ),
        ("rolling updates off", off),
        ("rolling updates by time", timed),
    ] {
        let world = World::with(&kind);
        outputs.push((name, refused(&world, 4, ["rebuild", "shop"])));
        assert_eq!(
            world.images("golden").len(),
            0,
            "{name}: something was built first"
        );

        world.succeed(["rebuild", "shop", "--accept-downtime"]);
        let golden = &world.images("golden")[0].id;
        assert_eq!(world.base_image().as_ref(), Some(golden), "{name}");
        assert!(
            world.member_images().iter().all(|image| image == golden),
            "{name}"
        );
        // Going back replaces the instances too.
        assert_eq!(world.run(["rollback", "shop"]).code, Some(4), "{name}");
        world.succeed(["rollback", "shop", "--accept-downtime"]);
        assert_eq!(world.base_image(), None, "{name}");
    }
    insta::assert_snapshot!(listed(&outputs));
}

#[test]
fn immutable_updates_are_as_good_as_those_by_health() {
    let world = World::with(&kind().set(ROLLING, "RollingUpdateType", "Immutable"));
    world.succeed(["rebuild", "shop"]);
    let golden = &world.images("golden")[0].id;
    assert!(world.member_images().iter().all(|image| image == golden));
}

#[test]
fn an_image_that_does_not_fit_is_refused() {
    let world = World::new();
    let none = refused(&world, 4, ["promote", "shop"]);
    let gone = refused(
        &world,
        4,
        ["promote", "shop", "--image", "ami-00000000000000000"],
    );

    let member = world.environment()["members"][0]
        .as_str()
        .unwrap()
        .to_owned();
    let call = world
        .ec2()
        .create_image()
        .instance_id(member)
        .name("somebody's own");
    let own = world.wait_for(call.send()).unwrap().image_id.unwrap();
    let pending = refused(&world, 4, ["promote", "shop", "--image", &own]);
    world.until_available(&own);
    let unproved = refused(&world, 4, ["promote", "shop", "--image", &own]);

    world.edit("goldseed-seed}", "goldseed-seed, volume-size: 20}");
    world.succeed(["build", "shop"]);
    world.change_environment(&[(LAUNCH, "RootVolumeSize", "10")]);
    let large = refused(&world, 4, ["promote", "shop"]);

    let arm = World::new();
    arm.edit(
        "goldseed-seed}",
        &format!("goldseed-seed, instance-type: t4g.small}}\n    source: {ARM_STOCK}"),
    );
    arm.succeed(["build", "shop"]);
    let arm_image = refused(&arm, 4, ["promote", "shop"]);

    insta::assert_snapshot!(listed(&[
        ("no golden image", none),
        ("an image that is not there", gone),
        ("an image that is not made yet", pending),
        ("an image that is not proved", unproved),
        ("a root volume that is too small", large),
        ("another architecture", arm_image),
    ]));
}

#[test]
fn an_image_of_another_platform_version_is_refused() {
    let world = World::new();
    world.succeed(["build", "shop"]);
    world.change_platform(&PLATFORM.replace("4.3.1", "4.3.0"));
    insta::assert_snapshot!(refused(&world, 4, ["promote", "shop"]));
}

#[test]
fn an_environment_that_somebody_holds_is_left_to_them() {
    let world = World::new();
    world.succeed(["build", "shop"]);
    let lease = serde_json::json!({
        "run": "20260101-020000-00aa",
        "who": "anna@laptop",
        "since": "2026-01-01T02:00:00Z",
        "until": "2999-01-01T02:10:00Z",
        "w": {"n": "1234abcd", "q": 0},
    });
    let environment = world.environment()["id"].as_str().unwrap().to_owned();
    let name = format!("/goldseed/environments/{environment}/lease/1");
    world.put_parameter(&name, &lease.to_string());
    let mut outputs = Vec::new();
    for (verb, arguments) in [
        ("rebuild", ["rebuild", "shop"]),
        ("promote", ["promote", "shop"]),
        ("rollback", ["rollback", "shop"]),
    ] {
        outputs.push((verb, refused(&world, 4, arguments)));
    }
    outputs.push(("status", world.succeed(["status", "shop"])));
    insta::assert_snapshot!(listed(&outputs));
    assert_eq!(
        world.parameters()[&name].len(),
        1,
        "somebody else's lease was written"
    );
}

#[test]
fn a_lease_that_nobody_renews_is_taken_over() {
    let world = World::new();
    world.succeed(["build", "shop"]);
    let lease = serde_json::json!({
        "run": "20260101-020000-00aa",
        "who": "anna@laptop",
        "since": "2026-01-01T02:00:00Z",
        "until": "2026-01-01T02:10:00Z",
        "w": {"n": "1234abcd", "q": 0},
    });
    let environment = world.environment()["id"].as_str().unwrap().to_owned();
    world.put_parameter(
        &format!("/goldseed/environments/{environment}/lease/1"),
        &lease.to_string(),
    );
    world.succeed(["promote", "shop"]);
}

#[test]
fn nothing_is_done_in_another_account_or_region() {
    let world = World::new();
    let before = world.sandbox.requests().len();
    let by_variable = world
        .goldseed(["rebuild", "shop"])
        .env("AWS_REGION", "us-east-1")
        .run();
    let by_flag = world.run(["status", "shop", "--region", "us-east-1"]);
    let asked = world.sandbox.requests().split_off(before);
    assert!(asked.is_empty(), "another region was asked: {asked:?}");
    world.edit("123456789012", "999999999999");
    let account = world.run(["rebuild", "shop"]);
    let asked: Vec<String> = world
        .sandbox
        .requests()
        .split_off(before)
        .into_iter()
        .map(|one| one.operation)
        .collect();
    assert_eq!(asked, ["GetCallerIdentity"]);
    for output in [&by_variable, &by_flag, &account] {
        assert_eq!(output.code, Some(4), "{output}");
    }
    insta::assert_snapshot!(listed(&[
        ("the region of AWS_REGION", by_variable),
        ("the region of --region", by_flag),
        ("the account", account),
    ]));
}

#[test]
fn a_ledger_of_another_environment_is_not_taken_for_ours() {
    let world = World::new();
    world.succeed(["rebuild", "shop"]);
    world.replace_environment();
    insta::assert_snapshot!(refused(&world, 4, ["rollback", "shop"]));
}

#[test]
fn a_rollback_without_a_target_is_refused() {
    let world = World::new();
    let nothing = refused(&world, 4, ["rollback", "shop"]);
    world.succeed(["build", "shop"]);
    let own = world.images("golden")[0].id.clone();
    world.change_environment(&[(LAUNCH, "ImageId", &own)]);
    world.succeed(["rebuild", "shop"]);
    world
        .wait_for(world.ec2().deregister_image().image_id(&own).send())
        .unwrap();
    let gone = refused(&world, 4, ["rollback", "shop"]);
    insta::assert_snapshot!(listed(&[
        ("no promotion yet", nothing),
        ("an image that is gone", gone)
    ]));
}

#[test]
fn no_credentials_no_answer_and_no_permission_are_told_apart() {
    let world = World::new();
    let before = world.sandbox.requests().len();
    let none = world
        .goldseed(["rebuild", "shop"])
        .without("AWS_ACCESS_KEY_ID")
        .without("AWS_SECRET_ACCESS_KEY")
        .run();
    // Port 1 of this machine: nobody listens there.
    let silent = world
        .goldseed(["status", "shop"])
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        .run();
    assert!(world.sandbox.requests().len() == before);

    let denied = Fate::refused(
        "UnauthorizedOperation",
        "You are not authorized to perform this operation.",
    );
    world.sandbox.set_hook(Some(Hook::new(move |request| {
        if request.operation == "CreateImage" {
            denied.clone()
        } else {
            Fate::Serve
        }
    })));
    let denied = world.run(["build", "shop"]);
    assert_untouched_but_denied(&world, before);

    let expired = Fate::refused(
        "ExpiredToken",
        "The security token included in the request is expired",
    );
    world
        .sandbox
        .set_hook(Some(Hook::new(move |_| expired.clone())));
    let expired = world.run(["status", "shop"]);
    assert_eq!(
        [none.code, silent.code, denied.code, expired.code],
        [Some(4), Some(5), Some(5), Some(5)]
    );
    insta::assert_snapshot!(listed(&[
        ("no credentials", none),
        ("nobody answers", silent),
        ("no permission", denied),
        ("expired credentials", expired),
    ]));
}

/// `CreateImage` was denied; beside that nothing but the record was written.
fn assert_untouched_but_denied(world: &World, before: usize) {
    assert_eq!(world.images("raw").len(), 0);
    for request in world.sandbox.requests().split_off(before) {
        let harmless = ["CreateImage", "PutParameter"].contains(&request.operation.as_str());
        assert!(harmless || !mutates(&request), "{request:?}");
    }
}

#[test]
fn what_is_no_image_id_is_refused_before_anything_is_recorded() {
    let world = World::new();
    for text in ["", "i-0123456789abcdef0", "ami-", "ami-1 "] {
        let before = world.sandbox.requests().len();
        let output = world.run(["promote", "shop", "--image", text]);
        assert_eq!(output.code, Some(2), "{output}");
        let said = format!("error: `{text}` is not the id of an image");
        assert!(output.stderr.contains(&said), "{output}");
        assert_eq!(world.sandbox.requests().len(), before, "{output}");
    }
}

#[test]
fn an_environment_with_a_warning_is_refused_with_its_causes_and_updated_where_that_is_accepted() {
    let world = World::new();
    // Whatever image its instances run, clients make mistakes.
    world.sandbox.behave("", Behaviour::ClientErrors);
    for arguments in [["rebuild", "shop"], ["promote", "shop"]] {
        let output = world.run(arguments);
        assert_eq!(output.code, Some(4), "{output}");
        assert_says(
            &output,
            "shop-prod is unhealthy before the update: its health is Warning (22.6 % of the requests are erroring with HTTP 4xx.)",
        );
        assert_says(&output, "--accept-unhealthy");
        assert_says(&output, "\"ApplicationRequests4xx\":{\"Enabled\":false}");
    }
    let output = world.succeed(["rebuild", "shop", "--accept-unhealthy"]);
    assert_says(&output, "which was accepted");
    let golden = &world.images("golden")[0];
    assert_eq!(world.base_image().as_ref(), Some(&golden.id));
    assert!(
        !golden.tags.contains_key("goldseed:quarantined"),
        "{output}"
    );
}

#[test]
fn an_image_that_makes_an_accepted_health_worse_is_taken_back() {
    let world = World::new();
    world.sandbox.behave(STOCK, Behaviour::ClientErrors);
    world.sandbox.behave("golden", Behaviour::Unhealthy);
    let output = world.run(["rebuild", "shop", "--accept-unhealthy"]);
    assert_eq!(output.code, Some(7), "{output}");
    assert_eq!(world.base_image(), None, "{output}");
}
