//! Generalise, assert, scan, stop: one step. The machine's identity and Beanstalk's per-instance state are taken off
//! it by the recipe `generalise`, and it is stopped before anything could write them back.

use std::time::Duration;

use super::launch::{Seed, until_it_answers, until_it_runs};
use super::{Context, PipelineError, apply, names, revive};
use crate::cloud::{InstanceState, Look, Wait, WaitError};
use crate::id::InstanceId;
use crate::pace::Schedule;
use crate::run::Run;

/// A machine stops within minutes; EC2 forces it after some.
const STOPPED: Schedule = Schedule {
    first: Duration::from_secs(2),
    every: Duration::from_secs(10),
    within: Duration::from_mins(20),
};

/// Generalises and stops the seed. A machine that is stopped already when this begins was stopped by a process that
/// died, before or after it was generalised: nobody knows, so it is started and generalised again.
pub(super) async fn machine(
    run: &mut Run,
    context: &Context<'_>,
    seed: &Seed,
) -> Result<(), PipelineError> {
    let id = run.id().clone();
    let instance = &seed.instance;
    revive::generalised(run, context, instance).await?;
    let done = run.step(
        "generalise/seed",
        format!("take the identity off {instance}"),
        async || {
            let state = context.cloud.instance(instance).await?.state;
            if matches!(state, InstanceState::Stopped | InstanceState::Stopping) {
                stopped(context, instance).await?;
                context.cloud.start_instance(instance).await?;
                until_it_runs(context.cloud, instance).await?;
                until_it_answers(context.cloud, instance).await?;
            }
            let unit = names::unit(&id, "generalise");
            apply::script(
                context.cloud,
                instance,
                &unit,
                &context.plan.generalise,
                "generalise",
                async || Ok(()),
            )
            .await?;
            context.cloud.stop_instance(instance).await?;
            stopped(context, instance).await?;
            Ok(())
        },
    );
    done.await.map_err(PipelineError::from)
}

/// Waits until a machine is stopped.
pub(super) async fn stopped(context: &Context<'_>, id: &InstanceId) -> Result<(), WaitError> {
    let cloud = context.cloud;
    let wait = Wait {
        subject: format!("instance {id}"),
        schedule: STOPPED,
        in_a_row: 1,
        unseen_for: Duration::ZERO,
    };
    cloud
        .poll_until(wait, async || {
            let state = cloud.instance(id).await?.state;
            Ok(match state {
                InstanceState::Stopped => Look::Ready(()),
                state if state.is_gone() => Look::Never(format!("it is {}", state.as_str())),
                state => Look::pending(state.as_str()),
            })
        })
        .await
}
