//! The group of an environment: its members are launched, deployed to, watched and, when they are lost, replaced.

use super::behaviour::Behaviour;
use super::deployments::{READINESS, command_deadline};
use super::environments::Environment;
use super::events::Severity;
use super::settings::{LAUNCH, Settings};
use crate::sandbox::balancer::{Target, TargetHealth};
use crate::sandbox::clock::{Clock, Ripening};
use crate::sandbox::ec2::instances::InstanceState;
use crate::sandbox::ec2::launch;
use crate::sandbox::ec2::launch_request::Launch;
use crate::sandbox::ec2::tags::Tags;
use crate::sandbox::ec2::volumes;
use crate::sandbox::state::State;
use crate::sandbox::wire::ApiError;

/// Whether a member has said that it is deployed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    Waiting,
    Success,
    Failure(String),
    TimedOut,
}

/// An instance of an environment.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) instance_id: String,
    /// The launch configuration that it was started from.
    pub(crate) generation: u64,
    /// The stack that it was told, and that its signal must name.
    pub(crate) stack: String,
    /// What it was configured with last: at its launch, or by a deployment of a configuration.
    pub(crate) settings: Settings,
    pub(crate) signal: Signal,
    /// When a simulated machine signals.
    pub(super) readiness: Ripening,
    /// When the command counts as not answered.
    pub(super) deadline: Ripening,
    pub(crate) deployed: Option<jiff::Timestamp>,
    pub(crate) version_label: Option<String>,
    /// Looks at the environment since it joined.
    pub(crate) looks: u32,
    registered: bool,
}

/// How a member is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// It has not joined yet.
    Pending,
    /// It joined and is well.
    Well,
    /// It is not, for this reason.
    Ill(String),
}

impl Environment {
    /// Launches an instance with these settings.
    pub(crate) fn launch_member(
        &mut self,
        state: &mut State,
        settings: &Settings,
        generation: u64,
    ) -> Result<String, ApiError> {
        let launch = self.launch(state, settings)?;
        let reservation_id = state.new_id("r");
        let instance_id = state.launch(&launch, &reservation_id);
        self.members.push(Member {
            instance_id: instance_id.clone(),
            generation,
            stack: self.stack.clone(),
            settings: settings.clone(),
            signal: Signal::Waiting,
            readiness: state.clock.ripening(READINESS, 0.0),
            deadline: command_deadline(state.clock, settings),
            deployed: None,
            version_label: None,
            looks: 0,
            registered: false,
        });
        self.launch_failure = None;
        state.say(
            self,
            Severity::Info,
            format!("Added instance [{instance_id}] to your environment."),
        );
        Ok(instance_id)
    }

    fn launch(&self, state: &State, settings: &Settings) -> Result<Launch, ApiError> {
        let image = launch::launchable(state, &settings.image(self.platform))?;
        if let Behaviour::CannotLaunch { code, message } =
            state.behaviour_of(&image.id, &image.name)
        {
            return Err(ApiError::new(code, message));
        }
        let instance_type = settings.instance_type();
        launch::check_architecture(&instance_type, image)?;
        let mut disks = image.disks.clone();
        if let Some(root) = disks.first_mut() {
            if let Some(size) = settings
                .get(LAUNCH, "RootVolumeSize")
                .and_then(|size| size.parse().ok())
            {
                if size < root.gibibytes {
                    return Err(volumes::too_small(size, root));
                }
                root.gibibytes = size;
            }
            if let Some(kind) = settings.get(LAUNCH, "RootVolumeType") {
                kind.clone_into(&mut root.kind);
            }
        }
        let mut security_groups = vec![self.security_group.clone()];
        if let Some(more) = settings.get(LAUNCH, "SecurityGroups") {
            let known = more
                .split(',')
                .map(str::trim)
                .filter(|id| state.security_groups.iter().any(|group| group.id == *id));
            security_groups.extend(known.map(str::to_owned));
        }
        let profile = settings.get(LAUNCH, "IamInstanceProfile").map(|profile| {
            if profile.starts_with("arn:") {
                profile.to_owned()
            } else {
                format!("arn:aws:iam::{}:instance-profile/{profile}", state.account)
            }
        });
        let mut instance_tags: Tags = self.tags.clone();
        for (key, value) in [
            ("Name", &self.name),
            ("elasticbeanstalk:environment-name", &self.name),
            ("elasticbeanstalk:environment-id", &self.id),
            ("aws:autoscaling:groupName", &self.group_name),
            ("aws:cloudformation:stack-id", &self.stack),
        ] {
            instance_tags.insert(key.to_owned(), value.clone());
        }
        let subnets = settings.subnets();
        Ok(Launch {
            image_id: image.id.clone(),
            instance_type,
            subnet_id: (!subnets.is_empty())
                .then(|| subnets[self.members.len() % subnets.len()].clone()),
            security_groups,
            profile,
            key_name: settings.get(LAUNCH, "EC2KeyName").map(str::to_owned),
            user_data: Some(self.user_data().into_bytes()),
            disks,
            instance_tags,
            volume_tags: self.tags.clone(),
            client_token: None,
            tokens_required: settings.get(LAUNCH, "DisableIMDSv1") != Some("false"),
            hop_limit: 2,
        })
    }

