//! The events of a run folded to where each stage stands: what the bars draw and the report sums up.

use jiff::Timestamp;

use super::text::{first_line, milliseconds_between, plain};
use crate::event::Event;
use crate::id::{RunId, StepId};

/// Where a stage stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Nothing of it has begun.
    Waiting,
    /// One of its steps is being done.
    Running,
    /// All of its steps that began are done.
    Done,
    /// One of its steps failed.
    Failed,
}

/// One stage of a run. Its texts are harmless.
#[derive(Clone, Debug)]
pub(crate) struct Stage {
    pub(crate) name: String,
    pub(crate) state: State,
    /// How many of its steps are done.
    pub(crate) steps: usize,
    /// How many of those were done in an earlier process.
    pub(crate) replayed: usize,
    /// How long its ended steps took.
    pub(crate) milliseconds: u64,
    /// The part of that which an earlier process spent.
    pub(crate) replayed_milliseconds: u64,
    /// Since when its present step runs.
    pub(crate) since: Option<Timestamp>,
    /// What goes on now, or what came of it.
    pub(crate) detail: String,
    /// How much of what goes on now is done, from 0 to 1.
    pub(crate) fraction: Option<f32>,
}

impl Stage {
    fn named(name: &str) -> Self {
        Self {
            name: plain(name),
            state: State::Waiting,
            steps: 0,
            replayed: 0,
            milliseconds: 0,
            replayed_milliseconds: 0,
            since: None,
            detail: String::new(),
            fraction: None,
        }
    }

    /// Returns how long the stage has taken so far.
    pub(crate) fn elapsed(&self, now: Timestamp) -> u64 {
        let running = self
            .since
            .map_or(0, |since| milliseconds_between(since, now));
        self.milliseconds + running
    }

    /// Ends the present step with what came of it.
    fn end(&mut self, state: State, milliseconds: u64, detail: &str) {
        self.state = state;
        self.milliseconds += milliseconds;
        self.since = None;
        self.detail = plain(detail);
        self.fraction = None;
    }
}

/// All stages of a run, in their order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stages {
    run: Option<RunId>,
    list: Vec<Stage>,
    present: Option<usize>,
}

impl Stages {
    /// The stages in their order.
    pub(crate) fn list(&self) -> &[Stage] {
        &self.list
    }

    /// The place in the list of the stage that was heard of last.
    pub(crate) fn present(&self) -> Option<usize> {
        self.present
    }

    /// Folds an event in that happened at `now`.
    pub(crate) fn take(&mut self, now: Timestamp, event: &Event) {
        match event {
            Event::RunStarted { run, stages, .. } => {
                if self.run.as_ref() != Some(run) {
                    *self = Self {
                        run: Some(run.clone()),
                        ..Self::default()
                    };
                }
                for stage in stages {
                    self.place(stage);
                }
            }
            Event::StepStarted { step, title } => {
                let stage = self.enter(step);
                stage.state = State::Running;
                stage.since = Some(now);
                stage.detail = plain(title);
                stage.fraction = None;
            }
            Event::StepFinished {
                step,
                outcome,
                milliseconds,
                replayed,
            } => {
                let stage = self.enter(step);
                stage.steps += 1;
                stage.end(State::Done, *milliseconds, outcome);
                if *replayed {
                    stage.replayed += 1;
                    stage.replayed_milliseconds += milliseconds;
                }
            }
            Event::StepFailed { step, reason } => {
                let stage = self.enter(step);
                let spent = stage
                    .since
                    .map_or(0, |since| milliseconds_between(since, now));
                stage.end(State::Failed, spent, first_line(reason));
            }
            Event::Progress {
                subject,
                state,
                done,
                ..
            } => {
                if let Some(stage) = self.running() {
                    stage.detail = plain(&format!("{subject}: {state}"));
                    stage.fraction = *done;
                }
            }
            Event::RecipeStep {
                recipe,
                name,
                done,
                of,
                ..
            } => {
                if let Some(stage) = self.running() {
                    stage.detail = plain(&format!("{done}/{of} {recipe}: {name}"));
                    stage.fraction = share(*done, *of);
                }
            }
            Event::RunFinished { .. } => {
                for stage in &mut self.list {
                    if stage.state == State::Running {
                        stage.milliseconds = stage.elapsed(now);
                        stage.since = None;
                    }
                }
            }
            Event::Output { .. } | Event::Environment { .. } | Event::Note { .. } => {}
        }
    }

