//! What has changed on a machine is brought back, and nothing else is touched: on any shell, with any awk.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt as _, chown, symlink};
use std::path::{Path, PathBuf};

use goldseed::recipe::{Script, StepResult};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::resources::awks;
use super::{applied, results, run, set_mode, shells, with_functions};

const STEPS: &str = r#"  - directory: {path: ROOT/a, mode: "0750"}
  - directory: {path: ROOT/b/c, mode: "2775"}
  - file: {path: "ROOT/a/one 1", content: "one\n"}
  - file: {path: ROOT/a/two, content: "two\n", mode: "0600"}
  - file: {path: ROOT/b/three, content: "", mode: "4755"}
  - file: {path: ROOT/b/noted, content: "it's\n"}
    notify: note
  - file: {path: ROOT/b/binary, copy: files/binary}
  - line: {path: ROOT/conf, match: "^#?port *=", line: port = 8080}
  - line: {path: ROOT/conf, line: "1.0"}
  - line: {path: ROOT/conf, match: '^a\.b ', line: "a.b \\ & c"}
  - user: {name: ada, home: /srv/ada, shell: /bin/ada, system: true}
  - cron: {name: tidy, schedule: "@daily", command: "true"}
  - file: {path: ROOT/checked, content: good, check: "true"}
  - ini: {path: ROOT/app.ini, set: {main: {key: value}}}
  - block: {path: ROOT/hosts, name: peers, content: "10.0.0.1 a\n"}
    notify: note
  - link: {path: ROOT/link, target: ROOT/b/three}
  - absent: ROOT/unwanted
  - run: {command: "echo made > ROOT/made", creates: ROOT/made}
  - service: {name: web, state: running, enabled: true}
  - service: {name: old, state: stopped, enabled: false}
handlers:
  note: {run: echo noted}
"#;

/// Users of a file of the test's own, and services that a folder of it says to be active or enabled.
const SYSTEM: &str = r#"
systemctl() {
  for unit in "$@"; do :; done
  case $* in
    "-q is-active"*) [ -e "$GOLDSEED_ROOT/units/$unit.active" ] ;;
    is-active*) if [ -e "$GOLDSEED_ROOT/units/$unit.active" ]; then echo active; else echo inactive; fi ;;
    show*) echo Type=notify ;;
    daemon-reload) ;;
    *is-enabled*) [ -e "$GOLDSEED_ROOT/units/$unit.enabled" ] ;;
    start*) : > "$GOLDSEED_ROOT/units/$unit.active" ;;
    stop*) rm "$GOLDSEED_ROOT/units/$unit.active" ;;
    enable*) : > "$GOLDSEED_ROOT/units/$unit.enabled" ;;
    disable*) rm "$GOLDSEED_ROOT/units/$unit.enabled" ;;
    *) return 1 ;;
  esac
}
getent() { grep "^$2:" "$GOLDSEED_ROOT/etc/$1"; }
useradd() { echo "ada:x:990:990::/srv/ada:/bin/ada" >> "$GOLDSEED_ROOT/etc/passwd"; }
usermod() { echo "ada:x:990:990::/srv/ada:$2" > "$GOLDSEED_ROOT/etc/passwd"; }"#;

/// A drift: the steps that have to repair it, and what has happened.
type Drift = (&'static [&'static str], fn(&Path));

