//! The connector between a sender of events and a receiver of traces.

use collector_config::ComponentId;
use collector_data::{Ack, Batch, Outcome as Fate, Payload};
use collector_runtime::component::{Connector, Running};
use collector_runtime::health::Health;
use collector_runtime::{Outlet, Outputs};
use jiff::Timestamp;
use job_event::evidence::{Condition, CronJob, Evidence, Job, JobStatus, PreviousRun};
use job_event::notice::RecoveredJob;
use job_event::trace::of_job;
use job_event::{Notice, Outcome, attributes as attr, otlp};
use job_traces_connector::connector::JobTraces;
use job_traces_connector::trace::of_event;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, Span};
use prost::Message;
use serde_json::json;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

const UID: &str = "de3a51b8-55e3-4fe0-8237-514a566ec862";
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn second(offset: i64) -> Timestamp {
    Timestamp::from_second(1_795_435_200 + offset).unwrap()
}

pub(crate) fn evidence(kind: &str) -> Evidence {
    let condition = Condition {
        kind: kind.into(),
        is_true: true,
        reason: if kind == "Complete" { "" } else { "DeadlineExceeded" }.into(),
        since: Some(second(10)),
        ..Default::default()
    };
    Evidence {
        job: Job {
            namespace: "shop".into(),
            name: "nightly-1".into(),
            uid: UID.into(),
            status: JobStatus {
                start_time: Some(second(0)),
                conditions: vec![condition],
                ..Default::default()
            },
            ..Default::default()
        },
        pods: vec![],
        events: vec![],
        gaps: vec![],
    }
}

pub(crate) fn event(evidence: &Evidence, judged: &[(&str, &str)]) -> ResourceLogs {
    let mut resource = otlp::encode(evidence, Some("c1"), second(11));
    for (name, value) in judged {
        let attributes = &mut resource.scope_logs[0].log_records[0].attributes;
        otlp::set(attributes, otlp::text(name, value));
    }
    resource
}

const ALL: [Outcome; 4] = [Outcome::Succeeded, Outcome::Failed, Outcome::Deleted, Outcome::Replaced];

fn trace(event: &ResourceLogs) -> ResourceSpans {
    let record = &event.scope_logs[0].log_records[0];
    of_event(event.resource.as_ref(), record, &ALL).unwrap().unwrap()
}

fn spans(trace: &ResourceSpans) -> &[Span] {
    &trace.scope_spans[0].spans
}

fn text<'a>(span: &'a Span, key: &str) -> Option<&'a str> {
    otlp::find_text(&span.attributes, key)
}

#[test]
fn the_span_of_a_job_has_its_labels() {
    let mut evidence = evidence("Failed");
    evidence.job.extracted = vec![job_event::evidence::Attribute {
        name: "k8s.job.label.team".into(),
        value: "payments".into(),
    }];
    let mut event = event(&evidence, &[]);
    let record = event.scope_logs.remove(0).log_records.remove(0);
    let trace = of_event(event.resource.as_ref(), &record, &[Outcome::Failed])
        .unwrap()
        .unwrap();
    let span = &trace.scope_spans[0].spans[0];
    assert_eq!(
        otlp::find_text(&span.attributes, "k8s.job.label.team"),
        Some("payments")
    );
    assert_eq!(
        otlp::find_text(&trace.resource.unwrap().attributes, "k8s.job.label.team"),
        None
    );
}

