//! `secret-file:`: a file with secrets in it, written by the machine itself and never in an image.

use super::run::{is_unset, secret};
use super::{Attributes, REGULAR_FILE, Resource, Site, Work, file, path};
use crate::document::{self, Node};

pub(super) const RESOURCE: Resource = Resource {
    name: "secret-file",
    keys: &[
        "path", "template", "content", "secrets", "owner", "group", "mode",
    ],
    shell: &[],
    read,
};

fn read(node: &Node, site: &Site<'_>) -> Option<Work> {
    let review = site.review;
    let fields = RESOURCE.fields(node, review)?;
    let path = fields.required("path", path);
    let attributes = Attributes::read(&fields, "0600");
    let mut secrets = Vec::new();
    for item in fields.required("secrets", document::items)? {
        let name = document::text(item, review)?;
        if !is_unset(name, site) {
            secrets.push((name.to_owned(), secret(name, item, site)?));
        }
    }
    let (path, attributes) = (path?, attributes?);
    // Boot steps are done on the seed too: on its disk the file would travel in the image.
    if !path.starts_with("/run/") {
        let span = fields.get("path").map_or(0..0, |node| node.span.clone());
        review
            .error(
                span,
                format!("`{path}` is on the disk: the secret would travel in the image"),
            )
            .help("write it below /run, which is memory: `/run/goldseed-secrets/NAME`");
        return None;
    }
    if attributes.bits & 0o007 != 0 {
        let span = fields.get("mode").map_or(0..0, |node| node.span.clone());
        review
            .error(
                span,
                format!("mode {} lets everybody read a secret", attributes.mode),
            )
            .help("give it to a group: `group: www-data` and `mode: \"0640\"`");
        return None;
    }
    let names: Vec<String> = secrets.iter().map(|(name, _)| name.clone()).collect();
    let content = file::content(&fields, &["template", "content"], &names, site)?;
    let Ok(content) = String::from_utf8(content) else {
        return None;
    };
    if secrets.is_empty() {
        // None of them is set: an ordinary file.
        return Some(file::holding(&path, &attributes, content.into_bytes(), ""));
    }
    let expected = format!("{}|{path}", attributes.expected(REGULAR_FILE).word());
    let references: Vec<String> = secrets
        .iter()
        .map(|(name, reference)| format!("{name}={reference}"))
        .collect();
    let words = [
        path.clone(),
        attributes.owner,
        attributes.group,
        attributes.mode,
        expected,
        content,
    ]
    .into_iter()
    .chain(references.clone());
    Some(Work {
        claims: vec![path],
        secrets: references,
        ..Work::upheaval("gs_secret_file", words)
    })
}
