//! Disturbs runs in every way that a network, a machine or a person can, and compares what is left with the world of
//! an undisturbed run. Run by `scripts/faults`.

mod case;
mod comparison;
mod driver;
mod groups;
mod pairs;
mod point;
mod rivals;
mod service;
mod signals;
mod single;
mod soundness;
mod table;
mod turns;
#[path = "../it/world.rs"]
#[expect(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "it belongs to the tests, which use more of it"
)]
mod world;

use std::process::ExitCode;

use self::groups::Extent;

/// Whatever stops a case, or all of them.
type Trouble = Box<dyn std::error::Error + Send + Sync>;

const USAGE: &str =
    "faults: expected [--sample | --long] [GROUP…], a group being a number from 1 to 5";

fn main() -> ExitCode {
    let mut extent = Extent::Usual;
    let mut groups = Vec::new();
    for word in std::env::args().skip(1) {
        match (word.as_str(), word.parse()) {
            ("--sample", _) => extent = Extent::Sample,
            ("--long", _) => extent = Extent::Long,
            (_, Ok(group @ 1..=5)) => groups.push(group),
            _ => {
                table::say(USAGE);
                return ExitCode::from(2);
            }
        }
    }
    match groups::run(extent, &groups) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(trouble) => {
            table::say(&format!("faults: {trouble}"));
            ExitCode::FAILURE
        }
    }
}
