//! Faults at the wire.

use aws_sdk_ssm::types::ParameterType;
use goldseed::sandbox::{Fate, Hook, Service};

use super::{World, code};

fn once(operation: &'static str, fate: Fate) -> Hook {
    Hook::new(move |request| {
        if request.operation == operation && request.occurrence == 1 {
            fate.clone()
        } else {
            Fate::Serve
        }
    })
}

fn put(
    world: &World,
) -> aws_sdk_ssm::operation::put_parameter::builders::PutParameterFluentBuilder {
    let put = world.ssm.put_parameter().name("/a").value("1");
    put.r#type(ParameterType::String)
}

#[tokio::test]
async fn a_lost_request_did_nothing_and_a_lost_answer_everything() {
    let world = World::new().await;
    world
        .sandbox
        .set_hook(Some(once("PutParameter", Fate::LoseRequest)));
    assert!(
        put(&world)
            .send()
            .await
            .unwrap_err()
            .as_service_error()
            .is_none()
    );
    assert_eq!(world.sandbox.world()["parameters"], serde_json::json!([]));

    let world = World::new().await;
    world
        .sandbox
        .set_hook(Some(once("PutParameter", Fate::LoseAnswer)));
    assert!(
        put(&world)
            .send()
            .await
            .unwrap_err()
            .as_service_error()
            .is_none()
    );
    assert_eq!(code!(put(&world).send()), "ParameterAlreadyExists");
    let statuses: Vec<_> = world
        .sandbox
        .requests()
        .iter()
        .map(|one| one.status)
        .collect();
    assert_eq!(statuses, [None, Some(400)]);
}

#[tokio::test]
async fn each_service_throttles_in_its_own_way() {
    let world = World::new().await;
    world
        .sandbox
        .set_hook(Some(Hook::new(|request| Fate::throttled(request.service))));
    assert_eq!(
        code!(world.ec2.describe_images().send()),
        "RequestLimitExceeded"
    );
    assert_eq!(code!(world.eb.describe_environments().send()), "Throttling");
    assert_eq!(code!(put(&world).send()), "ThrottlingException");
    let seen = world.sandbox.requests();
    assert_eq!(seen[0].service, Service::Ec2);
    assert_eq!(seen[0].status, Some(503));
}

#[tokio::test]
async fn what_is_unknown_is_refused_with_a_code() {
    let world = World::new().await;
    assert_eq!(code!(world.ec2.describe_vpcs().send()), "InvalidAction");
    assert_eq!(
        code!(world.ssm.list_documents().send()),
        "UnknownOperationException"
    );
    let seen = world.sandbox.requests();
    assert!(seen.iter().all(|request| request.status == Some(400)));
}
