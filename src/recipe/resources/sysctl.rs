//! `sysctl: {key: value, …}`: settings of the kernel, now and after every boot.

use super::{Resource, Role, Site, Work, single_line, system_file};
use crate::document::{self, Node};

pub(super) const RESOURCE: Resource = Resource {
    name: "sysctl",
    keys: &[],
    shell: &[],
    read,
};

fn read(node: &Node, site: &Site<'_>) -> Option<Work> {
    let review = site.review;
    // In an image counts what its machines do when they boot; this machine's kernel may be a container's host's.
    let strict = if site.role == Role::Image {
        "no"
    } else {
        "yes"
    };
    let mut words = vec![strict.to_owned()];
    let (mut files, mut looks) = (Vec::new(), Vec::new());
    for (key, value) in document::entries(node, review)? {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
        let name = &key.text;
        if !name.contains(['.', '/'])
            || name.starts_with(['.', '/', '-'])
            || name.contains("..")
            || !name.bytes().all(allowed)
        {
            review
                .error(
                    key.span.clone(),
                    format!("`{name}` is no setting of the kernel"),
                )
                .help("a setting is written as `sysctl -a` prints it: net.core.somaxconn");
            return None;
        }
        let value = single_line(value, review)?;
        let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
        let swapped = |sign| match sign {
            '.' => '/',
            '/' => '.',
            other => other,
        };
        let proc: String = name.chars().map(swapped).collect();
        let file = format!("/etc/sysctl.d/60-goldseed-{}.conf", name.replace('/', "-"));
        let content = format!("# Written by goldseed.\n{name} = {value}\n");
        looks.push(system_file::look(&file, 0o644, &content));
        words.extend([file.clone(), content, name.clone(), proc, value]);
        files.push(file);
    }
    if files.is_empty() {
        review
            .error(node.span.clone(), "no setting of the kernel is named")
            .help("for example: sysctl: {net.core.somaxconn: 1024}");
        return None;
    }
    Some(Work {
        claims: files,
        looks,
        ..Work::call("gs_sysctl", words)
    })
}
