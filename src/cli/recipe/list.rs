//! `goldseed recipe list`.

use std::fmt::Write as _;

use super::{ExitCode, Failure, answer};
use crate::recipe::Library;

/// What stands for the summary of a recipe that has mistakes.
const BROKEN: &str = "(has mistakes: see `goldseed recipe check`)";

pub(super) fn run(library: &Library) -> Result<ExitCode, Failure> {
    let names = library.names();
    let width = names.iter().map(String::len).max().unwrap_or_default();
    let mut text = String::new();
    for name in &names {
        let recipe = library.load(name);
        let summary = recipe
            .as_ref()
            .map_or(BROKEN, |recipe| recipe.summary().trim());
        let own = if library.is_own(name) { "*" } else { " " };
        writeln!(text, "{own} {name:width$}  {summary}").expect("a String takes everything");
    }
    if names.iter().any(|name| library.is_own(name)) {
        text.push_str("\n* of this project\n");
    }
    answer(&text)
}
