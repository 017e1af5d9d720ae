//! What a run's record says of a change of its environment: how far it has come, and why it failed. Pure.

use super::Failed;
use crate::id::{EnvironmentId, StepId};
use crate::pipeline::preflight::Ready;
use crate::pipeline::remains;
use crate::pipeline::watch::Verdict as Seen;
use crate::record::{RunRecord, Verdict};

const FORTH: &str = "swap/update";
const BACK: &str = "rollback/update";

/// How far the taking back of an unfinished run has come; none: it has not begun.
pub fn under_way(record: &RunRecord, environment: &str) -> Option<String> {
    record.step(&StepId::new(BACK))?;
    let ready = remains::output::<Ready>(record, "preflight/environment")?;
    let (target, previous) = (&ready.target, &ready.previous);
    Some(if record.is_done(BACK) {
        format!(
            "{environment} was not well with {target} and is being taken back to {previous}, and nobody is watching it"
        )
    } else if record.has_ended(BACK) {
        format!(
            "{environment} was not well with {target}; no update back to {previous} was sent, and nobody is watching it"
        )
    } else {
        format!(
            "{environment} is not well with {target}; whether the update back to {previous} was sent is not known, and \
             nobody is watching it"
        )
    })
}

/// What an unfinished run knows of the environment once its watch is over; none: it is not over.
pub fn judged(record: &RunRecord, environment: &str) -> Option<String> {
    let verdict = remains::output::<Seen>(record, "watch/health")?;
    let target = remains::output::<Ready>(record, "preflight/environment")?.target;
    Some(match verdict {
        Seen::Well => format!(
            "{environment} runs {target} and was healthy until the end of its watch; only the last steps of the run are missing"
        ),
        Seen::Unwell(_) => {
            format!("{environment} is unhealthy on {target}, and the rollback has not started")
        }
        Seen::Hindered(..) => format!(
            "AWS did not carry out the update of {environment} to {target}, and the rollback has not started"
        ),
    })
}

/// What an unfinished run has done to this environment; none where it has not begun to change it, or has ended.
pub fn left_behind(record: &RunRecord, environment: &EnvironmentId) -> Option<String> {
    let begun = |step: &str| record.step(&StepId::new(step)).is_some();
    if record.verdict.is_some() || !begun(FORTH) || record.has_ended(FORTH) {
        return None;
    }
    let ready = remains::output::<Ready>(record, "preflight/environment")?;
    if ready.environment != *environment {
        return None;
    }
    let (target, previous) = (&ready.target, &ready.previous);
    Some(if record.is_done(BACK) {
        format!("{target} was not well, and an update back to {previous} was sent")
    } else if record.has_ended(BACK) {
        format!("{target} was not well, and no update back to {previous} was sent")
    } else if begun(BACK) {
        format!("{target} was not well, and an update back to {previous} may have been sent")
    } else if record.is_done(FORTH) {
        format!("an update from {previous} to {target} was sent, and {target} was not judged")
    } else {
        format!("an update from {previous} to {target} may have been sent")
    })
}

/// Why a run that has ended did not bring what was asked for, where its record says so.
pub fn why(record: &RunRecord) -> Option<String> {
    if !matches!(
        record.verdict,
        Some(Verdict::RolledBack | Verdict::RollbackFailed)
    ) {
        return None;
    }
    let of = |step| {
        let verdict = remains::output::<Seen>(record, step)?;
        Failed::of(verdict).map(|failed| failed.reason)
    };
    let first = of("watch/health")?;
    Some(match of("rollback/watch") {
        Some(after) => format!("{first}; and of going back: {after}"),
        None if record.has_ended(BACK) => format!("{first}; AWS refused the update back"),
        None => first,
    })
}
