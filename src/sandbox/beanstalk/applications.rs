//! Applications and their versions.

use crate::sandbox::state::State;

/// An application.
#[derive(Clone, Debug)]
pub(crate) struct Application {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) created: jiff::Timestamp,
}

/// A version of an application: a bundle in the storage.
#[derive(Clone, Debug)]
pub(crate) struct ApplicationVersion {
    pub(crate) application: String,
    pub(crate) label: String,
    pub(crate) description: Option<String>,
    /// Bucket and key; none for the sample application.
    pub(crate) bundle: Option<(String, String)>,
    pub(crate) created: jiff::Timestamp,
}

impl State {
    /// Finds a version of an application.
    pub(crate) fn version(&self, application: &str, label: &str) -> Option<&ApplicationVersion> {
        self.versions
            .iter()
            .find(|one| one.application == application && one.label == label)
    }

    /// The bucket that Beanstalk keeps bundles in.
    pub(crate) fn bucket(&self) -> String {
        format!("elasticbeanstalk-{}-{}", self.region, self.account)
    }
}
