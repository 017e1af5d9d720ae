//! A reboot that a script wished for: asked of EC2, and waited for until a new boot answers.

use std::time::Duration;

use super::protocol::{self, State};
use super::{Node, NodeError, Reboot};
use crate::event::Event;
use crate::pace::Schedule;

/// How long one question of a machine that reboots waits for its answer: it may have gone down under it.
const QUESTION: Duration = Duration::from_mins(1);

/// A reboot takes a minute or two; EC2 cuts the power of what does not shut down within four, and a check of the disks
/// may follow.
const BACK: Schedule = Schedule {
    first: Duration::from_secs(5),
    every: Duration::from_secs(10),
    within: Duration::from_mins(20),
};

impl Node<'_> {
    /// Reboots the machine and waits until it answers in another boot than that in which the unit's attempts ran (the
    /// unit is named without an attempt). Safe to do again: a machine that reboots twice has booted too.
    pub async fn reboot(&self, unit: &str) -> Result<(), NodeError> {
        self.cloud.reboot_instance(&self.instance).await?;
        let pace = self.cloud.pace();
        let deadline = pace.patience(BACK.within);
        let mut asked = 0;
        loop {
            asked += 1;
            self.cloud
                .pause(pace.scale(BACK.pause(asked, fastrand::f64())))
                .await;
            let state = match self
                .ask_within(unit, protocol::booted(unit), QUESTION)
                .await
            {
                Ok(answer) if answer.state == State::Ready => return Ok(()),
                Ok(answer) if answer.state == State::Running => Reboot::BootSteps,
                Ok(_) => Reboot::GoingDown,
                // Whatever becomes of a command on a machine that goes down says nothing of the machine.
                Err(
                    NodeError::Silent { .. } | NodeError::Command { .. } | NodeError::Answer { .. },
                ) => Reboot::Booting,
                Err(NodeError::Cloud(error))
                    if error.is_transient()
                        || error.code.as_deref() == Some("InvalidInstanceId") =>
                {
                    Reboot::Booting
                }
                Err(error) => return Err(error),
            };
            if deadline.is_over() {
                return Err(NodeError::NotBack {
                    instance: self.instance.clone(),
                    reboot: state,
                    waited: BACK.within,
                });
            }
            self.cloud.events().emit(Event::Progress {
                subject: format!("reboot of {}", self.instance),
                state: state.as_str().to_owned(),
                done: None,
                waited_seconds: deadline.elapsed().as_secs(),
            });
        }
    }
}
