//! The kinds of work on an environment: launch, configuration update, deployment, termination. Each is a small state
//! machine that goes one step on with each look at the environment, or with each tick (`operation`).

use super::behaviour::Behaviour;
use super::environments::{Environment, Status};
use super::events::Severity;
use super::operation::Work;
use super::platforms::Platform;
use super::rolling::Rollout;
use super::settings::{Policy, Settings};
use crate::sandbox::ec2::instances::InstanceState;
use crate::sandbox::state::State;

/// The event that ends what went wrong.
const WITH_ERRORS: &str = "operation is complete, but with errors. For more information, see troubleshooting documentation.";
/// The event that ends an update that failed and was taken back.
const REVERTED: &str = "The environment was reverted to the previous configuration setting.";

impl Environment {
    pub(super) fn work_on_launch(&mut self, state: &mut State, rollout: &mut Rollout) -> bool {
        if self.is_balanced() && self.balancer.is_none() {
            return false;
        }
        let settings = self.settings.clone();
        match rollout.step(self, state, &settings) {
            Ok(false) => false,
            Ok(true) if rollout.has_errors => {
                self.status = Status::Ready;
                state.say(
                    self,
                    Severity::Error,
                    format!("Create environment {WITH_ERRORS}"),
                );
                true
            }
            Ok(true) => {
                self.status = Status::Ready;
                let url = self.endpoint(state).unwrap_or_default();
                state.say(
                    self,
                    Severity::Info,
                    format!("Application available at {url}."),
                );
                state.say(
                    self,
                    Severity::Info,
                    format!("Successfully launched environment: {}", self.name),
                );
                true
            }
            Err(reason) => {
                self.status = Status::Ready;
                state.say(self, Severity::Error, reason);
                state.say(
                    self,
                    Severity::Error,
                    format!("Create environment {WITH_ERRORS}"),
                );
                true
            }
        }
    }

    pub(super) fn work_on_update(
        &mut self,
        state: &mut State,
        target: &Settings,
        platform: &mut Platform,
        rollout: &mut Rollout,
        reverting: &mut bool,
    ) -> bool {
        let settings = if *reverting {
            self.settings.clone()
        } else {
            target.clone()
        };
        if *reverting && self.is_stuck(state, target, *platform) {
            return false;
        }
        let before = std::mem::replace(&mut self.platform, *platform);
        let outcome = rollout.step(self, state, &settings);
        self.platform = before;
        match outcome {
            Ok(false) => false,
            Ok(true) if *reverting => {
                self.status = Status::Ready;
                self.failed = Some(target.clone());
                state.say(self, Severity::Info, REVERTED);
                true
            }
            Ok(true) => {
                self.status = Status::Ready;
                self.settings = target.clone();
                self.platform = *platform;
                self.failed = None;
                self.generation = rollout.generation;
                if let Some(balancer) = &self.balancer {
                    balancer.set_health_path(&self.settings.health_path());
                }
                if rollout.has_errors {
                    state.say(
                        self,
                        Severity::Error,
                        format!("Update environment {WITH_ERRORS}"),
                    );
                } else {
                    state.say(
                        self,
                        Severity::Info,
                        "Successfully deployed new configuration to environment.",
                    );
                    state.say(
                        self,
                        Severity::Info,
                        "Environment update completed successfully.",
                    );
                }
                true
            }
            Err(reason) if *reverting => {
                self.status = Status::Ready;
                self.failed = Some(target.clone());
                state.say(self, Severity::Error, reason);
                state.say(
                    self,
                    Severity::Error,
                    format!("Update environment {WITH_ERRORS}"),
                );
                true
            }
            Err(reason) => {
                state.say(self, Severity::Error, reason);
                state.say(self, Severity::Error, "Failed to deploy configuration.");
                *platform = self.platform;
                *reverting = true;
                self.turn_back(state, rollout);
                false
            }
        }
    }

