//! Preflight: what speaks against changing an environment, before anything is touched.
//!
//! [`refusals`] is a pure function of [`Facts`]; every refusal says the reason and the way out, and all of them are
//! told at once.

pub(super) mod again;
mod cost;
mod health;
mod image;
mod keys;
mod outage;
mod reads;
pub(super) mod root;
mod rules;
mod trial;
mod unready;
mod version;
mod way_back;

use serde::{Deserialize, Serialize};

use super::{
    Consent, Context, PipelineError, Wish, belonging, migrate, observe, probes, quarantine, watch,
};
use crate::cloud::{ConfigurationSet, Environment, ManagedAction};
use crate::id::{EnvironmentId, ImageId};
use crate::pace;
use crate::record::{BaseImage, Lease};
use crate::run::{self, Ledger, Outcome, Run};

pub(super) use health::health_of;
pub(super) use reads::environment;
use reads::managed_actions;
pub(super) use rules::{due_updates, refusals, standing_refusals};
pub(super) use trial::{Trial, for_rollback as trial_for_rollback};
pub use unready::out_of;
pub(super) use way_back::{known, stock_image};

/// One reason against, and the way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What speaks against it.
    pub reason: String,
    /// What to do about it.
    pub way_out: String,
}

impl Refusal {
    /// A reason and the way out.
    pub fn new(reason: impl Into<String>, way_out: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            way_out: way_out.into(),
        }
    }
}

/// What a promotion stands on, once nothing speaks against it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ready {
    /// The environment.
    #[serde(rename = "e")]
    pub(super) environment: EnvironmentId,
    /// What becomes the base image.
    #[serde(rename = "t")]
    pub(super) target: BaseImage,
    /// The image id that instances will run: the target's, or the platform's own.
    #[serde(rename = "ti")]
    pub(super) target_image: ImageId,
    /// The base image before.
    #[serde(rename = "p")]
    pub(super) previous: BaseImage,
    /// The image id that instances ran.
    #[serde(rename = "pi")]
    pub(super) previous_image: ImageId,
    /// The least number of instances of the group.
    #[serde(rename = "n")]
    pub(super) least: usize,
    /// The health before, for people.
    #[serde(rename = "h")]
    pub(super) health: String,
    /// The application version before: another one in the watch is somebody else's change.
    #[serde(rename = "v", default, skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<String>,
    /// The positions of the probes that failed before the swap.
    #[serde(rename = "f", default, skip_serializing_if = "Vec::is_empty")]
    pub(super) failing: Vec<u16>,
    /// The name of the other environment that the image was built for, to which a person consented.
    #[serde(rename = "fe", default, skip_serializing_if = "Option::is_none")]
    pub(super) from_environment: Option<String>,
    /// The positions of the probes that the watch leaves out, because they did not reach the site before the swap.
    #[serde(rename = "u", default, skip_serializing_if = "Vec::is_empty")]
    pub(super) left_out: Vec<u16>,
    /// How many probes accept any certificate, if any do.
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    pub(super) insecure: Option<u16>,
    /// The bad health before that was accepted: in the watch one that is no worse counts as healthy.
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    pub(super) accepted: Option<String>,
}

impl Outcome for Ready {
    fn outcome(&self) -> String {
        let mut text = format!(
            "{} instead of {}, health before: {}",
            self.target, self.previous, self.health
        );
        let insecure = self.insecure.unwrap_or_default();
        let counts = [
            (self.left_out.len(), "checks left out as unreachable"),
            (insecure.into(), "checks that accept any certificate"),
        ];
        for (count, what) in counts {
            if count > 0 {
                text = format!("{text}, {what}: {count}");
            }
        }
        text
    }
}

