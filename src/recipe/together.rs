//! Which parameters belong together: `requires` of a parameter, and `one-of` of a recipe.

use std::collections::BTreeMap;
use std::ops::Range;

use super::parameters::{Argument, Parameter};
use crate::document::{self, Fields, Key, Node, Review};

/// What of a recipe's parameters goes with what.
#[derive(Clone, Debug, Default)]
pub(crate) struct Together {
    /// A parameter, and those that must be set when it is.
    requires: Vec<(String, Vec<String>)>,
    /// Of each of these exactly one is set.
    one_of: Vec<Vec<String>>,
}

impl Together {
    /// Reads what a recipe's frame says, now that its parameters are known.
    pub(super) fn read(recipe: &Fields<'_>, parameters: &[Parameter], review: &Review) -> Self {
        let mut together = Self::default();
        let known = |node: &Node, review: &Review| known(node, parameters, review);
        let declared = recipe.get("params").map(|node| &node.value);
        if let Some(document::Value::Map(entries)) = declared {
            for (key, node) in entries {
                if let Some(node) = node.get("requires") {
                    let names = known(node, review).unwrap_or_default();
                    together.requires.push((key.text.clone(), names));
                }
            }
        }
        for node in recipe
            .optional("one-of", document::items)
            .unwrap_or_default()
        {
            let Some(names) = known(node, review) else {
                continue;
            };
            let fixed = parameters
                .iter()
                .find(|one| names.contains(&one.name) && (!one.optional || one.default.is_some()));
            if let Some(parameter) = fixed {
                review
                    .error(
                        node.span.clone(),
                        format!("`{}` is always set", parameter.name),
                    )
                    .help(
                        "of the parameters of `one-of` each is `optional: true` and has no default",
                    );
            }
            together.one_of.push(names);
        }
        together
    }

    /// Checks the values of a recipe: `given` are those that were written, `at` is where the recipe is named.
    pub(super) fn check(
        &self,
        arguments: &BTreeMap<String, Argument>,
        given: &[(Key, Node)],
        at: &Range<usize>,
        review: &Review,
    ) {
        let written = |name: &String| given.iter().find(|(key, _)| key.text == *name);
        let set = |name: &&String| arguments.contains_key(*name);
        for (name, needed) in self.requires.iter().filter(|(name, _)| set(&name)) {
            for missing in needed.iter().filter(|name| !set(name)) {
                // A value that is wrong itself was reported.
                if written(missing).is_some_and(|(_, node)| node.value != document::Value::Null) {
                    continue;
                }
                let span = written(name).map_or_else(|| at.clone(), |(_, node)| node.span.clone());
                review
                    .error(span, format!("`{name}` needs `{missing}` beside it"))
                    .help(format!("add `{missing}: …`"));
            }
        }
        for names in &self.one_of {
            let mut there = names
                .iter()
                .filter_map(written)
                .filter(|(_, node)| node.value != document::Value::Null);
            let (first, second) = (there.next(), there.next());
            let listed = names.join("`, `");
            match (first, second) {
                (None, _) => {
                    review
                        .error(at.clone(), format!("one of `{listed}` must be given"))
                        .help(format!(
                            "write one of them below the recipe's name: `{}: …`",
                            names.first().map_or("", String::as_str)
                        ));
                }
                (Some((first, _)), Some((second, node))) => {
                    review
                        .error(
                            node.span.clone(),
                            format!("`{}` and `{}` exclude each other", first.text, second.text),
                        )
                        .help(format!("keep one of `{listed}`"));
                }
                (Some(_), None) => {}
            }
        }
    }
}

/// A list of names of parameters; those that there are not are reported.
fn known(node: &Node, parameters: &[Parameter], review: &Review) -> Option<Vec<String>> {
    let mut names = Vec::new();
    for item in document::items(node, review)? {
        let name = document::text(item, review)?;
        if !parameters.iter().any(|parameter| parameter.name == name) {
            let finding =
                review.error(item.span.clone(), format!("there is no parameter `{name}`"));
            let known = parameters.iter().map(|parameter| parameter.name.as_str());
            match document::suggestion(name, known) {
                Some(similar) => finding.help(format!("did you mean `{similar}`?")),
                None => finding.help("declare it under `params`"),
            };
            return None;
        }
        names.push(name.to_owned());
    }
    if names.is_empty() {
        review
            .error(node.span.clone(), "this list names no parameter")
            .help("write the names of those that belong together: `[archive, repository]`");
        return None;
    }
    Some(names)
}
