//! The calls on instances that exist: describe, start, stop, reboot, terminate.

use std::collections::BTreeMap;

use super::dry_run;
use super::filters::Filters;
use super::instances::{FILTERS, Instance, InstanceState};
use super::tags;
use crate::sandbox::clock;
use crate::sandbox::jobs::Job;
use crate::sandbox::state::State;
use crate::sandbox::wire::xml::Xml;
use crate::sandbox::wire::{ApiError, Call, moment};

/// `DescribeInstances`.
pub(super) fn describe(state: &mut State, call: &Call) -> Result<Xml, ApiError> {
    let filters = Filters::read(&call.query, FILTERS)?;
    let ids = looked_at(state, call)?;
    let state = &*state;
    let found = ids
        .iter()
        .filter_map(|id| state.instances.get(id))
        .filter(|instance| filters.pass(&instance.tags, |name| instance.values(name)))
        .collect();
    let (page, token) = super::paged(call, &call.query.list("InstanceId"), found)?;
    let mut reservations: BTreeMap<&str, Vec<&Instance>> = BTreeMap::new();
    for instance in page {
        reservations
            .entry(&instance.reservation_id)
            .or_default()
            .push(instance);
    }
    let mut xml = Xml::new();
    xml.list(
        "reservationSet",
        "item",
        reservations,
        |xml, (id, instances)| {
            xml.text("reservationId", id)
                .text("ownerId", &state.account);
            xml.list("instancesSet", "item", instances, |xml, instance| {
                state.write_instance(xml, instance);
            });
        },
    )
    .optional("nextToken", token);
    Ok(xml)
}

/// `DescribeInstanceStatus`: only running instances, unless all are asked for.
pub(super) fn describe_status(state: &mut State, call: &Call) -> Result<Xml, ApiError> {
    let known = [
        "instance-state-name",
        "instance-state-code",
        "availability-zone",
        "instance-status.status",
        "system-status.status",
    ];
    let filters = Filters::read(&call.query, &known)?;
    let all = call.query.flag("IncludeAllInstances")?;
    let ids = looked_at(state, call)?;
    let found = ids
        .iter()
        .filter_map(|id| state.instances.get(id))
        .filter(|instance| all || instance.state == InstanceState::Running)
        .filter(|instance| {
            filters.pass(&instance.tags, |name| match name {
                "instance-status.status" | "system-status.status" => {
                    vec![reachability(instance).to_owned()]
                }
                other => instance.values(other),
            })
        })
        .collect();
    let (page, token) = super::paged(call, &call.query.list("InstanceId"), found)?;
    let mut xml = Xml::new();
    xml.list(
        "instanceStatusSet",
        "item",
        page,
        |xml, instance: &Instance| {
            let status = reachability(instance);
            xml.text("instanceId", &instance.id)
                .text("availabilityZone", &instance.availability_zone);
            instance.state.write(xml, "instanceState");
            for element in ["systemStatus", "instanceStatus"] {
                xml.within(element, |xml| {
                    xml.text("status", status);
                });
            }
        },
    )
    .optional("nextToken", token);
    Ok(xml)
}

fn reachability(instance: &Instance) -> &'static str {
    match instance.state {
        InstanceState::Running if instance.agent_answered => "ok",
        InstanceState::Running => "initializing",
        _ => "not-applicable",
    }
}

/// `StartInstances`.
pub(super) fn start(state: &mut State, call: &Call) -> Result<Xml, ApiError> {
    change(state, call, |state, id, current| match current {
        InstanceState::Pending | InstanceState::Running => Ok(()),
        InstanceState::Stopped => {
            state.enter(id, InstanceState::Pending, "");
            state.jobs.push(Job::Start(id.to_owned()));
            Ok(())
        }
        _ => Err(wrong_state(id, "started")),
    })
}

/// `StopInstances`.
pub(super) fn stop(state: &mut State, call: &Call) -> Result<Xml, ApiError> {
    change(state, call, |state, id, current| match current {
        InstanceState::Stopping | InstanceState::Stopped => Ok(()),
        InstanceState::Running => {
            state.enter(id, InstanceState::Stopping, "Client.UserInitiatedShutdown");
            state.jobs.push(Job::Stop(id.to_owned()));
            Ok(())
        }
        _ => Err(wrong_state(id, "stopped")),
    })
}

/// `TerminateInstances`.
pub(super) fn terminate(state: &mut State, call: &Call) -> Result<Xml, ApiError> {
    change(state, call, |state, id, _| {
        state.begin_termination(id, "Client.UserInitiatedShutdown");
        Ok(())
    })
}

