//! The groups of cases, one after the other.

use goldseed::record::Verb;

use crate::Trouble;
use crate::case::Subject;
use crate::pairs;
use crate::point;
use crate::rivals;
use crate::service::{self, Weather};
use crate::signals::{self, Moment};
use crate::single;
use crate::table::{Group, Table};

/// How much is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// A part of each group, for every run of the tests.
    Sample,
    /// All single faults, and some of what is drawn.
    Usual,
    /// All single faults, and many of what is drawn.
    Long,
}

impl Extent {
    /// So many of what is drawn.
    fn drawn(self, sample: usize, usual: usize, long: usize) -> usize {
        match self {
            Self::Sample => sample,
            Self::Usual => usual,
            Self::Long => long,
        }
    }

    /// Of how many single cases one is tried. A rollback needs a rebuild before it, so a sample has fewer of them.
    fn one_of(self, subject: &Subject, sample: usize) -> usize {
        match (self, subject.verb) {
            (Self::Sample, Verb::Rollback) => 2 * sample,
            (Self::Sample, _) => sample,
            _ => 1,
        }
    }
}

/// How many cases run at once where they are at work all the time; most of each is waiting all the same.
const AT_WORK: usize = 10;
/// How many run at once where they wait for time-outs and leases.
const WAITING: usize = 24;

/// Runs the groups that are asked for; none: all.
pub(crate) fn run(extent: Extent, only: &[usize]) -> Result<bool, Trouble> {
    let subjects = [Subject::of(Verb::Rebuild)?, Subject::of(Verb::Rollback)?];
    let mut table = Table::default();
    let groups: [fn(&mut Group, &[Subject; 2], Extent); 5] =
        [one_fault, two_faults, weather, two_drivers, real_signals];
    let names = [
        "one fault",
        "two faults",
        "a service's weather",
        "two drivers",
        "real signals",
    ];
    for (number, (work, name)) in groups.iter().zip(names).enumerate() {
        if only.is_empty() || only.contains(&(number + 1)) {
            let mut group = Group::new(name);
            work(&mut group, &subjects, extent);
            table.add(&group);
        }
    }
    Ok(table.close())
}

fn one_fault(group: &mut Group, subjects: &[Subject; 2], extent: Extent) {
    for subject in subjects {
        let points = point::chosen(&subject.points);
        let cases = points
            .iter()
            .flat_map(|point| single::WAYS.map(|way| (point, way)))
            // No multiple of the number of ways, so that a sample has all of them.
            .step_by(extent.one_of(subject, 7));
        group.run(AT_WORK, cases, |(point, way)| {
            let name = format!("{}: {point}, {way:?}", subject.verb.as_str());
            (name, single::at(subject, point, *way))
        });
    }
}

fn two_faults(group: &mut Group, subjects: &[Subject; 2], extent: Extent) {
    for subject in subjects {
        let points = point::chosen(&subject.points);
        let cases = 0..extent.drawn(3, 25, 250);
        group.run(AT_WORK, cases, |seed| {
            let pair = pairs::drawn(&points, *seed);
            let name = format!("{}: {}", subject.verb.as_str(), pairs::name(&pair));
            (name, pairs::at(subject, &pair))
        });
    }
}

fn weather(group: &mut Group, subjects: &[Subject; 2], extent: Extent) {
    for subject in subjects {
        let points = point::chosen(&subject.points);
        let name =
            |point, weather: Weather| format!("{}: {point}, {weather:?}", subject.verb.as_str());
        let anywhere = points
            .iter()
            .flat_map(|point| service::SHORT.map(|weather| (point, weather)))
            .step_by(extent.one_of(subject, 25));
        let first = subject.first_looks.iter();
        let first = first.map(|point| (point, Weather::NotFound));
        let stalls = points.iter().step_by(extent.one_of(subject, 80));
        let stalls = stalls.map(|point| (point, Weather::Stall));
        // Those that stall come first: they wait while the others work.
        let cases = stalls.chain(anywhere).chain(first);
        group.run(WAITING, cases, |(point, weather)| {
            (
                name(*point, *weather),
                service::at(subject, point, *weather),
            )
        });
    }
}

fn two_drivers(group: &mut Group, subjects: &[Subject; 2], extent: Extent) {
    let [rebuild, _] = subjects;
    let cases = 0..extent.drawn(8, 50, 200);
    // Who sleeps past a lease takes longer than a sample may.
    let meetings = match extent {
        Extent::Sample => &rivals::MEETINGS[..2],
        _ => &rivals::MEETINGS[..],
    };
    group.run(WAITING, cases, |seed| {
        let meeting = meetings[seed % meetings.len()];
        let name = format!("{meeting:?}, seed {seed}");
        (name, rivals::meet(rebuild, meeting, *seed as u64))
    });
}

fn real_signals(group: &mut Group, subjects: &[Subject; 2], extent: Extent) {
    let cases = 0..extent.drawn(8, 50, 200);
    group.run(AT_WORK, cases, |seed| {
        let subject = &subjects[seed / 3 % subjects.len()];
        let moment = Moment::drawn(*seed, subject.points.len());
        let name = format!("{}: {moment:?}", subject.verb.as_str());
        (name, signals::at(subject, moment))
    });
}
