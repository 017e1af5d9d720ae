//! What `cron` and `timer` have in common: a command that becomes a script of its own.

use super::attributes::account;
use super::{Role, Site, environment, system_file};
use crate::document::{self, Fields, Node, Review};
use crate::recipe::quote::quote;

/// A command for certain times.
pub(super) struct Scheduled {
    pub(super) name: String,
    pub(super) role: &'static str,
    pub(super) user: String,
    /// Where the script stands.
    pub(super) path: String,
    pub(super) script: String,
}

/// Reads `name`, `command`, `env` and `user`; `kind` is `cron` or `timer`.
///
/// The command is a script because cron and systemd each read signs of their own in a command: `%`, `$`, `\\`.
pub(super) fn read(kind: &str, fields: &Fields<'_>, site: &Site<'_>) -> Option<Scheduled> {
    let name = fields.required("name", system_file::name);
    let command = fields.required("command", command);
    let environment = match fields.get("env") {
        Some(node) => environment(node, site.review)?,
        None => Vec::new(),
    };
    let user = match fields.get("user") {
        Some(node) => account(node, site.review)?,
        None => "root".to_owned(),
    };
    let (name, command) = (name?, command?);
    let role = match site.role {
        Role::Image => "image",
        Role::Seed => "seed",
        Role::Boot => "boot",
        Role::Migrate => "migrate",
    };
    let mut script = "#!/bin/sh\n# Written by goldseed.\n".to_owned();
    if site.role == Role::Seed {
        // Inside an image, which has no such file, and on any other machine it does nothing.
        script.push_str("cmp -s /opt/goldseed/seed /var/lib/cloud/data/instance-id || exit 0\n");
    }
    for variable in &environment {
        let (variable, value) = variable.split_once('=')?;
        script = format!("{script}export {variable}={}\n", quote(value));
    }
    script.push_str(command.trim_end_matches('\n'));
    script.push('\n');
    Some(Scheduled {
        path: format!("/opt/goldseed/commands/{kind}-{name}"),
        name,
        role,
        user,
        script,
    })
}

/// What is to be done, which is not nothing.
fn command<'a>(node: &'a Node, review: &Review) -> Option<&'a str> {
    let text = document::text(node, review)?;
    if text.trim().is_empty() {
        review
            .error(node.span.clone(), "the command is empty")
            .help("write what is to be done, or leave the step out");
        return None;
    }
    Some(text)
}
