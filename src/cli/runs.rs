//! `goldseed runs`: the runs of all pipelines; and runs as the command line names them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::Args;
use jiff::Timestamp;

use super::{ExitCode, Failure, Invocation, answer, guard};
use crate::cloud::Cloud;
use crate::display;
use crate::event::Emitter;
use crate::failure::ExitCode as Code;
use crate::id::{EnvironmentId, RunId};
use crate::pace;
use crate::pipeline::{self, PipelineError, PlanError};
use crate::record::{Lease, RunRecord};
use crate::run::{self, Kept, LeaseError, StoreError};
use crate::settings::Settings;

#[derive(Debug, Args)]
pub(super) struct Runs {
    /// One pipeline; without it, all of them
    pipeline: Option<String>,
}

/// The leases that unfinished runs hold, by run.
type Leases = BTreeMap<RunId, Lease>;

const HEADERS: [&str; 8] = [
    "run", "pipeline", "verb", "stage", "age", "who", "where", "verdict",
];

pub(super) async fn run(invocation: &Invocation, runs: &Runs) -> Result<ExitCode, Failure> {
    let settings = Settings::load(&invocation.global.file)?;
    let names = pipelines(&settings, runs.pipeline.as_deref())?;
    let cloud = guard::connect(invocation, &settings, Emitter::silent()).await?;
    let mut list = Vec::new();
    for name in &names {
        list.extend(run::kept(&cloud, name).await?);
    }
    if list.is_empty() {
        return answer("there are no runs yet\n");
    }
    // A run's name begins with the time at which it started.
    list.sort_by(|one, other| other.run.cmp(&one.run));
    let (leases, unreadable) = leases(&cloud, &list).await?;
    let now = pace::now();
    let rows: Vec<Vec<String>> = list.iter().map(|kept| row(kept, &leases, now)).collect();
    let mut text = display::table(&HEADERS, &rows, display::answer_columns());
    for error in unreadable {
        let way_out = error.way_out().unwrap_or_default();
        write!(text, "\n{error}: {way_out}\n").expect("a String takes everything");
    }
    answer(&text)
}

/// The pipelines that are asked for.
fn pipelines(settings: &Settings, one: Option<&str>) -> Result<Vec<String>, Failure> {
    let all: Vec<String> = settings.pipelines.keys().cloned().collect();
    match one {
        None => Ok(all),
        Some(name) if settings.pipelines.contains_key(name) => Ok(vec![name.to_owned()]),
        Some(name) => Err(PlanError::UnknownPipeline {
            name: name.to_owned(),
            there_are: all,
        }
        .into()),
    }
}

/// Looks up the leases of the environments that unfinished runs change; and those that cannot be read.
async fn leases(cloud: &Cloud, list: &[Kept]) -> Result<(Leases, Vec<LeaseError>), Failure> {
    let unfinished = list.iter().filter_map(|kept| kept.record.as_ref().ok());
    let environments: std::collections::BTreeSet<EnvironmentId> = unfinished
        .filter(|record| record.verdict.is_none())
        .filter_map(pipeline::changed_environment)
        .collect();
    let (mut found, mut unreadable) = (Leases::new(), Vec::new());
    for environment in environments {
        match run::holder(cloud, &environment).await {
            Ok(None) => {}
            Ok(Some(lease)) => {
                found.insert(lease.run.clone(), lease);
            }
            Err(error) if error.way_out().is_some() => unreadable.push(error),
            Err(error) => return Err(PipelineError::from(error).into()),
        }
    }
    Ok((found, unreadable))
}

fn row(kept: &Kept, leases: &Leases, now: Timestamp) -> Vec<String> {
    let age = kept.run.started();
    let age = age.map_or_else(String::new, |started| display::age(started, now));
    let [verb, stage, person, host, verdict] = match &kept.record {
        Ok(record) => {
            let (person, host) = record.who.split_once('@').unwrap_or((&record.who, ""));
            [
                record.verb.as_str().to_owned(),
                stage(record),
                person.to_owned(),
                host.to_owned(),
                verdict(record, kept.written, leases, now),
            ]
        }
        Err(error) => {
            let nothing = String::new;
            [
                nothing(),
                nothing(),
                nothing(),
                nothing(),
                error.to_string(),
            ]
        }
    };
    let run = kept.run.to_string();
    vec![
        run,
        kept.pipeline.clone(),
        verb,
        stage,
        age,
        person,
        host,
        verdict,
    ]
}

/// The stage that a run is in, or that it came to.
pub(super) fn stage(record: &RunRecord) -> String {
    let last = record.unfinished().or_else(|| record.steps.last());
    let Some(step) = last else {
        return String::new();
    };
    let stage = step.id.as_str().split('/').next().unwrap_or_default();
    match step.attempt {
        1 => stage.to_owned(),
        attempt => format!("{stage}, attempt {attempt}"),
    }
}

fn verdict(
    record: &RunRecord,
    written: Option<Timestamp>,
    leases: &Leases,
    now: Timestamp,
) -> String {
    if let Some(verdict) = record.verdict {
        let verdict = verdict.as_str();
        return match pipeline::why(record) {
            Some(reason) => format!("{verdict}: {reason}"),
            None => verdict.to_owned(),
        };
    }
    if let Some(lease) = leases.get(&record.run) {
        let until = lease.until.strftime("%H:%M:%S");
        return format!("unfinished, holds {} until {until} UTC", record.environment);
    }
    match written {
        Some(written) => format!("unfinished, written {} ago", display::age(written, now)),
        None => "unfinished".to_owned(),
    }
}