/// `RebootInstances`.
pub(super) fn reboot(state: &mut State, call: &Call) -> Result<Xml, ApiError> {
    let ids = named(state, call)?;
    for id in &ids {
        if current(state, id) != Some(InstanceState::Running) {
            return Err(wrong_state(id, "rebooted"));
        }
    }
    dry_run(call)?;
    for id in ids {
        state.note_reboot(&id);
        state.jobs.push(Job::Reboot(id));
    }
    Ok(tags::done())
}

/// `GetConsoleOutput`; the dispatcher fetched the text from the machine.
pub(super) fn console(state: &State, call: &Call) -> Result<Xml, ApiError> {
    use base64::Engine as _;
    let id = call.query.required("InstanceId")?;
    if !state.instances.contains_key(id) {
        return Err(no_instance(&[id.to_owned()]));
    }
    dry_run(call)?;
    let text = state.consoles.get(id).map_or("", String::as_str);
    let mut xml = Xml::new();
    xml.text("instanceId", id)
        .text("timestamp", moment(clock::now()))
        .text(
            "output",
            base64::engine::general_purpose::STANDARD.encode(text),
        );
    Ok(xml)
}

/// The refusal of instances that do not exist.
pub(super) fn no_instance(ids: &[String]) -> ApiError {
    let list = ids.join(", ");
    let what = if ids.len() == 1 {
        format!("The instance ID '{list}' does not exist")
    } else {
        format!("The instance IDs '{list}' do not exist")
    };
    ApiError::new("InvalidInstanceID.NotFound", what)
}

fn looked_at(state: &mut State, call: &Call) -> Result<Vec<String>, ApiError> {
    let ids = if call.query.get("InstanceId.1").is_some() {
        named(state, call)?
    } else {
        state.instances.keys().cloned().collect()
    };
    for id in &ids {
        state.look_at_instance(id);
    }
    Ok(ids)
}

fn named(state: &State, call: &Call) -> Result<Vec<String>, ApiError> {
    let mut ids = call.query.list("InstanceId");
    if ids.is_empty() {
        return Err(ApiError::new(
            "MissingParameter",
            "The request must contain the parameter InstanceId",
        ));
    }
    ids.dedup();
    if let Some(malformed) = ids.iter().find(|id| !id.starts_with("i-")) {
        return Err(ApiError::new(
            "InvalidInstanceID.Malformed",
            format!("Invalid id: \"{malformed}\""),
        ));
    }
    let missing: Vec<String> = ids
        .iter()
        .filter(|id| !state.instances.contains_key(*id))
        .cloned()
        .collect();
    if missing.is_empty() {
        Ok(ids)
    } else {
        Err(no_instance(&missing))
    }
}

fn current(state: &State, id: &str) -> Option<InstanceState> {
    state.instances.get(id).map(|instance| instance.state)
}

/// Changes the state of the instances named: all of them or, if one refuses, none.
fn change(
    state: &mut State,
    call: &Call,
    act: impl Fn(&mut State, &str, InstanceState) -> Result<(), ApiError>,
) -> Result<Xml, ApiError> {
    let ids = named(state, call)?;
    let terminates = call.operation == "TerminateInstances";
    for id in &ids {
        let possible = match current(state, id) {
            Some(InstanceState::Pending) => call.operation != "StopInstances",
            Some(InstanceState::Stopping) => call.operation != "StartInstances",
            Some(InstanceState::ShuttingDown | InstanceState::Terminated) => false,
            _ => true,
        };
        if !possible && !terminates {
            return Err(wrong_state(id, "changed"));
        }
    }
    dry_run(call)?;
    let mut changes = Vec::new();
    for id in ids {
        let Some(before) = current(state, &id) else {
            continue;
        };
        act(state, &id, before)?;
        let after = current(state, &id).unwrap_or(before);
        changes.push((id, after, before));
    }
    let mut xml = Xml::new();
    xml.list(
        "instancesSet",
        "item",
        changes,
        |xml, (id, after, before)| {
            xml.text("instanceId", id);
            after.write(xml, "currentState");
            before.write(xml, "previousState");
        },
    );
    Ok(xml)
}

fn wrong_state(id: &str, wish: &str) -> ApiError {
    ApiError::new(
        "IncorrectInstanceState",
        format!("The instance '{id}' is not in a state from which it can be {wish}."),
    )
}
