//! Names that differ from platform to platform: `{al2023: php-fpm, debian: php8.2-fpm}`.

use super::names;
use crate::document::{self, Node, Review, Value};
use crate::recipe::reading::is_platform;

/// A call of a function with names: one, a list of them, or one of both for each platform.
pub(in crate::recipe) struct Named {
    /// What the call begins with where the machine is to choose: `gs_named`, then `PLATFORM=NAME NAME…`.
    choices: Vec<String>,
    /// Names for all platforms.
    names: Vec<String>,
}

impl Named {
    /// Reads names.
    pub(in crate::recipe) fn read(node: &Node, review: &Review) -> Option<Self> {
        let named = if matches!(node.value, Value::Map(_)) {
            Self {
                choices: choices(node, review)?,
                names: Vec::new(),
            }
        } else {
            Self {
                choices: Vec::new(),
                names: names(node, review)?,
            }
        };
        Some(named)
    }

    /// The function that is called, and its arguments: those given, then the names.
    pub(in crate::recipe) fn call(
        self,
        function: &'static str,
        arguments: impl IntoIterator<Item = String>,
    ) -> (&'static str, Vec<String>) {
        if self.choices.is_empty() {
            return (function, arguments.into_iter().chain(self.names).collect());
        }
        let call = ["--", function].map(str::to_owned);
        let words = self.choices.into_iter().chain(call).chain(arguments);
        ("gs_named", words.collect())
    }
}

/// `PLATFORM=NAME NAME…` for each platform of a map. An empty list says that nothing is to be done there.
pub(super) fn choices(node: &Node, review: &Review) -> Option<Vec<String>> {
    let mut choices = Vec::new();
    for (platform, listed) in document::entries(node, review)? {
        if !is_platform(&platform.text) {
            review
                .error(
                    platform.span.clone(),
                    format!("`{}` is no platform", platform.text),
                )
                .help(if ["name", "names", "state", "version"].contains(&platform.text.as_str()) {
                    "names stand alone, or in a list: `[nginx, php-fpm]`; there is no `state` and no `version` beside them"
                } else {
                    "write names, or names for each of al2023, debian, ubuntu, debian-12, …: {al2023: php-fpm, debian: php8.2-fpm}"
                });
            return None;
        }
        let empty = matches!(&listed.value, Value::List(items) if items.is_empty());
        let listed = if empty {
            Vec::new()
        } else {
            names(listed, review)?
        };
        choices.push(format!("{}={}", platform.text, listed.join(" ")));
    }
    if choices.is_empty() {
        review
            .error(node.span.clone(), "nothing is named")
            .help("write names, or names for each platform: {al2023: php-fpm, debian: php8.2-fpm}");
        return None;
    }
    Some(choices)
}
