//! `git: {repo, ref, commit, path}`: a checkout of one commit.

use super::{Resource, Site, Work, place, seed, single_line};
use crate::document::{self, Fields, Node, Review};
use crate::recipe::parameters::with_stars;

pub(super) const RESOURCE: Resource = Resource {
    name: "git",
    keys: &["repo", "ref", "commit", "path"],
    shell: &[],
    read,
};

fn read(node: &Node, site: &Site<'_>) -> Option<Work> {
    let fields = RESOURCE.fields(node, site.review)?;
    let repository = fields.required("repo", repository);
    let pinned = pinned(&fields, site.review);
    let path = fields.required("path", place);
    let (repository, (tag, commit), path) = (repository?, pinned?, path?);
    Some(Work {
        leaves: vec![seed::pattern(&path)],
        claims: vec![path.clone()],
        ..Work::upheaval("gs_git", [path, repository, tag, commit])
    })
}

/// The tag, if one is named, and the commit.
fn pinned(fields: &Fields<'_>, review: &Review) -> Option<(String, String)> {
    let reference = fields.required("ref", document::text)?;
    let commit = match fields.get("commit") {
        Some(node) => Some(commit(node, review)?),
        None => None,
    };
    let span = fields.get("ref").map_or(0..0, |node| node.span.clone());
    if is_commit(reference) {
        if commit.is_some_and(|commit| commit != reference.to_lowercase()) {
            review
                .error(span, "`ref` and `commit` are two different commits")
                .help("leave `commit` out: the `ref` is one already");
            return None;
        }
        return Some((String::new(), reference.to_lowercase()));
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/+".contains(&byte);
    if reference.is_empty()
        || reference.starts_with('-')
        || reference.contains("..")
        || !reference.bytes().all(allowed)
    {
        review
            .error(span, format!("`{reference}` is neither a commit nor a tag"))
            .help("a commit is written in full: 40 hexadecimal digits");
        return None;
    }
    let Some(commit) = commit else {
        review
            .error(span, format!("what `{reference}` is can change from one build to the next"))
            .help("for a tag add `commit:` with the full id that it stands for (`git rev-parse TAG^{commit}`); instead of a branch write the commit as `ref`");
        return None;
    };
    Some((reference.to_owned(), commit))
}

fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn commit(node: &Node, review: &Review) -> Option<String> {
    let text = document::scalar(node, review)?;
    if is_commit(&text) {
        return Some(text.to_lowercase());
    }
    review
        .error(
            node.span.clone(),
            format!("`{text}` is no full id of a commit"),
        )
        .help("`git rev-parse HEAD` prints it: 40 hexadecimal digits");
    None
}

/// Where git fetches from.
fn repository(node: &Node, review: &Review) -> Option<String> {
    let text = single_line(node, review)?;
    let host = |rest: &str| rest.split('/').next().unwrap_or_default().to_owned();
    if text
        .split_once("://")
        .map(|(_, rest)| host(rest))
        .is_some_and(|host| host.contains(':') && host.contains('@'))
    {
        let message = "a password in an address would be in the script and in the checkout";
        let help =
            "let the machine have a key of its own, or fetch an `archive` from S3 with its role";
        with_stars(node, message.to_owned(), help, review);
        return None;
    }
    let remote = ["https://", "http://", "ssh://", "git://"]
        .iter()
        .any(|scheme| text.starts_with(scheme));
    // host:path, as scp writes it.
    let short = text
        .split_once(':')
        .is_some_and(|(host, _)| host.contains('@') && !host.contains('/'));
    if text.starts_with('-') || !(remote || short || text.starts_with('/')) || text.contains(' ') {
        review
            .error(
                node.span.clone(),
                format!("`{text}` is no address of a repository"),
            )
            .help("for example https://github.com/owner/name.git; an absolute path on the machine works too");
        return None;
    }
    Some(text)
}