/// Everything that a decision is made from.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) environment: Environment,
    pub(super) sets: Vec<ConfigurationSet>,
    pub(super) actions: Vec<ManagedAction>,
    pub(super) lease: Option<Lease>,
    pub(super) migrating: Option<migrate::LeftRunning>,
    pub(super) now: jiff::Timestamp,
    pub(super) accept_downtime: bool,
    /// Whether an environment that is unhealthy before is accepted.
    pub(super) accept_unhealthy: bool,
    /// Why the environment is not healthy, in Beanstalk's words.
    pub(super) causes: Vec<String>,
    /// When a watch ends at the latest.
    pub(super) deadline: std::time::Duration,
    /// Whether the image's application comes by the recipe `bridge`.
    pub(super) bridged: bool,
}

/// Whether a check warns of what does not refuse: where the same is checked again, it was shown before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Warnings {
    Shown,
    Silent,
}

pub(super) const ROLLING: &str = "aws:autoscaling:updatepolicy:rollingupdate";
const ENVIRONMENT: &str = "aws:elasticbeanstalk:environment";
/// Its option `ProxyServer` is `nginx` where it is not set.
const PROXY: &str = "aws:elasticbeanstalk:environment:proxy";
const HEALTH_REPORTING: &str = "aws:elasticbeanstalk:healthreporting:system";
pub(super) const LAUNCH: &str = "aws:autoscaling:launchconfiguration";

/// Checks an environment before a whole rebuild, so that hours are not spent on an image that cannot be promoted.
pub(super) async fn early(context: &Context<'_>, consent: Consent) -> Result<(), PipelineError> {
    let accept_downtime = consent.downtime;
    let mut facts = facts(context, accept_downtime, None).await?;
    facts.accept_unhealthy = consent.unhealthy;
    let mut list = refusals(&facts);
    list.extend(way_back::refusal(context, &facts, Warnings::Shown).await?);
    let probed = probes::before(context, &facts.environment).await;
    list.extend(probed.refusals(consent.unreachable));
    list.extend(quarantine::same_recipes(context, &facts.environment).await?);
    list.extend(root::of_recipes(context.plan, &facts));
    list.extend(version::for_recipes(context, &facts).await);
    list.extend(migrate::consent(
        context.plan.migration.as_ref(),
        accept_downtime,
    ));
    refuse(list)?;
    tell_cost(context, &facts);
    Ok(())
}

/// Checks everything for a promotion and records what it stands on.
pub(super) async fn promotion(
    run: &mut Run,
    context: &Context<'_>,
    wish: &Wish,
) -> Result<Ready, PipelineError> {
    let id = run.id().clone();
    let ready = run.step(
        "preflight/environment",
        "look for what speaks against it",
        async || {
            let mut facts = facts(context, wish.accept.downtime, Some(&id)).await?;
            facts.accept_unhealthy = wish.accept.unhealthy;
            let mut list = refusals(&facts);
            list.extend(way_back::refusal(context, &facts, Warnings::Silent).await?);
            let probed = probes::before(context, &facts.environment).await;
            list.extend(probed.refusals(wish.accept.unreachable));
            if let Some(note) = probes::front_page_only(context.plan) {
                context.cloud.events().note(note);
            }
            let golden = match image::choose(context, &facts.environment, wish).await? {
                Ok(golden) => golden,
                Err(refusal) => {
                    list.push(refusal);
                    return Err(PipelineError::Refused(list));
                }
            };
            list.extend(image::against(context, &facts, &golden, wish, Warnings::Shown).await?);
            let deployed = facts.deployed().and_then(ConfigurationSet::image);
            if deployed.as_ref() == Some(&golden.id) {
                let name = &facts.environment.name;
                let reason = format!("{} is the base image of {name} already", golden.id);
                list.push(Refusal::new(reason, "there is nothing to do"));
            }
            list.extend(version::for_image(context, &facts, list.is_empty()).await);
            refuse(list)?;
            keys::warn_of_new(context, &golden, deployed.as_ref()).await?;
            if let Some(note) = outage::longer_than(&facts, context.plan.watch.deadline) {
                context.cloud.events().note(note);
            }
            // A rebuild has said it before it built.
            if !wish.built_now {
                tell_cost(context, &facts);
            }
            if let Some(warning) = health::note(&facts) {
                context.cloud.events().warn(warning);
            }
            let from = belonging::consented(
                &golden.tags,
                &facts.environment,
                wish.from_environment.as_deref(),
            );
            if let Some(from) = &from {
                context.cloud.events().note(format!(
                    "{} was built for {from}, to which --from-environment consents",
                    golden.id
                ));
            }
            ready(context, &facts, BaseImage::Custom(golden.id), from, &probed).await
        },
    );
    ready.await.map_err(PipelineError::from)
}

