//! Files that resources write into the system's own folders, under names of their own.

use crate::document::{self, Node, Review};
use crate::id::Digest;

/// What `gs_system_file` takes beside the path and the mode: the digest of a text, and the text.
pub(super) fn words(content: String) -> [String; 2] {
    [Digest::of(&content).to_string(), content]
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
