//! Commands of several lines, and what is asked before them.

use goldseed::recipe::StepResult::{Changed, Failed, Ok as Unchanged};

use super::{applied, compile, failure, first_result, results, run, shells, written};
use goldseed::recipe::Purpose;

#[test]
fn a_command_ends_at_its_first_line_that_fails() {
    for shell in shells() {
        let root = tempfile::tempdir().unwrap();
        let after = root.path().join("after");
        let step = format!(
            "  - run:\n      command: |\n        cp /no/such/file {0}\n        echo done >{0}\n      creates: {0}\n",
            after.display()
        );
        let script = applied(root.path(), &step);
        let (code, lines, log) = run(&script, &shell, root.path(), &[]);
        assert_eq!(code, 1, "{shell:?}: {log}");
        assert!(
            matches!(results(&lines)["written/1"], Failed { .. }),
            "{log}"
        );
        assert!(!after.exists(), "{shell:?}: {log}");

        // As a user too, and with a limit of time.
        let limited = applied(
            root.path(),
            "  - run: {command: \"false\\ntrue\", always: true, user: nobody, timeout: 1m}\n",
        );
        let (code, lines, log) = run(&limited, &shell, root.path(), &[]);
        assert_eq!(
            (code, results(&lines)["written/1"]),
            (1, Failed { code: 1 }),
            "{log}"
        );

        // What a command itself tests is no failure of it.
        let tested = "  - run: {command: \"false || true\\nif false; then exit 1; fi\\n! true || echo made\", always: true}\n";
        assert_eq!(
            first_result(&applied(root.path(), tested), &shell, root.path()).0,
            Changed
        );
    }
}

#[test]
fn a_handler_ends_at_its_first_line_that_fails_and_stays_pending() {
    for shell in shells() {
        let root = tempfile::tempdir().unwrap();
        let steps = |handler: &str| {
            let text = format!(
                "steps:\n  - file: {{path: {}/a, content: x}}\n    notify: note\nhandlers:\n  note: {{run: \"{handler}\"}}\n",
                root.path().display()
            );
            compile(&[written(root.path(), &text)], Purpose::Apply).unwrap()
        };
        let (code, lines, log) = run(&steps("false\\necho noted"), &shell, root.path(), &[]);
        assert_eq!(
            (code, results(&lines)["written/note"]),
            (1, Failed { code: 1 }),
            "{log}"
        );
        let (code, lines, log) = run(&steps("true\\necho noted"), &shell, root.path(), &[]);
        assert_eq!(
            (code, results(&lines)["written/note"]),
            (0, Changed),
            "{shell:?}: {log}"
        );
    }
}

#[test]
fn of_a_question_the_last_line_counts() {
    for shell in shells() {
        let root = tempfile::tempdir().unwrap();
        let step = |word: &str| {
            format!(
                "  - run: {{command: echo asked, {word}: \"grep -q x /no/such/file\\ntrue\"}}\n"
            )
        };
        let unless = applied(root.path(), &step("unless"));
        assert_eq!(first_result(&unless, &shell, root.path()).0, Unchanged);
        let only = applied(root.path(), &step("only-if"));
        assert_eq!(first_result(&only, &shell, root.path()).0, Changed);
        let check = "verify:\n  - command: {run: \"false\\ntrue\", within: 0s}\n";
        let check = compile(&[written(root.path(), check)], Purpose::Verify).unwrap();
        let (code, _, log) = run(&check, &shell, root.path(), &[]);
        assert_eq!(code, 0, "{shell:?}: {log}");
    }
}

#[test]
fn a_condition_that_cannot_be_asked_is_no_answer() {
    for shell in shells() {
        let root = tempfile::tempdir().unwrap();
        let asked = |rest: &str| {
            let step = format!("  - run: {{command: echo done after all, {rest}}}\n");
            applied(root.path(), &step)
        };
        let missing = "only-if: no-such-program --check";
        let log = failure(&asked(missing), &shell, root.path());
        for words in [
            "not found",
            "whether this command is needed cannot be asked: `no-such-program --check` ended with 127",
        ] {
            assert!(log.contains(words), "{shell:?}: {log}");
        }
        for (rest, words) in [
            (
                "only-if: \"true\", cwd: /no/such",
                "the folder /no/such does not exist",
            ),
            ("only-if: \"true\", user: nosuch", "there is no user nosuch"),
            (
                "always: true, cwd: /no/such",
                "the folder /no/such does not exist",
            ),
            ("always: true, cwd: /etc/passwd", "/etc/passwd is no folder"),
        ] {
            let log = failure(&asked(rest), &shell, root.path());
            assert!(log.contains(words), "{shell:?} {rest}: {log}");
            assert!(!log.contains("can't cd") && !log.contains("cd:"), "{log}");
        }
        // What is not there makes a command needed that would bring it.
        let bring = asked("unless: no-such-program --check");
        assert_eq!(first_result(&bring, &shell, root.path()).0, Changed);
        let other = asked("only-if: exit 3");
        assert_eq!(first_result(&other, &shell, root.path()).0, Unchanged);
    }
}

#[test]
fn a_script_is_run_by_the_program_of_its_first_line() {
    for shell in shells() {
        let root = tempfile::tempdir().unwrap();
        fs_err::create_dir_all(root.path().join("files")).unwrap();
        let script = |text: &str, user: &str| {
            fs_err::write(root.path().join("files/it"), text).unwrap();
            let step = format!(
                "  - run: {{script: files/it, always: true, env: {{NAME: it's}}, user: {user}}}\n"
            );
            applied(root.path(), &step)
        };
        for (text, said) in [
            (
                "#!/bin/bash\na=(1 2 3)\necho \"${NAME} ${#a[@]} ${a[*]/2/two}\"",
                "it's 3 1 two 3",
            ),
            (
                "#! /usr/bin/env bash\n[[ $NAME == it* ]]\necho \"$-\" | grep e",
                "hB",
            ),
            (
                "#!/usr/bin/perl -w\nprint \"$^W $ENV{NAME}\\n\";\n",
                "1 it's",
            ),
            ("#!/bin/sh -x\necho $NAME\n", "+ echo it's"),
            ("#!/bin/sh -\necho $NAME\n", "it's"),
            ("#!/bin/bash --\necho ${NAME/it/that}\n", "that's"),
            ("echo $NAME\n", "it's"),
        ] {
            let (result, log) = first_result(&script(text, "root"), &shell, root.path());
            assert_eq!(result, Changed);
            assert!(log.contains(said), "{shell:?} {text}: {log}");
        }
        let log = failure(
            &script("#!/bin/bash\nfalse\necho after all\n", "root"),
            &shell,
            root.path(),
        );
        assert!(!log.contains("after all"), "{shell:?}: {log}");
        let log = failure(
            &script("#!/opt/no/such-program -x\n", "root"),
            &shell,
            root.path(),
        );
        assert!(
            log.contains("the script is for /opt/no/such-program, and that is not here"),
            "{shell:?}: {log}"
        );
        let left: Vec<_> = fs_err::read_dir(root.path().join("run/goldseed"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.contains("script"))
            .collect();
        assert_eq!(left, [""; 0], "{shell:?}");
        // A user may read its own script alone.
        for folder in [root.path(), &root.path().join("run")] {
            super::set_mode(folder, 0o755);
        }
        let own = "#!/bin/bash\nid -un\nstat -c '%U %a' \"$0\"\n";
        let (_, log) = first_result(&script(own, "nobody"), &shell, root.path());
        assert!(log.contains("nobody\nnobody 600\n"), "{shell:?}: {log}");
    }
}
