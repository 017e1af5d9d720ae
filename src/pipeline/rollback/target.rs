//! What a rollback goes back to, and what speaks against it.

use crate::cloud::tags;
use crate::id::StepId;
use crate::pipeline::preflight::{self, Ready, Refusal};
use crate::pipeline::{Context, PipelineError, observe};
use crate::record::{BaseImage, Verb};
use crate::run::{self, Ledger};

/// Chooses the nearest earlier base image that can still be launched and is not in quarantine.
pub(super) async fn choose(
    context: &Context<'_>,
    facts: &preflight::Facts,
) -> Result<Result<BaseImage, Refusal>, PipelineError> {
    let Context { cloud, plan, .. } = *context;
    let ledger = Ledger::read(cloud, &plan.pipeline).await?;
    let mut passed_over = Vec::new();
    let mut targets = Vec::new();
    if let Some(deployed) = facts.deployed() {
        let (now, _) = observe::base_image(cloud, &facts.environment, deployed).await?;
        targets = ledger.targets(&now);
        if ledger.entries.iter().all(|entry| entry.current != now)
            && let Some(before) = before_unfinished(context, facts, &now).await?
        {
            targets.retain(|target| *target != before);
            targets.insert(0, before);
        }
    }
    for target in targets {
        match unfit(context, facts, &target).await? {
            None => return Ok(Ok(target)),
            Some(reason) => passed_over.push(format!("{target} {reason}")),
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

/// What was the base image before the promotion that brought the present one and has no entry in the ledger: it was
/// interrupted, or could not be taken back.
async fn before_unfinished(
    context: &Context<'_>,
    facts: &preflight::Facts,
    now: &BaseImage,
) -> Result<Option<BaseImage>, PipelineError> {
    let runs = run::runs(context.cloud, &context.plan.pipeline).await?;
    let readies = runs
        .into_iter()
        .flatten()
        .filter(|record| {
            record.verb != Verb::Rollback && record.step(&StepId::new("swap/update")).is_some()
        })
        .filter_map(|record| {
            let step = record.step(&StepId::new("preflight/environment"))?;
            serde_json::from_value::<Ready>(step.output.clone()).ok()
        });
    let brought = |ready: &Ready| ready.target == *now && ready.environment == facts.environment.id;
    Ok(readies.filter(brought).map(|ready| ready.previous).next())
}

/// Why a base image cannot be gone back to; none: it can.
async fn unfit(
    context: &Context<'_>,
    facts: &preflight::Facts,
    target: &BaseImage,
) -> Result<Option<String>, PipelineError> {
    let stock;
    let id = match (target.image(), facts.deployed()) {
        (Some(image), _) => image,
        (None, Some(deployed)) => {
            let (_, now) = observe::base_image(context.cloud, &facts.environment, deployed).await?;
            stock = preflight::stock_image(context, facts, &now).await?;
            &stock
        }
        // Without deployed settings everything is refused already.
        (None, None) => return Ok(None),
    };
    let Some(image) = preflight::known(context.cloud, id).await? else {
        return Ok(Some("is gone".to_owned()));
    };
    if let Some(reason) = image.tags.get(tags::QUARANTINED) {
        return Ok(Some(format!("is in quarantine ({reason})")));
    }
    preflight::unfit(context, facts, &image).await
}
