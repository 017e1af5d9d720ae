//! Steps that are done together: what fails is named all the same, and nothing half-done stays.

use std::path::Path;

use goldseed::recipe::StepResult;

use super::resources::awks;
use super::{applied, mode, results, run, set_mode, shells, with_functions};

/// What stands in a folder, without the test's own files.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs_err::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn the_step_of_many_that_fails_is_named_and_those_before_it_are_done() {
    let failing = [
        (
            "  - file: {path: ROOT/a/2, content: x, owner: nosuchuser}\n",
            "nosuchuser",
        ),
        (
            "  - file: {path: ROOT/folder, content: x}\n",
            "folder is a folder",
        ),
        (
            "  - file: {path: ROOT/none/2, content: x}\n",
            "none does not exist: add a step",
        ),
        (
            "  - line: {path: ROOT/none, line: x}\n",
            "none is not there",
        ),
        // At a folder mawk would end with an error, the others read nothing.
        (
            "  - line: {path: ROOT/folder, line: x}\n",
            "folder is a folder, and not a file",
        ),
        ("  - directory: {path: ROOT/conf/2}\n", "conf"),
    ];
    for (shell, awk) in shells().into_iter().zip(awks().into_iter().cycle()) {
        for (step, reason) in failing {
            let root = tempfile::tempdir().unwrap();
            let root = root.path();
            fs_err::create_dir(root.join("folder")).unwrap();
            fs_err::write(root.join("conf"), "old\n").unwrap();
            let steps = format!(
                "  - directory: {{path: ROOT/a}}\n  - file: {{path: ROOT/a/1, content: one}}\n  \
                 - line: {{path: ROOT/conf, line: new}}\n{step}  - file: {{path: ROOT/a/3, content: x, check: \"true\"}}\n"
            );
            let script = applied(root, &steps.replace("ROOT", root.to_str().unwrap()));
            let script = with_functions(&script, &awk);
            assert!(script.text.contains("\ngs_batch "));
            let (code, lines, log) = run(&script, &shell, root, &[]);
            assert_eq!(code, 1, "{shell:?}: {log}");
            let results = results(&lines);
            for before in ["written/1", "written/2", "written/3"] {
                assert_eq!(results[before], StepResult::Changed, "{shell:?}: {log}");
            }
            assert!(
                matches!(results["written/4"], StepResult::Failed { .. }),
                "{shell:?}: {log}"
            );
            assert!(log.contains(reason), "{shell:?}: {log}");
            assert!(!results.contains_key("written/5"), "{log}");
            assert!(!root.join("a/.~goldseed").exists(), "{shell:?} {step}");
            assert_eq!(
                fs_err::read_to_string(root.join("conf")).unwrap(),
                "old\nnew\n"
            );
        }
    }
}

#[test]
fn files_of_many_folders_come_with_their_attributes_and_only_what_differs_is_touched() {
    for shell in shells() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let steps = "  - directory: {path: \"ROOT/a b\", mode: \"0700\"}\n  - directory: {path: ROOT/c*, mode: \"2755\"}\n  \
                     - file: {path: \"ROOT/a b/x y\", content: \"1\\n\", mode: \"0640\"}\n  \
                     - file: {path: ROOT/c*/x, content: \"%s\\\\n\", mode: \"4711\"}\n  \
                     - file: {path: ROOT/c*/$y, content: \"\"}\n";
        let script = applied(root, &steps.replace("ROOT", root.to_str().unwrap()));
        assert_eq!(run(&script, &shell, root, &[]).0, 0);
        let modes = [
            ("a b", 0o700),
            ("c*", 0o2755),
            ("a b/x y", 0o640),
            ("c*/x", 0o4711),
            ("c*/$y", 0o644),
        ];
        for (name, wanted) in modes {
            assert_eq!(mode(&root.join(name)), wanted, "{shell:?}: {name}");
        }
        assert_eq!(fs_err::read_to_string(root.join("c*/x")).unwrap(), "%s\\n");
        assert_eq!(names(&root.join("c*")), ["$y", "x"]);

        // One file differs in its mode, another in its content; of the third nothing may be written.
        let written = |name: &str| {
            fs_err::metadata(root.join(name))
                .unwrap()
                .modified()
                .unwrap()
        };
        let before = (written("a b/x y"), written("c*/$y"));
        set_mode(&root.join("a b/x y"), 0o600);
        fs_err::write(root.join("c*/x"), "drift").unwrap();
        let (code, lines, log) = run(&script, &shell, root, &[]);
        assert_eq!(code, 0, "{log}");
        let changed: Vec<&str> = results(&lines)
            .into_iter()
            .filter(|(_, result)| *result == StepResult::Changed)
            .map(|(id, _)| id)
            .collect();
        assert_eq!(changed, ["written/3", "written/4"], "{shell:?}: {log}");
        assert_eq!((written("a b/x y"), written("c*/$y")), before);
        assert_eq!(mode(&root.join("a b/x y")), 0o640);
        assert_eq!(mode(&root.join("c*/x")), 0o4711, "{shell:?}");
    }
}

#[test]
fn what_a_run_that_was_killed_has_staged_is_removed_by_the_next() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    let state = root.join("var/lib/goldseed");
    fs_err::create_dir_all(&state).unwrap();
    let stages = ["a", "b c"].map(|name| root.join(name).join(".~goldseed"));
    let mut temporary = String::new();
    for stage in &stages {
        fs_err::create_dir_all(stage).unwrap();
        fs_err::write(stage.join("half"), "half").unwrap();
        temporary = format!("{temporary}{}\n", stage.display());
    }
    fs_err::write(state.join("temporary"), temporary).unwrap();
    assert_eq!(
        run(
            &applied(root, "  - run: {command: \"true\", always: true}\n"),
            &["dash"],
            root,
            &[]
        )
        .0,
        0
    );
    for stage in stages {
        assert!(!stage.exists(), "{}", stage.display());
    }
}
