//! Who may ask on the public port.
//!
//! Whoever may call `RunInstances` with user data is root in a container. A web page can make a browser send requests to
//! a loopback port, and every local user can connect to it. So a request must carry this sandbox's own access key, which only
//! its exports print, must name a loopback host (a page whose name was rebound to 127.0.0.1 names its own), and must come
//! from no page at all.

use std::io::Read as _;
use std::net::{IpAddr, SocketAddr};

use super::server::Received;
use super::wire::{ApiError, Service};

/// Letters and digits of an access key id (base 32, as those of AWS).
const KEY_ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The credentials of one sandbox.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessKey {
    /// The access key id, of which the scope of every signature begins.
    pub id: String,
    /// The secret access key. Clients sign with it; the sandbox compares the scope alone.
    pub secret: String,
}

impl std::fmt::Debug for AccessKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("AccessKey(…)")
    }
}

impl AccessKey {
    /// Draws a key that no other sandbox has: 120 bits in its id.
    pub(crate) fn random() -> std::io::Result<Self> {
        let mut bytes = [0_u8; 64];
        fs_err::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        let text: String = bytes
            .iter()
            .map(|byte| char::from(KEY_ALPHABET[usize::from(byte & 31)]))
            .collect();
        let (id, secret) = text.split_at(24);
        Ok(Self {
            id: format!("AKIA{id}"),
            secret: secret.to_owned(),
        })
    }
}

/// Why a request is not served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// A web page, or a name that leads here by rebinding: the text for whoever reads it.
    Foreign(String),
    /// A client without this sandbox's key: in the form of the service that it asked.
    Client(Service, ApiError),
}

/// Decides whether a request on the public port is served. Without a key, as in tests with simulated machines, any
/// credentials are good.
pub(crate) fn admit(
    listen: IpAddr,
    key: Option<&AccessKey>,
    received: &Received,
) -> Result<(), Refused> {
    let hosts: Vec<_> = received.headers.get_all("host").iter().collect();
    match hosts[..] {
        [host] if host.to_str().is_ok_and(|host| is_ours(listen, host)) => {}
        _ => {
            let text = "the sandbox is asked by its address: 127.0.0.1, [::1] or localhost, or the one that it listens on\n";
            return Err(Refused::Foreign(text.to_owned()));
        }
    }
    // A browser sends one of these with everything that a page causes; no client of AWS does.
    for header in ["origin", "sec-fetch-site"] {
        if received.headers.contains_key(header) {
            let text = format!("the sandbox serves no web page: the request carries `{header}`\n");
            return Err(Refused::Foreign(text));
        }
    }
    let Some(key) = key else {
        return Ok(());
    };
    let service = asked_service(received);
    match key_id(received) {
        Some(id) if id == key.id => Ok(()),
        Some(_) => Err(Refused::Client(service, invalid_key(service))),
        None => Err(Refused::Client(
            service,
            ApiError::with_status(
                403,
                "MissingAuthenticationToken",
                "The request carries no signature. Set what `goldseed sandbox serve` prints.",
            ),
        )),
    }
}

/// Whether a `Host` header names this computer, or the address that was told to be served.
fn is_ours(listen: IpAddr, host: &str) -> bool {
    // An address of version 6 stands in brackets, with the port after them.
    let name = match host.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, port)) if port.is_empty() || port.starts_with(':') => address,
            _ => return false,
        },
        None => host.split(':').next().unwrap_or_default(),
    };
    if name.eq_ignore_ascii_case("localhost") {
        return true;
    }
    name.parse::<IpAddr>().is_ok_and(|address| {
        // Whoever serves all addresses is asked by any: a name, which rebinding needs, is still none.
        address.is_loopback() || address == listen || listen.is_unspecified()
    })
}

/// The service that is asked, for the form of a refusal.
fn asked_service(received: &Received) -> Service {
    if received.headers.contains_key("x-amz-target") {
        return Service::Ssm;
    }
    let form = super::wire::query::Query::parse(&received.body);
    let version = form.get("Version").unwrap_or_default();
    match Service::of_version(version) {
        Some(service) => service,
        None if received.path == "/" => Service::Ec2,
        None => Service::Storage,
    }
}

/// The access key id in the scope of a signature (version 4): in the header, or in the query of a presigned address.
fn key_id(received: &Received) -> Option<String> {
    let scope = match received.header("authorization") {
        Some(header) => header
            .strip_prefix("AWS4-HMAC-SHA256 ")?
            .split(',')
            .find_map(|part| part.trim().strip_prefix("Credential="))?
            .to_owned(),
        None => form_urlencoded::parse(received.query.as_bytes())
            .find(|(name, _)| name == "X-Amz-Credential")?
            .1
            .into_owned(),
    };
    let (id, scope) = scope.split_once('/')?;
    scope.ends_with("/aws4_request").then(|| id.to_owned())
}

/// What each service answers to an access key that does not exist (API references, "Common errors").
fn invalid_key(service: Service) -> ApiError {
    let (status, code) = match service {
        Service::Ec2 => (401, "AuthFailure"),
        Service::Beanstalk | Service::Sts => (403, "InvalidClientTokenId"),
        Service::Ssm => (400, "UnrecognizedClientException"),
        Service::Storage => (403, "InvalidAccessKeyId"),
    };
    let text = "The access key is not this sandbox's. Set what `goldseed sandbox serve` printed when it started.";
    ApiError::with_status(status, code, text)
}

