//! The exporter against an intake with Datadog's rules, over real sockets.

use std::sync::Arc;

use crate::support::{CapturedLog, Exporting, KEY, QUICK, create, intake, logs, span, start, start_with, sum};
use collector_config::ComponentId;
use collector_data::Outcome;
use collector_runtime::health::Status;
use collector_runtime::storage::memory::MemoryStorage;
use collector_runtime::storage::{Offer, Provided};
use opentelemetry_proto::tonic::metrics::v1::AggregationTemporality;
use simulator::otlp_intake::{CUMULATIVE_REFUSED, IntakeOptions, OtlpIntake, ScriptedReply, Signal, SizeLimits};
use tokio::net::TcpListener;

async fn exporter(intake: &OtlpIntake, more: &str) -> Exporting {
    let url = intake.url();
    start(&format!(
        "endpoint: {url}\nheaders: {{dd-api-key: {KEY}, x-team: jobs}}\n{QUICK}\n{more}"
    ))
    .await
}

fn names(intake: &OtlpIntake) -> Vec<String> {
    intake.records().into_iter().map(|record| record.event_name).collect()
}

fn statuses(intake: &OtlpIntake) -> Vec<Option<u16>> {
    intake.attempts().iter().map(|attempt| attempt.status).collect()
}

#[tokio::test]
async fn every_signal_arrives_in_every_compression_with_the_headers() {
    for (compression, encoding) in [("gzip", Some("gzip")), ("zstd", Some("zstd")), ("none", None)] {
        let intake = intake().await;
        let exporter = exporter(&intake, &format!("compression: {compression}")).await;
        assert_eq!(exporter.send(logs(&["a", "b"])).await, Outcome::Delivered);
        let delta = sum(AggregationTemporality::Delta, 1);
        assert_eq!(exporter.send(delta).await, Outcome::Delivered);
        assert_eq!(exporter.send(span()).await, Outcome::Delivered);
        exporter.end().await;

        assert_eq!(names(&intake), ["a", "b"]);
        assert_eq!(intake.points()[0].metric, "k8s.job.failures");
        let received = intake.received();
        let signals: Vec<Signal> = received.iter().map(|received| received.signal).collect();
        assert_eq!(signals, [Signal::Logs, Signal::Metrics, Signal::Traces]);
        for request in &received {
            let header = |name| request.headers.get(name).map(|value| value.to_str().unwrap());
            assert_eq!(header("content-encoding"), encoding);
            assert_eq!(header("content-type"), Some("application/x-protobuf"));
            assert_eq!(header("x-team"), Some("jobs"));
            assert_eq!(header("user-agent"), Some("kube-job-collector/0.1.0"));
        }
    }
}

#[tokio::test]
async fn retries_send_the_same_body() {
    let intake = intake().await;
    for answer in [
        ScriptedReply::status(503),
        ScriptedReply::status(429).header("retry-after", "0"),
        ScriptedReply::status(502).body("<html><title>Bad Gateway</title></html>"),
        ScriptedReply::status(504),
        ScriptedReply::DropConnection,
        ScriptedReply::Hang,
    ] {
        intake.fail_next(Signal::Logs, answer);
    }
    let exporter = exporter(&intake, "timeout: 200ms").await;
    assert_eq!(exporter.send(logs(&["a"])).await, Outcome::Delivered);
    assert_eq!(exporter.status(), Status::Ok);
    let expected = [Some(503), Some(429), Some(502), Some(504), None, None, Some(200)];
    assert_eq!(statuses(&intake), expected);
    assert_eq!(names(&intake), ["a"]);
    let sizes: Vec<usize> = intake.attempts().iter().map(|attempt| attempt.body_size).collect();
    assert!(sizes.iter().all(|size| *size == sizes[0]), "{sizes:?}");
}

