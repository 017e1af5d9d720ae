//! `reboot:` where a command says that it is needed: the driver boots the machine anew and the steps go on.

use super::run::guard;
use super::{Resource, Role, Site, Work};
use crate::document::Node;

pub(super) const RESOURCE: Resource = Resource {
    name: "reboot",
    keys: &["only-if", "unless", "always"],
    shell: &["only-if", "unless"],
    read,
};

fn read(node: &Node, site: &Site<'_>) -> Option<Work> {
    let fields = RESOURCE.fields(node, site.review)?;
    let refusal = match site.role {
        Role::Image | Role::Seed => None,
        Role::Boot => Some(
            "a machine that boots and then reboots would be late for its deployment, or never come to it",
        ),
        Role::Migrate => Some("a reboot in the middle of a migration would leave half of it done"),
    };
    if let Some(refusal) = refusal {
        site.review
            .error(fields.head(), refusal)
            .help("leave `on` out: the seed reboots while the image grows, and all machines boot from that");
        return None;
    }
    let (word, condition) = guard(&fields, RESOURCE.name, RESOURCE.keys, site.review)?;
    Some(Work::upheaval("gs_reboot", [word.to_owned(), condition]))
}
