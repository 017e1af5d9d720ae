//! What stands on a terminal while a run works, as plain text: a row for each stage, and the lines that scroll by
//! above them. Nothing here is wider than the terminal, and colour only repeats what the text says.

use jiff::Timestamp;

use super::stages::{Stage, Stages, State};
use super::text::{
    cut, duration, environment_event, first_line, pad, plain, plain_lines, width, wrap,
};
use crate::event::{Event, Level};

/// From this width on a row has a bar; below it only the percentage.
const WIDE: usize = 64;
/// How many cells the bar has.
const CELLS: u8 = 10;

/// The terminal that is written for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Page {
    pub(crate) columns: usize,
    pub(crate) rows: usize,
    pub(crate) colour: bool,
}

/// The few styles in use, by their numbers in ECMA-48's "select graphic rendition".
#[derive(Clone, Copy)]
enum Ink {
    Dim = 2,
    Red = 31,
    Green = 32,
    Yellow = 33,
}

impl Page {
    fn ink(self, ink: Ink, text: &str) -> String {
        if self.colour && !text.is_empty() {
            format!("\u{1b}[{}m{text}\u{1b}[0m", ink as u8)
        } else {
            text.to_owned()
        }
    }

    /// Wraps a text, those of its lines that are not the first indented, and colours each line as a whole.
    fn wrapped(self, ink: Option<Ink>, text: &str) -> Vec<String> {
        let lines = plain_lines(text);
        let mut wrapped = Vec::new();
        for (at, line) in lines.iter().enumerate() {
            let line = if at == 0 {
                line.clone()
            } else {
                format!("  {line}")
            };
            for part in wrap(&line, self.columns, 2) {
                let part = cut(&part, self.columns);
                wrapped.push(ink.map_or_else(|| part.clone(), |ink| self.ink(ink, &part)));
            }
        }
        wrapped
    }
}

/// Draws a row for each stage; where the terminal is not high enough, the rows around the present stage.
pub(crate) fn rows(stages: &Stages, now: Timestamp, page: Page) -> Vec<String> {
    let list = stages.list();
    let height = page.rows.saturating_sub(1).max(1);
    let first = match stages.present() {
        Some(present) if list.len() > height => (present + 1)
            .saturating_sub(height.div_ceil(2))
            .min(list.len() - height),
        _ => 0,
    };
    let names = list
        .iter()
        .map(|stage| width(&stage.name))
        .max()
        .unwrap_or(0)
        .min(12);
    list.iter()
        .skip(first)
        .take(height)
        .map(|stage| row(stage, names, now, page))
        .collect()
}

fn row(stage: &Stage, names: usize, now: Timestamp, page: Page) -> String {
    let name = pad(&cut(&stage.name, names), names);
    if stage.state == State::Waiting {
        return page.ink(Ink::Dim, &cut(&format!("· {name}"), page.columns));
    }
    let (mark, ink) = match stage.state {
        State::Waiting | State::Running => ("▸", Ink::Yellow),
        State::Done => ("✓", Ink::Green),
        State::Failed => ("✗", Ink::Red),
    };
    let mark = page.ink(ink, mark);
    let percentage = stage
        .fraction
        .map_or_else(String::new, |fraction| format!("{:.0} %", fraction * 100.0));
    let time = duration(stage.elapsed(now));
    let rest = format!("{percentage:>5} {time:>6}  {}", detail(stage));
    let room = page.columns.saturating_sub(2);
    let row = if page.columns < WIDE {
        cut(&format!("{name} {rest}"), room)
    } else {
        let bar = page.ink(ink, &bar(stage));
        let used = names + 1 + usize::from(CELLS) + 1;
        format!("{name} {bar} {}", cut(&rest, room.saturating_sub(used)))
    };
    format!("{mark} {row}").trim_end().to_owned()
}

