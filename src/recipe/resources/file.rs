//! `file:` with `content`, a `template`, or a `copy` of a file beside the recipe.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Attributes, Large, Look, REGULAR_FILE, Resource, Site, Work, place, seed, template};
use crate::document::{self, Fields, Node, Review, Source, Value};
use crate::id::Digest;
use crate::recipe::content::{Content, LARGE, Standing};

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
    let path = fields.required("path", place);
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
        return said(node, site.review).map(String::into_bytes);
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
    template::render(&Source::new(path, text), secrets, site).map(String::into_bytes)
}

/// A text, a number, or what a parameter holds. `true` as it stands is refused: its writing would be lost.
pub(super) fn said(node: &Node, review: &Review) -> Option<String> {
    let written = review.source().slice(&node.span);
    if matches!(node.value, Value::Bool(_)) && !written.contains("${{") {
        return document::text(node, review).map(str::to_owned);
    }
    document::scalar(node, review)
}
