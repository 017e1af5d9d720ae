//! Checks: what must be true of a machine, or of the site through the load balancer.

use std::time::Duration;

use super::model::Step;
use super::resources::Work;
use crate::document::{self, Fields, Node, Review, Value};

mod balancer;
pub(in crate::recipe) mod machine;
pub(in crate::recipe) mod network;
mod request;

pub(in crate::recipe) use balancer::KEYS as AT_BALANCER;
pub(crate) use balancer::balancer;
pub use balancer::{HttpCheck, Via, balancer_checks};
pub(crate) use request::resolved;
pub use request::{Header, HeaderValue, SLOWER_THAN, question};

/// A type of check that is made on the node: all that the language says of it.
pub(crate) struct Check {
    /// The word for it, as it stands in recipes.
    pub(crate) name: &'static str,
    /// The keys of its map, beside `within`.
    pub(crate) keys: &'static [&'static str],
    /// Its function of the prelude and the arguments of that.
    read: fn(&Fields<'_>, &Review) -> Option<Call>,
}

/// A function of the prelude, and its arguments.
type Call = (&'static str, Vec<String>);

/// All types of checks.
pub(crate) static CHECKS: [Check; 10] = [
    network::HTTP,
    network::PORT,
    network::DNS,
    machine::SERVICE,
    machine::PROCESS,
    machine::FILE,
    machine::MOUNT,
    machine::PACKAGE,
    machine::USER,
    machine::COMMAND,
];

/// The words for all types of checks.
pub(crate) fn kinds() -> Vec<&'static str> {
    CHECKS.iter().map(|check| check.name).collect()
}

/// The entries of checks that are shell commands.
pub(crate) const SHELL: [&str; 1] = ["run"];

/// How long a check is tried when it does not say.
const PATIENCE: Duration = Duration::from_secs(30);

/// Reads a check that is made on the node.
pub(crate) fn read(step: &Step, node: &Node, review: &Review) -> Option<Work> {
    let check = CHECKS.iter().find(|check| check.name == step.kind.text)?;
    let keys: Vec<&str> = check.keys.iter().copied().chain(["within"]).collect();
    let what = format!("the check `{}`", check.name);
    let fields = Fields::of(node, what, &keys, review)?;
    let call = (check.read)(&fields, review)?;
    let secrets = match check.name {
        "http" => request::secrets(&request::headers(&fields)),
        _ => Vec::new(),
    };
    Some(Work {
        secrets,
        ..patient(within(&fields), call)
    })
}

/// A check that is tried until it succeeds or the time is over.
pub(crate) fn patient(within: Duration, (function, arguments): Call) -> Work {
    let words = [
        "gs_within".to_owned(),
        within.as_secs().to_string(),
        function.to_owned(),
    ];
    Work {
        words: words.into_iter().chain(arguments).collect(),
        ends_epoch: true,
        ..Work::default()
    }
}

/// How long a check is tried.
pub(crate) fn within(fields: &Fields<'_>) -> Duration {
    fields
        .optional("within", document::duration)
        .unwrap_or(PATIENCE)
}

fn status(fields: &Fields<'_>, review: &Review) -> Option<u16> {
    let Some(status) = fields.optional("status", document::integer) else {
        return fields.get("status").is_none().then_some(200);
    };
    if let Ok(status @ 100..=599) = u16::try_from(status) {
        return Some(status);
    }
    let span = fields.get("status").map_or(0..0, |node| node.span.clone());
    review
        .error(span, format!("{status} is no HTTP status"))
        .help("a status is a number from 100 to 599: 200");
    None
}

/// One text or a list of texts.
fn texts(node: &Node, review: &Review) -> Option<Vec<String>> {
    let Value::List(items) = &node.value else {
        return Some(vec![document::scalar(node, review)?]);
    };
    items
        .iter()
        .map(|item| document::scalar(item, review))
        .collect()
}
