//! `goldseed rebuild --resume`: what a timer's service starts, again after its process was killed.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{ExitCode, Failure, Invocation, Work, resumable, resume, start};
use crate::cli::takeover::TakeOver;
use crate::cli::{guard, signals};
use crate::display;
use crate::event::Emitter;
use crate::id::RunId;
use crate::pace;
use crate::pipeline::has_begun;
use crate::record::{RunRecord, Verb};
use crate::run;

/// How old a rebuild that has changed nothing yet may be: what it builds from is outdated then.
const FRESH: Duration = Duration::from_hours(12);

/// Resumes the pipeline's unfinished rebuild, or starts another where there is none that is worth it.
pub(in crate::cli) async fn start_or_resume(
    invocation: &Invocation,
    pipeline: &str,
    work: Work,
) -> Result<ExitCode, Failure> {
    match signals::heeded(Box::pin(unfinished(invocation, pipeline))).await? {
        Some(run) => {
            display::tell(&format!("resuming the unfinished run {run}\n"));
            resume(invocation, Some(run.as_str()), &TakeOver::default(), false).await
        }
        None => start(invocation, pipeline, work).await,
    }
}

/// Finds the rebuild to resume; one that is passed over is reported.
async fn unfinished(invocation: &Invocation, pipeline: &str) -> Result<Option<RunId>, Failure> {
    let (settings, library) = guard::read(invocation)?;
    let cloud = guard::connect(invocation, &settings, Emitter::silent()).await?;
    let now = pace::now();
    for kept in run::kept(&cloud, pipeline).await? {
        let Ok(record) = &kept.record else {
            // Its own message, and its ways out, are `goldseed runs`'s.
            continue;
        };
        if record.verdict.is_some() || record.verb != Verb::Rebuild {
            continue;
        }
        let run = &record.run;
        let passed_over = match chosen(record, kept.written, now) {
            Choice::Resume => return Ok(Some(run.clone())),
            Choice::IfPlanIsTheSame => match resumable(&settings, &library, record) {
                Ok(_) => return Ok(Some(run.clone())),
                Err(failure) => failure.message,
            },
            Choice::TooOld => "it is more than 12 hours old".to_owned(),
        };
        display::tell(&format!(
            "note: run {run} is unfinished and not resumed: {passed_over}; to remove what it made: goldseed abandon {run}\n"
        ));
    }
    Ok(None)
}

#[derive(Debug, PartialEq, Eq)]
enum Choice {
    /// It may have changed the environment or its data: only its own end says whether that is healthy.
    Resume,
    IfPlanIsTheSame,
    TooOld,
}

fn chosen(record: &RunRecord, written: Option<Timestamp>, now: Timestamp) -> Choice {
    let is_fresh = written.is_some_and(|written| {
        SignedDuration::try_from(FRESH).is_ok_and(|fresh| now.duration_since(written) < fresh)
    });
    match has_begun(record) {
        Some(_) => Choice::Resume,
        None if is_fresh => Choice::IfPlanIsTheSame,
        None => Choice::TooOld,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rebuild_that_changed_something_is_resumed_however_old_it_is() {
        let text = r#"{"f":1,"tool":"0","run":"20260101-000000-0001","pipeline":"shop","verb":"rebuild","env":"e","at":0,
            "who":"ada@vm","plan":{},"steps":[],"w":{"n":"x","q":0}}"#;
        let mut record: RunRecord = serde_json::from_str(text).unwrap();
        let now = Timestamp::from_second(1_000_000).unwrap();
        let hours = |count| Some(now - SignedDuration::from_hours(count));
        assert_eq!(chosen(&record, hours(11), now), Choice::IfPlanIsTheSame);
        assert_eq!(chosen(&record, hours(13), now), Choice::TooOld);
        assert_eq!(chosen(&record, None, now), Choice::TooOld);
        record.steps = serde_json::from_str(r#"[{"s":"swap/update","t":0}]"#).unwrap();
        assert_eq!(chosen(&record, hours(500), now), Choice::Resume);
    }
}
