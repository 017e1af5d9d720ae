//! Instances: what they are, and how their states follow each other. How they are written: `instance_xml`.

use std::net::IpAddr;

use super::network::VPC;
use super::tags::Tags;
use crate::sandbox::balancer::Balancer;
use crate::sandbox::clock::{self, Ripening};
use crate::sandbox::jobs::Job;
use crate::sandbox::state::State;
use crate::sandbox::wire::xml::Xml;

/// The state of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InstanceState {
    Pending,
    Running,
    ShuttingDown,
    Terminated,
    Stopping,
    Stopped,
}

impl InstanceState {
    /// The word of the API.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        }
    }

    /// The number of the API.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Pending => 0,
            Self::Running => 16,
            Self::ShuttingDown => 32,
            Self::Terminated => 48,
            Self::Stopping => 64,
            Self::Stopped => 80,
        }
    }

    /// Writes the state as an element.
    pub(crate) fn write(self, xml: &mut Xml, element: &str) {
        xml.within(element, |xml| {
            xml.text("code", self.code()).text("name", self.name());
        });
    }
}

/// What the machine behind an instance is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Machine {
    /// A job for it is under way.
    Busy,
    /// The job is done.
    Idle,
    /// The job failed, for this reason.
    Failed(String),
}

/// An instance.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub(crate) id: String,
    pub(crate) reservation_id: String,
    pub(crate) image_id: String,
    pub(crate) size: String,
    pub(crate) architecture: String,
    pub(crate) subnet_id: String,
    pub(crate) availability_zone: String,
    pub(crate) security_groups: Vec<String>,
    /// The ARN of the instance profile.
    pub(crate) profile: Option<String>,
    pub(crate) key_name: Option<String>,
    /// Decoded.
    pub(crate) user_data: Option<Vec<u8>>,
    pub(crate) tags: Tags,
    pub(crate) launched: jiff::Timestamp,
    pub(crate) state: InstanceState,
    pub(crate) ripening: Option<Ripening>,
    pub(crate) machine: Machine,
    pub(crate) reason: Option<(String, String)>,
    pub(crate) transition: String,
    /// What is said of it: made up until a real machine has one.
    pub(crate) private_ip: String,
    /// Where the machine really answers.
    pub(crate) address: Option<IpAddr>,
    pub(crate) volumes: Vec<String>,
    /// Whether the metadata service wants tokens: `required` or `optional`.
    pub(crate) tokens: &'static str,
    pub(crate) hop_limit: usize,
    pub(crate) client_token: Option<String>,
    /// The agent's way from the start of the machine to being online.
    pub(crate) agent: Option<Ripening>,
    /// The agent of the machine answered once since the machine started.
    pub(crate) agent_answered: bool,
    pub(crate) registered: Option<jiff::Timestamp>,
    /// Its image still carried Beanstalk's marker (known of simulated machines).
    pub(crate) carries_marker: bool,
    /// It was rebooted from outside since its group looked last.
    pub(crate) rebooted: bool,
}

/// From `pending` to `running`: 20 s on AWS.
const BOOT: (u32, f64) = (2, 20.0);
/// From `running` to an agent that is online: 40 s on AWS.
const AGENT: (u32, f64) = (2, 40.0);
/// From `stopping` to `stopped`: 40 s on AWS.
const STOP: (u32, f64) = (2, 40.0);
/// From `shutting-down` to `terminated`: 30 s on AWS.
const TERMINATE: (u32, f64) = (2, 30.0);

impl Instance {
    /// Tells whether there is still a machine.
    pub(crate) fn has_machine(&self) -> bool {
        !matches!(
            self.state,
            InstanceState::Terminated | InstanceState::ShuttingDown
        )
    }

    /// Tells whether the agent takes commands.
    pub(crate) fn is_online(&self) -> bool {
        self.state == InstanceState::Running
            && self.agent_answered
            && self.agent.as_ref().is_some_and(Ripening::is_ripe)
    }

    /// The name of the role: the last part of the profile's ARN.
    pub(crate) fn role(&self) -> Option<&str> {
        self.profile.as_deref()?.rsplit('/').next()
    }

    /// The host name inside the VPC.
    pub(crate) fn host_name(&self, region: &str) -> String {
        format!(
            "ip-{}.{region}.compute.internal",
            self.private_ip.replace('.', "-")
        )
    }

    /// What it has under a filter's name.
    pub(crate) fn values(&self, filter: &str) -> Vec<String> {
        vec![match filter {
            "instance-id" => self.id.clone(),
            "image-id" => self.image_id.clone(),
            "instance-state-name" => self.state.name().to_owned(),
            "instance-state-code" => self.state.code().to_string(),
            "instance-type" => self.size.clone(),
            "architecture" => self.architecture.clone(),
            "subnet-id" => self.subnet_id.clone(),
            "vpc-id" => VPC.to_owned(),
            "availability-zone" => self.availability_zone.clone(),
            "private-ip-address" => self.private_ip.clone(),
            "reservation-id" => self.reservation_id.clone(),
            "client-token" => return self.client_token.clone().into_iter().collect(),
            "key-name" => return self.key_name.clone().into_iter().collect(),
            "iam-instance-profile.arn" => return self.profile.clone().into_iter().collect(),
            "instance.group-id" | "group-id" => return self.security_groups.clone(),
            "root-device-type" => "ebs".to_owned(),
            _ => return Vec::new(),
        }]
    }
}

