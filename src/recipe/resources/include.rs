//! `include: {recipe, with: {parameter: value}}`: the steps, handlers and checks of another recipe.
//!
//! The compiler puts the other recipe's steps in its place; here only its form is checked.

use super::{Resource, Site, Work};
use crate::document::{self, Node, Review};

pub(super) const RESOURCE: Resource = Resource {
    name: "include",
    keys: &["recipe", "with"],
    shell: &[],
    read,
};

/// No work of its own: the frame of the step was checked where the other recipe was read.
fn read(_: &Node, _: &Site<'_>) -> Option<Work> {
    None
}

/// Checks its keys; gives the name of the other recipe.
pub(crate) fn named<'a>(node: &'a Node, review: &'a Review) -> Option<&'a Node> {
    let fields = RESOURCE.fields(node, review)?;
    if fields.get("recipe").is_none() {
        fields.missing("recipe");
    }
    if let Some(with) = fields.get("with") {
        document::entries(with, review)?;
    }
    fields.get("recipe")
}
