//! Files that resources write into the system's own folders, under names of their own.

use super::{Look, REGULAR_FILE};
use crate::document::{self, Node, Review};
use crate::id::Digest;

/// What is looked at before such a file is written; `mode` is that of the call of `gs_system_file`.
pub(super) fn look(path: &str, mode: u32, content: &str) -> Look {
    Look::System {
        path: path.to_owned(),
        bits: REGULAR_FILE | mode,
        digest: Digest::of(content).to_string(),
    }
}

/// A name that becomes that of a file. What reads those folders ignores files with other signs in their names.
pub(super) fn name(node: &Node, review: &Review) -> Option<String> {
    let text = document::text(node, review)?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if text.is_empty() || text.starts_with('-') || !text.bytes().all(allowed) {
        review
            .error(
                node.span.clone(),
                format!("`{text}` cannot be the name of a file here"),
            )
            .help("a name is made of letters, digits, `-` and `_`");
        return None;
    }
    Some(text.to_owned())
}
