//! `directory: {path, owner, group, mode}`.

use super::{Attributes, DIRECTORY, Look, Resource, Site, Work, place, seed};
use crate::document::Node;

pub(super) const RESOURCE: Resource = Resource {
    name: "directory",
    keys: &["path", "owner", "group", "mode"],
    shell: &[],
    read,
};

fn read(node: &Node, site: &Site<'_>) -> Option<Work> {
    let fields = RESOURCE.fields(node, site.review)?;
    let path = fields.required("path", place);
    let attributes = Attributes::read(&fields, "0755");
    let (path, attributes) = (path?, attributes?);
    let look = Look::Directory {
        path: path.clone(),
        attributes: attributes.expected(DIRECTORY),
    };
    let words = [
        path.clone(),
        attributes.owner,
        attributes.group,
        attributes.mode,
    ];
    Some(Work {
        looks: vec![look],
        looks_decide: true,
        in_batch: true,
        leaves: vec![seed::pattern(&path)],
        claims: vec![path],
        ..Work::call("gs_directory", words)
    })
}
