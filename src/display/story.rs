//! Runs as lists of events, for the tests of all displays.

use jiff::Timestamp;

use crate::event::{Event, Level};
use crate::id::{RunId, StepId};

/// The moment so many seconds after the run began, at 03:45:12.
pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_405_512 + second).unwrap()
}

fn begin(verb: &str, stages: &[&str]) -> Event {
    Event::RunStarted {
        run: run(),
        pipeline: "shop".to_owned(),
        verb: verb.to_owned(),
        environment: "shop-prod".to_owned(),
        stages: stages.iter().map(ToString::to_string).collect(),
    }
}

fn run() -> RunId {
    RunId::new("20261123-034512-7f3a")
}

fn start(step: &str, title: &str) -> Event {
    Event::StepStarted {
        step: StepId::new(step),
        title: title.to_owned(),
    }
}

fn end(step: &str, outcome: &str, seconds: u64, replayed: bool) -> Event {
    Event::StepFinished {
        step: StepId::new(step),
        outcome: outcome.to_owned(),
        milliseconds: seconds * 1000,
        replayed,
    }
}

fn progress(subject: &str, state: &str, done: Option<f32>, waited_seconds: u64) -> Event {
    Event::Progress {
        subject: subject.to_owned(),
        state: state.to_owned(),
        done,
        waited_seconds,
    }
}

fn recipe(recipe: &str, name: &str, result: &str, done: usize) -> Event {
    Event::RecipeStep {
        recipe: recipe.to_owned(),
        name: name.to_owned(),
        result: result.to_owned(),
        done,
        of: 12,
    }
}

fn output(line: &str) -> Event {
    Event::Output {
        line: line.to_owned(),
    }
}

fn warning(text: &str) -> Event {
    Event::Note {
        level: Level::Warning,
        text: text.to_owned(),
    }
}

const STAGES: [&str; 9] = [
    "snapshot",
    "launch",
    "apply",
    "generalise",
    "image",
    "prove",
    "swap",
    "watch",
    "retire",
];

/// A rebuild, in the middle of its recipes.
pub(super) fn while_applying() -> Vec<(Timestamp, Event)> {
    vec![
        (at(0), begin("rebuild", &STAGES)),
        (
            at(0),
            start("snapshot/choose", "choose the source instance"),
        ),
        (
            at(1),
            end("snapshot/choose", "i-0123456789abcdef0", 1, false),
        ),
        (
            at(1),
            start("snapshot/take", "take the raw image of i-0123456789abcdef0"),
        ),
        (
            at(20),
            progress(
                "image ami-0aaaaaaaaaaaaaa01",
                "pending, snapshot at 42 %",
                Some(0.42),
                19,
            ),
        ),
        (
            at(59),
            end(
                "snapshot/take",
                "raw image ami-0aaaaaaaaaaaaaa01",
                58,
                false,
            ),
        ),
        (
            at(59),
            start("launch/seed", "launch the seed from ami-0aaaaaaaaaaaaaa01"),
        ),
        (at(80), end("launch/seed", "i-0bbbbbbbbbbbbbb02", 21, false)),
        (
            at(80),
            warning(
                "this is the tenth image since a stock image: it is time to rebase with `source: platform`",
            ),
        ),
        (at(80), start("apply/recipes", "apply 3 recipes")),
        (at(82), recipe("mount-efs", "mount the uploads", "start", 0)),
        (
            at(83),
            recipe("mount-efs", "mount the uploads", "changed", 1),
        ),
        (
            at(83),
            recipe("install-wordpress", "unpack WordPress", "start", 4),
        ),
        (
            at(84),
            output(
                "\u{1b}[32mUnpacking\u{1b}[0m wordpress (6.1.6+dfsg1-0+deb12u1) over (6.1.6+dfsg1-0+deb12u0) ...",
            ),
        ),
        (
            at(84),
            output(
                "設定ファイルを展開しています。設定ファイルを展開しています。設定ファイルを展開しています。",
            ),
        ),
        (at(94), output("  10 %\r  55 %\r 100 %")),
    ]
}

