//! Launch: a machine of ours from an image, until its agent answers and it is quiet.

use std::time::Duration;

use super::inspect::{self, Identity};
use super::names::{self, Role};
use super::observe::{Ground, Place};
use super::snapshot::Origin;
use super::{Context, PipelineError, diagnosis, revive};
use crate::cloud::{
    Cloud, CloudError, Ensured, ErrorKind, Image, Instance, InstanceState, LaunchRequest, Look,
    Wait, WaitError,
};
use crate::id::{ImageId, InstanceId};
use crate::node::{Node, NodeError};
use crate::pace::Schedule;
use crate::run::{Driver, Run};

/// Our own cloud-config; Beanstalk's user data is never copied.
const USER_DATA: &str = include_str!("seed.yaml");

/// Returns the user data of a machine of ours: it holds back what the machine is a copy of, and stops itself when no
/// command of ours came for so long.
pub fn user_data(expires: Duration) -> String {
    USER_DATA.replace("@EXPIRES@", &expires.as_secs().to_string())
}
/// An instance runs after seconds to minutes.
const RUNNING: Schedule = Schedule {
    first: Duration::from_secs(2),
    every: Duration::from_secs(10),
    within: Duration::from_mins(15),
};
/// An agent registers within five to ten minutes of a boot (Systems Manager user guide); one that has not by then is
/// not waited for, but asked after.
const ONLINE: Schedule = Schedule {
    first: Duration::from_secs(2),
    every: Duration::from_secs(10),
    within: Duration::from_mins(12),
};

/// How long a new image may be unknown to the server that is asked.
const UNKNOWN: Duration = Duration::from_mins(3);

/// How many machines may die right after their launch.
const ATTEMPTS: u32 = 3;
/// How many tokens are tried: those of earlier machines of a run, which EC2 refuses, cost nothing.
const TOKENS: u32 = 30;

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
    revive::seed(run, context).await?;
    let id = run.id().clone();
    let driver = run.driver();
    let image = &origin.image;
    let instance = run
        .step(
            "launch/seed",
            format!("launch the seed from {image}"),
            async || machine(context, &driver, &ground.place, Role::Seed, image).await,
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

/// Launches a machine and waits until it runs. A seed that is found stopped is started; a throw-away machine is replaced,
/// as what it is for begins with its first boot.
pub(super) async fn machine(
    context: &Context<'_>,
    driver: &Driver,
    place: &Place,
    role: Role,
    image: &ImageId,
) -> Result<InstanceId, PipelineError> {
    let Context { cloud, plan, .. } = *context;
    let run = driver.run();
    let parameters = [
        image.as_str(),
        &place.instance_type,
        place.subnet.as_str(),
        env!("CARGO_PKG_VERSION"),
    ];
    let known = look_at(cloud, image).await?;
    let root = plan.seed.volume_size.map(|size| (known.root_device, size));
    let (mut attempt, mut died) = (1, 0);
    while attempt <= TOKENS {
        let request = LaunchRequest {
            token: names::launch_token(run, role, attempt, &parameters),
            image: image.clone(),
            instance_type: place.instance_type.clone(),
            subnet: place.subnet.clone(),
            security_groups: place.groups.clone(),
            instance_profile: plan.seed.instance_profile.clone(),
            user_data: user_data(names::EXPIRY),
            lasting_devices: known.lasting_devices.clone(),
            root_volume: root.clone(),
            tags: names::tags(plan, run, role, attempt),
        };
        let failure = match ensure(cloud, &request).await? {
            Ok(Ensured {
                id,
                found: Some(state @ (InstanceState::Stopped | InstanceState::Stopping)),
            }) if role != Role::Seed => {
                cloud.ensure_terminated(&id).await?;
                until_it_is_gone(cloud, &id).await?;
                // Not one of those that this loop launched; if it has this token, the launch says so.
                attempt -= 1;
                format!("instance {id}: it is {}", state.as_str())
            }
            Ok(Ensured { id, .. }) => match until_it_runs(cloud, &id).await {
                Ok(()) => return Ok(id),
                Err(WaitError::Never { subject, reason }) => {
                    died += 1;
                    format!("{subject}: {reason}")
                }
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
        if died == ATTEMPTS {
            return Err(PipelineError::Disturbed(format!(
                "{ATTEMPTS} machines from {image} died at once; the last: {failure}"
            )));
        }
        cloud.events().warn(format!("launched again: {failure}"));
        attempt += 1;
        driver.must_drive().await?;
    }
    Err(PipelineError::Disturbed(format!(
        "this run has launched {TOKENS} machines from {image} and none is left: look for what ends them, then start another run"
    )))
}

/// Looks at the image that is launched next, which may have been made a moment ago.
async fn look_at(cloud: &Cloud, image: &ImageId) -> Result<Image, WaitError> {
    let wait = Wait {
        subject: format!("image {image}"),
        schedule: RUNNING,
        in_a_row: 1,
        unseen_for: UNKNOWN,
    };
    let look = async || cloud.image(image).await.map(Look::Ready);
    cloud.poll_until(wait, look).await
}

/// Launches, unless that was done before. An image that was made a moment ago may be unknown to the server that is asked
/// now: that is waited out; a subnet or group that is not there is not.
async fn ensure(
    cloud: &Cloud,
    request: &LaunchRequest,
) -> Result<Result<Ensured, CloudError>, WaitError> {
    let wait = Wait {
        subject: format!("launch from {}", request.image),
        schedule: RUNNING,
        in_a_row: 1,
        unseen_for: UNKNOWN,
    };
    cloud
        .poll_until(wait, async || match cloud.ensure_instance(request).await {
            Err(error) if error.code.as_deref() == Some("InvalidAMIID.NotFound") => Err(error),
            other => Ok(Look::Ready(other)),
        })
        .await
}

/// Waits until a machine that was terminated shows as that, so that it is not found once more.
async fn until_it_is_gone(cloud: &Cloud, id: &InstanceId) -> Result<(), WaitError> {
    let wait = Wait {
        subject: format!("end of instance {id}"),
        schedule: RUNNING,
        // Two in a row: the next call may be answered by another server that has not heard of it.
        in_a_row: 2,
        unseen_for: Duration::ZERO,
    };
    cloud
        .poll_until(wait, async || match cloud.instance(id).await {
            Ok(seen) if !seen.state.is_gone() => Ok(Look::pending(seen.state.as_str())),
            Err(error) if error.kind != ErrorKind::NotFound => Err(error),
            _ => Ok(Look::Ready(())),
        })
        .await
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
                // It was launched by a process that died, and stopped since: by somebody, or by itself.
                InstanceState::Stopped => {
                    cloud.start_instance(id).await?;
                    Look::pending("stopped, started again")
                }
                ref state if state.is_gone() => {
                    Look::Never(format!("it is {}", with_reason(&seen)))
                }
                ref state => Look::pending(state.as_str()),
            })
        })
        .await
}

