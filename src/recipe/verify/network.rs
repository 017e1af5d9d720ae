//! Checks of what answers: addresses, ports, names.

use super::{Call, Check, request, status, texts};
use crate::document::{self, Fields, Node, Review};
use crate::recipe::forms::is_hostname;

pub(super) const HTTP: Check = Check {
    name: "http",
    keys: &[
        "url",
        "host",
        "as",
        "status",
        "contains",
        "follow",
        "headers",
        "insecure",
        "resolve",
        "slower-than",
    ],
    read: http,
};

pub(super) const PORT: Check = Check {
    name: "port",
    keys: &["tcp"],
    read: port,
};

pub(super) const DNS: Check = Check {
    name: "dns",
    keys: &["host"],
    read: dns,
};

fn http(fields: &Fields<'_>, review: &Review) -> Option<Call> {
    let before = review.count();
    let url = fields.required("url", address)?;
    let host = fields.optional("host", request::host);
    let resolve = fields.optional("resolve", request::host);
    let (url, dial) = match fields.optional("as", address) {
        Some(public) => as_behind_the_balancer(&url, &public),
        None => renamed(&url, host.as_deref()),
    };
    let mut headers = request::headers(fields);
    if let Some(public) = fields
        .get("as")
        .and_then(|node| document::text(node, review))
    {
        headers.splice(0..0, request::by_the_balancer(public));
    }
    let limit = fields.optional("slower-than", request::limit);
    let words = request::words(
        (url, resolve.unwrap_or(dial)),
        status(fields, review)?,
        anywhere(fields)?,
        (
            limit.unwrap_or(request::SLOWER_THAN),
            request::insecure(fields),
        ),
        &headers,
    );
    let texts = fields.optional("contains", texts).unwrap_or_default();
    let words = words.into_iter().chain(texts).collect();
    (review.count() == before).then_some(("gs_check_http", words))
}

/// The arguments of `gs_check_http` for an address that answers 200, perhaps after redirects of the same host.
pub(in crate::recipe) fn answers(url: String) -> Vec<String> {
    let limit = (request::SLOWER_THAN, false);
    request::words((url, String::new()), 200, false, limit, &[])
}

/// The address with the host that is asked for, and where it is connected to: what the address named before.
fn renamed(url: &str, host: Option<&str>) -> (String, String) {
    let Some(host) = host else {
        return (url.to_owned(), String::new());
    };
    let (scheme, authority, rest) = parts(url);
    let dial = authority.rsplit('@').next().unwrap_or(authority);
    let login = &authority[..authority.len() - dial.len()];
    (format!("{scheme}://{login}{host}{rest}"), dial.to_owned())
}

/// The request that a load balancer passes on to the machine at `url` for a visitor of the address `public`.
fn as_behind_the_balancer(url: &str, public: &str) -> (String, String) {
    let (_, authority, _) = parts(public);
    renamed(url, Some(authority.rsplit('@').next().unwrap_or(authority)))
}

/// Scheme, authority, and what comes after it.
fn parts(url: &str) -> (&str, &str, &str) {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    (scheme, &rest[..end], &rest[end..])
}

/// Whether a redirect to another host is followed: when `follow: anywhere` says so.
pub(super) fn anywhere(fields: &Fields<'_>) -> Option<bool> {
    if fields.get("follow").is_none() {
        return Some(false);
    }
    fields.optional("follow", |node, review| {
        match document::text(node, review)? {
            "anywhere" => Some(true),
            other => {
                review
                    .error(node.span.clone(), format!("`follow` is not `{other}`"))
                    .help("redirects of the same host are followed; `follow: anywhere` is for those to other hosts");
                None
            }
        }
    })
}

/// An address of the web.
pub(in crate::recipe) fn address(node: &Node, review: &Review) -> Option<String> {
    let url = document::text(node, review)?;
    let plain = !url
        .chars()
        .any(|character| character.is_control() || character == ' ');
    if !plain || !(url.starts_with("http://") || url.starts_with("https://")) {
        review
            .error(node.span.clone(), format!("`{url}` is no address"))
            .help("for example: http://127.0.0.1/");
        return None;
    }
    Some(url.to_owned())
}

fn port(fields: &Fields<'_>, _: &Review) -> Option<Call> {
    let port = fields.required("tcp", listening)?;
    Some(("gs_check_port", port))
}

/// A port, and the same as `/proc/net/tcp` writes it.
pub(in crate::recipe) fn listening(node: &Node, review: &Review) -> Option<Vec<String>> {
    let port = document::integer(node, review)?;
    if !(1..=65535).contains(&port) {
        review
            .error(node.span.clone(), format!("{port} is no port"))
            .help("ports are numbers from 1 to 65535");
        return None;
    }
    Some(vec![port.to_string(), format!("{port:04X}")])
}

fn dns(fields: &Fields<'_>, _: &Review) -> Option<Call> {
    let host = fields.required("host", |node, review| {
        let host = document::text(node, review)?;
        if !is_hostname(host) {
            review
                .error(node.span.clone(), format!("`{host}` is no host name"))
                .help("a host name is made of letters, digits, `-` and `.`, without https:// before it");
            return None;
        }
        Some(host.to_owned())
    })?;
    Some(("gs_check_dns", vec![host]))
}
