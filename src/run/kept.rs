//! The runs that Parameter Store keeps, with their pages.

use std::collections::BTreeMap;

use super::store::{StoreError, folder, read};
use crate::cloud::{Cloud, Parameter};
use crate::id::RunId;
use crate::record::RunRecord;

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

/// Returns a run with its pages, if it is recorded.
pub async fn kept_run(
    cloud: &Cloud,
    pipeline: &str,
    run: &RunId,
) -> Result<Option<Kept>, StoreError> {
    let pages = cloud
        .parameters_below(&format!("{}/{run}", folder(pipeline)))
        .await?;
    Ok(kept_in(&pages).pop())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn page(name: &str) -> Parameter {
        Parameter {
            name: name.to_owned(),
            value: r#"{"f":2}"#.to_owned(),
            version: 1,
            modified: None,
        }
    }

    #[test]
    fn pages_are_sorted_into_runs_the_newest_run_and_the_highest_page_first() {
        let names = [
            "/goldseed/shop/runs/20260101-000000-0001/2",
            "/goldseed/shop/runs/20260101-000000-0001/10",
            "/goldseed/blog/runs/20260102-000000-0001/1",
            "/goldseed/shop/image",
            "/goldseed/environments/e-1/lease/1",
            "/goldseed/shop/runs/20260101-000000-0001/x",
        ];
        let kept = kept_in(&names.map(page));
        let of = |at: usize| (kept[at].pipeline.as_str(), kept[at].run.as_str());
        assert_eq!(kept.len(), 2);
        assert_eq!(of(0), ("blog", "20260102-000000-0001"));
        assert_eq!(of(1), ("shop", "20260101-000000-0001"));
        assert_eq!(kept[1].pages, [names[1], names[0]]);
    }
}
