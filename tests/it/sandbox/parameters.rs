//! Parameter Store.

use aws_sdk_ssm::types::ParameterType;

use super::{World, code};

#[tokio::test]
async fn creating_is_atomic_and_history_says_who() {
    let world = World::new().await;
    let put = |value: &str, overwrite: bool| {
        world
            .ssm
            .put_parameter()
            .name("/goldseed/shop/runs/r1/1")
            .value(value)
            .r#type(ParameterType::String)
            .description(value)
            .overwrite(overwrite)
            .send()
    };
    assert_eq!(put("a", false).await.unwrap().version(), 1);
    assert_eq!(code!(put("b", false)), "ParameterAlreadyExists");
    assert_eq!(put("c", true).await.unwrap().version(), 2);
    let history = world
        .ssm
        .get_parameter_history()
        .name("/goldseed/shop/runs/r1/1")
        .send()
        .await
        .unwrap();
    let versions: Vec<_> = history
        .parameters()
        .iter()
        .map(|one| {
            (
                one.version(),
                one.value().unwrap(),
                one.description().unwrap(),
            )
        })
        .collect();
    assert_eq!(versions, [(1, "a", "a"), (2, "c", "c")]);
    assert_eq!(
        history.parameters()[0].last_modified_user(),
        Some("arn:aws:iam::123456789012:user/sandbox")
    );
}

#[tokio::test]
async fn secrets_show_only_when_they_are_decrypted() {
    let world = World::new().await;
    let put = world
        .ssm
        .put_parameter()
        .name("/app/secret")
        .value("s3cret");
    put.r#type(ParameterType::SecureString)
        .send()
        .await
        .unwrap();
    let get = |decrypt: bool| {
        world
            .ssm
            .get_parameter()
            .name("/app/secret")
            .with_decryption(decrypt)
            .send()
    };
    let value = |answer: aws_sdk_ssm::operation::get_parameter::GetParameterOutput| {
        answer.parameter().unwrap().value().unwrap().to_owned()
    };
    assert_eq!(value(get(true).await.unwrap()), "s3cret");
    assert!(!value(get(false).await.unwrap()).contains("s3cret"));
}

#[tokio::test]
async fn paths_are_read_in_pages_of_ten() {
    let world = World::new().await;
    for number in 0..12 {
        let put = world
            .ssm
            .put_parameter()
            .name(format!("/a/{number:02}/x"))
            .value("1");
        put.r#type(ParameterType::String).send().await.unwrap();
    }
    let pages: Result<Vec<_>, _> = world
        .ssm
        .get_parameters_by_path()
        .path("/a")
        .recursive(true)
        .into_paginator()
        .send()
        .collect()
        .await;
    let sizes: Vec<usize> = pages
        .unwrap()
        .iter()
        .map(|page| page.parameters().len())
        .collect();
    assert_eq!(sizes, [10, 2]);
    let flat = world
        .ssm
        .get_parameters_by_path()
        .path("/a")
        .send()
        .await
        .unwrap();
    assert!(
        flat.parameters().is_empty(),
        "without Recursive only one level is read"
    );
}
