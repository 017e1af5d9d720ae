//! Which parameters sweep may remove: a pure function of what Parameter Store keeps.
//!
//! An account and region has room for 10,000 standard parameters in all (Systems Manager, quotas). Of a run that has
//! ended the highest page is its record, and the ones below it are of no use. The record itself goes with the images
//! that it names; while one of them exists, it may be needed to know what was before it. A process that slept through
//! all this notices: it stops where a higher page is there, and where its own page turns out to be gone.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::choice::{Leftover, What, is_past};
use crate::cloud::Parameter;
use crate::id::{ImageId, RunId};
use crate::run::Kept;

/// How old the record of a run that has ended must be before it goes.
const RECORDS: Duration = Duration::from_hours(90 * 24);
/// How long ago a lease on an environment that is gone must have been written.
const LEASES: Duration = Duration::from_hours(24);

/// What the choice is made from.
#[derive(Clone, Debug)]
pub(super) struct Parameters<'a> {
    pub(super) now: Timestamp,
    /// All runs with their pages.
    pub(super) runs: &'a [Kept],
    /// All parameters below `/goldseed`.
    pub(super) all: &'a [Parameter],
    /// The images that exist or that something names.
    pub(super) images: &'a BTreeSet<ImageId>,
    /// The runs that have something left, and those that a ledger names.
    pub(super) needed: &'a BTreeSet<RunId>,
    /// The ids of the environments that exist.
    pub(super) environments: &'a BTreeSet<String>,
}

/// Chooses the parameters that may go. The pages of a run go from the lowest to the highest.
pub(super) fn choose(parameters: &Parameters<'_>) -> Vec<Leftover> {
    let runs = parameters.runs.iter();
    let mut chosen: Vec<Leftover> = runs.flat_map(|kept| of_run(parameters, kept)).collect();
    chosen.extend(leases(parameters));
    chosen
}

fn of_run(parameters: &Parameters<'_>, kept: &Kept) -> Vec<Leftover> {
    let Ok(record) = &kept.record else {
        return Vec::new();
    };
    let Some(verdict) = record.verdict else {
        return Vec::new();
    };
    let leftover = |name: &String, label: &str, why: String| Leftover {
        what: What::Parameter(name.clone()),
        label: label.to_owned(),
        run: Some(kept.run.clone()),
        pipeline: kept.pipeline.clone(),
        since: kept.run.started(),
        why,
        monthly: Some(0.0),
    };
    let Some((highest, lower)) = kept.pages.split_first() else {
        return Vec::new();
    };
    let mut chosen: Vec<Leftover> = lower
        .iter()
        .rev()
        .map(|name| {
            let why = format!("its run has ended: {}", verdict.as_str());
            leftover(name, "superseded page", why)
        })
        .collect();
    let is_old = kept
        .written
        .is_some_and(|written| is_past(written, RECORDS, parameters.now));
    let value = parameters.all.iter().find(|one| one.name == *highest);
    let names_image = value.is_none_or(|value| {
        let mut images = parameters.images.iter();
        images.any(|image| value.value.contains(image.as_str()))
    });
    if is_old && !names_image && !parameters.needed.contains(&kept.run) {
        let why = "its run ended long ago, and its images are gone".to_owned();
        chosen.push(leftover(highest, "record", why));
    }
    chosen
}

