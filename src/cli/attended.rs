//! Work that a signal ends: the call under way is finished, and nothing is begun after it.

use std::pin::Pin;

use super::signals::interrupted;
use crate::cloud::Cloud;

/// How attended work ended.
pub(super) enum Attended<T> {
    /// By itself.
    Ended(T),
    /// A signal came; what the work came to all the same, if it did.
    Halted(Halted, Option<T>),
}

/// A signal that came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Halted {
    /// What it was.
    pub(super) signal: &'static str,
    /// Whether another came before the present call was finished: then it is left at once.
    pub(super) at_once: bool,
}

/// Does the work until it ends or a signal comes; then the present call is finished, and what came of it recorded.
pub(super) async fn attended<T>(
    cloud: &Cloud,
    mut work: Pin<Box<impl Future<Output = T>>>,
) -> Attended<T> {
    let signal = tokio::select! {
        result = &mut work => return Attended::Ended(result),
        signal = interrupted() => signal,
    };
    cloud.halt().ask();
    cloud.events().note(format!(
        "{signal}: the present call is finished first; once more leaves at once"
    ));
    let (result, at_once) = tokio::select! {
        biased;
        result = &mut work => (Some(result), false),
        () = cloud.halt().reached() => (None, false),
        () = cloud.pace().sleep_unscaled(cloud.attempt_timeout()) => (None, false),
        _ = interrupted() => (None, true),
    };
    cloud.halt().lift();
    Attended::Halted(Halted { signal, at_once }, result)
}
