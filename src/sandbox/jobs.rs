//! What the machines have to do: handlers leave jobs in the state, and they are done once its lock is released.
//!
//! Simulated machines do them before the answer goes out, so that a test sees the same order each time; real ones
//! in the background.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use super::balancer::Balancer;
use super::beanstalk::behaviour::Behaviour;
use super::clock;
use super::core::Core;
use super::ec2::images::Capture;
use super::ec2::instances::{InstanceState, Machine};
use super::machines::{LaunchSpec, Launched, MachineError, RunCommand};
use super::ssm::runs;

/// Something for a machine to do.
#[derive(Clone, Debug)]
pub(crate) enum Job {
    Launch(LaunchSpec),
    Start(String),
    Stop(String),
    Reboot(String),
    Terminate(String),
    /// Terminate a machine once it has answered the requests under way.
    Drain {
        instance_id: String,
        balancer: Balancer,
    },
    Capture {
        instance_id: String,
        image_id: String,
        reboot: bool,
    },
    Discard(String),
    Run {
        instance_id: String,
        command_id: String,
    },
    Cancel {
        instance_id: String,
        command_id: String,
    },
    /// Remember that Beanstalk deployed to a machine.
    Deployed(String),
    /// Deploy once more, in place.
    Deploy {
        instance_id: String,
        command: EngineCommand,
    },
    /// Start the balancer of an environment.
    Balance(String),
}

/// What the engine of a running member is told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EngineCommand {
    /// Another application version.
    DeployApplication,
    /// Other settings: the bundle is staged anew, and `.platform/confighooks` run in place of `.platform/hooks`.
    DeployConfiguration,
}

/// How often a machine is asked whether its agent answers.
const AGENT_PAUSE: Duration = Duration::from_millis(300);

/// How long a machine that leaves the balancer may answer what is under way: Beanstalk's `ConnectionDrainingTimeout`.
const DEREGISTRATION: Duration = Duration::from_secs(20);

/// How long an engine may deploy before it is killed: the most that Beanstalk's command timeout allows.
const DEPLOYMENT: Duration = Duration::from_hours(1);

impl Core {
    /// Does the jobs that were left in the state.
    pub(crate) async fn settle(&self) {
        loop {
            let jobs = std::mem::take(&mut self.state().jobs);
            if jobs.is_empty() {
                return;
            }
            for job in jobs {
                if self.is_simulated() {
                    self.work(job).await;
                } else {
                    tokio::spawn(self.clone().work_and_settle(job));
                }
            }
        }
    }

