//! Events: what Beanstalk says about an environment, in its own words, newest first.

use super::environments::Environment;
use super::{invalid, paged};
use crate::sandbox::clock;
use crate::sandbox::state::State;
use crate::sandbox::wire::xml::Xml;
use crate::sandbox::wire::{ApiError, Call, moment};

/// How grave an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    Info,
    Warn,
    Error,
}

impl Severity {
    fn name(self) -> &'static str {
        match self {
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
        }
    }

    /// The severity that a filter asks for at least.
    fn least(name: &str) -> Option<Self> {
        match name {
            "TRACE" | "DEBUG" | "INFO" => Some(Self::Info),
            "WARN" => Some(Self::Warn),
            "ERROR" | "FATAL" => Some(Self::Error),
            _ => None,
        }
    }
}

/// An event of an environment.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) at: jiff::Timestamp,
    pub(crate) severity: Severity,
    pub(crate) message: String,
    pub(crate) application: String,
    pub(crate) environment: String,
    pub(crate) environment_id: String,
    pub(crate) version_label: Option<String>,
    /// The request that caused it; none for what the environment does by itself.
    pub(crate) request_id: Option<String>,
}

impl State {
    /// Says something about an environment; what happens in an operation carries the id of its request.
    pub(crate) fn say(
        &mut self,
        environment: &Environment,
        severity: Severity,
        message: impl Into<String>,
    ) {
        let request_id = environment
            .operation
            .as_ref()
            .map(|operation| operation.request_id.clone());
        self.events.push(Event {
            at: clock::now(),
            severity,
            message: message.into(),
            application: environment.application.clone(),
            environment: environment.name.clone(),
            environment_id: environment.id.clone(),
            version_label: environment.version_label.clone(),
            request_id,
        });
    }

    /// A balancer could not be started.
    pub(crate) fn report_balancer_failure(&mut self, environment_id: &str, error: &std::io::Error) {
        if let Some(environment) = self.environments.remove(environment_id) {
            let message = format!("Creating load balancer failed Reason: {error}");
            self.say(&environment, Severity::Error, message);
            self.environments
                .insert(environment_id.to_owned(), environment);
        }
    }
}

/// `DescribeEvents`.
pub(super) fn describe(state: &State, call: &Call) -> Result<Xml, ApiError> {
    let query = &call.query;
    let time = |name: &str| {
        query
            .get(name)
            .map(|text| {
                text.parse::<jiff::Timestamp>()
                    .map_err(|_| invalid(format!("{name} '{text}' is not a valid timestamp.")))
            })
            .transpose()
    };
    let (start, end) = (time("StartTime")?, time("EndTime")?);
    let least = query
        .get("Severity")
        .map(|name| {
            Severity::least(name).ok_or_else(|| invalid(format!("Severity '{name}' is not valid.")))
        })
        .transpose()?;
    let asked = |name: &str, value: Option<&str>| {
        query.get(name).is_none_or(|wanted| value == Some(wanted))
    };
    let found = state
        .events
        .iter()
        .rev()
        .filter(|event| {
            asked("ApplicationName", Some(&event.application))
                && asked("EnvironmentName", Some(&event.environment))
                && asked("EnvironmentId", Some(&event.environment_id))
                && asked("VersionLabel", event.version_label.as_deref())
                && asked("RequestId", event.request_id.as_deref())
                && start.is_none_or(|start| event.at >= start)
                && end.is_none_or(|end| event.at < end)
                && least.is_none_or(|least| event.severity >= least)
        })
        .collect();
    let (page, token) = paged(call, found)?;
    let mut xml = Xml::new();
    xml.list("Events", "member", page, |xml, event: &Event| {
        xml.text("EventDate", moment(event.at))
            .text("Message", &event.message)
            .text("ApplicationName", &event.application)
            .optional("VersionLabel", event.version_label.as_ref())
            .text("EnvironmentName", &event.environment)
            .optional("RequestId", event.request_id.as_ref())
            .text("Severity", event.severity.name());
    })
    .optional("NextToken", token);
    Ok(xml)
}
