//! Commands at certain times, steps that wait, checks.

use std::path::Path;
use std::process::Command;

use goldseed::recipe::StepResult::{Changed, Ok as Unchanged};
use goldseed::recipe::{Purpose, compile};

use super::{
    applied, failure, first_result, instance, mode, results, run, set_mode, shells, written,
};

#[test]
fn a_command_of_cron_is_run_as_it_is_written_and_on_the_seed_alone_when_it_is_for_the_seed() {
    for shell in shells() {
        let root = tempfile::tempdir().unwrap();
        instance(root.path());
        let cron = |more: &str| {
            applied(
                root.path(),
                &format!(
                    "  - cron:\n      name: clean-up\n      schedule: '*/5  3 * * mon-fri'\n      user: nobody\n      \
                 env: {{TEXT: \"it's 5% of $HOME\"}}\n      command: printf '%s\\n' \"$TEXT\"\n{more}"
                ),
            )
        };
        assert!(failure(&cron(""), &shell, root.path()).contains("there is no cron here"));
        fs_err::create_dir_all(root.path().join("etc/cron.d")).unwrap();
        assert_eq!(first_result(&cron(""), &shell, root.path()).0, Changed);
        assert_eq!(first_result(&cron(""), &shell, root.path()).0, Unchanged);
        let entry = root.path().join("etc/cron.d/clean-up");
        let text = fs_err::read_to_string(&entry).unwrap();
        assert_eq!(mode(&entry), 0o644);
        assert!(
            text.ends_with("\n*/5 3 * * mon-fri nobody /opt/goldseed/commands/cron-clean-up\n"),
            "{text}"
        );
        let script = root.path().join("opt/goldseed/commands/cron-clean-up");
        let said = || String::from_utf8(Command::new(&script).output().unwrap().stdout).unwrap();
        assert_eq!(said(), "it's 5% of $HOME\n");
        set_mode(&script, 0o644);
        assert_eq!(first_result(&cron(""), &shell, root.path()).0, Changed);
        assert_eq!(mode(&script), 0o755);

        assert_eq!(
            first_result(&cron("    on: seed\n"), &shell, root.path()).0,
            Changed
        );
        assert_eq!(
            said(),
            "",
            "no machine but the seed is the one in /opt/goldseed/seed"
        );
        let removed =
            fs_err::read_to_string(root.path().join("opt/goldseed/generalise.d/seed-steps"))
                .unwrap();
        assert_eq!(
            removed,
            "remove /etc/cron.d/clean-up\nremove /opt/goldseed/commands/cron-clean-up\n"
        );
        assert_eq!(
            first_result(&cron("    on: seed\n"), &shell, root.path()).0,
            Unchanged
        );
        first_result(&cron(""), &shell, root.path());
        assert!(
            !root
                .path()
                .join("opt/goldseed/generalise.d/seed-steps")
                .exists()
        );
    }
}

#[test]
fn a_schedule_for_a_user_who_is_not_there_fails() {
    for shell in shells() {
        let root = tempfile::tempdir().unwrap();
        fs_err::create_dir_all(root.path().join("etc/cron.d")).unwrap();
        for kind in [
            "cron: {schedule: \"0 3 * * *\"",
            "cron: {schedule: \"@daily\"",
            "timer: {schedule: daily",
        ] {
            let step = |user: &str| {
                let step = format!("  - {kind}, name: tidy, user: {user}, command: \"true\"}}\n");
                applied(root.path(), &step)
            };
            let log = failure(&step("nosuch"), &shell, root.path());
            assert!(
                log.contains("there is no user nosuch"),
                "{shell:?} {kind}: {log}"
            );
            assert!(!root.path().join("opt/goldseed/commands").exists(), "{log}");
            first_result(&step("nobody"), &shell, root.path());
            fs_err::remove_dir_all(root.path().join("opt/goldseed/commands")).unwrap();
        }
    }
}

#[test]
fn one_look_serves_many_schedules_and_settings() {
    let root = tempfile::tempdir().unwrap();
    let steps = "  - cron: {name: a, schedule: \"@daily\", command: \"true\"}\n  \
                 - timer: {name: b, schedule: daily, command: \"true\"}\n  \
                 - sysctl: {vm.swappiness: 10}\n  - file: {path: /srv/c, content: x}\n";
    let script = applied(root.path(), steps);
    let body = script.text.split("gs_all() {\n").nth(1).unwrap();
    let looks: Vec<&str> = body
        .lines()
        .filter(|line| line.starts_with("gs_look_"))
        .collect();
    assert_eq!(body.matches("gs_compare ").count(), 1);
    let system = "\"$gs_root\"/opt/goldseed/commands/cron-a \"$gs_root\"/etc/cron.d/a \
                  \"$gs_root\"/opt/goldseed/commands/timer-b \"$gs_root\"/etc/systemd/system/b.service \
                  \"$gs_root\"/etc/systemd/system/b.timer \"$gs_root\"/etc/sysctl.d/60-goldseed-vm.swappiness.conf";
    let expected = ["attributes", "contents"].map(|what| format!("gs_look_{what} {system} /srv/c"));
    assert_eq!(looks, expected);
}