#[test]
fn a_failed_job_is_a_span_that_says_why() {
    let judged = [(attr::FAILURE_CAUSE, "RanTooLong"), (attr::FAILURE_CATEGORY, "timeout")];
    let event = event(&evidence("FailureTarget"), &judged);
    let trace = trace(&event);
    let [span] = spans(&trace) else { panic!("{trace:?}") };
    assert_eq!(span.name, "nightly-1");
    assert_eq!(span.trace_id, of_job(UID, None).0);
    assert!(span.parent_span_id.is_empty() && span.links.is_empty());
    assert_eq!(span.end_time_unix_nano - span.start_time_unix_nano, 10_000_000_000);
    let status = span.status.as_ref().unwrap();
    assert_eq!(
        (status.code, &*status.message),
        (StatusCode::Error as i32, "Job shop/nightly-1: Failed")
    );
    let expected = [
        (attr::ERROR_TYPE, "RanTooLong"),
        (attr::FAILURE_CAUSE, "RanTooLong"),
        (attr::FAILURE_CATEGORY, "timeout"),
        (attr::FAILURE_REASON, "DeadlineExceeded"),
        (attr::OUTCOME, "Failed"),
        (attr::JOB_UID, UID),
    ];
    for (key, value) in expected {
        assert_eq!(text(span, key), Some(value), "{key}");
    }
    assert!(otlp::find(&span.attributes, attr::EVIDENCE).is_none());
    let [decided] = &span.events[..] else {
        panic!("{:?}", span.events)
    };
    assert_eq!(
        (&*decided.name, decided.time_unix_nano),
        ("k8s.job.decided", span.end_time_unix_nano)
    );
    // The log record names the same span.
    let record = &event.scope_logs[0].log_records[0];
    assert_eq!((&record.trace_id, &record.span_id), (&span.trace_id, &span.span_id));
    let resource = &trace.resource.as_ref().unwrap().attributes;
    assert_eq!(otlp::find_text(resource, attr::SERVICE_NAME), Some("nightly-1"));
    assert_eq!(otlp::find_text(resource, attr::CLUSTER_NAME), Some("c1"));
}

#[test]
fn what_completed_is_ok_and_what_was_deleted_is_neither() {
    let completed = trace(&event(&evidence("Complete"), &[]));
    assert_eq!(
        spans(&completed)[0].status.as_ref().unwrap().code,
        StatusCode::Ok as i32
    );
    let mut deleted = evidence("Complete");
    deleted.job.status.conditions.clear();
    deleted.job.removed = Some(job_event::evidence::Removal {
        at: second(5),
        replaced: false,
    });
    assert_eq!(spans(&trace(&event(&deleted, &[])))[0].status, None);
}

#[test]
fn a_run_hangs_below_the_span_that_started_it_and_points_to_the_run_before_it() {
    let mut evidence = evidence("Complete");
    evidence.job.traceparent = PARENT.parse().ok();
    let previous = |traceparent| PreviousRun {
        uid: "00000000-0000-4000-8000-000000000001".into(),
        traceparent,
    };
    evidence.job.cronjob = Some(Box::new(CronJob {
        name: "nightly".into(),
        uid: "cron".into(),
        previous: Some(Box::new(previous(None))),
        ..Default::default()
    }));
    let trace_of = |evidence: &Evidence| trace(&event(evidence, &[]));
    let first = trace_of(&evidence);
    let span = &spans(&first)[0];
    assert_eq!(span.name, "nightly", "stable from run to run");
    let parent: job_event::trace::Traceparent = PARENT.parse().unwrap();
    assert_eq!(
        (&span.trace_id[..], &span.parent_span_id[..]),
        (&parent.trace_id[..], &parent.span_id[..])
    );
    assert_eq!(span.flags, 0x301, "its parent is remote, and sampled");
    let [link] = &span.links[..] else {
        panic!("{:?}", span.links)
    };
    let linked = of_job(&previous(None).uid, None);
    assert_eq!((&link.trace_id[..], &link.span_id[..]), (&linked.0[..], &linked.1[..]));
    // A run that was itself started by a span is in that span's trace.
    let cronjob = evidence.job.cronjob.as_mut().unwrap();
    cronjob.previous = Some(Box::new(previous(Some(parent))));
    let second = trace_of(&evidence);
    assert_eq!(spans(&second)[0].links[0].trace_id, parent.trace_id);
}

