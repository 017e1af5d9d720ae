//! Checks of what answers: addresses, ports, names.

use super::{Call, Check, status, texts};
use crate::document::{self, Fields, Node, Review};
use crate::recipe::forms::is_hostname;

pub(super) const HTTP: Check = Check {
    name: "http",
    keys: &["url", "host", "status", "contains", "follow"],
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
    let url = fields.required("url", address)?;
    let host = fields
        .optional("host", document::text)
        .unwrap_or_default()
        .to_owned();
    let status = status(fields, review)?.to_string();
    let texts = fields.optional("contains", texts).unwrap_or_default();
    let follow = if anywhere(fields)? { "anywhere" } else { "" }.to_owned();
    Some((
        "gs_check_http",
        [url, host, status, follow]
            .into_iter()
            .chain(texts)
            .collect(),
    ))
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
