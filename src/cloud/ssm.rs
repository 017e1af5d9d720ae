//! Run Command: whether a machine's agent answers, a command sent once, its result.

use super::{Cloud, CloudError, ErrorKind, present};
use crate::id::{CommandId, InstanceId};

/// A command that is sent to one machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The machine.
    pub instance: InstanceId,
    /// The script, run as root by `sh`.
    pub script: String,
    /// Names run, step and attempt in 100 characters at most: `SendCommand` has no token, so this finds it again.
    pub comment: String,
    /// How long it may run on the machine, in seconds: 5 to 172,800, else the agent takes 3,600 without a word.
    pub seconds: u32,
}

/// A command that was sent to an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentCommand {
    /// Its id.
    pub id: CommandId,
    /// What it was sent with: [`Command::comment`].
    pub comment: String,
    /// When it was sent.
    pub sent: jiff::Timestamp,
}

/// How a command is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandState {
    /// Not delivered yet, or running.
    Going(String),
    /// It ran and ended with code 0.
    Success,
    /// It ran and ended with another code.
    Failed(i32),
    /// It never ran: sending it again is safe. The text says why.
    NeverRan(String),
    /// It was killed or lost: nobody knows how far it came. The text says why.
    Unknown(String),
}

/// A command's state and output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// How it is doing.
    pub state: CommandState,
    /// What it printed: the first 24,000 characters, and nothing before it has ended.
    pub output: String,
    /// What it printed to standard error: the first 8,000 characters.
    pub errors: String,
}

impl Cloud {
    /// Tells whether Systems Manager has the machine as `Online`; that can be stale by minutes, so a no-op command
    /// must follow. None: it is not registered yet.
    pub async fn agent_status(&self, instance: &InstanceId) -> Result<Option<String>, CloudError> {
        const OPERATION: &str = "DescribeInstanceInformation";
        let filter = aws_sdk_ssm::types::InstanceInformationStringFilter::builder()
            .key("InstanceIds")
            .values(instance.as_str())
            .build()
            .map_err(|_| CloudError::absent(OPERATION, instance.as_str(), "filter"))?;
        let answer = self
            .ssm
            .describe_instance_information()
            .filters(filter)
            .send()
            .await
            .map_err(|error| CloudError::of(OPERATION, instance.as_str(), &error))?;
        let information = answer.instance_information_list().first();
        Ok(information
            .and_then(|information| information.ping_status())
            .map(|status| status.as_str().to_owned()))
    }

    /// Sends a command. What it does must be safe to do twice, for an answer can be lost.
    pub async fn send_command(&self, command: &Command) -> Result<CommandId, CloudError> {
        const OPERATION: &str = "SendCommand";
        let answer = self
            .ssm
            .send_command()
            .document_name("AWS-RunShellScript")
            .instance_ids(command.instance.as_str())
            .comment(command.comment.chars().take(100).collect::<String>())
            .parameters("commands", vec![command.script.clone()])
            .parameters(
                "executionTimeout",
                vec![command.seconds.clamp(5, 172_800).to_string()],
            )
            .parameters("workingDirectory", vec!["/".to_owned()])
            // The delivery time-out, in seconds: at least 30.
            .timeout_seconds(120)
            .send()
            .await
            .map_err(|error| CloudError::of(OPERATION, command.instance.as_str(), &error))?;
        let id = answer.command.and_then(|command| command.command_id);
        present(id, OPERATION, command.instance.as_str(), "CommandId").map(CommandId::new)
    }

