//! The layers: which module may name which. The table is that of `docs/architecture.md` and of the page in `lib.rs`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A module of the crate and those that it may name beside itself.
const LAYERS: [(&str, &[&str]); 16] = [
    ("id", &[]),
    ("pace", &[]),
    ("document", &[]),
    ("record", &["id"]),
    ("event", &["id"]),
    ("settings", &["id", "pace", "document"]),
    ("recipe", &["id", "document"]),
    ("cloud", &["id", "pace", "event"]),
    ("node", &["id", "pace", "event", "recipe", "cloud"]),
    ("run", &["id", "pace", "record", "event", "cloud"]),
    (
        "pipeline",
        &[
            "id", "pace", "document", "record", "event", "settings", "recipe", "cloud", "node",
            "run",
        ],
    ),
    ("display", &["id", "record", "event", "document"]),
    ("sandbox", &[]),
    (
        "failure",
        &[
            "id", "pace", "document", "record", "event", "settings", "recipe", "cloud", "node",
            "run", "pipeline", "display", "sandbox",
        ],
    ),
    (
        "cli",
        &[
            "id", "pace", "document", "record", "event", "settings", "recipe", "cloud", "node",
            "run", "pipeline", "display", "sandbox", "failure",
        ],
    ),
    ("main", &["cli", "display", "failure"]),
];

/// Crates that one place alone knows, and that place.
const KNOWN_IN_ONE_PLACE: [(&str, &str); 6] = [
    ("aws_sdk_", "cloud"),
    ("aws_config", "cloud"),
    ("serde_yaml", "document"),
    ("indicatif", "display/bars.rs"),
    ("clap", "cli"),
    ("axum", "sandbox"),
];

/// Files of more than 350 lines without their tests, and why they have one subject all the same.
const LONG: [(&str, &str); 1] = [(
    "sandbox.rs",
    "the one handle of the sandbox, a function a thing that a test or a verb does with it",
)];

/// The longest that a file without its tests may be before it says why.
const LONGEST: usize = 350;

/// One file of the source.
struct File {
    /// Its path below `src`.
    path: PathBuf,
    /// Its text without comments.
    code: String,
}

impl File {
    fn of(path: &str, text: &str) -> Self {
        let code = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .fold(String::new(), |code, line| code + line + "\n");
        Self {
            path: path.into(),
            code,
        }
    }

    /// The name of the module of the crate that it belongs to.
    fn module(&self) -> String {
        let first = self.path.iter().next().unwrap().to_str().unwrap();
        first.trim_end_matches(".rs").to_owned()
    }

    /// The modules of the crate that it names, by `crate::`, or by `super::` beyond its own.
    fn names(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for root in ["crate::", "goldseed::"] {
            for (at, _) in self.code.match_indices(root) {
                if !self.code[..at].ends_with(is_word) {
                    found.extend(heads(&self.code[at + root.len()..]));
                }
            }
        }
        let depth = self.path.iter().count();
        let mut at = 0;
        while let Some(next) = self.code[at..].find("super::") {
            let begin = at + next;
            let mut rest = &self.code[begin..];
            let mut steps = 0;
            while let Some(after) = rest.strip_prefix("super::") {
                steps += 1;
                rest = after;
            }
            // What stands behind `mod tests {` is one module deeper.
            let inside = self.code[..begin]
                .lines()
                .any(|line| line.starts_with("mod ") && line.ends_with('{'));
            if steps >= depth + usize::from(inside) {
                found.extend(heads(rest));
            }
            at = self.code.len() - rest.len();
        }
        found.remove(&self.module());
        found
    }
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// The first names of a path: one, or those of a group in braces.
fn heads(path: &str) -> Vec<String> {
    let name = |text: &str| {
        text.chars()
            .take_while(|one| is_word(*one))
            .collect::<String>()
    };
    let Some(group) = path.strip_prefix('{') else {
        return vec![name(path)];
    };
    let mut depth = 0;
    let mut parts = vec![String::new()];
    for character in group.chars() {
        match character {
            '}' if depth == 0 => break,
            ',' if depth == 0 => parts.push(String::new()),
            '{' => depth += 1,
            '}' => depth -= 1,
            other => parts.last_mut().unwrap().push(other),
        }
    }
    parts
        .iter()
        .map(|part| name(part.trim()))
        .filter(|name| !name.is_empty())
        .collect()
}

/// What a file names and may not.
fn wrong_edges(file: &File) -> Vec<String> {
    let module = file.module();
    if module == "lib" {
        return Vec::new();
    }
    let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == module) else {
        return vec![format!(
            "src/{}: module `{module}` has no layer",
            file.path.display()
        )];
    };
    file.names()
        .iter()
        .filter(|name| LAYERS.iter().any(|(layer, _)| layer == name))
        .filter(|name| !allowed.contains(&name.as_str()))
        .map(|name| format!("src/{} names `{name}`", file.path.display()))
        .collect()
}

