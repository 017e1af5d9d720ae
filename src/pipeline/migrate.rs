//! Migrate: what a new version changes in the data, right before the swap, on a throw-away machine of the new image.
//!
//! The code that serves now goes on serving meanwhile and is there again after a rollback, so a recipe says whether
//! that code can live with the change. Where it cannot, the site is expected to be down (`--accept-downtime`), and
//! nothing is taken back by itself: an old image on new data is no way back.

use super::names::Role;
use super::plan::Migration;
use super::preflight::{Ready, Refusal};
use super::{
    Context, PipelineError, RecipeFailure, abandon, apply, inspect, launch, names, observe,
    reminders, revive,
};
use crate::cloud::{Cloud, CloudError, Image, Instance, InstanceState, Tags, tags};
use crate::id::{EnvironmentId, ImageId, InstanceId, RunId, StepId};
use crate::record::{BaseImage, RunRecord};
use crate::run::{self, Held, Run, StoreError};

/// What a run does on the machine that changes the data.
const ON_THE_MACHINE: [&str; 4] = ["migrate/launch", "migrate/agent", CODE, DATA];

/// Runs the steps `on: migrate`, where recipes have such; under the lease, which is renewed meanwhile.
pub(super) async fn before_swap(
    run: &mut Run,
    context: &Context<'_>,
    ready: &Ready,
    held: &mut Held,
) -> Result<(), PipelineError> {
    let (Some(migration), BaseImage::Custom(image)) = (&context.plan.migration, &ready.target)
    else {
        return Ok(());
    };
    let work = Box::pin(steps(run, context, migration, ready, image));
    held.during(work).await
}

/// The step that puts the application in place, with the links of a deployment, for the code that changes the data.
const CODE: &str = "migrate/code";

/// The step that changes the data.
const DATA: &str = "migrate/data";

/// Whether the data was changed.
pub(super) fn is_done(run: &Run) -> bool {
    run.record().is_done(DATA)
}

/// Whether a run has begun to change the data and nobody knows that this has come to an end: it may go on, as long as its
/// machine works.
pub(super) fn may_go_on(record: &RunRecord) -> bool {
    abandon::has_migrated(record) && !record.is_done(DATA) && !record.has_ended(DATA)
}

/// The machines that a run has launched to change the data, if any are there.
pub(super) async fn machines(
    cloud: &Cloud,
    record: &RunRecord,
) -> Result<Vec<Instance>, CloudError> {
    if record.step(&StepId::new("migrate/launch")).is_none() || record.is_done("migrate/terminate")
    {
        return Ok(Vec::new());
    }
    let ours = Tags::from([
        (tags::RUN.to_owned(), record.run.to_string()),
        (tags::ROLE.to_owned(), Role::Migration.as_str().to_owned()),
    ]);
    let mut found = cloud.instances_tagged(&ours).await?;
    found.retain(|machine| !machine.state.is_gone());
    Ok(found)
}

/// A migration that another run may have left running.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LeftRunning {
    /// The run.
    pub(super) run: RunId,
    /// The machine that it runs on.
    pub(super) machine: InstanceId,
}

/// Looks for a migration of an environment's data that a run other than `ours` has begun and not ended, and whose machine
/// is there: it may go on without any process that drives it. A run `of` this pipeline whose record cannot be read counts as
/// one.
pub(super) async fn left_running(
    cloud: &Cloud,
    environment: &EnvironmentId,
    of: &str,
    ours: Option<&RunId>,
) -> Result<Option<LeftRunning>, CloudError> {
    let migrate = Tags::from([(tags::ROLE.to_owned(), Role::Migration.as_str().to_owned())]);
    for machine in cloud.instances_tagged(&migrate).await? {
        let (run, pipeline) = (
            machine.tags.get(tags::RUN),
            machine.tags.get(tags::PIPELINE),
        );
        let (Some(run), Some(pipeline)) = (run.map(RunId::new), pipeline) else {
            continue;
        };
        if ours == Some(&run) || !may_work(&machine) {
            continue;
        }
        match run::latest(cloud, pipeline, &run).await {
            Ok(record) if is_cut_off(&record, environment) => {
                let machine = machine.id;
                return Ok(Some(LeftRunning { run, machine }));
            }
            Ok(_) | Err(StoreError::Unknown { .. }) => {}
            Err(StoreError::Cloud(error)) => return Err(error),
            // What it does to the data is not known: of this pipeline it counts as a migration of this environment.
            Err(error) if *pipeline == of => {
                cloud.events().warn(format!(
                    "what {} does could not be looked up and counts as a change of the data: {error}",
                    machine.id
                ));
                let machine = machine.id;
                return Ok(Some(LeftRunning { run, machine }));
            }
            Err(error) => cloud.events().warn(format!(
                "whether {} changes data of this environment could not be looked up: {error}",
                machine.id
            )),
        }
    }
    Ok(None)
}

