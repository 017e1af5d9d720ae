//! `goldseed abandon`: a run that nobody will go on with ends, and what it made is removed.

use clap::Args;

use super::{ExitCode, Failure, Invocation, drive, guard, runs};
use crate::cloud::Cloud;
use crate::event::Event;
use crate::failure::ExitCode as Code;
use crate::id::StepId;
use crate::pipeline;
use crate::record::RunRecord;
use crate::settings::Settings;

#[derive(Debug, Args)]
pub(super) struct Abandon {
    /// The run, as its messages name it
    run: String,
}

/// The one stage that is shown.
const STAGE: &str = "abandon";

pub(super) async fn run(invocation: &Invocation, abandon: &Abandon) -> Result<ExitCode, Failure> {
    let run = runs::id(&abandon.run)?;
    let settings = Settings::load(&invocation.global.file)?;
    let display = drive::display(invocation);
    let who = drive::who(invocation);
    let work = async {
        let cloud = guard::connect(invocation, &settings, display.emitter()).await?;
        let record = runs::find(&cloud, &settings, &run).await?;
        let pipelines: Vec<String> = settings.pipelines.keys().cloned().collect();
        pipeline::must_be_removable(&cloud, &pipelines, &record).await?;
        carry_out(&cloud, &record, &who).await
    };
    let result = tokio::select! {
        result = work => result,
        signal = drive::interrupted() => {
            let message = format!("interrupted by {signal}; run {run} is not abandoned yet");
            Err(Failure::new(Code::Interrupted, message)
                .hint(format!("go on with: goldseed abandon {run}")))
        }
    };
    drive::ended(&display, result)
}

async fn carry_out(cloud: &Cloud, record: &RunRecord, who: &str) -> Result<ExitCode, Failure> {
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
    match pipeline::abandon(cloud, record, who).await {
        Ok(removed) => {
            events.emit(Event::StepFinished {
                step,
                outcome: match removed.len() {
                    0 => "there was nothing".to_owned(),
                    count => format!("{count} removed"),
                },
                milliseconds: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
                replayed: false,
            });
            let verdict = format!(
                "run {run} is abandoned and what it made is removed; {} was not touched",
                record.environment
            );
            let next = format!("goldseed {} {}", record.verb.as_str(), record.pipeline);
            let removed = removed.into_iter();
            let removed = removed.map(|(label, value)| (format!("removed {label}"), value));
            events.emit(finished(true, verdict, removed.collect(), vec![next]));
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
