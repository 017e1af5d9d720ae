//! What `goldseed status` says of an environment's troubles: causes and events, whole.

use std::fmt::Write as _;

use crate::display;
use crate::pipeline::Troubles;

/// Writes the causes of the health, below the line that names it.
pub(super) fn causes(troubles: &Troubles) -> String {
    let mut text = String::new();
    for cause in &troubles.causes {
        line(&mut text, &format!("  cause: {cause}"));
    }
    for instance in &troubles.instances {
        let why = match instance.causes.as_slice() {
            [] => String::new(),
            causes => format!(": {}", causes.join("; ")),
        };
        line(
            &mut text,
            &format!("  {} is {}{why}", instance.id, instance.status),
        );
    }
    text
}

/// Writes the events, each on a line that is never cut.
pub(super) fn events(troubles: &Troubles) -> String {
    if troubles.events.is_empty() {
        return String::new();
    }
    let mut text = String::from("\nevents of Beanstalk in the last day (UTC)\n");
    for event in &troubles.events {
        let time = event.date.strftime("%Y-%m-%d %H:%M:%S");
        line(
            &mut text,
            &format!("  {time}  {}  {}", event.severity, event.message),
        );
    }
    text
}

fn line(text: &mut String, line: &str) {
    writeln!(text, "{}", display::harmless(line)).expect("a String takes everything");
}
