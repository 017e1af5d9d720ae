//! Compiled scripts run for real, in folders of their own.

use std::path::PathBuf;
use std::process::Command;

use goldseed::recipe::{Line, Purpose, Script, StepResult, compile};

use super::seed::generalised;
use super::{bound, results, run, shells, written};

/// A root folder as a node has it, and the scratch recipe for a folder in it.
fn scratch() -> (tempfile::TempDir, PathBuf, Script) {
    let root = tempfile::tempdir().unwrap();
    fs_err::create_dir_all(root.path().join("var/lib/cloud/data")).unwrap();
    fs_err::write(
        root.path().join("var/lib/cloud/data/instance-id"),
        "i-0123456789abcdef0\n",
    )
    .unwrap();
    let place = root.path().join("place");
    fs_err::create_dir_all(&place).unwrap();
    fs_err::write(place.join("unwanted"), "x").unwrap();
    fs_err::write(place.join("app.conf"), "# comment\n#port = 80\nother = 1").unwrap();
    fs_err::write(place.join("app.ini"), "; head\n[PHP]\n;memory_limit = 1M\nmemory_limit=128M\nmemory_limit = 64M\n\n[Date]\nexpose_php = x\n").unwrap();
    let values = format!("scratch: {{root: {}}}\n", place.display());
    let script = compile(&[bound("scratch", &values).unwrap()], Purpose::Apply).unwrap();
    (root, place, script)
}

