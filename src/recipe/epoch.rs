//! Stretches of steps between which the machine is looked at anew.
//!
//! Within a stretch one `stat` and one `sha256sum` serve all steps. That is right only as long as nothing happens
//! behind their back, so a step that can change anything (a package, a command, a service, …) ends the stretch, and so
//! does a second step on the same path.

use std::collections::BTreeSet;

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
        for unit in epoch {
            call(unit, &mut text);
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
    let mut claimed: Vec<&str> = Vec::new();
    for (index, unit) in units.iter().enumerate() {
        let work = match &unit.call {
            Call::Skip => continue,
            Call::Handler { work, .. } | Call::Step { work, .. } => work,
        };
        if work
            .claims
            .iter()
            .any(|path| claimed.contains(&path.as_str()))
        {
            return index;
        }
        if work.ends_epoch {
            return index + 1;
        }
        claimed.extend(work.claims.iter().map(String::as_str));
    }
    units.len()
}

/// The looks at everything that a stretch compares.
fn look(epoch: &[Unit], text: &mut String) {
    let works = || {
        epoch.iter().filter_map(|unit| match &unit.call {
            Call::Step { work, .. } => Some(work),
            Call::Skip | Call::Handler { .. } => None,
        })
    };
    // Files of the system's own folders stand below the root that tests move.
    let system: Vec<String> = works()
        .flat_map(|work| &work.system)
        .map(|path| format!("\"$gs_root\"{}", quote(path)))
        .collect();
    let looks = [
        (
            "gs_look_attributes",
            works()
                .flat_map(|work| &work.attributes)
                .collect::<Vec<_>>(),
        ),
        (
            "gs_look_contents",
            works().flat_map(|work| &work.contents).collect(),
        ),
    ];
    for (function, paths) in looks {
        if paths.is_empty() && system.is_empty() {
            continue;
        }
        text.push_str(function);
        for path in paths
            .into_iter()
            .map(|path| quote(path))
            .chain(system.iter().cloned())
        {
            text.push(' ');
            text.push_str(&path);
        }
        text.push('\n');
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
            let step = format!(
                "gs_step {id} {}",
                words(work.words.iter().map(String::as_str))
            );
            if *seed_only {
                format!("{notify}if gs_is_seed; then {step}\nelse gs_skip {id}; fi\n")
            } else {
                format!("{notify}{step}\n")
            }
        }
    };
    text.push_str(&line);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(id: &str, path: &str, ends_epoch: bool) -> Unit {
        let work = Work {
            words: vec!["gs_x".to_owned(), path.to_owned()],
            attributes: vec![path.to_owned()],
            claims: vec![path.to_owned()],
            ends_epoch,
            ..Work::default()
        };
        Unit {
            id: id.to_owned(),
            call: Call::Step {
                work,
                notify: Vec::new(),
                seed_only: false,
            },
        }
    }

    #[test]
    fn one_look_serves_a_stretch_and_never_longer() {
        let units = [
            unit("a", "/1", false),
            unit("b", "/2", true),
            unit("c", "/3", false),
            unit("d", "/3", false),
        ];
        assert_eq!(
            write(&units),
            "gs_look_attributes /1 /2\ngs_step a gs_x /1\ngs_step b gs_x /2\ngs_look_attributes /3\n\
             gs_step c gs_x /3\ngs_look_attributes /3\ngs_step d gs_x /3\n"
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
