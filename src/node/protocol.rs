//! What goes over Run Command: short scripts with a verb, and answers of a few lines.
//!
//! A command's second line is `# goldseed <verb> <unit>`, then come the verb's values as shell variables and the
//! same text for all (`command.sh`); what is sent stands in a here-document. The answer:
//!
//! ```text
//! goldseed 1
//! state running | finished | interrupted | absent | ready
//! code 0            what the script ended with, once it is finished
//! fresh yes         this command started it; no: it was started before
//! offset 15000      where the next bytes of the log, or of what is sent, begin
//! data …            the log's bytes up to there, or what the machine lacks, base64
//! full yes          only where the memory that holds the log has no space left
//! ```

use std::fmt::Write as _;
use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::id::Digest;
use crate::recipe::{Content, Standing};

/// How much of what is sent goes into one command: with the verb's own text it stays below 48 KB, the size that is
/// known to work (the real limit of a command's parameters is not documented).
const PART: usize = 36_000;

/// How many bytes of a log one answer holds (`command.sh` says the same).
pub(super) const CHUNK: usize = 15_000;

/// The text that all verbs share.
const COMMAND: &str = include_str!("command.sh");

/// What a unit runs; the verb `start` writes it beside the script.
const UNIT: &str = include_str!("unit.sh");

/// Bytes, packed for one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    text: String,
    /// How many bytes of the whole are in it.
    pub(super) length: usize,
    digest: Digest,
}

impl Part {
    /// Packs the head of some bytes, as much of it as one command takes: all, or else about that much. `guess` says how
    /// much that may be.
    pub(super) fn of(bytes: &[u8], guess: usize) -> std::io::Result<Self> {
        let mut length = bytes.len().min(guess.max(1));
        loop {
            let part = Self::pack(bytes.get(..length).unwrap_or(bytes))?;
            if part.text.len() <= PART {
                return Ok(part);
            }
            // What is left out shrinks as the rest does, or a little less.
            length = (length * PART / part.text.len() * 19 / 20).max(1);
        }
    }

    /// The whole, where one command takes it.
    pub(super) fn whole(bytes: &[u8]) -> std::io::Result<Option<Self>> {
        let part = Self::pack(bytes)?;
        Ok((part.text.len() <= PART).then_some(part))
    }

    fn pack(bytes: &[u8]) -> std::io::Result<Self> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes)?;
        Ok(Self {
            text: STANDARD.encode(encoder.finish()?),
            length: bytes.len(),
            digest: Digest::of(bytes),
        })
    }
}

/// Asks which of these contents the machine lacks. It answers with lines of a digest and how many bytes of it it has.
pub(super) fn need(unit: &str, contents: &[&Content]) -> String {
    let mut list = String::new();
    for content in contents {
        let fields = match &content.place {
            Standing::Nowhere => vec!["nowhere"],
            Standing::File { path } => vec!["file", path],
            Standing::Archive { path, stamp, state } => vec!["archive", path, stamp, state],
        };
        writeln!(list, "{}\t{}", content.digest, fields.join("\t"))
            .expect("writing to a String cannot fail");
    }
    command("need", unit, &[], Some(list.trim_end_matches('\n')))
}

/// Sends a part of a content that begins at this byte of it. It answers with the byte that is to come next.
pub(super) fn put(unit: &str, content: &Content, at: usize, part: &Part) -> String {
    let values = [
        ("content", content.digest.to_string()),
        ("total", content.bytes.len().to_string()),
        ("at", at.to_string()),
        ("digest", part.digest.to_string()),
    ];
    command("put", unit, &borrowed(&values), Some(&part.text))
}

/// Starts a script that is in this command, or that was sent before. `limit` is how long it may run, `wait` how long
/// this command waits for its end, both in seconds.
pub(super) fn start(unit: &str, script: Result<&Part, &Content>, limit: u64, wait: u64) -> String {
    let (held, digest, text) = match script {
        Ok(part) => ("no", &part.digest, part.text.as_str()),
        Err(content) => ("yes", &content.digest, ""),
    };
    let values = [
        ("held", held.to_owned()),
        ("digest", digest.to_string()),
        ("limit", limit.to_string()),
        ("wait", wait.to_string()),
        ("gather", wait.to_string()),
    ];
    command("start", unit, &borrowed(&values), Some(text))
}

