//! Steps for the seed alone: what they make is taken away before the image is made, and what could not be is refused.

use super::Work;
use crate::document::{Key, Node, Review};

/// Types whose work stays whatever is removed, and what to do instead.
const STAYS: [(&str, &str); 13] = [
    ("package", INSTALLED),
    ("php-extension", INSTALLED),
    ("repository", INSTALLED),
    ("user", ACCOUNT),
    ("group", ACCOUNT),
    ("line", EDIT),
    ("block", EDIT),
    ("ini", EDIT),
    (
        "absent",
        "leave out `on: seed`: what was removed is not there for the image either",
    ),
    (
        "mount",
        "leave out `on: seed`, or mount and unmount in the `run` step that needs it",
    ),
    (
        "sysctl",
        "leave out `on: seed`, or set it until the seed stops: `run: {command: sysctl -w NAME=VALUE, always: true}`",
    ),
    (
        "swap",
        "a swap file is for the machines of the image: `on: boot`",
    ),
    (
        "service",
        "leave out `enabled`: with `state` alone the service runs until the seed stops",
    ),
];

const INSTALLED: &str =
    "leave out `on: seed`; or a `run` step on the seed installs it, and removes it when it is done";
const ACCOUNT: &str =
    "leave out `on: seed`: without a password and a key nobody can log in by this account";
const EDIT: &str = "leave out `on: seed`, or put it into a `file` of its own: that is taken away before the image is made";

/// A path as a pattern of a shell that means it alone.
pub(super) fn pattern(path: &str) -> String {
    let mut pattern = String::new();
    for (index, sign) in path.char_indices() {
        // `read` cuts blanks off the end of a line.
        let last_blank = sign == ' ' && index + 1 == path.len();
        if matches!(sign, '*' | '?' | '[') || last_blank {
            pattern.extend(['[', sign, ']']);
        } else {
            pattern.push(sign);
        }
    }
    pattern
}

/// The work of a step for the seed alone; reported when it would stay in the image.
pub(super) fn taken_back(kind: &Key, node: &Node, mut work: Work, review: &Review) -> Option<Work> {
    let stays = STAYS
        .iter()
        .find(|(name, _)| *name == kind.text)
        .filter(|_| kind.text != "service" || node.get("enabled").is_some());
    if let Some((name, help)) = stays {
        review
            .error(
                kind.span.clone(),
                format!("a `{name}` of the seed alone would stay in the image"),
            )
            .help(*help);
        return None;
    }
    // Memory, of which no image has anything.
    work.leaves.retain(|path| !path.starts_with("/run/"));
    if let Some(path) = work
        .leaves
        .iter()
        .find(|path| path.matches('/').count() < 2)
    {
        review
            .error(
                kind.span.clone(),
                format!("`{path}` could not be taken away from the image again"),
            )
            .help("what is for the seed alone stands inside one of the folders of `/`, best in one of its own below /opt");
        return None;
    }
    Some(work)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_means_one_path() {
        assert_eq!(pattern("/srv/a b"), "/srv/a b");
        assert_eq!(pattern("/srv/[*] "), "/srv/[[][*]][ ]");
    }
}
