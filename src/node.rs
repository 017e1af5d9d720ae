//! A script on a machine: sent, started as a systemd unit of its own, followed, attached to, stopped.
//!
//! Run Command shows output only after a command has ended, cuts it off, kills process groups and gives exit codes
//! meanings of its own. So a command here only *starts* the script (a second start of the same unit is refused on the
//! machine) and further short commands wait on the machine for news. An agent restart, a lost connection or a lost
//! answer loses nothing: whoever follows the unit's name gets the log from any offset and the script's own code.

mod boot;
mod contents;
mod error;
mod protocol;
mod read;

use std::time::{Duration, Instant};

use crate::cloud::{Cloud, Command, CommandState, ErrorKind, InstanceState, Invocation};
use crate::id::{CommandId, InstanceId};
use crate::pace::{Deadline, Schedule};
use crate::recipe::{Content, Standing};
pub use error::{NodeError, Reboot};
pub use protocol::{LogPiece, log_piece};
use protocol::{Part, State};

/// How often a unit that is interrupted is started anew, and how often a command that fails is sent.
const ATTEMPTS: u32 = 3;

/// How long a short command may stay away beyond what it waits for itself.
const SILENCE: Duration = Duration::from_mins(5);

/// The least that it may stay away, whatever the pace: where five minutes are scaled to less than that, a machine that is
/// only busy would be called silent.
const LEAST_SILENCE: Duration = Duration::from_secs(10);

/// How long after a command failed outside its script it is sent again: a machine that shuts down takes a while.
const AFTER_A_FAILURE: Duration = Duration::from_secs(20);

/// A script with its limits.
#[derive(Clone, Debug)]
pub struct Job<'a> {
    /// The unit's name without its attempt: `goldseed-<run>-<step>`.
    pub unit: String,
    /// The script.
    pub script: &'a str,
    /// What it needs beside itself.
    pub contents: &'a [Content],
    /// How long it may run.
    pub limit: Duration,
}

/// Machines and what is done on them.
#[derive(Clone, Debug)]
pub struct Node<'a> {
    cloud: &'a Cloud,
    instance: InstanceId,
}

impl<'a> Node<'a> {
    /// A machine, by its id.
    pub fn new(cloud: &'a Cloud, instance: &InstanceId) -> Self {
        Self {
            cloud,
            instance: instance.clone(),
        }
    }

    /// Sends the no-op: an agent that is `Online` can have been so minutes ago.
    pub async fn answers(&self) -> Result<(), NodeError> {
        self.ask("probe", protocol::probe(), Duration::ZERO)
            .await
            .map(drop)
    }

    /// Runs a script to its end and returns its code; `take` gets the log's bytes as they come. A unit that an
    /// earlier process started is attached to; one that ended badly before, or was interrupted, is started anew under
    /// the next attempt's name. What the script does must therefore be safe to do twice.
    pub async fn run(&self, job: &Job<'_>, take: impl FnMut(&[u8])) -> Result<i32, NodeError> {
        self.run_prepared(job, take, async || Ok(())).await
    }

    /// Runs a script as [`run`](Self::run) does. Before what was started already is started anew, `prepare` is awaited:
    /// the machine may have booted since.
    pub async fn run_prepared<E: From<NodeError>>(
        &self,
        job: &Job<'_>,
        mut take: impl FnMut(&[u8]),
        prepare: impl AsyncFn() -> Result<(), E>,
    ) -> Result<i32, E> {
        let script = job.script.as_bytes();
        let packed = Part::whole(script).map_err(NodeError::Pack)?;
        let held = Content::new(script.to_vec(), Standing::Nowhere);
        let mut contents: Vec<&Content> = job.contents.iter().collect();
        if packed.is_none() {
            contents.push(&held);
        }
        let sent = packed.as_ref().ok_or(&held);
        let (mut interrupted, mut brought, mut prepared) = (0, false, false);
        for attempt in 1.. {
            let unit = format!("{}-a{attempt}", job.unit);
            if attempt > 1 && !std::mem::replace(&mut prepared, true) {
                prepare().await?;
            }
            if !std::mem::replace(&mut brought, true) {
                self.bring(&unit, &contents).await?;
            }
            match self.run_unit(&unit, sent, job.limit, &mut take).await? {
                End::Code(code) => return Ok(code),
                End::BadBefore => {}
                End::Interrupted => {
                    interrupted += 1;
                    if interrupted >= ATTEMPTS {
                        return Err(E::from(NodeError::Interrupted {
                            instance: self.instance.clone(),
                            unit,
                            attempts: interrupted,
                        }));
                    }
                    // It may have booted, and what was brought may have been taken away by the script itself.
                    (brought, prepared) = (false, false);
                }
            }
        }
        unreachable!("the attempts are not counted to an end")
    }

