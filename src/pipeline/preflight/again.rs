//! Preflight once more, right before a swap is sent: a run that goes on may stand on what was found hours ago.

use super::{Facts, Ready, Refusal, facts, image, refusals, refuse, standing_refusals, way_back};
use crate::cloud::tags;
use crate::id::RunId;
use crate::pipeline::{Context, PipelineError, Wish};

/// Refuses to send a promotion whose ground has gone. After a migration that breaks what serves, the environment is
/// expected to be sick, and only the new image mends it: then its health is not asked.
pub(in crate::pipeline) async fn promotion(
    context: &Context<'_>,
    run: &RunId,
    ready: &Ready,
    wish: &Wish,
    broken: bool,
) -> Result<(), PipelineError> {
    let facts = facts(context, wish.accept_downtime, Some(run)).await?;
    let mut list = if broken {
        standing_refusals(&facts)
    } else {
        refusals(&facts)
    };
    list.extend(way_back::refusal(context, &facts).await?);
    list.extend(other_version(&facts, ready));
    if let Some(id) = ready.target.image() {
        match way_back::known(context.cloud, id).await? {
            Some(golden) => list.extend(image::against(context, &facts, &golden, wish).await?),
            None => list.push(gone(id)),
        }
    }
    refuse(list)
}

/// Refuses to send a rollback whose ground has gone.
pub(in crate::pipeline) async fn rollback(
    context: &Context<'_>,
    run: &RunId,
    ready: &Ready,
    accept_downtime: bool,
) -> Result<(), PipelineError> {
    let facts = facts(context, accept_downtime, Some(run)).await?;
    let mut list = standing_refusals(&facts);
    list.extend(other_version(&facts, ready));
    if let Some(id) = ready.target.image() {
        match way_back::known(context.cloud, id).await? {
            Some(image) => {
                let sick = image.tags.get(tags::QUARANTINED);
                let sick = sick.map(|reason| format!("is in quarantine ({reason})"));
                let unfit = way_back::unfit(context, &facts, &image).await?;
                list.extend(sick.into_iter().chain(unfit).map(|reason| {
                    let way_out = "start another rollback: it passes such an image over";
                    Refusal::new(format!("{id} {reason}"), way_out)
                }));
            }
            None => list.push(gone(id)),
        }
    }
    refuse(list)
}

fn gone(id: &crate::id::ImageId) -> Refusal {
    Refusal::new(
        format!("{id} is gone"),
        "look at `goldseed status` for the images there are, and start another run",
    )
}

/// What was looked at before a deployment of somebody else's says nothing of what runs now.
fn other_version(facts: &Facts, ready: &Ready) -> Option<Refusal> {
    let (before, now) = (ready.version.as_ref()?, facts.environment.version.as_ref()?);
    (before != now).then(|| {
        let name = &facts.environment.name;
        Refusal::new(
            format!("the application version of {name} is {now} now and was {before} when this run looked"),
            "start another run, which looks at what runs now",
        )
    })
}
