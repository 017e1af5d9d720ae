//! What `goldseed init` leaves to be filled in, and a settings file still holds.

use super::STARTER;
use crate::document::{Node, Review, Value};

/// Reports every value that is a placeholder of the starter and has no mistake reported yet.
pub(super) fn report(node: &Node, review: &Review) {
    match &node.value {
        Value::Text { text, .. } if is_placeholder(text) && !review.has_error_at(&node.span) => {
            review.error(
                node.span.clone(),
                format!("{text} is still to be filled in"),
            );
        }
        Value::List(items) => items.iter().for_each(|item| report(item, review)),
        Value::Map(entries) => entries.iter().for_each(|(_, value)| report(value, review)),
        _ => {}
    }
}

/// A text in angle brackets may be meant as it is; those of the starter are not.
fn is_placeholder(text: &str) -> bool {
    text.starts_with('<') && text.ends_with('>') && STARTER.contains(&format!("\"{text}\""))
}