#[tokio::test]
async fn logs_failures_and_retries_without_the_key() {
    let (log, _guard) = CapturedLog::capture();
    let intake = intake().await;
    intake.fail_next(Signal::Logs, ScriptedReply::status(503).body(format!("busy, {KEY}")));
    intake.fail_next(
        Signal::Logs,
        ScriptedReply::status(307).header("location", &format!("https://x/?{KEY}")),
    );
    intake.fail_next(Signal::Metrics, ScriptedReply::status(403).body(KEY));
    let exporter = exporter(&intake, "").await;
    assert!(matches!(exporter.send(logs(&["a", "b"])).await, Outcome::Rejected(_)));
    assert!(matches!(
        exporter.send(sum(AggregationTemporality::Delta, 1)).await,
        Outcome::Rejected(_)
    ));
    let status = format!("{:?}", exporter.status());
    exporter.end().await;
    let text = log.text();
    assert!(text.contains("sending 2 items failed, retrying in"), "{text}");
    assert!(text.contains("answered HTTP 503: busy, [REDACTED]"), "{text}");
    assert!(text.contains("redirects to https://x (HTTP 307)"), "{text}");
    assert!(text.contains("check headers::dd-api-key"), "{text}");
    assert!(!text.contains(KEY), "{text}");
    assert!(!status.contains(KEY), "{status}");
}

#[tokio::test]
async fn a_wrong_key_is_rejected_and_the_exporter_is_not_ready() {
    let intake = OtlpIntake::start(Some("another".into())).await.unwrap();
    let exporter = exporter(&intake, "").await;
    let Outcome::Rejected(why) = exporter.send(logs(&["a"])).await else {
        panic!()
    };
    assert!(why.contains("HTTP 403") && why.contains("headers::dd-api-key"), "{why}");
    assert!(exporter.failing().await.contains("HTTP 403"));
    assert_eq!(intake.attempts().len(), 1);
}

#[tokio::test]
async fn a_wrong_key_is_retried_by_default() {
    let intake = intake().await;
    intake.answer_all(Signal::Logs, Some(ScriptedReply::status(403)));
    let yaml = format!(
        "endpoint: {}\nheaders: {{dd-api-key: {KEY}}}\nretry_on_failure: {{initial_interval: 1ms, max_interval: 1ms}}",
        intake.url()
    );
    let exporter = start(&yaml).await;
    let delivery = exporter.put(logs(&["a"])).await;
    assert!(exporter.failing().await.contains("headers::dd-api-key"));
    intake.answer_all(Signal::Logs, None);
    assert_eq!(delivery.await, Outcome::Delivered);
    assert_eq!(names(&intake), ["a"]);
    assert_eq!(exporter.status(), Status::Ok);
}

#[tokio::test]
async fn a_stored_request_keeps_its_compression() {
    let intake = intake().await;
    intake.answer_all(Signal::Logs, Some(ScriptedReply::status(503)));
    let mut provided = Provided::new();
    let offer = Offer {
        storage: Some(Arc::new(MemoryStorage::new())),
        ..Default::default()
    };
    let file_storage = ComponentId {
        type_name: "file_storage".into(),
        name: None,
    };
    provided.add(file_storage, offer);
    let yaml = |compression: &str| {
        let url = intake.url();
        format!(
            "endpoint: {url}\nheaders: {{dd-api-key: {KEY}}}\n{QUICK}\ncompression: {compression}\n\
             sending_queue: {{storage: file_storage}}"
        )
    };
    for compression in ["gzip", "zstd", "none"] {
        let exporter = start_with(&yaml(compression), &provided).await;
        assert_eq!(exporter.send(logs(&[compression])).await, Outcome::Delivered);
        exporter.kill().await;
    }
    intake.answer_all(Signal::Logs, None);
    start_with(&yaml("gzip"), &provided).await.end().await;
    let mut names = names(&intake);
    names.sort();
    assert_eq!(names, ["gzip", "none", "zstd"]);
}