/// The filters that `values` knows.
pub(crate) const FILTERS: &[&str] = &[
    "instance-id",
    "image-id",
    "instance-state-name",
    "instance-state-code",
    "instance-type",
    "architecture",
    "subnet-id",
    "vpc-id",
    "availability-zone",
    "private-ip-address",
    "reservation-id",
    "client-token",
    "key-name",
    "iam-instance-profile.arn",
    "instance.group-id",
    "group-id",
    "root-device-type",
    // Known to EC2; no instance here has them.
    "instance-lifecycle",
    "spot-instance-request-id",
];

impl State {
    /// Puts an instance into a state that it passes through, and starts its way to the next.
    pub(crate) fn enter(&mut self, instance_id: &str, next: InstanceState, cause: &str) {
        let clock = self.clock;
        let Some(instance) = self.instances.get_mut(instance_id) else {
            return;
        };
        let (polls, seconds) = match next {
            InstanceState::Stopping => STOP,
            InstanceState::ShuttingDown => TERMINATE,
            _ => BOOT,
        };
        instance.state = next;
        instance.ripening = Some(clock.ripening(polls, seconds));
        instance.machine = Machine::Busy;
        instance.agent = None;
        instance.agent_answered = false;
        instance.transition = if cause.is_empty() {
            String::new()
        } else {
            format!(
                "User initiated ({} GMT)",
                clock::now().strftime("%Y-%m-%d %H:%M:%S")
            )
        };
        instance.reason = (!cause.is_empty()).then(|| {
            (
                cause.to_owned(),
                format!("{cause}: User initiated {}", next.name()),
            )
        });
    }

    /// Counts a look at an instance, and lets its state ripen.
    pub(crate) fn look_at_instance(&mut self, instance_id: &str) {
        let clock = self.clock;
        let Some(instance) = self.instances.get_mut(instance_id) else {
            return;
        };
        if let Machine::Failed(reason) = &instance.machine
            && instance.state == InstanceState::Pending
        {
            instance.reason = Some(("Server.InternalError".to_owned(), reason.clone()));
            instance.transition = format!("Server.InternalError: {reason}");
            instance.state = InstanceState::Terminated;
            instance.ripening = None;
            self.drop_volumes(instance_id);
            return;
        }
        let Some(ripening) = &mut instance.ripening else {
            return;
        };
        ripening.poll();
        if !ripening.is_ripe() || instance.machine == Machine::Busy {
            return;
        }
        instance.ripening = None;
        instance.state = match instance.state {
            InstanceState::Pending => {
                instance.agent = Some(clock.ripening(AGENT.0, AGENT.1));
                InstanceState::Running
            }
            InstanceState::Stopping => InstanceState::Stopped,
            InstanceState::ShuttingDown => InstanceState::Terminated,
            same => same,
        };
        if instance.state == InstanceState::Terminated {
            self.drop_volumes(instance_id);
        }
    }

    /// Begins to terminate an instance, unless that was done before.
    pub(crate) fn begin_termination(&mut self, instance_id: &str, cause: &str) {
        if self.begins_to_end(instance_id, cause) {
            self.jobs.push(Job::Terminate(instance_id.to_owned()));
        }
    }

    /// Ends an instance that has just been launched, for a reason that its state shows.
    pub(crate) fn end_at_launch(&mut self, instance_id: &str, code: &str, message: &str) {
        let instance = self.instances.get(instance_id);
        if !instance.is_some_and(|one| one.state == InstanceState::Pending) {
            return;
        }
        self.begin_termination(instance_id, "");
        if let Some(instance) = self.instances.get_mut(instance_id) {
            let text = format!("{code}: {message}");
            instance.reason = Some((code.to_owned(), text.clone()));
            instance.transition = text;
        }
    }

    /// Begins to terminate an instance once its balancer has no more requests under way to it.
    pub(crate) fn begin_draining(&mut self, instance_id: &str, balancer: &Balancer) {
        if self.begins_to_end(instance_id, "") {
            self.jobs.push(Job::Drain {
                instance_id: instance_id.to_owned(),
                balancer: balancer.clone(),
            });
        } else {
            balancer.deregister(instance_id);
        }
    }

    fn begins_to_end(&mut self, instance_id: &str, cause: &str) -> bool {
        let there = self
            .instances
            .get(instance_id)
            .is_some_and(Instance::has_machine);
        if there {
            self.enter(instance_id, InstanceState::ShuttingDown, cause);
        }
        there
    }

    /// Remembers that a machine was shut down from inside: its instance stops, as EC2 does it unless it was launched
    /// to terminate then.
    pub(crate) fn note_shutdown(&mut self, instance_id: &str) {
        let cause = "Client.InstanceInitiatedShutdown";
        self.enter(instance_id, InstanceState::Stopping, cause);
        if let Some(instance) = self.instances.get_mut(instance_id) {
            instance.machine = Machine::Idle;
            instance.address = None;
            instance.transition = String::new();
            let message = format!("{cause}: Instance initiated shutdown");
            instance.reason = Some((cause.to_owned(), message));
        }
    }

    /// Remembers that an instance is restarted from outside: its group will replace it.
    pub(crate) fn note_reboot(&mut self, instance_id: &str) {
        let clock = self.clock;
        if let Some(instance) = self.instances.get_mut(instance_id) {
            instance.rebooted = true;
            instance.machine = Machine::Busy;
            instance.agent_answered = false;
            instance.agent = Some(clock.ripening(AGENT.0, AGENT.1));
        }
    }

    fn drop_volumes(&mut self, instance_id: &str) {
        self.volumes.retain(|_, volume| {
            volume.instance_id != instance_id || !volume.disk.delete_on_termination
        });
    }
}
