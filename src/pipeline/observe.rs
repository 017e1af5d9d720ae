//! What has to be observed once: the environment, its base image and where that came from, the source instance and
//! what a seed needs of it. It is the recorded output of a first step and never asked again.

pub(super) mod again;

use serde::{Deserialize, Serialize};

use super::{Context, PipelineError, Refusal, Source, preflight};
use crate::cloud::{
    Cloud, CloudError, ConfigurationSet, Environment, Instance, InstanceHealth, InstanceState, tags,
};
use crate::id::{EnvironmentId, ImageId, InstanceId, SecurityGroupId, SubnetId};
use crate::record::BaseImage;
use crate::run::{Outcome, Run};
use crate::settings::Seed;

/// What a build stands on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ground {
    /// The environment.
    #[serde(rename = "e")]
    pub(super) environment: EnvironmentId,
    /// Its platform version.
    #[serde(rename = "p")]
    pub(super) platform: String,
    /// Its base image.
    #[serde(rename = "b")]
    pub(super) base: BaseImage,
    /// The image that its instances run, whatever set it.
    #[serde(rename = "bi")]
    pub(super) base_image: ImageId,
    /// The source instance, where the build begins with one.
    #[serde(rename = "i")]
    pub(super) instance: Option<InstanceId>,
    /// The image that the build begins with, where it begins with one.
    #[serde(rename = "im")]
    pub(super) image: Option<ImageId>,
    /// Devices of the source instance that the raw image leaves out: all but the root.
    #[serde(rename = "x", default, skip_serializing_if = "Vec::is_empty")]
    pub(super) without: Vec<String>,
    /// Where the seed goes and as what.
    #[serde(flatten)]
    pub(super) place: Place,
    /// The images since a stock image that what we begin with has behind it.
    #[serde(rename = "gen")]
    pub(super) generation: u32,
}

impl Outcome for Ground {
    fn outcome(&self) -> String {
        let from = match (&self.instance, &self.image) {
            (Some(instance), _) => format!("from instance {instance}"),
            (None, Some(image)) => format!("from image {image}"),
            (None, None) => String::new(),
        };
        format!("{from}, base image {}", self.base)
    }
}

/// From how many images since a stock image on every run says that it is time to rebase.
const OLD_AGE: u32 = 10;

/// Observes what a build stands on.
pub(super) async fn for_build(
    run: &mut Run,
    context: &Context<'_>,
) -> Result<Ground, PipelineError> {
    let Context { cloud, plan, .. } = *context;
    let goes_on = run.record().is_done("observe/ground") && !run.record().is_done("prove/tag");
    let ground = run
        .step(
            "observe/ground",
            format!("look at {}", plan.environment),
            async || ground(context).await,
        )
        .await?;
    if goes_on {
        again::same_environment(context, &ground.environment).await?;
    }
    if ground.generation + 1 >= OLD_AGE {
        cloud.events().warn(format!(
            "this will be image number {} since the platform's stock image: it is time to rebase \
             (`source: platform` in goldseed.yaml, for one build)",
            ground.generation + 1
        ));
    }
    Ok(ground)
}

async fn ground(context: &Context<'_>) -> Result<Ground, PipelineError> {
    let Context { cloud, plan, .. } = *context;
    let environment = preflight::environment(context).await?;
    let deployed = cloud.deployed_configuration(&environment).await?;
    let (base, base_image) = base_image(cloud, &environment, &deployed).await?;
    let members = members(cloud, &environment).await?;
    let refused = |reason| PipelineError::Refused(vec![reason]);
    let source = match plan.source {
        Source::Instance => Some(choose_source(&members).map_err(refused)?),
        _ => None,
    };
    let place = place(&plan.seed, source.or_else(|| model(&members))).map_err(refused)?;
    let image = match &plan.source {
        Source::Instance => None,
        Source::Current => Some(base_image.clone()),
        Source::Image(image) => Some(image.clone()),
        Source::Platform => {
            let architectures = cloud
                .instance_kind(&place.instance_type)
                .await?
                .architectures;
            Some(stock_image_of(cloud, &environment, &architectures).await?)
        }
    };
    let begins_with = image.as_ref().or(source.map(|source| &source.image));
    let generation = match begins_with {
        Some(image) => generation(context, image).await?,
        None => 0,
    };
    Ok(Ground {
        environment: environment.id,
        platform: environment.platform,
        base,
        base_image,
        without: source.map(data_volumes).unwrap_or_default(),
        instance: source.map(|source| source.id.clone()),
        image,
        place,
        generation,
    })
}

