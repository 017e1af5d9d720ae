//! The main job from end to end, on simulated machines: what the tool says, and what the world is like afterwards.

use super::world::{ENVIRONMENT, Image, LAUNCH, PLATFORM, STOCK, World, mutates};
use goldseed::sandbox::{Behaviour, Request};

/// Nothing that a finished run made is left but golden images.
fn assert_tidy(world: &World) {
    assert!(world.machines().is_empty(), "{:?}", world.machines());
    let usable = |role: &str| {
        world
            .images(role)
            .iter()
            .filter(|one| one.is_usable())
            .count()
    };
    assert_eq!(usable("raw"), 0);
    assert_eq!(usable("proof"), 0);
}

/// No value in Parameter Store is larger than a standard parameter, or holds what is read as a reference.
fn assert_parameters_fit(world: &World) {
    for (name, versions) in world.parameters() {
        for value in versions {
            assert!(value.len() <= 4096, "{name}: {} bytes", value.len());
            assert!(!value.contains("{{"), "{name}: {value}");
        }
    }
}

/// The environment is on this image, in its settings and on every member.
fn assert_runs(world: &World, image: Option<&str>) {
    assert_eq!(world.base_image().as_deref(), image);
    assert_eq!(world.environment()["status"], "Ready");
    assert_eq!(world.member_images(), [image.unwrap_or(STOCK); 2]);
}

#[test]
fn a_rebuild_takes_the_environment_to_a_proved_golden_image() {
    let world = World::new();
    let output = world.succeed(["rebuild", "shop"]);
    insta::assert_snapshot!(output);

    let [golden] = world.images("golden").try_into().unwrap();
    assert_runs(&world, Some(&golden.id));
    assert_tidy(&world);
    assert_parameters_fit(&world);

    let run = output.run_id();
    let tag = |key: &str| golden.tags[key].as_str();
    assert_eq!(tag("goldseed:run"), run);
    assert_eq!(tag("goldseed:pipeline"), "shop");
    assert_eq!(tag("goldseed:environment"), ENVIRONMENT);
    assert_eq!(tag("goldseed:proved"), "boot");
    assert_eq!(tag("goldseed:generation"), "1");
    assert_eq!(tag("goldseed:base-image"), STOCK);
    assert_eq!(tag("goldseed:platform"), PLATFORM);
    assert_eq!(
        tag("goldseed:recipes"),
        world.plan().recipes_digest().as_str()
    );
    assert_eq!(tag("goldseed:raw-image"), world.images("raw")[0].id);
    assert_eq!(tag("team"), "web");
    assert!(
        !golden.tags.contains_key("goldseed:expires"),
        "a golden image expires"
    );

    let parameters = world.parameters();
    assert_eq!(parameters["/goldseed/shop/image"], [golden.id.as_str()]);
    let record = parameters[&format!("/goldseed/shop/runs/{run}/1")]
        .last()
        .unwrap();
    let record: serde_json::Value = serde_json::from_str(record).unwrap();
    assert_eq!(record["verdict"], "done");
    let (lease, versions) = parameters
        .iter()
        .find(|(name, _)| name.contains("/lease/"))
        .unwrap();
    let lease_now: serde_json::Value = serde_json::from_str(versions.last().unwrap()).unwrap();
    assert_eq!(lease_now["released"], true, "{lease}");

    // The log in the project's folder tells the same, and is for its owner alone.
    let log = world.project().join(format!(".goldseed/{run}.jsonl"));
    let log = fs_err::read_to_string(log).unwrap();
    assert!(
        log.lines()
            .all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok())
    );
    assert!(log.contains("run_finished"));
}

#[test]
fn a_build_leaves_the_environment_alone_and_promote_takes_its_image() {
    let world = World::new();
    insta::assert_snapshot!(world.succeed(["build", "shop"]));
    assert_runs(&world, None);
    assert_tidy(&world);
    assert_eq!(world.count("UpdateEnvironment"), 0);

    insta::assert_snapshot!(world.succeed(["promote", "shop"]));
    assert_runs(&world, Some(&world.images("golden")[0].id));
    assert_tidy(&world);
    assert_eq!(world.count("CreateImage"), 2, "promote has made an image");
}

