//! The YAML crate's events become a [`Document`].

use std::collections::HashMap;
use std::ops::Range;

use serde_yaml::granit_parser::{self, Event, Parser, ScalarStyle};

use super::{Diagnostics, Document, Key, Node, Review, Source, Value};

/// Nobody writes settings this deep; it keeps hostile files off the stack.
const DEEPEST: usize = 64;

/// The most values that one file may stand for, aliases counted as often as they are used.
const MOST_VALUES: usize = 100_000;

/// What to do, by words of what the YAML crate says.
const ADVICE: [(&str, &str); 9] = [
    ("tabs", "indent with blanks: YAML takes no tabs there"),
    (
        "escape",
        "in double quotes `\\` begins an escape such as `\\n`: put the text in single quotes, or write `\\\\`",
    ),
    (
        "hexadecimal",
        "behind `\\x` stand two hexadecimal digits, behind `\\u` four; a `\\` itself is `\\\\`, or in single quotes `\\`",
    ),
    ("surrogate", "write the character itself: the file is UTF-8"),
    (
        "quote",
        "a text that begins with a quote ends with the same one",
    ),
    (
        "mapping values",
        "a text with `: ` in it needs quotes: `summary: \"first: second\"`",
    ),
    (
        "anchor",
        "a text that begins with `*` needs quotes; `*name` without them stands for a value marked `&name` above",
    ),
    ("bracket", "what `[` or `{` opens is closed by `]` or `}`"),
    (
        "unexpected character",
        "a text that begins with such a sign needs quotes",
    ),
];

/// The form of all else.
const FORM: &str = "an entry is `key: value`, an item of a list `- value`; what belongs together begins in the same column";

/// Reads a source; all mistakes that can be told apart are reported together. Without a document its text is not YAML.
pub(super) fn document(source: &Source) -> (Option<Document>, Diagnostics) {
    let review = Review::of(source);
    let root = Reader {
        source,
        review: &review,
        events: Parser::new_from_str(source.text()),
        anchors: HashMap::new(),
        values: 0,
    }
    .stream();
    let found = review.take();
    let empty = || Node {
        value: Value::Null,
        span: 0..0,
    };
    let root = root.or_else(|| found.is_empty().then(empty));
    let document = root.map(|root| Document {
        source: source.clone(),
        root,
    });
    (document, found)
}

struct Reader<'a> {
    source: &'a Source,
    review: &'a Review,
    events: Parser<'a, granit_parser::StrInput<'a>>,
    anchors: HashMap<usize, Node>,
    values: usize,
}

impl<'a> Reader<'a> {
    /// The next event that means something; `None` at the end or after a syntax error, which is reported.
    fn next(&mut self) -> Option<(Event<'a>, Range<usize>)> {
        match self.events.next_event()? {
            Ok((event, span)) => {
                let range = span.byte_range().unwrap_or(0..0);
                let end = self.source.text().len();
                Some((event, range.start.min(end)..range.end.min(end)))
            }
            Err(error) => {
                let at = error
                    .marker()
                    .byte_offset()
                    .unwrap_or(self.source.text().len());
                self.syntax_error(at, &error.info());
                None
            }
        }
    }

    fn syntax_error(&self, at: usize, info: &str) {
        let finding = self
            .review
            .error(at..at + 1, format!("this is not YAML: {info}"));
        let line = self
            .source
            .text()
            .lines()
            .nth(self.source.place(at).line.saturating_sub(1));
        if line.is_some_and(|line| line.contains("${{")) {
            finding.help(
                "inside {…} and […] a value with ${{ … }} needs quotes: put quotes around it",
            );
        } else {
            let known = ADVICE.iter().find(|(words, _)| info.contains(words));
            finding.help(known.map_or(FORM, |(_, help)| *help));
        }
    }

    /// The whole stream: at most one document.
    fn stream(&mut self) -> Option<Node> {
        let mut root = None;
        while let Some((event, span)) = self.next() {
            match event {
                Event::DocumentStart(..) if root.is_some() => {
                    self.review
                        .error(span, "a second document begins here")
                        .help("a file holds one document: remove the line `---` or split the file");
                    return root;
                }
                Event::Scalar(..)
                | Event::SequenceStart(..)
                | Event::MappingStart(..)
                | Event::Alias(..) => {
                    root = Some(self.node(event, span, 0)?);
                }
                Event::StreamEnd => break,
                _ => {}
            }
        }
        root
    }

