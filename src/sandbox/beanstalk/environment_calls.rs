//! The calls on environments: create, describe, terminate.

use super::application_calls::no_application;
use super::environments::{Environment, Status, Tier};
use super::events::Severity;
use super::operation::{Operation, Work};
use super::platforms::Platform;
use super::rolling::{Reach, Rollout};
use super::settings::Settings;
use super::{invalid, named, paged};
use crate::sandbox::clock;
use crate::sandbox::ec2::network::SecurityGroup;
use crate::sandbox::ec2::tags::Tags;
use crate::sandbox::jobs::Job;
use crate::sandbox::state::State;
use crate::sandbox::wire::query::Query;
use crate::sandbox::wire::xml::Xml;
use crate::sandbox::wire::{ApiError, Call};

/// `CreateEnvironment`.
pub(super) fn create(state: &mut State, call: &Call) -> Result<Xml, ApiError> {
    let query = &call.query;
    let application = query.required("ApplicationName")?;
    if !state.applications.contains_key(application) {
        return Err(no_application(application));
    }
    let name = query.required("EnvironmentName")?;
    check_environment_name(name)?;
    if state
        .environments
        .values()
        .any(|one| one.exists() && one.name == name)
    {
        return Err(invalid(format!("Environment {name} already exists.")));
    }
    let version_label = query.owned("VersionLabel");
    if let Some(label) = &version_label
        && state.version(application, label).is_none()
    {
        return Err(no_version(label));
    }
    let platform = platform(state, query)?.unwrap_or_else(Platform::newest);
    let settings = Settings::default().changed_by(query)?;
    let tier = match query.get("Tier.Name") {
        None | Some("WebServer") => Tier::Web,
        Some("Worker") => Tier::Worker,
        Some(other) => return Err(invalid(format!("The tier {other} is not known."))),
    };
    let tags = tags(query)?;
    let id = format!("e-{}", state.new_word(10));
    let security_group = state.new_id("sg");
    let group_word = state.new_word(12).to_uppercase();
    state.security_groups.push(SecurityGroup {
        id: security_group.clone(),
        name: format!("awseb-{id}-stack-AWSEBSecurityGroup-{group_word}"),
        description: "SecurityGroup for ElasticBeanstalk environment.".to_owned(),
        tags: Tags::from([(
            "elasticbeanstalk:environment-name".to_owned(),
            name.to_owned(),
        )]),
    });
    let now = clock::now();
    let mut environment = Environment {
        id: id.clone(),
        name: name.to_owned(),
        application: application.to_owned(),
        description: query.owned("Description"),
        tier,
        cname_prefix: query
            .owned("CNAMEPrefix")
            .unwrap_or_else(|| name.to_owned()),
        platform,
        version_label,
        status: Status::Launching,
        created: now,
        updated: now,
        tags,
        settings,
        failed: None,
        group_name: format!("awseb-{id}-stack-AWSEBAutoScalingGroup-{group_word}"),
        security_group,
        stack: String::new(),
        members: Vec::new(),
        operation: None,
        generation: 1,
        deployments: 1,
        balancer: None,
        reported_health: "Pending",
        launch_failure: None,
        managed_actions: Vec::new(),
    };
    environment.renew_stack(state);
    let rollout = Rollout::new(super::settings::Policy::Health, 1, Reach::Instances);
    environment.begin(&call.request_id, Work::Launch(rollout));
    state.say(
        &environment,
        Severity::Info,
        "createEnvironment is starting.",
    );
    let bucket = state.bucket();
    state.say(
        &environment,
        Severity::Info,
        format!("Using {bucket} as Amazon S3 storage bucket for environment data."),
    );
    let group = environment.group_name.clone();
    state.say(
        &environment,
        Severity::Info,
        format!("Created Auto Scaling group named: {group}"),
    );
    state.say(
        &environment,
        Severity::Info,
        "Waiting for EC2 instances to launch. This may take a few minutes.",
    );
    if environment.is_balanced() {
        state.jobs.push(Job::Balance(id.clone()));
    }
    Ok(keep(state, environment))
}

