//! Images of other environments: two checkouts have a pipeline of one name, each for an environment of its own. What one
//! builds never goes live in the other, unless a person names the environment that it was built for.

use super::sweep::tag;
use super::world::{EnvironmentKind, LAUNCH, Output, World};

/// A world with a second environment, and the settings of the second checkout.
fn two_checkouts() -> World {
    let world = World::new();
    world.make_environment_named("shop-staging", &EnvironmentKind::default());
    let settings = fs_err::read_to_string(world.project().join("goldseed.yaml")).unwrap();
    world.write(
        "staging.yaml",
        &settings.replace("environment: shop-prod", "environment: shop-staging"),
    );
    world
}

/// Builds an image for `shop-staging`.
fn staging_image(world: &World) -> String {
    world.succeed(["build", "shop", "--file", "staging.yaml"]);
    newest(world)
}

fn newest(world: &World) -> String {
    world.images("golden").last().unwrap().id.clone()
}

fn untag(world: &World, image: &str, key: &str) {
    let tag = aws_sdk_ec2::types::Tag::builder().key(key).build();
    let call = world.ec2().delete_tags().resources(image).tags(tag);
    world.wait_for(call.send()).unwrap();
}

/// Refused, and no update was sent.
fn assert_refused(world: &World, output: &Output, said: &[&str]) {
    assert_eq!(output.code, Some(4), "{output}");
    let text = output.stderr.split_whitespace().collect::<Vec<_>>();
    let text = text.join(" ");
    for said in said {
        assert!(text.contains(said), "{said}: {output}");
    }
    assert_eq!(world.count("UpdateEnvironment"), 0, "{output}");
}

#[test]
fn an_image_of_another_environment_is_not_promoted() {
    let world = two_checkouts();
    let image = staging_image(&world);
    let tags = world.image(&image).tags;
    assert_eq!(tags["goldseed:environment"], "shop-staging");
    assert!(tags["goldseed:environment-id"].starts_with("e-"));
    let none = world.run(["promote", "shop"]);
    assert_refused(
        &world,
        &none,
        &[
            "no golden image for shop-prod that is proved; those of shop-staging are not taken for it",
        ],
    );
    let chosen = format!("goldseed promote shop --image {image} --from-environment shop-staging");
    let by_id = world.run(["promote", "shop", "--image", &image]);
    let reason = format!("{image} was built for shop-staging, and not for shop-prod");
    assert_refused(&world, &by_id, &[&reason, &chosen]);

    // An image of an earlier version has the name alone.
    untag(&world, &image, "goldseed:environment-id");
    let by_name = world.run(["promote", "shop", "--image", &image]);
    assert_refused(&world, &by_name, &[&reason]);
    untag(&world, &image, "goldseed:environment");
    let unknown = world.run(["promote", "shop", "--image", &image]);
    assert_refused(
        &world,
        &unknown,
        &["an environment that its tags do not name"],
    );
}

#[test]
fn an_old_image_that_has_the_name_alone_is_promoted_where_it_belongs() {
    let world = two_checkouts();
    world.succeed(["build", "shop"]);
    let own = newest(&world);
    untag(&world, &own, "goldseed:environment-id");
    staging_image(&world);
    world.succeed(["promote", "shop"]);
    assert_eq!(world.base_image(), Some(own));
}

#[test]
fn an_environment_that_was_edited_in_between_does_not_get_the_image() {
    let world = two_checkouts();
    let image = staging_image(&world);
    let staging = fs_err::read_to_string(world.project().join("staging.yaml")).unwrap();
    world.write(
        "staging.yaml",
        &staging.replace("environment: shop-staging", "environment: shop-prod"),
    );
    let edited = world.run([
        "promote",
        "shop",
        "--file",
        "staging.yaml",
        "--image",
        &image,
    ]);
    assert_refused(
        &world,
        &edited,
        &["was built for shop-staging, and not for shop-prod"],
    );
}

#[test]
fn an_environment_that_was_made_again_under_its_name_does_not_get_the_image() {
    let world = World::new();
    world.succeed(["build", "shop"]);
    let image = newest(&world);
    world.replace_environment();
    let again = world.run(["promote", "shop", "--image", &image]);
    assert_refused(
        &world,
        &again,
        &[&format!("{image} was built for shop-prod (e-")],
    );
    world.succeed(["promote", "shop", "--from-environment", "shop-prod"]);
    assert_eq!(world.base_image(), Some(image));
}

