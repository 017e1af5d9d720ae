//! A rollout: all members come to run one launch configuration, by the environment's policy.
//!
//! Batch by batch: the members of a batch are terminated first and replaced then, so that the capacity dips, as it
//! does on AWS. `Immutable` launches a whole second set first and terminates the old one when that is well.

use std::time::Duration;

use super::behaviour::Behaviour;
use super::environments::Environment;
use super::events::Severity;
use super::group::{Condition, Signal};
use super::settings::{Policy, Settings};
use crate::sandbox::clock::Ripening;
use crate::sandbox::ec2::instances::InstanceState;
use crate::sandbox::state::State;

/// How far a change of the settings reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// No instance has to do with it.
    Nowhere,
    /// It is deployed to the instances that run.
    Deployment,
    /// Instances are replaced.
    Instances,
}

/// A rollout under way.
#[derive(Debug)]
pub(crate) struct Rollout {
    pub(crate) policy: Policy,
    /// The launch configuration that all members are to run.
    pub(crate) generation: u64,
    /// Something failed that did not stop it.
    pub(crate) has_errors: bool,
    reach: Reach,
    announced: bool,
    /// Terminated members whose machines are not gone yet.
    leaving: Vec<String>,
    /// New members that are waited for.
    waiting: Vec<String>,
    pause: Option<Ripening>,
    limit: Option<Ripening>,
}

/// How long a batch has to become healthy with simulated machines, in looks.
const HEALTH_LOOKS: u32 = 25;
/// How long real machines have at least, whatever the pace.
const LEAST_HEALTH: Duration = Duration::from_mins(5);
/// `PauseTime` when it is not set; Beanstalk computes one from the instance type.
const PAUSE: (u32, f64) = (3, 300.0);

impl Rollout {
    /// A rollout to the launch configuration `generation`.
    pub(crate) fn new(policy: Policy, generation: u64, reach: Reach) -> Self {
        Self {
            policy,
            generation,
            has_errors: false,
            reach,
            announced: false,
            leaving: Vec::new(),
            waiting: Vec::new(),
            pause: None,
            limit: None,
        }
    }

    /// Goes one step on: `Ok(true)` when all members run the configuration, an error when it cannot come to that.
    pub(crate) fn step(
        &mut self,
        environment: &mut Environment,
        state: &mut State,
        settings: &Settings,
    ) -> Result<bool, String> {
        match self.reach {
            Reach::Nowhere => return Ok(true),
            Reach::Deployment => return self.deploy(environment, state, settings),
            Reach::Instances => {}
        }
        if !self.waiting.is_empty() {
            self.watch(environment, state)?;
            return Ok(false);
        }
        if !self.is_clear(state) {
            return Ok(false);
        }
        let old: Vec<String> = environment
            .members
            .iter()
            .filter(|member| member.generation != self.generation)
            .map(|member| member.instance_id.clone())
            .collect();
        let size = settings.size();
        let new = environment.members.len() - old.len();
        if self.policy == Policy::Immutable {
            if new < size {
                // One first: if that does not come up, nothing more is tried.
                let count = if new == 0 { 1 } else { size - new };
                self.announce(environment, state, old.len(), size);
                self.launch(environment, state, settings, count)?;
                return Ok(false);
            }
            for id in &old {
                environment.remove_member(state, id);
            }
            self.leaving.extend(old.iter().cloned());
            return Ok(old.is_empty());
        }
        let missing = size.saturating_sub(environment.members.len());
        if missing > 0 {
            self.launch(environment, state, settings, missing)?;
            return Ok(false);
        }
        if old.is_empty() {
            return Ok(true);
        }
        let batch = match self.policy {
            Policy::Disabled => old.len(),
            _ => settings.batch_size(),
        };
        self.announce(environment, state, old.len(), batch);
        for id in old.into_iter().take(batch) {
            environment.remove_member(state, &id);
            self.leaving.push(id);
        }
        Ok(false)
    }

    /// Has the members deploy the settings, all at once and in place.
    fn deploy(
        &mut self,
        environment: &mut Environment,
        state: &mut State,
        settings: &Settings,
    ) -> Result<bool, String> {
        if !self.announced {
            self.announced = true;
            environment.reconfigure_members(state, settings);
            return Ok(false);
        }
        environment.deployed_by_members().map_err(|bad| {
            format!(
                "Unsuccessful command execution on instance id(s) '{bad}'. Aborting the operation."
            )
        })
    }

    /// The same way once more, to settings that were in force before.
    pub(crate) fn back(&self, policy: Policy, generation: u64) -> Self {
        Self::new(policy, generation, self.reach)
    }

