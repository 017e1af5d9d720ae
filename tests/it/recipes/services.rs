//! Services on a machine with systemd: started is what runs, whatever the start itself said.

use goldseed::recipe::Script;
use goldseed::recipe::StepResult::{Changed, Failed};

use super::applied;
use super::machine::Machine;

/// Units that are there before the steps.
const UNITS: [(&str, &str); 6] = [
    ("stays", "[Service]\nExecStart=/bin/sleep 1000\n"),
    ("dies", "[Service]\nExecStart=/bin/false\n"),
    (
        "dies-again",
        "[Service]\nExecStart=/bin/false\nRestart=always\nRestartSec=60\n",
    ),
    (
        "never",
        "[Unit]\nConditionPathExists=/nowhere\n[Service]\nExecStart=/bin/sleep 1000\n",
    ),
    ("held", "[Service]\nExecStart=/bin/sleep 1000\n"),
    ("once", "[Service]\nType=oneshot\nExecStart=/bin/true\n"),
];

fn running(name: &str) -> Script {
    let folder = tempfile::tempdir().unwrap();
    let step = format!("  - service: {{name: {name}, state: running}}\n");
    applied(folder.path(), &step)
}

#[test]
fn a_service_that_does_not_run_after_its_start_fails_the_step() {
    let machine = Machine::start("goldseed/amazon-linux", "none", &[]);
    for (name, text) in UNITS {
        machine.sh(&format!(
            "printf '%s' '{text}' > /etc/systemd/system/{name}.service"
        ));
    }
    // As the user data of goldseed's own machines holds back cron.
    machine.sh(
        "mkdir -p /run/systemd/system/held.service.d; cd /run/systemd/system/held.service.d\n\
         printf '[Unit]\\nConditionPathExists=/nowhere\\n' > 90-goldseed.conf\nsystemctl daemon-reload",
    );
    for (name, failure) in [
        ("stays", None),
        ("dies", Some("dies was started and is failed right after")),
        (
            "dies-again",
            Some("dies-again was started and is activating right after"),
        ),
        ("never", Some("never does not run after its start")),
        ("held", None),
        ("once", None),
    ] {
        let run = machine.run(&running(name));
        let log = &run.log;
        match failure {
            None => {
                assert_eq!(run.code, 0, "{name}: {log}");
                assert_eq!(run.results["written/1"], Changed, "{name}: {log}");
            }
            Some(words) => {
                assert_eq!(
                    run.results["written/1"],
                    Failed { code: 1 },
                    "{name}: {log}"
                );
                assert!(log.contains(words), "{name}: {log}");
            }
        }
    }
    machine.changes_nothing(&running("stays"));
}
