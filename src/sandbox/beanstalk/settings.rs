//! Option settings: what an environment is configured with, and Beanstalk's defaults.

use std::collections::BTreeMap;

use super::platforms::Platform;
use crate::sandbox::wire::ApiError;
use crate::sandbox::wire::query::Query;

/// The namespaces that the sandbox acts upon.
pub(crate) const LAUNCH: &str = "aws:autoscaling:launchconfiguration";
pub(crate) const GROUP: &str = "aws:autoscaling:asg";
pub(crate) const ROLLING: &str = "aws:autoscaling:updatepolicy:rollingupdate";
pub(crate) const ENVIRONMENT: &str = "aws:elasticbeanstalk:environment";
pub(crate) const PROPERTIES: &str = "aws:elasticbeanstalk:application:environment";
const COMMAND: &str = "aws:elasticbeanstalk:command";
const REPORTING: &str = "aws:elasticbeanstalk:healthreporting:system";
const PROCESS: &str = "aws:elasticbeanstalk:environment:process:default";
const APPLICATION: &str = "aws:elasticbeanstalk:application";
const INSTANCES: &str = "aws:ec2:instances";
const NETWORK: &str = "aws:ec2:vpc";

/// Beanstalk's defaults, from "General options for all environments" in its developer guide.
const DEFAULTS: &[(&str, &str, &str)] = &[
    (GROUP, "Availability Zones", "Any"),
    (GROUP, "Cooldown", "360"),
    (GROUP, "MinSize", "1"),
    (GROUP, "MaxSize", "4"),
    (GROUP, "EnableCapacityRebalancing", "false"),
    (LAUNCH, "InstanceType", "t3.micro"),
    (LAUNCH, "DisableIMDSv1", "true"),
    (LAUNCH, "MonitoringInterval", "5 minute"),
    (LAUNCH, "SSHSourceRestriction", "tcp,22,22,0.0.0.0/0"),
    (ROLLING, "RollingUpdateEnabled", "false"),
    (ROLLING, "RollingUpdateType", "Time"),
    (ROLLING, "Timeout", "PT30M"),
    (INSTANCES, "EnableSpot", "false"),
    (INSTANCES, "InstanceTypes", "t3.micro,t3.small"),
    (INSTANCES, "SupportedArchitectures", "x86_64"),
    (APPLICATION, "Application Healthcheck URL", ""),
    (COMMAND, "BatchSize", "100"),
    (COMMAND, "BatchSizeType", "Percentage"),
    (COMMAND, "DeploymentPolicy", "AllAtOnce"),
    (COMMAND, "IgnoreHealthCheck", "false"),
    (COMMAND, "Timeout", "600"),
    (ENVIRONMENT, "EnvironmentType", "LoadBalanced"),
    (ENVIRONMENT, "LoadBalancerType", "application"),
    (PROCESS, "HealthCheckPath", "/"),
    (PROCESS, "Port", "80"),
    (PROCESS, "Protocol", "HTTP"),
    (REPORTING, "SystemType", "basic"),
    (REPORTING, "HealthCheckSuccessThreshold", "Ok"),
    (
        "aws:elasticbeanstalk:managedactions",
        "ManagedActionsEnabled",
        "false",
    ),
];

/// An option by namespace and name.
pub(crate) type OptionKey = (String, String);

/// The settings that were made, without defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    made: BTreeMap<OptionKey, String>,
}

/// How instances are replaced when the launch configuration changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    /// All at once.
    Disabled,
    /// In batches, with a pause after each, whatever comes of it.
    Time,
    /// In batches, each of which must be healthy before the next.
    Health,
    /// By a second group that takes over.
    Immutable,
}

impl Settings {
    /// Reads `OptionSettings` and `OptionsToRemove` of a request over these settings.
    pub(crate) fn changed_by(&self, query: &Query) -> Result<Self, ApiError> {
        let mut made = self.made.clone();
        for option in query.structures("OptionsToRemove.member") {
            made.remove(&key(&option)?);
        }
        for option in query.structures("OptionSettings.member") {
            let key = key(&option)?;
            let value = option.owned("Value").unwrap_or_default();
            check(&key, &value)?;
            made.insert(key, value);
        }
        Ok(Self { made })
    }

    /// The value of an option: the one that was made, else the default.
    pub(crate) fn get(&self, namespace: &str, name: &str) -> Option<&str> {
        let own = self
            .made
            .iter()
            .find(|((one, other), _)| one == namespace && other == name)
            .map(|(_, value)| value.as_str());
        own.or_else(|| {
            DEFAULTS
                .iter()
                .find(|default| default.0 == namespace && default.1 == name)
                .map(|default| default.2)
        })
        .filter(|value| !value.is_empty())
    }

    /// A whole number.
    fn number(&self, namespace: &str, name: &str) -> Option<usize> {
        self.get(namespace, name)?.parse().ok()
    }