#[test]
fn the_first_run_changes_the_second_does_nothing_and_drift_is_repaired() {
    for shell in shells() {
        let (root, place, script) = scratch();
        let (code, lines, log) = run(&script, &shell, root.path(), &[]);
        assert_eq!(code, 0, "{shell:?}: {log}");
        let first = results(&lines);
        let unchanged: Vec<_> = first
            .iter()
            .filter(|(_, result)| **result != StepResult::Changed)
            .collect();
        assert_eq!(
            unchanged,
            [
                (&"scratch/13", &StepResult::Ok),
                (&"scratch/15", &StepResult::Skipped)
            ],
            "{shell:?}: {log}"
        );
        assert_eq!(log.matches("the handler ran").count(), 1, "{shell:?}");

        let text = "it's a \"test\": $HOME `id` \\n";
        assert_eq!(
            fs_err::read_to_string(place.join("folder a/plain")).unwrap(),
            text
        );
        assert_eq!(fs_err::read_to_string(place.join("mark")).unwrap(), text);
        assert_eq!(
            fs_err::read_to_string(place.join("folder a/template")).unwrap(),
            format!("text = {text}\nname = 'one'\nname = 'two 2'\n")
        );
        assert_eq!(
            fs_err::read(place.join("binary")).unwrap(),
            b"\x00\x01\xff binary\n"
        );
        assert_eq!(
            fs_err::read_to_string(place.join("app.ini")).unwrap(),
            "; head\ntop = 1\n[PHP]\n;memory_limit = 1M\nmemory_limit = 256M\nexpose_php = Off\n\n[Date]\nexpose_php = x\n\n[opcache]\nenable = true\n"
        );
        assert_eq!(
            fs_err::read_to_string(place.join("app.conf")).unwrap(),
            "# comment\nport = 8080\nother = 1\nlast = 1\n"
        );
        assert!(!place.join("unwanted").exists());
        assert!(root.path().join("run/goldseed/boot.ok").exists());
        assert!(root.path().join("opt/goldseed/boot/boot.sh").exists());

        let (code, lines, log) = run(&script, &shell, root.path(), &[]);
        assert_eq!(code, 0, "{shell:?}: {log}");
        let changed: Vec<_> = results(&lines)
            .into_iter()
            .filter(|(_, result)| *result == StepResult::Changed)
            .collect();
        assert_eq!(changed, [], "{shell:?}: {log}");

        fs_err::write(place.join("folder a/plain"), "drift").unwrap();
        fs_err::remove_file(place.join("binary")).unwrap();
        let mode = Command::new("chmod")
            .args(["0777", "folder a"])
            .current_dir(&place)
            .status()
            .unwrap();
        assert!(mode.success());
        let (code, lines, log) = run(&script, &shell, root.path(), &[]);
        assert_eq!(code, 0, "{shell:?}: {log}");
        let changed: Vec<_> = results(&lines)
            .into_iter()
            .filter(|(_, result)| *result == StepResult::Changed)
            .map(|(id, _)| id)
            .collect();
        assert_eq!(
            changed,
            ["scratch/1", "scratch/2", "scratch/4", "scratch/note"],
            "{shell:?}: {log}"
        );
        let left: Vec<_> = fs_err::read_dir(root.path().join("run/goldseed"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left, ["boot.ok"], "nothing is left behind");
    }
}

#[test]
fn on_another_machine_seed_steps_are_inert_and_boot_steps_are_done() {
    let (root, place, script) = scratch();
    assert_eq!(run(&script, &["dash"], root.path(), &[]).0, 0);
    assert!(place.join("seed-only").exists());
    generalised(root.path(), &["dash"]);
    assert!(!place.join("seed-only").exists() && place.join("every-boot").exists());
    fs_err::remove_file(place.join("every-boot")).unwrap();
    fs_err::remove_file(root.path().join("run/goldseed/boot.ok")).unwrap();
    fs_err::write(
        root.path().join("var/lib/cloud/data/instance-id"),
        "i-0fedcba9876543210\n",
    )
    .unwrap();
    let boot = Command::new("dash")
        .arg(root.path().join("opt/goldseed/boot/boot.sh"))
        .env("GOLDSEED_ROOT", root.path())
        .output()
        .unwrap();
    assert!(
        boot.status.success(),
        "{}",
        String::from_utf8_lossy(&boot.stdout)
    );
    assert!(place.join("every-boot").exists() && !place.join("seed-only").exists());
    assert!(root.path().join("run/goldseed/boot.ok").exists());
}

#[test]
fn the_first_failure_stops_the_script_keeps_the_handler_and_hides_the_code() {
    for shell in shells() {
        let root = tempfile::tempdir().unwrap();
        let place = root.path().display();
        let steps = |command: &str| {
            format!(
                "steps:\n  - file: {{path: {place}/a, content: x}}\n    notify: note\n  - run: {{command: '{command}', always: true}}\n  \
                 - file: {{path: {place}/b, content: x}}\nhandlers:\n  note: {{run: echo noted}}\n"
            )
        };
        let failing = written(root.path(), &steps("echo reason; printf unended; exit 194"));
        let script = compile(&[failing], Purpose::Apply).unwrap();
        let (code, lines, log) = run(&script, &shell, root.path(), &[]);
        assert_eq!(code, 1, "{log}");
        assert_eq!(
            results(&lines).get("written/2"),
            Some(&StepResult::Failed { code: 194 }),
            "{log}"
        );
        assert!(!root.path().join("b").exists() && !log.contains("noted"));
        let unended = Line::Output {
            step: Some("written/2".to_owned()),
            text: "unended".to_owned(),
        };
        assert!(lines.contains(&unended), "{lines:?}");

        let mended = compile(&[written(root.path(), &steps("true"))], Purpose::Apply).unwrap();
        let (code, lines, log) = run(&mended, &shell, root.path(), &[]);
        assert_eq!(code, 0, "{log}");
        assert_eq!(results(&lines).get("written/1"), Some(&StepResult::Ok));
        assert!(log.contains("noted"), "the handler was not lost: {log}");
    }
}

#[test]
fn a_failed_check_of_a_file_brings_the_old_one_back() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("conf");
    fs_err::write(&file, "good\n").unwrap();
    let steps = format!(
        "steps:\n  - file: {{path: {0}, content: \"bad\\n\", check: 'grep -q good {0}'}}\n",
        file.display()
    );
    let script = compile(&[written(root.path(), &steps)], Purpose::Apply).unwrap();
    let (code, _, log) = run(&script, &["dash"], root.path(), &[]);
    assert_eq!(code, 1, "{log}");
    assert_eq!(fs_err::read_to_string(&file).unwrap(), "good\n");
    assert!(log.contains("the old state is back"), "{log}");
}

#[test]
fn what_a_killed_run_left_is_removed_by_the_next() {
    let root = tempfile::tempdir().unwrap();
    let state = root.path().join("var/lib/goldseed");
    fs_err::create_dir_all(&state).unwrap();
    let half = root.path().join("half.~goldseed");
    fs_err::write(&half, "half").unwrap();
    fs_err::write(state.join("temporary"), format!("{}\n", half.display())).unwrap();
    let precious = root.path().join("precious");
    fs_err::write(&precious, "x").unwrap();
    let script = compile(&[written(root.path(), "steps: []\n")], Purpose::Apply).unwrap();
    assert_eq!(run(&script, &["dash"], root.path(), &[]).0, 0);
    assert!(!half.exists());
    fs_err::write(state.join("temporary"), format!("{}\n", precious.display())).unwrap();
    assert_eq!(run(&script, &["dash"], root.path(), &[]).0, 0);
    assert!(
        precious.exists(),
        "only names that are surely ours are removed"
    );
}

#[test]
fn a_command_that_takes_too_long_is_stopped() {
    let root = tempfile::tempdir().unwrap();
    let bound = written(
        root.path(),
        "steps:\n  - run: {command: sleep 60, always: true, timeout: 1s}\n",
    );
    let script = compile(&[bound], Purpose::Apply).unwrap();
    let (code, _, log) = run(&script, &["dash"], root.path(), &[]);
    assert_eq!(code, 1);
    assert!(log.contains("stopped after 1 s"), "{log}");
}

