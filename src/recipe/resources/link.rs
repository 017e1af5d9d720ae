//! `link: {path, target}`: a symbolic link.

use super::{Site, Work, path};
use crate::document::{Fields, Node};

pub(super) fn read(node: &Node, site: &Site<'_>) -> Option<Work> {
    let fields = Fields::of(node, "the step `link`", &["path", "target"], site.review)?;
    let link = fields.required("path", path);
    let target = fields.required("target", path);
    Some(Work::upheaval("gs_link", [link?, target?]))
}