fn borrowed<'a>(values: &'a [(&'a str, String)]) -> Vec<(&'a str, &'a str)> {
    values
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect()
}

/// The no-op that shows whether the agent answers.
pub(super) fn probe() -> String {
    command("probe", "probe", &[], None)
}

/// Waits for news of a unit, of which it gathers some seconds' worth, and returns the log from `offset` on.
pub(super) fn follow(unit: &str, offset: u64, wait: u64, gather: u64) -> String {
    let values = [("offset", offset), ("wait", wait), ("gather", gather)]
        .map(|(name, value)| (name, value.to_string()));
    command("follow", unit, &borrowed(&values), None)
}

/// Asks whether the machine has booted since any attempt of a unit, named without it, was started: `absent` is no such
/// boot, `running` one whose boot steps still run, `ready` one that is done.
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
    if let Some(part) = part {
        write!(text, "exec 3<<'PART'\n{part}\nPART\nexec 0<&3 3<&-\n")
            .expect("writing to a String cannot fail");
    }
    text.push_str(&COMMAND.replace("@UNIT@", UNIT.trim_end()));
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
    /// Whether the memory that holds the log has no space left.
    pub(super) full: bool,
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
    let full = field("full") == Some("yes");
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
        full,
    })
}

/// A piece of a unit's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPiece {
    /// Where it begins in the log.
    pub offset: u64,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Reads the piece of a unit's log out of what a command has printed; none in what is no such answer.
