//! Why an environment is not healthy, in Beanstalk's words.

use crate::cloud::{Cloud, CloudError, Environment, EnvironmentEvent, InstanceHealth};
use crate::pace;
use crate::pipeline::verdict::Health;

/// For how long before now warnings and errors are reported.
const RECENT: jiff::SignedDuration = jiff::SignedDuration::from_hours(24);

/// How many of them.
const MOST: usize = 10;

/// What is wrong with an environment, or was in the last day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Troubles {
    /// The causes of its health, where it is not good.
    pub causes: Vec<String>,
    /// The instances whose health is not good.
    pub instances: Vec<InstanceHealth>,
    /// The warnings and errors of the last day, the newest last; while it is being updated, whatever came last.
    pub events: Vec<EnvironmentEvent>,
}

impl Troubles {
    /// Reads the causes and the events.
    pub(super) async fn of(cloud: &Cloud, environment: &Environment) -> Result<Self, CloudError> {
        let mut troubles = Self::default();
        if let Some(status) = &environment.health_status
            && is_trouble(status)
        {
            troubles.causes = cloud.environment_health(environment).await?.causes;
            let mut instances = cloud.instances_health(environment).await?;
            instances.retain(|instance| is_trouble(&instance.status));
            troubles.instances = instances;
        }
        let now = pace::now();
        let events = cloud
            .environment_events_between(&environment.id, now - RECENT, now)
            .await?;
        let matters = |event: &EnvironmentEvent| {
            !environment.is_ready() || event.is_error() || event.severity == "WARN"
        };
        let mut events: Vec<_> = events.into_iter().filter(matters).collect();
        troubles.events = events.split_off(events.len().saturating_sub(MOST));
        Ok(troubles)
    }
}

fn is_trouble(status: &str) -> bool {
    !Health::read(status, &[]).is_good()
}
