//! `goldseed recipe check`: recipes alone, without any pipeline.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;

use super::{ExitCode, Failure, answer, load_failure};
use crate::document::Diagnostics;
use crate::recipe::{Library, LoadError};

#[derive(Debug, Args)]
pub(in crate::cli) struct Check {
    /// Names or YAML files; without any, all recipes of the project
    #[arg(value_name = "RECIPE")]
    recipes: Vec<String>,
}

pub(super) fn run(library: &Library, check: &Check) -> Result<ExitCode, Failure> {
    let wanted = if check.recipes.is_empty() {
        own(library)
    } else {
        check.recipes.clone()
    };
    let mut mistakes = Diagnostics::default();
    let mut text = String::new();
    let mut others = Vec::new();
    let mut good = Vec::new();
    for name in &wanted {
        let is_file = Path::new(name)
            .extension()
            .is_some_and(|extension| extension == "yaml" || extension == "yml");
        let read = if is_file {
            Library::load_file(&PathBuf::from(name))
        } else {
            library.load(name)
        };
        match read {
            Ok(recipe) => good.push(recipe.source().path().display().to_string()),
            // A recipe that several include, or that is named twice, is told once.
            Err(LoadError::Invalid(more)) => {
                for mistake in more.0 {
                    if !mistakes.0.contains(&mistake) {
                        mistakes.0.push(mistake);
                    }
                }
            }
            Err(error) => others.push(load_failure(library, error)),
        }
    }
    let mut shown = HashSet::new();
    for path in good.iter().filter(|path| shown.insert(path.as_str())) {
        writeln!(text, "{path}: no mistakes").expect("a String takes everything");
    }
    if wanted.is_empty() {
        text.push_str("this project has no recipes of its own\n");
    }
    answer(&text)?;
    told(mistakes, others)
}

/// Ends with all that was found: mistakes in recipes, and recipes that could not be had.
fn told(mistakes: Diagnostics, others: Vec<Failure>) -> Result<ExitCode, Failure> {
    let mut others = others.into_iter();
    let mut failure = match (mistakes.is_empty(), others.len()) {
        (true, 0) => return Ok(ExitCode::Done),
        (true, _) => others.next().unwrap_or_else(|| Failure::from(mistakes)),
        (false, _) => Failure::from(mistakes),
    };
    for other in others {
        if !failure.excerpts.is_empty() {
            failure.excerpts.push_str("\n\n");
        }
        write!(failure.excerpts, "error: {}", other.message).expect("a String takes everything");
        for hint in other.hints {
            write!(failure.excerpts, "\n  = help: {hint}").expect("a String takes everything");
        }
    }
    Err(failure)
}

fn own(library: &Library) -> Vec<String> {
    let mut names = library.names();
    names.retain(|name| library.is_own(name));
    names
}
