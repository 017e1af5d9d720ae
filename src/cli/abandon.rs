//! `goldseed abandon`: a run that nobody will go on with ends, and what it made is removed.

use clap::Args;

use super::attended::{Attended, Halted, attended};
use super::takeover::{self, TakeOver};
use super::{ExitCode, Failure, Invocation, drive, guard, runs, signals};
use crate::cloud::Cloud;
use crate::event::Event;
use crate::failure::ExitCode as Code;
use crate::id::{EnvironmentId, RunId, StepId};
use crate::pipeline::{self, Cleared, DataStays, PipelineError};
use crate::record::{Lease, RunRecord, Verdict};
use crate::run::holder;
use crate::settings::Settings;

#[derive(Debug, Args)]
pub(super) struct Abandon {
    /// Run ID
    ///
    /// If another process may be driving the run, `abandon` asks first, or refuses where there is no terminal: a process
    /// that still runs on this host, a run that holds its environment, or a record written in the last 15 minutes.
    run: String,
    /// The run has begun to change data: it stays as it is
    #[arg(long)]
    data_stays: bool,
    #[command(flatten)]
    consent: TakeOver,
}

/// The one stage that is shown.
const STAGE: &str = "abandon";

pub(super) async fn run(invocation: &Invocation, abandon: &Abandon) -> Result<ExitCode, Failure> {
    let run = runs::id(&abandon.run)?;
    let reason = abandon.consent.reason()?;
    let settings = Settings::load(&invocation.global.file)?;
    let display = drive::display(invocation);
    let who = drive::who(invocation);
    let said = DataStays(abandon.data_stays);
    signals::listen();
    let cloud = tokio::select! {
        cloud = guard::connect(invocation, &settings, display.emitter()) => cloud,
        signal = signals::interrupted() => {
            let failure = not_yet(&run, signal).hint("nothing was looked at or removed");
            Err(failure.hint(again(&run, said)))
        }
    };
    let cloud = match cloud {
        Ok(cloud) => cloud,
        Err(failure) => return drive::ended(&display, Err(failure)),
    };
    display.also_log_to(&drive::log_folder(invocation).join(format!("{run}.jsonl")));
    let work = async {
        let found = runs::find(&cloud, &settings, &run).await?;
        let record = &found.record;
        pipeline::must_be_removable(&cloud, record, said).await?;
        takeover::ensure_free(&cloud, &found, &abandon.consent, &command(&run, said)).await?;
        carry_out(&cloud, record, &who, said, reason).await
    };
    let result = match attended(&cloud, Box::pin(work)).await {
        Attended::Ended(result) => result,
        Attended::Halted(_, Some(Ok(code))) => Ok(code),
        Attended::Halted(halted, other) => {
            let error = other.and_then(Result::err);
            Err(interrupted(&cloud, &settings, &run, said, halted, error).await)
        }
    };
    drive::ended(&display, result)
}

fn not_yet(run: &RunId, signal: &str) -> Failure {
    let text = format!("interrupted by {signal}; run {run} is not abandoned yet");
    Failure::new(Code::Interrupted, text)
}

/// The hint with which it goes on: with the same word about data as before, without which it would be refused.
fn again(run: &RunId, said: DataStays) -> String {
    format!("go on with: {}", command(run, said))
}

fn command(run: &RunId, said: DataStays) -> String {
    let word = if said.0 { " --data-stays" } else { "" };
    format!("goldseed abandon {run}{word}")
}

/// What is looked at after an interrupt.
struct Left {
    verdict: Option<Verdict>,
    made: Vec<(String, String)>,
    /// The lease that the run holds, and on what.
    lease: Option<(EnvironmentId, Lease)>,
}

impl Left {
    async fn of(cloud: &Cloud, settings: &Settings, run: &RunId) -> Result<Self, Failure> {
        let record = runs::find(cloud, settings, run).await?.record;
        let mut lease = None;
        if let Some(environment) = pipeline::changed_environment(&record) {
            let held = holder(cloud, &environment)
                .await
                .map_err(PipelineError::from)?;
            lease = held
                .filter(|held| held.run == *run)
                .map(|held| (environment, held));
        }
        Ok(Self {
            verdict: record.verdict,
            made: pipeline::left_by(cloud, run).await?,
            lease,
        })
    }
}