/// The devices of an instance but its root.
fn data_volumes(instance: &Instance) -> Vec<String> {
    let root = instance.root_device.as_deref();
    let devices = instance.devices.iter();
    devices
        .filter(|device| Some(device.as_str()) != root)
        .cloned()
        .collect()
}

/// Where a machine of ours goes and as what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    /// The subnet.
    #[serde(rename = "n")]
    pub(super) subnet: SubnetId,
    /// The security groups.
    #[serde(rename = "g")]
    pub(super) groups: Vec<SecurityGroupId>,
    /// The instance type.
    #[serde(rename = "t")]
    pub(super) instance_type: String,
}

impl Outcome for Place {
    fn outcome(&self) -> String {
        format!("{} in {}", self.instance_type, self.subnet)
    }
}

/// Observes where a machine can go that no build has observed a place for.
pub(super) async fn place_now(context: &Context<'_>) -> Result<Place, PipelineError> {
    let environment = preflight::environment(context).await?;
    let members = members(context.cloud, &environment).await?;
    place(&context.plan.seed, model(&members))
        .map_err(|refusal| PipelineError::Refused(vec![refusal]))
}

/// What the settings say, and where they are silent as `model` has it. Without a model they must say all of it.
fn place(seed: &Seed, model: Option<&Instance>) -> Result<Place, Refusal> {
    let subnet = seed.subnet.clone();
    let subnet = subnet.or_else(|| model.and_then(|model| model.subnet.clone()));
    let groups = match model {
        Some(model) if seed.security_groups.is_empty() => model.security_groups.clone(),
        _ => seed.security_groups.clone(),
    };
    let instance_type = seed.instance_type.clone();
    let instance_type = instance_type.or_else(|| model.map(|model| model.instance_type.clone()));
    match (subnet, instance_type) {
        (Some(subnet), Some(instance_type)) if !(groups.is_empty() && model.is_none()) => {
            Ok(Place {
                subnet,
                groups,
                instance_type,
            })
        }
        (subnet, instance_type) => {
            let missing = [
                ("subnet", subnet.is_none()),
                ("security-groups", groups.is_empty() && model.is_none()),
                ("instance-type", instance_type.is_none()),
            ];
            let missing: Vec<_> = missing
                .iter()
                .filter(|(_, missing)| *missing)
                .map(|(key, _)| *key)
                .collect();
            let missing = missing.join(", ");
            let reason = match model {
                Some(model) => format!("{} does not tell the seed's {missing}", model.id),
                None => format!(
                    "the environment has no running instance that the seed's {missing} could be taken from"
                ),
            };
            let way_out = format!("set below `seed:` in goldseed.yaml: {missing}");
            Err(Refusal::new(reason, way_out))
        }
    }
}

/// Returns the base image as the environment has it, and the id that stands behind it. Beanstalk names an `ImageId`
/// even where none was set, so "the platform's own" means: it is in the platform version's list.
pub(super) async fn base_image(
    cloud: &Cloud,
    environment: &Environment,
    deployed: &ConfigurationSet,
) -> Result<(BaseImage, ImageId), PipelineError> {
    let stock = cloud.platform(&environment.platform).await?.images;
    match deployed.image() {
        Some(image) if stock.contains(&image) => Ok((BaseImage::PLATFORM, image)),
        Some(image) => Ok((BaseImage::Custom(image.clone()), image)),
        None => match stock.into_iter().next() {
            Some(image) => Ok((BaseImage::PLATFORM, image)),
            None => Err(PipelineError::Disturbed(format!(
                "neither the settings of {} nor its platform version name an image",
                environment.name
            ))),
        },
    }
}

/// Returns the platform version's stock image for one of these architectures.
pub(super) async fn stock_image_of(
    cloud: &Cloud,
    environment: &Environment,
    architectures: &[String],
) -> Result<ImageId, PipelineError> {
    for id in cloud.platform(&environment.platform).await?.images {
        // A stock image of a retired platform version may be nobody's any more.
        if let Some(image) = preflight::known(cloud, &id).await?
            && architectures.contains(&image.architecture)
        {
            return Ok(id);
        }
    }
    Err(PipelineError::Disturbed(format!(
        "platform version {} has no stock image for {} that this account can use",
        environment.platform,
        architectures.join(" or ")
    )))
}

