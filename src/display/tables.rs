//! Aligned tables for people: the history of a pipeline, and whatever else has rows.

use jiff::{Timestamp, tz::TimeZone};

use super::text::{cut, duration, milliseconds_between, pad, plain, width, wrap};
use crate::record::LedgerEntry;

/// Between two columns.
const GAP: usize = 2;
/// The last column is not cut to less than this; where even that is too wide, the rows become blocks.
const LAST: usize = 12;

/// Writes a table of at most `columns` columns of text, each line ending with a line feed.
///
/// Only the last column is cut, as the others hold ids and those are there to be copied. Where they leave no room, each
/// row becomes a block of its cells. Cells that a row lacks are empty. Output for a pipe passes [`usize::MAX`].
pub fn table(headers: &[&str], rows: &[Vec<String>], columns: usize) -> String {
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let cell = |at| {
                row.get(at)
                    .map_or_else(String::new, |text: &String| plain(&text.replace('\n', " ")))
            };
            (0..headers.len()).map(cell).collect()
        })
        .collect();
    let widths: Vec<usize> = headers
        .iter()
        .enumerate()
        .map(|(at, header)| {
            let cells = rows.iter().map(|row| width(&row[at])).max();
            cells.unwrap_or(0).max(width(header))
        })
        .collect();
    let Some((last, others)) = widths.split_last() else {
        return String::new();
    };
    let fixed: usize = others.iter().map(|width| width + GAP).sum();
    if fixed + (*last).min(LAST) > columns {
        return blocks(headers, &rows, columns);
    }
    let headers: Vec<String> = headers.iter().map(ToString::to_string).collect();
    std::iter::once(&headers)
        .chain(&rows)
        .map(|row| line(row, others, columns - fixed))
        .collect()
}

fn line(row: &[String], widths: &[usize], last: usize) -> String {
    let mut line = String::new();
    for (at, cell) in row.iter().enumerate() {
        match widths.get(at) {
            Some(width) => line.push_str(&pad(cell, width + GAP)),
            None => line.push_str(&cut(cell, last)),
        }
    }
    format!("{}\n", line.trim_end())
}

/// Writes each row as a block: each cell behind its header, empty ones left out.
fn blocks(headers: &[&str], rows: &[Vec<String>], columns: usize) -> String {
    let label = headers
        .iter()
        .map(|header| width(header))
        .max()
        .unwrap_or(0)
        + GAP;
    let mut blocks = Vec::new();
    for row in rows {
        let mut block = String::new();
        for (header, cell) in headers.iter().zip(row).filter(|(_, cell)| !cell.is_empty()) {
            let mut before = pad(header, label);
            for part in wrap(cell, columns.saturating_sub(label).max(1), 0) {
                block.push_str(&before);
                block.push_str(&part);
                block.push('\n');
                before = " ".repeat(label);
            }
        }
        blocks.push(block);
    }
    blocks.join("\n")
}

/// Writes a pipeline's history, newest first, under a line that says what the base image is now. Times are in UTC.
pub fn history(entries: &[LedgerEntry], now: Timestamp, columns: usize) -> String {
    let mut entries: Vec<&LedgerEntry> = entries.iter().collect();
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.version));
    let Some(newest) = entries.first() else {
        return "nothing was promoted yet\n".to_owned();
    };
    let rows: Vec<Vec<String>> = entries.iter().map(|entry| history_row(entry)).collect();
    format!(
        "base image: {} (last change {} ago)\n\n{}",
        plain(&newest.current.to_string()),
        age(newest.when, now),
        table(
            &[
                "when (UTC)",
                "kind",
                "image",
                "previous",
                "run",
                "who",
                "reason"
            ],
            &rows,
            columns
        )
    )
}

fn history_row(entry: &LedgerEntry) -> Vec<String> {
    let when = entry
        .when
        .to_zoned(TimeZone::UTC)
        .strftime("%Y-%m-%d %H:%M");
    let reason = match &entry.failed {
        Some(image) if entry.reason.is_empty() => format!("{image} was not well"),
        Some(image) => format!("{image} was not well: {}", entry.reason),
        None => entry.reason.clone(),
    };
    let from = entry.from_environment.as_ref();
    let from = from.map(|name| format!("built for {name}"));
    let reason = from
        .into_iter()
        .chain((!reason.is_empty()).then_some(reason));
    vec![
        when.to_string(),
        entry.kind.as_str().to_owned(),
        entry.current.to_string(),
        entry.previous.to_string(),
        entry.run.to_string(),
        person(&entry.who).to_owned(),
        reason.collect::<Vec<_>>().join("; "),
    ]
}

