//! The machines behind the sandbox's instances: containers, or nothing at all.

pub(crate) mod containers;
mod simulated;

use std::net::IpAddr;
use std::time::Duration;

pub(crate) use self::containers::Containers;
pub(crate) use self::simulated::Simulated;

/// What a machine is started from.
#[derive(Clone, Debug)]
pub(crate) struct LaunchSpec {
    pub(crate) instance_id: String,
    pub(crate) image_id: String,
    pub(crate) region: String,
    pub(crate) private_ip: Option<String>,
}

/// A machine whose first process runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Launched {
    /// Where it answers; simulated machines answer nowhere.
    pub(crate) address: Option<IpAddr>,
}

/// A script that is to run on a machine, as the agent runs it.
#[derive(Clone, Debug)]
pub(crate) struct RunCommand {
    pub(crate) command_id: String,
    /// The commands joined by newlines.
    pub(crate) script: String,
    pub(crate) working_directory: Option<String>,
    pub(crate) timeout: Duration,
}

/// What came of a script.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CommandOutcome {
    /// As the agent reports it: −1 if it never ran.
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) timed_out: bool,
    pub(crate) cancelled: bool,
}

/// A machine could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct MachineError(pub(crate) String);

/// The machines of a sandbox.
#[derive(Clone, Debug)]
pub(crate) enum Machines {
    Simulated(Simulated),
    Containers(Containers),
}

impl Machines {
    /// Starts a machine from an image; returns when its first process runs.
    pub(crate) async fn launch(&self, spec: LaunchSpec) -> Result<Launched, MachineError> {
        match self {
            Self::Simulated(machines) => Ok(machines.launch(&spec)),
            Self::Containers(machines) => machines.launch(spec).await,
        }
    }

    /// For how many looks a script shows as in progress, where it is one that hangs.
    pub(crate) fn hangs(&self, script: &str) -> Option<u32> {
        match self {
            Self::Simulated(machines) => machines.hangs(script),
            Self::Containers(_) => None,
        }
    }

    /// Starts a machine that was stopped.
    pub(crate) async fn start(&self, instance_id: &str) -> Result<Launched, MachineError> {
        match self {
            Self::Simulated(machines) => machines.start(instance_id),
            Self::Containers(machines) => machines.start(instance_id).await,
        }
    }

    /// Shuts a machine down; its disk stays.
    pub(crate) async fn stop(&self, instance_id: &str) -> Result<(), MachineError> {
        match self {
            Self::Simulated(machines) => machines.stop(instance_id),
            Self::Containers(machines) => machines.stop(instance_id).await,
        }
    }

    /// Removes a machine with its disk.
    pub(crate) async fn terminate(&self, instance_id: &str) -> Result<(), MachineError> {
        match self {
            Self::Simulated(machines) => {
                machines.terminate(instance_id);
                Ok(())
            }
            Self::Containers(machines) => machines.terminate(instance_id).await,
        }
    }

    /// Makes an image of a machine's disk, running or not.
    pub(crate) async fn capture(
        &self,
        instance_id: &str,
        image_id: &str,
    ) -> Result<(), MachineError> {
        match self {
            Self::Simulated(machines) => machines.capture(instance_id, image_id),
            Self::Containers(machines) => machines.capture(instance_id, image_id).await,
        }
    }

    /// Removes an image.
    pub(crate) async fn discard(&self, image_id: &str) -> Result<(), MachineError> {
        match self {
            Self::Simulated(machines) => {
                machines.discard(image_id);
                Ok(())
            }
            Self::Containers(machines) => machines.discard(image_id).await,
        }
    }

    /// Tells whether the machine's agent takes commands.
    pub(crate) async fn agent_answers(&self, instance_id: &str) -> bool {
        match self {
            Self::Simulated(machines) => machines.agent_answers(instance_id),
            Self::Containers(machines) => machines.agent_answers(instance_id).await,
        }
    }

    /// Runs a script on a machine, to its end.
    pub(crate) async fn run_command(
        &self,
        instance_id: &str,
        command: RunCommand,
    ) -> Result<CommandOutcome, MachineError> {
        match self {
            Self::Simulated(machines) => machines.run_command(instance_id, &command),
            Self::Containers(machines) => machines.run_command(instance_id, command).await,
        }
    }

    /// Kills a script that runs.
    pub(crate) async fn cancel_command(&self, instance_id: &str, command_id: &str) {
        match self {
            Self::Simulated(_) => {}
            Self::Containers(machines) => machines.cancel_command(instance_id, command_id).await,
        }
    }

    /// What the machine wrote on its console.
    pub(crate) async fn console(&self, instance_id: &str) -> String {
        match self {
            Self::Simulated(_) => Simulated::console(instance_id),
            Self::Containers(machines) => machines.console(instance_id).await,
        }
    }

    /// Removes everything that was made for the machines and is still there.
    pub(crate) async fn close(&self) -> Result<(), MachineError> {
        match self {
            Self::Simulated(_) => Ok(()),
            Self::Containers(machines) => machines.close().await,
        }
    }

    /// Tells whether the image still carries Beanstalk's marker, where that is known: on simulated machines.
    pub(crate) fn launched_from_marked(&self, instance_id: &str) -> bool {
        match self {
            Self::Simulated(machines) => machines.launched_from_marked(instance_id),
            Self::Containers(_) => false,
        }
    }

    /// Tells a simulated machine that Beanstalk has deployed to it, which leaves its marker there.
    pub(crate) fn deployed(&self, instance_id: &str) {
        if let Self::Simulated(machines) = self {
            machines.deployed(instance_id);
        }
    }
}
