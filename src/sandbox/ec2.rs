//! Amazon EC2: the operations that the tool, the demo and operators around them use.

mod capture;
pub(crate) mod filters;
pub(crate) mod images;
pub(crate) mod instance_calls;
pub(crate) mod instance_types;
mod instance_xml;
pub(crate) mod instances;
pub(crate) mod launch;
pub(crate) mod launch_request;
pub(crate) mod network;
pub(crate) mod routes;
pub(crate) mod snapshots;
pub(crate) mod tags;
pub(crate) mod templates;
pub(crate) mod volumes;

use super::state::State;
use super::wire::page;
use super::wire::xml::Xml;
use super::wire::{ApiError, Call};

/// Answers a call.
pub(crate) fn serve(state: &mut State, call: &Call) -> Result<Xml, ApiError> {
    match call.operation.as_str() {
        "RunInstances" => launch::run(state, call),
        "DescribeInstances" => instance_calls::describe(state, call),
        "DescribeInstanceStatus" => instance_calls::describe_status(state, call),
        "StartInstances" => instance_calls::start(state, call),
        "StopInstances" => instance_calls::stop(state, call),
        "RebootInstances" => instance_calls::reboot(state, call),
        "TerminateInstances" => instance_calls::terminate(state, call),
        "GetConsoleOutput" => instance_calls::console(state, call),
        "DescribeInstanceTypes" => instance_types::describe(call),
        "DescribeInstanceTypeOfferings" => instance_types::describe_offerings(state, call),
        "CreateImage" => capture::create(state, call),
        "DescribeImages" => images::describe(state, call),
        "DisableImage" => images::disable(state, call),
        "DeregisterImage" => images::deregister(state, call),
        "DescribeSnapshots" => snapshots::describe(state, call),
        "DeleteSnapshot" => snapshots::delete(state, call),
        "DescribeVolumes" => volumes::describe(state, call),
        "DescribeSubnets" => network::describe_subnets(state, call),
        "DescribeSecurityGroups" => network::describe_groups(state, call),
        "DescribeLaunchTemplateVersions" => templates::describe_versions(state, call),
        "DescribeRouteTables" => routes::describe_tables(state, call),
        "DescribeVpcEndpoints" => routes::describe_endpoints(state, call),
        "CreateTags" => tags::create(state, call),
        "DeleteTags" => tags::delete(state, call),
        "DescribeTags" => tags::describe(state, call),
        other => Err(ApiError::invalid_action(other)),
    }
}

/// Ends a dry run: everything was fine, and nothing is done.
fn dry_run(call: &Call) -> Result<(), ApiError> {
    if call.query.flag("DryRun")? {
        return Err(ApiError::with_status(
            412,
            "DryRunOperation",
            "Request would have succeeded, but DryRun flag is set.",
        ));
    }
    Ok(())
}

/// Cuts a page as EC2 does: sizes from 5 to 1,000, and none together with ids.
fn paged<T>(
    call: &Call,
    ids: &[String],
    entries: Vec<T>,
) -> Result<(Vec<T>, Option<String>), ApiError> {
    let size = call.query.number("MaxResults")?;
    if size.is_some() && !ids.is_empty() {
        return Err(ApiError::new(
            "InvalidParameterCombination",
            "The parameter MaxResults cannot be used with the parameter that lists ids",
        ));
    }
    if let Some(size) = size
        && !(5..=1000).contains(&size)
    {
        return Err(ApiError::new(
            "InvalidParameterValue",
            format!(
                "Value ( {size} ) for parameter maxResults is invalid. Expecting a value between 5 and 1000."
            ),
        ));
    }
    page::cut(entries, &call.operation, size, call.query.get("NextToken")).map_err(
        |page::BadToken| ApiError::new("InvalidParameterValue", "Unable to parse pagination token"),
    )
}
