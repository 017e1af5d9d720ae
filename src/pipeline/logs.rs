//! What AWS still knows of a past run: its record, what Run Command kept of its scripts, and Beanstalk's events.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::abandon::changed_environment;
use super::{PipelineError, names, remains};
use crate::cloud::{Cloud, CloudError};
use crate::event::Event;
use crate::id::InstanceId;
use crate::node::{LogPiece, log_piece};
use crate::pace;
use crate::record::{RunRecord, StepRecord, Verdict};

/// How long after its last step an environment's events still belong to a run.
const AFTERMATH: Duration = Duration::from_mins(10);

/// What is known of a past run.
#[derive(Clone, Debug, PartialEq)]
pub struct Recollection {
    /// Its events, oldest first, as far as AWS keeps them.
    pub events: Vec<(Timestamp, Event)>,
    /// What could not be read, for people.
    pub missing: Vec<String>,
}

/// Puts together what AWS knows of a run.
///
/// # Errors
/// A record with times that cannot be.
pub async fn recollect(cloud: &Cloud, record: &RunRecord) -> Result<Recollection, PipelineError> {
    let mut missing = Vec::new();
    let mut printed = Vec::new();
    for instance in remains::machines(record) {
        match units(cloud, record, &instance).await {
            Ok(units) => printed.extend(units),
            Err(error) => missing.push(format!("what was printed on {instance}: {error}")),
        }
    }
    let reported = match reported(cloud, record).await {
        Ok(reported) => reported,
        Err(error) => {
            missing.push(format!("Beanstalk's events: {error}"));
            Vec::new()
        }
    };
    let events = put_together(record, printed, reported)
        .ok_or_else(|| PipelineError::Disturbed("the record has an impossible time".into()))?;
    Ok(Recollection { events, missing })
}

/// What a script has printed.
struct Printed {
    /// The step that it belongs to.
    step: &'static str,
    lines: Vec<(Timestamp, Event)>,
}

/// Puts the steps of the record in order, each with what was printed and reported during it.
fn put_together(
    record: &RunRecord,
    mut printed: Vec<Printed>,
    mut reported: Vec<(Timestamp, Event)>,
) -> Option<Vec<(Timestamp, Event)>> {
    let started = Timestamp::from_second(record.started).ok()?;
    let mut events = vec![(
        started,
        Event::RunStarted {
            run: record.run.clone(),
            pipeline: record.pipeline.clone(),
            verb: record.verb.as_str().to_owned(),
            environment: record.environment.clone(),
            stages: Vec::new(),
        },
    )];
    for (at, step) in record.steps.iter().enumerate() {
        let began = began(record, step)?;
        let title = match step.attempt {
            1 => "started".to_owned(),
            attempt => format!("started; {attempt} attempts"),
        };
        let id = step.id.clone();
        events.push((began, Event::StepStarted { step: id, title }));
        let of_step = printed.extract_if(.., |unit| step.id.as_str() == unit.step);
        let mut during: Vec<_> = of_step.flat_map(|unit| unit.lines).collect();
        // What came before the next step began.
        let next = match record.steps.get(at + 1) {
            Some(next) => Some(self::began(record, next)?),
            None => None,
        };
        during.extend(reported.extract_if(.., |(time, _)| next.is_none_or(|next| *time < next)));
        during.sort_by_key(|(time, _)| *time);
        events.extend(during);
        if let Some(milliseconds) = step.milliseconds {
            let took = SignedDuration::from_millis(i64::try_from(milliseconds).ok()?);
            let finished = Event::StepFinished {
                step: step.id.clone(),
                outcome: outcome(&step.output),
                milliseconds,
                replayed: false,
            };
            events.push((began.checked_add(took).ok()?, finished));
        }
    }
    let last = events.last().map_or(started, |(time, _)| *time);
    events.extend(verdict(record).map(|event| (last, event)));
    Some(events)
}

fn began(record: &RunRecord, step: &StepRecord) -> Option<Timestamp> {
    Timestamp::from_second(record.started.checked_add(step.started)?).ok()
}

