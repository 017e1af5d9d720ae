//! Running a command on a machine, as the agent does it: five at once, with a reboot on exit code 194.

use std::time::Duration;

use super::commands::{Invocation, Stage};
use crate::sandbox::clock;
use crate::sandbox::core::Core;
use crate::sandbox::ec2::instances::{InstanceState, Machine};
use crate::sandbox::machines::{CommandOutcome, MachineError, RunCommand};

/// The exit code by which a script asks to be run again after a reboot (amazon-ssm-agent's `appconfig`).
const REBOOT: i32 = 194;

/// How often it is looked whether a machine's agent is back.
const LOOK: Duration = Duration::from_millis(200);

/// How often a script may ask for it, before it is taken for one that never ends.
const MOST_REBOOTS: u32 = 10;

/// Runs a command on a node, to its end, and records what came of it.
pub(crate) async fn run(core: &Core, instance_id: &str, command_id: &str) {
    let Some((command, delivery)) = prepare(core, instance_id, command_id) else {
        return;
    };
    let workers = core.workers(instance_id);
    // Only the delivery takes AWS's time; a machine that is busy here is busy for real.
    let delivered = async {
        until_the_agent_is_back(core, instance_id).await;
        workers.acquire_owned().await
    };
    let Ok(Ok(_worker)) = tokio::time::timeout(delivery, delivered).await else {
        record(core, instance_id, command_id, |invocation| {
            invocation.stage = Stage::Undelivered;
        });
        return;
    };
    let mut wanted = false;
    record(core, instance_id, command_id, |invocation| {
        wanted = !invocation.cancelling;
        if wanted {
            invocation.stage = Stage::Running;
            invocation.started = Some(clock::now());
        }
    });
    if !wanted {
        return;
    }
    let timeout = command.timeout;
    if let Some(looks) = core.machines().hangs(&command.script) {
        let rules = core.state().clock;
        record(core, instance_id, command_id, |invocation| {
            invocation.given_up = Some(rules.ripening(looks, timeout.as_secs_f64()));
            invocation.stage = Stage::Lost;
        });
        return;
    }
    let outcome = repeat(core, instance_id, command).await;
    let up = core
        .state()
        .instances
        .get(instance_id)
        .is_some_and(|instance| instance.state == InstanceState::Running);
    let rules = core.state().clock;
    record(core, instance_id, command_id, |invocation| {
        invocation.ended = Some(clock::now());
        invocation.stage = match outcome {
            Ok(outcome) => Stage::Ended(outcome),
            Err(error) if up => Stage::Ended(CommandOutcome {
                code: 1,
                stderr: format!("failed to run commands: {error}"),
                ..CommandOutcome::default()
            }),
            // Nobody tells the service that a node is gone: the command looks busy until its time is up.
            Err(_) => {
                invocation.given_up = Some(rules.ripening(30, timeout.as_secs_f64()));
                Stage::Lost
            }
        };
    });
}

/// What is sent to a machine while it reboots is delivered once its agent is back.
async fn until_the_agent_is_back(core: &Core, instance_id: &str) {
    loop {
        let booting = core.state().instances.get(instance_id).is_some_and(|one| {
            one.state == InstanceState::Running
                && !matches!(one.machine, Machine::Failed(_))
                && !one.agent_answered
        });
        if !booting || core.is_simulated() {
            return;
        }
        clock::sleep(LOOK).await;
    }
}

fn prepare(core: &Core, instance_id: &str, command_id: &str) -> Option<(RunCommand, Duration)> {
    let state = core.state();
    let command = state.commands.iter().find(|one| one.id == command_id)?;
    command
        .invocations
        .iter()
        .any(|one| one.instance_id == instance_id)
        .then(|| {
            (
                RunCommand {
                    command_id: command.id.clone(),
                    script: command.script.clone(),
                    working_directory: command.working_directory.clone(),
                    timeout: command.execution_timeout,
                },
                Duration::from_secs(command.delivery_timeout),
            )
        })
}

async fn repeat(
    core: &Core,
    instance_id: &str,
    command: RunCommand,
) -> Result<CommandOutcome, MachineError> {
    for _ in 0..MOST_REBOOTS {
        let outcome = core
            .machines()
            .run_command(instance_id, command.clone())
            .await?;
        if outcome.code != REBOOT {
            return Ok(outcome);
        }
        set_machine(core, instance_id, Machine::Busy);
        let restarted = async {
            core.machines().stop(instance_id).await?;
            core.machines().start(instance_id).await
        };
        let restarted = restarted.await;
        set_machine(core, instance_id, Machine::Idle);
        restarted?;
        core.wait_for_agent(instance_id).await;
    }
    core.machines().run_command(instance_id, command).await
}

fn set_machine(core: &Core, instance_id: &str, machine: Machine) {
    if let Some(instance) = core.state().instances.get_mut(instance_id) {
        instance.machine = machine;
    }
}

fn record(core: &Core, instance_id: &str, command_id: &str, change: impl FnOnce(&mut Invocation)) {
    let mut state = core.state();
    let invocation = state
        .commands
        .iter_mut()
        .find(|command| command.id == command_id)
        .and_then(|command| {
            command
                .invocations
                .iter_mut()
                .find(|one| one.instance_id == instance_id)
        });
    if let Some(invocation) = invocation {
        change(invocation);
    }
}
