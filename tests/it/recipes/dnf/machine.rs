//! A container of the image `goldseed/amazon-linux`, without a network.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use goldseed::recipe::{Line, Reader, Script, StepResult};

/// Where `scripts/setup` writes down which engine there is and the flags that machines need.
const ENGINE: &str = "/var/lib/goldseed-sandbox/engine";

/// Builds the packages and repositories below /srv.
const MAKE_REPOSITORIES: &str = include_str!("make-repositories");

/// A machine; it goes when this is dropped.
pub(super) struct Machine {
    engine: String,
    name: String,
}

/// What became of a script.
pub(super) struct Run {
    pub(super) code: i32,
    pub(super) results: BTreeMap<String, StepResult>,
    pub(super) log: String,
}

impl Machine {
    /// Starts one, with its repositories, and with systemd ready for work.
    pub(super) fn start() -> Self {
        let found = fs_err::read_to_string(ENGINE).unwrap();
        let (engine, flags) = found.split_once('\n').unwrap();
        let machine = Self {
            engine: engine.to_owned(),
            name: format!("goldseed-dnf-{}", std::process::id()),
        };
        let mut run = Command::new(engine);
        run.args(["run", "--detach", "--network", "none"])
            .args(["--label", "goldseed.sandbox=dnf", "--name", &machine.name])
            .args(flags.lines())
            .arg("goldseed/amazon-linux");
        if engine == "podman" {
            run.arg("/sbin/init");
        } else {
            run.args(["/bin/sh", "-c", "for at in /sys/fs/cgroup /sys/fs/cgroup/systemd; do mount -o remount,rw $at; done; exec /sbin/init"]);
        }
        let started = run.output().unwrap();
        assert!(
            started.status.success(),
            "{}",
            String::from_utf8_lossy(&started.stderr)
        );
        machine.sh("until systemctl is-system-running | grep -qE 'running|degraded'; do sleep 0.1; done 2>/dev/null");
        machine.sh(MAKE_REPOSITORIES);
        machine
    }

    /// Runs a command that must succeed; gives its standard output.
    pub(super) fn sh(&self, command: &str) -> String {
        let output = self.exec("sh -e", command);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "{command}: {text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        text
    }

    /// Runs a script as a node does, by the shell that Amazon Linux calls `sh`; its log is in /srv/log meanwhile.
    pub(super) fn run(&self, script: &Script) -> Run {
        let output = self.exec(
            "bash --posix -s 2>&1 | tee /srv/log; exit ${PIPESTATUS[0]}",
            &script.text,
        );
        let mut reader = Reader::new(script);
        let mut lines = reader.feed(&output.stdout);
        lines.extend(reader.finish());
        let results = lines.into_iter().filter_map(|line| match line {
            Line::Step { id, result, .. } if result != StepResult::Started => Some((id, result)),
            _ => None,
        });
        Run {
            code: output.status.code().unwrap(),
            results: results.collect(),
            log: String::from_utf8_lossy(&output.stdout).into_owned(),
        }
    }

    fn exec(&self, command: &str, input: &str) -> Output {
        let mut child = Command::new(&self.engine)
            .args(["exec", "--interactive", &self.name, "bash", "-c", command])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut writer = child.stdin.take().unwrap();
        let input = input.to_owned();
        let writing = std::thread::spawn(move || writer.write_all(input.as_bytes()));
        let output = child.wait_with_output().unwrap();
        // A script that ends early closes its input.
        drop(writing.join().unwrap());
        output
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let removed = Command::new(&self.engine)
            .args(["rm", "--force", "--time", "0", &self.name])
            .output();
        drop(removed);
    }
}
