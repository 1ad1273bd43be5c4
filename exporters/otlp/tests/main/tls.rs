//! TLS with authorities made for the test: the certificates that the exporters trust, and the errors for the others.

use std::path::{Path, PathBuf};

use crate::support::tls::{Authority, Certificate, Server, Tls, authority, certificate, indented, named_authority};
use crate::support::{Exporting, QUICK, Transport, create_of, logs, start_of};
use Transport::{Grpc, Http};
use collector_data::Outcome;
use collector_runtime::storage::Provided;
use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};

fn url(transport: Transport, server: &Server) -> String {
    match transport {
        Http => server.url_of_http(),
        Grpc => server.url_of_grpc(),
    }
}

async fn exporter(transport: Transport, url: &str, tls: &str) -> Exporting {
    start_of(&transport.factory(), &format!("endpoint: {url}\n{QUICK}\n{tls}")).await
}

/// The error that the exporter reports about the server, which must not receive the data.
async fn reported_error(transport: Transport, server: &Server, tls: &str) -> String {
    let exporter = exporter(transport, &url(transport, server), tls).await;
    let _delivery = exporter.put(logs(&["a"])).await;
    let why = exporter.failing().await;
    assert!(server.intake().attempts().is_empty(), "{transport:?}: {why}");
    why
}

async fn arrives(transport: Transport, server: &Server, tls: &str) {
    let before = server.intake().records().len();
    let exporter = exporter(transport, &url(transport, server), tls).await;
    assert_eq!(exporter.send(logs(&["a"])).await, Outcome::Delivered, "{transport:?}");
    assert_eq!(server.intake().records().len(), before + 1);
}

#[tokio::test]
async fn an_authority_from_the_settings_is_trusted() {
    let server = Server::start().await;
    for transport in Transport::BOTH {
        arrives(transport, &server, &server.trusting()).await;
    }
}

#[tokio::test]
async fn an_unknown_authority_is_named_as_the_cause() {
    let server = Server::start().await;
    for transport in Transport::BOTH {
        for other in ["another authority", "test authority"] {
            let pem = indented(&named_authority(other).pem());
            let why = reported_error(transport, &server, &format!("tls:\n  ca_pem: |\n{pem}")).await;
            assert!(
                why.contains("not trusted here") && why.contains("tls::ca_file"),
                "{why}"
            );
        }
    }
}

#[tokio::test]
async fn self_signed_certificate_in_ca_file_is_accepted() {
    for is_ca in [true, false] {
        let own = Certificate::self_signed(is_ca, |_| {});
        let server = Server::with(authority(), own.configs()).await;
        for transport in Transport::BOTH {
            arrives(transport, &server, &own.trusting()).await;
        }
    }
}

#[tokio::test]
async fn another_self_signed_certificate_is_refused() {
    for is_ca in [true, false] {
        let server = Server::with(authority(), Certificate::self_signed(is_ca, |_| {}).configs()).await;
        for other_is_ca in [true, false] {
            // The same names, another key.
            let other = Certificate::self_signed(other_is_ca, |_| {});
            for transport in Transport::BOTH {
                let why = reported_error(transport, &server, &other.trusting()).await;
                assert!(
                    why.contains("is self-signed and not trusted: put exactly this certificate in tls::ca_file"),
                    "{why}"
                );
            }
        }
    }
}

#[tokio::test]
async fn self_signed_certificate_needs_the_name_and_the_date() {
    type Change = fn(&mut rcgen::CertificateParams);
    let cases: [(Change, &str); 4] = [
        (
            |params| params.subject_alt_names = vec![rcgen::SanType::DnsName("other.example".try_into().unwrap())],
            "is for other.example, not for localhost",
        ),
        (
            |params| params.subject_alt_names.clear(),
            "needs the subjectAltName localhost",
        ),
        (
            |params| params.not_after = rcgen::date_time_ymd(2001, 1, 1),
            "has expired",
        ),
        (
            |params| params.not_before = rcgen::date_time_ymd(4000, 1, 1),
            "is not valid yet",
        ),
    ];
    for (change, expected) in cases {
        for is_ca in [true, false] {
            let own = Certificate::self_signed(is_ca, change);
            let server = Server::with(authority(), own.configs()).await;
            for transport in Transport::BOTH {
                let why = reported_error(transport, &server, &own.trusting()).await;
                assert!(why.contains(expected), "{expected}: {why}");
            }
        }
    }
}

