//! The log of a script while it runs: what it tells as events, and what a failure needs of it.

use std::collections::{HashSet, VecDeque};

use crate::event::{AT_WORK, Emitter, Event};
use crate::pace;
use crate::recipe::{Line, Script, StepResult};

/// How many lines of a failed step's output are shown.
pub(super) const LAST_LINES: usize = 40;

/// A step as people know it.
pub(super) fn subject_of(script: &Script, id: &str) -> String {
    script.step(id).map_or_else(
        || id.to_owned(),
        |step| format!("{}: {}", step.recipe, step.name),
    )
}

/// Tells a script's lines as events, and remembers what a failure needs.
pub(super) struct Log<'a> {
    pub(super) script: &'a Script,
    pub(super) events: &'a Emitter,
    /// The steps that have come to a result since the script was started last.
    pub(super) done: HashSet<String>,
    /// The step that is running, and since when.
    pub(super) at_work: Option<(String, jiff::Timestamp)>,
    /// Ids and names of the steps that changed something, each once, however often the script was started.
    pub(super) changed: Vec<(String, String)>,
    /// The step that failed, and its code.
    pub(super) failed: Option<(String, i32)>,
    /// The step for which the script ended, to be run again after a boot.
    pub(super) reboot: Option<String>,
    pub(super) last: VecDeque<String>,
}

impl Log<'_> {
    pub(super) fn take(&mut self, lines: Vec<Line>) {
        for line in lines {
            match line {
                Line::Step { id, result, .. } => self.step(&id, result),
                Line::Reboot { id } => self.reboot = Some(id),
                Line::Output { text, .. } => {
                    if self.last.len() == LAST_LINES {
                        self.last.pop_front();
                    }
                    self.last.push_back(text.clone());
                    self.events.emit(Event::Output { line: text });
                }
            }
        }
        if let Some((subject, since)) = &self.at_work {
            let waited = pace::now().duration_since(*since).as_secs();
            self.events.emit(Event::Progress {
                subject: subject.clone(),
                state: AT_WORK.to_owned(),
                done: None,
                waited_seconds: u64::try_from(waited).unwrap_or_default(),
            });
        }
    }

    fn step(&mut self, id: &str, result: StepResult) {
        // The script has been started again since it wished for a reboot.
        self.reboot = None;
        let word = match result {
            StepResult::Started => "start",
            StepResult::Ok => "ok",
            StepResult::Changed => "changed",
            StepResult::Skipped => "skipped",
            StepResult::Failed { code } => {
                self.failed = Some((id.to_owned(), code));
                "failed"
            }
        };
        if result != StepResult::Started {
            // A step that comes again shows that the script was started anew.
            if !self.done.insert(id.to_owned()) {
                self.done = HashSet::from([id.to_owned()]);
            }
            self.at_work = None;
        }
        if let Some(step) = self.script.step(id) {
            let subject = subject_of(self.script, id);
            match result {
                StepResult::Started => self.at_work = Some((subject, pace::now())),
                StepResult::Changed
                    if !step.always && self.changed.iter().all(|(known, _)| known != id) =>
                {
                    self.changed.push((id.to_owned(), subject));
                }
                _ => {}
            }
            self.events.emit(Event::RecipeStep {
                recipe: step.recipe.clone(),
                name: step.name.clone(),
                result: word.to_owned(),
                done: self.done.len(),
                of: self.script.steps.len(),
            });
        }
    }
}
