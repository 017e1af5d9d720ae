//! Rollback: taking back a promotion that was not well, and making an earlier base image current again on request.
//!
//! What was there before is what we go back to: the earlier id, or, if that was the platform's own, the option
//! removed. Afterwards the image is in quarantine, so that the next scheduled run cannot bring it back by itself.

use std::time::Duration;

use super::preflight::{self, Ready, Refusal};
use super::{Context, PipelineError, Promoted, quarantine, swap, watch};
use crate::cloud::{ErrorKind, ImageState, Look, Wait, tags};
use crate::id::ImageId;
use crate::pace::Schedule;
use crate::record::{BaseImage, LedgerKind};
use crate::run::{Held, LeaseError, Ledger, NewEntry, Run};

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
            reason: format!("{reason}; and after going back: {after}"),
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
    let title = format!("go back to {}", ready.previous);
    run.step("rollback/update", title, async || {
        settle(context, &mut held, ready).await?;
        held.renew().await?;
        let way = swap::Way {
            to: &ready.previous,
            to_image: &ready.previous_image,
            from_image: &ready.target_image,
        };
        swap::send(context, &ready.environment, &way, held.guard()).await
    })
    .await?;
    let verdict = run
        .step(
            "rollback/watch",
            format!("watch {}", context.plan.environment),
            async || {
                watch::until_judged(context, &ready.previous_image, ready.least, &mut held).await
            },
        )
        .await?;
    let failed = ready
        .target
        .image()
        .filter(|image| **image != ready.previous_image)
        .cloned();
    if let Some(image) = &failed {
        quarantine::put(run, context, image, reason).await?;
    }
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
        reason: reason.to_owned(),
    };
    swap::write_down(run, context, &entry).await?;
    swap::give_back(context, held).await;
    Ok(verdict)
}

/// Waits until an update under way is over; one that can be aborted is aborted, and Beanstalk goes back by itself.
async fn settle(
    context: &Context<'_>,
    held: &mut Held,
    ready: &Ready,
) -> Result<(), PipelineError> {
    let Context { cloud, plan, .. } = *context;
    let environment = cloud
        .environment(&plan.environment, plan.application.as_deref())
        .await?;
    if !environment.is_ready() && environment.abortable {
        held.renew().await?;
        match cloud.abort_update(&ready.environment, held.guard()).await {
            // It ended in the meantime, or reached its clean-up, where it cannot be aborted: it is waited for.
            Err(error) if matches!(error.kind, ErrorKind::WrongState | ErrorKind::Refused) => {}
            other => other?,
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
    accept_downtime: bool,
) -> Result<Promoted, PipelineError> {
    let id = run.id().clone();
    let ready = run
        .step(
            "preflight/environment",
            "look for what speaks against it",
            async || {
                let facts = preflight::facts(context, accept_downtime, Some(&id)).await?;
                let mut list = preflight::standing_refusals(&facts);
                match choose(context, &facts).await? {
                    Ok(target) => {
                        preflight::refuse(list)?;
                        preflight::ready(context, &facts, target).await
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
    let title = format!(
        "make {} the base image of {}",
        ready.target, context.plan.environment
    );
    run.step("swap/update", title, async || {
        held.renew().await?;
        let way = swap::Way::forward(&ready);
        swap::send(context, &ready.environment, &way, held.guard()).await
    })
    .await?;
    let verdict = run
        .step(
            "watch/health",
            format!("watch {}", context.plan.environment),
            async || {
                watch::until_judged(context, &ready.target_image, ready.least, &mut held).await
            },
        )
        .await?;
    if let watch::Verdict::Unwell(after) = verdict {
        // What runs now is not known to be the target: neither the ledger nor the quarantine may say so.
        swap::give_back(context, held).await;
        return Err(PipelineError::RollbackFailed {
            image: ready.previous.clone(),
            previous: ready.target.clone(),
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
        reason: reason.to_owned(),
    };
    swap::write_down(run, context, &entry).await?;
    swap::give_back(context, held).await;
    Ok(Promoted {
        current: ready.target.clone(),
        previous: ready.previous.clone(),
    })
}

/// Chooses the nearest earlier base image that can still be launched and is not in quarantine.
async fn choose(
    context: &Context<'_>,
    facts: &preflight::Facts,
) -> Result<Result<BaseImage, Refusal>, PipelineError> {
    let Context { cloud, plan, .. } = *context;
    let ledger = Ledger::read(cloud, &plan.pipeline).await?;
    let mut passed_over = Vec::new();
    let deployed = facts
        .deployed()
        .and_then(crate::cloud::ConfigurationSet::image);
    for target in ledger.targets() {
        if target.image().is_some() && target.image() == deployed.as_ref() {
            continue;
        }
        let Some(image) = target.image() else {
            return Ok(Ok(target));
        };
        match unfit(context, image).await? {
            None => return Ok(Ok(target)),
            Some(reason) => passed_over.push(format!("{image} {reason}")),
        }
    }
    let reason = if passed_over.is_empty() {
        format!(
            "the ledger of `{}` names nothing to go back to",
            plan.pipeline
        )
    } else {
        format!("nothing is left to go back to: {}", passed_over.join("; "))
    };
    let way_out = format!(
        "look at `goldseed history {}`; another image can be promoted with --image",
        plan.pipeline
    );
    Ok(Err(Refusal::new(reason, way_out)))
}

/// Why an image cannot be gone back to; none: it can.
async fn unfit(context: &Context<'_>, id: &ImageId) -> Result<Option<String>, PipelineError> {
    let image = match context.cloud.image(id).await {
        Err(error) if error.kind == ErrorKind::NotFound || error.kind == ErrorKind::Refused => {
            return Ok(Some("is gone".into()));
        }
        other => other?,
    };
    Ok(match image.state {
        ImageState::Available => image
            .tags
            .get(tags::QUARANTINED)
            .map(|reason| format!("is in quarantine ({reason})")),
        ImageState::Pending => Some("is pending".into()),
        ImageState::Unusable(state) => Some(format!("is {state}")),
    })
}
