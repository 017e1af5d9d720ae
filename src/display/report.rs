//! The summary at the end of a run: a function of the events that were seen.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::stages::{Stage, Stages, State};
use super::text::{cut, duration, pad, plain, plain_lines, width, wrap};
use crate::event::{Event, Level};

/// What was seen of a run.
#[derive(Clone, Debug, Default)]
pub struct Report {
    heading: Option<String>,
    stages: Stages,
    warnings: Vec<String>,
    end: Option<End>,
}

#[derive(Clone, Debug)]
struct End {
    success: bool,
    verdict: String,
    facts: Vec<(String, String)>,
    next: Vec<String>,
}

impl Report {
    /// Takes an event that happened at `now`.
    pub fn take(&mut self, now: Timestamp, event: &Event) {
        self.stages.take(now, event);
        match event {
            Event::RunStarted {
                run,
                pipeline,
                verb,
                environment,
                ..
            } => {
                let heading = format!("{verb} of {pipeline} on {environment}, run {run}");
                self.heading = Some(plain(&heading));
            }
            Event::Note {
                level: Level::Warning,
                text,
            } if !self.warnings.contains(text) => self.warnings.push(text.clone()),
            Event::RunFinished {
                success,
                verdict,
                facts,
                next,
                ..
            } => {
                self.end = Some(End {
                    success: *success,
                    verdict: verdict.clone(),
                    facts: facts.clone(),
                    next: next.clone(),
                });
            }
            _ => {}
        }
    }

    pub(super) fn stages(&self) -> &Stages {
        &self.stages
    }

    /// Writes the summary for people, `columns` wide; empty where no run was seen.
    ///
    /// Values and commands are never cut or broken, as they are there to be copied.
    pub fn render(&self, columns: usize) -> String {
        let Some(heading) = &self.heading else {
            return String::new();
        };
        let mut parts = vec![paragraph("", heading, columns)];
        parts.push(self.stage_lines(columns));
        if let Some(end) = &self.end {
            parts.push(fact_lines(&end.facts));
        }
        let warnings = self.warnings.iter();
        parts.push(
            warnings
                .map(|text| paragraph("warning: ", text, columns))
                .collect(),
        );
        if let Some(end) = &self.end {
            let label = if end.success { "done: " } else { "not done: " };
            parts.push(paragraph(label, &end.verdict, columns));
            if !end.next.is_empty() {
                let commands: Vec<_> = end.next.iter().map(|command| plain(command)).collect();
                parts.push(format!("next:\n  {}\n", commands.join("\n  ")));
            }
        }
        parts.retain(|part| !part.is_empty());
        parts.join("\n")
    }

    /// One line for each stage that began, and the sum of their times.
    fn stage_lines(&self, columns: usize) -> String {
        let began = || {
            self.stages
                .list()
                .iter()
                .filter(|stage| stage.state != State::Waiting)
        };
        let names = began()
            .map(|stage| width(&stage.name))
            .max()
            .unwrap_or(0)
            .max(5);
        let mut text = String::new();
        for stage in began() {
            let line = format!(
                "  {}  {:>6}  {}",
                pad(&stage.name, names),
                duration(stage.milliseconds),
                remark(stage)
            );
            text.push_str(cut(&line, columns).trim_end());
            text.push('\n');
        }
        let total: u64 = began().map(|stage| stage.milliseconds).sum();
        let earlier: u64 = began().map(|stage| stage.replayed_milliseconds).sum();
        if began().count() > 1 {
            let _ = write!(text, "  {}  {:>6}", pad("total", names), duration(total));
            if earlier > 0 {
                let _ = write!(text, "  {} of it before", duration(earlier));
            }
            text.push('\n');
        }
        text
    }
}

/// What a stage came to.
fn remark(stage: &Stage) -> String {
    match stage.state {
        State::Failed => format!("failed: {}", stage.detail),
        State::Running => format!("unfinished: {}", stage.detail),
        State::Waiting | State::Done => match stage.replayed {
            0 => stage.detail.clone(),
            all if all == stage.steps => format!("(done before) {}", stage.detail),
            some => format!(
                "({some} of {} steps done before) {}",
                stage.steps, stage.detail
            ),
        },
    }
}

fn fact_lines(facts: &[(String, String)]) -> String {
    let facts: Vec<_> = facts
        .iter()
        .map(|(label, value)| (plain(label), plain(value)))
        .collect();
    let labels = facts
        .iter()
        .map(|(label, _)| width(label))
        .max()
        .unwrap_or(0);
    let mut text = String::new();
    for (label, value) in facts {
        let _ = writeln!(text, "  {}  {value}", pad(&label, labels));
    }
    text
}

/// Wraps a text behind its label; what goes on is indented.
fn paragraph(label: &str, text: &str, columns: usize) -> String {
    let lines = plain_lines(text);
    let (first, others) = lines
        .split_first()
        .map_or(("", [].as_slice()), |(first, others)| {
            (first.as_str(), others)
        });
    let mut parts = wrap(&format!("{label}{first}"), columns, 2);
    for line in others {
        let wrapped = wrap(line, columns.saturating_sub(2), 0);
        parts.extend(wrapped.into_iter().map(|part| format!("  {part}")));
    }
    parts.push(String::new());
    parts.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::display::story;

    fn report_of(events: &[(Timestamp, Event)]) -> Report {
        let mut report = Report::default();
        for (now, event) in events {
            report.take(*now, event);
        }
        report
    }

    #[test]
    fn the_summary_of_a_resumed_run_has_all_that_was_done() {
        insta::assert_snapshot!(report_of(&story::resumed_rebuild()).render(100), @"
        rebuild of shop on shop-prod, run 20261123-034512-7f3a

          snapshot     58s  (done before) raw image ami-0aaaaaaaaaaaaaa01
          launch       26s  (1 of 2 steps done before) online
          image      1m05s  golden image ami-0cccccccccccccc03
          swap       5m00s
          total      7m29s  1m19s of it before

          golden image  ami-0cccccccccccccc03
          before        platform

        warning: this is the tenth image since a stock image: it is time to rebase with `source: platform`

        done: shop-prod runs ami-0cccccccccccccc03 on 2 of 2 instances

        next:
          goldseed status shop
          goldseed rollback shop
        ");
    }

    #[test]
    fn the_summary_of_a_failed_run_has_what_failed_and_how_to_go_on() {
        insta::assert_snapshot!(report_of(&story::failed_build()).render(60), @"
        build of shop on shop-prod, run 20261123-034512-7f3a

          snapshot     58s  raw image ami-0aaaaaaaaaaaaaa01
          apply         4s  failed: step `unpack WordPress` of reci…
          total      1m02s

          seed  i-0bbbbbbbbbbbbbb02

        not done: a recipe failed on the seed i-0bbbbbbbbbbbbbb02;
          shop-prod is as it was

        next:
          goldseed resume 20261123-034512-7f3a
        ");
    }

    #[test]
    fn without_a_run_there_is_no_summary() {
        let mut report = Report::default();
        let note = Event::Note {
            level: Level::Warning,
            text: "odd".to_owned(),
        };
        report.take(Timestamp::UNIX_EPOCH, &note);
        assert_eq!(report.render(80), "");
    }
}
