//! An environment's events: what Beanstalk says of it, in words for people.

use aws_sdk_elasticbeanstalk::types as sdk;

use super::super::{Cloud, CloudError};
use crate::id::EnvironmentId;

/// A line of an environment's history. The texts are for people and may change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EnvironmentEvent {
    /// When.
    pub date: jiff::Timestamp,
    /// `INFO`, `WARN`, `ERROR`, …
    pub severity: String,
    /// The text.
    pub message: String,
    /// The request that caused it.
    pub request_id: Option<String>,
}

impl EnvironmentEvent {
    /// Whether it says that something failed.
    pub fn is_error(&self) -> bool {
        matches!(self.severity.as_str(), "ERROR" | "FATAL")
    }
}

impl Cloud {
    /// Returns the environment's latest events, newest first.
    pub async fn environment_events(
        &self,
        environment: &EnvironmentId,
        since: jiff::Timestamp,
    ) -> Result<Vec<EnvironmentEvent>, CloudError> {
        let (events, _) = self
            .events_page(environment, (since, None), None, None)
            .await?;
        Ok(events)
    }

    /// Returns all events of the environment between two moments, oldest first. Beanstalk keeps them for six weeks.
    ///
    /// # Errors
    /// What AWS refused.
    pub async fn environment_events_between(
        &self,
        environment: &EnvironmentId,
        from: jiff::Timestamp,
        to: jiff::Timestamp,
    ) -> Result<Vec<EnvironmentEvent>, CloudError> {
        self.all_events(environment, (from, Some(to)), None).await
    }

    /// Returns all warnings and errors of the environment, oldest first.
    pub async fn environment_troubles(
        &self,
        environment: &EnvironmentId,
        since: jiff::Timestamp,
    ) -> Result<Vec<EnvironmentEvent>, CloudError> {
        let least = Some(sdk::EventSeverity::Warn);
        self.all_events(environment, (since, None), least).await
    }

    async fn all_events(
        &self,
        environment: &EnvironmentId,
        between: (jiff::Timestamp, Option<jiff::Timestamp>),
        least: Option<sdk::EventSeverity>,
    ) -> Result<Vec<EnvironmentEvent>, CloudError> {
        let mut found = Vec::new();
        let mut token = None;
        loop {
            let (events, next) = self
                .events_page(environment, between, least.clone(), token)
                .await?;
            found.extend(events);
            token = next;
            if token.is_none() {
                found.reverse();
                // Of one second the later ones may come first.
                found.sort_by_key(|event| event.date);
                return Ok(found);
            }
        }
    }

    async fn events_page(
        &self,
        environment: &EnvironmentId,
        (from, to): (jiff::Timestamp, Option<jiff::Timestamp>),
        least: Option<sdk::EventSeverity>,
        token: Option<String>,
    ) -> Result<(Vec<EnvironmentEvent>, Option<String>), CloudError> {
        const OPERATION: &str = "DescribeEvents";
        let time =
            |moment: jiff::Timestamp| aws_smithy_types::DateTime::from_secs(moment.as_second());
        let answer = self
            .beanstalk
            .describe_events()
            .environment_id(environment.as_str())
            .start_time(time(from))
            .set_end_time(to.map(time))
            .set_severity(least)
            .set_next_token(token)
            .max_records(100)
            .send()
            .await
            .map_err(|error| CloudError::of(OPERATION, environment.as_str(), &error))?;
        let events = answer.events().iter().filter_map(|event| {
            let date = event.event_date()?;
            Some(EnvironmentEvent {
                date: jiff::Timestamp::from_nanosecond(date.as_nanos()).ok()?,
                severity: event
                    .severity()
                    .map_or("INFO", |severity| severity.as_str())
                    .to_owned(),
                message: event.message()?.to_owned(),
                request_id: event.request_id().map(ToOwned::to_owned),
            })
        });
        let events = events.collect();
        Ok((events, answer.next_token.filter(|text| !text.is_empty())))
    }
}
