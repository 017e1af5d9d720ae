//! Readers of single values: each gives the value, or reports what is there instead and gives nothing.

use std::time::Duration;

use super::{Key, Node, Review, Value};

fn mismatch(node: &Node, review: &Review, expected: &str) {
    let found = match &node.value {
        Value::Text { text, .. } if text.len() <= 40 && !text.contains('\n') => format!("`{text}`"),
        _ => node.kind().to_owned(),
    };
    let finding = review.error(
        node.span.clone(),
        format!("expected {expected}, found {found}"),
    );
    if expected == "text" && matches!(node.value, Value::Bool(_) | Value::Int(_) | Value::Float(_))
    {
        let written = review.source().slice(&node.span);
        finding.help(format!("put quotes around it: \"{written}\""));
        return;
    }
    if let (Value::List(items), "text") = (&node.value, expected) {
        let words = items.iter().map(|item| match &item.value {
            Value::Text { text, .. } => Some(text.as_str()),
            _ => None,
        });
        if let Some(words) = words.collect::<Option<Vec<_>>>() {
            finding.help(format!("write it as one text: `{}`", words.join(" ")));
            return;
        }
    }
    if let Value::Text { text, .. } = &node.value
        && expected == "a whole number"
        && let Some((why, number)) = as_number(text)
    {
        finding.help(format!("{why}: `{number}`"));
        return;
    }
    let form = FORMS.iter().find(|(what, _)| expected.starts_with(what));
    if let Some((_, help)) = form {
        finding.help(*help);
    }
}

/// How each value is written.
const FORMS: [(&str, &str); 7] = [
    ("text", "write one text: `key: some words`"),
    ("one value", "write one text or number: `key: value`"),
    (
        "a whole number",
        "write digits alone, without quotes: `key: 8`",
    ),
    ("true or false", "write `true` or `false`, without quotes"),
    (
        "a list",
        "write `key: [one, two]`, or each item on a line of its own after `- `",
    ),
    (
        "a map",
        "write `key: {name: value}`, or each `name: value` on a line of its own, further in",
    ),
    (
        "a duration",
        "write a number and one of s, m, h, d, with no blank between: `key: 30s`",
    ),
];

/// Text. A number or `true` without quotes is reported, with the advice to quote it.
pub fn text<'a>(node: &'a Node, review: &Review) -> Option<&'a str> {
    let Value::Text { text, .. } = &node.value else {
        mismatch(node, review, "text");
        return None;
    };
    Some(text)
}

/// Any scalar, as it is written: for places where `8`, `8.2` and `on` are as good as text.
pub fn scalar(node: &Node, review: &Review) -> Option<String> {
    match &node.value {
        Value::Text { text, .. } => Some(text.clone()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Int(value) => Some(value.to_string()),
        Value::Float(value) => {
            let written = review.source().slice(&node.span);
            let same = written
                .parse::<f64>()
                .is_ok_and(|parsed| parsed.to_bits() == value.to_bits());
            Some(if same {
                written.to_owned()
            } else {
                value.to_string()
            })
        }
        Value::Null | Value::List(_) | Value::Map(_) => {
            mismatch(node, review, "one value");
            None
        }
    }
}

/// A whole number.
pub fn integer(node: &Node, review: &Review) -> Option<i64> {
    let Value::Int(value) = node.value else {
        mismatch(node, review, "a whole number");
        return None;
    };
    Some(value)
}

/// What is wrong with a text that was meant as a whole number, and that number; nothing for other texts.
pub fn as_number(text: &str) -> Option<(&'static str, i64)> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let signed = |number: i64| {
        if text.starts_with('-') {
            -number
        } else {
            number
        }
    };
    if !digits.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let mut based = [("0x", 16), ("0o", 8), ("0b", 2)].into_iter();
    let of_base = |(prefix, base)| i64::from_str_radix(digits.strip_prefix(prefix)?, base).ok();
    if let Some(number) = based.find_map(of_base) {
        return Some(("a number is decimal", signed(number)));
    }
    let plain = digits.replace(['_', ',', '\''], "");
    if !plain.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let Ok(number) = plain.parse() else {
        return Some(("the number is too large", signed(i64::MAX)));
    };
    let why = if plain != digits {
        "a number is written in digits alone"
    } else if digits.len() > 1 && digits.starts_with('0') {
        "a number has no leading zero"
    } else if text.starts_with('+') {
        "a number stands without `+`"
    } else {
        "a number stands without quotes"
    };
    Some((why, signed(number)))
}

