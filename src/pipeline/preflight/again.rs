//! Preflight once more, right before a swap is sent: a run that goes on may stand on what was found hours ago.

use super::trial::{self, Trial};
use super::{
    Facts, Ready, Refusal, Warnings, facts, image, refusals, refuse, root, standing_refusals,
    way_back,
};
use crate::cloud::{ConfigurationSet, tags};
use crate::id::{ImageId, StepId};
use crate::pipeline::unsent::{Seen, judge};
use crate::pipeline::{Context, PipelineError, Wish, abandon, belonging, migrate, swap};
use crate::run::{Held, Run};

/// Refuses to send a promotion whose ground has gone. After a migration that breaks what serves, the environment is
/// expected to be sick, and only the new image mends it: then its health is not asked.
pub(in crate::pipeline) async fn promotion(
    context: &Context<'_>,
    (run, held): (&Run, &Held),
    ready: &Ready,
    wish: &Wish,
    broken: bool,
) -> Result<(), PipelineError> {
    let mut facts = facts(context, wish.accept.downtime, Some(run.id())).await?;
    facts.accept_unhealthy = wish.accept.unhealthy;
    let mut list = if broken {
        standing_refusals(&facts)
    } else {
        refusals(&facts)
    };
    list.extend(way_back::refusal(context, &facts, Warnings::Silent).await?);
    let mut outdated = Vec::from_iter(other_version(&facts, ready));
    if let Some(id) = ready.target.image() {
        match way_back::known(context.cloud, id).await? {
            Some(golden) if golden.is_gone() => outdated.push(gone(id)),
            Some(golden) => {
                list.extend(
                    image::against(context, &facts, &golden, wish, Warnings::Silent).await?,
                );
            }
            None => outdated.push(gone(id)),
        }
    }
    refuse_or_end(context, (run, held), &facts, ready, outdated, list).await
}

/// Refuses to send a rollback whose ground has gone.
pub(in crate::pipeline) async fn rollback(
    context: &Context<'_>,
    (run, held): (&Run, &Held),
    ready: &Ready,
    accept_downtime: bool,
) -> Result<(), PipelineError> {
    let facts = facts(context, accept_downtime, Some(run.id())).await?;
    let mut list = standing_refusals(&facts);
    let mut outdated = Vec::from_iter(other_version(&facts, ready));
    if let Some(id) = ready.target.image() {
        match way_back::known(context.cloud, id).await? {
            Some(image) if image.is_gone() => outdated.push(gone(id)),
            Some(image) => {
                let sick = image.tags.get(tags::QUARANTINED);
                let sick = sick.map(|reason| format!("is in quarantine ({reason})"));
                let unfit = match trial::for_rollback(context, &facts, &image).await {
                    Trial::Unfit { reason, .. } => Some(reason),
                    Trial::Accepted | Trial::Inconclusive(_) => None,
                };
                list.extend(belonging::going_back(
                    (id, &image.tags),
                    &facts.environment,
                    ready.from_environment.as_deref(),
                    &format!("goldseed rollback {}", context.plan.pipeline),
                ));
                list.extend(sick.into_iter().chain(unfit).map(|reason| {
                    let way_out = "start another rollback: it passes such an image over";
                    Refusal::new(format!("{id} {reason}"), way_out)
                }));
                list.extend(root::of_image(context.plan, &facts, &image));
            }
            None => outdated.push(gone(id)),
        }
    }
    refuse_or_end(context, (run, held), &facts, ready, outdated, list).await
}

/// The step that sends the update.
const SWAP: &str = "swap/update";

/// Refuses. What is `outdated` stays so, however often the run is gone on with, and so does another base image: a run
/// that has begun is over then, if its update was not sent and no other process of it may send it, and its migration does
/// not run any more.
async fn refuse_or_end(
    context: &Context<'_>,
    (run, held): (&Run, &Held),
    facts: &Facts,
    ready: &Ready,
    mut outdated: Vec<Refusal>,
    list: Vec<Refusal>,
) -> Result<(), PipelineError> {
    let others = others_image(facts, ready);
    let overtaken = |now: ImageId| PipelineError::Overtaken {
        environment: facts.environment.name.clone(),
        now,
        was: ready.previous_image.clone(),
        data: migrate::left_behind(run, ready).map(Box::new),
    };
    if abandon::has_begun(run.record()).is_none() {
        if let Some(now) = others {
            return Err(overtaken(now));
        }
        outdated.extend(list);
        return refuse(outdated);
    }
    if outdated.is_empty() && others.is_none() {
        return refuse(list);
    }
    let unsent = judge(facts.environment.is_ready(), &facts.sets, ready) == Seen::Unsent;
    let mut holds = Vec::new();
    if let (true, Some(until)) = (unsent, held.succeeds()) {
        holds.push(Refusal::new(
            format!(
                "another process of this run may be sending its update until a minute after {until}"
            ),
            format!(
                "go on some minutes later, which ends this run: goldseed resume {}",
                run.id()
            ),
        ));
    }
    if migrate::may_go_on(run.record()) {
        for machine in migrate::machines(context.cloud, run.record()).await? {
            if migrate::may_work(&machine) {
                let id = &machine.id;
                holds.push(Refusal::new(
                    format!("data may still be being migrated on {id}, where this run left it"),
                    format!(
                        "look whether it is done there, terminate {id}, then end this run: goldseed resume {}",
                        run.id()
                    ),
                ));
            }
        }
    }
    if unsent && holds.is_empty() {
        if let Some(now) = others {
            let record = run.record();
            let announced = record.step(&StepId::new(SWAP)).is_some() && !record.has_ended(SWAP);
            if announced && migrate::left_behind(run, ready).is_none() {
                return Err(swap::replaced(context, &ready.target, now).await);
            }
            return Err(overtaken(now));
        }
        outdated.extend(migrate::left_behind(run, ready));
        return Err(PipelineError::Outdated(outdated));
    }
    outdated.extend(others.map(|now| {
        let (name, was) = (&facts.environment.name, &ready.previous_image);
        Refusal::new(
            format!("the base image of {name} is {now} now and was {was} when this run looked"),
            "start another run, which looks at what is deployed now",
        )
    }));
    outdated.extend(list);
    outdated.extend(holds);
    refuse(outdated)
}

/// The image that is deployed where it is neither what this run found nor what it was to set: somebody else's release.
/// While the environment is not Ready it may still be on its way to one of them.
fn others_image(facts: &Facts, ready: &Ready) -> Option<ImageId> {
    let settled = facts.environment.is_ready();
    let now = facts.deployed().filter(|_| settled)?;
    let known = [&ready.previous_image, &ready.target_image];
    ConfigurationSet::image(now).filter(|now| !known.contains(&now))
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