    async fn run_unit(
        &self,
        unit: &str,
        script: Result<&Part, &Content>,
        limit: Duration,
        take: &mut impl FnMut(&[u8]),
    ) -> Result<End, NodeError> {
        let mut wait = FIRST_NEWS;
        let start = protocol::start(unit, script, limit.as_secs(), self.seconds(wait));
        let mut answer = self.ask(unit, start, wait).await?;
        if !answer.fresh && matches!(answer.state, State::Finished(code) if code != 0) {
            return Ok(End::BadBefore);
        }
        let started = answer.fresh;
        let mut told = false;
        loop {
            if answer.full && !std::mem::replace(&mut told, true) {
                let instance = &self.instance;
                self.cloud.events().warn(format!(
                    "/run on {instance} is full (ENOSPC): what the script prints or writes there is lost; /run is memory, so \
                     have the recipe write to the disk, or choose a larger instance type"
                ));
            }
            let news = !answer.bytes.is_empty();
            take(&answer.bytes);
            match answer.state {
                // The state was told before the log was read: a short chunk is the last one.
                State::Finished(code) if answer.bytes.len() < protocol::CHUNK => {
                    return Ok(End::Code(code));
                }
                // Only what this process started counts: an earlier one may have stopped it on purpose.
                State::Interrupted | State::Absent if !news => {
                    return Ok(if started {
                        End::Interrupted
                    } else {
                        End::BadBefore
                    });
                }
                State::Ready => {
                    return Err(self.unreadable("it does not say what the unit is doing"));
                }
                _ => {}
            }
            // News come quickly while there are any, and are asked for less often when it is quiet.
            wait = if news {
                FIRST_NEWS
            } else {
                (wait * 2).min(LAST_NEWS)
            };
            let gather = self.seconds(FIRST_NEWS);
            let follow = protocol::follow(unit, answer.offset, self.seconds(wait), gather);
            answer = self.ask(unit, follow, wait).await?;
        }
    }

    /// Ends a unit, whichever of its attempts runs.
    pub async fn stop(&self, unit: &str) -> Result<(), NodeError> {
        self.ask(unit, protocol::stop(unit), Duration::ZERO)
            .await
            .map(drop)
    }

    /// The seconds that a command waits on the machine, scaled, and at least one.
    fn seconds(&self, wait: Duration) -> u64 {
        self.cloud.pace().scale(wait).as_secs().max(1)
    }

    /// Sends one short command, which waits that long itself, and waits for its answer.
    async fn ask(
        &self,
        unit: &str,
        script: String,
        waits: Duration,
    ) -> Result<protocol::Answer, NodeError> {
        self.ask_within(unit, script, SILENCE + waits).await
    }

