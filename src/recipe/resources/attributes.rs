//! Whose a file or directory is and what its mode is; the names of users and groups.

use super::{names, plain_name};
use crate::document::{Fields, Node, Review, Value};
use crate::recipe::forms::parse_mode;
use crate::recipe::look;

/// Owner, group and mode of a file or directory.
pub(super) struct Attributes {
    pub(super) owner: String,
    pub(super) group: String,
    pub(super) mode: String,
    /// The mode as a number.
    pub(super) bits: u32,
}

impl Attributes {
    /// Reads `owner`, `group` and `mode`; root's, and `default_mode`, where they are not said.
    pub(super) fn read(fields: &Fields<'_>, default_mode: &str) -> Option<Self> {
        let owner = fields
            .optional("owner", account)
            .unwrap_or_else(|| "root".to_owned());
        let group = fields
            .optional("group", account)
            .unwrap_or_else(|| "root".to_owned());
        let (mode, bits) = if fields.get("mode").is_some() {
            fields.optional("mode", mode)?
        } else {
            (default_mode.to_owned(), parse_mode(default_mode)?)
        };
        Some(Self {
            owner,
            group,
            mode,
            bits,
        })
    }

    /// What a look compares; `kind` are the type bits of `st_mode`.
    pub(super) fn expected(&self, kind: u32) -> look::Attributes {
        look::Attributes {
            bits: kind | self.bits,
            owner: self.owner.clone(),
            group: self.group.clone(),
        }
    }
}

/// `S_IFREG` of `inode(7)`.
pub(super) const REGULAR_FILE: u32 = 0o100_000;

/// `S_IFDIR` of `inode(7)`.
pub(super) const DIRECTORY: u32 = 0o040_000;

/// The name or number of a user or group.
pub(super) fn account(node: &Node, review: &Review) -> Option<String> {
    let name = plain_name(node, review)?;
    without_colon(&name, node, review).then_some(name)
}

/// The name of a user or group that is made: those of digits alone are numbers to all who look them up.
pub(super) fn new_account(node: &Node, review: &Review) -> Option<String> {
    let name = account(node, review)?;
    if name.bytes().all(|byte| byte.is_ascii_digit()) {
        review
            .error(
                node.span.clone(),
                format!("`{name}` is a number, and no name of a user or group"),
            )
            .help("a name begins with a letter; the number is given by `uid` or `gid`");
        return None;
    }
    Some(name)
}

/// One group, or a list of them.
pub(super) fn groups(node: &Node, review: &Review) -> Option<Vec<String>> {
    let groups = names(node, review)?;
    let good = groups.iter().all(|name| without_colon(name, node, review));
    good.then_some(groups)
}

fn without_colon(name: &str, node: &Node, review: &Review) -> bool {
    let Some((owner, group)) = name.split_once(':') else {
        return true;
    };
    review
        .error(
            node.span.clone(),
            format!("`{name}` is no name of a user or group: it holds a colon"),
        )
        .help(format!(
            "owner and group are said apart: `owner: {owner}`, `group: {group}`"
        ));
    false
}

/// A quoted octal mode; gives its digits and its bits.
pub(in crate::recipe) fn mode(node: &Node, review: &Review) -> Option<(String, u32)> {
    match &node.value {
        Value::Text { text, plain: false } if parse_mode(text).is_some() => {
            parse_mode(text).map(|bits| (text.clone(), bits))
        }
        _ => {
            let written = review.source().slice(&node.span).trim_matches('"');
            let digits = written.trim_start_matches("0o");
            if parse_mode(digits).is_none() {
                review
                    .error(node.span.clone(), format!("`{written}` is no mode"))
                    .help("a mode is three or four octal digits in quotes: \"0644\" (everybody reads), \"0640\" (the group reads), \"0755\" (and runs it)");
                return None;
            }
            review
                .error(
                    node.span.clone(),
                    "a mode without quotes means different numbers to different readers",
                )
                .help(format!("quote the mode: \"{digits}\""));
            None
        }
    }
}
