//! A run that is killed in the middle of a step: the next one sets right what it left, and goes on.

use std::path::{Path, PathBuf};
use std::process::Command;

use goldseed::recipe::Script;
use goldseed::recipe::StepResult::{Changed, Ok as Unchanged};

use super::{applied, failure, first_result, mode, run, set_mode, shells, with_functions};

/// What ends the script and the shell of its steps at once, so that neither tidies up.
const DIE: &str = "die() { kill -9 $$; command sh -c 'kill -9 $PPID'; }\n";

/// Runs a script that is killed where one of these functions says so.
fn killed(script: &Script, functions: &str, shell: &[&str], root: &Path) {
    let script = with_functions(script, &format!("{DIE}{functions}"));
    let path = root.join("killed.sh");
    fs_err::write(&path, &script.text).unwrap();
    let output = Command::new(shell[0])
        .args(&shell[1..])
        .arg(&path)
        .env("GOLDSEED_ROOT", root)
        .output()
        .unwrap();
    assert_eq!(
        output.status.code(),
        None,
        "{shell:?} was not killed: {}",
        String::from_utf8_lossy(&output.stdout)
    );
}

/// A script that makes ROOT/out of an archive, whose one folder holds the file `NAME`, and a file `both`.
fn unpacked(root: &Path, name: &str) -> Script {
    let command = format!(
        "mkdir -p {name}/top && echo {name} >{name}/top/{name} && echo {name} >{name}/top/both && \
         tar -C {name} -czf {name}.tar.gz top && sha256sum <{name}.tar.gz"
    );
    let made = Command::new("sh")
        .args(["-c", &command])
        .current_dir(root)
        .output()
        .unwrap();
    let digest = String::from_utf8(made.stdout).unwrap()[..64].to_owned();
    let root_name = root.display();
    applied(
        root,
        &format!(
            "  - archive: {{source: {root_name}/{name}.tar.gz, sha256: {digest}, path: {root_name}/out, strip: 1}}\n"
        ),
    )
}

fn names_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs_err::read_dir(folder).unwrap();
    let mut names: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().file_name().into())
        .collect();
    names.sort();
    names
}

#[test]
fn an_archive_that_was_cut_off_is_unpacked_by_the_next_run() {
    let in_place = "mv() { command mv \"$@\" || return; [ \"$*\" != \"$GOLDSEED_ROOT/out.~goldseed $GOLDSEED_ROOT/out\" ] || die; }";
    let while_removed = "rm() { [ \"$*\" != \"-rf $GOLDSEED_ROOT/out\" ] || { command rm -f \"$GOLDSEED_ROOT/out/one\"; die; }; command rm \"$@\"; }";
    for shell in shells() {
        let root = tempfile::tempdir().unwrap();
        let (one, two) = (unpacked(root.path(), "one"), unpacked(root.path(), "two"));
        let out = root.path().join("out");

        killed(&one, in_place, &shell, root.path());
        assert_eq!(names_in(&out), ["both", "one"].map(PathBuf::from));
        assert_eq!(first_result(&one, &shell, root.path()).0, Changed);
        assert_eq!(first_result(&one, &shell, root.path()).0, Unchanged);

        killed(&two, while_removed, &shell, root.path());
        assert_eq!(names_in(&out), [PathBuf::from("both")], "half is removed");
        assert_eq!(first_result(&two, &shell, root.path()).0, Changed);
        assert_eq!(names_in(&out), ["both", "two"].map(PathBuf::from));

        // Half of the old one is not the old one either.
        killed(&one, while_removed, &shell, root.path());
        killed(&one, in_place, &shell, root.path());
        assert_eq!(first_result(&two, &shell, root.path()).0, Changed);
        assert_eq!(names_in(&out), ["both", "two"].map(PathBuf::from));
        assert_eq!(first_result(&two, &shell, root.path()).0, Unchanged);
    }
}

