//! Every transport decides the same: for each behavior of a server, the outcome of the data and the number of attempts.

use std::time::Duration;

use crate::support::{Exporting, KEY, QUICK, intake, logs, span, start_of, sum};
use collector_data::{Outcome, Payload};
use collector_runtime::health::Status;
use opentelemetry_proto::tonic::metrics::v1::AggregationTemporality;
use simulator::otlp_intake::profile::Temporalities;
use simulator::otlp_intake::{IntakeOptions, OtlpIntake, Profile, ScriptedReply, Signal, SizeLimits};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Proto,
    Json,
    Grpc,
}

const ALL: [Encoding; 3] = [Encoding::Proto, Encoding::Json, Encoding::Grpc];

async fn exporter(transport: Encoding, intake: &OtlpIntake, more: &str) -> Exporting {
    let common = format!("headers: {{dd-api-key: {KEY}, x-team: jobs}}\n{QUICK}\n{more}");
    match transport {
        Encoding::Proto | Encoding::Json => {
            let encoding = if transport == Encoding::Json { "json" } else { "proto" };
            let yaml = format!("endpoint: {}\nencoding: {encoding}\n{common}", intake.url());
            start_of(&otlp_exporter::http::factory(), &yaml).await
        }
        Encoding::Grpc => {
            let yaml = format!("endpoint: {}\ntls: {{insecure: true}}\n{common}", intake.grpc_address());
            start_of(&otlp_exporter::grpc::factory(), &yaml).await
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    Delivered,
    Rejected,
}

fn end(outcome: &Outcome) -> Decision {
    match outcome {
        Outcome::Delivered => Decision::Delivered,
        Outcome::Rejected(_) => Decision::Rejected,
        other => panic!("{other:?}"),
    }
}

use Decision::{Delivered, Rejected};

/// The answers of a server, in order, before it accepts; and, over HTTP and over gRPC, the outcome of two log records and
/// the number of attempts.
type Behavior = (&'static str, Vec<ScriptedReply>, [(Decision, usize); 2]);

fn behaviors() -> Vec<Behavior> {
    [status_codes(), broken_answers()].concat()
}

/// The gRPC status codes, and their HTTP counterparts.
fn status_codes() -> Vec<Behavior> {
    let code = |code| vec![ScriptedReply::code(code, "said so")];
    let both = |end, attempts| [(end, attempts), (end, attempts)];
    vec![
        ("well", vec![], both(Delivered, 1)),
        ("CANCELLED", code(1), both(Delivered, 2)),
        ("UNKNOWN", code(2), both(Delivered, 2)),
        ("INVALID_ARGUMENT", code(3), both(Rejected, 1)),
        ("DEADLINE_EXCEEDED", code(4), both(Delivered, 2)),
        ("NOT_FOUND", code(5), both(Rejected, 1)),
        ("ALREADY_EXISTS", code(6), both(Rejected, 1)),
        ("PERMISSION_DENIED", code(7), both(Rejected, 1)),
        ("RESOURCE_EXHAUSTED", code(8), both(Delivered, 2)),
        (
            "RESOURCE_EXHAUSTED with RetryInfo",
            vec![ScriptedReply::code(8, "busy").retry_after(Duration::ZERO)],
            both(Delivered, 2),
        ),
        ("FAILED_PRECONDITION", code(9), both(Rejected, 1)),
        ("ABORTED", code(10), both(Delivered, 2)),
        // HTTP has 400 for it.
        ("OUT_OF_RANGE", code(11), [(Rejected, 1), (Delivered, 2)]),
        ("UNIMPLEMENTED", code(12), both(Rejected, 1)),
        ("INTERNAL", code(13), both(Delivered, 2)),
        (
            "UNAVAILABLE",
            [code(14), code(14), code(14)].concat(),
            both(Delivered, 4),
        ),
        ("DATA_LOSS", code(15), both(Delivered, 2)),
        ("UNAUTHENTICATED", code(16), both(Rejected, 1)),
    ]
}

/// Answers of proxies, and answers that are late, cut off or endless.
fn broken_answers() -> Vec<Behavior> {
    let both = |end, attempts| [(end, attempts), (end, attempts)];
    vec![
        (
            "a proxy without a server",
            vec![ScriptedReply::status(502), ScriptedReply::status(504)],
            both(Delivered, 3),
        ),
        (
            "a proxy that is busy",
            vec![ScriptedReply::status(429), ScriptedReply::status(503)],
            both(Delivered, 3),
        ),
        (
            "a proxy that refuses",
            vec![ScriptedReply::status(403)],
            both(Rejected, 1),
        ),
        (
            "a redirect",
            vec![ScriptedReply::status(307).header("location", "https://x/")],
            both(Rejected, 1),
        ),
        (
            "a web page",
            vec![ScriptedReply::status(200).body("<html><title>Log in</title>")],
            both(Rejected, 1),
        ),
        (
            "a web page of a 404",
            vec![ScriptedReply::status(404).body("<!doctype html><title>Gone")],
            both(Rejected, 1),
        ),
        (
            "no answer",
            vec![ScriptedReply::Hang, ScriptedReply::Hang],
            both(Delivered, 3),
        ),
        (
            "no answer, but taken",
            vec![ScriptedReply::AcceptAndHang],
            both(Delivered, 2),
        ),
        (
            "a lost connection",
            vec![ScriptedReply::DropConnection],
            both(Delivered, 2),
        ),
        (
            "an answer in pieces",
            vec![ScriptedReply::Trickle(Duration::from_millis(20))],
            both(Delivered, 1),
        ),
        // Over HTTP the status arrives before the body, so the data counts as delivered.
        (
            "an endless answer",
            vec![ScriptedReply::Endless],
            [(Delivered, 1), (Delivered, 2)],
        ),
        ("a part is refused", vec![ScriptedReply::Reject(1)], both(Delivered, 1)),
        (
            "all of it is refused",
            vec![ScriptedReply::Reject(2)],
            both(Rejected, 1),
        ),
    ]
}

#[tokio::test]
async fn every_transport_decides_the_same() {
    for transport in ALL {
        for (name, answers, expected) in behaviors() {
            let (ending, attempts) = expected[usize::from(transport == Encoding::Grpc)];
            let intake = intake().await;
            for answer in answers {
                intake.fail_next(Signal::Logs, answer);
            }
            let exporter = exporter(transport, &intake, "timeout: 1s").await;
            let outcome = exporter.send(logs(&["a", "b"])).await;
            assert_eq!(end(&outcome), ending, "{transport:?}, {name}: {outcome:?}");
            let seen = intake.attempts();
            assert_eq!(seen.len(), attempts, "{transport:?}, {name}: {seen:?}");
            assert!(
                seen.iter().all(|attempt| attempt.body_size == seen[0].body_size),
                "{transport:?}, {name}: a request is sent unchanged: {seen:?}"
            );
            // The next request arrives.
            assert_eq!(
                exporter.send(logs(&["c"])).await,
                Outcome::Delivered,
                "{transport:?}, {name}"
            );
            assert_eq!(exporter.status(), Status::Ok, "{transport:?}, {name}");
            exporter.end().await;
        }
    }
}

#[tokio::test]
async fn every_signal_arrives_in_every_compression_with_the_headers() {
    for transport in ALL {
        for compression in ["gzip", "zstd", "none"] {
            let intake = intake().await;
            let exporter = exporter(transport, &intake, &format!("compression: {compression}")).await;
            for payload in [logs(&["a", "b"]), sum(AggregationTemporality::Delta, 1), span()] {
                assert_eq!(
                    exporter.send(payload).await,
                    Outcome::Delivered,
                    "{transport:?}, {compression}"
                );
            }
            exporter.end().await;
            assert_eq!(intake.records().len(), 2);
            assert_eq!(intake.points()[0].metric, "k8s.job.failures");
            let received = intake.received();
            let signals: Vec<Signal> = received.iter().map(|received| received.signal).collect();
            assert_eq!(signals, [Signal::Logs, Signal::Metrics, Signal::Traces]);
            for request in &received {
                let header = |name| request.headers.get(name).map(|value| value.to_str().unwrap());
                let (content_type, encoding, agent) = match transport {
                    Encoding::Proto => ("application/x-protobuf", "content-encoding", "kube-job-collector/0.1.0"),
                    Encoding::Json => ("application/json", "content-encoding", "kube-job-collector/0.1.0"),
                    Encoding::Grpc => ("application/grpc", "grpc-encoding", "kube-job-collector/0.1.0 tonic/"),
                };
                assert_eq!(header(encoding), (compression != "none").then_some(compression));
                assert_eq!(header("content-type"), Some(content_type));
                assert_eq!(header("x-team"), Some("jobs"));
                assert!(header("user-agent").unwrap().starts_with(agent), "{request:?}");
            }
        }
    }
}

#[tokio::test]
async fn splits_large_requests_until_they_fit() {
    for transport in ALL {
        let limits = SizeLimits {
            logs_decompressed: if transport == Encoding::Json { 700 } else { 120 },
            ..SizeLimits::default()
        };
        let options = IntakeOptions {
            limits,
            ..IntakeOptions::default()
        };
        let intake = OtlpIntake::start_with(options).await.unwrap();
        let exporter = exporter(transport, &intake, "sending_queue: {num_consumers: 1}").await;
        let long: Vec<String> = (0..5).map(|n| n.to_string().repeat(50)).collect();
        let long: Vec<&str> = long.iter().map(String::as_str).collect();
        assert_eq!(exporter.send(logs(&long)).await, Outcome::Delivered, "{transport:?}");
        let names: Vec<String> = intake.records().into_iter().map(|record| record.event_name).collect();
        assert_eq!(names, long, "{transport:?}");
        assert!(intake.attempts().len() > 3, "{transport:?}");

        let huge = "x".repeat(2000);
        let Outcome::Rejected(why) = exporter.send(logs(&[huge.as_str(), "fits"])).await else {
            panic!()
        };
        assert!(why.contains("single item"), "{transport:?}: {why}");
        let last = intake.records().pop().map(|record| record.event_name);
        assert_eq!(last.as_deref(), Some("fits"), "{transport:?}");
    }
}

/// A delta of the series over the given interval, nanoseconds.
fn delta(series: &str, interval: (u64, u64), value: i64) -> Payload {
    let mut payload = sum(AggregationTemporality::Delta, value);
    let Payload::Metrics(metrics) = &mut payload else {
        panic!()
    };
    let metric = &mut metrics[0].scope_metrics[0].metrics[0];
    let Some(opentelemetry_proto::tonic::metrics::v1::metric::Data::Sum(sum)) = &mut metric.data else {
        panic!()
    };
    let point = &mut sum.data_points[0];
    (point.start_time_unix_nano, point.time_unix_nano) = interval;
    metric.name = series.into();
    payload
}

#[tokio::test]
async fn totals_count_each_delta_once_despite_network_errors() {
    const SECOND: u64 = 1_000_000_000;
    for transport in ALL {
        let options = IntakeOptions {
            profile: Profile {
                temporalities: Temporalities::Any,
                ..IntakeOptions::default().profile
            },
            ..IntakeOptions::default()
        };
        let intake = OtlpIntake::start_with(options).await.unwrap();
        for answer in [
            ScriptedReply::code(14, "busy"),
            ScriptedReply::AcceptAndHang,
            ScriptedReply::DropConnection,
        ] {
            intake.fail_next(Signal::Metrics, answer);
        }
        let more = "temporality: cumulative\ncumulative: {max_stale: 1h}\ntimeout: 300ms";
        let exporter = exporter(transport, &intake, more).await;
        for (step, value) in [(0, 1), (1, 2), (5, 4)] {
            let interval = ((10 + step) * SECOND, (11 + step) * SECOND);
            assert_eq!(exporter.send(delta("a", interval, value)).await, Outcome::Delivered);
        }
        // The same delta again, as after a fail-over.
        let again = delta("a", (11 * SECOND, 12 * SECOND), 2);
        assert_eq!(exporter.send(again).await, Outcome::Delivered);
        let mut points: Vec<(u64, u64, String)> = Vec::new();
        for point in intake.points() {
            assert_eq!(point.temporality, Some(simulator::otlp_intake::Temporality::Cumulative));
            let point = (
                point.start_unix_nano / SECOND,
                point.time_unix_nano / SECOND,
                format!("{:?}", point.value),
            );
            // Data that was accepted without an answer arrives again, unchanged.
            if points.last() != Some(&point) && !points.contains(&point) {
                points.push(point);
            }
        }
        let expected = [(10, 10, 0), (10, 11, 1), (10, 12, 3), (10, 16, 7)];
        let expected: Vec<_> = expected
            .iter()
            .map(|(start, end, value)| (*start, *end, format!("Int({value})")))
            .collect();
        assert_eq!(points, expected, "{transport:?}");
    }
}
