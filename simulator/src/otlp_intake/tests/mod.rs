//! The intake over real sockets, with a client written by hand so that client and server share no code.

use std::io::Write;

use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse};
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

mod grpc;
mod profiles;

use super::*;

/// Posts; returns status and body, with status 0 if the connection closed without a response.
pub(super) async fn post(intake: &OtlpIntake, path: &str, headers: &[(&str, &str)], body: &[u8]) -> (u16, Vec<u8>) {
    let mut stream = TcpStream::connect(intake.address()).await.unwrap();
    let mut head = format!("POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else {
        return (0, answer);
    };
    let head = std::str::from_utf8(&answer[..end]).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer[end + 4..].to_vec())
}

pub(super) const PROTO: (&str, &str) = ("content-type", "application/x-protobuf");

fn pair(key: &str, value: &str) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(AnyValue {
            value: Some(Value::StringValue(value.into())),
        }),
        ..Default::default()
    }
}

pub(super) fn logs(event: &str) -> Vec<u8> {
    let record = LogRecord {
        event_name: event.into(),
        severity_text: "ERROR".into(),
        attributes: vec![pair("reason", "DeadlineExceeded")],
        ..Default::default()
    };
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            resource: Some(Resource {
                attributes: vec![pair("k8s.namespace.name", "shop")],
                ..Default::default()
            }),
            scope_logs: vec![ScopeLogs {
                log_records: vec![record],
                ..Default::default()
            }],
            ..Default::default()
        }],
    }
    .encode_to_vec()
}

pub(super) fn sum(temporality: AggregationTemporality, monotonic: bool, value: i64, resource: &[KeyValue]) -> Vec<u8> {
    let point = NumberDataPoint {
        attributes: vec![pair("reason", "BackoffLimitExceeded")],
        start_time_unix_nano: 10_000_000_000,
        time_unix_nano: 20_500_000_000,
        value: Some(number_data_point::Value::AsInt(value)),
        ..Default::default()
    };
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(Resource {
                attributes: resource.to_vec(),
                ..Default::default()
            }),
            scope_metrics: vec![ScopeMetrics {
                metrics: vec![Metric {
                    name: "k8s.job.failures".into(),
                    unit: "{job}".into(),
                    data: Some(metric::Data::Sum(Sum {
                        data_points: vec![point],
                        aggregation_temporality: temporality as i32,
                        is_monotonic: monotonic,
                    })),
                    ..Default::default()
                }],
                ..Default::default()
            }],
            ..Default::default()
        }],
    }
    .encode_to_vec()
}

pub(super) fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn accepts_every_encoding_in_the_order_of_arrival() {
    let intake = OtlpIntake::start(None).await.unwrap();
    let mut arrivals = intake.subscribe();
    let encoded = [
        ("identity", logs("a")),
        ("gzip", gzip(&logs("b"))),
        ("zstd", zstd::encode_all(&logs("c")[..], 3).unwrap()),
    ];
    for (encoding, body) in &encoded {
        let (status, body) = post(&intake, "/v1/logs", &[PROTO, ("content-encoding", encoding)], body).await;
        assert_eq!(status, 200);
        assert_eq!(
            ExportLogsServiceResponse::decode(&body[..]).unwrap(),
            ExportLogsServiceResponse::default()
        );
    }
    let names: Vec<String> = intake.records().into_iter().map(|record| record.event_name).collect();
    assert_eq!(names, ["a", "b", "c"]);
    let first = arrivals.recv().await.unwrap();
    assert_eq!(first.signal, Signal::Logs);
    let record = &first.payload.records()[0];
    assert_eq!(record.attributes["reason"], "DeadlineExceeded");
    assert_eq!(record.resource["k8s.namespace.name"], "shop");
    intake.shutdown().await;
}

