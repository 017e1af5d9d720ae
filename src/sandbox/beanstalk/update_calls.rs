//! The calls that change an environment: update, abort.

use super::environment_calls::{keep, no_version, platform, ready};
use super::environments::Status;
use super::events::Severity;
use super::operation::Work;
use super::rolling::{Reach, Rollout};
use super::{invalid, named};
use crate::sandbox::clock;
use crate::sandbox::state::State;
use crate::sandbox::wire::xml::Xml;
use crate::sandbox::wire::{ApiError, Call};

/// `UpdateEnvironment`.
pub(super) fn update(state: &mut State, call: &Call) -> Result<Xml, ApiError> {
    let query = &call.query;
    let id = named(state, query)?;
    let environment = ready(state, &id)?;
    let label = query.owned("VersionLabel");
    let options = query.get("OptionSettings.member.1.Namespace").is_some()
        || query.get("OptionsToRemove.member.1.Namespace").is_some();
    let new_platform = platform(state, query)?;
    if label.is_some() && (options || new_platform.is_some()) {
        return Err(ApiError::new(
            "InvalidParameterCombination",
            "You cannot update the application version and the configuration in the same call.",
        ));
    }
    if let Some(label) = &label
        && state.version(&environment.application, label).is_none()
    {
        return Err(no_version(label));
    }
    let target = environment.settings.changed_by(query)?;
    let platform = new_platform.unwrap_or(environment.platform);
    let Some(mut environment) = state.environments.remove(&id) else {
        return Err(invalid(format!(
            "No Environment found for EnvironmentId = '{id}'."
        )));
    };
    if let Some(description) = query.owned("Description") {
        environment.description = Some(description);
    }
    environment.status = Status::Updating;
    environment.updated = clock::now();
    environment.failed = None;
    if let Some(label) = label {
        environment.begin(&call.request_id, Work::Deploy { label });
        state.say(
            &environment,
            Severity::Info,
            "Environment update is starting.",
        );
        state.say(
            &environment,
            Severity::Info,
            "Deploying new version to instance(s).",
        );
        environment.redeploy_members(state);
    } else {
        let replaces = environment
            .settings
            .replaces_instances(&target, environment.platform)
            || platform.image != environment.platform.image;
        let reach = if replaces {
            Reach::Instances
        } else if environment.settings.properties() != target.properties() {
            Reach::Deployment
        } else {
            Reach::Nowhere
        };
        let generation = environment.generation + u64::from(replaces);
        let rollout = Rollout::new(target.policy(), generation, reach);
        if replaces {
            environment.renew_stack(state);
        }
        let work = Work::Configure {
            target,
            platform,
            rollout,
            reverting: false,
        };
        environment.begin(&call.request_id, work);
        state.say(
            &environment,
            Severity::Info,
            "Environment update is starting.",
        );
        let name = environment.name.clone();
        state.say(
            &environment,
            Severity::Info,
            format!("Updating environment {name}'s configuration settings."),
        );
    }
    Ok(keep(state, environment))
}

/// `AbortEnvironmentUpdate`.
pub(super) fn abort(state: &mut State, call: &Call) -> Result<Xml, ApiError> {
    let id = named(state, &call.query)?;
    let Some(mut environment) = state.environments.remove(&id) else {
        return Err(invalid(format!(
            "No Environment found for EnvironmentId = '{id}'."
        )));
    };
    let aborted = environment.abort(state);
    let name = environment.name.clone();
    state.environments.insert(id, environment);
    if aborted {
        return Ok(Xml::new());
    }
    Err(invalid(format!(
        "Environment named {name} is in an invalid state for this operation. Must be pending deployment."
    )))
}
