//! Why a pipeline ended before its end, and whether its run ends with that.

use super::{FailedMigration, RecipeFailure, Refusal, Trouble, Unanswered, has_begun};
use crate::cloud::{CloudError, WaitError};
use crate::id::{EnvironmentId, ImageId, RunId};
use crate::node::NodeError;
use crate::pace::spoken;
use crate::record::{BaseImage, RunRecord, Verdict};
use crate::run::{LeaseError, LedgerError, StepError, StoreError};

/// AWS could not carry an update out; the environment was rolled back, and the image was not judged.
#[derive(Debug, thiserror::Error)]
#[error("AWS could not bring {environment} to {image}, and it is back on {previous}: {reason}")]
pub struct Hindered {
    /// The pipeline.
    pub pipeline: String,
    /// The environment's name.
    pub environment: String,
    /// The image that was not judged.
    pub image: BaseImage,
    /// The base image now.
    pub previous: BaseImage,
    /// What kept AWS from it.
    pub trouble: Trouble,
    /// Why, in Beanstalk's words.
    pub reason: String,
}

/// An environment did not become Ready, so that it could not be rolled back.
#[derive(Debug, thiserror::Error)]
#[error(
    "{environment} is still {status} after {}, and was not taken back from {image} to {previous}: {}{}",
    spoken(*waited),
    match .sent {
        Sent::Not => "no update back was sent",
        Sent::NotKnown => "an earlier process of this run may have sent the update back",
    },
    .event.as_ref().map_or_else(String::new, |event| format!("; Beanstalk's last error: {event}"))
)]
pub struct Stuck {
    /// The environment's name.
    pub environment: String,
    /// The status that it is in.
    pub status: String,
    /// How long has been waited.
    pub waited: std::time::Duration,
    /// The image that was not well.
    pub image: BaseImage,
    /// What it should be on.
    pub previous: BaseImage,
    /// Whether the update back was sent.
    pub sent: Sent,
    /// What Beanstalk reported last as an error.
    pub event: Option<String>,
}