/// The leases on environments that do not exist any more; an environment's id is never used again.
fn leases(parameters: &Parameters<'_>) -> Vec<Leftover> {
    let all = parameters.all.iter();
    all.filter_map(|parameter| {
        let rest = parameter.name.strip_prefix("/goldseed/environments/")?;
        let (environment, rest) = rest.split_once('/')?;
        let written = parameter.modified?;
        let gone = rest.starts_with("lease/")
            && !parameters.environments.contains(environment)
            && is_past(written, LEASES, parameters.now);
        gone.then(|| Leftover {
            what: What::Parameter(parameter.name.clone()),
            label: "lease".to_owned(),
            run: None,
            pipeline: String::new(),
            since: Some(written),
            why: format!("the environment {environment} is gone"),
            monthly: Some(0.0),
        })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::kept_in;

    const NOW: &str = "2026-11-23T12:00:00Z";

    fn parameter(name: &str, value: &str, modified: &str) -> Parameter {
        Parameter {
            name: name.into(),
            value: value.into(),
            version: 1,
            modified: Some(modified.parse().unwrap()),
        }
    }

    fn record(
        run: &str,
        page: u64,
        verdict: Option<&str>,
        image: &str,
        modified: &str,
    ) -> Parameter {
        let verdict = verdict.map_or_else(String::new, |text| format!(r#","verdict":"{text}""#));
        let value = format!(
            r#"{{"f":1,"tool":"0","run":"{run}","pipeline":"shop","verb":"build","env":"e","at":0,"who":"a@b","plan":{{}},
            "steps":[{{"s":"image/golden","t":0,"ms":1,"o":"{image}"}}]{verdict},"w":{{"n":"x","q":0}}}}"#
        );
        parameter(
            &format!("/goldseed/shop/runs/{run}/{page}"),
            &value,
            modified,
        )
    }

    fn chosen(
        all: &[Parameter],
        images: &[&str],
        needed: &[&str],
        environments: &[&str],
    ) -> Vec<String> {
        let runs = kept_in(all);
        let chosen = choose(&Parameters {
            now: NOW.parse().unwrap(),
            runs: &runs,
            all,
            images: &images.iter().map(|id| ImageId::new(*id)).collect(),
            needed: &needed.iter().map(|id| RunId::new(*id)).collect(),
            environments: &environments.iter().map(ToString::to_string).collect(),
        });
        chosen.iter().map(|one| one.what.id().to_owned()).collect()
    }

    const OLD: &str = "20260601-000000-0001";
    const LONG_AGO: &str = "2026-06-01T01:00:00Z";

    #[test]
    fn of_a_run_that_ended_only_the_highest_page_stays() {
        let all = [
            record(OLD, 1, None, "ami-1", LONG_AGO),
            record(OLD, 2, None, "ami-1", LONG_AGO),
            record(OLD, 10, Some("done"), "ami-1", "2026-11-23T11:00:00Z"),
        ];
        let page = |number: u64| format!("/goldseed/shop/runs/{OLD}/{number}");
        assert_eq!(chosen(&all, &[], &[], &[]), [page(1), page(2)]);
        // Of one that is unfinished all pages stay, however old: a process of a lower page looks for a higher one.
        assert!(chosen(&all[..2], &[], &[], &[]).is_empty());
    }

    #[test]
    fn an_old_record_goes_with_its_images() {
        let all = [record(OLD, 1, Some("done"), "ami-1", LONG_AGO)];
        let name = all[0].name.as_str();
        assert_eq!(chosen(&all, &[], &[], &[]), [name]);
        assert!(
            chosen(&all, &["ami-1"], &[], &[]).is_empty(),
            "its image exists"
        );
        assert!(
            chosen(&all, &[], &[OLD], &[]).is_empty(),
            "the ledger names it"
        );
        let young = [record(
            OLD,
            1,
            Some("done"),
            "ami-1",
            "2026-10-01T00:00:00Z",
        )];
        assert!(
            chosen(&young, &[], &[], &[]).is_empty(),
            "it is not 90 days old"
        );
        let unfinished = [record(OLD, 1, None, "ami-1", LONG_AGO)];
        assert!(chosen(&unfinished, &[], &[], &[]).is_empty());
        let newer = [parameter(name, r#"{"f":9}"#, LONG_AGO)];
        assert!(
            chosen(&newer, &[], &[], &[]).is_empty(),
            "nobody here can read it"
        );
    }

    #[test]
    fn a_lease_goes_with_its_environment() {
        let lease = |age: &str| [parameter("/goldseed/environments/e-1/lease/3", "{}", age)];
        assert_eq!(chosen(&lease(LONG_AGO), &[], &[], &["e-2"]).len(), 1);
        assert!(chosen(&lease(LONG_AGO), &[], &[], &["e-1"]).is_empty());
        assert!(chosen(&lease("2026-11-23T11:00:00Z"), &[], &[], &[]).is_empty());
    }

    #[test]
    fn the_ledger_and_what_is_not_ours_stay() {
        let all = [
            parameter("/goldseed/shop/image", "ami-1", LONG_AGO),
            parameter("/goldseed/shop/other/runs/1", "x", LONG_AGO),
            parameter("/goldseed/environments/e-1/note", "x", LONG_AGO),
        ];
        assert!(chosen(&all, &[], &[], &[]).is_empty());
    }
}
