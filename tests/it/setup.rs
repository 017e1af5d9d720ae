//! `scripts/setup` on computers that have other container engines than this one: which engine it takes, and what it says
//! where there is none.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Output};

/// A daemon that does not answer, as docker's client reports it.
const NO_DAEMON: &str =
    "echo 'Cannot connect to the Docker daemon at unix:///var/run/docker.sock.' >&2; exit 1";

/// A computer with this computer's programs but for the engines, `apt-get` and `id`, which are as the test says.
struct Computer {
    programs: tempfile::TempDir,
}

impl Computer {
    fn new(engines: &[(&str, &str)]) -> Self {
        let programs = tempfile::tempdir().unwrap();
        let computer = Self { programs };
        for folder in ["/usr/sbin", "/usr/bin", "/sbin", "/bin"] {
            for entry in fs_err::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                let link = computer.programs.path().join(path.file_name().unwrap());
                // Of two of one name the first counts, as in PATH.
                if !link.exists() {
                    drop(symlink(&path, link));
                }
            }
        }
        for program in ["podman", "docker", "apt-get", "sudo"] {
            drop(fs_err::remove_file(computer.programs.path().join(program)));
        }
        // What else it looks for must be there, whatever this computer has.
        for program in ["debootstrap", "apt-ftparchive", "flock", "curl"] {
            computer.put(program, "exit 0");
        }
        computer.put("id", "echo 0");
        for (name, script) in engines {
            computer.put(name, script);
        }
        computer
    }

    fn put(&self, name: &str, script: &str) {
        let path = self.programs.path().join(name);
        drop(fs_err::remove_file(&path));
        fs_err::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs_err::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn setup(&self, arguments: &[&str]) -> String {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/setup");
        let Output {
            stdout,
            stderr,
            status,
        } = Command::new("/bin/bash")
            .arg(script)
            .args(arguments)
            .env_clear()
            .env("PATH", self.programs.path())
            .output()
            .unwrap();
        assert!(!status.success());
        format!(
            "{}{}",
            String::from_utf8_lossy(&stdout),
            String::from_utf8_lossy(&stderr)
        )
    }
}

#[test]
fn a_docker_client_without_a_daemon_is_no_engine() {
    let said = Computer::new(&[("docker", NO_DAEMON)]).setup(&["--check"]);
    assert_eq!(said, "setup: missing: podman; scripts/setup installs it\n");
    let said = Computer::new(&[]).setup(&["--check"]);
    assert_eq!(said, "setup: missing: podman; scripts/setup installs it\n");
}

#[test]
fn an_engine_that_cannot_run_machines_is_named_with_its_reason() {
    let remote = "case $1 in info) echo '27.0 [name=seccomp] Debian' ;; context) echo tcp://10.0.0.9:2376 ;; esac";
    let desktop = "case $1 in info) echo '27.0 [name=seccomp] Docker Desktop' ;; context) echo unix:///run/d.sock ;; esac";
    let rootless_daemon = "case $1 in info) echo '27.0 [name=rootless] Debian' ;; context) echo unix:///run/d.sock ;; esac";
    for (podman, docker, reasons) in [
        (
            "echo 'true false'",
            NO_DAEMON,
            [
                "podman: it runs rootless even for root",
                "docker: its daemon does not answer: Cannot connect to the Docker daemon",
            ],
        ),
        (
            "echo 'false true'",
            remote,
            [
                "podman: it is set to an engine on another computer",
                "docker: it is set to an engine on another computer (tcp://10.0.0.9:2376)",
            ],
        ),
        (
            "echo 'Error: cannot open the storage' >&2; exit 125",
            desktop,
            [
                "podman: it does not answer: Error: cannot open the storage",
                "docker: it is Docker Desktop",
            ],
        ),
        (
            "echo 'true false'",
            rootless_daemon,
            [
                "podman: it runs rootless",
                "docker: its daemon runs rootless",
            ],
        ),
    ] {
        let said = Computer::new(&[("podman", podman), ("docker", docker)]).setup(&["--check"]);
        for reason in reasons {
            assert!(said.contains(reason), "{reason} is not in {said}");
        }
    }
}

#[test]
fn the_engine_that_answers_is_taken() {
    let docker = "case $1 in info) echo '27.0 [name=seccomp] Debian' ;; context) echo unix:///run/docker.sock ;; *) exit 1 ;; esac";
    let podman = "case $1 in info) echo 'false false' ;; *) exit 1 ;; esac";
    for engines in [
        &[("docker", docker)][..],
        &[("podman", podman)],
        &[("podman", podman), ("docker", NO_DAEMON)],
        &[("podman", "echo 'true false'"), ("docker", docker)],
    ] {
        let said = Computer::new(engines).setup(&["--check"]);
        assert!(
            said.starts_with("setup: the image goldseed/machine-base is missing"),
            "{engines:?}: {said}"
        );
    }
}

#[test]
fn without_a_network_the_engine_is_named_that_could_not_be_installed() {
    let computer = Computer::new(&[
        ("docker", NO_DAEMON),
        (
            "apt-get",
            "echo 'E: Temporary failure resolving the mirror' >&2; exit 100",
        ),
    ]);
    let said = computer.setup(&[]);
    assert!(said.contains("Temporary failure resolving"), "{said}");
    assert!(said.contains("apt-get install podman failed"), "{said}");
    assert!(said.contains("run scripts/setup again"), "{said}");
}

#[test]
fn a_person_without_root_and_sudo_is_told_the_command() {
    let computer = Computer::new(&[("docker", NO_DAEMON)]);
    computer.put("id", "echo 1000");
    let said = computer.setup(&["--check"]);
    assert!(
        said.contains("this needs root, and there is no sudo"),
        "{said}"
    );
    assert!(
        said.contains("As root, run scripts/setup --check"),
        "{said}"
    );
}
