//! Launch: a machine of ours from an image, until its agent answers and it is quiet.

use std::time::Duration;

use super::inspect::{self, Identity};
use super::names::{self, Role};
use super::observe::{Ground, Place};
use super::snapshot::Origin;
use super::{Context, PipelineError};
use crate::cloud::{Cloud, InstanceState, LaunchRequest, Look, Wait, WaitError};
use crate::id::{ImageId, InstanceId, RunId};
use crate::node::Node;
use crate::pace::Schedule;
use crate::run::Run;

/// Our own cloud-config; Beanstalk's user data is never copied.
const USER_DATA: &str = include_str!("seed.yaml");
/// An instance runs after seconds to minutes.
const RUNNING: Schedule = Schedule {
    first: Duration::from_secs(2),
    every: Duration::from_secs(10),
    within: Duration::from_mins(15),
};
/// An agent registers within five to ten minutes of a boot (Systems Manager user guide).
const ONLINE: Schedule = Schedule {
    first: Duration::from_secs(2),
    every: Duration::from_secs(10),
    within: Duration::from_mins(15),
};

/// How often a launch whose machine dies at once is repeated.
const ATTEMPTS: u32 = 3;

/// The seed and what it was before it was generalised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seed {
    pub(super) instance: InstanceId,
    pub(super) identity: Identity,
}

/// Launches the seed.
pub(super) async fn seed(
    run: &mut Run,
    context: &Context<'_>,
    ground: &Ground,
    origin: &Origin,
) -> Result<Seed, PipelineError> {
    let id = run.id().clone();
    let image = &origin.image;
    let instance = run
        .step(
            "launch/seed",
            format!("launch the seed from {image}"),
            async || machine(context, &id, &ground.place, Role::Seed, image).await,
        )
        .await?;
    run.step(
        "launch/agent",
        format!("wait for the agent of {instance}"),
        async || until_it_answers(context.cloud, &instance).await,
    )
    .await?;
    let identity = run
        .step(
            "launch/quiet",
            format!("check that {instance} does no work of its own"),
            async || {
                inspect::must_be_quiet(context, &id, "seed", &instance).await?;
                inspect::identity(context, &id, "seed", &instance).await
            },
        )
        .await?;
    Ok(Seed { instance, identity })
}

/// Launches a machine and waits until it runs.
pub(super) async fn machine(
    context: &Context<'_>,
    run: &RunId,
    place: &Place,
    role: Role,
    image: &ImageId,
) -> Result<InstanceId, PipelineError> {
    let Context { cloud, plan, .. } = *context;
    let parameters = [
        image.as_str(),
        &place.instance_type,
        place.subnet.as_str(),
        env!("CARGO_PKG_VERSION"),
    ];
    let root = match plan.seed.volume_size {
        Some(size) => Some((cloud.image(image).await?.root_device, size)),
        None => None,
    };
    let mut attempt = 1;
    loop {
        let request = LaunchRequest {
            token: names::launch_token(run, role, attempt, &parameters),
            image: image.clone(),
            instance_type: place.instance_type.clone(),
            subnet: place.subnet.clone(),
            security_groups: place.groups.clone(),
            instance_profile: plan.seed.instance_profile.clone(),
            user_data: USER_DATA.to_owned(),
            root_volume: root.clone(),
            tags: names::tags(plan, run, role, attempt),
        };
        let failure = match cloud.ensure_instance(&request).await {
            Ok(instance) => match until_it_runs(cloud, &instance).await {
                Ok(()) => return Ok(instance),
                Err(WaitError::Never { subject, reason }) => format!("{subject}: {reason}"),
                Err(error) => return Err(error.into()),
            },
            // The token's instance died before: EC2 wants a new token, and a new attempt has one.
            Err(error)
                if matches!(
                    error.code.as_deref(),
                    Some("IdempotentInstanceTerminated" | "IdempotentParameterMismatch")
                ) =>
            {
                error.to_string()
            }
            Err(error) => return Err(error.into()),
        };
        attempt += 1;
        if attempt > ATTEMPTS {
            return Err(PipelineError::Disturbed(format!(
                "{ATTEMPTS} machines from {image} died at once; the last: {failure}"
            )));
        }
        cloud.events().warn(format!("launched again: {failure}"));
    }
}

pub(super) async fn until_it_runs(cloud: &Cloud, id: &InstanceId) -> Result<(), WaitError> {
    let wait = Wait {
        subject: format!("instance {id}"),
        schedule: RUNNING,
        in_a_row: 1,
        unseen_for: Duration::from_mins(5),
    };
    cloud
        .poll_until(wait, async || {
            let seen = cloud.instance(id).await?;
            Ok(match seen.state {
                InstanceState::Running => Look::Ready(()),
                state if state.is_gone() => Look::Never(format!(
                    "it is {}{}",
                    state.as_str(),
                    seen.state_reason
                        .map(|reason| format!(": {reason}"))
                        .unwrap_or_default()
                )),
                state => Look::pending(state.as_str()),
            })
        })
        .await
}

/// Waits until Systems Manager has the machine online and it answers a no-op.
pub(super) async fn until_it_answers(cloud: &Cloud, id: &InstanceId) -> Result<(), PipelineError> {
    let wait = Wait {
        subject: format!("agent of {id}"),
        schedule: ONLINE,
        in_a_row: 1,
        unseen_for: Duration::from_mins(5),
    };
    let online = cloud
        .poll_until(wait, async || {
            let state = match cloud.agent_status(id).await? {
                Some(status) if status == "Online" => return Ok(Look::Ready(())),
                Some(status) => format!("registered, {status}"),
                None => "not registered yet".to_owned(),
            };
            let seen = cloud.instance(id).await?.state;
            Ok(if seen.is_gone() || seen == InstanceState::Stopped {
                Look::Never(format!("the machine is {}", seen.as_str()))
            } else {
                Look::pending(state)
            })
        })
        .await;
    if let Err(WaitError::Expired {
        subject,
        state,
        waited,
    }) = online
    {
        let state = format!(
            "{state}; its instance profile must allow AmazonSSMManagedInstanceCore, its subnet must reach the \
             endpoints ssm, ssmmessages and ec2messages, and its image must carry a running agent; so it is"
        );
        return Err(WaitError::Expired {
            subject,
            state,
            waited,
        }
        .into());
    }
    online?;
    Node::new(cloud, id).answers().await?;
    Ok(())
}
