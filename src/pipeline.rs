//! Build, promote, rebuild and rollback, from top to bottom.
//!
//! Every function here reads like the story of what it does: straight-line code over [`Run::step`], whose finished
//! steps are replayed from the record. Decisions (what to refuse, which instance to take, whether an environment is
//! well) are pure functions of plain data and are tested without any AWS.

mod abandon;
mod apply;
mod diagnosis;
mod generalise;
mod image;
mod in_use;
mod inspect;
mod launch;
mod migrate;
mod names;
mod observe;
mod plan;
mod preflight;
mod probes;
mod prove;
mod quarantine;
mod rehearse;
mod remains;
mod retire;
mod revive;
mod rollback;
mod snapshot;
mod status;
mod swap;
mod sweep;
mod unsent;
mod verdict;
mod watch;

use crate::cloud::{Cloud, CloudError, WaitError};
use crate::id::{ImageId, RunId};
use crate::node::NodeError;
use crate::record::{BaseImage, RunRecord, Verdict};
use crate::run::{LeaseError, LedgerError, Outcome, Run, StepError, StoreError};

pub use abandon::{
    AbandonError, DataStays, abandon, changed_data, changed_environment, has_begun, may_abandon,
    must_be_removable,
};
pub use apply::RecipeFailure;
pub use diagnosis::{Finding, Unanswered};
pub use launch::user_data;
pub use migrate::FailedMigration;
pub use plan::{Migration, Plan, PlanError, Source};
pub use preflight::Refusal;
pub use rehearse::{Scripts, Stage, rehearse};
pub use remains::{Cleared, left_by, stop_work};
pub use rollback::{Accepted, for_a_person, under_way};
pub use status::{Status, status};
pub use swap::let_go;
pub use sweep::{Leftover, What, leftovers, remove};
pub use unsent::Seen;
pub use verdict::{Judge, Judgement, Sample};

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
            Self::RolledBack { .. } => Some(Verdict::RolledBack),
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

/// The stage of a promotion that changes the data; only where recipes have steps `on: migrate`.
pub const MIGRATE_STAGE: &str = "migrate";
/// The stages of a build, in order.
pub const BUILD_STAGES: [&str; 8] = [
    "observe",
    "snapshot",
    "launch",
    "apply",
    "generalise",
    "image",
    "prove",
    "retire",
];
/// The stages of a promotion, in order.
pub const PROMOTE_STAGES: [&str; 5] = ["preflight", MIGRATE_STAGE, "swap", "watch", "ledger"];
/// The stages of a rebuild, in order: the build's, then the promotion's.
pub const REBUILD_STAGES: [&str; 13] = [
    "observe",
    "snapshot",
    "launch",
    "apply",
    "generalise",
    "image",
    "prove",
    "retire",
    "preflight",
    MIGRATE_STAGE,
    "swap",
    "watch",
    "ledger",
];

/// What a run works with.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The connection.
    pub cloud: &'a Cloud,
    /// What is to be done.
    pub plan: &'a Plan,
    /// `person@host`.
    pub who: &'a str,
}

/// Grows a golden image and proves it. Nothing of the environment is changed.
pub async fn build(run: &mut Run, context: &Context<'_>) -> Result<ImageId, PipelineError> {
    let ground = observe::for_build(run, context).await?;
    let origin = snapshot::take(run, context, &ground).await?;
    let seed = launch::seed(run, context, &ground, &origin).await?;
    apply::recipes(run, context, &seed).await?;
    generalise::machine(run, context, &seed).await?;
    let golden = image::take(run, context, &ground, &origin, &seed.instance).await?;
    prove::boots(run, context, &ground, &seed, &golden).await?;
    retire::build(run, context, &origin, &seed).await?;
    Ok(golden)
}

/// Makes a proved golden image the environment's base image, watches it, and keeps it or goes back.
pub async fn promote(
    run: &mut Run,
    context: &Context<'_>,
    wish: &Wish,
) -> Result<Promoted, PipelineError> {
    let promoted = async {
        let ready = preflight::promotion(run, context, wish).await?;
        let held = swap::lease(run, context, &ready).await?;
        swap::and_watch(run, context, &ready, held, wish).await
    };
    let promoted = promoted.await;
    if let Err(error) = &promoted
        && error.ends(run.record())
    {
        // Nobody comes back to a machine of a run that has ended. How it ended matters more than a machine, which a sweep
        // finds.
        if let Err(uncleared) = migrate::clear(context, run).await {
            let text = format!("the machine for the migration was not terminated: {uncleared}");
            context.cloud.events().warn(text);
        }
    }
    promoted
}

/// Builds and promotes.
pub async fn rebuild(
    run: &mut Run,
    context: &Context<'_>,
    accept_downtime: bool,
) -> Result<Promoted, PipelineError> {
    // A run that goes on has touched things, perhaps the environment itself: only the promotion's own preflight counts.
    if run.record().steps.is_empty() {
        preflight::early(context, accept_downtime).await?;
    }
    let golden = build(run, context).await?;
    let wish = Wish {
        image: Some(golden),
        built_now: true,
        accept_downtime,
    };
    promote(run, context, &wish).await
}

/// Makes an earlier base image current again.
pub async fn rollback(
    run: &mut Run,
    context: &Context<'_>,
    reason: &str,
    accepted: Accepted,
) -> Result<Promoted, PipelineError> {
    rollback::to_earlier(run, context, reason, accepted).await
}

/// What is asked of a promotion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// The image; none: the newest proved one of the pipeline.
    pub image: Option<ImageId>,
    /// Whether it was built in this very run: nobody chose it by hand.
    pub built_now: bool,
    /// Whether an outage while instances are replaced is accepted.
    pub accept_downtime: bool,
}

/// What a promotion or rollback came to.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Promoted {
    /// The base image now.
    pub current: BaseImage,
    /// The one before.
    pub previous: BaseImage,
}

impl Outcome for Promoted {
    fn outcome(&self) -> String {
        format!("{} (before: {})", self.current, self.previous)
    }
}
