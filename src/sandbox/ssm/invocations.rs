//! Reading commands: `GetCommandInvocation`, `ListCommands`, `ListCommandInvocations`.

use serde_json::{Value, json};

use super::calls::DOCUMENT;
use super::commands::{Command, Invocation};
use super::nodes::with_token;
use super::paged;
use crate::sandbox::state::State;
use crate::sandbox::wire::ApiError;
use crate::sandbox::wire::json::{Json, seconds};

/// `GetCommandInvocation` shows no more of the standard output.
const MOST_OUTPUT: usize = 24_000;
/// Nor of the standard error.
const MOST_ERROR: usize = 8_000;
/// `ListCommandInvocations` shows no more of a plugin's output.
const MOST_PLUGIN_OUTPUT: usize = 2_500;
/// The name of the step in `AWS-RunShellScript`.
const PLUGIN: &str = "aws:runShellScript";

/// `GetCommandInvocation`: the output is empty until the command ended.
pub(super) fn get(state: &mut State, body: Json<'_>) -> Result<Value, ApiError> {
    let command_id = body.required("CommandId")?;
    let instance_id = body.required("InstanceId")?;
    if let Some(plugin) = body.text("PluginName")?
        && plugin != PLUGIN
    {
        return Err(ApiError::new(
            "InvalidPluginName",
            "The plugin name is not valid.",
        ));
    }
    let command = state.commands.iter_mut().find(|one| one.id == command_id);
    let (comment, invocation) = command
        .and_then(|command| {
            let comment = command.comment.clone();
            let invocation = command
                .invocations
                .iter_mut()
                .find(|one| one.instance_id == instance_id)?;
            Some((comment, invocation))
        })
        .ok_or_else(|| ApiError::new("InvocationDoesNotExist", ""))?;
    let status = invocation.status();
    let outcome = invocation.outcome();
    let text =
        |moment: Option<jiff::Timestamp>| moment.map(|at| format!("{at:.3}")).unwrap_or_default();
    let ended = outcome.and(invocation.ended);
    let elapsed = invocation
        .started
        .zip(ended)
        .map(|(from, to)| {
            let milliseconds = to.as_millisecond() - from.as_millisecond();
            format!("PT{}.{:03}S", milliseconds / 1000, milliseconds % 1000)
        })
        .unwrap_or_default();
    let answer = json!({
        "CommandId": command_id,
        "InstanceId": instance_id,
        "Comment": comment,
        "DocumentName": DOCUMENT,
        "DocumentVersion": "$DEFAULT",
        "PluginName": PLUGIN,
        "ResponseCode": status.code,
        "ExecutionStartDateTime": text(invocation.started),
        "ExecutionElapsedTime": elapsed,
        "ExecutionEndDateTime": text(ended),
        "Status": status.name,
        "StatusDetails": status.details,
        "StandardOutputContent": outcome.map_or("", |one| beginning(&one.stdout, MOST_OUTPUT)),
        "StandardOutputUrl": "",
        "StandardErrorContent": outcome.map_or("", |one| beginning(&one.stderr, MOST_ERROR)),
        "StandardErrorUrl": "",
        "CloudWatchOutputConfig": { "CloudWatchLogGroupName": "", "CloudWatchOutputEnabled": false },
    });
    invocation.look();
    Ok(answer)
}

/// `ListCommands`, newest first.
pub(super) fn list_commands(state: &mut State, body: Json<'_>) -> Result<Value, ApiError> {
    let found = select(state, body)?;
    let commands = found.iter().rev().map(|one| one.describe()).collect();
    let (page, token) = paged(body, "ListCommands", 50, commands)?;
    Ok(with_token(json!({ "Commands": page }), token))
}

/// `ListCommandInvocations`, newest first.
pub(super) fn list(state: &mut State, body: Json<'_>) -> Result<Value, ApiError> {
    let details = body.flag("Details")?;
    let instance_id = body.text("InstanceId")?;
    let found = select(state, body)?;
    let invocations = found
        .iter()
        .rev()
        .flat_map(|command| command.invocations.iter().map(move |one| (*command, one)))
        .filter(|(_, one)| instance_id.is_none_or(|wanted| wanted == one.instance_id))
        .map(|(command, one)| describe(command, one, details))
        .collect();
    let (page, token) = paged(body, "ListCommandInvocations", 50, invocations)?;
    Ok(with_token(json!({ "CommandInvocations": page }), token))
}

