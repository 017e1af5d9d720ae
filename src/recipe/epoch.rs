//! Stretches of steps between which the machine is looked at anew.
//!
//! Within a stretch one look serves all steps. That is right only as long as nothing happens behind its back, so a step
//! that can change anything (a package, a command, a service, …) ends the stretch, and so does a second step on the same
//! path, or one whose owner is a user that a step before it makes. Only edits of lines share a file: each is compared
//! with what those before it leave.

use std::collections::{BTreeSet, HashMap};

use super::look::{self, Look};
use super::quote::{quote, words};
use super::resources::Work;

/// One step, ready to be written.
#[derive(Debug)]
pub(crate) struct Unit {
    pub(crate) id: String,
    pub(crate) call: Call,
}

#[derive(Debug)]
pub(crate) enum Call {
    /// `when` does not hold.
    Skip,
    Step {
        work: Work,
        /// Names of pending files.
        notify: Vec<String>,
        /// Whether it is done on the seed alone.
        seed_only: bool,
    },
    /// Done when the named file is pending.
    Handler { pending: String, work: Work },
}

/// Writes units as the lines of a shell function's body.
pub(crate) fn write(units: &[Unit]) -> String {
    let mut text = String::new();
    let mut rest = units;
    while !rest.is_empty() {
        let (epoch, after) = rest.split_at(length(rest));
        look(epoch, &mut text);
        // Adjacent steps that may be done together are the body of a function.
        for group in epoch.chunk_by(|one, next| in_batch(one) && in_batch(next)) {
            if group.len() > 1 {
                text.push_str("gs_many() {\n");
            }
            for unit in group {
                call(unit, &mut text);
            }
            if group.len() > 1 {
                text.push_str("}\ngs_batch gs_many\n");
            }
        }
        rest = after;
    }
    text
}

/// The paths below these folders that steps may change, each once.
pub(crate) fn claimed_below<'a>(units: &'a [Unit], folders: &[&str]) -> BTreeSet<&'a str> {
    units
        .iter()
        .filter_map(|unit| match &unit.call {
            Call::Step { work, .. } => Some(&work.claims),
            Call::Skip | Call::Handler { .. } => None,
        })
        .flatten()
        .map(String::as_str)
        .filter(|path| folders.iter().any(|folder| path.starts_with(folder)))
        .collect()
}

/// How many units the first stretch has; at least one.
fn length(units: &[Unit]) -> usize {
    let mut touched = Touched::default();
    for (index, unit) in units.iter().enumerate() {
        let (work, sure) = match &unit.call {
            Call::Skip => continue,
            Call::Handler { work, .. } => (work, false),
            Call::Step {
                work, seed_only, ..
            } => (work, !seed_only && work.platform.is_none()),
        };
        if !touched.take(work, sure) {
            return index;
        }
        if work.ends_epoch {
            return index + 1;
        }
    }
    units.len()
}

/// What the steps of a stretch change, and what must stay as it was seen.
#[derive(Default)]
struct Touched<'a> {
    claimed: HashMap<&'a str, Sharing>,
    needed: BTreeSet<String>,
}

/// Whether other steps of the stretch may change the same.
#[derive(PartialEq, Eq)]
enum Sharing {
    /// Edits of lines, each of which is compared with what those before it leave.
    Lines,
    No,
}

impl<'a> Touched<'a> {
    /// Takes a step in, unless what was seen would not hold for it. `sure` says that it is done wherever the script runs.
    fn take(&mut self, work: &'a Work, sure: bool) -> bool {
        let lines_only = sure
            && !work.looks.is_empty()
            && work
                .looks
                .iter()
                .all(|look| matches!(look, Look::Line { .. }));
        let needs: Vec<String> = work.looks.iter().flat_map(Look::needs).collect();
        let stale = |claim: &String| {
            self.needed.contains(claim)
                || self
                    .claimed
                    .get(claim.as_str())
                    .is_some_and(|sharing| !lines_only || *sharing == Sharing::No)
        };
        if work.claims.iter().any(stale)
            || needs
                .iter()
                .any(|need| self.claimed.contains_key(need.as_str()))
        {
            return false;
        }
        for claim in &work.claims {
            let sharing = if lines_only {
                Sharing::Lines
            } else {
                Sharing::No
            };
            self.claimed.insert(claim, sharing);
        }
        self.needed.extend(needs);
        true
    }
}

/// The looks at everything that a stretch compares.
fn look(epoch: &[Unit], text: &mut String) {
    let looks = epoch.iter().filter_map(|unit| match &unit.call {
        Call::Step { work, .. } => Some(work.looks.iter().map(|look| (unit.id.as_str(), look))),
        Call::Skip | Call::Handler { .. } => None,
    });
    look::write(looks.flatten(), text);
}

/// Whether a step may be done together with those beside it. What it notifies would have to be written down first.
fn in_batch(unit: &Unit) -> bool {
    match &unit.call {
        Call::Step {
            work,
            notify,
            seed_only,
        } => work.in_batch && notify.is_empty() && !seed_only && work.platform.is_none(),
        Call::Skip | Call::Handler { .. } => false,
    }
}

