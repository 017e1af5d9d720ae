//! A world for tests of the whole tool: a simulated sandbox, an environment in it, a project folder, and the real
//! binary, run without anything of the machine that the tests run on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use aws_sdk_elasticbeanstalk as beanstalk;
use aws_sdk_elasticbeanstalk::config::SharedHttpClient;
use aws_sdk_elasticbeanstalk::types::{ConfigurationOptionSetting, EnvironmentStatus};
use goldseed::sandbox::{Fate, Hook, Options, Request, RequestSeen, Sandbox};
use tokio::runtime::Runtime;

#[path = "world/output.rs"]
mod output;

pub(crate) use self::output::{Goldseed, Output};

/// So long a run of the binary may take: far more than it needs, for a machine may be busy.
const PATIENCE: Duration = Duration::from_mins(5);

/// The environment that the project is for.
pub(crate) const ENVIRONMENT: &str = "shop-prod";
/// The stock image of the environment's platform version.
pub(crate) const STOCK: &str = "ami-0b8a5e1d3c7f20431";
/// The newest platform version of the sandbox, and the one before.
pub(crate) const PLATFORM: &str = "arn:aws:elasticbeanstalk:eu-central-1::platform/PHP 8.2 running on 64bit Amazon Linux 2023/4.3.1";
/// The namespace of rolling updates.
pub(crate) const ROLLING: &str = "aws:autoscaling:updatepolicy:rollingupdate";
/// The namespace of what instances start from.
pub(crate) const LAUNCH: &str = "aws:autoscaling:launchconfiguration";
/// The namespace of the environment's own kind.
pub(crate) const KIND: &str = "aws:elasticbeanstalk:environment";

const SETTINGS: &str = r#"goldseed: 1
account: "123456789012"
region: eu-central-1
tags: {team: web}
pipelines:
  shop:
    environment: shop-prod
    application: shop
    seed: {instance-profile: goldseed-seed}
    recipes:
      - greeting: {text: Hello}
    # The deadline is in scaled time too, and must not end a test on a busy machine.
    watch: {soak: 1m, good: 3, of: 4, deadline: 12h}
"#;

const RECIPE: &str = "recipe: 1
name: greeting
summary: A greeting for whoever logs in
params:
  text: {type: string, help: one line}
