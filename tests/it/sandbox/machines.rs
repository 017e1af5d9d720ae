//! Instances, images and commands.

use aws_sdk_ec2::types::{
    BlockDeviceMapping, Filter, IamInstanceProfileSpecification, ImageState, InstanceStateName,
    InstanceType, ResourceType, SnapshotState, Tag, TagSpecification,
};
use goldseed::sandbox::Behaviour;

use super::{World, code};

fn tagged(kind: ResourceType, key: &str, value: &str) -> TagSpecification {
    TagSpecification::builder()
        .resource_type(kind)
        .tags(Tag::builder().key(key).value(value).build())
        .build()
}

fn filter(name: &str, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build()
}

#[tokio::test]
async fn a_client_token_launches_once() {
    let world = World::new().await;
    let (_, image) = world.platform().await;
    let launch = |size: InstanceType| {
        world
            .ec2
            .run_instances()
            .image_id(&image)
            .instance_type(size)
            .min_count(1)
            .max_count(1)
            .client_token("run-1-seed-1")
            .iam_instance_profile(
                IamInstanceProfileSpecification::builder()
                    .name("seed")
                    .build(),
            )
            .tag_specifications(tagged(ResourceType::Instance, "goldseed:run", "r1"))
            .send()
    };
    let first = launch(InstanceType::T3Small).await.unwrap();
    let again = launch(InstanceType::T3Small).await.unwrap();
    let id = first.instances()[0].instance_id().unwrap();
    assert_eq!(again.instances()[0].instance_id(), Some(id));
    assert_eq!(
        code!(launch(InstanceType::T3Large)),
        "IdempotentParameterMismatch"
    );

    let found = world
        .ec2
        .describe_instances()
        .filters(filter("tag:goldseed:run", "r1"))
        .send()
        .await
        .unwrap();
    assert_eq!(found.reservations().len(), 1);
    world
        .ec2
        .terminate_instances()
        .instance_ids(id)
        .send()
        .await
        .unwrap();
    assert_eq!(
        code!(launch(InstanceType::T3Small)),
        "IdempotentInstanceTerminated"
    );
}

#[tokio::test]
async fn what_cannot_be_launched_is_refused_before_anything_happens() {
    let world = World::new().await;
    let (_, image) = world.platform().await;
    let launch = || world.ec2.run_instances().min_count(1).max_count(1);
    for (call, wanted) in [
        (launch().image_id(&image).dry_run(true), "DryRunOperation"),
        (
            launch().image_id("ami-0123456789abcdef0"),
            "InvalidAMIID.NotFound",
        ),
        (launch().image_id("golden"), "InvalidAMIID.Malformed"),
        (
            launch()
                .image_id(&image)
                .instance_type(InstanceType::T4gSmall),
            "InvalidParameterValue",
        ),
        (
            launch().image_id(&image).subnet_id("subnet-1"),
            "InvalidSubnetID.NotFound",
        ),
        (
            launch().image_id(&image).security_group_ids("sg-1"),
            "InvalidGroup.NotFound",
        ),
    ] {
        assert_eq!(code!(call.send()), wanted);
    }
    assert_eq!(world.sandbox.world()["instances"], serde_json::json!([]));
}

