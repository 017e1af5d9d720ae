//! Runs that have announced an update or a migration of which nothing came: they end, or can be given up.

use std::sync::{Arc, OnceLock};

use goldseed::sandbox::{Fate, Hook, Request};

use super::world::{Output, World, mutates};

/// The process of a verb dies when it sends its update, which does not arrive.
fn unsent<const N: usize>(world: &World, arguments: [&str; N]) -> Output {
    let pid: Arc<OnceLock<u32>> = Arc::default();
    world.signal_at(&pid, "KILL", Fate::LoseRequest, |request| {
        request.operation == "UpdateEnvironment"
    });
    let output = world.goldseed(arguments).run_as(&pid);
    world.sandbox.set_hook(None);
    assert_eq!(output.code, None, "{output}");
    output
}

/// All leases are over, as some minutes later.
pub(crate) fn minutes_pass(world: &World) {
    rewrite_leases(world, |lease| {
        lease["released"] = true.into();
    });
}

/// All leases are as if they had been renewed a moment ago, for an hour: who looks then finds them in force, however
/// long a busy machine takes to look.
pub(crate) fn leases_are_renewed(world: &World) {
    let until = goldseed::pace::now() + jiff::SignedDuration::from_hours(1);
    rewrite_leases(world, |lease| {
        lease["until"] = until.to_string().into();
    });
}

fn rewrite_leases(world: &World, change: impl Fn(&mut serde_json::Value)) {
    let parameters = world.parameters().into_iter();
    for (name, values) in parameters.filter(|(name, _)| name.contains("/lease/")) {
        let mut lease = serde_json::from_str(values.last().unwrap()).unwrap();
        change(&mut lease);
        let call = world.ssm().put_parameter().name(name);
        let call = call.value(lease.to_string()).overwrite(true);
        world.wait_for(call.send()).unwrap();
    }
}

fn deploy(world: &World, label: &str) {
    let client = world.beanstalk();
    let call = client.create_application_version();
    let call = call.application_name("shop").version_label(label);
    world.wait_for(call.send()).unwrap();
    let call = client.update_environment().environment_name("shop-prod");
    world.wait_for(call.version_label(label).send()).unwrap();
    world.until_ready();
}

fn deregister_golden(world: &World) {
    let golden = world.images("golden")[0].id.clone();
    let call = world.ec2().deregister_image().image_id(golden);
    world.wait_for(call.send()).unwrap();
}

/// The text is said, wherever its lines are broken.
pub(crate) fn assert_says(output: &Output, text: &str) {
    let words: Vec<&str> = output.stderr.split_whitespace().collect();
    assert!(words.join(" ").contains(text), "{text}: {output}");
}

/// The run ends: it cannot be gone on with any more.
fn assert_over(world: &World, run: &str) -> Output {
    let sent = world.count("UpdateEnvironment");
    let output = world.run(["resume", run]);
    assert_eq!(output.code, Some(4), "{output}");
    assert_says(&output, "this run is over");
    assert_eq!(world.count("UpdateEnvironment"), sent, "{output}");
    let again = world.run(["resume", run]);
    assert_says(&again, "has ended: overtaken");
    assert_eq!(world.machines().len(), 0, "{again}");
    output
}

/// Runs a verb and kills it at the first request that this is true of, whose answer is lost.
pub(crate) fn killed<const N: usize>(
    world: &World,
    arguments: [&str; N],
    at: impl Fn(&Request) -> bool + Send + Sync + 'static,
) -> Output {
    let pid: Arc<OnceLock<u32>> = Arc::default();
    world.signal_at(&pid, "KILL", Fate::LoseAnswer, at);
    let output = world.goldseed(arguments).run_as(&pid);
    world.sandbox.set_hook(None);
    assert_eq!(output.code, None, "{output}");
    output
}

#[test]
fn an_update_that_is_refused_is_not_called_sent_and_its_run_can_be_given_up_at_once() {
    let deny = || {
        Some(Hook::new(|request| {
            if request.operation == "UpdateEnvironment" {
                Fate::refused("AccessDenied", "not authorized")
            } else {
                Fate::Serve
            }
        }))
    };
    let world = World::new();
    world.sandbox.set_hook(deny());
    let denied = world.run(["rebuild", "shop"]);
    let run = denied.run_id();
    assert_eq!(denied.code, Some(5), "{denied}");
    for text in [
        "the permission for UpdateEnvironment",
        "shop-prod was not touched: its update was refused",
        &format!("goldseed resume {run}"),
        &format!("goldseed abandon {run}"),
    ] {
        assert_says(&denied, text);
    }
    world.sandbox.set_hook(None);
    // The lease is given back.
    world.succeed(["abandon", &run]);
    assert!(!world.images("golden")[0].is_usable());

    world.sandbox.set_hook(deny());
    let run = world.run(["rebuild", "shop"]).run_id();
    world.sandbox.set_hook(None);
    world.succeed(["resume", &run]);
    assert_eq!(world.count("UpdateEnvironment"), 3);
}

