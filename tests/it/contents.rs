//! What is too large for a script reaches the machine apart from it, and only what the machine lacks.

use std::time::Duration;

use goldseed::cloud::{Cloud, Connection, LaunchRequest, LocalAws};
use goldseed::event::Emitter;
use goldseed::id::{ImageId, InstanceId, SubnetId};
use goldseed::node::{Job, Node};
use goldseed::pace::Pace;
use goldseed::recipe::{Content, Standing};
use goldseed::sandbox::{Fate, Hook, Options, Sandbox};

use super::world::World;

/// A simulated machine that takes commands.
pub(crate) async fn machine(sandbox: &Sandbox) -> (Cloud, InstanceId) {
    let connection = Connection {
        region: Some("eu-central-1".to_owned()),
        pace: Pace::new(0.001).unwrap(),
        local: Some(LocalAws {
            endpoint: sandbox.endpoint(),
            access_key: sandbox.access_key(),
        }),
        ..Connection::default()
    };
    let cloud = Cloud::connect(connection, Emitter::silent()).await.unwrap();
    let (image, subnet) = sandbox.ground();
    let request = LaunchRequest {
        token: "contents".to_owned(),
        image: ImageId::new(image),
        instance_type: "t3.small".to_owned(),
        subnet: SubnetId::new(subnet),
        security_groups: Vec::new(),
        instance_profile: Some("goldseed-test".to_owned()),
        user_data: String::new(),
        lasting_devices: Vec::new(),
        root_volume: None,
        tags: std::iter::once(("goldseed:run".to_owned(), "1".to_owned())).collect(),
    };
    let instance = cloud.ensure_instance(&request).await.unwrap().id;
    while cloud.instance(&instance).await.unwrap().state.as_str() != "running" {}
    while cloud.agent_status(&instance).await.unwrap().as_deref() != Some("Online") {}
    (cloud, instance)
}

/// How many commands with each verb were sent so far.
fn commands(sandbox: &Sandbox, verb: &str) -> usize {
    let is = |text: String| text.contains(&format!("# goldseed {verb} "));
    sandbox
        .requests()
        .iter()
        .filter(|one| one.operation == "SendCommand" && is(one.parameters.to_string()))
        .count()
}

/// A megabyte of noise takes so many commands of 36,000 characters.
const PARTS: std::ops::Range<usize> = 38..43;