#[test]
fn history_and_rollback_walk_back_to_the_platforms_own_image() {
    let world = World::new();
    insta::assert_snapshot!("history_of_nothing", world.succeed(["history", "shop"]));
    world.succeed(["rebuild", "shop"]);
    world.edit("text: Hello", "text: Good evening");
    world.succeed(["rebuild", "shop"]);
    let [first, second] = world.images("golden").try_into().unwrap();
    assert_runs(&world, Some(&second.id));
    assert_eq!(second.tags["goldseed:generation"], "2");
    assert_eq!(second.tags["goldseed:base-image"], first.id);

    insta::assert_snapshot!(
        "rollback",
        world.succeed(["rollback", "shop", "--reason", "slow pages"])
    );
    assert_runs(&world, Some(&first.id));
    let second = world.image(&second.id);
    assert_eq!(second.tags["goldseed:quarantined"], "slow pages");

    world.succeed(["rollback", "shop"]);
    assert_runs(&world, None);
    let settings = world.environment()["settings"].to_string();
    assert!(
        !settings.contains("ImageId"),
        "the option was not removed: {settings}"
    );

    let asked = world.sandbox.requests().len();
    insta::assert_snapshot!("rollback_refused", world.run(["rollback", "shop"]));
    let changed = world.sandbox.requests().split_off(asked);
    let changed: Vec<_> = changed
        .iter()
        .filter(|one| mutates(one) && one.operation != "PutParameter")
        .collect();
    assert!(changed.is_empty(), "{changed:?}");

    insta::assert_snapshot!("history", world.succeed(["history", "shop"]));
    insta::assert_snapshot!("status", world.succeed(["status", "shop"]));
    assert_parameters_fit(&world);
    assert_tidy(&world);
}

#[test]
fn a_step_that_fails_shows_its_place_and_the_run_goes_on_from_there() {
    let world = World::new();
    let lines: Vec<String> = (1..=50)
        .map(|number| format!("line {number} of its output"))
        .collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    world.fail_recipes_once(&lines);
    let failed = world.run(["rebuild", "shop"]);
    insta::assert_snapshot!(failed);
    assert_runs(&world, None);
    assert_eq!(world.count("UpdateEnvironment"), 0);

    let run = failed.run_id();
    insta::assert_snapshot!(
        "status_of_an_unfinished_run",
        world.succeed(["status", "shop"])
    );
    insta::assert_snapshot!("resumed", world.succeed(["resume", &run]));
    let [golden] = world.images("golden").try_into().unwrap();
    assert_eq!(golden.tags["goldseed:run"], run);
    assert_runs(&world, Some(&golden.id));
    assert_tidy(&world);
    assert_parameters_fit(&world);
    assert_eq!(world.count("CreateImage"), 2, "an image was made twice");
    assert_eq!(world.launches(), 2, "a machine was launched twice");

    insta::assert_snapshot!("resumed_when_it_has_ended", world.run(["resume", &run]));
}

#[test]
fn a_run_does_not_go_on_with_another_plan() {
    let world = World::new();
    world.fail_recipes_once(&["no"]);
    let failed = world.run(["rebuild", "shop"]);
    world.edit("text: Hello", "text: Good evening");
    insta::assert_snapshot!(world.run(["resume", &failed.run_id()]));
    insta::assert_snapshot!(
        "resume_of_no_run",
        world.run(["resume", "20260101-000000-0000"])
    );
    insta::assert_snapshot!("resume_of_nonsense", world.run(["resume", "latest"]));
}

/// An image whose instances do so is taken back, marked, and not brought back by the next run by itself.
fn is_taken_back(behaviour: Behaviour) -> String {
    let world = World::new();
    world.sandbox.behave("golden", behaviour);
    let output = world.run(["rebuild", "shop"]);
    assert_eq!(output.code, Some(7), "{}", output.stderr);
    assert_runs(&world, None);
    assert_tidy(&world);
    assert_parameters_fit(&world);
    let [sick] = world.images("golden").try_into().unwrap();
    assert!(sick.tags.contains_key("goldseed:quarantined"), "{sick:?}");
    assert_eq!(world.parameters()["/goldseed/shop/image"], ["platform"]);
    let run = output.run_id();
    let history = world.succeed(["history", "shop"]);
    assert!(
        history.stdout.contains("rolled-back") && history.stdout.contains(&run),
        "{history}"
    );

    // The same recipes are not tried again by a schedule, and nothing is built for it.
    let images = world.count("CreateImage");
    let again = world.run(["rebuild", "shop"]);
    assert_eq!(again.code, Some(4), "{again}");
    assert!(again.stderr.contains("quarantine"), "{again}");
    assert_eq!(
        world.count("CreateImage"),
        images,
        "hours were spent on an image that is refused"
    );

    // A person may choose otherwise.
    world.sandbox.behave("golden", Behaviour::Well);
    world.succeed(["build", "shop"]);
    let other = world
        .images("golden")
        .into_iter()
        .find(|one| one.id != sick.id)
        .unwrap();
    world.succeed(["promote", "shop", "--image", &other.id]);
    assert_runs(&world, Some(&other.id));
    // The sick one stays marked; nobody promotes it by accident.
    let refused = world.run(["promote", "shop", "--image", &sick.id]);
    assert_eq!(refused.code, Some(4), "{refused}");
    format!("{output}\n\n{again}")
}

