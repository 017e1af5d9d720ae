//! The events of a past run, read from its log file or put together from what AWS keeps, as lines or as JSON Lines.

use std::io::{self, Write};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::json::JsonLines;
use super::lines::Lines;
use crate::event::Event;
use crate::id::StepId;

/// A past event.
#[derive(Clone, Debug, PartialEq)]
pub struct PastEvent {
    /// When it happened.
    pub time: Timestamp,
    /// What happened.
    pub event: Event,
}

#[derive(Deserialize)]
struct Line {
    time: Timestamp,
    #[serde(flatten)]
    event: Event,
}

/// Reads a log file of JSON Lines. What is no event that this version knows is left out: the line of each process that
/// names the format, the events of a newer version, and a line that a killed process left half written.
pub fn read_log(text: &str) -> Vec<PastEvent> {
    let lines = text.lines();
    let events = lines.filter_map(|line| serde_json::from_str::<Line>(line).ok());
    events
        .map(|Line { time, event }| PastEvent { time, event })
        .collect()
}

/// Returns the steps that were started, in order, each once.
pub fn steps_of(events: &[PastEvent]) -> Vec<StepId> {
    let mut steps: Vec<StepId> = Vec::new();
    for past in events {
        if let Event::StepStarted { step, .. } = &past.event
            && !steps.contains(step)
        {
            steps.push(step.clone());
        }
    }
    steps
}

/// Returns the events of one step, or of all steps of a stage, in all processes that drove the run.
pub fn of_step(events: Vec<PastEvent>, wanted: &str) -> Vec<PastEvent> {
    let is_wanted = |step: &StepId| {
        step.as_str()
            .strip_prefix(wanted)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let mut inside = false;
    let events = events.into_iter().filter(|past| match &past.event {
        Event::RunStarted { .. } | Event::RunFinished { .. } => {
            inside = false;
            false
        }
        Event::StepStarted { step, .. } => {
            inside = is_wanted(step);
            inside
        }
        Event::StepFinished { step, .. } | Event::StepFailed { step, .. } => {
            inside = false;
            is_wanted(step)
        }
        _ => inside,
    });
    events.collect()
}

/// Returns the events as people read them, nothing cut, each day under its date.
///
/// # Errors
/// None that a writer to memory would not have.
pub fn past_lines(events: &[PastEvent], zone: &TimeZone) -> io::Result<String> {
    let mut lines = Lines::new(Vec::new(), zone.clone());
    let mut day = None;
    for past in events {
        let local = past.time.to_zoned(zone.clone());
        if day.is_none_or(|day| local.date() > day) {
            day = Some(local.date());
            lines.heading(&local.strftime("%Y-%m-%d, times in %Z").to_string())?;
        }
        lines.take(past.time, &past.event)?;
    }
    Ok(String::from_utf8_lossy(&lines.into_output()).into_owned())
}

/// Returns the events as JSON Lines, in the form in which a run writes them.
///
/// # Errors
/// As of [`past_lines`].
pub fn past_json(events: &[PastEvent]) -> io::Result<String> {
    let mut output = Vec::new();
    let mut lines = JsonLines::begin(&mut output)?;
    for past in events {
        lines.take(past.time, &past.event)?;
    }
    output.flush()?;
    Ok(String::from_utf8_lossy(&output).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::display::story;

    fn log_of(events: Vec<(Timestamp, Event)>) -> String {
        let events: Vec<PastEvent> = events
            .into_iter()
            .map(|(time, event)| PastEvent { time, event })
            .collect();
        past_json(&events).unwrap()
    }

    #[test]
    fn a_log_is_read_as_it_was_written_whatever_stands_between() {
        let written = log_of(story::failed_build());
        let read = read_log(&written);
        assert_eq!(read.len(), story::failed_build().len());
        let (half, _) = written.split_at(written.len() - 20);
        let newer = r#"{"time":"2026-11-23T03:45:12Z","event":"of_a_newer_version"}"#;
        let later = read_log(&format!("{half}\n{newer}\n{written}"));
        assert_eq!(later.len(), 2 * read.len() - 1);
    }

    #[test]
    fn a_step_has_its_own_events_in_every_process() {
        let once = read_log(&log_of(story::failed_build()));
        let twice = [once.clone(), once].concat();
        let step = of_step(twice.clone(), "apply/recipes");
        assert!(
            matches!(&step[0].event, Event::StepStarted { step, .. } if step.as_str() == "apply/recipes")
        );
        let failures = |events: &[PastEvent]| {
            let failed = |past: &&PastEvent| matches!(past.event, Event::StepFailed { .. });
            events.iter().filter(failed).count()
        };
        assert_eq!(failures(&step), 2);
        assert_eq!(of_step(twice.clone(), "apply"), step);
        assert_eq!(of_step(twice.clone(), "app"), []);
        let names: Vec<String> = steps_of(&twice).iter().map(ToString::to_string).collect();
        assert_eq!(names, ["snapshot/take", "apply/recipes"]);
    }

    #[test]
    fn each_day_stands_under_its_date() {
        let mut events = read_log(&log_of(story::failed_build()));
        let last = events.last_mut().unwrap();
        last.time += jiff::SignedDuration::from_hours(24);
        let text = past_lines(&events, &TimeZone::UTC).unwrap();
        for day in [
            "2026-11-23, times in UTC\n03:45:12 ",
            "2026-11-24, times in UTC\n03:46:14 ",
        ] {
            assert!(text.contains(day), "{text}");
        }
    }
}
