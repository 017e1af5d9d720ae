//! What a running script says: its own lines and its commands' output, from bytes that come in any pieces.

use std::collections::{HashMap, VecDeque};

use super::script::Script;

/// How many lines of a step's output are kept for its failure.
const KEPT: usize = 40;

/// A line without an end is given out when it is this long.
const LONGEST: usize = 64 * 1024;

/// One line of a script's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// A step began or ended.
    Step {
        /// Its id.
        id: String,
        /// What became of it.
        result: StepResult,
        /// How long it took; nothing for its start.
        milliseconds: u64,
    },
    /// A command wrote a line.
    Output {
        /// The step that it ran in.
        step: Option<String>,
        /// The line; what is not UTF-8 is replaced.
        text: String,
    },
    /// The script has ended in the middle, because a step wants the machine to boot anew.
    Reboot {
        /// The step's id.
        id: String,
    },
}

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepResult {
    /// It began.
    Started,
    /// Nothing had to be done.
    Ok,
    /// Something was changed.
    Changed,
    /// It was not wanted here.
    Skipped,
    /// It failed, with the code of its command; the script ends.
    Failed {
        /// As the shell saw it.
        code: i32,
    },
}

/// Reads a log as it grows.
#[derive(Debug)]
pub struct Reader {
    marker: String,
    pending: Vec<u8>,
    current: Option<(String, u64)>,
    kept: HashMap<String, VecDeque<String>>,
}

impl Reader {
    /// Reads the log of one script.
    pub fn new(script: &Script) -> Self {
        Self::with_nonce(script.nonce())
    }

    fn with_nonce(nonce: &str) -> Self {
        Self {
            marker: format!("@@{nonce} "),
            pending: Vec::new(),
            current: None,
            kept: HashMap::new(),
        }
    }

    /// Takes the next bytes and gives the lines that they complete.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Line> {
        let mut lines = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.pending.extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.pending.len() >= LONGEST {
                let line = self.complete();
                self.line(&line, &mut lines);
            }
        }
        lines
    }

    /// Gives out what is left when the log has ended.
    pub fn finish(&mut self) -> Vec<Line> {
        let mut lines = Vec::new();
        if !self.pending.is_empty() {
            let line = String::from_utf8_lossy(&std::mem::take(&mut self.pending)).into_owned();
            self.line(&line, &mut lines);
        }
        lines
    }

    /// The step that is running, if one is.
    pub fn current(&self) -> Option<&str> {
        self.current.as_ref().map(|(id, _)| id.as_str())
    }

    /// The last lines that a step wrote, at most `most` (and never more than 40).
    pub fn last_lines(&self, step: &str, most: usize) -> Vec<&str> {
        let kept = self.kept.get(step);
        let skipped = kept.map_or(0, |lines| lines.len().saturating_sub(most));
        kept.into_iter()
            .flatten()
            .skip(skipped)
            .map(String::as_str)
            .collect()
    }

    /// The pending bytes as a line without its end; of one that is too long, a character cut in two stays pending.
    fn complete(&mut self) -> String {
        let mut bytes = std::mem::take(&mut self.pending);
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
            if bytes.last() == Some(&b'\r') {
                bytes.pop();
            }
        } else if let Err(error) = std::str::from_utf8(&bytes)
            && error.error_len().is_none()
        {
            self.pending = bytes.split_off(error.valid_up_to());
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn line(&mut self, line: &str, lines: &mut Vec<Line>) {
        // A command's last line may lack its end, so a marker can stand in the middle of a line.
        let marked = line.find(&self.marker).and_then(|at| {
            let (before, after) = line.split_at(at);
            Some((before, marked(after.strip_prefix(&self.marker)?)?))
        });
        match marked {
            Some((before, step)) => {
                if !before.is_empty() {
                    let output = self.output(before);
                    lines.push(output);
                }
                let step = self.step(step);
                lines.push(step);
            }
            None => lines.push(self.output(line)),
        }
    }

    fn output(&mut self, text: &str) -> Line {
        let step = self.current.as_ref().map(|(id, _)| id.clone());
        if let Some(step) = &step {
            let kept = self.kept.entry(step.clone()).or_default();
            if kept.len() == KEPT {
                kept.pop_front();
            }
            kept.push_back(text.to_owned());
        }
        Line::Output {
            step,
            text: text.to_owned(),
        }
    }

    fn step(&mut self, (time, id, word): (u64, String, Word)) -> Line {
        let Word::Result(result) = word else {
            return Line::Reboot { id };
        };
        let mut milliseconds = 0;
        if result == StepResult::Started {
            self.current = Some((id.clone(), time));
        } else if let Some((_, started)) = self.current.take_if(|(current, _)| *current == id) {
            milliseconds = time.saturating_sub(started) * 10;
        }
        Line::Step {
            id,
            result,
            milliseconds,
        }
    }
}

