//! `goldseed recipe show`: a recipe's parameters, or its text.

use std::fmt::Write as _;

use clap::Args;

use super::{ExitCode, Failure, answer, load};
use crate::recipe::{Library, Parameter, Recipe};

#[derive(Debug, Args)]
pub(in crate::cli) struct Show {
    /// The recipe
    recipe: String,
    /// Print the YAML file itself, as the start of a recipe of one's own
    #[arg(long)]
    source: bool,
}

pub(super) fn run(library: &Library, show: &Show) -> Result<ExitCode, Failure> {
    let recipe = load(library, &show.recipe)?;
    if show.source {
        return answer(recipe.source().text());
    }
    answer(&described(&recipe))
}

fn described(recipe: &Recipe) -> String {
    let mut text = format!("{}: {}\n", recipe.name(), recipe.summary().trim());
    writeln!(text, "  from {}", recipe.source().path().display())
        .expect("a String takes everything");
    if !recipe.platforms().is_empty() {
        writeln!(text, "  for {}", recipe.platforms().join(", "))
            .expect("a String takes everything");
    }
    if recipe.parameters().is_empty() {
        text.push_str("\nIt takes no parameters.\n");
    } else {
        text.push_str("\nparameters\n");
    }
    let width = recipe.parameters().iter().map(|one| one.name.len()).max();
    for parameter in recipe.parameters() {
        let name = &parameter.name;
        let width = width.unwrap_or_default();
        writeln!(text, "  {name:width$}  {}", line(parameter)).expect("a String takes everything");
    }
    write!(
        text,
        "\nin goldseed.yaml\n  recipes:\n    - {}",
        example(recipe)
    )
    .expect("a String takes everything");
    text.push('\n');
    text
}

/// Type, what stands in, what it is for.
fn line(parameter: &Parameter) -> String {
    let mut text = parameter.kind.to_string();
    match &parameter.default {
        Some(default) => write!(text, ", {default} if not given"),
        None if parameter.optional => write!(text, ", optional"),
        None => write!(text, ", required"),
    }
    .expect("a String takes everything");
    if let Some(help) = &parameter.help {
        write!(text, ": {help}").expect("a String takes everything");
    }
    text
}

/// The recipe as a pipeline names it, with what it requires.
fn example(recipe: &Recipe) -> String {
    let required: Vec<String> = recipe
        .parameters()
        .iter()
        .filter(|parameter| parameter.default.is_none() && !parameter.optional)
        .map(|parameter| format!("{}: …", parameter.name))
        .collect();
    if required.is_empty() {
        recipe.name().to_owned()
    } else {
        format!("{}: {{{}}}", recipe.name(), required.join(", "))
    }
}
