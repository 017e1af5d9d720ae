//! What lies between a machine and Systems Manager: profile, status checks, routes, endpoints, security groups, console.
//! Only read when a machine does not answer; none of it is needed otherwise, so all of it may be forbidden.

use base64::Engine as _;

use super::super::{Cloud, CloudError, present};
use super::filter;
use crate::id::{InstanceId, SecurityGroupId, SubnetId};

/// Where a machine stands in the network, and as whom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// The ARN of its instance profile.
    pub profile: Option<String>,
    /// Its VPC.
    pub vpc: Option<String>,
    /// Its subnet.
    pub subnet: Option<SubnetId>,
    /// Whether it has an address that the internet can answer to.
    pub public: bool,
    /// Its security groups.
    pub groups: Vec<SecurityGroupId>,
}

/// EC2's own checks of a machine: `ok`, `initializing`, `impaired`, `insufficient-data`, `not-applicable`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checks {
    /// Of what AWS runs it on.
    pub system: String,
    /// Of the machine itself: whether its network answers.
    pub instance: String,
}

/// A route of a subnet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Where to, as a block of addresses; empty for a list of prefixes.
    pub destination: String,
    /// By way of what: `igw-…`, `nat-…`, `tgw-…`, `local`.
    pub target: String,
    /// Whether it leads anywhere: what it goes by way of may be gone.
    pub active: bool,
}

/// An interface endpoint of a VPC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its service: `com.amazonaws.eu-central-1.ssm`.
    pub service: String,
    /// Its state; `available` is well.
    pub state: String,
    /// Whether the service's own name leads to it.
    pub private_names: bool,
}

/// What a security group lets out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Egress {
    /// The group.
    pub group: SecurityGroupId,
    /// Whether it lets out HTTPS (TCP 443), to wherever.
    pub https: bool,
}

impl Cloud {
    /// Returns where a machine stands.
    pub async fn placement(&self, id: &InstanceId) -> Result<Placement, CloudError> {
        const OPERATION: &str = "DescribeInstances";
        let answer = self
            .ec2
            .describe_instances()
            .instance_ids(id.as_str())
            .send()
            .await
            .map_err(|error| CloudError::of(OPERATION, id.as_str(), &error))?;
        let reservation = answer.reservations().first();
        let instance = reservation.and_then(|reservation| reservation.instances().first());
        let instance = present(instance, OPERATION, id.as_str(), "Instances")?;
        let text = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(ToOwned::to_owned);
        Ok(Placement {
            profile: text(
                instance
                    .iam_instance_profile()
                    .and_then(|profile| profile.arn()),
            ),
            vpc: text(instance.vpc_id()),
            subnet: text(instance.subnet_id()).map(SubnetId::new),
            public: text(instance.public_ip_address()).is_some(),
            groups: instance
                .security_groups()
                .iter()
                .filter_map(|group| group.group_id().map(SecurityGroupId::new))
                .collect(),
        })
    }

    /// Returns EC2's checks of a machine; none where EC2 has none of it.
    pub async fn checks(&self, id: &InstanceId) -> Result<Option<Checks>, CloudError> {
        let answer = self
            .ec2
            .describe_instance_status()
            .instance_ids(id.as_str())
            .include_all_instances(true)
            .send()
            .await
            .map_err(|error| CloudError::of("DescribeInstanceStatus", id.as_str(), &error))?;
        let word = |summary: Option<&aws_sdk_ec2::types::InstanceStatusSummary>| {
            let status = summary.and_then(|summary| summary.status());
            status
                .map_or("unknown", |status| status.as_str())
                .to_owned()
        };
        Ok(answer.instance_statuses().first().map(|status| Checks {
            system: word(status.system_status()),
            instance: word(status.instance_status()),
        }))
    }

    /// Returns the routes of a subnet: those of its own table, else those of its VPC's main one.
    pub async fn routes(&self, vpc: &str, subnet: &SubnetId) -> Result<Vec<Route>, CloudError> {
        let own = [filter("association.subnet-id", &[subnet.as_str()])];
        let main = [
            filter("vpc-id", &[vpc]),
            filter("association.main", &["true"]),
        ];
        for filters in [own.to_vec(), main.to_vec()] {
            let answer = self
                .ec2
                .describe_route_tables()
                .set_filters(Some(filters))
                .send()
                .await
                .map_err(|error| CloudError::of("DescribeRouteTables", subnet.as_str(), &error))?;
            if let Some(table) = answer.route_tables().first() {
                return Ok(table.routes().iter().map(read_route).collect());
            }
        }
        Ok(Vec::new())
    }

    /// Returns the interface endpoints of a VPC.
    pub async fn endpoints(&self, vpc: &str) -> Result<Vec<Endpoint>, CloudError> {
        const OPERATION: &str = "DescribeVpcEndpoints";
        let mut found = Vec::new();
        let mut token = None;
        loop {
            let answer = self
                .ec2
                .describe_vpc_endpoints()
                .filters(filter("vpc-id", &[vpc]))
                .filters(filter("vpc-endpoint-type", &["Interface"]))
                .set_next_token(token)
                .send()
                .await
                .map_err(|error| CloudError::of(OPERATION, vpc, &error))?;
            for endpoint in answer.vpc_endpoints() {
                let service = present(endpoint.service_name(), OPERATION, vpc, "ServiceName")?;
                let state = present(endpoint.state(), OPERATION, vpc, "State")?;
                found.push(Endpoint {
                    service: service.to_owned(),
                    // The model spells it `Available`, the service in small letters.
                    state: state.as_str().to_lowercase(),
                    private_names: endpoint.private_dns_enabled() == Some(true),
                });
            }
            token = answer.next_token.filter(|text| !text.is_empty());
            if token.is_none() {
                return Ok(found);
            }
        }
    }

