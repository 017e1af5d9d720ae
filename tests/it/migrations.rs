//! Steps `on: migrate`: what changes the data, right before the swap.

use super::world::World;
use goldseed::sandbox::Behaviour;

/// A recipe whose new version changes the data.
fn recipe(said: &str) -> String {
    format!(
        "\
recipe: 1
name: greeting
{said}params:
  text: {{type: string}}
steps:
  - file: {{path: /etc/motd, content: \"${{{{ text }}}}\\n\"}}
  - run: {{name: widen the tables, command: \"upgrade --schema\", always: true}}
    on: migrate
"
    )
}

fn migrating(said: &str) -> World {
    let world = World::new();
    give_recipe(&world, said);
    world
}

/// The project's recipe becomes one that changes the data.
pub(crate) fn give_recipe(world: &World, said: &str) {
    world.write("recipes/greeting.yaml", &recipe(said));
}

/// Where among all requests the first is that satisfies this.
fn position(world: &World, wanted: impl Fn(&goldseed::sandbox::RequestSeen) -> bool) -> usize {
    world.sandbox.requests().iter().position(wanted).unwrap()
}

#[test]
fn data_is_migrated_on_a_machine_of_the_new_image_right_before_the_swap() {
    let world = migrating("migrations: compatible\n");
    let output = world.succeed(["rebuild", "shop"]);
    let golden = world.images("golden")[0].id.clone();
    assert_eq!(world.base_image(), Some(golden.clone()));
    let stages = ["preflight/environment", "migrate/data", "swap/update"];
    let places = stages.map(|step| output.stderr.find(step).unwrap());
    assert!(places.is_sorted(), "{output}");
    let launched = position(&world, |request| {
        request.operation == "RunInstances"
            && request.parameters.to_string().contains(&golden)
            && request.parameters.to_string().contains("\"migration\"")
    });
    let swapped = position(&world, |request| request.operation == "UpdateEnvironment");
    assert!(launched < swapped);
    assert_eq!(world.machines().len(), 0, "the machine is gone");
}

#[test]
fn a_migration_that_fails_touches_no_environment_and_can_go_on() {
    let world = migrating("migrations: compatible\n");
    let script = world.plan().migration.unwrap().script;
    world.fail_once(&script, "migrate", &["table locked"]);
    let output = world.run(["rebuild", "shop"]);
    assert_eq!(output.code, Some(6), "{output}");
    assert!(
        output
            .stderr
            .contains("shop-prod was not touched, but its data may have been changed"),
        "{output}"
    );
    assert_eq!(world.count("UpdateEnvironment"), 0);
    assert!(output.stderr.contains("table locked"), "{output}");
    world.succeed(["resume", &output.run_id()]);
    assert_eq!(world.machines().len(), 0);
    assert_eq!(
        world.base_image(),
        Some(world.images("golden")[0].id.clone())
    );
}

#[test]
fn a_recipe_must_say_what_its_migrations_mean() {
    let world = migrating("");
    let output = world.run(["check"]);
    assert_eq!(output.code, Some(3));
    assert!(output.stderr.contains("migrations: breaking"), "{output}");
}

#[test]
fn breaking_migrations_want_consent_and_are_never_taken_back_by_themselves() {
    let world = migrating("migrations: breaking\n");
    let refused = world.run(["rebuild", "shop"]);
    assert_eq!(refused.code, Some(4), "{refused}");
    assert!(
        refused.stderr.contains("take a snapshot of the database"),
        "{refused}"
    );
    assert_eq!(world.launches(), 0, "nothing is built before");

    world.sandbox.behave("golden", Behaviour::Unhealthy);
    let unwell = world.run(["rebuild", "shop", "--accept-downtime"]);
    assert_eq!(unwell.code, Some(8), "{unwell}");
    assert!(
        unwell.stderr.contains("restore the database first"),
        "{unwell}"
    );
}

#[test]
fn after_a_breaking_migration_the_database_goes_back_first() {
    let world = migrating("migrations: breaking\n");
    world.succeed(["rebuild", "shop", "--accept-downtime"]);
    let refused = world.run(["rollback", "shop"]);
    assert_eq!(refused.code, Some(4), "{refused}");
    assert!(refused.stderr.contains("--database-restored"), "{refused}");
    assert_eq!(
        world.base_image(),
        Some(world.images("golden")[0].id.clone())
    );
    world.succeed(["rollback", "shop", "--database-restored"]);
    assert_eq!(world.base_image(), None);
}

#[test]
fn an_image_of_other_recipes_is_not_promoted_with_these_migrations() {
    let world = migrating("migrations: compatible\n");
    world.succeed(["build", "shop"]);
    world.edit("text: Hello", "text: Good evening");
    let refused = world.run(["promote", "shop"]);
    assert_eq!(refused.code, Some(4), "{refused}");
    assert!(
        refused.stderr.contains("was built from other recipes"),
        "{refused}"
    );
    assert_eq!(world.count("UpdateEnvironment"), 0);
}
