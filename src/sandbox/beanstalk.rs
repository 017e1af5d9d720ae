//! Elastic Beanstalk: applications, environments and how they are updated.

pub(crate) mod application_calls;
pub(crate) mod applications;
pub(crate) mod behaviour;
mod deployments;
mod draft_calls;
pub(crate) mod environment_calls;
pub(crate) mod environment_reads;
pub(crate) mod environments;
pub(crate) mod events;
pub(crate) mod group;
pub(crate) mod health;
pub(crate) mod health_calls;
pub(crate) mod operation;
pub(crate) mod platforms;
pub(crate) mod rolling;
pub(crate) mod settings;
pub(crate) mod settings_calls;
mod update;
mod update_calls;

use super::state::State;
use super::wire::page;
use super::wire::query::Query;
use super::wire::xml::Xml;
use super::wire::{ApiError, Call};

/// Answers a call.
pub(crate) fn serve(state: &mut State, call: &Call) -> Result<Xml, ApiError> {
    match call.operation.as_str() {
        "CreateApplication" => application_calls::create(state, call),
        "DescribeApplications" => Ok(application_calls::describe(state, call)),
        "CreateApplicationVersion" => application_calls::create_version(state, call),
        "DescribeApplicationVersions" => application_calls::describe_versions(state, call),
        "CreateStorageLocation" => Ok(application_calls::storage_location(state)),
        "CreateEnvironment" => environment_calls::create(state, call),
        "DescribeEnvironments" => environment_calls::describe(state, call),
        "UpdateEnvironment" => update_calls::update(state, call),
        "AbortEnvironmentUpdate" => update_calls::abort(state, call),
        "TerminateEnvironment" => environment_calls::terminate(state, call),
        "CheckDNSAvailability" => environment_reads::check_name(state, call),
        "DescribeEnvironmentResources" => environment_reads::resources(state, call),
        "DescribeEnvironmentManagedActions" => environment_reads::managed_actions(state, call),
        "DescribeConfigurationSettings" => settings_calls::describe(state, call),
        "ValidateConfigurationSettings" => settings_calls::validate(state, call),
        "DeleteEnvironmentConfiguration" => draft_calls::delete(state, call),
        "DescribeEvents" => events::describe(state, call),
        "DescribeEnvironmentHealth" => health_calls::environment(state, call),
        "DescribeInstancesHealth" => health_calls::instances(state, call),
        "DescribePlatformVersion" => platforms::describe(call),
        "ListPlatformVersions" => platforms::list(&state.region, call),
        other => Err(ApiError::invalid_action(other)),
    }
}

/// The refusal that Beanstalk has for nearly everything.
fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new("InvalidParameterValue", message)
}

/// The id of the environment that a request names, by id or by name. Terminated ones are found by id alone.
fn named(state: &State, query: &Query) -> Result<String, ApiError> {
    let id = query.get("EnvironmentId");
    let name = query.get("EnvironmentName");
    if id.is_none() && name.is_none() {
        return Err(ApiError::new(
            "MissingParameter",
            "Either EnvironmentId or EnvironmentName must be specified.",
        ));
    }
    state
        .environments
        .values()
        .find(|one| {
            id.is_none_or(|id| one.id == id)
                && name.is_none_or(|name| one.name == name && (id.is_some() || one.exists()))
        })
        .map(|one| one.id.clone())
        .ok_or_else(|| match (id, name) {
            (Some(id), _) => invalid(format!("No Environment found for EnvironmentId = '{id}'.")),
            (None, name) => invalid(format!(
                "No Environment found for EnvironmentName = '{}'.",
                name.unwrap_or_default()
            )),
        })
}

/// Cuts a page as Beanstalk does: up to 1,000 records.
fn paged<T>(call: &Call, entries: Vec<T>) -> Result<(Vec<T>, Option<String>), ApiError> {
    let size = call.query.number("MaxRecords")?;
    if size.is_some_and(|size| !(1..=1000).contains(&size)) {
        return Err(invalid("MaxRecords must be between 1 and 1000."));
    }
    page::cut(
        entries,
        &call.operation,
        size.or(Some(1000)),
        call.query.get("NextToken"),
    )
    .map_err(|page::BadToken| invalid("The NextToken is not valid."))
}