#[test]
fn attempts_are_spans_though_the_evidence_was_left_out() {
    let mut event = event(&evidence("FailureTarget"), &[]);
    let attributes = &mut event.scope_logs[0].log_records[0].attributes;
    otlp::remove(attributes, attr::EVIDENCE);
    let attempts = json!([
        {"pod": "p-1", "uid": "u-1", "outcome": "failed", "cause": "OutOfMemory", "exit_code": 137, "container": "main",
            "start": "2026-11-23T12:00:01Z", "end": "2026-11-23T12:00:03Z"},
        {"pod": "p-2", "uid": "u-2", "outcome": "failed", "cause": "NonZeroExit", "start": "2026-11-23T12:00:04Z",
            "end": "2026-11-23T12:00:05Z"},
        {"pod": "p-2", "uid": "u-2", "outcome": "stopped", "start": "2026-11-23T12:00:06Z", "end": "2026-11-23T12:00:10Z"},
    ]);
    attributes.push(otlp::structure(attr::ATTEMPTS, &attempts));
    let trace = trace(&event);
    let [job, first, second] = spans(&trace) else {
        panic!("{trace:?}")
    };
    for pod in [first, second] {
        assert_eq!((&pod.trace_id, &pod.parent_span_id), (&job.trace_id, &job.span_id));
        assert_eq!(pod.name, "attempt");
    }
    assert_eq!(text(first, attr::ERROR_TYPE), Some("OutOfMemory"));
    assert_eq!(first.status.as_ref().unwrap().code, StatusCode::Error as i32);
    assert_eq!(second.status, None, "the verdict stopped it");
    assert_eq!(second.end_time_unix_nano - second.start_time_unix_nano, 6_000_000_000);
}

/// A connector of failed Jobs, and its two ends.
fn start() -> (mpsc::Sender<Batch>, mpsc::Receiver<Batch>) {
    let (events, input) = mpsc::channel(4);
    let (out, traces) = mpsc::channel(4);
    let id = ComponentId {
        type_name: "sink".into(),
        name: None,
    };
    let outputs = Outputs {
        traces: Outlet::new(vec![(id, out)]),
        ..Outputs::default()
    };
    let running = Running {
        shutdown: CancellationToken::new(),
        health: Health::new().reporter("job_traces"),
        succession: Default::default(),
    };
    tokio::spawn(Box::new(JobTraces::new(vec![Outcome::Failed])).run(input.into(), outputs, running));
    (events, traces)
}

#[tokio::test]
async fn the_event_is_delivered_when_its_trace_is_and_comes_again_as_the_same_bytes() {
    let (events, mut traces) = start();
    let mut bytes = Vec::new();
    for fate in [
        Fate::Delivered,
        Fate::Rejected("no".into()),
        Fate::Dropped("away".into()),
    ] {
        let (ack, delivery) = Ack::new();
        let payload = Payload::Logs(vec![event(&evidence("FailureTarget"), &[])]);
        events.send(Batch::new(payload, ack)).await.unwrap();
        let batch = traces.recv().await.unwrap();
        let mut delivery = Box::pin(delivery);
        assert!(futures_util::poll!(&mut delivery).is_pending());
        batch.ack.decide(fate.clone());
        assert_eq!(delivery.await, fate);
        let Payload::Traces(resource_spans) = (*batch.payload).clone() else {
            panic!()
        };
        bytes.push(ExportTraceServiceRequest { resource_spans }.encode_to_vec());
    }
    assert!(bytes[0] == bytes[1] && bytes[1] == bytes[2]);
    drop(events);
    assert!(traces.recv().await.is_none(), "it ends when its input does");
}

#[tokio::test]
async fn what_gets_no_trace_is_delivered_at_once() {
    let (events, mut traces) = start();
    let mut broken = event(&evidence("FailureTarget"), &[]);
    let attributes = &mut broken.scope_logs[0].log_records[0].attributes;
    otlp::set(attributes, otlp::text(attr::EVIDENCE, "no map"));
    let mut other = event(&evidence("Complete"), &[]);
    other.scope_logs[0].log_records = vec![LogRecord::default()];
    let recovered = Notice::Recovered(Box::new(RecoveredJob {
        job: evidence("Complete").job,
        causes: vec!["ImagePull".into()],
        since: second(0),
        at: second(5),
        outcome: Some(Outcome::Failed),
    }));
    let recovered = otlp::encode_notice(&recovered, None, second(6));
    let record = &recovered.scope_logs[0].log_records[0];
    assert_eq!(of_event(None, record, &ALL).unwrap(), None, "no error, so no warning");
    for resource in [event(&evidence("Complete"), &[]), broken, other, recovered] {
        let (ack, delivery) = Ack::new();
        events
            .send(Batch::new(Payload::Logs(vec![resource]), ack))
            .await
            .unwrap();
        assert_eq!(delivery.await, Fate::Delivered);
    }
    drop(events);
    assert!(traces.recv().await.is_none());
}
