//! Revive: machines of a run that goes on. What somebody stopped meanwhile is started again; what is gone is launched
//! anew, and what was done on it is done again. Only looked at where the record says that there was such a machine.

use super::generalise::stopped;
use super::launch::{until_it_answers, until_it_runs};
use super::{Context, PipelineError};
use crate::cloud::{ErrorKind, InstanceState};
use crate::id::{InstanceId, StepId};
use crate::run::Run;

/// What a run does on its seed, in order.
const ON_THE_SEED: [&str; 6] = [
    "launch/seed",
    "launch/agent",
    "launch/quiet",
    "apply/recipes",
    "apply/checks",
    "generalise/seed",
];

/// Sees to the seed of a run that goes on. It may have been terminated, or stopped: by somebody, or by itself, because
/// nobody had come back to it for a day.
pub(super) async fn seed(run: &mut Run, context: &Context<'_>) -> Result<(), PipelineError> {
    let Some(instance) = launched(run, ON_THE_SEED[0]) else {
        return Ok(());
    };
    if run.record().is_done("image/golden") {
        return Ok(());
    }
    let cloud = context.cloud;
    let state = state(context, &instance).await?;
    if state.is_gone() {
        cloud.events().warn(format!(
            "the seed {instance} is {}: another one is launched, and what was done on it is done again",
            state.as_str()
        ));
        run.reopen(&ON_THE_SEED);
        return Ok(());
    }
    // From there on a stopped seed is what it should be, or is started by that very step.
    let generalised = run.record().step(&StepId::new("generalise/seed")).is_some();
    if !generalised && matches!(state, InstanceState::Stopped | InstanceState::Stopping) {
        cloud.events().warn(format!(
            "the seed {instance} was stopped: it is started again"
        ));
        stopped(context, &instance).await?;
        // What lay in memory is gone, secrets among it, and what is held back at boot is to be seen to once more. Once it
        // runs again nobody can tell by looking, so that is written down first.
        run.reopen(&ON_THE_SEED[1..]);
        run.save().await?;
        cloud.start_instance(&instance).await?;
        until_it_runs(cloud, &instance).await?;
    }
    Ok(())
}

/// Sees to a seed that is generalised: one that was started since has an identity again.
pub(super) async fn generalised(
    run: &mut Run,
    context: &Context<'_>,
    seed: &InstanceId,
) -> Result<(), PipelineError> {
    let record = run.record();
    if !record.is_done("generalise/seed") || record.is_done("image/golden") {
        return Ok(());
    }
    if matches!(
        state(context, seed).await?,
        InstanceState::Running | InstanceState::Pending
    ) {
        context.cloud.events().warn(format!(
            "the seed {seed} was started after it was generalised: it is generalised again"
        ));
        // It may be stopped again until somebody goes on with this.
        run.reopen(&["generalise/seed"]);
        run.save().await?;
        until_it_runs(context.cloud, seed).await?;
        until_it_answers(context.cloud, seed).await?;
    }
    Ok(())
}

/// Sees to a throw-away machine of a run that goes on, with the steps that are done on it, the launch first: one that
/// does not run any more is replaced.
pub(super) async fn throw_away(
    run: &mut Run,
    context: &Context<'_>,
    steps: &[&str],
) -> Result<(), PipelineError> {
    let (Some(launch), Some(last)) = (steps.first(), steps.last()) else {
        return Ok(());
    };
    let Some(instance) = launched(run, launch) else {
        return Ok(());
    };
    if run.record().is_done(last) {
        return Ok(());
    }
    let state = state(context, &instance).await?;
    if matches!(state, InstanceState::Running | InstanceState::Pending) {
        return Ok(());
    }
    context.cloud.events().warn(format!(
        "{instance} is {}: another machine is launched in its place",
        state.as_str()
    ));
    context.cloud.ensure_terminated(&instance).await?;
    run.reopen(steps);
    Ok(())
}

/// The machine that a step of an earlier process launched.
fn launched(run: &Run, step: &str) -> Option<InstanceId> {
    let done = run.record().step(&StepId::new(step))?;
    done.milliseconds?;
    serde_json::from_value(done.output.clone()).ok()
}

/// The state of a machine; one that EC2 does not know any more is terminated.
async fn state(
    context: &Context<'_>,
    instance: &InstanceId,
) -> Result<InstanceState, PipelineError> {
    match context.cloud.instance(instance).await {
        Ok(seen) => Ok(seen.state),
        Err(error) if error.kind == ErrorKind::NotFound => Ok(InstanceState::Terminated),
        Err(error) => Err(error.into()),
    }
}
