//! The record's pages in Parameter Store.

use std::collections::BTreeMap;

use crate::cloud::{Cloud, CloudError, Parameter, Put, Tags, tags};
use crate::id::{RunId, StepId};
use crate::record::{FORMAT, RunRecord};

/// Why a run's record could not be kept or read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// AWS refused.
    #[error(transparent)]
    Cloud(CloudError),
    /// Somebody else drives the run now.
    #[error(
        "run {run} is driven by {who} now (page {page}): this process stops before its next change"
    )]
    TakenOver {
        /// The run.
        run: RunId,
        /// Who.
        who: String,
        /// The page that is higher than ours.
        page: u64,
    },
    /// There is no such run.
    #[error("pipeline `{pipeline}` has no run {run}")]
    Unknown {
        /// The pipeline.
        pipeline: String,
        /// The run.
        run: RunId,
    },
    /// A record is of a format that this version does not know.
    #[error(
        "run {run}: its record was written by a newer version of goldseed (format {format}, this version reads {FORMAT})"
    )]
    Newer {
        /// The run.
        run: RunId,
        /// The record's format.
        format: u64,
    },
    /// A page cannot be read.
    #[error("the record {name} cannot be read: {reason}")]
    Unreadable {
        /// The parameter's name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A finished step's output is not what this version writes.
    #[error("the recorded output of step {step} cannot be used: {reason}")]
    Output {
        /// The step.
        step: StepId,
        /// What is wrong with it.
        reason: String,
    },
    /// A record has outgrown its parameter.
    #[error("the record of run {run} is {size} bytes and a parameter holds 4096")]
    TooLarge {
        /// The run.
        run: RunId,
        /// Its size.
        size: usize,
    },
}

impl StoreError {
    /// Returns the run whose record cannot be read.
    pub fn run(&self) -> Option<&str> {
        match self {
            Self::Newer { run, .. } | Self::Unknown { run, .. } => Some(run.as_str()),
            Self::Unreadable { name, .. } => run_of(name),
            _ => None,
        }
    }
}

/// A standard parameter's limit (Systems Manager, quotas).
const LIMIT: usize = 4096;

fn folder(pipeline: &str) -> String {
    format!("/goldseed/{pipeline}/runs")
}

fn name(record: &RunRecord, page: u64) -> String {
    format!("{}/{}/{page}", folder(&record.pipeline), record.run)
}

/// Writes the record as it goes into a parameter. Parameter Store reads `{{…}}` as a reference, so braces that meet
/// are kept apart: JSON does not mind a space there, and inside strings the brace is escaped.
fn text(record: &RunRecord) -> Result<String, StoreError> {
    let value = serde_json::to_string(record).map_err(|error| StoreError::Unreadable {
        name: record.run.to_string(),
        reason: error.to_string(),
    })?;
    let text = without_references(&value);
    if text.len() > LIMIT {
        return Err(StoreError::TooLarge {
            run: record.run.clone(),
            size: text.len(),
        });
    }
    Ok(text)
}

/// Keeps `{{` and `}}` out of JSON text without changing what it says.
pub(super) fn without_references(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    let (mut quoted, mut escaped) = (false, false);
    let mut previous = ' ';
    for character in json.chars() {
        let meets = matches!((previous, character), ('{', '{') | ('}', '}'));
        match (quoted, meets) {
            (true, true) => text.push_str(if character == '{' {
                "\\u007b"
            } else {
                "\\u007d"
            }),
            (false, true) => {
                text.push(' ');
                text.push(character);
            }
            _ => text.push(character),
        }
        if quoted && !escaped && character == '\\' {
            escaped = true;
        } else {
            if character == '"' && !escaped {
                quoted = !quoted;
            }
            escaped = false;
        }
        previous = character;
    }
    text
}

