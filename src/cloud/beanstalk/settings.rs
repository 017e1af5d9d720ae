//! An environment's option settings: the deployed set and the drafts beside it.

use std::collections::BTreeMap;

use super::super::{Cloud, CloudError, Guard, present};
use super::{Environment, IMAGE_ID, LAUNCH_CONFIGURATION};
use crate::id::ImageId;

/// One set of option settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigurationSet {
    /// `deployed`, `pending` or `failed`; during and after an update there can be two sets.
    pub status: String,
    /// Values by namespace and option name; options without a value are absent.
    pub options: BTreeMap<(String, String), String>,
}

impl ConfigurationSet {
    /// Returns an option's value.
    pub fn get(&self, namespace: &str, option: &str) -> Option<&str> {
        self.options
            .get(&(namespace.to_owned(), option.to_owned()))
            .map(String::as_str)
    }

    /// Returns the image that the set names. Beanstalk names one even where none was set; whether it is the
    /// platform's own is told by comparing it with the platform's list.
    pub fn image(&self) -> Option<ImageId> {
        self.get(LAUNCH_CONFIGURATION, IMAGE_ID).map(ImageId::new)
    }

    /// Whether it is what runs, not a draft.
    pub fn is_deployed(&self) -> bool {
        self.status == "deployed"
    }

    /// Whether it is what an update under way is to bring. A set that failed is neither: Beanstalk keeps it after it
    /// went back by itself, until somebody deletes it, and it says nothing about what runs.
    pub fn is_pending(&self) -> bool {
        !self.is_deployed() && !self.has_failed()
    }

    /// Whether it is a draft whose update failed.
    pub fn has_failed(&self) -> bool {
        self.status == "failed"
    }
}

impl Cloud {
    /// Returns all sets of an environment.
    pub async fn configuration_sets(
        &self,
        environment: &Environment,
    ) -> Result<Vec<ConfigurationSet>, CloudError> {
        const OPERATION: &str = "DescribeConfigurationSettings";
        let answer = self
            .beanstalk
            .describe_configuration_settings()
            .application_name(&environment.application)
            .environment_name(&environment.name)
            .send()
            .await
            .map_err(|error| CloudError::of(OPERATION, environment.name.as_str(), &error))?;
        let mut sets = Vec::new();
        for set in answer.configuration_settings() {
            let status = set
                .deployment_status()
                .map(aws_sdk_elasticbeanstalk::types::ConfigurationDeploymentStatus::as_str);
            sets.push(ConfigurationSet {
                status: present(status, OPERATION, &environment.name, "DeploymentStatus")?
                    .to_owned(),
                options: set
                    .option_settings()
                    .iter()
                    .filter_map(|option| {
                        let key = (
                            option.namespace()?.to_owned(),
                            option.option_name()?.to_owned(),
                        );
                        Some((key, option.value()?.to_owned()))
                    })
                    .collect(),
            });
        }
        Ok(sets)
    }

    /// Deletes the draft that Beanstalk keeps beside the deployed settings after an update failed; without one there
    /// is nothing to delete. `guard` is asked right before every transmission.
    pub async fn ensure_no_draft(
        &self,
        environment: &Environment,
        guard: Guard,
    ) -> Result<(), CloudError> {
        let call = self
            .beanstalk
            .delete_environment_configuration()
            .application_name(&environment.application)
            .environment_name(&environment.name);
        let answer = call.customize().interceptor(guard).send().await;
        answer.map(drop).map_err(|error| {
            CloudError::of(
                "DeleteEnvironmentConfiguration",
                environment.name.as_str(),
                &error,
            )
        })
    }

    /// Returns the deployed set.
    pub async fn deployed_configuration(
        &self,
        environment: &Environment,
    ) -> Result<ConfigurationSet, CloudError> {
        let sets = self.configuration_sets(environment).await?;
        present(
            sets.into_iter().find(ConfigurationSet::is_deployed),
            "DescribeConfigurationSettings",
            &environment.name,
            "a set with DeploymentStatus `deployed`",
        )
    }
}