fn source() -> Vec<File> {
    fn gather(folder: &Path, root: &Path, files: &mut Vec<File>) {
        for entry in fs_err::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                gather(&path, root, files);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs_err::read_to_string(&path).unwrap();
                let name = path.strip_prefix(root).unwrap().to_str().unwrap();
                files.push(File::of(name, &text));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    gather(&root, &root, &mut files);
    assert!(files.len() > 50, "the source was not found");
    files
}

#[test]
fn every_module_names_only_what_its_layer_may() {
    let wrong: Vec<String> = source().iter().flat_map(wrong_edges).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_wrong_edge_is_found_however_it_is_written() {
    for (path, text, wrong) in [
        (
            "cloud/ec2.rs",
            "use crate::pipeline::Plan;",
            "src/cloud/ec2.rs names `pipeline`",
        ),
        (
            "id.rs",
            "fn a() { crate::pace::now(); }",
            "src/id.rs names `pace`",
        ),
        (
            "display.rs",
            "use crate::{\n    event::{Event, Level},\n    run,\n};",
            "src/display.rs names `run`",
        ),
        (
            "sandbox/ec2.rs",
            "use super::super::cloud::Cloud;",
            "src/sandbox/ec2.rs names `cloud`",
        ),
        (
            "record.rs",
            "use super::cloud::Tags;",
            "src/record.rs names `cloud`",
        ),
        (
            "record.rs",
            "mod tests {\n    use super::super::cloud::Tags;\n}",
            "src/record.rs names `cloud`",
        ),
        (
            "run/lease.rs",
            "use crate::failure::Failure;",
            "src/run/lease.rs names `failure`",
        ),
        (
            "extras.rs",
            "",
            "src/extras.rs: module `extras` has no layer",
        ),
    ] {
        assert_eq!(wrong_edges(&File::of(path, text)), [wrong], "{text}");
    }
    for (path, text) in [
        (
            "cloud/ec2.rs",
            "use super::error::CloudError;\nuse crate::{event::Event, id::ImageId};",
        ),
        (
            "cloud/ec2/images.rs",
            "use super::super::tags;\n// use crate::pipeline::Plan;",
        ),
        (
            "record.rs",
            "mod tests {\n    use super::*;\n    use crate::id::RunId;\n}",
        ),
    ] {
        assert!(wrong_edges(&File::of(path, text)).is_empty(), "{text}");
    }
}

#[test]
fn the_page_in_lib_rs_names_every_module() {
    let text = include_str!("../../src/lib.rs");
    for (module, _) in LAYERS.iter().filter(|(module, _)| *module != "main") {
        assert!(
            text.contains(&format!("pub mod {module};")),
            "{module} is no module"
        );
        assert!(
            text.contains(&format!("[`{module}`]")),
            "{module} is not on the page"
        );
    }
}

#[test]
fn a_crate_that_one_place_knows_is_named_nowhere_else() {
    let mut wrong = Vec::new();
    for file in source() {
        for (name, place) in KNOWN_IN_ONE_PLACE {
            let path = file.path.to_str().unwrap();
            let at_home = path.starts_with(place);
            let named = file.code.match_indices(name).any(|(at, _)| {
                let after = file.code[at + name.len()..].chars().next();
                let whole = name.ends_with('_') || after.is_some_and(|next| !is_word(next));
                whole && !file.code[..at].ends_with(is_word)
            });
            // `main` parses the command line, and does nothing else with it.
            if named && !at_home && !(name == "clap" && path == "main.rs") {
                wrong.push(format!("src/{path} names {name}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_are_called_by_their_subject() {
    for file in source() {
        let stem = file.path.file_stem().unwrap().to_str().unwrap();
        for vague in [
            "utils", "util", "common", "helpers", "helper", "types", "misc", "mod",
        ] {
            assert_ne!(stem, vague, "src/{}", file.path.display());
        }
    }
}

#[test]
fn a_file_has_one_subject_or_says_why_it_is_long() {
    let mut long = Vec::new();
    for file in source() {
        let path = file.path.to_str().unwrap().to_owned();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let text = fs_err::read_to_string(root.join(&path)).unwrap();
        // Tests at the end of a file, not the declaration of a file of tests.
        let tests = text.find("\n#[cfg(test)]\nmod tests {");
        let lines = text[..tests.unwrap_or(text.len())].lines().count();
        let is_test = file
            .path
            .file_stem()
            .is_some_and(|stem| stem == "tests" || stem == "story");
        if lines > LONGEST && !is_test {
            long.push((path, lines));
        }
    }
    let said: BTreeSet<&str> = LONG.iter().map(|(path, _)| *path).collect();
    let unsaid: Vec<_> = long
        .iter()
        .filter(|(path, _)| !said.contains(path.as_str()))
        .collect();
    assert!(unsaid.is_empty(), "{unsaid:?}");
    let short: Vec<_> = said
        .iter()
        .filter(|path| !long.iter().any(|(one, _)| one == *path))
        .collect();
    assert!(short.is_empty(), "these are short now: {short:?}");
    assert!(LONG.iter().all(|(_, reason)| !reason.is_empty()));
}
