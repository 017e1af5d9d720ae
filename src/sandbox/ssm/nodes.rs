//! Managed nodes: instances whose agent registered itself.

use serde_json::{Value, json};

use super::paged;
use crate::sandbox::clock;
use crate::sandbox::ec2::instances::{Instance, InstanceState};
use crate::sandbox::state::State;
use crate::sandbox::wire::ApiError;
use crate::sandbox::wire::json::{Json, seconds};

impl State {
    /// Counts a look at the agents of all nodes, and lets them come online.
    pub(crate) fn look_at_agents(&mut self) {
        let now = clock::now();
        for instance in self.instances.values_mut() {
            if let Some(ripening) = &mut instance.agent {
                ripening.poll();
            }
            if instance.is_online() && instance.registered.is_none() {
                instance.registered = Some(now);
            }
        }
    }
}

/// `DescribeInstanceInformation`: a node that is absent is no error; stopped and terminated ones are not shown.
pub(super) fn describe(state: &mut State, body: Json<'_>) -> Result<Value, ApiError> {
    let mut filters: Vec<(String, Vec<String>)> = Vec::new();
    for filter in body.structures("Filters")? {
        filters.push((filter.required("Key")?.to_owned(), filter.texts("Values")?));
    }
    for filter in body.structures("InstanceInformationFilterList")? {
        filters.push((
            filter.required("key")?.to_owned(),
            filter.texts("valueSet")?,
        ));
    }
    for (key, _) in &filters {
        let known = ["InstanceIds", "PingStatus", "PlatformTypes", "ResourceType"];
        if !known.contains(&key.as_str()) && !key.starts_with("tag:") && key != "tag-key" {
            return Err(ApiError::new(
                "InvalidFilterKey",
                format!("The specified filter key {key} is not valid."),
            ));
        }
    }
    let ids = ids_of(state);
    for id in &ids {
        state.look_at_instance(id);
    }
    state.look_at_agents();
    let state = &*state;
    let found = state
        .instances
        .values()
        .filter(|instance| {
            instance.registered.is_some() && instance.state == InstanceState::Running
        })
        .filter(|instance| filters.iter().all(|filter| passes(instance, filter)))
        .collect();
    let (page, token) = paged(body, "DescribeInstanceInformation", 50, found)?;
    let list: Vec<Value> = page
        .into_iter()
        .map(|one| describe_one(state, one))
        .collect();
    Ok(with_token(
        json!({ "InstanceInformationList": list }),
        token,
    ))
}

/// Adds the token of the next page, if there is one.
pub(super) fn with_token(mut body: Value, token: Option<String>) -> Value {
    if let Some(token) = token {
        body["NextToken"] = Value::from(token);
    }
    body
}

fn ids_of(state: &State) -> Vec<String> {
    state.instances.keys().cloned().collect()
}

fn ping(instance: &Instance) -> &'static str {
    if instance.is_online() {
        "Online"
    } else {
        "ConnectionLost"
    }
}

fn passes(instance: &Instance, (key, values): &(String, Vec<String>)) -> bool {
    let present = match key.as_str() {
        "InstanceIds" => Some(instance.id.as_str()),
        "PingStatus" => Some(ping(instance)),
        "PlatformTypes" => Some("Linux"),
        "ResourceType" => Some("EC2Instance"),
        "tag-key" => return values.iter().any(|value| instance.tags.contains_key(value)),
        tag => instance
            .tags
            .get(tag.trim_start_matches("tag:"))
            .map(String::as_str),
    };
    present.is_some_and(|present| values.iter().any(|value| value == present))
}

fn describe_one(state: &State, instance: &Instance) -> Value {
    let now = seconds(clock::now());
    let registered = instance.registered.map_or(now.clone(), seconds);
    json!({
        "InstanceId": instance.id,
        "PingStatus": ping(instance),
        "LastPingDateTime": now,
        "AgentVersion": "3.3.987.0",
        "IsLatestVersion": true,
        "PlatformType": "Linux",
        "PlatformName": "Amazon Linux",
        "PlatformVersion": "2023",
        "RegistrationDate": registered,
        "ResourceType": "EC2Instance",
        "IPAddress": instance.private_ip,
        "ComputerName": instance.host_name(&state.region),
        "SourceId": instance.id,
        "SourceType": "AWS::EC2::Instance",
    })
}
