//! The ledger: `/goldseed/<pipeline>/image`, whose value is the base image that is current and whose history is the
//! history of promotions. Anything (CloudFormation, Terraform, a colleague) can read it.
//!
//! Each promotion or rollback is one version, put after the verdict. Its description is one structured line:
//! `promotion previous=ami-1 run=… environment=e-… failed=ami-2 from=shop-staging reason=…`. No labels: a labelled oldest version
//! would block new ones once there are a hundred.

use std::collections::BTreeSet;

use crate::cloud::{Cloud, CloudError, Put, Tags, Version, tags};
use crate::id::{ImageId, RunId};
use crate::record::{BaseImage, LedgerEntry, LedgerKind};

/// Why the ledger could not be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// AWS refused.
    #[error(transparent)]
    Cloud(#[from] CloudError),
    /// It belongs to another environment of the same name.
    #[error(
        "the ledger of pipeline `{pipeline}` belongs to environment {theirs}, and the environment is {ours} now"
    )]
    OtherEnvironment {
        /// The pipeline.
        pipeline: String,
        /// The environment's id in the ledger.
        theirs: String,
        /// The environment's id now.
        ours: String,
    },
}

/// What is written for one promotion or rollback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEntry {
    /// The base image that is current now.
    pub current: BaseImage,
    /// What was done.
    pub kind: LedgerKind,
    /// The base image before.
    pub previous: BaseImage,
    /// The run.
    pub run: RunId,
    /// The environment's id.
    pub environment_id: String,
    /// The image that was not well.
    pub failed: Option<ImageId>,
    /// The name of the other environment that the image was built for, to which a person consented.
    pub from_environment: Option<String>,
    /// Why, in words.
    pub reason: String,
}

/// A pipeline's ledger, oldest entry first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// The entries.
    pub entries: Vec<LedgerEntry>,
}

fn name(pipeline: &str) -> String {
    format!("/goldseed/{pipeline}/image")
}

impl Ledger {
    /// Reads a pipeline's ledger; versions that somebody else wrote into it are left out.
    pub async fn read(cloud: &Cloud, pipeline: &str) -> Result<Self, LedgerError> {
        let versions = cloud.parameter_history(&name(pipeline)).await?;
        let mut entries: Vec<LedgerEntry> = versions.iter().filter_map(entry).collect();
        // Where an answer was lost the SDK wrote once more: a version too many, and the first one counts.
        entries.dedup_by(|later, kept| {
            later.run == kept.run && later.kind == kept.kind && later.current == kept.current
        });
        Ok(Self { entries })
    }

    /// Refuses a ledger of another environment.
    pub fn must_be_of(&self, pipeline: &str, environment_id: &str) -> Result<(), LedgerError> {
        match self.entries.last() {
            Some(last) if last.environment_id != environment_id => {
                Err(LedgerError::OtherEnvironment {
                    pipeline: pipeline.to_owned(),
                    theirs: last.environment_id.clone(),
                    ours: environment_id.to_owned(),
                })
            }
            _ => Ok(()),
        }
    }

    /// Returns every image that a pipeline's ledger names or ever named, whoever wrote it.
    pub async fn images(cloud: &Cloud, pipeline: &str) -> Result<BTreeSet<ImageId>, LedgerError> {
        let versions = cloud.parameter_history(&name(pipeline)).await?;
        let values = versions
            .iter()
            .filter_map(|version| BaseImage::from_value(&version.value).image().cloned());
        let described = versions.iter().filter_map(entry).flat_map(|entry| {
            let previous = entry.previous.image().cloned();
            previous.into_iter().chain(entry.failed)
        });
        Ok(values.chain(described).collect())
    }

