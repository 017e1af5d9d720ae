//! Environments: how they come up, how they are updated, and how updates fail.

use aws_sdk_elasticbeanstalk::types::{
    ConfigurationOptionSetting, EnvironmentDescription, EnvironmentHealthAttribute,
    EnvironmentStatus, OptionSpecification,
};
use goldseed::sandbox::Behaviour;

use super::{World, code};

const LAUNCH: &str = "aws:autoscaling:launchconfiguration";
const ROLLING: &str = "aws:autoscaling:updatepolicy:rollingupdate";
const HEALTH: [(&str, &str, &str); 2] = [
    (ROLLING, "RollingUpdateEnabled", "true"),
    (ROLLING, "RollingUpdateType", "Health"),
];

fn option((namespace, name, value): (&str, &str, &str)) -> ConfigurationOptionSetting {
    ConfigurationOptionSetting::builder()
        .namespace(namespace)
        .option_name(name)
        .value(value)
        .build()
}

impl World {
    /// An environment of two instances that is ready.
    async fn environment(&self, options: &[(&str, &str, &str)]) {
        self.eb
            .create_application()
            .application_name("shop")
            .send()
            .await
            .unwrap();
        let (platform, _) = self.platform().await;
        let mut all = vec![
            ("aws:autoscaling:asg", "MinSize", "2"),
            (
                "aws:elasticbeanstalk:healthreporting:system",
                "SystemType",
                "enhanced",
            ),
        ];
        all.extend_from_slice(options);
        self.eb
            .create_environment()
            .application_name("shop")
            .environment_name("shop-prod")
            .platform_arn(platform)
            .set_option_settings(Some(all.into_iter().map(option).collect()))
            .send()
            .await
            .unwrap();
        self.ready().await;
    }

    async fn look(&self) -> EnvironmentDescription {
        let answer = self
            .eb
            .describe_environments()
            .environment_names("shop-prod")
            .send()
            .await
            .unwrap();
        answer.environments()[0].clone()
    }

    /// Waits until the environment is ready; tells the fewest members that were seen on the way.
    async fn ready(&self) -> usize {
        let mut fewest = usize::MAX;
        for _ in 0..200 {
            let shown = self.look().await;
            if shown.status() == Some(&EnvironmentStatus::Ready) {
                return fewest;
            }
            fewest = fewest.min(self.members().await.len());
        }
        panic!("the environment never became ready");
    }

    async fn members(&self) -> Vec<String> {
        let answer = self
            .eb
            .describe_environment_resources()
            .environment_name("shop-prod")
            .send()
            .await
            .unwrap();
        let resources = answer.environment_resources().unwrap();
        let ids = resources.instances().iter();
        ids.map(|one| one.id().unwrap().to_owned()).collect()
    }

    /// The image of each set of settings, with its deployment status.
    async fn images(&self) -> Vec<(String, String)> {
        let answer = self
            .eb
            .describe_configuration_settings()
            .application_name("shop")
            .environment_name("shop-prod")
            .send()
            .await
            .unwrap();
        answer
            .configuration_settings()
            .iter()
            .map(|set| {
                let image = set
                    .option_settings()
                    .iter()
                    .find(|one| one.option_name() == Some("ImageId"))
                    .and_then(|one| one.value());
                let status = set.deployment_status().unwrap().as_str();
                (status.to_owned(), image.unwrap().to_owned())
            })
            .collect()
    }

    /// Changes the image and gives back the request id of the call.
    async fn swap(&self, image: &str) -> String {
        self.set((LAUNCH, "ImageId", image)).await
    }

