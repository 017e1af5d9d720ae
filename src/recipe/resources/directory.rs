//! `directory: {path, owner, group, mode}`.

use super::{Attributes, DIRECTORY, Site, Work, path};
use crate::document::{Fields, Node};

pub(super) fn read(node: &Node, site: &Site<'_>) -> Option<Work> {
    const KEYS: [&str; 4] = ["path", "owner", "group", "mode"];
    let fields = Fields::of(node, "the step `directory`", &KEYS, site.review)?;
    let path = fields.required("path", path);
    let attributes = Attributes::read(&fields, "0755");
    let (path, attributes) = (path?, attributes?);
    let expected = attributes.expected(DIRECTORY, &path);
    let words = [
        path.clone(),
        attributes.owner,
        attributes.group,
        attributes.mode,
        expected,
    ];
    Some(Work {
        attributes: vec![path.clone()],
        claims: vec![path],
        ..Work::call("gs_directory", words)
    })
}
