//! What keeps a run from the lease, and what helps.

use crate::cloud::CloudError;
use crate::id::RunId;
use crate::record::Lease;

/// Why a lease could not be had or kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeaseError {
    /// Another run holds it.
    #[error("run {} by {} holds the environment since {}, until a minute after {} unless it is renewed", .0.run, .0.who, .0.since, .0.until)]
    Held(Box<Lease>),
    /// It ran out while this process was not looking, or somebody took it over.
    #[error("this run's lease on the environment is over: {0}")]
    Lost(String),
    /// AWS refused.
    #[error(transparent)]
    Cloud(#[from] CloudError),
    /// The lease cannot be read.
    #[error("the lease {name} cannot be read: {reason}")]
    Unreadable {
        /// The parameter's name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl LeaseError {
    /// What can be done about a lease that cannot be read, for people.
    pub fn way_out(&self) -> Option<String> {
        match self {
            Self::Unreadable { name, .. } => Some(format!(
                "once nobody runs goldseed there, it may be deleted: aws ssm delete-parameter --name {name}"
            )),
            _ => None,
        }
    }
}

/// What to do about a lease of another run.
pub fn wait_for(run: &RunId) -> String {
    format!(
        "wait until that run has ended, or, where nobody drives it any more, go on with it: goldseed resume {run}; a \
         lease that nobody renews ends by itself"
    )
}
