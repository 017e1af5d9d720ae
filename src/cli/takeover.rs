//! Taking a run over from the process that drives it: without a question only where that process has ended.
//!
//! A record names its driver's process, which this host can look up. From another host there are two signs of life: the
//! run's lease on the environment, and the age of the record, which a driver writes again every few minutes.

use std::io::IsTerminal as _;
use std::time::Duration;

use clap::Args;
use jiff::{SignedDuration, Timestamp};

use super::runs::{Found, stage};
use super::{Failure, LONGEST_REASON};
use crate::cloud::Cloud;
use crate::display;
use crate::failure::ExitCode as Code;
use crate::pace;
use crate::pipeline::{self, PipelineError};
use crate::record::RunRecord;
use crate::run::{self, ProcessState};

/// What is said beforehand about taking a run from another process.
#[derive(Debug, Default, Args)]
pub(super) struct TakeOver {
    /// Take the run over without asking, even if another process may be driving it
    #[arg(long)]
    yes: bool,
    /// As --yes, with a reason for the run's record; the other process prints it when it stops
    #[arg(long, value_name = "REASON")]
    force: Option<String>,
}

impl TakeOver {
    /// Returns the reason that goes on record.
    ///
    /// # Errors
    /// A reason that is empty or longer than the record has room for.
    pub(super) fn reason(&self) -> Result<Option<&str>, Failure> {
        let Some(reason) = self.force.as_deref() else {
            return Ok(None);
        };
        let reason = reason.trim();
        let wrong = match reason.len() {
            0 => "--force needs a reason",
            1..=LONGEST_REASON => return Ok(Some(reason)),
            _ => "the reason of --force is too long",
        };
        let hint = format!("write 1 to {LONGEST_REASON} bytes: --force \"the laptop was lost\"");
        Err(Failure::new(Code::Usage, wrong).hint(hint))
    }

    fn is_given(&self) -> bool {
        self.yes || self.force.is_some()
    }
}

/// What is known of the process that drives a run.
#[derive(Debug, PartialEq, Eq)]
enum Driver {
    /// It has ended.
    Ended,
    /// It runs on this host.
    Runs {
        /// Its process id.
        id: u32,
    },
    /// It may run: the sign of life.
    MayRun(String),
}

/// Has a run taken over only where its process has ended, or where that is wanted all the same: on a terminal the person
/// is asked. `command` is what takes it over.
pub(super) async fn ensure_free(
    cloud: &Cloud,
    found: &Found,
    consent: &TakeOver,
    command: &str,
) -> Result<(), Failure> {
    if consent.is_given() {
        return Ok(());
    }
    let record = &found.record;
    let (run, who) = (&record.run, &record.who);
    let state = match driver(cloud, found).await? {
        Driver::Ended => return Ok(()),
        Driver::Runs { id } => {
            format!("run {run} is being driven by process {id} on this host, started by {who}")
        }
        Driver::MayRun(sign) => format!("run {run} may still be driven by {who}: {sign}"),
    };
    let at = match stage(record) {
        reached if reached.is_empty() => "before its first step".to_owned(),
        reached => format!("at stage {reached}"),
    };
    let work = format!(
        "it is a {} of {} for {}, {at}",
        record.verb.as_str(),
        record.pipeline,
        record.environment
    );
    if std::io::stdin().is_terminal() && std::io::stderr().is_terminal() {
        display::tell(&format!(
            "{state}\n{work}\ntaking it over stops that process at its next step; take it over? [y/N] "
        ));
        if is_yes(&answer().await?) {
            return Ok(());
        }
    }
    Err(Failure::new(Code::Refused, state)
        .hint(work)
        .hint("nothing was changed; a process that still drives the run would lose it, and what it made")
        .hint(format!("if that process no longer runs: {command} --yes"))
        .hint(format!(
            "to stop it, with the reason on record: {command} --force REASON"
        )))
}

