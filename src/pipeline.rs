//! Build, promote, rebuild and rollback, from top to bottom.
//!
//! Every function here reads like the story of what it does: straight-line code over [`Run::step`], whose finished
//! steps are replayed from the record. Decisions (what to refuse, which instance to take, whether an environment is
//! well) are pure functions of plain data and are tested without any AWS.

mod abandon;
mod apply;
mod belonging;
mod cause;
mod deployed;
mod diagnosis;
mod error;
mod generalise;
mod image;
mod in_use;
mod inspect;
mod launch;
mod logs;
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
mod reminders;
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

use crate::cloud::Cloud;
use crate::id::ImageId;
use crate::record::BaseImage;
use crate::run::{Outcome, Run};

pub use abandon::{
    AbandonError, DataStays, abandon, changed_data, changed_environment, has_begun, may_abandon,
    must_be_removable,
};
pub use apply::RecipeFailure;
pub use cause::Trouble;
pub use deployed::{Bundle, Deployed, Kind, deployed};
pub use diagnosis::{Finding, Unanswered};
pub use error::{Hindered, PipelineError, Sent, Stuck};
pub use image::is_fit;
pub use launch::user_data;
pub use logs::{Recollection, recollect};
pub use migrate::FailedMigration;
pub use plan::{Migration, Plan, PlanError, Site, Source};
pub use preflight::{Refusal, out_of};
pub use rehearse::{Scripts, Stage, rehearse};
pub use remains::{Cleared, left_by, stop_work};
pub use rollback::{Accepted, for_a_person, judged, left_behind, under_way, why};
pub use status::{Instances, Status, Troubles, status};
pub use swap::let_go;
pub use sweep::{Found, Leftover, Stays, What, leftovers, remove};
pub use unsent::Seen;
pub use verdict::{Judge, Judgement, Sample};

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
    /// Whether a person asked for this process. A person who resumes a run has what runs by then judged, a colleague's
    /// application version included; a service that restarts leaves such a change alone.
    pub attended: bool,
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
    accept: Consent,
) -> Result<Promoted, PipelineError> {
    // A run that goes on has touched things, perhaps the environment itself: only the promotion's own preflight counts.
    if run.record().steps.is_empty() {
        preflight::early(context, accept).await?;
    }
    let golden = build(run, context).await?;
    let wish = Wish {
        image: Some(golden),
        built_now: true,
        accept,
        from_environment: None,
    };
    promote(run, context, &wish).await
}

/// Makes an earlier base image current again.
pub async fn rollback(
    run: &mut Run,
    context: &Context<'_>,
    reason: &str,
    accepted: &Accepted,
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
    /// What is accepted.
    pub accept: Consent,
    /// The other environment whose image is accepted, by its name.
    pub from_environment: Option<String>,
}

/// What a promotion is accepted in spite of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Consent {
    /// The site is down while instances are replaced.
    pub downtime: bool,
    /// Checks that do not reach the site are left out.
    pub unreachable: bool,
    /// The environment is unhealthy before: a health that is no worse counts as healthy in the watch.
    pub unhealthy: bool,
}

/// What a promotion or rollback came to.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Promoted {
    /// The base image now.
    pub current: BaseImage,
    /// The one before.
    pub previous: BaseImage,
    /// What is left to do on the site after its data was migrated.
    #[serde(default)]
    pub reminders: Vec<String>,
}

impl Outcome for Promoted {
    fn outcome(&self) -> String {
        format!("{} (before: {})", self.current, self.previous)
    }
}