/// An instance of the environment with what enhanced health says of it, where it says anything.
pub(super) struct Member {
    pub(super) instance: Instance,
    pub(super) health: Option<InstanceHealth>,
}

/// Returns the environment's instances.
pub(super) async fn members(
    cloud: &Cloud,
    environment: &Environment,
) -> Result<Vec<Member>, CloudError> {
    let instances = instances(cloud, environment).await?;
    let health = if environment.health_status.is_some() {
        cloud.instances_health(environment).await?
    } else {
        Vec::new()
    };
    let of = |id: &InstanceId| health.iter().find(|health| health.id == *id).cloned();
    Ok(instances
        .into_iter()
        .map(|instance| Member {
            health: of(&instance.id),
            instance,
        })
        .collect())
}

/// Returns an environment's instances.
pub(super) async fn instances(
    cloud: &Cloud,
    environment: &Environment,
) -> Result<Vec<Instance>, CloudError> {
    let ids = cloud
        .environment_resources(&environment.id)
        .await?
        .instances;
    cloud.visible_instances(&ids).await
}

/// Chooses the source instance: running, well, deployed, never Spot, the oldest.
fn choose_source(members: &[Member]) -> Result<&Instance, Refusal> {
    let fit = |member: &&Member| {
        let well = member.health.as_ref().is_none_or(|health| {
            matches!(health.status.as_str(), "Ok" | "Info")
                && health
                    .deployment
                    .as_deref()
                    .is_none_or(|status| status == "Deployed")
        });
        member.instance.state == InstanceState::Running && !member.instance.spot && well
    };
    let oldest = members
        .iter()
        .filter(fit)
        .map(|member| &member.instance)
        .min_by_key(|one| one.launched);
    oldest.ok_or_else(|| {
        Refusal::new(
            "the environment has no instance that is running, well, deployed and not Spot",
            "wait until it is well, or set `source: platform` and the seed's subnet in goldseed.yaml",
        )
    })
}

/// Chooses the instance that a seed is like where the build does not begin with it: any that runs, the well ones first.
fn model(members: &[Member]) -> Option<&Instance> {
    choose_source(members).ok().or_else(|| {
        members
            .iter()
            .map(|member| &member.instance)
            .filter(|instance| instance.state == InstanceState::Running)
            .min_by_key(|instance| instance.launched)
    })
}

/// Returns how many images since a stock image this one has behind it, itself included; a stock image has none. Of one
/// that exists no longer nobody knows.
async fn generation(context: &Context<'_>, id: &ImageId) -> Result<u32, PipelineError> {
    let Some(image) = preflight::known(context.cloud, id).await? else {
        context.cloud.events().warn(format!(
            "{id} is gone: how many images it was away from the platform's stock image is not known, and counted as 0"
        ));
        return Ok(0);
    };
    let tag = image.tags.get(tags::GENERATION);
    Ok(tag.and_then(|text| text.parse().ok()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: &str, launched: i64, status: &str) -> Member {
        let instance = Instance {
            id: InstanceId::new(id),
            state: InstanceState::Running,
            state_reason: None,
            image: ImageId::new("ami-1"),
            instance_type: "t3.small".into(),
            architecture: "x86_64".into(),
            subnet: None,
            security_groups: Vec::new(),
            spot: false,
            launched: jiff::Timestamp::from_second(launched).unwrap(),
            root_device: None,
            devices: Vec::new(),
            tags: crate::cloud::Tags::new(),
        };
        let health = InstanceHealth {
            id: InstanceId::new(id),
            status: status.into(),
            causes: Vec::new(),
            requests: None,
            deployment: Some("Deployed".into()),
        };
        Member {
            instance,
            health: Some(health),
        }
    }

    #[test]
    fn the_source_is_the_oldest_that_is_well() {
        let members = [
            member("i-sick", 1, "Severe"),
            member("i-new", 3, "Ok"),
            member("i-old", 2, "Ok"),
        ];
        assert_eq!(choose_source(&members).unwrap().id.as_str(), "i-old");
    }

    #[test]
    fn spot_and_undeployed_instances_are_never_the_source() {
        let mut spot = member("i-spot", 1, "Ok");
        spot.instance.spot = true;
        let mut deploying = member("i-deploying", 1, "Ok");
        deploying.health.as_mut().unwrap().deployment = Some("In Progress".into());
        let mut stopped = member("i-stopped", 1, "Ok");
        stopped.instance.state = InstanceState::Stopped;
        assert!(choose_source(&[spot, deploying, stopped]).is_err());
    }
}