/// Reads a line from the terminal. A thread of its own waits for it, which does not keep the process from ending.
async fn answer() -> Result<String, Failure> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let read = move || {
        let mut line = String::new();
        let read = std::io::stdin().read_line(&mut line);
        // Nobody waits for it after an interrupt.
        drop(sender.send(read.map(|_| line)));
    };
    let failed = |error: std::io::Error| {
        Failure::unexpected("the answer on the terminal could not be read", &error)
    };
    std::thread::Builder::new().spawn(read).map_err(failed)?;
    match receiver.await {
        Ok(line) => line.map_err(failed),
        Err(_) => Ok(String::new()),
    }
}

fn is_yes(line: &str) -> bool {
    matches!(line.trim().to_lowercase().as_str(), "y" | "yes")
}

async fn driver(cloud: &Cloud, found: &Found) -> Result<Driver, Failure> {
    let record = &found.record;
    if record.verdict.is_some() || record.writer.left {
        return Ok(Driver::Ended);
    }
    let process = record.writer.process.as_deref();
    match process.map_or(ProcessState::Unknown, run::process_state) {
        ProcessState::Ended => return Ok(Driver::Ended),
        ProcessState::Runs { id } => return Ok(Driver::Runs { id }),
        ProcessState::Unknown => {}
    }
    if let Some(until) = lease(cloud, record).await? {
        let environment = &record.environment;
        return Ok(Driver::MayRun(format!(
            "it holds {environment} until {until}"
        )));
    }
    let now = pace::now();
    let recent = cloud.pace().scale(RECENT).max(SHORTEST);
    Ok(match found.written {
        Some(written) if is_recent(written, now, recent) => {
            let age = display::age(written, now);
            Driver::MayRun(format!("its record was written {age} ago"))
        }
        _ => Driver::Ended,
    })
}

/// Until when the run holds the lease on its environment, if it does.
async fn lease(cloud: &Cloud, record: &RunRecord) -> Result<Option<Timestamp>, Failure> {
    let Some(environment) = pipeline::changed_environment(record) else {
        return Ok(None);
    };
    let holder = run::holder(cloud, &environment).await;
    let holder = holder.map_err(PipelineError::from)?;
    Ok(holder
        .filter(|lease| lease.run == record.run)
        .map(|lease| lease.until))
}

/// How long ago the record of a run was written whose driver may be alive: three heartbeats.
const RECENT: Duration = Duration::from_mins(15);

/// However fast the pace, a run that somebody drives is recent for so long.
const SHORTEST: Duration = Duration::from_secs(20);

/// Whether something was written less than so long ago; the service's clock may be ahead of ours.
fn is_recent(written: Timestamp, now: Timestamp, recent: Duration) -> bool {
    SignedDuration::try_from(recent).is_ok_and(|recent| now.duration_since(written) < recent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_recent_for_a_quarter_of_an_hour() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        let ago = |seconds| now - SignedDuration::from_secs(seconds);
        assert!(is_recent(now, now, RECENT));
        assert!(is_recent(ago(14 * 60), now, RECENT));
        assert!(!is_recent(ago(15 * 60), now, RECENT));
        // A clock that is behind the service's.
        assert!(is_recent(ago(-60), now, RECENT));
    }

    #[test]
    fn only_a_yes_is_one() {
        for line in ["y\n", "Yes\r\n", " y "] {
            assert!(is_yes(line), "{line:?}");
        }
        for line in ["", "\n", "n\n", "yesterday\n"] {
            assert!(!is_yes(line), "{line:?}");
        }
    }

    #[test]
    fn a_reason_has_words_and_fits_the_record() {
        let reason = |text: &str| {
            let consent = TakeOver {
                yes: false,
                force: Some(text.to_owned()),
            };
            consent.reason().map(|reason| reason.map(ToOwned::to_owned))
        };
        assert_eq!(reason(" lost ").unwrap().as_deref(), Some("lost"));
        assert!(reason("  ").is_err());
        assert!(reason(&"x".repeat(LONGEST_REASON + 1)).is_err());
    }
}
