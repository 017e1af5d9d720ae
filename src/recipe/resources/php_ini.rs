//! `php-ini: {name, settings, sapi}`: a file of settings that PHP reads after its own.

use super::{Resource, Site, Work, single_line, system_file};
use crate::document::{self, Node, Review};

pub(super) const RESOURCE: Resource = Resource {
    name: "php-ini",
    keys: &["name", "settings", "sapi"],
    shell: &[],
    read,
};

/// The ways of running PHP that Debian keeps apart.
const SAPIS: [&str; 4] = ["fpm", "cli", "apache2", "cgi"];

fn read(node: &Node, site: &Site<'_>) -> Option<Work> {
    let review = site.review;
    let fields = RESOURCE.fields(node, review)?;
    let name = fields.required("name", system_file::name);
    let sapi = match fields.get("sapi") {
        Some(node) => sapi(node, review)?,
        None => "any".to_owned(),
    };
    let settings = fields.required("settings", document::entries)?;
    let mut content = "; Written by goldseed.\n".to_owned();
    for (key, value) in settings {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        if key.text.is_empty() || !key.text.bytes().all(allowed) {
            review
                .error(
                    key.span.clone(),
                    format!("`{}` is no setting of PHP", key.text),
                )
                .help("settings have names such as memory_limit and opcache.enable");
            return None;
        }
        if matches!(value.value, document::Value::Map(_)) {
            review
                .error(
                    key.span.clone(),
                    format!("`{}` is written as a section", key.text),
                )
                .help(
                    "settings of PHP need no sections: `memory_limit: 256M`, `opcache.enable: 1`",
                );
            return None;
        }
        let value = single_line(value, review)?;
        content = format!("{content}{} = {}\n", key.text, value.trim());
    }
    if settings.is_empty() {
        fields.missing("settings");
        return None;
    }
    let name = name?;
    // The folders of `gs_php_ini`.
    let folder = if sapi == "any" { "*" } else { sapi.as_str() };
    let leaves = vec![
        format!("/etc/php.d/99-{name}.ini"),
        format!("/etc/php/*/{folder}/conf.d/99-{name}.ini"),
    ];
    Some(Work {
        leaves,
        ..Work::upheaval("gs_php_ini", [name, sapi, content])
    })
}

fn sapi(node: &Node, review: &Review) -> Option<String> {
    let text = document::text(node, review)?;
    if SAPIS.contains(&text) {
        return Some(text.to_owned());
    }
    let finding = review.error(node.span.clone(), format!("PHP is not run as `{text}`"));
    match document::suggestion(text, SAPIS) {
        Some(similar) => finding.help(format!("did you mean `{similar}`?")),
        None => finding.help(format!(
            "ways are {}; leave `sapi` out for all",
            SAPIS.join(", ")
        )),
    };
    None
}
