//! What came of a step, in a few words for people.

use crate::id::{ImageId, InstanceId};

/// What came of a step, in a few words for people.
pub trait Outcome {
    /// The words: an id, a figure; empty where "done" says it all.
    fn outcome(&self) -> String;
}

impl Outcome for () {
    fn outcome(&self) -> String {
        String::new()
    }
}

impl Outcome for String {
    fn outcome(&self) -> String {
        self.clone()
    }
}

impl Outcome for ImageId {
    fn outcome(&self) -> String {
        self.to_string()
    }
}

impl Outcome for InstanceId {
    fn outcome(&self) -> String {
        self.to_string()
    }
}
