//! `run:`: a command, with a word on when it is needed; and handlers.

use std::time::Duration;

use super::platform::Named;
use super::{Resource, Role, Site, Work, path, plain_name};
use crate::document::{self, Fields, Key, Node, Review};
use crate::recipe::parameters::Argument;

pub(super) const RESOURCE: Resource = Resource {
    name: "run",
    keys: &[
        "name", "command", "script", "unless", "creates", "only-if", "always", "env", "secrets",
        "user", "timeout", "cwd",
    ],
    shell: &["command", "unless", "only-if"],
    read,
};

fn read(node: &Node, site: &Site<'_>) -> Option<Work> {
    let review = site.review;
    let fields = RESOURCE.fields(node, review)?;
    let command = command(&fields, site);
    let guard = guard(
        &fields,
        RESOURCE.name,
        &["unless", "creates", "only-if", "always"],
        review,
    );
    let environment = fields.optional("env", environment).unwrap_or_default();
    let secrets = fields
        .optional("secrets", |node, _| secrets(node, site))
        .unwrap_or_default();
    let user = fields
        .optional("user", plain_name)
        .unwrap_or_else(|| "root".to_owned());
    let limit = fields.optional("timeout", document::duration);
    if limit.is_some_and(|limit: Duration| limit.is_zero()) {
        let span = fields.get("timeout").map_or(0..0, |node| node.span.clone());
        review
            .error(span, "a command needs more time than none")
            .help("leave `timeout` out for a command that may take as long as it likes");
        return None;
    }
    let seconds = limit.map_or(0, |limit| limit.as_secs());
    let folder = fields
        .optional("cwd", path)
        .unwrap_or_else(|| "/".to_owned());
    let (command, (word, condition)) = (command?, guard?);
    let words = [
        word.to_owned(),
        condition,
        user,
        folder,
        seconds.to_string(),
        command,
    ]
    .into_iter()
    .chain(
        secrets
            .iter()
            .map(|(variable, parameter, reference)| format!("{variable}={parameter}={reference}")),
    )
    .chain(std::iter::once("--".to_owned()))
    .chain(environment);
    let references = secrets
        .iter()
        .map(|(_, parameter, reference)| format!("{parameter}={reference}"))
        .collect();
    Some(Work {
        secrets: references,
        ..Work::upheaval("gs_run", words)
    })
}

/// The command, or the text of a script beside the recipe.
fn command(fields: &Fields<'_>, site: &Site<'_>) -> Option<String> {
    if let Some(script) = fields.get("script") {
        if let Some(command) = fields.key("command") {
            site.review
                .error(
                    command.span.clone(),
                    "`script` and `command` both say what to run",
                )
                .help("keep one of them");
            return None;
        }
        let name = document::text(script, site.review)?;
        let text = site.files.read(name).and_then(|bytes| {
            String::from_utf8(bytes)
                .ok()
                .filter(|text| !text.contains('\0'))
                .ok_or_else(|| "it is not text".to_owned())
        });
        let text = text
            .inspect_err(|why| {
                site.review
                    .error(script.span.clone(), format!("cannot take `{name}`: {why}"));
            })
            .ok()?;
        if text.contains("\r\n") {
            site.review
                .error(
                    script.span.clone(),
                    format!("the lines of `{name}` end as on Windows (CR LF), which no shell understands"),
                )
                .help(format!("write it with LF alone: sed -i 's/\\r$//' {name}"));
            return None;
        }
        return Some(text);
    }
    fields
        .required("command", document::text)
        .map(str::to_owned)
}

