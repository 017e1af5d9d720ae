//! Turns: of several drivers one goes on at a time and the others are stopped, as by SIGSTOP; whose turn it is changes
//! with the requests that are asked, by a seed.

use std::sync::{Arc, Mutex, PoisonError};

use crate::driver::Reins;

/// So many requests a turn lasts at most, but for the first.
const LONGEST: usize = 24;

/// Whose turn it is.
#[derive(Clone, Debug)]
pub(crate) struct Turns(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    random: fastrand::Rng,
    drivers: Vec<Reins>,
    left: usize,
}

impl Turns {
    /// The first driver begins, and so many requests are its own.
    pub(crate) fn new(seed: u64, drivers: [&Reins; 2], first: usize) -> Self {
        let state = State {
            random: fastrand::Rng::with_seed(seed),
            drivers: drivers.map(Reins::clone).into(),
            left: first,
        };
        state.give(0);
        Self(Arc::new(Mutex::new(state)))
    }

    /// Counts a request.
    pub(crate) fn asked(&self) {
        self.with(|state| {
            state.left = state.left.saturating_sub(1);
            if state.left == 0 {
                state.next();
            }
        });
    }

    /// A driver has come to its end.
    pub(crate) fn leave(&self, gone: &Reins) {
        self.with(|state| {
            state.drivers.retain(|reins| !reins.is(gone));
            state.next();
        });
    }

    fn with(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl State {
    fn next(&mut self) {
        if !self.drivers.is_empty() {
            self.left = self.random.usize(1..=LONGEST);
            let turn = self.random.usize(..self.drivers.len());
            self.give(turn);
        }
    }

    fn give(&self, turn: usize) {
        for (number, reins) in self.drivers.iter().enumerate() {
            reins.stop(number != turn);
        }
    }
}
