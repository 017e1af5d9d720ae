//! Checks of the site through its load balancer, after a swap.

use std::time::Duration;

use serde::Serialize;

use super::request::{self, Header};
use super::{network, status, texts, within};
use crate::document::{self, Diagnostics, Fields, Node, Review};
use crate::recipe::bind::Bound;

/// A request to the site, and what makes its answer good. What it leaves open the pipeline's `site` decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HttpCheck {
    /// Path and query; or a whole address, of a pipeline's own probe.
    pub path: String,
    /// The name that is asked for, in `Host` and TLS.
    pub host: Option<String>,
    /// Whether it goes by https.
    pub https: Option<bool>,
    /// More headers.
    pub headers: Vec<Header>,
    /// The address to connect to.
    pub resolve: Option<String>,
    /// Whether any certificate is accepted.
    pub insecure: bool,
    /// Where it is sent to, and from.
    pub via: Option<Via>,
    /// The time in which the page must be there.
    pub slower_than: Option<Duration>,
    /// The status that is expected.
    pub status: u16,
    /// Texts that the body must hold.
    pub contains: Vec<String>,
    /// Whether a redirect to another host is followed.
    pub anywhere: bool,
    /// How long to try.
    pub within: Duration,
}

/// The way of a request to the site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Via {
    /// To the load balancer's address, whatever name is asked for.
    Balancer,
    /// To where DNS leads, as visitors do.
    Dns,
    /// To the load balancer's address, from one of the environment's instances.
    Instance,
}

impl Via {
    /// The way of that name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "balancer" => Some(Self::Balancer),
            "dns" => Some(Self::Dns),
            "instance" => Some(Self::Instance),
            _ => None,
        }
    }
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
            let before = review.count();
            let body = request::resolved(&check.body, &scope, &review);
            if review.count() == before {
                checks.extend(balancer(&body, &review));
            }
        }
        found.extend(review.take());
    }
    found.or(checks)
}

/// The keys of such a check that one on the node does not have.
pub(in crate::recipe) const KEYS: [&str; 3] = ["path", "https", "via"];

/// Reads an `http` check that goes through the balancer.
pub(crate) fn balancer(node: &Node, review: &Review) -> Option<HttpCheck> {
    let common = ["host", "status", "contains", "follow", "within"];
    let keys = [&KEYS[..], &common[..], &request::KEYS[..]].concat();
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
    let before = review.count();
    let via = fields.optional("via", |node, review| {
        Via::named(document::one_of(
            node,
            review,
            &["balancer", "dns", "instance"],
        )?)
    });
    let check = HttpCheck {
        path: path.to_owned(),
        host: fields.optional("host", request::host),
        https: fields.optional("https", document::boolean),
        headers: request::headers(&fields),
        resolve: fields.optional("resolve", request::host),
        insecure: request::insecure(&fields),
        via,
        slower_than: fields.optional("slower-than", request::limit),
        status: status(&fields, review)?,
        contains: fields.optional("contains", texts).unwrap_or_default(),
        anywhere: network::anywhere(&fields)?,
        within: within(&fields),
    };
    (review.count() == before).then_some(check)
}
