//! Rehearse: recipes on one fresh machine, applied and checked twice.
//!
//! The second time nothing may change: what changes again would change on every nightly rebuild, or fight with another
//! step. Nothing is imaged and no environment is asked; it is meant for the local AWS.

use super::{PipelineError, apply, launch, names};
use crate::cloud::{Cloud, LaunchRequest, Tags, tags};
use crate::id::{self, ImageId, RunId, SubnetId};
use crate::recipe::Script;

/// What machine is rehearsed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// The image that it starts from.
    pub image: ImageId,
    /// The subnet.
    pub subnet: SubnetId,
    /// The instance type.
    pub instance_type: String,
    /// The instance profile: secrets are fetched with its role.
    pub instance_profile: String,
}

/// What is rehearsed.
#[derive(Clone, Debug)]
pub struct Scripts {
    /// The recipes.
    pub apply: Script,
    /// Their steps `on: migrate`, which come after.
    pub migrate: Option<Script>,
    /// Their checks.
    pub verify: Script,
}

/// Launches a machine, applies the recipes, checks, runs their migrations and checks once more, and does all of it again.
/// Returns how many steps changed something the first time. The machine is left to the caller.
///
/// # Errors
/// What failed on the machine, and [`PipelineError::Unsettled`] where the second time changed something.
pub async fn rehearse(
    cloud: &Cloud,
    run: &RunId,
    stage: &Stage,
    scripts: &Scripts,
) -> Result<usize, PipelineError> {
    let request = LaunchRequest {
        token: id::token([run.as_str(), "rehearsal"]),
        image: stage.image.clone(),
        instance_type: stage.instance_type.clone(),
        subnet: stage.subnet.clone(),
        security_groups: Vec::new(),
        instance_profile: Some(stage.instance_profile.clone()),
        user_data: String::new(),
        lasting_devices: Vec::new(),
        root_volume: None,
        tags: Tags::from([
            (tags::RUN.to_owned(), run.to_string()),
            (tags::ROLE.to_owned(), "rehearsal".to_owned()),
        ]),
    };
    let instance = cloud.ensure_instance(&request).await?.id;
    launch::until_it_runs(cloud, &instance).await?;
    launch::until_it_answers(cloud, &instance).await?;

    let once = async |time: &str| {
        cloud.events().note(format!("the {time} time"));
        // This machine has no user data that would hold anything back at a boot.
        let nothing = async || Ok(());
        let unit = names::unit(run, &format!("{time}-apply"));
        let apply::Changed(mut steps) = apply::script(
            cloud,
            &instance,
            &unit,
            &scripts.apply,
            "the recipe",
            nothing,
        )
        .await?;
        // As in a build, whose seed and proof are checked before anything is migrated; afterwards as at the balancer.
        if let Some(migrate) = &scripts.migrate {
            apply::checks_after(
                "",
                cloud,
                run,
                &format!("{time}-before"),
                &instance,
                &scripts.verify,
            )
            .await?;
            let unit = names::unit(run, &format!("{time}-migrate"));
            let apply::Changed(more) =
                apply::script(cloud, &instance, &unit, migrate, "the migration", nothing).await?;
            steps.extend(more);
        }
        apply::checks_after("", cloud, run, time, &instance, &scripts.verify).await?;
        Ok::<_, PipelineError>(steps)
    };
    let changed = once("first").await?;
    let again = once("second").await?;
    if again.is_empty() {
        Ok(changed.len())
    } else {
        Err(PipelineError::Unsettled(again))
    }
}
