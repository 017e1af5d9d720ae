//! HTTP probes: one check of a page, asked as a browser asks.
//!
//! A probe follows redirects, keeps cookies until it ends, reads the page in its own charset and searches all of it.
//! `gs_check_http` in `src/recipe/checks.sh` behaves the same on an instance; `tests/it/recipes/redirects.rs` runs one
//! table of cases through both.

mod cookies;
mod page;
mod route;
mod tls;

use std::time::Duration;

use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Request, Response};
use hyper_util::client::proxy::matcher::Matcher;
use url::{Position, Url};

use self::cookies::Cookies;
use self::page::Page;
use self::route::Hop;
use super::error::with_causes;

/// One check of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The address, as a visitor's browser shows it.
    pub url: String,
    /// Where to connect instead of to the host in the address: `name`, `name:port` or an IP address.
    pub dial: Option<String>,
    /// More request headers, for the host that is asked and no other.
    pub headers: Vec<(String, String)>,
    /// Whether a redirect to another host is followed.
    pub anywhere: bool,
    /// Whether any certificate is accepted.
    pub insecure: bool,
    /// The status that is expected.
    pub status: u16,
    /// Texts that the page must contain.
    pub contains: Vec<String>,
    /// The time in which each request must be answered, the whole page included.
    pub slower_than: Duration,
}

/// Why a probe failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeFailure {
    /// The reason, for people.
    pub reason: String,
    /// Whether the application was never asked: no connection, or the load balancer answered by itself. Another image
    /// changes nothing about that.
    pub unreachable: bool,
}

/// The most redirects that are followed.
const REDIRECTS: usize = 5;

/// The time in which a connection must be established, over all addresses of the host, TLS included.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

impl ProbeFailure {
    /// Returns the failure of a request that never reached the application.
    pub fn unreachable(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            unreachable: true,
        }
    }

    /// Returns the failure of a request that the application answered.
    pub fn answered(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            unreachable: false,
        }
    }
}

impl Probe {
    /// Asks once. The environment's `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` apply, as they do to calls to AWS.
    ///
    /// # Errors
    /// The first thing that is not as the probe expects it.
    pub async fn ask(&self) -> Result<(), ProbeFailure> {
        let proxies = Matcher::from_env();
        let mut hop = Hop::first(self).map_err(ProbeFailure::unreachable)?;
        let mut cookies = Cookies::default();
        let mut led = String::new();
        for _ in 0..=REDIRECTS {
            let connection = tokio::time::timeout(CONNECT_WITHIN, hop.connect(self, &proxies));
            let connection = match connection.await {
                Ok(Ok(connection)) => connection,
                Ok(Err(why)) => {
                    let reason = format!("{led}{} does not answer: {why}", hop.shown());
                    return Err(ProbeFailure::unreachable(reason));
                }
                Err(_) => {
                    let seconds = CONNECT_WITHIN.as_secs();
                    let shown = hop.shown();
                    let reason = format!("{led}{shown} does not answer within {seconds} s");
                    return Err(ProbeFailure::unreachable(reason));
                }
            };
            let asking = self.request(&hop, connection, &mut cookies);
            match tokio::time::timeout(self.slower_than, asking).await {
                Ok(Ok(None)) => return Ok(()),
                Ok(Ok(Some(next))) => {
                    led = format!("{} redirects, and ", hop.shown());
                    hop = next;
                }
                Ok(Err(failure)) => return Err(failure),
                Err(_) => {
                    let seconds = self.slower_than.as_secs();
                    let reason = format!("{}: no whole page within {seconds} s", hop.shown());
                    return Err(ProbeFailure::answered(reason));
                }
            }
        }
        Err(ProbeFailure::answered(format!(
            "{}: more than {REDIRECTS} redirects, the last to {}",
            self.shown(),
            hop.shown()
        )))
    }

