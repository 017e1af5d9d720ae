//! `PutParameter`: what may be written, and under which name.

use serde_json::{Value, json};

use super::{Parameter, Version};
use crate::sandbox::clock;
use crate::sandbox::state::State;
use crate::sandbox::wire::ApiError;
use crate::sandbox::wire::json::Json;

/// The longest value of a standard parameter, in bytes.
const LONGEST: usize = 4096;
/// The longest value of an advanced one.
const LONGEST_ADVANCED: usize = 8192;
/// How many versions are kept: the oldest goes when another comes.
const MOST_VERSIONS: usize = 100;
/// How deep a hierarchy may be.
const DEEPEST: usize = 15;

/// `PutParameter`. Without `Overwrite` it creates and nothing else: the one atomic call of the service.
pub(super) fn put(state: &mut State, body: Json<'_>) -> Result<Value, ApiError> {
    let name = body.required("Name")?;
    check_name(name)?;
    let value = body.text("Value")?.unwrap_or_default();
    let overwrite = body.flag("Overwrite")?;
    let tags = body.tags()?;
    if overwrite && !tags.is_empty() {
        return Err(invalid(
            "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or RemoveTagsFromResource.",
        ));
    }
    let tier = body.text("Tier")?.unwrap_or("Standard");
    check_value(value, tier)?;
    let description = body.text("Description")?.map(str::to_owned);
    if description
        .as_ref()
        .is_some_and(|text| text.chars().count() > 1024)
    {
        return Err(invalid(
            "1 validation error detected: Value at 'description' failed to satisfy constraint: Member must have length less than or equal to 1024",
        ));
    }
    let kind = body.text("Type")?;
    if let Some(kind) = kind
        && !["String", "StringList", "SecureString"].contains(&kind)
    {
        return Err(ApiError::new(
            "UnsupportedParameterType",
            format!("The parameter type {kind} is not supported."),
        ));
    }
    let author = format!("arn:aws:iam::{}:user/sandbox", state.account);
    let known = state.parameters.get_mut(name);
    let parameter = match (known, kind) {
        (Some(_), _) if !overwrite => {
            return Err(ApiError::new(
                "ParameterAlreadyExists",
                "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.",
            ));
        }
        (Some(known), Some(kind)) if known.kind != kind => {
            return Err(ApiError::new(
                "HierarchyTypeMismatchException",
                format!(
                    "The parameter is of the type {} and cannot become {kind}.",
                    known.kind
                ),
            ));
        }
        (Some(known), _) => known,
        (None, None) => {
            return Err(invalid(
                "A parameter type is required when you create a parameter.",
            ));
        }
        (None, Some(kind)) => {
            state
                .parameters
                .entry(name.to_owned())
                .or_insert_with(|| Parameter {
                    kind: kind.to_owned(),
                    data_type: "text".to_owned(),
                    versions: Vec::new(),
                    tags: tags.into_iter().collect(),
                })
        }
    };
    if let Some(data_type) = body.text("DataType")? {
        data_type.clone_into(&mut parameter.data_type);
    }
    let number = parameter.versions.last().map_or(0, |last| last.number) + 1;
    parameter.versions.push(Version {
        number,
        value: value.to_owned(),
        description,
        modified: clock::now(),
        author,
    });
    if parameter.versions.len() > MOST_VERSIONS {
        parameter.versions.remove(0);
    }
    Ok(json!({ "Version": number, "Tier": tier }))
}

