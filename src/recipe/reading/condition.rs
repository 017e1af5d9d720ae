//! `when:` of a step or check. What can never hold is a mistake: its step would be left out without a word.

use super::super::interpolate::is_name;
use super::super::model::Condition;
use super::super::parameters::{Kind, Parameter};
use super::is_platform;
use super::step::Context;
use crate::document::{self, Node};

/// What can be asked.
const FORMS: &str =
    "a condition is `parameter`, `not parameter`, `parameter == value` or `platform == al2023`";

/// What to do where two things are asked.
const ONE_THING: &str = "a `when` asks one thing: for `and`, `include` a recipe under the one condition whose steps ask the other; for `or`, write the step twice";

impl Context<'_> {
    /// Reads a condition; what its parameter cannot be is reported.
    pub(super) fn condition(&self, node: &Node) -> Option<Condition> {
        let text = document::text(node, self.review)?.trim();
        let (name, value) = match text.split_once("==") {
            Some((name, value)) => (name.trim(), Some(value.trim())),
            None => (text, None),
        };
        if let Some(value) = value.filter(|_| name == "platform") {
            return self.platform(unquoted(value).unwrap_or(value), node);
        }
        let (name, is_not) = match name.strip_prefix("not ").filter(|_| value.is_none()) {
            Some(name) => (name.trim(), true),
            None => (name, false),
        };
        if !is_name(name) {
            self.review
                .error(node.span.clone(), format!("`{text}` is no condition"))
                .help(if joins(text) { ONE_THING } else { FORMS });
            return None;
        }
        if let Some(help) = of_itself(name) {
            self.review
                .error(node.span.clone(), format!("`{text}` cannot be asked"))
                .help(help);
            return None;
        }
        let parameter = self.parameter(name, &node.span)?;
        Some(match value {
            Some(value) => Condition::Equals(name.to_owned(), self.value(parameter, value, node)?),
            None if is_not => Condition::HoldsNot(name.to_owned()),
            None => Condition::Holds(name.to_owned()),
        })
    }

    /// What a machine is, which no value says.
    fn platform(&self, value: &str, node: &Node) -> Option<Condition> {
        if is_platform(value) {
            return Some(Condition::Platform(value.to_owned()));
        }
        self.review
            .error(node.span.clone(), format!("`{value}` is no platform"))
            .help("platforms are al2023, debian, ubuntu, or one release: debian-12, ubuntu-24.04");
        None
    }

    /// What a parameter is compared with, if it can ever be that.
    fn value(&self, parameter: &Parameter, written: &str, node: &Node) -> Option<String> {
        let name = &parameter.name;
        let report = |message: String, help: &str| {
            self.review.error(node.span.clone(), message).help(help);
        };
        match &parameter.kind {
            Kind::List => {
                report(
                    format!("`{name}` is a list, which equals no one value"),
                    &format!(
                        "`when: {name}` asks if it is set; `each: {name}` repeats the step for its items"
                    ),
                );
                return None;
            }
            Kind::Secret => {
                report(
                    format!("`{name}` is a secret, which is compared with nothing"),
                    &format!("`when: {name}` asks if it is set"),
                );
                return None;
            }
            _ => {}
        }
        if written.is_empty() {
            report(
                format!("nothing stands behind `{name} ==`"),
                &format!("write the value, or `when: {name}` to ask if it is set"),
            );
            return None;
        }
        if written.contains("${{") {
            report(
                format!("`{name}` is compared with a value, not with a parameter"),
                "write the value itself",
            );
            return None;
        }
        let value = unquoted(written);
        let several = value.is_none() && joins(written);
        let one = value.unwrap_or(written);
        let why = match parameter.kind.compared(one, self.review) {
            Ok(()) if several || (value.is_none() && written.starts_with(['"', '\'', '='])) => {
                "it is no single value".to_owned()
            }
            Ok(()) => return Some(one.to_owned()),
            Err(why) => why,
        };
        let message = format!("`{name}` never equals `{written}`: {why}");
        if several {
            report(message, ONE_THING);
        } else {
            report(message, &parameter.kind.advice_to_compare(name, one));
        }
        None
    }
}

/// A name that means something else than a parameter.
fn of_itself(name: &str) -> Option<&'static str> {
    match name {
        "platform" => Some("compare it: `when: platform == al2023`"),
        "item" => Some(
            "`when` is asked once, before the items of `each`: leave the item out of the list, or make two lists",
        ),
        _ => None,
    }
}

/// What stands between two equal quotes; nothing where there are none around the whole.
fn unquoted(text: &str) -> Option<&str> {
    ['"', '\''].into_iter().find_map(|quote| {
        let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
        (!inner.contains(quote)).then_some(inner)
    })
}

/// Whether a text looks like several conditions.
fn joins(text: &str) -> bool {
    text.split_whitespace().any(|word| {
        ["and", "or", "not", "&&", "||", "==", "!="].contains(&word.to_lowercase().as_str())
    })
}
