//! `timer: {name, schedule, command, env, user, timeout}`: a service of systemd with a timer.

use super::{Resource, Site, Work, schedule, system_file};
use crate::document::{self, Node, Review};

pub(super) const RESOURCE: Resource = Resource {
    name: "timer",
    keys: &["name", "schedule", "command", "env", "user", "timeout"],
    shell: &["command"],
    read,
};

fn read(node: &Node, site: &Site<'_>) -> Option<Work> {
    let fields = RESOURCE.fields(node, site.review)?;
    let schedule = fields.required("schedule", times);
    let limit = match fields.get("timeout") {
        Some(node) => Some(document::duration(node, site.review)?),
        None => None,
    };
    let scheduled = schedule::read("timer", &fields, site);
    let (schedule, scheduled) = (schedule?, scheduled?);
    let name = scheduled.name;
    let limit = limit.map_or_else(
        || "infinity".to_owned(),
        |limit| limit.as_secs().to_string(),
    );
    let service = format!(
        "# Written by goldseed.\n[Unit]\nDescription={name}, as a recipe of goldseed says\n\n\
         [Service]\nType=oneshot\nUser={}\nTimeoutStartSec={limit}\nExecStart={}\n",
        scheduled.user, scheduled.path
    );
    let timer = format!(
        "# Written by goldseed.\n[Unit]\nDescription={name}, as a recipe of goldseed says\n\n\
         [Timer]\nOnCalendar={schedule}\n\n[Install]\nWantedBy=timers.target\n"
    );
    let files = [
        scheduled.path,
        format!("/etc/systemd/system/{name}.service"),
        format!("/etc/systemd/system/{name}.timer"),
    ];
    let looks = vec![
        system_file::look(&files[0], 0o755, &scheduled.script),
        system_file::look(&files[1], 0o644, &service),
        system_file::look(&files[2], 0o644, &timer),
    ];
    let words = [
        name,
        scheduled.role.to_owned(),
        scheduled.script,
        service,
        timer,
        schedule,
    ];
    Some(Work {
        looks,
        claims: files.to_vec(),
        // Outside an image the timer is started, and that may start the command.
        ends_epoch: scheduled.role != "image",
        ..Work::call("gs_timer", words)
    })
}

/// A schedule as systemd.time(7) writes it. The machine asks systemd itself before it writes the timer.
fn times(node: &Node, review: &Review) -> Option<String> {
    const HELP: &str = "systemd writes `daily`, `*-*-* 03:00`, `Mon..Fri 08:30`, and `*:0/5` for every five minutes";
    let text = document::text(node, review)?.trim();
    if text.starts_with('@') || (text.split_whitespace().count() == 5 && !text.contains(':')) {
        review
            .error(
                node.span.clone(),
                format!("`{text}` is a schedule of cron, and this is a timer"),
            )
            .help(HELP);
        return None;
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b" *:/,.~_+-".contains(&byte);
    if text.is_empty() || !text.bytes().all(allowed) || !text.split_whitespace().all(is_part) {
        review
            .error(
                node.span.clone(),
                format!("`{text}` is no schedule of systemd"),
            )
            .help(HELP);
        return None;
    }
    Some(text.to_owned())
}

/// The words of systemd.time(7), "Calendar Events", beside days, numbers and zones.
const WORDS: [&str; 14] = [
    "minutely",
    "hourly",
    "daily",
    "weekly",
    "monthly",
    "quarterly",
    "semiannually",
    "yearly",
    "annually",
    "UTC",
    "bi-annually",
    "half-yearly",
    "semi-annually",
    "biannually",
];

/// Days, as systemd reads them: whole, or three letters.
const DAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

/// Whether a blank-separated part of a schedule can be one: a word, days, a date or time, a zone (`Europe/Berlin`).
fn is_part(part: &str) -> bool {
    let is_day = |word: &str| {
        let word = word.to_lowercase();
        DAYS.iter()
            .any(|day| *day == word || day.get(..3) == Some(word.as_str()))
    };
    let days = || {
        part.split(',')
            .flat_map(|days| days.split(".."))
            .filter(|day| !day.is_empty())
    };
    let digits = |byte: u8| byte.is_ascii_digit() || b"*:/,.~-".contains(&byte);
    WORDS.iter().any(|word| word.eq_ignore_ascii_case(part))
        || part.bytes().all(digits)
        || (days().count() > 0 && days().all(is_day))
        || (part.contains('/') && part.starts_with(|first: char| first.is_ascii_uppercase()))
        || is_abbreviated_zone(part)
}

/// `CET`, `EST5EDT`.
fn is_abbreviated_zone(part: &str) -> bool {
    (3..=7).contains(&part.len())
        && part
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}
