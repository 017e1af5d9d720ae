//! A small XML writer: elements with text, elements with elements, lists.

use std::fmt::{Display, Write as _};

/// A piece of XML that is being written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Xml {
    text: String,
}

impl Xml {
    /// An empty piece.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// The XML so far.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Writes an element that holds text.
    pub(crate) fn text(&mut self, name: &str, value: impl Display) -> &mut Self {
        self.open(name);
        escape(&value.to_string(), &mut self.text);
        self.close(name)
    }

    /// Writes an element that holds text, if there is any.
    pub(crate) fn optional(&mut self, name: &str, value: Option<impl Display>) -> &mut Self {
        match value {
            Some(value) => self.text(name, value),
            None => self,
        }
    }

    /// Writes an element that holds what `write` writes.
    pub(crate) fn within(&mut self, name: &str, write: impl FnOnce(&mut Self)) -> &mut Self {
        self.open(name);
        write(self);
        self.close(name)
    }

    /// Writes a list: one element around, and one named `each` around what `write` writes for each entry.
    pub(crate) fn list<T>(
        &mut self,
        name: &str,
        each: &str,
        entries: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T),
    ) -> &mut Self {
        self.open(name);
        for entry in entries {
            self.open(each);
            write(self, entry);
            self.close(each);
        }
        self.close(name)
    }

    /// Writes a list of plain texts.
    pub(crate) fn texts(
        &mut self,
        name: &str,
        each: &str,
        entries: impl IntoIterator<Item = impl Display>,
    ) -> &mut Self {
        self.list(name, each, entries, |xml, entry| {
            escape(&entry.to_string(), &mut xml.text);
        })
    }

    fn open(&mut self, name: &str) {
        let _ = write!(self.text, "<{name}>");
    }

    fn close(&mut self, name: &str) -> &mut Self {
        let _ = write!(self.text, "</{name}>");
        self
    }
}

/// Escapes text for XML; control characters that XML 1.0 cannot hold become a question mark.
fn escape(text: &str, into: &mut String) {
    for character in text.chars() {
        match character {
            '&' => into.push_str("&amp;"),
            '<' => into.push_str("&lt;"),
            '>' => into.push_str("&gt;"),
            '"' => into.push_str("&quot;"),
            '\r' => into.push_str("&#13;"),
            '\n' | '\t' => into.push(character),
            '\u{fffe}' | '\u{ffff}' => into.push('?'),
            other if other < ' ' => into.push('?'),
            other => into.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_looks_like_markup_stays_text() {
        let mut xml = Xml::new();
        xml.text("name", "a<b>&\"c\"\u{1}");
        assert_eq!(xml.as_str(), "<name>a&lt;b&gt;&amp;&quot;c&quot;?</name>");
    }

    #[test]
    fn lists_have_one_element_an_entry() {
        let mut xml = Xml::new();
        xml.texts("Names", "member", ["a", "b"])
            .list("set", "item", [1, 2], |xml, number| {
                xml.text("id", number);
            })
            .optional("absent", None::<&str>);
        assert_eq!(
            xml.as_str(),
            "<Names><member>a</member><member>b</member></Names><set><item><id>1</id></item><item><id>2</id></item></set>"
        );
    }
}
