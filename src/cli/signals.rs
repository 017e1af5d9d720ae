//! The signals to stop: Ctrl-C, and what a service manager sends.

use std::pin::Pin;
use std::sync::OnceLock;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Mutex;

use crate::failure::{ExitCode, Failure};

/// The two signals, heard from the first look on: one that comes while nobody waits is told to who waits next.
struct Heard {
    interrupt: Signal,
    terminate: Signal,
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
    } = &mut *heard.lock().await;
    tokio::select! {
        _ = interrupt.recv() => "Ctrl-C",
        _ = terminate.recv() => "SIGTERM",
    }
}

fn heard() -> Option<&'static Mutex<Heard>> {
    let heard = HEARD.get_or_init(|| {
        let interrupt = signal(SignalKind::interrupt()).ok()?;
        let terminate = signal(SignalKind::terminate()).ok()?;
        Some(Mutex::new(Heard {
            interrupt,
            terminate,
        }))
    });
    heard.as_ref()
}
