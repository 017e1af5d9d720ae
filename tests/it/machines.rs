//! Real machines on their own: when nobody comes back to them (a day lasts a minute and a half here), and when their
//! disk is full.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use goldseed::cloud::{
    Cloud, Command, CommandState, Connection, InstanceState, LaunchRequest, LocalAws,
};
use goldseed::event::Emitter;
use goldseed::id::{Digest, ImageId, InstanceId, SubnetId};
use goldseed::node::{Job, Node, NodeError};
use goldseed::pace::Pace;
use goldseed::pipeline;
use goldseed::sandbox::{MachineKind, Options, Sandbox};

/// How long a machine of this test lives without a command of ours: longer than one takes to boot on a busy host.
const EXPIRES: Duration = Duration::from_secs(90);
/// How long anything may take on real machines, on a busy host too.
pub(crate) const PATIENCE: Duration = Duration::from_mins(10);

/// The folder of a test with real machines: the same each time, so that what a killed test left behind is removed by the
/// next one, and another for each checkout, as several may be tested at once.
pub(crate) fn folder(name: &str) -> PathBuf {
    let checkout = Digest::of(env!("CARGO_MANIFEST_DIR"));
    std::env::temp_dir().join(format!("goldseed-test-{name}-{}", checkout.short()))
}

/// A sandbox with real machines and a connection to it.
async fn world(name: &str) -> (Sandbox, Cloud) {
    let options = Options {
        machines: MachineKind::Containers,
        pace: 0.05,
        ..Options::simulated(folder(name).join("state"))
    };
    let sandbox = Sandbox::start(options).await.unwrap();
    let connection = Connection {
        region: Some("eu-central-1".to_owned()),
        pace: Pace::new(0.05).unwrap(),
        local: Some(LocalAws {
            endpoint: sandbox.endpoint(),
            access_key: sandbox.access_key(),
        }),
        ..Connection::default()
    };
    let cloud = Cloud::connect(connection, Emitter::silent()).await.unwrap();
    (sandbox, cloud)
}

async fn close(sandbox: Sandbox, name: &str) {
    sandbox.stop().await;
    fs_err::remove_dir_all(folder(name)).unwrap();
}

async fn is_online(cloud: &Cloud, id: &InstanceId) -> bool {
    cloud.agent_status(id).await.unwrap().as_deref() == Some("Online")
}

async fn until_online(cloud: &Cloud, id: &InstanceId) {
    let since = Instant::now();
    while !is_online(cloud, id).await {
        assert!(since.elapsed() < PATIENCE, "{id} is not online");
        // The instance's state advances as it is looked at.
        cloud.instance(id).await.unwrap();
        cloud.pace().sleep(Duration::from_secs(20)).await;
    }
}

