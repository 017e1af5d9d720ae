//! What steps can be: each resource is read from its tree and becomes one call of a function of the prelude.
//!
//! Every function checks first and changes only what differs. Values are words of the call, quoted; none is ever
//! pasted into a command.

use super::forms::{is_path, parse_mode};
use super::interpolate::Scope;
use super::library::Files;
use super::model::Role;
use crate::document::{self, Fields, Key, Node, Review, Value};

mod absent;
mod archive;
mod directory;
mod file;
mod ini;
mod line;
mod link;
mod mount;
mod package;
mod run;
mod secret_file;
pub(in crate::recipe) mod service;
mod user;

pub(crate) use run::{HANDLER_SHELL, environment, handler};

/// The words for resources, as they stand in recipes.
pub(crate) const KINDS: [&str; 13] = [
    "package",
    "directory",
    "file",
    "ini",
    "line",
    "user",
    "mount",
    "archive",
    "service",
    "run",
    "secret-file",
    "link",
    "absent",
];

/// One call of a function of the prelude, and what it looks at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Work {
    /// The function and its arguments, not yet quoted.
    pub(crate) words: Vec<String>,
    /// Paths whose type, owner, group and mode the call compares.
    pub(crate) attributes: Vec<String>,
    /// Files whose content the call compares.
    pub(crate) contents: Vec<String>,
    /// The path that the call may change, so that no stale look at it is used afterwards.
    pub(crate) claims: Vec<String>,
    /// Whether anything on the machine may be different afterwards.
    pub(crate) ends_epoch: bool,
    /// Secrets that the call fetches, as `parameter=reference`.
    pub(crate) secrets: Vec<String>,
}

impl Work {
    /// A call whose effects are known by its arguments alone.
    fn call(function: &str, arguments: impl IntoIterator<Item = String>) -> Self {
        let words = std::iter::once(function.to_owned())
            .chain(arguments)
            .collect();
        Self {
            words,
            ..Self::default()
        }
    }

    /// A call after which everything must be looked at again.
    fn upheaval(function: &str, arguments: impl IntoIterator<Item = String>) -> Self {
        Self {
            ends_epoch: true,
            ..Self::call(function, arguments)
        }
    }
}

/// Where a resource is read.
pub(crate) struct Site<'a> {
    pub(crate) role: Role,
    pub(crate) scope: &'a Scope,
    pub(crate) files: &'a Files,
    pub(crate) review: &'a Review,
}

/// The entries of a resource that are shell commands, into which nothing is put.
pub(crate) fn shell_keys(kind: &str) -> &'static [&'static str] {
    match kind {
        "run" => &["command", "unless", "only-if"],
        "file" => &["check"],
        _ => &[],
    }
}

/// Reads a resource whose references are resolved.
pub(crate) fn read(kind: &Key, node: &Node, site: &Site<'_>) -> Option<Work> {
    match kind.text.as_str() {
        "package" => package::read(node, site),
        "directory" => directory::read(node, site),
        "file" => file::read(node, site),
        "ini" => ini::read(node, site),
        "line" => line::read(node, site),
        "user" => user::read(node, site),
        "mount" => mount::read(node, site),
        "archive" => archive::read(node, site),
        "service" => service::read(node, site),
        "run" => run::read(node, site),
        "secret-file" => secret_file::read(node, site),
        "link" => link::read(node, site),
        "absent" => absent::read(node, site),
        _ => None,
    }
}

/// An absolute path.
pub(super) fn path(node: &Node, review: &Review) -> Option<String> {
    let text = document::text(node, review)?;
    match is_path(text) {
        Ok(()) => Some(text.to_owned()),
        Err(why) => {
            review.error(
                node.span.clone(),
                format!("`{text}` is no path here: {why}"),
            );
            None
        }
    }
}

/// A quoted octal mode; gives its digits and its bits.
fn mode(node: &Node, review: &Review) -> Option<(String, u32)> {
    match &node.value {
        Value::Text { text, plain: false } if parse_mode(text).is_some() => {
            parse_mode(text).map(|bits| (text.clone(), bits))
        }
        Value::Text { text, plain: false } => {
            review
                .error(node.span.clone(), format!("`{text}` is no mode"))
                .help("a mode is three or four octal digits in quotes: \"0644\"");
            None
        }
        _ => {
            let written = review.source().slice(&node.span).to_owned();
            review
                .error(
                    node.span.clone(),
                    "a mode without quotes means different numbers to different readers",
                )
                .help(format!("quote the mode: \"{written}\""));
            None
        }
    }
}

/// The name of a user, a group, a service: no blanks, nothing that begins an option.
pub(super) fn plain_name(node: &Node, review: &Review) -> Option<String> {
    let text = document::scalar(node, review)?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.@:+\\".contains(&byte);
    if text.is_empty() || text.starts_with('-') || !text.bytes().all(allowed) {
        review.error(node.span.clone(), format!("`{text}` is no name"));
        return None;
    }
    Some(text)
}

/// One name, or a list of names.
pub(super) fn names(node: &Node, review: &Review) -> Option<Vec<String>> {
    let Value::List(items) = &node.value else {
        return Some(vec![plain_name(node, review)?]);
    };
    if items.is_empty() {
        review.error(node.span.clone(), "the list is empty");
        return None;
    }
    items.iter().map(|item| plain_name(item, review)).collect()
}

/// Text on one line.
fn single_line(node: &Node, review: &Review) -> Option<String> {
    let text = document::scalar(node, review)?;
    if text
        .chars()
        .any(|character| character.is_control() && character != '\t')
    {
        review.error(node.span.clone(), "expected one line");
        return None;
    }
    Some(text)
}

/// Owner, group and mode of a file or directory.
struct Attributes {
    owner: String,
    group: String,
    mode: String,
    bits: u32,
}

impl Attributes {
    /// Reads `owner`, `group` and `mode`; root's, and `default_mode`, where they are not said.
    fn read(fields: &Fields<'_>, default_mode: &str) -> Option<Self> {
        let owner = fields
            .optional("owner", plain_name)
            .unwrap_or_else(|| "root".to_owned());
        let group = fields
            .optional("group", plain_name)
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

    /// What `stat -c '%f|%U|%G|%n'` prints when all is as it should be; `kind` are the type bits of `st_mode`.
    fn expected(&self, kind: u32, path: &str) -> String {
        format!(
            "{:x}|{}|{}|{path}",
            kind | self.bits,
            self.owner,
            self.group
        )
    }
}

/// `S_IFREG` of `inode(7)`.
const REGULAR_FILE: u32 = 0o100_000;

/// `S_IFDIR` of `inode(7)`.
const DIRECTORY: u32 = 0o040_000;
