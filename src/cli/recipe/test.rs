//! `goldseed recipe test`: a recipe on a fresh machine of a local AWS, twice, with its checks.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;

use super::{ExitCode, Failure, Invocation, answer, load, load_failure};
use crate::cloud::{Cloud, Connection, LocalAws};
use crate::document::Document;
use crate::event::Emitter;
use crate::id::{ImageId, RunId, SubnetId};
use crate::pace::{self, Pace};
use crate::pipeline::{self, Scripts, Stage};
use crate::recipe::{self, Bound, Library, Parameter, Purpose, Recipe};
use crate::sandbox::{MachineKind, Options, Sandbox};

#[derive(Debug, Args)]
pub(in crate::cli) struct Test {
    /// The recipe; with a file `test.yaml` beside it (or `NAME.test.yaml`), that recipe is what runs
    recipe: String,
    /// A value of a parameter, as YAML; may be given several times
    #[arg(long = "set", value_name = "NAME=VALUE")]
    values: Vec<String>,
}

/// How much faster than AWS the local one is here; nothing in a test waits for people.
const PACE: f64 = 0.05;

/// The parameters of a test recipe that the local AWS gives values to, where the test declares them.
const FILE_SYSTEM: &str = "file_system";
const DATABASE: &str = "database";
const DATABASE_PASSWORD: &str = "database_password";

pub(super) async fn run(
    invocation: &Invocation,
    library: &Library,
    test: &Test,
) -> Result<ExitCode, Failure> {
    refuse_path(&test.recipe)?;
    let recipe = match library.load_test(&test.recipe) {
        Some(read) => read.map_err(|error| load_failure(library, error))?,
        None => load(library, &test.recipe)?,
    };
    let offered = Offers::of(&recipe);
    // What can be wrong without a machine is told before one is started.
    bound(&recipe, &test.values, &offered.samples())?;

    let state = PathBuf::from(".goldseed/recipe-test").join(&test.recipe);
    let options = Options {
        machines: MachineKind::Containers,
        pace: PACE,
        ..Options::simulated(&state)
    };
    let sandbox = Sandbox::start(options).await.map_err(|error| {
        Failure::unexpected("the local AWS could not be started", &error)
            .hint("`goldseed sandbox setup` installs what real machines need")
    })?;
    let result = tokio::select! {
        result = rehearse(invocation, &sandbox, &recipe, test, &offered) => result.map(Some),
        _ = crate::cli::signals::interrupted() => Ok(None),
    };
    sandbox.stop().await;
    let removed = fs_err::remove_dir_all(&state);
    // What came of the test matters more than a folder that stays.
    let changed = result?;
    removed
        .map_err(|error| Failure::unexpected("the test's folder could not be removed", &error))?;
    let Some(changed) = changed else {
        return Ok(ExitCode::Interrupted);
    };
    answer(&format!(
        "{}: {changed} step(s) changed something, none the second time; its checks passed both times\n",
        test.recipe
    ))
}

async fn rehearse(
    invocation: &Invocation,
    sandbox: &Sandbox,
    recipe: &Recipe,
    test: &Test,
    offered: &Offers,
) -> Result<usize, Failure> {
    let display = crate::cli::drive::plain_display(invocation);
    let values = offered.make(sandbox).await?;
    let bound = bound(recipe, &test.values, &values)?;
    let compiled = |purpose| recipe::compile(std::slice::from_ref(&bound), purpose);
    let migrate = bound.migrations().map(|_| compiled(Purpose::Migrate));
    let scripts = Scripts {
        apply: compiled(Purpose::Apply)?,
        migrate: migrate.transpose()?,
        verify: compiled(Purpose::Verify)?,
    };
    let cloud = connect(sandbox, display.emitter()).await?;
    let (image, subnet) = sandbox.ground();
    let stage = Stage {
        image: ImageId::new(image),
        subnet: SubnetId::new(subnet),
        instance_type: "t3.small".to_owned(),
        instance_profile: "goldseed-recipe-test".to_owned(),
    };
    let run = RunId::starting_at(pace::now(), 0);
    let changed = pipeline::rehearse(&cloud, &run, &stage, &scripts).await;
    crate::cli::drive::ended(&display, changed.map_err(Failure::from))
}

async fn connect(sandbox: &Sandbox, events: Emitter) -> Result<Cloud, Failure> {
    let connection = Connection {
        region: Some("eu-central-1".to_owned()),
        pace: Pace::new(PACE).unwrap_or_default(),
        local: Some(LocalAws {
            endpoint: sandbox.endpoint(),
            access_key: sandbox.access_key(),
        }),
        ..Connection::default()
    };
    Ok(Cloud::connect(connection, events).await?)
}