    /// All settings with the defaults; `ImageId` is among them even where it was not made.
    pub(crate) fn all(&self, platform: Platform) -> BTreeMap<OptionKey, String> {
        let mut all: BTreeMap<OptionKey, String> = DEFAULTS
            .iter()
            .map(|(namespace, name, value)| {
                (
                    ((*namespace).to_owned(), (*name).to_owned()),
                    (*value).to_owned(),
                )
            })
            .collect();
        all.insert(
            (LAUNCH.to_owned(), "ImageId".to_owned()),
            platform.image.to_owned(),
        );
        all.extend(self.made.clone());
        all
    }

    /// The settings that were made.
    pub(crate) fn made(&self) -> &BTreeMap<OptionKey, String> {
        &self.made
    }

    /// The image that instances start from.
    pub(crate) fn image(&self, platform: Platform) -> String {
        self.get(LAUNCH, "ImageId")
            .unwrap_or(platform.image)
            .to_owned()
    }

    /// The size of instances.
    pub(crate) fn instance_type(&self) -> String {
        let listed = self
            .made
            .get(&(INSTANCES.to_owned(), "InstanceTypes".to_owned()))
            .and_then(|types| types.split(',').next())
            .map(|name| name.trim().to_owned());
        listed.unwrap_or_else(|| {
            self.get(LAUNCH, "InstanceType")
                .unwrap_or("t3.micro")
                .to_owned()
        })
    }

    /// The subnets that were chosen.
    pub(crate) fn subnets(&self) -> Vec<String> {
        self.get(NETWORK, "Subnets")
            .map(|list| list.split(',').map(|one| one.trim().to_owned()).collect())
            .unwrap_or_default()
    }

    /// The environment properties.
    pub(crate) fn properties(&self) -> BTreeMap<String, String> {
        self.made
            .iter()
            .filter(|((namespace, _), _)| namespace == PROPERTIES)
            .map(|((_, name), value)| (name.clone(), value.clone()))
            .collect()
    }

    /// How many instances there are: one in a single-instance environment.
    pub(crate) fn size(&self) -> usize {
        if self.is_single_instance() {
            1
        } else {
            self.number(GROUP, "MinSize").unwrap_or(1)
        }
    }

    /// Tells whether there is one instance without a load balancer.
    pub(crate) fn is_single_instance(&self) -> bool {
        self.get(ENVIRONMENT, "EnvironmentType") == Some("SingleInstance")
    }

    /// Tells whether health is reported by the instances.
    pub(crate) fn has_enhanced_health(&self) -> bool {
        self.get(REPORTING, "SystemType") == Some("enhanced")
    }

    /// The path of health checks.
    pub(crate) fn health_path(&self) -> String {
        self.get(APPLICATION, "Application Healthcheck URL")
            .or_else(|| self.get(PROCESS, "HealthCheckPath"))
            .unwrap_or("/")
            .to_owned()
    }

    /// The port that instances serve on.
    pub(crate) fn port(&self) -> u16 {
        self.get(PROCESS, "Port")
            .and_then(|port| port.parse().ok())
            .unwrap_or(80)
    }

    /// How long an instance has to answer a command, in seconds.
    pub(crate) fn command_timeout(&self) -> usize {
        self.number(COMMAND, "Timeout").unwrap_or(600)
    }

    /// How instances are replaced.
    pub(crate) fn policy(&self) -> Policy {
        let enabled = self.get(ROLLING, "RollingUpdateEnabled") == Some("true");
        match self.get(ROLLING, "RollingUpdateType") {
            Some("Immutable") if enabled => Policy::Immutable,
            _ if !enabled || self.is_single_instance() => Policy::Disabled,
            Some("Health") => Policy::Health,
            _ => Policy::Time,
        }
    }

    /// How many instances a batch replaces: at most `MaxBatchSize` (a third of the minimal size by default), and as
    /// few as leave `MinInstancesInService`, but never none.
    pub(crate) fn batch_size(&self) -> usize {
        let least = self.size();
        let most = self.number(GROUP, "MaxSize").unwrap_or(4);
        let wanted = self
            .number(ROLLING, "MaxBatchSize")
            .unwrap_or_else(|| least.div_ceil(3));
        let stay = self
            .number(ROLLING, "MinInstancesInService")
            .unwrap_or_else(|| least.min(most.saturating_sub(1)));
        wanted.min(least.saturating_sub(stay)).max(1)
    }

    /// Seconds of a duration option such as `PT5M`.
    pub(crate) fn rolling_seconds(&self, name: &str, fallback: f64) -> f64 {
        self.get(ROLLING, name)
            .and_then(|text| text.parse::<jiff::SignedDuration>().ok())
            .map_or(fallback, |duration| duration.as_secs_f64())
    }