#[test]
fn a_timer_is_a_service_and_a_timer_that_systemd_can_read() {
    for shell in shells() {
        let root = tempfile::tempdir().unwrap();
        instance(root.path());
        let timer = |schedule: &str| {
            applied(
                root.path(),
                &format!(
                    "  - timer: {{name: report, schedule: '{schedule}', command: 'echo 100% $USER', user: nobody, timeout: 5m}}\n"
                ),
            )
        };
        assert_eq!(
            first_result(&timer("Mon..Fri 08:30"), &shell, root.path()).0,
            Changed
        );
        assert_eq!(
            first_result(&timer("Mon..Fri 08:30"), &shell, root.path()).0,
            Unchanged
        );
        let units = root.path().join("etc/systemd/system");
        let service = fs_err::read_to_string(units.join("report.service")).unwrap();
        assert!(service.contains("\nUser=nobody\nTimeoutStartSec=300\nExecStart=/opt/goldseed/commands/timer-report\n"), "{service}");
        let text = fs_err::read_to_string(units.join("report.timer")).unwrap();
        assert!(
            text.contains("\n[Timer]\nOnCalendar=Mon..Fri 08:30\n"),
            "{text}"
        );
        assert_eq!(
            fs_err::read_link(units.join("timers.target.wants/report.timer")).unwrap(),
            Path::new("../report.timer")
        );
        assert_eq!(
            first_result(&timer("daily"), &shell, root.path()).0,
            Changed
        );
        if Path::new("/usr/bin/systemd-analyze").exists() {
            let log = failure(&timer("*-13-01 08:30"), &shell, root.path());
            assert!(log.contains("*-13-01"), "{log}");
            let text = fs_err::read_to_string(units.join("report.timer")).unwrap();
            assert!(
                text.contains("OnCalendar=daily"),
                "what is refused is not written"
            );
        }
    }
}

#[test]
fn a_step_waits_until_something_is_there() {
    for shell in shells() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("there");
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let steps = format!(
            "  - run: {{command: '(sleep 1; touch {0}) > /dev/null 2>&1 &', unless: 'test -e {0}'}}\n  \
             - wait-for: {{path: {0}, within: 20s}}\n  - wait-for: {{port: {port}, within: 5s}}\n  \
             - wait-for: {{command: 'test \"$WHO\" = me', env: {{WHO: me}}, within: 5s}}\n",
            path.display()
        );
        let (code, lines, log) = run(&applied(root.path(), &steps), &shell, root.path(), &[]);
        assert_eq!(code, 0, "{log}");
        assert!(
            (2..=4).all(|step| results(&lines)[format!("written/{step}").as_str()] == Unchanged)
        );
        let never = applied(
            root.path(),
            "  - wait-for: {path: /no/such/path, within: 0s}\n",
        );
        assert!(failure(&never, &shell, root.path()).contains("/no/such/path is not there"));
    }
}

#[test]
fn checks_of_files_users_packages_and_processes_tell_what_is_wrong() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("conf");
    fs_err::write(&file, "port = 80\n").unwrap();
    set_mode(&file, 0o640);
    let file = file.display();
    let verdict = |check: &str, shell: &[&str]| {
        let script = compile(
            &[written(root.path(), &format!("verify:\n  - {check}\n"))],
            Purpose::Verify,
        )
        .unwrap();
        let (code, _, log) = run(&script, shell, root.path(), &[]);
        (code, log)
    };
    let good = [
        format!(
            "file: {{path: {file}, mode: \"0640\", owner: root, group: root, contains: port, within: 0s}}"
        ),
        "file: {path: /no/such, exists: false, within: 0s}".to_owned(),
        "user: {name: root, uid: 0, home: /root, groups: root, within: 0s}".to_owned(),
        "user: {name: nosuchuser, exists: false, within: 0s}".to_owned(),
        "package: {name: no-such-package, installed: false, within: 0s}".to_owned(),
        "process: {name: nosuchprocess, running: false, within: 0s}".to_owned(),
        "dns: {host: localhost, within: 0s}".to_owned(),
    ];
    let bad = [
        (
            format!("file: {{path: {file}, mode: \"0600\", within: 0s}}"),
            "has the mode 640, not 600",
        ),
        (
            format!("file: {{path: {file}, contains: nothing, within: 0s}}"),
            "does not hold: nothing",
        ),
        (
            format!("file: {{path: {file}, exists: false, within: 0s}}"),
            "is there",
        ),
        (
            "user: {name: root, uid: 7, within: 0s}".to_owned(),
            "the user root has the number 0, not 7",
        ),
        (
            "user: {name: root, shell: /bin/none, within: 0s}".to_owned(),
            "the user root has the shell",
        ),
        (
            "user: {name: root, groups: [root, nosuchgroup], within: 0s}".to_owned(),
            "is not in the group nosuchgroup",
        ),
        (
            "package: {name: no-such-package, within: 0s}".to_owned(),
            "no-such-package is not installed",
        ),
        (
            "process: {name: nosuchprocess, within: 0s}".to_owned(),
            "no process nosuchprocess runs",
        ),
        (
            "dns: {host: no-such-host.invalid, within: 0s}".to_owned(),
            "has no address here",
        ),
    ];
    for shell in shells() {
        let running = format!("process: {{name: {}, within: 0s}}", shell[0]);
        for check in good.iter().chain([&running]) {
            let (code, log) = verdict(check, &shell);
            assert_eq!(code, 0, "{shell:?}: {check}: {log}");
        }
        for (check, why) in &bad {
            let (code, log) = verdict(check, &shell);
            assert!(code == 1 && log.contains(why), "{shell:?}: {check}: {log}");
        }
    }
}
