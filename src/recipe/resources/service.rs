//! `service: {name, state, enabled}`.

use super::platform::Named;
use super::{Resource, Site, Work};
use crate::document::{self, Node, Review};

pub(super) const RESOURCE: Resource = Resource {
    name: "service",
    keys: &["name", "state", "enabled"],
    shell: &[],
    read,
};

fn read(node: &Node, site: &Site<'_>) -> Option<Work> {
    let fields = RESOURCE.fields(node, site.review)?;
    let names = fields.required("name", Named::read);
    let state = fields.optional("state", state).unwrap_or("any");
    let enabled = match fields.optional("enabled", document::boolean) {
        Some(true) => "enabled",
        Some(false) => "disabled",
        None => "any",
    };
    if fields.get("state").is_none() && fields.get("enabled").is_none() {
        site.review
            .error(
                fields.head(),
                "the step `service` says nothing about the service",
            )
            .help("give `state: running`, `state: stopped` or `enabled: true`");
        return None;
    }
    let (function, words) = names?.call("gs_service", [state, enabled].map(str::to_owned));
    Some(Work::upheaval(function, words))
}

/// `running` or `stopped`.
pub(in crate::recipe) fn state(node: &Node, review: &Review) -> Option<&'static str> {
    match document::text(node, review)? {
        "running" => Some("running"),
        "stopped" => Some("stopped"),
        other => {
            review
                .error(
                    node.span.clone(),
                    format!("`{other}` is no state of a service"),
                )
                .help("states are `running` and `stopped`");
            None
        }
    }
}
