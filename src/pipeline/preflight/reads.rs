//! What preflight reads of an environment: itself, and its managed actions.

use super::Refusal;
use crate::cloud::{CloudError, Environment, ErrorKind, ManagedAction};
use crate::pipeline::{Context, PipelineError};

/// Returns the pipeline's environment; one that is not there is refused with those that are.
pub(in crate::pipeline) async fn environment(
    context: &Context<'_>,
) -> Result<Environment, PipelineError> {
    let plan = context.plan;
    match context
        .cloud
        .environment(&plan.environment, plan.application.as_deref())
        .await
    {
        Err(error) if error.kind == ErrorKind::NotFound => unknown_environment(context).await,
        other => Ok(other?),
    }
}

async fn unknown_environment(context: &Context<'_>) -> Result<Environment, PipelineError> {
    let names = context.cloud.environment_names().await?;
    let region = context.cloud.region();
    let way_out = if names.is_empty() {
        format!("there is none at all in {region}: check the account and the region")
    } else {
        format!("in {region} there are: {}", names.join(", "))
    };
    let reason = format!("there is no environment `{}`", context.plan.environment);
    Err(PipelineError::Refused(vec![Refusal::new(reason, way_out)]))
}

/// Environments without managed updates answer with an error on some platforms: then there is none to wait for.
pub(super) async fn managed_actions(
    context: &Context<'_>,
    environment: &Environment,
) -> Result<Vec<ManagedAction>, CloudError> {
    match context.cloud.managed_actions(environment).await {
        Err(error) if error.kind == ErrorKind::Refused => {
            context
                .cloud
                .events()
                .warn(format!("managed updates could not be looked up: {error}"));
            Ok(Vec::new())
        }
        other => other,
    }
}
