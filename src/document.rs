//! YAML text becomes a tree with places, and mistakes become diagnostics with an excerpt.
//!
//! Settings and recipes are read in two steps: [`Document::parse`] makes a tree in which every value knows where it
//! stands, and the checked readers ([`Fields`], [`text()`], [`integer`], …) take values out of it and report what is
//! wrong to a [`Review`]. Nothing stops at the first mistake: a review collects all of a file.
//!
//! This module and its children are the only place that knows the YAML crate.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

mod diagnostic;
mod fields;
mod parse;
mod read;
mod synonyms;
mod text;

pub use diagnostic::{Diagnostic, Diagnostics, Finding, Review};
pub use fields::{Fields, suggestion};
pub use read::{
    as_number, boolean, duration, entries, headers, integer, items, one_of, parse_duration, scalar,
    text,
};
pub use text::text_of;

/// A file's text with its name: cheap to clone, and all that is needed to show an excerpt.
#[derive(Clone, PartialEq, Eq)]
pub struct Source(Arc<File>);

/// A file, and where its lines begin, once somebody asks: a recipe of a thousand steps asks as often.
struct File {
    path: PathBuf,
    text: String,
    lines: OnceLock<Vec<usize>>,
}

impl PartialEq for File {
    fn eq(&self, other: &Self) -> bool {
        (&self.path, &self.text) == (&other.path, &other.text)
    }
}

impl Eq for File {}

/// Where something stands in a file; prints as `path:line:column`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, as it was named by who opened it.
    pub path: PathBuf,
    /// Counted from one.
    pub line: usize,
    /// In characters, counted from one.
    pub column: usize,
}

/// A YAML file: its text and its tree.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// The text and its name.
    pub source: Source,
    /// The outermost value; [`Value::Null`] for an empty file.
    pub root: Node,
}

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What it is.
    pub value: Value,
    /// Bytes of the source; of an alias, those of the alias.
    pub span: Range<usize>,
}

/// What a YAML value is. Words as in YAML 1.2: `yes` and `on` are text; so is a number with a leading zero.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A decimal number without a fraction.
    Int(i64),
    /// A decimal number with a fraction or an exponent.
    Float(f64),
    /// Everything else that is one scalar.
    Text {
        /// The text, unescaped.
        text: String,
        /// Whether it was written without quotes (`mode: 0644` is a mistake, `mode: "0644"` is not).
        plain: bool,
    },
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order of the file; no key stands twice.
    Map(Vec<(Key, Node)>),
}

/// The key of a mapping's entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The key.
    pub text: String,
    /// Bytes of the source.
    pub span: Range<usize>,
}

impl Source {
    /// Names a text; the path is only shown, never opened.
    pub fn new(path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        Self(Arc::new(File {
            path: path.into(),
            text: text.into(),
            lines: OnceLock::new(),
        }))
    }

    /// The name.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// The text as it is written at a span; empty where the span is not one of this text.
    pub fn slice(&self, span: &Range<usize>) -> &str {
        self.text().get(span.clone()).unwrap_or_default()
    }

    /// Line and column of a byte.
    pub fn place(&self, offset: usize) -> Place {
        let mut end = offset.min(self.text().len());
        while !self.text().is_char_boundary(end) {
            end -= 1;
        }
        let lines = self.0.lines.get_or_init(|| {
            let newlines = self.text().match_indices('\n');
            std::iter::once(0)
                .chain(newlines.map(|(at, _)| at + 1))
                .collect()
        });
        let line = lines.partition_point(|begin| *begin <= end);
        let begin = lines.get(line - 1).copied().unwrap_or_default();
        let before = self.text().get(begin..end).unwrap_or_default();
        Place {
            path: self.path().to_owned(),
            line,
            column: before.chars().count() + 1,
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Source({})", self.path().display())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}:{}:{}",
            self.path.display(),
            self.line,
            self.column
        )
    }
}

impl Document {
    /// Reads a YAML text; `path` is its name in diagnostics.
    ///
    /// # Errors
    /// What is not YAML, keys that stand twice, tags, merge keys, and a second document.
    pub fn parse(path: &Path, text: String) -> Result<Self, Diagnostics> {
        let (document, found) = Self::read(path, text);
        match document {
            Some(document) => found.or(document),
            None => Err(found),
        }
    }

