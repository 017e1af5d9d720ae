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

#[test]
fn a_unit_or_a_drop_in_that_changes_is_read_again() {
    let machine = Machine::start("goldseed/amazon-linux", "none", &[]);
    let unit = |word: &str| format!("[Service]\\nExecStart=/bin/sleep {word}\\n");
    let write = |path: &str, text: &str| {
        machine.sh(&format!(
            "mkdir -p $(dirname {path}) && printf '{text}' > {path}"
        ))
    };
    let runs = |name: &str| {
        let shown = machine.sh(&format!(
            "tr '\\0' ' ' < /proc/$(systemctl show -p MainPID --value {name})/cmdline"
        ));
        shown.trim().to_owned()
    };
    let folder = tempfile::tempdir().unwrap();
    let handled = |action: &str, path: &str, text: &str| {
        let text = format!(
            "steps:\n  - file: {{path: {path}, content: \"{text}\"}}\n    notify: it\n\
             handlers:\n  it: {{service: app, action: {action}}}\n"
        );
        compile(&[written(folder.path(), &text)], Purpose::Apply).unwrap()
    };
    write("/usr/lib/systemd/system/app.service", &unit("1001"));
    write("/usr/lib/systemd/system/tick.service", &unit("2001"));
    machine.sh("systemctl daemon-reload; systemctl start app tick; systemctl stop tick");
    assert_eq!(runs("app"), "/bin/sleep 1001");

    // A start: the unit is changed, a folder of drop-ins is new, and another unit overrides it.
    for (path, word) in [
        ("/usr/lib/systemd/system/tick.service", "2002"),
        ("/etc/systemd/system/tick.service", "2003"),
    ] {
        machine.sh("systemctl stop tick; systemctl show -p ExecStart tick");
        write(path, &unit(word));
        assert_eq!(machine.run(&running("tick")).code, 0);
        assert_eq!(runs("tick"), format!("/bin/sleep {word}"));
    }
    machine.sh("systemctl stop tick; systemctl show -p ExecStart tick");
    let drop_in = "[Service]\\nExecStart=\\nExecStart=/bin/sleep 2004\\n";
    write("/etc/systemd/system/tick.service.d/own.conf", drop_in);
    assert_eq!(machine.run(&running("tick")).code, 0);
    assert_eq!(runs("tick"), "/bin/sleep 2004");

    // A handler.
    for (action, path, text, word) in [
        (
            "restart",
            "/etc/systemd/system/app.service.d/own.conf",
            "[Service]\\nExecStart=\\nExecStart=/bin/sleep 1002\\n",
            "1002",
        ),
        (
            "restart",
            "/etc/systemd/system/app.service.d/own.conf",
            "[Service]\\nExecStart=\\nExecStart=/bin/sleep 1003\\n",
            "1003",
        ),
        (
            // It has no ExecReload, and so it is restarted.
            "reload",
            "/run/systemd/system/app.service.d/z.conf",
            "[Service]\\nExecStart=\\nExecStart=/bin/sleep 1004\\n",
            "1004",
        ),
    ] {
        machine.sh(&format!("mkdir -p $(dirname {path})"));
        let run = machine.run(&handled(action, path, text));
        assert_eq!(run.results["written/it"], Changed, "{}", run.log);
        assert_eq!(runs("app"), format!("/bin/sleep {word}"), "{}", run.log);
    }
}
