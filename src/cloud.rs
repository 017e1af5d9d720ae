//! AWS in the words of this project: the only module that knows the SDK. Domain types come out, never SDK types.
//!
//! * Verbs that create are called `ensure_…`: they look before they create, tag at creation, and take a lost answer
//!   for what it is.
//! * There is one retry layer, the SDK's (`connect`), and one loop that waits (`poll`).
//! * What AWS left out of an answer is an error that names the field, never a default.

mod beanstalk;
mod configured;
mod connect;
mod ec2;
mod error;
mod guard;
mod halt;
mod parameters;
mod poll;
mod probe;
mod retry;
mod ssm;
pub mod tags;

use crate::event::Emitter;
use crate::pace::Pace;

pub use beanstalk::{
    ConfigurationSet, Environment, EnvironmentEvent, EnvironmentHealth, EnvironmentResources,
    InstanceHealth, ManagedAction, Platform, Requests,
};
pub use connect::{ATTEMPT_TIMEOUT, CALL_TIMEOUT, Connection, Identity, LocalAws};
pub use ec2::{
    Checks, Egress, Endpoint, Ensured, Image, ImageRequest, ImageState, Instance, InstanceKind,
    InstanceState, LaunchRequest, Placement, Route, Snapshot, SnapshotProgress, TrialLaunch,
};
pub use error::{CloudError, ErrorKind};
pub use guard::Guard;
pub use halt::Halt;
pub use parameters::{Parameter, Put, Version};
pub use poll::{Look, Wait, WaitError};
pub use probe::{Probe, ProbeFailure, without_login};
pub use ssm::{Command, CommandState, Invocation, SentCommand};
pub use tags::Tags;

/// A connection to one account and region.
#[derive(Clone, Debug)]
pub struct Cloud {
    ec2: aws_sdk_ec2::Client,
    beanstalk: aws_sdk_elasticbeanstalk::Client,
    ssm: aws_sdk_ssm::Client,
    sts: aws_sdk_sts::Client,
    region: String,
    pace: Pace,
    events: Emitter,
    halt: Halt,
}

impl Cloud {
    /// Returns the region.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Returns the pace of everything that waits here.
    pub fn pace(&self) -> Pace {
        self.pace
    }

    /// Returns where progress is told.
    pub fn events(&self) -> &Emitter {
        &self.events
    }
}

/// Returns what an answer must hold, or the error that names the missing field.
fn present<T>(
    value: Option<T>,
    operation: &'static str,
    subject: &str,
    field: &str,
) -> Result<T, CloudError> {
    value.ok_or_else(|| CloudError::absent(operation, subject, field))
}