/// Says what the rollback that is about to be done costs.
pub(super) fn tell_cost_of_rollback(context: &Context<'_>, facts: &Facts) {
    context.cloud.events().note(cost::rollback(facts));
}

/// Says what the replacement of the instances, and a rollback, will cost.
fn tell_cost(context: &Context<'_>, facts: &Facts) {
    for note in cost::notes(facts) {
        context.cloud.events().note(note);
    }
}

/// Gathers the facts. `ours` is the run whose own lease is no obstacle.
pub(super) async fn facts(
    context: &Context<'_>,
    accept_downtime: bool,
    ours: Option<&crate::id::RunId>,
) -> Result<Facts, PipelineError> {
    let Context { cloud, plan, .. } = *context;
    let environment = environment(context).await?;
    Ledger::read(cloud, &plan.pipeline)
        .await?
        .must_be_of(&plan.pipeline, environment.id.as_str())?;
    let lease = run::holder(cloud, &environment.id).await?;
    Ok(Facts {
        sets: cloud.configuration_sets(&environment).await?,
        actions: managed_actions(context, &environment).await?,
        lease: lease.filter(|lease| ours != Some(&lease.run)),
        migrating: migrate::left_running(cloud, &environment.id, &plan.pipeline, ours).await?,
        causes: health::causes(cloud, &environment).await,
        environment,
        bridged: plan.is_bridged(),
        now: pace::now(),
        accept_downtime,
        accept_unhealthy: false,
        deadline: plan.watch.deadline,
    })
}

/// Records what a promotion or rollback to `target` stands on.
pub(super) async fn ready(
    context: &Context<'_>,
    facts: &Facts,
    target: BaseImage,
    from_environment: Option<String>,
    probed: &probes::Before,
) -> Result<Ready, PipelineError> {
    probed.note(context);
    let deployed = facts.deployed();
    let deployed =
        deployed.ok_or_else(|| PipelineError::Disturbed("no deployed settings".into()))?;
    let (previous, previous_image) =
        observe::base_image(context.cloud, &facts.environment, deployed).await?;
    let target_image = match target.image() {
        Some(image) => image.clone(),
        None => stock_image(context, facts, &previous_image).await?,
    };
    watch::rehearse(context).await?;
    let least = deployed
        .get("aws:autoscaling:asg", "MinSize")
        .and_then(|text| text.parse().ok());
    Ok(Ready {
        environment: facts.environment.id.clone(),
        target,
        target_image,
        previous,
        previous_image,
        least: least.unwrap_or(1),
        health: facts
            .environment
            .health_status
            .clone()
            .unwrap_or_else(|| facts.environment.health.clone()),
        version: facts.environment.version.clone(),
        failing: probed.failing(),
        left_out: probed.unreachable(),
        insecure: probes::insecure(context.plan),
        from_environment,
        accepted: health::accepted(facts).map(ToOwned::to_owned),
    })
}

/// Turns a list of refusals into an error.
pub(super) fn refuse(list: Vec<Refusal>) -> Result<(), PipelineError> {
    if list.is_empty() {
        Ok(())
    } else {
        Err(PipelineError::Refused(list))
    }
}

impl Facts {
    /// The deployed settings.
    pub(super) fn deployed(&self) -> Option<&ConfigurationSet> {
        self.sets.iter().find(|set| set.is_deployed())
    }

    fn option(&self, namespace: &str, option: &str) -> Option<&str> {
        self.deployed()?.get(namespace, option)
    }
}

#[cfg(test)]
#[path = "preflight/tests.rs"]
mod tests;
