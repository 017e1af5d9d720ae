//! Snapshots: how far they are; found by their tags once their image is gone, and deleted.

use std::collections::BTreeSet;

use aws_sdk_ec2::types as sdk;

use super::super::{Cloud, CloudError, ErrorKind, present, tags};
use super::{Tags, filter, read_tags};
use crate::id::SnapshotId;

/// A snapshot as far as the tool cares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Its id.
    pub id: SnapshotId,
    /// When it was begun.
    pub started: jiff::Timestamp,
    /// The size of the volume that it was made of, in GiB: what it is billed for at most.
    pub size: i32,
    /// Its tags.
    pub tags: Tags,
}

/// How far the snapshots of an image are.
#[derive(Clone, Debug, PartialEq)]
pub struct SnapshotProgress {
    /// From 0 to 1: the slowest snapshot's.
    pub done: Option<f32>,
    /// Whether all are completed.
    pub completed: bool,
    /// What a failed one says.
    pub failure: Option<String>,
}

impl Cloud {
    /// Returns how far an image's snapshots are.
    pub async fn snapshot_progress(
        &self,
        snapshots: &[SnapshotId],
    ) -> Result<SnapshotProgress, CloudError> {
        const OPERATION: &str = "DescribeSnapshots";
        if snapshots.is_empty() {
            return Ok(SnapshotProgress {
                done: None,
                completed: false,
                failure: None,
            });
        }
        let ids: Vec<String> = snapshots.iter().map(ToString::to_string).collect();
        let subject = ids.join(", ");
        let answer = self
            .ec2
            .describe_snapshots()
            .set_snapshot_ids(Some(ids))
            .send()
            .await
            .map_err(|error| CloudError::of(OPERATION, subject, &error))?;
        let list = answer.snapshots();
        let failed = list
            .iter()
            .find(|snapshot| snapshot.state() == Some(&sdk::SnapshotState::Error));
        Ok(SnapshotProgress {
            done: list
                .iter()
                .map(|snapshot| percentage(snapshot.progress()))
                .reduce(f32::min),
            completed: !list.is_empty()
                && list
                    .iter()
                    .all(|one| one.state() == Some(&sdk::SnapshotState::Completed)),
            failure: failed.map(|one| one.state_message().unwrap_or("snapshot failed").to_owned()),
        })
    }

    /// Returns the KMS keys that snapshots are encrypted with.
    pub async fn snapshot_keys(
        &self,
        snapshots: &[SnapshotId],
    ) -> Result<BTreeSet<String>, CloudError> {
        if snapshots.is_empty() {
            return Ok(BTreeSet::new());
        }
        let ids: Vec<String> = snapshots.iter().map(ToString::to_string).collect();
        let subject = ids.join(", ");
        let call = self.ec2.describe_snapshots().set_snapshot_ids(Some(ids));
        let answer = call
            .send()
            .await
            .map_err(|error| CloudError::of("DescribeSnapshots", subject, &error))?;
        let keys = answer.snapshots().iter().filter_map(|one| one.kms_key_id());
        Ok(keys.map(ToOwned::to_owned).collect())
    }

    /// Returns this account's snapshots that carry all of these tags.
    pub async fn snapshots_tagged(&self, wanted: &Tags) -> Result<Vec<Snapshot>, CloudError> {
        let filters = wanted
            .iter()
            .map(|(key, value)| filter(&format!("tag:{key}"), &[value]))
            .collect();
        self.describe_snapshots(filters).await
    }

    /// Returns this account's snapshots that carry a run's tag.
    pub async fn snapshots_of_runs(&self) -> Result<Vec<Snapshot>, CloudError> {
        self.describe_snapshots(vec![filter("tag-key", &[tags::RUN])])
            .await
    }

    async fn describe_snapshots(
        &self,
        filters: Vec<sdk::Filter>,
    ) -> Result<Vec<Snapshot>, CloudError> {
        const OPERATION: &str = "DescribeSnapshots";
        let mut found = Vec::new();
        let mut token = None;
        loop {
            let answer = self
                .ec2
                .describe_snapshots()
                .owner_ids("self")
                .set_filters(Some(filters.clone()))
                .set_next_token(token)
                .send()
                .await
                .map_err(|error| CloudError::of(OPERATION, "tagged snapshots", &error))?;
            for snapshot in answer.snapshots() {
                found.push(read_snapshot(snapshot, OPERATION)?);
            }
            token = answer.next_token.filter(|text| !text.is_empty());
            if token.is_none() {
                return Ok(found);
            }
        }
    }

    /// Deletes a snapshot; one that is gone already is fine. One whose image exists is an error with the code
    /// `InvalidSnapshot.InUse`.
    pub async fn ensure_snapshot_deleted(&self, id: &SnapshotId) -> Result<(), CloudError> {
        let answer = self
            .ec2
            .delete_snapshot()
            .snapshot_id(id.as_str())
            .send()
            .await;
        match answer.map_err(|error| CloudError::of("DeleteSnapshot", id.as_str(), &error)) {
            Err(error) if error.kind == ErrorKind::NotFound => Ok(()),
            other => other.map(drop),
        }
    }
}

fn read_snapshot(
    snapshot: &sdk::Snapshot,
    operation: &'static str,
) -> Result<Snapshot, CloudError> {
    let id = present(
        snapshot.snapshot_id(),
        operation,
        "a snapshot",
        "SnapshotId",
    )?;
    let started = present(snapshot.start_time(), operation, id, "StartTime")?;
    Ok(Snapshot {
        id: SnapshotId::new(id),
        started: jiff::Timestamp::from_second(started.secs())
            .map_err(|_| CloudError::absent(operation, id, "a readable StartTime"))?,
        size: present(snapshot.volume_size(), operation, id, "VolumeSize")?,
        tags: read_tags(snapshot.tags()),
    })
}

/// Reads `42%`; an empty text is no progress yet.
fn percentage(text: Option<&str>) -> f32 {
    let number = text.and_then(|text| text.trim_end_matches('%').parse::<f32>().ok());
    (number.unwrap_or(0.0) / 100.0).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::percentage;

    #[test]
    fn progress_is_read_as_ec2_writes_it() {
        for (text, expected) in [
            (None, 0.0),
            (Some(""), 0.0),
            (Some("42%"), 0.42),
            (Some("100%"), 1.0),
        ] {
            assert!((percentage(text) - expected).abs() < 1e-6, "{text:?}");
        }
    }
}
