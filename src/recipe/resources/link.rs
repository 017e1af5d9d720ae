//! `link: {path, target}`: a symbolic link.

use super::{Resource, Site, Work, path, seed};
use crate::document::Node;

pub(super) const RESOURCE: Resource = Resource {
    name: "link",
    keys: &["path", "target"],
    shell: &[],
    read,
};

fn read(node: &Node, site: &Site<'_>) -> Option<Work> {
    let fields = RESOURCE.fields(node, site.review)?;
    let link = fields.required("path", path);
    let target = fields.required("target", path);
    let link = link?;
    Some(Work {
        leaves: vec![seed::pattern(&link)],
        ..Work::upheaval("gs_link", [link, target?])
    })
}
