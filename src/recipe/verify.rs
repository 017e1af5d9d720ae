//! Checks: what must be true of a machine, or of the site through the load balancer.

use std::time::Duration;

use super::bind::Bound;
use super::interpolate;
use super::model::Step;
use super::resources::Work;
use super::resources::service::state;
use crate::document::{self, Diagnostics, Fields, Node, Review, Value};

/// The words for checks.
pub(crate) const KINDS: [&str; 5] = ["http", "port", "service", "mount", "command"];

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
    for bound in recipes {
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
    let keys = ["path", "host", "status", "contains", "within"];
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
        within: fields
            .optional("within", document::duration)
            .unwrap_or(PATIENCE),
    })
}

/// Reads a check that is made on the node.
pub(crate) fn read(step: &Step, node: &Node, review: &Review) -> Option<Work> {
    let (function, within, arguments) = match step.kind.text.as_str() {
        "http" => http(node, review)?,
        "port" => port(node, review)?,
        "service" => service(node, review)?,
        "mount" => mount(node, review)?,
        "command" => command(node, review)?,
        _ => return None,
    };
    let words = [
        "gs_within".to_owned(),
        within.as_secs().to_string(),
        function.to_owned(),
    ];
    let words = words.into_iter().chain(arguments).collect();
    Some(Work {
        words,
        ends_epoch: true,
        ..Work::default()
    })
}

type Check = (&'static str, Duration, Vec<String>);

fn within(fields: &Fields<'_>) -> Duration {
    fields
        .optional("within", document::duration)
        .unwrap_or(PATIENCE)
}

fn http(node: &Node, review: &Review) -> Option<Check> {
    let keys = ["url", "host", "status", "contains", "within"];
    let fields = Fields::of(node, "the check `http`", &keys, review)?;
    let url = fields.required("url", document::text)?;
    let plain = !url
        .chars()
        .any(|character| character.is_control() || character == ' ');
    if !plain || !(url.starts_with("http://") || url.starts_with("https://")) {
        let span = fields.get("url").map_or(0..0, |node| node.span.clone());
        review
            .error(span, format!("`{url}` is no address"))
            .help("for example: http://127.0.0.1/");
        return None;
    }
    let host = fields
        .optional("host", document::text)
        .unwrap_or_default()
        .to_owned();
    let status = status(&fields, review)?.to_string();
    let texts = fields.optional("contains", texts).unwrap_or_default();
    Some((
        "gs_check_http",
        within(&fields),
        [url.to_owned(), host, status]
            .into_iter()
            .chain(texts)
            .collect(),
    ))
}

fn status(fields: &Fields<'_>, review: &Review) -> Option<u16> {
    let Some(status) = fields.optional("status", document::integer) else {
        return fields.get("status").is_none().then_some(200);
    };
    if let Ok(status @ 100..=599) = u16::try_from(status) {
        return Some(status);
    }
    let span = fields.get("status").map_or(0..0, |node| node.span.clone());
    review.error(span, format!("{status} is no HTTP status"));
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

fn port(node: &Node, review: &Review) -> Option<Check> {
    let fields = Fields::of(node, "the check `port`", &["tcp", "within"], review)?;
    let port = fields.required("tcp", document::integer)?;
    if !(1..=65535).contains(&port) {
        let span = fields.get("tcp").map_or(0..0, |node| node.span.clone());
        review.error(span, format!("{port} is no port"));
        return None;
    }
    // As /proc/net/tcp writes it.
    Some((
        "gs_check_port",
        within(&fields),
        vec![port.to_string(), format!("{port:04X}")],
    ))
}

fn service(node: &Node, review: &Review) -> Option<Check> {
    let fields = Fields::of(
        node,
        "the check `service`",
        &["name", "state", "within"],
        review,
    )?;
    let names = fields.required("name", super::resources::names);
    let state = fields.optional("state", state).unwrap_or("running");
    Some((
        "gs_check_service",
        within(&fields),
        std::iter::once(state.to_owned()).chain(names?).collect(),
    ))
}

fn mount(node: &Node, review: &Review) -> Option<Check> {
    let fields = Fields::of(node, "the check `mount`", &["path", "within"], review)?;
    let path = fields.required("path", super::resources::path)?;
    Some(("gs_check_mount", within(&fields), vec![path]))
}

fn command(node: &Node, review: &Review) -> Option<Check> {
    let fields = Fields::of(
        node,
        "the check `command`",
        &["run", "env", "contains", "user", "within"],
        review,
    )?;
    let command = fields.required("run", document::text)?.to_owned();
    let environment = fields
        .optional("env", super::resources::environment)
        .unwrap_or_default();
    let user = fields
        .optional("user", super::resources::plain_name)
        .unwrap_or_else(|| "root".to_owned());
    let texts = fields.optional("contains", texts).unwrap_or_default();
    let words = [user, command]
        .into_iter()
        .chain(texts)
        .chain(std::iter::once("--".to_owned()))
        .chain(environment);
    Some(("gs_check_command", within(&fields), words.collect()))
}
