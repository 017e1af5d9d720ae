//! Snapshots: found by their tags once their image is gone, and deleted.

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

impl Cloud {
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
        filters: Vec<aws_sdk_ec2::types::Filter>,
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
    snapshot: &aws_sdk_ec2::types::Snapshot,
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
