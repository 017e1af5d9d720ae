//! `user: {name, uid, home, shell, groups, system}`.

use super::attributes::{groups, new_account};
use super::{Look, Resource, Site, Work, path};
use crate::document::{self, Node};
use crate::recipe::look::account;

pub(super) const RESOURCE: Resource = Resource {
    name: "user",
    keys: &["name", "uid", "home", "shell", "groups", "system"],
    shell: &[],
    read,
};

fn read(node: &Node, site: &Site<'_>) -> Option<Work> {
    let review = site.review;
    let fields = RESOURCE.fields(node, review)?;
    let name = fields.required("name", new_account);
    let uid = fields.optional("uid", document::integer);
    if let Some(uid) = uid
        && !(1..=4_294_967_293).contains(&uid)
    {
        let span = fields.get("uid").map_or(0..0, |node| node.span.clone());
        review
            .error(span, format!("{uid} is no user's number"))
            .help("leave `uid` out and the system takes a free one");
        return None;
    }
    let home = fields.optional("home", path).unwrap_or_default();
    let shell = fields.optional("shell", path).unwrap_or_default();
    let groups = fields.optional("groups", groups).unwrap_or_default();
    let system = fields
        .optional("system", document::boolean)
        .unwrap_or(false);
    let uid = uid.map(|uid| uid.to_string()).unwrap_or_default();
    let kind = if system { "system" } else { "ordinary" };
    let (name, groups) = (name?, groups.join(","));
    let look = Look::User {
        name: name.clone(),
        uid: uid.clone(),
        home: home.clone(),
        shell: shell.clone(),
        groups: groups.clone(),
    };
    Some(Work {
        looks: vec![look],
        looks_decide: true,
        claims: vec![account(&name)],
        ..Work::call("gs_user", [name, uid, home, shell, groups, kind.to_owned()])
    })
}
