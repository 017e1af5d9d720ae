//! `file:` with `content`, a `template`, or a `copy` of a file beside the recipe.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior};

use super::{Attributes, Large, Look, REGULAR_FILE, Resource, Site, Work, path, seed};
use crate::document::{self, Fields, Node, Review, Source};
use crate::id::Digest;
use crate::recipe::content::{Content, LARGE, Standing};
use crate::recipe::parameters::Argument;
use crate::recipe::secrets;

pub(super) const RESOURCE: Resource = Resource {
    name: "file",
    keys: &[
        "path", "content", "template", "copy", "owner", "group", "mode", "check",
    ],
    shell: &["check"],
    read,
};

fn read(node: &Node, site: &Site<'_>) -> Option<Work> {
    let fields = RESOURCE.fields(node, site.review)?;
    let path = fields.required("path", path);
    let attributes = Attributes::read(&fields, "0644");
    let content = content(&fields, &["content", "template", "copy"], &[], site);
    let check = fields.optional("check", document::text).unwrap_or_default();
    Some(holding(&path?, &attributes?, content?, check))
}

/// A file that holds this; `check` is a command that must accept it, or empty.
pub(super) fn holding(path: &str, attributes: &Attributes, content: Vec<u8>, check: &str) -> Work {
    let look = Look::File {
        path: path.to_owned(),
        attributes: attributes.expected(REGULAR_FILE),
        digest: Digest::of(&content).to_string(),
    };
    let words = |encoding: &str, content: String| {
        [
            path.to_owned(),
            attributes.owner.clone(),
            attributes.group.clone(),
            attributes.mode.clone(),
            check.to_owned(),
            encoding.to_owned(),
            content,
        ]
    };
    let large = (content.len() > LARGE).then(|| {
        let place = Standing::File {
            path: path.to_owned(),
        };
        let content = Content::new(content.clone(), place);
        Large {
            words: Work::call("gs_file", words("held", content.digest.to_string())).words,
            content,
        }
    });
    let (encoding, content) = match String::from_utf8(content) {
        Ok(text) if !text.contains('\0') => ("text", text),
        Ok(text) => ("base64", STANDARD.encode(text)),
        Err(bytes) => ("base64", STANDARD.encode(bytes.as_bytes())),
    };
    Work {
        large,
        looks: vec![look],
        looks_decide: true,
        in_batch: check.is_empty() && encoding == "text",
        // A check is any command.
        ends_epoch: !check.is_empty(),
        claims: vec![path.to_owned()],
        leaves: vec![seed::pattern(path)],
        ..Work::call("gs_file", words(encoding, content))
    }
}

/// Exactly one of the ways to say what is in a file.
pub(super) fn content(
    fields: &Fields<'_>,
    ways: &[&str],
    secrets: &[String],
    site: &Site<'_>,
) -> Option<Vec<u8>> {
    let mut given = ways
        .iter()
        .filter_map(|way| fields.get(way).map(|node| (*way, node)));
    let Some((way, node)) = given.next() else {
        site.review
            .error(
                fields.head(),
                format!("{} does not say what is in the file", fields.what()),
            )
            .help(format!("give one of: {}", ways.join(", ")));
        return None;
    };
    if let Some((second, node)) = given.next() {
        site.review
            .error(
                node.span.clone(),
                format!("`{way}` and `{second}` both say what is in the file"),
            )
            .help("keep one of them");
        return None;
    }
    if way == "content" {
        return document::scalar(node, site.review).map(String::into_bytes);
    }
    let name = document::text(node, site.review)?;
    let bytes = match site.files.read(name) {
        Ok(bytes) => bytes,
        Err(why) => {
            site.review
                .error(node.span.clone(), format!("cannot take `{name}`: {why}"))
                .help("the files of a recipe stand in a folder `files` beside it: `files/name`");
            return None;
        }
    };
    if way == "copy" {
        return Some(bytes);
    }
    let Ok(text) = String::from_utf8(bytes) else {
        site.review
            .error(
                node.span.clone(),
                format!("the template `{name}` is not UTF-8 text"),
            )
            .help("give a file that is not text by `copy:`");
        return None;
    };
    let path = site.review.source().path().with_file_name("").join(name);
    render(&Source::new(path, text), secrets, site).map(String::into_bytes)
}

