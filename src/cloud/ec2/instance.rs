//! What an instance is, read from EC2's answers.

use aws_sdk_ec2::types as sdk;

use super::super::{CloudError, present};
use super::{Tags, read_tags};
use crate::id::{ImageId, InstanceId, SecurityGroupId, SubnetId};

/// An instance as far as the tool cares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Its id.
    pub id: InstanceId,
    /// The state it is in.
    pub state: InstanceState,
    /// Why it is in that state, where EC2 says.
    pub state_reason: Option<String>,
    /// The image it was started from.
    pub image: ImageId,
    /// `t3.small`, …
    pub instance_type: String,
    /// `x86_64` or `arm64`.
    pub architecture: String,
    /// The subnet; none once it is terminated.
    pub subnet: Option<SubnetId>,
    /// Its security groups.
    pub security_groups: Vec<SecurityGroupId>,
    /// Whether it is a Spot instance.
    pub spot: bool,
    /// When it was started.
    pub launched: jiff::Timestamp,
    /// The root device's name.
    pub root_device: Option<String>,
    /// The names of all EBS devices.
    pub devices: Vec<String>,
    /// Its tags.
    pub tags: Tags,
}

/// The states of an instance (EC2 API reference, `InstanceState`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InstanceState {
    /// It is being started.
    Pending,
    /// It runs.
    Running,
    /// It is being stopped.
    Stopping,
    /// It is stopped; its volumes are there.
    Stopped,
    /// It is being terminated.
    ShuttingDown,
    /// It is gone.
    Terminated,
    /// A state that this version does not know.
    Other(String),
}

impl InstanceState {
    fn read(name: &sdk::InstanceStateName) -> Self {
        match name {
            sdk::InstanceStateName::Pending => Self::Pending,
            sdk::InstanceStateName::Running => Self::Running,
            sdk::InstanceStateName::Stopping => Self::Stopping,
            sdk::InstanceStateName::Stopped => Self::Stopped,
            sdk::InstanceStateName::ShuttingDown => Self::ShuttingDown,
            sdk::InstanceStateName::Terminated => Self::Terminated,
            other => Self::Other(other.as_str().to_owned()),
        }
    }

    /// The state as EC2 spells it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
            Self::Other(name) => name,
        }
    }

    /// Whether it is gone or going for good.
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::ShuttingDown | Self::Terminated)
    }
}

impl Instance {
    /// Reads what EC2 says of it; a field that must be there and is not is an error that names it.
    pub(super) fn read(
        instance: &sdk::Instance,
        operation: &'static str,
    ) -> Result<Self, CloudError> {
        let id = present(
            instance.instance_id(),
            operation,
            "an instance",
            "InstanceId",
        )?;
        let state = instance.state().and_then(|state| state.name());
        let launched = present(instance.launch_time(), operation, id, "LaunchTime")?;
        let placed =
            |text: Option<&str>| text.filter(|text| !text.is_empty()).map(ToOwned::to_owned);
        Ok(Self {
            id: InstanceId::new(id),
            state: InstanceState::read(present(state, operation, id, "State.Name")?),
            state_reason: placed(instance.state_reason().and_then(|reason| reason.message())),
            image: ImageId::new(present(instance.image_id(), operation, id, "ImageId")?),
            instance_type: present(instance.instance_type(), operation, id, "InstanceType")?
                .as_str()
                .to_owned(),
            architecture: present(instance.architecture(), operation, id, "Architecture")?
                .as_str()
                .to_owned(),
            subnet: placed(instance.subnet_id()).map(SubnetId::new),
            security_groups: instance
                .security_groups()
                .iter()
                .filter_map(|group| group.group_id().map(SecurityGroupId::new))
                .collect(),
            spot: instance.instance_lifecycle() == Some(&sdk::InstanceLifecycleType::Spot),
            launched: jiff::Timestamp::from_second(launched.secs())
                .map_err(|_| CloudError::absent(operation, id, "a readable LaunchTime"))?,
            root_device: placed(instance.root_device_name()),
            devices: instance
                .block_device_mappings()
                .iter()
                .filter_map(|mapping| mapping.device_name().map(ToOwned::to_owned))
                .collect(),
            tags: read_tags(instance.tags()),
        })
    }
}
