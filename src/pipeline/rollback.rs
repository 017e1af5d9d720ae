//! Rollback: taking back a promotion that was not well, and making an earlier base image current again on request.
//!
//! What was there before is what we go back to: the earlier id, or, if that was the platform's own, the option
//! removed. Afterwards the image is in quarantine, so that the next scheduled run cannot bring it back by itself.

mod by_hand;
mod target;

use std::time::Duration;

use super::preflight::{self, Ready};
use super::{Context, PipelineError, Promoted, quarantine, swap, watch};
pub use by_hand::{for_a_person, under_way};

use crate::cloud::{ConfigurationSet, ErrorKind, Look, Wait, WaitError};
use crate::id::ImageId;
use crate::pace::Schedule;
use crate::record::LedgerKind;
use crate::run::{Held, LeaseError, NewEntry, Run};

/// A rolling update of many batches takes long, each up to its time-out of an hour at most.
const SETTLES: Schedule = Schedule {
    first: Duration::from_secs(5),
    every: Duration::from_secs(15),
    within: Duration::from_hours(3),
};

/// Takes back a promotion that was not well. Returns the error that the run ends with.
pub(super) async fn take_back(
    run: &mut Run,
    context: &Context<'_>,
    ready: &Ready,
    held: Held,
    reason: String,
) -> PipelineError {
    context.cloud.events().warn(format!(
        "{} is not well with {} and is taken back to {}: {reason}",
        context.plan.environment, ready.target, ready.previous
    ));
    match go_back(run, context, ready, held, &reason).await {
        Ok(watch::Verdict::Well) => PipelineError::RolledBack {
            image: ready.target.clone(),
            previous: ready.previous.clone(),
            reason,
        },
        Ok(watch::Verdict::Unwell(after)) => PipelineError::RollbackFailed {
            image: ready.target.clone(),
            previous: ready.previous.clone(),
            reason: format!("{reason}; and of going back: {after}"),
        },
        // A lost connection does not make it a failed rollback: the run can go on.
        Err(error) => error,
    }
}

async fn go_back(
    run: &mut Run,
    context: &Context<'_>,
    ready: &Ready,
    mut held: Held,
    reason: &str,
) -> Result<watch::Verdict, PipelineError> {
    let way = swap::Way::back(ready);
    let failed = ready
        .target
        .image()
        .filter(|image| **image != ready.previous_image)
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
            swap::give_back(context, held).await;
            let after = format!("the update back was refused, and nothing was changed: {error}");
            return Ok(watch::Verdict::Unwell(after));
        }
        other => other?,
    };
    let verdict = swap::watched(run, context, ready, &way, &mut held).await?;
    if verdict != watch::Verdict::Well {
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
        reason: reason.to_owned(),
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
        PipelineError::Wait(WaitError::Expired { .. }) => true,
        _ => false,
    }
}

/// Clears the way back: no update is under way, and no draft of ours is left beside the deployed settings. `begun`: an
/// earlier process of this run may have sent the update back.
pub(super) async fn clear(
    context: &Context<'_>,
    held: &mut Held,
    ready: &Ready,
    begun: bool,
) -> Result<(), PipelineError> {
    settle(context, held, ready, begun).await?;
    no_failed_draft(context, held, &ready.target_image).await
}

/// Deletes the draft of an update to this image that failed, if Beanstalk keeps one.
pub(super) async fn no_failed_draft(
    context: &Context<'_>,
    held: &mut Held,
    image: &ImageId,
) -> Result<(), PipelineError> {
    let Context { cloud, plan, .. } = *context;
    let environment = cloud
        .environment(&plan.environment, plan.application.as_deref())
        .await?;
    let sets = cloud.configuration_sets(&environment).await?;
    let ours = |set: &ConfigurationSet| set.has_failed() && set.image().as_ref() == Some(image);
    if !sets.iter().any(ours) {
        return Ok(());
    }
    held.renew().await?;
    match cloud.ensure_no_draft(&environment, held.guard()).await {
        // Lost connections are tried again with the step; a draft that stays is no reason not to go back.
        Err(error) if !error.is_transient() => {
            cloud.events().warn(format!(
                "the settings of a failed update to {image} are still kept beside the deployed ones: {error}"
            ));
            Ok(())
        }
        other => Ok(other?),
    }
}