    /// What Beanstalk tells a new machine: fetch the engine's bootstrap and give it stack and signal address.
    fn user_data(&self) -> String {
        let stack = &self.stack;
        format!(
            "#!/bin/bash\nexec /opt/elasticbeanstalk/bootstrap '{stack}' 'http://169.254.169.254/_beanstalk/signal'\n"
        )
    }

    /// Takes a member out of the group and terminates its instance.
    pub(crate) fn remove_member(&mut self, state: &mut State, instance_id: &str) {
        self.members
            .retain(|member| member.instance_id != instance_id);
        self.end_member(state, instance_id);
        state.say(
            self,
            Severity::Info,
            format!("Removed instance [{instance_id}] from your environment."),
        );
    }

    /// Terminates the instance of a member, after its requests under way.
    pub(crate) fn end_member(&self, state: &mut State, instance_id: &str) {
        match &self.balancer {
            Some(balancer) => state.begin_draining(instance_id, balancer),
            None => state.begin_termination(instance_id, ""),
        }
    }

    /// Counts a look at each member: its instance ripens, it signals, joins the balancer, or runs out of time.
    pub(crate) fn look_at_members(&mut self, state: &mut State) {
        let port = self.settings.port();
        for index in 0..self.members.len() {
            let id = self.members[index].instance_id.clone();
            let behaviour = state.behaviour_of_instance(&id);
            if let Behaviour::DiesAtLaunch { code, message } = behaviour {
                state.end_at_launch(&id, code, message);
            }
            state.look_at_instance(&id);
            let running = state
                .instances
                .get(&id)
                .is_some_and(|instance| instance.state == InstanceState::Running);
            let address = state
                .instances
                .get(&id)
                .and_then(|instance| instance.address);
            if self.members[index].signal == Signal::Waiting {
                if running && state.clock == Clock::Polls {
                    self.members[index].readiness.poll();
                    if self.members[index].readiness.is_ripe() {
                        let signal = self.simulated_signal(state, &id);
                        self.receive(state, &id, signal);
                    }
                }
                let member = &mut self.members[index];
                member.deadline.poll();
                if member.signal == Signal::Waiting && member.deadline.is_ripe() {
                    member.signal = Signal::TimedOut;
                }
            }
            let member = &mut self.members[index];
            if member.signal != Signal::Success {
                continue;
            }
            member.looks = member.looks.saturating_add(1);
            if let Some(balancer) = &self.balancer
                && !member.registered
                && running
            {
                let target = match (address, behaviour) {
                    (Some(address), _) => Target::Http(std::net::SocketAddr::new(address, port)),
                    (None, Behaviour::Answers { status, page }) => Target::Page(status, page),
                    (None, _) => Target::Simulated,
                };
                balancer.register(&id, target);
                member.registered = true;
            }
        }
    }

    /// Replaces members that were stopped, terminated or restarted from outside, and launches those that are missing.
    pub(crate) fn heal(&mut self, state: &mut State) {
        let lost: Vec<String> = self.lost_members(state);
        for id in &lost {
            self.remove_member(state, id);
        }
        let settings = self.settings.clone();
        while self.members.len() < settings.size() {
            let generation = self.generation;
            if let Err(error) = self.launch_member(state, &settings, generation) {
                self.report_launch_failure(state, &error);
                return;
            }
        }
    }

    /// The members that are no longer what the group started.
    pub(crate) fn lost_members(&self, state: &State) -> Vec<String> {
        self.members
            .iter()
            .filter(|member| {
                state
                    .instances
                    .get(&member.instance_id)
                    .is_none_or(|instance| {
                        instance.rebooted
                            || !matches!(
                                instance.state,
                                InstanceState::Pending | InstanceState::Running
                            )
                    })
            })
            .map(|member| member.instance_id.clone())
            .collect()
    }

    /// Says why an instance could not be launched, once for each reason.
    pub(crate) fn report_launch_failure(&mut self, state: &mut State, error: &ApiError) {
        let reason = format!("{}: {}", error.code, error.message);
        if self.launch_failure.as_ref() != Some(&reason) {
            state.say(
                self,
                Severity::Error,
                format!(
                    "Creating Auto Scaling group instance failed Reason: Launching a new EC2 instance. Status Reason: {reason} Launching EC2 instance failed."
                ),
            );
            self.launch_failure = Some(reason);
        }
    }

    /// How a member is.
    pub(crate) fn condition(&self, state: &State, member: &Member) -> Condition {
        match &member.signal {
            Signal::Waiting => return Condition::Pending,
            Signal::Failure(reason) => return Condition::Ill(reason.clone()),
            Signal::TimedOut => {
                return Condition::Ill(
                    "The instance did not respond within the allowed command timeout.".to_owned(),
                );
            }
            Signal::Success => {}
        }
        let behaviour = state.behaviour_of_instance(&member.instance_id);
        if state.clock == Clock::Polls && !behaviour.is_well(member.looks) {
            return Condition::Ill("ELB health is failing or not available.".to_owned());
        }
        match &self.balancer {
            None => Condition::Well,
            Some(balancer) => match balancer.health(&member.instance_id) {
                TargetHealth::Healthy => Condition::Well,
                TargetHealth::Initial => Condition::Pending,
                TargetHealth::Unhealthy(reason) => Condition::Ill(reason),
            },
        }
    }
}
