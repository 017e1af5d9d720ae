//! One poll of a watch: what is read of the environment and its instances, and what the probes answer.

use crate::cloud::{CloudError, Environment, InstanceHealth, InstanceState};
use crate::id::ImageId;
use crate::pipeline::observe::{self, Member as Instance};
use crate::pipeline::verdict::{Draft, Member, Sample, Standing, wrong_answers};
use crate::pipeline::{Context, preflight, probes};
use crate::recipe::HttpCheck;

/// What a look asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask<'a> {
    /// The image that the environment should be on, where one is judged.
    pub(super) target: Option<&'a ImageId>,
    pub(super) least: usize,
    pub(super) probes: &'a [(u16, HttpCheck)],
    pub(super) failing_before: &'a [u16],
    /// What is deployed where the settings name no image.
    pub(super) unnamed: Option<&'a ImageId>,
    /// The bad health that is accepted.
    pub(super) accepted: Option<&'a str>,
}

/// Looks once.
pub(super) async fn look(
    context: &Context<'_>,
    at: u64,
    ask: &Ask<'_>,
) -> Result<(Environment, Sample), CloudError> {
    let Context { cloud, plan, .. } = *context;
    let environment = cloud
        .environment(&plan.environment, plan.application.as_deref())
        .await?;
    let sets = cloud.configuration_sets(&environment).await?;
    let instances = observe::members(cloud, &environment).await?;
    let enhanced = environment.health_status.is_some();
    let health = if enhanced {
        let seen = cloud.environment_health(&environment).await?;
        preflight::health_of(&seen.status, &seen.causes, ask.accepted)
    } else {
        preflight::health_of(&environment.health, &[], ask.accepted)
    };
    let mut sample = Sample {
        at,
        seen: true,
        status: environment.status.clone(),
        deployed: sets
            .iter()
            .find(|set| set.is_deployed())
            .and_then(|set| set.image().or_else(|| ask.unnamed.cloned())),
        draft: sets.iter().find(|set| set.is_pending()).map(|set| Draft {
            status: set.status.clone(),
            image: set.image(),
        }),
        version: environment.version.clone(),
        members: instances
            .iter()
            .filter(|one| one.instance.state == InstanceState::Running)
            .map(|one| member(one, enhanced, ask.accepted))
            .collect(),
        least: ask.least,
        health,
        probes: Ok(()),
    };
    sample.probes = match environment.status.as_str() {
        "Ready" => probes::send(context, &environment, ask.probes, ask.failing_before).await,
        "Updating" => meanwhile(context, &environment, ask, &sample).await,
        _ => Ok(()),
    };
    Ok((environment, sample))
}

/// An instance as the judgement takes it; one whose health is no worse than the `accepted` one serves.
pub(in crate::pipeline) fn member(
    one: &Instance,
    enhanced: bool,
    accepted: Option<&str>,
) -> Member {
    let is_accepted = |health: &&InstanceHealth| {
        accepted.is_some()
            && health.deployment.as_deref() != Some("Failed")
            && preflight::health_of(&health.status, &health.causes, accepted).is_good()
    };
    let standing = match &one.health {
        Some(health) if is_accepted(&health) => Standing::InService,
        Some(health) => {
            Standing::read(&health.status, &health.causes, health.deployment.as_deref())
        }
        None if enhanced => Standing::Coming("not reported yet".to_owned()),
        None => Standing::InService,
    };
    let requests = one.health.as_ref().and_then(|health| health.requests);
    Member {
        id: one.instance.id.clone(),
        image: one.instance.image.clone(),
        standing,
        wrong_answers: requests.and_then(|seen| wrong_answers(seen.all, seen.failed)),
    }
}

/// How often the probes are sent at most in one look.
const MOST: usize = 12;

/// How many sendings must fail where old and new instances serve: one odd answer shows nothing.
const FAILED: usize = 2;

/// Sends the probes that passed before, while an update is under way. Where the balancer spreads requests over old and new
/// instances they are sent so often that two of them come to new ones, and both must fail.
async fn meanwhile(
    context: &Context<'_>,
    environment: &Environment,
    ask: &Ask<'_>,
    sample: &Sample,
) -> Result<(), String> {
    let passed_before: Vec<(u16, HttpCheck)> = ask
        .probes
        .iter()
        .filter(|(position, _)| !ask.failing_before.contains(position))
        .cloned()
        .collect();
    let all = sample.in_service().count();
    let new = sample
        .in_service()
        .filter(|member| Some(&member.image) == ask.target)
        .count();
    let (times, enough) = if new == 0 || new == all {
        (1, 1)
    } else {
        ((FAILED * all).div_ceil(new).min(MOST), FAILED)
    };
    let mut failed = 0;
    for _ in 0..times {
        if let Err(reason) = probes::send(context, environment, &passed_before, &[]).await {
            failed += 1;
            if failed == enough {
                return Err(reason);
            }
        }
    }
    Ok(())
}
