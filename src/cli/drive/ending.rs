//! How a run ends for the person: done, failed, or interrupted; with what exists and what to do next.

use std::time::Duration;

use super::looked::{Facts, Looked};
use super::{Halted, Made, ended};
use crate::cli::signals::interrupted;
use crate::cli::{ExitCode, Failure};
use crate::display::Display;
use crate::event::Event;
use crate::failure::ExitCode as Code;
use crate::id::{ImageId, StepId};
use crate::pace::spoken;
use crate::pipeline::{self, Context, PipelineError};
use crate::record::Verdict;
use crate::run::{Run, StoreError};

/// The event that ends a run that did what was asked for.
pub(super) fn finished(context: &Context<'_>, run: &Run, made: &Made) -> Event {
    let name = &context.plan.pipeline;
    let (verdict, facts, next) = match made {
        Made::Golden(image) => (
            format!(
                "{image} is built and proved; {} was not touched",
                context.plan.environment
            ),
            vec![("golden image".to_owned(), image.to_string())],
            vec![
                format!("goldseed promote {name} --image {image}"),
                format!("goldseed status {name}"),
            ],
        ),
        Made::Promoted(promoted) => (
            std::iter::once(format!(
                "{} runs {} and is well",
                context.plan.environment, promoted.current
            ))
            .chain(
                promoted
                    .reminders
                    .iter()
                    .map(|text| format!("left to do: {text}")),
            )
            .collect::<Vec<_>>()
            .join("; "),
            vec![
                ("base image".to_owned(), promoted.current.to_string()),
                ("before".to_owned(), promoted.previous.to_string()),
            ],
            vec![
                format!("goldseed history {name}"),
                format!("goldseed rollback {name}"),
            ],
        ),
    };
    Event::RunFinished {
        run: run.id().clone(),
        success: true,
        verdict,
        facts,
        next,
        exit_code: Some(Code::Done as u8),
    }
}

/// Turns a run's error into what the person needs: the state things are in, and how to go on.
pub(super) async fn explain(
    context: &Context<'_>,
    run: &Run,
    error: PipelineError,
    verdict: Option<Verdict>,
) -> Failure {
    let id = run.id();
    let name = &context.plan.pipeline;
    let next = match (&error, verdict) {
        (PipelineError::Store(StoreError::TakenOver { .. } | StoreError::Removed { .. }), _) => {
            Vec::new()
        }
        (PipelineError::Refused(_) | PipelineError::Overtaken { .. }, Some(_)) => {
            still_promotable(context, run)
                .await
                .map(|golden| format!("goldseed promote {name} --image {golden}"))
                .into_iter()
                .collect()
        }
        (_, Some(_)) => vec![
            format!("goldseed status {name}"),
            format!("goldseed history {name}"),
        ],
        (PipelineError::OtherEnvironment { .. }, None) => {
            let data = pipeline::changed_data(run.record()).map_or("", |_| " --data-stays");
            vec![format!("{ABANDON} {id}{data}")]
        }
        (_, None) => ways_on(run),
    };
    let overtaken = matches!(error, PipelineError::Overtaken { .. });
    let changed_recipes = matches!(error, PipelineError::Recipe(_));
    let refused = matches!(error, PipelineError::Refused(_));
    let by_hand = tokio::select! {
        list = pipeline::for_a_person(context, &error) => list,
        _ = interrupted() => Ok(Vec::new()),
    };
    let mut failure = Failure::from(error);
    match by_hand {
        Ok(list) => failure.hints.extend(list),
        Err(error) => failure
            .hints
            .push(format!("what is set now could not be looked up: {error}")),
    }
    if refused && verdict.is_none() {
        "refused; nothing was sent this time".clone_into(&mut failure.message);
    }
    let left = tokio::select! {
        left = async {
            let let_go = pipeline::let_go(context, run).await;
            (let_go, pipeline::left_by(context.cloud, id).await)
        } => Some(left),
        _ = interrupted() => None,
    };
    let mut facts = Vec::new();
    match left {
        Some((let_go, left)) => {
            if let Err(error) = let_go {
                failure.hints.push(kept_lease(&error));
            }
            match left {
                Ok(list) => facts = list,
                Err(error) => failure
                    .hints
                    .push(format!("what exists could not be looked up: {error}")),
            }
        }
        None => failure
            .hints
            .push("interrupted: what exists was not looked up".to_owned()),
    }
    if verdict.is_none() {
        failure.hints.push(state_of_environment(context, run));
    }
    if changed_recipes {
        failure.hints.push(format!(
            "the seed is still there; after a change of the recipes start another run: goldseed {} {name}",
            run.record().verb.as_str()
        ));
    }
    failure.hints.extend(next.iter().map(|way| {
        if let [only] = next.as_slice()
            && only.starts_with(ABANDON)
        {
            format!("remove what it made: {only}")
        } else if overtaken {
            format!("the image of this run was not made from what is in service now; if it is wanted all the same: {way}")
        } else {
            offered(way)
        }
    }));
    context.cloud.events().emit(Event::RunFinished {
        run: id.clone(),
        success: false,
        verdict: failure
            .message
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned(),
        facts,
        next,
        exit_code: Some(failure.code as u8),
    });
    failure
}

