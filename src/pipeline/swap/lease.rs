//! The lease on the environment while it is changed and watched.

use crate::id::StepId;
use crate::pipeline::preflight::Ready;
use crate::pipeline::{Context, PipelineError, migrate};
use crate::run::{self, Held, Run};

/// Takes the lease on the environment. It belongs to this process and is no step: a resumed run takes it anew.
pub(in crate::pipeline) async fn lease(
    run: &Run,
    context: &Context<'_>,
    ready: &Ready,
) -> Result<Held, PipelineError> {
    Ok(Held::acquire(context.cloud, &ready.environment, run.record()).await?)
}

/// Gives back the lease that this process may still hold when a run ends before its end, so that a rollback need not
/// wait for it to be over. While a call that changes the environment may be on its way, or data may be being migrated, it
/// is kept.
pub async fn let_go(context: &Context<'_>, run: &Run) -> Result<(), PipelineError> {
    let record = run.record();
    let step = record.step(&StepId::new("preflight/environment"));
    let ready = step.and_then(|step| serde_json::from_value::<Ready>(step.output.clone()).ok());
    let Some(ready) = ready else {
        return Ok(());
    };
    let unfinished = record.unfinished().map(|step| step.id.as_str());
    let may_be_on_its_way = match unfinished {
        Some("migrate/data") => migrate::may_go_on(record),
        Some("swap/update") => !record.has_ended("swap/update"),
        other => other == Some("rollback/update") && !record.has_ended("rollback/update"),
    };
    if may_be_on_its_way && record.verdict.is_none() {
        return Ok(());
    }
    Ok(run::let_go(context.cloud, &ready.environment, record).await?)
}

/// Gives the lease back; where that fails the run has still done what it was for, and the lease ends by itself.
pub(in crate::pipeline) async fn give_back(context: &Context<'_>, held: Held) {
    if let Err(error) = held.release().await {
        context.cloud.events().warn(format!(
            "the lease was not given back and ends by itself: {error}"
        ));
    }
}
