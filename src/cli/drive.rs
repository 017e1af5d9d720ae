//! Driving a run: connect, record, do the work, tell what came of it. An interrupt leaves the run recorded.

mod again;
mod ending;
mod looked;
mod work;

use std::path::{Path, PathBuf};
use std::pin::Pin;

use super::attended::{Attended, Halted, attended};
use super::signals::{self, interrupted};
use super::takeover::{self, TakeOver};
use super::{ExitCode, Failure, Invocation, guard, runs};
use crate::cloud::Cloud;
use crate::display::{Display, Mode};
use crate::event::Event;
use crate::failure::ExitCode as Code;
use crate::id::{ImageId, StepId};
use crate::pipeline::{self, Context, PipelineError, Plan, PlanError, Promoted, Wish};
use crate::recipe::Library;
use crate::record::{RunRecord, Verb, Verdict};
use crate::run::{NewRun, Run, StoreError};
use crate::settings::Settings;

pub(super) use again::start_or_resume;
use ending::{explain, finished, interrupt};
pub(super) use work::Work;

/// Why a run cannot begin; who wants to go back in a hurry is told how, whatever is half written.
fn unplanned(error: PlanError, work: &Work) -> Failure {
    let is_of_recipes = !matches!(error, PlanError::UnknownPipeline { .. });
    let failure = Failure::from(error);
    match work {
        Work::Rollback { .. } if is_of_recipes => failure.hint(
            "a rollback takes its checks from the recipes: call it where they are as they were (a fresh checkout, or after `git stash`)",
        ),
        _ => failure,
    }
}

/// What a run came to.
enum Made {
    Golden(ImageId),
    Promoted(Promoted),
}

/// Starts a run.
pub(super) async fn start(
    invocation: &Invocation,
    pipeline: &str,
    work: Work,
) -> Result<ExitCode, Failure> {
    work.must_name_an_image()?;
    let (settings, library) = guard::read(invocation)?;
    let plan =
        Plan::make(&settings, pipeline, &library).map_err(|error| unplanned(error, &work))?;
    let display = display(invocation);
    let who = who(invocation);
    let started = async {
        let cloud = guard::connect(invocation, &settings, display.emitter()).await?;
        let new = NewRun {
            pipeline: plan.pipeline.clone(),
            verb: work.verb(),
            environment: plan.environment.clone(),
            who: who.clone(),
            plan: plan.sections(),
            asked: work.asked(),
        };
        let run = Run::start(&cloud, new).await?;
        Ok::<_, Failure>((cloud, run))
    };
    let (cloud, run) = match begun(Box::pin(started)).await {
        Ok(started) => started,
        Err(failure) => return ended(&display, Err(failure)),
    };
    let context = Context {
        cloud: &cloud,
        plan: &plan,
        who: &who,
        attended: true,
    };
    drive(&display, &log_folder(invocation), context, run, &work).await
}

/// Goes on with a run; without a name, with the only one that is unfinished.
pub(super) async fn resume(
    invocation: &Invocation,
    run: Option<&str>,
    consent: &TakeOver,
    attended: bool,
) -> Result<ExitCode, Failure> {
    let run = run.map(runs::id).transpose()?;
    let reason = consent.reason()?;
    let (settings, library) = guard::read(invocation)?;
    let display = display(invocation);
    let who = who(invocation);
    let found = async {
        let cloud = guard::connect(invocation, &settings, display.emitter()).await?;
        let found = match &run {
            Some(run) => runs::find(&cloud, &settings, run).await?,
            None => runs::only_unfinished(&cloud, &settings).await?,
        };
        let record = &found.record;
        let recorded = resumable(&settings, &library, record)?;
        let command = format!("goldseed resume {}", record.run);
        takeover::ensure_free(&cloud, &found, consent, &command).await?;
        let taken = Run::take_over(&cloud, &record.pipeline, &record.run, &who, reason).await?;
        Ok::<_, Failure>((cloud, recorded, taken))
    };
    let (cloud, recorded, taken) = match begun(Box::pin(found)).await {
        Ok(found) => found,
        Err(failure) => return ended(&display, Err(failure)),
    };
    let context = Context {
        cloud: &cloud,
        plan: &recorded.plan,
        who: &who,
        attended,
    };
    drive(
        &display,
        &log_folder(invocation),
        context,
        taken,
        &recorded.work,
    )
    .await
}

