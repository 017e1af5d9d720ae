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
    /// The folder for kept files cannot be made.
    #[error("cannot keep files")]
    Folder(#[source] std::io::Error),
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
