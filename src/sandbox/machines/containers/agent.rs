//! Run Command on a machine: scripts run as the agent of Systems Manager runs them.
//!
//! What the agent does, from its source: the script is a file that is exec'd through `sh -c`, as root, with the
//! agent's small environment (no `HOME`, no locale), in a process group that is killed when the time is up; the command
//! is over when its outputs are closed. `agent.pl` does that on the machine; Perl's base is on every Debian.

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::{CommandOutcome, RunCommand};
use super::node::{ENDPOINT, SEEN_AT};
use super::{Containers, ContainersError};

const RUNNER: &str = include_str!("agent.pl");
/// Beyond the script's own time: to start it, and to gather what it left.
const GRACE: Duration = Duration::from_mins(1);
/// How long a machine has to say whether its agent runs.
const ANSWER: Duration = Duration::from_secs(15);

impl Containers {
    /// What the machine wrote since it booted, as its serial console would show it.
    pub(crate) async fn console(&self, instance_id: &str) -> String {
        let container = self.container(instance_id);
        let journal = "journalctl --boot --no-pager --lines=300 --output=short-monotonic; \
                       tail -n 200 /var/log/cloud-init-output.log";
        self.inner
            .engine
            .run(["exec", &container, "sh", "-c", journal])
            .await
            // A machine that is not running shows nothing.
            .unwrap_or_default()
    }

    /// The machines whose container runs. One that was shut down from inside is not among them.
    pub(crate) async fn running(&self) -> Result<BTreeSet<String>, ContainersError> {
        let label = format!("label={}", self.inner.label);
        let list = ["ps", "--filter", &label, "--format", "{{.Names}}"];
        let names = self.inner.engine.run(list).await?;
        let prefix = self.container("");
        Ok(names
            .split_whitespace()
            .filter_map(|name| name.strip_prefix(&prefix).map(ToOwned::to_owned))
            .collect())
    }

    /// Tells whether the machine's agent takes commands: whether its unit is active.
    pub(crate) async fn agent_answers(&self, instance_id: &str) -> bool {
        let container = self.container(instance_id);
        let unit = "amazon-ssm-agent.service";
        let question = [
            "exec",
            &container,
            "systemctl",
            "is-active",
            "--quiet",
            unit,
        ];
        self.inner
            .engine
            .run_for_output(question, &[], ANSWER)
            .await
            .is_ok_and(|output| output.status.success())
    }

    /// Runs a script on the machine, to its end.
    pub(super) async fn run_script(
        &self,
        instance_id: &str,
        command: &RunCommand,
    ) -> Result<CommandOutcome, ContainersError> {
        let node = self.node(instance_id)?;
        let results = node.folder.results();
        let id = &command.command_id;
        if !id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        {
            return Err(ContainersError::CommandId(id.clone()));
        }
        let region = &node.region;
        let container = self.container(instance_id);
        let seconds = command.timeout.as_secs().max(1).to_string();
        let environment = [
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
            format!("AWS_ENDPOINT_URL={ENDPOINT}"),
            format!("AWS_REGION={region}"),
            format!("AWS_SSM_INSTANCE_ID={instance_id}"),
            format!("AWS_SSM_REGION_NAME={region}"),
            "AWS_SSM_PLATFORM_NAME=Debian GNU/Linux".to_owned(),
            "AWS_SSM_PLATFORM_VERSION=12".to_owned(),
            format!("SSM_COMMAND_ID={id}"),
        ];
        let mut arguments = vec![
            "exec",
            "--interactive",
            &container,
            "env",
            "--ignore-environment",
        ];
        arguments.extend(environment.iter().map(String::as_str));
        let directory = command.working_directory.as_deref().unwrap_or_default();
        arguments.extend([
            "perl",
            "-e",
            RUNNER,
            instance_id,
            id,
            &seconds,
            directory,
            SEEN_AT,
        ]);

        let patience = command.timeout + GRACE;
        let output = self
            .inner
            .engine
            .run_for_output(arguments, command.script.as_bytes(), patience)
            .await?;
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let written = results.join(format!("{id}.result"));
        let result = fs_err::read_to_string(&written).unwrap_or_default();
        for leftover in [written, results.join(format!("{id}.cancel"))] {
            // Not there: it was not cancelled, or the machine went down under the command.
            drop(fs_err::remove_file(leftover));
        }
        let Some((code, how)) = result.trim().split_once(' ') else {
            return Err(ContainersError::CommandLost {
                command: id.clone(),
                message: stderr.trim().to_owned(),
            });
        };
        Ok(CommandOutcome {
            code: code.parse().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr,
            timed_out: how == "timed-out",
            cancelled: how == "cancelled",
        })
    }

    /// Kills a script that runs on the machine; does nothing where none does.
    pub(crate) async fn cancel_command(&self, instance_id: &str, command_id: &str) {
        let Ok(node) = self.node(instance_id) else {
            return;
        };
        let request = node.folder.results().join(format!("{command_id}.cancel"));
        // Cancelling is best effort, as CancelCommand is: a machine that is going away has no folder any more.
        drop(tokio::task::spawn_blocking(move || fs_err::write(request, "")).await);
    }
}
