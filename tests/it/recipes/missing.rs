//! Steps whose folder is missing, or whose file is none: they say so, and no other step has to suffer for it.

use goldseed::recipe::StepResult;

use super::resources::awks;
use super::{applied, failure, results, run, shells, with_functions};

#[test]
fn a_step_into_a_folder_that_is_missing_says_which_step_is_missing() {
    let help = "the folder ROOT/none/deep does not exist: add a step `directory: {path: ROOT/none/deep}` before it";
    let bring = "ROOT/none/deep/x is not there, and neither is its folder; a package has to bring them first";
    let steps = [
        (
            "file: {path: ROOT/none/deep/x, content: x, check: \"true\"}",
            help,
        ),
        ("file: {path: ROOT/none/deep/x, content: \"\"}", help),
        ("link: {path: ROOT/none/deep/x, target: /etc}", help),
        (
            "file: {path: ROOT/conf/x, content: x}",
            "ROOT/conf is no folder",
        ),
        (
            "link: {path: ROOT/conf/x, target: /etc}",
            "ROOT/conf is no folder",
        ),
        ("line: {path: ROOT/none/deep/x, line: x}", bring),
        (
            "block: {path: ROOT/none/deep/x, name: x, content: x}",
            bring,
        ),
        ("ini: {path: ROOT/none/deep/x, set: {x: {y: 1}}}", bring),
        ("directory: {path: ROOT/conf}", "ROOT/conf is no folder"),
        (
            "archive: {path: ROOT/new, source: ROOT/none.tgz, sha256: \"DIGEST\"}",
            "the archive ROOT/none.tgz is not there",
        ),
    ];
    // Done with others, and alone.
    for around in ["", "  - file: {path: ROOT/beside, content: x}\n"] {
        for (shell, awk) in shells().into_iter().zip(awks().into_iter().cycle()) {
            for (step, wanted) in steps {
                let root = tempfile::tempdir().unwrap();
                let root = root.path();
                fs_err::write(root.join("conf"), "old\n").unwrap();
                let place = |text: &str| {
                    text.replace("ROOT", root.to_str().unwrap())
                        .replace("DIGEST", &"0".repeat(64))
                };
                let script = applied(root, &place(&format!("{around}  - {step}\n")));
                let log = failure(&with_functions(&script, &awk), &shell, root);
                assert!(log.contains(&place(wanted)), "{shell:?} {step}: {log}");
                for noise in [
                    "can't create",
                    "cannot create",
                    "No such file",
                    "File exists",
                    "nonexistent",
                ] {
                    assert!(!log.contains(noise), "{shell:?} {step}: {log}");
                }
                assert_eq!(root.join("beside").exists(), !around.is_empty());
            }
        }
    }
}

#[test]
fn a_secret_into_a_folder_that_is_missing_says_so_too() {
    for shell in shells() {
        let root = tempfile::tempdir().unwrap();
        super::instance(root.path());
        let step = "  - secret-file: {path: /run/no-such-folder/x, content: \"${{ secret }}\", secrets: [secret]}\n    on: seed\n";
        let functions = "gs_fetch() { printf '{\"Value\": \"hunter2\"}' > \"$gs_work/answer\"; }";
        let script = with_functions(&applied(root.path(), step), functions);
        let log = failure(&script, &shell, root.path());
        assert!(
            log.contains("the folder /run/no-such-folder does not exist: add a step"),
            "{shell:?}: {log}"
        );
    }
}

#[test]
fn an_edit_of_what_is_a_folder_fails_alone() {
    let edits = [
        "line: {path: ROOT/folder, line: x}",
        "block: {path: ROOT/folder, name: x, content: x}",
        "ini: {path: ROOT/folder, set: {x: {y: 1}}}",
    ];
    for awk in awks() {
        for shell in shells() {
            for edit in edits {
                let root = tempfile::tempdir().unwrap();
                let root = root.path();
                fs_err::create_dir(root.join("folder")).unwrap();
                fs_err::write(root.join("conf"), "x\n").unwrap();
                let good =
                    "  - file: {path: ROOT/a, content: x}\n  - line: {path: ROOT/conf, line: x}\n";
                let place = |text: &str| text.replace("ROOT", root.to_str().unwrap());
                assert_eq!(run(&applied(root, &place(good)), &shell, root, &[]).0, 0);
                let script = applied(root, &place(&format!("{good}  - {edit}\n")));
                let (code, lines, log) = run(&with_functions(&script, &awk), &shell, root, &[]);
                let results = results(&lines);
                assert_eq!(code, 1, "{shell:?} {awk}: {log}");
                for before in ["written/1", "written/2"] {
                    assert_eq!(results[before], StepResult::Ok, "{shell:?} {awk}: {log}");
                }
                assert!(
                    matches!(results["written/3"], StepResult::Failed { .. }),
                    "{log}"
                );
                assert!(
                    log.contains(&place("ROOT/folder is a folder, and not a file")),
                    "{shell:?} {awk}: {log}"
                );
            }
        }
    }
}

#[test]
fn a_step_that_cannot_put_its_file_in_place_leaves_nothing_beside_it() {
    let steps = [
        "file: {path: ROOT/place/conf, content: x}",
        "file: {path: ROOT/place/conf, content: x, check: \"true\"}",
        "line: {path: ROOT/place/conf, line: x}",
        "block: {path: ROOT/place/conf, name: x, content: x}",
    ];
    // As it is with a file on which something is mounted.
    let busy = "mv() { for gs_last in \"$@\"; do :; done; \
                case $gs_last in */place | */place/conf) echo busy; return 1 ;; *) command mv \"$@\" ;; esac; }";
    for around in ["", "  - line: {path: ROOT/place/conf, line: beside}\n"] {
        for shell in shells() {
            for step in steps {
                let root = tempfile::tempdir().unwrap();
                let root = root.path();
                fs_err::create_dir(root.join("place")).unwrap();
                fs_err::write(root.join("place/conf"), "old\n").unwrap();
                let text = format!("{around}  - {step}\n");
                let script = applied(root, &text.replace("ROOT", root.to_str().unwrap()));
                let log = failure(&with_functions(&script, busy), &shell, root);
                assert!(log.contains("busy"), "{shell:?} {step}: {log}");
                let left: Vec<_> = fs_err::read_dir(root.join("place"))
                    .unwrap()
                    .map(|entry| entry.unwrap().file_name())
                    .collect();
                assert_eq!(left, ["conf"], "{shell:?} {step}");
                let kept = fs_err::read_to_string(root.join("place/conf")).unwrap();
                assert_eq!(kept, "old\n", "{shell:?} {step}");
            }
        }
    }
}