/// Whether something may run on a machine.
pub(super) fn may_work(machine: &Instance) -> bool {
    !machine.state.is_gone() && machine.state != InstanceState::Stopped
}

/// Whether a run is unfinished in the middle of changing the data of this environment.
fn is_cut_off(record: &RunRecord, environment: &EnvironmentId) -> bool {
    record.verdict.is_none()
        && may_go_on(record)
        && abandon::changed_environment(record).as_ref() == Some(environment)
}

/// What stays behind of a run that ends after it has begun to change the data.
pub(super) fn left_behind(run: &Run, ready: &Ready) -> Option<Refusal> {
    let what = abandon::changed_data(run.record())?;
    Some(Refusal::new(
        format!("the data {what} for {}, and stays so", ready.target),
        "look whether what serves now lives with that; where it does not, restore the database from before this run",
    ))
}

/// Terminates the machine of a run that ends before it has changed the data, unless another process drives the run by
/// now: that one may be changing the data there.
pub(super) async fn clear(context: &Context<'_>, run: &Run) -> Result<(), PipelineError> {
    let machines = machines(context.cloud, run.record()).await?;
    if !machines.is_empty() {
        run.driver().must_drive().await?;
    }
    for machine in machines {
        let id = &machine.id;
        let text = format!("terminate {id}, which was to change the data");
        context.cloud.events().note(text);
        context.cloud.ensure_terminated(id).await?;
    }
    Ok(())
}

async fn steps(
    run: &mut Run,
    context: &Context<'_>,
    migration: &Migration,
    ready: &Ready,
    image: &ImageId,
) -> Result<(), PipelineError> {
    revive::throw_away(run, context, &ON_THE_MACHINE).await?;
    let id = run.id().clone();
    let driver = run.driver();
    let place = run
        .step("migrate/place", "where a machine can go", async || {
            observe::place_now(context).await
        })
        .await?;
    let machine = run
        .step(
            "migrate/launch",
            format!("launch a machine from {image}"),
            async || launch::machine(context, &driver, &place, Role::Migration, image).await,
        )
        .await?;
    run.step(
        "migrate/agent",
        format!("wait for the agent of {machine}"),
        async || launch::until_it_answers(context.cloud, &machine).await,
    )
    .await?;
    let boot_is_over = async || {
        inspect::must_be_quiet(context, &id, "migrate", &machine).await?;
        inspect::must_have_booted(context, &id, &machine).await
    };
    // Code that already changes the data keeps the folder that it runs from; older versions put none in place.
    if run.record().step(&StepId::new(DATA)).is_none() {
        run.step(
            CODE,
            format!("put the application in place on {machine}"),
            async || {
                boot_is_over().await?;
                apply::deploy("", context.cloud, &id, "migrate", &machine).await
            },
        )
        .await?;
    }
    let changed = run.announced_step(DATA, "change the data for the new image", async || {
        boot_is_over().await?;
        let unit = names::unit(&id, "migrate");
        let script = &migration.script;
        let cloud = context.cloud;
        let done = apply::script(
            cloud,
            &machine,
            &unit,
            script,
            "the migration",
            &boot_is_over,
        );
        done.await.map(drop)
    });
    if let Err(error) = changed.await.map_err(PipelineError::from) {
        return Err(judged(run, context, migration, ready, error).await);
    }
    run.step(
        "migrate/terminate",
        format!("terminate {machine}"),
        async || {
            context.cloud.ensure_terminated(&machine).await?;
            Ok(())
        },
    )
    .await
    .map_err(PipelineError::from)
}

/// Why a migration that has ended by itself is not done; the data may have been changed in part.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{failed}")]
pub struct FailedMigration {
    /// What failed, on the machine that stays for a look.
    pub failed: RecipeFailure,
    /// The run.
    pub run: RunId,
    /// The environment's name.
    pub environment: String,
    /// What serves there as before.
    pub serves: BaseImage,
    /// Whether its code cannot live with the migrated data.
    pub breaks: bool,
    /// What its instances want a person to remember: a maintenance that the migration has left, for one.
    pub reminders: Vec<String>,
}