#[test]
fn a_folder_that_no_archive_made_is_never_replaced() {
    for shell in shells() {
        let root = tempfile::tempdir().unwrap();
        let one = unpacked(root.path(), "one");
        fs_err::create_dir(root.path().join("out")).unwrap();
        fs_err::write(root.path().join("out/precious"), "x").unwrap();
        for _ in 0..2 {
            let log = failure(&one, &shell, root.path());
            assert!(log.contains("was not made by this step"), "{log}");
        }
        let left = names_in(&root.path().join("out"));
        assert_eq!(left, [PathBuf::from("precious")]);
    }
}

#[test]
fn a_file_that_was_killed_while_it_was_checked_is_not_taken_for_checked() {
    let in_the_check = "sh() { die; }";
    let while_copied = "cp() { command cp \"$@\"; die; }";
    for shell in shells() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("conf");
        let step = format!(
            "  - file: {{path: {0}, content: \"bad\\n\", check: 'grep -q good {0}'}}\n",
            file.display()
        );
        let (bad, none) = (applied(root.path(), &step), applied(root.path(), "  []\n"));
        let nothing_beside = || {
            let old = root.path().join("conf.~goldseed-old");
            assert!(!old.exists(), "{shell:?}");
        };

        // Where there was one before, it comes back, also when the recipe does not name it any more.
        for (functions, next) in [
            (in_the_check, &bad),
            (in_the_check, &none),
            (while_copied, &none),
        ] {
            fs_err::write(&file, "good\n").unwrap();
            set_mode(&file, 0o600);
            killed(&bad, functions, &shell, root.path());
            let (code, _, log) = run(next, &shell, root.path(), &[]);
            assert_eq!(code, i32::from(next == &bad), "{shell:?}: {log}");
            assert_eq!(fs_err::read_to_string(&file).unwrap(), "good\n");
            assert_eq!(mode(&file), 0o600);
            nothing_beside();
        }

        // Where there was none, there is none.
        fs_err::remove_file(&file).unwrap();
        killed(&bad, in_the_check, &shell, root.path());
        assert!(file.exists());
        let log = failure(&bad, &shell, root.path());
        assert!(log.contains("the old state is back"), "{log}");
        assert!(!file.exists());
        nothing_beside();

        // What was checked stays, whatever is killed afterwards.
        let good = applied(root.path(), &step.replace("\"bad", "\"good"));
        assert_eq!(first_result(&good, &shell, root.path()).0, Changed);
        assert_eq!(run(&none, &shell, root.path(), &[]).0, 0);
        assert_eq!(first_result(&good, &shell, root.path()).0, Unchanged);
        nothing_beside();
    }
}

#[test]
fn a_checkout_that_was_cut_off_is_made_whole() {
    let command = "git init -q repo && cd repo && echo one >file && git add file && \
                git -c user.name=a -c user.email=a@example.com commit -qm one && git rev-parse HEAD";
    for shell in shells() {
        let root = tempfile::tempdir().unwrap();
        let made = Command::new("sh")
            .args(["-c", command])
            .current_dir(root.path())
            .output()
            .unwrap();
        let commit = String::from_utf8(made.stdout).unwrap();
        let path = root.path().display();
        let step = format!(
            "  - git: {{repo: {path}/repo, path: {path}/out, ref: {}}}\n",
            commit.trim()
        );
        let script = applied(root.path(), &step);
        assert_eq!(first_result(&script, &shell, root.path()).0, Changed);
        // What git leaves when it is killed while it writes its index.
        fs_err::write(root.path().join("out/file"), "half").unwrap();
        for name in ["index.lock", "HEAD.lock", "shallow.lock"] {
            fs_err::write(root.path().join("out/.git").join(name), "").unwrap();
        }
        assert_eq!(first_result(&script, &shell, root.path()).0, Changed);
        let text = fs_err::read_to_string(root.path().join("out/file")).unwrap();
        assert_eq!(text, "one\n");
        assert_eq!(first_result(&script, &shell, root.path()).0, Unchanged);
    }
}
