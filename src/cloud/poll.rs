//! The one loop that waits for something to become what it should be.
//!
//! The SDK's waiters are not used: they give up after minutes, know no failure, and report nothing. Here a wait has a
//! deadline of its own, tells its progress, wants several good samples in a row where asked, takes "not found" of
//! what was created a moment ago for "not yet", and a read that fails for "unknown", never for "bad".

use std::time::{Duration, Instant};

use super::{Cloud, CloudError, ErrorKind};
use crate::event::Event;
use crate::pace::{Schedule, spoken};

/// What one look showed.
#[derive(Clone, Debug, PartialEq)]
pub enum Look<T> {
    /// It is there.
    Ready(T),
    /// Not yet.
    Pending {
        /// The state for people.
        state: String,
        /// How much is done, from 0 to 1, where that is known.
        done: Option<f32>,
    },
    /// It will never be: the reason for people.
    Never(String),
}

impl<T> Look<T> {
    /// Not yet, in a state without a figure.
    pub fn pending(state: impl Into<String>) -> Self {
        Self::Pending {
            state: state.into(),
            done: None,
        }
    }
}

/// What is waited for, how often, and for how long.
#[derive(Clone, Debug)]
pub struct Wait {
    /// What is waited for, for people: `image ami-1`.
    pub subject: String,
    /// How often and how long.
    pub schedule: Schedule,
    /// How many good looks in a row are needed.
    pub in_a_row: u32,
    /// How long "not found" means "not yet": EC2 can take minutes to show what it has just created.
    pub unseen_for: Duration,
}

/// Why a wait ended without what was waited for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WaitError {
    /// It will never be.
    #[error("{subject}: {reason}")]
    Never {
        /// What was waited for.
        subject: String,
        /// Why it will never be.
        reason: String,
    },
    /// The time is up; it may still come.
    #[error("{subject} is still {state} after {}", spoken(*waited))]
    Expired {
        /// What was waited for.
        subject: String,
        /// The state it was last seen in.
        state: String,
        /// How long has been waited.
        waited: Duration,
    },
    /// The question itself was refused.
    #[error(transparent)]
    Cloud(#[from] CloudError),
}

impl Cloud {
    /// Looks again and again until it is ready, will never be, or the time is up.
    pub async fn poll_until<T>(
        &self,
        wait: Wait,
        mut look: impl AsyncFnMut() -> Result<Look<T>, CloudError>,
    ) -> Result<T, WaitError> {
        let mut deadline = self.pace.patience(wait.schedule.within);
        let mut unseen = self.pace.patience(wait.unseen_for);
        let mut good = 0;
        let mut asked = 0;
        loop {
            let began = Instant::now();
            let looked = look().await;
            let took = began.elapsed();
            let uncounted = if looked.is_ok() && self.hung(took) {
                took
            } else {
                self.pace.unhurried(took)
            };
            deadline.extend(uncounted);
            unseen.extend(uncounted);
            let (state, done) = match looked {
                Ok(Look::Ready(value)) => {
                    good += 1;
                    if good >= wait.in_a_row.max(1) {
                        return Ok(value);
                    }
                    ("ready, looking once more".to_owned(), Some(1.0))
                }
                Ok(Look::Pending { state, done }) => {
                    good = 0;
                    (state, done)
                }
                Ok(Look::Never(reason)) => {
                    return Err(WaitError::Never {
                        subject: wait.subject,
                        reason,
                    });
                }
                Err(error) if error.is_transient() => (format!("unknown ({error})"), None),
                Err(error) if error.kind == ErrorKind::NotFound && !unseen.is_over() => {
                    good = 0;
                    ("not visible yet".to_owned(), None)
                }
                Err(error) => return Err(error.into()),
            };
            if deadline.is_over() {
                let waited = deadline.elapsed();
                return Err(WaitError::Expired {
                    subject: wait.subject,
                    state,
                    waited,
                });
            }
            self.events.emit(Event::Progress {
                subject: wait.subject.clone(),
                state,
                done,
                waited_seconds: deadline.elapsed().as_secs(),
            });
            asked += 1;
            let pause = self.pace.scale(wait.schedule.pause(asked, fastrand::f64()));
            self.pause(pause.min(deadline.left())).await;
        }
    }
}
