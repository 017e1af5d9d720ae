//! A machine of ours stops itself when nobody comes back to it: on real machines, with a day that lasts half a minute.

use std::time::{Duration, Instant};

use goldseed::cloud::{Cloud, Connection, InstanceState, LaunchRequest};
use goldseed::event::Emitter;
use goldseed::id::{ImageId, InstanceId, SubnetId};
use goldseed::node::Node;
use goldseed::pace::Pace;
use goldseed::pipeline;
use goldseed::sandbox::{MachineKind, Options, Sandbox};

/// A fixed folder, so that what a killed test left behind is removed by the next one.
const FOLDER: &str = "/tmp/goldseed-test-expiry";
/// How long a machine of this test lives without a command of ours.
const EXPIRES: Duration = Duration::from_secs(30);
/// How long anything may take here, on a busy machine too.
const PATIENCE: Duration = Duration::from_mins(4);

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
        root_volume: None,
        tags: [("goldseed:run".to_owned(), token.to_owned())].into(),
    };
    cloud.ensure_instance(&request).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_nobody_renews_stops_itself_and_one_that_is_renewed_lives() {
    let options = Options {
        machines: MachineKind::Containers,
        pace: 0.05,
        ..Options::simulated(format!("{FOLDER}/state"))
    };
    let sandbox = Sandbox::start(options).await.unwrap();
    let connection = Connection {
        region: Some("eu-central-1".to_owned()),
        pace: Pace::new(0.05).unwrap(),
        local: Some(sandbox.endpoint()),
        ..Connection::default()
    };
    let cloud = Cloud::connect(connection, Emitter::silent()).await.unwrap();
    let left_alone = launched(&cloud, &sandbox, "left-alone").await;
    let renewed = launched(&cloud, &sandbox, "renewed").await;
    let since = Instant::now();
    loop {
        // The agents register before the machines' time is up; until then there is nothing to send to.
        if cloud.agent_status(&renewed).await.unwrap().as_deref() == Some("Online") {
            Node::new(&cloud, &renewed).answers().await.unwrap();
        }
        let alone = cloud.instance(&left_alone).await.unwrap();
        let other = cloud.instance(&renewed).await.unwrap();
        assert!(
            matches!(other.state, InstanceState::Pending | InstanceState::Running),
            "{other:?}"
        );
        if alone.state == InstanceState::Stopped && since.elapsed() > 2 * EXPIRES {
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
    let since = Instant::now();
    loop {
        let again = cloud.instance(&left_alone).await.unwrap();
        if again.state == InstanceState::Running
            && cloud.agent_status(&left_alone).await.unwrap().as_deref() == Some("Online")
        {
            break;
        }
        assert!(since.elapsed() < PATIENCE, "{again:?}");
        cloud.pace().sleep(Duration::from_secs(20)).await;
    }
    sandbox.stop().await;
}
