//! Values as they are written, to show the form of one.

use super::{Bounds, Kind};
use crate::document::{self, Node, Value};
use crate::recipe::forms::{is_path, written_size};

impl Kind {
    /// Whether its values are bound to a pattern.
    pub(super) fn has_pattern(&self) -> bool {
        matches!(self, Self::Text(Some(_)))
    }

    /// What to write in place of a wrong value.
    pub(super) fn advice(&self, name: &str, wrong: &Node) -> String {
        if self.has_pattern() {
            return format!(
                "the pattern is a regular expression for all of `{name}`; `goldseed recipe show` tells what it is for"
            );
        }
        format!("for example `{name}: {}`", self.example(wrong))
    }

    /// A value that this type takes, as near to the wrong one as can be.
    fn example(&self, wrong: &Node) -> String {
        self.near(match &wrong.value {
            Value::Text { text, .. } => text.as_str(),
            _ => "",
        })
    }

    /// A value that this type takes, as near to this text as can be.
    pub(super) fn near(&self, written: &str) -> String {
        match self {
            Self::Text(_) => "\"some words\"".to_owned(),
            Self::Int(bounds) => {
                let meant = document::as_number(written).map_or(8, |(_, number)| number);
                bounds.nearest(meant).to_string()
            }
            Self::Size(bounds) => written_size(bounds.nearest(256 << 20)),
            Self::Duration(bounds) => format!("{}s", bounds.nearest(30)),
            Self::Bool => (!matches!(written, "no" | "off" | "n")).to_string(),
            Self::Enum(values) => {
                let known = values.iter().map(String::as_str);
                let near =
                    document::suggestion(written, known).or(values.first().map(String::as_str));
                near.unwrap_or_default().to_owned()
            }
            Self::Path => {
                let path = format!("/{}", written.trim_matches('/'));
                let good = path.len() > 1 && is_path(&path).is_ok();
                if good { path } else { "/srv/www".to_owned() }
            }
            Self::Hostname => "shop.example.com".to_owned(),
            Self::Cidr => "10.0.0.0/16".to_owned(),
            Self::Port => "8080".to_owned(),
            Self::Mode => "\"0644\"".to_owned(),
            Self::List => "[one, two]".to_owned(),
            Self::Secret => "ssm:/path".to_owned(),
        }
    }
}

impl Bounds {
    /// A number within the bounds.
    fn nearest(self, number: i64) -> i64 {
        let number = self.max.map_or(number, |max| number.min(max));
        self.min.map_or(number, |min| number.max(min))
    }
}