    /// Sends one short command and waits for its answer; meanwhile looks whether the machine is still there.
    async fn ask_within(
        &self,
        unit: &str,
        script: String,
        within: Duration,
    ) -> Result<protocol::Answer, NodeError> {
        let command = Command {
            instance: self.instance.clone(),
            script,
            comment: unit.to_owned(),
            seconds: 600,
        };
        let pace = self.cloud.pace();
        let mut patience = pace.patience(within);
        patience.extend(LEAST_SILENCE.saturating_sub(patience.left()));
        let mut sent = self.send(&command, &patience).await?;
        let (mut asked, mut failures) = (0, 0);
        loop {
            asked += 1;
            let pause = pace.scale(ANSWERS.pause(asked, fastrand::f64()));
            self.cloud.pause(pause).await;
            let began = Instant::now();
            let invocation = match self.cloud.invocation(&sent, &self.instance).await {
                Ok(invocation) => {
                    if self.cloud.hung(began.elapsed()) {
                        patience.extend(began.elapsed());
                    }
                    invocation
                }
                // A read that fails is unknown, never bad.
                Err(error) if error.is_transient() && !patience.is_over() => continue,
                Err(error) => return Err(error.into()),
            };
            match &invocation.state {
                CommandState::Success => {
                    return protocol::read(&invocation.output)
                        .map_err(|reason| self.unreadable(&reason));
                }
                // What failed outside the script may have been killed by a shutdown: the verbs are all safe to send again.
                CommandState::Failed(_) if failures + 1 < ATTEMPTS && !patience.is_over() => {
                    failures += 1;
                    self.cloud.pause(pace.scale(AFTER_A_FAILURE)).await;
                    self.must_run().await?;
                    sent = self.send(&command, &patience).await?;
                }
                CommandState::Failed(code) => return Err(self.failed(*code, &invocation)),
                CommandState::NeverRan(_) | CommandState::Unknown(_) if !patience.is_over() => {
                    self.must_run().await?;
                    sent = self.send(&command, &patience).await?;
                }
                _ if patience.is_over() => {
                    self.must_run().await?;
                    return Err(NodeError::Silent {
                        instance: self.instance.clone(),
                        waited: within,
                    });
                }
                // A command to a machine that is gone stays `InProgress` for hours.
                _ if asked % 10 == 0 => self.must_run().await?,
                _ => {}
            }
        }
    }

    /// Sends a command; a machine that boots can be `Online` from before and is refused for some minutes.
    async fn send(&self, command: &Command, patience: &Deadline) -> Result<CommandId, NodeError> {
        let mut asked = 0;
        loop {
            match self.cloud.send_command(command).await {
                Err(error) if error.code.as_deref() == Some("InvalidInstanceId") => {
                    self.must_run().await?;
                    if patience.is_over() {
                        return Err(error.into());
                    }
                    asked += 1;
                    let pause = ANSWERS.pause(asked, fastrand::f64());
                    self.cloud.pause(self.cloud.pace().scale(pause)).await;
                }
                other => return Ok(other?),
            }
        }
    }

    /// Refuses a machine that is gone or stopped; one that is about to run is fine.
    async fn must_run(&self) -> Result<(), NodeError> {
        match self.cloud.instance(&self.instance).await {
            Ok(instance)
                if matches!(
                    instance.state,
                    InstanceState::Running | InstanceState::Pending
                ) =>
            {
                Ok(())
            }
            Ok(instance) => Err(NodeError::Gone {
                instance: self.instance.clone(),
                state: instance.state.as_str().to_owned(),
            }),
            Err(error) if error.kind == ErrorKind::NotFound => Err(NodeError::Gone {
                instance: self.instance.clone(),
                state: "gone".into(),
            }),
            Err(error) if error.is_transient() => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn failed(&self, code: i32, invocation: &Invocation) -> NodeError {
        let output = [invocation.errors.trim(), invocation.output.trim()].join("\n");
        NodeError::Command {
            instance: self.instance.clone(),
            code,
            output: output.trim().to_owned(),
        }
    }

    fn unreadable(&self, reason: &str) -> NodeError {
        NodeError::Answer {
            instance: self.instance.clone(),
            reason: reason.to_owned(),
        }
    }
}

/// How a unit ended.
enum End {
    Code(i32),
    BadBefore,
    Interrupted,
}

/// How long the first command waits for the end, so that a short script needs no other, and how long the others gather
/// what is printed.
const FIRST_NEWS: Duration = Duration::from_secs(3);
/// How long later commands wait while nothing is printed.
const LAST_NEWS: Duration = Duration::from_secs(20);

/// How often a short command's answer is asked for.
const ANSWERS: Schedule = Schedule {
    first: Duration::from_millis(700),
    every: Duration::from_secs(3),
    within: SILENCE,
};
