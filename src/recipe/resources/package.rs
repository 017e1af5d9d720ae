//! `package: [nginx, php-fpm]`, or one list for each platform.

use super::platform::choices;
use super::{Resource, Site, Work, names};
use crate::document::{Node, Value};

pub(super) const RESOURCE: Resource = Resource {
    name: "package",
    keys: &[],
    shell: &[],
    read,
};

fn read(node: &Node, site: &Site<'_>) -> Option<Work> {
    let review = site.review;
    if !matches!(node.value, Value::Map(_)) {
        return Some(Work::upheaval(
            "gs_package",
            [format!("any={}", names(node, review)?.join(" "))],
        ));
    }
    Some(Work::upheaval("gs_package", choices(node, review)?))
}