steps:
  - file: {path: /etc/motd, content: \"${{ text }}\\n\"}
verify:
  - command: {run: cat /etc/motd, contains: \"${{ text }}\"}
";

/// Tells whether an operation changes something, by what it is called: what is not named here only looks.
pub(crate) fn changes(operation: &str) -> bool {
    let looks = ["Describe", "Get", "List", "Check", "Validate"];
    !looks.iter().any(|verb| operation.starts_with(verb))
}

/// Tells whether a request changes something.
pub(crate) fn mutates(request: &RequestSeen) -> bool {
    let rehearses = request.parameters["DryRun"] == "true";
    changes(&request.operation) && !rehearses
}

/// How an environment is made.
#[derive(Clone, Debug)]
pub(crate) struct EnvironmentKind {
    tier: (&'static str, &'static str),
    settings: BTreeMap<(&'static str, &'static str), String>,
}

impl Default for EnvironmentKind {
    /// Two instances behind a load balancer, replaced one after the other as their health allows.
    fn default() -> Self {
        let kind = Self {
            tier: ("WebServer", "Standard"),
            settings: BTreeMap::new(),
        };
        kind.set(KIND, "EnvironmentType", "LoadBalanced")
            .set("aws:autoscaling:asg", "MinSize", "2")
            .set("aws:autoscaling:asg", "MaxSize", "4")
            .set(ROLLING, "RollingUpdateEnabled", "true")
            .set(ROLLING, "RollingUpdateType", "Health")
            .set(ROLLING, "MaxBatchSize", "1")
            .set(ROLLING, "MinInstancesInService", "1")
            .set(
                "aws:elasticbeanstalk:healthreporting:system",
                "SystemType",
                "enhanced",
            )
            .set("aws:ec2:instances", "InstanceTypes", "t3.small")
    }
}

impl EnvironmentKind {
    /// With an option set.
    pub(crate) fn set(
        mut self,
        namespace: &'static str,
        option: &'static str,
        value: &str,
    ) -> Self {
        self.settings.insert((namespace, option), value.to_owned());
        self
    }

    /// One that works on a queue.
    pub(crate) fn worker(mut self) -> Self {
        self.tier = ("Worker", "SQS/HTTP");
        self
    }
}

/// The world of one test.
pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    runtime: Runtime,
    folder: tempfile::TempDir,
    /// Without TLS: reading the machine's root certificates takes longer than most tests.
    http: SharedHttpClient,
}

impl World {
    /// A sandbox with the environment `shop-prod`, and a project for it.
    pub(crate) fn new() -> Self {
        Self::with(&EnvironmentKind::default())
    }

    /// A sandbox with an environment of this kind, and a project for it.
    pub(crate) fn with(kind: &EnvironmentKind) -> Self {
        let world = Self::empty();
        world.make_environment(kind);
        world
    }

    /// A sandbox in which there is nothing, and a project.
    pub(crate) fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let options = Options::simulated(folder.path().join("sandbox"));
        let sandbox = runtime.block_on(Sandbox::start(options)).unwrap();
        let world = Self {
            sandbox,
            runtime,
            folder,
            http: aws_smithy_http_client::Builder::new().build_http(),
        };
        for part in ["project/recipes", "home", "tmp"] {
            fs_err::create_dir_all(world.folder.path().join(part)).unwrap();
        }
        world.write("goldseed.yaml", SETTINGS);
        world.write("recipes/greeting.yaml", RECIPE);
        world
    }

    /// The folder of the project.
    pub(crate) fn project(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    /// Writes a file of the project.
    pub(crate) fn write(&self, name: &str, text: &str) {
        fs_err::write(self.project().join(name), text).unwrap();
    }

    /// Changes the project's settings.
    pub(crate) fn edit(&self, from: &str, to: &str) {
        let text = fs_err::read_to_string(self.project().join("goldseed.yaml")).unwrap();
        assert!(text.contains(from), "{from} is not in the settings");
        self.write("goldseed.yaml", &text.replace(from, to));
    }

    /// Makes `shop-prod` and waits until it is ready.
    pub(crate) fn make_environment(&self, kind: &EnvironmentKind) {
        self.make_environment_named(ENVIRONMENT, kind);
    }

    /// Makes an environment of this name and waits until it is ready.
    pub(crate) fn make_environment_named(&self, name: &str, kind: &EnvironmentKind) {
        let client = self.beanstalk();
        let tier = beanstalk::types::EnvironmentTier::builder()
            .name(kind.tier.0)
            .r#type(kind.tier.1)
            .build();
        let settings = kind.settings.iter().map(|((namespace, option), value)| {
            ConfigurationOptionSetting::builder()
                .namespace(*namespace)
                .option_name(*option)
                .value(value)
                .build()
        });
        self.wait_for(async {
            // It is there already where an environment is made anew.
            drop(
                client
                    .create_application()
                    .application_name("shop")
                    .send()
                    .await,
            );
            client
                .create_environment()
                .application_name("shop")
                .environment_name(name)
                .platform_arn(PLATFORM)
                .tier(tier)
                .set_option_settings(Some(settings.collect()))
                .send()
                .await
                .unwrap();
        });
        self.until_ready_named(name);
    }

    /// Changes the environment's options, as a colleague would, and waits until that is done.
    pub(crate) fn change_environment(&self, options: &[(&str, &str, &str)]) {
        self.begin_change(options);
        self.until_ready();
    }

    /// Changes the environment's options and does not wait.
    pub(crate) fn begin_change(&self, options: &[(&str, &str, &str)]) {
        let settings = options.iter().map(|(namespace, option, value)| {
            ConfigurationOptionSetting::builder()
                .namespace(*namespace)
                .option_name(*option)
                .value(*value)
                .build()
        });
        let call = self
            .beanstalk()
            .update_environment()
            .environment_name(ENVIRONMENT)
            .set_option_settings(Some(settings.collect()));
        self.wait_for(call.send()).unwrap();
    }

    /// Takes the environment to another platform version, and waits until that is done.
    pub(crate) fn change_platform(&self, arn: &str) {
        let call = self
            .beanstalk()
            .update_environment()
            .environment_name(ENVIRONMENT)
            .platform_arn(arn);
        self.wait_for(call.send()).unwrap();
        self.until_ready();
    }

    /// Terminates the environment and makes another of the same name.
    pub(crate) fn replace_environment(&self) {
        let client = self.beanstalk();
        self.wait_for(async {
            client
                .terminate_environment()
                .environment_name(ENVIRONMENT)
                .send()
                .await
                .unwrap();
            for _ in 0..500 {
                let answer = client
                    .describe_environments()
                    .environment_names(ENVIRONMENT)
                    .send();
                if answer.await.unwrap().environments().is_empty() {
                    return;
                }
            }
            panic!("{ENVIRONMENT} is still there after 500 looks");
        });
        self.make_environment(&EnvironmentKind::default());
    }

    /// Waits until no request is under way: what a process had asked for before it was killed is done or refused then.
    pub(crate) fn until_served(&self) {
        let served = self
            .wait_for(async { tokio::time::timeout(PATIENCE, self.sandbox.until_served()).await });
        served.expect("a request is under way all the time");
    }

    /// Waits until an image is made.
    pub(crate) fn until_available(&self, id: &str) {
        let client = self.ec2();
        self.wait_for(async {
            for _ in 0..500 {
                let answer = client.describe_images().image_ids(id).send().await.unwrap();
                let state = answer
                    .images()
                    .first()
                    .and_then(|image| image.state().cloned());
                if state == Some(aws_sdk_ec2::types::ImageState::Available) {
                    return;
                }
            }
            panic!("{id} is not available after 500 looks");
        });
    }

    /// Creates a parameter.
    pub(crate) fn put_parameter(&self, name: &str, value: &str) {
        let call = self
            .ssm()
            .put_parameter()
            .name(name)
            .value(value)
            .r#type(aws_sdk_ssm::types::ParameterType::String);
        self.wait_for(call.send()).unwrap();
    }

    /// Waits until the environment is ready.
    pub(crate) fn until_ready(&self) {
        self.until_ready_named(ENVIRONMENT);
    }

    /// Waits until the environment of this name is ready.
    fn until_ready_named(&self, name: &str) {
        let client = self.beanstalk();
        self.wait_for(async {
            // Each look brings the simulated environment a step on.
            for _ in 0..500 {
                let answer = client
                    .describe_environments()
                    .environment_names(name)
                    .send()
                    .await;
                let answer = answer.unwrap();
                let status = answer
                    .environments()
                    .first()
                    .and_then(|one| one.status().cloned());
                if status == Some(EnvironmentStatus::Ready) {
                    return;
                }
            }
            panic!("{name} is not ready after 500 looks");
        });
    }

    /// A client of Beanstalk.
    pub(crate) fn beanstalk(&self) -> beanstalk::Client {
        let config = beanstalk::Config::builder()
            .behavior_version_latest()
            .endpoint_url(self.sandbox.endpoint())
            .http_client(self.http.clone())
            .region(beanstalk::config::Region::new("eu-central-1"))
            .credentials_provider(credentials());
        beanstalk::Client::from_conf(config.build())
    }

    /// A client of EC2.
    pub(crate) fn ec2(&self) -> aws_sdk_ec2::Client {
        let config = aws_sdk_ec2::Config::builder()
            .behavior_version_latest()
            .endpoint_url(self.sandbox.endpoint())
            .http_client(self.http.clone())
            .region(aws_sdk_ec2::config::Region::new("eu-central-1"))
            .credentials_provider(credentials());
        aws_sdk_ec2::Client::from_conf(config.build())
    }

    /// A client of Systems Manager.
    pub(crate) fn ssm(&self) -> aws_sdk_ssm::Client {
        let config = aws_sdk_ssm::Config::builder()
            .behavior_version_latest()
            .endpoint_url(self.sandbox.endpoint())
            .http_client(self.http.clone())
            .region(aws_sdk_ssm::config::Region::new("eu-central-1"))
            .credentials_provider(credentials());
        aws_sdk_ssm::Client::from_conf(config.build())
    }

    /// Waits for what a client asks.
    pub(crate) fn wait_for<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// The binary with its arguments, not started yet.
    pub(crate) fn goldseed<const N: usize>(&self, arguments: [&str; N]) -> Goldseed<'_> {
        let mut command = tokio::process::Command::new(output::binary());
        command
            .args(arguments)
            .env_clear()
            .current_dir(self.project())
            .env("HOME", self.folder.path().join("home"))
            .env("TMPDIR", self.folder.path().join("tmp"))
            .env("TZ", "UTC")
            .env("COLUMNS", "100")
            .env("NO_COLOR", "1")
            .env("LOGNAME", "ada")
            .env("GOLDSEED_PACE", "0.001")
            .env("AWS_ENDPOINT_URL", self.sandbox.endpoint())
            .env("AWS_REGION", "eu-central-1")
            .env("AWS_ACCESS_KEY_ID", "AKIATEST")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        Goldseed {
            world: self,
            command,
        }
    }

    /// Runs the binary to its end.
    pub(crate) fn run<const N: usize>(&self, arguments: [&str; N]) -> Output {
        self.goldseed(arguments).run()
    }

    /// Runs the binary and has it succeed.
    pub(crate) fn succeed<const N: usize>(&self, arguments: [&str; N]) -> Output {
        let output = self.run(arguments);
        assert_eq!(
            output.code,
            Some(0),
            "{arguments:?}:\n{}{}",
            output.stdout,
            output.stderr
        );
        output
    }

    /// All requests that this operation was asked by.
    pub(crate) fn count(&self, operation: &str) -> usize {
        self.sandbox
            .requests()
            .iter()
            .filter(|request| request.operation == operation)
            .count()
    }

    /// Signals the process when an operation is asked for, and loses that request or its answer; from then on the
    /// operation cannot be reached, until the hook is replaced.
    pub(crate) fn signal_at(
        &self,
        pid: &Arc<OnceLock<u32>>,
        signal: &'static str,
        lost: Fate,
        at: impl Fn(&Request) -> bool + Send + Sync + 'static,
    ) {
        let pid = Arc::clone(pid);
        let sent = Mutex::new(false);
        self.sandbox.set_hook(Some(Hook::new(move |request| {
            if !at(request) {
                return Fate::Serve;
            }
            let mut sent = sent.lock().unwrap();
            if std::mem::replace(&mut *sent, true) {
                return Fate::LoseRequest;
            }
            send_signal(*pid.wait(), signal);
            lost.clone()
        })));
    }

    /// The environment as the sandbox has it.
    pub(crate) fn environment(&self) -> serde_json::Value {
        let environments = self.list("environments");
        environments
            .into_iter()
            .find(|one| one["status"] != "Terminated" && one["name"] == ENVIRONMENT)
            .unwrap()
    }

    /// The environment's `ImageId`, if one is set.
    pub(crate) fn base_image(&self) -> Option<String> {
        let environment = self.environment();
        let settings = environment["settings"].as_array().unwrap();
        settings
            .iter()
            .find(|option| option[0] == LAUNCH && option[1] == "ImageId")
            .map(|option| option[2].as_str().unwrap().to_owned())
    }

    /// The images that the environment's members run.
    pub(crate) fn member_images(&self) -> Vec<String> {
        let environment = self.environment();
        let members = environment["members"].as_array().unwrap();
        let instances = self.list("instances");
        members
            .iter()
            .map(|id| instances.iter().find(|one| one["id"] == *id).unwrap())
            .map(|instance| instance["image"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The images that have this role, the oldest first.
    pub(crate) fn images(&self, role: &str) -> Vec<Image> {
        let mut found: Vec<Image> = self
            .list("images")
            .iter()
            .filter(|image| image["tags"]["goldseed:role"] == role)
            .map(|image| Image {
                id: image["id"].as_str().unwrap().to_owned(),
                state: image["state"].as_str().unwrap().to_owned(),
                tags: serde_json::from_value(image["tags"].clone()).unwrap(),
            })
            .collect();
        // The names of runs that begin in one second are in any order: of golden images the generation tells.
        found.sort_by_key(|image| {
            let generation = image.tags.get("goldseed:generation");
            let generation = generation.and_then(|text| text.parse::<u32>().ok());
            (generation, image.tags["goldseed:run"].clone())
        });
        found
    }

    /// A golden image.
    pub(crate) fn image(&self, id: &str) -> Image {
        self.images("golden")
            .into_iter()
            .find(|image| image.id == id)
            .unwrap()
    }

    /// How many machines were launched for us.
    pub(crate) fn launches(&self) -> usize {
        self.list("instances")
            .iter()
            .filter(|one| one["tags"]["goldseed:role"].is_string())
            .count()
    }

    /// The instances of ours that are not terminated, by role.
    pub(crate) fn machines(&self) -> Vec<String> {
        self.list("instances")
            .iter()
            .filter(|one| one["state"] != "terminated" && one["state"] != "shutting-down")
            .filter_map(|one| one["tags"]["goldseed:role"].as_str().map(ToOwned::to_owned))
            .collect()
    }

    /// The newest instance of a role that is not terminated.
    pub(crate) fn machine(&self, role: &str) -> String {
        let list = self.list("instances");
        let ours = list.iter().filter(|one| {
            let gone = one["state"] == "terminated" || one["state"] == "shutting-down";
            one["tags"]["goldseed:role"] == role && !gone
        });
        let [only] = ours.collect::<Vec<_>>().try_into().unwrap();
        only["id"].as_str().unwrap().to_owned()
    }

    /// Waits until an instance is in a state; each look brings a simulated one a step on.
    pub(crate) fn until_instance(&self, id: &str, wanted: &str) {
        let client = self.ec2();
        self.wait_for(async {
            for _ in 0..500 {
                let answer = client.describe_instances().instance_ids(id).send().await;
                let answer = answer.unwrap();
                let state = answer.reservations()[0].instances()[0].state();
                if state
                    .and_then(|state| state.name())
                    .map(aws_sdk_ec2::types::InstanceStateName::as_str)
                    == Some(wanted)
                {
                    return;
                }
            }
            panic!("{id} is not {wanted} after 500 looks");
        });
    }

    /// Runs the binary; as soon as it asks for this, something else changes before it is answered. What is asked again
    /// because that took long waits as well.
    pub(crate) fn meanwhile<const N: usize>(
        &self,
        arguments: [&str; N],
        at: impl Fn(&Request) -> bool + Send + Sync + 'static,
        change: impl FnOnce(),
    ) -> Output {
        let (asks, asked) = std::sync::mpsc::channel::<()>();
        let (goes, going) = std::sync::mpsc::channel::<()>();
        let going = Mutex::new(going);
        self.sandbox.set_hook(Some(Hook::new(move |request| {
            if at(request) {
                tokio::task::block_in_place(|| {
                    asks.send(()).ok();
                    going.lock().unwrap().recv_timeout(PATIENCE).ok();
                });
            }
            Fate::Serve
        })));
        let output = std::thread::scope(|scope| {
            let run = scope.spawn(|| self.run(arguments));
            let asked = asked.recv_timeout(PATIENCE);
            asked.expect("it was never asked for");
            change();
            drop(goes);
            run.join().unwrap()
        });
        self.sandbox.set_hook(None);
        output
    }

    /// The parameters by name: the values of all versions, oldest first.
    pub(crate) fn parameters(&self) -> BTreeMap<String, Vec<String>> {
        self.list("parameters")
            .iter()
            .map(|one| {
                let versions = serde_json::from_value(one["versions"].clone()).unwrap();
                (one["name"].as_str().unwrap().to_owned(), versions)
            })
            .collect()
    }

    fn list(&self, kind: &str) -> Vec<serde_json::Value> {
        self.sandbox.world()[kind].as_array().unwrap().clone()
    }
}

fn credentials() -> aws_credential_types::Credentials {
    aws_credential_types::Credentials::new("AKIATEST", "test", None, None, "test")
}

/// Sends a signal to a process of ours.
pub(crate) fn send_signal(pid: u32, signal: &str) {
    let sent = std::process::Command::new("/bin/sh")
        .args(["-c", "kill -s \"$0\" \"$1\"", signal, &pid.to_string()])
        .status()
        .unwrap();
    assert!(
        sent.success(),
        "the process {pid} is not there to be signalled"
    );
}

/// An image of ours.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    pub(crate) id: String,
    pub(crate) tags: BTreeMap<String, String>,
    state: String,
}

impl Image {
    /// Tells whether it is still there.
    pub(crate) fn is_usable(&self) -> bool {
        self.state == "available"
    }
}

impl World {
    /// What the project's pipeline would do, as the binary works it out too.
    pub(crate) fn plan(&self) -> goldseed::pipeline::Plan {
        let settings = goldseed::settings::Settings::load(&self.project().join("goldseed.yaml"));
        let library = goldseed::recipe::Library::new(Some(self.project()));
        goldseed::pipeline::Plan::make(&settings.unwrap(), "shop", &library).unwrap()
    }

    /// Lets the recipes fail on the seed at their first step, once, after it has printed these lines.
    pub(crate) fn fail_recipes_once(&self, lines: &[&str]) {
        self.fail_once(&self.plan().apply, "apply", lines);
    }

    /// The first step of a script fails at its first run, in the unit whose name ends so.
    pub(crate) fn fail_once(&self, script: &goldseed::recipe::Script, unit: &str, lines: &[&str]) {
        let end = format!("-{unit}-a1");
        let marker = &script.digest.as_str()[..8];
        let step = &script.steps[0].id;
        let log = format!(
            "@@{marker} 100 {step} start\n{}\n@@{marker} 200 {step} failed 3\n",
            lines.join("\n")
        );
        let data = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &log);
        let answer = |fresh: &str| {
            format!(
                "goldseed 1\nstate finished\ncode 1\nfresh {fresh}\noffset {}\ndata {data}\n",
                log.len()
            )
        };
        let is_first = move |script: &str| {
            let second = script.lines().nth(1);
            second.is_some_and(|line| line.starts_with("# goldseed start ") && line.ends_with(&end))
        };
        self.sandbox
            .script_result(is_first.clone(), 0, &answer("no"));
        let started = Mutex::new(false);
        let once = move |script: &str| {
            is_first(script) && !std::mem::replace(&mut *started.lock().unwrap(), true)
        };
        self.sandbox.script_result(once, 0, &answer("yes"));
    }
}

/// A hook that gives every request that `fits` this fate when it comes for the first time; what is sent again is served.
pub(crate) fn every_first(
    fits: impl Fn(&Request) -> bool + Send + Sync + 'static,
    fate: impl Fn(&Request) -> Fate + Send + Sync + 'static,
) -> Hook {
    let seen = Mutex::new(BTreeSet::new());
    Hook::new(move |request| {
        if !fits(request) {
            return Fate::Serve;
        }
        let key = format!("{} {}", request.operation, request.parameters);
        if seen.lock().unwrap().insert(key) {
            fate(request)
        } else {
            Fate::Serve
        }
    })
}
