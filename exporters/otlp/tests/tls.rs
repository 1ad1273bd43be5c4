//! TLS with authorities made for the test: whom the exporter trusts, and what it says when it does not.
#![allow(clippy::unwrap_used, reason = "only tests are here")]

mod common;

use std::sync::Arc;

use common::{QUICK, create, logs, start};
use pipeline::Outcome;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use simulator::otlp_intake::OtlpIntake;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    named_authority("test authority")
}

fn named_authority(name: &str) -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// An intake behind TLS on 127.0.0.1, with a certificate for `name`. Returns the port.
async fn tls_intake(authority: &Authority, name: &str, ask_client: bool) -> (OtlpIntake, u16) {
    let intake = OtlpIntake::start(None).await.unwrap();
    let key = KeyPair::generate().unwrap();
    let cert = CertificateParams::new([name.to_owned()])
        .unwrap()
        .signed_by(&key, authority)
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = if ask_client {
        let mut roots = RootCertStore::empty();
        roots.add(authority.der().clone()).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .unwrap();
        builder.with_client_cert_verifier(verifier)
    } else {
        builder.with_no_client_auth()
    };
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = builder.with_single_cert(vec![cert.der().clone()], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let target = intake.address();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // A client that does not trust us ends the handshake; that is what some tests are about.
                let Ok(mut outside) = acceptor.accept(stream).await else {
                    return;
                };
                let mut inside = TcpStream::connect(target).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut outside, &mut inside).await;
            });
        }
    });
    (intake, port)
}

fn indented(pem: &str) -> String {
    pem.lines().map(|line| format!("    {line}\n")).collect()
}

#[tokio::test]
async fn an_authority_from_the_settings_is_trusted() {
    let authority = authority();
    let (intake, port) = tls_intake(&authority, "localhost", false).await;
    let pem = indented(&authority.pem());
    let exporter = start(&format!(
        "endpoint: https://localhost:{port}\n{QUICK}\ntls:\n  ca_pem: |\n{pem}"
    ))
    .await;
    assert_eq!(exporter.send(logs(&["a"])).await, Outcome::Delivered);
    assert_eq!(intake.records().len(), 1);
}

#[tokio::test]
async fn an_unknown_authority_is_named_as_the_cause() {
    for other in ["another authority", "test authority"] {
        let (intake, port) = tls_intake(&authority(), "localhost", false).await;
        let other = indented(&named_authority(other).pem());
        let yaml = format!("endpoint: https://localhost:{port}\n{QUICK}\ntls:\n  ca_pem: |\n{other}");
        let exporter = start(&yaml).await;
        let _delivery = exporter.put(logs(&["a"])).await;
        let why = exporter.failing().await;
        assert!(
            why.contains("not trusted here") && why.contains("tls::ca_file"),
            "{why}"
        );
        assert!(intake.attempts().is_empty());
    }
}

/// Run in a process of its own by the test below, which sets the environment.
#[tokio::test]
#[ignore = "needs the environment of `the_systems_authorities_are_found_through_the_environment`"]
async fn child_that_trusts_the_system() {
    let port = std::env::var("TEST_PORT").unwrap();
    let exporter = start(&format!("endpoint: https://localhost:{port}\n{QUICK}")).await;
    assert_eq!(exporter.send(logs(&["a"])).await, Outcome::Delivered);
}

#[tokio::test]
async fn the_systems_authorities_are_found_through_the_environment() {
    let authority = authority();
    let (intake, port) = tls_intake(&authority, "localhost", false).await;
    let file = std::env::temp_dir().join(format!("otlp-exporter-test-{}.pem", std::process::id()));
    std::fs::write(&file, authority.pem()).unwrap();
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child
        .args(["--exact", "child_that_trusts_the_system", "--ignored"])
        .env_remove("SSL_CERT_DIR")
        .env("SSL_CERT_FILE", &file)
        .env("TEST_PORT", port.to_string());
    let output = tokio::task::spawn_blocking(move || child.output())
        .await
        .unwrap()
        .unwrap();
    std::fs::remove_file(&file).unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(intake.records().len(), 1);
}

