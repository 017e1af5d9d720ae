//! From what was seen of a machine to what may be wrong with it: pure, the likeliest first.

use super::Finding;
use super::facts::Facts;
use crate::cloud::{Endpoint, InstanceState, Placement, Route};

/// What the agent calls, beside the service's name (Systems Manager user guide, "Create VPC endpoints"). Agents before
/// 3.3.40.0 also call `ec2messages`.
const SERVICES: [&str; 2] = ["ssm", "ssmmessages"];

/// Lines of a console that say why a machine never came up, and what they mean.
const CONSOLE: [(&str, &str); 8] = [
    ("Kernel panic", "its kernel panicked"),
    ("emergency mode", "it booted into emergency mode"),
    ("emergency.target", "it booted into emergency mode"),
    (
        "Give root password for maintenance",
        "it waits at a maintenance prompt",
    ),
    ("No space left on device", "its disk is full"),
    (
        "Failed to start amazon-ssm-agent",
        "its agent cannot be started",
    ),
    (
        "Dependency failed for Local File Systems",
        "a file system of /etc/fstab is missing",
    ),
    ("Out of memory", "it ran out of memory"),
];

/// Returns what may keep the agent from answering, the likeliest first.
pub(super) fn found(agent: &str, facts: &Facts) -> Vec<Finding> {
    let mut list = Vec::new();
    list.extend(not_running(facts));
    list.extend(console(facts));
    list.extend(checks(facts));
    list.extend(profile(facts));
    list.extend(network(facts));
    if list.is_empty() {
        list.push(nothing_seen(agent, facts));
    }
    list
}

fn finding(what: impl Into<String>, way_out: impl Into<String>) -> Finding {
    Finding {
        what: what.into(),
        way_out: way_out.into(),
    }
}

fn not_running(facts: &Facts) -> Option<Finding> {
    let state = facts.state.as_ref().ok()?;
    (*state != InstanceState::Running).then(|| {
        finding(
            format!("the machine is {}", state.as_str()),
            "a machine that somebody stopped is started again by `goldseed resume`",
        )
    })
}

/// What the machine itself wrote is the best witness.
fn console(facts: &Facts) -> Option<Finding> {
    let lines = facts.console.as_ref().ok()?;
    let said = lines.iter().rev().find_map(|line| {
        let (_, meaning) = CONSOLE.iter().find(|(mark, _)| line.contains(mark))?;
        Some((*meaning, line))
    });
    said.map(|(meaning, line)| {
        finding(
            format!("its console says that {meaning}: {line}"),
            "look at the whole console (`aws ec2 get-console-output`): the image that the seed begins with does not boot well",
        )
    })
}

fn checks(facts: &Facts) -> Option<Finding> {
    let checks = facts.checks.as_ref().ok()?.as_ref()?;
    if checks.system == "impaired" {
        return Some(finding(
            "EC2's check of the host is impaired: AWS's hardware or network is at fault",
            "stop the machine and start it again: it comes up on another host; then `goldseed resume`",
        ));
    }
    (checks.instance == "impaired").then(|| {
        finding(
            "EC2's check of the machine is impaired: its network does not answer, so it did not boot well",
            "look at its console; a file system of /etc/fstab that is waited for is a common cause (`nofail`)",
        )
    })
}

fn profile(facts: &Facts) -> Option<Finding> {
    let placement = facts.placement.as_ref().ok()?;
    placement.profile.is_none().then(|| {
        finding(
            "no instance profile is attached: the agent has no right to register",
            "set `instance-profile:` below `seed:` in goldseed.yaml to one that has AmazonSSMManagedInstanceCore, and start another run",
        )
    })
}

fn network(facts: &Facts) -> Vec<Finding> {
    let mut list = Vec::new();
    if let Ok(egress) = &facts.egress
        && !egress.is_empty()
        && !egress.iter().any(|group| group.https)
    {
        let groups: Vec<&str> = egress.iter().map(|group| group.group.as_str()).collect();
        list.push(finding(
            format!(
                "no security group of it lets HTTPS out: {}",
                groups.join(", ")
            ),
            "add an egress rule for TCP 443 to one of them",
        ));
    }
    let (Ok(placement), Ok(routes)) = (&facts.placement, &facts.routes) else {
        return list;
    };
    let endpoints = facts.endpoints.as_deref().unwrap_or_default();
    list.extend(route(placement, routes, endpoints, facts));
    list.extend(endpoints_of_the_agent(endpoints, facts));
    list
}

