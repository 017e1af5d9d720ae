//! The frame of a step or check: its type, its role, its condition, whom it notifies.

use std::ops::Range;

use super::super::model::{Condition, Handler, Recipe, Role, Step};
use super::super::parameters::{Kind, Parameter};
use super::super::{resources, verify};
use crate::document::{self, Fields, Key, Node, Review, Value};

/// Brings a recipe that a step includes; what is wrong with its name, or with it, is reported.
pub(in crate::recipe) type Load<'a> = dyn Fn(&Node, &Review) -> Option<Recipe> + 'a;

pub(super) struct Context<'a> {
    pub(super) parameters: &'a [Parameter],
    pub(super) handlers: &'a [Handler],
    pub(super) load: &'a Load<'a>,
    pub(super) review: &'a Review,
}

impl Context<'_> {
    pub(super) fn steps(&self, node: &Node) -> Option<Vec<Step>> {
        const COMMON: [&str; 5] = ["name", "on", "when", "notify", "each"];
        let items = document::items(node, self.review)?;
        Some(
            items
                .iter()
                .filter_map(|item| self.step(item, "a step", &resources::kinds(), &COMMON))
                .collect(),
        )
    }

    pub(super) fn checks(&self, node: &Node) -> Option<Vec<Step>> {
        const COMMON: [&str; 3] = ["name", "when", "at"];
        let items = document::items(node, self.review)?;
        Some(
            items
                .iter()
                .filter_map(|item| self.step(item, "a check", &verify::kinds(), &COMMON))
                .collect(),
        )
    }

    fn step(&self, node: &Node, what: &str, kinds: &[&str], common: &[&str]) -> Option<Step> {
        let review = self.review;
        let known: Vec<&str> = kinds.iter().chain(common).copied().collect();
        let fields = Fields::of(node, what, &known, review)?;
        let mut types = fields
            .entries()
            .iter()
            .filter(|(key, _)| kinds.contains(&key.text.as_str()));
        let Some((kind, body)) = types.next() else {
            // A misspelt type is reported as an unknown key already.
            if fields
                .entries()
                .iter()
                .all(|(key, _)| known.contains(&key.text.as_str()))
            {
                review
                    .error(fields.head(), format!("{what} has no type"))
                    .help(format!("its type is one of the keys: {}", kinds.join(", ")));
            }
            return None;
        };
        if let Some((second, _)) = types.next() {
            review
                .error(
                    second.span.clone(),
                    format!(
                        "{what} has two types: `{}` and `{}`",
                        kind.text, second.text
                    ),
                )
                .help("make two steps of it");
        }
        let included = if what == "a step" && kind.text == "include" {
            self.include(body, &fields)
        } else {
            None
        };
        let role = fields.optional("on", read_role).unwrap_or(Role::Image);
        if kind.text == "secret-file" && !matches!(role, Role::Boot | Role::Seed) {
            review
                .error(kind.span.clone(), "a `secret-file` would stay in the image")
                .help("add `on: boot` (written on every new machine) or `on: seed`");
        }
        let condition = fields.optional("when", |node, _| self.condition(node));
        let at_balancer = fields
            .optional("at", |node, _| self.at(node, kind))
            .unwrap_or(false);
        if let Some(Condition::Platform(platform)) = &condition
            && (at_balancer || kind.text == "include")
        {
            let (message, help) = if at_balancer {
                (
                    "through the balancer no machine can be asked for its platform",
                    "leave out `when`, or make the check `at: node`",
                )
            } else {
                (
                    "an `include` cannot ask for the platform",
                    "give the `when` to the steps of the recipe that is included",
                )
            };
            let span = fields.get("when").map_or(0..0, |node| node.span.clone());
            review
                .error(span, format!("{message}: `platform == {platform}`"))
                .help(help);
        }
        let each = match fields.get("each") {
            // What the step does with an item cannot be judged without it.
            Some(node) => Some(self.each(node)?),
            None => None,
        };
        Some(Step {
            kind: kind.clone(),
            body: body.clone(),
            name: fields
                .get("name")
                .filter(|node| document::text(node, review).is_some())
                .cloned(),
            role,
            condition,
            notify: fields
                .get("notify")
                .map(|node| self.notify(node))
                .unwrap_or_default(),
            each,
            included,
            at_balancer,
        })
    }

    /// The recipe that a step includes.
    fn include(&self, body: &Node, step: &Fields<'_>) -> Option<Recipe> {
        for (key, help) in [
            (
                "on",
                "the steps of the recipe that is included say it for themselves",
            ),
            (
                "notify",
                "the steps of the recipe that is included notify its own handlers",
            ),
        ] {
            if let Some(found) = step.key(key) {
                self.review
                    .error(found.span.clone(), format!("an `include` has no `{key}`"))
                    .help(help);
            }
        }
        (self.load)(resources::include::named(body, self.review)?, self.review)
    }

    /// A parameter by its name; reported when there is none.
    pub(super) fn parameter(&self, name: &str, span: &Range<usize>) -> Option<&Parameter> {
        let found = self
            .parameters
            .iter()
            .find(|parameter| parameter.name == name);
        if found.is_none() {
            let finding = self
                .review
                .error(span.clone(), format!("there is no parameter `{name}`"));
            match document::suggestion(
                name,
                self.parameters
                    .iter()
                    .map(|parameter| parameter.name.as_str()),
            ) {
                Some(similar) => finding.help(format!("did you mean `{similar}`?")),
                None => finding.help("declare it under `params`"),
            };
        }
        found
    }

    fn each(&self, node: &Node) -> Option<String> {
        if matches!(node.value, Value::List(_)) {
            let written = self.review.source().slice(&node.span);
            self.review
                .error(node.span.clone(), "`each` names a parameter, and this is a list")
                .help(format!("declare it, `names: {{type: list, default: {written}}}` below `params`, and write `each: names`"));
            return None;
        }
        let name = document::text(node, self.review)?;
        let name = name
            .strip_prefix("${{")
            .and_then(|name| name.strip_suffix("}}"))
            .unwrap_or(name)
            .trim();
        let parameter = self.parameter(name, &node.span)?;
        if !matches!(parameter.kind, Kind::List) {
            self.review
                .error(
                    node.span.clone(),
                    format!("`each` goes over a list, and `{name}` is none"),
                )
                .help(format!("declare `{name}: {{type: list}}`"));
            return None;
        }
        Some(name.to_owned())
    }

    fn notify(&self, node: &Node) -> Vec<String> {
        let single = std::slice::from_ref(node);
        let items = if let Value::List(items) = &node.value {
            items
        } else {
            single
        };
        let mut names = Vec::new();
        for item in items {
            let Some(name) = document::text(item, self.review) else {
                continue;
            };
            if self
                .handlers
                .iter()
                .any(|handler| handler.name.text == name)
            {
                names.push(name.to_owned());
                continue;
            }
            let finding = self
                .review
                .error(item.span.clone(), format!("there is no handler `{name}`"));
            match document::suggestion(
                name,
                self.handlers
                    .iter()
                    .map(|handler| handler.name.text.as_str()),
            ) {
                Some(similar) => finding.help(format!("did you mean `{similar}`?")),
                None => finding.help("declare it under `handlers`"),
            };
        }
        names
    }

    fn at(&self, node: &Node, kind: &Key) -> Option<bool> {
        match document::text(node, self.review)? {
            "node" => Some(false),
            "balancer" if kind.text == "http" => Some(true),
            "balancer" => {
                self.review
                    .error(
                        node.span.clone(),
                        format!(
                            "a `{}` check cannot be made through the balancer",
                            kind.text
                        ),
                    )
                    .help("through the balancer only `http` checks work");
                None
            }
            other => {
                self.review
                    .error(
                        node.span.clone(),
                        format!("`{other}` is no place for a check"),
                    )
                    .help("a check is made `at: node` or `at: balancer`");
                None
            }
        }
    }
}

fn read_role(node: &Node, review: &Review) -> Option<Role> {
    match document::text(node, review)? {
        "image" => Some(Role::Image),
        "seed" => Some(Role::Seed),
        "boot" => Some(Role::Boot),
        "migrate" => Some(Role::Migrate),
        other => {
            review
                .error(node.span.clone(), format!("`{other}` is no role of a step"))
                .help("roles are image (stays in the image), seed, boot (every new machine) and migrate");
            None
        }
    }
}
