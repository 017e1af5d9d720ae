//! The entries of a mapping: known keys only, with "did you mean".

use std::ops::Range;

use super::{Key, Node, Review, Value, synonyms};

/// A mapping whose keys were checked.
#[derive(Debug)]
pub struct Fields<'a> {
    what: String,
    node: &'a Node,
    entries: &'a [(Key, Node)],
    review: &'a Review,
}

impl<'a> Fields<'a> {
    /// Takes a mapping; reports what is no mapping, and every unknown key. `what` is what it is in messages:
    /// "a pipeline", "the step `file`".
    pub fn of(
        node: &'a Node,
        what: impl Into<String>,
        known: &[&str],
        review: &'a Review,
    ) -> Option<Self> {
        let what = what.into();
        let Value::Map(entries) = &node.value else {
            review
                .error(
                    node.span.clone(),
                    format!("{what} is a map, not {}", node.kind()),
                )
                .help(match &node.value {
                    Value::Text { text, .. }
                        if text.starts_with('/') && known.contains(&"path") =>
                    {
                        format!(
                            "write `{{path: {text}}}`; its keys are: {}",
                            known.join(", ")
                        )
                    }
                    _ => format!("its keys are: {}", known.join(", ")),
                });
            return None;
        };
        for (key, value) in entries {
            if known.contains(&key.text.as_str()) {
                continue;
            }
            let finding = review.error(
                key.span.clone(),
                format!("unknown key `{}` in {what}", key.text),
            );
            let explained = synonyms::explained(&key.text)
                .filter(|_| what.starts_with("the step") || what.starts_with("a step"));
            if value.value == Value::Null && !has_colon(key, review) {
                // What stands behind a comma in `{help: this, and that}`.
                finding.help("inside {…} a text with a comma needs quotes");
            } else if let Some(help) = explained {
                finding.help(help);
            } else if let Some(similar) = suggestion(&key.text, known.iter().copied()) {
                finding.help(format!("did you mean `{similar}`?"));
            } else {
                finding.help(format!("known keys: {}", known.join(", ")));
            }
        }
        Some(Self {
            what,
            node,
            entries,
            review,
        })
    }

    /// The value of a key, if it is there; `key:` with nothing after it counts as not there.
    pub fn get(&self, key: &str) -> Option<&'a Node> {
        let (_, node) = self.entries.iter().find(|(known, _)| known.text == key)?;
        (node.value != Value::Null).then_some(node)
    }

    /// Where a key stands.
    pub fn key(&self, key: &str) -> Option<&'a Key> {
        self.entries
            .iter()
            .map(|(known, _)| known)
            .find(|known| known.text == key)
    }

    /// Reads a key that may be left out: `fields.optional("port", document::integer)`.
    pub fn optional<T>(
        &self,
        key: &str,
        read: impl FnOnce(&'a Node, &Review) -> Option<T>,
    ) -> Option<T> {
        self.get(key).and_then(|node| read(node, self.review))
    }

    /// Reads a key that must be there; reports it when it is not.
    pub fn required<T>(
        &self,
        key: &str,
        read: impl FnOnce(&'a Node, &Review) -> Option<T>,
    ) -> Option<T> {
        let Some(node) = self.get(key) else {
            self.missing(key);
            return None;
        };
        read(node, self.review)
    }

    /// Reports that a key is missing.
    pub fn missing(&self, key: &str) {
        self.review
            .error(self.head(), format!("{} needs the key `{key}`", self.what))
            .help(format!("add `{key}: …`"));
    }

    /// What it is in messages.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// All entries, in the order of the file.
    pub fn entries(&self) -> &'a [(Key, Node)] {
        self.entries
    }

    /// The mapping itself.
    pub fn node(&self) -> &'a Node {
        self.node
    }

    /// Where to point for a mistake of the mapping as a whole: its first key, else all of it.
    pub fn head(&self) -> Range<usize> {
        self.entries
            .first()
            .map_or_else(|| self.node.span.clone(), |(key, _)| key.span.clone())
    }
}

/// Whether a key was written as one.
fn has_colon(key: &Key, review: &Review) -> bool {
    let after = review.source().text().get(key.span.end..);
    after.is_none_or(|after| after.trim_start().starts_with(':'))
}

/// The known word that a misspelt one is close to.
pub fn suggestion<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let known: Vec<&str> = known.into_iter().collect();
    let foreign = synonyms::of(&lower).find_map(|ours| known.iter().find(|known| **known == ours));
    if let Some(ours) = foreign {
        return Some(ours);
    }
    known
        .into_iter()
        .map(|candidate| {
            let distance = strsim::damerau_levenshtein(&lower, &candidate.to_lowercase());
            (distance, candidate)
        })
        .filter(|(distance, candidate)| *distance <= (candidate.len().max(word.len()) / 3).max(1))
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::document::{Document, duration, integer, items, text};

    fn report(yaml: &str) -> String {
        let document = Document::parse(Path::new("s.yaml"), yaml.to_owned()).unwrap();
        let review = Review::of(&document.source);
        let fields = Fields::of(
            &document.root,
            "a pipeline",
            &["name", "size", "wait", "tags"],
            &review,
        );
        if let Some(fields) = fields {
            let _ = fields.required("name", text);
            let _ = fields.optional("size", integer);
            let _ = fields.optional("wait", duration);
            let _ = fields.optional("tags", items);
        }
        review.finish(()).unwrap_err().to_string()
    }

    #[test]
    fn all_mistakes_of_a_map_are_reported_together() {
        insta::assert_snapshot!(report("nmae: x\nsize: big\nwait: 5 hours\ntags: {a: b}\n"), @r"
        error: unknown key `nmae` in a pipeline
         --> s.yaml:1:1
          |
        1 | nmae: x
          | ^^^^
          |
          = help: did you mean `name`?

        error: a pipeline needs the key `name`
         --> s.yaml:1:1
          |
        1 | nmae: x
          | ^^^^
          |
          = help: add `name: …`

        error: expected a whole number, found `big`
         --> s.yaml:2:7
          |
        2 | size: big
          |       ^^^
          |
          = help: write digits alone, without quotes: `key: 8`

        error: expected a duration such as 30s, 5m or 2h, found `5 hours`
         --> s.yaml:3:7
          |
        3 | wait: 5 hours
          |       ^^^^^^^
          |
          = help: write a number and one of s, m, h, d, with no blank between: `key: 30s`

        error: expected a list, found a map
         --> s.yaml:4:7
          |
        4 | tags: {a: b}
          |       ^^^^^^
          |
          = help: write `key: [one, two]`, or each item on a line of its own after `- `
        ");
    }

    #[test]
    fn a_list_where_a_map_belongs() {
        insta::assert_snapshot!(report("- a\n"), @r"
        error: a pipeline is a map, not a list
         --> s.yaml:1:1
          |
        1 | - a
          | ^^^
          |
          = help: its keys are: name, size, wait, tags
        ");
    }

    #[test]
    fn suggestions_are_for_near_misses_only() {
        assert_eq!(suggestion("pakage", ["package", "file"]), Some("package"));
        assert_eq!(suggestion("zebra", ["package", "file"]), None);
        assert_eq!(suggestion("File", ["package", "file"]), Some("file"));
        assert_eq!(suggestion("apt", ["package", "file"]), Some("package"));
        assert_eq!(suggestion("src", ["path", "source"]), Some("source"));
    }
}
