//! `directory: {path, owner, group, mode}`.

use super::{Attributes, DIRECTORY, Resource, Site, Work, path};
use crate::document::Node;

pub(super) const RESOURCE: Resource = Resource {
    name: "directory",
    keys: &["path", "owner", "group", "mode"],
    shell: &[],
    read,
};

fn read(node: &Node, site: &Site<'_>) -> Option<Work> {
    let fields = RESOURCE.fields(node, site.review)?;
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
