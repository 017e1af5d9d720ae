//! Running the cases of a group side by side, and telling what came of them.

use std::sync::Mutex;
use std::time::Instant;

use crate::case::Outcome;

/// A whole run is one future, and a large one where it is not optimised.
const STACK: usize = 32 << 20;

/// A group of cases.
#[derive(Debug)]
pub(crate) struct Group {
    name: &'static str,
    began: Instant,
    cases: usize,
    converged: usize,
    leaked: usize,
    duplicates: usize,
}

impl Group {
    pub(crate) fn new(name: &'static str) -> Self {
        Self {
            name,
            began: Instant::now(),
            cases: 0,
            converged: 0,
            leaked: 0,
            duplicates: 0,
        }
    }

    /// Runs cases side by side; what fails is told at once.
    pub(crate) fn run<C: Send>(
        &mut self,
        side_by_side: usize,
        cases: impl Iterator<Item = C> + Send,
        work: impl Fn(&C) -> (String, Outcome) + Sync,
    ) {
        let cases = Mutex::new(cases);
        let group = Mutex::new(self);
        let go_through = || {
            loop {
                let next = lock(&cases).next();
                let Some(case) = next else { return };
                let (name, outcome) = work(&case);
                lock(&group).count(&name, &outcome);
            }
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..side_by_side)
                .map(|_| {
                    std::thread::Builder::new()
                        .stack_size(STACK)
                        .spawn_scoped(scope, go_through)
                })
                .collect();
            for error in threads.into_iter().filter_map(Result::err) {
                say(&format!("a thread could not be started: {error}"));
            }
        });
    }

    fn count(&mut self, name: &str, outcome: &Outcome) {
        self.cases += 1;
        match outcome {
            Outcome::Converged => self.converged += 1,
            Outcome::Differs(difference) => {
                self.leaked += difference.leaked.len();
                self.duplicates += difference.duplicates.len();
                say(&format!("{name}:{difference}"));
            }
            Outcome::Failed(reason) => say(&format!("{name}: {reason}")),
            Outcome::NotReached => say(&format!("{name}: never came")),
        }
    }
}

/// What came of all groups.
#[derive(Debug, Default)]
pub(crate) struct Table {
    passed: usize,
    failed: usize,
}

impl Table {
    /// Tells a group's line.
    pub(crate) fn add(&mut self, group: &Group) {
        if self.passed + self.failed == 0 {
            say("group                  cases  converged  leaked  duplicates  seconds");
        }
        say(&format!(
            "{:<20} {:>7} {:>10} {:>7} {:>11} {:>8}",
            group.name,
            group.cases,
            group.converged,
            group.leaked,
            group.duplicates,
            group.began.elapsed().as_secs()
        ));
        self.passed += group.converged;
        self.failed += group.cases - group.converged;
    }

    /// Tells the closing line; says whether all was well, and anything was tried.
    pub(crate) fn close(&self) -> bool {
        say(&format!("{} passed, {} failed", self.passed, self.failed));
        self.failed == 0 && self.passed > 0
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[expect(clippy::print_stdout, reason = "a program, and this is its result")]
pub(crate) fn say(text: &str) {
    println!("{text}");
}
