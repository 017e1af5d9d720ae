//! Reading parameters: one, several, by path, and their history.

use serde_json::{Value, json};

use super::not_found;
use crate::sandbox::ssm::paged;
use crate::sandbox::state::State;
use crate::sandbox::wire::ApiError;
use crate::sandbox::wire::json::{Json, seconds};

/// `GetParameter`, also of a version: `name:3`.
pub(super) fn get(state: &State, body: Json<'_>) -> Result<Value, ApiError> {
    let parameter = find(state, body.required("Name")?, body.flag("WithDecryption")?)?;
    Ok(json!({ "Parameter": parameter }))
}

/// `GetParameters`: what does not exist is listed, not refused.
pub(super) fn get_several(state: &State, body: Json<'_>) -> Result<Value, ApiError> {
    let names = body.texts("Names")?;
    if names.is_empty() || names.len() > 10 {
        return Err(ApiError::new(
            "ValidationException",
            "1 validation error detected: Value at 'names' failed to satisfy constraint: Member must have length less than or equal to 10 and greater than or equal to 1",
        ));
    }
    let decrypt = body.flag("WithDecryption")?;
    let mut found = Vec::new();
    let mut invalid = Vec::new();
    for name in names {
        match find(state, &name, decrypt) {
            Ok(parameter) => found.push(parameter),
            Err(_) => invalid.push(name),
        }
    }
    Ok(json!({ "Parameters": found, "InvalidParameters": invalid }))
}

/// `GetParametersByPath`: ten at a time.
pub(super) fn get_by_path(state: &State, body: Json<'_>) -> Result<Value, ApiError> {
    let path = body.required("Path")?;
    if !path.starts_with('/') {
        return Err(ApiError::new(
            "ValidationException",
            "The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward slash \"/\".",
        ));
    }
    let recursive = body.flag("Recursive")?;
    let decrypt = body.flag("WithDecryption")?;
    let prefix = format!("{}/", path.trim_end_matches('/'));
    let found = state
        .parameters
        .iter()
        .filter(|(name, _)| {
            name.strip_prefix(&prefix)
                .is_some_and(|rest| recursive || !rest.contains('/'))
        })
        .filter_map(|(name, parameter)| {
            let last = parameter.versions.last()?;
            Some(parameter.describe(state, name, last, decrypt))
        })
        .collect();
    let (page, token) = paged(body, "GetParametersByPath", 10, found)?;
    let mut answer = json!({ "Parameters": page });
    if let Some(token) = token {
        answer["NextToken"] = Value::from(token);
    }
    Ok(answer)
}

/// `GetParameterHistory`, oldest version first.
pub(super) fn history(state: &State, body: Json<'_>) -> Result<Value, ApiError> {
    let name = body.required("Name")?;
    let decrypt = body.flag("WithDecryption")?;
    let parameter = state.parameters.get(name).ok_or_else(|| not_found(name))?;
    let versions = parameter
        .versions
        .iter()
        .map(|version| {
            let mut shown = json!({
                "Name": name,
                "Type": parameter.kind,
                "LastModifiedDate": seconds(version.modified),
                "LastModifiedUser": version.author,
                "Value": parameter.value(version, decrypt),
                "Version": version.number,
                "Labels": [],
                "Tier": "Standard",
                "Policies": [],
                "DataType": parameter.data_type,
            });
            if let Some(description) = &version.description {
                shown["Description"] = Value::from(description.as_str());
            }
            shown
        })
        .collect();
    let (page, token) = paged(body, "GetParameterHistory", 50, versions)?;
    let mut answer = json!({ "Parameters": page });
    if let Some(token) = token {
        answer["NextToken"] = Value::from(token);
    }
    Ok(answer)
}

fn find(state: &State, wanted: &str, decrypt: bool) -> Result<Value, ApiError> {
    // An ARN ends with the parameter's path.
    let wanted = wanted
        .strip_prefix("arn:")
        .and_then(|arn| arn.split_once(":parameter"))
        .map_or(wanted, |(_, path)| path);
    let (name, selector) = wanted
        .split_once(':')
        .map_or((wanted, None), |(name, selector)| (name, Some(selector)));
    let parameter = state.parameters.get(name).ok_or_else(|| not_found(name))?;
    let version = match selector {
        None => parameter.versions.last(),
        Some(selector) => parameter
            .versions
            .iter()
            .find(|version| version.number.to_string() == selector),
    };
    let version = version.ok_or_else(|| {
        ApiError::new(
            "ParameterVersionNotFound",
            format!(
                "Systems Manager could not find version {} of {name}.",
                selector.unwrap_or("?")
            ),
        )
    })?;
    let mut shown = parameter.describe(state, name, version, decrypt);
    if let Some(selector) = selector {
        shown["Selector"] = Value::from(format!(":{selector}"));
    }
    Ok(shown)
}
