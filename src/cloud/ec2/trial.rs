//! Trial launches: what EC2 says of a launch without launching anything, and what instance types can run and where.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types as sdk;

use super::super::{Cloud, CloudError, present};
use super::{Tags, filter, tag_specifications};
use crate::id::{ImageId, SecurityGroupId, SubnetId};

/// A launch that EC2 only checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrialLaunch {
    /// The image.
    pub image: ImageId,
    /// The instance type.
    pub instance_type: String,
    /// The subnet; none: one of the default VPC's.
    pub subnet: Option<SubnetId>,
    /// The security groups; empty: the VPC's default group.
    pub security_groups: Vec<SecurityGroupId>,
    /// Whether the instance metadata demands a session token (`IMDSv2`).
    pub tokens_required: bool,
    /// The tags of instance and volumes.
    pub tags: Tags,
}

/// What an instance type can run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstanceKind {
    /// The architectures, as EC2 names them.
    pub architectures: Vec<String>,
    /// `legacy-bios`, `uefi`; empty where EC2 does not say.
    pub boot_modes: Vec<String>,
}

impl Cloud {
    /// Asks EC2 to check a launch. EC2 checks permissions and parameters; it checks neither capacity nor quotas.
    pub async fn try_launch(&self, trial: &TrialLaunch) -> Result<(), CloudError> {
        const OPERATION: &str = "RunInstances";
        let groups: Vec<String> = trial
            .security_groups
            .iter()
            .map(ToString::to_string)
            .collect();
        let tokens = if trial.tokens_required {
            sdk::HttpTokensState::Required
        } else {
            sdk::HttpTokensState::Optional
        };
        let kinds = [sdk::ResourceType::Instance, sdk::ResourceType::Volume];
        let answer = self
            .ec2
            .run_instances()
            .dry_run(true)
            .image_id(trial.image.as_str())
            .instance_type(sdk::InstanceType::from(trial.instance_type.as_str()))
            .set_subnet_id(trial.subnet.as_ref().map(ToString::to_string))
            .set_security_group_ids((!groups.is_empty()).then_some(groups))
            .metadata_options(
                sdk::InstanceMetadataOptionsRequest::builder()
                    .http_tokens(tokens)
                    .http_put_response_hop_limit(2)
                    .build(),
            )
            .set_tag_specifications(
                (!trial.tags.is_empty()).then(|| tag_specifications(&kinds, &trial.tags)),
            )
            .min_count(1)
            .max_count(1)
            .send()
            .await;
        match answer.map_err(|error| CloudError::of(OPERATION, trial.image.as_str(), &error)) {
            Err(error) if error.code.as_deref() == Some("DryRunOperation") => Ok(()),
            Err(error) => Err(error),
            Ok(_) => Err(CloudError::absent(
                OPERATION,
                trial.image.as_str(),
                "DryRunOperation",
            )),
        }
    }

    /// Returns the availability zone of each of these subnets.
    pub async fn subnet_zones(
        &self,
        subnets: &[SubnetId],
    ) -> Result<BTreeMap<SubnetId, String>, CloudError> {
        const OPERATION: &str = "DescribeSubnets";
        if subnets.is_empty() {
            return Ok(BTreeMap::new());
        }
        let ids: Vec<String> = subnets.iter().map(ToString::to_string).collect();
        let subject = ids.join(", ");
        let answer = self
            .ec2
            .describe_subnets()
            .set_subnet_ids(Some(ids))
            .send()
            .await
            .map_err(|error| CloudError::of(OPERATION, subject.as_str(), &error))?;
        let read = |subnet: &sdk::Subnet| {
            let id = present(subnet.subnet_id(), OPERATION, &subject, "SubnetId")?;
            let zone = subnet.availability_zone();
            let zone = present(zone, OPERATION, &subject, "AvailabilityZone")?;
            Ok((SubnetId::new(id), zone.to_owned()))
        };
        answer.subnets().iter().map(read).collect()
    }

    /// Returns the availability zones that sell an instance type.
    pub async fn zones_that_sell(
        &self,
        instance_type: &str,
    ) -> Result<BTreeSet<String>, CloudError> {
        const OPERATION: &str = "DescribeInstanceTypeOfferings";
        let mut found = BTreeSet::new();
        let mut token = None;
        loop {
            let answer = self
                .ec2
                .describe_instance_type_offerings()
                .location_type(sdk::LocationType::AvailabilityZone)
                .filters(filter("instance-type", &[instance_type]))
                .set_next_token(token)
                .send()
                .await
                .map_err(|error| CloudError::of(OPERATION, instance_type, &error))?;
            for offering in answer.instance_type_offerings() {
                let zone = offering.location();
                let zone = present(zone, OPERATION, instance_type, "Location")?;
                found.insert(zone.to_owned());
            }
            token = answer.next_token.filter(|text| !text.is_empty());
            if token.is_none() {
                return Ok(found);
            }
        }
    }

    /// Returns what an instance type can run.
    pub async fn instance_kind(&self, instance_type: &str) -> Result<InstanceKind, CloudError> {
        const OPERATION: &str = "DescribeInstanceTypes";
        let answer = self
            .ec2
            .describe_instance_types()
            .instance_types(sdk::InstanceType::from(instance_type))
            .send()
            .await
            .map_err(|error| CloudError::of(OPERATION, instance_type, &error))?;
        let described = answer.instance_types().first();
        let processor = described.and_then(sdk::InstanceTypeInfo::processor_info);
        let processor = present(processor, OPERATION, instance_type, "ProcessorInfo")?;
        let architectures = processor.supported_architectures();
        let boot_modes = described.map_or(&[][..], sdk::InstanceTypeInfo::supported_boot_modes);
        Ok(InstanceKind {
            architectures: architectures
                .iter()
                .map(|architecture| architecture.as_str().to_owned())
                .collect(),
            boot_modes: boot_modes
                .iter()
                .map(|mode| mode.as_str().to_owned())
                .collect(),
        })
    }
}
