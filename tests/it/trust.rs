//! Which certificates are trusted: those of `AWS_CA_BUNDLE` and of `ca_bundle`, as with the AWS CLI.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsAcceptor;

use super::world::World;

const AUTHORITY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/trust/authority.pem");

/// Serves, by TLS, the answer by which a caller is refused; returns the address.
async fn refusing_server() -> String {
    let chain = CertificateDer::from_pem_slice(include_bytes!("trust/server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("trust/server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![chain], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    return;
                };
                let mut request = vec![0; 16 << 10];
                let read = stream.read(&mut request).await.unwrap();
                assert!(read > 0, "a request was expected");
                let body = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>\
                            <Message>reached</Message></Error></ErrorResponse>";
                let answer = format!(
                    "HTTP/1.1 403 Forbidden\r\ncontent-type: text/xml\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
                stream.write_all(answer.as_bytes()).await.unwrap();
                stream.shutdown().await.unwrap();
            });
        }
    });
    address
}

#[test]
fn a_bundle_is_trusted_and_what_it_does_not_hold_is_not() {
    let world = World::empty();
    let address = world.wait_for(refusing_server());
    let ask = || world.goldseed(["runs"]).env("AWS_ENDPOINT_URL", &address);

    let unknown = ask().run();
    assert_eq!(unknown.code, Some(5), "{unknown}");
    assert!(unknown.stderr.contains("certificate"), "{unknown}");
    assert!(unknown.stderr.contains("AWS_CA_BUNDLE"), "{unknown}");

    for variable in ["AWS_CA_BUNDLE", "SSL_CERT_FILE"] {
        let known = ask().env(variable, AUTHORITY).run();
        assert!(
            known.stderr.contains("reached (AccessDenied)"),
            "{variable}: {known}"
        );
    }

    let folder = world.project().with_file_name("home").join(".aws");
    fs_err::create_dir_all(&folder).unwrap();
    let config = format!(
        "[default]\nca_bundle = {AUTHORITY}\n[profile other]\naws_access_key_id = AKIAELSE\naws_secret_access_key = test\n\
         ca_bundle = /nonexistent\n"
    );
    fs_err::write(folder.join("config"), config).unwrap();
    let known = ask().run();
    assert!(known.stderr.contains("reached (AccessDenied)"), "{known}");
    let other = ask().env("AWS_PROFILE", "other").run();
    assert_eq!(other.code, Some(2), "{other}");
    assert!(other.stderr.contains("/nonexistent"), "{other}");
    // The variable wins, and an empty one says nothing.
    let known = ask()
        .env("AWS_PROFILE", "other")
        .env("AWS_CA_BUNDLE", AUTHORITY)
        .run();
    assert!(known.stderr.contains("reached (AccessDenied)"), "{known}");
    let other = ask().env("AWS_CA_BUNDLE", "").run();
    assert_eq!(other.code, Some(5), "{other}");
}
