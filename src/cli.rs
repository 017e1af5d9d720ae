//! The command line: clap's types, and one file a verb.

mod abandon;
mod attended;
mod bridge;
mod check;
mod drive;
mod guard;
mod history;
mod init;
mod logs;
mod recipe;
mod runs;
mod sandbox;
mod schedule;
mod signals;
mod status;
mod sweep;
mod takeover;

use std::path::PathBuf;

use clap::{Args, CommandFactory as _, Parser, Subcommand};

use crate::failure::{EXIT_CODES, ExitCode, Failure};
use crate::pipeline::{Accepted, Consent};
use crate::settings::Surroundings;

/// Grows golden images for Elastic Beanstalk environments and makes them their base images
#[derive(Debug, Parser)]
#[command(name = "goldseed", version, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Arguments {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    verb: Verb,
}

/// What every verb takes.
#[derive(Clone, Debug, Args)]
struct Global {
    /// The settings file
    #[arg(
        long,
        short,
        global = true,
        default_value = "goldseed.yaml",
        value_name = "FILE"
    )]
    file: PathBuf,
    /// The region; refused where the settings say another
    #[arg(long, global = true)]
    region: Option<String>,
    /// A profile of the AWS configuration files
    #[arg(long, global = true)]
    profile: Option<String>,
    /// Tell events as JSON Lines on standard output
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Write a first, commented goldseed.yaml
    Init(init::Init),
    /// Read settings and recipes and report every mistake
    Check(check::Check),
    /// Grow a golden image and prove it; the environment is not changed
    Build(PipelineName),
    /// Make a proved golden image the environment's base image
    Promote(Promote),
    /// Build and promote
    Rebuild(Rebuild),
    /// Make an earlier base image current again
    Rollback(Rollback),
    /// Go on with a run that was interrupted or failed
    Resume(Resume),
    /// End a run that nobody will go on with, and remove what it made
    Abandon(abandon::Abandon),
    /// List the runs of all pipelines, or of one
    Runs(runs::Runs),
    /// Show what a past run did and what was printed
    Logs(logs::Logs),
    /// Show what dead runs left and what it costs, and remove it
    Sweep(sweep::Sweep),
    /// List the promotions of a pipeline
    History(PipelineName),
    /// Show what an environment is on and what its pipeline has
    Status(PipelineName),
    /// Print a systemd timer and service for a nightly rebuild
    Schedule(schedule::Schedule),
    /// Write the application version that brings the image's code into place
    Bridge(bridge::Bridge),
    /// Look at recipes, check and test them
    #[command(subcommand)]
    Recipe(recipe::Verb),
    /// Run a local AWS with real machines, for rehearsal and tests
    #[command(subcommand)]
    Sandbox(sandbox::Sandbox),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Manual,
}

impl Verb {
    /// Whether it shows its work as events; `--json` prints those and nothing else.
    fn tells_events(&self) -> bool {
        match self {
            Self::Build(_)
            | Self::Promote(_)
            | Self::Rebuild(_)
            | Self::Rollback(_)
            | Self::Resume(_)
            | Self::Abandon(_)
            | Self::Logs(_) => true,
            Self::Recipe(verb) => verb.tells_events(),
            _ => false,
        }
    }
}

/// A pipeline of the settings.
#[derive(Debug, Args)]
struct PipelineName {
    /// The pipeline, as goldseed.yaml names it
    pipeline: String,
}

#[derive(Debug, Args)]
struct Promote {
    /// The pipeline, as goldseed.yaml names it
    pipeline: String,
    /// The image; without it, the newest proved one
    #[arg(long, value_name = "AMI")]
    image: Option<String>,
    /// Accept an image that was built for this other environment
    #[arg(long, value_name = "NAME")]
    from_environment: Option<String>,
    #[command(flatten)]
    accept: Accept,
}

#[derive(Debug, Args)]
struct Rebuild {
    /// The pipeline, as goldseed.yaml names it
    pipeline: String,
    /// Resume the pipeline's unfinished rebuild instead of starting another
    ///
    /// A rebuild that has not changed the environment yet is resumed for 12 hours, if settings and recipes are the same.
    /// Without an unfinished rebuild, another one is started.
    #[arg(long)]
    resume: bool,
    #[command(flatten)]
    accept: Accept,
}

/// What a promotion is accepted in spite of.
#[derive(Debug, Args)]
struct Accept {
    /// Accept that the site is down while instances are replaced
    #[arg(long = "accept-downtime")]
    downtime: bool,
    /// Leave out checks that cannot connect to the site from here, and judge the image without them
    #[arg(long = "accept-unreachable")]
    unreachable: bool,
    /// Accept that the environment is unhealthy before the update
    ///
    /// During the watch, a health that is no worse than before then counts as healthy. Probes must pass all the same.
    #[arg(long = "accept-unhealthy")]
    unhealthy: bool,
}

impl Accept {
    fn consent(&self) -> Consent {
        Consent {
            downtime: self.downtime,
            unreachable: self.unreachable,
            unhealthy: self.unhealthy,
        }
    }
}