/// Waits until Systems Manager has the machine online and it answers a no-op. One that does not is looked at from
/// outside, and stays.
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
            let seen = cloud.instance(id).await?;
            Ok(
                if seen.state.is_gone() || seen.state == InstanceState::Stopped {
                    Look::Never(format!("the machine is {}", with_reason(&seen)))
                } else {
                    Look::pending(state)
                },
            )
        })
        .await;
    match online {
        Ok(()) => {}
        Err(WaitError::Expired { state, .. }) => {
            return Err(diagnosis::of(cloud, id, state, ONLINE.within).await);
        }
        Err(error) => return Err(error.into()),
    }
    match Node::new(cloud, id).answers().await {
        Err(NodeError::Silent { waited, .. }) => {
            let state = "registered and online, but silent".to_owned();
            Err(diagnosis::of(cloud, id, state, waited).await)
        }
        other => Ok(other?),
    }
}

/// The state of a machine with the reason that EC2 gives for it.
fn with_reason(instance: &Instance) -> String {
    let reason = instance.state_reason.as_ref();
    let reason = reason.map(|reason| format!(": {reason}"));
    format!("{}{}", instance.state.as_str(), reason.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_stops_itself_after_the_time_that_its_tag_names() {
        let text = user_data(names::EXPIRY);
        assert!(text.starts_with("#cloud-config\n"), "{text}");
        assert!(!text.contains("@EXPIRES@"), "{text}");
        assert!(text.contains("-ge 86400 ] || exit 0"), "{text}");
        // EC2 takes 16 KB (API reference, `RunInstances`).
        assert!(text.len() < 16_384, "{}", text.len());
        // Whatever it writes lies in memory, so that no image can carry it.
        let disk = |word: &str| {
            ["/etc/", "/usr/", "/var/", "/opt/"]
                .iter()
                .any(|folder| word.starts_with(folder))
        };
        let mut written = text
            .lines()
            .filter_map(|line| line.split_once("> "))
            .map(|(_, to)| to);
        assert!(!written.any(|to| disk(to.trim_matches('"'))), "{text}");
    }

    #[test]
    fn the_rule_of_expiry_stops_what_nobody_renewed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().to_str().unwrap();
        let text = user_data(Duration::from_secs(1000));
        let (_, rest) = text.split_once("<<'SCRIPT'\n").unwrap();
        let (rule, _) = rest.split_once("    SCRIPT\n").unwrap();
        let rule = rule
            .replace("/run/goldseed", home)
            .replace("/proc/uptime", &format!("{home}/uptime"));
        let stops = |renewed: Option<&str>, uptime: &str| {
            let stamp = folder.path().join("renewed");
            match renewed {
                Some(text) => fs_err::write(&stamp, text).unwrap(),
                None => drop(fs_err::remove_file(&stamp)),
            }
            fs_err::write(folder.path().join("uptime"), format!("{uptime} 1.0\n")).unwrap();
            let script = format!("systemctl() {{ echo \"asked: $*\"; }}\n{rule}");
            let output = std::process::Command::new("/bin/sh")
                .args(["-c", &script])
                .output();
            let output = output.unwrap();
            assert!(output.status.success(), "{output:?}");
            String::from_utf8_lossy(&output.stdout).contains("asked: poweroff")
        };
        assert!(!stops(Some("50\n"), "1049.99"));
        assert!(stops(Some("50\n"), "1050.01"));
        // A stamp that is lost or being written counts from now on.
        for lost in [None, Some(""), Some("\n"), Some("torn")] {
            assert!(!stops(lost, "90000.5"), "{lost:?}");
            let now = fs_err::read_to_string(folder.path().join("renewed")).unwrap();
            assert_eq!(now, "90000\n");
        }
    }
}
