//! A whole run as each display shows it, and what becomes of a run whose display cannot write.

use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use goldseed::display::{Display, Mode, Outputs};
use goldseed::event::{Emitter, Event};
use goldseed::id::{RunId, StepId};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// An output that is looked at later.
#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Page {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("a sound lock").clone()).expect("UTF-8")
    }
}

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("a sound lock").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn moment() -> Timestamp {
    "2026-11-23T03:45:12Z".parse().expect("a time")
}

fn display(mode: Mode, programs: impl Write + Send + 'static, people: &Page) -> Display {
    let outputs = Outputs {
        programs: Box::new(programs),
        people: Box::new(people.clone()),
    };
    Display::writing_to(outputs, mode, false, TimeZone::UTC, moment)
}

fn run(emitter: &Emitter) {
    let id = RunId::new("20261123-034512-7f3a");
    let step = StepId::new("image/take");
    emitter.emit(Event::RunStarted {
        run: id.clone(),
        pipeline: "shop".to_owned(),
        verb: "build".to_owned(),
        environment: "shop-prod".to_owned(),
        stages: vec!["image".to_owned()],
    });
    emitter.emit(Event::StepStarted {
        step: step.clone(),
        title: "take the golden image".to_owned(),
    });
    emitter.emit(Event::Progress {
        subject: "image ami-1".to_owned(),
        state: "pending".to_owned(),
        done: Some(0.42),
        waited_seconds: 7,
    });
    emitter.warn("the environment has no alarm");
    emitter.emit(Event::StepFinished {
        step,
        outcome: "ami-1".to_owned(),
        milliseconds: 58_000,
        replayed: false,
    });
    emitter.emit(Event::RunFinished {
        run: id,
        success: true,
        verdict: "ami-1 is golden".to_owned(),
        facts: vec![("golden image".to_owned(), "ami-1".to_owned())],
        next: vec!["goldseed promote shop ami-1".to_owned()],
        exit_code: Some(0),
    });
}

#[test]
fn lines_and_summary_go_to_people_and_nothing_to_programs() {
    let (programs, people) = (Page::default(), Page::default());
    let display = display(Mode::Lines, programs.clone(), &people);
    run(&display.emitter());
    display.finish().unwrap();
    assert_eq!(programs.text(), "");
    insta::assert_snapshot!(people.text(), @"
    03:45:12 run 20261123-034512-7f3a: build of shop on shop-prod
    03:45:12 image/take  take the golden image
    03:45:12 image/take  image ami-1: pending (42 %, 7s)
    03:45:12 warning: the environment has no alarm
    03:45:12 image/take  done in 58s: ami-1
    03:45:12 run 20261123-034512-7f3a done: ami-1 is golden

    build of shop on shop-prod, run 20261123-034512-7f3a

      image     58s  ami-1

      golden image  ami-1

    warning: the environment has no alarm

    done: ami-1 is golden

    next:
      goldseed promote shop ami-1
    ");
}

#[test]
fn json_goes_to_programs_and_the_summary_to_people() {
    let (programs, people) = (Page::default(), Page::default());
    let display = display(Mode::Json, programs.clone(), &people);
    run(&display.emitter());
    display.finish().unwrap();
    let version = env!("CARGO_PKG_VERSION");
    insta::assert_snapshot!(programs.text().replace(version, "[version]"), @r#"
    {"goldseed":2,"version":"[version]"}
    {"time":"2026-11-23T03:45:12Z","event":"run_started","run":"20261123-034512-7f3a","pipeline":"shop","verb":"build","environment":"shop-prod","stages":["image"]}
    {"time":"2026-11-23T03:45:12Z","event":"step_started","step":"image/take","title":"take the golden image"}
    {"time":"2026-11-23T03:45:12Z","event":"progress","subject":"image ami-1","state":"pending","done":0.42,"waited_seconds":7}
    {"time":"2026-11-23T03:45:12Z","event":"note","level":"warning","text":"the environment has no alarm"}
    {"time":"2026-11-23T03:45:12Z","event":"step_finished","step":"image/take","outcome":"ami-1","milliseconds":58000,"replayed":false}
    {"time":"2026-11-23T03:45:12Z","event":"run_finished","run":"20261123-034512-7f3a","success":true,"verdict":"ami-1 is golden","facts":{"golden_image":"ami-1"},"next":["goldseed promote shop ami-1"],"exit_code":0}
    "#);
    insta::assert_snapshot!(people.text(), @"
    build of shop on shop-prod, run 20261123-034512-7f3a

      image     58s  ami-1

      golden image  ami-1

    warning: the environment has no alarm

    done: ami-1 is golden

    next:
      goldseed promote shop ami-1
    ");
}

#[test]
fn the_log_file_has_what_json_has() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runs/1.jsonl");
    let (programs, people) = (Page::default(), Page::default());
    let display = display(Mode::Json, programs.clone(), &people);
    display.also_log_to(&path);
    run(&display.emitter());
    display.finish().unwrap();
    assert_eq!(fs_err::read_to_string(&path).unwrap(), programs.text());
}

#[test]
fn a_log_file_that_cannot_be_written_is_one_warning_and_the_run_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    fs_err::write(folder.path().join("file"), "").unwrap();
    for path in [Path::new("/dev/full"), &folder.path().join("file/1.jsonl")] {
        let people = Page::default();
        let display = display(Mode::Lines, Page::default(), &people);
        display.also_log_to(path);
        run(&display.emitter());
        display.finish().unwrap();
        let text = people.text();
        let told = text
            .lines()
            .filter(|line| line.contains("03:45:12 warning: this run is not logged"));
        assert_eq!(told.count(), 1, "{text}");
        assert!(text.contains("done: ami-1 is golden"), "{text}");
    }
}

#[test]
fn a_reader_that_goes_away_ends_the_json_and_not_the_run() {
    let (mut reader, writer) = io::pipe().unwrap();
    let people = Page::default();
    let display = display(Mode::Json, writer, &people);
    let mut header = [0; 13];
    reader.read_exact(&mut header).unwrap();
    assert_eq!(&header, b"{\"goldseed\":2");
    drop(reader);
    run(&display.emitter());
    display.finish().unwrap();
    assert!(people.text().contains("done: ami-1 is golden"));
}

#[test]
fn a_full_disk_is_told_at_the_end() {
    let full = fs_err::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let people = Page::default();
    let display = display(Mode::Json, full, &people);
    run(&display.emitter());
    let error = display.finish().unwrap_err();
    assert_eq!(error.to_string(), "cannot write events to standard output");
    assert!(
        std::error::Error::source(&error)
            .unwrap()
            .to_string()
            .contains("No space left")
    );
    assert!(people.text().contains("done: ami-1 is golden"));
}

#[test]
fn bars_end_with_one_summary_and_later_events_are_only_logged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("1.jsonl");
    let people = Page::default();
    let display = display(Mode::Bars, Page::default(), &people);
    display.also_log_to(&path);
    let emitter = display.emitter();
    run(&emitter);
    display.finish().unwrap();
    let summary = people.text();
    assert!(summary.contains("done: ami-1 is golden"), "{summary}");
    emitter.warn("too late");
    display.finish().unwrap();
    assert_eq!(people.text(), summary);
    assert!(fs_err::read_to_string(&path).unwrap().contains("too late"));
}
