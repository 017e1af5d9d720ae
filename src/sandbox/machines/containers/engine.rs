//! The container engine's command line: podman or docker, which take the same commands.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::ContainersError;

/// No call of the engine but a command on a node takes longer; a commit of a large change is the slowest.
const PATIENCE: Duration = Duration::from_mins(5);

/// Docker mounts the cgroups read-only, and systemd must write there (its own hierarchy where there are several). As in
/// `scripts/setup`.
const REMOUNT: &str = "for at in /sys/fs/cgroup /sys/fs/cgroup/systemd; do \
    mount -o remount,rw $at; done\n";

/// What is done before systemd takes over.
const FIRST: &str = include_str!("first.sh");

/// The engine that `scripts/setup` chose, with the flags that it found out machines need here.
#[derive(Clone, Debug)]
pub(super) struct Engine {
    program: String,
    flags: Vec<String>,
}

impl Engine {
    /// Reads what `scripts/setup` wrote down: the engine's name in the first line, then a flag a line.
    pub(super) fn read(kept: &Path) -> Result<Self, ContainersError> {
        let text =
            fs_err::read_to_string(kept.join("engine")).map_err(ContainersError::NotSetUp)?;
        let mut lines = text.lines().map(str::to_owned);
        let program = lines.next().unwrap_or_default();
        if !matches!(program.as_str(), "podman" | "docker") {
            return Err(ContainersError::UnknownEngine(program));
        }
        Ok(Self {
            program,
            flags: lines.filter(|line| !line.is_empty()).collect(),
        })
    }

    /// Makes sure that the engine answers, as root, and holds the image.
    pub(super) async fn probe(&self, image: &str) -> Result<(), ContainersError> {
        let rootful = if self.program == "podman" {
            let format = "{{.Host.Security.Rootless}}";
            self.run(["info", "--format", format]).await? == "false"
        } else {
            let format = "{{.SecurityOptions}}";
            let options = self.run(["info", "--format", format]).await?;
            !options.contains("rootless")
        };
        if !rootful {
            return Err(ContainersError::Rootless(self.program.clone()));
        }
        self.run(["image", "inspect", "--format", "{{.Id}}", image])
            .await
            .map_err(|_| ContainersError::NoImage(image.to_owned()))?;
        Ok(())
    }

    /// The flags that every machine's container is started with.
    pub(super) fn flags(&self) -> &[String] {
        &self.flags
    }

    /// The first process of a machine.
    pub(super) fn first_process(&self) -> [String; 3] {
        let remount = if self.program == "podman" {
            ""
        } else {
            REMOUNT
        };
        let script = format!("{remount}{FIRST}");
        ["/bin/sh".to_owned(), "-c".to_owned(), script]
    }

    /// Takes an image's name away from it, even while containers stand on it.
    pub(super) async fn unname(&self, reference: &str) -> Result<(), ContainersError> {
        // `rmi --force` of podman would take the containers too; docker's only takes the name, and has no `untag`.
        if self.program == "podman" {
            self.run(["untag", reference, reference]).await?;
        } else {
            self.run(["rmi", "--force", reference]).await?;
        }
        Ok(())
    }

    /// Runs a command of the engine and returns its standard output, without the white space around it.
    pub(super) async fn run<I, S>(&self, arguments: I) -> Result<String, ContainersError>
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        let call = self.call(arguments);
        let output = self.finish(call, None, PATIENCE).await?;
        Ok(String::from_utf8_lossy(&output).trim().to_owned())
    }

    /// As [`Engine::run`], with a variable in the engine's own environment: for what must not be seen in a list of
    /// processes.
    pub(super) async fn run_with<I, S>(
        &self,
        arguments: I,
        variable: (&str, &str),
    ) -> Result<String, ContainersError>
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        let mut call = self.call(arguments);
        call.command.env(variable.0, variable.1);
        let output = self.finish(call, None, PATIENCE).await?;
        Ok(String::from_utf8_lossy(&output).trim().to_owned())
    }

    /// Runs a command of the engine with an input, whatever its exit status, for at most so long.
    pub(super) async fn run_for_output<I, S>(
        &self,
        arguments: I,
        input: &[u8],
        patience: Duration,
    ) -> Result<Output, ContainersError>
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        let call = self.call(arguments);
        self.output(call, Some(input), patience).await
    }

    fn call<I, S>(&self, arguments: I) -> Call
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        let arguments: Vec<OsString> = arguments
            .into_iter()
            .map(|argument| argument.as_ref().to_owned())
            .collect();
        let mut command = Command::new(&self.program);
        command.args(&arguments).kill_on_drop(true);
        let words: Vec<_> = arguments
            .iter()
            .map(|word| word.to_string_lossy())
            .collect();
        // The verb and its object tell what went wrong; thirty flags would hide it.
        let shown = words.iter().take(2).map(AsRef::as_ref).collect::<Vec<_>>();
        Call {
            command,
            shown: format!("{} {}", self.program, shown.join(" ")),
        }
    }

    async fn finish(
        &self,
        call: Call,
        input: Option<&[u8]>,
        patience: Duration,
    ) -> Result<Vec<u8>, ContainersError> {
        let shown = call.shown.clone();
        let output = self.output(call, input, patience).await?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        Err(ContainersError::Refused {
            call: shown,
            message: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        })
    }

    async fn output(
        &self,
        mut call: Call,
        input: Option<&[u8]>,
        patience: Duration,
    ) -> Result<Output, ContainersError> {
        let io = |source| ContainersError::Engine {
            call: call.shown.clone(),
            source,
        };
        let mut child = call
            .command
            .stdin(input.map_or_else(Stdio::null, |_| Stdio::piped()))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(io)?;
        let writer = child.stdin.take();
        let talk = async {
            let write = async {
                if let (Some(mut writer), Some(input)) = (writer, input) {
                    // An engine that refuses closes its input early; its exit status says why.
                    drop(writer.write_all(input).await);
                }
            };
            let ((), output) = tokio::join!(write, child.wait_with_output());
            output
        };
        tokio::time::timeout(patience, talk)
            .await
            .map_err(|_| ContainersError::Hangs(call.shown.clone()))?
            .map_err(io)
    }
}

/// A command line with what is shown of it in errors.
struct Call {
    command: Command,
    shown: String,
}