const DRIFTS: [Drift; 38] = [
    (&["1"], |root| set_mode(&root.join("a"), 0o755)),
    (&["1"], |root| owned_by_nobody(&root.join("a"))),
    (&["2"], |root| set_mode(&root.join("b/c"), 0o775)),
    (&["3"], |root| append(&root.join("a/one 1"), "more\n")),
    (&["3"], |root| remove(&root.join("a/one 1"))),
    (&["3"], |root| {
        remove(&root.join("a/one 1"));
        symlink("two", root.join("a/one 1")).unwrap();
    }),
    (&["4"], |root| set_mode(&root.join("a/two"), 0o644)),
    (&["4"], |root| owned_by_nobody(&root.join("a/two"))),
    (&["4"], |root| write(&root.join("a/two"), "TWO\n")),
    (&["5"], |root| set_mode(&root.join("b/three"), 0o755)),
    (&["5"], |root| {
        append(&root.join("b/three"), "\n");
        set_mode(&root.join("b/three"), 0o777);
    }),
    (&["6", "note"], |root| write(&root.join("b/noted"), "its\n")),
    (&["6", "note"], |root| {
        set_mode(&root.join("b/noted"), 0o666);
    }),
    (&["7"], |root| write(&root.join("b/binary"), "text")),
    (&["8"], |root| {
        edit(&root.join("conf"), "port = 8080", "#port = 80");
    }),
    (&["8"], |root| append(&root.join("conf"), "port = 81\n")),
    (&["9"], |root| edit(&root.join("conf"), "1.0\n", "1\n")),
    (&["10"], |root| edit(&root.join("conf"), "a.b \\ & c\n", "")),
    (&["11"], |root| {
        edit(&root.join("etc/passwd"), "/bin/ada", "/bin/sh");
    }),
    (&["11"], |root| write(&root.join("etc/passwd"), "")),
    (&["12"], |root| {
        append(&root.join("etc/cron.d/tidy"), "# mine\n");
    }),
    (&["12"], |root| {
        remove(&root.join("opt/goldseed/commands/cron-tidy"));
    }),
    (&["13"], |root| write(&root.join("checked"), "bad")),
    (&["14"], |root| {
        edit(&root.join("app.ini"), "key = value", "key = other");
    }),
    (&["15", "note"], |root| {
        edit(&root.join("hosts"), "10.0.0.1", "10.0.0.2");
    }),
    (&["16"], |root| {
        remove(&root.join("link"));
        symlink("elsewhere", root.join("link")).unwrap();
    }),
    (&["16"], |root| remove(&root.join("link"))),
    (&["17"], |root| write(&root.join("unwanted"), "x")),
    (&["17"], |root| {
        fs_err::create_dir_all(root.join("unwanted/folder")).unwrap();
    }),
    (&["18"], |root| remove(&root.join("made"))),
    (&["19"], |root| remove(&root.join("units/web.active"))),
    (&["19"], |root| remove(&root.join("units/web.enabled"))),
    (&["19"], |root| {
        remove(&root.join("units/web.active"));
        remove(&root.join("units/web.enabled"));
    }),
    (&["20"], |root| write(&root.join("units/old.active"), "")),
    (&["20"], |root| write(&root.join("units/old.enabled"), "")),
    (&["2"], |root| {
        fs_err::remove_dir_all(root.join("b/c")).unwrap();
    }),
    (&["1", "3", "4"], |root| {
        fs_err::remove_dir_all(root.join("a")).unwrap();
    }),
    (&["2", "5", "6", "7", "note"], |root| {
        fs_err::remove_dir_all(root.join("b")).unwrap();
    }),
];

fn write(path: &Path, text: &str) {
    fs_err::write(path, text).unwrap();
}

fn append(path: &Path, text: &str) {
    let before = fs_err::read_to_string(path).unwrap();
    fs_err::write(path, before + text).unwrap();
}

fn edit(path: &Path, from: &str, to: &str) {
    let before = fs_err::read_to_string(path).unwrap();
    assert!(before.contains(from), "{before}");
    fs_err::write(path, before.replace(from, to)).unwrap();
}

fn remove(path: &Path) {
    fs_err::remove_file(path).unwrap();
}

fn owned_by_nobody(path: &Path) {
    chown(path, Some(65534), Some(65534)).unwrap();
}

