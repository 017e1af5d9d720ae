//! Every error becomes a message, its causes, hints, and an exit code. The one place that knows all error types.

mod begun;
mod cloud;
mod permission;

use crate::cloud::WaitError;
use crate::document::Diagnostics;
use crate::id::InstanceId;
use crate::node::NodeError;
use crate::pipeline::{Hindered, PipelineError, PlanError, RecipeFailure, Refusal, Unanswered};
use crate::run::{LeaseError, LedgerError, StoreError, wait_for};
use crate::settings::SettingsError;

/// How the program ends; `--help` lists the same table, and a test holds the two together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// Done; the environment is well.
    Done = 0,
    /// Something unexpected: a fault of the tool or of the machine.
    Unexpected = 1,
    /// The command line is wrong.
    Usage = 2,
    /// Settings or recipes are invalid; nothing was touched.
    Invalid = 3,
    /// Refused by preflight, lease or the account guard; the environment was not touched. A rebuild may have built.
    Refused = 4,
    /// AWS failed; resumable.
    Aws = 5,
    /// A recipe's step or check failed, or the proof of an image; resumable.
    Recipe = 6,
    /// The environment was not well and was taken back.
    RolledBack = 7,
    /// The environment was not well and could not be taken back: a person is needed.
    RollbackFailed = 8,
    /// Interrupted; resumable.
    Interrupted = 130,
}

/// The table of exit codes, for `--help`.
pub const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    unexpected: a fault of the tool or of the machine
  2    the command line is wrong
  3    settings or recipes are invalid; nothing was touched
  4    refused by preflight, lease or account guard; the environment was not touched
  5    AWS failed; resumable
  6    a recipe's step or check failed, or the proof of an image; resumable
  7    the environment was not well and was taken back
  8    it could not be taken back: a person is needed
  130  interrupted; resumable";

/// An error on its way to the person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Excerpts of files with the mistakes in them, printed as they are before the message; mostly empty.
    pub excerpts: String,
    /// What happened, to what.
    pub message: String,
    /// Why, outermost first.
    pub causes: Vec<String>,
    /// What to do.
    pub hints: Vec<String>,
    /// How the program ends.
    pub code: ExitCode,
}

impl Failure {
    /// A failure with a message alone.
    pub fn new(code: ExitCode, message: impl Into<String>) -> Self {
        Self {
            excerpts: String::new(),
            message: message.into(),
            causes: Vec::new(),
            hints: Vec::new(),
            code,
        }
    }

    /// Adds a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    fn of_refusals(message: &str, list: Vec<Refusal>) -> Self {
        let mut failure = Self::new(ExitCode::Refused, message);
        for refusal in list {
            failure.causes.push(refusal.reason);
            failure.hints.push(refusal.way_out);
        }
        failure
    }

    /// A failure of what nobody expected to fail.
    pub fn unexpected(message: impl Into<String>, error: &dyn std::error::Error) -> Self {
        Self {
            causes: causes(error),
            ..Self::new(ExitCode::Unexpected, message)
        }
    }
}

impl From<Diagnostics> for Failure {
    fn from(mistakes: Diagnostics) -> Self {
        let count = match mistakes.0.len() {
            1 => "there is a mistake".to_owned(),
            several => format!("there are {several} mistakes"),
        };
        Self {
            excerpts: mistakes.to_string(),
            ..Self::new(
                ExitCode::Invalid,
                format!("{count} in settings or recipes; nothing was touched"),
            )
        }
    }
}

/// What every program says of a full disk; there is no code for it in the output of a command.
const DISK_FULL: &str = "No space left on device";

fn more_disk(instance: &InstanceId) -> String {
    format!(
        "the disk of {instance} is full: set a larger `volume-size:` below `seed:` in goldseed.yaml and start another run"
    )
}

fn causes(error: &dyn std::error::Error) -> Vec<String> {
    let mut list = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(inner) = cause {
        list.push(inner.to_string());
        cause = inner.source();
    }
    list
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        match error {
            SettingsError::Absent(path) => Self::new(
                ExitCode::Invalid,
                format!("there is no settings file {}", path.display()),
            )
            .hint("write one with `goldseed init`, or name another with --file"),
            SettingsError::Invalid(mistakes) => mistakes.into(),
            other @ SettingsError::Unreadable(_) => Self {
                causes: causes(&other).split_off(1),
                ..Self::new(ExitCode::Invalid, other.to_string())
            },
        }
    }
}

