//! Elastic Beanstalk: environments, their settings, their health, and the one call that changes their base image.

mod events;
mod health;
mod settings;

use aws_sdk_elasticbeanstalk::types as sdk;

pub use events::EnvironmentEvent;
pub use health::{EnvironmentHealth, InstanceHealth, Requests};
pub use settings::ConfigurationSet;

use super::{Cloud, CloudError, ErrorKind, Guard, present};
use crate::id::{EnvironmentId, ImageId, InstanceId};

/// An environment as far as the tool cares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// Its id; never used again, unlike the name.
    pub id: EnvironmentId,
    /// Its name.
    pub name: String,
    /// Its application.
    pub application: String,
    /// `Ready`, `Updating`, …
    pub status: String,
    /// The colour: `Green`, `Yellow`, `Red`, `Grey`.
    pub health: String,
    /// `Ok`, `Info`, … where enhanced health is on.
    pub health_status: Option<String>,
    /// The application version that is deployed.
    pub version: Option<String>,
    /// The platform version's ARN.
    pub platform: String,
    /// The load balancer's or the instance's address.
    pub endpoint: Option<String>,
    /// `WebServer` or `Worker`.
    pub tier: String,
    /// Whether an update under way can be aborted.
    pub abortable: bool,
}

impl Environment {
    /// Whether an update can be sent.
    pub fn is_ready(&self) -> bool {
        self.status == "Ready"
    }

    /// Whether it is terminated or on the way there.
    pub fn is_gone(&self) -> bool {
        matches!(self.status.as_str(), "Terminating" | "Terminated")
    }
}

/// What an environment consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvironmentResources {
    /// The instances of its group, in whatever state.
    pub instances: Vec<InstanceId>,
}

/// A platform version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Platform {
    /// Its ARN.
    pub arn: String,
    /// Its stock images; what architecture each has, only the image itself says.
    pub images: Vec<ImageId>,
}

/// A managed update or weekly replacement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManagedAction {
    /// What it does.
    pub description: String,
    /// `Scheduled`, `Pending` or `Running`.
    pub status: String,
    /// When its window opens.
    pub window: Option<jiff::Timestamp>,
}

/// The namespace of the option that names the base image.
pub(super) const LAUNCH_CONFIGURATION: &str = "aws:autoscaling:launchconfiguration";
/// The option that names the base image.
pub(super) const IMAGE_ID: &str = "ImageId";

impl Cloud {
    /// Returns the environment of that name that is not terminated. `application` narrows where it is known.
    pub async fn environment(
        &self,
        name: &str,
        application: Option<&str>,
    ) -> Result<Environment, CloudError> {
        const OPERATION: &str = "DescribeEnvironments";
        let answer = self
            .beanstalk
            .describe_environments()
            .environment_names(name)
            .set_application_name(application.map(ToOwned::to_owned))
            .include_deleted(false)
            .send()
            .await
            .map_err(|error| CloudError::of(OPERATION, name, &error))?;
        let mut found = Vec::new();
        for environment in answer.environments() {
            found.push(read_environment(environment, OPERATION)?);
        }
        found
            .into_iter()
            .find(|environment| environment.status != "Terminated")
            .ok_or_else(|| CloudError {
                operation: OPERATION,
                subject: name.to_owned(),
                kind: ErrorKind::NotFound,
                code: None,
                message: format!("there is no environment `{name}` in {}", self.region),
                request_id: None,
            })
    }

    /// Returns all environments of the account and region that are not terminated.
    pub async fn environments(&self) -> Result<Vec<Environment>, CloudError> {
        const OPERATION: &str = "DescribeEnvironments";
        let mut found = Vec::new();
        let mut token = None;
        loop {
            let answer = self
                .beanstalk
                .describe_environments()
                .include_deleted(false)
                .set_next_token(token)
                .send()
                .await
                .map_err(|error| CloudError::of(OPERATION, "all environments", &error))?;
            for environment in answer.environments() {
                found.push(read_environment(environment, OPERATION)?);
            }
            token = answer.next_token.filter(|text| !text.is_empty());
            if token.is_none() {
                found.retain(|environment| environment.status != "Terminated");
                return Ok(found);
            }
        }
    }

    /// Returns the names of the environments that exist, for suggestions.
    pub async fn environment_names(&self) -> Result<Vec<String>, CloudError> {
        let answer = self
            .beanstalk
            .describe_environments()
            .include_deleted(false)
            .send()
            .await
            .map_err(|error| CloudError::of("DescribeEnvironments", "all environments", &error))?;
        let named = answer
            .environments()
            .iter()
            .filter_map(|one| one.environment_name());
        Ok(named.map(ToOwned::to_owned).collect())
    }

    /// Returns what the environment consists of.
    pub async fn environment_resources(
        &self,
        id: &EnvironmentId,
    ) -> Result<EnvironmentResources, CloudError> {
        const OPERATION: &str = "DescribeEnvironmentResources";
        let answer = self
            .beanstalk
            .describe_environment_resources()
            .environment_id(id.as_str())
            .send()
            .await
            .map_err(|error| CloudError::of(OPERATION, id.as_str(), &error))?;
        let resources = answer.environment_resources;
        let resources = present(resources, OPERATION, id.as_str(), "EnvironmentResources")?;
        let instances = resources.instances().iter();
        Ok(EnvironmentResources {
            instances: instances
                .filter_map(|one| one.id().map(InstanceId::new))
                .collect(),
        })
    }

