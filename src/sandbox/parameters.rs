//! Parameter Store: parameters with versions, created once or overwritten.

mod put;
mod read;

use serde_json::{Value, json};

use super::ec2::tags::Tags;
use super::state::State;
use super::wire::ApiError;
use super::wire::json::{Json, seconds};

/// A parameter with its versions, oldest first.
#[derive(Clone, Debug)]
pub(crate) struct Parameter {
    pub(crate) kind: String,
    pub(crate) data_type: String,
    pub(crate) versions: Vec<Version>,
    pub(crate) tags: Tags,
}

/// One version of a parameter.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub(crate) number: u64,
    pub(crate) value: String,
    pub(crate) description: Option<String>,
    pub(crate) modified: jiff::Timestamp,
    /// Who wrote it, as an ARN.
    pub(crate) author: String,
}

/// Answers an operation; `None` if it is none of these.
pub(crate) fn serve(
    state: &mut State,
    operation: &str,
    body: Json<'_>,
) -> Option<Result<Value, ApiError>> {
    Some(match operation {
        "PutParameter" => put::put(state, body),
        "GetParameter" => read::get(state, body),
        "GetParameters" => read::get_several(state, body),
        "GetParametersByPath" => read::get_by_path(state, body),
        "GetParameterHistory" => read::history(state, body),
        "DeleteParameter" => delete(state, body),
        "DeleteParameters" => delete_several(state, body),
        "AddTagsToResource" => add_tags(state, body),
        "ListTagsForResource" => list_tags(state, body),
        _ => return None,
    })
}

fn delete(state: &mut State, body: Json<'_>) -> Result<Value, ApiError> {
    let name = body.required("Name")?;
    match state.parameters.remove(name) {
        Some(_) => Ok(json!({})),
        None => Err(not_found(name)),
    }
}

fn delete_several(state: &mut State, body: Json<'_>) -> Result<Value, ApiError> {
    let (deleted, invalid): (Vec<String>, Vec<String>) = body
        .texts("Names")?
        .into_iter()
        .partition(|name| state.parameters.remove(name).is_some());
    Ok(json!({ "DeletedParameters": deleted, "InvalidParameters": invalid }))
}

fn add_tags(state: &mut State, body: Json<'_>) -> Result<Value, ApiError> {
    let tags = body.tags()?;
    let parameter = tagged(state, body)?;
    parameter.tags.extend(tags);
    Ok(json!({}))
}

fn list_tags(state: &mut State, body: Json<'_>) -> Result<Value, ApiError> {
    let parameter = tagged(state, body)?;
    let list: Vec<Value> = parameter
        .tags
        .iter()
        .map(|(key, value)| json!({ "Key": key, "Value": value }))
        .collect();
    Ok(json!({ "TagList": list }))
}

fn tagged<'a>(state: &'a mut State, body: Json<'_>) -> Result<&'a mut Parameter, ApiError> {
    let kind = body.required("ResourceType")?;
    if kind != "Parameter" {
        return Err(ApiError::new(
            "InvalidResourceType",
            format!("The resource type {kind} is not known to the sandbox."),
        ));
    }
    let name = body.required("ResourceId")?;
    state.parameters.get_mut(name).ok_or_else(|| {
        ApiError::new(
            "InvalidResourceId",
            format!("The parameter {name} does not exist."),
        )
    })
}

/// The refusal of a parameter that does not exist.
fn not_found(name: &str) -> ApiError {
    ApiError::new("ParameterNotFound", format!("Parameter {name} not found."))
}

impl Parameter {
    /// A version as the reading operations show it.
    fn describe(&self, state: &State, name: &str, version: &Version, decrypt: bool) -> Value {
        let path = name.strip_prefix('/').unwrap_or(name);
        json!({
            "Name": name,
            "Type": self.kind,
            "Value": self.value(version, decrypt),
            "Version": version.number,
            "LastModifiedDate": seconds(version.modified),
            "ARN": format!("arn:aws:ssm:{}:{}:parameter/{path}", state.region, state.account),
            "DataType": self.data_type,
        })
    }

    /// The value; of a secret without decryption only something that looks like its ciphertext.
    fn value(&self, version: &Version, decrypt: bool) -> String {
        use base64::Engine as _;
        use sha2::Digest as _;
        if self.kind != "SecureString" || decrypt {
            return version.value.clone();
        }
        let digest = sha2::Sha256::digest(version.value.as_bytes());
        format!(
            "AQICAHh{}",
            base64::engine::general_purpose::STANDARD.encode(digest)
        )
    }
}
