//! Checks: what must be true of a machine, or of the site through the load balancer.

use std::time::Duration;

use super::bind::Bound;
use super::interpolate;
use super::model::Step;
use super::resources::Work;
use crate::document::{self, Diagnostics, Fields, Node, Review, Value};

pub(in crate::recipe) mod machine;
pub(in crate::recipe) mod network;

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

/// A request through the load balancer, and what makes its answer good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpCheck {
    /// Path and query.
    pub path: String,
    /// The `Host` header; without it, the balancer's own name.
    pub host: Option<String>,
    /// The status that is expected.
    pub status: u16,
    /// Texts that the body must hold.
    pub contains: Vec<String>,
    /// Whether a redirect to another host is followed.
    pub anywhere: bool,
    /// How long to try.
    pub within: Duration,
}

/// The checks of recipes that are made through the load balancer.
///
/// # Errors
/// Values that make no sense where they are put, in the recipes' files.
pub fn balancer_checks(recipes: &[Bound]) -> Result<Vec<HttpCheck>, Diagnostics> {
    let mut found = Diagnostics::default();
    let mut checks = Vec::new();
    let all = recipes.iter().flat_map(|bound| bound.with_included(""));
    for (_, bound) in all {
        let content = &bound.recipe.0;
        let review = Review::of(&content.source);
        let scope = bound.scope();
        for check in content.checks.iter().filter(|check| check.at_balancer) {
            if check
                .condition
                .as_ref()
                .is_some_and(|when| !when.holds(|name| scope.arguments.get(name).cloned()))
            {
                continue;
            }
            let body = interpolate::resolve(&check.body, &scope, &SHELL, &[], &review);
            checks.extend(balancer(&body, &review));
        }
        found.extend(review.take());
    }
    found.or(checks)
}

/// Reads an `http` check that goes through the balancer.
pub(crate) fn balancer(node: &Node, review: &Review) -> Option<HttpCheck> {
    let keys = ["path", "host", "status", "contains", "follow", "within"];
    let fields = Fields::of(node, "the check `http` at the balancer", &keys, review)?;
    let path = fields.required("path", document::text)?;
    if !path.starts_with('/')
        || path
            .chars()
            .any(|character| character.is_control() || character == ' ')
    {
        let span = fields.get("path").map_or(0..0, |node| node.span.clone());
        review
            .error(span, format!("`{path}` is no path of an address"))
            .help("it begins with `/`");
        return None;
    }
    Some(HttpCheck {
        path: path.to_owned(),
        host: fields.optional("host", document::text).map(str::to_owned),
        status: status(&fields, review)?,
        contains: fields.optional("contains", texts).unwrap_or_default(),
        anywhere: network::anywhere(&fields)?,
        within: within(&fields),
    })
}

/// Reads a check that is made on the node.
pub(crate) fn read(step: &Step, node: &Node, review: &Review) -> Option<Work> {
    let check = CHECKS.iter().find(|check| check.name == step.kind.text)?;
    let keys: Vec<&str> = check.keys.iter().copied().chain(["within"]).collect();
    let what = format!("the check `{}`", check.name);
    let fields = Fields::of(node, what, &keys, review)?;
    let call = (check.read)(&fields, review)?;
    Some(patient(within(&fields), call))
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
