//! What requests of checks have in common, on the node and through the load balancer.

use std::time::Duration;

use serde::Serialize;

use crate::document::{self, Fields, Key, Node, Review, Value};
use crate::recipe::forms::is_hostname;
use crate::recipe::interpolate::{self, Scope};
use crate::recipe::parameters::Argument;
use crate::recipe::secrets::SecretReference;
use crate::recipe::{quote, script};

/// The keys of a request.
pub(in crate::recipe) const KEYS: [&str; 4] = ["headers", "insecure", "resolve", "slower-than"];

/// A page that takes longer is not well.
pub const SLOWER_THAN: Duration = Duration::from_secs(5);

/// A header of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Header {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: HeaderValue,
}

/// A header's value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum HeaderValue {
    /// As it is sent.
    Text(String),
    /// Fetched by whoever sends it.
    Secret(SecretReference),
}

impl Header {
    /// A header whose value may be a reference to a secret.
    pub fn of(name: String, value: String) -> Self {
        let value = match SecretReference::parse(&value) {
            Ok(reference) => HeaderValue::Secret(reference),
            Err(_) => HeaderValue::Text(value),
        };
        Self { name, value }
    }
}

/// Fills in a check's references. The value of a header alone may be a secret, which stays a reference.
pub(crate) fn resolved(body: &Node, scope: &Scope, review: &Review) -> Node {
    let resolve =
        |node: &Node, scope: &Scope| interpolate::resolve(node, scope, &super::SHELL, &[], review);
    let Value::Map(entries) = &body.value else {
        return resolve(body, scope);
    };
    let (headers, rest): (Vec<_>, Vec<_>) = entries
        .iter()
        .cloned()
        .partition(|(key, _)| key.text == "headers");
    let rest = Node {
        value: Value::Map(rest),
        span: body.span.clone(),
    };
    let mut resolved = resolve(&rest, scope);
    let referring = referring(scope);
    let header = |(key, node): &(Key, Node)| {
        let whole = matches!(&node.value, Value::Text { text, .. }
            if text.starts_with("${{") && text.ends_with("}}") && text.matches("${{").count() == 1);
        let scope = if whole { &referring } else { scope };
        (key.clone(), resolve(node, scope))
    };
    let headers = headers.into_iter().map(|(key, node)| {
        let value = match &node.value {
            Value::Map(entries) => Value::Map(entries.iter().map(header).collect()),
            other => other.clone(),
        };
        let span = node.span.clone();
        (key, Node { value, span })
    });
    if let Value::Map(entries) = &mut resolved.value {
        entries.extend(headers);
    }
    resolved
}

/// The scope in which secrets read as their references.
fn referring(scope: &Scope) -> Scope {
    let mut scope = scope.clone();
    for argument in scope.arguments.values_mut() {
        if let Argument::Secret(reference) = argument {
            *argument = Argument::Text(reference.to_string());
        }
    }
    scope
}

pub(super) fn headers(fields: &Fields<'_>) -> Vec<Header> {
    let headers = fields.optional("headers", document::headers);
    let headers = headers.unwrap_or_default().into_iter();
    headers
        .map(|(name, value)| Header::of(name, value))
        .collect()
}

/// What an Application Load Balancer says of the way that a visitor of this address came. It also names the visitor,
/// which here is the machine itself.
pub(super) fn by_the_balancer(public: &str) -> Vec<Header> {
    let secure = public.starts_with("https:");
    let (scheme, port) = if secure {
        ("https", "443")
    } else {
        ("http", "80")
    };
    [("X-Forwarded-Proto", scheme), ("X-Forwarded-Port", port)]
        .map(|(name, value)| Header::of(name.to_owned(), value.to_owned()))
        .into()
}

pub(super) fn insecure(fields: &Fields<'_>) -> bool {
    fields
        .optional("insecure", document::boolean)
        .unwrap_or(false)
}

/// The time that a page may take.
pub(super) fn limit(node: &Node, review: &Review) -> Option<Duration> {
    let limit = document::duration(node, review)?;
    if limit.is_zero() {
        review
            .error(node.span.clone(), "a page needs more time than none")
            .help("leave `slower-than` out for 5s");
        return None;
    }
    Some(limit)
}

/// A host or an IP address, perhaps with a port.
pub(super) fn host(node: &Node, review: &Review) -> Option<String> {
    let text = document::text(node, review)?;
    let name = match text.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() => name,
        _ => text,
    };
    let inner = name.trim_start_matches('[').trim_end_matches(']');
    if !is_hostname(name) && inner.parse::<std::net::IpAddr>().is_err() {
        review
            .error(node.span.clone(), format!("`{text}` is no host"))
            .help("a name or an IP address, perhaps with a port, without https:// before it");
        return None;
    }
    Some(text.to_owned())
}

/// The secrets of headers, as a script fetches them.
pub(super) fn secrets(headers: &[Header]) -> Vec<String> {
    let secret = |header: &Header| match &header.value {
        HeaderValue::Secret(reference) => Some(format!("{}={reference}", header.name)),
        HeaderValue::Text(_) => None,
    };
    headers.iter().filter_map(secret).collect()
}

/// The arguments of `gs_check_http` that stand before the texts.
pub(super) fn words(
    (url, dial): (String, String),
    status: u16,
    anywhere: bool,
    (limit, insecure): (Duration, bool),
    headers: &[Header],
) -> Vec<String> {
    let follow = if anywhere { "anywhere" } else { "" }.to_owned();
    let limit = limit.as_secs().max(1).to_string();
    let mut words = vec![url, dial, status.to_string(), follow, limit];
    words.extend(insecure.then(|| "insecure".to_owned()));
    for header in headers {
        let (kind, value) = match &header.value {
            HeaderValue::Text(text) => ("header", text.clone()),
            HeaderValue::Secret(reference) => ("secret", reference.to_string()),
        };
        words.extend([kind.to_owned(), header.name.clone(), value]);
    }
    words.push("--".to_owned());
    words
}

/// The script by which an instance makes a check once: `url` is asked at `dial`, with the limits and headers of the
/// check. It ends with 2 where the application was never asked, and its last line says why.
pub fn question(check: &super::HttpCheck, url: String, dial: String) -> String {
    let limit = check.slower_than.unwrap_or(SLOWER_THAN);
    let mut call = vec!["gs_check_http".to_owned()];
    call.extend(words(
        (url, dial),
        check.status,
        check.anywhere,
        (limit, check.insecure),
        &check.headers,
    ));
    call.extend(check.contains.iter().cloned());
    script::alone(
        &quote::words(call.iter().map(String::as_str)),
        !secrets(&check.headers).is_empty(),
    )
}
