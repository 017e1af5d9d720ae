//! Rollback: taking back a promotion that was not well, and making an earlier base image current again on request.
//!
//! What was there before is what we go back to: the earlier id, or, if that was the platform's own, the option
//! removed. Afterwards the image is in quarantine, so that the next scheduled run cannot bring it back by itself.

mod by_hand;
mod clearing;
mod recorded;
mod target;
mod written;

use super::preflight::{self, Ready};
use super::{Context, Hindered, PipelineError, Promoted, Trouble, probes, quarantine, swap, watch};
pub use by_hand::for_a_person;
pub(super) use clearing::{clear, no_failed_draft};
pub use recorded::{judged, left_behind, under_way, why};
pub(super) use written::failure;

use crate::cloud::{ErrorKind, WaitError};
use crate::record::LedgerKind;
use crate::run::{Held, NewEntry, Run};

/// Why an environment does not stay on the image that it was to be on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failed {
    /// The reason.
    pub(super) reason: String,
    /// What kept AWS from carrying the update out; none where the image is to blame.
    pub(super) trouble: Option<Trouble>,
}

impl Failed {
    /// Reads a verdict; none where the environment is healthy.
    pub(super) fn of(verdict: watch::Verdict) -> Option<Self> {
        let (reason, trouble) = match verdict {
            watch::Verdict::Well => return None,
            watch::Verdict::Unwell(reason) => (reason, None),
            watch::Verdict::Hindered(trouble, reason) => (reason, Some(trouble)),
        };
        Some(Self { reason, trouble })
    }
}

/// Takes back a promotion that was not well. Returns the error that the run ends with.
pub(super) async fn take_back(
    run: &mut Run,
    context: &Context<'_>,
    ready: &Ready,
    held: Held,
    failed: Failed,
) -> PipelineError {
    let environment = &context.plan.environment;
    let Failed { reason, trouble } = &failed;
    context.cloud.events().warn(match trouble {
        None => format!(
            "{environment} is not well with {} and is taken back to {}: {reason}",
            ready.target, ready.previous
        ),
        Some(_) => format!(
            "AWS could not bring {environment} to {}, and it is taken back to {}: {reason}",
            ready.target, ready.previous
        ),
    });
    let verdict = match go_back(run, context, ready, held, &failed).await {
        Ok(verdict) => verdict,
        // A lost connection does not make it a failed rollback: the run can go on.
        Err(error) => return error,
    };
    let Failed { reason, trouble } = failed;
    match (Failed::of(verdict), trouble) {
        (None, None) => PipelineError::RolledBack {
            image: ready.target.clone(),
            previous: ready.previous.clone(),
            reason,
        },
        (None, Some(trouble)) => PipelineError::Hindered(Box::new(Hindered {
            pipeline: context.plan.pipeline.clone(),
            environment: environment.clone(),
            image: ready.target.clone(),
            previous: ready.previous.clone(),
            trouble,
            reason,
        })),
        (Some(after), _) => PipelineError::RollbackFailed {
            image: ready.target.clone(),
            previous: ready.previous.clone(),
            reason: format!("{reason}; and of going back: {}", after.reason),
        },
    }
}

async fn go_back(
    run: &mut Run,
    context: &Context<'_>,
    ready: &Ready,
    mut held: Held,
    Failed { reason, trouble }: &Failed,
) -> Result<watch::Verdict, PipelineError> {
    let way = swap::Way::back(ready);
    // An image that was not judged is not blamed, neither by its tag nor by the ledger.
    let failed = ready
        .target
        .image()
        .filter(|image| **image != ready.previous_image && trouble.is_none())
        .cloned();
    let sent = swap::update(run, context, ready, &way, &mut held).await;
    if let (Some(image), true) = (&failed, sent.as_ref().err().is_none_or(is_of_the_call)) {
        // Before the watch, and also where the update did not get through: whatever ends this, the next scheduled run must
        // not bring the image back.
        let put = quarantine::put(run, context, image, reason).await;
        match (put, &sent) {
            (Err(error), Err(_)) => context
                .cloud
                .events()
                .warn(format!("{image} is not in quarantine yet: {error}")),
            (put, _) => put?,
        }
    }
    match sent {
        // Where the lease was taken over, the process before may still be sending.
        Err(PipelineError::Cloud(error))
            if swap::is_refused(&error) && held.succeeds().is_none() =>
        {
            let after = format!("the update back was refused, and nothing was changed: {error}");
            let text = format!("{reason}; and of going back: {after}");
            failure(run, context, ready, failed, &text).await;
            swap::give_back(context, held).await;
            return Ok(watch::Verdict::Unwell(after));
        }
        other => other?,
    };
    let verdict = swap::watched(run, context, ready, &way, &mut held).await?;
    if let Some(after) = Failed::of(verdict.clone()) {
        let text = format!("{reason}; and of going back: {}", after.reason);
        failure(run, context, ready, failed, &text).await;
        swap::give_back(context, held).await;
        return Ok(verdict);
    }
    let entry = NewEntry {
        current: ready.previous.clone(),
        kind: LedgerKind::RolledBack,
        previous: ready.previous.clone(),
        run: run.id().clone(),
        environment_id: ready.environment.to_string(),
        failed,
        from_environment: None,
        reason: match trouble {
            None => reason.to_owned(),
            Some(_) => format!("{} was not judged: {reason}", ready.target),
        },
    };
    swap::write_down(run, context, &entry).await?;
    swap::give_back(context, held).await;
    Ok(verdict)
}

