//! `mount: {path, source, type, options}`: EFS, NFS 4 and bind mounts, now and after every boot.

use super::{Resource, Site, Work, path, single_line};
use crate::document::{self, Node, Review, Value};

pub(super) const RESOURCE: Resource = Resource {
    name: "mount",
    keys: &["path", "source", "type", "options"],
    shell: &[],
    read,
};

fn read(node: &Node, site: &Site<'_>) -> Option<Work> {
    let fields = RESOURCE.fields(node, site.review)?;
    let path = fields.required("path", path);
    let kind = fields.required("type", kind);
    let source = fields.required("source", single_line);
    let options = fields.optional("options", options).unwrap_or_default();
    let (path, kind, source) = (path?, kind?, source?);
    let span = fields.get("source").map_or(0..0, |node| node.span.clone());
    let well_formed = match kind {
        "efs" => is_efs(&source),
        "nfs4" => source.contains(":/"),
        _ => source.starts_with('/'),
    };
    if !well_formed || source.contains([' ', '\t']) || path.contains([' ', '\t', '#']) {
        let expected = match kind {
            "efs" => "an EFS source is written fs-0123456789abcdef0:/ (a folder may follow)",
            "nfs4" => "an NFS source is written host:/folder",
            _ => "the source of a bind mount is an absolute path; none holds blanks",
        };
        site.review
            .error(span, format!("`{source}` cannot be mounted as {kind}"))
            .help(expected);
        return None;
    }
    // The EFS mount helper takes them over TLS alone ("Mounting with IAM authorization", "access points").
    let wants_tls = options
        .iter()
        .find(|option| *option == "iam" || option.starts_with("accesspoint="));
    if let Some(option) =
        wants_tls.filter(|_| kind == "efs" && !options.iter().any(|one| one == "tls"))
    {
        let span = fields.get("options").map_or(0..0, |node| node.span.clone());
        site.review
            .error(span, format!("`{option}` needs `tls` beside it"))
            .help(format!("write `options: [tls, {option}]`"));
        return None;
    }
    let words = [path.clone(), kind.to_owned(), source, options.join(",")];
    Some(Work {
        claims: vec![path],
        ..Work::upheaval("gs_mount", words)
    })
}

fn is_efs(source: &str) -> bool {
    source.split_once(":/").is_some_and(|(id, _)| {
        id.strip_prefix("fs-").is_some_and(|hexadecimal| {
            (8..=17).contains(&hexadecimal.len())
                && hexadecimal.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
    })
}

fn kind<'a>(node: &'a Node, review: &Review) -> Option<&'a str> {
    match document::text(node, review)? {
        known @ ("efs" | "nfs4" | "bind") => Some(known),
        other => {
            review
                .error(node.span.clone(), format!("`{other}` is no type of mount"))
                .help(match other {
                    "nfs" | "nfs3" => "did you mean `nfs4`?",
                    _ => "types are efs, nfs4 and bind",
                });
            None
        }
    }
}

fn options(node: &Node, review: &Review) -> Option<Vec<String>> {
    let Value::List(items) = &node.value else {
        review
            .error(node.span.clone(), "mount options are a list")
            .help("for example: [tls, noatime]");
        return None;
    };
    let option = |item: &Node| {
        let text = document::scalar(item, review)?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"=_-./:+@".contains(&byte);
        if text.is_empty() || !text.bytes().all(plain) {
            review
                .error(item.span.clone(), format!("`{text}` is no mount option"))
                .help("options are words as mount(8) knows them: [tls, noatime, rsize=1048576]");
            return None;
        }
        Some(text)
    };
    items.iter().map(option).collect()
}
