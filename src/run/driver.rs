//! Whether a process still drives its run, for steps that may take hours.

use super::Run;
use super::store::{self, StoreError};
use crate::cloud::Cloud;
use crate::id::RunId;
use crate::record::RunRecord;

/// A process that drives a run, apart from the run itself: what a long step asks before it changes something anew.
#[derive(Clone, Debug)]
pub struct Driver {
    cloud: Cloud,
    record: RunRecord,
    page: u64,
}

impl Driver {
    /// Returns the run's id.
    pub fn run(&self) -> &RunId {
        &self.record.run
    }

    /// Stops a process whose run another one has taken over.
    pub async fn must_drive(&self) -> Result<(), StoreError> {
        store::must_drive(&self.cloud, &self.record, self.page).await
    }
}

impl Run {
    /// Returns what a step may ask whether this process still drives the run.
    pub fn driver(&self) -> Driver {
        Driver {
            cloud: self.cloud.clone(),
            record: self.record.clone(),
            page: self.page,
        }
    }
}