    /// One value, whose first event was just read.
    fn node(&mut self, event: Event<'a>, span: Range<usize>, depth: usize) -> Option<Node> {
        self.values += 1;
        if depth > DEEPEST {
            self.review
                .error(span, format!("values are nested more than {DEEPEST} deep"))
                .help(
                    "nothing here is nested as deep as that: look for brackets that are not closed",
                );
            return None;
        }
        let (node, anchor) = match event {
            Event::Alias(anchor) => (self.alias(anchor, span)?, 0),
            Event::Scalar(text, style, anchor, tag) => {
                let as_text = tag
                    .as_ref()
                    .is_some_and(|tag| tag.is_yaml_core_schema_tag("str"));
                if tag.is_some() && !as_text {
                    self.tag(&span);
                }
                let plain = matches!(style, ScalarStyle::Plain) && !as_text;
                (
                    Node {
                        value: scalar(&text, plain),
                        span,
                    },
                    anchor,
                )
            }
            Event::SequenceStart(_, anchor, tag) => {
                if tag.is_some() {
                    self.tag(&span);
                }
                (self.list(span.start, depth)?, anchor)
            }
            Event::MappingStart(_, anchor, tag) => {
                if tag.is_some() {
                    self.tag(&span);
                }
                (self.map(span.start, depth)?, anchor)
            }
            _ => return None,
        };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Some(node)
    }

    fn tag(&self, span: &Range<usize>) {
        self.review
            .error(span.clone(), "a YAML tag has no meaning here")
            .help("write the value without the word that begins with `!`");
    }

    fn alias(&mut self, anchor: usize, span: Range<usize>) -> Option<Node> {
        let Some(node) = self.anchors.get(&anchor) else {
            self.review
                .error(span, "this alias stands inside what it names")
                .help("write the value out");
            return None;
        };
        self.values += size(node);
        if self.values > MOST_VALUES {
            self.review
                .error(
                    span,
                    format!("with its aliases the file has more than {MOST_VALUES} values"),
                )
                .help("write fewer aliases of aliases");
            return None;
        }
        Some(Node {
            value: node.value.clone(),
            span,
        })
    }

    fn list(&mut self, start: usize, depth: usize) -> Option<Node> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                let end = self.content_end(start, span.end);
                return Some(Node {
                    value: Value::List(items),
                    span: start..end,
                });
            }
            if event.is_node() {
                items.push(self.node(event, span, depth + 1)?);
            }
        }
    }

    fn map(&mut self, start: usize, depth: usize) -> Option<Node> {
        let mut entries: Vec<(Key, Node)> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                let end = self.content_end(start, span.end);
                return Some(Node {
                    value: Value::Map(entries),
                    span: start..end,
                });
            }
            if !event.is_node() {
                continue;
            }
            let key = match &event {
                Event::Scalar(text, ..) => Some(Key {
                    text: text.to_string(),
                    span: span.clone(),
                }),
                _ => None,
            };
            // A key that is itself a list or a map is read to its end, so that what follows is still understood.
            self.node(event, span.clone(), depth + 1)?;
            let (event, value_span) = self.next()?;
            let value = self.node(event, value_span, depth + 1)?;
            let Some(key) = key else {
                let before = self.source.text().get(..span.start).unwrap_or_default();
                let help = if before.ends_with('{') {
                    "a text with `{{` in it needs quotes; a parameter is written `\"${{ name }}\"`"
                } else {
                    "write `key: value`; a key that begins with `{`, `[` or `?` needs quotes"
                };
                self.review.error(span, "a key must be text").help(help);
                continue;
            };
            if key.text == "<<" {
                self.review
                    .error(span, "merge keys are not read here")
                    .help("write the entries out, or name a whole value with `*alias`");
                continue;
            }
            if let Some(first) = places.get(&key.text) {
                let first = self.source.place(*first);
                self.review
                    .error(span, format!("the key `{}` stands twice", key.text))
                    .label("again here")
                    .help(format!("it stands first at {first}; remove one"));
                continue;
            }
            places.insert(key.text.clone(), key.span.start);
            entries.push((key, value));
        }
    }

    /// The end of a collection without the blank lines and comments that follow it.
    fn content_end(&self, start: usize, end: usize) -> usize {
        let written = self.source.slice(&(start..end.max(start)));
        start + written.trim_end().len()
    }
}

/// How many values a node stands for.
fn size(node: &Node) -> usize {
    1 + match &node.value {
        Value::List(items) => items.iter().map(size).sum(),
        Value::Map(entries) => entries.iter().map(|(_, value)| size(value)).sum(),
        _ => 0,
    }
}

/// A scalar by YAML 1.2's core schema, except that numbers with a leading zero stay text: somebody meant the digits.
fn scalar(text: &str, plain: bool) -> Value {
    let as_text = || Value::Text {
        text: text.to_owned(),
        plain,
    };
    if !plain {
        return as_text();
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    let begins_with_digit = digits.starts_with(|first: char| first.is_ascii_digit());
    let leading_zero = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
    if !begins_with_digit || leading_zero {
        return as_text();
    }
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().map_or_else(|_| as_text(), Value::Int);
    }
    let float_like = digits
        .bytes()
        .all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte));
    match text.parse::<f64>() {
        Ok(number) if float_like && number.is_finite() => Value::Float(number),
        _ => as_text(),
    }
}
