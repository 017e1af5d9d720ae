//! `wait-for: {port | path | url | command, within}`: goes on when something is there.

use super::{Resource, Site, Work, environment, path, plain_name};
use crate::document::{self, Node};
use crate::recipe::verify::{machine, network, patient, within};

pub(super) const RESOURCE: Resource = Resource {
    name: "wait-for",
    keys: &["port", "path", "url", "command", "env", "user", "within"],
    shell: &["command"],
    read,
};

fn read(node: &Node, site: &Site<'_>) -> Option<Work> {
    const WAYS: [&str; 4] = ["port", "path", "url", "command"];
    let review = site.review;
    let fields = RESOURCE.fields(node, review)?;
    let given: Vec<&str> = WAYS
        .into_iter()
        .filter(|way| fields.get(way).is_some())
        .collect();
    let [way] = given.as_slice() else {
        let second = given.get(1).and_then(|way| fields.key(way));
        let (span, message) = match second {
            Some(key) => (key.span.clone(), "a `wait-for` waits for one thing"),
            None => (
                fields.head(),
                "this `wait-for` does not say what it waits for",
            ),
        };
        review.error(span, message).help(
            "give one of: port, path, url, command; what more there is gets a step of its own",
        );
        return None;
    };
    if let Some(key) = ["env", "user"]
        .iter()
        .find_map(|key| fields.key(key))
        .filter(|_| *way != "command")
    {
        review
            .error(
                key.span.clone(),
                format!("`{}` has no meaning for a {way}", key.text),
            )
            .help("it goes with: command");
        return None;
    }
    let call = match *way {
        "port" => (
            "gs_check_port",
            fields.optional("port", network::listening)?,
        ),
        "path" => ("gs_check_path", vec![fields.optional("path", path)?]),
        "url" => {
            let url = fields.optional("url", network::address)?;
            ("gs_check_http", network::answers(url))
        }
        _ => {
            let command = fields.optional("command", document::text)?.to_owned();
            let environment = match fields.get("env") {
                Some(node) => environment(node, review)?,
                None => Vec::new(),
            };
            let user = match fields.get("user") {
                Some(node) => plain_name(node, review)?,
                None => "root".to_owned(),
            };
            let words = machine::command_words(user, command, Vec::new(), environment);
            ("gs_check_command", words)
        }
    };
    Some(patient(within(&fields), call))
}
