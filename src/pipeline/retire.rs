//! Retire: what the run made and nobody needs any more goes at once.

use super::launch::Seed;
use super::snapshot::Origin;
use super::{Context, PipelineError};
use crate::run::Run;

/// Terminates the seed and deregisters the raw image. The raw image carries the source's identity: the sooner it is
/// gone, the better.
pub(super) async fn build(
    run: &mut Run,
    context: &Context<'_>,
    origin: &Origin,
    seed: &Seed,
) -> Result<(), PipelineError> {
    let instance = &seed.instance;
    run.step(
        "retire/seed",
        format!("terminate the seed {instance}"),
        async || {
            context.cloud.ensure_terminated(instance).await?;
            Ok(())
        },
    )
    .await
    .map_err(PipelineError::from)?;
    if !origin.is_raw {
        return Ok(());
    }
    let raw = &origin.image;
    run.step(
        "retire/raw",
        format!("deregister the raw image {raw}"),
        async || {
            context.cloud.ensure_deregistered(raw).await?;
            Ok(())
        },
    )
    .await
    .map_err(PipelineError::from)
}
