//! What a machine gets from its host, in folders that are mounted under its `/run`: nothing of it is ever baked.
//!
//! * The units that make 169.254.169.254 answer: a network namespace of its own inside the machine, so that the
//!   machine's web server may take port 80 of all its addresses, and a socket there that is passed on to a Unix socket.
//!   So the socket tells which machine asks, and nothing listens on a network.
//! * The environment that makes every AWS client on the machine talk to that address.

use std::io;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::UnixListener;
use tokio::task::AbortHandle;

use super::super::super::clock;
use super::{ContainersError, NodeServer};

/// The folder of a machine, as it sees it: its metadata socket and the agent's results.
pub(super) const SEEN_AT: &str = "/run/sandbox/node";
/// What AWS clients on a machine are pointed at.
pub(super) const ENDPOINT: &str = "http://169.254.169.254";

/// The machine asks from the address that it has anyway; the namespace answers to whatever asks.
const ADDRESS_UNIT: &str = "\
[Unit]
Description=The address of the instance metadata service
DefaultDependencies=no
Before=sandbox-metadata.socket network-pre.target
Wants=network-pre.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/ip netns add sandbox
ExecStart=/bin/ip link add aws0 type veth peer name aws1 netns sandbox
ExecStart=/bin/ip -n sandbox address add 169.254.169.254/32 dev aws1
ExecStart=/bin/ip -n sandbox link set aws1 up
ExecStart=/bin/ip -n sandbox route add default dev aws1
ExecStart=/bin/ip link set aws0 up
ExecStart=/bin/ip route add 169.254.169.254/32 dev aws0
";

const SOCKET_UNIT: &str = "\
[Unit]
Description=The instance metadata service and the endpoints of AWS
DefaultDependencies=no
Requires=sandbox-address.service
After=sandbox-address.service
Before=cloud-init-local.service cloud-init.service

[Socket]
NetworkNamespacePath=/run/netns/sandbox
ListenStream=169.254.169.254:80
Backlog=128
";

const PROXY_UNIT: &str = "\
[Unit]
Description=The way to the instance metadata service
DefaultDependencies=no
Requires=sandbox-metadata.socket
After=sandbox-metadata.socket

[Service]
ExecStart=/lib/systemd/systemd-socket-proxyd /run/sandbox/node/metadata.socket
";

/// Draws the socket into every boot without a link, which a mounted folder could not carry on all engines.
const WANTED: &str = "[Unit]\nWants=sandbox-metadata.socket\n";

/// The folders of one machine on its host.
#[derive(Debug)]
pub(super) struct NodeFolder {
    root: PathBuf,
}

impl NodeFolder {
    /// The folders of a machine in the sandbox's state.
    pub(super) fn new(state: &Path, instance_id: &str) -> Self {
        Self {
            root: state.join("nodes").join(instance_id),
        }
    }

    /// Where the agent's results are.
    pub(super) fn results(&self) -> PathBuf {
        self.root.join("node")
    }

    /// Writes the folders anew, as the memory of a machine is new on each boot.
    pub(super) fn prepare(&self, region: &str) -> Result<(), ContainersError> {
        let units = self.root.join("system");
        let manager = self.root.join("system.conf.d");
        // The folders themselves are mounted and must stay the same ones; what is in them goes.
        for folder in [&units, &manager] {
            fs_err::create_dir_all(folder)?;
            for entry in fs_err::read_dir(folder)? {
                let path = entry?.path();
                if path.is_dir() && !path.is_symlink() {
                    fs_err::remove_dir_all(path)?;
                } else {
                    fs_err::remove_file(path)?;
                }
            }
        }
        fs_err::create_dir_all(self.results())?;
        fs_err::create_dir_all(units.join("sysinit.target.d"))?;
        for (name, text) in [
            ("sandbox-address.service", ADDRESS_UNIT),
            ("sandbox-metadata.socket", SOCKET_UNIT),
            ("sandbox-metadata.service", PROXY_UNIT),
            ("sysinit.target.d/sandbox.conf", WANTED),
        ] {
            fs_err::write(units.join(name), text)?;
        }
        fs_err::write(
            manager.join("sandbox.conf"),
            format!(
                "[Manager]\nDefaultEnvironment=AWS_ENDPOINT_URL={ENDPOINT} AWS_REGION={region}\n"
            ),
        )?;
        Ok(())
    }

    /// The engine's flags that mount the folders.
    pub(super) fn mounts(&self) -> Vec<String> {
        [
            ("system", "/run/systemd/system", ""),
            ("system.conf.d", "/run/systemd/system.conf.d", ":ro"),
            ("node", SEEN_AT, ""),
        ]
        .into_iter()
        .flat_map(|(name, at, mode)| {
            let folder = self.root.join(name);
            [
                "--volume".to_owned(),
                format!("{}:{at}{mode}", folder.display()),
            ]
        })
        .collect()
    }

    /// Listens on the machine's socket and hands every connection to the server, until the handle is used.
    pub(super) fn serve(
        &self,
        instance_id: &str,
        server: &NodeServer,
    ) -> Result<AbortHandle, ContainersError> {
        let results = self.results();
        match fs_err::remove_file(results.join("metadata.socket")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        // A Unix socket's path has 108 bytes at most (unix(7)), and projects lie deep: by its descriptor any folder
        // has a short name.
        let folder = fs_err::File::open(&results)?;
        let listener = UnixListener::bind(format!(
            "/proc/self/fd/{}/metadata.socket",
            folder.as_raw_fd()
        ))?;
        let (instance_id, server) = (instance_id.to_owned(), server.clone());
        let task = tokio::spawn(async move {
            // An error of accept is of one connection (it was given up) or passing (no descriptors left).
            loop {
                match listener.accept().await {
                    Ok((stream, _)) => server(instance_id.clone(), stream),
                    Err(_) => clock::sleep(Duration::from_millis(50)).await,
                }
            }
        });
        Ok(task.abort_handle())
    }

    /// Removes the folders.
    pub(super) fn remove(&self) -> Result<(), ContainersError> {
        match fs_err::remove_dir_all(&self.root) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}