/// Without a way out of the subnet, the endpoints are the only one.
fn route(
    placement: &Placement,
    routes: &[Route],
    endpoints: &[Endpoint],
    facts: &Facts,
) -> Option<Finding> {
    let missing = missing(endpoints, &facts.region);
    if missing.is_empty() {
        return None;
    }
    let subnet = placement
        .subnet
        .as_ref()
        .map_or("its subnet", |subnet| subnet.as_str());
    let out: Vec<&Route> = routes
        .iter()
        .filter(|route| matches!(route.destination.as_str(), "0.0.0.0/0" | "::/0"))
        .collect();
    let endpoints_or = |way: &str| {
        format!(
            "{way}, or give its VPC the interface endpoints {}",
            missing.join(", ")
        )
    };
    if out.is_empty() {
        let seen = match &facts.endpoints {
            Ok(_) => format!("and its VPC lacks the endpoints {}", missing.join(", ")),
            Err(_) => "whether its VPC has endpoints instead is not known".to_owned(),
        };
        return Some(finding(
            format!("{subnet} has no route to the internet or a NAT gateway, {seen}"),
            endpoints_or("add a default route, take another `subnet:` below `seed:`"),
        ));
    }
    if !out.iter().any(|route| route.active) {
        return Some(finding(
            format!(
                "the default route of {subnet} leads nowhere: {} is gone",
                out[0].target
            ),
            endpoints_or("mend the route"),
        ));
    }
    let only_gateway = out
        .iter()
        .filter(|route| route.active)
        .all(|route| route.target.starts_with("igw-"));
    (only_gateway && !placement.public).then(|| {
        finding(
            format!(
                "{subnet} goes out by an internet gateway, and the machine has no public address"
            ),
            endpoints_or("take a subnet that gives public addresses, or one behind a NAT gateway"),
        )
    })
}

/// An endpoint takes the service's traffic even where there is a route: one that is not well is in the way.
fn endpoints_of_the_agent(endpoints: &[Endpoint], facts: &Facts) -> Option<Finding> {
    let ours = |endpoint: &&Endpoint| {
        SERVICES
            .iter()
            .any(|service| endpoint.service == name(&facts.region, service))
    };
    let unwell = endpoints
        .iter()
        .filter(ours)
        .find(|endpoint| endpoint.state != "available" || !endpoint.private_names)?;
    let why = if unwell.state == "available" {
        "has no private DNS name, so that the agent does not find it".to_owned()
    } else {
        format!("is {}", unwell.state)
    };
    Some(finding(
        format!("the endpoint {} {why}", unwell.service),
        "mend the endpoint; its security group must let TCP 443 in from the machine",
    ))
}

/// The services of the agent for which the VPC has no endpoint.
fn missing(endpoints: &[Endpoint], region: &str) -> Vec<String> {
    SERVICES
        .iter()
        .map(|service| name(region, service))
        .filter(|name| !endpoints.iter().any(|endpoint| endpoint.service == *name))
        .collect()
}

fn name(region: &str, service: &str) -> String {
    format!("com.amazonaws.{region}.{service}")
}

/// Everything that can be seen from outside is well: what is left lies in the profile's policy or on the machine.
fn nothing_seen(agent: &str, facts: &Facts) -> Finding {
    if agent.starts_with("registered") {
        return finding(
            "its agent has registered and does not answer any more",
            "look at the machine's load and memory; reboot it, then `goldseed resume`",
        );
    }
    let seen = if facts.unseen().is_empty() {
        "all that can be seen from outside is well"
    } else {
        "what could be looked at is well"
    };
    finding(
        format!(
            "{seen}: the role of its instance profile may lack AmazonSSMManagedInstanceCore, or the image carries no \
             agent, or one that is disabled"
        ),
        "add the policy to the role, or enable amazon-ssm-agent in the image that the seed begins with; where its VPC \
         has endpoints of Systems Manager, their security group must let TCP 443 in",
    )
}

#[cfg(test)]
mod tests;