/// Whether an address is reached from this computer alone.
pub(crate) fn is_private(address: &SocketAddr) -> bool {
    address.ip().is_loopback()
}

#[cfg(test)]
mod tests {
    use hyper::body::Bytes;
    use hyper::header::{HeaderName, HeaderValue};
    use hyper::{HeaderMap, Method};

    use super::*;

    fn request(headers: &[(&'static str, &str)], query: &str, body: &'static str) -> Received {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(
                HeaderName::from_static(name),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        Received {
            method: Method::POST,
            path: "/".to_owned(),
            query: query.to_owned(),
            headers: map,
            body: Bytes::from_static(body.as_bytes()),
        }
    }

    fn key() -> AccessKey {
        AccessKey {
            id: "AKIAOURS".to_owned(),
            secret: "secret".to_owned(),
        }
    }

    const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const OURS: &str = "AWS4-HMAC-SHA256 Credential=AKIAOURS/20260101/eu-central-1/ec2/aws4_request, SignedHeaders=host, Signature=0";

    #[test]
    fn a_foreign_host_and_any_page_are_refused() {
        let admitted = |listen: IpAddr, headers: &[(&'static str, &str)]| {
            let mut all = vec![("authorization", OURS)];
            all.extend(headers);
            admit(listen, Some(&key()), &request(&all, "", "")).is_ok()
        };
        for host in [
            "127.0.0.1:4566",
            "127.0.0.1",
            "localhost:1",
            "LOCALHOST",
            "[::1]:4566",
            "[::1]",
            "127.8.9.1",
        ] {
            assert!(admitted(LOOPBACK, &[("host", host)]), "{host}");
        }
        for host in [
            "evil.example:4566",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "127.0.0.1@evil.example",
            "10.0.0.7:4566",
            "[::1].evil.example",
            "[::1",
            "",
        ] {
            assert!(!admitted(LOOPBACK, &[("host", host)]), "{host}");
        }
        assert!(!admitted(LOOPBACK, &[]), "no host");
        let twice = [("host", "127.0.0.1"), ("host", "evil.example")];
        assert!(!admitted(LOOPBACK, &twice));
        for header in ["origin", "sec-fetch-site"] {
            for value in ["null", "none", "http://127.0.0.1:4566", "same-origin"] {
                let headers = [("host", "127.0.0.1"), (header, value)];
                assert!(!admitted(LOOPBACK, &headers), "{header}: {value}");
            }
        }
        let bridge: IpAddr = "10.0.0.7".parse().unwrap();
        assert!(admitted(bridge, &[("host", "10.0.0.7:4566")]));
        assert!(!admitted(bridge, &[("host", "10.0.0.8:4566")]));
        let all: IpAddr = "0.0.0.0".parse().unwrap();
        assert!(admitted(all, &[("host", "10.0.0.8:4566")]));
        assert!(!admitted(all, &[("host", "evil.example")]));
    }

    #[test]
    fn only_the_key_of_the_sandbox_opens_it() {
        let code = |authorization: &str, query: &str, body| {
            let headers = [("host", "127.0.0.1"), ("authorization", authorization)];
            let headers = if authorization.is_empty() {
                &headers[..1]
            } else {
                &headers[..]
            };
            match admit(LOOPBACK, Some(&key()), &request(headers, query, body)) {
                Ok(()) => "served".to_owned(),
                Err(Refused::Client(_, error)) => error.code,
                Err(Refused::Foreign(text)) => panic!("{text}"),
            }
        };
        let presigned = "X-Amz-Credential=AKIAOURS%2F20260101%2Feu-central-1%2Fs3%2Faws4_request";
        assert_eq!(code(OURS, "", ""), "served");
        assert_eq!(code("", presigned, ""), "served");
        let other = OURS.replace("AKIAOURS", "AKIAOTHER");
        assert_eq!(code(&other, "", "Version=2016-11-15"), "AuthFailure");
        assert_eq!(
            code(&other, "", "Version=2010-12-01"),
            "InvalidClientTokenId"
        );
        let longer = OURS.replace("AKIAOURS/", "AKIAOURSX/");
        assert_eq!(code(&longer, "", "Version=2016-11-15"), "AuthFailure");
        for nothing in [
            "",
            "Bearer AKIAOURS",
            "AWS4-HMAC-SHA256 Credential=AKIAOURS",
            "AWS4-HMAC-SHA256 Credential=AKIAOURS/x",
            "AWS4-HMAC-SHA256",
        ] {
            assert_eq!(
                code(nothing, "", ""),
                "MissingAuthenticationToken",
                "{nothing}"
            );
        }
        // Without a key, as in tests of simulated machines, only where a request comes from counts.
        let anyone = request(&[("host", "127.0.0.1")], "", "");
        assert_eq!(admit(LOOPBACK, None, &anyone), Ok(()));
    }

    #[test]
    fn keys_are_long_and_never_the_same() {
        let keys = [AccessKey::random().unwrap(), AccessKey::random().unwrap()];
        assert_ne!(keys[0], keys[1]);
        assert_eq!(keys[0].id.len(), 28);
        assert_eq!(keys[0].secret.len(), 40);
        assert_eq!(format!("{:?}", keys[0]), "AccessKey(…)");
    }
}
