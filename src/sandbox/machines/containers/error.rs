//! What can go wrong with machines that are containers.

use std::io;

use crate::sandbox::machines::MachineError;

/// Machines could not be made, or could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ContainersError {
    #[error("real machines are not set up on this computer; run `goldseed sandbox setup`")]
    NotSetUp(#[source] io::Error),
    #[error(
        "the set-up recorded an unknown container engine {0:?}; run `goldseed sandbox setup` again"
    )]
    UnknownEngine(String),
    #[error(
        "{0} answers without root's rights here; machines need a rootful engine, so run this as root"
    )]
    Rootless(String),
    #[error("the image {0} is missing; run `goldseed sandbox setup`")]
    NoImage(String),
    #[error("{call} could not be run")]
    Engine { call: String, source: io::Error },
    #[error("{call} failed: {message}")]
    Refused { call: String, message: String },
    #[error("{0} does not come to an end")]
    Hangs(String),
    #[error("a file of a machine could not be written or read")]
    File(#[from] io::Error),
    #[error("no subnet of 10.213.0.0/19 is free on this computer")]
    NoSubnet,
    #[error("the machines' network has no free address")]
    NoAddress,
    #[error("there is no machine {0}")]
    NoMachine(String),
    #[error("{0:?} is not the id of a command")]
    CommandId(String),
    #[error("the machine went down under the command {command}: {message}")]
    CommandLost { command: String, message: String },
    #[error("{0:?} is not the id of a file system, such as fs-0123456789abcdef0")]
    FileSystemId(String),
    #[error("the database {name} does not greet; the end of its log: {log}")]
    DatabaseSilent { name: String, log: String },
}

impl From<ContainersError> for MachineError {
    fn from(error: ContainersError) -> Self {
        let mut text = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        Self(text)
    }
}
