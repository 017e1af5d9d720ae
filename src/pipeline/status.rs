//! Status: what an environment is on, what the pipeline has, and whether anybody is at work.

mod troubles;

use super::deployed::{self, Deployed};
use super::verdict::Standing;
use super::{Context, PipelineError, belonging, observe, preflight, reminders, watch};
use crate::cloud::{Environment, Image, ImageState, InstanceState, Tags, tags};
pub use troubles::Troubles;

use crate::record::{BaseImage, Lease, LedgerEntry, RunRecord};
use crate::run::{self, LeaseError, Ledger, StoreError};

/// Everything that `goldseed status` tells.
#[derive(Debug)]
pub struct Status {
    /// The environment.
    pub environment: Environment,
    /// Why it is not healthy, and what Beanstalk has reported.
    pub troubles: Troubles,
    /// Its base image.
    pub base: BaseImage,
    /// The image that stands behind it, as the settings name it.
    pub base_image: crate::id::ImageId,
    /// Its instances.
    pub instances: Instances,
    /// The application version that is deployed.
    pub deployed: Deployed,
    /// Whether the images' application comes by the bridge.
    pub bridged: bool,
    /// The pipeline's golden images for this environment, newest first.
    pub golden: Vec<Image>,
    /// The other environments for which the pipeline has golden images.
    pub other_environments: Vec<String>,
    /// Its ledger's last entry.
    pub last: Option<LedgerEntry>,
    /// Who holds the environment; or why that cannot be read.
    pub lease: Result<Option<Lease>, LeaseError>,
    /// Its runs, newest first.
    pub runs: Vec<Result<RunRecord, StoreError>>,
    /// What is left to do on the site after its data was migrated.
    pub reminders: Vec<String>,
}

/// How many instances an environment has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instances {
    /// All that are not terminated.
    pub all: usize,
    /// Those in service, as the watch counts them.
    pub in_service: usize,
    /// Those that run another image than the base image.
    pub others: usize,
}

/// Looks at a pipeline; changes nothing.
pub async fn status(context: &Context<'_>) -> Result<Status, PipelineError> {
    let super::Context { cloud, plan, .. } = *context;
    let environment = preflight::environment(context).await?;
    let deployed = cloud.deployed_configuration(&environment).await?;
    let (base, base_image) = observe::base_image(cloud, &environment, &deployed).await?;
    let members = observe::members(cloud, &environment).await?;
    let there: Vec<_> = members
        .iter()
        .filter(|member| !member.instance.state.is_gone())
        .collect();
    let enhanced = environment.health_status.is_some();
    let serves = |one: &&&observe::Member| {
        one.instance.state == InstanceState::Running
            && watch::member(one, enhanced, None).standing == Standing::InService
    };
    let instances = Instances {
        all: there.len(),
        in_service: there.iter().filter(serves).count(),
        others: there
            .iter()
            .filter(|one| one.instance.image != base_image)
            .count(),
    };
    let wanted = Tags::from([
        (tags::PIPELINE.to_owned(), plan.pipeline.clone()),
        (tags::ROLE.to_owned(), "golden".to_owned()),
    ]);
    let mut all = cloud.images_tagged(&wanted).await?;
    all.retain(|image| image.state == ImageState::Available);
    let (mut golden, elsewhere): (Vec<Image>, Vec<Image>) = all
        .into_iter()
        .partition(|image| belonging::is_listed(&image.tags, &environment, None));
    golden.sort_by(|one, other| other.created.cmp(&one.created));
    let runs = run::runs(cloud, &plan.pipeline).await?;
    let reminders = if reminders::may_be(runs.iter().flatten()) {
        reminders::read(context).await
    } else {
        Vec::new()
    };
    Ok(Status {
        deployed: deployed::of(cloud, &environment).await,
        bridged: plan.is_bridged(),
        troubles: Troubles::of(cloud, &environment).await?,
        base,
        base_image,
        instances,
        golden,
        other_environments: belonging::names(&elsewhere, &environment),
        last: Ledger::read(cloud, &plan.pipeline)
            .await?
            .entries
            .into_iter()
            .rfind(|entry| entry.environment_id == environment.id.as_str()),
        lease: match run::holder(cloud, &environment.id).await {
            Err(error) if error.way_out().is_none() => return Err(error.into()),
            lease => lease,
        },
        runs,
        reminders,
        environment,
    })
}