#[test]
fn a_recipe_for_another_platform_fails_before_anything_is_changed() {
    let root = tempfile::tempdir().unwrap();
    let steps = format!(
        "platforms: [ubuntu-1.0]\nsteps:\n  - file: {{path: {}/a, content: x}}\n",
        root.path().display()
    );
    let script = compile(&[written(root.path(), &steps)], Purpose::Apply).unwrap();
    let (code, lines, log) = run(&script, &["dash"], root.path(), &[]);
    assert_eq!(code, 1);
    assert_eq!(
        results(&lines).get("written/platform"),
        Some(&StepResult::Failed { code: 1 }),
        "{log}"
    );
    assert!(!root.path().join("a").exists());
}

#[test]
fn an_archive_becomes_a_folder_once() {
    for shell in shells() {
        let root = tempfile::tempdir().unwrap();
        let made = Command::new("sh")
            .args(["-c", "mkdir -p top/inner && echo v1 > top/inner/file && tar -czf a.tar.gz top && sha256sum < a.tar.gz"])
            .current_dir(root.path())
            .output()
            .unwrap();
        let digest = String::from_utf8(made.stdout).unwrap()[..64].to_owned();
        let steps = format!(
            "steps:\n  - archive: {{source: {0}/a.tar.gz, sha256: {digest}, path: {0}/out, strip: 1}}\n",
            root.path().display()
        );
        let script = compile(&[written(root.path(), &steps)], Purpose::Apply).unwrap();
        for expected in [StepResult::Changed, StepResult::Ok] {
            let (code, lines, log) = run(&script, &shell, root.path(), &[]);
            assert_eq!(
                (code, results(&lines)["written/1"]),
                (0, expected),
                "{shell:?}: {log}"
            );
        }
        assert_eq!(
            fs_err::read_to_string(root.path().join("out/inner/file")).unwrap(),
            "v1\n"
        );
        // The list by which the search for secrets knows the archive's own files; an image of an older version lacks it.
        let lists = root.path().join("var/lib/goldseed/shipped");
        let list = || {
            let entry = fs_err::read_dir(&lists).unwrap().next().unwrap().unwrap();
            (entry.path(), fs_err::read_to_string(entry.path()).unwrap())
        };
        let (path, text) = list();
        let own = goldseed::id::Digest::of("v1\n");
        let out = root.path().join("out");
        let wanted = format!("archive {digest} {}\n{own}  ./inner/file\n", out.display());
        assert_eq!(text, wanted);
        fs_err::remove_file(path).unwrap();
        for expected in [StepResult::Changed, StepResult::Ok] {
            let (_, lines, log) = run(&script, &shell, root.path(), &[]);
            assert_eq!(results(&lines)["written/1"], expected, "{shell:?}: {log}");
        }
        assert_eq!(list().1, wanted);

        fs_err::write(root.path().join("a.tar.gz"), "broken").unwrap();
        fs_err::remove_dir_all(root.path().join("out")).unwrap();
        let (code, _, log) = run(&script, &shell, root.path(), &[]);
        assert_eq!(code, 1);
        assert!(log.contains("has the digest"), "{log}");
    }
}

#[test]
fn checks_pass_and_fail_with_a_reason() {
    let root = tempfile::tempdir().unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let checks = |text: &str| {
        format!(
            "verify:\n  - port: {{tcp: {port}, within: 0s}}\n  - command: {{run: echo some words, contains: '{text}', within: 0s}}\n"
        )
    };
    let good = compile(
        &[written(root.path(), &checks("some words"))],
        Purpose::Verify,
    )
    .unwrap();
    let bad = compile(&[written(root.path(), &checks("other"))], Purpose::Verify).unwrap();
    let endless = "verify:\n  - command: {run: sleep 600, within: 0s}\n";
    let endless = compile(&[written(root.path(), endless)], Purpose::Verify).unwrap();
    for shell in shells() {
        let (code, _, log) = run(&good, &shell, root.path(), &[]);
        assert_eq!(code, 0, "{shell:?}: {log}");
        let (code, lines, log) = run(&bad, &shell, root.path(), &[]);
        assert_eq!(code, 1, "{shell:?}: {log}");
        assert_eq!(results(&lines)["written/check-1"], StepResult::Ok);
        assert!(
            log.contains("some words\nthe output does not hold: other"),
            "{shell:?}: {log}"
        );
        let (code, _, log) = run(&endless, &shell, root.path(), &[]);
        assert_eq!(code, 1, "{shell:?}: {log}");
        assert!(log.contains("stopped after 1 s"), "{shell:?}: {log}");
    }
}