/// Reads a run's id from the command line.
pub(super) fn id(text: &str) -> Result<RunId, Failure> {
    if RunId::is_well_formed(text) {
        return Ok(RunId::new(text));
    }
    Err(Failure::new(Code::Usage, format!("`{text}` is not a run"))
        .hint("a run is called like 20261123-034512-7f3a; `goldseed runs` lists them"))
}

/// A recorded run.
#[derive(Debug)]
pub(super) struct Found {
    /// Its record.
    pub(super) record: RunRecord,
    /// When its driver wrote last, where Parameter Store says.
    pub(super) written: Option<Timestamp>,
}

/// Finds the record of a run among the pipelines of the settings.
pub(super) async fn find(
    cloud: &Cloud,
    settings: &Settings,
    run: &RunId,
) -> Result<Found, Failure> {
    for name in settings.pipelines.keys() {
        if let Some(kept) = run::kept_run(cloud, name, run).await? {
            return Ok(Found {
                record: kept.record?,
                written: kept.written,
            });
        }
    }
    let path = settings.path.display();
    let all = cloud.parameters_below("/goldseed").await?;
    let kept = run::kept_in(&all);
    if let Some(other) = kept.iter().find(|kept| kept.run == *run) {
        let name = &other.pipeline;
        let message = format!("run {run} is of pipeline `{name}`, which {path} does not have");
        return Err(Failure::new(Code::Invalid, message)
            .hint("name the settings that it was started with: --file"));
    }
    let message = format!("no pipeline of {path} has a run {run}");
    let mut failure =
        Failure::new(Code::Invalid, message).hint("`goldseed runs` lists the runs there are");
    let unreadable = kept
        .into_iter()
        .filter(|kept| settings.pipelines.contains_key(&kept.pipeline))
        .filter_map(|kept| kept.record.err());
    failure
        .causes
        .extend(unreadable.map(|error| error.to_string()));
    Err(failure)
}

/// Finds the one run that is unfinished among the pipelines of the settings.
pub(super) async fn only_unfinished(cloud: &Cloud, settings: &Settings) -> Result<Found, Failure> {
    let (mut unfinished, mut unreadable) = (Vec::new(), Vec::new());
    for name in settings.pipelines.keys() {
        for kept in run::kept(cloud, name).await? {
            match kept.record {
                Ok(record) if record.verdict.is_none() => unfinished.push((record, kept.written)),
                Ok(_) => {}
                Err(error) => unreadable.push(error),
            }
        }
    }
    if !unreadable.is_empty() {
        return Err(unread(&unfinished, &unreadable));
    }
    match unfinished.len() {
        0 => Err(Failure::new(Code::Refused, "no run is unfinished")
            .hint("`goldseed runs` lists the runs there are")),
        1 => {
            let (record, written) = unfinished.remove(0);
            Ok(Found { record, written })
        }
        count => {
            let message = format!("{count} runs are unfinished: say which one to go on with");
            let mut failure = Failure::new(Code::Refused, message);
            failure.hints = unfinished.iter().map(|(one, _)| offered(one)).collect();
            Err(failure)
        }
    }
}

/// An unfinished run as it is offered.
fn offered(record: &RunRecord) -> String {
    let (id, verb, who) = (&record.run, record.verb.as_str(), &record.who);
    let at = match stage(record) {
        stage if stage.is_empty() => ", before its first step".to_owned(),
        stage => format!(", {stage}"),
    };
    format!(
        "goldseed resume {id}: {verb} of {}{at}, by {who}",
        record.pipeline
    )
}

/// Which run is the only unfinished one is not known while records cannot be read.
fn unread(unfinished: &[(RunRecord, Option<Timestamp>)], unreadable: &[StoreError]) -> Failure {
    let runs: Vec<&str> = unreadable.iter().filter_map(StoreError::run).collect();
    let message = format!(
        "whether {} is unfinished cannot be read: say which run to go on with",
        runs.join(", ")
    );
    let mut failure = Failure::new(Code::Unexpected, message);
    failure.causes = unreadable.iter().map(ToString::to_string).collect();
    let offered = unfinished.iter().map(|(record, _)| offered(record));
    failure.hints = offered
        .chain(unreadable.iter().flat_map(StoreError::ways_out))
        .collect();
    failure
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_offered_with_where_it_is() {
        let text = r#"{"f":1,"tool":"0","run":"20260101-000000-0001","pipeline":"shop","verb":"build","env":"e","at":0,
            "who":"ada@vm","plan":{},"steps":[],"w":{"n":"x","q":0}}"#;
        let mut record: RunRecord = serde_json::from_str(text).unwrap();
        let begins = "goldseed resume 20260101-000000-0001: build of shop";
        assert_eq!(
            offered(&record),
            format!("{begins}, before its first step, by ada@vm")
        );
        let step = r#"[{"s":"image/golden","t":0}]"#;
        record.steps = serde_json::from_str(step).unwrap();
        assert_eq!(offered(&record), format!("{begins}, image, by ada@vm"));
    }
}
