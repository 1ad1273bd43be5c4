//! Every status of a server: the outcome of the data, and the readiness of the exporter.

use crate::support::peer::{PeerResponse, ScriptedPeer, Speaks, body, grpc, status};
use crate::support::{Exporting, logs, start_of};
use collector_data::Outcome;
use collector_runtime::health::Status;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// The outcome of a request after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// The data is delivered, and the exporter is ready.
    Delivered,
    /// The request is sent again unchanged; meanwhile the exporter is not ready.
    Retried,
    /// The two halves are sent; the exporter stays ready.
    Split,
    /// The data is dropped, and the exporter is not ready until a request is delivered.
    Dropped,
}

use Then::{Delivered, Dropped, Retried, Split};

const QUICK: &str = "retry_on_failure: {initial_interval: 1ms, max_interval: 1ms}";

async fn over_http(peer: &ScriptedPeer, more: &str) -> Exporting {
    let yaml = format!("endpoint: http://{}\n{more}", peer.address);
    start_of(&otlp_exporter::http::factory(), &yaml).await
}

async fn over_grpc(peer: &ScriptedPeer, more: &str) -> Exporting {
    let yaml = format!("endpoint: {}\ntls: {{insecure: true}}\n{more}", peer.address);
    start_of(&otlp_exporter::grpc::factory(), &yaml).await
}

/// An exporter and the server that it sends to.
struct Pair {
    exporter: Exporting,
    peer: ScriptedPeer,
    accepts: fn() -> PeerResponse,
}

impl Pair {
    async fn http(more: &str) -> Pair {
        let peer = ScriptedPeer::start(Speaks::Http1).await;
        let exporter = over_http(&peer, more).await;
        Pair {
            exporter,
            peer,
            accepts: || status(200),
        }
    }

    async fn grpc(more: &str) -> Pair {
        let peer = ScriptedPeer::start(Speaks::Http2).await;
        let exporter = over_grpc(&peer, more).await;
        Pair {
            exporter,
            peer,
            accepts: || grpc(0, "", &[]),
        }
    }

    fn assert_not_ready(&self, case: &str) {
        let status = self.exporter.status();
        assert!(matches!(status, Status::RecoverableError(_)), "{case}: {status:?}");
    }

    /// Sends two log records, answers the first request, checks the outcome, and accepts every later request.
    async fn assert_then(&mut self, case: &str, first: PeerResponse, expected: Then) {
        let delivery = self.exporter.put(logs(&["a", "b"])).await;
        self.peer.answer(first).await;
        match expected {
            Delivered => assert_eq!(delivery.await, Outcome::Delivered, "{case}"),
            Retried => {
                let again = self.peer.request().await;
                self.assert_not_ready(case);
                again.send((self.accepts)()).unwrap();
                assert_eq!(delivery.await, Outcome::Delivered, "{case}");
            }
            Split => {
                for _ in 0..2 {
                    let half = self.peer.request().await;
                    assert_eq!(self.exporter.status(), Status::Ok, "{case}");
                    half.send((self.accepts)()).unwrap();
                }
                assert_eq!(delivery.await, Outcome::Delivered, "{case}");
            }
            Dropped => {
                let outcome = delivery.await;
                assert!(matches!(outcome, Outcome::Rejected(_)), "{case}: {outcome:?}");
                self.assert_not_ready(case);
                let next = self.exporter.put(logs(&["c"])).await;
                self.peer.answer((self.accepts)()).await;
                assert_eq!(next.await, Outcome::Delivered, "{case}");
            }
        }
        assert_eq!(self.exporter.status(), Status::Ok, "{case}");
        assert!(!self.peer.is_asked(), "{case}: one request too many");
    }
}

/// The table for HTTP. A final answer has a status from 200 on.
fn after_http(code: u16) -> Then {
    match code {
        200..=299 => Delivered,
        // Redirects, wrong keys and wrong addresses are retried until the configuration is fixed.
        300..=399 | 401 | 403 | 404 | 405 => Retried,
        407 | 408 | 421 | 425 | 429 => Retried,
        413 => Split,
        400..=499 | 501 => Dropped,
        500..=599 => Retried,
        _ => unreachable!("no final answer"),
    }
}

#[tokio::test]
async fn every_http_status_is_decided() {
    let mut pair = Pair::http(QUICK).await;
    for code in 200..=599 {
        pair.assert_then(&format!("HTTP {code}"), status(code), after_http(code))
            .await;
    }
}

#[tokio::test]
async fn every_http_status_without_a_grpc_status_is_decided() {
    let mut pair = Pair::grpc(QUICK).await;
    for code in 200..=599 {
        let expected = match code {
            // Not a gRPC server: a wrong address.
            200..=299 | 415 => Retried,
            code => after_http(code),
        };
        pair.assert_then(&format!("HTTP {code} over gRPC"), status(code), expected)
            .await;
    }
}

