//! `php-ini: {name, settings, sapi}`: a file of settings that PHP reads after its own.

use std::borrow::Cow;

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
        content = format!("{content}{} = {}\n", key.text, literal(value.trim()));
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

/// A value as PHP's parser of ini files gives it back. Words, numbers, sizes and expressions of constants are left to
/// what PHP makes of them, and what is quoted already to who quoted it; anything else becomes a string.
fn literal(value: &str) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.,:/@%+-".contains(&byte);
    if value.bytes().all(plain) || is_expression(value) || is_quoted(value) {
        return Cow::Borrowed(value);
    }
    // In such a string a backslash takes away the meaning of a quote and of a backslash, but not that of `${`, which
    // begins a variable; strings that stand beside each other are one, and between single quotes nothing has a meaning.
    let text = value
        .replace('\\', r"\\")
        .replace('"', r#"\""#)
        .replace("${", r#""'${'""#);
    Cow::Owned(format!("\"{text}\""))
}

/// `E_ALL & ~E_NOTICE`: constants or numbers, with operators between them and perhaps before them.
fn is_expression(value: &str) -> bool {
    let is_constant = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    let (mut depth, mut operators, mut wants_constant) = (0, 0, true);
    let mut rest = value.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        match first {
            b' ' => {}
            b'~' | b'!' if wants_constant => operators += 1,
            b'&' | b'|' | b'^' if !wants_constant => {
                operators += 1;
                wants_constant = true;
            }
            b'(' if wants_constant => depth += 1,
            b')' if !wants_constant && depth > 0 => depth -= 1,
            byte if wants_constant && is_constant(*byte) => {
                let end = rest.iter().position(|byte| !is_constant(*byte));
                rest = &rest[end.unwrap_or(rest.len())..];
                wants_constant = false;
            }
            _ => return false,
        }
    }
    operators > 0 && depth == 0 && !wants_constant
}

/// Whether the whole value is one string of PHP's.
fn is_quoted(value: &str) -> bool {
    let inner = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
    if let Some(raw) = inner('\'') {
        return !raw.contains('\'');
    }
    inner('"').is_some_and(|text| {
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            let ends = match character {
                '"' => true,
                '\\' => characters.next().is_none(),
                _ => false,
            };
            if ends {
                return false;
            }
        }
        true
    })
}

#[cfg(test)]
mod tests {
    use super::literal;

    #[test]
    fn what_php_reads_as_it_stands_is_left_and_anything_else_becomes_a_string() {
        for plain in [
            "256M",
            "-1",
            "0.5",
            "Off",
            "/var/lib/php/sessions",
            "redis.example:6379",
            "exec,system",
            "E_ALL & ~E_NOTICE",
            "(E_ALL|E_STRICT)&~E_NOTICE",
            "~E_ALL",
            "\"a;b\"",
            r#""say \"hi\"""#,
            "'a;b'",
            "",
        ] {
            assert_eq!(literal(plain), plain);
        }
        for (value, written) in [
            ("a;b", r#""a;b""#),
            ("one two", r#""one two""#),
            ("FOO BAR", r#""FOO BAR""#),
            ("(A", r#""(A""#),
            ("A &", r#""A &""#),
            ("a'b", r#""a'b""#),
            (r#"say "hi""#, r#""say \"hi\"""#),
            (r#""a" "b""#, r#""\"a\" \"b\"""#),
            (r"C:\", r#""C:\\""#),
            ("a${b}", r#""a"'${'"b}""#),
        ] {
            assert_eq!(literal(value), written);
        }
    }
}
