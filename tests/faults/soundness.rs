//! What holds in every world, however many runs there were: nothing is left over, the environment is as the ledger
//! says, and nobody changed it who did not hold it.

use std::collections::BTreeMap;

use goldseed::pipeline::PipelineError;
use goldseed::record::Lease;
use serde_json::Value;

use crate::Trouble;
use crate::comparison::Difference;
use crate::world::World;

/// What does not hold.
pub(crate) fn of(world: &World) -> Difference {
    let all = world.sandbox.world();
    let list = |kind: &str| all[kind].as_array().cloned().unwrap_or_default();
    let mut difference = Difference::default();
    for one in list("instances") {
        let gone = ["terminated", "shutting-down"]
            .iter()
            .any(|state| one["state"] == *state);
        if one["tags"]["goldseed:run"].is_string() && !gone {
            difference.leaked.push(format!("instance {one}"));
        }
    }
    let mut golden: BTreeMap<String, usize> = BTreeMap::new();
    for one in list("images") {
        let Some(run) = one["tags"]["goldseed:run"].as_str() else {
            continue;
        };
        if one["tags"]["goldseed:role"] == "golden" {
            *golden.entry(run.to_owned()).or_default() += 1;
        }
        let proved = one["tags"]["goldseed:proved"] == "boot";
        if one["state"] != "deregistered" && !proved {
            difference.leaked.push(format!("image {one}"));
        }
    }
    for (run, count) in golden {
        if count > 1 {
            difference
                .duplicates
                .push(format!("{count} golden images of {run}"));
        }
    }
    let environment = world.environment();
    if environment["status"] != "Ready" {
        difference
            .missing
            .push(format!("readiness of {environment}"));
    }
    let ledger = world.parameters().remove("/goldseed/shop/image");
    let current = ledger.as_ref().and_then(|values| values.last());
    if world.base_image().as_ref() != current {
        difference
            .missing
            .push(format!("{current:?} of the ledger as the base image"));
    }
    if let Some(image) = current
        && world.member_images().iter().any(|member| member != image)
    {
        difference.missing.push(format!("members with {image}"));
    }
    difference
        .leaked
        .extend(foreign_changes(world, &list("images")));
    difference
}

/// Changes of the environment by a run that did not hold the lease when they came.
fn foreign_changes(world: &World, images: &[Value]) -> Vec<String> {
    let mut holder: Option<Lease> = None;
    let mut foreign = Vec::new();
    for request in world.sandbox.requests() {
        if request.status != Some(200) {
            continue;
        }
        let name = request.parameters["Name"].as_str().unwrap_or_default();
        if request.operation == "PutParameter" && name.contains("/lease/") {
            let text = request.parameters["Value"].as_str().unwrap_or_default();
            holder = serde_json::from_str::<Lease>(text)
                .ok()
                .filter(|lease| !lease.released);
        }
        if request.operation != "UpdateEnvironment" {
            continue;
        }
        let parameters = request.parameters.to_string();
        let owner = images
            .iter()
            .find(|image| parameters.contains(image["id"].as_str().unwrap_or("none")))
            .and_then(|image| image["tags"]["goldseed:run"].as_str());
        let holds = |run: &str| {
            let lease = holder.as_ref();
            lease.is_some_and(|lease| lease.run.as_str() == run && request.at < lease.until)
        };
        if owner.is_some_and(|run| !holds(run)) {
            foreign.push(format!(
                "an update to the image of run {owner:?} at {} while the lease was {holder:?}",
                request.at
            ));
        }
    }
    foreign
}

/// Who loses says that somebody else was there; no image is blamed for it.
pub(crate) fn must_not_blame(error: &PipelineError) -> Result<(), Trouble> {
    match error {
        PipelineError::RolledBack { .. }
        | PipelineError::RollbackFailed { .. }
        | PipelineError::RollbackUnwell { .. } => {
            Err(format!("an image is blamed for another driver: {error}").into())
        }
        _ => Ok(()),
    }
}
