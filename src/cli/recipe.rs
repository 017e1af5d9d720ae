//! `goldseed recipe`: what recipes there are, what they take, whether they are right.

mod check;
mod list;
mod show;
mod test;

use clap::Subcommand;

use super::{ExitCode, Failure, Invocation, answer, guard};
use crate::recipe::{Library, LoadError, Recipe};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// List the recipes that a pipeline can name: the project's own and those that goldseed brings
    List,
    /// Show what a recipe does and what parameters it takes
    Show(show::Show),
    /// Read recipes and report every mistake
    Check(check::Check),
    /// Print the JSON Schema of recipes, for editors
    Schema,
    /// Apply a recipe twice on a fresh machine of the local AWS, with its checks
    Test(test::Test),
}

impl Verb {
    /// Whether it shows its work as events.
    pub(super) fn tells_events(&self) -> bool {
        matches!(self, Self::Test(_))
    }
}

pub(super) async fn run(invocation: &Invocation, verb: Verb) -> Result<ExitCode, Failure> {
    let library = guard::library_beside(&invocation.global.file);
    match verb {
        Verb::List => list::run(&library),
        Verb::Show(show) => show::run(&library, &show),
        Verb::Check(check) => check::run(&library, &check),
        Verb::Schema => answer(&crate::recipe::schema()),
        Verb::Test(test) => test::run(invocation, &library, &test).await,
    }
}

/// Reads a recipe by its name.
fn load(library: &Library, name: &str) -> Result<Recipe, Failure> {
    library
        .load(name)
        .map_err(|error| load_failure(library, error))
}

fn load_failure(library: &Library, error: LoadError) -> Failure {
    match error {
        LoadError::Invalid(mistakes) => mistakes.into(),
        LoadError::Unknown { name, suggestion } => {
            let hint = suggestion.map_or_else(
                || format!("there are: {}", library.names().join(", ")),
                |suggestion| format!("did you mean `{suggestion}`?"),
            );
            Failure::new(ExitCode::Invalid, format!("there is no recipe `{name}`")).hint(hint)
        }
        LoadError::Unreadable(cause) => Failure::new(
            ExitCode::Invalid,
            format!("cannot read the recipe: {cause}"),
        ),
    }
}
