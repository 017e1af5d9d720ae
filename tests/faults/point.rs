//! The requests of a run by name: step, operation, and which one of that operation in that step it is.

use std::collections::BTreeMap;
use std::fmt;

use goldseed::sandbox::Request;

/// A request of a run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Point {
    /// The step that it belongs to.
    pub(crate) step: String,
    /// The operation, and of a command what it is for.
    pub(crate) operation: String,
    /// Which one it is, from 1.
    pub(crate) number: usize,
}

impl fmt::Display for Point {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            step,
            operation,
            number,
        } = self;
        write!(formatter, "{operation} {number} of {step}")
    }
}

/// Counts requests.
#[derive(Debug, Default)]
pub(crate) struct Counter(BTreeMap<(String, String), usize>);

impl Counter {
    /// Counts a request of a step and gives it its name.
    pub(crate) fn count(&mut self, step: String, request: &Request) -> Point {
        let operation = operation(request);
        let number = self.0.entry((step.clone(), operation.clone())).or_default();
        *number += 1;
        Point {
            step,
            operation,
            number: *number,
        }
    }
}

/// The operation; a command is told by what it does on the machine, a launch that is only rehearsed as such.
fn operation(request: &Request) -> String {
    let name = &request.operation;
    if name == "SendCommand" {
        let text = request.parameters["Parameters"]["commands"][0]
            .as_str()
            .unwrap_or_default();
        let verb = text
            .lines()
            .nth(1)
            .and_then(|line| line.strip_prefix("# goldseed "))
            .and_then(|rest| rest.split(' ').next());
        return format!("{name} {}", verb.unwrap_or("plain"));
    }
    if request.parameter("DryRun") == Some("true") {
        return format!("{name} dry");
    }
    name.clone()
}

/// Tells whether requests of this name are looks that are repeated until what is looked for is there.
fn is_look(operation: &str) -> bool {
    operation == "SendCommand follow" || !crate::world::changes(operation)
}

/// What is disturbed of all that an undisturbed run asked for: every change, and of a run of looks the first and the
/// last.
pub(crate) fn chosen(all: &[Point]) -> Vec<Point> {
    let mut last: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for point in all {
        last.insert((&point.step, &point.operation), point.number);
    }
    all.iter()
        .filter(|point| {
            !is_look(&point.operation)
                || point.number == 1
                || last[&(point.step.as_str(), point.operation.as_str())] == point.number
        })
        .cloned()
        .collect()
}
