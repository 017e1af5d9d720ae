//! The way of one request: which host is asked, where it is connected to, and where a redirect leads.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::Empty;
use hyper::Uri;
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::HeaderValue;
use hyper::rt::{Read, Write};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Matcher;
use tower_service::Service;
use url::{Position, Url};

use super::super::error::with_causes;
use super::{Probe, tls};

/// One request of a probe.
#[derive(Clone, Debug)]
pub(super) struct Hop {
    /// The address as a browser shows it.
    pub(super) url: Url,
    /// Where to connect, where that is not the address's own host: a host, and a port in place of the address's.
    dial: Option<(String, Option<u16>)>,
    /// Whether it is at the host that the probe asks, and not at one that a redirect led to.
    pub(super) own: bool,
}

/// An open connection.
pub(super) struct Connection {
    pub(super) sender: SendRequest<Empty<Bytes>>,
    /// Whether a proxy is on the way.
    pub(super) proxied: bool,
    /// What the proxy wants to be told with each request.
    pub(super) authorization: Option<HeaderValue>,
}

impl Hop {
    /// The first request of a probe.
    pub(super) fn first(probe: &Probe) -> Result<Self, String> {
        let url = parse(&probe.url)?;
        let dial = match &probe.dial {
            Some(dial) => Some(dialled(dial)?),
            None => None,
        };
        Ok(Self {
            url,
            dial,
            own: true,
        })
    }

    /// The request that a redirect leads to.
    pub(super) fn follow(&self, probe: &Probe, location: &str) -> Result<Self, String> {
        let to = self.url.join(location);
        let mut to = to.map_err(|error| format!("that is no address: {error}"))?;
        if !matches!(to.scheme(), "http" | "https") {
            return Err(format!("`{}:` is not followed", to.scheme()));
        }
        let first = Self::first(probe)?;
        let there = to.host_str().map(ToOwned::to_owned);
        let by_dial = first.dial.as_ref().map(|(host, _)| host.clone());
        if there.as_deref() != first.url.host_str() && (there.is_none() || there != by_dial) {
            if !probe.anywhere {
                return Err("that is another host, where only `follow: anywhere` goes".to_owned());
            }
            return Ok(Self {
                url: to,
                dial: None,
                own: false,
            });
        }
        let port = to.port_or_known_default();
        let same = to.scheme() == first.url.scheme()
            && (port == first.url.port_or_known_default()
                || first
                    .dial
                    .as_ref()
                    .is_some_and(|(_, dialled)| port == *dialled));
        // The name that was asked for stays, and so does the machine that was asked.
        let kept = if same { first.url.port() } else { to.port() };
        let renamed = to.set_host(first.url.host_str()).is_ok()
            && to.set_port(kept).is_ok()
            && to.set_username(first.url.username()).is_ok()
            && to.set_password(first.url.password()).is_ok();
        if !renamed {
            return Err("that is no address".to_owned());
        }
        let dial = first.dial.map(|(host, port)| (host, port.filter(|_| same)));
        Ok(Self {
            url: to,
            dial,
            own: true,
        })
    }

    /// The address for messages: without a user and a password.
    pub(super) fn shown(&self) -> String {
        let shown = shown(&self.url);
        match &self.dial {
            Some((host, Some(port))) => format!("{shown} (at {host}:{port})"),
            Some((host, None)) => format!("{shown} (at {host})"),
            None => shown,
        }
    }

    /// The address with the host that is connected to.
    pub(super) fn dialled(&self) -> Result<Uri, String> {
        let (scheme, rest) = (
            self.url.scheme(),
            &self.url[Position::BeforePath..Position::AfterQuery],
        );
        let host = authority(&self.url);
        let at = match &self.dial {
            Some((host, port)) => match port.or(self.url.port()) {
                Some(port) => format!("{host}:{port}"),
                None => host.clone(),
            },
            None => host.to_owned(),
        };
        let uri = format!("{scheme}://{at}{rest}").parse();
        uri.map_err(|error| format!("{at} is no host: {error}"))
    }

