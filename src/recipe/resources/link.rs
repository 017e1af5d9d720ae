//! `link: {path, target}`: a symbolic link.

use super::{Resource, Site, Work, path, place, seed};
use crate::document::Node;

pub(super) const RESOURCE: Resource = Resource {
    name: "link",
    keys: &["path", "target"],
    shell: &[],
    read,
};

fn read(node: &Node, site: &Site<'_>) -> Option<Work> {
    let fields = RESOURCE.fields(node, site.review)?;
    let link = fields.required("path", place);
    let target = fields.required("target", path);
    let (link, target) = (link?, target?);
    if link == target {
        let span = fields.get("target").map_or(0..0, |node| node.span.clone());
        site.review
            .error(span, format!("the link `{link}` would lead to itself"))
            .help("`path` is where the link stands, `target` what it leads to");
        return None;
    }
    Some(Work {
        leaves: vec![seed::pattern(&link)],
        ..Work::upheaval("gs_link", [link, target])
    })
}
