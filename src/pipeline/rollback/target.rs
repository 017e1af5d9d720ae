//! What a rollback goes back to, and what speaks against it.

use crate::cloud::{ConfigurationSet, Image, tags};
use crate::id::StepId;
use crate::pipeline::preflight::{self, Ready, Refusal};
use crate::pipeline::{Context, PipelineError, belonging, observe};
use crate::record::{BaseImage, LedgerKind, Verb};
use crate::run::{self, Ledger};

/// A base image to go back to, and the name of the other environment that it was built for where a person consented to
/// it.
type Target = (BaseImage, Option<String>);

/// Chooses the nearest earlier base image that can still be launched and is not in quarantine. One that was built for
/// another environment needs consent: `consent` names that environment, or the ledger says that a person did when the
/// image came into service here.
pub(super) async fn choose(
    context: &Context<'_>,
    facts: &preflight::Facts,
    consent: Option<&str>,
) -> Result<Result<Target, Refusal>, PipelineError> {
    let Context { cloud, plan, .. } = *context;
    let ledger = Ledger::read(cloud, &plan.pipeline).await?;
    let mut passed_over = Vec::new();
    let mut targets = Vec::new();
    if let Some(deployed) = facts.deployed() {
        let (now, _) = observe::base_image(cloud, &facts.environment, deployed).await?;
        targets = ledger.targets(&now);
        let mut came = ledger
            .entries
            .iter()
            .filter(|entry| entry.kind != LedgerKind::RollbackFailed);
        if came.all(|entry| entry.current != now)
            && let Some(before) = before_unfinished(context, facts, &now).await?
        {
            targets.retain(|target| *target != before);
            targets.insert(0, before);
        }
    }
    for target in targets {
        match look(context, facts, &target).await? {
            Fitness::Unfit(reason) => passed_over.push(format!("{target} {reason}")),
            Fitness::Fit(None) => return Ok(Ok((target, None))),
            Fitness::Fit(Some(image)) => {
                let recorded = ledger
                    .entries
                    .iter()
                    .filter(|entry| entry.current == target)
                    .find_map(|entry| entry.from_environment.as_deref());
                let consent = consent.or(recorded);
                let environment = &facts.environment;
                let verb = format!("goldseed rollback {}", plan.pipeline);
                let refused =
                    belonging::going_back((&image.id, &image.tags), environment, consent, &verb);
                let from = belonging::consented(&image.tags, environment, consent);
                return Ok(refused.map_or(Ok((target, from)), Err));
            }
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

/// Whether a base image can be gone back to.
enum Fitness {
    /// It can; the image, where it is none of the platform's.
    Fit(Option<Box<Image>>),
    /// It cannot, and why.
    Unfit(String),
}

/// Reads whether a base image can be gone back to.
async fn look(
    context: &Context<'_>,
    facts: &preflight::Facts,
    target: &BaseImage,
) -> Result<Fitness, PipelineError> {
    let stock;
    let id = match (target.image(), facts.deployed()) {
        (Some(image), _) => image,
        (None, Some(deployed)) => {
            let (_, now) = observe::base_image(context.cloud, &facts.environment, deployed).await?;
            stock = preflight::stock_image(context, facts, &now).await?;
            &stock
        }
        // Without deployed settings everything is refused already.
        (None, None) => return Ok(Fitness::Fit(None)),
    };
    let Some(image) = preflight::known(context.cloud, id).await? else {
        return Ok(Fitness::Unfit("is gone".to_owned()));
    };
    if let Some(reason) = image.tags.get(tags::QUARANTINED) {
        return Ok(Fitness::Unfit(format!("is in quarantine ({reason})")));
    }
    let trial = preflight::trial_for_rollback(context, facts, &image).await;
    if let Some(warning) = trial.warning(facts, &image) {
        context
            .cloud
            .events()
            .warn(format!("{warning}; the rollback continues"));
    }
    Ok(match trial {
        preflight::Trial::Unfit { reason, .. } => Fitness::Unfit(reason),
        preflight::Trial::Accepted | preflight::Trial::Inconclusive(_) => {
            Fitness::Fit(target.image().map(|_| Box::new(image)))
        }
    })
}

/// Refuses to put old code on data that was migrated in a way which it cannot live with.
pub(super) async fn migrated_for_good(
    context: &Context<'_>,
    facts: &preflight::Facts,
) -> Result<Option<Refusal>, PipelineError> {
    let Some(present) = facts.deployed().and_then(ConfigurationSet::image) else {
        return Ok(None);
    };
    let image = preflight::known(context.cloud, &present).await?;
    let breaking = image.is_some_and(|image| {
        image.tags.get(tags::MIGRATIONS).map(String::as_str) == Some("breaking")
    });
    Ok(breaking.then(|| {
        Refusal::new(
            format!("the data was migrated for {present} in a way that the code before it cannot live with"),
            format!(
                "restore the database from before that promotion, then goldseed rollback {} --database-restored",
                context.plan.pipeline
            ),
        )
    }))
}
