//! The signals to stop: Ctrl-C, what a service manager sends, and the end of the terminal.

use std::pin::Pin;
use std::sync::OnceLock;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Mutex;

use crate::failure::{ExitCode, Failure};

/// The signals, received from the first wait on: one that arrives while no task is waiting is delivered to the next
/// waiter.
struct Heard {
    interrupt: Signal,
    terminate: Signal,
    /// None where it was ignored when the process started, as under `nohup`, and once it was received: a terminal that
    /// closes sends it from its shell and from the kernel, and the second one must not cut the present call off.
    hangup: Option<Signal>,
}

/// A process has its signals once. None: without a handler a signal ends the process, and a run is recorded all the same.
static HEARD: OnceLock<Option<Mutex<Heard>>> = OnceLock::new();

/// Takes the signals over from here on: they no longer end the process by themselves, so from here on somebody waits
/// for them or will.
pub(super) fn listen() {
    heard();
}

/// Does work that only looks; a signal leaves it at once.
pub(super) async fn heeded<T>(
    work: Pin<Box<impl Future<Output = Result<T, Failure>>>>,
) -> Result<T, Failure> {
    listen();
    tokio::select! {
        result = work => result,
        signal = interrupted() => {
            let text = format!("interrupted by {signal}; nothing was changed");
            Err(Failure::new(ExitCode::Interrupted, text))
        }
    }
}

/// Waits for the next signal to stop.
pub(super) async fn interrupted() -> &'static str {
    let Some(heard) = heard() else {
        return std::future::pending().await;
    };
    let Heard {
        interrupt,
        terminate,
        hangup,
    } = &mut *heard.lock().await;
    tokio::select! {
        _ = interrupt.recv() => return "Ctrl-C",
        _ = terminate.recv() => return "SIGTERM",
        () = received(hangup) => {}
    }
    *hangup = None;
    "SIGHUP"
}

/// Waits for a signal; for ever where it is not handled.
async fn received(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// Returns whether SIGHUP was ignored when the process started. Where that cannot be read it is handled: a run that
/// stops between two steps can be resumed.
fn hangup_is_ignored() -> bool {
    fs_err::read_to_string("/proc/self/status").is_ok_and(|status| ignores(&status, 1))
}

/// Returns whether a signal is in the mask of ignored ones in `/proc/PID/status` (`proc_pid_status(5)`).
fn ignores(status: &str, number: u32) -> bool {
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (number - 1) & 1 == 1)
}

fn heard() -> Option<&'static Mutex<Heard>> {
    let heard = HEARD.get_or_init(|| {
        let interrupt = signal(SignalKind::interrupt()).ok()?;
        let terminate = signal(SignalKind::terminate()).ok()?;
        let hangup = if hangup_is_ignored() {
            None
        } else {
            Some(signal(SignalKind::hangup()).ok()?)
        };
        Some(Mutex::new(Heard {
            interrupt,
            terminate,
            hangup,
        }))
    });
    heard.as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_ignored_where_the_mask_has_its_bit() {
        let status = |mask: &str| format!("Name:\tgoldseed\nSigBlk:\tffff\nSigIgn:\t{mask}\n");
        assert!(ignores(&status("0000000000001001"), 1));
        assert!(!ignores(&status("0000000000001000"), 1));
        assert!(ignores(&status("0000000000001000"), 13));
        assert!(!ignores("Name:\tgoldseed\n", 1));
        assert!(!ignores(&status("none"), 1));
    }
}
