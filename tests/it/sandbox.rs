//! The sandbox as the SDK's own clients see it, with simulated machines.

#![cfg(test)]

mod access;
mod beanstalk;
mod faults;
mod machines;
mod parameters;

use aws_sdk_ec2::config::retry::RetryConfig;
use aws_sdk_ec2::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_ec2::types::{ImageState, InstanceStateName, InstanceType};
use goldseed::sandbox::{Options, Sandbox};

/// A sandbox with clients that never try again.
struct World {
    sandbox: Sandbox,
    ec2: aws_sdk_ec2::Client,
    eb: aws_sdk_elasticbeanstalk::Client,
    ssm: aws_sdk_ssm::Client,
    sts: aws_sdk_sts::Client,
    _folder: tempfile::TempDir,
}

/// The options that all clients share: their builders are of different types.
macro_rules! client {
    ($service:ident, $endpoint:expr) => {
        $service::Client::from_conf(
            $service::Config::builder()
                .behavior_version(BehaviorVersion::latest())
                .region(Region::new("eu-central-1"))
                .endpoint_url($endpoint)
                .credentials_provider(Credentials::new("id", "secret", None, None, "test"))
                .retry_config(RetryConfig::disabled())
                .build(),
        )
    };
}

/// The error code of a refused call.
macro_rules! code {
    ($call:expr) => {{
        use aws_sdk_ec2::error::ProvideErrorMetadata as _;
        let refused = $call.await.expect_err("the call is refused");
        refused.code().unwrap_or("no code").to_owned()
    }};
}
use code;

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::start(Options::simulated(folder.path()))
            .await
            .unwrap();
        let endpoint = sandbox.endpoint();
        Self {
            ec2: client!(aws_sdk_ec2, &endpoint),
            eb: client!(aws_sdk_elasticbeanstalk, &endpoint),
            ssm: client!(aws_sdk_ssm, &endpoint),
            sts: client!(aws_sdk_sts, &endpoint),
            sandbox,
            _folder: folder,
        }
    }

    /// The newest platform version, as its ARN and its own image.
    async fn platform(&self) -> (String, String) {
        let list = self.eb.list_platform_versions().send().await.unwrap();
        let arn = list.platform_summary_list()[0]
            .platform_arn()
            .unwrap()
            .to_owned();
        let described = self
            .eb
            .describe_platform_version()
            .platform_arn(&arn)
            .send()
            .await
            .unwrap();
        let image = described.platform_description().unwrap().custom_ami_list()[0]
            .image_id()
            .unwrap()
            .to_owned();
        (arn, image)
    }

    /// Launches an instance and waits until its agent is online.
    async fn launch(&self, image: &str) -> String {
        let launched = self
            .ec2
            .run_instances()
            .image_id(image)
            .instance_type(InstanceType::T3Small)
            .min_count(1)
            .max_count(1)
            .send()
            .await
            .unwrap();
        let id = launched.instances()[0].instance_id().unwrap().to_owned();
        for _ in 0..20 {
            if self.ping(&id).await.as_deref() == Some("Online") {
                return id;
            }
        }
        panic!("{id} never came online");
    }

    async fn ping(&self, instance: &str) -> Option<String> {
        let filter = aws_sdk_ssm::types::InstanceInformationStringFilter::builder()
            .key("InstanceIds")
            .values(instance)
            .build()
            .unwrap();
        let answer = self
            .ssm
            .describe_instance_information()
            .filters(filter)
            .send()
            .await
            .unwrap();
        let first = answer.instance_information_list().first()?;
        Some(first.ping_status()?.as_str().to_owned())
    }

    async fn instance_state(&self, instance: &str) -> InstanceStateName {
        let answer = self
            .ec2
            .describe_instances()
            .instance_ids(instance)
            .send()
            .await
            .unwrap();
        let shown = &answer.reservations()[0].instances()[0];
        shown.state().unwrap().name().unwrap().clone()
    }

    async fn wait_for_state(&self, instance: &str, wanted: InstanceStateName) {
        for _ in 0..20 {
            if self.instance_state(instance).await == wanted {
                return;
            }
        }
        panic!("{instance} never became {wanted}");
    }

    /// Takes an image and waits until it is available.
    async fn image(&self, instance: &str, name: &str) -> String {
        let taken = self
            .ec2
            .create_image()
            .instance_id(instance)
            .name(name)
            .no_reboot(true)
            .send()
            .await
            .unwrap();
        let id = taken.image_id().unwrap().to_owned();
        for _ in 0..30 {
            let answer = self
                .ec2
                .describe_images()
                .image_ids(&id)
                .send()
                .await
                .unwrap();
            match answer.images()[0].state().unwrap() {
                ImageState::Available => return id,
                ImageState::Pending => {}
                other => panic!("{id} is {other}"),
            }
        }
        panic!("{id} never became available");
    }

    /// Runs a script on a node and gives back status, exit code and output.
    async fn run(&self, instance: &str, script: &str) -> (String, i32, String) {
        let sent = self
            .ssm
            .send_command()
            .document_name("AWS-RunShellScript")
            .instance_ids(instance)
            .parameters("commands", vec![script.to_owned()])
            .send()
            .await
            .unwrap();
        let command = sent.command().unwrap().command_id().unwrap().to_owned();
        for _ in 0..20 {
            let answer = self
                .ssm
                .get_command_invocation()
                .command_id(&command)
                .instance_id(instance)
                .send()
                .await
                .unwrap();
            let status = answer.status().unwrap().as_str().to_owned();
            let output = answer.standard_output_content().unwrap().to_owned();
            if status != "InProgress" && status != "Pending" {
                return (status, answer.response_code(), output);
            }
            assert_eq!(output, "", "nothing shows before the end");
        }
        panic!("the command never ended");
    }
}

#[tokio::test]
async fn the_caller_is_in_the_account() {
    let world = World::new().await;
    let caller = world.sts.get_caller_identity().send().await.unwrap();
    assert_eq!(caller.account(), Some("123456789012"));
    assert_eq!(caller.arn(), Some("arn:aws:iam::123456789012:user/sandbox"));
}
