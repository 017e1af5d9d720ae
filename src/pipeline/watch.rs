//! Watch: looks at the environment poll by poll until the judgement is clear.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::verdict::{Health, Judge, Judgement, Sample};
use super::{Context, PipelineError, observe};
use crate::cloud::{CloudError, Environment, ErrorKind, InstanceState, Probe, tags};
use crate::event::Event;
use crate::id::ImageId;
use crate::pace::Schedule;
use crate::recipe::HttpCheck;
use crate::run::{Held, LeaseError, Outcome};

/// Beanstalk throttles at low rates: 5-second polls of several deployments at once are refused in the wild.
const POLL: Schedule = Schedule {
    first: Duration::from_secs(5),
    every: Duration::from_secs(15),
    within: Duration::ZERO,
};

/// How many bytes a reason may have that goes into the record.
const LONGEST_REASON: usize = 300;

/// What a watch came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Verdict {
    /// The environment is well with the image.
    Well,
    /// It is not: the reason.
    Unwell(String),
}

impl Outcome for Verdict {
    fn outcome(&self) -> String {
        match self {
            Self::Well => "well".to_owned(),
            Self::Unwell(reason) => format!("not well: {reason}"),
        }
    }
}

/// Watches until the judgement is clear, renewing the lease; Beanstalk's own events are shown as they come.
pub(super) async fn until_judged(
    context: &Context<'_>,
    target: &ImageId,
    least: usize,
    held: &mut Held,
) -> Result<Verdict, PipelineError> {
    let Context { cloud, plan, .. } = *context;
    let judge = Judge {
        target: target.clone(),
        soak: plan.watch.soak.as_secs(),
        good: plan.watch.good as usize,
        of: plan.watch.of as usize,
        deadline: plan.watch.deadline.as_secs(),
    };
    let probes = probes_for(context, target).await?;
    let since = crate::pace::now();
    let clock = cloud.pace().deadline(plan.watch.deadline);
    let mut samples = Vec::new();
    let mut told = std::collections::BTreeSet::new();
    loop {
        match held.renew().await {
            Err(LeaseError::Cloud(error)) if error.is_transient() => {
                cloud
                    .events()
                    .warn(format!("the lease could not be renewed just now: {error}"));
            }
            other => other?,
        }
        let at = cloud.pace().unscale(clock.elapsed()).as_secs();
        let sample = match look(context, at, least, &probes).await {
            Ok((environment, sample)) => {
                tell_events(context, &environment, since, &mut told).await;
                sample
            }
            // A read that fails is unknown, never bad, and nobody else is watching.
            Err(error) if !cannot_heal(&error) => unknown(at, least, samples.last(), &error),
            Err(error) => return Err(error.into()),
        };
        samples.push(sample);
        let state = match judge.judge(&samples) {
            Judgement::Well => return Ok(Verdict::Well),
            Judgement::Unwell(reason) => {
                return Ok(Verdict::Unwell(shortened(reason)));
            }
            Judgement::Waiting(state) => state,
        };
        cloud.events().emit(Event::Progress {
            subject: format!("environment {}", plan.environment),
            state,
            done: None,
            waited_seconds: clock.elapsed().as_secs(),
        });
        let asked = u32::try_from(samples.len()).unwrap_or(u32::MAX);
        cloud.pace().sleep(POLL.pause(asked, fastrand::f64())).await;
    }
}

/// Returns what is asked through the balancer while an image is watched: the recipes' checks belong to images of those
/// recipes, an earlier image knows nothing of them.
async fn probes_for(context: &Context<'_>, target: &ImageId) -> Result<Vec<HttpCheck>, CloudError> {
    let plan = context.plan;
    let mut probes = plan.own_probes.clone();
    let image = context.cloud.image(target).await?;
    if image.tags.get(tags::RECIPES).map(String::as_str) == Some(plan.recipes_digest().as_str()) {
        probes.extend(plan.recipe_probes.iter().cloned());
    } else if !plan.recipe_probes.is_empty() {
        context.cloud.events().note(format!(
            "{target} was built from other recipes than these: their checks at the balancer are left out"
        ));
    }
    Ok(probes)
}

