//! What a parameter is compared with in `when: parameter == value`.

use super::Kind;
use crate::document::{Node, Review, Value};

impl Kind {
    /// Tells why no value of this type is ever written like this.
    pub(in crate::recipe) fn compared(&self, text: &str, review: &Review) -> Result<(), String> {
        let as_text = Value::Text {
            text: text.to_owned(),
            plain: false,
        };
        let value = match (self, text) {
            (Self::Bool, "true" | "false") => Value::Bool(text == "true"),
            (Self::Int(_) | Self::Port, _) => text
                .parse()
                .ok()
                .filter(|number: &i64| number.to_string() == text)
                .map_or(as_text, Value::Int),
            _ => as_text,
        };
        let node = Node { value, span: 0..0 };
        match (self.argument(&node, review), self) {
            (Ok(_), _) => Ok(()),
            (Err(_), Self::Bool) => Err("it is true or false".to_owned()),
            (Err(why), _) => Err(why),
        }
    }

    /// What to write in place of what it never equals.
    pub(in crate::recipe) fn advice_to_compare(&self, name: &str, written: &str) -> String {
        match self {
            Self::Bool => {
                format!("write `when: {name}`, `when: not {name}` or `when: {name} == true`")
            }
            Self::Text(Some(_)) => {
                format!("compare it with a text that the pattern of `{name}` lets through")
            }
            _ => format!("for example `when: {name} == {}`", self.near(written)),
        }
    }
}
