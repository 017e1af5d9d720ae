//! Environments: what they are and how they are shown.

use super::group::Member;
use super::operation::Operation;
use super::platforms::Platform;
use super::settings::Settings;
use crate::sandbox::balancer::Balancer;
use crate::sandbox::ec2::tags::Tags;
use crate::sandbox::state::State;
use crate::sandbox::wire::moment;
use crate::sandbox::wire::xml::Xml;

/// The status of an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Launching,
    Updating,
    Aborting,
    Ready,
    Terminating,
    Terminated,
}

impl Status {
    /// The word of the API.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Launching => "Launching",
            Self::Updating => "Updating",
            Self::Aborting => "Aborting",
            Self::Ready => "Ready",
            Self::Terminating => "Terminating",
            Self::Terminated => "Terminated",
        }
    }
}

/// The tier of an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tier {
    Web,
    Worker,
}

/// A managed action that is planned or under way.
#[derive(Clone, Debug)]
pub(crate) struct ManagedAction {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) status: String,
    pub(crate) window: jiff::Timestamp,
}

/// An environment.
#[derive(Debug)]
pub(crate) struct Environment {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) application: String,
    pub(crate) description: Option<String>,
    pub(crate) tier: Tier,
    pub(crate) cname_prefix: String,
    pub(crate) platform: Platform,
    pub(crate) version_label: Option<String>,
    pub(crate) status: Status,
    pub(crate) created: jiff::Timestamp,
    pub(crate) updated: jiff::Timestamp,
    pub(crate) tags: Tags,
    /// What is deployed.
    pub(crate) settings: Settings,
    /// What the last update wanted, if it failed.
    pub(crate) failed: Option<Settings>,
    pub(crate) group_name: String,
    pub(crate) security_group: String,
    /// Where new instances find their metadata and send their signals: new with each operation.
    pub(crate) stack: String,
    pub(crate) members: Vec<Member>,
    pub(crate) operation: Option<Operation>,
    /// Counts the launch configurations.
    pub(crate) generation: u64,
    pub(crate) deployments: u64,
    pub(crate) balancer: Option<Balancer>,
    /// The health that the last event was about.
    pub(crate) reported_health: &'static str,
    /// Why the last attempt to launch an instance failed.
    pub(crate) launch_failure: Option<String>,
    pub(crate) managed_actions: Vec<ManagedAction>,
}

impl Environment {
    /// Tells whether it has not been terminated.
    pub(crate) fn exists(&self) -> bool {
        self.status != Status::Terminated
    }

    /// Tells whether it has a load balancer.
    pub(crate) fn is_balanced(&self) -> bool {
        self.tier == Tier::Web && !self.settings.is_single_instance()
    }

    /// Gives it its balancer.
    pub(crate) fn attach_balancer(&mut self, balancer: Balancer) {
        balancer.set_health_path(&self.settings.health_path());
        self.balancer = Some(balancer);
    }

    /// Ends its balancer.
    pub(crate) fn shut_balancer(&mut self) {
        if let Some(balancer) = self.balancer.take() {
            balancer.shutdown();
        }
    }

    /// Host and port that visitors use.
    pub(crate) fn endpoint(&self, state: &State) -> Option<String> {
        if let Some(balancer) = &self.balancer {
            return Some(balancer.url().trim_start_matches("http://").to_owned());
        }
        if self.is_balanced() || self.tier == Tier::Worker {
            return None;
        }
        let member = self.members.first()?;
        let instance = state.instances.get(&member.instance_id)?;
        Some(match instance.address {
            Some(address) => format!("{address}:{}", self.settings.port()),
            None => instance.private_ip.clone(),
        })
    }

    /// The ARN.
    pub(crate) fn arn(&self, state: &State) -> String {
        format!(
            "arn:aws:elasticbeanstalk:{}:{}:environment/{}/{}",
            state.region, state.account, self.application, self.name
        )
    }

    /// Writes it as `DescribeEnvironments` and the operations on environments show it.
    pub(crate) fn write(&self, state: &State, xml: &mut Xml) {
        let health = self.health(state);
        let endpoint = self.endpoint(state);
        let abortable = self.operation.as_ref().is_some_and(Operation::is_abortable);
        xml.text("EnvironmentName", &self.name)
            .text("EnvironmentId", &self.id)
            .text("ApplicationName", &self.application)
            .optional("VersionLabel", self.version_label.as_ref())
            .text("SolutionStackName", self.platform.stack())
            .text("PlatformArn", self.platform.arn(&state.region))
            .optional("Description", self.description.as_ref())
            .optional("EndpointURL", endpoint.as_ref())
            .text(
                "CNAME",
                endpoint.clone().unwrap_or_else(|| self.cname(state)),
            )
            .text("DateCreated", moment(self.created))
            .text("DateUpdated", moment(self.updated))
            .text("Status", self.status.name())
            .text("AbortableOperationInProgress", abortable)
            .text("Health", health.color);
        if self.settings.has_enhanced_health() {
            xml.text("HealthStatus", health.status);
        }
        xml.within("Tier", |xml| {
            let (name, kind) = match self.tier {
                Tier::Web => ("WebServer", "Standard"),
                Tier::Worker => ("Worker", "SQS/HTTP"),
            };
            xml.text("Name", name)
                .text("Type", kind)
                .text("Version", "1.0");
        })
        .texts("EnvironmentLinks", "member", [""; 0])
        .text("EnvironmentArn", self.arn(state));
    }

    /// The name that the environment would have on AWS.
    pub(crate) fn cname(&self, state: &State) -> String {
        format!(
            "{}.{}.elasticbeanstalk.com",
            self.cname_prefix, state.region
        )
    }
}