    /// Returns the commands that were sent to an instance, oldest first. Systems Manager keeps them for 30 days, also of an
    /// instance that was terminated.
    ///
    /// # Errors
    /// What AWS refused.
    pub async fn commands_to(&self, instance: &InstanceId) -> Result<Vec<SentCommand>, CloudError> {
        const OPERATION: &str = "ListCommandInvocations";
        let mut sent = Vec::new();
        let mut token = None;
        loop {
            let answer = self
                .ssm
                .list_command_invocations()
                .instance_id(instance.as_str())
                .max_results(50)
                .set_next_token(token)
                .send()
                .await
                .map_err(|error| CloudError::of(OPERATION, instance.as_str(), &error))?;
            for invocation in answer.command_invocations() {
                let id = invocation.command_id();
                let id = present(id, OPERATION, instance.as_str(), "CommandId")?;
                let time = invocation.requested_date_time();
                let time = present(time, OPERATION, id, "RequestedDateTime")?;
                let Ok(time) = jiff::Timestamp::from_nanosecond(time.as_nanos()) else {
                    return Err(CloudError::absent(OPERATION, id, "RequestedDateTime"));
                };
                sent.push(SentCommand {
                    id: CommandId::new(id),
                    comment: invocation.comment().unwrap_or_default().to_owned(),
                    sent: time,
                });
            }
            token = answer.next_token.filter(|text| !text.is_empty());
            if token.is_none() {
                sent.sort_by_key(|command| command.sent);
                return Ok(sent);
            }
        }
    }

    /// Returns a command's state; one that was sent a moment ago may not be visible yet.
    pub async fn invocation(
        &self,
        command: &CommandId,
        instance: &InstanceId,
    ) -> Result<Invocation, CloudError> {
        const OPERATION: &str = "GetCommandInvocation";
        let answer = self
            .ssm
            .get_command_invocation()
            .command_id(command.as_str())
            .instance_id(instance.as_str())
            .send()
            .await;
        let answer =
            match answer.map_err(|error| CloudError::of(OPERATION, command.as_str(), &error)) {
                Err(error) if error.kind == ErrorKind::NotFound => {
                    return Ok(Invocation {
                        state: CommandState::Going("not visible yet".into()),
                        output: String::new(),
                        errors: String::new(),
                    });
                }
                other => other?,
            };
        let status = present(answer.status(), OPERATION, command.as_str(), "Status")?;
        Ok(Invocation {
            state: read_state(
                status.as_str(),
                answer.status_details().unwrap_or_default(),
                answer.response_code(),
            ),
            output: answer
                .standard_output_content()
                .unwrap_or_default()
                .to_owned(),
            errors: answer
                .standard_error_content()
                .unwrap_or_default()
                .to_owned(),
        })
    }
}

/// Reads status and details. The model's prose spells details with spaces, the API without: they are compared without.
/// What is not known is never success.
fn read_state(status: &str, details: &str, code: i32) -> CommandState {
    let details: String = details
        .chars()
        .filter(|character| !character.is_whitespace())
        .collect();
    match (status, details.as_str()) {
        ("Pending" | "InProgress" | "Delayed", _) => CommandState::Going(status.to_owned()),
        ("Success", _) => CommandState::Success,
        (
            _,
            "DeliveryTimedOut" | "Undeliverable" | "Terminated" | "InvalidPlatform"
            | "AccessDenied",
        ) => CommandState::NeverRan(details),
        ("Failed", _) if code >= 0 => CommandState::Failed(code),
        _ => CommandState::Unknown(format!("{status} {details}").trim().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_read_with_and_without_spaces_and_unknown_is_never_success() {
        for (status, details, code, expected) in [
            ("Success", "Success", 0, CommandState::Success),
            ("Failed", "Failed", 3, CommandState::Failed(3)),
            (
                "Failed",
                "Undeliverable",
                -1,
                CommandState::NeverRan("Undeliverable".into()),
            ),
            (
                "TimedOut",
                "Delivery Timed Out",
                -1,
                CommandState::NeverRan("DeliveryTimedOut".into()),
            ),
            (
                "TimedOut",
                "ExecutionTimedOut",
                137,
                CommandState::Unknown("TimedOut ExecutionTimedOut".into()),
            ),
            ("Brandnew", "", 0, CommandState::Unknown("Brandnew".into())),
            (
                "Delayed",
                "Delayed",
                -1,
                CommandState::Going("Delayed".into()),
            ),
        ] {
            assert_eq!(
                read_state(status, details, code),
                expected,
                "{status} {details}"
            );
        }
    }
}
