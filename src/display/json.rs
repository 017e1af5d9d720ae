//! Events as JSON Lines: for programs, and for the log file of a run.
//!
//! The first line is `{"goldseed":2,"version":"0.1.0"}`: the format's version, which changes when a reader has to, and
//! the tool's. Every other line is one event with the time it happened at. A reader must ignore fields and events that
//! it does not know. Only progress may be missing.

use std::io::{self, Write};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::event::Event;

/// The version of this format.
pub const FORMAT: u32 = 2;

/// Progress is written at most every 200 milliseconds, five times a second: enough for a bar that moves.
const PROGRESS_INTERVAL: SignedDuration = SignedDuration::from_millis(200);

#[derive(Serialize)]
struct Header {
    goldseed: u32,
    version: &'static str,
}

#[derive(Serialize)]
struct Line<'a> {
    time: Timestamp,
    #[serde(flatten)]
    event: &'a Event,
}

/// Writes events as JSON Lines.
#[derive(Debug)]
pub(crate) struct JsonLines<W> {
    output: W,
    last_progress: Option<Timestamp>,
}

impl<W: Write> JsonLines<W> {
    /// Writes the first line.
    pub(crate) fn begin(output: W) -> io::Result<Self> {
        let mut lines = Self {
            output,
            last_progress: None,
        };
        lines.write_line(&Header {
            goldseed: FORMAT,
            version: env!("CARGO_PKG_VERSION"),
        })?;
        Ok(lines)
    }

    /// Writes an event, unless it is progress that comes too soon after the last one.
    pub(crate) fn take(&mut self, now: Timestamp, event: &Event) -> io::Result<()> {
        if matches!(event, Event::Progress { .. }) {
            let is_too_soon = self.last_progress.is_some_and(|last| {
                let since = now.duration_since(last);
                !since.is_negative() && since < PROGRESS_INTERVAL
            });
            if is_too_soon {
                return Ok(());
            }
            self.last_progress = Some(now);
        }
        self.write_line(&Line { time: now, event })
    }

    /// Writes a whole line at once, so that a reader never sees half of one for long.
    fn write_line(&mut self, line: &impl Serialize) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        self.output.write_all(&bytes)?;
        self.output.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::StepId;

    fn progress(waited_seconds: u64) -> Event {
        Event::Progress {
            subject: "image ami-1".to_owned(),
            state: "pending".to_owned(),
            done: Some(0.42),
            waited_seconds,
        }
    }

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(1_795_405_512_000 + milliseconds).unwrap()
    }

    #[test]
    fn the_first_line_names_the_format_and_each_other_line_is_an_event() {
        let mut written = Vec::new();
        let mut lines = JsonLines::begin(&mut written).unwrap();
        let finished = Event::StepFinished {
            step: StepId::new("image/take"),
            outcome: "ami-1\u{1b}[0m".to_owned(),
            milliseconds: 58_000,
            replayed: false,
        };
        lines.take(at(0), &progress(7)).unwrap();
        lines.take(at(1), &finished).unwrap();
        let text = String::from_utf8(written).unwrap();
        let version = env!("CARGO_PKG_VERSION");
        let expected = format!("{{\"goldseed\":2,\"version\":\"{version}\"}}");
        assert_eq!(text.lines().next(), Some(expected.as_str()));
        insta::assert_snapshot!(text.lines().skip(1).collect::<Vec<_>>().join("\n"), @r#"
        {"time":"2026-11-23T03:45:12Z","event":"progress","subject":"image ami-1","state":"pending","done":0.42,"waited_seconds":7}
        {"time":"2026-11-23T03:45:12.001Z","event":"step_finished","step":"image/take","outcome":"ami-1\u001b[0m","milliseconds":58000,"replayed":false}
        "#);
        for line in text.lines().skip(1) {
            serde_json::from_str::<Event>(line).unwrap();
        }
    }

    #[test]
    fn progress_comes_five_times_a_second_and_steps_are_never_dropped() {
        let mut written = Vec::new();
        let mut lines = JsonLines::begin(&mut written).unwrap();
        let started = Event::StepStarted {
            step: StepId::new("image/take"),
            title: "take the image".to_owned(),
        };
        for millisecond in 0..1000 {
            lines.take(at(millisecond), &progress(0)).unwrap();
            lines.take(at(millisecond), &started).unwrap();
        }
        let text = String::from_utf8(written).unwrap();
        assert_eq!(text.matches("\"event\":\"progress\"").count(), 5);
        assert_eq!(text.matches("\"event\":\"step_started\"").count(), 1000);
    }
}