/// Why a pipeline ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// Refused before anything was touched.
    #[error("refused: {}", .0.first().map_or("no reason", |refusal| &refusal.reason))]
    Refused(Vec<Refusal>),
    /// AWS failed; the run can go on.
    #[error(transparent)]
    Cloud(#[from] CloudError),
    /// What was waited for did not come; the run can go on.
    #[error(transparent)]
    Wait(#[from] WaitError),
    /// A machine did not do as asked; the run can go on.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The agent of a machine does not answer; the run can go on.
    #[error(transparent)]
    Unanswered(Box<Unanswered>),
    /// The record could not be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The lease is another's, or lost.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// The ledger could not be read or written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A step or a check of a recipe failed; the environment is as it was.
    #[error(transparent)]
    Recipe(#[from] RecipeFailure),
    /// A migration failed and has ended by itself; the environment is as it was, but for its data.
    #[error(transparent)]
    Migration(Box<FailedMigration>),
    /// The environment was not well with the new image and was taken back.
    #[error("the environment was not well with {image} and is back on {previous}: {reason}")]
    RolledBack {
        /// The image that was not well.
        image: BaseImage,
        /// The base image now.
        previous: BaseImage,
        /// Why.
        reason: String,
    },
    /// AWS could not carry the update out; the environment was rolled back, and the image was not judged.
    #[error(transparent)]
    Hindered(Box<Hindered>),
    /// The environment was not well and could not be taken back.
    #[error(
        "the environment is not well with {image} and could not be taken back to {previous}: {reason}"
    )]
    RollbackFailed {
        /// The image that was not well.
        image: BaseImage,
        /// What it should be on.
        previous: BaseImage,
        /// Why.
        reason: String,
    },
    /// A rollback that somebody asked for led to an environment that is not well.
    #[error("{environment} was to go back from {previous} to {target} and is not well: {reason}")]
    RollbackUnwell {
        /// The environment's name.
        environment: String,
        /// The base image before.
        previous: BaseImage,
        /// The base image that was asked for.
        target: BaseImage,
        /// Why.
        reason: String,
    },
    /// A machine of the golden image is not what it has to be; the run can go on.
    #[error("{0}")]
    Unproved(String),
    /// The environment did not become Ready, so that it could not be rolled back; the run can go on once it is.
    #[error(transparent)]
    Stuck(Box<Stuck>),
    /// A rehearsal of recipes changed something the second time as well.
    #[error("a second run of the same recipe changes again: {}", .0.join("; "))]
    Unsettled(Vec<String>),
    /// The time of a watch is up, and the environment could not be looked at since; the run can go on.
    #[error(
        "{environment} could not be looked at since the time of its watch is up, so nothing is said of its image: it is \
         {reason}"
    )]
    Unseen {
        /// The environment's name.
        environment: String,
        /// What was seen last, and why no more.
        reason: String,
    },
    /// The environment that this run began with is gone; one of its name may be there.
    #[error(
        "{}: this run began with {was}, which is gone",
        .now.as_ref().map_or_else(
            || format!("there is no environment {environment} any more"),
            |now| format!("{environment} is another environment now ({now})")
        )
    )]
    OtherEnvironment {
        /// The environment's name.
        environment: String,
        /// The one of that name, where there is one.
        now: Option<EnvironmentId>,
        /// The one that this run began with.
        was: EnvironmentId,
    },
    /// The environment changed under our hands.
    #[error("{0}")]
    Disturbed(String),
    /// The environment is Ready on a base image that is neither the one this run found nor the one it was to set.
    #[error(
        "the base image of {environment} is {now} now and was {was} when this run looked: somebody changed it, and \
         no update was sent{}",
        .data.as_ref().map_or_else(String::new, |data| format!("; {}", data.reason))
    )]
    Overtaken {
        /// The environment's name.
        environment: String,
        /// The base image that is deployed.
        now: ImageId,
        /// The one that this run found.
        was: ImageId,
        /// What stays behind, where this run has begun to change the data.
        data: Option<Box<Refusal>>,
    },
    /// Another base image is in service since this run has begun to set its own; nothing is taken back.
    #[error(
        "{environment} runs {now} now, which {} set after this run had begun to set {target}: nothing is taken back, and \
         nothing more is sent",
        .by.as_ref().map_or_else(|| "somebody".to_owned(), |run| format!("run {run}"))
    )]
    Replaced {
        /// The environment's name.
        environment: String,
        /// The image that is deployed.
        now: ImageId,
        /// The run that set it, where the ledger tells.
        by: Option<RunId>,
        /// What this run was to set.
        target: BaseImage,
    },
    /// What the run was ready for is not there any more, and its update was not sent and is not sent any more.
    #[error("outdated: {}", .0.first().map_or("no reason", |refusal| &refusal.reason))]
    Outdated(Vec<Refusal>),
}

/// Whether an update was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It was not.
    Not,
    /// An earlier process may have sent it.
    NotKnown,
}

impl From<StepError<PipelineError>> for PipelineError {
    fn from(error: StepError<PipelineError>) -> Self {
        match error {
            StepError::Work(error) => error,
            StepError::Store(error) => error.into(),
        }
    }
}

impl PipelineError {
    /// Whether this run ends with this error: once it has begun to change what is in service or the data, a refusal of
    /// this process does not end it.
    pub fn ends(&self, record: &RunRecord) -> bool {
        match self.verdict() {
            Some(Verdict::Refused) => has_begun(record).is_none(),
            other => other.is_some(),
        }
    }

    /// How the run ends with this error; none: it is unfinished and can go on.
    pub fn verdict(&self) -> Option<Verdict> {
        match self {
            Self::Refused(_)
            | Self::Lease(LeaseError::Held(_))
            | Self::Ledger(LedgerError::OtherEnvironment { .. }) => Some(Verdict::Refused),
            Self::RolledBack { .. } | Self::Hindered(_) => Some(Verdict::RolledBack),
            Self::RollbackFailed { .. } | Self::RollbackUnwell { .. } => {
                Some(Verdict::RollbackFailed)
            }
            Self::Overtaken { .. } | Self::Replaced { .. } | Self::Outdated(_) => {
                Some(Verdict::Overtaken)
            }
            _ => None,
        }
    }
}
