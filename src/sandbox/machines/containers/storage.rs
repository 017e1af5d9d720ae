//! What machines share: file systems, which are folders on the host, and databases, which are containers.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use super::super::super::clock;
use super::{Containers, ContainersError};

/// How long a new server may take to its first greeting; 2 s on an idle machine.
const FIRST_GREETING: Duration = Duration::from_mins(5);
const DATABASE_IMAGE: &str = "goldseed/database";
const DATABASE_PORT: u16 = 3306;

impl Containers {
    /// Makes an EFS file system, empty, and returns its folder on the host. On a machine `mount -t efs ID:/ …` and
    /// `mount -t nfs4 ID.efs.REGION.amazonaws.com:/ …` find it from now on.
    pub(crate) fn create_file_system(&self, id: &str) -> Result<PathBuf, ContainersError> {
        let well_formed = id.strip_prefix("fs-").is_some_and(|digits| {
            !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
        });
        if !well_formed {
            return Err(ContainersError::FileSystemId(id.to_owned()));
        }
        let folder = self.inner.file_systems().join(id);
        fs_err::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// Starts a MariaDB server and returns its address, at which machines and the host reach it on port 3306 for as
    /// long as the sandbox runs. The user is `admin`, as on RDS, with the password given (letters and digits).
    pub(crate) async fn start_database(
        &self,
        name: &str,
        password: &str,
    ) -> Result<IpAddr, ContainersError> {
        let engine = &self.inner.engine;
        let container = format!("goldseed-{}-database-{name}", self.inner.tag);
        let (network, address) = {
            let mut network = self.network();
            let address = network.database()?;
            (network.name().to_owned(), address)
        };
        let mut arguments = ["run", "--detach", "--pull=never", "--name", &container]
            .map(str::to_owned)
            .to_vec();
        arguments.extend_from_slice(engine.flags());
        arguments.extend(
            [
                "--label",
                &self.inner.label,
                "--network",
                &network,
                "--ip",
                &address.to_string(),
                "--env",
                "DATABASE_PASSWORD",
                DATABASE_IMAGE,
                "/usr/local/sbin/goldseed-database",
            ]
            .map(str::to_owned),
        );
        engine
            .run_with(&arguments, ("DATABASE_PASSWORD", password))
            .await?;

        let started = Instant::now();
        while !greets(address).await {
            if started.elapsed() > FIRST_GREETING {
                let log = engine.run(["logs", &container]).await.unwrap_or_default();
                return Err(ContainersError::DatabaseSilent {
                    name: name.to_owned(),
                    log,
                });
            }
            clock::sleep(Duration::from_millis(200)).await;
        }
        Ok(address)
    }
}

/// Tells whether a MariaDB server greets: it does after its first statements, the ones that set the password.
async fn greets(address: IpAddr) -> bool {
    let greeting = async {
        let mut stream = TcpStream::connect((address, DATABASE_PORT)).await?;
        let mut packet = [0_u8; 5];
        stream.read_exact(&mut packet).await?;
        Ok::<u8, std::io::Error>(packet[4])
    };
    // Protocol version 10 follows the packet's header of four bytes.
    matches!(
        tokio::time::timeout(Duration::from_secs(2), greeting).await,
        Ok(Ok(10))
    )
}
