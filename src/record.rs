//! Plain data that is kept in Parameter Store: a run's record, the lease on an environment, an entry of the ledger.
//!
//! Names are short on the wire, for a standard parameter holds 4 KB. When a field is added, three readers count: an
//! old one with new data (unknown fields are ignored), a new one with old data (`serde(default)`), and an old *writer*
//! with new data (it never is one: a record says which format it has, and another format is refused).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::{ImageId, RunId, StepId};

/// The record's format; a record of another one is refused by name.
pub const FORMAT: u32 = 1;

/// What a run does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// Grow a golden image.
    Build,
    /// Make a golden image the environment's base image.
    Promote,
    /// Both.
    Rebuild,
    /// Make an earlier base image current again.
    Rollback,
}

impl Verb {
    /// The verb as it is typed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Promote => "promote",
            Self::Rebuild => "rebuild",
            Self::Rollback => "rollback",
        }
    }
}

/// Who wrote a page last: tells our own lost answer from another writer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Writer {
    /// Drawn once for each process.
    #[serde(rename = "n")]
    pub nonce: String,
    /// Counts the writer's own writes.
    #[serde(rename = "q")]
    pub sequence: u64,
    /// The mark of the writer's process on its host; none where it could not be read, and in older records.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub process: Option<String>,
    /// Whether the writer has stopped driving the run: anybody may take it over.
    #[serde(rename = "l", default, skip_serializing_if = "std::ops::Not::not")]
    pub left: bool,
}

/// One run, folded: what is needed to go on with it from another machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// [`FORMAT`].
    #[serde(rename = "f")]
    pub format: u32,
    /// The version of the tool that started the run.
    #[serde(rename = "tool")]
    pub tool_version: String,
    /// The run.
    pub run: RunId,
    /// The pipeline's name.
    pub pipeline: String,
    /// What the run does.
    pub verb: Verb,
    /// The environment's name.
    #[serde(rename = "env")]
    pub environment: String,
    /// When it started, in seconds since 1970.
    #[serde(rename = "at")]
    pub started: i64,
    /// Who drives it: `person@host`.
    pub who: String,
    /// The plan's digests by section, shortened.
    pub plan: BTreeMap<String, String>,
    /// What was asked for beside the plan: the image to promote, a reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub asked: BTreeMap<String, String>,
    /// The steps that were started, in order.
    pub steps: Vec<StepRecord>,
    /// How it ended; none while it is unfinished.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// Who wrote this page last.
    #[serde(rename = "w")]
    pub writer: Writer,
}

/// One step of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// The step.
    #[serde(rename = "s")]
    pub id: StepId,
    /// Which attempt this is, from 1: a step that failed and is done again by a resumed run is the next one.
    #[serde(rename = "a", default = "first", skip_serializing_if = "is_first")]
    pub attempt: u32,
    /// Seconds from the run's start to the step's.
    #[serde(rename = "t")]
    pub started: i64,
    /// How long it took in milliseconds; none while it is unfinished.
    #[serde(rename = "ms", default, skip_serializing_if = "Option::is_none")]
    pub milliseconds: Option<u64>,
    /// What came of it: ids and small facts, typed by the step.
    #[serde(
        rename = "o",
        default,
        skip_serializing_if = "serde_json::Value::is_null"
    )]
    pub output: serde_json::Value,
}

/// The output of a step that is not done and has ended by itself.
pub const ENDED: &str = "ended";

fn first() -> u32 {
    1
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_first(attempt: &u32) -> bool {
    *attempt == 1
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// What was asked for was done.
    Done,
    /// Refused before anything was touched.
    Refused,
    /// The environment was not well and was taken back to the image before.
    RolledBack,
    /// The environment was not well and could not be taken back: a person is needed.
    RollbackFailed,
    /// Ended by hand.
    Abandoned,
    /// Somebody else's change took the place of the one that it was to make.
    Overtaken,
}

impl Verdict {
    /// The verdict in words for tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::RolledBack => "rolled back",
            Self::RollbackFailed => "rollback failed",
            Self::Abandoned => "abandoned",
            Self::Overtaken => "overtaken",
        }
    }
}