    /// The stage whose step is being done now.
    fn running(&mut self) -> Option<&mut Stage> {
        let stage = self.list.get_mut(self.present?)?;
        (stage.state == State::Running).then_some(stage)
    }

    /// Makes the step's stage the present one; a stage that was not announced comes last.
    fn enter(&mut self, step: &StepId) -> &mut Stage {
        let place = self.place(stage_of(step));
        self.present = Some(place);
        &mut self.list[place]
    }

    /// Returns the place of the stage, which is added where it is not there yet.
    fn place(&mut self, name: &str) -> usize {
        let name = plain(name);
        if let Some(place) = self.list.iter().position(|stage| stage.name == name) {
            return place;
        }
        self.list.push(Stage::named(&name));
        self.list.len() - 1
    }
}

/// Returns the stage of a step: what stands before the first slash.
pub(crate) fn stage_of(step: &StepId) -> &str {
    let text = step.as_str();
    text.split_once('/').map_or(text, |(stage, _)| stage)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a script has fewer steps than a float can count, and this is for a bar of ten cells"
)]
fn share(done: usize, of: usize) -> Option<f32> {
    (of > 0).then(|| (done as f32 / of as f32).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn started(step: &str) -> Event {
        Event::StepStarted {
            step: StepId::new(step),
            title: format!("do {step}"),
        }
    }

    fn finished(step: &str, milliseconds: u64, replayed: bool) -> Event {
        Event::StepFinished {
            step: StepId::new(step),
            outcome: format!("{step} is done"),
            milliseconds,
            replayed,
        }
    }

    #[test]
    fn a_stage_is_the_sum_of_its_steps() {
        let mut stages = Stages::default();
        stages.take(at(0), &finished("launch/seed", 4000, true));
        stages.take(at(0), &started("launch/agent"));
        assert_eq!(stages.list()[0].state, State::Running);
        assert_eq!(stages.list()[0].elapsed(at(3)), 7000);
        stages.take(at(5), &finished("launch/agent", 5000, false));
        let stage = &stages.list()[0];
        assert_eq!((stage.steps, stage.replayed), (2, 1));
        assert_eq!(
            (stage.milliseconds, stage.replayed_milliseconds),
            (9000, 4000)
        );
        assert_eq!(stage.elapsed(at(100)), 9000);
        assert_eq!(stage.detail, "launch/agent is done");
    }

    #[test]
    fn a_failed_step_counts_with_the_time_it_took() {
        let mut stages = Stages::default();
        stages.take(at(10), &started("apply/recipes"));
        stages.take(
            at(12),
            &Event::StepFailed {
                step: StepId::new("apply/recipes"),
                reason: "no space\nleft".to_owned(),
            },
        );
        assert_eq!(stages.list()[0].state, State::Failed);
        assert_eq!(stages.list()[0].elapsed(at(50)), 2000);
        assert_eq!(stages.list()[0].detail, "no space");
    }

    #[test]
    fn the_same_run_goes_on_and_another_one_begins_anew() {
        let begin = |run: &str, stages: &[&str]| Event::RunStarted {
            run: RunId::new(run),
            pipeline: "shop".to_owned(),
            verb: "rebuild".to_owned(),
            environment: "shop-prod".to_owned(),
            stages: stages.iter().map(ToString::to_string).collect(),
        };
        let mut stages = Stages::default();
        stages.take(at(0), &begin("1", &["launch"]));
        stages.take(at(0), &finished("launch/seed", 1000, false));
        stages.take(at(1), &begin("1", &["launch", "swap"]));
        assert_eq!(stages.list().len(), 2);
        assert_eq!(stages.list()[0].steps, 1);
        stages.take(at(2), &begin("2", &["launch"]));
        assert_eq!(stages.list()[0].steps, 0);
    }
}
