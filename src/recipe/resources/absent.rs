//! `absent: [/path, …]`: files and folders that must not be there.

use super::{Resource, Site, Work, path};
use crate::document::{Node, Value};

pub(super) const RESOURCE: Resource = Resource {
    name: "absent",
    keys: &[],
    shell: &[],
    read,
};

fn read(node: &Node, site: &Site<'_>) -> Option<Work> {
    let single = std::slice::from_ref(node);
    let items = if let Value::List(items) = &node.value {
        items
    } else {
        single
    };
    if items.is_empty() {
        site.review
            .error(node.span.clone(), "the list is empty")
            .help("name at least one path, or leave the step out");
        return None;
    }
    let mut paths = Vec::new();
    for item in items {
        if let Some(Node {
            value: Value::Text { text, .. },
            ..
        }) = item.get("path")
        {
            site.review
                .error(item.span.clone(), "an `absent` is made of paths alone")
                .help(format!("write `absent: {text}`"));
            return None;
        }
        let path = path(item, site.review)?;
        if path.contains(['*', '?', '[']) {
            site.review
                .error(
                    item.span.clone(),
                    format!("`{path}` has a sign of a pattern in it, and is taken as it is written"),
                )
                .help("name each path; for a pattern take a step `run: {command: rm -f /tmp/x*, only-if: ls /tmp/x*}`");
            return None;
        }
        if path.matches('/').count() < 2 {
            site.review
                .error(item.span.clone(), format!("`{path}` is too much to remove"))
                .help("only what is inside one of the folders of `/` can be removed");
            return None;
        }
        paths.push(path);
    }
    Some(Work::upheaval("gs_absent", paths))
}
