//! Checks of what is on the machine: services, processes, files, mounts, packages, users, commands.

use super::{Call, Check, texts};
use crate::document::{self, Fields, Node, Review};
use crate::recipe::resources;
use crate::recipe::resources::platform::Named;
use crate::recipe::resources::service::state;
use crate::recipe::resources::{environment, names, path, plain_name};

pub(super) const SERVICE: Check = Check {
    name: "service",
    keys: &["name", "state"],
    read: service,
};

pub(super) const PROCESS: Check = Check {
    name: "process",
    keys: &["name", "running"],
    read: process,
};

pub(super) const FILE: Check = Check {
    name: "file",
    keys: &["path", "exists", "mode", "owner", "group", "contains"],
    read: file,
};

pub(super) const MOUNT: Check = Check {
    name: "mount",
    keys: &["path"],
    read: mount,
};

pub(super) const PACKAGE: Check = Check {
    name: "package",
    keys: &["name", "installed"],
    read: package,
};

pub(super) const USER: Check = Check {
    name: "user",
    keys: &["name", "exists", "uid", "home", "shell", "groups"],
    read: user,
};

pub(super) const COMMAND: Check = Check {
    name: "command",
    keys: &["run", "env", "contains", "user"],
    read: command,
};

fn service(fields: &Fields<'_>, _: &Review) -> Option<Call> {
    let names = fields.required("name", Named::read);
    let state = fields.optional("state", state).unwrap_or("running");
    Some(names?.call("gs_check_service", [state.to_owned()]))
}

/// `yes` or `no` for a key that says whether something is there; `yes` when it is not said.
fn wanted(fields: &Fields<'_>, key: &str) -> String {
    let wanted = fields.optional(key, document::boolean).unwrap_or(true);
    if wanted { "yes" } else { "no" }.to_owned()
}

fn process(fields: &Fields<'_>, _: &Review) -> Option<Call> {
    let name = fields.required("name", |node, review| {
        let name = plain_name(node, review)?;
        // The kernel keeps 15 bytes of a program's name: TASK_COMM_LEN of proc(5).
        if name.len() > 15 {
            review
                .error(
                    node.span.clone(),
                    "the system keeps only 15 letters of a process's name",
                )
                .help(format!("write `{}`", name.get(..15).unwrap_or_default()));
            return None;
        }
        Some(name)
    })?;
    Some(("gs_check_process", vec![wanted(fields, "running"), name]))
}

fn file(fields: &Fields<'_>, review: &Review) -> Option<Call> {
    let path = fields.required("path", path)?;
    let exists = wanted(fields, "exists");
    if exists == "no" {
        for key in ["mode", "owner", "group", "contains"] {
            if let Some(found) = fields.key(key) {
                review
                    .error(
                        found.span.clone(),
                        format!("a file that must not be there has no `{key}`"),
                    )
                    .help(format!("leave out `{key}`, or `exists: false`"));
                return None;
            }
        }
    }
    let mode = match fields.get("mode") {
        Some(node) => mode(node, review)?,
        None => String::new(),
    };
    let owner = fields.optional("owner", plain_name).unwrap_or_default();
    let group = fields.optional("group", plain_name).unwrap_or_default();
    let texts = fields.optional("contains", texts).unwrap_or_default();
    let words = [exists, path, mode, owner, group].into_iter().chain(texts);
    Some(("gs_check_file", words.collect()))
}

/// As `stat -c %a` prints it: without leading zeros.
fn mode(node: &Node, review: &Review) -> Option<String> {
    let (_, bits) = resources::mode(node, review)?;
    Some(format!("{bits:o}"))
}

fn mount(fields: &Fields<'_>, _: &Review) -> Option<Call> {
    let path = fields.required("path", path)?;
    Some(("gs_check_mount", vec![path]))
}

fn package(fields: &Fields<'_>, _: &Review) -> Option<Call> {
    let names = fields.required("name", Named::read)?;
    Some(names.call("gs_check_package", [wanted(fields, "installed")]))
}

fn user(fields: &Fields<'_>, review: &Review) -> Option<Call> {
    let name = fields.required("name", plain_name)?;
    let exists = wanted(fields, "exists");
    if exists == "no" {
        for key in ["uid", "home", "shell", "groups"] {
            if let Some(found) = fields.key(key) {
                review
                    .error(
                        found.span.clone(),
                        format!("a user that must not be there has no `{key}`"),
                    )
                    .help(format!("leave out `{key}`, or `exists: false`"));
                return None;
            }
        }
    }
    let uid = fields.optional("uid", document::integer);
    let uid = uid.map(|uid| uid.to_string()).unwrap_or_default();
    let home = fields.optional("home", path).unwrap_or_default();
    let shell = fields.optional("shell", path).unwrap_or_default();
    let groups = fields.optional("groups", names).unwrap_or_default();
    let words = [exists, name, uid, home, shell].into_iter().chain(groups);
    Some(("gs_check_user", words.collect()))
}

fn command(fields: &Fields<'_>, _: &Review) -> Option<Call> {
    let command = fields.required("run", document::text)?.to_owned();
    let environment = fields.optional("env", environment).unwrap_or_default();
    let user = fields
        .optional("user", plain_name)
        .unwrap_or_else(|| "root".to_owned());
    let texts = fields.optional("contains", texts).unwrap_or_default();
    Some((
        "gs_check_command",
        command_words(user, command, texts, environment),
    ))
}

/// The arguments of `gs_check_command`.
pub(in crate::recipe) fn command_words(
    user: String,
    command: String,
    texts: Vec<String>,
    environment: Vec<String>,
) -> Vec<String> {
    [user, command]
        .into_iter()
        .chain(texts)
        .chain(std::iter::once("--".to_owned()))
        .chain(environment)
        .collect()
}
