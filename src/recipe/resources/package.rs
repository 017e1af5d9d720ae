//! `package: [nginx, php-fpm]`, or one list for each platform.

use super::{Resource, Site, Work, names};
use crate::document::{self, Node, Value};
use crate::recipe::reading::is_platform;

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
    let mut choices = Vec::new();
    for (platform, packages) in document::entries(node, review)? {
        if !is_platform(&platform.text) {
            review
                .error(platform.span.clone(), format!("`{}` is no platform", platform.text))
                .help("write a list of packages, or one list each for al2023, debian, ubuntu, debian-12, …");
            return None;
        }
        let empty = matches!(&packages.value, Value::List(items) if items.is_empty());
        let packages = if empty {
            Vec::new()
        } else {
            names(packages, review)?
        };
        choices.push(format!("{}={}", platform.text, packages.join(" ")));
    }
    if choices.is_empty() {
        review.error(node.span.clone(), "no package is named");
        return None;
    }
    Some(Work::upheaval("gs_package", choices))
}