fn read(name: &str, value: &str) -> Result<RunRecord, StoreError> {
    let unreadable = |reason: String| StoreError::Unreadable {
        name: name.to_owned(),
        reason,
    };
    let loose: serde_json::Value =
        serde_json::from_str(value).map_err(|error| unreadable(error.to_string()))?;
    let format = loose.get("f").and_then(serde_json::Value::as_u64);
    if let (Some(format), Some(run)) = (format, run_of(name))
        && format > u64::from(FORMAT)
    {
        let run = RunId::new(run);
        return Err(StoreError::Newer { run, format });
    }
    if format != Some(u64::from(FORMAT)) {
        let format = format.map_or("no format".to_owned(), |format| format!("format {format}"));
        return Err(unreadable(format!(
            "it has {format}, this version reads format {FORMAT}"
        )));
    }
    serde_json::from_value(loose).map_err(|error| unreadable(error.to_string()))
}

/// Creates a page. A page that exists already is ours if it carries our nonce: then only the answer was lost.
pub(super) async fn create(cloud: &Cloud, record: &RunRecord, page: u64) -> Result<(), StoreError> {
    let name = name(record, page);
    let tags = Tags::from([
        (tags::PIPELINE.to_owned(), record.pipeline.clone()),
        (tags::RUN.to_owned(), record.run.to_string()),
    ]);
    let description = format!("goldseed {} of {}", record.verb.as_str(), record.pipeline);
    if cloud
        .create_parameter(&name, &text(record)?, &description, &tags)
        .await?
        == Put::Created
    {
        return Ok(());
    }
    let found = cloud.parameter(&name).await?;
    let other = found.map(|found| read(&name, &found.value)).transpose()?;
    match other {
        Some(other) if other.writer.nonce == record.writer.nonce => Ok(()),
        Some(other) => Err(StoreError::TakenOver {
            run: record.run.clone(),
            who: other.who,
            page,
        }),
        None => Err(StoreError::Unreadable {
            name,
            reason: "it exists and cannot be found: try again in a minute".into(),
        }),
    }
}

/// Overwrites our own page.
pub(super) async fn overwrite(
    cloud: &Cloud,
    record: &RunRecord,
    page: u64,
) -> Result<(), StoreError> {
    let description = format!("goldseed {} of {}", record.verb.as_str(), record.pipeline);
    cloud
        .overwrite_parameter(&name(record, page), &text(record)?, &description)
        .await?;
    Ok(())
}

/// Stops a process that is no longer the highest page's.
pub(super) async fn must_drive(
    cloud: &Cloud,
    record: &RunRecord,
    page: u64,
) -> Result<(), StoreError> {
    let next = name(record, page + 1);
    match cloud.parameter(&next).await? {
        None => Ok(()),
        Some(found) => Err(StoreError::TakenOver {
            run: record.run.clone(),
            who: read(&next, &found.value)?.who,
            page: page + 1,
        }),
    }
}

/// Returns one page of a run, if it is there.
pub(super) async fn page(
    cloud: &Cloud,
    record: &RunRecord,
    page: u64,
) -> Result<Option<RunRecord>, StoreError> {
    let name = name(record, page);
    let found = cloud.parameter(&name).await?;
    found.map(|found| read(&name, &found.value)).transpose()
}

/// Returns the record of a run as its driver wrote it last.
pub async fn latest(cloud: &Cloud, pipeline: &str, run: &RunId) -> Result<RunRecord, StoreError> {
    highest(cloud, pipeline, run)
        .await
        .map(|(record, _)| record)
}

/// Returns the highest page of a run.
pub(super) async fn highest(
    cloud: &Cloud,
    pipeline: &str,
    run: &RunId,
) -> Result<(RunRecord, u64), StoreError> {
    let pages = cloud
        .parameters_below(&format!("{}/{run}", folder(pipeline)))
        .await?;
    let highest = pages
        .iter()
        .filter_map(|page| Some((page_number(&page.name)?, page)))
        .max_by_key(|(number, _)| *number);
    let (number, page) = highest.ok_or_else(|| StoreError::Unknown {
        pipeline: pipeline.to_owned(),
        run: run.clone(),
    })?;
    Ok((read(&page.name, &page.value)?, number))
}

