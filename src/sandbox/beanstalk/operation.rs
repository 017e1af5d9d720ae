//! What is done to an environment, and how it goes on.

use super::environments::Environment;
use super::platforms::Platform;
use super::rolling::Rollout;
use super::settings::Settings;
use crate::sandbox::clock;
use crate::sandbox::state::State;

/// What is done to an environment.
#[derive(Debug)]
pub(crate) struct Operation {
    /// The request that asked for it; its events carry the id.
    pub(crate) request_id: String,
    pub(crate) work: Work,
}

/// What kind of work it is.
#[derive(Debug)]
pub(crate) enum Work {
    /// The first instances come up.
    Launch(Rollout),
    /// The settings, and with them perhaps the instances, change.
    Configure {
        target: Settings,
        platform: Platform,
        rollout: Rollout,
        /// It goes back to what was before.
        reverting: bool,
    },
    /// Another application version is deployed in place.
    Deploy { label: String },
    /// Everything goes.
    Terminate { leaving: Vec<String> },
}

impl Operation {
    /// Tells whether `AbortEnvironmentUpdate` would do anything.
    pub(crate) fn is_abortable(&self) -> bool {
        matches!(
            self.work,
            Work::Configure {
                reverting: false,
                ..
            }
        )
    }
}

impl State {
    /// Lets everything go on by a step: with real machines, each second.
    pub(crate) fn advance_everything(&mut self) {
        let instances: Vec<String> = self.instances.keys().cloned().collect();
        for id in instances {
            self.look_at_instance(&id);
        }
        self.look_at_agents();
        let environments: Vec<String> = self.environments.keys().cloned().collect();
        for id in environments {
            self.advance(&id);
        }
    }

    /// Lets an environment go on by a step.
    pub(crate) fn advance(&mut self, environment_id: &str) {
        let Some(mut environment) = self.environments.remove(environment_id) else {
            return;
        };
        if environment.exists() {
            environment.advance(self);
        }
        self.environments
            .insert(environment_id.to_owned(), environment);
    }
}

impl Environment {
    fn advance(&mut self, state: &mut State) {
        self.look_at_members(state);
        match self.operation.take() {
            None => self.heal(state),
            Some(mut operation) => {
                // Events said meanwhile carry the request id of a placeholder that is put there for them.
                self.operation = Some(Operation {
                    request_id: operation.request_id.clone(),
                    work: Work::Terminate {
                        leaving: Vec::new(),
                    },
                });
                if self.work(state, &mut operation.work) {
                    self.operation = None;
                    self.updated = clock::now();
                } else {
                    self.operation = Some(operation);
                }
            }
        }
        self.report_health(state);
    }

    /// Goes one step on; `true` when the work is done.
    fn work(&mut self, state: &mut State, work: &mut Work) -> bool {
        match work {
            Work::Launch(rollout) => self.work_on_launch(state, rollout),
            Work::Configure {
                target,
                platform,
                rollout,
                reverting,
            } => self.work_on_update(state, target, platform, rollout, reverting),
            Work::Deploy { label } => self.work_on_deployment(state, label),
            Work::Terminate { leaving } => self.work_on_termination(state, leaving),
        }
    }

    /// The version that new instances get: the one that is being deployed, else the deployed one.
    pub(crate) fn version_in_force(&self) -> Option<&str> {
        match &self.operation {
            Some(Operation {
                work: Work::Deploy { label },
                ..
            }) => Some(label),
            _ => self.version_label.as_deref(),
        }
    }
}
