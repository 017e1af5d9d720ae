//! Probes: what is asked through the load balancer, before a swap for comparison and in each look of a watch.

use super::preflight::{self, Refusal};
use super::{Context, Plan};
use crate::cloud::{CloudError, Environment, Probe, tags};
use crate::id::ImageId;
use crate::recipe::HttpCheck;

/// Returns what is asked while an image is watched: the recipes' checks belong to images of those recipes, an earlier
/// image knows nothing of them. The pipeline's own probes come first, so that a position means the same probe always.
pub(super) async fn of_image(
    context: &Context<'_>,
    target: &ImageId,
) -> Result<Vec<HttpCheck>, CloudError> {
    let plan = context.plan;
    // An image that is gone, or the platform's own that is not for us to see, is of no recipes that we know.
    let image = preflight::known(context.cloud, target).await?;
    let of = image
        .as_ref()
        .and_then(|image| image.tags.get(tags::RECIPES));
    if of.map(String::as_str) == Some(plan.recipes_digest().as_str()) {
        return Ok(all(plan));
    }
    if !plan.recipe_probes.is_empty() {
        context.cloud.events().note(format!(
            "{target} was built from other recipes than these: their checks at the balancer are left out"
        ));
    }
    Ok(plan.own_probes.clone())
}

fn all(plan: &Plan) -> Vec<HttpCheck> {
    let own = plan.own_probes.iter();
    own.chain(&plan.recipe_probes).cloned().collect()
}

/// Asks every probe once before a swap, and returns the positions of those that fail already. That alone is no reason
/// to refuse: the image may bring the page that is asked for.
pub(super) async fn failing_before(context: &Context<'_>, environment: &Environment) -> Vec<u16> {
    let mut failing = Vec::new();
    for (position, check) in (0_u16..).zip(all(context.plan)) {
        if let Err(reason) = ask(context, environment, &check).await {
            context.cloud.events().note(format!(
                "before anything was done a probe fails already: {reason}"
            ));
            failing.push(position);
        }
    }
    failing
}

/// Refuses a promotion that the pipeline's own probes would take back whatever its image is: they hold for what serves
/// now as well, and where they fail already, it is the probe, or the way from here to it.
pub(super) async fn own_must_pass(
    context: &Context<'_>,
    environment: &Environment,
) -> Vec<Refusal> {
    let mut list = Vec::new();
    for check in &context.plan.own_probes {
        if let Err(reason) = ask(context, environment, check).await {
            list.push(Refusal::new(
                format!("before anything was done a probe of the pipeline fails: {reason}"),
                "mend it, or the way from this machine to it, or take it out of `probes:`: an image is taken back when \
                 a probe fails",
            ));
        }
    }
    list
}

/// Sends every probe; the first that fails is the reason, those that passed before the swap before the others.
pub(super) async fn send(
    context: &Context<'_>,
    environment: &Environment,
    probes: &[HttpCheck],
    failing_before: &[u16],
) -> Result<(), String> {
    let mut known = Ok(());
    for (position, check) in (0_u16..).zip(probes) {
        match ask(context, environment, check).await {
            Ok(()) => {}
            Err(reason) if failing_before.contains(&position) => {
                known = known
                    .and_then(|()| Err(format!("{reason} (it failed before the swap as well)")));
            }
            Err(reason) => return Err(reason),
        }
    }
    known
}

async fn ask(
    context: &Context<'_>,
    environment: &Environment,
    check: &HttpCheck,
) -> Result<(), String> {
    let url = url_of(check, environment)?;
    let probe = Probe {
        url: url.clone(),
        host: check.host.clone(),
        anywhere: check.anywhere,
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
    let missing = check
        .contains
        .iter()
        .find(|text| !answer.body.contains(*text));
    missing.map_or(Ok(()), |text| {
        Err(format!(
            "{url} answers {} without `{text}` in it",
            answer.status
        ))
    })
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