#[tokio::test]
async fn refuses_a_wrong_key_type_encoding_path_or_body() {
    let intake = OtlpIntake::start(Some("right".into())).await.unwrap();
    let key = ("dd-api-key", "right");
    let (status, body) = post(&intake, "/v1/logs", &[PROTO, ("dd-api-key", "wrong")], &logs("x")).await;
    assert_eq!(status, 403);
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["errors"][0], "Forbidden");
    assert_eq!(post(&intake, "/v1/logs", &[PROTO], &logs("x")).await.0, 403);
    let text = ("content-type", "text/plain");
    assert_eq!(post(&intake, "/v1/logs", &[key, text], b"{}").await.0, 415);
    let snappy = ("content-encoding", "snappy");
    assert_eq!(post(&intake, "/v1/logs", &[key, PROTO, snappy], b"x").await.0, 415);
    assert_eq!(post(&intake, "/v1/profiles", &[key, PROTO], b"").await.0, 404);
    assert_eq!(post(&intake, "/v1/logs", &[key, PROTO], b"\xff\xff").await.0, 400);
    assert!(intake.received().is_empty());
    assert_eq!(post(&intake, "/v1/logs", &[key, PROTO], &logs("x")).await.0, 200);
    let attempts = intake.attempts();
    let statuses: Vec<_> = attempts.iter().filter_map(|attempt| attempt.status).collect();
    assert_eq!(statuses, [403, 403, 415, 415, 404, 400, 200]);
    assert!(
        !format!("{attempts:?}{:?}", intake.received()).contains("right"),
        "the key is not recorded"
    );
}

#[tokio::test]
async fn json_requests_get_json_responses() {
    let intake = OtlpIntake::start(None).await.unwrap();
    let json = ("content-type", "application/json");
    // As in the examples of the specification: names in lowerCamelCase, 64-bit integers as strings.
    let body =
        br#"{"resourceLogs":[{"resource":{"attributes":[{"key":"k8s.namespace.name","value":{"stringValue":"shop"}}]},
        "scopeLogs":[{"logRecords":[{"timeUnixNano":"1544712660300000000","eventName":"a","attributes":[
            {"key":"n","value":{"intValue":"7"}}]}]}]}]}"#;
    let (status, answer) = post(&intake, "/v1/logs", &[json], body).await;
    assert_eq!((status, &answer[..]), (200, &b"{}"[..]));
    let record = &intake.records()[0];
    assert_eq!(
        (record.event_name.as_str(), record.time_unix_nano),
        ("a", 1_544_712_660_300_000_000)
    );
    assert_eq!(record.attributes["n"], 7);

    intake.fail_next(Signal::Logs, ScriptedReply::Reject(1));
    let (_, answer) = post(&intake, "/v1/logs", &[json], body).await;
    let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(
        answer["partialSuccess"]["rejectedLogRecords"], "1",
        "64-bit integers are strings"
    );
    assert_eq!(post(&intake, "/v1/logs", &[json], b"{\"resourceLogs\":7}").await.0, 400);
}

#[tokio::test]
async fn size_limits_hold_before_and_after_decompression() {
    let limits = SizeLimits {
        metrics_compressed: 60,
        logs_decompressed: 500,
        ..SizeLimits::default()
    };
    let options = IntakeOptions {
        limits,
        ..IntakeOptions::default()
    };
    let intake = OtlpIntake::start_with(options).await.unwrap();
    let gz = ("content-encoding", "gzip");
    let small = gzip(&logs(&"a".repeat(1000)));
    assert!(small.len() < 500, "fits as sent, not when decompressed");
    assert_eq!(post(&intake, "/v1/logs", &[PROTO, gz], &small).await.0, 413);
    let point = sum(AggregationTemporality::Delta, true, 1, &[]);
    assert!(point.len() > 60);
    assert_eq!(post(&intake, "/v1/metrics", &[PROTO], &point).await.0, 413);
}

#[tokio::test]
async fn cumulative_sums_get_a_partial_success_of_datadog() {
    let intake = OtlpIntake::start(None).await.unwrap();
    for temporality in [AggregationTemporality::Cumulative, AggregationTemporality::Unspecified] {
        let (status, body) = post(&intake, "/v1/metrics", &[PROTO], &sum(temporality, true, 1, &[])).await;
        assert_eq!(status, 200);
        let partial = ExportMetricsServiceResponse::decode(&body[..])
            .unwrap()
            .partial_success
            .unwrap();
        assert_eq!(partial.rejected_data_points, 1);
        assert_eq!(partial.error_message, CUMULATIVE_REFUSED);
    }
    assert!(intake.points().is_empty());
    let up_down = sum(AggregationTemporality::Cumulative, false, 1, &[]);
    assert_eq!(post(&intake, "/v1/metrics", &[PROTO], &up_down).await.0, 200);
    assert_eq!(intake.points().len(), 1);
}