/// Connects and records; a signal before there is a run to tell of leaves at once.
async fn begun<T>(work: Pin<Box<impl Future<Output = Result<T, Failure>>>>) -> Result<T, Failure> {
    signals::listen();
    tokio::select! {
        begun = work => begun,
        signal = interrupted() => Err(Failure::new(
            Code::Interrupted,
            format!("interrupted by {signal} before any step; nothing was made or changed"),
        )
        .hint("`goldseed runs` lists the run if it is recorded by now: `goldseed resume` goes on with it, `goldseed abandon` ends it")),
    }
}

/// A run that can go on.
struct Recorded {
    plan: Plan,
    work: Work,
}

/// Refuses a run that cannot go on from here: one that has ended, or that another checkout began.
fn resumable(
    settings: &Settings,
    library: &Library,
    record: &RunRecord,
) -> Result<Recorded, Failure> {
    let run = &record.run;
    let name = &record.pipeline;
    let plan = Plan::make(settings, name, library)?;
    if let Some(verdict) = record.verdict {
        let message = format!("run {run} has ended: {}", verdict.as_str());
        return Err(Failure::new(Code::Refused, message).hint(format!(
            "start another: goldseed {} {name}",
            record.verb.as_str()
        )));
    }
    let (now, earlier) = (plan.sections(), plan.earlier_sections());
    let counts = sections_that_count(record, plan.migration.is_some());
    let changed: Vec<&str> = record
        .plan
        .iter()
        .filter(|(section, _)| counts.is_none_or(|counts| counts.contains(&section.as_str())))
        .filter(|(section, digest)| {
            ![&now, &earlier]
                .iter()
                .any(|plan| plan.get(*section) == Some(digest))
        })
        .map(|(section, _)| section.as_str())
        .collect();
    if !changed.is_empty() {
        let message = format!(
            "this checkout has another plan than run {run}: {} changed",
            changed.join(", ")
        );
        return Err(Failure::new(Code::Refused, message)
            .hint("go on from the checkout that the run was started from, or start another"));
    }
    Ok(Recorded {
        work: Work::recorded(record.verb, &record.asked),
        plan,
    })
}

/// The sections of the plan that must be as they were; none: all. Once the image is built, what it was built from may
/// move on, unless migrations belong to it, which say whether it can be taken back.
fn sections_that_count(record: &RunRecord, migrates: bool) -> Option<&'static [&'static str]> {
    let begun = |step: &str| record.step(&StepId::new(step)).is_some();
    let promotes =
        matches!(record.verb, Verb::Promote | Verb::Rollback) || begun("preflight/environment");
    match (promotes, migrates || begun("migrate/place")) {
        (false, _) => None,
        (true, true) => Some(&["recipes", "promotion"]),
        (true, false) => Some(&["promotion"]),
    }
}

pub(super) fn display(invocation: &Invocation) -> Display {
    use std::io::IsTerminal as _;
    let mode = Mode::choose(
        invocation.global.json,
        std::io::stderr().is_terminal(),
        invocation.surroundings.dumb_terminal,
    );
    Display::new(mode, !invocation.surroundings.no_color, crate::pace::now)
}

/// A display for work that is no run of a pipeline: lines, or JSON where that is asked for.
pub(super) fn plain_display(invocation: &Invocation) -> Display {
    let mode = Mode::choose(invocation.global.json, false, true);
    Display::new(mode, false, crate::pace::now)
}