#[tokio::test]
async fn permanent_errors_are_not_retried() {
    let intake = intake().await;
    let exporter = exporter(&intake, "").await;
    let page = "<!doctype html><html><title>Oops</title><body>long</body></html>";
    for (answer, expected) in [
        (ScriptedReply::status(400).body("bad data"), "HTTP 400: bad data"),
        (
            ScriptedReply::status(501)
                .header("content-type", "text/html")
                .body(page),
            "HTTP 501: a web page \"Oops\"",
        ),
        (ScriptedReply::status(200).body(page), "no OTLP intake"),
        (ScriptedReply::status(404), "check the endpoint"),
    ] {
        intake.fail_next(Signal::Logs, answer);
        let Outcome::Rejected(why) = exporter.send(logs(&["a"])).await else {
            panic!("{expected}")
        };
        assert!(why.contains(expected), "{why}");
    }
    assert_eq!(intake.attempts().len(), 4);
    assert!(intake.received().is_empty());
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (intake, other) = (intake().await, intake().await);
    let target = format!("{}/v1/logs", other.url());
    intake.fail_next(Signal::Logs, ScriptedReply::status(308).header("location", &target));
    let exporter = exporter(&intake, "").await;
    let Outcome::Rejected(why) = exporter.send(logs(&["a"])).await else {
        panic!()
    };
    assert!(
        why.contains(&format!("redirects to {} (HTTP 308)", other.url())),
        "{why}"
    );
    assert!(other.attempts().is_empty());
}

#[tokio::test]
async fn a_partial_success_without_accepted_items_is_rejected() {
    let (log, _guard) = CapturedLog::capture();
    let intake = intake().await;
    let exporter = exporter(&intake, "").await;
    let cumulative = sum(AggregationTemporality::Cumulative, 1);
    let Outcome::Rejected(why) = exporter.send(cumulative).await else {
        panic!("nothing of it was taken")
    };
    assert!(why.contains(CUMULATIVE_REFUSED), "{why}");
    assert_eq!(intake.attempts().len(), 1, "it must not be sent again");
    let text = log.text();
    assert!(text.contains("ERROR") && text.contains("rejected all of it"), "{text}");
    assert!(text.contains(CUMULATIVE_REFUSED), "{text}");
}

#[tokio::test]
async fn an_unreadable_success_is_delivered_with_a_warning() {
    let (log, _guard) = CapturedLog::capture();
    let intake = intake().await;
    intake.fail_next(Signal::Logs, ScriptedReply::status(200).body("OK then").but_accept());
    let exporter = exporter(&intake, "").await;
    assert_eq!(exporter.send(logs(&["a"])).await, Outcome::Delivered);
    assert_eq!(names(&intake), ["a"]);
    assert!(log.text().contains("not an OTLP response"), "{}", log.text());
}

#[tokio::test]
async fn splits_requests_that_the_backend_finds_too_large() {
    let limits = SizeLimits {
        logs_decompressed: 120,
        ..SizeLimits::default()
    };
    let options = IntakeOptions {
        limits,
        ..IntakeOptions::default()
    };
    let intake = OtlpIntake::start_with(options).await.unwrap();
    let exporter = exporter(&intake, "sending_queue: {num_consumers: 1}").await;
    let long: Vec<String> = (0..5).map(|n| n.to_string().repeat(50)).collect();
    let long: Vec<&str> = long.iter().map(String::as_str).collect();
    assert_eq!(exporter.send(logs(&long)).await, Outcome::Delivered);
    assert_eq!(names(&intake), long);
    assert_eq!(statuses(&intake)[0], Some(413));

    let huge = "x".repeat(500);
    let Outcome::Rejected(why) = exporter.send(logs(&[huge.as_str(), "fits"])).await else {
        panic!()
    };
    assert!(why.contains("single item"), "{why}");
    assert_eq!(names(&intake).last().map(String::as_str), Some("fits"));
}