#[tokio::test]
async fn traces_get_202() {
    let intake = OtlpIntake::start(None).await.unwrap();
    assert_eq!(post(&intake, "/v1/traces", &[PROTO], b"").await.0, 202);
}

#[tokio::test]
async fn finds_overwritten_points_but_no_resent_ones() {
    let intake = OtlpIntake::start(None).await.unwrap();
    let delta = |value, resource: &[KeyValue]| sum(AggregationTemporality::Delta, true, value, resource);
    let shop = [pair("k8s.namespace.name", "shop")];
    // The UID is not a tag in Datadog, so this is the same series.
    let with_uid = [pair("k8s.namespace.name", "shop"), pair("k8s.job.uid", "1")];
    let bank = [pair("k8s.namespace.name", "bank")];
    for body in [delta(1, &shop), delta(1, &shop), delta(5, &bank)] {
        post(&intake, "/v1/metrics", &[PROTO], &body).await;
    }
    assert_eq!(intake.violations(), []);
    post(&intake, "/v1/metrics", &[PROTO], &delta(2, &with_uid)).await;
    let violations = intake.violations();
    assert_eq!(violations.len(), 1);
    assert_eq!(
        (&violations[0].lost, &violations[0].kept),
        (&PointValue::Int(1), &PointValue::Int(2))
    );
    assert_eq!(violations[0].second, 20);
    let point = &intake.points()[0];
    assert_eq!(point.temporality, Some(Temporality::Delta));
    assert_eq!(
        (point.start_unix_nano, point.time_unix_nano),
        (10_000_000_000, 20_500_000_000)
    );
}

#[tokio::test]
async fn scripted_replies_are_for_one_signal_only() {
    let intake = OtlpIntake::start(None).await.unwrap();
    intake.fail_next(
        Signal::Logs,
        ScriptedReply::status(503).header("retry-after", "7").body("busy"),
    );
    intake.fail_next(Signal::Logs, ScriptedReply::DropConnection);
    intake.fail_next(Signal::Logs, ScriptedReply::status(500).but_accept());
    assert_eq!(post(&intake, "/v1/traces", &[PROTO], b"").await.0, 202);
    assert_eq!(
        post(&intake, "/v1/logs", &[PROTO], &logs("a")).await,
        (503, b"busy".to_vec())
    );
    assert_eq!(post(&intake, "/v1/logs", &[PROTO], &logs("b")).await.0, 0);
    assert_eq!(post(&intake, "/v1/logs", &[PROTO], &logs("c")).await.0, 500);
    assert_eq!(post(&intake, "/v1/logs", &[PROTO], &logs("d")).await.0, 200);
    let names: Vec<String> = intake.records().into_iter().map(|record| record.event_name).collect();
    assert_eq!(names, ["c", "d"]);
}

#[tokio::test]
async fn data_refused_for_good_is_recorded_apart() {
    let intake = OtlpIntake::start(None).await.unwrap();
    intake.fail_next(Signal::Logs, ScriptedReply::Refuse { status: 400 });
    assert_eq!(post(&intake, "/v1/logs", &[PROTO], &logs("a")).await.0, 400);
    let refused = intake.refused_after(0);
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].payload.records()[0].event_name, "a");
    assert!(intake.received().is_empty());
}

#[tokio::test]
async fn a_partial_success_refuses_the_first_items() {
    let intake = OtlpIntake::start(None).await.unwrap();
    let mut two = ExportLogsServiceRequest::decode(&logs("first")[..]).unwrap();
    two.resource_logs.extend(
        ExportLogsServiceRequest::decode(&logs("second")[..])
            .unwrap()
            .resource_logs,
    );
    intake.fail_next(Signal::Logs, ScriptedReply::Reject(1));
    let (status, body) = post(&intake, "/v1/logs", &[PROTO], &two.encode_to_vec()).await;
    assert_eq!(status, 200);
    let partial = ExportLogsServiceResponse::decode(&body[..]).unwrap().partial_success;
    assert_eq!(partial.unwrap().rejected_log_records, 1);
    let names = |received: Vec<Arc<Received>>| -> Vec<String> {
        let records = received.iter().flat_map(|received| received.payload.records());
        records.map(|record| record.event_name).collect()
    };
    assert_eq!(names(intake.received()), ["second"]);
    assert_eq!(names(intake.received_after(1)), [""; 0]);
    assert_eq!(names(intake.refused_after(0)), ["first"]);

    intake.fail_next(Signal::Metrics, ScriptedReply::Reject(5));
    let point = sum(AggregationTemporality::Delta, true, 3, &[]);
    let (_, body) = post(&intake, "/v1/metrics", &[PROTO], &point).await;
    let partial = ExportMetricsServiceResponse::decode(&body[..]).unwrap().partial_success;
    assert_eq!(partial.unwrap().rejected_data_points, 1, "there was only one");
    assert!(intake.points().is_empty());
    assert_eq!(intake.refused_after(0)[1].payload.points()[0].value, PointValue::Int(3));
}

