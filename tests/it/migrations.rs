//! Steps `on: migrate`: what changes the data, right before the swap.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use goldseed::sandbox::{Behaviour, Fate, Hook};

use super::unsent::{assert_says, killed, leases_are_renewed, minutes_pass};
use super::world::World;

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
    // The application is in place, with the links of a deployment, before its code changes the data.
    let stages = [
        "preflight/environment",
        "migrate/code",
        "migrate/data",
        "swap/update",
    ];
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
fn what_is_left_to_do_after_a_migration_is_said_in_the_last_lines_and_by_status() {
    let world = migrating("migrations: breaking\n");
    let asked = |script: &str| script.contains("/opt/goldseed/reminders.d/");
    let left = "503 since noon: run `end`";
    world
        .sandbox
        .script_result(asked, 0, &format!("{left}\nend\n"));
    let output = world.succeed(["rebuild", "shop", "--accept-downtime"]);
    // Whatever the width at which lines are broken.
    let words: Vec<&str> = output.stderr.split_whitespace().collect();
    let words = words.join(" ");
    let last = words.rsplit("done: shop-prod").next().unwrap();
    assert!(last.contains(left), "{output}");
    let status = world.succeed(["status", "shop"]);
    assert!(
        status.stdout.contains(&format!("left to do: {left}")),
        "{status}"
    );

    world.sandbox.script_result(asked, 0, "end\n");
    let status = world.succeed(["status", "shop"]);
    assert!(!status.stdout.contains("left to do"), "{status}");

    // Where nobody answers, or not to the end, it is not known.
    for (code, cut) in [(0, "the site is in"), (1, "")] {
        world.sandbox.script_result(asked, code, cut);
        let status = world.succeed(["status", "shop"]);
        assert!(
            status
                .stdout
                .contains("could be asked whether something is left to do"),
            "{status}"
        );
    }
}

#[test]
fn a_failed_migration_says_what_it_has_left_on_the_site() {
    let world = migrating("migrations: breaking\n");
    let left = "503 since noon: run `end`";
    world.sandbox.script_result(
        |script| script.contains("/opt/goldseed/reminders.d/"),
        0,
        &format!("{left}\nend\n"),
    );
    let script = world.plan().migration.unwrap().script;
    world.fail_once(&script, "migrate", &["table locked"]);
    let output = world.run(["rebuild", "shop", "--accept-downtime"]);
    assert_eq!(output.code, Some(6), "{output}");
    assert!(output.stderr.contains(left), "{output}");
}