    /// As [`Document::parse`], and gives the tree also where something in it is wrong, so that its other mistakes show
    /// together with that. There is none where the text is not YAML at all.
    pub fn read(path: &Path, text: String) -> (Option<Self>, Diagnostics) {
        parse::document(&Source::new(path, text))
    }
}

impl Node {
    /// The value of a key, when this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        match &self.value {
            Value::Map(entries) => entries
                .iter()
                .find(|(known, _)| known.text == key)
                .map(|(_, node)| node),
            _ => None,
        }
    }

    /// What this is, for messages: "text", "a list".
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "true or false",
            Value::Int(_) | Value::Float(_) => "a number",
            Value::Text { .. } => "text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Node {
        Document::parse(Path::new("a.yaml"), text.to_owned())
            .unwrap()
            .root
    }

    fn refused(text: &str) -> String {
        Document::parse(Path::new("a.yaml"), text.to_owned())
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn scalars_are_what_yaml_1_2_says_and_know_their_place() {
        let text = "a: 1\nb: 0644\nc: \"0644\"\nd: yes\ne: true\nf: 1.5\ng:\nh: -7\n";
        let root = parsed(text);
        assert_eq!(root.get("a").unwrap().value, Value::Int(1));
        assert_eq!(
            root.get("b").unwrap().value,
            Value::Text {
                text: "0644".into(),
                plain: true
            }
        );
        assert_eq!(
            root.get("c").unwrap().value,
            Value::Text {
                text: "0644".into(),
                plain: false
            }
        );
        assert_eq!(
            root.get("d").unwrap().value,
            Value::Text {
                text: "yes".into(),
                plain: true
            }
        );
        assert_eq!(root.get("e").unwrap().value, Value::Bool(true));
        assert_eq!(root.get("f").unwrap().value, Value::Float(1.5));
        assert_eq!(root.get("g").unwrap().value, Value::Null);
        assert_eq!(root.get("h").unwrap().value, Value::Int(-7));
        assert_eq!(&text[root.get("c").unwrap().span.clone()], "\"0644\"");
        let source = Source::new("a.yaml", text);
        assert_eq!(
            source.place(root.get("d").unwrap().span.start).to_string(),
            "a.yaml:4:4"
        );
    }

    #[test]
    fn aliases_stand_for_what_they_name() {
        let root = parsed("a: &x [1, 2]\nb: *x\n");
        assert_eq!(root.get("a").unwrap().value, root.get("b").unwrap().value);
        assert!(refused("a: *y\n").contains("a.yaml:1:4"));
    }

    #[test]
    fn an_alias_bomb_is_refused() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..9 {
            let names = vec![format!("*a{}", level - 1); 10].join(", ");
            text = format!("{text}a{level}: &a{level} [{names}]\n");
        }
        assert!(refused(&text).contains("more than"), "{}", refused(&text));
    }

    #[test]
    fn a_duplicate_key_is_shown_with_the_place_of_the_first() {
        insta::assert_snapshot!(refused("name: a\nother: b\nname: c\n"), @r"
        error: the key `name` stands twice
         --> a.yaml:3:1
          |
        3 | name: c
          | ^^^^ again here
          |
          = help: it stands first at a.yaml:1:1; remove one
        ");
    }

    #[test]
    fn broken_yaml_names_its_place() {
        let message = refused("steps:\n  - a: [1, 2\n  - b\n");
        assert!(message.contains("a.yaml:"), "{message}");
        let message = refused("a: {path: ${{ efs }}}\n");
        assert!(message.contains("put quotes around it"), "{message}");
    }

    #[test]
    fn two_documents_tags_merge_keys_and_tabs_are_refused() {
        assert!(refused("a: 1\n---\nb: 2\n").contains("second document"));
        assert!(refused("a: !include x\n").contains("tag"));
        assert!(refused("x: &x {a: 1}\ny:\n  <<: *x\n").contains("merge"));
        assert!(refused("a:\n\tb: 1\n").contains("a.yaml:2"));
        assert!(refused("? [a]\n: 1\n").contains("a key must be text"));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "[ \\-:a-c\n\"'{}\\[\\]&*!|>#,?$é\t0-9]{0,80}") {
            if let Err(diagnostics) = Document::parse(Path::new("p.yaml"), text) {
                assert!(!diagnostics.to_string().is_empty());
            }
        }
    }
}
