//! `goldseed abandon`: a run that nobody will go on with ends, and what it made is removed.

use std::cell::OnceCell;

use clap::Args;

use super::{ExitCode, Failure, Invocation, drive, guard, runs};
use crate::cloud::Cloud;
use crate::event::Event;
use crate::failure::ExitCode as Code;
use crate::id::{RunId, StepId};
use crate::pipeline::{self, Cleared, DataStays};
use crate::record::RunRecord;
use crate::settings::Settings;

#[derive(Debug, Args)]
pub(super) struct Abandon {
    /// The run, as its messages name it
    run: String,
    /// The run has begun to change data: it stays as it is
    #[arg(long)]
    data_stays: bool,
}

/// The one stage that is shown.
const STAGE: &str = "abandon";

pub(super) async fn run(invocation: &Invocation, abandon: &Abandon) -> Result<ExitCode, Failure> {
    let run = runs::id(&abandon.run)?;
    let settings = Settings::load(&invocation.global.file)?;
    let display = drive::display(invocation);
    let who = drive::who(invocation);
    let said = DataStays(abandon.data_stays);
    let connected = OnceCell::new();
    let work = async {
        let cloud = guard::connect(invocation, &settings, display.emitter()).await?;
        let cloud = connected.get_or_init(|| cloud);
        let record = runs::find(cloud, &settings, &run).await?;
        pipeline::must_be_removable(cloud, &record, said).await?;
        carry_out(cloud, &record, &who, said).await
    };
    let result = tokio::select! {
        result = work => result,
        signal = drive::interrupted() => {
            Err(interrupted(connected.get(), &settings, &run, signal).await)
        }
    };
    drive::ended(&display, result)
}

/// Says what exists after an interrupt; a second interrupt leaves at once.
async fn interrupted(
    cloud: Option<&Cloud>,
    settings: &Settings,
    run: &RunId,
    signal: &str,
) -> Failure {
    let not_yet = format!("interrupted by {signal}; run {run} is not abandoned yet");
    let mut failure = Failure::new(Code::Interrupted, not_yet);
    let again = format!("go on with: goldseed abandon {run}");
    let Some(cloud) = cloud else {
        return failure.hint("nothing was looked at or removed").hint(again);
    };
    let looked = tokio::select! {
        looked = async {
            let record = runs::find(cloud, settings, run).await?;
            Ok::<_, Failure>((record.verdict, pipeline::left_by(cloud, run).await?))
        } => looked,
        _ = drive::interrupted() => {
            return failure.hint("interrupted again: what exists was not looked up").hint(again);
        }
    };
    match looked {
        Ok((Some(verdict), _)) => {
            failure.message = format!(
                "interrupted by {signal}; run {run} has ended all the same: {}",
                verdict.as_str()
            );
            return failure;
        }
        Ok((None, left)) if left.is_empty() => failure
            .hints
            .push("nothing of what it made is left".to_owned()),
        Ok((None, left)) => {
            let left = left.iter();
            let left = left.map(|(label, value)| format!("there still is the {label} {value}"));
            failure.hints.extend(left);
        }
        Err(error) => failure.hints.push(format!(
            "what exists could not be looked up: {}",
            error.message
        )),
    }
    failure.hint(again)
}

async fn carry_out(
    cloud: &Cloud,
    record: &RunRecord,
    who: &str,
    said: DataStays,
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
    let finished = |success, verdict: String, facts, next| Event::RunFinished {
        run: run.clone(),
        success,
        verdict,
        facts,
        next,
    };
    match pipeline::abandon(cloud, record, who, said).await {
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
            let said = |word: &'static str| {
                move |(label, value): (String, String)| (format!("{word} {label}"), value)
            };
            let removed = removed.into_iter().map(said("removed"));
            let facts = removed.chain(kept.into_iter().map(said("kept")));
            events.emit(finished(true, verdict, facts.collect(), vec![next]));
            Ok(Code::Done)
        }
        Err(error) => {
            events.emit(Event::StepFailed {
                step,
                reason: error.to_string(),
            });
            let mut failure = Failure::from(error);
            if failure.code != Code::Refused {
                let again = format!("goldseed abandon {run}");
                failure.hints.push(format!("go on with: {again}"));
            }
            events.emit(finished(
                false,
                failure.message.clone(),
                Vec::new(),
                Vec::new(),
            ));
            Err(failure)
        }
    }
}
