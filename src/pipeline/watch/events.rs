//! Beanstalk's events while an environment is watched: shown as they come, and read for the cause once an update failed.

use std::collections::BTreeSet;

use super::{Verdict, Watched};
use crate::cloud::EnvironmentEvent;
use crate::event::Event;
use crate::id::EnvironmentId;
use crate::pipeline::{Context, cause};

/// How many bytes a reason may have that goes into the record.
const LONGEST_REASON: usize = 300;

/// Shows Beanstalk's events once each; they are for people and decide nothing.
pub(super) async fn show(
    context: &Context<'_>,
    environment: &EnvironmentId,
    since: jiff::Timestamp,
    shown: &mut BTreeSet<EnvironmentEvent>,
) {
    let Ok(mut list) = context.cloud.environment_events(environment, since).await else {
        // The next poll asks again; what is not shown decides nothing.
        return;
    };
    list.sort();
    for event in list {
        if shown.insert(event.clone()) {
            context.cloud.events().emit(Event::Environment {
                recorded: event.date,
                severity: event.severity,
                message: event.message,
            });
        }
    }
}

/// What the judge has found before Beanstalk's events are read.
pub(super) enum Found {
    /// The environment is not healthy.
    Unhealthy {
        /// The reason.
        reason: String,
        /// Whether an instance of the image, or what it serves, was seen to be so.
        judged: bool,
    },
    /// Beanstalk reverted the update, or the update never came.
    Reverted {
        /// Whether instances of the image were unhealthy when they were seen last.
        judged: bool,
    },
}

/// Turns what the judge found into a verdict: the first errors of the update are the reason where there are any, and
/// where they name a trouble of AWS or of the account, the image is not judged.
pub(super) async fn verdict(context: &Context<'_>, watched: &Watched<'_>, found: Found) -> Verdict {
    let environment = &watched.ready.environment;
    let read = context
        .cloud
        .environment_troubles(environment, watched.since);
    let cause = match read.await {
        Ok(list) => cause::of_events(&list),
        Err(error) => {
            context.cloud.events().warn(format!(
                "Beanstalk's errors could not be read, and the reason lacks them: {error}"
            ));
            None
        }
    };
    let (Found::Unhealthy { judged, .. } | Found::Reverted { judged }) = found;
    let trouble = cause.as_ref().and_then(|cause| cause.trouble);
    let trouble = trouble.filter(|_| !judged);
    let reason = match (cause, found) {
        (Some(cause), Found::Reverted { .. }) => {
            format!("{}; Beanstalk reverted the update", cause.text)
        }
        (Some(cause), Found::Unhealthy { reason, .. }) => format!("{}; {reason}", cause.text),
        (None, Found::Unhealthy { reason, .. }) => reason,
        (None, Found::Reverted { .. }) => format!(
            "the environment is Ready with {}, and Beanstalk reports no error: it reverted the update, or the update never \
             started",
            watched.before
        ),
    };
    let reason = shortened(reason);
    match trouble {
        Some(trouble) => Verdict::Hindered(trouble, reason),
        None => Verdict::Unwell(reason),
    }
}

/// Cuts a reason to what the record has room for.
fn shortened(mut reason: String) -> String {
    if reason.len() > LONGEST_REASON {
        while reason.len() > LONGEST_REASON - "…".len() {
            reason.pop();
        }
        reason.push('…');
    }
    reason
}
