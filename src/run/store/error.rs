//! What goes wrong with a run's record.

use crate::cloud::CloudError;
use crate::id::{RunId, StepId};
use crate::record::{FORMAT, Verdict};

/// Why a run's record could not be kept or read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// AWS refused.
    #[error(transparent)]
    Cloud(CloudError),
    /// Somebody else drives the run now.
    #[error("run {run} {}: this process stops before its next change", taken_over(who, *page, *verdict, reason.as_deref()))]
    TakenOver {
        /// The run.
        run: RunId,
        /// Who.
        who: String,
        /// The page that is higher than ours.
        page: u64,
        /// How they ended the run, if they did.
        verdict: Option<Verdict>,
        /// Why it was taken from a process that may have been driving it, and by whom.
        reason: Option<String>,
    },
    /// There is no such run.
    #[error("pipeline `{pipeline}` has no run {run}")]
    Unknown {
        /// The pipeline.
        pipeline: String,
        /// The run.
        run: RunId,
    },
    /// A record is of a format that this version does not know.
    #[error(
        "run {run}: its record was written by a newer version of goldseed (format {format}, this version reads {FORMAT})"
    )]
    Newer {
        /// The run.
        run: RunId,
        /// The record's format.
        format: u64,
    },
    /// A page cannot be read.
    #[error("the record {name} cannot be read: {reason}")]
    Unreadable {
        /// The parameter's name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A page exists and is not shown.
    #[error("the record {name} exists and cannot be found: try again in a minute")]
    Unseen {
        /// The parameter's name.
        name: String,
    },
    /// A finished step's output is not what this version writes.
    #[error("the recorded output of step {step} cannot be used: {reason}")]
    Output {
        /// The step.
        step: StepId,
        /// What is wrong with it.
        reason: String,
    },
    /// The record was removed: by a sweep, the run having ended long ago while this process slept, or by somebody.
    #[error(
        "the record of run {run} is not there any more, its parameter {name} was deleted: this process stops"
    )]
    Removed {
        /// The run.
        run: RunId,
        /// The parameter's name.
        name: String,
    },
    /// The run has ended.
    #[error("run {run} has ended: {}", verdict.as_str())]
    Ended {
        /// The run.
        run: RunId,
        /// How.
        verdict: Verdict,
    },
    /// A record has outgrown its parameter.
    #[error("the record of run {run} is {size} bytes and a parameter holds 4096")]
    TooLarge {
        /// The run.
        run: RunId,
        /// Its size.
        size: usize,
    },
}

impl StoreError {
    /// Returns the run whose record cannot be read.
    pub fn run(&self) -> Option<&str> {
        match self {
            Self::Newer { run, .. } | Self::Unknown { run, .. } => Some(run.as_str()),
            Self::Unreadable { name, .. } => super::run_of(name),
            _ => None,
        }
    }

    /// What can be done about a record that cannot be read, or that is gone, for people.
    pub fn ways_out(&self) -> Vec<String> {
        match self {
            Self::Newer { .. } => {
                vec!["use the version of goldseed that wrote it, or a newer one".to_owned()]
            }
            Self::Unreadable { name, .. } => {
                let folder = name.rsplit_once('/').map_or(name.as_str(), |(folder, _)| folder);
                vec![
                    format!(
                        "what it said before is in its history, and put back, the run goes on: aws ssm get-parameter-history --name {name}"
                    ),
                    format!(
                        "or, once nobody drives the run, delete all parameters below {folder}: `goldseed sweep` removes what the run left when that is a day old"
                    ),
                ]
            }
            Self::Output { .. } => {
                vec!["go on with the version of the tool that started the run".to_owned()]
            }
            Self::Removed { .. } => vec![
                "this run cannot be gone on with or abandoned; what it made has tags, and `goldseed sweep` removes it when it is a day old".to_owned(),
            ],
            _ => Vec::new(),
        }
    }
}

/// What another process has done with a run, for people.
fn taken_over(who: &str, page: u64, verdict: Option<Verdict>, reason: Option<&str>) -> String {
    let text = match verdict {
        None => format!("is driven by {who} now (page {page})"),
        Some(verdict) => format!(
            "was taken over by {who} (page {page}) and has ended: {}",
            verdict.as_str()
        ),
    };
    match reason {
        None => text,
        Some(reason) => format!("{text} (reason given by {reason})"),
    }
}