/// Returns the runs of a pipeline, newest first; what cannot be read is returned as its error.
pub async fn runs(
    cloud: &Cloud,
    pipeline: &str,
) -> Result<Vec<Result<RunRecord, StoreError>>, StoreError> {
    let kept = kept(cloud, pipeline).await?;
    Ok(kept.into_iter().map(|kept| kept.record).collect())
}

/// A run as Parameter Store keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// The run.
    pub run: RunId,
    /// The pipeline.
    pub pipeline: String,
    /// Its record, or why that cannot be read.
    pub record: Result<RunRecord, StoreError>,
    /// When its driver wrote last, where Parameter Store says.
    pub written: Option<jiff::Timestamp>,
    /// The names of its pages, the highest first.
    pub pages: Vec<String>,
}

/// Returns the runs of a pipeline with their pages, newest first.
pub async fn kept(cloud: &Cloud, pipeline: &str) -> Result<Vec<Kept>, StoreError> {
    let pages = cloud.parameters_below(&folder(pipeline)).await?;
    Ok(kept_in(&pages))
}

/// Returns the runs whose pages are among these parameters, newest first. Pure.
pub fn kept_in(parameters: &[Parameter]) -> Vec<Kept> {
    let mut runs: BTreeMap<(&str, &str), Vec<(u64, &Parameter)>> = BTreeMap::new();
    for parameter in parameters {
        if let Some((pipeline, run, page)) = parts(&parameter.name) {
            let pages = runs.entry((run, pipeline)).or_default();
            pages.push((page, parameter));
        }
    }
    let runs = runs
        .into_iter()
        .rev()
        .filter_map(|((run, pipeline), mut pages)| {
            pages.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
            let (_, highest) = pages.first()?;
            Some(Kept {
                run: RunId::new(run),
                pipeline: pipeline.to_owned(),
                record: read(&highest.name, &highest.value),
                written: highest.modified,
                pages: pages.iter().map(|(_, page)| page.name.clone()).collect(),
            })
        });
    runs.collect()
}

/// The pipeline, run and number of a page's name.
fn parts(name: &str) -> Option<(&str, &str, u64)> {
    let mut parts = name.strip_prefix("/goldseed/")?.split('/');
    let (pipeline, folder) = (parts.next()?, parts.next()?);
    let (run, page) = (parts.next()?, parts.next()?.parse().ok()?);
    (folder == "runs" && parts.next().is_none()).then_some((pipeline, run, page))
}

/// The run that a page's name names.
fn run_of(name: &str) -> Option<&str> {
    name.rsplit('/').nth(1)
}

fn page_number(name: &str) -> Option<u64> {
    name.rsplit('/').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn another_format_is_refused_by_name() {
        let error = read("/goldseed/shop/runs/r/1", r#"{"f":2}"#).unwrap_err();
        assert_eq!(
            error.to_string(),
            "run r: its record was written by a newer version of goldseed (format 2, this version reads 1)"
        );
        assert!(matches!(error, StoreError::Newer { .. }) && error.run() == Some("r"));
        let error = read("/goldseed/shop/runs/r/1", "{}").unwrap_err();
        assert_eq!(error.run(), Some("r"));
        assert!(read("n", "not json").is_err());
    }

    proptest! {
        #[test]
        fn no_reference_reaches_a_parameter_and_nothing_is_changed(
            words in proptest::collection::vec(r#"[{}"\\a ]{0,12}"#, 0..6),
        ) {
            let value = serde_json::json!({"a": {"b": {"c": words}}, "d": {}});
            let text = without_references(&value.to_string());
            prop_assert!(!text.contains("{{") && !text.contains("}}"), "{}", text);
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
        }
    }
}