/// A rebuild that went on in a second process and was done.
pub(super) fn resumed_rebuild() -> Vec<(Timestamp, Event)> {
    let tenth =
        "this is the tenth image since a stock image: it is time to rebase with `source: platform`";
    vec![
        (
            at(0),
            begin("rebuild", &["snapshot", "launch", "image", "swap"]),
        ),
        (
            at(0),
            end("snapshot/take", "raw image ami-0aaaaaaaaaaaaaa01", 58, true),
        ),
        (at(0), end("launch/seed", "i-0bbbbbbbbbbbbbb02", 21, true)),
        (
            at(0),
            start("launch/agent", "wait for the agent of i-0bbbbbbbbbbbbbb02"),
        ),
        (at(5), end("launch/agent", "online", 5, false)),
        (at(5), warning(tenth)),
        (
            at(5),
            start("image/take", "take the golden image of i-0bbbbbbbbbbbbbb02"),
        ),
        (
            at(6),
            progress("image ami-0cccccccccccccc03", "pending", Some(0.1), 1),
        ),
        (
            at(70),
            progress("image ami-0cccccccccccccc03", "available", Some(1.0), 65),
        ),
        (
            at(70),
            end(
                "image/take",
                "golden image ami-0cccccccccccccc03",
                65,
                false,
            ),
        ),
        (
            at(70),
            start(
                "swap/update",
                "make ami-0cccccccccccccc03 the base image of shop-prod",
            ),
        ),
        (at(70), warning(tenth)),
        (at(370), end("swap/update", "", 300, false)),
        (
            at(370),
            Event::RunFinished {
                run: run(),
                success: true,
                verdict: "shop-prod runs ami-0cccccccccccccc03 on 2 of 2 instances".to_owned(),
                facts: vec![
                    (
                        "golden image".to_owned(),
                        "ami-0cccccccccccccc03".to_owned(),
                    ),
                    ("before".to_owned(), "platform".to_owned()),
                ],
                next: vec![
                    "goldseed status shop".to_owned(),
                    "goldseed rollback shop".to_owned(),
                ],
                exit_code: Some(0),
            },
        ),
    ]
}

/// A build whose recipe failed.
pub(super) fn failed_build() -> Vec<(Timestamp, Event)> {
    vec![
        (at(0), begin("build", &["snapshot", "apply", "image"])),
        (at(0), start("snapshot/take", "take the raw image of i-0123456789abcdef0")),
        (at(58), end("snapshot/take", "raw image ami-0aaaaaaaaaaaaaa01", 58, false)),
        (at(58), start("apply/recipes", "apply 3 recipes")),
        (at(60), recipe("install-wordpress", "unpack WordPress", "start", 4)),
        (at(61), output("\u{1b}]0;owned\u{7}\u{1b}[2Jtar: wordpress.tar: Cannot open: No such file or directory\r")),
        (at(61), output("\u{9b}31mtar: Error is not recoverable: exiting now\u{8}\u{0}")),
        (at(62), recipe("install-wordpress", "unpack WordPress", "failed", 5)),
        (
            at(62),
            Event::StepFailed {
                step: StepId::new("apply/recipes"),
                reason: "step `unpack WordPress` of recipe install-wordpress failed with code 2\nat recipes/install-wordpress.yaml:14".to_owned(),
            },
        ),
        (
            at(62),
            Event::RunFinished {
                run: run(),
                success: false,
                verdict: "a recipe failed on the seed i-0bbbbbbbbbbbbbb02; shop-prod is as it was".to_owned(),
                facts: vec![("seed".to_owned(), "i-0bbbbbbbbbbbbbb02".to_owned())],
                next: vec!["goldseed resume 20261123-034512-7f3a".to_owned()],
                exit_code: Some(6),
            },
        ),
    ]
}