/// `DescribeEnvironments`. With simulated machines each of these looks brings an environment one step on.
pub(super) fn describe(state: &mut State, call: &Call) -> Result<Xml, ApiError> {
    let query = &call.query;
    let ids = query.list("EnvironmentIds.member");
    let names = query.list("EnvironmentNames.member");
    let deleted = query.flag("IncludeDeleted")?;
    let wanted: Vec<String> = state
        .environments
        .values()
        .filter(|one| ids.is_empty() || ids.contains(&one.id))
        .filter(|one| names.is_empty() || names.contains(&one.name))
        .filter(|one| {
            query
                .get("ApplicationName")
                .is_none_or(|name| one.application == name)
        })
        .map(|one| one.id.clone())
        .collect();
    if state.clock == clock::Clock::Polls {
        for id in &wanted {
            state.advance(id);
        }
    }
    let state = &*state;
    let found = wanted
        .iter()
        .filter_map(|id| state.environments.get(id))
        .filter(|one| one.exists() || deleted || ids.contains(&one.id))
        .filter(|one| {
            query
                .get("VersionLabel")
                .is_none_or(|label| one.version_label.as_deref() == Some(label))
        })
        .collect();
    let (page, token) = paged(call, found)?;
    let mut xml = Xml::new();
    xml.list("Environments", "member", page, |xml, one: &Environment| {
        one.write(state, xml);
    })
    .optional("NextToken", token);
    Ok(xml)
}

/// `TerminateEnvironment`.
pub(super) fn terminate(state: &mut State, call: &Call) -> Result<Xml, ApiError> {
    let id = named(state, &call.query)?;
    ready(state, &id)?;
    let Some(mut environment) = state.environments.remove(&id) else {
        return Err(invalid(format!(
            "No Environment found for EnvironmentId = '{id}'."
        )));
    };
    environment.status = Status::Terminating;
    let leaving = Vec::new();
    environment.begin(&call.request_id, Work::Terminate { leaving });
    state.say(
        &environment,
        Severity::Info,
        "terminateEnvironment is starting.",
    );
    Ok(keep(state, environment))
}

impl Environment {
    pub(super) fn begin(&mut self, request_id: &str, work: Work) {
        self.operation = Some(Operation {
            request_id: request_id.to_owned(),
            work,
        });
    }
}

/// Puts an environment back into the state, and writes it.
pub(super) fn keep(state: &mut State, environment: Environment) -> Xml {
    let mut xml = Xml::new();
    environment.write(state, &mut xml);
    state
        .environments
        .insert(environment.id.clone(), environment);
    xml
}

/// Finds an environment that takes a new operation.
pub(super) fn ready<'a>(state: &'a State, id: &str) -> Result<&'a Environment, ApiError> {
    let environment = state
        .environments
        .get(id)
        .ok_or_else(|| invalid(format!("No Environment found for EnvironmentId = '{id}'.")))?;
    if environment.status == Status::Ready {
        return Ok(environment);
    }
    Err(invalid(format!(
        "Environment named {} is in an invalid state for this operation. Must be Ready.",
        environment.name
    )))
}

pub(super) fn platform(state: &State, query: &Query) -> Result<Option<Platform>, ApiError> {
    let wanted = query
        .get("PlatformArn")
        .or_else(|| query.get("SolutionStackName"));
    wanted
        .map(|name| {
            Platform::find(name, &state.region)
                .ok_or_else(|| invalid(format!("No Solution Stack named '{name}' found.")))
        })
        .transpose()
}

fn tags(query: &Query) -> Result<Tags, ApiError> {
    query
        .structures("Tags.member")
        .into_iter()
        .map(|tag| {
            let key = tag.required("Key")?.to_owned();
            if key.starts_with("aws:") || key.starts_with("elasticbeanstalk:") {
                return Err(invalid(format!(
                    "Tag key {key} must not begin with aws: or elasticbeanstalk:."
                )));
            }
            Ok((key, tag.owned("Value").unwrap_or_default()))
        })
        .collect()
}

pub(super) fn no_version(label: &str) -> ApiError {
    invalid(format!("No Application Version named '{label}' found."))
}

fn check_environment_name(name: &str) -> Result<(), ApiError> {
    let good = (4..=40).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-');
    if good {
        return Ok(());
    }
    Err(invalid(format!(
        "Value {name} at 'EnvironmentName' failed to satisfy constraint: Member must be from 4 to 40 characters in length. It can contain only letters, numbers, and hyphens. It can't start or end with a hyphen."
    )))
}