impl From<PlanError> for Failure {
    fn from(error: PlanError) -> Self {
        match error {
            PlanError::UnknownPipeline { ref there_are, .. } => {
                let hint = if there_are.is_empty() {
                    "it has no pipeline at all: add one below `pipelines:`".to_owned()
                } else {
                    format!("it has: {}", there_are.join(", "))
                };
                Self::new(ExitCode::Invalid, error.to_string()).hint(hint)
            }
            PlanError::Invalid(mistakes) => mistakes.into(),
            other @ PlanError::Unreadable(_) => Self {
                causes: causes(&other).split_off(1),
                ..Self::new(ExitCode::Invalid, other.to_string())
            },
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Cloud(error) => error.into(),
            StoreError::TakenOver { verdict: None, .. } => {
                Self::new(ExitCode::Refused, error.to_string())
                    .hint("leave it to the other process; its output tells how it goes")
            }
            StoreError::TakenOver { .. } | StoreError::Ended { .. } => {
                Self::new(ExitCode::Refused, error.to_string())
                    .hint("`goldseed runs` lists the runs there are")
            }
            StoreError::Unknown { ref pipeline, .. } => {
                let hint = format!("`goldseed status {pipeline}` lists the runs there are");
                Self::new(ExitCode::Invalid, error.to_string()).hint(hint)
            }
            StoreError::Removed { .. } => Self {
                hints: error.ways_out(),
                ..Self::new(ExitCode::Refused, error.to_string())
            },
            other => Self {
                hints: other.ways_out(),
                ..Self::new(ExitCode::Unexpected, other.to_string())
            },
        }
    }
}

impl From<Unanswered> for Failure {
    fn from(machine: Unanswered) -> Self {
        let mut failure = Self::new(ExitCode::Aws, machine.to_string());
        for finding in machine.findings {
            failure.causes.push(finding.what);
            failure.hints.push(finding.way_out);
        }
        failure.causes.extend(machine.unseen);
        if !machine.console.is_empty() {
            let lines = machine.console.join("\n    ");
            failure
                .causes
                .push(format!("the last lines of its console:\n    {lines}"));
        }
        failure
            .hints
            .push(format!("{} is left as it is, for a look", machine.instance));
        failure
    }
}

impl From<RecipeFailure> for Failure {
    fn from(failed: RecipeFailure) -> Self {
        let failure = Self::new(ExitCode::Recipe, failed.to_string());
        if failed.lines.iter().any(|line| line.contains(DISK_FULL)) {
            failure.hint(more_disk(&failed.instance))
        } else {
            failure
        }
    }
}

