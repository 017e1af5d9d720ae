//! The record's pages in Parameter Store.

mod error;

pub use error::StoreError;

use crate::cloud::{Cloud, Put, Tags, tags};
use crate::id::RunId;
use crate::record::{FORCED, FORMAT, RunRecord};

/// A standard parameter's limit (Systems Manager, quotas).
const LIMIT: usize = 4096;

pub(super) fn folder(pipeline: &str) -> String {
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

pub(super) fn read(name: &str, value: &str) -> Result<RunRecord, StoreError> {
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
            reason: other.asked.get(FORCED).cloned(),
            who: other.who,
            page,
            verdict: other.verdict,
        }),
        None => Err(StoreError::Unseen { name }),
    }
}

/// Overwrites our own page. A page was created as version 1: one that has that version after it was overwritten had been
/// removed after its run had ended, and is removed again.
pub(super) async fn overwrite(
    cloud: &Cloud,
    record: &RunRecord,
    page: u64,
) -> Result<(), StoreError> {
    let description = format!("goldseed {} of {}", record.verb.as_str(), record.pipeline);
    let name = name(record, page);
    let version = cloud
        .overwrite_parameter(&name, &text(record)?, &description)
        .await?;
    if version > 1 {
        return Ok(());
    }
    cloud.ensure_parameter_deleted(&name).await?;
    // The run went on without this process, and earlier pages were pruned as it ended.
    must_drive(cloud, record, page).await?;
    Err(StoreError::Removed {
        run: record.run.clone(),
        name,
    })
}

/// Stops a process that is no longer the highest page's. All pages are looked at, and not only the next one: those
/// between may have been pruned.
pub(super) async fn must_drive(
    cloud: &Cloud,
    record: &RunRecord,
    page: u64,
) -> Result<(), StoreError> {
    let pages = cloud
        .parameters_below(&format!("{}/{}", folder(&record.pipeline), record.run))
        .await?;
    let numbered = pages
        .iter()
        .filter_map(|page| Some((page_number(&page.name)?, page)));
    match numbered.max_by_key(|(number, _)| *number) {
        Some((number, found)) if number > page => {
            let theirs = read(&found.name, &found.value)?;
            Err(StoreError::TakenOver {
                run: record.run.clone(),
                reason: theirs.asked.get(FORCED).cloned(),
                who: theirs.who,
                page: number,
                verdict: theirs.verdict,
            })
        }
        _ => Ok(()),
    }
}

/// Removes the pages below this one, once the run has ended: from the lowest on, so that the highest always is the one
/// that was written last.
pub(super) async fn prune(cloud: &Cloud, record: &RunRecord, page: u64) -> Result<(), StoreError> {
    for lower in 1..page {
        cloud.ensure_parameter_deleted(&name(record, lower)).await?;
    }
    Ok(())
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
