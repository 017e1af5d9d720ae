//! A short look at an instance on which nothing of ours is left: no unit, no file.

use std::time::Duration;

use super::{ANSWERS, LEAST_SILENCE, Node, NodeError};
use crate::cloud::{Command, CommandState};

/// How long the answer may take: the commands that are sent this way read a few files.
const ANSWERS_WITHIN: Duration = Duration::from_mins(2);

impl Node<'_> {
    /// Runs a script that only reads and returns what it printed, of which Run Command keeps the first 24,000
    /// characters. `name` is the command's comment.
    pub async fn read(&self, name: &str, script: &str) -> Result<String, NodeError> {
        let command = Command {
            instance: self.instance.clone(),
            script: script.to_owned(),
            comment: name.to_owned(),
            seconds: 60,
        };
        let pace = self.cloud.pace();
        let mut patience = pace.patience(ANSWERS_WITHIN);
        patience.extend(LEAST_SILENCE.saturating_sub(patience.left()));
        let sent = self.send(&command, &patience).await?;
        let mut asked = 0;
        loop {
            asked += 1;
            let pause = pace.scale(ANSWERS.pause(asked, fastrand::f64()));
            self.cloud.pause(pause).await;
            let invocation = match self.cloud.invocation(&sent, &self.instance).await {
                Ok(invocation) => invocation,
                Err(error) if error.is_transient() && !patience.is_over() => continue,
                Err(error) => return Err(error.into()),
            };
            match &invocation.state {
                CommandState::Success => return Ok(invocation.output),
                CommandState::Failed(code) => return Err(self.failed(*code, &invocation)),
                CommandState::NeverRan(why) | CommandState::Unknown(why) => {
                    return Err(self.unreadable(why));
                }
                CommandState::Going(_) if patience.is_over() => {
                    return Err(NodeError::Silent {
                        instance: self.instance.clone(),
                        waited: ANSWERS_WITHIN,
                    });
                }
                CommandState::Going(_) => {}
            }
        }
    }
}