    /// Adds an entry. Safe to do twice: an entry of the same run and kind is not written again.
    pub async fn add(cloud: &Cloud, pipeline: &str, new: &NewEntry) -> Result<(), LedgerError> {
        let ledger = Self::read(cloud, pipeline).await?;
        let ours = |entry: &LedgerEntry| entry.run == new.run && entry.kind == new.kind;
        if ledger.entries.last().is_some_and(ours) {
            return Ok(());
        }
        let (name, value, line) = (name(pipeline), new.current.to_string(), describe(new));
        let tags = Tags::from([(tags::PIPELINE.to_owned(), pipeline.to_owned())]);
        if cloud.create_parameter(&name, &value, &line, &tags).await? == Put::Exists {
            let after = Self::read(cloud, pipeline).await?;
            if !after.entries.last().is_some_and(ours) {
                cloud.overwrite_parameter(&name, &value, &line).await?;
            }
        }
        Ok(())
    }

    /// Returns what to go back to from the base image that is deployed, nearest first: what was current before it,
    /// each image once, the platform's own included. A rollback takes an image off, so a repeated one walks further
    /// back; an image that was not well never was current. From an image that the ledger does not know, its promotion
    /// having been interrupted or made by hand, the way back is the image that the ledger names last.
    pub fn targets(&self, deployed: &BaseImage) -> Vec<BaseImage> {
        let mut stack: Vec<BaseImage> = Vec::new();
        for entry in &self.entries {
            if stack.is_empty() {
                stack.push(entry.previous.clone());
            }
            match entry.kind {
                LedgerKind::Promotion => {
                    // An image that somebody set by hand in between was what this one replaced.
                    if stack.last() != Some(&entry.previous) {
                        stack.retain(|image| *image != entry.previous);
                        stack.push(entry.previous.clone());
                    }
                    stack.retain(|image| *image != entry.current);
                    stack.push(entry.current.clone());
                }
                LedgerKind::RolledBack | LedgerKind::RollbackFailed => {}
                LedgerKind::Rollback => {
                    if let Some(at) = stack.iter().position(|image| *image == entry.current) {
                        stack.truncate(at + 1);
                    } else {
                        stack.push(entry.current.clone());
                    }
                }
            }
        }
        if let Some(at) = stack.iter().position(|image| image == deployed) {
            stack.truncate(at);
        }
        stack.reverse();
        stack
    }
}

/// Writes the description: at most 1024 characters, the reason last and cut where it is too long.
fn describe(new: &NewEntry) -> String {
    let failed = new
        .failed
        .as_ref()
        .map_or_else(String::new, |image| format!(" failed={image}"));
    let from = new
        .from_environment
        .as_ref()
        .map_or_else(String::new, |name| format!(" from={name}"));
    let line = format!(
        "{} previous={} run={} environment={}{failed}{from} reason={}",
        new.kind.as_str(),
        new.previous,
        new.run,
        new.environment_id,
        new.reason.replace(['\n', '\r'], " "),
    );
    line.replace("{{", "{ {").chars().take(1024).collect()
}