/// Waits until an update under way is over. Ours is aborted where it can be, and Beanstalk goes back by itself;
/// somebody else's is left to end. Ours is one that is to bring our image: where the deployed settings name it already,
/// our update is over, and what is under way since is another one.
async fn settle(
    context: &Context<'_>,
    held: &mut Held,
    ready: &Ready,
    begun: bool,
) -> Result<(), PipelineError> {
    let Context { cloud, plan, .. } = *context;
    let environment = cloud
        .environment(&plan.environment, plan.application.as_deref())
        .await?;
    if !environment.is_ready() && environment.abortable {
        let sets = cloud.configuration_sets(&environment).await?;
        let of_ours = |set: &&ConfigurationSet| set.image().as_ref() == Some(&ready.target_image);
        let goes_back = |set: &ConfigurationSet| match set.image() {
            Some(image) => image == ready.previous_image,
            None => ready.previous.image().is_none(),
        };
        let back = begun && sets.iter().any(|set| set.is_pending() && goes_back(set));
        let mut sets = sets.iter().filter(of_ours);
        let ours = sets.clone().any(ConfigurationSet::is_pending)
            && !sets.any(ConfigurationSet::is_deployed);
        if ours {
            held.renew().await?;
            match cloud.abort_update(&ready.environment, held.guard()).await {
                // It ended in the meantime, or reached its clean-up, where it cannot be aborted: it is waited for.
                Err(error) if matches!(error.kind, ErrorKind::WrongState | ErrorKind::Refused) => {}
                Err(error) if error.kind == ErrorKind::Denied => cloud.events().warn(format!(
                    "the update of {} to {} is not aborted but waited for: {error}",
                    plan.environment, ready.target
                )),
                other => other?,
            }
        } else if back {
            cloud.events().note(format!(
                "an update of {} to {} is under way already, as this run has asked for: it is waited for",
                plan.environment, ready.previous
            ));
        } else {
            cloud.events().warn(format!(
                "the update of {} that is under way is not of this run: it is waited for",
                plan.environment
            ));
        }
    }
    let wait = Wait {
        subject: format!("environment {}", plan.environment),
        schedule: SETTLES,
        in_a_row: 1,
        unseen_for: Duration::ZERO,
    };
    let settled = cloud.poll_until(wait, async || {
        match held.renew().await {
            Err(LeaseError::Cloud(error)) if error.is_transient() => {}
            Err(LeaseError::Cloud(error)) => return Err(error),
            Err(error) => return Ok(Look::Never(error.to_string())),
            Ok(()) => {}
        }
        let seen = cloud
            .environment(&plan.environment, plan.application.as_deref())
            .await?;
        Ok(if seen.is_ready() {
            Look::Ready(())
        } else if seen.is_gone() {
            Look::Never(format!("it is {}", seen.status))
        } else {
            Look::pending(seen.status)
        })
    });
    settled.await?;
    Ok(())
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
                        preflight::refuse(list)?;
                        for due in preflight::due_updates(&facts) {
                            context
                                .cloud
                                .events()
                                .warn(format!("{}; the rollback is done all the same", due.reason));
                        }
                        preflight::ready(context, &facts, target, from).await
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
    if let watch::Verdict::Unwell(after) = verdict {
        // What runs now is not known to be the target: neither the ledger nor the quarantine may say so.
        swap::give_back(context, held).await;
        return Err(PipelineError::RollbackUnwell {
            environment: context.plan.environment.clone(),
            previous: ready.previous.clone(),
            target: ready.target.clone(),
            reason: after,
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