fn select<'a>(state: &'a mut State, body: Json<'_>) -> Result<Vec<&'a Command>, ApiError> {
    let command_id = body.text("CommandId")?;
    let instance_id = body.text("InstanceId")?;
    let mut filters = Vec::new();
    for filter in body.structures("Filters")? {
        filters.push((filter.required("key")?, filter.required("value")?));
    }
    for (key, value) in &filters {
        let known = [
            "InvokedAfter",
            "InvokedBefore",
            "Status",
            "ExecutionStage",
            "DocumentName",
        ];
        if !known.contains(key) {
            return Err(ApiError::new(
                "InvalidFilterKey",
                format!("The specified filter key {key} is not valid."),
            ));
        }
        if key.starts_with("Invoked") {
            moment(value)?;
        }
    }
    if let Some(id) = command_id
        && !state.commands.iter().any(|command| command.id == id)
    {
        return Err(ApiError::new(
            "InvalidCommandId",
            "The specified command ID is not valid.",
        ));
    }
    let concerns = |command: &Command| {
        command_id.is_none_or(|id| command.id == id)
            && instance_id
                .is_none_or(|id| command.invocations.iter().any(|one| one.instance_id == id))
            && filters
                .iter()
                .all(|(key, value)| passes(command, key, value))
    };
    for command in &mut state.commands {
        if concerns(command) {
            command.invocations.iter_mut().for_each(Invocation::look);
        }
    }
    Ok(state.commands.iter().filter(|one| concerns(one)).collect())
}

fn passes(command: &Command, key: &str, value: &str) -> bool {
    match key {
        "InvokedAfter" => moment(value).is_ok_and(|at| command.requested >= at),
        "InvokedBefore" => moment(value).is_ok_and(|at| command.requested < at),
        "Status" => command.describe()["Status"] == value,
        "ExecutionStage" => {
            let over = command.invocations.iter().all(Invocation::is_over);
            over == (value == "Complete")
        }
        _ => value == DOCUMENT,
    }
}

fn moment(value: &str) -> Result<jiff::Timestamp, ApiError> {
    value.parse().map_err(|_| {
        ApiError::new(
            "ValidationException",
            format!("the time {value} cannot be read"),
        )
    })
}

fn describe(command: &Command, invocation: &Invocation, details: bool) -> Value {
    let status = invocation.status();
    let mut shown = json!({
        "CommandId": command.id,
        "InstanceId": invocation.instance_id,
        "InstanceName": "",
        "Comment": command.comment,
        "DocumentName": DOCUMENT,
        "DocumentVersion": "$DEFAULT",
        "RequestedDateTime": seconds(command.requested),
        "Status": status.name,
        "StatusDetails": status.details,
        "StandardOutputUrl": "",
        "StandardErrorUrl": "",
        "CommandPlugins": [],
        "ServiceRole": "",
    });
    if details {
        let mut plugin = json!({
            "Name": PLUGIN,
            "Status": status.name,
            "StatusDetails": status.details,
            "ResponseCode": status.code,
            "Output": invocation.outcome().map_or_else(String::new, |outcome| {
                let both = format!("{}{}", outcome.stdout, outcome.stderr);
                beginning(&both, MOST_PLUGIN_OUTPUT).to_owned()
            }),
            "StandardOutputUrl": "",
            "StandardErrorUrl": "",
        });
        if let Some(at) = invocation.started {
            plugin["ResponseStartDateTime"] = seconds(at);
        }
        if let Some(at) = invocation.outcome().and(invocation.ended) {
            plugin["ResponseFinishDateTime"] = seconds(at);
        }
        shown["CommandPlugins"] = json!([plugin]);
    }
    shown
}

/// The first `most` characters.
fn beginning(text: &str, most: usize) -> &str {
    match text.char_indices().nth(most) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_output_loses_its_end() {
        let text = "ä".repeat(MOST_OUTPUT + 5);
        assert_eq!(beginning(&text, MOST_OUTPUT).chars().count(), MOST_OUTPUT);
        assert_eq!(beginning("short", MOST_OUTPUT), "short");
    }
}
