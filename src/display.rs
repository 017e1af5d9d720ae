//! Events become bars, lines or JSON; errors and tables become text.
//!
//! People read standard error while a run works: bars on a terminal, one line an event elsewhere. Programs read
//! standard output: the answer of a verb such as `history`, or with `--json` the events. Everything that reaches people
//! is made harmless first, for a recipe can print anything. A display that can no longer write stops writing; it never
//! stops the run. The engine is not known here, only [`crate::event`].

mod bars;
mod error;
mod json;
mod lines;
mod past;
mod report;
mod rows;
mod screen;
mod stages;
#[cfg(test)]
mod story;
mod tables;
mod text;

use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

pub use self::error::{error_text, excerpts_text};
pub use self::json::FORMAT;
pub use self::past::{PastEvent, of_step, past_json, past_lines, read_log, steps_of};
pub use self::report::Report;
pub use self::tables::{age, history, table};

use self::screen::Screen;
use crate::event::Emitter;

/// How often the bars' times move on while nothing happens.
const TICK: Duration = Duration::from_millis(250);

/// How a run is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A bar for each stage, with the live output above them.
    Bars,
    /// One line an event.
    Lines,
    /// JSON Lines on standard output.
    Json,
}

impl Mode {
    /// Chooses: JSON where it was asked for, bars on a terminal that can move its cursor (`TERM` is not `dumb`), else
    /// lines.
    pub fn choose(json: bool, stderr_is_terminal: bool, terminal_is_dumb: bool) -> Self {
        match (json, stderr_is_terminal && !terminal_is_dumb) {
            (true, _) => Self::Json,
            (false, true) => Self::Bars,
            (false, false) => Self::Lines,
        }
    }
}

/// An output of events that could not be written; the run went on without it.
#[derive(Debug, thiserror::Error)]
#[error("cannot write events to {output}")]
pub struct DisplayError {
    output: &'static str,
    source: io::Error,
}

/// Where a display writes.
pub struct Outputs {
    /// What programs read: standard output.
    pub programs: Box<dyn Write + Send>,
    /// What people read: standard error. Bars always draw on the process's own.
    pub people: Box<dyn Write + Send>,
}

impl fmt::Debug for Outputs {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Outputs")
    }
}

impl Outputs {
    /// The process's own.
    pub fn standard() -> Self {
        Self {
            programs: Box::new(io::stdout()),
            people: Box::new(io::stderr()),
        }
    }
}

/// Shows a run.
#[derive(Debug)]
pub struct Display {
    shared: Arc<Mutex<Screen>>,
    ticker: Mutex<Option<Ticker>>,
}

impl Display {
    /// A display on the process's own outputs. `colour` is false where `NO_COLOR` is set. The clock is handed in, as
    /// displays do not know where time comes from.
    pub fn new(
        mode: Mode,
        colour: bool,
        clock: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> Self {
        Self::writing_to(Outputs::standard(), mode, colour, TimeZone::system(), clock)
    }

    /// A display that writes to the given outputs, with the time of day in the given zone.
    pub fn writing_to(
        outputs: Outputs,
        mode: Mode,
        colour: bool,
        zone: TimeZone,
        clock: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> Self {
        let screen = Screen::new(outputs, mode, colour, zone, Box::new(clock));
        let shared = Arc::new(Mutex::new(screen));
        let ticker = (mode == Mode::Bars)
            .then(|| Ticker::start(&shared))
            .flatten();
        Self {
            shared,
            ticker: Mutex::new(ticker),
        }
    }

    /// Also writes the events as JSON Lines to a file, which only its owner may read; a file that is there goes on.
    /// When that cannot be done, now or later, a warning is shown once and the run goes on.
    pub fn also_log_to(&self, path: &Path) {
        self.screen().also_log_to(path);
    }

    /// The emitter whose events are shown here.
    pub fn emitter(&self) -> Emitter {
        let shared = Arc::clone(&self.shared);
        Emitter::new(move |event| lock(&shared).take(&event))
    }

    /// Takes the bars away and shows the summary. What is emitted after this reaches the log file alone.
    ///
    /// Fails when an output could not be written; a reader that went away (a broken pipe) is no failure.
    pub fn finish(&self) -> Result<(), DisplayError> {
        let ticker = self
            .ticker
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(ticker) = ticker {
            ticker.stop();
        }
        self.screen().finish()
    }

    fn screen(&self) -> MutexGuard<'_, Screen> {
        lock(&self.shared)
    }
}

/// A panic elsewhere is no reason to show nothing more.
fn lock(shared: &Mutex<Screen>) -> MutexGuard<'_, Screen> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps the bars' times moving while nothing happens.
#[derive(Debug)]
struct Ticker {
    stop: mpsc::Sender<()>,
    thread: JoinHandle<()>,
}

impl Ticker {
    /// Starts the thread. Where there can be none the bars move with events alone, which is good enough.
    fn start(shared: &Arc<Mutex<Screen>>) -> Option<Self> {
        let (stop, stopped) = mpsc::channel();
        let shared = Arc::downgrade(shared);
        let tick = move || {
            while stopped.recv_timeout(TICK) == Err(mpsc::RecvTimeoutError::Timeout) {
                let Some(shared) = shared.upgrade() else {
                    return;
                };
                lock(&shared).tick();
            }
        };
        let thread = std::thread::Builder::new()
            .name("display".to_owned())
            .spawn(tick)
            .ok()?;
        Some(Self { stop, thread })
    }

    fn stop(self) {
        drop(self.stop);
        // The thread's panic, if there was one, was printed when it happened.
        drop(self.thread.join());
    }
}

/// Makes a line that others wrote harmless: what it holds can neither move the cursor nor end the line.
pub fn harmless(line: &str) -> String {
    text::plain(&line.replace('\n', " "))
}

/// Writes a verb's answer to standard output; that nobody reads it any more is no failure.
pub fn answer(text: &str) -> Result<(), DisplayError> {
    let mut output = io::stdout().lock();
    let written = output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush());
    match written {
        Err(source) if source.kind() != io::ErrorKind::BrokenPipe => Err(DisplayError {
            output: "standard output",
            source,
        }),
        _ => Ok(()),
    }
}

/// Writes a text for people to standard error: an error, a hint. When even that cannot be written, the exit code is
/// all that is left to tell.
pub fn tell(text: &str) {
    let mut output = io::stderr().lock();
    drop(
        output
            .write_all(text.as_bytes())
            .and_then(|()| output.flush()),
    );
}

/// Returns how many columns a table on standard output may take: the terminal's, or any number in a pipe.
pub fn answer_columns() -> usize {
    let size = console::Term::stdout().size_checked();
    size.map_or(usize::MAX, |(_, columns)| usize::from(columns))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_for_whom_asks_and_bars_are_for_terminals() {
        for (json, terminal, dumb, mode) in [
            (true, true, false, Mode::Json),
            (true, false, false, Mode::Json),
            (false, true, false, Mode::Bars),
            (false, true, true, Mode::Lines),
            (false, false, false, Mode::Lines),
        ] {
            assert_eq!(Mode::choose(json, terminal, dumb), mode);
        }
    }
}
