//! Worlds and what differs between them. Ids, times and versions are replaced by what they stand for.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use crate::world::World;

/// All that exists or existed in a world, a line each, but for records, leases and the ledger's versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Picture(BTreeMap<String, usize>);

/// What a world has more or less than it should.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Difference {
    /// What exists and should not.
    pub(crate) leaked: Vec<String>,
    /// What was made once more than needed, and is gone.
    pub(crate) duplicates: Vec<String>,
    /// What should be there and is not.
    pub(crate) missing: Vec<String>,
}

impl Difference {
    /// The difference without what was made and is gone.
    pub(crate) fn of_what_is(self) -> Self {
        Self {
            duplicates: Vec::new(),
            ..self
        }
    }

    /// Tells whether there is none.
    pub(crate) fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, lines) in [
            ("left over", &self.leaked),
            ("made twice", &self.duplicates),
            ("missing", &self.missing),
        ] {
            for line in lines {
                write!(formatter, "\n  {what}: {}", abridged(line))?;
            }
        }
        Ok(())
    }
}

/// A line as it is told: without the script that a machine starts with.
fn abridged(line: &str) -> String {
    let Some((before, after)) = line.split_once("\"user_data\":\"") else {
        return line.to_owned();
    };
    let mut escaped = false;
    let end = after.find(|letter| {
        let ends = letter == '"' && !escaped;
        escaped = letter == '\\' && !escaped;
        ends
    });
    let end = end.unwrap_or(after.len());
    format!("{before}\"user_data\":\"({end} bytes){}", &after[end..])
}

/// What the sandbox draws at random beside the ids: of snapshots that are gone, stacks, groups.
const DRAWN: [&str; 3] = [
    "snap-[0-9a-f]{17}",
    "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "AutoScalingGroup-[A-Z0-9]+",
];

/// The states of what is gone.
const GONE: [&str; 3] = ["terminated", "deregistered", "shutting-down"];

impl Picture {
    /// What a world looks like now.
    pub(crate) fn of(world: &World) -> Self {
        let all = world.sandbox.world();
        let names = names(&all);
        let drawn = DRAWN.map(|form| regex_lite::Regex::new(form).expect("a pattern"));
        let mut lines: BTreeMap<String, usize> = BTreeMap::new();
        for kind in [
            "images",
            "snapshots",
            "instances",
            "parameters",
            "environments",
        ] {
            for one in all[kind].as_array().into_iter().flatten() {
                if let Some(line) = line(kind, one, &names, &drawn) {
                    *lines.entry(line).or_default() += 1;
                }
            }
        }
        Self(lines)
    }

    /// What this world has more or less than a good one.
    pub(crate) fn against(&self, good: &Self) -> Difference {
        let mut difference = Difference::default();
        for (line, count) in &self.0 {
            let more = count.saturating_sub(good.0.get(line).copied().unwrap_or_default());
            let list = if GONE
                .iter()
                .any(|state| line.contains(&format!("\"{state}\"")))
            {
                &mut difference.duplicates
            } else {
                &mut difference.leaked
            };
            list.extend(std::iter::repeat_n(line.clone(), more));
        }
        for (line, count) in &good.0 {
            let less = count.saturating_sub(self.0.get(line).copied().unwrap_or_default());
            difference
                .missing
                .extend(std::iter::repeat_n(line.clone(), less));
        }
        difference
    }
}

/// One thing as a line; none for what belongs to the runs themselves.
fn line(
    kind: &str,
    one: &Value,
    names: &[(String, String)],
    drawn: &[regex_lite::Regex],
) -> Option<String> {
    let mut one = one.clone();
    if kind == "parameters" {
        let name = one["name"].as_str().unwrap_or_default();
        if name.contains("/runs/") || name.contains("/lease/") {
            return None;
        }
        // A version too many where an answer was lost: the ledger's readers count the first one.
        if let Some(versions) = one["versions"].as_array_mut() {
            versions.dedup();
        }
    }
    if let Some(tags) = one["tags"].as_object_mut() {
        for key in ["goldseed:expires", "goldseed:run"] {
            if let Some(tag) = tags.get_mut(key) {
                *tag = Value::from("some");
            }
        }
    }
    let mut text = format!("{kind}: {one}");
    for (id, name) in names {
        text = text.replace(id, name);
    }
    for drawn in drawn {
        text = drawn.replace_all(&text, "<drawn>").into_owned();
    }
    Some(text)
}

/// The ids of a world and what they stand for; runs by their order.
fn names(all: &Value) -> Vec<(String, String)> {
    let mut names = Vec::new();
    let mut runs: Vec<&str> = Vec::new();
    for kind in ["images", "instances", "snapshots"] {
        for one in all[kind].as_array().into_iter().flatten() {
            let id = one["id"].as_str().unwrap_or_default();
            let role = one["tags"]["goldseed:role"].as_str().unwrap_or("own");
            names.push((id.to_owned(), format!("<{kind} {role}>")));
            runs.extend(one["tags"]["goldseed:run"].as_str());
        }
    }
    for one in all["environments"].as_array().into_iter().flatten() {
        let id = one["id"].as_str().unwrap_or_default();
        names.push((id.to_owned(), "<environment>".to_owned()));
    }
    runs.sort_unstable();
    runs.dedup();
    for (number, run) in runs.iter().enumerate() {
        names.push(((*run).to_owned(), format!("<run {number}>")));
    }
    names
}
