//! A local AWS: EC2, Elastic Beanstalk, Systems Manager and STS in their real wire protocols, with machines behind
//! them that are containers or simulated.
//!
//! It is for rehearsal and tests, listens on loopback, and shares no code with the rest of the crate: were it to
//! share a type with `cloud`, a wrong field name would cancel out and a rehearsal would prove nothing.
//!
//! One request goes this way: `server` reads it, `dispatch` finds service and operation and asks the test's hook for
//! its fate, a handler of `ec2`, `beanstalk`, `ssm`, `parameters` or `sts` changes the one `State` under its lock and
//! leaves jobs for the machines, `jobs` does them. Nothing is awaited under the lock.

mod balancer;
mod beanstalk;
mod clock;
mod core;
mod demo;
mod dispatch;
mod ec2;
mod engine;
mod error;
mod faults;
mod folder;
mod gate;
mod jobs;
mod machines;
mod metadata;
mod parameters;
mod secrets;
mod server;
mod ssm;
mod state;
mod storage;
mod sts;
mod wire;
mod world;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

pub use self::beanstalk::behaviour::Behaviour;
use self::beanstalk::environments::ManagedAction;
pub use self::core::RequestSeen;
use self::core::{Core, WeakCore};
pub use self::demo::DemoWorld;
pub use self::ec2::routes::WayOut;
pub use self::error::SandboxError;
pub use self::faults::{Fate, Hook, Request};
use self::folder::Folder;
pub use self::gate::AccessKey;
use self::machines::containers::{ContainersOptions, KEPT, PLATFORM_PHP};
use self::machines::{CommandOutcome, Containers, Machines, Simulated};
pub use self::wire::Service;

/// What stands behind the instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MachineKind {
    /// Nothing: states advance by polls counted, commands succeed without doing anything.
    Simulated,
    /// Containers with systemd as their first process: commands really run.
    Containers,
}

/// How a sandbox is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens; port 0 takes any that is free.
    pub listen: SocketAddr,
    /// What stands behind the instances.
    pub machines: MachineKind,
    /// The factor by which the durations of real AWS are scaled (containers only).
    pub pace: f64,
    /// The folder for what is kept: the objects of the storage.
    pub state: PathBuf,
    /// The region that it plays.
    pub region: String,
    /// The account that it plays.
    pub account: String,
    /// The only access key that is served on the public port. None: one is drawn where machines are containers, for who may
    /// start one is root there; any key is served where they are simulated.
    pub access_key: Option<AccessKey>,
    /// Whether it may listen where other computers reach it.
    pub exposed: bool,
    /// Decides the fate of each request.
    pub hook: Option<Hook>,
}

impl Options {
    /// A sandbox with simulated machines on any free port, which keeps its files in `state`.
    pub fn simulated(state: impl Into<PathBuf>) -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            machines: MachineKind::Simulated,
            pace: 1.0,
            state: state.into(),
            region: "eu-central-1".to_owned(),
            account: "123456789012".to_owned(),
            access_key: None,
            exposed: false,
            hook: None,
        }
    }
}

/// A running sandbox. Dropping it stops it without waiting for its machines.
#[derive(Debug)]
pub struct Sandbox {
    core: Core,
    address: SocketAddr,
    tasks: Vec<tokio::task::JoinHandle<()>>,
    /// Held until the machines and their files are removed.
    _folder: Folder,
}