/// A path where a name belongs.
fn refuse_path(name: &str) -> Result<(), Failure> {
    let path = Path::new(name);
    let is_file = path
        .extension()
        .is_some_and(|last| last == "yaml" || last == "yml");
    if !is_file && !name.contains('/') {
        return Ok(());
    }
    let stem = match path.file_stem().and_then(std::ffi::OsStr::to_str) {
        Some("recipe") => path.parent().and_then(Path::file_name),
        _ => path.file_stem(),
    };
    let stem = stem.unwrap_or_default().display();
    let message = format!("`{name}` is a file, and a test takes the name of a recipe");
    Err(Failure::new(ExitCode::Usage, message)
        .hint(format!("give its name: `goldseed recipe test {stem}`")))
}

/// Gives a recipe values: what the local AWS offers, then what the command line says.
fn bound(recipe: &Recipe, said: &[String], offered: &[(&str, String)]) -> Result<Bound, Failure> {
    let mut lines = String::new();
    for one in said {
        let Some((name, value)) = one.split_once('=') else {
            return Err(Failure::new(
                ExitCode::Usage,
                format!("`--set {one}` is not NAME=VALUE"),
            ));
        };
        let line = format!("{name}: {value}\n");
        // Read alone, so that what one leaves open is not blamed on the next.
        Document::parse(Path::new("--set"), line.clone())?;
        lines += &line;
    }
    let is_given = |parameter: &Parameter| {
        let name = parameter.name.as_str();
        said.iter()
            .any(|one| one.split_once('=').is_some_and(|(said, _)| said == name))
            || offered.iter().any(|(offered, _)| *offered == name)
    };
    let required = |one: &&Parameter| one.default.is_none() && !one.optional && !is_given(one);
    let missing: Vec<&Parameter> = recipe.parameters().iter().filter(required).collect();
    if !missing.is_empty() {
        let names: Vec<&str> = missing.iter().map(|one| one.name.as_str()).collect();
        let message = format!(
            "the recipe `{}` needs `{}`",
            recipe.name(),
            names.join("`, `")
        );
        let failure = Failure::new(ExitCode::Invalid, message);
        return Err(missing.iter().fold(failure, |failure, one| {
            let help = one
                .help
                .as_ref()
                .map_or_else(String::new, |help| format!(", {help}"));
            failure.hint(format!("say `--set {}=…` ({}{help})", one.name, one.kind))
        }));
    }
    for (name, value) in offered {
        let is_said = said
            .iter()
            .any(|one| one.split_once('=').is_some_and(|(said, _)| said == *name));
        if !is_said {
            writeln!(lines, "{name}: {value:?}").expect("a String takes everything");
        }
    }
    let document = Document::parse(Path::new("--set"), lines)?;
    Ok(recipe.bind(&document.source, 0..0, Some(&document.root))?)
}

/// What the local AWS has for a test.
struct Offers {
    file_system: bool,
    database: bool,
    database_password: bool,
}

impl Offers {
    fn of(recipe: &Recipe) -> Self {
        let asks = |name: &str| recipe.parameters().iter().any(|one| one.name == name);
        Self {
            file_system: asks(FILE_SYSTEM),
            database: asks(DATABASE),
            database_password: asks(DATABASE_PASSWORD),
        }
    }

    /// Values of the right form, before anything is made.
    fn samples(&self) -> Vec<(&'static str, String)> {
        self.values("192.0.2.1")
    }

    fn values(&self, address: &str) -> Vec<(&'static str, String)> {
        let mut values = Vec::new();
        if self.file_system {
            values.push((FILE_SYSTEM, Sandbox::FILE_SYSTEM.to_owned()));
        }
        if self.database {
            values.push((DATABASE, address.to_owned()));
        }
        if self.database_password {
            let reference = format!("ssm:{}", Sandbox::PASSWORD_PARAMETER);
            values.push((DATABASE_PASSWORD, reference));
        }
        values
    }

    async fn make(&self, sandbox: &Sandbox) -> Result<Vec<(&'static str, String)>, Failure> {
        let failed = |error| Failure::unexpected("the local AWS is not complete", &error);
        let mut address = String::new();
        if self.file_system {
            sandbox.make_file_system().map_err(failed)?;
        }
        if self.database || self.database_password {
            address = sandbox.make_database().await.map_err(failed)?.to_string();
        }
        Ok(self.values(&address))
    }
}
