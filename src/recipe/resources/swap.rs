//! `swap: {path, size}`: a swap file on every machine of the image, and never in the image.

use super::{Resource, Role, Site, Work, path};
use crate::document::{self, Node, Review};
use crate::recipe::forms::parse_size;

pub(super) const RESOURCE: Resource = Resource {
    name: "swap",
    keys: &["path", "size"],
    shell: &[],
    read,
};

fn read(node: &Node, site: &Site<'_>) -> Option<Work> {
    let fields = RESOURCE.fields(node, site.review)?;
    let path = fields.required("path", path);
    let bytes = fields.required("size", size);
    if site.role != Role::Boot {
        site.review
            .error(
                fields.head(),
                "a swap file would fill the image, with what was in memory in it",
            )
            .help("add `on: boot`: every new machine makes its own, and the seed makes none");
        return None;
    }
    Some(Work::upheaval("gs_swap", [path?, bytes?.to_string()]))
}

fn size(node: &Node, review: &Review) -> Option<i64> {
    const MEBIBYTE: i64 = 1 << 20;
    let text = document::scalar(node, review)?;
    let size = parse_size(&text).filter(|size| *size >= 16 * MEBIBYTE && size % MEBIBYTE == 0);
    if size.is_none() {
        review
            .error(
                node.span.clone(),
                format!("`{text}` is no size of a swap file"),
            )
            .help("write whole mebibytes or gibibytes: 512M, 2G");
    }
    size
}
