//! What all emitters of a display share: the form in which events are shown, the log file, and the summary.

use std::fmt;
use std::io::{self, Write};
use std::path::Path;

use fs_err::os::unix::fs::OpenOptionsExt as _;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::bars::Bars;
use super::json::JsonLines;
use super::lines::Lines;
use super::report::Report;
use super::rows::Page;
use super::{DisplayError, Mode, Outputs};
use crate::event::{Event, Level};

/// The width of text that is not written to a terminal.
const COLUMNS: usize = 100;

type Log = JsonLines<fs_err::File>;

fn open_log(path: &Path) -> io::Result<Log> {
    if let Some(folder) = path.parent() {
        fs_err::create_dir_all(folder)?;
    }
    let file = fs_err::OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)?;
    JsonLines::begin(file)
}

/// What all emitters of a display share.
pub(super) struct Screen {
    clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
    colour: bool,
    face: Face,
    /// Where the summary goes, unless the face holds it.
    people: Option<Box<dyn Write + Send>>,
    log: Option<Log>,
    report: Report,
    trouble: Option<DisplayError>,
    is_finished: bool,
}

/// The form in which events are shown.
enum Face {
    Bars(Bars),
    Lines(Lines<Box<dyn Write + Send>>),
    Json(JsonLines<Box<dyn Write + Send>>),
    /// The output is gone.
    Nothing,
}

impl fmt::Debug for Screen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Screen")
    }
}

impl Screen {
    pub(super) fn new(
        outputs: Outputs,
        mode: Mode,
        colour: bool,
        zone: TimeZone,
        clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
    ) -> Self {
        let mut screen = Self {
            clock,
            colour,
            face: Face::Nothing,
            people: None,
            log: None,
            report: Report::default(),
            trouble: None,
            is_finished: false,
        };
        match mode {
            Mode::Bars => {
                screen.face = Face::Bars(Bars::on_stderr());
                screen.people = Some(outputs.people);
            }
            Mode::Lines => screen.face = Face::Lines(Lines::new(outputs.people, zone)),
            Mode::Json => {
                screen.people = Some(outputs.people);
                match JsonLines::begin(outputs.programs) {
                    Ok(lines) => screen.face = Face::Json(lines),
                    Err(source) => screen.lose("standard output", source),
                }
            }
        }
        screen
    }

    pub(super) fn also_log_to(&mut self, path: &Path) {
        match open_log(path) {
            Ok(log) => self.log = Some(log),
            Err(error) => self.warn_of_log(&error),
        }
    }

    pub(super) fn take(&mut self, event: &Event) {
        let now = (self.clock)();
        let written = self.log.as_mut().map_or(Ok(()), |log| log.take(now, event));
        self.show(now, event);
        if let Err(error) = written {
            self.log = None;
            self.warn_of_log(&error);
        }
    }

    fn show(&mut self, now: Timestamp, event: &Event) {
        if self.is_finished {
            return;
        }
        self.report.take(now, event);
        let page = self.page();
        let (output, written) = match &mut self.face {
            Face::Bars(bars) => {
                bars.take(now, event, self.report.stages(), page);
                return;
            }
            Face::Lines(lines) => ("standard error", lines.take(now, event)),
            Face::Json(lines) => ("standard output", lines.take(now, event)),
            Face::Nothing => return,
        };
        if let Err(source) = written {
            self.lose(output, source);
        }
    }

    /// Stops writing to an output that failed, and keeps the reason; that nobody reads any more is none.
    fn lose(&mut self, output: &'static str, source: io::Error) {
        self.face = Face::Nothing;
        if source.kind() != io::ErrorKind::BrokenPipe {
            self.trouble.get_or_insert(DisplayError { output, source });
        }
    }

    fn warn_of_log(&mut self, error: &io::Error) {
        let warning = Event::Note {
            level: Level::Warning,
            text: format!("this run is not logged to its file any further: {error}"),
        };
        self.show((self.clock)(), &warning);
    }

    pub(super) fn tick(&mut self) {
        let (now, page) = ((self.clock)(), self.page());
        if let Face::Bars(bars) = &mut self.face {
            bars.refresh(now, self.report.stages(), page);
        }
    }

    fn page(&self) -> Page {
        let size = match self.face {
            Face::Bars(_) => console::Term::stderr().size_checked(),
            _ => None,
        };
        // A terminal that does not know its size says 0.
        let is_known = |(rows, columns): &(u16, u16)| *rows > 0 && *columns > 0;
        let (rows, columns) = size.filter(is_known).unwrap_or((24, 80));
        Page {
            columns: usize::from(columns),
            rows: usize::from(rows),
            colour: self.colour,
        }
    }

    pub(super) fn finish(&mut self) -> Result<(), DisplayError> {
        if !std::mem::replace(&mut self.is_finished, true) {
            let (now, page) = ((self.clock)(), self.page());
            let mut columns = COLUMNS;
            let mut before = "\n";
            match std::mem::replace(&mut self.face, Face::Nothing) {
                Face::Bars(mut bars) => {
                    bars.finish(now, self.report.stages(), page);
                    columns = page.columns;
                }
                Face::Lines(lines) => self.people = Some(lines.into_output()),
                Face::Json(_) | Face::Nothing => before = "",
            }
            let summary = self.report.render(columns);
            if let Some(people) = self.people.as_mut().filter(|_| !summary.is_empty()) {
                let summary = format!("{before}{summary}");
                let written = people
                    .write_all(summary.as_bytes())
                    .and_then(|()| people.flush());
                if let Err(source) = written {
                    self.lose("standard error", source);
                }
            }
        }
        self.trouble.take().map_or(Ok(()), Err)
    }
}