#[tokio::test]
async fn an_interim_status_is_not_an_answer() {
    for code in 100..=199 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let yaml = format!("endpoint: http://{}\n{QUICK}", listener.local_addr().unwrap());
        let exporter = start_of(&otlp_exporter::http::factory(), &yaml).await;
        let delivery = exporter.put(logs(&["a"])).await;
        let mut answers = vec![
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_owned(),
            format!("HTTP/1.1 {code} Interim\r\n\r\n"),
        ];
        while let Some(answer) = answers.pop() {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            let read = connection.read(&mut request).await.unwrap();
            if request[..read].starts_with(b"POST") {
                connection.write_all(answer.as_bytes()).await.unwrap();
                connection.shutdown().await.unwrap();
            } else {
                // The exporter asks for the protocol of the server.
                answers.push(answer);
            }
        }
        assert_eq!(delivery.await, Outcome::Delivered, "HTTP {code}");
        assert_eq!(exporter.status(), Status::Ok, "HTTP {code}");
    }
}

#[tokio::test]
async fn every_grpc_code_is_decided() {
    let mut pair = Pair::grpc(QUICK).await;
    for (code, expected) in [
        (0, Delivered),
        (1, Retried),
        (2, Retried),
        (3, Dropped),
        (4, Retried),
        (5, Dropped),
        (6, Dropped),
        (7, Retried),
        (8, Retried),
        (9, Dropped),
        (10, Retried),
        (11, Retried),
        (12, Retried),
        (13, Retried),
        (14, Retried),
        (15, Retried),
        (16, Retried),
        // Unknown codes count as UNKNOWN.
        (17, Retried),
        (99, Retried),
    ] {
        pair.assert_then(&format!("gRPC {code}"), grpc(code, "said so", &[]), expected)
            .await;
    }
    let too_large = grpc(8, "grpc: received message larger than max (9 vs. 4)", &[]);
    pair.assert_then("too large", too_large, Split).await;
}

#[tokio::test]
async fn drops_a_single_oversized_item() {
    let mut peer = ScriptedPeer::start(Speaks::Http1).await;
    let exporter = over_http(&peer, QUICK).await;
    let delivery = exporter.put(logs(&["a"])).await;
    peer.answer(status(413)).await;
    assert!(matches!(delivery.await, Outcome::Rejected(_)));
    match exporter.status() {
        Status::RecoverableError(why) => assert!(why.contains("single item"), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn does_not_retry_configured_codes() {
    let codes = |codes| {
        format!("retry_on_failure: {{initial_interval: 1ms, max_interval: 1ms, non_retryable_status_codes: [{codes}]}}")
    };
    let mut pair = Pair::http(&codes("500, 404")).await;
    for (code, expected) in [(500, Dropped), (404, Dropped), (503, Retried), (403, Retried)] {
        pair.assert_then(&format!("HTTP {code}"), status(code), expected).await;
    }
    let mut pair = Pair::grpc(&codes("INTERNAL, 502")).await;
    for (answer, expected) in [
        (grpc(13, "", &[]), Dropped),
        (status(502), Dropped),
        (grpc(2, "", &[]), Retried),
        (status(503), Retried),
    ] {
        pair.assert_then("over gRPC", answer, expected).await;
    }
}

/// `Export…ServiceResponse` with one rejected record and a long message.
fn long_partial_success(message: usize) -> Vec<u8> {
    fn varint(mut value: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while value >= 0x80 {
            bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        bytes.push(value as u8);
        bytes
    }
    let partial = [&[8, 1, 0x12][..], &varint(message), &vec![b'e'; message]].concat();
    [&[0x0a][..], &varint(partial.len()), &partial].concat()
}

#[tokio::test]
async fn reads_a_partial_success_of_megabytes() {
    let long = 4 * 1024 * 1024 - 100;
    let json = format!(
        r#"{{"partialSuccess":{{"errorMessage":"{}","rejectedLogRecords":"1"}}}}"#,
        "e".repeat(long)
    );
    let mut http1 = ScriptedPeer::start(Speaks::Http1).await;
    let mut http2 = ScriptedPeer::start(Speaks::Http2).await;
    let http = over_http(&http1, QUICK).await;
    let grpc_exporter = over_grpc(&http2, QUICK).await;
    let proto = long_partial_success(long);
    let answers = [
        body("application/json", json),
        body("application/x-protobuf", proto.clone()),
    ];
    for answer in answers {
        assert_all_refused(&http, &mut http1, answer).await;
    }
    assert_all_refused(&grpc_exporter, &mut http2, grpc(0, "", &proto)).await;
}

async fn assert_all_refused(exporter: &Exporting, peer: &mut ScriptedPeer, answer: PeerResponse) {
    let delivery = exporter.put(logs(&["a"])).await;
    peer.answer(answer).await;
    match delivery.await {
        Outcome::Rejected(why) => assert!(why.contains("rejected all of it: eeee"), "{why}"),
        other => panic!("{other:?}"),
    }
}
