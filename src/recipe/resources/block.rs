//! `block: {path, name, content, comment, before, after}`: lines between two marks in a file that is there already.

use super::{Resource, Site, Work, file, line, path, single_line};
use crate::document::Node;

pub(super) const RESOURCE: Resource = Resource {
    name: "block",
    keys: &["path", "name", "content", "comment", "before", "after"],
    shell: &[],
    read,
};

fn read(node: &Node, site: &Site<'_>) -> Option<Work> {
    let review = site.review;
    let fields = RESOURCE.fields(node, review)?;
    let path = fields.required("path", path);
    let name = fields.required("name", single_line);
    let content = fields.required("content", file::said);
    let comment = match fields.get("comment") {
        Some(node) => single_line(node, review)?,
        None => "#".to_owned(),
    };
    if let (Some(_), Some(second)) = (fields.get("before"), fields.key("after")) {
        review
            .error(
                second.span.clone(),
                "`before` and `after` both say where the block belongs",
            )
            .help("keep one of them; with none it stands at the end");
        return None;
    }
    let (place, pattern) = if fields.get("before").is_some() {
        ("before", fields.optional("before", line::pattern)?.0)
    } else if fields.get("after").is_some() {
        ("after", fields.optional("after", line::pattern)?.0)
    } else {
        ("end", String::new())
    };
    let (path, name, mut content) = (path?, name?, content?);
    for (key, text) in [("name", &name), ("comment", &comment)] {
        if text.trim().is_empty() || text.trim() != text {
            let span = fields.get(key).map_or(0..0, |node| node.span.clone());
            review
                .error(span, format!("`{key}` is part of the marks around the block: it is not empty and has no blank at its ends"))
                .help("for example `name: limits`; `comment` is how comments begin in the file: `#`, `;` or `//`");
            return None;
        }
    }
    if !content.is_empty() && !content.ends_with('\n') {
        content.push('\n');
    }
    let marks = [
        format!("{comment} BEGIN {name}"),
        format!("{comment} END {name}"),
    ];
    if content
        .lines()
        .any(|line| marks.iter().any(|mark| mark == line))
    {
        let span = fields.get("content").map_or(0..0, |node| node.span.clone());
        review
            .error(
                span,
                "the content holds one of the marks that stand around it",
            )
            .help("leave the lines with BEGIN and END out; the step writes them");
        return None;
    }
    let words = [
        path.clone(),
        name,
        comment,
        place.to_owned(),
        pattern,
        content,
    ];
    Some(Work {
        claims: vec![path],
        ..Work::call("gs_block", words)
    })
}
