//! Events of stalled Jobs, of their recoveries and of missed runs, from the running receiver.

mod crashes;
mod missed;
mod stalled;

use std::sync::Arc;
use std::time::Duration;

use collector_data::{Batch, Payload};
use collector_runtime::storage::memory::MemoryStorage;
use job_event::otlp::find_text;
use opentelemetry_proto::tonic::common::v1::any_value::Value as AnyValue;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point;
use serde_json::{Value, json};

use crate::support::running::{Run, START, id, run_with};
use crate::support::{Api, Piece, Reply};

/// That many seconds after the start.
fn time(second: i64) -> String {
    let start: jiff::Timestamp = START.parse().unwrap();
    (start + jiff::SignedDuration::from_secs(second)).to_string()
}

/// The next event within an hour, not acknowledged.
async fn next(run: &mut Run) -> (LogRecord, Batch) {
    let batch = tokio::time::timeout(Duration::from_secs(3600), run.logs.recv()).await;
    let batch = batch.expect("an event").unwrap();
    let Payload::Logs(logs) = &*batch.payload else {
        panic!("not logs")
    };
    (logs[0].scope_logs[0].log_records[0].clone(), batch)
}

/// The same, acknowledged.
async fn next_delivered(run: &mut Run) -> LogRecord {
    let (record, batch) = next(run).await;
    batch.ack.delivered();
    record
}

fn text<'a>(record: &'a LogRecord, name: &str) -> &'a str {
    find_text(&record.attributes, name).unwrap_or_default()
}

fn body(record: &LogRecord) -> &str {
    match record.body.as_ref().and_then(|body| body.value.as_ref()) {
        Some(AnyValue::StringValue(body)) => body,
        other => panic!("a sentence was expected, found {other:?}"),
    }
}

/// The second after the start that the event happened in.
fn second(record: &LogRecord) -> i64 {
    let start: jiff::Timestamp = START.parse().unwrap();
    i64::try_from(record.time_unix_nano / 1_000_000_000).unwrap() - start.as_second()
}

/// The points of a gauge with its attribute `cause`, if it has one, in the next batch.
async fn gauge(run: &mut Run, name: &str) -> Vec<(String, f64)> {
    let batch = run.gauges.recv().await.unwrap();
    let Payload::Metrics(resources) = &*batch.payload else {
        panic!("not metrics")
    };
    let scopes = resources.iter().flat_map(|resource| &resource.scope_metrics);
    let metrics = scopes
        .flat_map(|scope| &scope.metrics)
        .filter(|metric| metric.name == name);
    let mut found = Vec::new();
    for metric in metrics {
        let Some(Data::Gauge(gauge)) = &metric.data else {
            panic!("not a gauge")
        };
        for point in &gauge.data_points {
            let cause = find_text(&point.attributes, "cause").unwrap_or_default();
            let value = match point.value {
                Some(number_data_point::Value::AsInt(value)) => value as f64,
                Some(number_data_point::Value::AsDouble(value)) => value,
                None => panic!("no value"),
            };
            found.push((cause.to_owned(), value));
        }
    }
    batch.ack.delivered();
    found
}

fn list(objects: &[Value]) -> Reply {
    Reply::List(7, String::new(), objects.to_vec())
}

fn change(second: u64, mut object: Value) -> Piece {
    object["metadata"]["resourceVersion"] = (100 + second).to_string().into();
    Piece::Data(format!("{}\n", json!({"type": "MODIFIED", "object": object})))
}

fn bookmark(kind: &str, second: u64) -> Piece {
    let object = json!({"kind": kind, "metadata": {"resourceVersion": (100 + second).to_string()}});
    Piece::Data(format!("{}\n", json!({"type": "BOOKMARK", "object": object})))
}

/// Watches that last a minute each and end with a bookmark, for two hours, with one object that changes.
fn minutes(kind: &str, changed: Option<(u64, Value)>) -> Vec<Reply> {
    let minute = |minute: u64| {
        let (begin, end) = (minute * 60, minute * 60 + 60);
        let mut pieces = Vec::new();
        let mut waited = begin;
        if let Some((second, object)) = changed.clone().filter(|(second, _)| (begin..end).contains(second)) {
            pieces.extend([Piece::Wait(Duration::from_secs(second - begin)), change(second, object)]);
            waited = second;
        }
        pieces.extend([Piece::Wait(Duration::from_secs(end - waited)), bookmark(kind, end)]);
        Reply::Stream(pieces)
    };
    (0..120).map(minute).collect()
}

async fn start(api: &Api, storage: &MemoryStorage) -> Run {
    let storage = Arc::new(storage.clone());
    run_with(api.client(), "{}", |receiver| receiver.with_storage(storage, id())).await
}

async fn kill(mut run: Run) {
    run.task.abort();
    let _ = (&mut run.task).await;
}
