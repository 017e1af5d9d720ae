//! `goldseed logs`: the events and outputs of a past run, from its log on this host, else from what AWS keeps.

use std::path::PathBuf;

use clap::Args;
use jiff::tz::TimeZone;

use super::{ExitCode, Failure, Invocation, answer, drive, guard, runs};
use crate::display::{self, PastEvent};
use crate::event::{Emitter, Event};
use crate::failure::ExitCode as Code;
use crate::id::RunId;
use crate::pipeline;
use crate::settings::Settings;

#[derive(Debug, Args)]
pub(super) struct Logs {
    /// Run ID
    run: String,
    /// Show one step or stage only, such as `apply/recipes` or `watch`
    #[arg(long)]
    step: Option<String>,
}

/// What is known of a run, and what is to be said about that.
struct Known {
    events: Vec<PastEvent>,
    notes: Vec<String>,
}

pub(super) async fn run(invocation: &Invocation, logs: &Logs) -> Result<ExitCode, Failure> {
    let run = runs::id(&logs.run)?;
    let known = match local(invocation, &run)? {
        Some(known) => known,
        None => remote(invocation, &run).await?,
    };
    let Known { mut events, notes } = known;
    if let Some(step) = &logs.step {
        let steps = display::steps_of(&events);
        events = display::of_step(events, step.trim_end_matches('/'));
        if events.is_empty() {
            let names: Vec<&str> = steps.iter().map(crate::id::StepId::as_str).collect();
            let message = format!("run {run} has no step or stage `{step}`");
            return Err(
                Failure::new(Code::Invalid, message).hint(format!("it has: {}", names.join(", ")))
            );
        }
    }
    let text = if invocation.global.json {
        display::past_json(&events)
    } else {
        display::past_lines(&events, &TimeZone::system())
    };
    let text = text.map_err(|error| Failure::unexpected("the log could not be written", &error))?;
    for note in notes {
        display::tell(&format!("note: {}\n", display::harmless(&note)));
    }
    answer(&text)
}

/// Reads the log that this host has of a run: beside the settings, or where a scheduled run keeps its state.
fn local(invocation: &Invocation, run: &RunId) -> Result<Option<Known>, Failure> {
    let mut notes = Vec::new();
    for folder in folders(invocation) {
        let path = folder.join(format!("{run}.jsonl"));
        match fs_err::read_to_string(&path) {
            Ok(text) => {
                let events = display::read_log(&text);
                let ends = events
                    .last()
                    .is_some_and(|last| matches!(last.event, Event::RunFinished { .. }));
                if !ends {
                    notes.push(format!(
                        "{} ends before the run does: its process still runs, was killed, or the run continued on another \
                         host (see `goldseed runs`)",
                        path.display()
                    ));
                }
                return Ok(Some(Known { events, notes }));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                notes.push(format!("not read: {error}"));
            }
            Err(error) => {
                return Err(Failure::unexpected(
                    "the run's log could not be read",
                    &error,
                ));
            }
        }
    }
    for note in notes {
        display::tell(&format!("note: {note}\n"));
    }
    Ok(None)
}

/// The folders in which a log may be. A unit of `goldseed schedule` has its state in `/var/lib/goldseed-PIPELINE`.
fn folders(invocation: &Invocation) -> Vec<PathBuf> {
    let mut folders = vec![drive::log_folder(invocation)];
    // A log can be read without settings.
    if let Ok(settings) = Settings::load(&invocation.global.file) {
        let names = settings.pipelines.keys();
        folders.extend(names.map(|name| PathBuf::from(format!("/var/lib/goldseed-{name}"))));
    }
    folders
}

async fn remote(invocation: &Invocation, run: &RunId) -> Result<Known, Failure> {
    let settings = Settings::load(&invocation.global.file)?;
    let cloud = guard::connect(invocation, &settings, Emitter::silent()).await?;
    let record = runs::find(&cloud, &settings, run).await?.record;
    let found = pipeline::recollect(&cloud, &record).await?;
    let mut notes = vec![format!(
        "this host has no log of run {run}; this is what AWS keeps: the run's record, what was printed within 30 days \
         (Run Command), and Beanstalk's events of six weeks"
    )];
    let missing = found.missing.into_iter();
    notes.extend(missing.map(|what| format!("not read: {what}")));
    let events = found.events.into_iter();
    Ok(Known {
        events: events
            .map(|(time, event)| PastEvent { time, event })
            .collect(),
        notes,
    })
}