/// When a command is needed, by one of these words; to run at every time must be said in words.
pub(super) fn guard(
    fields: &Fields<'_>,
    kind: &str,
    words: &[&'static str],
    review: &Review,
) -> Option<(&'static str, String)> {
    let mut guards = Vec::new();
    for word in words.iter().copied() {
        let Some(node) = fields.get(word) else {
            continue;
        };
        let condition = match word {
            "creates" => path(node, review)?,
            "always" if document::boolean(node, review)? => String::new(),
            "always" => continue,
            _ => document::text(node, review)?.to_owned(),
        };
        guards.push((word, condition));
    }
    if let [_, (second, _), ..] = guards.as_slice() {
        let span = fields.key(second).map_or(0..0, |key| key.span.clone());
        review
            .error(span, format!("a `{kind}` has one condition only"))
            .help("put both into one `unless` command");
        return None;
    }
    let guard = guards.pop();
    if guard.is_none() {
        review
            .error(
                fields.head(),
                format!("this `{kind}` does not say when it is needed"),
            )
            .help(if words.contains(&"creates") {
                "give `unless: command`, `creates: /path` or `only-if: command`; or, in words, `always: true`"
            } else {
                "give `only-if: command` or `unless: command`; or, in words, `always: true`"
            });
    }
    guard
}

fn is_variable(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().all(allowed)
}

fn variable(key: &Key, review: &Review) -> Option<()> {
    if is_variable(&key.text) {
        return Some(());
    }
    review
        .error(
            key.span.clone(),
            format!("`{}` is no name of a variable", key.text),
        )
        .help("letters, digits and underscores, no digit first");
    None
}

/// `NAME=value` words.
pub(crate) fn environment(node: &Node, review: &Review) -> Option<Vec<String>> {
    let entry = |(key, value): &(Key, Node)| {
        variable(key, review)?;
        Some(format!("{}={}", key.text, document::scalar(value, review)?))
    };
    document::entries(node, review)?.iter().map(entry).collect()
}

/// Variable, parameter, reference.
fn secrets(node: &Node, site: &Site<'_>) -> Option<Vec<(String, String, String)>> {
    if site.role == Role::Image {
        site.review
            .error(
                node.span.clone(),
                "a secret must not reach a step whose effects stay in the image",
            )
            .help("add `on: boot`, `on: seed` or `on: migrate`");
        return None;
    }
    let mut found = Vec::new();
    for (key, value) in document::entries(node, site.review)? {
        variable(key, site.review)?;
        let name = document::text(value, site.review)?;
        if !is_unset(name, site) {
            let reference = secret(name, value, site)?;
            found.push((key.text.clone(), name.to_owned(), reference));
        }
    }
    Some(found)
}

/// Whether this is a parameter that is optional and not set: what would take its value goes without.
pub(super) fn is_unset(name: &str, site: &Site<'_>) -> bool {
    site.scope.unset.iter().any(|unset| unset == name)
}

/// The reference that a parameter of type secret holds.
pub(super) fn secret(name: &str, node: &Node, site: &Site<'_>) -> Option<String> {
    match site.scope.arguments.get(name) {
        Some(Argument::Secret(reference)) => Some(reference.to_string()),
        Some(_) => {
            site.review
                .error(node.span.clone(), format!("`{name}` is not a secret"))
                .help(format!(
                    "declare it as `{name}: {{type: secret}}`, or give it by `env`"
                ));
            None
        }
        None => {
            let known = site.scope.arguments.keys().map(String::as_str);
            let finding = site
                .review
                .error(node.span.clone(), format!("there is no secret `{name}`"));
            match document::suggestion(name, known) {
                Some(similar) => finding.help(format!("did you mean `{similar}`?")),
                None => finding.help("name a parameter of type secret that is set"),
            };
            None
        }
    }
}

/// The entry of a handler that is a shell command.
pub(crate) const HANDLER_SHELL: [&str; 1] = ["run"];

/// Reads a handler: a service's reload or restart, or a command.
pub(crate) fn handler(node: &Node, review: &Review) -> Option<Work> {
    let fields = Fields::of(node, "a handler", &["service", "action", "run"], review)?;
    if let Some(command) = fields.optional("run", document::text) {
        let words = ["always", "", "root", "/", "0", command, "--"];
        return Some(Work::upheaval("gs_run", words.map(str::to_owned)));
    }
    if fields.get("service").is_none() && fields.get("run").is_none() {
        review
            .error(
                fields.head(),
                "this handler says neither a service nor a command",
            )
            .help("give `service: nginx` and `action: reload` (or `restart`), or `run: command`");
        return None;
    }
    let service = fields.required("service", Named::read);
    let action = fields.required("action", |node, review| {
        match document::text(node, review)? {
            action @ ("reload" | "restart") => Some(action.to_owned()),
            other => {
                review
                    .error(
                        node.span.clone(),
                        format!("`{other}` is no action of a handler"),
                    )
                    .help("actions are `reload` and `restart`");
                None
            }
        }
    });
    let (function, words) = service?.call("gs_handle_service", [action?]);
    Some(Work::upheaval(function, words))
}
