//! The step `reboot` in every shell: it wishes once, remembers that over a boot, and says so when that was in vain.

use goldseed::recipe::{Line, StepResult};

use super::{applied, results, run, shells};

/// Whether a step wished for a reboot.
fn wishes(lines: &[Line]) -> bool {
    let wish = Line::Reboot {
        id: "written/2".to_owned(),
    };
    lines.contains(&wish)
}

#[test]
fn a_step_wishes_for_one_boot_in_each_run() {
    for shell in shells() {
        let root = tempfile::tempdir().unwrap();
        let place = root.path().display();
        let script = applied(
            root.path(),
            &format!(
                "  - file: {{path: {place}/before, content: x}}\n  - reboot: {{only-if: test -e {place}/needed}}\n    \
                 notify: note\n  - file: {{path: {place}/after, content: x}}\nhandlers:\n  note: {{run: echo noted}}\n"
            ),
        );
        let apply = |job: &str| run(&script, &shell, root.path(), &[("GOLDSEED_JOB", job)]);
        let boot = || fs_err::remove_dir_all(root.path().join("run")).unwrap();
        fs_err::write(root.path().join("needed"), "").unwrap();

        // As often as it is run without a boot in between.
        for time in ["first", "second"] {
            let (code, lines, log) = apply("one");
            assert_eq!(code, 1, "{shell:?}, {time}: {log}");
            assert!(wishes(&lines), "{shell:?}, {time}: {log}");
            assert_eq!(results(&lines)["written/2"], StepResult::Changed, "{log}");
            assert!(!root.path().join("after").exists() && !log.contains("noted"));
        }
        boot();
        let (code, lines, log) = apply("one");
        assert_eq!(code, 1, "{shell:?}: {log}");
        assert!(!wishes(&lines), "{shell:?}: {log}");
        assert_eq!(
            results(&lines)["written/2"],
            StepResult::Failed { code: 1 },
            "{log}"
        );
        assert!(
            log.contains("still wants a reboot: only-if `test -e"),
            "{log}"
        );

        // Another run may boot it again; then all is well, and the handler of before is not lost.
        assert!(wishes(&apply("two").1), "{shell:?}");
        boot();
        fs_err::remove_file(root.path().join("needed")).unwrap();
        let (code, lines, log) = apply("two");
        assert_eq!(code, 0, "{shell:?}: {log}");
        assert_eq!(results(&lines)["written/2"], StepResult::Ok, "{log}");
        assert!(
            root.path().join("after").exists() && log.contains("noted"),
            "{log}"
        );
    }
}

#[test]
fn a_boot_at_every_time_is_one_in_each_run() {
    let root = tempfile::tempdir().unwrap();
    let script = applied(
        root.path(),
        "  - run: {command: \"true\", always: true}\n  - reboot: {always: true}\n",
    );
    assert!(script.steps[1].always, "no second change of its own");
    let apply = || run(&script, &["dash"], root.path(), &[("GOLDSEED_JOB", "one")]);
    assert!(wishes(&apply().1));
    fs_err::remove_dir_all(root.path().join("run")).unwrap();
    let (code, lines, log) = apply();
    assert_eq!(code, 0, "{log}");
    assert_eq!(results(&lines)["written/2"], StepResult::Ok);
}

#[test]
fn unless_is_the_other_way_round() {
    let root = tempfile::tempdir().unwrap();
    let steps = |condition| {
        format!(
            "  - run: {{command: \"true\", always: true}}\n  - reboot: {{unless: \"{condition}\"}}\n"
        )
    };
    let wished = |condition| {
        let script = applied(root.path(), &steps(condition));
        wishes(&run(&script, &["dash"], root.path(), &[]).1)
    };
    assert!(!wished("true"));
    assert!(wished("false"));
}

#[test]
fn a_need_that_comes_anew_in_the_same_run_is_another_one() {
    for shell in shells() {
        let root = tempfile::tempdir().unwrap();
        let place = root.path().display();
        let script = applied(
            root.path(),
            &format!(
                "  - run: {{command: \"true\", always: true}}\n  - reboot: {{only-if: test -e {place}/needed}}\n"
            ),
        );
        let apply = || run(&script, &shell, root.path(), &[("GOLDSEED_JOB", "one")]);
        for time in ["first", "on the day after"] {
            fs_err::write(root.path().join("needed"), "").unwrap();
            let (_, lines, log) = apply();
            assert!(wishes(&lines), "{shell:?}, {time}: {log}");
            fs_err::remove_dir_all(root.path().join("run")).unwrap();
            fs_err::remove_file(root.path().join("needed")).unwrap();
            let (code, _, log) = apply();
            assert_eq!(code, 0, "{shell:?}, {time}: {log}");
        }
    }
}

#[test]
fn a_condition_that_cannot_be_asked_boots_nothing_and_is_told() {
    for shell in shells() {
        let root = tempfile::tempdir().unwrap();
        for condition in ["unless", "only-if"] {
            let script = applied(
                root.path(),
                &format!(
                    "  - run: {{command: \"true\", always: true}}\n  - reboot: {{{condition}: no-such-program -r}}\n"
                ),
            );
            let (code, lines, log) = run(&script, &shell, root.path(), &[]);
            assert_eq!(code, 1, "{shell:?}: {log}");
            assert!(!wishes(&lines), "{shell:?}: {log}");
            assert!(
                log.contains("not found") && log.contains("`no-such-program -r` ended with 127"),
                "{shell:?}: {log}"
            );
        }
    }
}
