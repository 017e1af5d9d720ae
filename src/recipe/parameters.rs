//! Typed parameters: what a recipe asks for, and whether a value is one.

use regex_lite::Regex;

use super::forms::{is_cidr, is_hostname, is_path, parse_mode, parse_size, written_size};
use super::secrets::SecretReference;
use crate::document::{self, Fields, Node, Review, Value};

mod bounds;
mod compared;
mod example;
mod masked;
mod shown;

pub use bounds::Bounds;
pub(super) use masked::with_stars;

/// What a recipe declares under `params`.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Its name; letters, digits and underscores.
    pub name: String,
    /// What values it takes.
    pub kind: Kind,
    /// Stands in when none is given.
    pub default: Option<Argument>,
    /// Whether it may be left unset without a default; `when: name` asks for it.
    pub optional: bool,
    /// For people.
    pub help: Option<String>,
}

/// The type of a parameter, with its bounds.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Any text; with a pattern, text that the whole pattern matches.
    Text(Option<Regex>),
    /// A whole number within bounds.
    Int(Bounds),
    /// `64M`, `1G`: bytes, with the suffixes of PHP (K, M, G); bounds in bytes.
    Size(Bounds),
    /// `30s`, `5m`, `2h`; bounds in seconds.
    Duration(Bounds),
    /// `true` or `false`.
    Bool,
    /// One of a few words.
    Enum(Vec<String>),
    /// An absolute path.
    Path,
    /// A DNS name.
    Hostname,
    /// `10.0.0.0/16`.
    Cidr,
    /// 1 to 65535.
    Port,
    /// Quoted octal digits.
    Mode,
    /// A list of text.
    List,
    /// A reference to a secret.
    Secret,
}

/// A value that was checked against its parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Argument {
    /// Text of any textual type, sizes and durations included, as it was written.
    Text(String),
    /// A number.
    Int(i64),
    /// `true` or `false`.
    Bool(bool),
    /// A list of text.
    List(Vec<String>),
    /// Never a value.
    Secret(SecretReference),
}

/// The words that `type:` takes.
pub(super) const TYPES: [&str; 13] = [
    "string", "int", "size", "duration", "bool", "enum", "path", "hostname", "cidr", "port",
    "mode", "list", "secret",
];

impl Parameter {
    /// Reads one entry of `params`.
    pub(crate) fn read(name: &str, node: &Node, review: &Review) -> Option<Self> {
        const KEYS: [&str; 9] = [
            "type", "default", "optional", "min", "max", "help", "pattern", "values", "requires",
        ];
        let fields = Fields::of(node, format!("the parameter `{name}`"), &KEYS, review)?;
        let type_name = fields.required("type", document::text)?;
        let kind = Self::kind(type_name, &fields, review)?;
        for (key, types) in [
            ("pattern", &["string"][..]),
            ("values", &["enum"]),
            ("min", &["int", "size", "duration"]),
            ("max", &["int", "size", "duration"]),
        ] {
            if let Some(found) = fields.key(key).filter(|_| !types.contains(&type_name)) {
                let message = format!("`{key}` has no meaning for a parameter of type {type_name}");
                review
                    .error(found.span.clone(), message)
                    .help(format!("it goes with: {}", types.join(", ")));
            }
        }
        let optional = fields
            .optional("optional", document::boolean)
            .unwrap_or(false);
        let default = match (fields.get("default"), &kind) {
            (Some(node), Kind::Secret) => {
                masked::report(node, "a secret has no default".to_owned(), review);
                None
            }
            (Some(node), kind) => kind.check(name, None, node, review),
            (None, _) => None,
        };
        let help = fields.optional("help", document::text).map(str::to_owned);
        Some(Self {
            name: name.to_owned(),
            kind,
            default,
            optional,
            help,
        })
    }

    fn kind(type_name: &str, fields: &Fields<'_>, review: &Review) -> Option<Kind> {
        Some(match type_name {
            "string" => Kind::Text(
                match fields.optional("pattern", |node, review| {
                    let text = document::text(node, review)?;
                    Regex::new(&format!("^(?:{text})$"))
                        .inspect_err(|error| {
                            review
                                .error(
                                    node.span.clone(),
                                    format!("this pattern cannot be read: {error}"),
                                )
                                .help(
                                    "a regular expression for the whole text: `[a-z]+-[0-9]{1,3}`",
                                );
                        })
                        .ok()
                }) {
                    None if fields.get("pattern").is_some() => return None,
                    pattern => pattern,
                },
            ),
            "int" => Kind::Int(Bounds::read(fields, review, document::integer)),
            "size" => Kind::Size(Bounds::read(fields, review, |node, review| {
                let size = document::scalar(node, review).and_then(|text| parse_size(&text));
                if size.is_none() {
                    review
                        .error(node.span.clone(), "expected a size such as 64M or 1G")
                        .help("a size is a number with K, M or G: 256M");
                }
                size
            })),
            "duration" => Kind::Duration(Bounds::read(fields, review, |node, review| {
                document::duration(node, review).and_then(|time| time.as_secs().try_into().ok())
            })),
            "bool" => Kind::Bool,
            "enum" => Kind::Enum(fields.required("values", |node, review| {
                let items = document::items(node, review)?;
                if items.is_empty() {
                    review
                        .error(node.span.clone(), "an enum needs at least one value")
                        .help("list its words: `values: [small, large]`");
                    return None;
                }
                items
                    .iter()
                    .map(|item| document::scalar(item, review))
                    .collect::<Option<Vec<_>>>()
            })?),
            "path" => Kind::Path,
            "hostname" => Kind::Hostname,
            "cidr" => Kind::Cidr,
            "port" => Kind::Port,
            "mode" => Kind::Mode,
            "list" => Kind::List,
            "secret" => Kind::Secret,
            other => {
                let span = fields.get("type").map_or(0..0, |node| node.span.clone());
                let finding = review.error(span, format!("there is no parameter type `{other}`"));
                match document::suggestion(other, TYPES) {
                    Some(similar) => finding.help(format!("did you mean `{similar}`?")),
                    None => finding.help(format!("types are: {}", TYPES.join(", "))),
                };
                return None;
            }
        })
    }
}

