//! Sending and cancelling commands.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use super::commands::{Command, Invocation, Stage};
use crate::sandbox::clock;
use crate::sandbox::jobs::Job;
use crate::sandbox::state::State;
use crate::sandbox::wire::ApiError;
use crate::sandbox::wire::json::Json;

/// The one document that is known.
pub(super) const DOCUMENT: &str = "AWS-RunShellScript";

/// `executionTimeout` when it is not given, in seconds.
const EXECUTION_TIMEOUT: u64 = 3600;

/// How many looks a command takes until its end shows, with simulated machines.
const NEWS: u32 = 2;

/// `SendCommand`.
pub(super) fn send(state: &mut State, body: Json<'_>) -> Result<Value, ApiError> {
    let document = body.required("DocumentName")?;
    if document != DOCUMENT {
        return Err(ApiError::new(
            "InvalidDocument",
            format!("Document with name {document} does not exist."),
        ));
    }
    let comment = body.text("Comment")?.unwrap_or_default().to_owned();
    if comment.chars().count() > 100 {
        return Err(ApiError::new(
            "ValidationException",
            "1 validation error detected: Value at 'comment' failed to satisfy constraint: Member must have length less than or equal to 100",
        ));
    }
    let delivery_timeout = body
        .number("TimeoutSeconds", 30, 2_592_000)?
        .unwrap_or(3600);
    let parameters = body.raw("Parameters").cloned().unwrap_or(json!({}));
    let (script, working_directory, execution_timeout) = read(&parameters)?;
    let instances = targets(state, body)?;
    for id in &instances {
        let known = state.instances.get(id);
        let takes_commands = known.is_some_and(|instance| {
            instance.registered.is_some()
                && instance.state == crate::sandbox::ec2::instances::InstanceState::Running
        });
        if !takes_commands {
            return Err(ApiError::new(
                "InvalidInstanceId",
                format!(
                    "Instances [[{id}]] not in a valid state for account {}",
                    state.account
                ),
            ));
        }
    }
    let id = state.new_uuid();
    let command = Command {
        id: id.clone(),
        comment,
        parameters,
        script,
        working_directory,
        execution_timeout,
        delivery_timeout,
        requested: clock::now(),
        invocations: instances
            .iter()
            .map(|instance_id| Invocation {
                instance_id: instance_id.clone(),
                stage: Stage::Pending,
                given_up: None,
                news: state.clock.ripening(NEWS, 0.0),
                started: None,
                ended: None,
                cancelling: false,
            })
            .collect(),
    };
    let answer = json!({ "Command": command.describe() });
    state.commands.push(command);
    for instance_id in instances {
        state.jobs.push(Job::Run {
            instance_id,
            command_id: id.clone(),
        });
    }
    Ok(answer)
}

/// Script, working directory and time limit out of the document's parameters.
fn read(parameters: &Value) -> Result<(String, Option<String>, Duration), ApiError> {
    let wrong = |what: String| ApiError::new("InvalidParameters", what);
    let Some(given) = parameters.as_object() else {
        return Err(wrong("Parameters must be a map of lists".to_owned()));
    };
    let mut commands = None;
    let mut directory = None;
    let mut timeout = EXECUTION_TIMEOUT;
    for (name, values) in given {
        let values: Vec<&str> = values
            .as_array()
            .and_then(|values| values.iter().map(Value::as_str).collect())
            .ok_or_else(|| wrong(format!("{name} must be a list of strings")))?;
        match name.as_str() {
            "commands" => commands = Some(values.join("\n")),
            "workingDirectory" => {
                directory = values
                    .first()
                    .filter(|text| !text.is_empty())
                    .map(|text| (*text).to_owned());
            }
            "executionTimeout" => timeout = execution_timeout(values.first().copied())?,
            other => {
                return Err(wrong(format!(
                    "Parameter \"{other}\" is not defined in document {DOCUMENT}"
                )));
            }
        }
    }
    let script = commands.ok_or_else(|| wrong("commands is required".to_owned()))?;
    Ok((script, directory, Duration::from_secs(timeout)))
}

/// The document allows whole numbers from 1 to 172,800.
fn execution_timeout(value: Option<&str>) -> Result<u64, ApiError> {
    value
        .and_then(|text| text.parse().ok())
        .filter(|seconds| (1..=172_800).contains(seconds))
        .ok_or_else(|| {
            ApiError::new(
                "InvalidParameters",
                "executionTimeout does not match the allowed pattern: 1 to 172800",
            )
        })
}

fn targets(state: &State, body: Json<'_>) -> Result<Vec<String>, ApiError> {
    let mut instances = body.texts("InstanceIds")?;
    for target in body.structures("Targets")? {
        let key = target.required("Key")?;
        let values = target.texts("Values")?;
        if key == "InstanceIds" {
            instances.extend(values);
        } else if let Some(tag) = key.strip_prefix("tag:") {
            let tagged = state.instances.values().filter(|instance| {
                instance.is_online()
                    && instance
                        .tags
                        .get(tag)
                        .is_some_and(|value| values.contains(value))
            });
            instances.extend(tagged.map(|instance| instance.id.clone()));
        }
    }
    let distinct: BTreeSet<&String> = instances.iter().collect();
    if distinct.len() != instances.len() {
        return Err(ApiError::new(
            "DuplicateInstanceId",
            "You cannot specify an instance ID in more than one target.",
        ));
    }
    if instances.is_empty() || instances.len() > 50 {
        return Err(ApiError::new(
            "ValidationException",
            "1 validation error detected: 1 to 50 instances must be named",
        ));
    }
    Ok(instances)
}

/// `CancelCommand`: without a promise, as the service says itself.
pub(super) fn cancel(state: &mut State, body: Json<'_>) -> Result<Value, ApiError> {
    let id = body.required("CommandId")?;
    let wanted = body.texts("InstanceIds")?;
    let State { commands, jobs, .. } = state;
    let command = commands
        .iter_mut()
        .find(|command| command.id == id)
        .ok_or_else(|| {
            ApiError::new("InvalidCommandId", "The specified command ID is not valid.")
        })?;
    for invocation in &mut command.invocations {
        let named = wanted.is_empty() || wanted.contains(&invocation.instance_id);
        if named && !invocation.is_over() {
            invocation.cancelling = true;
            jobs.push(Job::Cancel {
                instance_id: invocation.instance_id.clone(),
                command_id: command.id.clone(),
            });
        }
    }
    Ok(json!({}))
}
