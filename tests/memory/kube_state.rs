//! What the state of a Job costs in memory: in the receiver that knows it, and in the exporter that serves it.

use std::time::Instant;

use job_watch::{Kind, Object, Observation, Source};
use kubernetes_job_receiver::kube_state;
use serde_json::json;

const JOBS: usize = 500;
/// Bytes for each Job; `docs/compatibility.md` tells them.
const RECEIVER: usize = 450;
const EXPORTER: usize = 1_700;

/// A run of a CronJob that has failed: all series but those of a completion.
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
fn a_job_costs_what_is_said() {
    let _alone = crate::alone();
    let _profiler = dhat::Profiler::builder().testing().build();
    let bytes = || dhat::HeapStats::get().curr_bytes;
    let source = Source {
        kind: Kind::Jobs,
        scope: 0,
    };

    let before = bytes();
    let mut state = kube_state::KubeState::default();
    for number in 0..JOBS {
        state.apply(source, &Observation::Changed(job(number)));
    }
    while state.is_pending() {
        drop(state.take(250, None, 1));
    }
    let receiver = (bytes() - before) / JOBS;

    let before = bytes();
    let mut exporter = prometheus_exporter::kube_state::KubeState::default();
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