impl Sandbox {
    /// Starts a sandbox: returns when it takes requests. What an earlier one left in the folder is removed once this one has
    /// its port and the folder to itself.
    pub async fn start(mut options: Options) -> Result<Self, SandboxError> {
        if !(options.pace.is_finite() && options.pace > 0.0) {
            return Err(SandboxError::Pace(options.pace));
        }
        let listen = options.listen;
        if !options.exposed && !gate::is_private(&listen) {
            return Err(SandboxError::Exposed(listen));
        }
        let refused = |source| SandboxError::Listen {
            address: listen,
            source,
        };
        let listener = tokio::net::TcpListener::bind(listen)
            .await
            .map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let folder = Folder::take(&options.state)?;
        let handle = Arc::new(OnceLock::new());
        let machines = match options.machines {
            MachineKind::Simulated => Machines::Simulated(Simulated::default()),
            MachineKind::Containers => {
                if options.access_key.is_none() {
                    options.access_key = Some(AccessKey::random().map_err(SandboxError::Random)?);
                }
                Machines::Containers(containers(&options, &handle).await?)
            }
        };
        let core = Core::new(options, machines);
        drop(handle.set(core.downgrade()));
        let mut tasks = vec![tokio::spawn(server::serve(core.clone(), listener))];
        if let Some(tick) = core.tick() {
            tasks.push(tokio::spawn(jobs::advance_every(core.clone(), tick)));
        }
        Ok(Self {
            core,
            address,
            tasks,
            _folder: folder,
        })
    }

    /// The access key id and the secret access key that clients must have; none where any are good.
    pub fn access_key(&self) -> Option<(String, String)> {
        let key = self.core.options().access_key.as_ref()?;
        Some((key.id.clone(), key.secret.clone()))
    }

    /// The address that clients are pointed at, as `AWS_ENDPOINT_URL`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops serving, terminates the machines and waits for them.
    pub async fn stop(self) {
        for task in &self.tasks {
            task.abort();
        }
        self.core.close().await;
    }

    /// Makes the demo world: an EFS file system, a database with its password as a parameter, an application and an
    /// environment that is being launched when this returns. `bundle` is the application version, a zip file.
    ///
    /// # Errors
    /// Simulated machines, which have neither disks nor a database, and what could not be made.
    pub async fn make_demo(&self, bundle: Vec<u8>) -> Result<DemoWorld, SandboxError> {
        let containers = self.containers()?;
        let options = demo::DemoOptions {
            client: self.client(),
            account: self.core.options().account.clone(),
            platform_arn: beanstalk::platforms::Platform::newest().arn(&self.core.options().region),
            instance_profile: "aws-elasticbeanstalk-ec2-role".to_owned(),
            bundle,
        };
        demo::make(containers, options)
            .await
            .map_err(|error| SandboxError::Demo(Box::new(error)))
    }

    /// The file system that [`make_file_system`](Self::make_file_system) makes.
    pub const FILE_SYSTEM: &'static str = demo::FILE_SYSTEM;
    /// The parameter that holds the password of `admin` on the database.
    pub const PASSWORD_PARAMETER: &'static str = demo::PASSWORD_PARAMETER;

    /// Makes a file system that machines can mount.
    ///
    /// # Errors
    /// Simulated machines, and what could not be made.
    pub fn make_file_system(&self) -> Result<(), SandboxError> {
        demo::file_system(self.containers()?).map_err(|error| SandboxError::Demo(Box::new(error)))
    }

    /// Starts a database and keeps the password of its user `admin` as a parameter. Returns its address.
    ///
    /// # Errors
    /// Simulated machines, and what could not be made.
    pub async fn make_database(&self) -> Result<std::net::IpAddr, SandboxError> {
        demo::database(self.containers()?, &self.client())
            .await
            .map_err(|error| SandboxError::Demo(Box::new(error)))
    }

    fn client(&self) -> demo::Client {
        let options = self.core.options();
        let key = options.access_key.as_ref();
        demo::Client {
            endpoint: self.address,
            region: options.region.clone(),
            key_id: key.map_or_else(|| "sandbox".to_owned(), |key| key.id.clone()),
        }
    }

    fn containers(&self) -> Result<&Containers, SandboxError> {
        match self.core.machines() {
            Machines::Containers(containers) => Ok(containers),
            Machines::Simulated(_) => Err(SandboxError::Simulated),
        }
    }

    /// The stock image of its newest platform, and a subnet: what a machine can be launched with.
    pub fn ground(&self) -> (String, String) {
        let image = beanstalk::platforms::Platform::newest().image.to_owned();
        let state = self.core.state();
        let subnet = state.subnets.first().map(|subnet| subnet.id.clone());
        (image, subnet.unwrap_or_default())
    }

