//! Probes: what is asked through the load balancer, before a swap for comparison and in each look of a watch.

use std::time::Duration;

use super::preflight::{self, Refusal};
use super::{Context, Plan};
use crate::cloud::{CloudError, Environment, ProbeFailure, tags};
use crate::id::ImageId;
use crate::recipe::HttpCheck;

mod transport;

/// How long after a failure a probe is sent once more.
const ONCE_MORE_AFTER: Duration = Duration::from_secs(5);

/// The way out where the application answers a probe, though not as it should.
const FAILING: &str = "mend it, or the way from this machine to it, or take it out of `probes:`: an image is taken back \
                       when a probe fails";

/// The way out where a check does not reach the application.
const UNREACHABLE: &str = "no image cures that: say in goldseed.yaml how the site is reached (`site: https://www.example.com`; \
                           `via: dns` goes by its public name, `via: instance` asks from an instance; the manual of \
                           recipes has more), or use --accept-unreachable, which leaves such checks out of the watch";

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

/// Returns every probe: the pipeline's own, then the recipes'.
pub(super) fn all(plan: &Plan) -> Vec<HttpCheck> {
    let own = plan.own_probes.iter();
    own.chain(&plan.recipe_probes).cloned().collect()
}

/// What failed before a swap, twice in a row from the same place.
#[derive(Debug, Default)]
pub(super) struct Before(Vec<Failed>);

#[derive(Debug)]
struct Failed {
    position: u16,
    /// Whether it is the pipeline's own probe, and not a recipe's check.
    own: bool,
    failure: ProbeFailure,
}

/// Asks every probe before a swap, and those that fail once more.
pub(super) async fn before(context: &Context<'_>, environment: &Environment) -> Before {
    let plan = context.plan;
    let mut failed = Vec::new();
    for (position, check) in (0_u16..).zip(all(plan)) {
        if transport::ask(context, environment, &check).await.is_ok() {
            continue;
        }
        // One stumble is no reason.
        let pause = context.cloud.pace().scale(ONCE_MORE_AFTER);
        context.cloud.pause(pause).await;
        if let Err(failure) = transport::ask(context, environment, &check).await {
            failed.push(Failed {
                position,
                own: usize::from(position) < plan.own_probes.len(),
                failure,
            });
        }
    }
    Before(failed)
}

impl Before {
    /// Refuses a promotion that would be taken back whatever its image is. The pipeline's own probes hold for what serves
    /// now as well; and no image cures a check that cannot reach the application from here.
    pub(super) fn refusals(&self, accept_unreachable: bool) -> Vec<Refusal> {
        let refusal = |failed: &Failed| {
            let reason = &failed.failure.reason;
            let what = if failed.own {
                "a probe of the pipeline fails"
            } else {
                "a check of a recipe does not reach the site"
            };
            let way_out = if failed.failure.unreachable {
                UNREACHABLE
            } else {
                FAILING
            };
            Refusal::new(
                format!("before anything was done {what}: {reason}"),
                way_out,
            )
        };
        let standing = self.0.iter().filter(|failed| {
            if failed.failure.unreachable {
                !accept_unreachable
            } else {
                failed.own
            }
        });
        standing.map(refusal).collect()
    }

    /// The positions of those that the application answers, though not as it should. That alone is no reason to refuse:
    /// the image may bring the page that is asked for.
    pub(super) fn failing(&self) -> Vec<u16> {
        let answered = self.0.iter().filter(|failed| !failed.failure.unreachable);
        answered.map(|failed| failed.position).collect()
    }

    /// The positions of those that never reach the application, and so say nothing of an image.
    pub(super) fn unreachable(&self) -> Vec<u16> {
        let unreachable = self.0.iter().filter(|failed| failed.failure.unreachable);
        unreachable.map(|failed| failed.position).collect()
    }

    /// Prints what failed and what follows from it.
    pub(super) fn note(&self, context: &Context<'_>) {
        for Failed { failure, .. } in &self.0 {
            let reason = &failure.reason;
            let text = if failure.unreachable {
                format!("a check is left out, because it does not reach the site: {reason}")
            } else {
                format!("before anything was done a probe fails already: {reason}")
            };
            context.cloud.events().note(text);
        }
    }
}

/// What a promotion cannot see, where its checks ask for the front page alone.
pub(super) fn front_page_only(plan: &Plan) -> Option<String> {
    let all = all(plan);
    let is_front = |check: &HttpCheck| {
        let path = match check.path.split_once("://") {
            Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
            None => check.path.trim_start_matches('/'),
        };
        // The page of the recipe install-php-app asks nothing of the application.
        let path = path.split(['?', '#']).next().unwrap_or_default();
        matches!(
            path,
            "" | "index.php" | "index.html" | "goldseed-health.php"
        )
    };
    (!all.is_empty() && all.iter().all(is_front)).then(|| {
        format!(
            "the checks of {} ask for the front page alone: what breaks on other pages is not seen. Name some under \
             `probes:`, such as the login, a search, a page of content",
            plan.pipeline
        )
    })
}

/// How many of the probes accept any certificate, if any do.
pub(super) fn insecure(plan: &Plan) -> Option<u16> {
    let all = all(plan);
    let insecure = all
        .iter()
        .filter(|check| transport::resolved(check, &plan.site).insecure)
        .count();
    (insecure > 0).then(|| u16::try_from(insecure).unwrap_or(u16::MAX))
}

/// Sends probes, each with its position; the first that fails is the reason, those that passed before the swap before the
/// others.
pub(super) async fn send(
    context: &Context<'_>,
    environment: &Environment,
    probes: &[(u16, HttpCheck)],
    failing_before: &[u16],
) -> Result<(), String> {
    let mut known = Ok(());
    for (position, check) in probes {
        match transport::ask(context, environment, check).await {
            Ok(()) => {}
            Err(ProbeFailure { reason, .. }) if failing_before.contains(position) => {
                known = known
                    .and_then(|()| Err(format!("{reason} (it failed before the swap as well)")));
            }
            Err(failure) => return Err(failure.reason),
        }
    }
    known
}