/// Says what exists after an interrupt; a second interrupt leaves at once.
async fn interrupted(
    cloud: &Cloud,
    settings: &Settings,
    run: &RunId,
    said: DataStays,
    halted: Halted,
    error: Option<Failure>,
) -> Failure {
    let signal = halted.signal;
    let mut failure = not_yet(run, signal);
    failure.causes.extend(error.map(|error| error.message));
    let looked = tokio::select! {
        looked = Left::of(cloud, settings, run), if !halted.at_once => Some(looked),
        _ = signals::interrupted(), if !halted.at_once => None,
        else => None,
    };
    match looked {
        None => failure
            .hints
            .push("interrupted again: what exists was not looked up".to_owned()),
        Some(Ok(Left {
            verdict: Some(verdict),
            ..
        })) => {
            failure.message = format!(
                "interrupted by {signal}; run {run} has ended all the same: {}",
                verdict.as_str()
            );
            return failure;
        }
        Some(Ok(left)) => {
            if left.made.is_empty() {
                let text = "nothing of what it made is left".to_owned();
                failure.hints.push(text);
            }
            let made = left.made.iter();
            let made = made.map(|(label, value)| format!("there still is the {label} {value}"));
            failure.hints.extend(made);
            failure.hints.extend(left.lease.map(|(environment, lease)| {
                format!(
                    "the run holds the lease on {environment} until a minute after {}, unless it is abandoned before",
                    lease.until
                )
            }));
        }
        Some(Err(error)) => failure.hints.push(format!(
            "what exists could not be looked up: {}",
            error.message
        )),
    }
    failure.hint(again(run, said))
}

async fn carry_out(
    cloud: &Cloud,
    record: &RunRecord,
    who: &str,
    said: DataStays,
    reason: Option<&str>,
) -> Result<ExitCode, Failure> {
    let run = &record.run;
    let events = cloud.events();
    let step = StepId::new(format!("{STAGE}/run"));
    let begun = std::time::Instant::now();
    events.emit(Event::RunStarted {
        run: run.clone(),
        pipeline: record.pipeline.clone(),
        verb: STAGE.to_owned(),
        environment: record.environment.clone(),
        stages: vec![STAGE.to_owned()],
    });
    events.emit(Event::StepStarted {
        step: step.clone(),
        title: format!("remove what run {run} has made"),
    });
    let finished = |code: Code, verdict: String, facts, next| Event::RunFinished {
        run: run.clone(),
        success: code == Code::Done,
        verdict,
        facts,
        next,
        exit_code: Some(code as u8),
    };
    match pipeline::abandon(cloud, record, who, said, reason).await {
        Ok(Cleared { removed, kept }) => {
            events.emit(Event::StepFinished {
                step,
                outcome: match (removed.len(), kept.len()) {
                    (0, 0) => "there was nothing".to_owned(),
                    (count, 0) => format!("{count} removed"),
                    (count, kept) => format!("{count} removed, {kept} kept"),
                },
                milliseconds: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
                replayed: false,
            });
            let but = match kept.len() {
                0 => "",
                _ => ", but for what is to be kept",
            };
            let data = match pipeline::changed_data(record) {
                Some(changed) => format!(", but its data {changed}, and stays so"),
                None => String::new(),
            };
            let verdict = format!(
                "run {run} is abandoned and what it made is removed{but}; {} was not touched{data}",
                record.environment
            );
            let next = format!("goldseed {} {}", record.verb.as_str(), record.pipeline);
            let labelled = |word: &'static str| {
                move |(label, value): (String, String)| (format!("{word} {label}"), value)
            };
            let removed = removed.into_iter().map(labelled("removed"));
            let facts = removed.chain(kept.into_iter().map(labelled("kept")));
            events.emit(finished(Code::Done, verdict, facts.collect(), vec![next]));
            Ok(Code::Done)
        }
        Err(error) => {
            events.emit(Event::StepFailed {
                step,
                reason: error.to_string(),
            });
            let mut failure = Failure::from(error);
            if failure.code != Code::Refused {
                failure.hints.push(again(run, said));
            }
            events.emit(finished(
                failure.code,
                failure.message.clone(),
                Vec::new(),
                Vec::new(),
            ));
            Err(failure)
        }
    }
}