    /// Returns what these security groups let out.
    pub async fn egress(&self, groups: &[SecurityGroupId]) -> Result<Vec<Egress>, CloudError> {
        const OPERATION: &str = "DescribeSecurityGroups";
        if groups.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<String> = groups.iter().map(ToString::to_string).collect();
        let subject = ids.join(", ");
        let answer = self
            .ec2
            .describe_security_groups()
            .set_group_ids(Some(ids))
            .send()
            .await
            .map_err(|error| CloudError::of(OPERATION, subject.as_str(), &error))?;
        let read = |group: &aws_sdk_ec2::types::SecurityGroup| {
            let id = present(group.group_id(), OPERATION, &subject, "GroupId")?;
            Ok(Egress {
                group: SecurityGroupId::new(id),
                https: group.ip_permissions_egress().iter().any(lets_https_out),
            })
        };
        answer.security_groups().iter().map(read).collect()
    }

    /// Returns the last lines of a machine's console. EC2 keeps what was written at boot, and on most instance types
    /// shows the present 64 KB when asked for the latest.
    pub async fn console(&self, id: &InstanceId, lines: usize) -> Result<Vec<String>, CloudError> {
        const OPERATION: &str = "GetConsoleOutput";
        let ask = |latest: bool| {
            let call = self.ec2.get_console_output().instance_id(id.as_str());
            call.set_latest(latest.then_some(true)).send()
        };
        let read = |error| CloudError::of(OPERATION, id.as_str(), &error);
        let answer = match ask(true).await.map_err(read) {
            // Older instance types have no latest (EC2 API reference, `GetConsoleOutput`).
            Err(error) if error.code.as_deref() == Some("UnsupportedOperation") => {
                ask(false).await.map_err(read)?
            }
            other => other?,
        };
        let packed: String = answer
            .output()
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(packed)
            .map_err(|_| CloudError::absent(OPERATION, id.as_str(), "a readable Output"))?;
        let text = String::from_utf8_lossy(&bytes);
        let written: Vec<&str> = text
            .lines()
            .map(str::trim_end)
            .filter(|line| !line.is_empty())
            .collect();
        let from = written.len().saturating_sub(lines);
        Ok(written[from..].iter().map(ToString::to_string).collect())
    }
}

fn read_route(route: &aws_sdk_ec2::types::Route) -> Route {
    let destination = route
        .destination_cidr_block()
        .or_else(|| route.destination_ipv6_cidr_block());
    let target = [
        route.gateway_id(),
        route.nat_gateway_id(),
        route.transit_gateway_id(),
        route.egress_only_internet_gateway_id(),
        route.vpc_peering_connection_id(),
        route.network_interface_id(),
        route.instance_id(),
        route.local_gateway_id(),
        route.carrier_gateway_id(),
        route.core_network_arn(),
    ];
    Route {
        destination: destination.unwrap_or_default().to_owned(),
        target: target
            .into_iter()
            .flatten()
            .find(|text| !text.is_empty())
            .unwrap_or_default()
            .to_owned(),
        active: route.state() != Some(&aws_sdk_ec2::types::RouteState::Blackhole),
    }
}

/// A rule for every protocol has no ports; one for TCP names them (EC2 API reference, `IpPermission`).
fn lets_https_out(rule: &aws_sdk_ec2::types::IpPermission) -> bool {
    let to_anyone = !rule.ip_ranges().is_empty()
        || !rule.ipv6_ranges().is_empty()
        || !rule.prefix_list_ids().is_empty()
        || !rule.user_id_group_pairs().is_empty();
    let port = match rule.ip_protocol() {
        Some("-1") => true,
        Some("tcp" | "6") => {
            rule.from_port().unwrap_or(0) <= 443 && rule.to_port().unwrap_or(65_535) >= 443
        }
        _ => false,
    };
    to_anyone && port
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::{IpPermission, IpRange};

    use super::*;

    #[test]
    fn a_rule_lets_https_out_by_protocol_port_and_somebody_to_go_to() {
        let range = || IpRange::builder().cidr_ip("10.0.0.0/8").build();
        let rule = |protocol: &str| IpPermission::builder().ip_protocol(protocol);
        assert!(lets_https_out(&rule("-1").ip_ranges(range()).build()));
        assert!(!lets_https_out(&rule("-1").build()));
        let tcp = |from, to| {
            let ports = rule("tcp").from_port(from).to_port(to);
            lets_https_out(&ports.ip_ranges(range()).build())
        };
        assert!(tcp(443, 443) && tcp(0, 65_535) && !tcp(80, 80) && !tcp(444, 500));
        assert!(!lets_https_out(
            &rule("udp")
                .from_port(443)
                .to_port(443)
                .ip_ranges(range())
                .build()
        ));
    }
}