    /// Does one job and those that it leaves. Boxed, because that leads back to here.
    fn work_and_settle(self, job: Job) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            self.work(job).await;
            self.settle().await;
        })
    }

    /// Does one job.
    async fn work(&self, job: Job) {
        match job {
            Job::Launch(spec) => {
                let id = spec.instance_id.clone();
                let outcome = self.machines().launch(spec).await;
                self.booted(&id, outcome).await;
            }
            Job::Start(id) => {
                let outcome = self.machines().start(&id).await;
                self.booted(&id, outcome).await;
            }
            Job::Stop(id) => {
                let outcome = self.machines().stop(&id).await;
                self.rests(&id, outcome);
            }
            Job::Terminate(id) => {
                let outcome = self.machines().terminate(&id).await;
                self.rests(&id, outcome);
            }
            Job::Drain {
                instance_id,
                balancer,
            } => {
                balancer.drain(&instance_id, DEREGISTRATION).await;
                let outcome = self.machines().terminate(&instance_id).await;
                self.rests(&instance_id, outcome);
            }
            Job::Reboot(id) => self.reboot(&id).await,
            Job::Capture {
                instance_id,
                image_id,
                reboot,
            } => self.capture(&instance_id, &image_id, reboot).await,
            Job::Discard(image_id) => {
                // What a backend cannot remove now, it removes with the sandbox; the API has no word for it.
                drop(self.machines().discard(&image_id).await);
            }
            Job::Run {
                instance_id,
                command_id,
            } => runs::run(self, &instance_id, &command_id).await,
            Job::Cancel {
                instance_id,
                command_id,
            } => {
                self.machines()
                    .cancel_command(&instance_id, &command_id)
                    .await;
            }
            Job::Deployed(id) => self.machines().deployed(&id),
            Job::Deploy {
                instance_id,
                command,
            } => self.deploy(&instance_id, command).await,
            Job::Balance(environment_id) => self.balance(&environment_id).await,
        }
    }

    /// A machine was started, or was not; waits until its agent answers.
    async fn booted(&self, instance_id: &str, outcome: Result<Launched, MachineError>) {
        {
            let mut state = self.state();
            let Some(instance) = state.instances.get_mut(instance_id) else {
                return;
            };
            match outcome {
                Ok(launched) => {
                    instance.address = launched.address;
                    if let Some(address) = launched.address {
                        instance.private_ip = address.to_string();
                    }
                    instance.carries_marker = self.machines().launched_from_marked(instance_id);
                    instance.machine = Machine::Idle;
                }
                Err(error) => instance.machine = Machine::Failed(error.to_string()),
            }
            if !instance.has_machine() {
                // It was terminated while it came up.
                state.jobs.push(Job::Terminate(instance_id.to_owned()));
                return;
            }
        }
        self.wait_for_agent(instance_id).await;
    }

    /// Waits until the agent of a machine answers, as long as the machine is up.
    pub(crate) async fn wait_for_agent(&self, instance_id: &str) {
        if self.state().behaviour_of_instance(instance_id) == Behaviour::NeverRegisters {
            return;
        }
        loop {
            if self.machines().agent_answers(instance_id).await {
                if let Some(instance) = self.state().instances.get_mut(instance_id) {
                    instance.agent_answered = true;
                }
                return;
            }
            let up = self
                .state()
                .instances
                .get(instance_id)
                .is_some_and(|instance| {
                    instance.machine == Machine::Idle
                        && matches!(
                            instance.state,
                            InstanceState::Pending | InstanceState::Running
                        )
                });
            if !up || self.is_simulated() {
                return;
            }
            clock::sleep(AGENT_PAUSE).await;
        }
    }

    /// A machine was stopped or removed, or could not be; either way the instance goes on.
    fn rests(&self, instance_id: &str, outcome: Result<(), MachineError>) {
        if let Some(instance) = self.state().instances.get_mut(instance_id) {
            instance.address = None;
            instance.machine = match outcome {
                Ok(()) => Machine::Idle,
                Err(error) => Machine::Failed(error.to_string()),
            };
        }
    }

    async fn reboot(&self, instance_id: &str) {
        let stopped = self.machines().stop(instance_id).await;
        let outcome = match stopped {
            Ok(()) => self.machines().start(instance_id).await,
            Err(error) => Err(error),
        };
        self.booted(instance_id, outcome).await;
    }

    async fn capture(&self, instance_id: &str, image_id: &str, reboot: bool) {
        if reboot {
            // A machine that does not stop shows in the capture.
            drop(self.machines().stop(instance_id).await);
        }
        let outcome = self.machines().capture(instance_id, image_id).await;
        if let Some(image) = self.state().images.get_mut(image_id) {
            image.capture = match outcome {
                Ok(()) => Capture::Done,
                Err(error) => Capture::Failed(error.to_string()),
            };
        }
        if reboot {
            let started = self.machines().start(instance_id).await;
            self.booted(instance_id, started).await;
        }
    }

    /// Has the engine of a machine deploy; it signals by itself how that went.
    async fn deploy(&self, instance_id: &str, command: EngineCommand) {
        let word = match command {
            EngineCommand::DeployApplication => "app-deploy",
            EngineCommand::DeployConfiguration => "config-deploy",
        };
        let command = RunCommand {
            command_id: format!("deploy-{instance_id}"),
            script: format!("exec /opt/elasticbeanstalk/bin/platform-engine {word}"),
            working_directory: None,
            timeout: DEPLOYMENT,
        };
        // An engine that does not even start stays silent, and runs into the command timeout.
        drop(self.machines().run_command(instance_id, command).await);
    }

    async fn balance(&self, environment_id: &str) {
        let listen = std::net::SocketAddr::from((std::net::Ipv4Addr::LOCALHOST, 0));
        let started = Balancer::start(listen).await;
        let mut state = self.state();
        match started {
            Ok(balancer) => {
                balancer.set_pace(self.pace());
                if let Some(environment) = state.environments.get_mut(environment_id) {
                    environment.attach_balancer(balancer);
                }
            }
            Err(error) => state.report_balancer_failure(environment_id, &error),
        }
    }
}

/// Lets the world go on by itself, once every `tick`.
pub(crate) async fn advance_every(core: Core, tick: Duration) {
    loop {
        clock::sleep(tick).await;
        core.state().advance_everything();
        core.settle().await;
    }
}