    fn announce(&mut self, environment: &Environment, state: &mut State, old: usize, batch: usize) {
        if self.announced || old == 0 {
            return;
        }
        self.announced = true;
        let message = if self.policy == Policy::Immutable {
            "Immutable update policy is enabled. Launching one instance with the new settings to verify health.".to_owned()
        } else {
            format!(
                "Rolling update initiated. Terminating {old} obsolete instance(s) in batches of {batch}."
            )
        };
        state.say(environment, Severity::Info, message);
    }

    /// Tells whether the machines of all members that were taken out are gone.
    fn is_clear(&mut self, state: &mut State) -> bool {
        self.leaving.retain(|id| {
            state.look_at_instance(id);
            state
                .instances
                .get(id)
                .is_some_and(|instance| instance.state != InstanceState::Terminated)
        });
        self.leaving.is_empty()
    }

    fn launch(
        &mut self,
        environment: &mut Environment,
        state: &mut State,
        settings: &Settings,
        count: usize,
    ) -> Result<(), String> {
        for _ in 0..count {
            match environment.launch_member(state, settings, self.generation) {
                Ok(id) => self.waiting.push(id),
                Err(error) => {
                    environment.report_launch_failure(state, &error);
                    return Err(format!(
                        "Updating Auto Scaling group failed Reason: {}: {}",
                        error.code, error.message
                    ));
                }
            }
        }
        let pause = settings.rolling_seconds("PauseTime", PAUSE.1);
        self.pause = Some(state.clock.ripening(PAUSE.0, pause));
        let limit = settings.rolling_seconds("Timeout", 1800.0);
        self.limit = Some(state.clock.limit(HEALTH_LOOKS, limit, LEAST_HEALTH));
        Ok(())
    }

    /// Watches the new members of a batch; the batch is over when none is waited for.
    fn watch(&mut self, environment: &mut Environment, state: &mut State) -> Result<(), String> {
        let lost = environment.lost_members(state);
        if self.policy == Policy::Time {
            // It looks at no health: a member that was lost comes back by itself, later.
            if let Some(pause) = &mut self.pause {
                pause.poll();
                if !pause.is_ripe() {
                    return Ok(());
                }
            }
            self.waiting.clear();
            return Ok(());
        }
        let patient = self
            .waiting
            .iter()
            .any(|id| state.behaviour_of_instance(id) == Behaviour::StaysUpdating);
        if let Some(limit) = self.limit.as_mut().filter(|_| !patient) {
            limit.poll();
        }
        let over = self.limit.as_ref().is_some_and(Ripening::is_ripe);
        let mut ill = Vec::new();
        let mut silent = Vec::new();
        let mut pending = false;
        for id in &self.waiting {
            let member = environment
                .members
                .iter()
                .find(|one| one.instance_id == *id);
            let Some(member) = member.filter(|_| !lost.contains(id)) else {
                let reason = state.instances.get(id).and_then(|one| one.reason.as_ref());
                let reason = reason.map_or_else(String::new, |(_, text)| format!(": {text}"));
                ill.push(format!(
                    "[{id}] was terminated before it was in service{reason}"
                ));
                continue;
            };
            match (&member.signal, environment.condition(state, member)) {
                (Signal::TimedOut, _) => silent.push(id.clone()),
                (Signal::Failure(reason), _) => ill.push(format!("[{id}] {reason}")),
                (_, Condition::Well) => {}
                // All at once waits for the deployment and not for health.
                (Signal::Success, _) if self.policy == Policy::Disabled => {}
                (_, Condition::Ill(reason)) if over => ill.push(format!("[{id}] {reason}")),
                (_, Condition::Pending) if over => ill.push(format!("[{id}] is not in service")),
                _ => pending = true,
            }
        }
        let failure = failure(&ill, &silent, self.waiting.len());
        match failure {
            Some(reason) if self.policy == Policy::Disabled => {
                if !pending {
                    self.has_errors = true;
                    state.say(environment, Severity::Error, reason);
                    self.waiting.clear();
                }
                Ok(())
            }
            Some(reason) => {
                self.waiting.clear();
                Err(reason)
            }
            None => {
                if !pending {
                    self.waiting.clear();
                }
                Ok(())
            }
        }
    }
}

/// What Beanstalk says about members that do not come up.
fn failure(ill: &[String], silent: &[String], of: usize) -> Option<String> {
    if !silent.is_empty() {
        return Some(format!(
            "{} out of {of} instances did not respond within the allowed command timeout: [{}].",
            silent.len(),
            silent.join(", ")
        ));
    }
    (!ill.is_empty()).then(|| {
        format!(
            "{} out of {of} instances failed: {}.",
            ill.len(),
            ill.join("; ")
        )
    })
}
