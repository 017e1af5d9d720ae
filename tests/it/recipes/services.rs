//! Services on a machine with systemd: started is what runs, whatever the start itself said.

use goldseed::recipe::StepResult::{Changed, Failed, Ok as Unchanged};
use goldseed::recipe::{Purpose, Script};

use super::machine::Machine;
use super::{applied, compile, written};

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

#[test]
fn a_handler_of_a_service_that_is_not_there_fails_with_its_name() {
    let machine = Machine::start("goldseed/amazon-linux", "none", &[]);
    machine.sh("printf '[Service]\\nExecStart=/bin/sleep 1000\\n' > /etc/systemd/system/idle.service; systemctl daemon-reload");
    let folder = tempfile::tempdir().unwrap();
    let notified = |service: &str| {
        let text = format!(
            "steps:\n  - file: {{path: /srv/{service}, content: x}}\n    notify: it\n\
             handlers:\n  it: {{service: {service}, action: reload}}\n"
        );
        compile(&[written(folder.path(), &text)], Purpose::Apply).unwrap()
    };
    // What does not run reads its files when it starts.
    let idle = machine.run(&notified("idle"));
    assert_eq!(
        (idle.code, idle.results["written/it"]),
        (0, Unchanged),
        "{}",
        idle.log
    );
    for _ in ["at once", "and as long as it is pending"] {
        let run = machine.run(&notified("ngnix"));
        assert_eq!(run.results["written/it"], Failed { code: 1 }, "{}", run.log);
        assert!(
            run.log.contains("there is no service ngnix here"),
            "{}",
            run.log
        );
    }
}
