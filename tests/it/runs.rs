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

/// Changes the highest page of a run.
fn rewrite_record(world: &World, run: &str, change: impl FnOnce(&mut serde_json::Value)) {
    let parameters = world.parameters();
    let pages = parameters.iter().filter(|(name, _)| name.contains(run));
    let (page, versions) = pages.max_by_key(|(name, _)| (name.len(), *name)).unwrap();
    let mut record = serde_json::from_str(versions.last().unwrap()).unwrap();
    change(&mut record);
    let call = world.ssm().put_parameter().name(page);
    let call = call.value(record.to_string()).overwrite(true);
    world.wait_for(call.send()).unwrap();
}

/// The record of a run is as if a process of another host had written it just now; returns the mark of the one that did.
fn as_if_written_on_another_host(world: &World, run: &str) -> String {
    let mut mark = String::new();
    rewrite_record(world, run, |record| {
        let process = &mut record["w"]["p"];
        process.as_str().unwrap().clone_into(&mut mark);
        *process = format!("0{mark}").into();
    });
    mark
}

#[test]
fn a_run_that_a_process_of_this_host_drives_is_not_taken_from_it() {
    let world = World::new();
    let output = world.meanwhile(
        ["build", "shop"],
        |request| request.operation == "RunInstances" && request.parameters["DryRun"] != "true",
        || {
            let parameters = world.parameters();
            let page = parameters.keys().find(|name| name.contains("/runs/"));
            let run = page.unwrap().rsplit('/').nth(1).unwrap();
            // However old its record and whoever asks.
            for refused in [
                world.run(["resume"]),
                world.run(["resume", run]),
                world.goldseed(["abandon", run]).env("LOGNAME", "eve").run(),
            ] {
                assert_eq!(refused.code, Some(4), "{refused}");
                assert_says(&refused, "is being driven by process");
                assert_says(&refused, "nothing was changed");
                assert_says(&refused, "--force REASON");
            }
            assert_eq!(world.parameters(), parameters, "something was written");
        },
    );
    assert_eq!(output.code, Some(0), "{output}");
}

#[test]
fn a_run_that_its_process_has_left_is_resumed_from_any_host_without_a_question() {
    let world = World::new();
    world.fail_recipes_once(&["a line"]);
    let failed = world.run(["build", "shop"]);
    assert_eq!(failed.code, Some(6), "{failed}");
    let run = failed.run_id();
    as_if_written_on_another_host(&world, &run);
    world.succeed(["resume", &run]);
}

#[test]
fn a_record_of_an_older_version_names_no_process_and_its_age_counts() {
    let world = World::new();
    let run = killed_at(&world, ["build", "shop"], "RunInstances").run_id();
    rewrite_record(&world, &run, |record| {
        record["w"].as_object_mut().unwrap().remove("p").unwrap();
    });
    let refused = world.run(["abandon", &run]);
    assert_eq!(refused.code, Some(4), "{refused}");
    assert_says(&refused, "its record was written");
    let short = world.run(["abandon", &run, "--force", " "]);
    assert_eq!(short.code, Some(2), "{short}");
    world.succeed(["abandon", &run, "--force", "tidying up"]);
    let parameters = world.parameters();
    let page = parameters.iter().find(|(name, _)| name.contains(&run));
    let last = page.unwrap().1.last().unwrap();
    assert!(last.contains(": tidying up"), "{last}");
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
    let mark = as_if_written_on_another_host(&world, &run);
    let refused = world.run(["resume"]);
    assert_eq!(refused.code, Some(4), "{refused}");
    assert_says(&refused, "may still be driven by ada@");
    assert_says(&refused, "it holds shop-prod until");
    assert_eq!(pages(&world), before, "it was taken over");
    minutes_pass(&world);
    // Its lease is over, and its record was written a moment ago.
    let refused = world.run(["resume"]);
    assert_eq!(refused.code, Some(4), "{refused}");
    assert_says(&refused, "its record was written");
    assert_eq!(pages(&world), before, "it was taken over");
    // Here its process is known to have ended.
    rewrite_record(&world, &run, |record| record["w"]["p"] = mark.into());
    world.succeed(["resume"]);
}

#[test]
fn resume_without_a_run_leaves_a_build_to_whom_wrote_its_record_a_moment_ago() {
    let world = World::new();
    // A build holds no lease.
    let run = killed_at(&world, ["build", "shop"], "RunInstances").run_id();
    // It is written again: the moment begins now, however long a busy machine took for the rest.
    as_if_written_on_another_host(&world, &run);
    let refused = world.goldseed(["resume"]).env("LOGNAME", "eve").run();
    assert_eq!(refused.code, Some(4), "{refused}");
    let said: Vec<&str> = refused.stderr.split_whitespace().collect();
    let said = said.join(" ");
    assert!(said.contains("driven by ada@"), "{refused}");
    assert!(said.contains("its record was written"), "{refused}");
    assert!(
        said.contains(&format!("goldseed resume {run}")),
        "{refused}"
    );
    for verb in ["resume", "abandon"] {
        let named = world.goldseed([verb, &run]).env("LOGNAME", "eve").run();
        assert_eq!(named.code, Some(4), "{named}");
        assert_says(&named, &format!("goldseed {verb} {run} --yes"));
    }
    let named = world.goldseed(["resume", &run, "--yes"]);
    let named = named.env("LOGNAME", "eve").run();
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

#[test]
fn a_rebuild_that_was_killed_is_resumed_by_the_next_one_that_is_to_resume() {
    let world = World::new();
    let run = killed_at(&world, ["rebuild", "shop"], "UpdateEnvironment").run_id();
    leases_are_renewed(&world);
    let resumed = world.succeed(["rebuild", "shop", "--resume"]);
    assert_says(&resumed, &format!("resuming the unfinished run {run}"));
    assert_eq!(world.images("golden").len(), 1, "{resumed}");
    // Nothing is unfinished: another one is started. Its image is in service already once it was resumed.
    let another = killed_at(&world, ["rebuild", "shop", "--resume"], "RunInstances").run_id();
    assert_ne!(another, run);
    // After a change of the recipes it cannot be resumed and another one is started.
    world.edit("text: Hello", "text: Welcome");
    let changed = world.succeed(["rebuild", "shop", "--resume"]);
    assert_says(
        &changed,
        &format!("run {another} is unfinished and not resumed"),
    );
    assert_says(&changed, &format!("goldseed abandon {another}"));
    assert_eq!(world.images("golden").len(), 2, "{changed}");
}

#[test]
fn a_rebuild_that_is_to_resume_takes_no_run_from_a_process_that_may_live() {
    let world = World::new();
    let run = killed_at(&world, ["rebuild", "shop"], "UpdateEnvironment").run_id();
    as_if_written_on_another_host(&world, &run);
    let refused = world.run(["rebuild", "shop", "--resume"]);
    assert_eq!(refused.code, Some(4), "{refused}");
    assert_says(&refused, "may still be driven by ada@");
}
