//! The site as visitors know it: its public address, and the pages that are asked.

use std::time::Duration;

use crate::document::{self, Fields, Node, Review, Value};

use super::pipeline::all;
use super::{Probe, Request, Site, form};

/// The keys of a request, in a `site` and in a probe.
const REQUEST: [&str; 5] = ["via", "headers", "resolve", "insecure", "slower-than"];

/// Reads `site: https://…`, or a map with the address as `url`.
pub(super) fn site(node: &Node, review: &Review) -> Option<Site> {
    if let Value::Text { .. } = node.value {
        return Some(Site {
            url: Some(origin(node, review)?),
            span: node.span.clone(),
            ..Site::default()
        });
    }
    let keys = [&["url", "https"], &REQUEST[..]].concat();
    let fields = Fields::of(node, "`site`", &keys, review)?;
    let span = fields.get("url").unwrap_or(node).span.clone();
    Some(Site {
        url: fields.optional("url", origin),
        span,
        request: request(&fields),
        https: fields.optional("https", document::boolean),
    })
}

/// An address without a path: what stands before the path of every page.
fn origin(node: &Node, review: &Review) -> Option<String> {
    let url = form::url(node, review)?;
    let url = url.strip_suffix('/').unwrap_or(&url);
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    if rest.contains(['/', '?', '#', '@']) {
        review
            .error(
                node.span.clone(),
                format!("the site's address `{url}` has more than a host"),
            )
            .help("write it without a path: https://www.example.com");
        return None;
    }
    Some(url.to_owned())
}

fn request(fields: &Fields<'_>) -> Request {
    let via = fields.optional("via", |node, review| {
        document::one_of(node, review, &["balancer", "dns", "instance"])
    });
    Request {
        via,
        headers: fields
            .optional("headers", document::headers)
            .unwrap_or_default(),
        resolve: fields.optional("resolve", host),
        insecure: fields
            .optional("insecure", document::boolean)
            .unwrap_or(false),
        slower_than: fields.optional("slower-than", limit),
    }
}

/// A host or an address to connect to, perhaps with a port.
fn host(node: &Node, review: &Review) -> Option<String> {
    let expected = "a host or an IP address, such as 203.0.113.7";
    form::fitting(node, review, expected, |text| {
        !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b".:-[]".contains(&byte))
    })
}

/// The time that a page may take.
fn limit(node: &Node, review: &Review) -> Option<Duration> {
    let limit = document::duration(node, review)?;
    if limit.is_zero() || limit > Duration::from_mins(2) {
        review
            .error(node.span.clone(), "a page has between 1s and 2m")
            .help("leave `slower-than` out for 5s");
        return None;
    }
    Some(limit)
}

pub(super) fn probes(node: &Node, review: &Review) -> Option<Vec<Probe>> {
    let items = document::items(node, review)?;
    all(items.iter().map(|item| probe(item, review)))
}

fn probe(node: &Node, review: &Review) -> Option<Probe> {
    let keys = [&["url", "contains", "status"], &REQUEST[..]].concat();
    let fields = Fields::of(node, "a probe", &keys, review)?;
    let url = fields.required("url", form::url);
    let contains = fields.optional("contains", document::text);
    if contains.is_some_and(str::is_empty)
        && let Some(node) = fields.get("contains")
    {
        review
            .error(node.span.clone(), "every page contains an empty text")
            .help("leave the key out, or name a text of the page");
    }
    let status = fields.optional("status", |node, review| {
        form::number(node, review, "a status", 200..=599)
    });
    let request = request(&fields);
    Some(Probe {
        url: url?,
        contains: contains.map(str::to_owned),
        status: status.unwrap_or(200),
        request,
    })
}