    /// Whether the way back from an update to these settings comes to no end; said once.
    fn is_stuck(&self, state: &mut State, target: &Settings, platform: Platform) -> bool {
        let image = target.image(platform);
        let name = state.images.get(&image).map_or("", |one| one.name.as_str());
        if state.behaviour_of(&image, name) != Behaviour::StuckInRollback {
            return false;
        }
        let text = format!(
            "Service:AmazonCloudFormation, Message:Stack named 'awseb-{}-stack' aborted operation. Current state: \
             'UPDATE_ROLLBACK_FAILED' Reason: The following resource(s) failed to update: [AWSEBAutoScalingGroup].",
            self.id
        );
        let said = state
            .events
            .iter()
            .any(|event| event.environment_id == self.id && event.message == text);
        if !said {
            state.say(self, Severity::Error, text);
        }
        true
    }

    /// Another rollout, back to the settings that are deployed: by their own policy, unless nothing was replaced yet.
    fn turn_back(&mut self, state: &mut State, rollout: &mut Rollout) {
        self.renew_stack(state);
        // An immutable update ends its second group and touches nothing else.
        let policy = if rollout.policy == Policy::Immutable {
            let temporary = self.generation;
            let second: Vec<String> = self
                .members
                .iter()
                .filter(|member| member.generation != temporary)
                .map(|member| member.instance_id.clone())
                .collect();
            for id in &second {
                self.remove_member(state, id);
            }
            Policy::Immutable
        } else {
            match self.settings.policy() {
                Policy::Immutable => Policy::Health,
                policy => policy,
            }
        };
        *rollout = rollout.back(policy, self.generation);
    }

    pub(super) fn work_on_deployment(&mut self, state: &mut State, label: &str) -> bool {
        let outcome = self.deployed_by_members();
        if outcome == Ok(false) {
            return false;
        }
        self.status = Status::Ready;
        if let Err(list) = outcome {
            state.say(
                self,
                Severity::Error,
                format!("Unsuccessful command execution on instance id(s) '{list}'. Aborting the operation."),
            );
            state.say(self, Severity::Error, "Failed to deploy application.");
        } else {
            self.version_label = Some(label.to_owned());
            state.say(
                self,
                Severity::Info,
                "New application version was deployed to running EC2 instances.",
            );
            state.say(
                self,
                Severity::Info,
                "Environment update completed successfully.",
            );
        }
        true
    }

    pub(super) fn work_on_termination(
        &mut self,
        state: &mut State,
        leaving: &mut Vec<String>,
    ) -> bool {
        for member in std::mem::take(&mut self.members) {
            self.end_member(state, &member.instance_id);
            leaving.push(member.instance_id);
        }
        leaving.retain(|id| {
            state.look_at_instance(id);
            state
                .instances
                .get(id)
                .is_some_and(|instance| instance.state != InstanceState::Terminated)
        });
        if !leaving.is_empty() {
            return false;
        }
        self.shut_balancer();
        let group = &self.security_group;
        state.security_groups.retain(|one| one.id != *group);
        self.status = Status::Terminated;
        state.say(
            self,
            Severity::Info,
            "terminateEnvironment completed successfully.",
        );
        true
    }

    /// A new stack for the instances that are launched from now on.
    pub(crate) fn renew_stack(&mut self, state: &mut State) {
        let unique = state.new_uuid();
        self.stack = format!(
            "arn:aws:cloudformation:{}:{}:stack/awseb-{}-stack/{unique}",
            state.region, state.account, self.id
        );
    }

    /// Begins to go back, because somebody asked for it.
    pub(crate) fn abort(&mut self, state: &mut State) -> bool {
        let Some(mut operation) = self.operation.take() else {
            return false;
        };
        let Work::Configure {
            rollout,
            reverting,
            platform,
            ..
        } = &mut operation.work
        else {
            self.operation = Some(operation);
            return false;
        };
        if *reverting {
            self.operation = Some(operation);
            return false;
        }
        *reverting = true;
        *platform = self.platform;
        self.turn_back(state, rollout);
        self.status = Status::Aborting;
        self.operation = Some(operation);
        state.say(self, Severity::Info, "Environment update is aborting.");
        true
    }
}
