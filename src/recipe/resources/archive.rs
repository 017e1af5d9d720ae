//! `archive: {source, sha256, path, strip, owner, group}`: a folder that is the content of an archive.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::attributes::account;
use super::{Large, Resource, Site, Work, path, seed, single_line};
use crate::document::{self, Node, Review, Value};
use crate::id::Digest;
use crate::recipe::content::{Content, LARGE, Standing};

pub(super) const RESOURCE: Resource = Resource {
    name: "archive",
    keys: &["source", "sha256", "path", "strip", "owner", "group"],
    shell: &[],
    read,
};

fn read(node: &Node, site: &Site<'_>) -> Option<Work> {
    let review = site.review;
    let fields = RESOURCE.fields(node, review)?;
    let source = fields.required("source", |node, review| source(node, site, review));
    // Of a file beside the recipe it is known.
    let beside = fields
        .get("source")
        .is_some_and(|node| matches!(&node.value, Value::Text { text, .. } if is_beside(text)));
    let digest = if beside && fields.get("sha256").is_none() {
        Some(None)
    } else {
        fields.required("sha256", digest).map(Some)
    };
    let path = fields.required("path", path);
    let strip = fields.optional("strip", document::integer).unwrap_or(0);
    if !(0..=9).contains(&strip) {
        let span = fields.get("strip").map_or(0..0, |node| node.span.clone());
        review
            .error(span, "`strip` is a number from 0 to 9")
            .help("so many folders at the head of each name in the archive are left out");
        return None;
    }
    let owner = fields
        .optional("owner", account)
        .unwrap_or_else(|| "root".to_owned());
    let group = fields
        .optional("group", account)
        .unwrap_or_else(|| "root".to_owned());
    let (source, digest, path) = (source?, digest?, path?);
    let known = source
        .bytes
        .as_ref()
        .map(|bytes| Digest::of(bytes).to_string());
    if let (Some(said), Some(known)) = (&digest, &known)
        && said != known
    {
        let span = fields.get("sha256").map_or(0..0, |node| node.span.clone());
        review
            .error(span, format!("`{}` has another digest", source.text))
            .help(format!(
                "it is {known}; of a file beside the recipe it need not be said"
            ));
        return None;
    }
    let digest = digest.or(known)?;
    let stamp = Digest::of(&path).short().to_owned();
    let state = Digest::of_parts([digest.as_str(), &strip.to_string(), &owner, &group]).to_string();
    let mut words = vec![
        path.clone(),
        source.text,
        source.format.to_owned(),
        digest,
        strip.to_string(),
        owner,
        group,
        stamp.clone(),
        state.clone(),
    ];
    let mut large = None;
    if let Some(bytes) = source.bytes {
        let mut held = words.clone();
        held.push("held".to_owned());
        words.push(STANDARD.encode(&bytes));
        let place = Standing::Archive {
            path: path.clone(),
            stamp,
            state,
        };
        large = (bytes.len() > LARGE).then(|| Large {
            words: Work::call("gs_archive", held).words,
            content: Content::new(bytes, place),
        });
    }
    Some(Work {
        leaves: vec![seed::pattern(&path)],
        claims: vec![path],
        large,
        ..Work::upheaval("gs_archive", words)
    })
}

/// Names of buckets: 3 to 63 small letters, digits, hyphens and dots (Amazon S3, "General purpose bucket naming rules").
fn is_bucket(name: &str) -> bool {
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
    (3..=63).contains(&name.len()) && name.bytes().all(allowed)
}

/// Whether a source is a file beside the recipe.
fn is_beside(text: &str) -> bool {
    text.starts_with("files/")
}

/// Where an archive comes from, and how it is packed.
struct Source {
    text: String,
    format: &'static str,
    /// Of a file beside the recipe.
    bytes: Option<Vec<u8>>,
}

fn source(node: &Node, site: &Site<'_>, review: &Review) -> Option<Source> {
    let text = single_line(node, review)?;
    let beside = is_beside(&text);
    if let Some(object) = text.strip_prefix("s3://") {
        if !object
            .split_once('/')
            .is_some_and(|(bucket, key)| is_bucket(bucket) && !key.is_empty())
        {
            review
                .error(node.span.clone(), format!("`{text}` is no object of S3"))
                .help("an object is written s3://bucket/folder/name.tar.gz");
            return None;
        }
    } else if !text.starts_with("https://")
        && !text.starts_with("http://")
        && !text.starts_with('/')
        && !beside
    {
        review
            .error(
                node.span.clone(),
                format!("`{text}` is no source of an archive"),
            )
            .help(
                "an archive comes from an https:// address, from s3://bucket/key, from files/… beside the recipe, or from an absolute path on the machine",
            );
        return None;
    }
    let name = text.split(['?', '#']).next().unwrap_or_default();
    let extension = |end: &str| name.len() > end.len() && name.ends_with(end);
    let format = if extension(".tar.gz") || extension(".tgz") {
        "tar.gz"
    } else if extension(".zip") {
        "zip"
    } else {
        review
            .error(
                node.span.clone(),
                format!("it cannot be told how `{text}` is packed"),
            )
            .help("archives end with .tar.gz, .tgz or .zip");
        return None;
    };
    let bytes = if beside {
        match site.files.read(&text) {
            Ok(bytes) => Some(bytes),
            Err(why) => {
                review
                    .error(node.span.clone(), format!("cannot take `{text}`: {why}"))
                    .help(
                        "the files of a recipe stand in a folder `files` beside it: `files/name`",
                    );
                return None;
            }
        }
    } else {
        None
    };
    Some(Source {
        text,
        format,
        bytes,
    })
}

pub(super) fn digest(node: &Node, review: &Review) -> Option<String> {
    let text = document::text(node, review)?;
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        review
            .error(node.span.clone(), "`sha256` is 64 hexadecimal digits")
            .help("`sha256sum FILE` prints them");
        return None;
    }
    Some(text.to_lowercase())
}
