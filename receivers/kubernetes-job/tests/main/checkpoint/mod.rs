//! The checkpoint across restarts and between replicas: no Job is lost and none is reported twice.

mod replicas;
mod restarts;
mod stores;

use std::sync::Arc;
use std::time::Duration;

use collector_data::{Batch, Payload};
use collector_runtime::storage::memory::MemoryStorage;
use job_event::Evidence;
use serde_json::{Value, json};

use crate::support::running::{Run, id, run_with};
use crate::support::{Api, Reply, lines};

const JOBS: &str = "/jobs?";
const EVENTS: &str = "/events?fieldSelector=involvedObject.kind%3DJob&";

/// A Job that failed at that second after the start, or runs.
fn job(name: &str, failed: Option<i64>) -> Value {
    let conditions = failed.map(|second| {
        let at = time(second);
        json!([{"type": "FailureTarget", "status": "True", "reason": "BackoffLimitExceeded", "lastTransitionTime": at},
            {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "lastTransitionTime": at}])
    });
    json!({"metadata": {"uid": uid(name), "name": name, "namespace": "n", "resourceVersion": "5"},
        "spec": {"backoffLimit": 0}, "status": {"conditions": conditions.unwrap_or(json!([]))}})
}

fn uid(name: &str) -> String {
    format!(
        "00000000-0000-0000-0000-{:012x}",
        name.bytes()
            .fold(1u64, |n, b| (n * 131 + u64::from(b)) % 0xffff_ffff_ffff)
    )
}

fn time(second: i64) -> String {
    let start: jiff::Timestamp = crate::support::running::START.parse().unwrap();
    (start + jiff::SignedDuration::from_secs(second)).to_string()
}

/// The Job controller's Event about the end of a Job.
fn end_of(name: &str, second: i64) -> Value {
    json!({"metadata": {"uid": format!("event-{name}"), "name": format!("{name}.1"), "namespace": "n", "resourceVersion": "6"},
        "source": {"component": "job-controller"},
        "involvedObject": {"apiVersion": "batch/v1", "kind": "Job", "name": name, "namespace": "n", "uid": uid(name)},
        "type": "Warning", "reason": "BackoffLimitExceeded", "message": "Job has reached the specified backoff limit",
        "count": 1, "firstTimestamp": time(second), "lastTimestamp": time(second)})
}

fn list(objects: &[Value]) -> Reply {
    Reply::List(7, String::new(), objects.to_vec())
}

fn changes(objects: &[(&str, Value)]) -> Reply {
    let text: Vec<String> = objects
        .iter()
        .map(|(kind, object)| json!({"type": kind, "object": object}).to_string())
        .collect();
    lines(&text.iter().map(String::as_str).collect::<Vec<_>>())
}

async fn start(api: &Api, storage: &MemoryStorage) -> Run {
    start_with(api, storage, "{}").await
}

async fn start_with(api: &Api, storage: &MemoryStorage, settings: &str) -> Run {
    let storage = Arc::new(storage.clone());
    run_with(api.client(), settings, |receiver| receiver.with_storage(storage, id())).await
}

/// Like `kill -9`.
async fn kill(mut run: Run) {
    run.task.abort();
    let _ = (&mut run.task).await;
}

async fn stop(mut run: Run) {
    run.shutdown.cancel();
    (&mut run.task).await.unwrap().unwrap();
}

async fn next(run: &mut Run) -> (Evidence, Batch) {
    let batch = tokio::time::timeout(Duration::from_secs(120), run.logs.recv())
        .await
        .expect("an event")
        .unwrap();
    let Payload::Logs(logs) = &*batch.payload else { panic!() };
    let evidence = job_event::otlp::evidence(&logs[0].scope_logs[0].log_records[0]).unwrap();
    (evidence, batch)
}
