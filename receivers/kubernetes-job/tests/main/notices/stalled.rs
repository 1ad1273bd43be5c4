//! Stalled Jobs and their recoveries.

use std::sync::Arc;
use std::time::Duration;

use collector_runtime::storage::Leadership;
use collector_runtime::storage::memory::MemoryStorage;
use job_event::attributes as attr;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{body, change, gauge, kill, list, minutes, next, next_delivered, second, start, text, time};
use crate::support::running::{id, run, run_with};
use crate::support::{Api, Piece, Reply};

const JOBS: &str = "/jobs?";
const PODS: &str = "/pods?";
const UID: &str = "00000000-0000-0000-0000-00000000000a";

/// A Job that started at 0, with one Pod.
fn job(name: &str) -> Value {
    json!({"metadata": {"uid": uid(name), "name": name, "namespace": "n", "resourceVersion": "5",
            "creationTimestamp": time(0), "generation": 1},
        "spec": {"backoffLimit": 6, "completions": 1, "parallelism": 1,
            "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "main"}]}}},
        "status": {"startTime": time(0), "active": 1, "ready": 0}})
}

fn uid(name: &str) -> String {
    format!("{}{name}", &UID[..UID.len() - name.len()])
}

/// Its Pod: the image cannot be pulled, or the container runs since that second.
fn pod(job: &str, running_since: Option<i64>) -> Value {
    let message =
        "Back-off pulling image \"reg.example/app:1\": https://ci:s3cr3tpass@reg.example/v2/: 401 Unauthorized";
    let (phase, state) = match running_since {
        None => (
            "Pending",
            json!({"waiting": {"reason": "ImagePullBackOff", "message": message}}),
        ),
        Some(second) => ("Running", json!({"running": {"startedAt": time(second)}})),
    };
    let is_running = running_since.is_some();
    json!({"metadata": {"uid": format!("pod-{job}"), "name": format!("{job}-x"), "namespace": "n", "resourceVersion": "6",
            "creationTimestamp": time(0), "labels": {"job-name": job},
            "ownerReferences": [{"apiVersion": "batch/v1", "kind": "Job", "name": job, "uid": uid(job), "controller": true}]},
        "spec": {"nodeName": "node1", "restartPolicy": "Never",
            "containers": [{"name": "main", "image": "reg.example/app:1"}]},
        "status": {"phase": phase, "startTime": time(0),
            "conditions": [{"type": "PodScheduled", "status": "True", "lastTransitionTime": time(0)}],
            "containerStatuses": [{"name": "main", "image": "reg.example/app:1", "restartCount": 0,
                "ready": is_running, "started": is_running, "state": state}]}})
}

/// A cluster with Jobs whose image cannot be pulled. The first one's container runs from second `heals` on.
pub(super) fn cluster(jobs: &[&str], heals: Option<i64>) -> Api {
    let api = Api::new();
    let changed = heals.map(|second| (u64::try_from(second).unwrap(), pod(jobs[0], Some(second))));
    api.then("/jobs?watch=true", minutes("Job", None));
    api.then("job-name&watch=true", minutes("Pod", changed));
    api.then(JOBS, [list(&jobs.iter().map(|name| job(name)).collect::<Vec<_>>())]);
    api.then(
        PODS,
        [list(&jobs.iter().map(|name| pod(name, None)).collect::<Vec<_>>())],
    );
    api
}

/// A cluster with a Job whose container runs since that second.
pub(super) fn cluster_that_runs(name: &str, since: i64) -> Api {
    let api = Api::new();
    api.then("/jobs?watch=true", minutes("Job", None));
    api.then("job-name&watch=true", minutes("Pod", None));
    api.then(JOBS, [list(&[job(name)])]);
    api.then(PODS, [list(&[pod(name, Some(since))])]);
    api
}

#[tokio::test(start_paused = true)]
async fn reports_a_stalled_job_once_and_its_recovery() {
    let api = cluster(&["a"], Some(600));
    let mut run = run(api.client(), r#"{"cluster_name":"c"}"#).await;
    let stalled = next_delivered(&mut run).await;
    assert_eq!(stalled.event_name, "k8s.job.stalled");
    assert_eq!(text(&stalled, attr::STALL_CAUSE), "ImagePull");
    assert_eq!(text(&stalled, attr::JOB_UID), uid("a"));
    assert_eq!(text(&stalled, attr::CONTAINER_NAME), "main");
    assert!((120..=200).contains(&second(&stalled)), "{}", second(&stalled));
    let sentence = body(&stalled);
    assert!(
        sentence.starts_with("Job a: ") && sentence.contains("could not be pulled"),
        "{sentence}"
    );
    assert!(!sentence.contains("s3cr3tpass"), "{sentence}");

    let recovered = next_delivered(&mut run).await;
    assert_eq!(recovered.event_name, "k8s.job.recovered");
    assert_eq!(text(&recovered, attr::STALL_CAUSE), "ImagePull");
    assert!((600..=660).contains(&second(&recovered)), "{}", second(&recovered));
    assert_eq!(text(&recovered, attr::OUTCOME), "");
    run.no_event_for(Duration::from_secs(3600)).await;
    assert_eq!(
        run.points("otelcol_k8s_job_notices"),
        [
            "otelcol_k8s_job_notices[event=k8s.job.recovered, receiver=k8s_job] 1",
            "otelcol_k8s_job_notices[event=k8s.job.stalled, receiver=k8s_job] 1"
        ]
    );
    assert_eq!(
        run.points("otelcol_k8s_job_de"),
        [""; 0],
        "no Job is decided or delivered"
    );
    assert_eq!(run.points("accepted_log_records").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_restart_reports_no_stall_again() {
    let storage = MemoryStorage::new();
    let mut run = start(&cluster(&["a"], None), &storage).await;
    let (first, batch) = next(&mut run).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    kill(run).await;
    drop(batch);

    let mut run = start(&cluster(&["a"], None), &storage).await;
    let again = next_delivered(&mut run).await;
    assert_eq!(
        text(&again, attr::RECORD_UID),
        text(&first, attr::RECORD_UID),
        "not acknowledged before"
    );
    run.no_event_for(Duration::from_secs(60)).await;
    kill(run).await;

    let mut run = start(&cluster(&["a"], Some(400)), &storage).await;
    let recovered = next_delivered(&mut run).await;
    assert_eq!(recovered.event_name, "k8s.job.recovered");
    run.no_event_for(Duration::from_secs(60)).await;
    kill(run).await;

    let mut run = start(&cluster(&["a"], Some(10)), &storage).await;
    run.no_event_for(Duration::from_secs(600)).await;
}

#[tokio::test(start_paused = true)]
async fn settings_turn_stalls_off() {
    for settings in [
        r#"{"stalled":{"enabled":false}}"#,
        r#"{"stalled":{"causes":{"ImagePull":"off"}}}"#,
    ] {
        let mut run = run(cluster(&["a"], None).client(), settings).await;
        run.no_event_for(Duration::from_secs(3600)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_setting_delays_a_cause() {
    let settings = r#"{"stalled":{"after":"1m","causes":{"ImagePull":"15m"}}}"#;
    let mut run = run(cluster(&["a"], None).client(), settings).await;
    let stalled = next_delivered(&mut run).await;
    assert!((900..=1000).contains(&second(&stalled)), "{}", second(&stalled));
}

#[tokio::test(start_paused = true)]
async fn no_stall_without_a_list_of_pods() {
    let api = Api::new();
    api.then(JOBS, [list(&[job("a")])]);
    api.then(PODS, std::iter::repeat_n(Reply::Refused, 10_000));
    let mut run = run(api.client(), "{}").await;
    run.no_event_for(Duration::from_secs(1800)).await;
}

#[tokio::test(start_paused = true)]
async fn no_stall_while_pods_are_not_watched() {
    let api = Api::new();
    api.then(JOBS, [list(&[job("a")])]);
    api.then("/jobs?watch=true", minutes("Job", None));
    api.then("job-name&watch=true", std::iter::repeat_n(Reply::Refused, 10_000));
    api.then(PODS, [list(&[pod("a", None)])]);
    let mut run = run(api.client(), "{}").await;
    run.no_event_for(Duration::from_secs(1800)).await;
}

#[tokio::test(start_paused = true)]
async fn no_stall_while_the_watch_of_pods_fails() {
    let api = Api::new();
    api.then(JOBS, [list(&[job("a")])]);
    api.then("/jobs?watch=true", minutes("Job", None));
    let pods = "job-name&watch=true";
    api.then(pods, minutes("Pod", None).into_iter().take(1));
    let breaks = vec![Piece::Wait(Duration::from_secs(30)), Piece::Reset];
    api.then(pods, [Reply::Stream(breaks)]);
    // A stall is due after 120 s. The watch fails from 90 s on, for 30 s to 60 s, and then shows that the container runs.
    api.then(pods, std::iter::repeat_n(Reply::Refused, 22));
    let runs = change(100, pod("a", Some(100)));
    api.then(pods, [Reply::Stream(vec![runs, Piece::Wait(Duration::from_secs(60))])]);
    api.then(pods, minutes("Pod", None));
    api.then(PODS, [list(&[pod("a", None)])]);
    let mut run = run(api.client(), "{}").await;
    run.no_event_for(Duration::from_secs(1800)).await;
}

#[tokio::test(start_paused = true)]
async fn a_standby_replica_reports_no_stall() {
    let storage = MemoryStorage::new();
    let (_lead_a, a) = watch::channel(true);
    let (_lead_b, b) = watch::channel(false);
    let elector = super::super::support::running::id();
    let replica = |leads| {
        let storage = Arc::new(storage.replica(elector.clone(), Leadership(leads)));
        let api = cluster(&["a"], None);
        async move { run_with(api.client(), "{}", |receiver| receiver.with_storage(storage, id())).await }
    };
    let mut leader = replica(a).await;
    let mut standby = replica(b).await;
    let stalled = next_delivered(&mut leader).await;
    assert_eq!(stalled.event_name, "k8s.job.stalled");
    standby.no_event_for(Duration::from_secs(900)).await;
}

#[tokio::test(start_paused = true)]
async fn shutdown_without_a_store_emits_due_stalls() {
    let mut run = run(cluster(&["a", "b", "c", "d"], None).client(), "{}").await;
    // The pipeline takes nothing.
    tokio::time::sleep(Duration::from_secs(600)).await;
    run.shutdown.cancel();
    let mut uids = std::collections::BTreeSet::new();
    while let Some(batch) = run.logs.recv().await {
        let collector_data::Payload::Logs(logs) = &*batch.payload else {
            panic!()
        };
        uids.insert(text(&logs[0].scope_logs[0].log_records[0], attr::JOB_UID).to_owned());
        batch.ack.delivered();
    }
    assert_eq!(uids, ["a", "b", "c", "d"].map(uid).into());
    (&mut run.task).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_gauge_lasts_as_long_as_the_stall() {
    let api = cluster(&["a"], Some(600));
    let mut run = run(api.client(), r#"{"collection_interval":"60s"}"#).await;
    let mut values = Vec::new();
    for _ in 0..15 {
        while let Ok(batch) = run.logs.try_recv() {
            batch.ack.delivered();
        }
        values.push(gauge(&mut run, attr::METRIC_STALLED).await);
    }
    let stalled = vec![("ImagePull".to_owned(), 1.0)];
    let over = vec![("ImagePull".to_owned(), 0.0)];
    let begins = values.iter().position(|value| !value.is_empty()).unwrap();
    let ends = values.iter().position(|value| *value == over).unwrap();
    assert!((1..=3).contains(&begins) && (9..=11).contains(&ends), "{values:?}");
    assert!(values[begins..ends].iter().all(|value| *value == stalled), "{values:?}");
    assert!(values[ends + 1..].iter().all(Vec::is_empty), "zero once: {values:?}");
}