#[tokio::test]
async fn no_authorities_at_all_stop_the_start_only_where_https_is_used() {
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child
        .args(["--exact", "child_without_authorities", "--ignored"])
        .env_remove("SSL_CERT_DIR")
        .env("SSL_CERT_FILE", "/does/not/exist");
    let output = tokio::task::spawn_blocking(move || child.output())
        .await
        .unwrap()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// Run in a process of its own by the test above, which sets the environment.
#[tokio::test]
#[ignore = "needs the environment of `no_authorities_at_all_stop_the_start_only_where_https_is_used`"]
async fn child_without_authorities() {
    let why = create("endpoint: https://h")
        .unwrap()
        .start()
        .await
        .unwrap_err()
        .to_string();
    assert!(
        why.contains("install ca-certificates") && why.contains("SSL_CERT_FILE"),
        "{why}"
    );
    create("endpoint: http://localhost:4318")
        .unwrap()
        .start()
        .await
        .unwrap();
}

#[tokio::test]
async fn a_certificate_for_another_name_is_named_as_the_cause() {
    let authority = authority();
    let (intake, port) = tls_intake(&authority, "intake.example", false).await;
    let pem = indented(&authority.pem());
    let exporter = start(&format!(
        "endpoint: https://localhost:{port}\n{QUICK}\ntls:\n  ca_pem: |\n{pem}"
    ))
    .await;
    let _delivery = exporter.put(logs(&["a"])).await;
    let why = exporter.failing().await;
    assert!(
        why.contains("intake.example") && why.contains("not for localhost"),
        "{why}"
    );
    assert!(intake.attempts().is_empty());
}

#[tokio::test]
async fn insecure_skip_verify_takes_any_certificate() {
    let (intake, port) = tls_intake(&authority(), "intake.example", false).await;
    let (log, _guard) = common::Log::capture();
    let exporter = start(&format!(
        "endpoint: https://localhost:{port}\n{QUICK}\ntls: {{insecure_skip_verify: true}}"
    ))
    .await;
    assert_eq!(exporter.send(logs(&["a"])).await, Outcome::Delivered);
    assert_eq!(intake.records().len(), 1);
    assert!(log.text().contains("insecure_skip_verify is true"), "{}", log.text());
}

#[tokio::test]
async fn a_client_certificate_is_shown_when_asked_for() {
    let authority = authority();
    let (intake, port) = tls_intake(&authority, "localhost", true).await;
    let key = KeyPair::generate().unwrap();
    let cert = CertificateParams::new(["collector".to_owned()])
        .unwrap()
        .signed_by(&key, &authority)
        .unwrap();
    let (ca, cert, key) = (
        indented(&authority.pem()),
        indented(&cert.pem()),
        indented(&key.serialize_pem()),
    );
    let exporter = start(&format!(
        "endpoint: https://localhost:{port}\n{QUICK}\ntls:\n  ca_pem: |\n{ca}\n  cert_pem: |\n{cert}\n  key_pem: |\n{key}"
    ))
    .await;
    assert_eq!(exporter.send(logs(&["a"])).await, Outcome::Delivered);
    assert_eq!(intake.records().len(), 1);
}

#[tokio::test]
async fn plain_http_behind_https_is_named() {
    let intake = OtlpIntake::start(None).await.unwrap();
    let pem = indented(&authority().pem());
    let url = intake.url().replace("http://", "https://");
    let exporter = start(&format!("endpoint: {url}\n{QUICK}\ntls:\n  ca_pem: |\n{pem}")).await;
    let _delivery = exporter.put(logs(&["a"])).await;
    let why = exporter.failing().await;
    assert!(why.contains("does not speak TLS"), "{why}");
}

#[tokio::test]
async fn files_that_are_not_what_they_should_be_stop_the_start() {
    for (tls, expected) in [
        (
            "{ca_file: /does/not/exist}",
            "tls::ca_file: cannot read `/does/not/exist`",
        ),
        ("{ca_pem: nonsense}", "tls::ca_file: no certificate in PEM form"),
    ] {
        let mut exporter = create(&format!("endpoint: https://h\ntls: {tls}")).unwrap();
        let why = exporter.start().await.unwrap_err().to_string();
        assert!(why.contains(expected), "{why}");
    }
}
