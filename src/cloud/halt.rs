//! A halt that somebody asked for: the present call is finished, and then the work stands still.
//!
//! Who works passes the points at which it may be left: before each pause and before each step. A call is never cut
//! off by it, so what came of it can be recorded.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use super::Cloud;

/// Whether a halt is asked for, and whether the work has come to it.
#[derive(Clone, Debug, Default)]
pub struct Halt(Arc<State>);

#[derive(Debug, Default)]
struct State {
    wanted: AtomicBool,
    asked: Notify,
    reached: Notify,
}

impl Halt {
    /// Asks for a halt.
    pub fn ask(&self) {
        self.0.wanted.store(true, Ordering::SeqCst);
        self.0.asked.notify_waiters();
    }

    /// Waits until the work stands still.
    pub async fn reached(&self) {
        self.0.reached.notified().await;
    }

    /// Takes the wish back: for what is done afterwards.
    pub fn lift(&self) {
        self.0.wanted.store(false, Ordering::SeqCst);
    }

    /// A point at which the work may be left: returns at once, and never where a halt is asked for.
    pub(crate) async fn here(&self) {
        if self.0.wanted.load(Ordering::SeqCst) {
            self.0.reached.notify_one();
            std::future::pending::<()>().await;
        }
    }
}

impl Cloud {
    /// How the work over this connection is halted.
    pub fn halt(&self) -> &Halt {
        &self.halt
    }

    /// Sleeps for just that long, the pace counted in already; a halt ends it.
    pub(crate) async fn pause(&self, duration: Duration) {
        let asked = self.halt.0.asked.notified();
        self.halt.here().await;
        tokio::select! {
            () = self.pace.sleep_unscaled(duration) => {}
            () = asked => self.halt.here().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_stands_still_at_its_next_point_and_not_before() {
        let halt = Halt::default();
        halt.here().await;
        halt.ask();
        let work = async {
            halt.here().await;
            unreachable!("a halt was asked for");
        };
        tokio::select! {
            () = work => {}
            () = halt.reached() => {}
        }
        halt.lift();
        halt.here().await;
    }
}