fn check_value(value: &str, tier: &str) -> Result<(), ApiError> {
    let longest = match tier {
        "Standard" => LONGEST,
        "Advanced" | "Intelligent-Tiering" => LONGEST_ADVANCED,
        other => return Err(invalid(&format!("The tier {other} is not known."))),
    };
    if value.is_empty() {
        return Err(invalid(
            "1 validation error detected: Value '' at 'value' failed to satisfy constraint: Member must have length greater than or equal to 1",
        ));
    }
    if value.len() > longest {
        return Err(invalid(&format!(
            "{tier} tier parameters support a maximum parameter value of {longest} characters. To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier. For more information, see https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html"
        )));
    }
    if value.contains("{{") {
        return Err(invalid(
            "Parameter value can't nest another parameter. Do not use \"{{}}\" in the value.",
        ));
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), ApiError> {
    let allowed = |character: char| character.is_ascii_alphanumeric() || "_.-/".contains(character);
    if !name.chars().all(allowed) {
        return Err(invalid(
            "Parameter name: can't be prefixed with \"ssm\" (case-insensitive). If formed as a path, it can consist of sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the following 3 symbols .-_",
        ));
    }
    if name.contains('/') && !name.starts_with('/') {
        return Err(invalid("Parameter name must be a fully qualified name."));
    }
    if name.len() > 1011 {
        return Err(invalid(
            "Parameter name is too long: at most 1011 characters are allowed.",
        ));
    }
    let first = name.trim_start_matches('/').to_ascii_lowercase();
    if first.starts_with("aws") || first.starts_with("ssm") {
        return Err(invalid(
            "Parameter name: can't be prefixed with \"aws\" or \"ssm\" (case-insensitive).",
        ));
    }
    if name.split('/').filter(|part| !part.is_empty()).count() > DEEPEST {
        return Err(ApiError::new(
            "HierarchyLevelLimitExceededException",
            format!("The hierarchy can have a maximum of {DEEPEST} levels."),
        ));
    }
    Ok(())
}

fn invalid(message: &str) -> ApiError {
    ApiError::new("ValidationException", message)
}

#[cfg(test)]
mod tests {
    use super::*;
    fn try_put(state: &mut State, body: &Value) -> Result<Value, String> {
        put(state, Json::new(body).unwrap()).map_err(|error| error.code)
    }

    #[test]
    fn a_parameter_is_created_once_and_then_only_overwritten() {
        let mut state = State::for_tests();
        let create = json!({ "Name": "/a/b", "Value": "1", "Type": "String" });
        assert_eq!(try_put(&mut state, &create).unwrap()["Version"], 1);
        assert_eq!(
            try_put(&mut state, &create),
            Err("ParameterAlreadyExists".to_owned())
        );
        let overwrite = json!({ "Name": "/a/b", "Value": "2", "Overwrite": true });
        assert_eq!(try_put(&mut state, &overwrite).unwrap()["Version"], 2);
        let tagged = json!({ "Name": "/a/b", "Value": "3", "Overwrite": true, "Tags": [{ "Key": "a", "Value": "b" }] });
        assert_eq!(
            try_put(&mut state, &tagged),
            Err("ValidationException".to_owned())
        );
    }

    #[test]
    fn what_the_store_does_not_hold_is_refused() {
        for (name, value, wanted) in [
            ("/a", "x".repeat(4096), None),
            ("/a", "x".repeat(4097), Some("ValidationException")),
            ("/a", "{{ssm:b}}".to_owned(), Some("ValidationException")),
            ("/a", String::new(), Some("ValidationException")),
            ("/aws/b", "1".to_owned(), Some("ValidationException")),
            ("a/b", "1".to_owned(), Some("ValidationException")),
            ("/a b", "1".to_owned(), Some("ValidationException")),
            (
                &"/a".repeat(16),
                "1".to_owned(),
                Some("HierarchyLevelLimitExceededException"),
            ),
        ] {
            let body = json!({ "Name": name, "Value": value, "Type": "String" });
            let refused = try_put(&mut State::for_tests(), &body).err();
            assert_eq!(refused.as_deref(), wanted, "{name}");
        }
    }

    #[test]
    fn only_a_hundred_versions_are_kept() {
        let mut state = State::for_tests();
        for _ in 0..105 {
            let body = json!({ "Name": "/a", "Value": "1", "Type": "String", "Overwrite": true });
            try_put(&mut state, &body).unwrap();
        }
        let versions = &state.parameters["/a"].versions;
        assert_eq!((versions.len(), versions[0].number), (100, 6));
    }
}