#[test]
fn a_pipeline_that_never_migrated_asks_no_instance_what_is_left() {
    let world = World::new();
    world.succeed(["rebuild", "shop"]);
    world.succeed(["status", "shop"]);
    let asked = |request: &goldseed::sandbox::RequestSeen| {
        request.parameters.to_string().contains("reminders.d")
    };
    assert!(!world.sandbox.requests().iter().any(asked));
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

/// A rebuild that is interrupted while it changes the data, which goes on without it.
pub(crate) fn cut_off_in_data(world: &World) -> String {
    let pid = Arc::default();
    let data = std::sync::atomic::AtomicBool::new(false);
    world.signal_at(&pid, "INT", Fate::Serve, move |request| {
        let text = request.parameters.to_string();
        data.fetch_or(text.contains("migrate/data"), Ordering::SeqCst);
        request.operation == "SendCommand" && data.load(Ordering::SeqCst)
    });
    let cut = world.goldseed(["rebuild", "shop"]).run_as(&pid);
    world.sandbox.set_hook(None);
    assert_eq!(cut.code, Some(130), "{cut}");
    cut.run_id()
}

#[test]
fn while_a_migration_may_run_nobody_else_changes_the_environment() {
    let world = migrating("migrations: compatible\n");
    let run = cut_off_in_data(&world);
    leases_are_renewed(&world);
    let held = world.run(["promote", "shop"]);
    assert_eq!(held.code, Some(4), "{held}");
    assert!(held.stderr.contains("holds the environment"), "{held}");

    // Its lease is over, and its machine goes on.
    minutes_pass(&world);
    let machine = world.machine("migration");
    for arguments in [["rebuild", "shop"], ["promote", "shop"]] {
        let refused = world.run(arguments);
        assert_eq!(refused.code, Some(4), "{refused}");
        // The lines are broken where they are too long.
        for part in [
            run.as_str(),
            "has begun to change the data of shop-prod",
            &machine,
        ] {
            assert!(refused.stderr.contains(part), "{part}: {refused}");
        }
    }
    let rollback = world.run(["rollback", "shop"]);
    assert_eq!(rollback.code, Some(4), "{rollback}");
    assert_eq!(world.count("UpdateEnvironment"), 0);
    world.succeed(["resume", &run]);
    world.edit("text: Hello", "text: Good evening");
    world.succeed(["rebuild", "shop"]);
}

/// Has a rebuild begin and cuts it off where its record says that it begins this step.
pub(crate) fn cut_off_before(world: &World, step: &'static str) -> String {
    world.sandbox.set_hook(Some(Hook::new(move |request| {
        let text = request.parameters.to_string();
        if request.operation == "PutParameter" && text.contains(step) {
            Fate::refused("AccessDeniedException", "not authorized")
        } else {
            Fate::Serve
        }
    })));
    let cut = world.run(["rebuild", "shop"]);
    world.sandbox.set_hook(None);
    assert_eq!(cut.code, Some(5), "{cut}");
    cut.run_id()
}

#[test]
fn data_that_belongs_to_somebody_elses_release_is_not_migrated() {
    let world = migrating("migrations: compatible\n");
    let early = cut_off_before(&world, "migrate/data");
    minutes_pass(&world);
    world.succeed(["rebuild", "shop"]);
    let from = world.sandbox.requests().len();
    let over = world.run(["resume", &early]);
    assert_eq!(over.code, Some(4), "{over}");
    assert_says(&over, "somebody changed it, and no update was sent");
    assert!(!over.stderr.contains("the data may"), "{over}");
    let requests = world.sandbox.requests().split_off(from);
    let sent = requests.iter().any(|one| one.operation == "SendCommand");
    assert!(!sent, "the machine was told something: {over}");
    assert_eq!(world.machines().len(), 0, "{over}");
    let again = world.run(["resume", &early]);
    assert_says(&again, "has ended: overtaken");
}

#[test]
fn a_run_that_is_overtaken_after_it_has_migrated_says_so() {
    let world = migrating("migrations: compatible\n");
    let run = cut_off_before(&world, "migrate/terminate");
    world.succeed(["rebuild", "shop"]);
    let over = world.run(["resume", &run]);
    assert_eq!(over.code, Some(4), "{over}");
    assert_says(&over, "no update was sent; the data was changed for ami-");
    assert_says(&over, "restore the database");
    assert_says(&world.run(["resume", &run]), "has ended: overtaken");
}

#[test]
fn a_migration_that_has_failed_keeps_nobody_from_the_environment() {
    let world = World::new();
    // Something to go back to.
    world.succeed(["rebuild", "shop"]);
    let before = world.base_image();
    give_recipe(&world, "migrations: breaking\n");
    let script = world.plan().migration.unwrap().script;
    world.fail_once(&script, "migrate", &["table locked"]);
    let failed = world.run(["rebuild", "shop", "--accept-downtime"]);
    assert_eq!(failed.code, Some(6), "{failed}");
    let machine = world.machine("migration");
    assert_says(&failed, &format!("nothing runs on {machine} any more"));
    let way_back = format!("goldseed abandon {} --data-stays", failed.run_id());
    assert_says(&failed, &way_back);
    assert!(!failed.stderr.contains("the seed is"), "{failed}");
    assert_eq!(world.base_image(), before);
    world.succeed(["rollback", "shop"]);
    assert_eq!(world.base_image(), None);
}

#[test]
fn a_migration_that_failed_and_is_gone_on_with_may_run_again() {
    let world = migrating("migrations: compatible\n");
    let script = world.plan().migration.unwrap().script;
    world.fail_once(&script, "migrate", &["table locked"]);
    let run = world.run(["rebuild", "shop"]).run_id();
    // The process dies when it has announced that it migrates once more.
    killed(&world, ["resume", &run], |request| {
        request.operation == "SendCommand"
    });
    minutes_pass(&world);
    let refused = world.run(["promote", "shop"]);
    assert_eq!(refused.code, Some(4), "{refused}");
    assert_says(&refused, "has begun to change the data of shop-prod");
}

#[test]
fn a_migration_of_a_run_whose_record_cannot_be_read_counts_as_running() {
    let world = migrating("migrations: compatible\n");
    let run = cut_off_in_data(&world);
    minutes_pass(&world);
    let page = format!("/goldseed/shop/runs/{run}/1");
    let written = world.parameters()[&page].last().unwrap().clone();
    let newer = written.replacen("\"f\":1", "\"f\":99", 1);
    assert_ne!(newer, written);
    let call = world.ssm().put_parameter().name(page).value(newer);
    world.wait_for(call.overwrite(true).send()).unwrap();
    let refused = world.run(["promote", "shop"]);
    assert_eq!(refused.code, Some(4), "{refused}");
    assert_says(&refused, &format!("run {run} has begun to change the data"));
    assert_eq!(world.count("UpdateEnvironment"), 0);
}
