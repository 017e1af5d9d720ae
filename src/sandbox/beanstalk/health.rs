//! The health of an environment, as enhanced health reporting tells it: status, colour, causes.

use super::behaviour::Behaviour;
use super::environments::{Environment, Status};
use super::events::Severity;
use super::group::{Condition, Member, Signal};
use super::operation::Work;
use crate::sandbox::state::State;

/// The health of an environment or of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Health {
    pub(crate) status: &'static str,
    pub(crate) color: &'static str,
    pub(crate) causes: Vec<String>,
}

/// The colour that goes with a status, from "Health colors and statuses" in Beanstalk's developer guide.
pub(crate) fn color(status: &str) -> &'static str {
    match status {
        "Ok" | "Info" => "Green",
        "Warning" => "Yellow",
        "Degraded" | "Severe" => "Red",
        _ => "Grey",
    }
}

impl Environment {
    /// The health as it is now.
    pub(crate) fn health(&self, state: &State) -> Health {
        let (status, causes) = self.judge(state);
        Health {
            status,
            color: color(status),
            causes,
        }
    }

    fn judge(&self, state: &State) -> (&'static str, Vec<String>) {
        match self.status {
            Status::Terminated | Status::Terminating => return ("Unknown", Vec::new()),
            Status::Launching => return ("Pending", Vec::new()),
            _ => {}
        }
        let wanted = self.settings.size();
        let count = self.members.len();
        let mut causes = Vec::new();
        let mut ill = 0;
        let mut pending = 0;
        for member in &self.members {
            match self.condition(state, member) {
                Condition::Well => {}
                Condition::Pending => pending += 1,
                Condition::Ill(reason) => {
                    ill += 1;
                    causes.push(format!("Instance {}: {reason}", member.instance_id));
                }
            }
        }
        let well = count - ill - pending;
        let updating = self.operation.is_some();
        if count < wanted && !updating {
            causes.push(format!(
                "{count} active instances is below Auto Scaling group minimum size {wanted}."
            ));
        }
        if pending > 0 {
            causes.push(format!(
                "Command is executing on {pending} out of {count} instances."
            ));
        }
        let status = match (well, ill) {
            // While its operation replaces everything, an environment without instances is not judged.
            (0, 0) if updating || pending > 0 => "Info",
            (0, _) if wanted > 0 => {
                causes.push("None of the instances are sending data.".to_owned());
                "Severe"
            }
            (_, 0) if pending > 0 || updating => "Info",
            (_, 0) if count < wanted => "Warning",
            (_, 0) if self.answers_with_4xx(state) => {
                causes.push("22.6 % of the requests are erroring with HTTP 4xx.".to_owned());
                "Warning"
            }
            (_, 0) => "Ok",
            (well, ill) if ill > well => "Severe",
            _ => "Degraded",
        };
        (status, causes)
    }

    fn answers_with_4xx(&self, state: &State) -> bool {
        let mut members = self.members.iter();
        members.any(|member| {
            state.behaviour_of_instance(&member.instance_id) == Behaviour::ClientErrors
        })
    }

    /// The health of one instance.
    pub(crate) fn member_health(&self, state: &State, member: &Member) -> Health {
        let (status, causes) = match self.condition(state, member) {
            Condition::Well => ("Ok", Vec::new()),
            Condition::Pending if member.signal == Signal::Waiting => {
                ("Pending", vec!["Initialization in progress.".to_owned()])
            }
            Condition::Pending => ("Info", Vec::new()),
            Condition::Ill(reason) => ("Severe", vec![reason]),
        };
        Health {
            status,
            color: color(status),
            causes,
        }
    }

    /// Says that the health changed, if it did.
    pub(crate) fn report_health(&mut self, state: &mut State) {
        let health = self.health(state);
        let before = std::mem::replace(&mut self.reported_health, health.status);
        let terminating = matches!(
            self.operation.as_ref().map(|operation| &operation.work),
            Some(Work::Terminate { .. })
        );
        if before == health.status || terminating || !self.exists() {
            return;
        }
        let severity = match health.status {
            "Severe" | "Degraded" => Severity::Error,
            "Warning" => Severity::Warn,
            _ => Severity::Info,
        };
        let why = if health.causes.is_empty() {
            ".".to_owned()
        } else {
            format!(". {}", health.causes.join(" "))
        };
        state.say(
            self,
            severity,
            format!(
                "Environment health has transitioned from {before} to {}{why}",
                health.status
            ),
        );
        if health.color == "Red" {
            state.say(
                self,
                Severity::Warn,
                "Environment health has been set to RED",
            );
        }
    }
}
