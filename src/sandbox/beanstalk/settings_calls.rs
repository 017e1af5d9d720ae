//! `DescribeConfigurationSettings` and `ValidateConfigurationSettings`.

use super::application_calls::no_application;
use super::environments::Environment;
use super::named;
use super::operation::Work;
use super::settings::{self, Settings};
use crate::sandbox::state::State;
use crate::sandbox::wire::xml::Xml;
use crate::sandbox::wire::{ApiError, Call, moment};

/// `DescribeConfigurationSettings`: what is deployed and, while or after it changes, what is pending or failed.
pub(super) fn describe(state: &State, call: &Call) -> Result<Xml, ApiError> {
    let application = call.query.required("ApplicationName")?;
    if !state.applications.contains_key(application) {
        return Err(no_application(application));
    }
    if let Some(template) = call.query.get("TemplateName") {
        return Err(super::invalid(format!(
            "No Configuration Template named '{application}/{template}' found."
        )));
    }
    let id = named(state, &call.query)?;
    let environment = state
        .environments
        .get(&id)
        .filter(|one| one.application == application)
        .ok_or_else(|| {
            super::invalid(format!(
                "No Environment found for EnvironmentName = '{id}'."
            ))
        })?;
    let mut sets = vec![("deployed", &environment.settings)];
    let pending = environment
        .operation
        .as_ref()
        .map(|operation| &operation.work);
    if let Some(Work::Configure {
        target,
        reverting: false,
        ..
    }) = pending
    {
        sets.push(("pending", target));
    } else if let Some(failed) = &environment.failed {
        sets.push(("failed", failed));
    }
    let mut xml = Xml::new();
    xml.list(
        "ConfigurationSettings",
        "member",
        sets,
        |xml, (status, settings)| {
            write(state, environment, xml, status, settings);
        },
    );
    Ok(xml)
}

fn write(
    state: &State,
    environment: &Environment,
    xml: &mut Xml,
    status: &str,
    settings: &Settings,
) {
    xml.text("SolutionStackName", environment.platform.stack())
        .text("PlatformArn", environment.platform.arn(&state.region))
        .text("ApplicationName", &environment.application)
        .text("EnvironmentName", &environment.name)
        .text("DeploymentStatus", status)
        .text("DateCreated", moment(environment.created))
        .text("DateUpdated", moment(environment.updated));
    let all = settings.all(environment.platform);
    xml.list(
        "OptionSettings",
        "member",
        all,
        |xml, ((namespace, name), value)| {
            if namespace == settings::GROUP || namespace == settings::LAUNCH {
                let resource = if namespace == settings::GROUP {
                    "AWSEBAutoScalingGroup"
                } else {
                    "AWSEBAutoScalingLaunchConfiguration"
                };
                xml.text("ResourceName", resource);
            }
            xml.text("Namespace", namespace)
                .text("OptionName", name)
                .text("Value", value);
        },
    );
}

/// `ValidateConfigurationSettings`: what is wrong is in the answer and not an error.
pub(super) fn validate(state: &State, call: &Call) -> Result<Xml, ApiError> {
    let application = call.query.required("ApplicationName")?;
    if !state.applications.contains_key(application) {
        return Err(no_application(application));
    }
    let mut messages = Vec::new();
    for option in call.query.structures("OptionSettings.member") {
        let namespace = option.required("Namespace")?.to_owned();
        let name = option.required("OptionName")?.to_owned();
        let value = option.get("Value").unwrap_or_default();
        if let Err(error) = settings::check(&(namespace.clone(), name.clone()), value) {
            messages.push((namespace, name, error.message));
        }
    }
    let mut xml = Xml::new();
    xml.list(
        "Messages",
        "member",
        messages,
        |xml, (namespace, name, message)| {
            xml.text("Message", message)
                .text("Severity", "error")
                .text("Namespace", namespace)
                .text("OptionName", name);
        },
    );
    Ok(xml)
}
