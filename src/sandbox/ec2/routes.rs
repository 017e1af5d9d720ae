//! The way out of the VPC: its one route table and its interface endpoints. A test can take either away.

use super::filters::Filters;
use super::network::VPC;
use super::tags::{self, Tags};
use crate::sandbox::clock;
use crate::sandbox::state::State;
use crate::sandbox::wire::xml::Xml;
use crate::sandbox::wire::{ApiError, Call, moment};

/// The one route table, the main one of the VPC.
const TABLE: &str = "rtb-0a1b2c3d4e5f60718";

/// How machines get out of the VPC. It is only shown: simulated machines go nowhere, and real ones have their own net.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WayOut {
    /// By way of what the default route goes: `nat-…`, `igw-…`; none: there is no such route.
    pub default_route: Option<String>,
    /// The services that the VPC has interface endpoints for: `ssm`, `ssmmessages`, …
    pub endpoints: Vec<String>,
    /// Whether the security groups let everything out; nothing otherwise.
    pub egress: bool,
}

impl Default for WayOut {
    fn default() -> Self {
        Self {
            default_route: Some("nat-0a1b2c3d4e5f60718".to_owned()),
            endpoints: Vec::new(),
            egress: true,
        }
    }
}

/// `DescribeRouteTables`.
pub(super) fn describe_tables(state: &State, call: &Call) -> Result<Xml, ApiError> {
    let ids = call.query.list("RouteTableId");
    let known = [
        "route-table-id",
        "vpc-id",
        "association.main",
        "association.subnet-id",
        "owner-id",
    ];
    let filters = Filters::read(&call.query, &known)?;
    if let Some(missing) = ids.iter().find(|id| *id != TABLE) {
        return Err(ApiError::new(
            "InvalidRouteTableID.NotFound",
            format!("The routeTable ID '{missing}' does not exist"),
        ));
    }
    let passes = filters.pass(&Tags::new(), |name| match name {
        "route-table-id" => vec![TABLE.to_owned()],
        "vpc-id" => vec![VPC.to_owned()],
        "owner-id" => vec![state.account.clone()],
        "association.main" => vec!["true".to_owned()],
        // No subnet has a table of its own.
        _ => Vec::new(),
    });
    let found = if passes { vec![TABLE] } else { Vec::new() };
    let (page, token) = super::paged(call, &ids, found)?;
    let mut xml = Xml::new();
    xml.list("routeTableSet", "item", page, |xml, id| {
        xml.text("routeTableId", id)
            .text("vpcId", VPC)
            .text("ownerId", &state.account);
        let default = state.way_out.default_route.as_deref();
        let routes = std::iter::once(("172.31.0.0/16", "local"))
            .chain(default.map(|target| ("0.0.0.0/0", target)));
        xml.list("routeSet", "item", routes, |xml, (to, target)| {
            let (by, origin) = match target {
                "local" => ("gatewayId", "CreateRouteTable"),
                nat if nat.starts_with("nat-") => ("natGatewayId", "CreateRoute"),
                _ => ("gatewayId", "CreateRoute"),
            };
            xml.text("destinationCidrBlock", to)
                .text(by, target)
                .text("state", "active")
                .text("origin", origin);
        });
        xml.list("associationSet", "item", [()], |xml, ()| {
            xml.text("routeTableAssociationId", "rtbassoc-0a1b2c3d4e5f60718")
                .text("routeTableId", id)
                .text("main", true)
                .within("associationState", |xml| {
                    xml.text("state", "associated");
                });
        });
        xml.texts("propagatingVgwSet", "item", [""; 0]);
        tags::write(xml, &Tags::new());
    })
    .optional("nextToken", token);
    Ok(xml)
}

/// `DescribeVpcEndpoints`.
pub(super) fn describe_endpoints(state: &State, call: &Call) -> Result<Xml, ApiError> {
    let ids = call.query.list("VpcEndpointId");
    let known = [
        "vpc-id",
        "service-name",
        "vpc-endpoint-id",
        "vpc-endpoint-state",
        "vpc-endpoint-type",
    ];
    let filters = Filters::read(&call.query, &known)?;
    let all: Vec<(String, String)> = state
        .way_out
        .endpoints
        .iter()
        .enumerate()
        .map(|(number, service)| {
            (
                format!("vpce-0a1b2c3d4e5f607{number:02}"),
                format!("com.amazonaws.{}.{service}", state.region),
            )
        })
        .collect();
    if let Some(missing) = ids
        .iter()
        .find(|id| !all.iter().any(|(known, _)| known == *id))
    {
        return Err(ApiError::new(
            "InvalidVpcEndpointId.NotFound",
            format!("The Vpc Endpoint Id '{missing}' does not exist"),
        ));
    }
    let found = all
        .into_iter()
        .filter(|(id, _)| ids.is_empty() || ids.contains(id))
        .filter(|(id, service)| {
            filters.pass(&Tags::new(), |name| {
                vec![match name {
                    "vpc-id" => VPC.to_owned(),
                    "service-name" => service.clone(),
                    "vpc-endpoint-id" => id.clone(),
                    "vpc-endpoint-state" => "available".to_owned(),
                    _ => "Interface".to_owned(),
                }]
            })
        })
        .collect();
    let (page, token) = super::paged(call, &ids, found)?;
    let mut xml = Xml::new();
    xml.list("vpcEndpointSet", "item", page, |xml, (id, service)| {
        xml.text("vpcEndpointId", id)
            .text("vpcEndpointType", "Interface")
            .text("vpcId", VPC)
            .text("serviceName", service)
            .text("state", "available")
            .text("privateDnsEnabled", true)
            .text("requesterManaged", false)
            .text("creationTimestamp", moment(clock::now()))
            .text("ownerId", &state.account);
        let subnets = state.subnets.iter().map(|subnet| subnet.id.clone());
        xml.texts("subnetIdSet", "item", subnets);
        tags::write(xml, &Tags::new());
    })
    .optional("nextToken", token);
    Ok(xml)
}