impl From<PipelineError> for Failure {
    fn from(error: PipelineError) -> Self {
        match error {
            PipelineError::Refused(list) => {
                Self::of_refusals("refused; the environment was not touched", list)
            }
            PipelineError::Outdated(list) => Self::of_refusals(
                "this run is over: what it was ready for is not there any more, and nothing was sent",
                list,
            ),
            PipelineError::Cloud(error)
            | PipelineError::Wait(WaitError::Cloud(error))
            | PipelineError::Node(NodeError::Cloud(error))
            | PipelineError::Lease(LeaseError::Cloud(error))
            | PipelineError::Ledger(LedgerError::Cloud(error)) => error.into(),
            PipelineError::Store(error) => error.into(),
            PipelineError::Lease(LeaseError::Held(ref lease)) => {
                let hint = wait_for(&lease.run);
                Self::new(ExitCode::Refused, error.to_string()).hint(hint)
            }
            PipelineError::Wait(WaitError::Expired { .. }) => {
                Self::new(ExitCode::Aws, error.to_string())
                    .hint("nothing is lost: it goes on in AWS, and `goldseed resume` waits for it again")
            }
            PipelineError::Lease(error @ LeaseError::Unreadable { .. }) => Self {
                hints: error.way_out().into_iter().collect(),
                ..Self::new(ExitCode::Unexpected, error.to_string())
            },
            PipelineError::Unanswered(machine) => (*machine).into(),
            PipelineError::Recipe(failed) => failed.into(),
            PipelineError::Migration(failed) => (*failed).into(),
            PipelineError::Node(NodeError::Command { ref instance, ref output, .. })
                if output.contains(DISK_FULL) =>
            {
                Self::new(ExitCode::Aws, error.to_string()).hint(more_disk(instance))
            }
            PipelineError::Node(NodeError::Gone { .. }) => Self::new(ExitCode::Aws, error.to_string())
                .hint("a machine that was stopped is started again by `goldseed resume`; one that is gone is replaced, and what was done on it is done again"),
            PipelineError::Node(NodeError::Silent { .. }) => Self::new(ExitCode::Aws, error.to_string())
                .hint("look at the machine's load and memory, or reboot it; what it was doing is attached to again, or done again, by `goldseed resume`"),
            PipelineError::Node(NodeError::Interrupted { .. }) => Self::new(ExitCode::Aws, error.to_string())
                .hint("look for what reboots the machine (its console, a recipe's command), then `goldseed resume`"),
            PipelineError::OtherEnvironment { .. } => Self::new(ExitCode::Aws, error.to_string())
                .hint("this run cannot go on: give it up, and start another for the environment that is there now"),
            PipelineError::Unseen { .. } => Self::new(ExitCode::Aws, error.to_string())
                .hint("nothing was judged: `goldseed resume` watches it anew as soon as AWS answers"),
            PipelineError::Unproved(_) => Self::new(ExitCode::Recipe, error.to_string())
                .hint("the golden image is not promoted: change what put this into it, a recipe as a rule, and start another run"),
            PipelineError::Unsettled(_) => Self::new(ExitCode::Recipe, error.to_string())
                .hint("a step is to look first and change only what differs; give a `run` its `unless` or `creates`"),
            PipelineError::Overtaken { ref data, .. } => {
                let mut failure = Self::new(ExitCode::Refused, error.to_string())
                    .hint("this run is over; `goldseed history` tells who changed what");
                if let Some(data) = data {
                    failure.hints.push(data.way_out.clone());
                }
                failure
            }
            PipelineError::Replaced { .. } => Self::new(ExitCode::Refused, error.to_string())
                .hint("this run is over; `goldseed history` tells who changed what"),
            PipelineError::RolledBack { .. } => Self::new(ExitCode::RolledBack, error.to_string())
                .hint("Beanstalk's events above say what was not well; the image is kept, in quarantine"),
            PipelineError::Hindered(ref hindered) => {
                let Hindered { pipeline, image, trouble, .. } = &**hindered;
                let again = format!(
                    "{image} was not judged and is not in quarantine; afterwards: goldseed promote {pipeline} --image {image}"
                );
                Self::new(ExitCode::RolledBack, error.to_string())
                    .hint(cloud::cure(*trouble))
                    .hint(again)
            }
            PipelineError::Ledger(LedgerError::OtherEnvironment { ref pipeline, .. }) => {
                let hint = format!(
                    "give the pipeline another name, or delete the parameter /goldseed/{pipeline}/image to begin anew"
                );
                Self::new(ExitCode::Refused, error.to_string()).hint(hint)
            }
            PipelineError::Stuck(_) => Self::new(ExitCode::RollbackFailed, error.to_string()),
            PipelineError::RollbackFailed { .. } | PipelineError::RollbackUnwell { .. } => {
                Self::new(ExitCode::RollbackFailed, error.to_string())
                    .hint("look at the environment's events and health in the console now")
            }
            other => {
                let list = causes(&other);
                Self {
                    causes: list[1..].to_vec(),
                    ..Self::new(ExitCode::Aws, list[0].clone())
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_exit_codes_names_every_code() {
        use ExitCode::{
            Aws, Done, Interrupted, Invalid, Recipe, Refused, RollbackFailed, RolledBack,
            Unexpected, Usage,
        };
        let all = [
            Done,
            Unexpected,
            Usage,
            Invalid,
            Refused,
            Aws,
            Recipe,
            RolledBack,
            RollbackFailed,
            Interrupted,
        ];
        let listed: Vec<u8> = EXIT_CODES
            .lines()
            .skip(1)
            .map(|line| line.split_whitespace().next().unwrap().parse().unwrap())
            .collect();
        assert_eq!(listed, all.map(|code| code as u8));
    }
}