    /// Sends one request. Returns the next one where the answer is a redirect that is to be followed.
    async fn request(
        &self,
        hop: &Hop,
        mut connection: route::Connection,
        cookies: &mut Cookies,
    ) -> Result<Option<Hop>, ProbeFailure> {
        let request = self
            .request_of(hop, &connection, cookies)
            .map_err(|why| ProbeFailure::answered(format!("{}: {why}", hop.shown())))?;
        let broken = |error: &hyper::Error| {
            let why = with_causes(error);
            ProbeFailure::answered(format!("{}: the answer broke off: {why}", hop.shown()))
        };
        let answer = connection.sender.send_request(request).await;
        let answer = answer.map_err(|error| broken(&error))?;
        let set = answer.headers().get_all(header::SET_COOKIE).iter();
        for cookie in set.filter_map(|value| value.to_str().ok()) {
            cookies.set(&hop.url, cookie);
        }
        let status = answer.status().as_u16();
        if status != self.status {
            let by_balancer = is_by_balancer(&answer);
            let refused = |reason: String| ProbeFailure {
                reason,
                unreachable: by_balancer,
            };
            let by = if by_balancer {
                " (the load balancer by itself)"
            } else {
                ""
            };
            let shown = hop.shown();
            return match location(&answer) {
                Some(to) => hop
                    .follow(self, &to)
                    .map(Some)
                    .map_err(|why| refused(format!("{shown} answers {status}{by} to {to}: {why}"))),
                None if status == 407 && connection.proxied => Err(ProbeFailure::unreachable(
                    format!("{shown}: the proxy wants a user and a password"),
                )),
                None => Err(refused(format!(
                    "{shown} answers {status}{by} instead of {}",
                    self.status
                ))),
            };
        }
        let mut page = Page::new(&self.contains, answer.headers().get(header::CONTENT_TYPE));
        let mut body = answer.into_body();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| broken(&error))?;
            if let Some(bytes) = frame.data_ref() {
                page.take(bytes);
            }
        }
        let size = page.size();
        match page.missing() {
            None => Ok(None),
            Some(text) => Err(ProbeFailure::answered(format!(
                "{} answers {status} without `{text}` in its {size} bytes",
                hop.shown()
            ))),
        }
    }

    fn request_of(
        &self,
        hop: &Hop,
        connection: &route::Connection,
        cookies: &Cookies,
    ) -> Result<Request<Empty<Bytes>>, String> {
        let target = if connection.proxied && hop.url.scheme() == "http" {
            hop.dialled()?.to_string()
        } else {
            hop.url[Position::BeforePath..Position::AfterQuery].to_owned()
        };
        let mut request = Request::get(target)
            .body(Empty::new())
            .map_err(|error| error.to_string())?;
        let headers = request.headers_mut();
        put(
            headers,
            "host",
            &hop.url[Position::BeforeHost..Position::AfterPort],
        )?;
        put(headers, "user-agent", "goldseed")?;
        put(headers, "accept", "*/*")?;
        if let Some(password) = connection.authorization.clone() {
            headers.insert(header::PROXY_AUTHORIZATION, password);
        }
        if let Some(credentials) = hop.authorization() {
            put(headers, "authorization", &credentials)?;
        }
        if let Some(cookies) = cookies.of(&hop.url) {
            put(headers, "cookie", &cookies)?;
        }
        if hop.own {
            for (name, value) in &self.headers {
                put(headers, name, value)?;
            }
        }
        Ok(request)
    }

    /// The address without a user and a password.
    fn shown(&self) -> String {
        without_login(&self.url)
    }
}

/// Returns an address for messages: without a user and a password.
pub fn without_login(url: &str) -> String {
    Url::parse(url).map_or_else(|_| url.to_owned(), |url| route::shown(&url))
}

/// Sets a header; the error names it without its value, which may be a secret.
fn put(headers: &mut HeaderMap, name: &str, value: &str) -> Result<(), String> {
    let wrong = || format!("the header `{name}` cannot be sent");
    let key = HeaderName::try_from(name).map_err(|_| wrong())?;
    let value = HeaderValue::from_str(value).map_err(|_| wrong())?;
    headers.insert(key, value);
    Ok(())
}

/// Where an answer redirects to. What is no ASCII in it is encoded, as browsers do.
fn location(answer: &Response<Incoming>) -> Option<String> {
    if !matches!(answer.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let bytes = answer.headers().get(header::LOCATION)?.as_bytes();
    let encoded = bytes.iter().map(|byte| match byte {
        0x80.. => format!("%{byte:02X}"),
        ascii => char::from(*ascii).to_string(),
    });
    Some(encoded.collect::<String>()).filter(|text| !text.is_empty())
}

/// Whether the load balancer answered by itself (a fixed answer, a redirect rule, a firewall), rather than for a target
/// that failed to answer: 502, 503 and 504 are about the instances.
fn is_by_balancer(answer: &Response<Incoming>) -> bool {
    let server = answer.headers().get(header::SERVER);
    server.is_some_and(|value| value.as_bytes().starts_with(b"awselb"))
        && !matches!(answer.status().as_u16(), 502..=504)
}
