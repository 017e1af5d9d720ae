//! What a run tells while it works: owned, serialisable data, and the callback that takes it.
//!
//! Step events are durable facts: each is sent once and must arrive. [`Event::Progress`] may be dropped or thinned out
//! by whoever shows it. The engine knows nothing of terminals; the displays know nothing of the engine.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::id::{RunId, StepId};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A run begins or goes on; `stages` is the whole list, so that a display can lay itself out at once.
    RunStarted {
        /// The run.
        run: RunId,
        /// The pipeline's name.
        pipeline: String,
        /// `build`, `promote`, `rebuild` or `rollback`.
        verb: String,
        /// The environment's name.
        environment: String,
        /// The stages in their order; a step's id begins with its stage's name.
        stages: Vec<String>,
    },
    /// A step begins.
    StepStarted {
        /// The step.
        step: StepId,
        /// What it does, for people: `launch the seed from ami-1`.
        title: String,
    },
    /// A step is done.
    StepFinished {
        /// The step.
        step: StepId,
        /// What came of it, for people: an id, a figure.
        outcome: String,
        /// How long it took; of a step that was done in an earlier process, how long it took then.
        milliseconds: u64,
        /// Whether it was done in an earlier process and only read from the record now.
        replayed: bool,
    },
    /// A step failed, and with it the run.
    StepFailed {
        /// The step.
        step: StepId,
        /// The reason, for people.
        reason: String,
    },
    /// Something is waited for, or a recipe's step takes its time (its state is [`AT_WORK`] then).
    Progress {
        /// What is waited for: `image ami-1`.
        subject: String,
        /// The state it is in: `pending, snapshot at 42 %`.
        state: String,
        /// How much of it is done, from 0 to 1, where that is known.
        done: Option<f32>,
        /// How long has been waited, in seconds.
        waited_seconds: u64,
    },
    /// A recipe's step on the node was started or came to a result.
    RecipeStep {
        /// The recipe.
        recipe: String,
        /// The step's name.
        name: String,
        /// `start`, `ok`, `changed`, `skipped` or `failed`.
        result: String,
        /// How many of the script's steps have a result now.
        done: usize,
        /// How many steps the script has.
        of: usize,
    },
    /// A line that a recipe's step printed on the node, its secrets masked there.
    Output {
        /// The line without its end.
        line: String,
    },
    /// An event of the environment, as Beanstalk has recorded it.
    Environment {
        /// When Beanstalk recorded it.
        recorded: jiff::Timestamp,
        /// `INFO`, `WARN`, `ERROR`, …
        severity: String,
        /// Beanstalk's words.
        message: String,
    },
    /// Something people should know.
    Note {
        /// How much it matters.
        level: Level,
        /// The text.
        text: String,
    },
    /// The run ended; the text says what state things are in and what to do next.
    RunFinished {
        /// The run.
        run: RunId,
        /// Whether what was asked for was done.
        success: bool,
        /// The verdict, for people.
        verdict: String,
        /// What exists now: label and value. For programs an object: `golden image` is the key `golden_image`.
        #[serde(with = "facts")]
        facts: Vec<(String, String)>,
        /// Commands that make sense next.
        next: Vec<String>,
        /// The exit code of the process; absent in logs of older versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        exit_code: Option<u8>,
    },
}

/// Labels and values as an object whose keys and types do not depend on how many there are: values of one label are
/// joined by a comma. Logs of older versions hold a list of pairs.
mod facts {
    use std::collections::BTreeMap;

    use serde::ser::SerializeMap as _;
    use serde::{Deserialize, Deserializer, Serializer};

    type Facts = Vec<(String, String)>;

    pub(super) fn serialize<S: Serializer>(
        facts: &[(String, String)],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let mut joined: Facts = Vec::new();
        for (label, value) in facts {
            let key = label.replace([' ', '-'], "_");
            match joined.iter_mut().find(|(known, _)| *known == key) {
                Some((_, values)) => {
                    values.push_str(", ");
                    values.push_str(value);
                }
                None => joined.push((key, value.clone())),
            }
        }
        let mut map = serializer.serialize_map(Some(joined.len()))?;
        for (key, value) in joined {
            map.serialize_entry(&key, &value)?;
        }
        map.end()
    }

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Object(BTreeMap<String, String>),
        Pairs(Facts),
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Facts, D::Error> {
        Ok(match Written::deserialize(deserializer)? {
            Written::Pairs(pairs) => pairs,
            Written::Object(object) => object
                .into_iter()
                .map(|(key, value)| (key.replace('_', " "), value))
                .collect(),
        })
    }
}

/// The state of a recipe's step that takes its time, in [`Event::Progress`].
pub const AT_WORK: &str = "at work";

/// How much a note matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Good to know.
    Information,
    /// Something that should be looked at, though the run goes on.
    Warning,
}

/// Takes events to whoever shows them.
#[derive(Clone)]
pub struct Emitter(Arc<dyn Fn(Event) + Send + Sync>);

impl fmt::Debug for Emitter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Emitter")
    }
}

impl Emitter {
    /// An emitter that calls `take` with every event, in order, in the sender's task.
    pub fn new(take: impl Fn(Event) + Send + Sync + 'static) -> Self {
        Self(Arc::new(take))
    }

    /// An emitter nobody listens to.
    pub fn silent() -> Self {
        Self::new(|_| {})
    }

    /// Sends an event.
    pub fn emit(&self, event: Event) {
        (self.0)(event);
    }

    /// Sends a note that is good to know.
    pub fn note(&self, text: impl Into<String>) {
        self.emit(Event::Note {
            level: Level::Information,
            text: text.into(),
        });
    }

    /// Sends a warning.
    pub fn warn(&self, text: impl Into<String>) {
        self.emit(Event::Note {
            level: Level::Warning,
            text: text.into(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(facts: &[(&str, &str)], exit_code: Option<u8>) -> Event {
        let facts = facts.iter();
        Event::RunFinished {
            run: RunId::new("20261123-034512-7f3a"),
            success: false,
            verdict: "a recipe failed".to_owned(),
            facts: facts
                .map(|(label, value)| ((*label).to_owned(), (*value).to_owned()))
                .collect(),
            next: Vec::new(),
            exit_code,
        }
    }

    #[test]
    fn facts_are_an_object_with_one_key_for_a_kind() {
        let event = finished(
            &[
                ("seed", "i-1 (running)"),
                ("raw image", "ami-1 (available)"),
                ("raw image", "ami-2 (pending)"),
            ],
            Some(6),
        );
        let text = serde_json::to_value(&event).unwrap();
        assert_eq!(
            text["facts"],
            serde_json::json!({
                "seed": "i-1 (running)",
                "raw_image": "ami-1 (available), ami-2 (pending)",
            })
        );
        assert_eq!(text["exit_code"], 6);
        let read: Event = serde_json::from_value(text).unwrap();
        let Event::RunFinished { facts, .. } = read else {
            panic!("{read:?}");
        };
        assert_eq!(facts.len(), 2);
    }

    #[test]
    fn a_log_of_an_older_version_is_read() {
        let text = r#"{"event":"run_finished","run":"20261123-034512-7f3a","success":false,"verdict":"a recipe failed",
            "facts":[["seed","i-1"]],"next":[]}"#;
        let read: Event = serde_json::from_str(text).unwrap();
        assert_eq!(read, finished(&[("seed", "i-1")], None));
    }
}