/// Where the log of a run is written: where systemd lets a service write, else beside the settings.
pub(super) fn log_folder(invocation: &Invocation) -> PathBuf {
    match &invocation.surroundings.state_folder {
        Some(folder) => PathBuf::from(folder),
        None => invocation
            .global
            .file
            .parent()
            .unwrap_or(Path::new(""))
            .join(".goldseed"),
    }
}

pub(super) fn who(invocation: &Invocation) -> String {
    format!(
        "{}@{}",
        invocation.surroundings.person, invocation.surroundings.host
    )
}

/// Ends the display before an error is printed below it.
pub(super) fn ended<T>(display: &Display, result: Result<T, Failure>) -> Result<T, Failure> {
    let finished = display.finish();
    match (result, finished) {
        (Ok(_), Err(error)) => Err(Failure::unexpected(
            "the run is done, but its output could not be written",
            &error,
        )),
        (result, _) => result,
    }
}

async fn drive(
    display: &Display,
    log_folder: &Path,
    context: Context<'_>,
    mut run: Run,
    work: &Work,
) -> Result<ExitCode, Failure> {
    let Context { cloud, plan, .. } = context;
    let id = run.id().clone();
    display.also_log_to(&log_folder.join(format!("{id}.jsonl")));
    cloud.events().emit(Event::RunStarted {
        run: id.clone(),
        pipeline: plan.pipeline.clone(),
        verb: work.verb().as_str().to_owned(),
        environment: plan.environment.clone(),
        stages: work.stages(plan.migration.is_some()),
    });
    let result = match attended(cloud, Box::pin(perform(&mut run, &context, work))).await {
        Attended::Ended(result) => result,
        Attended::Halted(_, Some(Ok(made))) => Ok(made),
        Attended::Halted(_, Some(Err(error))) if error.ends(run.record()) => Err(error),
        Attended::Halted(halted, result) => {
            let error = result.and_then(Result::err);
            return interrupt(display, &context, &mut run, halted, error).await;
        }
    };
    let verdict = match &result {
        Ok(_) => Some(Verdict::Done),
        Err(error) => error.verdict().filter(|_| error.ends(run.record())),
    };
    let recorded = match verdict {
        Some(verdict) => run.finish(verdict).await,
        None => Ok(()),
    };
    match result {
        Ok(made) => {
            cloud.events().emit(finished(&context, &run, &made));
            ended(
                display,
                recorded.map(|()| Code::Done).map_err(Failure::from),
            )
        }
        Err(error) => {
            if verdict.is_none() {
                leave(cloud, &mut run, &error).await;
            }
            if let Err(unrecorded) = recorded {
                cloud
                    .events()
                    .warn(format!("the verdict could not be recorded: {unrecorded}"));
            }
            let failure = explain(&context, &run, error, verdict).await;
            ended(display, Err(failure))
        }
    }
}

/// Has others take the run over without a question, unless another process drives it already.
async fn leave(cloud: &Cloud, run: &mut Run, error: &PipelineError) {
    if let PipelineError::Store(StoreError::TakenOver { .. } | StoreError::Removed { .. }) = error {
        return;
    }
    if let Err(error) = run.leave().await {
        cloud.events().warn(format!(
            "the record still names this process as the run's driver, so for some minutes `resume` and `abandon` ask on other hosts: {error}"
        ));
    }
}

async fn perform(run: &mut Run, context: &Context<'_>, work: &Work) -> Result<Made, PipelineError> {
    match work {
        Work::Build => pipeline::build(run, context).await.map(Made::Golden),
        Work::Promote {
            image,
            accept,
            from_environment,
        } => {
            let wish = Wish {
                image: image.clone().map(ImageId::new),
                built_now: false,
                accept: *accept,
                from_environment: from_environment.clone(),
            };
            pipeline::promote(run, context, &wish)
                .await
                .map(Made::Promoted)
        }
        Work::Rebuild { accept } => pipeline::rebuild(run, context, *accept)
            .await
            .map(Made::Promoted),
        Work::Rollback { reason, accepted } => pipeline::rollback(run, context, reason, accepted)
            .await
            .map(Made::Promoted),
    }
}