    /// Returns a platform version with its stock images.
    pub async fn platform(&self, arn: &str) -> Result<Platform, CloudError> {
        const OPERATION: &str = "DescribePlatformVersion";
        let answer = self
            .beanstalk
            .describe_platform_version()
            .platform_arn(arn)
            .send()
            .await
            .map_err(|error| CloudError::of(OPERATION, arn, &error))?;
        let platform = present(
            answer.platform_description,
            OPERATION,
            arn,
            "PlatformDescription",
        )?;
        let images = platform.custom_ami_list().iter();
        Ok(Platform {
            arn: arn.to_owned(),
            images: images
                .filter_map(|one| one.image_id().map(ImageId::new))
                .collect(),
        })
    }

    /// Returns the managed actions that are to come or under way.
    pub async fn managed_actions(
        &self,
        environment: &Environment,
    ) -> Result<Vec<ManagedAction>, CloudError> {
        const OPERATION: &str = "DescribeEnvironmentManagedActions";
        let answer = self
            .beanstalk
            .describe_environment_managed_actions()
            .environment_id(environment.id.as_str())
            .send()
            .await
            .map_err(|error| CloudError::of(OPERATION, environment.id.as_str(), &error))?;
        let actions = answer.managed_actions().iter();
        Ok(actions
            .map(|action| ManagedAction {
                description: action
                    .action_description()
                    .unwrap_or("managed update")
                    .to_owned(),
                status: action
                    .status()
                    .map_or("Unknown", |status| status.as_str())
                    .to_owned(),
                window: action
                    .window_start_time()
                    .and_then(|time| jiff::Timestamp::from_second(time.secs()).ok()),
            })
            .collect())
    }

    /// Sends the swap: `UpdateEnvironment` with the base image and nothing else. Without an image the option is
    /// removed: back to the platform's own, so that later platform updates bring theirs again. `guard` is asked right
    /// before every transmission.
    pub async fn swap_base_image(
        &self,
        environment: &EnvironmentId,
        image: Option<&ImageId>,
        guard: Guard,
    ) -> Result<(), CloudError> {
        const OPERATION: &str = "UpdateEnvironment";
        let call = self
            .beanstalk
            .update_environment()
            .environment_id(environment.as_str());
        let call = match image {
            Some(image) => call.option_settings(
                sdk::ConfigurationOptionSetting::builder()
                    .namespace(LAUNCH_CONFIGURATION)
                    .option_name(IMAGE_ID)
                    .value(image.as_str())
                    .build(),
            ),
            None => call.options_to_remove(
                sdk::OptionSpecification::builder()
                    .namespace(LAUNCH_CONFIGURATION)
                    .option_name(IMAGE_ID)
                    .build(),
            ),
        };
        let answer = call.customize().interceptor(guard).send().await;
        answer
            .map(drop)
            .map_err(|error| CloudError::of(OPERATION, environment.as_str(), &error))
    }

    /// Asks Beanstalk to abort the update under way; it then goes back by itself.
    pub async fn abort_update(
        &self,
        environment: &EnvironmentId,
        guard: Guard,
    ) -> Result<(), CloudError> {
        let call = self
            .beanstalk
            .abort_environment_update()
            .environment_id(environment.as_str());
        call.customize()
            .interceptor(guard)
            .send()
            .await
            .map(drop)
            .map_err(|error| CloudError::of("AbortEnvironmentUpdate", environment.as_str(), &error))
    }
}

fn read_environment(
    environment: &sdk::EnvironmentDescription,
    operation: &'static str,
) -> Result<Environment, CloudError> {
    let name = present(
        environment.environment_name(),
        operation,
        "an environment",
        "EnvironmentName",
    )?;
    let text = |value: Option<&str>, field: &str| {
        present(value, operation, name, field).map(ToOwned::to_owned)
    };
    let placed = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(ToOwned::to_owned);
    Ok(Environment {
        id: EnvironmentId::new(text(environment.environment_id(), "EnvironmentId")?),
        name: name.to_owned(),
        application: text(environment.application_name(), "ApplicationName")?,
        status: text(
            environment.status().map(sdk::EnvironmentStatus::as_str),
            "Status",
        )?,
        health: text(
            environment.health().map(sdk::EnvironmentHealth::as_str),
            "Health",
        )?,
        health_status: environment
            .health_status()
            .map(|status| status.as_str().to_owned()),
        version: placed(environment.version_label()),
        platform: text(environment.platform_arn(), "PlatformArn")?,
        endpoint: placed(environment.endpoint_url()).or_else(|| placed(environment.cname())),
        tier: environment
            .tier()
            .and_then(|tier| tier.name())
            .unwrap_or("WebServer")
            .to_owned(),
        abortable: environment
            .abortable_operation_in_progress()
            .unwrap_or(false),
    })
}
