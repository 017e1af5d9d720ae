//! HTTP probes, as a visitor's browser would send them: through the load balancer, from where the operator sits.

use std::time::Duration;

use aws_smithy_http_client::{Connector, tls};
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;

use super::Cloud;
use super::error::with_causes;

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The whole URL.
    pub url: String,
    /// The `Host` header, where it is not the URL's.
    pub host: Option<String>,
    /// Whether a redirect to another host is followed.
    pub anywhere: bool,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The body, at most a mebibyte of it.
    pub body: String,
}

/// How much of a page is looked at.
const LONGEST_BODY: usize = 1 << 20;

/// How many redirects are followed.
const REDIRECTS: usize = 5;

/// A page that takes longer than this is not well.
const PATIENCE: Duration = Duration::from_secs(30);

impl Cloud {
    /// Sends a GET. Where the answer is a redirect of the same host it is followed, at most five times, unless a redirect
    /// is what is `wanted`; one to another host only where the probe goes anywhere. The error is the reason for people.
    pub async fn probe(&self, probe: &Probe, wanted: u16) -> Result<ProbeAnswer, String> {
        let mut next = probe.clone();
        for _ in 0..=REDIRECTS {
            let (answer, location) = self.fetch(&next).await?;
            match location {
                Some(location) if answer.status != wanted => {
                    let to = absolute(&next.url, &location)?;
                    next = following(&next, &to).ok_or_else(|| {
                        format!(
                            "answers {} to {to}: that is another host, where only `follow: anywhere` goes",
                            answer.status
                        )
                    })?;
                }
                _ => return Ok(answer),
            }
        }
        Err(format!(
            "more than {REDIRECTS} redirects, the last to {}",
            next.url
        ))
    }

    /// Sends one GET and returns the answer with where it redirects to.
    async fn fetch(&self, probe: &Probe) -> Result<(ProbeAnswer, Option<String>), String> {
        let mut request = HttpRequest::get(&probe.url).map_err(|error| error.to_string())?;
        request.headers_mut().insert(
            "user-agent",
            concat!("goldseed/", env!("CARGO_PKG_VERSION")),
        );
        if let Some(host) = &probe.host {
            request
                .headers_mut()
                .try_insert("host", host.clone())
                .map_err(|error| error.to_string())?;
        }
        let connector = Connector::builder()
            .tls_provider(tls::Provider::Rustls(
                tls::rustls_provider::CryptoMode::AwsLc,
            ))
            .build();
        let fetch = async {
            let answer = connector
                .call(request)
                .await
                .map_err(|error| with_causes(&error))?;
            let status = answer.status().as_u16();
            let location = matches!(status, 301 | 302 | 303 | 307 | 308)
                .then(|| answer.headers().get("location").map(ToOwned::to_owned));
            let body = read(answer.into_body()).await?;
            Ok((ProbeAnswer { status, body }, location.flatten()))
        };
        match tokio::time::timeout(self.pace.scale(PATIENCE).max(Duration::from_secs(5)), fetch)
            .await
        {
            Ok(answer) => answer,
            Err(_) => Err("no answer in time".to_owned()),
        }
    }
}

/// The probe that follows a redirect, where it may.
fn following(probe: &Probe, to: &str) -> Option<Probe> {
    let same = host_of(to) == host_of(&probe.url);
    let (scheme, authority, _) = parts(&probe.url)?;
    let (to_scheme, to_authority, rest) = parts(to)?;
    let url = match &probe.host {
        _ if same => to.to_owned(),
        // The name that was asked for: it stays with whoever was asked.
        Some(host) if scheme == to_scheme && host_name(to_authority) == host_name(host) => {
            format!("{scheme}://{authority}{rest}")
        }
        _ if probe.anywhere => {
            return Some(Probe {
                url: to.to_owned(),
                host: None,
                anywhere: true,
            });
        }
        _ => return None,
    };
    Some(Probe {
        url,
        ..probe.clone()
    })
}

/// Scheme, authority and what comes after it.
fn parts(url: &str) -> Option<(&str, &str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    Some((scheme, &rest[..end], &rest[end..]))
}

fn host_of(url: &str) -> Option<String> {
    parts(url).map(|(_, authority, _)| host_name(authority))
}

/// A host without its port, in small letters.
fn host_name(authority: &str) -> String {
    let port = authority
        .rfind(':')
        .filter(|at| !authority[*at..].contains(']'));
    authority[..port.unwrap_or(authority.len())].to_lowercase()
}

/// Resolves a redirect's `Location`: a whole address, or a path of the host that was asked.
fn absolute(from: &str, location: &str) -> Result<String, String> {
    if location.starts_with("http://") || location.starts_with("https://") {
        return Ok(location.to_owned());
    }
    let host_ends = from.find("://").map(|at| at + 3).and_then(|start| {
        Some(from[start..].find('/').map_or(from.len(), |at| start + at))
            .filter(|_| location.starts_with('/'))
    });
    match host_ends {
        Some(end) => Ok(format!("{}{location}", &from[..end])),
        None => Err(format!(
            "{from} redirects to `{location}`, which is no address"
        )),
    }
}

async fn read(body: SdkBody) -> Result<String, String> {
    let mut stream = aws_smithy_types::byte_stream::ByteStream::new(body);
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await {
        bytes.extend_from_slice(&chunk.map_err(|error| with_causes(&error))?);
        if bytes.len() >= LONGEST_BODY {
            bytes.truncate(LONGEST_BODY);
            break;
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::{Probe, absolute, following};

    #[test]
    fn redirects_lead_to_whole_addresses() {
        let to = |location| absolute("http://balancer:81/a/b?c", location);
        assert_eq!(
            to("https://www.shop.example/"),
            Ok("https://www.shop.example/".into())
        );
        assert_eq!(to("/login"), Ok("http://balancer:81/login".into()));
        assert!(to("login").is_err());
        assert!(to("ftp://elsewhere/").is_err());
    }

    #[test]
    fn a_redirect_is_followed_on_its_own_host_and_elsewhere_only_when_asked() {
        let probe = |host: Option<&str>, anywhere| Probe {
            url: "http://Balancer:81/a".to_owned(),
            host: host.map(str::to_owned),
            anywhere,
        };
        let to = |host, anywhere, to| {
            following(&probe(host, anywhere), to).map(|next| (next.url, next.host.is_some()))
        };
        let there = |url: &str, host| Some((url.to_owned(), host));
        assert_eq!(
            to(None, false, "https://balancer/b"),
            there("https://balancer/b", false)
        );
        assert_eq!(to(None, false, "https://shop.example/b"), None);
        assert_eq!(
            to(None, true, "https://shop.example/b"),
            there("https://shop.example/b", false)
        );
        // The name that is asked for by a header is the balancer still, as far as it can be asked by that name.
        let host = Some("shop.example");
        assert_eq!(
            to(host, false, "http://SHOP.example?b"),
            there("http://Balancer:81?b", true)
        );
        assert_eq!(
            to(host, false, "http://balancer:81/b"),
            there("http://balancer:81/b", true)
        );
        assert_eq!(to(host, false, "https://shop.example/b"), None);
        assert_eq!(
            to(host, true, "https://shop.example/b"),
            there("https://shop.example/b", false)
        );
    }
}
