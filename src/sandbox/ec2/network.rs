//! The network: one VPC, a subnet in each of three zones, the default security group and those of environments.

use super::filters::Filters;
use super::tags::{self, Tags};
use crate::sandbox::state::State;
use crate::sandbox::wire::xml::Xml;
use crate::sandbox::wire::{ApiError, Call};

/// The one VPC.
pub(crate) const VPC: &str = "vpc-0a1b2c3d4e5f60718";

/// The VPC's default security group.
pub(crate) const DEFAULT_GROUP: &str = "sg-0de4fa0170000000a";

/// A subnet.
#[derive(Clone, Debug)]
pub(crate) struct Subnet {
    pub(crate) id: String,
    pub(crate) availability_zone: String,
    /// The third number of its addresses.
    pub(crate) third: u8,
}

/// A security group.
#[derive(Clone, Debug)]
pub(crate) struct SecurityGroup {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) tags: Tags,
}

impl Subnet {
    /// The default subnets of a region.
    pub(crate) fn defaults(region: &str) -> Vec<Self> {
        [("a", 0), ("b", 16), ("c", 32)]
            .into_iter()
            .map(|(letter, third)| Self {
                id: format!("subnet-0{letter}0000000000000{third:02}"),
                availability_zone: format!("{region}{letter}"),
                third,
            })
            .collect()
    }
}

impl SecurityGroup {
    /// The VPC's default group.
    pub(crate) fn default_group() -> Self {
        Self {
            id: DEFAULT_GROUP.to_owned(),
            name: "default".to_owned(),
            description: "default VPC security group".to_owned(),
            tags: Tags::new(),
        }
    }
}

/// `DescribeSubnets`.
pub(super) fn describe_subnets(state: &State, call: &Call) -> Result<Xml, ApiError> {
    let ids = call.query.list("SubnetId");
    let known = [
        "subnet-id",
        "vpc-id",
        "availability-zone",
        "state",
        "default-for-az",
        "cidr-block",
    ];
    let filters = Filters::read(&call.query, &known)?;
    if let Some(missing) = ids
        .iter()
        .find(|id| !state.subnets.iter().any(|subnet| subnet.id == **id))
    {
        return Err(no_subnet(missing));
    }
    let found = state
        .subnets
        .iter()
        .filter(|subnet| ids.is_empty() || ids.contains(&subnet.id))
        .filter(|subnet| {
            filters.pass(&Tags::new(), |name| {
                vec![match name {
                    "subnet-id" => subnet.id.clone(),
                    "vpc-id" => VPC.to_owned(),
                    "availability-zone" => subnet.availability_zone.clone(),
                    "state" => "available".to_owned(),
                    "cidr-block" => block(subnet),
                    _ => "true".to_owned(),
                }]
            })
        })
        .collect();
    let (page, token) = super::paged(call, &ids, found)?;
    let mut xml = Xml::new();
    xml.list("subnetSet", "item", page, |xml, subnet: &Subnet| {
        let used = state
            .instances
            .values()
            .filter(|instance| instance.subnet_id == subnet.id && instance.has_machine())
            .count();
        xml.text("subnetId", &subnet.id)
            .text(
                "subnetArn",
                format!(
                    "arn:aws:ec2:{}:{}:subnet/{}",
                    state.region, state.account, subnet.id
                ),
            )
            .text("state", "available")
            .text("ownerId", &state.account)
            .text("vpcId", VPC)
            .text("cidrBlock", block(subnet))
            // A /20 has 4,096 addresses, of which AWS keeps five.
            .text("availableIpAddressCount", 4091_usize.saturating_sub(used))
            .text("availabilityZone", &subnet.availability_zone)
            .text("defaultForAz", true)
            .text("mapPublicIpOnLaunch", true);
        tags::write(xml, &Tags::new());
    })
    .optional("nextToken", token);
    Ok(xml)
}

/// `DescribeSecurityGroups`.
pub(super) fn describe_groups(state: &State, call: &Call) -> Result<Xml, ApiError> {
    let ids = call.query.list("GroupId");
    let names = call.query.list("GroupName");
    let filters = Filters::read(
        &call.query,
        &[
            "group-id",
            "group-name",
            "vpc-id",
            "owner-id",
            "description",
        ],
    )?;
    if let Some(missing) = ids
        .iter()
        .find(|id| !state.security_groups.iter().any(|group| group.id == **id))
    {
        return Err(no_group(missing));
    }
    let found = state
        .security_groups
        .iter()
        .filter(|group| ids.is_empty() || ids.contains(&group.id))
        .filter(|group| names.is_empty() || names.contains(&group.name))
        .filter(|group| {
            filters.pass(&group.tags, |name| {
                vec![match name {
                    "group-id" => group.id.clone(),
                    "group-name" => group.name.clone(),
                    "vpc-id" => VPC.to_owned(),
                    "owner-id" => state.account.clone(),
                    _ => group.description.clone(),
                }]
            })
        })
        .collect();
    let (page, token) = super::paged(call, &ids, found)?;
    let mut xml = Xml::new();
    xml.list(
        "securityGroupInfo",
        "item",
        page,
        |xml, group: &SecurityGroup| {
            xml.text("ownerId", &state.account)
                .text("groupId", &group.id)
                .text("groupName", &group.name)
                .text("groupDescription", &group.description)
                .text("vpcId", VPC)
                .texts("ipPermissions", "item", [""; 0]);
            let egress = state.way_out.egress.then_some(());
            xml.list("ipPermissionsEgress", "item", egress, |xml, ()| {
                xml.text("ipProtocol", "-1").list(
                    "ipRanges",
                    "item",
                    ["0.0.0.0/0"],
                    |xml, range| {
                        xml.text("cidrIp", range);
                    },
                );
            });
            tags::write(xml, &group.tags);
        },
    )
    .optional("nextToken", token);
    Ok(xml)
}

/// The refusal of a subnet that does not exist.
pub(super) fn no_subnet(id: &str) -> ApiError {
    ApiError::new(
        "InvalidSubnetID.NotFound",
        format!("The subnet ID '{id}' does not exist"),
    )
}

/// The refusal of a security group that does not exist.
pub(super) fn no_group(id: &str) -> ApiError {
    ApiError::new(
        "InvalidGroup.NotFound",
        format!("The security group '{id}' does not exist"),
    )
}

fn block(subnet: &Subnet) -> String {
    format!("172.31.{}.0/20", subnet.third)
}
