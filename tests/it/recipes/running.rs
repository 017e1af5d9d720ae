//! Scripts that are run for real, in a root folder of their own.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use goldseed::document::Document;
use goldseed::recipe::{Bound, Library, Line, Purpose, Reader, Script, StepResult, compile};

/// The shells that a script must work under, those of them that are here; dash must be.
pub(super) fn shells() -> Vec<Vec<&'static str>> {
    let there = |name: &str| {
        Command::new("sh")
            .args(["-c", &format!("command -v {name}")])
            .output()
            .unwrap()
            .status
            .success()
    };
    assert!(
        there("dash"),
        "this test needs dash: install the package `dash`"
    );
    let mut shells = vec![vec!["dash"]];
    if there("bash") {
        shells.push(vec!["bash", "--posix"]);
    }
    if there("busybox") {
        shells.push(vec!["busybox", "ash"]);
    }
    shells
}

/// Runs a script in a root folder of its own; gives the exit code and what its log says.
pub(super) fn run(
    script: &Script,
    shell: &[&str],
    root: &Path,
    environment: &[(&str, &str)],
) -> (i32, Vec<Line>, String) {
    let path = root.join("script.sh");
    fs_err::write(&path, &script.text).unwrap();
    let output = Command::new(shell[0])
        .args(&shell[1..])
        .arg(&path)
        .env("GOLDSEED_ROOT", root)
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let mut reader = Reader::new(script);
    let mut lines: Vec<Line> = output
        .stdout
        .chunks(7)
        .flat_map(|bytes| reader.feed(bytes))
        .collect();
    lines.extend(reader.finish());
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "",
        "all output goes to the log"
    );
    (
        output.status.code().unwrap(),
        lines,
        String::from_utf8_lossy(&output.stdout).into_owned(),
    )
}

pub(super) fn mode(path: &Path) -> u32 {
    fs_err::metadata(path).unwrap().permissions().mode() & 0o7777
}

pub(super) fn set_mode(path: &Path, mode: u32) {
    fs_err::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Puts into a root folder what tells which instance it is.
pub(super) fn instance(root: &Path) {
    let folder = root.join("var/lib/cloud/data");
    fs_err::create_dir_all(&folder).unwrap();
    fs_err::write(folder.join("instance-id"), "i-0123456789abcdef0\n").unwrap();
}

/// A script in which some commands, or functions of its own, are replaced by shell functions.
pub(super) fn with_functions(script: &Script, functions: &str) -> Script {
    let text = script
        .text
        .replacen("gs_all() {\n", &format!("{functions}\ngs_all() {{\n"), 1);
    Script {
        text,
        ..script.clone()
    }
}

/// Compiles steps to be applied.
pub(super) fn applied(root: &Path, steps: &str) -> Script {
    compile(
        &[written(root, &format!("steps:\n{steps}"))],
        Purpose::Apply,
    )
    .unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

/// Runs a script that must succeed; gives what became of its first step, and the log.
pub(super) fn first_result(script: &Script, shell: &[&str], root: &Path) -> (StepResult, String) {
    let (code, lines, log) = run(script, shell, root, &[]);
    assert_eq!(code, 0, "{shell:?}: {log}");
    (results(&lines)["written/1"], log)
}

/// Runs a script that must fail; gives its log.
pub(super) fn failure(script: &Script, shell: &[&str], root: &Path) -> String {
    let (code, _, log) = run(script, shell, root, &[]);
    assert_eq!(code, 1, "{shell:?}: {log}");
    log
}

/// What became of each step.
pub(super) fn results(lines: &[Line]) -> BTreeMap<&str, StepResult> {
    lines
        .iter()
        .filter_map(|line| match line {
            Line::Step { id, result, .. } if *result != StepResult::Started => {
                Some((id.as_str(), *result))
            }
            _ => None,
        })
        .collect()
}

/// A recipe written on the spot, bound to nothing.
pub(super) fn written(root: &Path, steps: &str) -> Bound {
    let path = root.join("written.yaml");
    let text = format!(
        "recipe: 1\nname: written\nparams: {{secret: {{type: secret, optional: true}}}}\n{steps}"
    );
    fs_err::write(&path, text).unwrap();
    let recipe = Library::load_file(&path).unwrap_or_else(|error| panic!("{error}"));
    let settings = Document::parse(
        Path::new("goldseed.yaml"),
        "secret: ssm:/shop/secret\n".to_owned(),
    )
    .unwrap();
    recipe
        .bind(&settings.source, 0..0, Some(&settings.root))
        .unwrap()
}

/// A recipe of the library with values.
pub(super) fn library(name: &str, values: &str) -> Bound {
    let recipe = Library::new(None).load(name).unwrap();
    let values = Document::parse(Path::new("goldseed.yaml"), values.to_owned()).unwrap();
    recipe
        .bind(&values.source, 0..0, Some(&values.root))
        .unwrap_or_else(|mistakes| panic!("{mistakes}"))
}