async fn launched(cloud: &Cloud, sandbox: &Sandbox, token: &str) -> InstanceId {
    let (image, subnet) = sandbox.ground();
    let request = LaunchRequest {
        token: token.to_owned(),
        image: ImageId::new(image),
        instance_type: "t3.small".to_owned(),
        subnet: SubnetId::new(subnet),
        security_groups: Vec::new(),
        instance_profile: None,
        user_data: pipeline::user_data(EXPIRES),
        lasting_devices: Vec::new(),
        root_volume: None,
        tags: [("goldseed:run".to_owned(), token.to_owned())].into(),
    };
    cloud.ensure_instance(&request).await.unwrap().id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_nobody_renews_stops_itself_and_one_that_is_renewed_lives() {
    let (sandbox, cloud) = world("expiry").await;
    let renewed = launched(&cloud, &sandbox, "renewed").await;
    until_online(&cloud, &renewed).await;
    let node = Node::new(&cloud, &renewed);
    node.answers().await.unwrap();
    // Its time begins later: when it is up, the other's would be as well.
    let left_alone = launched(&cloud, &sandbox, "left-alone").await;
    let since = Instant::now();
    loop {
        // An answer that a busy host keeps back too long is one renewal of many.
        node.answers().await.ok();
        let alone = cloud.instance(&left_alone).await.unwrap();
        let other = cloud.instance(&renewed).await.unwrap();
        assert!(
            matches!(other.state, InstanceState::Pending | InstanceState::Running),
            "{other:?}"
        );
        if alone.state == InstanceState::Stopped {
            let reason = alone.state_reason.unwrap_or_default();
            assert!(reason.contains("InstanceInitiatedShutdown"), "{reason}");
            break;
        }
        assert!(!alone.state.is_gone(), "stopped, not terminated: {alone:?}");
        assert!(since.elapsed() < PATIENCE, "{alone:?}");
        cloud.pace().sleep(Duration::from_secs(20)).await;
    }
    // Started again, it counts anew: a boot is as good as a command.
    cloud.start_instance(&left_alone).await.unwrap();
    until_online(&cloud, &left_alone).await;
    close(sandbox, "expiry").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_to_a_machine_that_goes_down_for_a_reboot_is_answered_by_its_next_boot() {
    let (sandbox, cloud) = world("reboot").await;
    let id = launched(&cloud, &sandbox, "reboot").await;
    until_online(&cloud, &id).await;
    let boot = async || {
        let command = Command {
            instance: id.clone(),
            script: "systemctl show --property UserspaceTimestampMonotonic".to_owned(),
            comment: "which boot".to_owned(),
            seconds: 60,
        };
        let sent = cloud.send_command(&command).await.unwrap();
        let since = Instant::now();
        loop {
            let invocation = cloud.invocation(&sent, &id).await.unwrap();
            match invocation.state {
                CommandState::Success => return invocation.output,
                CommandState::Going(_) => assert!(since.elapsed() < PATIENCE, "{invocation:?}"),
                _ => panic!("{invocation:?}"),
            }
            cloud.pace().sleep(Duration::from_secs(20)).await;
        }
    };
    let before = boot().await;
    cloud.reboot_instance(&id).await.unwrap();
    assert_ne!(boot().await, before);
    close(sandbox, "reboot").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_whose_disk_is_full_says_so_in_the_log_and_in_the_command() {
    let (sandbox, cloud) = world("full-disk").await;
    let id = launched(&cloud, &sandbox, "full-disk").await;
    until_online(&cloud, &id).await;
    let node = Node::new(&cloud, &id);
    // A disk of a few blocks and files, where the notes of the commands lie: what runs logs into memory.
    let fill = Job {
        unit: "goldseed-20261123-000000-0000-fill".to_owned(),
        script: "mkdir -p /var/lib/goldseed && mount -t tmpfs -o size=16k,nr_inodes=2 none /var/lib/goldseed || exit 9\n\
                 head -c 100000 /dev/zero > /var/lib/goldseed/archive && exit 8\necho still talking\nexit 3\n",
        limit: Duration::from_mins(5),
        contents: &[],
    };
    let mut log = Vec::new();
    let code = node.run(&fill, |bytes| log.extend_from_slice(bytes)).await;
    let log = String::from_utf8(log).unwrap();
    assert_eq!(code.unwrap(), 3, "{log}");
    assert!(
        log.contains("No space left on device") && log.ends_with("still talking\n"),
        "{log}"
    );
    let next = Job {
        unit: "goldseed-20261123-000000-0000-next".to_owned(),
        script: "true\n",
        limit: Duration::from_mins(5),
        contents: &[],
    };
    match node.run(&next, |_| {}).await {
        Err(NodeError::Command { output, .. }) => {
            assert!(output.contains("No space left on device"), "{output}");
        }
        other => panic!("{other:?}"),
    }
    close(sandbox, "full-disk").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_keeps_its_code_when_it_prints_or_writes_more_than_memory_holds() {
    let (sandbox, cloud) = world("full-memory").await;
    let id = launched(&cloud, &sandbox, "full-memory").await;
    until_online(&cloud, &id).await;
    let node = Node::new(&cloud, &id);
    let run = async |name: &str, script: &str| {
        let job = Job {
            unit: format!("goldseed-20261123-000000-0000-{name}"),
            script,
            limit: Duration::from_mins(5),
            contents: &[],
        };
        let mut log = Vec::new();
        let code = node.run(&job, |bytes| log.extend_from_slice(bytes)).await;
        (code.unwrap(), String::from_utf8(log).unwrap())
    };
    let small = "used=$(df -Pk /run | awk 'NR == 2 {print $3}')\nmount -o \"remount,size=$((used + 1024))k\" /run\n";
    assert_eq!(run("small", small).await, (0, String::new()));
    let talks = "yes a line | head -c 60000000\necho the reason\nexit 3\n";
    let (code, log) = run("talks", talks).await;
    assert_eq!(code, 3, "{} bytes", log.len());
    assert!(log.contains("bytes left out") && log.ends_with("the reason\n"));
    let fills = "head -c 9000000 /dev/zero > /run/file\necho lost\nexit 4\n";
    assert_eq!(run("fills", fills).await.0, 4);
    close(sandbox, "full-memory").await;
}
