//! What goes over Run Command: short scripts with a verb, and answers of a few lines.
//!
//! A command's second line is `# goldseed <verb> <unit> …`, then come the verb's values as shell variables and the
//! same text for all (`command.sh`); a part of the script stands in a here-document at the end. The answer:
//!
//! ```text
//! goldseed 1
//! state running | finished | interrupted | absent | ready
//! code 0            what the script ended with, once it is finished
//! fresh yes         this command started it; no: it was started before
//! offset 15000      where the next bytes of the log begin
//! data …            the log's bytes up to there, base64
//! ```

use std::fmt::Write as _;
use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::id::Digest;

/// How much of a script goes into one command: with the verb's own text it stays below 48 KB, the size that is
/// known to work (the real limit of a command's parameters is not documented).
const PART: usize = 36_000;

/// How many bytes of a log one answer holds (`command.sh` says the same).
pub(super) const CHUNK: usize = 15_000;

/// The text that all verbs share.
const COMMAND: &str = include_str!("command.sh");

/// A script, packed for the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Packed {
    parts: Vec<String>,
    digest: Digest,
}

impl Packed {
    /// Packs a script: gzip, base64, in parts.
    pub(super) fn new(script: &str) -> std::io::Result<Self> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(script.as_bytes())?;
        let text = STANDARD.encode(encoder.finish()?);
        // Base64 is ASCII: any byte is a border.
        let parts = text
            .as_bytes()
            .chunks(PART)
            .map(|chunk| String::from_utf8_lossy(chunk).into_owned())
            .collect();
        Ok(Self {
            parts,
            digest: Digest::of(script),
        })
    }

    /// The parts that are put before the start.
    pub(super) fn puts(&self, unit: &str) -> Vec<String> {
        let before = self.parts.len().saturating_sub(1);
        let puts = self.parts.iter().take(before).enumerate();
        puts.map(|(at, part)| command("put", unit, &[("part", &(at + 1).to_string())], Some(part)))
            .collect()
    }

    /// The start, with the last part. `limit` is how long the script may run, `wait` how long this command waits for
    /// its end, both in seconds.
    pub(super) fn start(&self, unit: &str, limit: u64, wait: u64) -> String {
        let values = [
            ("part", self.parts.len().to_string()),
            ("digest", self.digest.to_string()),
            ("limit", limit.to_string()),
            ("wait", wait.to_string()),
            ("gather", wait.to_string()),
        ];
        let values: Vec<(&str, &str)> = values
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        command(
            "start",
            unit,
            &values,
            Some(self.parts.last().map_or("", String::as_str)),
        )
    }
}

/// The no-op that shows whether the agent answers.
pub(super) fn probe() -> String {
    command("probe", "probe", &[], None)
}

/// Waits for news of a unit, of which it gathers some seconds' worth, and returns the log from `offset` on.
pub(super) fn follow(unit: &str, offset: u64, wait: u64, gather: u64) -> String {
    let values = [("offset", offset), ("wait", wait), ("gather", gather)]
        .map(|(name, value)| (name, value.to_string()));
    let values: Vec<(&str, &str)> = values
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    command("follow", unit, &values, None)
}

/// Asks whether the machine has booted since any attempt of a unit, named without it, was started: `ready` then.
pub(super) fn booted(unit: &str) -> String {
    command("booted", unit, &[], None)
}

/// Ends a unit with everything it started.
pub(super) fn stop(unit: &str) -> String {
    command("stop", unit, &[], None)
}

/// Writes a command. Values are digits, hexadecimal or unit names: nothing that a shell would read.
fn command(verb: &str, unit: &str, values: &[(&str, &str)], part: Option<&str>) -> String {
    let mut text = format!("#!/bin/sh\n# goldseed {verb} {unit}\nverb={verb}\nunit={unit}\n");
    for (name, value) in values {
        writeln!(text, "{name}={value}").expect("writing to a String cannot fail");
    }
    match part {
        Some(part) => {
            write!(
                text,
                "exec 3<<'PART'\n{part}\nPART\nexec 0<&3 3<&-\n{COMMAND}"
            )
            .expect("writing to a String cannot fail");
        }
        None => text.push_str(COMMAND),
    }
    text
}

/// What a unit is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// The machine answers; nothing was asked about a unit.
    Ready,
    /// The script runs.
    Running,
    /// The script ended with this code.
    Finished(i32),
    /// It was started and is neither running nor finished: the machine was rebooted or the unit was killed.
    Interrupted,
    /// It was never started.
    Absent,
}

/// An answer, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// What the unit is doing.
    pub(super) state: State,
    /// Whether this command started it; unsaid means yes.
    pub(super) fresh: bool,
    /// Where the log goes on.
    pub(super) offset: u64,
    /// The log's bytes up to there.
    pub(super) bytes: Vec<u8>,
}

/// Reads an answer; the error says what is wrong with it.
pub(super) fn read(output: &str) -> Result<Answer, String> {
    let mut lines = output
        .lines()
        .skip_while(|line| *line != "goldseed 1")
        .skip(1);
    let mut field = |name: &str| {
        lines.next().and_then(|line| {
            let (key, value) = line.split_once(' ').unwrap_or((line, ""));
            (key == name).then_some(value)
        })
    };
    let state = field("state").ok_or("it has no state")?;
    let code = field("code").ok_or("it has no code")?;
    let fresh = field("fresh").ok_or("it does not say whether it started anything")?;
    let offset = field("offset")
        .and_then(|text| text.parse().ok())
        .ok_or("it has no offset")?;
    let data = field("data").ok_or("it was cut off before the data")?;
    let state = match state {
        "ready" => State::Ready,
        "running" => State::Running,
        "interrupted" => State::Interrupted,
        "absent" => State::Absent,
        "finished" => State::Finished(code.parse().map_err(|_| "its code is not a number")?),
        other => return Err(format!("it has an unknown state `{other}`")),
    };
    let bytes = STANDARD
        .decode(data.trim())
        .map_err(|_| "its data is damaged")?;
    Ok(Answer {
        state,
        fresh: fresh != "no",
        offset,
        bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_and_damaged_ones_refused() {
        let whole =
            "noise\ngoldseed 1\nstate finished\ncode 3\nfresh no\noffset 5\ndata aGVsbG8=\n";
        assert_eq!(
            read(whole),
            Ok(Answer {
                state: State::Finished(3),
                fresh: false,
                offset: 5,
                bytes: b"hello".to_vec()
            })
        );
        for (wrong, reason) in [
            ("", "no state"),
            (
                "goldseed 1\nstate dancing\ncode -\nfresh no\noffset 0\ndata \n",
                "unknown state",
            ),
            (
                "goldseed 1\nstate running\ncode -\nfresh no\noffset 0\n",
                "cut off",
            ),
            (
                "goldseed 1\nstate running\ncode -\nfresh no\noffset 0\ndata ?\n",
                "damaged",
            ),
        ] {
            let error = read(wrong).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn a_long_script_goes_in_parts_and_every_command_stays_small() {
        let noise: String = (0..40_000).map(|_| fastrand::alphanumeric()).collect();
        let packed = Packed::new(&noise).unwrap();
        let puts = packed.puts("unit");
        assert!(
            !puts.is_empty(),
            "random text does not shrink into one part"
        );
        for text in puts.iter().chain([&packed.start("unit", 60, 3)]) {
            assert!(text.len() < 48_000, "{}", text.len());
        }
        assert!(Packed::new("echo small").unwrap().puts("unit").is_empty());
    }
}
