//! `cron: {name, schedule, command, env, user}`: an entry of `/etc/cron.d`.

use super::{Resource, Role, Site, Work, schedule, system_file};
use crate::document::{self, Node, Review};

pub(super) const RESOURCE: Resource = Resource {
    name: "cron",
    keys: &["name", "schedule", "command", "env", "user"],
    shell: &["command"],
    read,
};

fn read(node: &Node, site: &Site<'_>) -> Option<Work> {
    let fields = RESOURCE.fields(node, site.review)?;
    let schedule = fields.required("schedule", times);
    let scheduled = schedule::read("cron", &fields, site);
    let (schedule, scheduled) = (schedule?, scheduled?);
    let entry = format!(
        "# Written by goldseed.\nSHELL=/bin/sh\n\
         PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n{schedule} {} {}\n",
        scheduled.user, scheduled.path
    );
    let table = format!("/etc/cron.d/{}", scheduled.name);
    let looks = vec![
        system_file::look(&scheduled.path, 0o755, &scheduled.script),
        system_file::look(&table, 0o644, &entry),
    ];
    // On the seed it is also written down that the entry is to be taken away.
    let looks_decide = site.role != Role::Seed;
    let words = [
        scheduled.name,
        scheduled.role.to_owned(),
        scheduled.script,
        entry,
    ];
    Some(Work {
        looks,
        looks_decide,
        claims: vec![scheduled.path, table],
        ..Work::call("gs_cron", words)
    })
}

/// The five columns of a schedule: what they are called, their bounds, and the words that stand for numbers.
const COLUMNS: [(&str, u32, u32, &[&str]); 5] = [
    ("minute", 0, 59, &[]),
    ("hour", 0, 23, &[]),
    ("day of a month", 1, 31, &[]),
    (
        "month",
        1,
        12,
        &[
            "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
        ],
    ),
    (
        "day of a week",
        0,
        7,
        &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
    ),
];

/// Schedules with a name, of crontab(5).
const NAMED: [&str; 8] = [
    "@reboot",
    "@yearly",
    "@annually",
    "@monthly",
    "@weekly",
    "@daily",
    "@midnight",
    "@hourly",
];

/// A schedule as cron reads it.
fn times(node: &Node, review: &Review) -> Option<String> {
    const HELP: &str = "minute, hour, day, month, day of the week: \"*/5 * * * *\" is every five minutes, \"0 3 * * *\" is at three";
    let text = document::text(node, review)?;
    if text.starts_with('@') {
        if NAMED.contains(&text) {
            return Some(text.to_owned());
        }
        let finding = review.error(node.span.clone(), format!("cron knows no `{text}`"));
        match document::suggestion(text, NAMED) {
            Some(similar) => finding.help(format!("did you mean `{similar}`?")),
            None => finding.help(format!("it knows: {}", NAMED.join(", "))),
        };
        return None;
    }
    let columns: Vec<&str> = text.split_whitespace().collect();
    if columns.len() != COLUMNS.len() {
        let message = format!(
            "a schedule of cron has five columns, and `{text}` has {}",
            columns.len()
        );
        review.error(node.span.clone(), message).help(HELP);
        return None;
    }
    for (column, (name, low, high, words)) in columns.iter().zip(COLUMNS) {
        if !column
            .split(',')
            .all(|item| is_item(item, low, high, words))
        {
            review
                .error(
                    node.span.clone(),
                    format!("`{column}` is no {name} of cron"),
                )
                .help(format!(
                    "a {name} is {low} to {high}, `*`, a range such as {low}-{high}, or several of them with commas between"
                ));
            return None;
        }
    }
    Some(columns.join(" "))
}

/// `*`, `5`, `1-5`, `mon`, each with `/2` after a star or a range.
fn is_item(item: &str, low: u32, high: u32, words: &[&str]) -> bool {
    let (range, every) = match item.split_once('/') {
        Some((range, every)) => (range, Some(every)),
        None => (item, None),
    };
    let number = |text: &str| {
        if let Some(at) = words
            .iter()
            .position(|word| word.eq_ignore_ascii_case(text))
        {
            return u32::try_from(at).ok().map(|at| at + low);
        }
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u32>()
            .ok()
            .filter(|number| digits && (low..=high).contains(number))
    };
    let wide = range == "*"
        || range.split_once('-').is_some_and(
            |(from, to)| matches!((number(from), number(to)), (Some(from), Some(to)) if from <= to),
        );
    match every {
        Some(every) => {
            wide && every
                .parse::<u32>()
                .is_ok_and(|every| (1..=high).contains(&every))
        }
        None => wide || number(range).is_some(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::document::Document;

    fn is_schedule(text: &str) -> bool {
        let document = Document::parse(Path::new("a.yaml"), format!("s: \"{text}\"\n")).unwrap();
        let review = Review::of(&document.source);
        times(document.root.get("s").unwrap(), &review).is_some()
    }

    #[test]
    fn schedules_of_cron_are_told_from_others() {
        for good in [
            "*/5 * * * *",
            "0 3 1,15 * mon-fri",
            "@daily",
            "0  0 * JAN 7",
            "10-50/10 0-23 * * *",
        ] {
            assert!(is_schedule(good), "{good}");
        }
        for wrong in [
            "* * * *",
            "60 * * * *",
            "* * 0 * *",
            "*/0 * * * *",
            "5/2 * * * *",
            "* * * * * *",
            "@often",
            "+5 * * * *",
            "5-1 * * * *",
            "",
        ] {
            assert!(!is_schedule(wrong), "{wrong}");
        }
    }
}
