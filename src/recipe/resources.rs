//! What steps can be: each resource is read from its tree and becomes one call of a function of the prelude.
//!
//! Every function checks first and changes only what differs. Values are words of the call, quoted; none is ever
//! pasted into a command.

use super::content::Content;
use super::forms::is_path;
use super::interpolate::Scope;
use super::library::Files;
use super::look::Look;
use super::model::Role;
use crate::document::{self, Fields, Key, Node, Review, Value};

mod absent;
mod archive;
mod attributes;
mod block;
mod cron;
mod directory;
mod file;
mod git;
mod group;
pub(in crate::recipe) mod include;
mod ini;
mod line;
mod link;
mod mount;
mod package;
mod php_extension;
mod php_ini;
pub(in crate::recipe) mod platform;
mod reboot;
mod repository;
mod run;
mod schedule;
mod secret_file;
mod seed;
pub(in crate::recipe) mod service;
mod swap;
mod sysctl;
mod system_file;
mod template;
mod timer;
mod user;
mod wait_for;

pub(super) use attributes::mode;
use attributes::{Attributes, DIRECTORY, REGULAR_FILE};
pub(crate) use run::{HANDLER_SHELL, environment, handler};

/// A type of step: all that the language says of it.
pub(crate) struct Resource {
    /// The word for it, as it stands in recipes.
    pub(crate) name: &'static str,
    /// The keys of its map; none when it is written as a name or a list.
    pub(crate) keys: &'static [&'static str],
    /// Those of its keys that are shell commands, into which nothing is put.
    pub(crate) shell: &'static [&'static str],
    /// Reads it; its references are resolved.
    read: fn(&Node, &Site<'_>) -> Option<Work>,
}

/// All types of steps.
pub(crate) static RESOURCES: [Resource; 26] = [
    package::RESOURCE,
    repository::RESOURCE,
    directory::RESOURCE,
    file::RESOURCE,
    line::RESOURCE,
    block::RESOURCE,
    ini::RESOURCE,
    link::RESOURCE,
    absent::RESOURCE,
    user::RESOURCE,
    group::RESOURCE,
    mount::RESOURCE,
    swap::RESOURCE,
    archive::RESOURCE,
    git::RESOURCE,
    service::RESOURCE,
    cron::RESOURCE,
    timer::RESOURCE,
    sysctl::RESOURCE,
    php_ini::RESOURCE,
    php_extension::RESOURCE,
    secret_file::RESOURCE,
    run::RESOURCE,
    reboot::RESOURCE,
    wait_for::RESOURCE,
    include::RESOURCE,
];

impl Resource {
    /// Takes its map; reports what is none, and keys that it does not have.
    fn fields<'a>(&self, node: &'a Node, review: &'a Review) -> Option<Fields<'a>> {
        let what = format!("the step `{}`", self.name);
        Fields::of(node, what, self.keys, review)
    }
}

/// The words for all types of steps.
pub(crate) fn kinds() -> Vec<&'static str> {
    RESOURCES.iter().map(|resource| resource.name).collect()
}

/// One call of a function of the prelude, and what it looks at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Work {
    /// The function and its arguments, not yet quoted.
    pub(crate) words: Vec<String>,
    /// What is looked at before its stretch of steps begins.
    pub(crate) looks: Vec<Look>,
    /// Whether there is nothing to do when nothing that is looked at differs.
    pub(crate) looks_decide: bool,
    /// Whether it may be done together with those beside it.
    pub(crate) in_batch: bool,
    /// The paths and accounts that the call may change, so that no stale look at them is used afterwards.
    pub(crate) claims: Vec<String>,
    /// What it leaves on the disk, as patterns of a shell: taken away again after a step that is for the seed alone.
    pub(crate) leaves: Vec<String>,
    /// Whether anything on the machine may be different afterwards.
    pub(crate) ends_epoch: bool,
    /// The platform that it is done on, when it is not done on all.
    pub(crate) platform: Option<String>,
    /// Secrets that the call fetches, as `parameter=reference`.
    pub(crate) secrets: Vec<String>,
    /// What the words hold that is too large for a script.
    pub(crate) large: Option<Large>,
}

/// A content that can be sent apart from its script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Large {
    /// What is sent.
    pub(crate) content: Content,
    /// The words of the call with its digest in place of it.
    pub(crate) words: Vec<String>,
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
    of(kind).map_or(&[], |resource| resource.shell)
}

/// Reads a resource whose references are resolved.
pub(crate) fn read(kind: &Key, node: &Node, site: &Site<'_>) -> Option<Work> {
    let work = (of(&kind.text)?.read)(node, site)?;
    if site.role == Role::Seed {
        return seed::taken_back(kind, node, work, site.review);
    }
    Some(work)
}

fn of(kind: &str) -> Option<&'static Resource> {
    RESOURCES.iter().find(|resource| resource.name == kind)
}

/// An absolute path.
pub(super) fn path(node: &Node, review: &Review) -> Option<String> {
    let text = document::text(node, review)?;
    match is_path(text) {
        Ok(()) => Some(text.to_owned()),
        Err(why) => {
            review
                .error(
                    node.span.clone(),
                    format!("`{text}` is no path here: {why}"),
                )
                .help("a path is written in full: /srv/www/uploads");
            None
        }
    }
}

/// The path of something that is made or changed: not the root itself.
fn place(node: &Node, review: &Review) -> Option<String> {
    let text = path(node, review)?;
    if text == "/" {
        review
            .error(
                node.span.clone(),
                "`/` is there, and is not changed by a step",
            )
            .help("a path is written in full: /srv/www/uploads");
        return None;
    }
    Some(text)
}

/// The name of a user, a group, a service: no blanks, nothing that begins an option.
pub(super) fn plain_name(node: &Node, review: &Review) -> Option<String> {
    let text = document::scalar(node, review)?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.@:+\\".contains(&byte);
    if text.is_empty() || text.starts_with('-') || !text.bytes().all(allowed) {
        let finding = review.error(node.span.clone(), format!("`{text}` is no name"));
        if text.contains('=') {
            finding.help("a name holds no `=`: no version can be asked for by it; on Amazon Linux `nginx-1.28.0` is a name too");
            return None;
        }
        finding.help("a name has no blanks and does not begin with `-`; several names are a list: [one, two]");
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
        review
            .error(node.span.clone(), "the list is empty")
            .help("name at least one, or leave the step out");
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
        review
            .error(node.span.clone(), "expected one line")
            .help("write it on one line, without `|` before it");
        return None;
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::verify::CHECKS;

    #[test]
    fn the_manual_has_a_row_for_every_type_and_a_word_for_every_key() {
        let manual = include_str!("../../docs/recipes.md");
        let (steps, checks) = manual.split_once("## Checks").unwrap();
        let steps = RESOURCES.iter().map(|step| (steps, step.name, step.keys));
        let checks = CHECKS.iter().map(|check| (checks, check.name, check.keys));
        for (page, name, keys) in steps.chain(checks) {
            let row = page
                .lines()
                .find(|line| line.starts_with(&format!("| `{name}` |")))
                .unwrap_or_else(|| panic!("the manual has no row for `{name}`"));
            for key in keys {
                let words = row.split(|sign: char| !(sign.is_alphanumeric() || sign == '-'));
                assert!(
                    words.into_iter().any(|word| word == *key),
                    "`{key}` of `{name}`"
                );
            }
        }
    }
}
