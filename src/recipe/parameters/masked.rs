//! Mistakes in what may be a secret's value: the excerpt shows stars.

use crate::document::{Node, Review, Source};

/// Reports a mistake at what may be a secret's value: the excerpt shows stars.
pub(super) fn report(node: &Node, message: String, review: &Review) {
    const HELP: &str = "keep the value in Parameter Store (SecureString) or Secrets Manager and write `ssm:/path` or \
         `secretsmanager:arn:…`";
    with_stars(node, message, HELP, review);
}

/// Reports a mistake in a text that must not be shown.
pub(in crate::recipe) fn with_stars(node: &Node, message: String, help: &str, review: &Review) {
    let source = review.source();
    let mut text = source.text().to_owned();
    if text.get(node.span.clone()).is_some() {
        text.replace_range(node.span.clone(), &"*".repeat(node.span.len()));
    }
    let review_of_masked = Review::of(&Source::new(source.path(), text));
    review_of_masked
        .error(node.span.clone(), message)
        .help(help);
    review.absorb(review_of_masked.take());
}