/// Shortens a principal's ARN to its name: `arn:aws:sts::123456789012:assumed-role/Deployer/alice` → `alice`.
fn person(who: &str) -> &str {
    if who.starts_with("arn:") {
        who.rsplit(['/', ':']).next().unwrap_or(who)
    } else {
        who
    }
}

/// Writes how long ago something was: minutes and hours to two days, then days.
pub fn age(then: Timestamp, now: Timestamp) -> String {
    const DAY: u64 = 24 * 3600 * 1000;
    match milliseconds_between(then, now) {
        milliseconds if milliseconds >= 2 * DAY => format!("{} days", milliseconds / DAY),
        milliseconds => duration(milliseconds),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{ImageId, RunId};
    use crate::record::{BaseImage, LedgerKind};

    fn entries() -> Vec<LedgerEntry> {
        let golden = |end: &str| ImageId::new(format!("ami-0aaaaaaaaaaaaaa{end}"));
        let promotion = LedgerEntry {
            version: 1,
            current: BaseImage::Custom(golden("01")),
            kind: LedgerKind::Promotion,
            previous: BaseImage::PLATFORM,
            run: RunId::new("20261120-031500-7f3a"),
            environment_id: "e-abc".to_owned(),
            failed: None,
            from_environment: None,
            reason: String::new(),
            who: "arn:aws:sts::123456789012:assumed-role/Deployer/alice".to_owned(),
            when: "2026-11-20T03:45:12Z".parse().unwrap(),
        };
        let rolled_back = LedgerEntry {
            version: 2,
            kind: LedgerKind::RolledBack,
            previous: BaseImage::Custom(golden("01")),
            run: RunId::new("20261123-031500-0001"),
            failed: Some(golden("02")),
            from_environment: None,
            reason: "2 of 2 instances answered with 502 for five minutes".to_owned(),
            when: "2026-11-23T03:45:12Z".parse().unwrap(),
            ..promotion.clone()
        };
        vec![promotion, rolled_back]
    }

    fn now() -> Timestamp {
        "2026-11-23T05:50:00Z".parse().unwrap()
    }

    #[test]
    fn history_is_a_table_where_there_is_room() {
        insta::assert_snapshot!(history(&entries(), now(), 150), @"
        base image: ami-0aaaaaaaaaaaaaa01 (last change 2h04m ago)

        when (UTC)        kind         image                  previous               run                   who    reason
        2026-11-23 03:45  rolled-back  ami-0aaaaaaaaaaaaaa01  ami-0aaaaaaaaaaaaaa01  20261123-031500-0001  alice  ami-0aaaaaaaaaaaaaa02 was not well: 2 of 2 …
        2026-11-20 03:45  promotion    ami-0aaaaaaaaaaaaaa01  platform               20261120-031500-7f3a  alice
        ");
    }

    #[test]
    fn history_is_made_of_blocks_where_there_is_not() {
        insta::assert_snapshot!(history(&entries(), now(), 60), @"
        base image: ami-0aaaaaaaaaaaaaa01 (last change 2h04m ago)

        when (UTC)  2026-11-23 03:45
        kind        rolled-back
        image       ami-0aaaaaaaaaaaaaa01
        previous    ami-0aaaaaaaaaaaaaa01
        run         20261123-031500-0001
        who         alice
        reason      ami-0aaaaaaaaaaaaaa02 was not well: 2 of 2
                    instances answered with 502 for five minutes

        when (UTC)  2026-11-20 03:45
        kind        promotion
        image       ami-0aaaaaaaaaaaaaa01
        previous    platform
        run         20261120-031500-7f3a
        who         alice
        ");
    }

    #[test]
    fn an_empty_history_says_so() {
        assert_eq!(history(&[], now(), 80), "nothing was promoted yet\n");
    }

    #[test]
    fn only_the_last_column_is_cut_and_cells_are_harmless() {
        let rows = [
            vec![
                "日本".to_owned(),
                "a long text that\n\u{1b}[2Jdoes not fit".to_owned(),
            ],
            vec!["i-1".to_owned()],
        ];
        insta::assert_snapshot!(table(&["id", "note"], &rows, 24), @"
        id    note
        日本  a long text that …
        i-1
        ");
        assert!(
            table(&["id", "note"], &rows, usize::MAX).contains("a long text that does not fit")
        );
    }

    #[test]
    fn only_an_arn_is_shortened() {
        assert_eq!(person("alice@laptop/1"), "alice@laptop/1");
        assert_eq!(person("arn:aws:iam::123456789012:user/alice"), "alice");
        assert_eq!(person("arn:aws:iam::123456789012:root"), "root");
    }
}