#[test]
fn an_image_whose_deployment_fails_is_taken_back() {
    insta::assert_snapshot!(is_taken_back(Behaviour::FailsToDeploy));
}

#[test]
fn an_image_that_never_joins_is_taken_back() {
    insta::assert_snapshot!(is_taken_back(Behaviour::NeverJoins));
}

#[test]
fn an_image_whose_instances_are_ill_is_taken_back() {
    insta::assert_snapshot!(is_taken_back(Behaviour::Unhealthy));
}

#[test]
fn an_image_that_falls_ill_in_the_soak_is_taken_back() {
    is_taken_back(Behaviour::WellFor { looks: 2 });
}

#[test]
fn an_environment_that_is_ill_on_the_old_image_too_needs_a_person() {
    let world = World::new();
    world.sandbox.behave("golden", Behaviour::NeverJoins);
    let swaps = |request: &Request| request.operation == "UpdateEnvironment";
    let output = world.meanwhile(["rebuild", "shop"], swaps, || {
        // From now on the old image's instances are ill as well: the reason is another one.
        world.sandbox.behave(STOCK, Behaviour::Unhealthy);
    });
    assert_eq!(output.code, Some(8), "{output}");
    assert!(
        output
            .stderr
            .contains("could not be taken back to platform"),
        "{output}"
    );
    assert_eq!(world.base_image(), None);
    let status = world.succeed(["status", "shop"]);
    assert!(status.stdout.contains("rollback failed"), "{status}");
}

#[test]
fn an_image_that_fails_while_it_is_made_is_made_again() {
    let world = World::new();
    world.sandbox.behave("golden-a1", Behaviour::FailsToImage);
    let output = world.succeed(["rebuild", "shop"]);
    assert!(output.stderr.contains("is taken again"), "{output}");
    let usable: Vec<_> = world
        .images("golden")
        .into_iter()
        .filter(Image::is_usable)
        .collect();
    assert_eq!(usable.len(), 1);
    assert_runs(&world, Some(&usable[0].id));
}

#[test]
fn every_source_that_a_build_can_begin_with_works() {
    for (source, raw_images) in [("platform", 0), ("current", 0), (STOCK, 0), ("instance", 1)] {
        let world = World::new();
        world.edit("    seed:", &format!("    source: {source}\n    seed:"));
        world.succeed(["rebuild", "shop"]);
        assert_eq!(world.images("raw").len(), raw_images, "{source}");
        assert_runs(&world, Some(&world.images("golden")[0].id));
        assert_tidy(&world);
    }
}

#[test]
fn a_volume_size_and_an_environment_with_its_own_image_are_kept_in_mind() {
    let world = World::new();
    world.succeed(["build", "shop"]);
    let own = world.images("golden")[0].id.clone();
    world.change_environment(&[(LAUNCH, "ImageId", &own)]);
    world.succeed(["rebuild", "shop"]);
    world.succeed(["rollback", "shop"]);
    assert_runs(&world, Some(&own));
}

#[test]
fn the_record_of_the_longest_run_fits_into_its_parameter() {
    // The longest names that are allowed, all that a seed can be given, every step of a rebuild and of its taking back.
    let pipeline = "a-pipeline-with-the-longest-name";
    let world = World::new();
    // The sandbox's default group, as often as there can be groups.
    let groups = ["sg-0de4fa0170000000a"; 5];
    world.edit("  shop:\n", &format!("  {pipeline}:\n"));
    world.edit(
        "goldseed-seed}",
        &format!("goldseed-seed, security-groups: [{}]}}", groups.join(", ")),
    );
    world
        .sandbox
        .behave("golden", Behaviour::WellFor { looks: 2 });
    let person = "a-person-with-a-long-name-at-an-agency-with-a-long-name-as-well";
    let output = world
        .goldseed(["rebuild", pipeline])
        .env("LOGNAME", person)
        .run();
    assert_eq!(output.code, Some(7), "{output}");
    assert_parameters_fit(&world);
    let largest = world
        .parameters()
        .values()
        .flatten()
        .map(String::len)
        .max()
        .unwrap();
    // Room is left for what this world has not: a longer name of the environment, a longer reason.
    assert!(largest < 4096 - 40 - 300, "{largest} bytes");
}
