//! Swap: the one `UpdateEnvironment` call of a promotion, under the lease, then the watch, then the verdict.

mod lease;
mod sending;

use serde::{Deserialize, Serialize};

use sending::{Named, names_image, send};

pub use lease::let_go;
pub(super) use lease::{give_back, lease};
pub(super) use sending::{is_refused, replaced};

use super::preflight::{self, Ready};
use super::{
    Context, PipelineError, Promoted, Sent, Wish, migrate, quarantine, reminders, rollback, watch,
};
use crate::id::{ImageId, StepId};
use crate::record::{BaseImage, LedgerKind, Verb};
use crate::run::{Held, Ledger, NewEntry, Outcome, Run};

/// What came of asking for a swap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Swapped {
    /// Beanstalk took the update.
    Sent,
    /// The deployed settings name the image already.
    Already,
}

impl Outcome for Swapped {
    fn outcome(&self) -> String {
        match self {
            Self::Sent => "sent".to_owned(),
            Self::Already => "already so".to_owned(),
        }
    }
}

/// Swaps, watches, and keeps the image or goes back.
pub(super) async fn and_watch(
    run: &mut Run,
    context: &Context<'_>,
    ready: &Ready,
    mut held: Held,
    wish: &Wish,
) -> Result<Promoted, PipelineError> {
    let way = Way::forward(ready);
    let migration = context.plan.migration.as_ref();
    if is_unsent(run, context, ready).await? {
        // What a resumed run was ready for may be long past, and data is migrated only for a swap that will be sent.
        let done = migrate::is_done(run);
        let broken = done && migration.is_some_and(|migration| migration.breaks);
        preflight::again::promotion(context, (run, &held), ready, wish, broken).await?;
        migrate::before_swap(run, context, ready, &mut held).await?;
        if migration.is_some() && !done {
            let broken = migration.is_some_and(|migration| migration.breaks);
            preflight::again::promotion(context, (run, &held), ready, wish, broken).await?;
        }
    }
    let sent = update(run, context, ready, &way, &mut held).await;
    sent.map_err(|error| with_data(error, run, ready))?;
    let verdict = watched(run, context, ready, &way, &mut held).await?;
    if let Some(failed) = rollback::Failed::of(verdict) {
        if migration.is_some_and(|migration| migration.breaks) {
            let image = ready.target.image();
            let blamed = image.filter(|_| failed.trouble.is_none()).cloned();
            if let Some(image) = &blamed {
                quarantine::put(run, context, image, &failed.reason).await?;
            }
            rollback::failure(run, context, ready, blamed, &failed.reason).await;
            give_back(context, held).await;
            let reminders = reminders::read(context).await;
            return Err(migrate::no_way_back(ready, &failed.reason, &reminders));
        }
        return Err(rollback::take_back(run, context, ready, held, failed).await);
    }
    let entry = NewEntry {
        current: ready.target.clone(),
        kind: LedgerKind::Promotion,
        previous: ready.previous.clone(),
        run: run.id().clone(),
        environment_id: ready.environment.to_string(),
        failed: None,
        from_environment: ready.from_environment.clone(),
        reason: String::new(),
    };
    write_down(run, context, &entry).await?;
    give_back(context, held).await;
    let reminders = match migration {
        Some(_) => reminders::read(context).await,
        None => Vec::new(),
    };
    Ok(Promoted {
        current: ready.target.clone(),
        previous: ready.previous.clone(),
        reminders,
    })
}

/// Adds what stays behind to the end of a run that was overtaken right before it sent its update.
fn with_data(error: PipelineError, run: &Run, ready: &Ready) -> PipelineError {
    match error {
        PipelineError::Overtaken {
            environment,
            now,
            was,
            data: None,
        } => PipelineError::Overtaken {
            environment,
            now,
            was,
            data: migrate::left_behind(run, ready).map(Box::new),
        },
        other => other,
    }
}

/// Whether the update of a promotion, or of a rollback that was asked for, was not sent yet.
pub(super) async fn is_unsent(
    run: &Run,
    context: &Context<'_>,
    ready: &Ready,
) -> Result<bool, PipelineError> {
    if run.record().is_done("swap/update") {
        return Ok(false);
    }
    let named = names_image(
        context,
        &ready.environment,
        &ready.target,
        &ready.target_image,
    )
    .await?;
    Ok(match named {
        Named::Deployed | Named::UnderWay => false,
        Named::Failed => !has_begun(run, "swap/update"),
        Named::Other { .. } | Named::Nothing => true,
    })
}

/// Whether a step was begun by an earlier process of the run, which then may have done it.
fn has_begun(run: &Run, step: &str) -> bool {
    run.record().step(&StepId::new(step)).is_some()
}