#[tokio::test]
async fn scripted_replies_come_before_the_lasting_one() {
    let intake = OtlpIntake::start(None).await.unwrap();
    intake.answer_all(Signal::Logs, Some(ScriptedReply::status(503)));
    intake.fail_next(Signal::Logs, ScriptedReply::status(429));
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(post(&intake, "/v1/logs", &[PROTO], &logs("a")).await.0);
    }
    intake.fail_next(Signal::Logs, ScriptedReply::status(429));
    intake.clear_script();
    statuses.push(post(&intake, "/v1/logs", &[PROTO], &logs("a")).await.0);
    intake.answer_all(Signal::Logs, None);
    statuses.push(post(&intake, "/v1/logs", &[PROTO], &logs("a")).await.0);
    assert_eq!(statuses, [429, 503, 503, 503, 200]);
}

#[tokio::test]
async fn a_closed_port_refuses_connections_and_reopens() {
    let intake = OtlpIntake::start(None).await.unwrap();
    let mut open = TcpStream::connect(intake.address()).await.unwrap();
    for _ in 0..2 {
        intake.refuse_connections(true).await;
        let refused = TcpStream::connect(intake.address()).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        intake.refuse_connections(false).await;
        assert_eq!(post(&intake, "/v1/logs", &[PROTO], &logs("a")).await.0, 200);
    }
    let mut nothing = Vec::new();
    // Ended by a close or a reset.
    let read = open.read_to_end(&mut nothing).await;
    assert!(!matches!(read, Ok(1..)), "{nothing:?}");
}

#[tokio::test]
async fn accepts_data_without_a_response() {
    let intake = OtlpIntake::start(None).await.unwrap();
    let mut arrivals = intake.subscribe();
    intake.fail_next(Signal::Logs, ScriptedReply::AcceptAndHang);
    let body = logs("a");
    let client = post(&intake, "/v1/logs", &[PROTO], &body);
    tokio::select! {
        answer = client => panic!("{answer:?}"),
        arrived = arrivals.recv() => assert_eq!(arrived.unwrap().payload.records()[0].event_name, "a"),
    }
}

#[tokio::test]
async fn a_trickled_response_is_complete() {
    let intake = OtlpIntake::start(None).await.unwrap();
    intake.fail_next(
        Signal::Logs,
        ScriptedReply::Trickle(std::time::Duration::from_millis(1)),
    );
    let (status, body) = post(&intake, "/v1/logs", &[PROTO], &logs("a")).await;
    assert_eq!(status, 200);
    // Each chunk has one byte.
    let mut whole = Vec::new();
    let mut rest = &body[..];
    while let [b'1', b'\r', b'\n', byte, b'\r', b'\n', after @ ..] = rest {
        whole.push(*byte);
        rest = after;
    }
    assert_eq!(rest, b"0\r\n\r\n");
    let partial = ExportLogsServiceResponse::decode(&whole[..]).unwrap().partial_success;
    assert_eq!(partial.unwrap().rejected_log_records, 0);
    assert_eq!(intake.records().len(), 1);
}

#[tokio::test]
async fn listens_on_loopback_only() {
    let options = IntakeOptions {
        address: ([0, 0, 0, 0], 0).into(),
        ..IntakeOptions::default()
    };
    let error = OtlpIntake::start_with(options).await.unwrap_err();
    assert!(error.to_string().contains("loopback"), "{error}");
}
