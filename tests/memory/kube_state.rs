//! The memory that the state of a Job takes in the receiver `kube_state_metrics` and in the exporter `prometheus`.

use std::time::Instant;

use job_watch::{Kind, Object, Observation, Source};
use kube_state_metrics_receiver::state::KubeState;
use prometheus_exporter::verbatim::Verbatim;
use serde_json::json;

const JOBS: usize = 500;
/// Bytes for each Job, as in `docs/compatibility.md`.
const RECEIVER: usize = 450;
const EXPORTER: usize = 1_700;

/// A failed run of a CronJob: all series except those of a completion.
fn job(number: usize) -> Object {
    let json = json!({
        "metadata": {"name": format!("nightly-report-{number:08}"), "namespace": "payments", "uid": format!("uid-{number}"),
            "creationTimestamp": "2026-11-24T10:00:00Z", "ownerReferences": [{"kind": "CronJob", "name": "nightly-report",
                "uid": "c", "controller": true}]},
        "spec": {"parallelism": 1, "completions": 1, "activeDeadlineSeconds": 3600},
        "status": {"startTime": "2026-11-24T10:00:00Z", "failed": 3, "conditions": [
            {"type": "FailureTarget", "status": "True", "reason": "BackoffLimitExceeded"},
            {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]}});
    Object::Job(serde_json::from_value(json).expect("a Job"))
}

#[test]
fn a_job_takes_the_documented_memory() {
    let _alone = crate::alone();
    let _profiler = dhat::Profiler::builder().testing().build();
    let bytes = || dhat::HeapStats::get().curr_bytes;
    let source = Source {
        kind: Kind::Jobs,
        scope: 0,
    };

    let before = bytes();
    let mut state = KubeState::default();
    for number in 0..JOBS {
        state.apply(source, &Observation::Changed(job(number)));
    }
    while state.is_pending() {
        drop(state.take(250, None, 1));
    }
    let receiver = (bytes() - before) / JOBS;

    let before = bytes();
    let mut exporter = Verbatim::default();
    state.refresh();
    let now = Instant::now();
    while state.is_pending() {
        for metrics in state.take(250, None, 1) {
            exporter.add(&metrics, now);
        }
    }
    let served = (bytes() - before) / JOBS;
    assert_eq!((state.len(), exporter.len()), (JOBS, JOBS));
    println!("bytes for each Job: {receiver} in the receiver, {served} in the exporter");
    assert!(
        (RECEIVER * 3 / 4..=RECEIVER).contains(&receiver),
        "receiver: {receiver}"
    );
    assert!((EXPORTER * 3 / 4..=EXPORTER).contains(&served), "exporter: {served}");
}
