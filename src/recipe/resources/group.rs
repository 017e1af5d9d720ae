//! `group: {name, gid, system}`.

use super::attributes::new_account;
use super::{Resource, Site, Work};
use crate::document::{self, Node};

pub(super) const RESOURCE: Resource = Resource {
    name: "group",
    keys: &["name", "gid", "system"],
    shell: &[],
    read,
};

fn read(node: &Node, site: &Site<'_>) -> Option<Work> {
    let fields = RESOURCE.fields(node, site.review)?;
    let name = fields.required("name", new_account);
    let gid = fields.optional("gid", document::integer);
    if let Some(gid) = gid
        && !(1..=4_294_967_293).contains(&gid)
    {
        let span = fields.get("gid").map_or(0..0, |node| node.span.clone());
        site.review
            .error(span, format!("{gid} is no group's number"))
            .help("leave `gid` out and the system takes a free one");
        return None;
    }
    let system = fields
        .optional("system", document::boolean)
        .unwrap_or(false);
    let gid = gid.map(|gid| gid.to_string()).unwrap_or_default();
    let kind = if system { "system" } else { "ordinary" };
    Some(Work::upheaval("gs_group", [name?, gid, kind.to_owned()]))
}
