//! Observed once more: an environment may have been terminated, and made anew under its name, since a run began with it.

use crate::cloud::{Environment, ErrorKind};
use crate::id::EnvironmentId;
use crate::pipeline::{Context, PipelineError};

/// Refuses to go on where the environment that a run began with is gone: its subnets and security groups may be gone with
/// it.
pub(in crate::pipeline) async fn same_environment(
    context: &Context<'_>,
    was: &EnvironmentId,
) -> Result<(), PipelineError> {
    let plan = context.plan;
    let found = context
        .cloud
        .environment(&plan.environment, plan.application.as_deref());
    match found.await {
        Ok(environment) => must_be(&environment, was),
        Err(error) if error.kind == ErrorKind::NotFound => Err(PipelineError::OtherEnvironment {
            environment: plan.environment.clone(),
            now: None,
            was: was.clone(),
        }),
        Err(error) => Err(error.into()),
    }
}

/// Refuses an environment that only has the name of the one that a run began with.
pub(in crate::pipeline) fn must_be(
    environment: &Environment,
    was: &EnvironmentId,
) -> Result<(), PipelineError> {
    if environment.id == *was {
        return Ok(());
    }
    Err(PipelineError::OtherEnvironment {
        environment: environment.name.clone(),
        now: Some(environment.id.clone()),
        was: was.clone(),
    })
}
