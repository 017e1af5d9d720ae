//! `archive: {source, sha256, path, strip, owner, group}`: a folder that is the content of an archive.

use super::{Resource, Site, Work, path, plain_name, single_line};
use crate::document::{self, Node, Review};
use crate::id::Digest;

pub(super) const RESOURCE: Resource = Resource {
    name: "archive",
    keys: &["source", "sha256", "path", "strip", "owner", "group"],
    shell: &[],
    read,
};

fn read(node: &Node, site: &Site<'_>) -> Option<Work> {
    let review = site.review;
    let fields = RESOURCE.fields(node, review)?;
    let source = fields.required("source", source);
    let digest = fields.required("sha256", digest);
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
        .optional("owner", plain_name)
        .unwrap_or_else(|| "root".to_owned());
    let group = fields
        .optional("group", plain_name)
        .unwrap_or_else(|| "root".to_owned());
    let ((source, format), digest, path) = (source?, digest?, path?);
    let stamp = Digest::of(&path).short().to_owned();
    let state = Digest::of_parts([digest.as_str(), &strip.to_string(), &owner, &group]).to_string();
    let words = [
        path.clone(),
        source,
        format.to_owned(),
        digest,
        strip.to_string(),
        owner,
        group,
        stamp,
        state,
    ];
    Some(Work {
        claims: vec![path],
        ..Work::upheaval("gs_archive", words)
    })
}

/// Names of buckets: 3 to 63 small letters, digits, hyphens and dots (Amazon S3, "General purpose bucket naming rules").
fn is_bucket(name: &str) -> bool {
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
    (3..=63).contains(&name.len()) && name.bytes().all(allowed)
}

/// Where it comes from, and how it is packed.
fn source(node: &Node, review: &Review) -> Option<(String, &'static str)> {
    let text = single_line(node, review)?;
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
    {
        review
            .error(
                node.span.clone(),
                format!("`{text}` is no source of an archive"),
            )
            .help(
                "an archive comes from an https:// address, from s3://bucket/key, or from an absolute path on the machine",
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
    Some((text, format))
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
