//! `php-extension: [gd, intl]`: extensions of the PHP that is installed, whatever their packages are called.

use super::{Resource, Site, Work};
use crate::document::{self, Node, Review, Value};

pub(super) const RESOURCE: Resource = Resource {
    name: "php-extension",
    keys: &[],
    shell: &[],
    read,
};

fn read(node: &Node, site: &Site<'_>) -> Option<Work> {
    let names = match &node.value {
        Value::List(items) if items.is_empty() => {
            site.review
                .error(node.span.clone(), "the list is empty")
                .help("name at least one extension, or leave the step out");
            return None;
        }
        Value::List(items) => items
            .iter()
            .map(|item| extension(item, site.review))
            .collect::<Option<Vec<_>>>()?,
        _ => vec![extension(node, site.review)?],
    };
    Some(Work::upheaval("gs_php_extension", names))
}

/// As `php -m` prints it, in small letters.
fn extension(node: &Node, review: &Review) -> Option<String> {
    let text = document::text(node, review)?.to_lowercase();
    // Its engine's own are printed as `Zend OPcache`.
    let text = text.strip_prefix("zend ").unwrap_or(&text);
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if !text.is_empty() && text.bytes().all(allowed) {
        return Some(text.to_owned());
    }
    let finding = review.error(
        node.span.clone(),
        format!("`{text}` is no extension of PHP"),
    );
    match text.split_once('-') {
        Some((package, name)) if package.starts_with("php") && name.bytes().all(allowed) => {
            finding.help(format!(
                "name the extension and not its package: `{name}`; the package of this machine's PHP is found"
            ))
        }
        _ => finding.help("an extension is written as `php -m` prints it: gd, intl, mysqli, redis"),
    };
    None
}
