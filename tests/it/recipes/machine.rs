//! Containers with systemd in which scripts are run as on a node, without the local AWS around them.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use goldseed::recipe::{Line, Reader, Script, StepResult};

/// Where `scripts/setup` writes down which engine there is and the flags that machines need.
const ENGINE: &str = "/var/lib/goldseed-sandbox/engine";

/// Docker mounts the cgroups read-only, and systemd must write there. As in `scripts/setup`.
const REMOUNT: &str =
    "for at in /sys/fs/cgroup /sys/fs/cgroup/systemd; do mount -o remount,rw $at; done; ";

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
    /// Starts one of an image of `scripts/setup`, with systemd ready for work; `network` is that of the engine's
    /// `--network`, and `flags` are others.
    pub(super) fn start(image: &str, network: &str, flags: &[&str]) -> Self {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let found = fs_err::read_to_string(ENGINE).unwrap();
        let (engine, needed) = found.split_once('\n').unwrap();
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let machine = Self {
            engine: engine.to_owned(),
            name: format!("goldseed-test-{}-{number}", std::process::id()),
        };
        // No metadata service is here to be waited for.
        let init = format!(
            "{}touch /etc/cloud/cloud-init.disabled; exec /sbin/init",
            if engine == "podman" { "" } else { REMOUNT }
        );
        let started = Command::new(engine)
            .args(["run", "--detach", "--network", network])
            .args(["--label", "goldseed.sandbox=test", "--name", &machine.name])
            .args(needed.lines().chain(flags.iter().copied()))
            .args([image, "/bin/sh", "-c", &init])
            .output()
            .unwrap();
        assert!(
            started.status.success(),
            "{}",
            String::from_utf8_lossy(&started.stderr)
        );
        machine.sh(
            "until systemctl is-system-running 2>/dev/null | grep -qE 'running|degraded'; do sleep 0.1; done",
        );
        machine
    }

    /// What another machine gives as its network, to share this one's.
    pub(super) fn network(&self) -> String {
        format!("container:{}", self.name)
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

    /// Runs a script by the shell that Amazon Linux calls `sh`; its log is in /srv/log meanwhile.
    pub(super) fn run(&self, script: &Script) -> Run {
        // What a script is too small for stands beside it, as a node sends it.
        for content in &script.contents {
            let text =
                base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &content.bytes);
            let folder = "/var/lib/goldseed/content";
            let put = format!(
                "mkdir -p {folder} && base64 -d >{folder}/{}",
                content.digest
            );
            assert!(self.exec(&put, &text).status.success(), "{put}");
        }
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

    /// Runs a script that must find nothing to do.
    pub(super) fn changes_nothing(&self, script: &Script) {
        let run = self.run(script);
        assert_eq!(run.code, 0, "{}", run.log);
        for (id, result) in &run.results {
            assert!(
                matches!(result, StepResult::Ok | StepResult::Skipped),
                "{id}: {}",
                run.log
            );
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
        for words in [["kill", "--signal=KILL"], ["rm", "--force"]] {
            let ended = Command::new(&self.engine)
                .args(words)
                .arg(&self.name)
                .output();
            drop(ended);
        }
    }
}
