//! One line an event, for pipes, logs and CI: `03:45:12 image/take  image ami-1: pending (1m05s)`.

use std::collections::HashMap;
use std::io::{self, Write};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::text::{duration, environment_event, first_line, plain, plain_lines};
use crate::event::{AT_WORK, Event, Level};
use crate::id::StepId;

/// A wait whose state does not change is told of once a minute: a log shows that something lives, and stays short.
const PROGRESS_INTERVAL: SignedDuration = SignedDuration::from_secs(60);

/// Writes one line an event.
#[derive(Debug)]
pub(crate) struct Lines<W> {
    output: W,
    zone: TimeZone,
    step: Option<StepId>,
    /// A recipe's step that began: it is told when anything comes before its result.
    begun: Option<(Timestamp, String)>,
    /// Of each subject that is waited for: the state that was told last, and when.
    told: HashMap<String, (String, Timestamp)>,
}

impl<W: Write> Lines<W> {
    /// Lines with the time of day in `zone`.
    pub(crate) fn new(output: W, zone: TimeZone) -> Self {
        Self {
            output,
            zone,
            step: None,
            begun: None,
            told: HashMap::new(),
        }
    }

    /// Writes the event's line, or its lines where a text has several.
    pub(crate) fn take(&mut self, now: Timestamp, event: &Event) -> io::Result<()> {
        if let Some((when, begun)) = self.begun.take()
            && !matches!(event, Event::RecipeStep { .. })
        {
            self.in_step(when, &format!("{begun} …"))?;
            self.told.insert(begun, (AT_WORK.to_owned(), now));
        }
        match event {
            Event::RunStarted {
                run,
                pipeline,
                verb,
                environment,
                ..
            } => self.write(
                now,
                &format!("run {run}: {verb} of {pipeline} on {environment}"),
            ),
            Event::StepStarted { step, title } => {
                self.step = Some(step.clone());
                self.told.clear();
                self.in_step(now, title)
            }
            Event::StepFinished {
                step,
                outcome,
                milliseconds,
                replayed,
            } => {
                self.step = Some(step.clone());
                let done = if *replayed { "done before" } else { "done" };
                let time = duration(*milliseconds);
                let end = if outcome.is_empty() { "" } else { ": " };
                self.in_step(now, &format!("{done} in {time}{end}{outcome}"))
            }
            Event::StepFailed { step, reason } => {
                self.step = Some(step.clone());
                self.in_step(now, &format!("failed: {}", first_line(reason)))
            }
            Event::Progress {
                subject,
                state,
                done,
                waited_seconds,
            } => {
                if !self.is_news(now, subject, state) {
                    return Ok(());
                }
                let percentage = match done {
                    Some(done) if !state.contains('%') => format!("{:.0} %, ", done * 100.0),
                    _ => String::new(),
                };
                let waited = duration(waited_seconds.saturating_mul(1000));
                self.in_step(now, &format!("{subject}: {state} ({percentage}{waited})"))
            }
            Event::RecipeStep {
                recipe,
                name,
                result,
                done,
                of,
            } => {
                let step = format!("{recipe}: {name}");
                if result == "start" {
                    self.begun = Some((now, step));
                    return Ok(());
                }
                self.in_step(now, &format!("{step}: {result} ({done}/{of})"))
            }
            Event::Output { line } => self.in_step(now, &format!("| {}", plain(line))),
            Event::Environment {
                recorded,
                severity,
                message,
            } => {
                let text = environment_event(*recorded, severity, message);
                self.in_step(now, &format!("| {text}"))
            }
            Event::Note { level, text } => {
                let label = match level {
                    Level::Information => "note",
                    Level::Warning => "warning",
                };
                self.write(now, &format!("{label}: {text}"))
            }
            Event::RunFinished {
                run,
                success,
                verdict,
                ..
            } => {
                let ended = if *success { "done" } else { "not done" };
                self.write(now, &format!("run {run} {ended}: {verdict}"))
            }
        }
    }

    /// Writes a line without a time.
    pub(crate) fn heading(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.output, "{text}")
    }

    /// Gives the output back, for what is written after the events.
    pub(crate) fn into_output(self) -> W {
        self.output
    }

    /// Tells whether the state is another one than was told last, or that was a minute ago. Percentages are figures
    /// and not states.
    fn is_news(&mut self, now: Timestamp, subject: &str, state: &str) -> bool {
        let state = without_percentages(state);
        let is_known = self.told.get(subject).is_some_and(|(told, when)| {
            *told == state && now.duration_since(*when) < PROGRESS_INTERVAL
        });
        if !is_known {
            self.told.insert(subject.to_owned(), (state, now));
        }
        !is_known
    }

    fn in_step(&mut self, now: Timestamp, text: &str) -> io::Result<()> {
        match self.step.clone() {
            Some(step) => self.write(now, &format!("{step}  {text}")),
            None => self.write(now, text),
        }
    }

    /// Writes the text with the time before its first line; lines after it are indented.
    fn write(&mut self, now: Timestamp, text: &str) -> io::Result<()> {
        let time = now
            .to_zoned(self.zone.clone())
            .strftime("%H:%M:%S")
            .to_string();
        let mut before = time.as_str();
        let mut page = String::new();
        for line in plain_lines(text) {
            page.push_str(format!("{before} {line}").trim_end());
            page.push('\n');
            before = "          ";
        }
        self.output.write_all(page.as_bytes())?;
        self.output.flush()
    }
}

