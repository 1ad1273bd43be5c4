//! Endpoints of another protocol: each error names the protocol and the fix.

use std::time::Duration;

use crate::support::tls::{Server, indented};
use crate::support::{Exporting, QUICK, logs, start_of};
use collector_data::Outcome;
use simulator::otlp_intake::OtlpIntake;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

async fn http(endpoint: &str, more: &str) -> Exporting {
    let yaml = format!("endpoint: {endpoint}\n{QUICK}\n{more}");
    start_of(&otlp_exporter::http::factory(), &yaml).await
}

async fn grpc(endpoint: &str, more: &str) -> Exporting {
    let yaml = format!("endpoint: {endpoint}\n{QUICK}\n{more}");
    start_of(&otlp_exporter::grpc::factory(), &yaml).await
}

/// The error that the exporter reports while it retries.
async fn reported_error(exporter: &Exporting) -> String {
    let _delivery = exporter.put(logs(&["a"])).await;
    exporter.failing().await
}

#[tokio::test]
async fn otlp_http_at_the_port_for_grpc() {
    let intake = OtlpIntake::start(None).await.unwrap();
    let exporter = http(&format!("http://{}", intake.grpc_address()), "").await;
    let why = reported_error(&exporter).await;
    assert!(
        why.contains("speaks gRPC") && why.contains("use the exporter otlp_grpc"),
        "{why}"
    );
    assert!(why.contains("usually 4318"), "{why}");
}

#[tokio::test]
async fn otlp_grpc_at_the_port_for_http() {
    let intake = OtlpIntake::start(None).await.unwrap();
    let exporter = grpc(&intake.address().to_string(), "tls: {insecure: true}").await;
    let why = reported_error(&exporter).await;
    assert!(
        why.contains("speaks HTTP/1.1") && why.contains("use the exporter otlp_http"),
        "{why}"
    );
    assert!(why.contains("usually 4317"), "{why}");
    assert!(intake.received().is_empty());
}

#[tokio::test]
async fn the_same_behind_tls() {
    let server = Server::start().await;
    let ca = server.trusting();
    // A server for gRPC only refuses a plain request; one for HTTP only does not offer HTTP/2.
    let exporter = http(&server.url_of_grpc(), &ca).await;
    let Outcome::Rejected(why) = exporter.send(logs(&["a"])).await else {
        panic!()
    };
    assert!(why.contains("speaks gRPC") && why.contains("otlp_grpc"), "{why}");

    let exporter = grpc(&server.url_of_http(), &ca).await;
    let why = reported_error(&exporter).await;
    assert!(why.contains("use the exporter otlp_http"), "{why}");
    assert!(server.intake().received().is_empty());
}

#[tokio::test]
async fn no_tls_where_tls_is_expected() {
    let server = Server::start().await;
    let exporter = http(&server.url_of_http().replace("https://", "http://"), "").await;
    let why = reported_error(&exporter).await;
    assert!(why.contains("expects TLS: write https://"), "{why}");
    let exporter = grpc(&server.url_of_grpc().replace("https://", "http://"), "").await;
    let why = reported_error(&exporter).await;
    assert!(why.contains("expects TLS: write https://"), "{why}");
}

#[tokio::test]
async fn tls_where_none_is_expected() {
    let intake = OtlpIntake::start(None).await.unwrap();
    let ca = format!(
        "tls:\n  ca_pem: |\n{}",
        indented(&crate::support::tls::authority().pem())
    );
    for exporter in [
        http(&intake.url().replace("http://", "https://"), &ca).await,
        grpc(&intake.address().to_string(), &ca).await,
        grpc(&intake.grpc_address().to_string(), &ca).await,
    ] {
        let why = reported_error(&exporter).await;
        assert!(why.contains("does not speak TLS"), "{why}");
    }
}

#[tokio::test]
async fn a_peer_that_takes_connections_and_never_answers_or_hangs_up() {
    // The backlog of the system takes the connections.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let quick = "timeout: 100ms";
    for exporter in [
        http(&format!("http://{address}"), quick).await,
        grpc(&address.to_string(), &format!("{quick}\ntls: {{insecure: true}}")).await,
        grpc(
            &address.to_string(),
            &format!("{quick}\ntls: {{insecure_skip_verify: true}}"),
        )
        .await,
    ] {
        let why = tokio::time::timeout(Duration::from_secs(5), reported_error(&exporter))
            .await
            .unwrap();
        assert!(why.contains(&format!("no answer from {address} within 100ms")), "{why}");
    }
}

#[tokio::test]
async fn grpc_waits_for_a_server_that_is_away_and_names_what_cannot_be_resolved() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let exporter = grpc(&address.to_string(), "tls: {insecure: true}").await;
    let delivery = exporter.put(logs(&["a"])).await;
    let why = exporter.failing().await;
    assert!(why.contains(&format!("{address} refused the connection")), "{why}");
    let options = simulator::otlp_intake::IntakeOptions {
        grpc_address: address,
        ..Default::default()
    };
    let intake = OtlpIntake::start_with(options).await.unwrap();
    assert_eq!(delivery.await, Outcome::Delivered);
    // And again after its connections broke.
    intake.refuse_connections(true).await;
    intake.refuse_connections(false).await;
    assert_eq!(exporter.send(logs(&["b"])).await, Outcome::Delivered);
    assert_eq!(intake.records().len(), 2);

    // A label may have 63 characters, so no resolver asks the network for this one.
    let host = format!("otlp.{}.invalid", "x".repeat(64));
    let why = reported_error(&grpc(&format!("{host}:4317"), "tls: {insecure: true}").await).await;
    assert!(why.contains(&format!("the name {host} cannot be resolved")), "{why}");
}

#[tokio::test]
async fn detects_tls_server_that_closes_silently() {
    let authority = crate::support::tls::authority();
    for alpn in [&b"http/1.1"[..], b"h2"] {
        let acceptor = TlsAcceptor::from(crate::support::tls::Tls::of(&authority).config(alpn));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let mut first = [0];
                    // A handshake begins with 22; anything else gets no answer at all.
                    if stream.peek(&mut first).await.is_ok() && first == [22] {
                        let _ = acceptor.accept(stream).await;
                    }
                });
            }
        });
        let exporter = match alpn {
            b"h2" => grpc(&format!("http://{address}"), "").await,
            _ => http(&format!("http://{address}"), "").await,
        };
        let why = reported_error(&exporter).await;
        assert!(why.contains("expects TLS: write https://"), "{why}");
    }
}