impl Kind {
    /// Checks a value; what is wrong is reported at the value.
    pub(crate) fn check(
        &self,
        name: &str,
        help: Option<&str>,
        node: &Node,
        review: &Review,
    ) -> Option<Argument> {
        match self.argument(node, review) {
            Ok(argument) => argument,
            Err(why) if self.has_pattern() && help.is_some() => {
                let help = help.unwrap_or_default();
                let message = format!("this is no value for `{name}`: expected {help}");
                review.error(node.span.clone(), message).help(why);
                None
            }
            Err(why) => {
                let message = format!("this is no value for `{name}`: {why}");
                if matches!(self, Self::Secret) {
                    masked::report(node, message, review);
                } else {
                    review
                        .error(node.span.clone(), message)
                        .help(self.advice(name, node));
                }
                None
            }
        }
    }

    /// `Ok(None)` is a mistake that a reader has reported already.
    fn argument(&self, node: &Node, review: &Review) -> Result<Option<Argument>, String> {
        let text = match &node.value {
            Value::Text { text, .. } => Some(text.clone()),
            Value::Int(_) if !matches!(self, Self::Mode) => document::scalar(node, review),
            Value::Float(_) if matches!(self, Self::Text(_) | Self::Enum(_)) => {
                document::scalar(node, review)
            }
            _ => None,
        };
        let number = match node.value {
            Value::Int(value) => Some(value),
            _ => None,
        };
        let found = node.kind();
        let expected = |what: &str| format!("expected {what}, found {found}");
        let as_text = |text: String| Ok(Some(Argument::Text(text)));
        match self {
            Self::Text(pattern) => {
                let text = text.ok_or_else(|| expected("text"))?;
                match pattern {
                    Some(pattern) if !pattern.is_match(&text) => {
                        let shown = pattern
                            .as_str()
                            .trim_start_matches("^(?:")
                            .trim_end_matches(")$");
                        Err(format!("it does not match the pattern {shown}"))
                    }
                    _ => as_text(text),
                }
            }
            Self::Int(bounds) => {
                let meant = || {
                    text.as_deref()
                        .and_then(document::as_number)
                        .map(|(why, _)| why.to_owned())
                };
                let number =
                    number.ok_or_else(|| meant().unwrap_or_else(|| expected("a whole number")))?;
                bounds.against(number, |bound| bound.to_string())?;
                Ok(Some(Argument::Int(number)))
            }
            Self::Port => match number {
                Some(number @ 1..=65535) => Ok(Some(Argument::Int(number))),
                _ => Err("a port is a number from 1 to 65535".to_owned()),
            },
            Self::Size(bounds) => {
                let size = text.as_deref().and_then(parse_size);
                let size =
                    size.ok_or_else(|| "a size is a number with K, M or G: 256M".to_owned())?;
                bounds.against(size, written_size)?;
                as_text(text.unwrap_or_default())
            }
            Self::Duration(bounds) => {
                let seconds = text.as_deref().and_then(document::parse_duration);
                let seconds = seconds.and_then(|time| i64::try_from(time.as_secs()).ok());
                let seconds = seconds.ok_or_else(|| "a duration is 30s, 5m or 2h".to_owned())?;
                bounds.against(seconds, |bound| format!("{bound}s"))?;
                as_text(text.unwrap_or_default())
            }
            Self::Bool => match node.value {
                Value::Bool(value) => Ok(Some(Argument::Bool(value))),
                _ => Err(expected("true or false")),
            },
            Self::Enum(values) => match text {
                Some(text) if values.contains(&text) => as_text(text),
                _ => Err(format!("it is one of: {}", values.join(", "))),
            },
            Self::Path => match text {
                Some(text) => is_path(&text).and_then(|()| as_text(text)),
                None => Err(expected("an absolute path")),
            },
            Self::Hostname => match text {
                Some(text) if is_hostname(&text) => as_text(text),
                _ => Err("a host name is made of letters, digits, `-` and `.`".to_owned()),
            },
            Self::Cidr => match text {
                Some(text) if is_cidr(&text) => as_text(text),
                _ => Err("a range is written as 10.0.0.0/16".to_owned()),
            },
            Self::Mode => match &node.value {
                Value::Text { text, plain: false } if parse_mode(text).is_some() => {
                    as_text(text.clone())
                }
                _ => Err("a mode is written in quotes: \"0644\"".to_owned()),
            },
            Self::List => {
                let Value::List(items) = &node.value else {
                    return Err(expected("a list"));
                };
                Ok(items
                    .iter()
                    .map(|item| document::scalar(item, review))
                    .collect::<Option<Vec<_>>>()
                    .map(Argument::List))
            }
            Self::Secret => {
                let text = text.ok_or_else(|| expected("a reference"))?;
                Ok(Some(Argument::Secret(SecretReference::parse(&text)?)))
            }
        }
    }
}