#[derive(Debug, Args)]
struct Rollback {
    /// The pipeline, as goldseed.yaml names it
    pipeline: String,
    /// Why, for the ledger
    #[arg(long, default_value = "")]
    reason: String,
    /// Accept that the site is down while instances are replaced
    #[arg(long)]
    accept_downtime: bool,
    /// The database is again as it was before the image that runs now; needed after a breaking migration
    #[arg(long)]
    database_restored: bool,
    /// Accept an image that was built for this other environment
    #[arg(long, value_name = "NAME")]
    from_environment: Option<String>,
}

#[derive(Debug, Args)]
struct Resume {
    /// Run ID [default: the only unfinished run]
    ///
    /// If another process may be driving the run, `resume` asks first, or refuses where there is no terminal: a process
    /// that still runs on this host, a run that holds its environment, or a record written in the last 15 minutes.
    run: Option<String>,
    #[command(flatten)]
    consent: takeover::TakeOver,
}

/// How many bytes a reason may have: it stands in the run's record, which must fit a parameter.
const LONGEST_REASON: usize = 200;

/// Runs what was asked for.
pub async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let Arguments { global, verb } = arguments;
    if global.json && !verb.tells_events() {
        let message = "this command has no JSON output: nothing was done";
        return Err(Failure::new(ExitCode::Usage, message).hint(
            "--json is for build, promote, rebuild, rollback, resume, abandon, logs and recipe test; leave it out here",
        ));
    }
    let surroundings = Surroundings::from_environment()
        .map_err(|error| Failure::new(ExitCode::Usage, error.to_string()))?;
    let invocation = Invocation {
        global,
        surroundings,
    };
    match verb {
        Verb::Init(init) => init::run(&invocation, &init),
        Verb::Check(check) => check::run(&invocation, &check),
        Verb::Build(name) => drive::start(&invocation, &name.pipeline, drive::Work::Build).await,
        Verb::Promote(promote) => {
            let work = drive::Work::Promote {
                image: promote.image,
                accept: promote.accept.consent(),
                from_environment: promote.from_environment,
            };
            drive::start(&invocation, &promote.pipeline, work).await
        }
        Verb::Rebuild(rebuild) => {
            let work = drive::Work::Rebuild {
                accept: rebuild.accept.consent(),
            };
            if rebuild.resume {
                drive::start_or_resume(&invocation, &rebuild.pipeline, work).await
            } else {
                drive::start(&invocation, &rebuild.pipeline, work).await
            }
        }
        Verb::Rollback(rollback) => {
            if rollback.reason.len() > LONGEST_REASON {
                return Err(Failure::new(
                    ExitCode::Usage,
                    format!(
                        "the reason has {} bytes, and the ledger has room for {LONGEST_REASON}",
                        rollback.reason.len()
                    ),
                ));
            }
            let work = drive::Work::Rollback {
                reason: rollback.reason,
                accepted: Accepted {
                    downtime: rollback.accept_downtime,
                    database_restored: rollback.database_restored,
                    from_environment: rollback.from_environment,
                },
            };
            drive::start(&invocation, &rollback.pipeline, work).await
        }
        Verb::Resume(resume) => {
            drive::resume(&invocation, resume.run.as_deref(), &resume.consent, true).await
        }
        Verb::Abandon(abandon) => abandon::run(&invocation, &abandon).await,
        Verb::Runs(runs) => signals::heeded(Box::pin(runs::run(&invocation, &runs))).await,
        Verb::Logs(logs) => signals::heeded(Box::pin(logs::run(&invocation, &logs))).await,
        Verb::Sweep(sweep) => sweep::run(&invocation, &sweep).await,
        Verb::History(name) => {
            signals::heeded(Box::pin(history::run(&invocation, &name.pipeline))).await
        }
        Verb::Status(name) => {
            signals::heeded(Box::pin(status::run(&invocation, &name.pipeline))).await
        }
        Verb::Schedule(schedule) => schedule::run(&invocation, &schedule),
        Verb::Bridge(bridge) => signals::heeded(Box::pin(bridge::run(&invocation, &bridge))).await,
        Verb::Recipe(verb) => recipe::run(&invocation, verb).await,
        Verb::Sandbox(sandbox) => sandbox::run(&invocation, sandbox).await,
        Verb::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "goldseed", &mut text);
            answer(&String::from_utf8_lossy(&text))
        }
        Verb::Manual => {
            let mut text = Vec::new();
            clap_mangen::Man::new(Arguments::command())
                .render(&mut text)
                .map_err(|error| Failure::unexpected("the manual page was not written", &error))?;
            answer(&without_other_pages(&String::from_utf8_lossy(&text)))
        }
    }
}

/// There is this one page: what it calls `goldseed-init(1)` is the command `goldseed init`.
fn without_other_pages(page: &str) -> String {
    page.lines().fold(String::new(), |text, line| {
        let command = line
            .strip_prefix("goldseed\\-")
            .and_then(|rest| rest.strip_suffix("(1)"));
        match command {
            Some(command) => text + "goldseed " + command + "\n",
            None => text + line + "\n",
        }
    })
}

/// What a verb is run with.
#[derive(Clone, Debug)]
struct Invocation {
    global: Global,
    surroundings: Surroundings,
}

/// Prints what was asked for on standard output.
fn answer(text: &str) -> Result<ExitCode, Failure> {
    crate::display::answer(text)
        .map_err(|error| Failure::unexpected("the answer could not be written", &error))?;
    Ok(ExitCode::Done)
}