#[tokio::test]
async fn an_unavailable_backend_is_retried() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let exporter = start(&format!("endpoint: http://{address}\n{QUICK}")).await;
    let delivery = exporter.put(logs(&["a"])).await;
    let why = exporter.failing().await;
    assert!(
        why.contains(&format!("logs: {address} refused the connection")),
        "{why}"
    );

    let options = IntakeOptions {
        address,
        ..IntakeOptions::default()
    };
    let intake = OtlpIntake::start_with(options).await.unwrap();
    assert_eq!(delivery.await, Outcome::Delivered);
    assert_eq!(names(&intake), ["a"]);
    assert_eq!(exporter.status(), Status::Ok);
}

#[tokio::test]
async fn an_error_names_an_unresolvable_host() {
    // A label may have 63 characters, so no resolver asks the network for this one.
    let host = format!("otlp.{}.invalid", "x".repeat(64));
    let exporter = start(&format!("endpoint: http://{host}\n{QUICK}")).await;
    let _delivery = exporter.put(logs(&["a"])).await;
    let why = exporter.failing().await;
    assert!(why.contains(&format!("the name {host} cannot be resolved")), "{why}");
    assert!(why.contains("check the site in the endpoint"), "{why}");
}

#[tokio::test]
async fn uses_a_proxy_and_hides_its_password() {
    let (log, _guard) = CapturedLog::capture();
    // The intake stands in for a proxy that answers itself: the name is not resolved here.
    let intake = OtlpIntake::start(None).await.unwrap();
    let proxy = intake.url().replace("http://", &format!("http://user:{KEY}@"));
    let exporter = start(&format!("endpoint: http://intake.invalid\nproxy_url: {proxy}")).await;
    assert_eq!(exporter.send(logs(&["a"])).await, Outcome::Delivered);
    let attempts = intake.attempts();
    assert_eq!(attempts[0].headers["host"], "intake.invalid");
    assert!(attempts[0].headers.contains_key("proxy-authorization"));
    assert!(!log.text().contains(KEY), "{}", log.text());
}

#[tokio::test]
async fn an_error_names_the_missing_endpoint_of_a_signal() {
    let intake = intake().await;
    let exporter = start(&format!(
        "logs_endpoint: {}/v1/logs\nheaders: {{dd-api-key: {KEY}}}\n{QUICK}",
        intake.url()
    ))
    .await;
    assert_eq!(exporter.send(logs(&["a"])).await, Outcome::Delivered);
    let Outcome::Rejected(why) = exporter.send(span()).await else {
        panic!()
    };
    assert!(why.contains("traces_endpoint"), "{why}");
}

#[tokio::test]
async fn sends_queued_data_on_shutdown() {
    let intake = intake().await;
    intake.fail_next(Signal::Logs, ScriptedReply::status(503));
    let exporter = exporter(&intake, "").await;
    let delivery = exporter.put(logs(&["a"])).await;
    exporter.end().await;
    assert_eq!(delivery.await, Outcome::Delivered);
}

#[tokio::test]
async fn the_intake_counts_items_as_they_arrive() {
    let intake = Arc::new(intake().await);
    let mut arrivals = intake.subscribe();
    let exporter = exporter(&intake, "").await;
    assert_eq!(exporter.send(logs(&["a"])).await, Outcome::Delivered);
    assert_eq!(arrivals.recv().await.unwrap().payload.items(), 1);
}

#[test]
fn configuration_errors_do_not_contain_the_key() {
    let yaml = format!("endpoint: 'https://otlp.'\nheaders:\n  dd-api-key: \"{KEY}\\n\"");
    let Err(errors) = create(&yaml) else { panic!() };
    assert!(
        errors.contains("yaml:1:11: endpoint") && errors.contains("yaml:3:15: headers::dd-api-key"),
        "{errors}"
    );
    assert!(!errors.contains(KEY), "{errors}");
}