#[tokio::test]
async fn accepts_a_pinned_certificate_of_unknown_ca() {
    let own = Certificate::signed_by(&authority());
    let server = Server::with(authority(), own.configs()).await;
    for transport in Transport::BOTH {
        let other = Certificate::signed_by(&authority());
        let why = reported_error(transport, &server, &other.trusting()).await;
        assert!(why.contains("signed by an authority that is not trusted here"), "{why}");
    }
    for transport in Transport::BOTH {
        arrives(transport, &server, &own.trusting()).await;
    }
}

/// Run in a process of its own by the test below, which sets the environment.
#[tokio::test]
#[ignore = "needs the environment of `the_systems_authorities_are_found_through_the_environment`"]
async fn child_that_trusts_the_system() {
    for (transport, url) in [(Http, "TEST_HTTP"), (Grpc, "TEST_GRPC")] {
        let exporter = exporter(transport, &std::env::var(url).unwrap(), "").await;
        assert_eq!(exporter.send(logs(&["a"])).await, Outcome::Delivered);
    }
}

#[tokio::test]
async fn the_systems_authorities_are_found_through_the_environment() {
    let authority = authority();
    let pem = authority.pem();
    let server = Server::of(authority).await;
    delivers_with_ssl_cert_file(&server, &pem, "authority").await;
}

#[tokio::test]
async fn self_signed_certificate_in_ssl_cert_file_is_accepted() {
    let own = Certificate::self_signed(true, |_| {});
    let server = Server::with(authority(), own.configs()).await;
    delivers_with_ssl_cert_file(&server, &own.pem(), "self-signed").await;
}

async fn delivers_with_ssl_cert_file(server: &Server, pem: &str, name: &str) {
    let file = std::env::temp_dir().join(format!("otlp-exporter-{name}-{}.pem", std::process::id()));
    std::fs::write(&file, pem).unwrap();
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child
        .args(["--exact", "tls::child_that_trusts_the_system", "--ignored"])
        .env_remove("SSL_CERT_DIR")
        .env("SSL_CERT_FILE", &file)
        .env("TEST_HTTP", server.url_of_http())
        .env("TEST_GRPC", server.url_of_grpc());
    let output = tokio::task::spawn_blocking(move || child.output())
        .await
        .unwrap()
        .unwrap();
    std::fs::remove_file(&file).unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(server.intake().records().len(), 2);
}

#[tokio::test]
async fn no_authorities_at_all_stop_the_start_only_where_https_is_used() {
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child
        .args(["--exact", "tls::child_without_authorities", "--ignored"])
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
    for transport in Transport::BOTH {
        let mut exporter = create_of(&transport.factory(), "endpoint: https://h:1", &Provided::new()).unwrap();
        let why = exporter.start().await.unwrap_err().to_string();
        assert!(
            why.contains("install ca-certificates") && why.contains("SSL_CERT_FILE"),
            "{why}"
        );
        let mut exporter = create_of(
            &transport.factory(),
            "endpoint: http://localhost:4318",
            &Provided::new(),
        )
        .unwrap();
        exporter.start().await.unwrap();
    }
}