#[test]
fn a_rollback_is_offered_where_the_image_is_deployed() {
    let world = World::new();
    let run = killed(&world, ["rebuild", "shop"], |request| {
        request.operation == "UpdateEnvironment"
    })
    .run_id();
    let changing = world.run(["abandon", &run]);
    assert!(!changing.stderr.contains("goldseed rollback"), "{changing}");
    world.until_ready();
    let deployed = world.run(["abandon", &run]);
    assert_eq!(deployed.code, Some(4), "{deployed}");
    assert_says(&deployed, "or go back: goldseed rollback shop");
}

#[test]
fn an_update_that_was_never_sent_and_is_outdated_ends_its_run() {
    let world = World::new();
    deploy(&world, "v1");
    world.succeed(["build", "shop"]);
    let run = unsent(&world, ["promote", "shop"]).run_id();
    deploy(&world, "v2");
    // The process could still be at it.
    leases_are_renewed(&world);
    let early = world.run(["resume", &run]);
    assert_eq!(early.code, Some(4), "{early}");
    assert_says(&early, "may be sending its update");
    minutes_pass(&world);
    assert_over(&world, &run);

    let world = World::new();
    let run = unsent(&world, ["rebuild", "shop"]).run_id();
    deregister_golden(&world);
    minutes_pass(&world);
    assert_over(&world, &run);
}

#[test]
fn an_outdated_rollback_that_was_never_sent_ends() {
    let world = World::new();
    deploy(&world, "v1");
    world.succeed(["rebuild", "shop"]);
    let run = unsent(&world, ["rollback", "shop"]).run_id();
    deploy(&world, "v2");
    minutes_pass(&world);
    assert_over(&world, &run);
}

#[test]
fn an_update_that_was_never_sent_can_be_abandoned_once_nobody_can_send_it() {
    let world = World::new();
    let run = unsent(&world, ["rebuild", "shop"]).run_id();
    leases_are_renewed(&world);
    let from = world.sandbox.requests().len();
    let early = world.run(["abandon", &run]);
    assert_eq!(early.code, Some(4), "{early}");
    assert_says(&early, "nothing came of it yet");
    assert!(!early.stderr.contains("goldseed rollback"), "{early}");
    let sent = world.sandbox.requests().split_off(from);
    assert!(!sent.iter().any(mutates), "something was changed: {early}");
    minutes_pass(&world);
    world.succeed(["abandon", &run]);
    assert!(world.images("golden").iter().all(|one| !one.is_usable()));
    assert_eq!(world.base_image(), None);
    world.succeed(["rebuild", "shop"]);
}

#[test]
fn a_run_whose_environment_is_gone_can_be_abandoned() {
    let world = World::new();
    let run = unsent(&world, ["rebuild", "shop"]).run_id();
    world.replace_environment();
    minutes_pass(&world);
    let resumed = world.run(["resume", &run]);
    assert_says(&resumed, "another environment");
    minutes_pass(&world);
    world.succeed(["abandon", &run]);
    assert!(!world.images("golden")[0].is_usable());
}

#[test]
fn a_migration_is_not_abandoned_and_no_rollback_is_offered_for_it() {
    let world = World::new();
    super::migrations::give_recipe(&world, "migrations: compatible\n");
    let script = world.plan().migration.unwrap().script;
    world.fail_once(&script, "migrate", &["table locked"]);
    let run = world.run(["rebuild", "shop"]).run_id();
    let refused = world.run(["abandon", &run]);
    assert_eq!(refused.code, Some(4), "{refused}");
    assert_says(&refused, "may have migrated the data");
    assert!(!refused.stderr.contains("goldseed rollback"), "{refused}");

    // Its image goes: the run is over, for its migration has ended.
    deregister_golden(&world);
    minutes_pass(&world);
    let over = assert_over(&world, &run);
    assert_says(&over, "the data may have been changed in part");
}

#[test]
fn a_run_is_not_over_before_its_migration_is() {
    let world = World::new();
    super::migrations::give_recipe(&world, "migrations: compatible\n");
    let run = super::migrations::cut_off_in_data(&world);
    deregister_golden(&world);
    minutes_pass(&world);
    let left = world.run(["resume", &run]);
    assert_eq!(left.code, Some(4), "{left}");
    assert_says(&left, "data may still be being migrated on i-");
    let machine = world.machine("migration");
    let call = world.ec2().terminate_instances();
    world.wait_for(call.instance_ids(&machine).send()).unwrap();
    world.until_instance(&machine, "terminated");
    minutes_pass(&world);
    let over = assert_over(&world, &run);
    assert_says(&over, "the data may have been changed in part");
}

/// A run that is cut off after its machine was launched and before the data is changed; then somebody deploys another
/// version.
fn idle_migration(world: &World) -> String {
    super::migrations::give_recipe(world, "migrations: compatible\n");
    deploy(world, "v1");
    let run = super::migrations::cut_off_before(world, "migrate/data");
    assert_eq!(world.machines(), ["migration"]);
    deploy(world, "v2");
    run
}