    /// The user and the password of the address, as a header.
    pub(super) fn authorization(&self) -> Option<String> {
        let user = self.url.username();
        let password = self.url.password();
        if user.is_empty() && password.is_none() {
            return None;
        }
        let plain = |text: &str| percent_encoding::percent_decode_str(text).collect::<Vec<u8>>();
        let pair = [
            plain(user),
            b":".to_vec(),
            plain(password.unwrap_or_default()),
        ]
        .concat();
        Some(format!("Basic {}", STANDARD.encode(pair)))
    }

    /// Connects: every address of the host is tried. The error says why none answered.
    pub(super) async fn connect(
        &self,
        probe: &Probe,
        proxies: &Matcher,
    ) -> Result<Connection, String> {
        let to = self.dialled()?;
        let proxy = proxies.intercept(&to);
        let authorization = proxy.as_ref().and_then(|proxy| proxy.basic_auth().cloned());
        let name = self.url.host_str().unwrap_or_default();
        let mut plain = HttpConnector::new();
        plain.enforce_http(false);
        plain.set_connect_timeout(Some(super::CONNECT_WITHIN));
        let secure = self.url.scheme() == "https";
        let insecure = probe.insecure && self.own;
        let Some(proxy) = proxy else {
            return if secure {
                open(tls::over(plain, Some(name), insecure).await?, to).await
            } else {
                open(plain, to).await
            };
        };
        let at = proxy.uri().clone();
        if !matches!(at.scheme_str(), Some("http" | "https")) {
            let scheme = at.scheme_str().unwrap_or_default();
            return Err(format!("a proxy of the kind {scheme}:// is not supported"));
        }
        let by_proxy = |why: String| {
            let host = at.authority().map_or("", |authority| authority.as_str());
            format!(
                "by the proxy {}: {why}",
                host.rsplit('@').next().unwrap_or(host)
            )
        };
        // The connection to the proxy may itself be https.
        let outer = tls::over(plain, None, false).await?;
        let opened = if secure {
            let mut tunnel = Tunnel::new(at.clone(), outer);
            if let Some(authorization) = authorization.clone() {
                tunnel = tunnel.with_auth(authorization);
            }
            open(tls::over(tunnel, Some(name), insecure).await?, to).await
        } else {
            open(outer, at.clone()).await
        };
        let opened = opened.map_err(by_proxy)?;
        Ok(Connection {
            proxied: true,
            authorization: authorization.filter(|_| !secure),
            ..opened
        })
    }
}

/// Opens a connection by a connector.
async fn open<C>(mut connector: C, to: Uri) -> Result<Connection, String>
where
    C: Service<Uri>,
    C::Response: Read + Write + Unpin + Send + 'static,
    C::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let why = |error: C::Error| with_causes(error.into().as_ref());
    std::future::poll_fn(|task| connector.poll_ready(task))
        .await
        .map_err(why)?;
    let stream = connector.call(to).await.map_err(why)?;
    let (sender, connection) = http1::handshake(stream)
        .await
        .map_err(|error| with_causes(&error))?;
    // Ends with the request; what goes wrong shows in the answer.
    tokio::spawn(async move { drop(connection.await) });
    Ok(Connection {
        sender,
        proxied: false,
        authorization: None,
    })
}

/// Reads an address of the web.
fn parse(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("`{text}` is no address: {error}"))?;
    match url.scheme() {
        "http" | "https" if url.has_host() => Ok(url),
        _ => Err(format!("`{text}` is no address of the web")),
    }
}

/// Reads a host, perhaps with a port.
fn dialled(text: &str) -> Result<(String, Option<u16>), String> {
    let bare = text.parse::<std::net::Ipv6Addr>().is_ok();
    let text = if bare {
        format!("[{text}]")
    } else {
        text.to_owned()
    };
    // A scheme without a default port, so that every port is kept.
    let url = Url::parse(&format!("dial://{text}"));
    let url = url.map_err(|error| format!("`{text}` is no host: {error}"))?;
    let host = url
        .host_str()
        .ok_or_else(|| format!("`{text}` is no host"))?;
    Ok((host.to_ascii_lowercase(), url.port()))
}

/// An address without a user and a password.
pub(super) fn shown(url: &Url) -> String {
    let rest = &url[Position::BeforePath..Position::AfterQuery];
    format!("{}://{}{rest}", url.scheme(), authority(url))
}

fn authority(url: &Url) -> &str {
    &url[Position::BeforeHost..Position::AfterPort]
}