/// What a line of the script's own says of a step.
enum Word {
    Result(StepResult),
    Reboot,
}

/// `<hundredths> <id> <word> [code]`.
fn marked(text: &str) -> Option<(u64, String, Word)> {
    let mut words = text.split(' ');
    let time = words.next()?.parse().ok()?;
    let id = words.next()?.to_owned();
    let word = match words.next()? {
        "start" => Word::Result(StepResult::Started),
        "ok" => Word::Result(StepResult::Ok),
        "changed" => Word::Result(StepResult::Changed),
        "skipped" => Word::Result(StepResult::Skipped),
        "failed" => Word::Result(StepResult::Failed {
            code: words.next()?.parse().ok()?,
        }),
        "reboot" => Word::Reboot,
        _ => return None,
    };
    words.next().is_none().then_some((time, id, word))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "before\n@@0123abcd 100 a/1 start\nhéllo\nno end@@0123abcd 250 a/1 changed\n@@ffffffff 1 x ok\n\
                       @@0123abcd 251 a/2 skipped\n@@0123abcd 300 a/3 start\noops\n@@0123abcd 301 a/3 failed 137\n\
                       @@0123abcd 302 a/4 start\n@@0123abcd 303 a/4 changed\n@@0123abcd 303 a/4 reboot\n";

    fn read(chunk: usize) -> (Vec<Line>, Reader) {
        let mut reader = Reader::with_nonce("0123abcd");
        let mut lines: Vec<Line> = LOG
            .as_bytes()
            .chunks(chunk)
            .flat_map(|bytes| reader.feed(bytes))
            .collect();
        lines.extend(reader.finish());
        (lines, reader)
    }

    #[test]
    fn bytes_in_any_pieces_give_the_same_lines() {
        let (whole, reader) = read(LOG.len());
        for chunk in 1..40 {
            assert_eq!(read(chunk).0, whole, "in pieces of {chunk}");
        }
        let step = |id: &str, result, milliseconds| Line::Step {
            id: id.to_owned(),
            result,
            milliseconds,
        };
        let output = |step: Option<&str>, text: &str| Line::Output {
            step: step.map(str::to_owned),
            text: text.to_owned(),
        };
        assert_eq!(
            whole,
            [
                output(None, "before"),
                step("a/1", StepResult::Started, 0),
                output(Some("a/1"), "héllo"),
                output(Some("a/1"), "no end"),
                step("a/1", StepResult::Changed, 1500),
                output(None, "@@ffffffff 1 x ok"),
                step("a/2", StepResult::Skipped, 0),
                step("a/3", StepResult::Started, 0),
                output(Some("a/3"), "oops"),
                step("a/3", StepResult::Failed { code: 137 }, 10),
                step("a/4", StepResult::Started, 0),
                step("a/4", StepResult::Changed, 10),
                Line::Reboot {
                    id: "a/4".to_owned()
                },
            ]
        );
        assert_eq!(reader.last_lines("a/3", 40), ["oops"]);
        assert_eq!(reader.last_lines("a/1", 1), ["no end"]);
    }

    #[test]
    fn a_line_without_an_end_does_not_grow_for_ever() {
        let mut reader = Reader::with_nonce("0123abcd");
        let lines = reader.feed("é".repeat(100_000).as_bytes());
        assert!(
            matches!(lines.as_slice(), [Line::Output { text, .. }, ..] if !text.contains('\u{fffd}'))
        );
    }
}