#[tokio::test]
async fn an_image_ripens_with_its_snapshot_and_both_go_together() {
    let world = World::new().await;
    let (_, stock) = world.platform().await;
    let instance = world.launch(&stock).await;
    let taken = world
        .ec2
        .create_image()
        .instance_id(&instance)
        .name("golden-1")
        .no_reboot(true)
        .tag_specifications(tagged(ResourceType::Image, "role", "golden"))
        .tag_specifications(tagged(ResourceType::Snapshot, "role", "disk"))
        .send()
        .await
        .unwrap();
    let image = taken.image_id().unwrap();
    let mut progress = Vec::new();
    let snapshot = loop {
        let answer = world
            .ec2
            .describe_images()
            .image_ids(image)
            .send()
            .await
            .unwrap();
        let shown = &answer.images()[0];
        let snapshot = shown.block_device_mappings()[0]
            .ebs()
            .unwrap()
            .snapshot_id()
            .unwrap();
        if shown.state() == Some(&ImageState::Available) {
            break snapshot.to_owned();
        }
        let snapshots = world
            .ec2
            .describe_snapshots()
            .snapshot_ids(snapshot)
            .send()
            .await
            .unwrap();
        let one = &snapshots.snapshots()[0];
        assert_eq!(one.tags()[0].value(), Some("disk"));
        progress.push(one.progress().unwrap_or_default().to_owned());
    };
    assert_eq!(progress, ["20%", "60%", "100%"]);
    let again = world
        .ec2
        .create_image()
        .instance_id(&instance)
        .name("golden-1");
    assert_eq!(code!(again.send()), "InvalidAMIName.Duplicate");
    let early = world.ec2.delete_snapshot().snapshot_id(&snapshot);
    assert_eq!(code!(early.send()), "InvalidSnapshot.InUse");

    let own = world
        .ec2
        .describe_images()
        .owners("self")
        .send()
        .await
        .unwrap();
    assert_eq!(own.images().len(), 1);
    let gone = world
        .ec2
        .deregister_image()
        .image_id(image)
        .delete_associated_snapshots(true)
        .send()
        .await
        .unwrap();
    assert_eq!(
        gone.delete_snapshot_results()[0].snapshot_id(),
        Some(snapshot.as_str())
    );
    let own = world
        .ec2
        .describe_images()
        .owners("self")
        .send()
        .await
        .unwrap();
    assert!(own.images().is_empty());
    assert_eq!(world.sandbox.world()["snapshots"], serde_json::json!([]));
}

#[tokio::test]
async fn a_failed_image_says_why_and_keeps_its_name() {
    let world = World::new().await;
    world.sandbox.behave("doomed", Behaviour::FailsToImage);
    let (_, stock) = world.platform().await;
    let instance = world.launch(&stock).await;
    let take = || {
        world
            .ec2
            .create_image()
            .instance_id(&instance)
            .name("doomed-1")
            .send()
    };
    let image = take().await.unwrap().image_id().unwrap().to_owned();
    let answer = world
        .ec2
        .describe_images()
        .image_ids(&image)
        .send()
        .await
        .unwrap();
    let shown = &answer.images()[0];
    assert_eq!(shown.state(), Some(&ImageState::Failed));
    assert!(
        shown
            .state_reason()
            .unwrap()
            .message()
            .unwrap()
            .contains("InternalError")
    );
    let snapshots = world
        .ec2
        .describe_snapshots()
        .owner_ids("self")
        .send()
        .await
        .unwrap();
    assert_eq!(
        snapshots.snapshots()[0].state(),
        Some(&SnapshotState::Error)
    );
    assert_eq!(code!(take()), "InvalidAMIName.Duplicate");
}

#[tokio::test]
async fn a_data_volume_can_be_left_out_of_an_image() {
    let world = World::new().await;
    let (_, stock) = world.platform().await;
    let data = BlockDeviceMapping::builder()
        .device_name("/dev/sdf")
        .ebs(
            aws_sdk_ec2::types::EbsBlockDevice::builder()
                .volume_size(100)
                .build(),
        )
        .build();
    let launched = world
        .ec2
        .run_instances()
        .image_id(&stock)
        .min_count(1)
        .max_count(1)
        .block_device_mappings(data)
        .send()
        .await
        .unwrap();
    let instance = launched.instances()[0].instance_id().unwrap();
    world
        .wait_for_state(instance, InstanceStateName::Running)
        .await;
    let without = BlockDeviceMapping::builder()
        .device_name("/dev/sdf")
        .no_device("")
        .build();
    world
        .ec2
        .create_image()
        .instance_id(instance)
        .name("small")
        .block_device_mappings(without)
        .send()
        .await
        .unwrap();
    let own = world
        .ec2
        .describe_images()
        .owners("self")
        .send()
        .await
        .unwrap();
    let devices: Vec<_> = own.images()[0]
        .block_device_mappings()
        .iter()
        .filter_map(|mapping| mapping.device_name())
        .collect();
    assert_eq!(devices, ["/dev/xvda"]);
}

