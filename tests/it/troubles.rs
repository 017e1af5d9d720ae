//! Updates that AWS cannot carry out, and what is said of those that fail: the first errors of Beanstalk are the reason,
//! and an image is blamed only where an instance of it was judged.

use super::world::{Output, World};
use goldseed::sandbox::Behaviour;

/// Asserts that the output says these, however it is wrapped.
fn assert_says(output: &Output, texts: &[&str]) {
    let said = output.said();
    for text in texts {
        assert!(said.contains(text), "`{text}` is not said: {output}");
    }
}

/// A rebuild whose instances the group cannot get: the image is not blamed, and the next run brings it.
fn is_not_blamed(behaviour: Behaviour, event: &str, cure: &str) {
    let world = World::new();
    world.sandbox.behave("golden", behaviour);
    let output = world.run(["rebuild", "shop"]);
    assert_eq!(output.code, Some(7), "{output}");
    let [golden] = world.images("golden").try_into().unwrap();
    let promote = format!("goldseed promote shop --image {}", golden.id);
    assert_says(
        &output,
        &["AWS could not bring shop-prod to", event, cure, &promote],
    );
    for wrong in ["went back by itself", "never started", "in quarantine:"] {
        assert!(!output.said().contains(wrong), "{wrong}: {output}");
    }
    assert_eq!(world.base_image(), None);
    assert!(
        !golden.tags.contains_key("goldseed:quarantined"),
        "{output}"
    );
    let history = world
        .goldseed(["history", "shop"])
        .env("COLUMNS", "2000")
        .run();
    assert_says(&history, &["rolled-back", "was not judged", event]);

    // A schedule tries again, and so may a person with the same image.
    world.sandbox.behave("golden", Behaviour::Well);
    world.succeed(["promote", "shop", "--image", &golden.id]);
    assert_eq!(world.base_image(), Some(golden.id));
    world.succeed(["rebuild", "shop"]);
}

#[test]
fn capacity_is_not_the_images_fault() {
    let code = "InsufficientInstanceCapacity";
    let message = "We currently do not have sufficient t3.small capacity in the Availability Zone you requested (eu-central-1a).";
    let behaviour = Behaviour::CannotLaunch { code, message };
    is_not_blamed(
        behaviour,
        "do not have sufficient t3.small capacity",
        "try again later",
    );
}

#[test]
fn a_quota_is_not_the_images_fault() {
    let code = "VcpuLimitExceeded";
    let message =
        "You have requested more vCPU capacity than your current vCPU limit of 32 allows.";
    let behaviour = Behaviour::CannotLaunch { code, message };
    is_not_blamed(behaviour, "current vCPU limit of 32", "raise the quota");
}

#[test]
fn a_policy_is_not_the_images_fault() {
    let code = "UnauthorizedOperation";
    let message = "You are not authorized to perform this operation. Encoded authorization failure message: 4x";
    let behaviour = Behaviour::CannotLaunch { code, message };
    is_not_blamed(
        behaviour,
        "You are not authorized to perform",
        "a policy, or a setting",
    );
}

#[test]
fn a_key_that_cannot_be_used_is_not_the_images_fault() {
    let code = "Client.InvalidKMSKey.InvalidState";
    let message = "The KMS key provided is in an incorrect state";
    let behaviour = Behaviour::DiesAtLaunch { code, message };
    is_not_blamed(behaviour, message, "AWSServiceRoleForAutoScaling");
}

#[test]
fn the_reason_of_an_image_that_is_blamed_is_beanstalks_first_error() {
    for (behaviour, event) in [
        (
            Behaviour::NeverJoins,
            "did not respond within the allowed command timeout",
        ),
        (
            Behaviour::FailsToDeploy,
            "Engine execution has encountered an error",
        ),
    ] {
        let world = World::new();
        world.sandbox.behave("golden", behaviour);
        let output = world.run(["rebuild", "shop"]);
        assert_eq!(output.code, Some(7), "{output}");
        assert_says(&output, &[event, "Beanstalk reverted the update"]);
        let [golden] = world.images("golden").try_into().unwrap();
        let tag = &golden.tags["goldseed:quarantined"];
        assert!(tag.contains(event), "{tag}");
        let history = world
            .goldseed(["history", "shop"])
            .env("COLUMNS", "2000")
            .run();
        assert_says(&history, &[event]);
    }
}

#[test]
fn a_key_that_the_group_was_not_started_with_is_warned_of() {
    let world = World::new();
    let plain = world.succeed(["rebuild", "shop"]);
    assert!(!plain.said().contains("KMS"), "{plain}");
    let key = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555";
    world.sandbox.encrypt_by_default(key);
    world.edit("text: Hello", "text: Good evening");
    let warned = world.succeed(["rebuild", "shop"]);
    let text = format!("are encrypted with KMS key {key}: unless that is AWS's own key");
    assert_says(&warned, &[&text, "AWSServiceRoleForAutoScaling"]);
    // By then its instances run with it.
    world.edit("text: Good evening", "text: Good night");
    let again = world.succeed(["rebuild", "shop"]);
    assert!(!again.said().contains("KMS"), "{again}");
}