fn entry(version: &Version) -> Option<LedgerEntry> {
    let (kind, rest) = version.description.split_once(' ')?;
    let kind = match kind {
        "promotion" => LedgerKind::Promotion,
        "rollback" => LedgerKind::Rollback,
        "rolled-back" => LedgerKind::RolledBack,
        "rollback-failed" => LedgerKind::RollbackFailed,
        _ => return None,
    };
    let (fields, reason) = rest.split_once("reason=").unwrap_or((rest, ""));
    let field = |key: &str| {
        fields
            .split_whitespace()
            .find_map(|field| field.strip_prefix(key)?.strip_prefix('='))
    };
    Some(LedgerEntry {
        version: version.version,
        current: BaseImage::from_value(&version.value),
        kind,
        previous: BaseImage::from_value(field("previous")?),
        run: RunId::new(field("run")?),
        environment_id: field("environment")?.to_owned(),
        failed: field("failed").map(ImageId::new),
        from_environment: field("from").map(ToOwned::to_owned),
        reason: reason.to_owned(),
        who: version.who.clone(),
        when: version.when,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(kind: LedgerKind, current: &str, previous: &str) -> NewEntry {
        NewEntry {
            current: BaseImage::from_value(current),
            kind,
            previous: BaseImage::from_value(previous),
            run: RunId::new("20261123-034512-7f3a"),
            environment_id: "e-1".into(),
            failed: None,
            from_environment: Some("shop-staging".into()),
            reason: "two\nlines".into(),
        }
    }

    fn ledger(entries: &[(LedgerKind, &str, &str)]) -> Ledger {
        let versions = entries
            .iter()
            .enumerate()
            .map(|(at, (kind, current, previous))| Version {
                version: i64::try_from(at).unwrap() + 1,
                value: (*current).to_owned(),
                description: describe(&new(*kind, current, previous)),
                who: "arn".into(),
                when: Timestamp::UNIX_EPOCH,
            });
        Ledger {
            entries: versions.map(|version| entry(&version).unwrap()).collect(),
        }
    }

    use LedgerKind::{Promotion, Rollback, RollbackFailed, RolledBack};
    use jiff::Timestamp;

    fn targets(deployed: &str, entries: &[(LedgerKind, &str, &str)]) -> Vec<String> {
        ledger(entries)
            .targets(&BaseImage::from_value(deployed))
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn an_entry_comes_back_as_it_was_written() {
        let read = ledger(&[(RolledBack, "platform", "ami-1")])
            .entries
            .remove(0);
        assert_eq!(read.current, BaseImage::PLATFORM);
        assert_eq!(read.previous, BaseImage::from_value("ami-1"));
        assert_eq!(read.reason, "two lines");
        assert_eq!(read.from_environment.as_deref(), Some("shop-staging"));
        assert_eq!(read.run.as_str(), "20261123-034512-7f3a");
    }

    #[test]
    fn what_somebody_else_wrote_is_no_entry() {
        let version = Version {
            version: 1,
            value: "ami-1".into(),
            description: "set by hand".into(),
            who: "arn".into(),
            when: Timestamp::UNIX_EPOCH,
        };
        assert_eq!(entry(&version), None);
    }

    #[test]
    fn targets_go_back_through_promotions_to_the_platforms_own_image() {
        let entries = [
            (Promotion, "ami-1", "platform"),
            (Promotion, "ami-2", "ami-1"),
        ];
        assert_eq!(targets("ami-2", &entries), ["ami-1", "platform"]);
    }

    #[test]
    fn from_an_image_that_the_ledger_does_not_know_the_last_one_is_the_way_back() {
        let entries = [
            (Promotion, "ami-1", "platform"),
            (Promotion, "ami-2", "ami-1"),
        ];
        assert_eq!(targets("ami-3", &entries), ["ami-2", "ami-1", "platform"]);
        // Somebody went back by hand: what was given up is no way back.
        assert_eq!(targets("ami-1", &entries), ["platform"]);
        assert_eq!(targets("platform", &entries), [""; 0]);
    }

    #[test]
    fn a_repeated_rollback_walks_further_back() {
        let mut entries = vec![
            (Promotion, "ami-1", "platform"),
            (Promotion, "ami-2", "ami-1"),
            (Promotion, "ami-3", "ami-2"),
            (Rollback, "ami-2", "ami-3"),
        ];
        assert_eq!(targets("ami-2", &entries), ["ami-1", "platform"]);
        entries.push((Rollback, "ami-1", "ami-2"));
        assert_eq!(targets("ami-1", &entries), ["platform"]);
        entries.push((Promotion, "ami-4", "ami-1"));
        assert_eq!(targets("ami-4", &entries), ["ami-1", "platform"]);
    }

    #[test]
    fn an_image_that_was_not_well_is_no_target() {
        let entries = [
            (Promotion, "ami-1", "platform"),
            (RolledBack, "ami-1", "ami-1"),
            (RollbackFailed, "ami-2", "ami-1"),
            (Promotion, "ami-3", "ami-1"),
        ];
        assert_eq!(targets("ami-3", &entries), ["ami-1", "platform"]);
    }
}