/// The key in [`RunRecord::asked`] of why a run was taken over from a process that may have been driving it.
pub const FORCED: &str = "forced";

impl RunRecord {
    /// Returns the step's record if the step was ever started.
    pub fn step(&self, id: &StepId) -> Option<&StepRecord> {
        self.steps.iter().find(|step| step.id == *id)
    }

    /// Tells whether a step was done.
    pub fn is_done(&self, id: &str) -> bool {
        self.step(&StepId::new(id))
            .is_some_and(|step| step.milliseconds.is_some())
    }

    /// Tells whether a step that is not done has ended by itself: nothing of it goes on without a process of the run.
    pub fn has_ended(&self, id: &str) -> bool {
        self.step(&StepId::new(id))
            .is_some_and(|step| step.milliseconds.is_none() && step.output == ENDED)
    }

    /// Returns the step that was started and not finished.
    pub fn unfinished(&self) -> Option<&StepRecord> {
        self.steps.iter().find(|step| step.milliseconds.is_none())
    }
}

/// A lease on an environment: who may change it, and until when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The run that holds it.
    pub run: RunId,
    /// `person@host`.
    pub who: String,
    /// Since when.
    pub since: jiff::Timestamp,
    /// Until when, unless it is renewed.
    pub until: jiff::Timestamp,
    /// Whether its owner gave it back.
    #[serde(default)]
    pub released: bool,
    /// Who wrote it last.
    #[serde(rename = "w")]
    pub writer: Writer,
}

/// What an environment's base image is or was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum BaseImage {
    /// The platform's own: the option is not set. Written as the word `platform`, and tried first when read.
    Platform(PlatformWord),
    /// An image set by option `ImageId`.
    Custom(ImageId),
}

/// The word `platform`, as the ledger writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PlatformWord {
    /// The platform's own image.
    Platform,
}

impl BaseImage {
    /// The platform's own image.
    pub const PLATFORM: Self = Self::Platform(PlatformWord::Platform);

    /// Reads the ledger's value.
    pub fn from_value(text: &str) -> Self {
        if text == "platform" {
            Self::PLATFORM
        } else {
            Self::Custom(ImageId::new(text))
        }
    }

    /// The image id, if one is set.
    pub fn image(&self) -> Option<&ImageId> {
        match self {
            Self::Custom(image) => Some(image),
            Self::Platform(_) => None,
        }
    }
}

impl std::fmt::Display for BaseImage {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Custom(image) => image.fmt(formatter),
            Self::Platform(_) => formatter.write_str("platform"),
        }
    }
}

/// What an entry of the ledger records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LedgerKind {
    /// A golden image became the base image.
    Promotion,
    /// An earlier base image became current again because somebody asked for it.
    Rollback,
    /// A promotion was not well: its image was taken back at once.
    RolledBack,
    /// Going back failed, or led to an environment that is not well: what is current is what the settings named then.
    RollbackFailed,
}

impl LedgerKind {
    /// The kind in words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Promotion => "promotion",
            Self::Rollback => "rollback",
            Self::RolledBack => "rolled-back",
            Self::RollbackFailed => "rollback-failed",
        }
    }
}

/// One version of the ledger's parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerEntry {
    /// The parameter's version, from 1.
    pub version: i64,
    /// The base image that was current after it.
    pub current: BaseImage,
    /// What was done.
    pub kind: LedgerKind,
    /// The base image before it.
    pub previous: BaseImage,
    /// The run that did it.
    pub run: RunId,
    /// The environment's id, which is never used again.
    pub environment_id: String,
    /// Of a promotion that was taken back: the image that was not well.
    pub failed: Option<ImageId>,
    /// The name of the other environment that the image was built for, to which a person consented.
    pub from_environment: Option<String>,
    /// Why, in words; may be empty.
    pub reason: String,
    /// The principal that wrote it, as Parameter Store says.
    pub who: String,
    /// When, as Parameter Store says.
    pub when: jiff::Timestamp,
}
