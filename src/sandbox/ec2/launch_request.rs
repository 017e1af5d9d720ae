//! What an instance is launched with, read from a request.

use base64::Engine as _;

use super::launch::{check_architecture, launchable};
use super::network::{self, DEFAULT_GROUP};
use super::tags::{self, Tags};
use super::volumes::{self, Disk};
use crate::sandbox::state::State;
use crate::sandbox::wire::ApiError;
use crate::sandbox::wire::query::Query;

/// What an instance is launched with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Launch {
    pub(crate) image_id: String,
    pub(crate) instance_type: String,
    pub(crate) subnet_id: Option<String>,
    pub(crate) security_groups: Vec<String>,
    pub(crate) profile: Option<String>,
    pub(crate) key_name: Option<String>,
    /// Decoded.
    pub(crate) user_data: Option<Vec<u8>>,
    pub(crate) disks: Vec<Disk>,
    pub(crate) instance_tags: Tags,
    pub(crate) volume_tags: Tags,
    pub(crate) client_token: Option<String>,
    pub(crate) tokens_required: bool,
    pub(crate) hop_limit: usize,
}

/// The largest user data, before it is encoded.
const LARGEST_USER_DATA: usize = 16_384;

/// Reads a request of `RunInstances`.
pub(super) fn read(state: &State, query: &Query) -> Result<Launch, ApiError> {
    let image = launchable(state, query.required("ImageId")?)?;
    let instance_type = query.get("InstanceType").unwrap_or("t3.micro");
    check_architecture(instance_type, image)?;
    let network = interface(query)?;
    let subnet_id = network.owned("SubnetId");
    if let Some(id) = &subnet_id
        && !state.subnets.iter().any(|subnet| subnet.id == *id)
    {
        return Err(network::no_subnet(id));
    }
    let mut security_groups = network.list("SecurityGroupId");
    for id in &security_groups {
        if !state.security_groups.iter().any(|group| group.id == *id) {
            return Err(network::no_group(id));
        }
    }
    if security_groups.is_empty() {
        security_groups.push(DEFAULT_GROUP.to_owned());
    }
    let mut all_tags = tags::specified(
        query,
        "RunInstances",
        &[
            "instance",
            "volume",
            "network-interface",
            "spot-instances-request",
        ],
    )?;
    let metadata = query.below("MetadataOptions");
    Ok(Launch {
        image_id: image.id.clone(),
        instance_type: instance_type.to_owned(),
        subnet_id,
        security_groups,
        profile: profile(state, &query.below("IamInstanceProfile"))?,
        key_name: query.owned("KeyName"),
        user_data: query.get("UserData").map(user_data).transpose()?,
        disks: volumes::overlay(&image.disks, query)?,
        instance_tags: all_tags.remove("instance").unwrap_or_default(),
        volume_tags: all_tags.remove("volume").unwrap_or_default(),
        client_token: query.owned("ClientToken"),
        // The stock images ask for IMDSv2 by their `ImdsSupport`.
        tokens_required: metadata.get("HttpTokens") != Some("optional"),
        hop_limit: metadata.number("HttpPutResponseHopLimit")?.unwrap_or(2),
    })
}

/// Where the network of the request stands: at the top, or in its one interface, and not in both.
fn interface(query: &Query) -> Result<Query, ApiError> {
    let interfaces = query.structures("NetworkInterface");
    let Some(first) = interfaces.into_iter().next() else {
        return Ok(query.clone());
    };
    if query.get("SubnetId").is_some() || query.get("SecurityGroupId.1").is_some() {
        return Err(ApiError::new(
            "InvalidParameterCombination",
            "Network interfaces and an instance-level subnet ID or security groups may not be specified on the same request",
        ));
    }
    Ok(first)
}

fn profile(state: &State, query: &Query) -> Result<Option<String>, ApiError> {
    let arn = query.owned("Arn").or_else(|| {
        let name = query.get("Name")?;
        Some(format!(
            "arn:aws:iam::{}:instance-profile/{name}",
            state.account
        ))
    });
    match arn {
        Some(arn) if !arn.contains(":instance-profile/") => Err(ApiError::new(
            "InvalidParameterValue",
            format!(
                "Value ({arn}) for parameter iamInstanceProfile.arn is invalid. Invalid IAM Instance Profile ARN"
            ),
        )),
        other => Ok(other),
    }
}

fn user_data(encoded: &str) -> Result<Vec<u8>, ApiError> {
    let compact: String = encoded
        .chars()
        .filter(|character| !character.is_whitespace())
        .collect();
    let decoded = base64::engine::general_purpose::STANDARD
        .decode(compact)
        .map_err(|_| {
            ApiError::new(
                "InvalidParameterValue",
                "Invalid BASE64 encoding of user data",
            )
        })?;
    if decoded.len() > LARGEST_USER_DATA {
        return Err(ApiError::new(
            "InvalidParameterValue",
            "User data is limited to 16384 bytes",
        ));
    }
    Ok(decoded)
}
