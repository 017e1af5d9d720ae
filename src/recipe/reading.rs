//! The tree of a recipe's file becomes a recipe; what is wrong with its frame is reported.

use std::sync::Arc;

use super::interpolate::is_name;
use super::library::Files;
use super::model::{Content, Handler, Migrations, Recipe, Role};
use super::parameters::Parameter;
use super::together::Together;
use crate::document::{self, Document, Fields, Key, Node, Review};

mod condition;
pub(super) mod step;

/// Reads the tree of a recipe; `expected_name` is that of its file, and `load` brings the recipes that it includes.
pub(crate) fn read(
    document: &Document,
    expected_name: &str,
    files: Files,
    load: &step::Load<'_>,
    review: &Review,
) -> Option<Recipe> {
    const KEYS: [&str; 10] = [
        "recipe",
        "name",
        "summary",
        "platforms",
        "migrations",
        "params",
        "one-of",
        "steps",
        "handlers",
        "verify",
    ];
    let fields = Fields::of(&document.root, "a recipe", &KEYS, review)?;
    if let Some(format) = fields.required("recipe", document::integer)
        && format != 1
    {
        let span = fields.get("recipe").map_or(0..0, |node| node.span.clone());
        review
            .error(span, format!("format {format} is not known"))
            .help("this version reads `recipe: 1`");
    }
    if let Some(name) = fields.required("name", document::text)
        && name != expected_name
    {
        let span = fields.get("name").map_or(0..0, |node| node.span.clone());
        review
            .error(
                span,
                format!("the recipe `{name}` stands in a file for `{expected_name}`"),
            )
            .help(if expected_name == "test" {
                "the recipe that tests another is always called so: write `name: test`"
            } else {
                "a recipe is found by its file's name: make the two the same"
            });
    }
    let parameters = fields
        .optional("params", read_parameters)
        .unwrap_or_default();
    let together = Together::read(&fields, &parameters, review);
    let handlers = fields
        .optional("handlers", read_handlers)
        .unwrap_or_default();
    let context = step::Context {
        parameters: &parameters,
        handlers: &handlers,
        load,
        review,
    };
    let steps = fields
        .optional("steps", |node, _| context.steps(node))
        .unwrap_or_default();
    let checks = fields
        .optional("verify", |node, _| context.checks(node))
        .unwrap_or_default();
    if fields.get("steps").is_none() && fields.get("verify").is_none() {
        fields.missing("steps");
    }
    let platforms = fields
        .optional("platforms", read_platforms)
        .unwrap_or_default();
    let migrations = fields.optional("migrations", read_migrations);
    if migrations.is_none()
        && fields.get("migrations").is_none()
        && let Some(step) = steps.iter().find(|step| step.role == Role::Migrate)
    {
        review
            .error(
                step.kind.span.clone(),
                "this recipe does not say what its migrations mean for the code that ran before",
            )
            .help("old code runs beside the new one during a swap and after a rollback; say `migrations: compatible` at the top if it can live with this step, else `migrations: breaking`");
    }
    let summary = fields
        .optional("summary", document::text)
        .unwrap_or_default()
        .to_owned();
    Some(Recipe(Arc::new(Content {
        name: expected_name.to_owned(),
        summary,
        platforms,
        migrations,
        parameters,
        together,
        steps,
        handlers,
        checks,
        source: document.source.clone(),
        files,
    })))
}

fn read_migrations(node: &Node, review: &Review) -> Option<Migrations> {
    match document::text(node, review)? {
        "compatible" => Some(Migrations::Compatible),
        "breaking" => Some(Migrations::Breaking),
        other => {
            review
                .error(
                    node.span.clone(),
                    format!("`{other}` says nothing about migrations"),
                )
                .help("migrations are `compatible` (old code can live with them) or `breaking`");
            None
        }
    }
}

fn read_platforms(node: &Node, review: &Review) -> Option<Vec<String>> {
    let mut platforms = Vec::new();
    for item in document::items(node, review)? {
        let Some(text) = document::text(item, review) else {
            continue;
        };
        if is_platform(text) {
            platforms.push(text.to_owned());
        } else {
            review
                .error(item.span.clone(), format!("`{text}` is no platform"))
                .help(
                    "platforms are al2023, debian, ubuntu, or one release: debian-12, ubuntu-24.04",
                );
        }
    }
    Some(platforms)
}

/// `al2023`, `debian`, `debian-12`, `ubuntu`, `ubuntu-24.04`.
pub(crate) fn is_platform(text: &str) -> bool {
    let release = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.')
            && !text.is_empty()
    };
    matches!(text, "al2023" | "debian" | "ubuntu")
        || text.strip_prefix("debian-").is_some_and(release)
        || text.strip_prefix("ubuntu-").is_some_and(release)
}

fn read_parameters(node: &Node, review: &Review) -> Option<Vec<Parameter>> {
    let entries = document::entries(node, review)?;
    let read = |(key, node): &(Key, Node)| {
        if !is_name(&key.text) || ["item", "not", "platform"].contains(&key.text.as_str()) {
            review
                .error(
                    key.span.clone(),
                    format!("`{}` cannot be a parameter's name", key.text),
                )
                .help(
                    "a letter, then letters, digits and underscores; not `item`, `not`, `platform`",
                );
            return None;
        }
        Parameter::read(&key.text, node, review)
    };
    Some(entries.iter().filter_map(read).collect())
}

fn read_handlers(node: &Node, review: &Review) -> Option<Vec<Handler>> {
    let mut handlers = Vec::new();
    for (key, body) in document::entries(node, review)? {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if key.text.is_empty() || !key.text.bytes().all(plain) {
            review
                .error(
                    key.span.clone(),
                    format!("`{}` cannot be a handler's name", key.text),
                )
                .help("a handler's name is made of letters, digits and hyphens");
            continue;
        }
        handlers.push(Handler {
            name: key.clone(),
            body: body.clone(),
        });
    }
    Some(handlers)
}