/// `true` or `false`.
pub fn boolean(node: &Node, review: &Review) -> Option<bool> {
    let Value::Bool(value) = node.value else {
        mismatch(node, review, "true or false");
        return None;
    };
    Some(value)
}

/// A length of time: `30s`, `5m`, `2h`, `1d`.
pub fn duration(node: &Node, review: &Review) -> Option<Duration> {
    let value = match &node.value {
        Value::Text { text, .. } => parse_duration(text),
        _ => None,
    };
    if value.is_none() {
        mismatch(node, review, "a duration such as 30s, 5m or 2h");
    }
    value
}

/// Reads `30s`, `5m`, `2h`, `1d`; nothing else.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let seconds_of_unit = match text.as_bytes().last()? {
        b's' => 1,
        b'm' => 60,
        b'h' => 3600,
        b'd' => 86_400,
        _ => return None,
    };
    let digits = text.get(..text.len() - 1)?;
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds = digits.parse::<u64>().ok()?.checked_mul(seconds_of_unit)?;
    Some(Duration::from_secs(seconds))
}

/// Reads one of a few words.
pub fn one_of<'a>(node: &Node, review: &Review, words: &[&'a str]) -> Option<&'a str> {
    let found = text(node, review)?;
    let word = words.iter().find(|word| **word == found).copied();
    if word.is_none() {
        review
            .error(
                node.span.clone(),
                format!("expected one of {}, found `{found}`", words.join(", ")),
            )
            .help("write one of these words");
    }
    word
}

/// Reads the headers of an HTTP request. A value may be a reference to a secret.
pub fn headers(node: &Node, review: &Review) -> Option<Vec<(String, String)>> {
    let mut headers = Vec::new();
    for (key, node) in entries(node, review)? {
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if key.text.is_empty() || !key.text.bytes().all(token) {
            let message = format!("`{}` is not the name of a header", key.text);
            review.error(key.span.clone(), message);
            return None;
        }
        if key.text.eq_ignore_ascii_case("host") {
            review
                .error(key.span.clone(), "the host is not given by `headers`")
                .help("write `host: www.example.com`");
            return None;
        }
        let value = scalar(node, review)?;
        let misspelt = (value.starts_with("ssm:") && !value.starts_with("ssm:/"))
            || (value.starts_with("secretsmanager:") && !value.starts_with("secretsmanager:arn:"));
        if value.is_empty() || value.chars().any(char::is_control) || misspelt {
            review
                .error(
                    node.span.clone(),
                    format!("the header `{}` has no value that can be sent", key.text),
                )
                .help("one line of text, or a reference to a secret: ssm:/path or secretsmanager:arn:…");
            return None;
        }
        headers.push((key.text.clone(), value));
    }
    Some(headers)
}

/// A list's items.
pub fn items<'a>(node: &'a Node, review: &Review) -> Option<&'a [Node]> {
    let Value::List(items) = &node.value else {
        mismatch(node, review, "a list");
        return None;
    };
    Some(items)
}

/// A mapping's entries, whatever its keys.
pub fn entries<'a>(node: &'a Node, review: &Review) -> Option<&'a [(Key, Node)]> {
    let Value::Map(entries) = &node.value else {
        mismatch(node, review, "a map");
        return None;
    };
    Some(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_was_meant_as_a_number_leads_to_one() {
        for (text, number) in [
            ("010", 10),
            ("-010", -10),
            ("1_000", 1000),
            ("0x10", 16),
            ("99999999999999999999", i64::MAX),
            ("8", 8),
        ] {
            assert_eq!(
                as_number(text).map(|(_, meant)| meant),
                Some(number),
                "{text}"
            );
        }
        for text in ["", "-", "eight", "8 MB", "1.2.3"] {
            assert_eq!(as_number(text), None, "{text}");
        }
    }

    #[test]
    fn durations_have_one_number_and_one_unit() {
        assert_eq!(parse_duration("90s"), Some(Duration::from_secs(90)));
        assert_eq!(parse_duration("2h"), Some(Duration::from_hours(2)));
        for wrong in [
            "",
            "s",
            "5",
            "5 m",
            "-5m",
            "1.5h",
            "99999999999999999999s",
            "5w",
            "é",
        ] {
            assert_eq!(parse_duration(wrong), None, "{wrong}");
        }
    }
}