#[test]
fn consent_names_the_environment_of_the_image_and_stays_on_record() {
    let world = two_checkouts();
    let image = staging_image(&world);
    let wrong = world.run([
        "promote",
        "shop",
        "--image",
        &image,
        "--from-environment",
        "shop-test",
    ]);
    assert_refused(
        &world,
        &wrong,
        &["was built for shop-staging, and --from-environment names shop-test"],
    );
    world.succeed(["promote", "shop", "--from-environment", "shop-staging"]);
    assert_eq!(world.base_image().as_ref(), Some(&image));
    let history = world.succeed(["history", "shop"]);
    assert!(
        history.stdout.contains("built for shop-staging"),
        "{history}"
    );
    let records = world.parameters();
    let on_record = |(name, versions): (&String, &Vec<String>)| {
        name.contains("/runs/") && versions.last().unwrap().contains("shop-staging")
    };
    assert!(records.iter().any(on_record), "{records:?}");

    // Its own image is no image of another environment.
    world.edit("text: Hello", "text: Good evening");
    world.succeed(["build", "shop"]);
    let own = newest(&world);
    let mistaken = world.run([
        "promote",
        "shop",
        "--image",
        &own,
        "--from-environment",
        "shop-staging",
    ]);
    assert_eq!(mistaken.code, Some(4), "{mistaken}");
    world.succeed(["promote", "shop"]);

    // The consent holds for the rollback to the image: the ledger has it.
    world.succeed(["rollback", "shop"]);
    assert_eq!(world.base_image(), Some(image));
}

#[test]
fn a_rollback_to_an_image_of_another_environment_needs_consent() {
    let world = two_checkouts();
    let image = staging_image(&world);
    world.change_environment(&[(LAUNCH, "ImageId", &image)]);
    world.succeed(["rebuild", "shop"]);
    let updates = world.count("UpdateEnvironment");
    let refused = world.run(["rollback", "shop"]);
    assert_eq!(refused.code, Some(4), "{refused}");
    let way_out = "goldseed rollback shop --from-environment shop-staging";
    assert!(
        refused.stderr.contains("was built for shop-staging"),
        "{refused}"
    );
    let said = refused
        .stderr
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    assert!(said.contains(way_out), "{refused}");
    let wrong = world.run(["rollback", "shop", "--from-environment", "shop-test"]);
    assert_eq!(wrong.code, Some(4), "{wrong}");
    assert_eq!(world.count("UpdateEnvironment"), updates);
    world.succeed(["rollback", "shop", "--from-environment", "shop-staging"]);
    assert_eq!(world.base_image(), Some(image));
    let history = world.succeed(["history", "shop"]);
    assert!(
        history.stdout.contains("built for shop-staging"),
        "{history}"
    );
}

#[test]
fn lists_of_images_are_those_of_the_environment() {
    let world = two_checkouts();
    let image = staging_image(&world);
    tag(
        &world,
        [image.clone()],
        &[("goldseed:quarantined", "slow pages")],
    );
    let status = world.succeed(["status", "shop"]);
    assert!(!status.stdout.contains(&image), "{status}");
    assert!(
        status
            .stdout
            .contains("other golden images of this pipeline were built for shop-staging"),
        "{status}"
    );
    // The same recipes with the same values: what is in quarantine there holds back nothing here.
    world.succeed(["rebuild", "shop"]);
    let there = world.run(["rebuild", "shop", "--file", "staging.yaml"]);
    assert_eq!(there.code, Some(4), "{there}");
}

#[test]
fn a_sweep_leaves_the_images_of_other_environments_that_exist() {
    let world = two_checkouts();
    let image = staging_image(&world);
    let old = [
        ("goldseed:run", "20200101-000000-0001"),
        ("goldseed:proved", "no"),
    ];
    let snapshots = world.sandbox.world()["snapshots"].clone();
    let snapshots = snapshots.as_array().unwrap().iter();
    let ids = snapshots
        .filter(|one| one["tags"]["goldseed:role"] == "golden")
        .map(|one| one["id"].as_str().unwrap().to_owned());
    tag(&world, ids.chain([image.clone()]), &old);
    let left = world.succeed(["sweep", "--yes"]);
    assert!(world.image(&image).is_usable(), "{left}");
    assert!(
        left.stdout.contains("it was built for shop-staging"),
        "{left}"
    );
    let swept = world.succeed(["sweep", "--yes", "--file", "staging.yaml"]);
    assert!(!world.image(&image).is_usable(), "{swept}");
}