/// Cuts a reason to what the record has room for.
fn shortened(mut reason: String) -> String {
    while reason.len() > LONGEST_REASON {
        reason.pop();
    }
    reason
}

/// What no later look would mend.
fn cannot_heal(error: &CloudError) -> bool {
    matches!(
        error.kind,
        ErrorKind::Denied | ErrorKind::NoCredentials | ErrorKind::HeldBack | ErrorKind::Malformed
    )
}

/// The sample of a read that failed: the environment is taken to be as it was seen last.
fn unknown(at: u64, least: usize, before: Option<&Sample>, error: &CloudError) -> Sample {
    Sample {
        at,
        status: before.map_or_else(|| "Unknown".into(), |before| before.status.clone()),
        deployed: None,
        draft: None,
        images: Vec::new(),
        least,
        health: Health::Unknown(error.to_string()),
        probes: Ok(()),
    }
}

async fn look(
    context: &Context<'_>,
    at: u64,
    least: usize,
    probes: &[HttpCheck],
) -> Result<(Environment, Sample), CloudError> {
    let Context { cloud, plan, .. } = *context;
    let environment = cloud
        .environment(&plan.environment, plan.application.as_deref())
        .await?;
    let sets = cloud.configuration_sets(&environment).await?;
    let members = observe::members(cloud, &environment).await?;
    let health = if environment.health_status.is_some() {
        let seen = cloud.environment_health(&environment).await?;
        Health::read(&seen.status, &seen.causes)
    } else {
        Health::read(&environment.health, &[])
    };
    let running = members
        .iter()
        .filter(|member| member.instance.state == InstanceState::Running);
    let images = running
        .map(|member| member.instance.image.clone())
        .collect();
    let probes = if environment.is_ready() {
        probe(context, &environment, probes).await
    } else {
        Ok(())
    };
    let sample = Sample {
        at,
        status: environment.status.clone(),
        deployed: sets
            .iter()
            .find(|set| set.is_deployed())
            .and_then(crate::cloud::ConfigurationSet::image),
        draft: sets
            .iter()
            .find(|set| set.is_pending())
            .map(|set| set.status.clone()),
        images,
        least,
        health,
        probes,
    };
    Ok((environment, sample))
}

/// Sends every probe through the load balancer; the first that fails is the reason.
async fn probe(
    context: &Context<'_>,
    environment: &Environment,
    probes: &[HttpCheck],
) -> Result<(), String> {
    for check in probes {
        let url = url_of(check, environment)?;
        let probe = Probe {
            url: url.clone(),
            host: check.host.clone(),
        };
        let answer = context
            .cloud
            .probe(&probe, check.status)
            .await
            .map_err(|reason| format!("{url}: {reason}"))?;
        if answer.status != check.status {
            return Err(format!(
                "{url} answers {} instead of {}",
                answer.status, check.status
            ));
        }
        if let Some(text) = check
            .contains
            .iter()
            .find(|text| !answer.body.contains(*text))
        {
            return Err(format!(
                "{url} answers {} without `{text}` in it",
                answer.status
            ));
        }
    }
    Ok(())
}

fn url_of(check: &HttpCheck, environment: &Environment) -> Result<String, String> {
    if check.path.starts_with("http://") || check.path.starts_with("https://") {
        return Ok(check.path.clone());
    }
    let endpoint = environment
        .endpoint
        .as_ref()
        .ok_or("the environment has no address yet")?;
    Ok(format!(
        "http://{endpoint}/{}",
        check.path.trim_start_matches('/')
    ))
}

/// Tells Beanstalk's events once each; they are for people and decide nothing.
async fn tell_events(
    context: &Context<'_>,
    environment: &Environment,
    since: jiff::Timestamp,
    told: &mut std::collections::BTreeSet<crate::cloud::EnvironmentEvent>,
) {
    let Ok(mut list) = context.cloud.environment_events(environment, since).await else {
        // The next poll asks again; what is not shown decides nothing.
        return;
    };
    list.sort();
    for event in list {
        if told.insert(event.clone()) {
            context.cloud.events().emit(Event::Output {
                line: format!("Beanstalk {}: {}", event.severity, event.message),
            });
        }
    }
}
