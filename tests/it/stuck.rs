//! Environments that do not become Ready any more, and rollbacks that fail: what was sent is said, and the call that leads
//! out; and what failed is in ledger and `runs`.

use super::world::{Output, STOCK, World};
use goldseed::sandbox::Behaviour;

fn assert_says(output: &Output, texts: &[&str]) {
    for text in texts {
        assert!(
            output.said().contains(text),
            "`{text}` is not said: {output}"
        );
    }
}

/// Runs a verb with lines that are long enough for every table.
fn wide<const N: usize>(world: &World, arguments: [&str; N]) -> Output {
    world.goldseed(arguments).env("COLUMNS", "2000").run()
}

#[test]
fn an_environment_whose_way_back_is_stuck_needs_a_person_who_is_told_the_call() {
    let world = World::new();
    world.edit("deadline: 12h", "deadline: 20m");
    world.sandbox.behave("golden", Behaviour::StuckInRollback);
    let output = world.run(["rebuild", "shop"]);
    let run = output.run_id();
    assert_eq!(output.code, Some(8), "{output}");
    let resume = format!("goldseed resume {run}");
    assert_says(
        &output,
        &[
            "shop-prod is still Updating after",
            "no update back was sent; Beanstalk's last error: Service:AmazonCloudFormation",
            "UPDATE_ROLLBACK_FAILED",
            "aws cloudformation continue-update-rollback --stack-name awseb-e-",
            "AWS Support",
            &resume,
        ],
    );
    assert!(!output.said().contains("is not known"), "{output}");
    assert_eq!(world.count("UpdateEnvironment"), 1);
    let [golden] = world.images("golden").try_into().unwrap();
    assert!(golden.tags.contains_key("goldseed:quarantined"));
    let status = world.succeed(["status", "shop"]);
    let first = format!(
        "run {run} (rebuild) is unfinished: {} was not well",
        golden.id
    );
    assert!(status.stdout.starts_with(&first), "{status}");
    for verb in ["rollback", "rebuild"] {
        let refused = world.run([verb, "shop"]);
        assert_eq!(refused.code, Some(4), "{refused}");
        assert_says(
            &refused,
            &["continue-update-rollback --stack-name awseb-e-"],
        );
    }

    // Somebody frees the stack, and the run comes to its end.
    world.sandbox.behave("golden", Behaviour::Well);
    world.until_ready();
    let resumed = world.run(["resume", &run]);
    assert_eq!(resumed.code, Some(7), "{resumed}");
    assert_eq!(world.base_image(), None);
    assert_says(&wide(&world, ["history", "shop"]), &["rolled-back"]);
}

#[test]
fn a_rollback_by_hand_that_comes_to_no_end_names_the_abort_and_is_written_down() {
    let world = World::new();
    world.edit("deadline: 12h", "deadline: 20m");
    world.succeed(["rebuild", "shop"]);
    let golden = world.base_image().unwrap();
    world.sandbox.behave(STOCK, Behaviour::StaysUpdating);
    let output = world.run(["rollback", "shop"]);
    assert_eq!(output.code, Some(8), "{output}");
    let abort = "aws elasticbeanstalk abort-environment-update --environment-name 'shop-prod'";
    assert_says(
        &output,
        &[
            "the update did not end in time: Updating",
            abort,
            "once it is Ready, to",
        ],
    );
    let history = wide(&world, ["history", "shop"]);
    assert_says(
        &history,
        &["rollback-failed", "the update did not end in time"],
    );
    let runs = wide(&world, ["runs"]);
    assert_says(&runs, &["rollback failed: the update did not end in time"]);
    for verb in ["rollback", "rebuild"] {
        let refused = world.run([verb, "shop"]);
        assert_eq!(refused.code, Some(4), "{refused}");
        assert_says(&refused, &["shop-prod is Updating, not Ready", abort]);
    }

    // The call leads out.
    let call = world.beanstalk().abort_environment_update();
    world
        .wait_for(call.environment_name("shop-prod").send())
        .unwrap();
    world.until_ready();
    assert_eq!(world.base_image(), Some(golden));
    world.sandbox.behave(STOCK, Behaviour::Well);
    world.succeed(["rollback", "shop"]);
    assert_eq!(world.base_image(), None);
}

#[test]
fn a_promotion_that_cannot_be_taken_back_is_in_the_ledger_with_both_reasons() {
    let world = World::new();
    world.sandbox.behave("golden", Behaviour::NeverJoins);
    let swaps = |request: &goldseed::sandbox::Request| request.operation == "UpdateEnvironment";
    let output = world.meanwhile(["rebuild", "shop"], swaps, || {
        world.sandbox.behave(STOCK, Behaviour::Unhealthy);
    });
    assert_eq!(output.code, Some(8), "{output}");
    let reasons = [
        "did not respond within the allowed command timeout",
        "and of going back",
    ];
    let history = wide(&world, ["history", "shop"]);
    assert_says(&history, &["rollback-failed", reasons[0], reasons[1]]);
    let runs = wide(&world, ["runs"]);
    assert_says(&runs, &["rollback failed:", reasons[0], reasons[1]]);
    assert_eq!(world.parameters()["/goldseed/shop/image"], ["platform"]);
}
