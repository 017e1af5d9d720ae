//! Machines that are containers, with systemd as their first process.
//!
//! An instance is a container, an image is a committed container image (`goldseed/<ami-id>`), and stopping is systemd's
//! own shutdown. The images carry what disks carry: machine id, host keys, caches, everything. What a machine knows of
//! its host is mounted under `/run` (see `node`) and is in no image.
//!
//! The programs, the stock images and the folder of packages come from `scripts/setup`, which also finds out the flags
//! that containers need here. Everything that is made is labelled `goldseed.sandbox=<digest of the state folder>`; what a sandbox that
//! died left behind under that label is removed when the next one starts with the same folder.

mod agent;
mod engine;
mod error;
mod network;
mod node;
mod removal;
mod storage;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest as _, Sha256};
use tokio::net::UnixStream;
use tokio::task::AbortHandle;

use self::engine::Engine;
pub(crate) use self::error::ContainersError;
use self::network::Network;
use self::node::NodeFolder;
use self::removal::{remove_container, remove_folder, remove_labelled};
use super::{CommandOutcome, LaunchSpec, Launched, MachineError, RunCommand};

/// Where `scripts/setup` keeps what it made beside the images.
pub(crate) const KEPT: &str = "/var/lib/goldseed-sandbox";
/// The image of a PHP platform as Beanstalk's stock AMI has it, made by `scripts/setup`.
pub(crate) const PLATFORM_PHP: &str = "goldseed/platform-php";

/// How long a machine has to shut down before it is cut off, in seconds; systemd's own patience with a unit is 90.
const SHUTDOWN_SECONDS: &str = "100";

/// Serves one connection of a machine (its instance id) to 169.254.169.254:80.
pub(crate) type NodeServer = Arc<dyn Fn(String, UnixStream) + Send + Sync>;

/// How the machines of a sandbox are set up.
#[derive(Clone, Debug)]
pub(crate) struct ContainersOptions {
    /// The sandbox's folder; it also names and labels everything that is made.
    pub(crate) state: PathBuf,
    /// Where `scripts/setup` keeps its files: [`KEPT`].
    pub(crate) kept: PathBuf,
    /// The container images of stock AMIs, by AMI id.
    pub(crate) stock: HashMap<String, String>,
}

/// The machines of a sandbox; cheap to clone.
#[derive(Clone)]
pub(crate) struct Containers {
    inner: Arc<Inner>,
}

struct Inner {
    engine: Engine,
    state: PathBuf,
    packages: PathBuf,
    stock: HashMap<String, String>,
    server: NodeServer,
    /// `goldseed.sandbox=…`
    label: String,
    /// Tells the containers and images of this sandbox from those of others.
    tag: String,
    network: Mutex<Network>,
    nodes: Mutex<BTreeMap<String, Arc<Node>>>,
}

/// What is remembered of a machine.
struct Node {
    folder: NodeFolder,
    region: String,
    address: IpAddr,
    listener: AbortHandle,
}

impl fmt::Debug for Containers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Containers")
            .field("engine", &self.inner.engine)
            .field("label", &self.inner.label)
            .finish_non_exhaustive()
    }
}

impl Containers {
    /// Looks at the engine, removes what an earlier sandbox of the same folder left, and makes the network.
    pub(crate) async fn open(
        options: ContainersOptions,
        server: NodeServer,
    ) -> Result<Self, ContainersError> {
        let engine = Engine::read(&options.kept)?;
        engine.probe(PLATFORM_PHP).await?;
        fs_err::create_dir_all(&options.state)?;
        let state = fs_err::canonicalize(&options.state)?;
        let tag = short_digest(&state);
        let label = format!("goldseed.sandbox={tag}");
        remove_labelled(&engine, &label).await?;
        for leftover in ["nodes", "file-systems"] {
            remove_folder(&state.join(leftover))?;
        }
        fs_err::create_dir_all(state.join("file-systems"))?;
        let network = Network::create(&engine, &format!("goldseed-{tag}"), &label).await?;
        Ok(Self {
            inner: Arc::new(Inner {
                engine,
                packages: options.kept.join("packages"),
                stock: options.stock,
                server,
                network: Mutex::new(network),
                nodes: Mutex::default(),
                state,
                label,
                tag,
            }),
        })
    }

    /// Removes every machine, image, database and file of this sandbox's machines, and the network.
    pub(crate) async fn close(&self) -> Result<(), MachineError> {
        for (_, node) in std::mem::take(&mut *lock(&self.inner.nodes)) {
            node.listener.abort();
        }
        remove_labelled(&self.inner.engine, &self.inner.label).await?;
        for folder in ["nodes", "file-systems"] {
            remove_folder(&self.inner.state.join(folder))?;
        }
        Ok(())
    }

    /// Starts a machine from an image; returns when its first process runs. Its user data is fetched by itself.
    pub(crate) async fn launch(&self, spec: LaunchSpec) -> Result<Launched, MachineError> {
        Ok(self.launch_container(spec).await?)
    }