/// Takes the number before each percent sign away.
fn without_percentages(state: &str) -> String {
    let mut kept = String::with_capacity(state.len());
    for character in plain(state).chars() {
        if character == '%' {
            let number = |character: char| character.is_ascii_digit() || character == '.';
            let end = kept.trim_end().trim_end_matches(number).len();
            kept.truncate(end);
        }
        kept.push(character);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::display::story;

    fn written(events: &[(Timestamp, Event)]) -> String {
        let mut lines = Lines::new(Vec::new(), TimeZone::UTC);
        for (now, event) in events {
            lines.take(*now, event).unwrap();
        }
        String::from_utf8(lines.into_output()).unwrap()
    }

    #[test]
    fn a_run_reads_as_one_line_an_event() {
        insta::assert_snapshot!(written(&story::resumed_rebuild()), @"
        03:45:12 run 20261123-034512-7f3a: rebuild of shop on shop-prod
        03:45:12 snapshot/take  done before in 58s: raw image ami-0aaaaaaaaaaaaaa01
        03:45:12 launch/seed  done before in 21s: i-0bbbbbbbbbbbbbb02
        03:45:12 launch/agent  wait for the agent of i-0bbbbbbbbbbbbbb02
        03:45:17 launch/agent  done in 5s: online
        03:45:17 warning: this is the tenth image since a stock image: it is time to rebase with `source: platform`
        03:45:17 image/take  take the golden image of i-0bbbbbbbbbbbbbb02
        03:45:18 image/take  image ami-0cccccccccccccc03: pending (10 %, 1s)
        03:46:22 image/take  image ami-0cccccccccccccc03: available (100 %, 1m05s)
        03:46:22 image/take  done in 1m05s: golden image ami-0cccccccccccccc03
        03:46:22 swap/update  make ami-0cccccccccccccc03 the base image of shop-prod
        03:46:22 warning: this is the tenth image since a stock image: it is time to rebase with `source: platform`
        03:51:22 swap/update  done in 5m00s
        03:51:22 run 20261123-034512-7f3a done: shop-prod runs ami-0cccccccccccccc03 on 2 of 2 instances
        ");
    }

    #[test]
    fn what_recipes_print_is_harmless_and_a_reason_is_its_first_line() {
        let text = written(&story::failed_build());
        insta::assert_snapshot!(text, @"
        03:45:12 run 20261123-034512-7f3a: build of shop on shop-prod
        03:45:12 snapshot/take  take the raw image of i-0123456789abcdef0
        03:46:10 snapshot/take  done in 58s: raw image ami-0aaaaaaaaaaaaaa01
        03:46:10 apply/recipes  apply 3 recipes
        03:46:12 apply/recipes  install-wordpress: unpack WordPress …
        03:46:13 apply/recipes  | tar: wordpress.tar: Cannot open: No such file or directory
        03:46:13 apply/recipes  | tar: Error is not recoverable: exiting now
        03:46:14 apply/recipes  install-wordpress: unpack WordPress: failed (5/12)
        03:46:14 apply/recipes  failed: step `unpack WordPress` of recipe install-wordpress failed with code 2
        03:46:14 run 20261123-034512-7f3a not done: a recipe failed on the seed i-0bbbbbbbbbbbbbb02; shop-prod is as it was
        ");
        assert!(
            !text
                .chars()
                .any(|character| character != '\n' && character.is_control())
        );
    }

    #[test]
    fn progress_is_told_when_the_state_changes_and_once_a_minute() {
        let progress = |second: u64, state: String| {
            let now = story::at(i64::try_from(second).unwrap());
            let event = Event::Progress {
                subject: "image ami-1".to_owned(),
                state,
                done: None,
                waited_seconds: second,
            };
            (now, event)
        };
        let mut events: Vec<_> = (0..150)
            .map(|second| progress(second, format!("pending, snapshot at {second}.5 %")))
            .collect();
        events.push(progress(150, "available".to_owned()));
        insta::assert_snapshot!(written(&events), @"
        03:45:12 image ami-1: pending, snapshot at 0.5 % (0s)
        03:46:12 image ami-1: pending, snapshot at 60.5 % (1m00s)
        03:47:12 image ami-1: pending, snapshot at 120.5 % (2m00s)
        03:47:42 image ami-1: available (2m30s)
        ");
    }
}
