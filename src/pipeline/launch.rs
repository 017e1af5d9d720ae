//! Launch: a machine of ours from an image, until its agent answers and it is quiet.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::names::{self, Role};
use super::observe::{Ground, Place};
use super::snapshot::Origin;
use super::{Context, PipelineError};
use crate::cloud::{Cloud, InstanceState, LaunchRequest, Look, Wait, WaitError};
use crate::id::{ImageId, InstanceId, RunId};
use crate::node::{Job, Node};
use crate::pace::Schedule;
use crate::run::{Outcome, Run};

/// Our own cloud-config; Beanstalk's user data is never copied.
const USER_DATA: &str = include_str!("seed.yaml");
/// Checked over Systems Manager before the first recipe.
const QUIET: &str = include_str!("quiet.sh");
/// Prints what makes a machine this machine.
const IDENTITY: &str = include_str!("identity.sh");
/// What only a machine that runs can show to be left over.
const LEFTOVERS: &str = include_str!("leftovers.sh");
/// The recipe `generalise` looks for the traces that it took away; the same files look on the proof.
const TRACES: [(&str, &str); 3] = [
    (
        "ground.sh",
        include_str!("../../recipes/generalise/files/ground.sh"),
    ),
    (
        "traces.table",
        include_str!("../../recipes/generalise/files/traces.table"),
    ),
    (
        "assert.sh",
        include_str!("../../recipes/generalise/files/assert.sh"),
    ),
];

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

/// What makes a machine this machine: short digests by name (machine id, host keys, agent registration).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Identity(pub(super) Vec<String>);

impl Outcome for Identity {
    fn outcome(&self) -> String {
        format!("{} marks of identity", self.0.len())
    }
}

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
                must_be_quiet(context, &id, "seed", &instance).await?;
                identity(context, &id, "seed", &instance).await
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

/// Checks that a copy of a production machine does not work as one.
pub(super) async fn must_be_quiet(
    context: &Context<'_>,
    run: &RunId,
    name: &str,
    id: &InstanceId,
) -> Result<(), PipelineError> {
    let (code, text) = small(context, run, &format!("{name}-quiet"), id, QUIET).await?;
    if code == 0 {
        return Ok(());
    }
    Err(PipelineError::Disturbed(format!(
        "{id} works as the machine it is a copy of: {}",
        text.trim().replace('\n', "; ")
    )))
}

/// Checks that a machine which booted from a golden image carries nothing of the seed or of an old environment.
pub(super) async fn must_have_no_leftovers(
    context: &Context<'_>,
    run: &RunId,
    id: &InstanceId,
) -> Result<(), PipelineError> {
    let mut script =
        String::from("mkdir -p /run/goldseed/leftovers && cd /run/goldseed/leftovers || exit 1\n");
    for (name, text) in TRACES {
        for part in [
            "cat > ",
            name,
            " <<'END_OF_FILE'\n",
            text,
            "\nEND_OF_FILE\n",
        ] {
            script.push_str(part);
        }
    }
    script.push_str(LEFTOVERS);
    let (code, text) = small(context, run, "proof-leftovers", id, &script).await?;
    if code == 0 {
        return Ok(());
    }
    Err(PipelineError::Disturbed(format!(
        "the image of {id} is not generalised: {}",
        text.trim().replace('\n', "; ")
    )))
}

/// Reads what makes a machine this machine.
pub(super) async fn identity(
    context: &Context<'_>,
    run: &RunId,
    name: &str,
    id: &InstanceId,
) -> Result<Identity, PipelineError> {
    let (code, text) = small(context, run, &format!("{name}-identity"), id, IDENTITY).await?;
    if code != 0 {
        return Err(PipelineError::Disturbed(format!(
            "the marks of identity of {id} could not be read: {}",
            text.trim()
        )));
    }
    let marks: Vec<String> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(ToOwned::to_owned)
        .collect();
    if marks.is_empty() {
        return Err(PipelineError::Disturbed(format!(
            "{id} shows no mark of identity at all: nobody could tell whether a machine is a copy of it"
        )));
    }
    Ok(Identity(marks))
}

/// Runs a short script of ours and returns its code and output.
async fn small(
    context: &Context<'_>,
    run: &RunId,
    name: &str,
    id: &InstanceId,
    script: &str,
) -> Result<(i32, String), PipelineError> {
    let job = Job {
        unit: names::unit(run, name),
        script,
        limit: Duration::from_mins(15),
    };
    let mut log = Vec::new();
    let code = Node::new(context.cloud, id)
        .run(&job, |bytes| log.extend_from_slice(bytes))
        .await?;
    Ok((code, String::from_utf8_lossy(&log).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::IDENTITY;

    /// The marks of a machine whose agent keeps this registration.
    fn agent_marks(registration: &str) -> Vec<String> {
        let root = tempfile::tempdir().unwrap();
        let store = root.path().join("Vault/Store");
        fs_err::create_dir_all(&store).unwrap();
        fs_err::write(store.join("RegistrationKey"), registration).unwrap();
        let script = IDENTITY.replace("/var/lib/amazon/ssm", root.path().to_str().unwrap());
        let output = std::process::Command::new("/bin/sh")
            .args(["-c", &script])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let marks = text.lines().filter(|line| line.starts_with("ssm-"));
        marks.map(ToOwned::to_owned).collect()
    }

    #[test]
    fn a_key_that_the_agent_has_taken_over_is_a_mark_of_its_own() {
        let seed =
            agent_marks(r#"{"instanceID":"i-1","privateKey":"AAAA","privateKeyType":"Rsa"}"#);
        let copy =
            agent_marks(r#"{"instanceID":"i-2","privateKey":"AAAA","privateKeyType":"Rsa"}"#);
        let other =
            agent_marks(r#"{"instanceID":"i-2","privateKey":"BBBB","privateKeyType":"Rsa"}"#);
        let shared =
            |one: &[String], two: &[String]| one.iter().filter(|mark| two.contains(mark)).count();
        assert_eq!(seed.len(), 2, "{seed:?}");
        assert_eq!(shared(&seed, &copy), 1, "{seed:?} {copy:?}");
        assert_eq!(shared(&seed, &other), 0);
    }
}
