//! The binary: how it is run, and what it printed, without what differs from run to run.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, OnceLock};

use super::{PATIENCE, STOCK, World, send_signal};

/// The binary of this build: Cargo tells tests where it is, and puts it beside the folder of any other program.
pub(super) fn binary() -> PathBuf {
    if let Some(path) = option_env!("CARGO_BIN_EXE_goldseed") {
        return path.into();
    }
    let this = std::env::current_exe().unwrap();
    this.parent().unwrap().with_file_name("goldseed")
}

/// The binary before it is started.
pub(crate) struct Goldseed<'a> {
    pub(super) world: &'a World,
    pub(crate) command: tokio::process::Command,
}

impl Goldseed<'_> {
    /// With an environment variable.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Without an environment variable.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// With a signal ignored from its start on, as `nohup` has SIGHUP.
    pub(crate) fn ignoring(self, signal: &str) -> Self {
        let script = format!("trap '' {signal}; exec \"$0\" \"$@\"");
        self.through("/bin/sh", &["-c", &script])
    }

    /// Started by another program, which becomes it.
    fn through(mut self, program: &str, arguments: &[&str]) -> Self {
        let plain = self.command.as_std();
        let set = plain.get_envs();
        let set = set.filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
        let mut command = tokio::process::Command::new(program);
        command
            .args(arguments)
            .arg(plain.get_program())
            .args(plain.get_args())
            .env_clear()
            .envs(set)
            .current_dir(self.world.project())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        self.command = command;
        self
    }

    /// With a signal not ignored, even where the tests run under `nohup`.
    pub(crate) fn heeding(self, signal: &str) -> Self {
        self.through("/usr/bin/env", &[&format!("--default-signal={signal}")])
    }

    /// With its standard output going elsewhere.
    pub(crate) fn stdout(mut self, to: impl Into<Stdio>) -> Self {
        self.command.stdout(to);
        self
    }

    /// Runs it to its end.
    pub(crate) fn run(self) -> Output {
        self.run_as(&Arc::default())
    }

    /// Runs it to its end; its process id is told as soon as there is one. What a killed one had asked for is done then.
    pub(crate) fn run_as(mut self, pid: &Arc<OnceLock<u32>>) -> Output {
        let project = self.world.project();
        let output = self.world.wait_for(async {
            let child = self.command.spawn().unwrap();
            let id = child.id().unwrap();
            pid.set(id).unwrap();
            let mut output = std::pin::pin!(child.wait_with_output());
            if let Ok(output) = tokio::time::timeout(PATIENCE, &mut output).await {
                return output.unwrap();
            }
            // Told so, it takes its machines with it.
            send_signal(id, "TERM");
            let output = tokio::time::timeout(PATIENCE, output).await;
            panic!("the binary has not ended in {PATIENCE:?}: {output:?}");
        });
        if output.status.code().is_none() {
            self.world.until_served();
        }
        Output {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            project,
            endpoint: self.world.sandbox.endpoint(),
        }
    }
}

/// What a run of the binary printed. It displays as standard output, standard error and exit status, with all that
/// differs from run to run replaced by what it is.
pub(crate) struct Output {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    project: PathBuf,
    endpoint: String,
}

impl Output {
    /// What was printed on both ways, in one line: prose is wrapped.
    pub(crate) fn said(&self) -> String {
        let words = self.stdout.split_whitespace();
        let words: Vec<_> = words.chain(self.stderr.split_whitespace()).collect();
        words.join(" ")
    }

    /// The run that the output names.
    pub(crate) fn run_id(&self) -> String {
        let form = regex_lite::Regex::new(r"\b\d{8}-\d{6}-[0-9a-f]{4}\b").unwrap();
        let text = format!("{}{}", self.stdout, self.stderr);
        form.find(&text)
            .expect("no run is named")
            .as_str()
            .to_owned()
    }
}

impl Output {
    /// The output as it is but for the names of files and digests: for what tells nothing of a run.
    pub(crate) fn plain(&self) -> String {
        let text = format!("{}------- stderr -------\n{}", self.stdout, self.stderr);
        let status = self
            .code
            .map_or_else(|| "none".to_owned(), |code| code.to_string());
        let text = text
            .replace(&self.project.display().to_string(), "[project]")
            .replace(&binary().display().to_string(), "[goldseed]");
        let text = numbered(&text, r"\b[0-9a-f]{12}\b", "digest");
        format!("{text}[exit status: {status}]")
    }
}

