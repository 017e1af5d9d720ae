//! Everything that exists, as one JSON value without times: for comparing worlds.

use serde_json::{Value, json};

use super::beanstalk::environments::Environment;
use super::state::State;

/// Describes the world.
pub(crate) fn describe(state: &State) -> Value {
    let images: Vec<Value> = state
        .images
        .values()
        .filter(|image| image.owner.is_none())
        .map(|image| {
            json!({
                "id": image.id,
                "name": image.name,
                "state": image.state.name(),
                "tags": image.tags,
                "source_instance": image.source_instance,
                "snapshots": image.disks.iter().filter_map(|disk| disk.snapshot_id.clone()).collect::<Vec<_>>(),
            })
        })
        .collect();
    let snapshots: Vec<Value> = state
        .snapshots
        .values()
        .filter(|snapshot| snapshot.owner.is_none())
        .map(|one| json!({ "id": one.id, "image": one.image_id, "state": one.state.name(), "tags": one.tags }))
        .collect();
    let instances: Vec<Value> = state
        .instances
        .values()
        .map(|one| {
            json!({
                "id": one.id,
                "image": one.image_id,
                "state": one.state.name(),
                "type": one.size,
                "profile": one.profile,
                "user_data": one.user_data.as_ref().map(|data| String::from_utf8_lossy(data)),
                "tags": one.tags,
            })
        })
        .collect();
    let parameters: Vec<Value> = state
        .parameters
        .iter()
        .map(|(name, one)| {
            let versions: Vec<&str> = one.versions.iter().map(|one| one.value.as_str()).collect();
            json!({ "name": name, "type": one.kind, "versions": versions, "tags": one.tags })
        })
        .collect();
    let environments: Vec<Value> = state.environments.values().map(environment).collect();
    json!({
        "images": images,
        "snapshots": snapshots,
        "instances": instances,
        "parameters": parameters,
        "environments": environments,
    })
}

fn environment(one: &Environment) -> Value {
    let settings: Vec<Value> = one
        .settings
        .made()
        .iter()
        .map(|((namespace, name), value)| json!([namespace, name, value]))
        .collect();
    let members: Vec<&str> = one
        .members
        .iter()
        .map(|member| member.instance_id.as_str())
        .collect();
    json!({
        "id": one.id,
        "name": one.name,
        "application": one.application,
        "status": one.status.name(),
        "version": one.version_label,
        "settings": settings,
        "members": members,
    })
}