    /// Changes an option and gives back the request id of the call.
    async fn set(&self, one: (&str, &str, &str)) -> String {
        use aws_sdk_elasticbeanstalk::operation::RequestId as _;
        let answer = self
            .eb
            .update_environment()
            .environment_name("shop-prod")
            .option_settings(option(one))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), Some(&EnvironmentStatus::Updating));
        answer.request_id().unwrap().to_owned()
    }

    async fn messages(&self, request_id: &str) -> Vec<String> {
        let answer = self
            .eb
            .describe_events()
            .request_id(request_id)
            .send()
            .await
            .unwrap();
        let events = answer.events().iter().rev();
        events
            .map(|one| one.message().unwrap().to_owned())
            .collect()
    }

    /// A golden image: of a seed that was generalised.
    async fn golden(&self, name: &str) -> String {
        let member = self.members().await.remove(0);
        let raw = self.image(&member, &format!("raw-{name}")).await;
        let seed = self.launch(&raw).await;
        self.run(
            &seed,
            "#!/bin/sh\n# goldseed start goldseed-r1-generalise\n",
        )
        .await;
        self.image(&seed, name).await
    }

    async fn health(&self) -> String {
        let answer = self
            .eb
            .describe_environment_health()
            .environment_name("shop-prod")
            .attribute_names(EnvironmentHealthAttribute::All)
            .send()
            .await
            .unwrap();
        answer.health_status().unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_swap_replaces_batch_by_batch_and_its_events_carry_its_request_id() {
    let world = World::new().await;
    world.environment(&HEALTH).await;
    let golden = world.golden("golden-1").await;
    let before = world.members().await;
    let request_id = world.swap(&golden).await;
    let sets = world.images().await;
    assert_eq!(sets[1], ("pending".to_owned(), golden.clone()));
    let busy = world.eb.update_environment().environment_name("shop-prod");
    assert_eq!(code!(busy.send()), "InvalidParameterValue");

    assert_eq!(world.ready().await, 1, "one of two is always there");
    assert_eq!(
        world.images().await,
        [("deployed".to_owned(), golden.clone())]
    );
    assert_eq!(world.health().await, "Ok");
    let after = world.members().await;
    assert!(before.iter().all(|id| !after.contains(id)));
    let messages = world.messages(&request_id).await;
    assert_eq!(messages.first().unwrap(), "Environment update is starting.");
    assert_eq!(
        messages.last().unwrap(),
        "Environment update completed successfully."
    );
}

#[tokio::test]
async fn an_image_with_the_marker_never_joins_and_the_update_is_reverted() {
    let world = World::new().await;
    world.environment(&HEALTH).await;
    let (_, stock) = world.platform().await;
    let member = world.members().await.remove(0);
    let raw = world.image(&member, "raw-1").await;
    let request_id = world.swap(&raw).await;
    world.ready().await;
    assert_eq!(
        world.images().await,
        [("deployed".to_owned(), stock), ("failed".to_owned(), raw)]
    );
    let messages = world.messages(&request_id).await;
    assert!(
        messages
            .iter()
            .any(|text| text.contains("did not respond within the allowed command timeout"))
    );
    assert!(messages.contains(&"Failed to deploy configuration.".to_owned()));
    assert_eq!(
        messages.last().unwrap(),
        "The environment was reverted to the previous configuration setting."
    );
    assert_eq!(world.health().await, "Ok");
}

#[tokio::test]
async fn an_unhealthy_image_is_reverted_by_health_and_kept_by_time() {
    for (kind, reverted) in [("Health", true), ("Time", false), ("Immutable", true)] {
        let world = World::new().await;
        let options = [HEALTH[0], (ROLLING, "RollingUpdateType", kind)];
        world.environment(&options).await;
        world.sandbox.behave("golden-bad", Behaviour::Unhealthy);
        let golden = world.golden("golden-bad").await;
        world.swap(&golden).await;
        world.ready().await;
        let deployed = world.images().await.remove(0).1;
        assert_eq!(deployed != golden, reverted, "{kind}");
    }
}

#[tokio::test]
async fn without_rolling_updates_there_is_a_time_without_instances() {
    let world = World::new().await;
    world.environment(&[]).await;
    let golden = world.golden("golden-1").await;
    world.swap(&golden).await;
    assert_eq!(world.ready().await, 0);
}

#[tokio::test]
async fn an_immutable_update_never_has_fewer_instances() {
    let world = World::new().await;
    world
        .environment(&[HEALTH[0], (ROLLING, "RollingUpdateType", "Immutable")])
        .await;
    let golden = world.golden("golden-1").await;
    world.swap(&golden).await;
    assert_eq!(world.ready().await, 2);
    assert_eq!(world.images().await, [("deployed".to_owned(), golden)]);
}

#[tokio::test]
async fn the_option_can_be_removed_and_setting_it_again_replaces_nothing() {
    let world = World::new().await;
    world.environment(&HEALTH).await;
    let (_, stock) = world.platform().await;
    let golden = world.golden("golden-1").await;
    world.swap(&golden).await;
    world.ready().await;
    let members = world.members().await;
    world.swap(&golden).await;
    world.ready().await;
    assert_eq!(world.members().await, members);
    let option = OptionSpecification::builder()
        .namespace(LAUNCH)
        .option_name("ImageId")
        .build();
    let remove = world.eb.update_environment().environment_name("shop-prod");
    remove.options_to_remove(option).send().await.unwrap();
    world.ready().await;
    assert_eq!(world.images().await, [("deployed".to_owned(), stock)]);
    let made = world.sandbox.world()["environments"][0]["settings"].to_string();
    assert!(!made.contains("ImageId"), "{made}");
}

#[tokio::test]
async fn an_update_can_be_aborted() {
    let world = World::new().await;
    world.environment(&HEALTH).await;
    let (_, stock) = world.platform().await;
    let golden = world.golden("golden-1").await;
    world.swap(&golden).await;
    for _ in 0..4 {
        world.look().await;
    }
    let abort = || {
        world
            .eb
            .abort_environment_update()
            .environment_name("shop-prod")
            .send()
    };
    abort().await.unwrap();
    assert_eq!(
        world.look().await.status(),
        Some(&EnvironmentStatus::Aborting)
    );
    world.ready().await;
    assert_eq!(world.images().await[0], ("deployed".to_owned(), stock));
    assert_eq!(code!(abort()), "InvalidParameterValue");
}

#[tokio::test]
async fn an_image_that_was_deregistered_fails_the_next_launch() {
    let world = World::new().await;
    world.environment(&HEALTH).await;
    let golden = world.golden("golden-1").await;
    world
        .ec2
        .deregister_image()
        .image_id(&golden)
        .send()
        .await
        .unwrap();
    let request_id = world.swap(&golden).await;
    world.ready().await;
    assert_eq!(world.images().await[1], ("failed".to_owned(), golden));
    let messages = world.messages(&request_id).await.join("\n");
    assert!(messages.contains("InvalidAMIID.NotFound"), "{messages}");
    assert_eq!(world.members().await.len(), 2);
}

#[tokio::test]
async fn a_member_that_is_terminated_from_outside_is_replaced() {
    let world = World::new().await;
    world.environment(&HEALTH).await;
    let lost = world.members().await.remove(0);
    world
        .ec2
        .terminate_instances()
        .instance_ids(&lost)
        .send()
        .await
        .unwrap();
    for _ in 0..12 {
        world.look().await;
    }
    let members = world.members().await;
    assert_eq!((members.len(), members.contains(&lost)), (2, false));
    assert_eq!(world.health().await, "Ok");
}

#[tokio::test]
async fn an_instance_that_falls_ill_later_shows_in_the_health() {
    let world = World::new().await;
    world.environment(&HEALTH).await;
    world
        .sandbox
        .behave("golden-late", Behaviour::WellFor { looks: 30 });
    let golden = world.golden("golden-late").await;
    world.swap(&golden).await;
    world.ready().await;
    assert_eq!(world.images().await[0].1, golden);
    assert_eq!(world.health().await, "Ok");
    for _ in 0..40 {
        world.look().await;
    }
    assert_eq!(world.health().await, "Severe");
}

#[tokio::test]
async fn version_and_image_do_not_change_in_one_call() {
    let world = World::new().await;
    world.environment(&HEALTH).await;
    let version = world
        .eb
        .create_application_version()
        .application_name("shop");
    version.version_label("v1").send().await.unwrap();
    let both = world
        .eb
        .update_environment()
        .environment_name("shop-prod")
        .version_label("v1")
        .option_settings(option((LAUNCH, "ImageId", "ami-00000001")));
    assert_eq!(code!(both.send()), "InvalidParameterCombination");
    let version = world.eb.update_environment().environment_name("shop-prod");
    version.version_label("v1").send().await.unwrap();
    world.ready().await;
    assert_eq!(world.look().await.version_label(), Some("v1"));
}

#[tokio::test]
async fn properties_are_deployed_in_place_and_taken_back_where_that_fails() {
    const PROPERTIES: &str = "aws:elasticbeanstalk:application:environment";
    let world = World::new().await;
    world.environment(&HEALTH).await;
    let members = world.members().await;
    world.set((PROPERTIES, "SHOP_MODE", "sale")).await;
    assert_eq!(world.ready().await, 2, "no instance leaves");
    assert_eq!(world.members().await, members);
    assert_eq!(world.health().await, "Ok");

    let stock = world.images().await[0].1.clone();
    world.sandbox.behave(&stock, Behaviour::FailsToDeploy);
    let request = world.set((PROPERTIES, "SHOP_MODE", "closed")).await;
    world.ready().await;
    assert_eq!(world.members().await, members);
    let told = world.messages(&request).await;
    let told: Vec<&str> = told.iter().map(String::as_str).collect();
    let list = members.join(", ");
    let list = format!(
        "Unsuccessful command execution on instance id(s) '{list}'. Aborting the operation."
    );
    assert!(
        told.contains(&list.as_str()) && told.contains(&"Failed to deploy configuration."),
        "{told:?}"
    );
    assert_eq!(world.images().await.len(), 2, "a failed draft stays");
}

#[tokio::test]
async fn a_planned_managed_update_shows() {
    let world = World::new().await;
    world.environment(&HEALTH).await;
    let at = "2026-12-01T03:00:00Z".parse().unwrap();
    assert!(
        world
            .sandbox
            .plan_managed_update("shop-prod", "Scheduled", at)
    );
    let actions = world
        .eb
        .describe_environment_managed_actions()
        .environment_name("shop-prod")
        .send()
        .await
        .unwrap();
    let action = &actions.managed_actions()[0];
    assert_eq!(action.status().unwrap().as_str(), "Scheduled");
    assert_eq!(action.window_start_time().unwrap().secs(), 1_796_094_000);
}