/// Renders a template; its mistakes are reported in the template's own file.
fn render(source: &Source, secrets: &[String], site: &Site<'_>) -> Option<String> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    // A line that holds a block alone leaves no empty line behind; the text's own end stays.
    let syntax = SyntaxConfig::builder()
        .keep_trailing_newline(true)
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build();
    if let Ok(syntax) = syntax {
        environment.set_syntax(syntax);
    }
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    // It would write the word `none`.
    environment.set_formatter(|out, state, value| {
        if value.is_none() {
            return Err(minijinja::Error::new(
                minijinja::ErrorKind::InvalidOperation,
                "a parameter that is not set cannot be written: ask `{% if … %}` around it",
            ));
        }
        minijinja::escape_formatter(out, state, value)
    });
    environment.add_filter("php", |text: &str| literal(text, "php"));
    environment.add_filter("sh", |text: &str| literal(text, "sh"));
    let mut values: std::collections::BTreeMap<&str, minijinja::Value> =
        std::collections::BTreeMap::new();
    for (name, argument) in &site.scope.arguments {
        let value = match argument {
            Argument::Text(text) => minijinja::Value::from(text.as_str()),
            Argument::Int(number) => minijinja::Value::from(*number),
            Argument::Bool(truth) => minijinja::Value::from(*truth),
            Argument::List(items) => items.iter().map(String::as_str).collect(),
            Argument::Secret(_) if secrets.contains(name) => {
                minijinja::Value::from(secrets::token(name, "raw"))
            }
            Argument::Secret(_) => continue,
        };
        values.insert(name, value);
    }
    for name in &site.scope.unset {
        values.insert(name, minijinja::Value::from(()));
    }
    if let Some(item) = &site.scope.item {
        values.insert("item", minijinja::Value::from(item.as_str()));
    }
    match environment.render_str(source.text(), &values) {
        Ok(text) => Some(text),
        Err(error) => {
            let review = Review::of(source);
            let span = error.range().unwrap_or(0..0);
            let what = error
                .detail()
                .map_or_else(|| error.kind().to_string(), str::to_owned);
            let mut arguments = site.scope.arguments.iter();
            let secret = arguments.find(|(name, argument)| {
                matches!(argument, Argument::Secret(_)) && what == format!("`{name}` is undefined")
            });
            if let Some((name, _)) = secret {
                review
                    .error(span, format!("the secret `{name}` cannot stand in this template, not even in a question"))
                    .help("only a `secret-file` that names the secret under `secrets` may hold it");
                site.review.absorb(review.take());
                return None;
            }
            let finding = review.error(
                span.clone(),
                format!("this template cannot be filled in: {what}"),
            );
            if matches!(error.kind(), minijinja::ErrorKind::UndefinedError) {
                finding.help("a template knows the recipe's parameters by their names");
            } else {
                finding.help("templates are Jinja: {{ name }}, {% if name %} … {% endif %}, {% for item in list %} … {% endfor %}");
            }
            site.review.absorb(review.take());
            None
        }
    }
}

/// A text as a literal of a language. For a secret's token the node does the same to the value.
fn literal(text: &str, language: &str) -> String {
    if let Some(parameter) = text
        .strip_prefix("@@goldseed-secret:raw:")
        .and_then(|rest| rest.strip_suffix("@@"))
    {
        return secrets::token(parameter, language);
    }
    if language == "php" {
        return format!("'{}'", text.replace('\\', r"\\").replace('\'', r"\'"));
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}
