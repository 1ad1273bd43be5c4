//! Runs of CronJobs that did not start.

use std::collections::BTreeMap;
use std::time::Duration;

use collector_data::Payload;
use collector_runtime::storage::memory::MemoryStorage;
use collector_testing::Log;
use job_event::attributes as attr;
use job_event::otlp::find;
use opentelemetry_proto::tonic::common::v1::any_value::Value as AnyValue;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use serde_json::json;

use super::{body, gauge, kill, list, minutes, start, text, time};
use crate::support::running::{Run, run};
use crate::support::{Api, Reply};

/// A CronJob that is due every minute, and a controller that starts nothing.
pub(super) fn cluster(annotation: Option<&str>, suspend: bool) -> Api {
    cluster_with(annotation, suspend, minutes("Job", None))
}

/// The same with these watches of Jobs.
fn cluster_with(annotation: Option<&str>, suspend: bool, jobs: Vec<Reply>) -> Api {
    let annotations = annotation.map(|value| json!({"k8s-job-collector/missed-runs": value}));
    let cronjob = json!({"metadata": {"uid": "cron-1", "name": "tick", "namespace": "n", "resourceVersion": "5",
            "generation": 1, "creationTimestamp": time(-30), "annotations": annotations.unwrap_or(json!({}))},
        "spec": {"schedule": "* * * * *", "timeZone": "Europe/Berlin", "concurrencyPolicy": "Allow", "suspend": suspend},
        "status": {}});
    let api = Api::new();
    api.then("kind%3DCronJob&watch=true", minutes("Event", None));
    api.then("/cronjobs?watch=true", minutes("CronJob", None));
    api.then("/jobs?watch=true", jobs);
    api.then("job-name&watch=true", minutes("Pod", None));
    api.then("/cronjobs?", [list(&[cronjob])]);
    api
}

pub(super) fn count(record: &LogRecord) -> i64 {
    match find(&record.attributes, attr::MISSED_COUNT).and_then(|value| value.value.clone()) {
        Some(AnyValue::IntValue(count)) => count,
        other => panic!("{other:?}"),
    }
}

/// The records of missed runs within `seconds`, by their id; each is acknowledged.
async fn missed(run: &mut Run, seconds: u64) -> BTreeMap<String, LogRecord> {
    let mut found = BTreeMap::new();
    let until = tokio::time::Instant::now() + Duration::from_secs(seconds);
    while let Ok(batch) = tokio::time::timeout_at(until, run.logs.recv()).await {
        let batch = batch.unwrap();
        let Payload::Logs(logs) = &*batch.payload else {
            panic!("not logs")
        };
        let record = logs[0].scope_logs[0].log_records[0].clone();
        batch.ack.delivered();
        assert_eq!(record.event_name, "k8s.cronjob.missed");
        let before = found.insert(text(&record, attr::RECORD_UID).to_owned(), record);
        assert_eq!(before, None, "an event twice");
    }
    found
}

#[tokio::test(start_paused = true)]
async fn reports_each_missed_run_once() {
    let mut run = run(cluster(None, false).client(), "{}").await;
    let found = missed(&mut run, 1200).await;
    let first = found.values().min_by_key(|record| record.time_unix_nano).unwrap();
    assert_eq!(text(first, attr::MISSED_REASON), "ControllerLate");
    assert_eq!(text(first, attr::CRONJOB_UID), "cron-1");
    assert_eq!(text(first, attr::CRONJOB_SCHEDULE), "* * * * *");
    assert_eq!(text(first, attr::CRONJOB_TIME_ZONE), "Europe/Berlin");
    assert!(body(first).starts_with("CronJob tick: "), "{}", body(first));
    assert!(first.trace_id.is_empty());
    let runs: i64 = found.values().map(count).sum();
    assert!(
        (14..=20).contains(&runs),
        "{runs} runs in 20 minutes with a grace of one"
    );
    let notices = run.points("otelcol_k8s_job_notices");
    assert_eq!(
        notices,
        [format!(
            "otelcol_k8s_job_notices[event=k8s.cronjob.missed, receiver=k8s_job] {}",
            found.len()
        )]
    );
    assert_eq!(run.points("otelcol_k8s_job_delivered"), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_restart_reports_no_missed_run_again() {
    let storage = MemoryStorage::new();
    let mut all = BTreeMap::new();
    for _ in 0..4 {
        let mut run = start(&cluster(None, false), &storage).await;
        for (uid, record) in missed(&mut run, 400).await {
            assert!(all.insert(uid, record).is_none(), "an event twice");
        }
        kill(run).await;
    }
    let mut slots: Vec<(String, String, i64)> = Vec::new();
    for record in all.values() {
        let slot = |name| text(record, name).to_owned();
        slots.push((slot(attr::CRONJOB_SCHEDULED), slot(attr::MISSED_LAST), count(record)));
    }
    slots.sort();
    assert!(
        slots.is_sorted_by(|(_, last, _), (first, _, _)| last < first),
        "{slots:?}"
    );
    let runs: i64 = slots.iter().map(|(_, _, count)| count).sum();
    let seconds = |time: &str| time.parse::<jiff::Timestamp>().unwrap().as_second();
    let (first, last) = (seconds(&slots[0].0), seconds(&slots[slots.len() - 1].1));
    assert_eq!(runs, (last - first) / 60 + 1, "no slot is left out: {slots:?}");
    assert!(runs >= 18, "{runs}");
}

#[tokio::test(start_paused = true)]
async fn settings_annotations_and_suspension_silence_missed_runs() {
    for (api, settings) in [
        (cluster(None, false), r#"{"missed_runs":{"enabled":false}}"#),
        (cluster(Some("off"), false), "{}"),
        (cluster(None, true), "{}"),
    ] {
        let mut run = run(api.client(), settings).await;
        run.no_event_for(Duration::from_secs(1800)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_warning_names_an_invalid_annotation_once() {
    let (log, _guard) = Log::capture();
    let mut run = run(cluster(Some("false"), false).client(), "{}").await;
    assert!(!missed(&mut run, 600).await.is_empty(), "it silences nothing");
    let lines = log.lines("ignored an invalid annotation");
    assert_eq!(lines.len(), 1, "{lines:?}");
    for part in [
        "WARN",
        "tick",
        "k8s-job-collector/missed-runs",
        "value=false",
        "expected=\"off\"",
    ] {
        assert!(lines[0].contains(part), "{part}: {}", lines[0]);
    }
}

#[tokio::test(start_paused = true)]
async fn no_missed_run_while_jobs_are_not_watched() {
    let api = cluster_with(None, false, std::iter::repeat_n(Reply::Refused, 10_000).collect());
    let mut run = run(api.client(), "{}").await;
    run.no_event_for(Duration::from_secs(900)).await;
}

#[tokio::test(start_paused = true)]
async fn gauges_show_the_state_of_cronjobs() {
    let mut run = run(cluster(None, true).client(), "{}").await;
    assert_eq!(gauge(&mut run, attr::METRIC_SUSPENDED).await, [(String::new(), 1.0)]);
    let mut run = self::run(cluster(None, false).client(), "{}").await;
    let next = gauge(&mut run, attr::METRIC_NEXT_SCHEDULE).await;
    let expected: jiff::Timestamp = time(60).parse().unwrap();
    assert!((next[0].1 - expected.as_second() as f64).abs() <= 120.0, "{next:?}");
}