    async fn launch_container(&self, spec: LaunchSpec) -> Result<Launched, ContainersError> {
        let inner = &self.inner;
        let id = spec.instance_id;
        let folder = NodeFolder::new(&inner.state, &id);
        folder.prepare(&spec.region)?;
        let listener = folder.serve(&id, &inner.server)?;
        let (network, address) = {
            let mut network = self.network();
            let address = network.machine(spec.private_ip.as_deref())?;
            (network.name().to_owned(), address)
        };
        let hostname = format!("ip-{}", address.to_string().replace('.', "-"));

        let container = self.container(&id);
        let mut arguments = ["run", "--detach", "--pull=never", "--name", &container]
            .map(str::to_owned)
            .to_vec();
        arguments.extend_from_slice(inner.engine.flags());
        arguments.extend(folder.mounts());
        let file_systems = inner.file_systems();
        arguments.extend(
            [
                "--volume",
                &format!("{}:/run/sandbox/file-systems", file_systems.display()),
                "--volume",
                &format!("{}:/run/sandbox/packages:ro", inner.packages.display()),
                "--label",
                &inner.label,
                "--label",
                &format!("goldseed.instance={id}"),
                "--label",
                &format!("goldseed.state={}", inner.state.display()),
                "--hostname",
                &hostname,
                // cloud-init looks up names that should not exist; where no network is, that takes 30 s otherwise.
                "--dns-option",
                "timeout:1",
                "--dns-option",
                "attempts:2",
                "--network",
                &network,
                "--ip",
                &address.to_string(),
                &self.image_reference(&spec.image_id),
            ]
            .map(str::to_owned),
        );
        arguments.extend(inner.engine.first_process());

        let node = Node {
            folder,
            region: spec.region,
            address,
            listener,
        };
        lock(&inner.nodes).insert(id.clone(), Arc::new(node));
        if let Err(error) = inner.engine.run(&arguments).await {
            // The refusal is what matters; a container that was made but not started goes with the rest.
            drop(self.remove(&id).await);
            return Err(error);
        }
        Ok(Launched {
            address: Some(address),
        })
    }

    /// Boots a machine that was stopped; it keeps its address.
    pub(crate) async fn start(&self, instance_id: &str) -> Result<Launched, MachineError> {
        let node = self.node(instance_id)?;
        node.folder.prepare(&node.region)?;
        let container = self.container(instance_id);
        self.inner.engine.run(["start", &container]).await?;
        Ok(Launched {
            address: Some(node.address),
        })
    }

    /// Shuts a machine down, with all that its units do at that; its disk stays.
    pub(crate) async fn stop(&self, instance_id: &str) -> Result<(), MachineError> {
        self.node(instance_id)?;
        let container = self.container(instance_id);
        let engine = &self.inner.engine;
        engine
            .run(["stop", "--time", SHUTDOWN_SECONDS, &container])
            .await?;
        Ok(())
    }

    /// Removes a machine with its disk; one that is gone already is no error.
    pub(crate) async fn terminate(&self, instance_id: &str) -> Result<(), MachineError> {
        Ok(self.remove(instance_id).await?)
    }

    async fn remove(&self, instance_id: &str) -> Result<(), ContainersError> {
        let Some(node) = lock(&self.inner.nodes).remove(instance_id) else {
            return Ok(());
        };
        node.listener.abort();
        remove_container(&self.inner.engine, &self.container(instance_id)).await?;
        self.network().release(node.address);
        node.folder.remove()
    }

    /// Makes an image of a machine's disk, running or not.
    pub(crate) async fn capture(
        &self,
        instance_id: &str,
        image_id: &str,
    ) -> Result<(), MachineError> {
        self.node(instance_id)?;
        let arguments = [
            "commit",
            "--pause=false",
            "--change",
            &format!("LABEL {}", self.inner.label),
            &self.container(instance_id),
            &self.image_reference(image_id),
        ];
        self.inner.engine.run(arguments).await?;
        Ok(())
    }

    /// Removes an image; machines that were started from it go on.
    pub(crate) async fn discard(&self, image_id: &str) -> Result<(), MachineError> {
        if self.inner.stock.contains_key(image_id) {
            return Ok(());
        }
        let engine = &self.inner.engine;
        let reference = self.image_reference(image_id);
        if engine.run(["rmi", &reference]).await.is_err() {
            engine.unname(&reference).await?;
        }
        Ok(())
    }

    /// Runs a script on a machine, to its end, as the agent of Systems Manager does.
    pub(crate) async fn run_command(
        &self,
        instance_id: &str,
        command: RunCommand,
    ) -> Result<CommandOutcome, MachineError> {
        Ok(self.run_script(instance_id, &command).await?)
    }

    /// The container image behind an AMI.
    fn image_reference(&self, image_id: &str) -> String {
        self.inner
            .stock
            .get(image_id)
            .cloned()
            .unwrap_or_else(|| format!("goldseed/{image_id}:{}", self.inner.tag))
    }

    fn container(&self, instance_id: &str) -> String {
        format!("goldseed-{}-{instance_id}", self.inner.tag)
    }

    fn node(&self, instance_id: &str) -> Result<Arc<Node>, ContainersError> {
        lock(&self.inner.nodes)
            .get(instance_id)
            .cloned()
            .ok_or_else(|| ContainersError::NoMachine(instance_id.to_owned()))
    }

    fn network(&self) -> MutexGuard<'_, Network> {
        lock(&self.inner.network)
    }
}

impl Inner {
    fn file_systems(&self) -> PathBuf {
        self.state.join("file-systems")
    }
}

/// The first eight hexadecimal digits of a path's SHA-256.
fn short_digest(path: &Path) -> String {
    let digest: [u8; 32] = Sha256::digest(path.as_os_str().as_encoded_bytes()).into();
    let [a, b, c, d, ..] = digest;
    format!("{:08x}", u32::from_be_bytes([a, b, c, d]))
}

/// Locks; a thread that panicked with the lock cannot leave a state that is worse than its own.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
