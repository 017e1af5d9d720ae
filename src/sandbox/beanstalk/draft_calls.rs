//! `DeleteEnvironmentConfiguration`: the draft beside the deployed settings goes.

use super::application_calls::no_application;
use super::{invalid, named};
use crate::sandbox::state::State;
use crate::sandbox::wire::xml::Xml;
use crate::sandbox::wire::{ApiError, Call};

/// `DeleteEnvironmentConfiguration`. What an update failed to bring is kept until somebody asks for this or another
/// update comes; while an update is under way its draft stays.
pub(super) fn delete(state: &mut State, call: &Call) -> Result<Xml, ApiError> {
    let application = call.query.required("ApplicationName")?;
    if !state.applications.contains_key(application) {
        return Err(no_application(application));
    }
    let name = call.query.required("EnvironmentName")?;
    let id = named(state, &call.query)?;
    let environment = state
        .environments
        .get_mut(&id)
        .filter(|one| one.application == application)
        .ok_or_else(|| {
            invalid(format!(
                "No Environment found for EnvironmentName = '{name}'."
            ))
        })?;
    environment.failed = None;
    Ok(Xml::new())
}
