//! `goldseed runs`, and `goldseed resume` without a run.

use std::sync::{Arc, OnceLock};

use goldseed::sandbox::Fate;

use super::unsent::{assert_says, leases_are_renewed, minutes_pass};
use super::world::{Output, World};

/// Runs a verb and kills it at the first request of this operation, whose answer is lost.
fn killed_at<const N: usize>(
    world: &World,
    arguments: [&str; N],
    operation: &'static str,
) -> Output {
    let pid: Arc<OnceLock<u32>> = Arc::default();
    world.signal_at(&pid, "KILL", Fate::LoseAnswer, move |request| {
        request.operation == operation && request.parameters["DryRun"] != "true"
    });
    let output = world.goldseed(arguments).run_as(&pid);
    world.sandbox.set_hook(None);
    assert_eq!(output.code, None, "{output}");
    output
}

#[test]
fn runs_are_listed_newest_first_with_what_became_of_them() {
    let world = World::new();
    insta::assert_snapshot!("none", world.succeed(["runs"]));
    let built = world.succeed(["build", "shop"]).run_id();
    let cut = killed_at(&world, ["promote", "shop"], "UpdateEnvironment").run_id();
    world.put_parameter("/goldseed/shop/runs/20991231-000000-0000/1", r#"{"f":9}"#);
    leases_are_renewed(&world);
    let output = world.succeed(["runs"]);
    let rows: Vec<&str> = output.stdout.lines().skip(1).collect();
    assert_eq!(rows.len(), 3, "{output}");
    assert!(
        rows[0].starts_with("20991231-000000-0000  shop"),
        "{output}"
    );
    assert!(rows[0].contains("written by a newer version"), "{output}");
    let row = |run: &str| {
        let row = rows.iter().find(|row| row.starts_with(run)).unwrap();
        row.split_whitespace()
            .map(ToOwned::to_owned)
            .collect::<Vec<_>>()
    };
    let cut = row(&cut);
    assert_eq!(cut[1..4], ["shop", "promote", "swap"], "{output}");
    assert_eq!(cut[5], "ada", "{output}");
    assert_eq!(cut[7], "unfinished,", "{output}");
    assert!(output.stdout.contains("holds shop-prod until"), "{output}");
    let built = row(&built);
    assert_eq!(built[1..4], ["shop", "build", "retire"], "{output}");
    assert_eq!(built[7], "done", "{output}");
    assert_eq!(world.succeed(["runs", "shop"]).stdout.lines().count(), 4);
    let unknown = world.run(["runs", "shops"]);
    assert_eq!(unknown.code, Some(3), "{unknown}");
    assert!(unknown.stderr.contains("it has: shop"), "{unknown}");
}

#[test]
fn resume_without_a_run_goes_on_with_the_only_unfinished_one() {
    let world = World::new();
    let none = world.run(["resume"]);
    assert_eq!(none.code, Some(4), "{none}");
    assert!(none.stderr.contains("no run is unfinished"), "{none}");
    killed_at(&world, ["rebuild", "shop"], "RunInstances");
    world.succeed(["resume"]);
    assert_eq!(
        world.base_image().as_ref(),
        Some(&world.images("golden")[0].id)
    );
    killed_at(&world, ["build", "shop"], "RunInstances");
    killed_at(&world, ["build", "shop"], "CreateImage");
    let several = world.run(["resume"]);
    assert_eq!(several.code, Some(4), "{several}");
    assert!(
        several.stderr.contains("2 runs are unfinished"),
        "{several}"
    );
    assert_eq!(
        several.stderr.matches("goldseed resume 2").count(),
        2,
        "{several}"
    );
}

#[test]
fn resume_without_a_run_takes_none_over_that_somebody_may_drive() {
    let world = World::new();
    let run = killed_at(&world, ["rebuild", "shop"], "UpdateEnvironment").run_id();
    let pages = |world: &World| {
        let parameters = world.parameters();
        parameters.keys().filter(|name| name.contains(&run)).count()
    };
    let before = pages(&world);
    leases_are_renewed(&world);
    let refused = world.run(["resume"]);
    assert_eq!(refused.code, Some(4), "{refused}");
    assert!(refused.stderr.contains("may be at it"), "{refused}");
    assert_eq!(pages(&world), before, "it was taken over");
    minutes_pass(&world);
    world.succeed(["resume"]);
}

#[test]
fn resume_without_a_run_leaves_a_build_to_whom_wrote_its_record_a_moment_ago() {
    let world = World::new();
    // A build holds no lease.
    let run = killed_at(&world, ["build", "shop"], "RunInstances").run_id();
    // It is written again: the moment begins now, however long a busy machine took for the rest.
    let page = format!("/goldseed/shop/runs/{run}/1");
    let written = world.parameters()[&page].last().unwrap().clone();
    let call = world.ssm().put_parameter().name(page).value(written);
    world.wait_for(call.overwrite(true).send()).unwrap();
    let refused = world.goldseed(["resume"]).env("LOGNAME", "eve").run();
    assert_eq!(refused.code, Some(4), "{refused}");
    let said: Vec<&str> = refused.stderr.split_whitespace().collect();
    let said = said.join(" ");
    assert!(said.contains("and ada@"), "{refused}");
    assert!(said.contains("its record was written"), "{refused}");
    assert!(
        said.contains(&format!("goldseed resume {run}")),
        "{refused}"
    );
    let named = world.goldseed(["resume", &run]).env("LOGNAME", "eve").run();
    assert_eq!(named.code, Some(0), "{named}");
}

#[test]
fn a_record_that_cannot_be_read_is_told_with_its_way_out() {
    let world = World::new();
    let run = killed_at(&world, ["build", "shop"], "RunInstances").run_id();
    let page = format!("/goldseed/shop/runs/{run}/1");
    let written = world.parameters()[&page].last().unwrap().clone();
    let put = |value: &str| {
        let call = world.ssm().put_parameter().name(&page).value(value);
        world.wait_for(call.overwrite(true).send()).unwrap();
    };
    put("garbage {");
    let history = format!("aws ssm get-parameter-history --name {page}");
    let below = format!("delete all parameters below /goldseed/shop/runs/{run}");
    for arguments in [&["resume"][..], &["resume", &run]] {
        let output = match arguments {
            [verb] => world.run([verb]),
            _ => world.run(["resume", &run]),
        };
        assert_eq!(output.code, Some(1), "{output}");
        assert_says(&output, &history);
        assert_says(&output, &below);
        assert!(!output.stderr.contains("version of"), "{output}");
    }
    for output in [
        world.succeed(["status", "shop"]),
        world.succeed(["runs"]),
        world.succeed(["sweep"]),
    ] {
        assert!(output.stdout.contains(&run), "{output}");
    }
    put(&written.replacen("\"f\":1", "\"f\":7", 1));
    let newer = world.run(["resume"]);
    assert_eq!(newer.code, Some(1), "{newer}");
    assert_says(&newer, "use the version of goldseed that wrote it");
    put(&written);
    world.succeed(["resume", &run]);
}

#[test]
fn a_run_of_another_pipeline_is_known_by_it() {
    let world = World::new();
    let run = "20260101-000000-0001";
    world.put_parameter(&format!("/goldseed/blog/runs/{run}/1"), r#"{"f":9}"#);
    let output = world.run(["resume", run]);
    assert_eq!(output.code, Some(3), "{output}");
    assert_says(
        &output,
        "is of pipeline `blog`, which goldseed.yaml does not have",
    );
}
