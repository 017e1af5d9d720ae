//! Deployments to members: what their engines are told, and what they signal.

use std::time::Duration;

use super::behaviour::Behaviour;
use super::environments::Environment;
use super::group::Signal;
use super::settings::Settings;
use crate::sandbox::clock::{self, Clock, Ripening};
use crate::sandbox::jobs::{EngineCommand, Job};
use crate::sandbox::state::State;

/// From running to the signal of a simulated machine, in looks.
pub(super) const READINESS: u32 = 2;
/// The command timeout with simulated machines, in looks.
const COMMAND_LOOKS: u32 = 20;
/// Real machines need that long for a deployment, whatever the pace.
const LEAST_COMMAND: Duration = Duration::from_mins(5);

impl Environment {
    /// What a simulated machine says about its deployment: nothing, if its image carries Beanstalk's marker.
    pub(super) fn simulated_signal(&self, state: &State, instance_id: &str) -> Signal {
        let marked = state
            .instances
            .get(instance_id)
            .is_some_and(|instance| instance.carries_marker);
        let behaviour = state.behaviour_of_instance(instance_id);
        let bundle = self
            .version_in_force()
            .and_then(|label| state.version(&self.application, label))
            .and_then(|version| version.bundle.clone());
        let missing = bundle.filter(|(bucket, key)| !state.storage.has(bucket, key));
        match (behaviour, missing) {
            _ if marked => Signal::Waiting,
            (Behaviour::NeverJoins, _) => Signal::Waiting,
            (Behaviour::FailsToDeploy | Behaviour::StuckInRollback, _) => {
                Signal::Failure("Engine execution has encountered an error.".to_owned())
            }
            (_, Some((bucket, key))) => Signal::Failure(format!(
                "Unable to download from S3 location (Bucket: {bucket}  Key: {key}). Reason: Not Found"
            )),
            _ => Signal::Success,
        }
    }

    /// A member says how its deployment went.
    pub(crate) fn receive(&mut self, state: &mut State, instance_id: &str, signal: Signal) {
        let version_label = self.version_in_force().map(str::to_owned);
        let Some(member) = self
            .members
            .iter_mut()
            .find(|member| member.instance_id == instance_id)
        else {
            return;
        };
        if member.signal != Signal::Waiting {
            return;
        }
        member.signal = signal;
        if member.signal == Signal::Success {
            member.deployed = Some(clock::now());
            member.version_label = version_label;
            state.jobs.push(Job::Deployed(instance_id.to_owned()));
        }
    }

    /// Has the application deployed once more on all members, in place.
    pub(crate) fn redeploy_members(&mut self, state: &mut State) {
        self.command_members(state, EngineCommand::DeployApplication);
    }

    /// Has other settings deployed on all members, in place.
    pub(crate) fn reconfigure_members(&mut self, state: &mut State, settings: &Settings) {
        for member in &mut self.members {
            member.settings = settings.clone();
        }
        self.command_members(state, EngineCommand::DeployConfiguration);
    }

    fn command_members(&mut self, state: &mut State, command: EngineCommand) {
        self.deployments += 1;
        for member in &mut self.members {
            member.signal = Signal::Waiting;
            member.readiness = state.clock.ripening(READINESS, 0.0);
            member.deadline = command_deadline(state.clock, &self.settings);
            state.jobs.push(Job::Deploy {
                instance_id: member.instance_id.clone(),
                command,
            });
        }
    }

    /// Tells whether all members have deployed; an error names those that could not.
    pub(crate) fn deployed_by_members(&self) -> Result<bool, String> {
        if self.members.iter().any(|one| one.signal == Signal::Waiting) {
            return Ok(false);
        }
        let bad: Vec<&str> = self
            .members
            .iter()
            .filter(|one| one.signal != Signal::Success)
            .map(|one| one.instance_id.as_str())
            .collect();
        if bad.is_empty() {
            Ok(true)
        } else {
            Err(bad.join(", "))
        }
    }
}

pub(super) fn command_deadline(clock: Clock, settings: &Settings) -> Ripening {
    let seconds = u32::try_from(settings.command_timeout()).unwrap_or(600);
    clock.limit(COMMAND_LOOKS, f64::from(seconds), LEAST_COMMAND)
}