impl fmt::Display for Output {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}------- stderr -------\n{}", self.stdout, self.stderr);
        let status = self
            .code
            .map_or_else(|| "none".to_owned(), |code| code.to_string());
        let text = normalised(&text, &self.project, &self.endpoint);
        write!(formatter, "{text}[exit status: {status}]")
    }
}

/// Tells whether a line is of those that may be dropped or thinned out: progress of a wait, events of Beanstalk.
fn is_progress(line: &str) -> bool {
    let form = r"^\d\d:\d\d:\d\d \S+  (\| Beanstalk |(image|instance|agent|environment) \S+.*: .* \(.*\d+s\)$|agent of )";
    regex_lite::Regex::new(form).unwrap().is_match(line)
}

/// Replaces what differs from run to run, and leaves progress out: ids are numbered in the order in which they show.
fn normalised(text: &str, project: &Path, endpoint: &str) -> String {
    let host = fs_err::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let mut text = text
        .lines()
        .filter(|line| !is_progress(line))
        .fold(String::new(), |text, line| text + line + "\n")
        .replace(&project.display().to_string(), "[project]")
        .replace(&binary().display().to_string(), "[goldseed]")
        .replace(endpoint.trim_start_matches("http://"), "[endpoint]")
        .replace(&format!("ada@{}", host.trim()), "ada@host")
        .replace(STOCK, "[stock image]");
    for (pattern, name) in [
        (r"\b\d{8}-\d{6}-[0-9a-f]{4}\b", "run"),
        (r"\bami-[0-9a-f]{17}\b", "ami"),
        (r"\bi-[0-9a-f]{17}\b", "i"),
        (r"\bsnap-[0-9a-f]{17}\b", "snap"),
        (r"\be-[a-z0-9]{10}\b", "e"),
        (
            r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b",
            "request",
        ),
        (r"\b[0-9a-f]{12}\b", "digest"),
    ] {
        text = numbered(&text, pattern, name);
    }
    for (pattern, name) in [
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "[time]"),
        (r"\b\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?\b", "[time]"),
        (r"\b\d\d:\d\d:\d\d\b", "[time]"),
        (r"127\.0\.0\.1:\d+", "[address]"),
        (r"\bami-[0-9a-f]+…", "[ami]…"),
        (r"\b\d+(\.\d+)?s\b", "[s]"),
        // A script grows with the recipes in it.
        (r"\b\d+ of \d+ KB\b", "[size]"),
        (r"\b\d+(\.\d+)? (ms|s)\b", "[duration]"),
        (r#""(milliseconds|waited_seconds)":\d+"#, "\"$1\":0"),
    ] {
        let form = regex_lite::Regex::new(pattern).unwrap();
        text = form.replace_all(&text, name).into_owned();
    }
    // Columns are as wide as what stands in them.
    let gap = regex_lite::Regex::new(r"(\S) {2,}").unwrap();
    let narrow = |line: &str| {
        if line.contains('[') {
            gap.replace_all(line, "$1  ").into_owned()
        } else {
            line.to_owned()
        }
    };
    let lines: Vec<String> = text.lines().map(narrow).collect();
    // In a table of runs those of one second stand in any order.
    let mut rows: Vec<&str> = lines.iter().filter_map(|line| after_run(line)).collect();
    rows.sort_unstable();
    let mut rows = rows.into_iter();
    lines.iter().fold(String::new(), |text, line| {
        match after_run(line).and_then(|_| rows.next()) {
            Some(row) => text + "[run]" + row + "\n",
            None => text + line + "\n",
        }
    })
}

/// What stands behind the run that a line begins with.
fn after_run(line: &str) -> Option<&str> {
    line.strip_prefix("[run ")?
        .split_once(']')
        .map(|(_, rest)| rest)
}

fn numbered(text: &str, pattern: &str, name: &str) -> String {
    let mut seen: Vec<String> = Vec::new();
    let form = regex_lite::Regex::new(pattern).unwrap();
    form.replace_all(text, |found: &regex_lite::Captures<'_>| {
        let id = found[0].to_owned();
        // Twelve digits are an account.
        if name == "digest" && id.bytes().all(|byte| byte.is_ascii_digit()) {
            return id;
        }
        let at = seen.iter().position(|one| *one == id).unwrap_or_else(|| {
            seen.push(id);
            seen.len() - 1
        });
        format!("[{name} {}]", at + 1)
    })
    .into_owned()
}