fn call(unit: &Unit, text: &mut String) {
    let id = quote(&unit.id);
    let line = match &unit.call {
        Call::Skip => format!("gs_skip {id}\n"),
        Call::Handler { pending, work } => {
            format!(
                "gs_handler {id} {} {}\n",
                quote(pending),
                words(work.words.iter().map(String::as_str))
            )
        }
        Call::Step {
            work,
            notify,
            seed_only,
        } => {
            let notify = if notify.is_empty() {
                String::new()
            } else {
                format!("gs_notify={}\n", quote(&notify.join(" ")))
            };
            let function = if work.looks_decide {
                "gs_do"
            } else {
                "gs_step"
            };
            let step = format!(
                "{function} {id} {}",
                words(work.words.iter().map(String::as_str))
            );
            let mut conditions = Vec::new();
            if let Some(platform) = &work.platform {
                conditions.push(format!("gs_is_platform {}", quote(platform)));
            }
            if *seed_only {
                conditions.push("gs_is_seed".to_owned());
            }
            if conditions.is_empty() {
                format!("{notify}{step}\n")
            } else {
                let noted = if *seed_only {
                    makes(&id, work)
                } else {
                    String::new()
                };
                let conditions = conditions.join(" && ");
                format!("{notify}if {conditions}; then {noted}{step}\nelse gs_skip {id}; fi\n")
            }
        }
    };
    text.push_str(&line);
}

/// What a step for the seed alone leaves is noted before it is made.
fn makes(id: &str, work: &Work) -> String {
    if work.leaves.is_empty() {
        return String::new();
    }
    let paths = words(work.leaves.iter().map(String::as_str));
    format!("gs_seed_makes {id} {paths}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::recipe::look::{Attributes, account};

    fn step(id: &str, work: Work) -> Unit {
        Unit {
            id: id.to_owned(),
            call: Call::Step {
                work: Work {
                    words: vec!["gs_x".to_owned()],
                    looks_decide: true,
                    ..work
                },
                notify: Vec::new(),
                seed_only: false,
            },
        }
    }

    fn unit(id: &str, path: &str, ends_epoch: bool) -> Unit {
        owned(id, path, "root", ends_epoch)
    }

    fn owned(id: &str, path: &str, owner: &str, ends_epoch: bool) -> Unit {
        let attributes = Attributes {
            bits: 0o040_755,
            owner: owner.to_owned(),
            group: "root".to_owned(),
        };
        let work = Work {
            looks: vec![Look::Directory {
                path: path.to_owned(),
                attributes,
            }],
            claims: vec![path.to_owned()],
            ends_epoch,
            ..Work::default()
        };
        step(id, work)
    }

    fn line(id: &str, path: &str) -> Unit {
        let work = Work {
            looks: vec![Look::Line {
                path: path.to_owned(),
                line: "x".to_owned(),
                pattern: String::new(),
            }],
            claims: vec![path.to_owned()],
            ..Work::default()
        };
        step(id, work)
    }

    fn user(id: &str, name: &str) -> Unit {
        let work = Work {
            looks: vec![Look::User {
                name: name.to_owned(),
                uid: String::new(),
                home: String::new(),
                shell: String::new(),
                groups: String::new(),
            }],
            claims: vec![account(name)],
            ..Work::default()
        };
        step(id, work)
    }

    /// The ids of each stretch.
    fn stretches(units: &[Unit]) -> Vec<Vec<&str>> {
        let mut rest = units;
        let mut found = Vec::new();
        while !rest.is_empty() {
            let (epoch, after) = rest.split_at(length(rest));
            found.push(epoch.iter().map(|unit| unit.id.as_str()).collect());
            rest = after;
        }
        found
    }

    #[test]
    fn one_look_serves_a_stretch_and_never_longer() {
        let units = [
            unit("a", "/1", false),
            unit("b", "/2", true),
            unit("c", "/3", false),
            unit("d", "/3", false),
        ];
        assert_eq!(stretches(&units), [vec!["a", "b"], vec!["c"], vec!["d"]]);
        assert_eq!(
            write(&units[..2]),
            "gs_look_attributes /1 /2\ngs_compare 'directory\ta\t/1\t41ed|root|root\n\
             directory\tb\t/2\t41ed|root|root\n'\ngs_do a gs_x\ngs_do b gs_x\n"
        );
    }

    #[test]
    fn lines_of_one_file_are_looked_at_together_and_nothing_else_of_it() {
        let mut seed_only = line("seed", "/a");
        if let Call::Step { seed_only, .. } = &mut seed_only.call {
            *seed_only = true;
        }
        let units = [
            line("1", "/a"),
            line("2", "/b"),
            line("3", "/a"),
            unit("4", "/a", false),
            line("5", "/a"),
            seed_only,
            line("6", "/a"),
        ];
        assert_eq!(
            stretches(&units),
            [
                vec!["1", "2", "3"],
                vec!["4"],
                vec!["5"],
                vec!["seed"],
                vec!["6"]
            ]
        );
    }

    #[test]
    fn users_are_looked_at_together_and_what_is_theirs_after_they_are_made() {
        let units = [
            user("1", "ada"),
            user("2", "eve"),
            owned("3", "/c", "bob", false),
            owned("4", "/a", "ada", false),
            line("5", "/etc/passwd"),
            user("6", "bob"),
        ];
        assert_eq!(
            stretches(&units),
            [vec!["1", "2", "3"], vec!["4", "5"], vec!["6"]]
        );
    }

    #[test]
    fn what_steps_tell_the_bridge_is_known_beforehand() {
        let units = [
            unit("a", "/opt/goldseed/bridge/apps.d/shop", false),
            unit("b", "/opt/goldseed/bridge/apps.d/shop", false),
            unit("c", "/opt/goldseed/bridge/deploy", true),
        ];
        let below = claimed_below(&units, &["/opt/goldseed/bridge/apps.d/"]);
        assert_eq!(below, BTreeSet::from(["/opt/goldseed/bridge/apps.d/shop"]));
    }
}