/// Records of a recipe's failure that nothing runs on the machine any more: then nobody needs to be kept from the data.
async fn judged(
    run: &mut Run,
    context: &Context<'_>,
    migration: &Migration,
    ready: &Ready,
    error: PipelineError,
) -> PipelineError {
    let PipelineError::Recipe(failed) = error else {
        return error;
    };
    if let Err(unsaved) = run.has_ended(DATA).await {
        context.cloud.events().warn(format!(
            "that the migration has ended could not be recorded, and other runs are refused as if it went on: {unsaved}"
        ));
    }
    PipelineError::Migration(Box::new(FailedMigration {
        failed,
        run: run.id().clone(),
        environment: context.plan.environment.clone(),
        serves: ready.previous.clone(),
        breaks: migration.breaks,
        reminders: reminders::read(context).await,
    }))
}

/// Migrations that break what serves now want a word of consent; asked before a build too.
pub(super) fn consent(migration: Option<&Migration>, accept_downtime: bool) -> Option<Refusal> {
    let unheard = migration.is_some_and(|migration| migration.breaks) && !accept_downtime;
    unheard.then(|| {
        Refusal::new(
            "these recipes change the data in a way that the code which serves now cannot live with (`migrations: breaking`)",
            "take a snapshot of the database, then use --accept-downtime: the site fails from the migration until the instances are replaced",
        )
    })
}

/// What speaks against promoting this image with these recipes' migrations. Pure.
pub(super) fn refusals(
    migration: Option<&Migration>,
    recipes: &str,
    golden: &Image,
    accept_downtime: bool,
) -> Vec<Refusal> {
    let mut list = Vec::from_iter(consent(migration, accept_downtime));
    let id = &golden.id;
    let tagged = golden.tags.get(tags::MIGRATIONS);
    let of_these = golden
        .tags
        .get(tags::RECIPES)
        .is_some_and(|of| of == recipes);
    if (tagged.is_some() || migration.is_some()) && !of_these {
        list.push(Refusal::new(
            format!("{id} was built from other recipes than these, and one or the other has steps `on: migrate`"),
            "promote it from the checkout that it was built from, or build from this one",
        ));
    }
    list
}

/// What a promotion that is not well ends with when its data cannot be gone back from.
pub(super) fn no_way_back(ready: &Ready, reason: &str, reminders: &[String]) -> PipelineError {
    let left = reminders
        .iter()
        .fold(String::new(), |left, text| left + "; " + text);
    PipelineError::RollbackFailed {
        image: ready.target.clone(),
        previous: ready.previous.clone(),
        reason: format!(
            "{reason}; nothing was taken back, for the code of {} cannot live with the migrated data: restore the \
             database first, then `goldseed rollback --database-restored`{left}",
            ready.previous
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::{ImageState, Tags};
    use crate::id::Digest;
    use crate::recipe::Script;

    fn golden(pairs: &[(&str, &str)]) -> Image {
        let tags: Tags = pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        Image {
            id: ImageId::new("ami-1"),
            name: "goldseed-shop".into(),
            state: ImageState::Available,
            architecture: "x86_64".into(),
            boot_mode: None,
            allowed: None,
            root_device: "/dev/xvda".into(),
            root_size: Some(8),
            lasting_devices: Vec::new(),
            snapshots: Vec::new(),
            created: String::new(),
            tags,
        }
    }

    fn migration(breaks: bool) -> Migration {
        let script = Script {
            text: String::new(),
            digest: Digest::of("x"),
            steps: Vec::new(),
            contents: Vec::new(),
            root: None,
        };
        Migration { script, breaks }
    }

    #[test]
    fn migrations_go_with_the_recipes_of_the_image_alone() {
        let same = golden(&[(tags::RECIPES, "abc"), (tags::MIGRATIONS, "compatible")]);
        let plain = golden(&[(tags::RECIPES, "def")]);
        let reasons = |migration: Option<&Migration>, image: &Image, down| {
            refusals(migration, "abc", image, down).len()
        };
        assert_eq!(reasons(Some(&migration(false)), &same, false), 0);
        assert_eq!(reasons(Some(&migration(false)), &plain, false), 1);
        assert_eq!(reasons(None, &plain, false), 0, "no migrations at all");
        let other = golden(&[(tags::RECIPES, "def"), (tags::MIGRATIONS, "breaking")]);
        assert_eq!(
            reasons(None, &other, true),
            1,
            "its migrations would be left out"
        );
        assert_eq!(reasons(Some(&migration(true)), &same, false), 1);
        assert_eq!(reasons(Some(&migration(true)), &same, true), 0);
    }
}