#[tokio::test]
async fn instances_stop_start_and_end() {
    let world = World::new().await;
    let (_, stock) = world.platform().await;
    let instance = world.launch(&stock).await;
    world
        .ec2
        .stop_instances()
        .instance_ids(&instance)
        .send()
        .await
        .unwrap();
    assert_eq!(
        world.instance_state(&instance).await,
        InstanceStateName::Stopping
    );
    let early = world.ec2.start_instances().instance_ids(&instance);
    assert_eq!(code!(early.send()), "IncorrectInstanceState");
    world
        .wait_for_state(&instance, InstanceStateName::Stopped)
        .await;
    assert_eq!(
        world.ping(&instance).await,
        None,
        "a stopped node is not shown"
    );
    let command = world
        .ssm
        .send_command()
        .document_name("AWS-RunShellScript")
        .instance_ids(&instance)
        .parameters("commands", vec!["true".to_owned()]);
    assert_eq!(code!(command.send()), "InvalidInstanceId");
    world
        .ec2
        .start_instances()
        .instance_ids(&instance)
        .send()
        .await
        .unwrap();
    world
        .wait_for_state(&instance, InstanceStateName::Running)
        .await;
    world
        .ec2
        .terminate_instances()
        .instance_ids(&instance)
        .send()
        .await
        .unwrap();
    world
        .wait_for_state(&instance, InstanceStateName::Terminated)
        .await;
}

#[tokio::test]
async fn commands_end_as_the_agent_ends_them() {
    let world = World::new().await;
    let (_, stock) = world.platform().await;
    let instance = world.launch(&stock).await;
    let long = "x".repeat(30_000);
    world
        .sandbox
        .script_result(|script| script.contains("killed"), 137, "");
    world
        .sandbox
        .script_result(|script| script.contains("long"), 3, &long);
    let (status, code, _) = world.run(&instance, "killed").await;
    assert_eq!((status.as_str(), code), ("TimedOut", 137));
    let (status, code, output) = world.run(&instance, "long").await;
    assert_eq!((status.as_str(), code, output.len()), ("Failed", 3, 24_000));
    let (status, _, output) = world
        .run(&instance, "#!/bin/sh\n# goldseed probe unit\n")
        .await;
    assert_eq!(
        (status.as_str(), output.lines().nth(1)),
        ("Success", Some("state ready"))
    );
    let unknown = world
        .ssm
        .get_command_invocation()
        .command_id("00000000-0000-4000-8000-000000000000")
        .instance_id(&instance);
    assert_eq!(code!(unknown.send()), "InvocationDoesNotExist");
}

#[tokio::test]
async fn long_lists_come_in_pages() {
    let world = World::new().await;
    let (_, stock) = world.platform().await;
    let seven = world
        .ec2
        .run_instances()
        .image_id(&stock)
        .min_count(7)
        .max_count(7);
    seven.send().await.unwrap();
    let pages: Result<Vec<_>, _> = world
        .ec2
        .describe_instances()
        .max_results(5)
        .into_paginator()
        .send()
        .collect()
        .await;
    let sizes: Vec<usize> = pages
        .unwrap()
        .iter()
        .map(|page| {
            page.reservations()
                .iter()
                .map(|one| one.instances().len())
                .sum()
        })
        .collect();
    assert_eq!(sizes, [5, 2]);
    let foreign = world.ec2.describe_instances().next_token("nonsense");
    assert_eq!(code!(foreign.send()), "InvalidParameterValue");
}