/// A server with a certificate changed by `change`.
async fn server(change: impl Fn(&mut Tls<'_>)) -> Server {
    let authority = authority();
    let mut tls = Tls::of(&authority);
    change(&mut tls);
    let configs = [tls.config(b"http/1.1"), tls.config(b"h2")];
    Server::with(authority, configs).await
}

#[tokio::test]
async fn a_certificate_for_another_name_is_named_as_the_cause() {
    let server = server(|tls| tls.name = "intake.example").await;
    for transport in Transport::BOTH {
        let why = reported_error(transport, &server, &server.trusting()).await;
        assert!(
            why.contains("is for intake.example, not for localhost") && why.contains("tls::server_name_override"),
            "{why}"
        );
    }
    for transport in Transport::BOTH {
        let tls = format!("{}  server_name_override: intake.example\n", server.trusting());
        arrives(transport, &server, &tls).await;
    }
}

#[tokio::test]
async fn an_expired_certificate_is_named_as_the_cause() {
    let server = server(|tls| tls.expired = true).await;
    for transport in Transport::BOTH {
        let why = reported_error(transport, &server, &server.trusting()).await;
        assert!(why.contains("has expired, or the clock here is wrong"), "{why}");
    }
}

static ONLY_12: [&SupportedProtocolVersion; 1] = [&TLS12];
static ONLY_13: [&SupportedProtocolVersion; 1] = [&TLS13];

#[tokio::test]
async fn versions_of_tls_are_those_of_the_settings() {
    let server = server(|tls| tls.versions = &ONLY_12).await;
    for transport in Transport::BOTH {
        let why = reported_error(
            transport,
            &server,
            &format!("{}  min_version: '1.3'\n", server.trusting()),
        )
        .await;
        assert!(why.contains("no version of TLS in common"), "{why}");
    }
    for transport in Transport::BOTH {
        arrives(transport, &server, &server.trusting()).await;
    }
    let server = self::server(|tls| tls.versions = &ONLY_13).await;
    for transport in Transport::BOTH {
        let why = reported_error(
            transport,
            &server,
            &format!("{}  max_version: '1.2'\n", server.trusting()),
        )
        .await;
        assert!(why.contains("no version of TLS in common"), "{why}");
    }
}

#[tokio::test]
async fn insecure_skip_verify_takes_any_certificate() {
    let server = server(|tls| tls.name = "intake.example").await;
    for transport in Transport::BOTH {
        arrives(transport, &server, "tls: {insecure_skip_verify: true}").await;
    }
}

fn identity(authority: &Authority) -> String {
    let (cert, key) = certificate(authority, "collector");
    let (cert, key) = (indented(&cert), indented(&key));
    format!("  cert_pem: |\n{cert}  key_pem: |\n{key}")
}

#[tokio::test]
async fn a_client_certificate_is_shown_when_asked_for() {
    let clients = named_authority("clients");
    let authority = authority();
    let mut tls = Tls::of(&authority);
    tls.clients_of = Some(&clients);
    let configs = [tls.config(b"http/1.1"), tls.config(b"h2")];
    let server = Server::with(authority, configs).await;
    for transport in Transport::BOTH {
        let why = reported_error(transport, &server, &server.trusting()).await;
        assert!(why.contains("check tls::cert_file and tls::key_file"), "{why}");
    }
    for transport in Transport::BOTH {
        let tls = format!("{}{}", server.trusting(), identity(&clients));
        arrives(transport, &server, &tls).await;
    }
}

/// A folder of its own, removed at the end.
struct CertificateFolder(PathBuf);

impl CertificateFolder {
    fn new(name: &str) -> CertificateFolder {
        let path = std::env::temp_dir().join(format!("otlp-exporter-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        CertificateFolder(path)
    }

    fn write(&self, ca: &Authority, (cert, key): &(String, String)) {
        // Key last: a pair that does not fit together must not be used.
        for (name, content) in [("ca.pem", &ca.pem()), ("cert.pem", cert), ("key.pem", key)] {
            std::fs::write(self.0.join(name), content).unwrap();
        }
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for CertificateFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn certificates_that_are_replaced_are_used_for_new_connections() {
    for transport in Transport::BOTH {
        let (old, new) = (named_authority("old"), named_authority("new"));
        let (old_clients, new_clients) = (named_authority("old clients"), named_authority("new clients"));
        let with = |authority, clients| {
            let mut tls = Tls::of(authority);
            tls.clients_of = Some(clients);
            [tls.config(b"http/1.1"), tls.config(b"h2")]
        };
        let folder = CertificateFolder::new(&format!("{transport:?}"));
        folder.write(&old, &certificate(&old_clients, "collector"));
        let (before, after) = (with(&old, &old_clients), with(&new, &new_clients));
        let server = Server::with(authority(), before).await;
        let path = folder.path().display();
        let tls = format!(
            "tls: {{ca_file: {path}/ca.pem, cert_file: {path}/cert.pem, key_file: {path}/key.pem, reload_interval: 10ms}}"
        );
        let exporter = exporter(transport, &url(transport, &server), &tls).await;
        assert_eq!(exporter.send(logs(&["a"])).await, Outcome::Delivered);

        server.renew(after);
        let delivery = exporter.put(logs(&["b"])).await;
        exporter.failing_because("not trusted here").await;
        folder.write(&new, &certificate(&new_clients, "collector"));
        assert_eq!(delivery.await, Outcome::Delivered, "{transport:?}");
        assert_eq!(server.intake().records().len(), 2);
    }
}

#[tokio::test]
async fn files_that_are_not_what_they_should_be_stop_the_start() {
    for (tls, expected) in [
        (
            "{ca_file: /does/not/exist}",
            "tls::ca_file: cannot read `/does/not/exist`",
        ),
        ("{ca_pem: nonsense}", "tls::ca_pem: found no certificate in PEM form"),
    ] {
        for transport in Transport::BOTH {
            let created = create_of(
                &transport.factory(),
                &format!("endpoint: https://h:1\ntls: {tls}"),
                &Provided::new(),
            );
            // Inline PEM is checked before startup.
            let why = match created {
                Ok(mut exporter) => exporter.start().await.unwrap_err().to_string(),
                Err(wrong) => wrong.to_string(),
            };
            assert!(why.contains(expected), "{why}");
        }
    }
}