    /// Tells whether instances have to be replaced to come from these settings to `other`.
    pub(crate) fn replaces_instances(&self, other: &Self, platform: Platform) -> bool {
        let shape = |settings: &Self| {
            let mut all = settings.all(platform);
            all.retain(|(namespace, name), _| {
                (namespace == LAUNCH && name != "MonitoringInterval")
                    || namespace == NETWORK
                    || namespace == INSTANCES
            });
            all
        };
        shape(self) != shape(other)
    }
}

fn key(option: &Query) -> Result<OptionKey, ApiError> {
    let namespace = option.required("Namespace")?;
    let name = option.required("OptionName")?;
    if !namespace.starts_with("aws:") {
        return Err(refused(namespace, name, "Unknown configuration setting."));
    }
    Ok((namespace.to_owned(), name.to_owned()))
}

/// Refuses values of the options that the sandbox acts upon.
pub(crate) fn check((namespace, name): &OptionKey, value: &str) -> Result<(), ApiError> {
    let number = |range: std::ops::RangeInclusive<usize>| {
        value.parse().is_ok_and(|number| range.contains(&number))
    };
    let one_of = |allowed: &[&str]| allowed.contains(&value);
    let good = match (namespace.as_str(), name.as_str()) {
        (GROUP, "MinSize" | "MaxSize") => number(0..=10_000),
        (ROLLING, "RollingUpdateEnabled") => one_of(&["true", "false"]),
        (ROLLING, "RollingUpdateType") => one_of(&["Time", "Health", "Immutable"]),
        (ROLLING, "MaxBatchSize") => number(1..=10_000),
        (ROLLING, "MinInstancesInService") => number(0..=9_999),
        (ROLLING, "Timeout" | "PauseTime") => value.parse::<jiff::SignedDuration>().is_ok(),
        (COMMAND, "Timeout") => number(1..=3600),
        (ENVIRONMENT, "EnvironmentType") => one_of(&["SingleInstance", "LoadBalanced"]),
        (REPORTING, "SystemType") => one_of(&["basic", "enhanced"]),
        (LAUNCH, "ImageId") => value.starts_with("ami-"),
        (
            LAUNCH | GROUP | ROLLING | COMMAND | REPORTING | ENVIRONMENT | PROCESS | APPLICATION
            | INSTANCES | NETWORK,
            _,
        ) => true,
        (other, _) => other.starts_with("aws:"),
    };
    if good {
        return Ok(());
    }
    Err(refused(
        namespace,
        name,
        &format!("Value '{value}' is not valid for this option."),
    ))
}

fn refused(namespace: &str, name: &str, why: &str) -> ApiError {
    ApiError::new(
        "ConfigurationValidationException",
        format!(
            "Configuration validation exception: Invalid option specification (Namespace: '{namespace}', OptionName: '{name}'): {why}"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(options: &[(&str, &str, &str)]) -> Settings {
        let mut form = form_urlencoded::Serializer::new(String::new());
        for (index, (namespace, name, value)) in options.iter().enumerate() {
            let prefix = format!("OptionSettings.member.{}", index + 1);
            form.append_pair(&format!("{prefix}.Namespace"), namespace)
                .append_pair(&format!("{prefix}.OptionName"), name)
                .append_pair(&format!("{prefix}.Value"), value);
        }
        Settings::default()
            .changed_by(&Query::parse(form.finish().as_bytes()))
            .unwrap()
    }

    #[test]
    fn batches_are_a_third_and_leave_the_least_in_service() {
        for (options, wanted) in [
            (&[][..], 1),
            (
                &[
                    (GROUP, "MinSize", "6"),
                    (GROUP, "MaxSize", "8"),
                    (ROLLING, "MinInstancesInService", "4"),
                ],
                2,
            ),
            (
                &[
                    (GROUP, "MinSize", "6"),
                    (ROLLING, "MaxBatchSize", "3"),
                    (ROLLING, "MinInstancesInService", "0"),
                ],
                3,
            ),
            (
                &[
                    (GROUP, "MinSize", "2"),
                    (ROLLING, "MinInstancesInService", "2"),
                ],
                1,
            ),
        ] {
            assert_eq!(settings(options).batch_size(), wanted, "{options:?}");
        }
    }

    #[test]
    fn the_policy_is_disabled_by_default() {
        assert_eq!(settings(&[]).policy(), Policy::Disabled);
        let health = [
            (ROLLING, "RollingUpdateEnabled", "true"),
            (ROLLING, "RollingUpdateType", "Health"),
        ];
        assert_eq!(settings(&health).policy(), Policy::Health);
    }

    #[test]
    fn only_the_launch_configuration_replaces_instances() {
        let platform = Platform::newest();
        let before = settings(&[]);
        let rolling = settings(&[(ROLLING, "MaxBatchSize", "2")]);
        let same = settings(&[(LAUNCH, "ImageId", platform.image)]);
        let image = settings(&[(LAUNCH, "ImageId", "ami-00000001")]);
        assert!(!before.replaces_instances(&rolling, platform));
        assert!(!before.replaces_instances(&same, platform));
        assert!(before.replaces_instances(&image, platform));
    }
}
