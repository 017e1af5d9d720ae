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
    let path = fields.required("path", mount_point);
    let kind = fields.required("type", kind);
    let source = fields.required("source", single_line);
    let options = fields.optional("options", options).unwrap_or_default();
    let (path, kind, source) = (path?, kind?, source?);
    let span = fields.get("source").map_or(0..0, |node| node.span.clone());
    let (well_formed, expected) = match kind {
        "efs" => (
            is_efs(&source),
            "an EFS source is written fs-0123456789abcdef0:/ (a folder may follow), without blanks",
        ),
        "nfs4" => (
            source.contains(":/"),
            "an NFS source is written host:/folder, without blanks",
        ),
        _ => (
            source.starts_with('/'),
            "the source of a bind mount is an absolute path, without blanks",
        ),
    };
    if !well_formed || source.contains([' ', '\t']) {
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

/// What the system itself needs in its place, and mounts itself. `/opt` holds goldseed's own folder.
const SYSTEM: [&str; 20] = [
    "/", "/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/proc",
    "/root", "/run", "/sbin", "/sys", "/tmp", "/usr", "/var", "/var/lib", "/var/log",
];
/// Of these nothing within can be a mount point either.
const SYSTEM_THROUGHOUT: [&str; 4] = ["/boot/", "/dev/", "/proc/", "/sys/"];

/// A path at which something can be mounted by a line of fstab, whose columns end at blanks.
fn mount_point(node: &Node, review: &Review) -> Option<String> {
    let path = path(node, review)?;
    let inside = |folder: &str| path.starts_with(folder);
    let wrong = if path.contains([' ', '\t', '#']) {
        "a mount point has neither blanks nor `#` in its path"
    } else if SYSTEM.contains(&path.as_str()) || SYSTEM_THROUGHOUT.iter().any(|one| inside(one)) {
        "the system needs what is there; mount at a folder of your own, such as /mnt/shop, and lead to it by a `link`"
    } else {
        return Some(path);
    };
    review
        .error(
            node.span.clone(),
            format!("nothing can be mounted on `{path}`"),
        )
        .help(wrong);
    None
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