#[tokio::test(flavor = "multi_thread")]
async fn a_megabyte_is_sent_once_and_goes_on_where_it_was_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(Options::simulated(folder.path()))
        .await
        .unwrap();
    let (cloud, instance) = machine(&sandbox).await;
    let node = Node::new(&cloud, &instance);
    let noise = (0..1 << 20).map(|_| fastrand::u8(..)).collect();
    let contents = [Content::new(noise, Standing::Nowhere)];
    let job = |unit: &str, contents| Job {
        unit: unit.to_owned(),
        script: "true\n",
        contents,
        limit: Duration::from_mins(1),
    };

    let small = node.run(&job("small", &[]), |_| {}).await;
    assert_eq!(small.unwrap(), 0);
    assert_eq!(commands(&sandbox, "start"), 1);
    assert_eq!(
        commands(&sandbox, "need"),
        0,
        "nothing is asked for nothing"
    );

    // The twentieth part is refused for good; what came before it stays.
    let seen = std::sync::atomic::AtomicUsize::new(0);
    sandbox.set_hook(Some(Hook::new(move |request| {
        let puts = request.parameters.to_string().contains("# goldseed put ");
        if puts && seen.fetch_add(1, std::sync::atomic::Ordering::SeqCst) >= 20 {
            return Fate::refused("AccessDeniedException", "not now");
        }
        Fate::Serve
    })));
    node.run(&job("first", &contents), |_| {})
        .await
        .unwrap_err();
    sandbox.set_hook(None);
    assert_eq!(node.run(&job("first", &contents), |_| {}).await.unwrap(), 0);
    let refused = 1;
    let parts = commands(&sandbox, "put") - refused;
    assert!(PARTS.contains(&parts), "{parts} parts");

    let before = sandbox.requests().len();
    assert_eq!(
        node.run(&job("second", &contents), |_| {}).await.unwrap(),
        0
    );
    assert_eq!(commands(&sandbox, "put"), parts + refused, "nothing again");
    let sent: usize = sandbox.requests()[before..]
        .iter()
        .map(|one| one.parameters.to_string().len())
        .sum();
    assert!(sent < 30_000, "{sent} bytes for what is there already");
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_the_machine_loses_is_sent_again_once() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(Options::simulated(folder.path()))
        .await
        .unwrap();
    let (cloud, instance) = machine(&sandbox).await;
    let node = Node::new(&cloud, &instance);
    let noise = |length| {
        let bytes = (0..length).map(|_| fastrand::u8(..)).collect();
        [Content::new(bytes, Standing::Nowhere)]
    };
    let job = |unit: &str, contents| Job {
        unit: unit.to_owned(),
        script: "true\n",
        contents,
        limit: Duration::from_mins(1),
    };
    let nothing = "goldseed 1\nstate ready\ncode -\nfresh no\noffset 0\ndata \n";
    let puts = |script: &str| script.contains("# goldseed put ");

    // The second of three parts finds that nothing is there any more.
    let seen = std::sync::atomic::AtomicUsize::new(0);
    let second = move |script: &str| {
        puts(script) && seen.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 1
    };
    sandbox.script_result(second, 0, nothing);
    let lost = noise(70_000);
    assert_eq!(node.run(&job("lost", &lost), |_| {}).await.unwrap(), 0);

    sandbox.script_result(puts, 0, nothing);
    let before = commands(&sandbox, "put");
    let gone = noise(30_000);
    let error = node.run(&job("gone", &gone), |_| {}).await.unwrap_err();
    let told = error.to_string();
    assert!(
        told.contains("did not arrive whole: it has 0 bytes"),
        "{told}"
    );
    assert_eq!(commands(&sandbox, "put") - before, 2);
    sandbox.stop().await;
}

#[test]
fn large_files_and_archives_of_a_recipe_arrive_on_a_machine() {
    let world = World::empty();
    let files = world.project().join("recipes/large/files");
    fs_err::create_dir_all(&files).unwrap();
    let noise: Vec<u8> = (0..200_000).map(|_| fastrand::u8(..)).collect();
    fs_err::write(files.join("noise"), &noise).unwrap();
    fs_err::write(files.join("page"), "all is well\n".repeat(20_000)).unwrap();
    let packed = std::process::Command::new("sh")
        .args([
            "-c",
            "mkdir top && cp noise page top && tar -czf site.tar.gz top && rm -r top",
        ])
        .current_dir(&files)
        .status()
        .unwrap();
    assert!(packed.success());
    let digest = |name: &str| {
        let bytes = fs_err::read(files.join(name)).unwrap();
        goldseed::id::Digest::of(bytes)
    };
    let check = |path: &str, name: &str| {
        format!(
            "  - command: {{run: 'echo \"{}  {path}\" | sha256sum -c'}}\n",
            digest(name)
        )
    };
    let recipe = format!(
        "recipe: 1
name: large
steps:
  - file: {{path: /srv/noise, copy: files/noise}}
  - file: {{path: /srv/page, copy: files/page, check: grep -q well /srv/page}}
  - archive: {{source: files/site.tar.gz, path: /srv/site, strip: 1}}
  - file: {{path: /run/noise-of-boot, copy: files/noise}}
    on: boot
verify:
{}{}{}{}{}",
        check("/srv/noise", "noise"),
        check("/srv/page", "page"),
        check("/srv/site/noise", "noise"),
        check("/run/noise-of-boot", "noise"),
        // What boots from the image has nothing but the script.
        "  - command: {run: 'test \"$(wc -c < /opt/goldseed/boot/boot.sh)\" -gt 200000'}\n",
    );
    world.write("recipes/large/recipe.yaml", &recipe);
    let output = world
        .goldseed(["recipe", "test", "large"])
        // The engine finds its own programs by the path.
        .env("PATH", env!("PATH"))
        .run();
    assert_eq!(output.code, Some(0), "{output}");
    assert!(output.stdout.contains("large: 5 step(s)"), "{output}");
}
