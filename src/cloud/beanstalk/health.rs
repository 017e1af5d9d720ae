//! Enhanced health: of the environment and of each instance.

use aws_sdk_elasticbeanstalk::types as sdk;

use super::super::{Cloud, CloudError, present};
use super::Environment;
use crate::id::InstanceId;

/// What enhanced health says of the environment. The field `Status` of the answer is a colour and decides nothing;
/// the status is `HealthStatus`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvironmentHealth {
    /// `Ok`, `Info`, `Warning`, `Degraded`, `Severe`, `Pending`, `Unknown`, `NoData` or `Suspended`.
    pub status: String,
    /// Why, in Beanstalk's words.
    pub causes: Vec<String>,
}

/// What enhanced health says of one instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceHealth {
    /// The instance.
    pub id: InstanceId,
    /// `Ok`, …, as of the environment.
    pub status: String,
    /// Why, in Beanstalk's words.
    pub causes: Vec<String>,
    /// The requests that it answered within the last ten seconds, where it reports them.
    pub requests: Option<Requests>,
    /// `Deployed`, `In Progress`, `Failed`.
    pub deployment: Option<String>,
}

/// Requests to an instance within ten seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requests {
    /// All of them.
    pub all: u32,
    /// Those that were answered with a server's error (5xx).
    pub failed: u32,
}

impl Requests {
    fn read(metrics: &sdk::ApplicationMetrics) -> Option<Self> {
        let codes = metrics.status_codes()?;
        Some(Self {
            all: u32::try_from(metrics.request_count()).ok()?,
            failed: u32::try_from(codes.status5xx()?).ok()?,
        })
    }
}

impl Cloud {
    /// Returns the environment's enhanced health; without enhanced health Beanstalk refuses, and the colour counts.
    pub async fn environment_health(
        &self,
        environment: &Environment,
    ) -> Result<EnvironmentHealth, CloudError> {
        const OPERATION: &str = "DescribeEnvironmentHealth";
        let answer = self
            .beanstalk
            .describe_environment_health()
            .environment_id(environment.id.as_str())
            .attribute_names("All".into())
            .send()
            .await
            .map_err(|error| CloudError::of(OPERATION, environment.name.as_str(), &error))?;
        Ok(EnvironmentHealth {
            status: present(
                answer.health_status,
                OPERATION,
                &environment.name,
                "HealthStatus",
            )?,
            causes: answer.causes.unwrap_or_default(),
        })
    }

    /// Returns the enhanced health of every instance.
    pub async fn instances_health(
        &self,
        environment: &Environment,
    ) -> Result<Vec<InstanceHealth>, CloudError> {
        const OPERATION: &str = "DescribeInstancesHealth";
        let mut found = Vec::new();
        let mut token = None;
        loop {
            let answer = self
                .beanstalk
                .describe_instances_health()
                .environment_id(environment.id.as_str())
                .attribute_names("All".into())
                .set_next_token(token)
                .send()
                .await
                .map_err(|error| CloudError::of(OPERATION, environment.name.as_str(), &error))?;
            for instance in answer.instance_health_list() {
                let name = environment.name.as_str();
                let id = present(instance.instance_id(), OPERATION, name, "InstanceId")?;
                found.push(InstanceHealth {
                    id: InstanceId::new(id),
                    status: present(instance.health_status(), OPERATION, id, "HealthStatus")?
                        .to_owned(),
                    causes: instance.causes().to_vec(),
                    requests: instance.application_metrics().and_then(Requests::read),
                    deployment: instance
                        .deployment()
                        .and_then(|deployment| deployment.status().map(ToOwned::to_owned)),
                });
            }
            token = answer.next_token.filter(|text| !text.is_empty());
            if token.is_none() {
                return Ok(found);
            }
        }
    }
}
