//! Types and values as people read them.

use std::fmt;

use super::{Argument, Kind};

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self {
            Self::Text(_) => "string",
            Self::Int(_) => "int",
            Self::Size(_) => "size",
            Self::Duration(_) => "duration",
            Self::Bool => "bool",
            Self::Enum(values) => return formatter.write_str(&values.join(" | ")),
            Self::Path => "path",
            Self::Hostname => "hostname",
            Self::Cidr => "cidr",
            Self::Port => "port",
            Self::Mode => "mode",
            Self::List => "list",
            Self::Secret => "secret",
        };
        formatter.write_str(word)
    }
}

impl fmt::Display for Argument {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) if text.is_empty() => formatter.write_str("\"\""),
            Self::Text(text) => formatter.write_str(text),
            Self::Int(number) => write!(formatter, "{number}"),
            Self::Bool(truth) => write!(formatter, "{truth}"),
            Self::List(items) => write!(formatter, "[{}]", items.join(", ")),
            Self::Secret(reference) => write!(formatter, "{reference}"),
        }
    }
}
