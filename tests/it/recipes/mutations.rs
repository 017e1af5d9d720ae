//! Broken recipes of all sorts: a message or a script comes out, never a panic.

use std::path::Path;

use goldseed::document::Document;
use goldseed::recipe::{Library, Purpose, balancer_checks, compile};
use proptest::prelude::*;

use super::folder;

/// The recipes that are broken.
const RECIPES: [&str; 3] = ["site", "scratch", "everything"];

/// What may stand where something else is expected.
const FRAGMENTS: [&str; 24] = [
    "",
    "null",
    "true",
    "-1",
    "1.5",
    "99999999999999999999",
    "''",
    "[]",
    "{}",
    "[[]]",
    "{a: {b: [c]}}",
    "'${{ text }}'",
    "'${{ names }}'",
    "'${{ db }}'",
    "'${{ extra }}'",
    "'${{ item }}'",
    "'${{'",
    "'${{ }}'",
    "\"\\0\"",
    "\"a\\nb\"",
    "'é✓'",
    "/",
    "s3:///",
    "'@@goldseed-secret:raw:db@@'",
];

/// A place in a text that is no further into it than this share.
fn place(text: &str, share: f64) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a place in a short text"
    )]
    let at = (share * text.len() as f64) as usize;
    (0..=at.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0)
}

/// Reads, binds and compiles a recipe; what is refused must be refused with words.
fn attempt(name: &str, text: &str) -> Result<(), TestCaseError> {
    let project = tempfile::tempdir().unwrap();
    let path = project.path().join(format!("{name}.yaml"));
    fs_err::write(&path, text).unwrap();
    fs_err::create_dir(project.path().join("files")).unwrap();
    for entry in fs_err::read_dir(folder("valid/files")).unwrap() {
        let file = entry.unwrap();
        fs_err::copy(
            file.path(),
            project.path().join("files").join(file.file_name()),
        )
        .unwrap();
    }
    let recipe = match Library::load_file(&path) {
        Ok(recipe) => recipe,
        Err(error) => {
            prop_assert!(!error.to_string().is_empty());
            return Ok(());
        }
    };
    let values = match name {
        "site" => "domain: a.example\ndb: ssm:/a\n",
        "scratch" => "root: /srv/a\n",
        _ => "db: ssm:/a\n",
    };
    let settings = Document::parse(Path::new("goldseed.yaml"), values.to_owned()).unwrap();
    match recipe.bind(&settings.source, 0..0, Some(&settings.root)) {
        Err(mistakes) => prop_assert!(!mistakes.to_string().is_empty()),
        Ok(bound) => {
            let bound = std::slice::from_ref(&bound);
            for purpose in [Purpose::Apply, Purpose::Verify, Purpose::Migrate] {
                if let Err(mistakes) = compile(bound, purpose) {
                    prop_assert!(!mistakes.to_string().is_empty());
                }
            }
            drop(balancer_checks(bound));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(250))]

    /// A piece cut out, doubled or overwritten.
    #[test]
    fn no_broken_text_makes_the_reader_or_the_compiler_panic(
        which in 0_usize..3, start in 0.0_f64..1.0, length in 0_usize..30, insert in "[\\-{}\\[\\]:,\"'$ a-z0-9\n]{0,12}",
    ) {
        let text = fs_err::read_to_string(folder("valid").join(format!("{}.yaml", RECIPES[which]))).unwrap();
        let at = place(&text, start);
        let end = (at + length).min(text.len());
        let end = (end..=text.len()).find(|end| text.is_char_boundary(*end)).unwrap();
        attempt(RECIPES[which], &format!("{}{insert}{}", &text[..at], &text[end..]))?;
    }

    /// A value that is something else than what belongs there.
    #[test]
    fn no_wrong_value_makes_the_reader_or_the_compiler_panic(
        which in 0_usize..3, values in prop::collection::vec((0.0_f64..1.0, 0..FRAGMENTS.len()), 1..4),
    ) {
        let mut text = fs_err::read_to_string(folder("valid").join(format!("{}.yaml", RECIPES[which]))).unwrap();
        for (start, fragment) in values {
            let from = place(&text, start);
            let Some(colon) = text[from..].find(": ").map(|colon| from + colon + 2) else { continue };
            let end = text[colon..].find([',', '}', '\n']).map_or(text.len(), |end| colon + end);
            text.replace_range(colon..end, FRAGMENTS[fragment]);
        }
        attempt(RECIPES[which], &text)?;
    }
}

#[test]
fn the_recipe_that_is_broken_has_every_type_of_step_and_check() {
    let recipe = Library::load_file(&folder("valid/everything.yaml"))
        .unwrap_or_else(|error| panic!("{error}"));
    let settings = Document::parse(Path::new("goldseed.yaml"), "db: ssm:/a\n".to_owned()).unwrap();
    let bound = recipe
        .bind(&settings.source, 0..0, Some(&settings.root))
        .unwrap();
    let mut kinds: Vec<String> = [Purpose::Apply, Purpose::Verify, Purpose::Migrate]
        .iter()
        .flat_map(|purpose| {
            compile(std::slice::from_ref(&bound), *purpose)
                .unwrap()
                .steps
        })
        .map(|step| step.kind)
        .collect();
    kinds.push("include".to_owned());
    let manual =
        fs_err::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/recipes.md"))
            .unwrap();
    let rows = manual
        .split("## Steps")
        .nth(1)
        .unwrap()
        .lines()
        .filter_map(|line| line.strip_prefix("| `"));
    let named: Vec<&str> = rows.filter_map(|row| row.split('`').next()).collect();
    // Rows of other tables: roles of steps, and the keys of a check of pages.
    let others = [
        "on",
        "image",
        "seed",
        "boot",
        "migrate",
        "slower-than",
        "host",
        "as",
        "follow",
        "headers",
        "resolve",
        "insecure",
        "https",
        "via",
    ];
    for kind in named.into_iter().filter(|kind| !others.contains(kind)) {
        assert!(kinds.iter().any(|known| known == kind), "{kind}");
    }
}
