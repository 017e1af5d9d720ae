//! `DescribeEnvironmentHealth` and `DescribeInstancesHealth`: with enhanced health reporting only.

use super::behaviour::Behaviour;
use super::environments::Environment;
use super::group::{Member, Signal};
use super::{named, paged};
use crate::sandbox::clock;
use crate::sandbox::ec2::instances::InstanceState;
use crate::sandbox::state::State;
use crate::sandbox::wire::xml::Xml;
use crate::sandbox::wire::{ApiError, Call, moment};

const STATUSES: [&str; 8] = [
    "NoData", "Unknown", "Pending", "Ok", "Info", "Warning", "Degraded", "Severe",
];

/// `DescribeEnvironmentHealth`.
pub(super) fn environment(state: &State, call: &Call) -> Result<Xml, ApiError> {
    let environment = enhanced(state, call)?;
    let wants = attributes(
        call,
        &[
            "Status",
            "Color",
            "Causes",
            "ApplicationMetrics",
            "InstancesHealth",
            "HealthStatus",
            "RefreshedAt",
        ],
    )?;
    let health = environment.health(state);
    let mut xml = Xml::new();
    xml.text("EnvironmentName", &environment.name);
    if wants("HealthStatus") {
        xml.text("HealthStatus", health.status);
    }
    if wants("Status") {
        // The model calls this a status and gives it the colours.
        xml.text("Status", health.color);
    }
    if wants("Color") {
        xml.text("Color", health.color);
    }
    if wants("Causes") {
        xml.texts("Causes", "member", &health.causes);
    }
    if wants("ApplicationMetrics") {
        write_metrics(&mut xml, None);
    }
    if wants("InstancesHealth") {
        let all: Vec<&str> = environment
            .members
            .iter()
            .map(|member| environment.member_health(state, member).status)
            .collect();
        xml.within("InstancesHealth", |xml| {
            for status in STATUSES {
                xml.text(status, all.iter().filter(|one| **one == status).count());
            }
        });
    }
    if wants("RefreshedAt") {
        xml.text("RefreshedAt", moment(clock::now()));
    }
    Ok(xml)
}

/// `DescribeInstancesHealth`.
pub(super) fn instances(state: &State, call: &Call) -> Result<Xml, ApiError> {
    let environment = enhanced(state, call)?;
    let wants = attributes(
        call,
        &[
            "HealthStatus",
            "Color",
            "Causes",
            "ApplicationMetrics",
            "RefreshedAt",
            "LaunchedAt",
            "System",
            "Deployment",
            "AvailabilityZone",
            "InstanceType",
        ],
    )?;
    let there = environment
        .members
        .iter()
        .filter(|member| {
            state
                .instances
                .get(&member.instance_id)
                .is_some_and(|instance| instance.state != InstanceState::Terminated)
        })
        .collect();
    let (page, token) = paged(call, there)?;
    let mut xml = Xml::new();
    xml.list("InstanceHealthList", "member", page, |xml, member| {
        write_instance(state, environment, member, xml, &wants);
    })
    .text("RefreshedAt", moment(clock::now()))
    .optional("NextToken", token);
    Ok(xml)
}

fn write_instance(
    state: &State,
    environment: &Environment,
    member: &Member,
    xml: &mut Xml,
    wants: &impl Fn(&str) -> bool,
) {
    let health = environment.member_health(state, member);
    let instance = state.instances.get(&member.instance_id);
    xml.text("InstanceId", &member.instance_id);
    if wants("HealthStatus") {
        xml.text("HealthStatus", health.status);
    }
    if wants("Color") {
        xml.text("Color", health.color);
    }
    if wants("Causes") {
        xml.texts("Causes", "member", &health.causes);
    }
    if wants("LaunchedAt") {
        xml.optional("LaunchedAt", instance.map(|one| moment(one.launched)));
    }
    if wants("ApplicationMetrics") {
        let answers = match state.behaviour_of_instance(&member.instance_id) {
            Behaviour::Answers { status, .. } if member.signal == Signal::Success => Some(status),
            _ => None,
        };
        write_metrics(xml, answers);
    }
    if wants("System") {
        xml.within("System", |xml| {
            xml.within("CPUUtilization", |xml| {
                xml.text("User", "0.5")
                    .text("System", "0.5")
                    .text("Idle", "99.0");
            })
            .texts("LoadAverage", "member", ["0.01", "0.01"]);
        });
    }
    if wants("Deployment") {
        let status = match member.signal {
            Signal::Waiting => "In Progress",
            Signal::Success => "Deployed",
            Signal::Failure(_) | Signal::TimedOut => "Failed",
        };
        xml.within("Deployment", |xml| {
            xml.optional("VersionLabel", member.version_label.as_ref())
                .text("DeploymentId", environment.deployments)
                .text("Status", status)
                .optional("DeploymentTime", member.deployed.map(moment));
        });
    }
    if wants("AvailabilityZone") {
        xml.optional(
            "AvailabilityZone",
            instance.map(|one| &one.availability_zone),
        );
    }
    if wants("InstanceType") {
        xml.optional("InstanceType", instance.map(|one| &one.size));
    }
}

/// Writes the requests of the last ten seconds: ten that were answered with this status, or none.
fn write_metrics(xml: &mut Xml, answers: Option<u16>) {
    const REQUESTS: u32 = 10;
    let class = answers.map(|status| status / 100);
    xml.within("ApplicationMetrics", |xml| {
        let all = if class.is_some() { REQUESTS } else { 0 };
        xml.text("Duration", 10).text("RequestCount", all);
        xml.within("StatusCodes", |xml| {
            for (name, of) in [
                ("Status2xx", 2),
                ("Status3xx", 3),
                ("Status4xx", 4),
                ("Status5xx", 5),
            ] {
                xml.text(name, if class == Some(of) { REQUESTS } else { 0 });
            }
        });
    });
}

fn enhanced<'a>(state: &'a State, call: &Call) -> Result<&'a Environment, ApiError> {
    let id = named(state, &call.query)?;
    let environment = state
        .environments
        .get(&id)
        .filter(|environment| environment.exists())
        .ok_or_else(|| super::invalid(format!("Environment {id} is terminated.")))?;
    if environment.settings.has_enhanced_health() {
        return Ok(environment);
    }
    Err(ApiError::new(
        "InvalidRequestException",
        format!(
            "{} cannot be called on an environment without enhanced health reporting.",
            call.operation
        ),
    ))
}

/// Which attributes are asked for; none named means none but the id, `All` means all.
fn attributes(call: &Call, known: &[&str]) -> Result<impl Fn(&str) -> bool, ApiError> {
    let names = call.query.list("AttributeNames.member");
    if let Some(unknown) = names
        .iter()
        .find(|name| *name != "All" && !known.contains(&name.as_str()))
    {
        return Err(ApiError::new(
            "InvalidRequestException",
            format!("The attribute name {unknown} is not valid."),
        ));
    }
    let all = names.iter().any(|name| name == "All");
    Ok(move |wanted: &str| all || names.iter().any(|name| name == wanted))
}
