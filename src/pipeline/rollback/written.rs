//! The ledger's entry of a rollback that failed.

use crate::cloud::Environment;
use crate::id::ImageId;
use crate::pipeline::preflight::Ready;
use crate::pipeline::{Context, PipelineError, observe, preflight};
use crate::record::LedgerKind;
use crate::run::{Ledger, NewEntry, Run};

/// Writes into the ledger that going back failed, with what the settings name now. Where that cannot be done it is warned
/// of, for the run has failed already, and its own error matters more.
pub(in crate::pipeline) async fn failure(
    run: &mut Run,
    context: &Context<'_>,
    ready: &Ready,
    failed: Option<ImageId>,
    reason: &str,
) {
    if let Err(error) = write(run, context, ready, failed, reason).await {
        context.cloud.events().warn(format!(
            "the failed rollback could not be written into the ledger: {error}"
        ));
    }
}

async fn write(
    run: &mut Run,
    context: &Context<'_>,
    ready: &Ready,
    failed: Option<ImageId>,
    reason: &str,
) -> Result<(), PipelineError> {
    let cloud = context.cloud;
    let environment: Environment = preflight::environment(context).await?;
    observe::again::must_be(&environment, &ready.environment)?;
    let deployed = cloud.deployed_configuration(&environment).await?;
    let (current, _) = observe::base_image(cloud, &environment, &deployed).await?;
    let entry = NewEntry {
        current,
        kind: LedgerKind::RollbackFailed,
        previous: ready.previous.clone(),
        run: run.id().clone(),
        environment_id: ready.environment.to_string(),
        failed,
        from_environment: None,
        reason: reason.to_owned(),
    };
    let title = "write the failed rollback into the ledger";
    run.step("ledger/failure", title, async || {
        Ledger::add(cloud, &context.plan.pipeline, &entry).await?;
        Ok::<_, PipelineError>(())
    })
    .await
    .map_err(PipelineError::from)
}