pub(super) fn kept_lease(error: &PipelineError) -> String {
    format!("the lease on the environment was not given back and ends by itself: {error}")
}

/// What can be done about an unfinished run: going on with it, and giving it up while that is possible.
fn ways_on(run: &Run) -> Vec<String> {
    let id = run.id();
    let abandon = pipeline::may_abandon(run.record()).is_ok();
    let abandon = abandon.then(|| format!("{ABANDON} {id}"));
    std::iter::once(format!("goldseed resume {id}"))
        .chain(abandon)
        .collect()
}

/// The verb that gives a run up.
const ABANDON: &str = "goldseed abandon";

/// A command as a hint.
fn offered(command: &str) -> String {
    if command.starts_with(ABANDON) {
        format!("or give it up, and remove what it made: {command}")
    } else {
        format!("go on with: {command}")
    }
}

/// The golden image that the run has built and proved, where it is there and nothing is known against it.
async fn still_promotable(context: &Context<'_>, run: &Run) -> Option<ImageId> {
    let golden = golden_of(run)?;
    let seen = tokio::select! {
        seen = pipeline::is_fit(context.cloud, &golden) => seen,
        _ = interrupted() => return None,
    };
    match seen {
        Ok(fit) => fit.then_some(golden),
        Err(error) => {
            let text =
                format!("whether {golden} can still be promoted could not be looked up: {error}");
            context.cloud.events().warn(text);
            None
        }
    }
}

/// The golden image that the run has built and proved.
fn golden_of(run: &Run) -> Option<ImageId> {
    run.record().step(&StepId::new("prove/tag"))?.milliseconds?;
    let step = run.record().step(&StepId::new("image/golden"))?;
    serde_json::from_value(step.output.clone()).ok()
}

/// Says what an unfinished run has done to the environment.
fn state_of_environment(context: &Context<'_>, run: &Run) -> String {
    const SWAP: &str = "swap/update";
    let environment = &context.plan.environment;
    let record = run.record();
    if let Some(state) = pipeline::under_way(record, environment) {
        state
    } else if let Some(state) = pipeline::judged(record, environment) {
        state
    } else if record.has_ended(SWAP) && record.step(&StepId::new("migrate/data")).is_none() {
        format!("{environment} was not touched: its update was refused")
    } else if record.step(&StepId::new(SWAP)).is_some() && !record.has_ended(SWAP) {
        format!("{environment} may be changing now, and nobody is watching it")
    } else if record.step(&StepId::new("migrate/data")).is_some() {
        format!(
            "{environment} was not touched, but its data may have been changed for the new image"
        )
    } else {
        format!("{environment} was not touched")
    }
}

/// How long is looked at most after an interrupt. With the present call, which may take an attempt's time before, it is
/// less than the 90 s after which service managers kill (systemd.conf, `DefaultTimeoutStopSec`).
const LIMIT: Duration = Duration::from_secs(50);

/// However fast the pace, a busy machine has so long for it.
const SHORTEST: Duration = Duration::from_secs(6);

/// Says what exists after an interrupt; a second interrupt leaves at once, and so does the end of the time for it.
pub(super) async fn interrupt(
    display: &Display,
    context: &Context<'_>,
    run: &mut Run,
    halted: Halted,
    error: Option<PipelineError>,
) -> Result<ExitCode, Failure> {
    let id = &run.id().clone();
    let Halted { signal, at_once } = halted;
    let mut failure = Failure::new(
        Code::Interrupted,
        format!("interrupted by {signal}; run {id} is recorded"),
    );
    failure.causes.extend(error.map(|error| error.to_string()));
    let pace = context.cloud.pace();
    let limit = pace.scale(LIMIT).max(SHORTEST);
    let mut looked = Looked::default();
    let cut_off = tokio::select! {
        biased;
        () = std::future::ready(()), if at_once => Some(AGAIN.to_owned()),
        () = Box::pin(looked.look(context, run)) => None,
        _ = interrupted() => Some(AGAIN.to_owned()),
        () = pace.sleep_unscaled(limit) => Some(format!(
            "not known after {}: {}",
            spoken(limit),
            looked.open().join(", ")
        )),
    };
    let (mut facts, mut next) = (Facts::new(), Vec::new());
    if let Some(Err(lost @ (StoreError::TakenOver { .. } | StoreError::Removed { .. }))) =
        &looked.drives
    {
        failure.message = format!("interrupted by {signal}; {lost}");
        failure.causes.clear();
        failure.hints.extend(lost.ways_out());
    } else {
        facts = looked.tell(&mut failure.causes);
        failure.causes.extend(cut_off);
        failure.hints.push(state_of_environment(context, run));
        next = ways_on(run);
        failure.hints.extend(next.iter().map(|way| offered(way)));
    }
    context.cloud.events().emit(Event::RunFinished {
        run: id.clone(),
        success: false,
        verdict: failure.message.clone(),
        facts,
        next,
        exit_code: Some(failure.code as u8),
    });
    ended(display, Err(failure))
}

/// What is said after a second interrupt.
const AGAIN: &str = "interrupted again: nothing more was looked up";