/// What a row says last: what goes on, or how many steps came to what.
fn detail(stage: &Stage) -> String {
    if stage.state != State::Done {
        return stage.detail.clone();
    }
    let mut said = Vec::new();
    if stage.replayed == stage.steps {
        said.push("done before".to_owned());
    }
    if stage.steps > 1 {
        said.push(format!("{} steps", stage.steps));
    }
    if !stage.detail.is_empty() {
        said.push(stage.detail.clone());
    }
    said.join(", ")
}

/// Draws the bar: full for what is done, empty while it is not known how much is.
fn bar(stage: &Stage) -> String {
    let fraction = match stage.state {
        State::Done => 1.0,
        _ => stage.fraction.unwrap_or(0.0).clamp(0.0, 1.0),
    };
    (1..=CELLS)
        .map(|cell| {
            if f32::from(cell) <= fraction * f32::from(CELLS) {
                '━'
            } else {
                '╌'
            }
        })
        .collect()
}

/// Returns the lines that an event adds above the rows.
pub(crate) fn scrolled(event: &Event, page: Page) -> Vec<String> {
    match event {
        Event::RunStarted {
            run,
            pipeline,
            verb,
            environment,
            ..
        } => page.wrapped(
            None,
            &format!("{verb} of {pipeline} on {environment}, run {run}"),
        ),
        Event::RecipeStep {
            recipe,
            name,
            result,
            ..
        } => {
            let step = plain(&format!("{recipe}: {name}"));
            match result.as_str() {
                "start" => vec![page.ink(Ink::Dim, &cut(&step, page.columns))],
                "failed" => page.wrapped(Some(Ink::Red), &format!("failed: {step}")),
                _ => Vec::new(),
            }
        }
        Event::Output { line } => vec![cut(&format!("  {}", plain(line)), page.columns)],
        Event::Environment {
            recorded,
            severity,
            message,
        } => {
            let ink = match severity.as_str() {
                "ERROR" | "FATAL" => Some(Ink::Red),
                "WARN" => Some(Ink::Yellow),
                _ => None,
            };
            page.wrapped(ink, &environment_event(*recorded, severity, message))
        }
        Event::Note { level, text } => match level {
            Level::Information => page.wrapped(None, text),
            Level::Warning => page.wrapped(Some(Ink::Yellow), &format!("warning: {text}")),
        },
        Event::StepFailed { step, reason } => {
            let reason = first_line(reason);
            page.wrapped(Some(Ink::Red), &format!("failed: {step}: {reason}"))
        }
        Event::StepStarted { .. }
        | Event::StepFinished { .. }
        | Event::Progress { .. }
        | Event::RunFinished { .. } => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::display::story;

    #[test]
    fn nothing_is_wider_than_the_terminal_whatever_that_is() {
        for columns in 2..130 {
            let page = Page {
                columns,
                rows: 24,
                colour: false,
            };
            let mut stages = Stages::default();
            let story = [
                story::while_applying(),
                story::failed_build(),
                story::resumed_rebuild(),
            ];
            for (now, event) in story.concat() {
                stages.take(now, &event);
                for line in scrolled(&event, page)
                    .iter()
                    .chain(&rows(&stages, now, page))
                {
                    assert!(width(line) <= columns, "{columns}: {line}");
                }
            }
        }
    }

    #[test]
    fn what_was_done_before_says_so() {
        let page = Page {
            columns: 80,
            rows: 24,
            colour: false,
        };
        let mut stages = Stages::default();
        let story = story::resumed_rebuild();
        for (now, event) in &story {
            stages.take(*now, event);
        }
        let rows = rows(&stages, story::at(400), page);
        insta::assert_snapshot!(rows.join("\n"), @"
        ✓ snapshot ━━━━━━━━━━          58s  done before, raw image ami-0aaaaaaaaaaaaaa01
        ✓ launch   ━━━━━━━━━━          26s  2 steps, online
        ✓ image    ━━━━━━━━━━        1m05s  golden image ami-0cccccccccccccc03
        ✓ swap     ━━━━━━━━━━        5m00s
        ");
    }
}