fn outcome(output: &serde_json::Value) -> String {
    match output {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn verdict(record: &RunRecord) -> Option<Event> {
    let verdict = record.verdict?;
    Some(Event::RunFinished {
        run: record.run.clone(),
        success: verdict == Verdict::Done,
        verdict: verdict.as_str().to_owned(),
        facts: Vec::new(),
        next: Vec::new(),
        // The record does not hold it.
        exit_code: None,
    })
}

/// What the run's scripts have printed on an instance, as Run Command kept it.
async fn units(
    cloud: &Cloud,
    record: &RunRecord,
    instance: &InstanceId,
) -> Result<Vec<Printed>, CloudError> {
    let ours = names::unit(&record.run, "");
    let mut units: BTreeMap<String, Vec<(Timestamp, LogPiece)>> = BTreeMap::new();
    for command in cloud.commands_to(instance).await? {
        let Some(unit) = command.comment.strip_prefix(&ours) else {
            continue;
        };
        let invocation = cloud.invocation(&command.id, instance).await?;
        if let Some(piece) = log_piece(&invocation.output) {
            let pieces = units.entry(unit.to_owned()).or_default();
            pieces.push((command.sent, piece));
        }
    }
    let printed = units.into_iter().map(|(unit, pieces)| {
        let first = pieces.first().map(|(time, _)| *time);
        let heading = first.map(|time| (time, output(format!("{unit} on {instance}:"))));
        let lines = joined(pieces).into_iter();
        let lines = lines.map(|(time, line)| (time, output(readable(&line))));
        Printed {
            step: step_of(&unit),
            lines: heading.into_iter().chain(lines).collect(),
        }
    });
    Ok(printed.collect())
}

/// Returns the step to which a unit belongs, by the unit's name without its run.
fn step_of(unit: &str) -> &'static str {
    const STEPS: [(&str, &str); 10] = [
        ("flush", "snapshot/image"),
        ("apply", "apply/recipes"),
        ("seed-deploy", "apply/checks"),
        ("seed-checks", "apply/checks"),
        ("seed", "launch/quiet"),
        ("generalise", "generalise/seed"),
        ("proof-deploy", "prove/checks"),
        ("proof-checks", "prove/checks"),
        ("migrate", "migrate/data"),
        ("proof", "prove/identity"),
    ];
    let mut steps = STEPS.iter();
    let found = steps.find(|(prefix, _)| unit.starts_with(prefix));
    found.map_or("prove/checks", |(_, step)| step)
}

fn output(line: String) -> Event {
    Event::Output { line }
}

/// Joins the pieces of a log and parts it into lines, each with the time of the command that completed it. A command that
/// was sent again brings the same bytes; where some are missing, a line says so.
fn joined(mut pieces: Vec<(Timestamp, LogPiece)>) -> Vec<(Timestamp, String)> {
    pieces.sort_by_key(|(time, piece)| (piece.offset, *time));
    let (mut lines, mut pending, mut end) = (Vec::new(), Vec::new(), 0);
    let text = |bytes: &mut Vec<u8>| String::from_utf8_lossy(&std::mem::take(bytes)).into_owned();
    let mut last = None;
    for (time, piece) in pieces {
        last = Some(time);
        if piece.offset > end {
            let left_out = piece.offset - end;
            lines.push((time, format!("({left_out} bytes are not kept)")));
            end = piece.offset;
        }
        let known = usize::try_from(end - piece.offset).unwrap_or(usize::MAX);
        let Some(fresh) = piece.bytes.get(known..) else {
            continue;
        };
        end += fresh.len() as u64;
        for part in fresh.split_inclusive(|byte| *byte == b'\n') {
            pending.extend_from_slice(part.strip_suffix(b"\n").unwrap_or(part));
            if part.ends_with(b"\n") {
                lines.push((time, text(&mut pending)));
            }
        }
    }
    if let (Some(time), false) = (last, pending.is_empty()) {
        lines.push((time, text(&mut pending)));
    }
    lines
}

/// A line of a script as people read it: one that marks a step begins with `@@`, eight characters and the milliseconds.
fn readable(line: &str) -> String {
    let step = line.strip_prefix("@@").and_then(|rest| {
        let mut words = rest.splitn(3, ' ');
        let (marker, time) = (words.next()?, words.next()?);
        let is_mark = marker.len() == 8 && time.bytes().all(|byte| byte.is_ascii_digit());
        is_mark.then(|| words.next()).flatten()
    });
    step.map_or_else(|| line.to_owned(), |step| format!("step {step}"))
}

/// What Beanstalk has reported since the run began to change the environment.
async fn reported(
    cloud: &Cloud,
    record: &RunRecord,
) -> Result<Vec<(Timestamp, Event)>, CloudError> {
    let changes = |step: &&StepRecord| step.id.as_str().starts_with("swap/");
    let first = record.steps.iter().find(changes);
    let (Some(environment), Some(from)) = (
        changed_environment(record),
        first.and_then(|step| began(record, step)),
    ) else {
        return Ok(Vec::new());
    };
    let to = match record.verdict.and_then(|_| end(record)) {
        Some(end) => end,
        None => pace::now(),
    };
    let events = cloud
        .environment_events_between(&environment, from, to)
        .await?;
    let events = events.into_iter().map(|event| {
        let reported = Event::Environment {
            recorded: event.date,
            severity: event.severity,
            message: event.message,
        };
        (event.date, reported)
    });
    Ok(events.collect())
}

/// When the last step of a run had ended for a while.
fn end(record: &RunRecord) -> Option<Timestamp> {
    let ends = record.steps.iter().filter_map(|step| {
        let took = Duration::from_millis(step.milliseconds.unwrap_or_default());
        let end = began(record, step)?.checked_add(SignedDuration::try_from(took).ok()?);
        end.ok()
    });
    let aftermath = SignedDuration::try_from(AFTERMATH).ok()?;
    ends.max()?.checked_add(aftermath).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(second: i64, offset: u64, text: &str) -> (Timestamp, LogPiece) {
        let piece = LogPiece {
            offset,
            bytes: text.as_bytes().to_vec(),
        };
        (Timestamp::from_second(second).unwrap(), piece)
    }

    #[test]
    fn a_log_is_joined_from_pieces_that_overlap_and_says_what_is_missing() {
        let pieces = vec![
            piece(2, 6, "two\nth"),
            piece(1, 0, "one 1\n"),
            piece(3, 6, "two\nth"),
            piece(4, 10, "three\n"),
            piece(5, 20, "last"),
        ];
        let lines: Vec<String> = joined(pieces).into_iter().map(|(_, line)| line).collect();
        assert_eq!(
            lines,
            ["one 1", "two", "three", "(4 bytes are not kept)", "last"]
        );
        assert_eq!(joined(Vec::new()), []);
    }

    #[test]
    fn marks_of_steps_become_words_and_other_lines_stay() {
        assert_eq!(
            readable("@@0a1b2c3d 120 motd.1 changed"),
            "step motd.1 changed"
        );
        for line in ["@@", "@@short 1 x", "@@0a1b2c3d x y", "a line", ""] {
            assert_eq!(readable(line), line);
        }
    }
}