/// The update of a way, the same for a promotion, a rollback and a taking back.
pub(super) async fn update(
    run: &mut Run,
    context: &Context<'_>,
    ready: &Ready,
    way: &Way<'_>,
    held: &mut Held,
) -> Result<Swapped, PipelineError> {
    let environment = &context.plan.environment;
    let (step, title) = match way.direction {
        Direction::Forward => (
            "swap/update",
            format!("make {} the base image of {environment}", way.to),
        ),
        Direction::Back => ("rollback/update", format!("go back to {}", way.to)),
    };
    let begun = has_begun(run, step);
    // An earlier process may have sent it; one that has ended without doing so has not.
    let may_be_sent = begun && !run.record().has_ended(step);
    let since = begun_at(run, "swap/update");
    let done = run.announced_step(step, title, async || {
        match way.direction {
            Direction::Back => {
                rollback::clear(context, held, ready, may_be_sent, since).await?;
            }
            // What failed to bring this image before is not of this run, and must not be taken for it later.
            Direction::Forward if !begun => {
                rollback::no_failed_draft(context, held, way.to_image).await?;
            }
            Direction::Forward => {}
        }
        held.renew().await?;
        send(context, &ready.environment, way, held.guard()).await
    });
    let done = match done.await.map_err(PipelineError::from) {
        // Whether an earlier process has sent it is not known.
        Err(PipelineError::Overtaken { now, .. }) if begun || way.direction == Direction::Back => {
            return Err(replaced(context, &ready.target, now).await);
        }
        done => done,
    };
    let unsent = match &done {
        Err(PipelineError::Cloud(error)) => is_refused(error) && held.succeeds().is_none(),
        Err(PipelineError::Stuck(stuck)) => stuck.sent == Sent::Not,
        _ => false,
    };
    if unsent && let Err(unsaved) = run.has_ended(step).await {
        context.cloud.events().warn(format!(
            "that the update was not sent could not be recorded, and it counts as one that may have been sent: {unsaved}"
        ));
    }
    done
}

/// The watch of a way, after its update.
pub(super) async fn watched(
    run: &mut Run,
    context: &Context<'_>,
    ready: &Ready,
    way: &Way<'_>,
    held: &mut Held,
) -> Result<watch::Verdict, PipelineError> {
    let watching = match way.direction {
        Direction::Forward => "watch/health",
        Direction::Back => "rollback/watch",
    };
    let environment = &context.plan.environment;
    // A person who resumed a run accepted what runs by then; going back from there accepts it too.
    let attempts = |step: &str| {
        run.record()
            .step(&StepId::new(step))
            .map_or(0, |step| step.attempt)
    };
    let again = context.attended && (attempts(watching) > 0 || attempts("watch/health") > 1);
    let since = begun_at(
        run,
        match way.direction {
            Direction::Forward => "swap/update",
            // Its update waits first for the one under way to end.
            Direction::Back => watching,
        },
    );
    let watched = watch::Watched {
        direction: way.direction,
        target: way.to_image,
        before: way.from_image,
        platform: way.to.image().is_none(),
        ready,
        since,
        early: way.direction == Direction::Forward
            && run.record().verb != Verb::Rollback
            && !context
                .plan
                .migration
                .as_ref()
                .is_some_and(|migration| migration.breaks),
        again,
    };
    run.announced_step(watching, format!("watch {environment}"), async || {
        watch::until_judged(context, &watched, held).await
    })
    .await
    .map_err(PipelineError::from)
}

/// When a step of the run began for the first time; one that has not begun begins now.
fn begun_at(run: &Run, step: &str) -> jiff::Timestamp {
    let record = run.record();
    let step = record.step(&StepId::new(step));
    let at = step.map(|step| record.started.saturating_add(step.started));
    let at = at.and_then(|at| jiff::Timestamp::from_second(at).ok());
    at.unwrap_or_else(crate::pace::now)
}

/// Writes the ledger's entry.
pub(super) async fn write_down(
    run: &mut Run,
    context: &Context<'_>,
    entry: &NewEntry,
) -> Result<(), PipelineError> {
    let title = format!("write {} into the ledger", entry.current);
    run.step("ledger/entry", title, async || {
        Ledger::add(context.cloud, &context.plan.pipeline, entry).await?;
        Ok(())
    })
    .await
    .map_err(PipelineError::from)
}

/// Whether a swap leads to what was asked for, or back to what was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// A promotion, or a rollback that was asked for.
    Forward,
    /// A promotion is taken back.
    Back,
}

/// From where to where a swap goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way<'a> {
    /// What it is for.
    pub(super) direction: Direction,
    /// What becomes the base image.
    pub(super) to: &'a BaseImage,
    /// The image that instances will run.
    pub(super) to_image: &'a ImageId,
    /// The image that was deployed when this run looked.
    pub(super) from_image: &'a ImageId,
}

impl<'a> Way<'a> {
    /// The way of a promotion, or of a rollback that was asked for.
    pub(super) fn forward(ready: &'a Ready) -> Self {
        Self {
            direction: Direction::Forward,
            to: &ready.target,
            to_image: &ready.target_image,
            from_image: &ready.previous_image,
        }
    }

    /// The way of a promotion that is taken back.
    pub(super) fn back(ready: &'a Ready) -> Self {
        Self {
            direction: Direction::Back,
            to: &ready.previous,
            to_image: &ready.previous_image,
            from_image: &ready.target_image,
        }
    }
}
