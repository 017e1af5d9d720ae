//! What has to be out of the way before an environment goes back: an update under way, and a failed draft of ours.

use std::time::Duration;

use crate::cloud::{ConfigurationSet, ErrorKind, Look, Wait, WaitError};
use crate::id::ImageId;
use crate::pace::Schedule;
use crate::pipeline::preflight::{ROLLING, Ready};
use crate::pipeline::{Context, PipelineError, Sent, Stuck, cause};
use crate::run::{Held, LeaseError};

/// A rolling update of many batches takes long, each up to its time-out of an hour at most.
const SETTLES: Schedule = Schedule {
    first: Duration::from_secs(5),
    every: Duration::from_secs(15),
    within: Duration::from_hours(3),
};

/// Clears the way back: no update is under way, and no draft of ours is left beside the deployed settings. `begun`: an
/// earlier process of this run may have sent the update back.
pub(in crate::pipeline) async fn clear(
    context: &Context<'_>,
    held: &mut Held,
    ready: &Ready,
    begun: bool,
    since: jiff::Timestamp,
) -> Result<(), PipelineError> {
    settle(context, held, ready, begun, since).await?;
    no_failed_draft(context, held, &ready.target_image).await
}

/// Deletes the draft of an update to this image that failed, if Beanstalk keeps one.
pub(in crate::pipeline) async fn no_failed_draft(
    context: &Context<'_>,
    held: &mut Held,
    image: &ImageId,
) -> Result<(), PipelineError> {
    let Context { cloud, plan, .. } = *context;
    let environment = cloud
        .environment(&plan.environment, plan.application.as_deref())
        .await?;
    let sets = cloud.configuration_sets(&environment).await?;
    let ours = |set: &ConfigurationSet| set.has_failed() && set.image().as_ref() == Some(image);
    if !sets.iter().any(ours) {
        return Ok(());
    }
    held.renew().await?;
    match cloud.ensure_no_draft(&environment, held.guard()).await {
        // Lost connections are tried again with the step; a draft that stays is no reason not to go back.
        Err(error) if !error.is_transient() => {
            cloud.events().warn(format!(
                "the settings of a failed update to {image} are still kept beside the deployed ones: {error}"
            ));
            Ok(())
        }
        other => Ok(other?),
    }
}

/// Says what aborting an update of ours costs, by the policy that is deployed: Beanstalk goes back by that. Waiting is
/// never faster: the rest of the instances would be replaced first, and then all of them once more.
fn cost_of_abort(environment: &str, ready: &Ready, sets: &[ConfigurationSet]) -> String {
    let deployed = sets.iter().find(|set| set.is_deployed());
    let option = |name| deployed.and_then(|set| set.get(ROLLING, name));
    let immutable = option("RollingUpdateEnabled") == Some("true")
        && option("RollingUpdateType") == Some("Immutable");
    let update = format!("the update of {environment} to {} is aborted", ready.target);
    if immutable {
        format!("{update}: Beanstalk ends the new instances, and the old ones serve all along")
    } else {
        format!(
            "{update}: Beanstalk replaces the instances that run it already once more, which is faster than to have the \
             others replaced first and then all of them"
        )
    }
}

/// Waits until an update under way is over. Ours is aborted where it can be, and Beanstalk goes back by itself;
/// somebody else's is left to end. Ours is one that is to bring our image: where the deployed settings name it already,
/// our update is over, and what is under way since is another one.
async fn settle(
    context: &Context<'_>,
    held: &mut Held,
    ready: &Ready,
    begun: bool,
    since: jiff::Timestamp,
) -> Result<(), PipelineError> {
    let Context { cloud, plan, .. } = *context;
    let environment = cloud
        .environment(&plan.environment, plan.application.as_deref())
        .await?;
    if !environment.is_ready() && environment.abortable {
        let sets = cloud.configuration_sets(&environment).await?;
        let of_ours = |set: &&ConfigurationSet| set.image().as_ref() == Some(&ready.target_image);
        let goes_back = |set: &ConfigurationSet| match set.image() {
            Some(image) => image == ready.previous_image,
            None => ready.previous.image().is_none(),
        };
        let all = sets.clone();
        let back = begun && sets.iter().any(|set| set.is_pending() && goes_back(set));
        let mut sets = sets.iter().filter(of_ours);
        let ours = sets.clone().any(ConfigurationSet::is_pending)
            && !sets.any(ConfigurationSet::is_deployed);
        if ours {
            held.renew().await?;
            cloud
                .events()
                .note(cost_of_abort(&plan.environment, ready, &all));
            match cloud.abort_update(&ready.environment, held.guard()).await {
                // It ended in the meantime, or reached its clean-up, where it cannot be aborted: it is waited for.
                Err(error) if matches!(error.kind, ErrorKind::WrongState | ErrorKind::Refused) => {}
                Err(error) if error.kind == ErrorKind::Denied => cloud.events().warn(format!(
                    "the update of {} to {} is not aborted but waited for: {error}",
                    plan.environment, ready.target
                )),
                other => other?,
            }
        } else if back {
            cloud.events().note(format!(
                "an update of {} to {} is under way already, as this run has asked for: it is waited for",
                plan.environment, ready.previous
            ));
        } else {
            cloud.events().warn(format!(
                "the update of {} that is under way is not of this run: it is waited for",
                plan.environment
            ));
        }
    }
    if !environment.is_ready() && !environment.abortable {
        cloud.events().note(format!(
            "{} is {}, and Beanstalk does not let that be aborted at this point: it is waited for",
            plan.environment, environment.status
        ));
    }
    let wait = Wait {
        subject: format!("environment {}", plan.environment),
        schedule: SETTLES,
        in_a_row: 1,
        unseen_for: Duration::ZERO,
    };
    let settled = cloud.poll_until(wait, async || {
        match held.renew().await {
            Err(LeaseError::Cloud(error)) if error.is_transient() => {}
            Err(LeaseError::Cloud(error)) => return Err(error),
            Err(error) => return Ok(Look::Never(error.to_string())),
            Ok(()) => {}
        }
        let seen = cloud
            .environment(&plan.environment, plan.application.as_deref())
            .await?;
        Ok(if seen.is_ready() {
            Look::Ready(())
        } else if seen.is_gone() {
            Look::Never(format!("it is {}", seen.status))
        } else {
            Look::pending(seen.status)
        })
    });
    match settled.await {
        Err(WaitError::Expired { state, waited, .. }) => {
            Err(PipelineError::Stuck(Box::new(Stuck {
                environment: plan.environment.clone(),
                status: state,
                waited: cloud.pace().unscale(waited),
                image: ready.target.clone(),
                previous: ready.previous.clone(),
                sent: if begun { Sent::NotKnown } else { Sent::Not },
                event: last_error(context, ready, since).await,
            })))
        }
        other => Ok(other?),
    }
}

/// What Beanstalk reported last as an error since the update was sent.
async fn last_error(
    context: &Context<'_>,
    ready: &Ready,
    since: jiff::Timestamp,
) -> Option<String> {
    let read = context
        .cloud
        .environment_troubles(&ready.environment, since);
    match read.await {
        Ok(list) => cause::last_error(&list),
        Err(error) => {
            let text = format!("Beanstalk's errors could not be read: {error}");
            context.cloud.events().warn(text);
            None
        }
    }
}