pub fn log_piece(output: &str) -> Option<LogPiece> {
    let answer = read(output).ok()?;
    let length = u64::try_from(answer.bytes.len()).ok()?;
    let tells_of_a_unit = answer.state != State::Ready && length > 0;
    tells_of_a_unit.then(|| LogPiece {
        offset: answer.offset.saturating_sub(length),
        bytes: answer.bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_a_log_are_told_from_other_answers() {
        let answer = |state: &str| {
            format!("goldseed 1\nstate {state}\ncode 0\nfresh no\noffset 7\ndata aGVsbG8=\n")
        };
        let piece = LogPiece {
            offset: 2,
            bytes: b"hello".to_vec(),
        };
        assert_eq!(log_piece(&answer("finished")), Some(piece.clone()));
        assert_eq!(log_piece(&answer("running")), Some(piece));
        assert_eq!(log_piece(&answer("ready")), None);
        assert_eq!(log_piece("hello"), None);
    }

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
                bytes: b"hello".to_vec(),
                full: false,
            })
        );
        let full = read(&format!("{whole}full yes\n")).unwrap();
        assert!(full.full && full.bytes == b"hello");
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
    fn what_is_large_goes_in_parts_and_every_command_stays_small() {
        let noise: String = (0..100_000).map(|_| fastrand::alphanumeric()).collect();
        for bytes in [noise.as_bytes(), "x".repeat(3_000_000).as_bytes()] {
            let content = Content::new(bytes.to_vec(), Standing::Nowhere);
            let (mut at, mut parts) = (0, 0);
            while at < bytes.len() {
                let part = Part::of(&bytes[at..], usize::MAX).unwrap();
                let text = put("unit", &content, at, &part);
                assert!(text.len() < 48_000, "{}", text.len());
                assert_eq!(part.digest, Digest::of(&bytes[at..at + part.length]));
                at += part.length;
                parts += 1;
            }
            // Little of what a command could hold is left empty.
            assert!(parts <= bytes.len() / 40_000 + 1, "{parts} parts");
        }
        assert!(Part::whole(noise.as_bytes()).unwrap().is_none());
        assert!(Part::whole(b"echo small").unwrap().is_some());
    }

    /// Runs a unit's script, with this awk; gives the folder that it leaves.
    fn kept(script: &str, awk: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        fs_err::write(path.join("script"), script).unwrap();
        let tool = path.join("bin/awk");
        fs_err::create_dir(path.join("bin")).unwrap();
        let shim = format!("#!/bin/sh\nexec {awk} \"$@\"\n");
        fs_err::write(&tool, shim).unwrap();
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs_err::set_permissions(&tool, executable).unwrap();
        let bin = path.join("bin");
        let ended = std::process::Command::new("sh")
            .arg("-c")
            .arg(format!("{UNIT}\n"))
            .args(["unit"])
            .arg(path)
            .arg("goldseed-end-0123")
            .env("LC_ALL", "C")
            .env("PATH", format!("{}:{}", bin.display(), env!("PATH")))
            .status()
            .unwrap();
        assert!(ended.success(), "{awk}: {ended}");
        folder
    }

    /// The awks of machines that are here.
    fn awks() -> Vec<&'static str> {
        let there = |awk: &&str| {
            let asked = std::process::Command::new(awk)
                .arg("BEGIN {exit 0}")
                .output();
            asked.is_ok_and(|output| output.status.success())
        };
        ["mawk", "gawk"].into_iter().filter(there).collect()
    }

    /// The log and the code that a script leaves, by each awk.
    fn each_kept(script: &str, check: impl Fn(&str, &str)) {
        let awks = awks();
        assert!(!awks.is_empty());
        for awk in awks {
            let folder = kept(script, awk);
            let read = |name: &str| fs_err::read(folder.path().join(name)).unwrap();
            let log = String::from_utf8_lossy(&read("log")).into_owned();
            let code = String::from_utf8(read("code")).unwrap();
            check(&log, code.trim_end());
        }
    }

    #[test]
    fn of_what_a_script_prints_a_head_and_a_tail_are_kept_and_its_code() {
        each_kept(
            "echo first; yes a line | head -n 8000000; printf last; exit 3\n",
            |log, code| {
                assert_eq!(code, "3");
                assert!(log.len() < 140_000, "{}", log.len());
                assert!(log.starts_with("first\na line\n") && log.ends_with("a line\nlast\n"));
                let note = log
                    .lines()
                    .find(|line| line.contains("bytes left out"))
                    .unwrap();
                let count: usize = note.split(' ').nth(1).unwrap().parse().unwrap();
                assert_eq!(count + log.len() - note.len() - 1, 56_000_011);
            },
        );
        // One line, and bytes that are no text, of which nothing is kept.
        for filler in ["tr '\\0' x", "cat"] {
            let script = format!("head -c 20000000 /dev/zero | {filler}; exit 4\n");
            each_kept(&script, |log, code| {
                assert_eq!(code, "4");
                assert!(log.len() < 140_000, "{}", log.len());
                assert!(log.is_empty() || log.contains("bytes left out"));
            });
        }
        each_kept("echo out; echo err >&2\n", |log, code| {
            assert_eq!((log, code), ("out\nerr\n", "0"));
        });
    }

    #[test]
    fn what_is_told_of_steps_is_never_left_out() {
        let script = "for i in $(seq 1 60); do echo \"@@ab12 $i shop/$i start\"; yes y | head -c 150000\n\
            head -c $((8000 - i)) /dev/zero | tr '\\0' x; echo \"@@ab12 $i shop/$i ok\"; done\n";
        each_kept(script, |log, code| {
            assert_eq!(code, "0");
            assert_eq!(
                log.lines()
                    .filter(|line| line.starts_with("@@ab12 "))
                    .count(),
                120
            );
            // When much was printed, less of each step is kept.
            assert!(log.len() < 2_000_000, "{}", log.len());
        });
    }

    #[test]
    fn what_a_script_leaves_running_does_not_hold_its_end_up() {
        let began = std::time::Instant::now();
        let script = "sleep 60 & echo \"$!\" > \"${0%/*}/left\"; echo started; exit 5\n";
        let folder = kept(script, awks()[0]);
        let read = |name: &str| fs_err::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(
            (read("log").as_str(), read("code").trim_end()),
            ("started\n", "5")
        );
        assert!(began.elapsed() < std::time::Duration::from_secs(30));
        let left = read("left");
        let ended = std::process::Command::new("kill").arg(left.trim()).status();
        assert!(ended.unwrap().success());
    }
}
