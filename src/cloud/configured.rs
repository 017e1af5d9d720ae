//! Endpoints and root certificates as the environment and the AWS configuration files name them.
//!
//! The SDK takes these values unchecked: a client whose endpoint is empty panics, and so does a trust store that is
//! given a file without certificates. Therefore each value is read here by the SDK's own rules (variables before
//! files, a service's own value before the general one) and checked before a client exists.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{self, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, ConnectorBuilder};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_types::service_config::ServiceConfigKey;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::CloudError;
use super::connect::unusable;

/// The services whose clients are made: the tool's own, and those of the credential chain.
const SERVICES: [&str; 6] = ["EC2", "Elastic Beanstalk", "SSM", "STS", "SSO", "SSO OIDC"];

/// How many of [`SERVICES`] are the tool's own.
const OWN: usize = 4;

/// The values for a profile.
#[derive(Debug)]
pub(super) struct Configured(SdkConfig);

impl Configured {
    /// Reads the variables and files; `profile` wins over `AWS_PROFILE`. No network is used.
    pub(super) async fn read(profile: Option<&str>) -> Self {
        // A region that is given keeps the SDK from asking the instance metadata for one.
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .no_credentials()
            .region(Region::from_static("us-east-1"));
        if let Some(profile) = profile {
            loader = loader.profile_name(profile);
        }
        Self(loader.load().await)
    }

    fn value(&self, service: &str, variable: &str, key: &str) -> Option<String> {
        let key = ServiceConfigKey::builder()
            .service_id(service)
            .env(variable)
            .profile(key)
            .build()
            .ok()?;
        self.0.service_config()?.load_config(key)
    }

    fn endpoint(&self, service: &str) -> Option<String> {
        self.value(service, "AWS_ENDPOINT_URL", "endpoint_url")
    }

    /// Checks the endpoints of all services.
    pub(super) fn check_endpoints(&self) -> Result<(), CloudError> {
        for service in SERVICES {
            let Some(url) = self.endpoint(service) else {
                continue;
            };
            if !is_endpoint(&url) {
                let own = service.to_uppercase().replace(' ', "_");
                return Err(unusable(format!(
                    "the endpoint of {service} is `{}`, which is not an http or https address (AWS_ENDPOINT_URL, \
                     AWS_ENDPOINT_URL_{own}, or `endpoint_url` in the AWS configuration file)",
                    url.escape_debug()
                )));
            }
        }
        Ok(())
    }

    /// Returns the client that trusts the certificates that are configured; none: the SDK's default, which trusts
    /// those of the system, or of `SSL_CERT_FILE` and `SSL_CERT_DIR`.
    pub(super) fn http_client(&self) -> Result<Option<SharedHttpClient>, CloudError> {
        let bundle = self
            .value("STS", "AWS_CA_BUNDLE", "ca_bundle")
            .filter(|path| !path.is_empty());
        // What an empty variable leaves to the SDK's default is `SSL_CERT_FILE`.
        if let Some(path) = bundle {
            let pem = fs_err::read(&path).map_err(|error| {
                unusable(format!(
                    "cannot read the certificates of AWS_CA_BUNDLE or `ca_bundle`: {error}"
                ))
            })?;
            let trusted = certificates(&pem).ok_or_else(|| {
                unusable(format!(
                    "{path}, named by AWS_CA_BUNDLE or `ca_bundle`, holds no certificate in PEM form"
                ))
            })?;
            return Ok(Some(trusting(&trusted)));
        }
        let mut roots = RootCertStore::empty();
        let system = rustls_native_certs::load_native_certs();
        if roots.add_parsable_certificates(system.certs).0 > 0 {
            return Ok(None);
        }
        let is_plain = |service: &&str| {
            let endpoint = self.endpoint(service);
            endpoint.is_some_and(|url| url.starts_with("http://"))
        };
        if SERVICES.iter().take(OWN).all(is_plain) {
            return Ok(Some(Builder::new().build_http()));
        }
        Err(unusable(
            "no root certificates were found to check AWS's by: install the package ca-certificates, or name a file \
             that holds some with AWS_CA_BUNDLE, `ca_bundle` or SSL_CERT_FILE"
                .to_owned(),
        ))
    }
}

/// Whether the SDK can send requests to it.
fn is_endpoint(text: &str) -> bool {
    let Ok(url) = text.parse::<hyper::Uri>() else {
        return false;
    };
    let Some(authority) = url.authority() else {
        return false;
    };
    let after_host = authority
        .as_str()
        .rsplit_once('@')
        .map_or(authority.as_str(), |(_, host)| host);
    let port = after_host
        .strip_prefix(authority.host())
        .unwrap_or_default();
    matches!(url.scheme_str(), Some("http" | "https"))
        && !authority.host().is_empty()
        && (port.is_empty()
            || port
                .strip_prefix(':')
                .is_some_and(|port| port.parse::<u16>().is_ok()))
}

/// Returns the certificates of a PEM file that can be trusted, as PEM; none where there is not one. What the file
/// holds beside them is left out, for the trust store panics over it.
fn certificates(pem: &[u8]) -> Option<String> {
    let mut roots = RootCertStore::empty();
    let usable = CertificateDer::pem_slice_iter(pem)
        .filter_map(Result::ok)
        .filter(|certificate| roots.add(certificate.clone()).is_ok())
        .fold(String::new(), |text, certificate| {
            let body = STANDARD.encode(&certificate);
            text + "-----BEGIN CERTIFICATE-----\n" + &body + "\n-----END CERTIFICATE-----\n"
        });
    (!usable.is_empty()).then_some(usable)
}

/// The SDK's default client, but for the certificates.
fn trusting(pem: &str) -> SharedHttpClient {
    let store = TrustStore::empty().with_pem_certificate(pem);
    let context = TlsContext::builder().with_trust_store(store).build();
    Builder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = ConnectorBuilder::default()
            .tls_provider(tls::Provider::Rustls(
                tls::rustls_provider::CryptoMode::AwsLc,
            ))
            .proxy_config(ProxyConfig::from_env());
        if let Ok(context) = &context {
            connector = connector.tls_context(context.clone());
        }
        connector.set_connector_settings(settings.cloned());
        if let Some(components) = components {
            connector.set_sleep_impl(components.sleep_impl());
        }
        connector.build()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_an_http_address_with_a_host_and_at_most_a_port() {
        for right in [
            "http://127.0.0.1:4566",
            "https://vpce-1.ssm.eu-central-1.vpce.amazonaws.com",
            "http://[::1]:4566",
            "https://proxy.example.com/aws",
        ] {
            assert!(is_endpoint(right), "{right}");
        }
        for wrong in [
            "",
            " ",
            "foo",
            "foo:80",
            "//foo",
            "http://",
            "http:///path",
            "http://:80",
            "ftp://example.com",
            "http://a b",
            "http://[::1",
            "http://127.0.0.1:99999",
            "http://127.0.0.1:port",
            "https://exämple.com",
            "http://example.com\n",
        ] {
            assert!(!is_endpoint(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_file_without_a_certificate_is_not_a_bundle() {
        for wrong in [
            "",
            "nonsense",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n",
            "-----BEGIN CERTIFICATE-----\n",
        ] {
            assert_eq!(certificates(wrong.as_bytes()), None, "{wrong}");
        }
        assert_eq!(certificates(&[0xff, 0xfe, 0x00]), None);
    }
}
