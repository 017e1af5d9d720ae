//! Commands and their invocations: what was sent, and how far it is on each node.

use std::time::Duration;

use serde_json::{Value, json};

use crate::sandbox::clock::Ripening;
use crate::sandbox::machines::CommandOutcome;
use crate::sandbox::wire::json::seconds;

/// A command, sent to one node or more.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    pub(crate) id: String,
    pub(crate) comment: String,
    pub(crate) parameters: Value,
    pub(crate) script: String,
    pub(crate) working_directory: Option<String>,
    pub(crate) execution_timeout: Duration,
    /// How long the nodes have to take it, in seconds.
    pub(crate) delivery_timeout: u64,
    pub(crate) requested: jiff::Timestamp,
    pub(crate) invocations: Vec<Invocation>,
}

/// A command on one node.
#[derive(Clone, Debug)]
pub(crate) struct Invocation {
    pub(crate) instance_id: String,
    pub(crate) stage: Stage,
    /// When it is given up, once its node is gone.
    pub(crate) given_up: Option<Ripening>,
    /// It shows its end only after this: by polls counted.
    pub(crate) news: Ripening,
    pub(crate) started: Option<jiff::Timestamp>,
    pub(crate) ended: Option<jiff::Timestamp>,
    pub(crate) cancelling: bool,
}

/// How far an invocation is on its node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Pending,
    Running,
    /// It was not taken in time.
    Undelivered,
    /// Its node is gone.
    Lost,
    Ended(CommandOutcome),
}

/// Status, details and exit code as the API shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) name: &'static str,
    pub(crate) details: &'static str,
    pub(crate) code: i32,
}

const fn status(name: &'static str, details: &'static str, code: i32) -> Status {
    Status {
        name,
        details,
        code,
    }
}

impl Invocation {
    /// The status as it shows now.
    pub(crate) fn status(&self) -> Status {
        match &self.stage {
            Stage::Pending if self.cancelling => status("Cancelled", "Cancelled", -1),
            Stage::Pending => status("Pending", "Pending", -1),
            Stage::Undelivered => status("TimedOut", "DeliveryTimedOut", -1),
            Stage::Lost if self.given_up.as_ref().is_some_and(Ripening::is_ripe) => {
                status("TimedOut", "ExecutionTimedOut", -1)
            }
            Stage::Ended(outcome) if self.news.is_ripe() => ended(outcome),
            _ if self.cancelling => status("Cancelling", "Cancelling", -1),
            _ => status("InProgress", "InProgress", -1),
        }
    }

    /// The outcome, once it shows.
    pub(crate) fn outcome(&self) -> Option<&CommandOutcome> {
        match &self.stage {
            Stage::Ended(outcome) if self.news.is_ripe() => Some(outcome),
            _ => None,
        }
    }

    /// Counts a look.
    pub(crate) fn look(&mut self) {
        self.news.poll();
        if let Some(given_up) = &mut self.given_up {
            given_up.poll();
        }
    }

    /// Tells whether nothing more will change.
    pub(crate) fn is_over(&self) -> bool {
        !matches!(self.status().name, "Pending" | "InProgress" | "Cancelling")
    }
}

/// What the agent makes of an exit code: 168 and 169 end the document early, 137 means killed.
fn ended(outcome: &CommandOutcome) -> Status {
    match outcome.code {
        code if outcome.cancelled => status("Cancelled", "Cancelled", code),
        code if outcome.timed_out => status("TimedOut", "ExecutionTimedOut", code),
        137 => status("TimedOut", "ExecutionTimedOut", 137),
        code @ (0 | 168) => status("Success", "Success", code),
        code => status("Failed", "Failed", code),
    }
}

impl Command {
    /// The command as `SendCommand` and `ListCommands` show it.
    pub(crate) fn describe(&self) -> Value {
        let statuses: Vec<Status> = self.invocations.iter().map(Invocation::status).collect();
        let over = self.invocations.iter().filter(|one| one.is_over()).count();
        let bad = statuses
            .iter()
            .filter(|one| matches!(one.name, "Failed" | "TimedOut"))
            .count();
        let undelivered = statuses
            .iter()
            .filter(|one| one.details == "DeliveryTimedOut")
            .count();
        let overall = overall(&statuses);
        let instances: Vec<&str> = self
            .invocations
            .iter()
            .map(|one| one.instance_id.as_str())
            .collect();
        let expires = self.requested
            + jiff::SignedDuration::from_secs(i64::try_from(self.delivery_timeout).unwrap_or(3600));
        json!({
            "CommandId": self.id,
            "DocumentName": super::calls::DOCUMENT,
            "DocumentVersion": "$DEFAULT",
            "Comment": self.comment,
            "ExpiresAfter": seconds(expires),
            "Parameters": self.parameters,
            "InstanceIds": instances,
            "Targets": [],
            "RequestedDateTime": seconds(self.requested),
            "Status": overall.name,
            "StatusDetails": overall.details,
            "OutputS3BucketName": "",
            "OutputS3KeyPrefix": "",
            "MaxConcurrency": "50",
            "MaxErrors": "0",
            "TargetCount": self.invocations.len(),
            "CompletedCount": over,
            "ErrorCount": bad,
            "DeliveryTimedOutCount": undelivered,
            "ServiceRole": "",
            "TimeoutSeconds": self.delivery_timeout,
        })
    }
}

/// The status of a command with several invocations: under way as long as one is, else the worst.
fn overall(statuses: &[Status]) -> Status {
    [
        "Pending",
        "InProgress",
        "Cancelling",
        "Failed",
        "TimedOut",
        "Cancelled",
    ]
    .into_iter()
    .find_map(|wanted| statuses.iter().find(|one| one.name == wanted))
    .copied()
    .unwrap_or(status("Success", "Success", 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::clock::Clock;

    fn after(outcome: CommandOutcome) -> Status {
        Invocation {
            instance_id: "i-1".to_owned(),
            stage: Stage::Ended(outcome),
            given_up: None,
            news: Clock::Polls.ripening(0, 0.0),
            started: None,
            ended: None,
            cancelling: false,
        }
        .status()
    }

    #[test]
    fn exit_codes_mean_what_the_agent_makes_of_them() {
        for (code, wanted) in [
            (0, "Success"),
            (168, "Success"),
            (169, "Failed"),
            (137, "TimedOut"),
            (1, "Failed"),
        ] {
            let status = after(CommandOutcome {
                code,
                ..CommandOutcome::default()
            });
            assert_eq!((status.name, status.code), (wanted, code));
        }
    }

    #[test]
    fn a_command_is_under_way_as_long_as_one_node_is() {
        let done = status("Success", "Success", 0);
        let failed = status("Failed", "Failed", 1);
        let busy = status("InProgress", "InProgress", -1);
        assert_eq!(overall(&[done, failed, busy]).name, "InProgress");
        assert_eq!(overall(&[done, failed]).name, "Failed");
        assert_eq!(overall(&[done, done]).name, "Success");
    }
}
