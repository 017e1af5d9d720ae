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
    /// Sends a GET as a browser would: where the answer is a redirect it is followed, at most five times, unless a
    /// redirect is what is `wanted`. The error is the reason for people.
    pub async fn probe(&self, probe: &Probe, wanted: u16) -> Result<ProbeAnswer, String> {
        let mut next = probe.clone();
        for _ in 0..=REDIRECTS {
            let (answer, location) = self.fetch(&next).await?;
            match location {
                Some(location) if answer.status != wanted => {
                    next = Probe {
                        url: absolute(&next.url, &location)?,
                        host: None,
                    };
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
    use super::absolute;

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
}
