//! Why a sandbox could not be started.

use std::net::SocketAddr;

/// A sandbox could not be started.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// The address is reached from other computers, and nobody asked for that.
    #[error(
        "{0} is reached from other computers, and whoever has the sandbox's access key is root in its machines; \
         listen on 127.0.0.1, or add --exposed"
    )]
    Exposed(SocketAddr),
    /// The folder for kept files cannot be had.
    #[error(transparent)]
    Folder(#[from] super::folder::FolderError),
    /// The system gives no random bytes for an access key.
    #[error("no access key can be drawn")]
    Random(#[source] std::io::Error),
    /// There are no real machines to be had.
    #[error("real machines cannot be started")]
    Machines(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The demo world needs real machines.
    #[error("the demo world needs real machines, and these are simulated")]
    Simulated,
    /// The demo world could not be made.
    #[error("the demo world could not be made")]
    Demo(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The pace is not a number above 0.
    #[error("the pace must be above 0, and {0} is not")]
    Pace(f64),
}