/// Whether an error is one of the calls to AWS alone, or that their time was up, and none that tells of somebody else at
/// work.
fn is_of_the_call(error: &PipelineError) -> bool {
    match error {
        PipelineError::Cloud(error) | PipelineError::Wait(WaitError::Cloud(error)) => {
            error.kind != ErrorKind::HeldBack
        }
        PipelineError::Wait(WaitError::Expired { .. }) | PipelineError::Stuck(_) => true,
        _ => false,
    }
}

/// Makes an earlier base image current again, because somebody asked for it.
pub(super) async fn to_earlier(
    run: &mut Run,
    context: &Context<'_>,
    reason: &str,
    accepted: &Accepted,
) -> Result<Promoted, PipelineError> {
    let id = run.id().clone();
    let ready = run
        .step(
            "preflight/environment",
            "look for what speaks against it",
            async || {
                let facts = preflight::facts(context, accepted.downtime, Some(&id)).await?;
                let mut list = preflight::standing_refusals(&facts);
                if !accepted.database_restored {
                    list.extend(target::migrated_for_good(context, &facts).await?);
                }
                match target::choose(context, &facts, accepted.from_environment.as_deref()).await? {
                    Ok((target, from)) => {
                        list.extend(preflight::root::of_target(context, &facts, &target).await?);
                        preflight::refuse(list)?;
                        preflight::tell_cost_of_rollback(context, &facts);
                        for due in preflight::due_updates(&facts) {
                            context
                                .cloud
                                .events()
                                .warn(format!("{}; the rollback is done all the same", due.reason));
                        }
                        // What is not reached now is no reason to stay.
                        let probed = probes::before(context, &facts.environment).await;
                        preflight::ready(context, &facts, target, from, &probed).await
                    }
                    Err(refusal) => {
                        list.push(refusal);
                        Err(PipelineError::Refused(list))
                    }
                }
            },
        )
        .await?;
    let mut held = swap::lease(run, context, &ready).await?;
    if swap::is_unsent(run, context, &ready).await? {
        preflight::again::rollback(context, (run, &held), &ready, accepted.downtime).await?;
    }
    let way = swap::Way::forward(&ready);
    swap::update(run, context, &ready, &way, &mut held).await?;
    let verdict = swap::watched(run, context, &ready, &way, &mut held).await?;
    if let Some(failed) = Failed::of(verdict) {
        // What runs now is not known to be the target: neither the ledger nor the quarantine may say so.
        let text = format!("to {}: {}", ready.target, failed.reason);
        failure(run, context, &ready, None, &text).await;
        swap::give_back(context, held).await;
        return Err(PipelineError::RollbackUnwell {
            environment: context.plan.environment.clone(),
            previous: ready.previous.clone(),
            target: ready.target.clone(),
            reason: failed.reason,
        });
    }
    if let Some(image) = ready.previous.image() {
        let reason = if reason.is_empty() {
            "rolled back by hand"
        } else {
            reason
        };
        quarantine::put(run, context, image, reason).await?;
    }
    let entry = NewEntry {
        current: ready.target.clone(),
        kind: LedgerKind::Rollback,
        previous: ready.previous.clone(),
        run: run.id().clone(),
        environment_id: ready.environment.to_string(),
        failed: None,
        from_environment: ready.from_environment.clone(),
        reason: reason.to_owned(),
    };
    swap::write_down(run, context, &entry).await?;
    swap::give_back(context, held).await;
    Ok(Promoted {
        current: ready.target.clone(),
        previous: ready.previous.clone(),
        reminders: Vec::new(),
    })
}

/// What somebody who asks for a rollback has said beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// An outage while instances are replaced is accepted.
    pub downtime: bool,
    /// The database is again as it was before the image that runs now.
    pub database_restored: bool,
    /// An image of this other environment is accepted, by the environment's name.
    pub from_environment: Option<String>,
}
