//! What Beanstalk's engine on a machine asks and says: its metadata, its signal, its health.

use std::collections::BTreeMap;

use super::beanstalk::environments::Environment;
use super::beanstalk::group::Signal;
use super::core::Core;
use super::server::{Answer, Received};
use super::state::State;
use super::wire::Reply;

/// Answers the engine of a machine; `path` is what stands after `/_beanstalk/`.
pub(crate) fn answer(core: &Core, instance_id: &str, path: &str, received: &Received) -> Answer {
    let mut state = core.state();
    let reply = match path {
        "metadata" => metadata(&state, instance_id, received),
        "signal" => signal(&mut state, instance_id, received),
        "health" | "healthd" => Reply::text(200, ""),
        _ => Reply::text(404, "there is no such endpoint\n"),
    };
    Answer::WithHeaders(reply, Vec::new())
}

/// The metadata of a member. Who asks for another stack than the one that it was launched for is refused, as
/// CloudFormation refuses a machine that is not of its stack.
fn metadata(state: &State, instance_id: &str, received: &Received) -> Reply {
    let asked = parameter(received, "stack");
    let environment = state
        .environments
        .values()
        .find(|one| one.exists() && is_member(one, instance_id, asked.as_deref()));
    let Some(environment) = environment else {
        return Reply::text(
            403,
            "User is not authorized to perform: cloudformation:DescribeStackResource\n",
        );
    };
    let settings = environment
        .members
        .iter()
        .find(|member| member.instance_id == instance_id)
        .map_or(&environment.settings, |member| &member.settings);
    let label = environment.version_in_force();
    let bundle = label
        .and_then(|label| state.version(&environment.application, label))
        .and_then(|version| version.bundle.as_ref())
        .map(|(bucket, key)| serde_json::json!({ "bucket": bucket, "key": key }));
    let mut options: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for ((namespace, name), value) in settings.all(environment.platform) {
        options.entry(namespace).or_default().insert(name, value);
    }
    let document_root = settings.get("aws:elasticbeanstalk:container:php:phpini", "document_root");
    let body = serde_json::json!({
        "stack_id": environment.stack,
        "region": state.region,
        "environment_id": environment.id,
        "environment_name": environment.name,
        "application_name": environment.application,
        "version_label": label,
        "deployment_id": environment.deployments,
        "bundle": bundle,
        "environment": settings.properties(),
        "health_check_path": settings.health_path(),
        "document_root": document_root,
        "option_settings": options,
    });
    Reply {
        status: 200,
        content_type: "application/json",
        body: body.to_string().into_bytes(),
    }
}

/// A signal counts when it comes from a member and names the stack that this member was launched for.
fn signal(state: &mut State, instance_id: &str, received: &Received) -> Reply {
    let stack = parameter(received, "stack");
    let id = state
        .environments
        .values()
        .find(|one| is_member(one, instance_id, stack.as_deref()))
        .map(|one| one.id.clone());
    let environment = id.and_then(|id| state.environments.remove(&id));
    let Some(mut environment) = environment else {
        return Reply::text(
            403,
            "the wait condition handle is not one of this instance\n",
        );
    };
    let reason = parameter(received, "reason").unwrap_or_default();
    let outcome = match parameter(received, "status").as_deref() {
        Some("SUCCESS") => Some(Signal::Success),
        Some("FAILURE") => {
            let log = String::from_utf8_lossy(&received.body);
            let last = log.lines().rev().find(|line| !line.trim().is_empty());
            Some(Signal::Failure(match last {
                Some(line) => format!("{reason} ({line})"),
                None => reason,
            }))
        }
        _ => None,
    };
    let reply = match outcome {
        Some(outcome) => {
            environment.receive(state, instance_id, outcome);
            Reply::text(200, "")
        }
        None => Reply::text(400, "status must be SUCCESS or FAILURE\n"),
    };
    state
        .environments
        .insert(environment.id.clone(), environment);
    reply
}

fn is_member(environment: &Environment, instance_id: &str, stack: Option<&str>) -> bool {
    environment
        .members
        .iter()
        .any(|member| member.instance_id == instance_id && Some(member.stack.as_str()) == stack)
}

fn parameter(received: &Received, name: &str) -> Option<String> {
    form_urlencoded::parse(received.query.as_bytes())
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}