#[test]
fn a_refused_run_takes_its_idle_migration_machine_with_it() {
    let world = World::new();
    let run = idle_migration(&world);
    let refused = world.run(["resume", &run]);
    assert_eq!(refused.code, Some(4), "{refused}");
    assert_says(&refused, "is v2 now and was v1");
    assert_eq!(world.machines().len(), 0, "{refused}");
    assert_says(&world.run(["resume", &run]), "has ended: refused");
}

#[test]
fn a_process_that_drives_the_run_no_more_leaves_its_migration_alone() {
    let world = World::new();
    let run = idle_migration(&world);
    let judges = |request: &Request| request.operation == "DescribeConfigurationSettings";
    let refused = world.meanwhile(["resume", &run], judges, || {
        // Another process takes the run over, and uses the machine.
        let page = |number: u32| format!("/goldseed/shop/runs/{run}/{number}");
        let taken = world.parameters()[&page(2)].last().unwrap().clone();
        world.put_parameter(&page(3), &taken);
    });
    assert_eq!(refused.code, Some(4), "{refused}");
    assert_eq!(world.machines(), ["migration"], "{refused}");
}

#[test]
fn a_machine_that_cannot_be_terminated_does_not_hide_why_its_run_ended() {
    let world = World::new();
    let run = idle_migration(&world);
    world.sandbox.set_hook(Some(Hook::new(|request| {
        if request.operation == "TerminateInstances" {
            Fate::refused("OperationNotPermitted", "not possible")
        } else {
            Fate::Serve
        }
    })));
    let refused = world.run(["resume", &run]);
    assert_eq!(refused.code, Some(4), "{refused}");
    assert_says(&refused, "is v2 now and was v1");
    assert_says(&refused, "the machine for the migration was not terminated");
}

#[test]
fn a_run_that_has_begun_to_change_data_is_given_up_where_that_is_said() {
    let world = World::new();
    super::migrations::give_recipe(&world, "migrations: compatible\n");
    let script = world.plan().migration.unwrap().script;
    world.fail_once(&script, "migrate", &["table locked"]);
    let run = world.run(["rebuild", "shop"]).run_id();
    // Its recipe is mended: it cannot be gone on with.
    world.edit("text: Hello", "text: Good evening");
    assert_says(&world.run(["resume", &run]), "has another plan");
    let refused = world.run(["abandon", &run]);
    assert_eq!(refused.code, Some(4), "{refused}");
    assert_says(&refused, "may have migrated the data");
    assert_says(&refused, &format!("goldseed abandon {run} --data-stays"));
    let over = world.succeed(["abandon", &run, "--data-stays"]);
    assert_says(
        &over,
        "its data may have been changed in part, and stays so",
    );
    assert_eq!(world.machines().len(), 0, "{over}");
    assert!(!world.images("golden")[0].is_usable(), "{over}");
    assert_says(&world.run(["abandon", &run]), "has ended: abandoned");
    world.succeed(["rebuild", "shop"]);
}

#[test]
fn a_run_that_has_changed_the_data_of_an_environment_that_is_gone_is_given_up() {
    let world = World::new();
    super::migrations::give_recipe(&world, "migrations: compatible\n");
    let run = super::migrations::cut_off_before(&world, "migrate/terminate");
    world.replace_environment();
    assert_says(&world.run(["resume", &run]), "another environment");
    minutes_pass(&world);
    let over = world.succeed(["abandon", &run, "--data-stays"]);
    assert_says(&over, "its data was changed, and stays so");
}

#[test]
fn a_run_is_not_given_up_while_its_migration_may_run_or_another_holds_the_environment() {
    let world = World::new();
    super::migrations::give_recipe(&world, "migrations: compatible\n");
    let run = super::migrations::cut_off_in_data(&world);
    leases_are_renewed(&world);
    let held = world.run(["abandon", &run, "--data-stays"]);
    assert_eq!(held.code, Some(4), "{held}");
    assert_says(&held, &format!("a process of run {run} may be at it"));
    minutes_pass(&world);
    let machine = world.machine("migration");
    let early = world.run(["abandon", &run, "--data-stays"]);
    assert_eq!(early.code, Some(4), "{early}");
    assert_says(&early, &format!("terminate {machine}"));
    assert_eq!(world.machines(), ["migration"], "{early}");
    let call = world.ec2().terminate_instances();
    world.wait_for(call.instance_ids(&machine).send()).unwrap();
    world.until_instance(&machine, "terminated");
    let other = killed(&world, ["rebuild", "shop"], |request| {
        request.operation == "UpdateEnvironment"
    });
    world.until_ready();
    leases_are_renewed(&world);
    let held = world.run(["abandon", &run, "--data-stays"]);
    assert_eq!(held.code, Some(4), "{held}");
    assert_says(
        &held,
        &format!("a process of run {} may be", other.run_id()),
    );
    minutes_pass(&world);
    world.succeed(["abandon", &run, "--data-stays"]);
}
