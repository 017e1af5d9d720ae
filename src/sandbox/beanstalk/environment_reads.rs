//! The calls that only read about one environment: its name, its resources, its managed actions.

use super::environments::Tier;
use super::{invalid, named};
use crate::sandbox::state::State;
use crate::sandbox::wire::xml::Xml;
use crate::sandbox::wire::{ApiError, Call, moment};

/// `CheckDNSAvailability`.
pub(super) fn check_name(state: &State, call: &Call) -> Result<Xml, ApiError> {
    let prefix = call.query.required("CNAMEPrefix")?;
    let taken = state
        .environments
        .values()
        .any(|one| one.exists() && one.cname_prefix == prefix);
    let mut xml = Xml::new();
    xml.text("Available", !taken).text(
        "FullyQualifiedCNAME",
        format!("{prefix}.{}.elasticbeanstalk.com", state.region),
    );
    Ok(xml)
}

/// `DescribeEnvironmentResources`.
pub(super) fn resources(state: &State, call: &Call) -> Result<Xml, ApiError> {
    let id = named(state, &call.query)?;
    let environment = state
        .environments
        .get(&id)
        .ok_or_else(|| invalid(format!("No Environment found for EnvironmentId = '{id}'.")))?;
    let ids = environment.members.iter().map(|member| &member.instance_id);
    let balancers = environment
        .is_balanced()
        .then(|| format!("awseb-{}", environment.id.trim_start_matches("e-")));
    let queues: Vec<(String, String)> = if environment.tier == Tier::Worker {
        let name = format!("awseb-{}-stack-AWSEBWorkerQueue", environment.id);
        let url = format!(
            "https://sqs.{}.amazonaws.com/{}/{name}",
            state.region, state.account
        );
        vec![("WorkerQueue".to_owned(), url)]
    } else {
        Vec::new()
    };
    let mut xml = Xml::new();
    xml.within("EnvironmentResources", |xml| {
        xml.text("EnvironmentName", &environment.name);
        list(xml, "AutoScalingGroups", "Name", [&environment.group_name]);
        list(xml, "Instances", "Id", ids);
        xml.texts("LaunchConfigurations", "member", [""; 0]);
        let template = crate::sandbox::ec2::templates::template_id(&environment.id);
        list(xml, "LaunchTemplates", "Id", [template]);
        list(xml, "LoadBalancers", "Name", balancers);
        xml.texts("Triggers", "member", [""; 0]);
        xml.list("Queues", "member", queues, |xml, (name, url)| {
            xml.text("Name", name).text("URL", url);
        });
    });
    Ok(xml)
}

fn list<T: std::fmt::Display>(
    xml: &mut Xml,
    name: &str,
    field: &str,
    entries: impl IntoIterator<Item = T>,
) {
    xml.list(name, "member", entries, |xml, entry| {
        xml.text(field, entry);
    });
}

/// `DescribeEnvironmentManagedActions`.
pub(super) fn managed_actions(state: &State, call: &Call) -> Result<Xml, ApiError> {
    let id = named(state, &call.query)?;
    let wanted = call.query.get("Status");
    let actions = state
        .environments
        .get(&id)
        .map(|one| one.managed_actions.as_slice())
        .unwrap_or_default()
        .iter()
        .filter(|action| wanted.is_none_or(|status| action.status == status));
    let mut xml = Xml::new();
    xml.list("ManagedActions", "member", actions, |xml, action| {
        xml.text("ActionId", &action.id)
            .text("ActionDescription", &action.kind)
            .text("ActionType", &action.kind)
            .text("Status", &action.status)
            .text("WindowStartTime", moment(action.window));
    });
    Ok(xml)
}