/// A machine before its first run.
fn ground() -> (tempfile::TempDir, Script) {
    let root = tempfile::tempdir().unwrap();
    for folder in ["etc/cron.d", "files", "units"] {
        fs_err::create_dir_all(root.path().join(folder)).unwrap();
    }
    let files = [
        ("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"),
        ("conf", "# head\n#port = 80\n"),
        ("app.ini", "[main]\nkey = none\n"),
        ("hosts", "127.0.0.1 localhost\n"),
        ("unwanted", "x"),
        ("units/old.active", ""),
    ];
    for (name, text) in files {
        write(&root.path().join(name), text);
    }
    fs_err::write(root.path().join("files/binary"), b"\x00\xff\n").unwrap();
    let steps = STEPS.replace("ROOT", root.path().to_str().unwrap());
    let script = applied(root.path(), &steps);
    (root, script)
}

/// Runs a script that must succeed; gives the steps that changed something.
fn changed(script: &Script, shell: &[&str], root: &Path) -> Result<Vec<String>, TestCaseError> {
    let (code, lines, log) = run(script, shell, root, &[]);
    prop_assert_eq!(code, 0, "{:?}: {}", shell, log);
    let results = results(&lines);
    prop_assert_eq!(results.len(), script.steps.len(), "{}", log);
    let changed = results
        .into_iter()
        .filter(|(_, result)| *result == StepResult::Changed)
        .map(|(id, _)| id.trim_start_matches("written/").to_owned());
    Ok(changed.collect())
}

/// The script and what it keeps for itself, and files in which a line may come to stand elsewhere.
const IGNORED: [&str; 5] = ["conf", "script.sh", "written.yaml", "var", "etc/passwd"];

/// Type, mode, owner and content of everything else.
fn state(root: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs_err::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_owned();
            if IGNORED.contains(&name.to_str().unwrap()) {
                continue;
            }
            let status = fs_err::symlink_metadata(&path).unwrap();
            let content = if status.is_dir() {
                folders.push(path);
                String::new()
            } else if status.is_symlink() {
                fs_err::read_link(&path).unwrap().display().to_string()
            } else {
                String::from_utf8_lossy(&fs_err::read(&path).unwrap()).into_owned()
            };
            let (mode, owner) = (status.mode(), status.uid());
            found.insert(name, format!("{mode:o} {owner} {content}"));
        }
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn what_has_drifted_is_repaired_and_nothing_else(
        drifts in prop::sample::subsequence((0..DRIFTS.len()).collect::<Vec<_>>(), 0..12),
        shell in prop::sample::select(shells()),
        awk in prop::sample::select(awks()),
    ) {
        let (root, script) = ground();
        let root = root.path();
        let script = with_functions(&script, &format!("{SYSTEM}\n{awk}"));
        let first = changed(&script, &shell, root)?;
        // All but what is only done for other machines' sake, and the handler counts.
        prop_assert_eq!(first.iter().filter(|id| !id.contains('/')).count(), 21);
        let converged = state(root);

        let mut expected: Vec<String> = Vec::new();
        for drift in drifts {
            let (steps, plant) = DRIFTS[drift];
            // One drift for each step: some take away what others change.
            if steps.iter().any(|step| *step != "note" && expected.iter().any(|known| known == step)) {
                continue;
            }
            plant(root);
            expected.extend(steps.iter().map(|step| (*step).to_owned()));
        }
        expected.sort();
        expected.dedup();
        let mut repaired = changed(&script, &shell, root)?;
        repaired.sort();
        prop_assert_eq!(repaired, expected);
        prop_assert_eq!(state(root), converged);
        prop_assert_eq!(changed(&script, &shell, root)?, Vec::<String>::new());
    }
}

#[test]
fn each_drift_alone_is_repaired_as_the_only_change() {
    let (root, script) = ground();
    let root = root.path();
    let script = with_functions(&script, SYSTEM);
    let repaired = || {
        let mut steps = changed(&script, &["dash"], root).unwrap();
        steps.sort();
        steps
    };
    repaired();
    let converged = state(root);
    for (number, (steps, plant)) in DRIFTS.iter().enumerate() {
        plant(root);
        assert_eq!(repaired(), *steps, "drift {number}");
        assert_eq!(state(root), converged, "drift {number}");
    }
}