    /// Waits until no request is under way: a client that was killed may have left one, which is done all the same.
    pub async fn until_served(&self) {
        self.core.until_served().await;
    }

    /// The requests that are done, in the order in which that was and without their secrets; at most the last 20,000.
    pub fn requests(&self) -> Vec<RequestSeen> {
        self.core.requests()
    }

    /// All that exists, without times: for comparing worlds.
    pub fn world(&self) -> serde_json::Value {
        world::describe(&self.core.state())
    }

    /// Replaces the hook that decides the fate of each request.
    pub fn set_hook(&self, hook: Option<Hook>) {
        self.core.set_hook(hook);
    }

    /// From now on a Run Command whose script `matcher` accepts ends with this exit code and output; the newest rule
    /// wins. Only for simulated machines.
    pub fn script_result(
        &self,
        matcher: impl Fn(&str) -> bool + Send + Sync + 'static,
        code: i32,
        output: &str,
    ) {
        if let Machines::Simulated(machines) = self.core.machines() {
            let outcome = CommandOutcome {
                code,
                stdout: output.to_owned(),
                ..CommandOutcome::default()
            };
            machines.set_result(matcher, outcome);
        }
    }

    /// Makes everything in Parameter Store so much older.
    pub fn age_parameters(&self, by: jiff::SignedDuration) {
        for parameter in self.core.state().parameters.values_mut() {
            for version in &mut parameter.versions {
                version.modified -= by;
            }
        }
    }

    /// Plans a managed platform update of an environment: `status` is `Scheduled`, `Pending` or `Running`. Says whether
    /// there is such an environment.
    pub fn plan_managed_update(
        &self,
        environment: &str,
        status: &str,
        at: jiff::Timestamp,
    ) -> bool {
        let mut state = self.core.state();
        let id = state.new_uuid();
        let found = state
            .environments
            .values_mut()
            .find(|one| one.exists() && one.name == environment);
        let Some(environment) = found else {
            return false;
        };
        environment.managed_actions.push(ManagedAction {
            id,
            kind: "PlatformUpdate".to_owned(),
            status: status.to_owned(),
            window: at,
        });
        true
    }

    /// From now on a Run Command whose script `matcher` accepts hangs: it shows as in progress for so many looks, and
    /// then as timed out; it does nothing. Only for simulated machines.
    pub fn script_hangs(&self, matcher: impl Fn(&str) -> bool + Send + Sync + 'static, looks: u32) {
        if let Machines::Simulated(machines) = self.core.machines() {
            machines.set_hanging(matcher, looks);
        }
    }

    /// From now on machines get out of the VPC like this, as far as it shows.
    pub fn set_way_out(&self, way_out: WayOut) {
        self.core.state().way_out = way_out;
    }

    /// From now on the account encrypts new volumes with this KMS key.
    pub fn encrypt_by_default(&self, key: &str) {
        self.core.state().default_key = Some(key.to_owned());
    }

    /// From now on the instances that run an image whose name or id contains `part` behave like this; the newest rule
    /// wins.
    pub fn behave(&self, part: &str, behaviour: Behaviour) {
        let mut state = self.core.state();
        state.behaviours.push((part.to_owned(), behaviour));
    }
}

/// Opens the container engine. Each machine reaches the sandbox over a socket of its own; the handle is filled once
/// the sandbox stands.
async fn containers(
    options: &Options,
    handle: &Arc<OnceLock<WeakCore>>,
) -> Result<Containers, SandboxError> {
    let handle = handle.clone();
    let server = Arc::new(move |instance_id: String, stream| {
        if let Some(core) = handle.get().and_then(WeakCore::upgrade) {
            tokio::spawn(server::serve_node(core, instance_id, stream));
        }
    });
    let stock = beanstalk::platforms::stock_image_ids()
        .map(|id| (id.to_owned(), PLATFORM_PHP.to_owned()))
        .collect();
    let options = ContainersOptions {
        state: options.state.clone(),
        kept: KEPT.into(),
        stock,
    };
    Containers::open(options, server)
        .await
        .map_err(|error| SandboxError::Machines(Box::new(error)))
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}
