//! What can go wrong with a machine, and how it is told.

use std::time::Duration;

use crate::cloud::CloudError;
use crate::id::InstanceId;
use crate::pace::spoken;

/// Why a script could not be run to its end.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// AWS refused.
    #[error(transparent)]
    Cloud(#[from] CloudError),
    /// The machine is not running any more.
    #[error("{instance} is {state}: the machine went away in the middle")]
    Gone {
        /// The machine.
        instance: InstanceId,
        /// Its state.
        state: String,
    },
    /// The agent took a command and did not come back.
    #[error("{instance} has not answered for {}: its agent hangs or its network is gone", spoken(*waited))]
    Silent {
        /// The machine.
        instance: InstanceId,
        /// How long.
        waited: Duration,
    },
    /// It was rebooted and did not come back.
    #[error(
        "{instance} has not come back from its reboot for {}: {}; once that is over, the run can go on",
        spoken(*waited),
        reboot.advice(instance)
    )]
    NotBack {
        /// The machine.
        instance: InstanceId,
        /// How far it has come.
        reboot: Reboot,
        /// How long.
        waited: Duration,
    },
    /// The command failed outside the script.
    #[error("a command on {instance} failed with code {code}: {output}")]
    Command {
        /// The machine.
        instance: InstanceId,
        /// The code.
        code: i32,
        /// What it printed.
        output: String,
    },
    /// The answer could not be read.
    #[error("{instance} answered what cannot be read: {reason}")]
    Answer {
        /// The machine.
        instance: InstanceId,
        /// What is wrong with it.
        reason: String,
    },
    /// The unit was started several times and never came to an end.
    #[error(
        "{unit} was interrupted on {instance} {attempts} times: the machine reboots or something kills it"
    )]
    Interrupted {
        /// The machine.
        instance: InstanceId,
        /// The unit.
        unit: String,
        /// How often.
        attempts: u32,
    },
    /// What is sent could not be packed.
    #[error("what is sent could not be compressed")]
    Pack(#[source] std::io::Error),
}

/// How far a reboot has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reboot {
    /// The boot of before still answers.
    GoingDown,
    /// Nothing answers.
    Booting,
    /// The new boot answers, and what the image does at boot is not done.
    BootSteps,
}

impl Reboot {
    /// The state, for people.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::GoingDown => "going down",
            Self::Booting => "booting",
            Self::BootSteps => "up, its boot steps run",
        }
    }

    fn advice(self, instance: &InstanceId) -> String {
        match self {
            Self::GoingDown => {
                "it has not gone down, and `systemctl list-jobs` on it tells what it waits for"
                    .to_owned()
            }
            Self::Booting => format!(
                "it does not answer, and `aws ec2 get-console-output --output text --instance-id {instance}` tells what \
                 it does"
            ),
            Self::BootSteps => {
                "its boot steps still run, and `journalctl -b -u goldseed-boot` on it tells which"
                    .to_owned()
            }
        }
    }
}
