//! `include: {recipe, with: {parameter: value}}`: the steps, handlers and checks of another recipe.
//!
//! The compiler puts the other recipe's steps in its place; here only its form is checked.

use super::{Resource, Site, Work};
use crate::document::{self, Node};

pub(super) const RESOURCE: Resource = Resource {
    name: "include",
    keys: &["recipe", "with"],
    shell: &[],
    read,
};

fn read(node: &Node, site: &Site<'_>) -> Option<Work> {
    let fields = RESOURCE.fields(node, site.review)?;
    fields.required("recipe", document::text);
    fields.optional("with", document::entries);
    None
}
