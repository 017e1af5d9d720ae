//! `line: {path, line, match}`: one line of a file that is there already.

use regex_lite::Regex;

use super::{Look, Resource, Site, Work, path, single_line};
use crate::document::{self, Node, Review};

pub(super) const RESOURCE: Resource = Resource {
    name: "line",
    keys: &["path", "line", "match"],
    shell: &[],
    read,
};

fn read(node: &Node, site: &Site<'_>) -> Option<Work> {
    let fields = RESOURCE.fields(node, site.review)?;
    let path = fields.required("path", path);
    let line = fields.required("line", single_line);
    let pattern = fields.optional("match", pattern);
    if fields.get("match").is_some() && pattern.is_none() {
        return None;
    }
    let (path, line) = (path?, line?);
    if let (Some((_, regex)), Some(node)) = (&pattern, fields.get("match"))
        && !regex.is_match(&line)
    {
        site.review
            .error(node.span.clone(), "`match` does not match the line that the step writes")
            .label(format!("does not match `{line}`"))
            .help("every run would add the line once more: widen `match` until it finds the line itself");
        return None;
    }
    let pattern = pattern.map(|(text, _)| text).unwrap_or_default();
    let mut looks = Vec::new();
    // A look is a row of fields between tabs.
    if ![&line, &pattern]
        .iter()
        .any(|text| text.contains(['\t', '\n']))
    {
        looks.push(Look::Line {
            path: path.clone(),
            line: line.clone(),
            pattern: pattern.clone(),
        });
    }
    Some(Work {
        looks_decide: !looks.is_empty(),
        in_batch: !looks.is_empty(),
        looks,
        claims: vec![path.clone()],
        ..Work::call("gs_line", [path, line, pattern])
    })
}

/// A pattern that means the same to us and to every awk: a POSIX extended one without intervals.
pub(super) fn pattern(node: &Node, review: &Review) -> Option<(String, Regex)> {
    let text = document::text(node, review)?;
    let foreign = text
        .as_bytes()
        .windows(2)
        .any(|pair| pair[0] == b'\\' && pair[1].is_ascii_alphanumeric());
    if foreign || text.contains('{') || text.contains("(?") || text.contains("*?") {
        review
            .error(
                node.span.clone(),
                "a pattern here is a POSIX extended one without intervals",
            )
            .help(r"write [[:space:]] for \s, [0-9] for \d, and repetitions out in full");
        return None;
    }
    match Regex::new(text) {
        Ok(regex) => Some((text.to_owned(), regex)),
        Err(error) => {
            review
                .error(
                    node.span.clone(),
                    format!("this pattern cannot be read: {error}"),
                )
                .help(r"a sign that means itself stands behind a backslash or in brackets: `\[`, `[.]`, `\(`");
            None
        }
    }
}
