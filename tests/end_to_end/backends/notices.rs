//! A stalled Job, its recovery and a missed run, from the cluster to Datadog and Prometheus.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use simulator::otlp_intake::{DATADOG, IntakeOptions, OtlpIntake, PointValue, ReceivedRecord};
use simulator::{Resource, SimulatorOptions};

use super::setup::{PATIENCE, Setup, until};
use super::together::{free_address, scrape};

const JOB: &str = "00000000-0000-0000-0000-00000000000a";

/// That many seconds ago.
fn ago(seconds: i64) -> String {
    let time = Timestamp::now() - SignedDuration::from_secs(seconds);
    Timestamp::from_second(time.as_second()).unwrap().to_string()
}

fn pipeline(intake: &OtlpIntake, prometheus: &str) -> String {
    format!(
        "receivers:\n  k8s_job:\n    collection_interval: 1s\n    cluster_name: c1\n    stalled: {{after: 1s}}\n    \
         missed_runs: {{grace: 1s}}\nprocessors:\n  reason_enrichment:\nconnectors:\n  job_metrics: {{interval: 1s}}\n  \
         job_traces:\nexporters:\n  otlp_http: {{endpoint: \"{}\", headers: {{dd-api-key: key}}}}\n  \
         prometheus: {{endpoint: \"{prometheus}\", start_at_zero: 0s}}\nservice:\n  pipelines:\n    \
         logs: {{receivers: [k8s_job], processors: [reason_enrichment], exporters: [otlp_http, job_metrics, job_traces]}}\n    \
         traces: {{receivers: [job_traces], exporters: [otlp_http]}}\n    \
         metrics: {{receivers: [k8s_job, job_metrics], exporters: [otlp_http, prometheus]}}\n",
        intake.url()
    )
}

pub(crate) fn job() -> Value {
    json!({"apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"uid": JOB, "name": "report", "namespace": "shop", "creationTimestamp": ago(60)},
        "spec": {"backoffLimit": 6, "completions": 1, "parallelism": 1,
            "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "main"}]}}},
        "status": {"startTime": ago(60), "active": 1, "ready": 0}})
}

pub(crate) fn pod(state: Value) -> Value {
    let phase = if state.get("running").is_some() {
        "Running"
    } else {
        "Pending"
    };
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"uid": "pod-a", "name": "report-x", "namespace": "shop", "creationTimestamp": ago(60),
            "labels": {"job-name": "report"},
            "ownerReferences": [{"apiVersion": "batch/v1", "kind": "Job", "name": "report", "uid": JOB, "controller": true}]},
        "spec": {"nodeName": "node1", "restartPolicy": "Never", "containers": [{"name": "main", "image": "shop/report:2"}]},
        "status": {"phase": phase, "startTime": ago(60),
            "conditions": [{"type": "PodScheduled", "status": "True", "lastTransitionTime": ago(60)}],
            "containerStatuses": [{"name": "main", "image": "shop/report:2", "restartCount": 0, "state": state}]}})
}

/// A CronJob whose runs nothing starts.
pub(crate) fn cronjob() -> Value {
    json!({"apiVersion": "batch/v1", "kind": "CronJob",
        "metadata": {"uid": "cron-1", "name": "tick", "namespace": "shop", "creationTimestamp": ago(0), "generation": 1},
        "spec": {"schedule": "@every 2s", "concurrencyPolicy": "Allow", "suspend": false, "jobTemplate": {"spec": {}}},
        "status": {}})
}

fn find(intake: &OtlpIntake, event: &str) -> Option<ReceivedRecord> {
    intake.records().into_iter().find(|record| record.event_name == event)
}

/// The values of a metric with an attribute of a point, in the order of their arrival.
fn values(intake: &OtlpIntake, metric: &str, attribute: &str) -> Vec<(String, f64)> {
    let points = intake.points().into_iter().filter(|point| point.metric == metric);
    let value = |value: &PointValue| match value {
        PointValue::Int(value) => *value as f64,
        PointValue::Double(value) => *value,
        other => panic!("{other:?}"),
    };
    let pair = |point: simulator::otlp_intake::ReceivedPoint| {
        let attribute = point.attributes.get(attribute).map(ToString::to_string);
        (attribute.unwrap_or_default(), value(&point.value))
    };
    points.map(pair).collect()
}

/// Scrapes until a line begins so, without the labels of the scope.
async fn until_scraped(address: &str, line: &str) {
    let scope = format!(
        ",otel_scope_name=\"kube-job-collector\",otel_scope_version=\"{}\"",
        env!("CARGO_PKG_VERSION")
    );
    let is_shown = |text: String| text.replace(&scope, "").lines().any(|found| found.starts_with(line));
    let scraping = async { while !is_shown(scrape(address).await) {} };
    if tokio::time::timeout(PATIENCE, scraping).await.is_err() {
        panic!("{line} is missing in\n{}", scrape(address).await);
    }
}

/// A cluster whose watches are proven to be current twice a second, and backends.
async fn start(name: &str) -> (Setup, OtlpIntake, String) {
    let options = SimulatorOptions {
        bookmark_interval: Duration::from_millis(500),
        ..SimulatorOptions::default()
    };
    let setup = Setup::with(name, options).await;
    let intake = OtlpIntake::start_with(IntakeOptions::of(DATADOG, "key")).await.unwrap();
    (setup, intake, free_address())
}

/// Stops the collector: the backends have accepted everything, and nothing else was reported.
async fn stop(mut setup: Setup, intake: &OtlpIntake) {
    let log = setup.stop().await;
    assert!(
        !log.contains("an event has no trace") && !log.contains("cannot count"),
        "{log}"
    );
    assert_eq!(
        (intake.rejected(), intake.lost(), intake.violations()),
        (0, vec![], vec![]),
        "{log}"
    );
    assert!(
        intake
            .records()
            .iter()
            .all(|record| record.event_name != "k8s.job.finished")
    );
}

#[tokio::test]
async fn a_stall_and_its_recovery_reach_the_backends() {
    let (mut setup, intake, prometheus) = start("stalled").await;
    let store = setup.simulator.store().clone();
    store.put(Resource::Jobs, job()).unwrap();
    let message = "Back-off pulling image \"shop/report:2\"";
    let waiting = json!({"waiting": {"reason": "ImagePullBackOff", "message": message}});
    store.put(Resource::Pods, pod(waiting)).unwrap();
    setup.collect(&pipeline(&intake, &prometheus), &[], &[]).await;

    until("a stall", &intake, |intake| find(intake, "k8s.job.stalled").is_some()).await;
    let stalled = find(&intake, "k8s.job.stalled").unwrap();
    let owner = [
        ("k8s.cluster.name", "c1"),
        ("k8s.job.name", "report"),
        ("k8s.namespace.name", "shop"),
        ("service.name", "report"),
    ];
    let owner: BTreeMap<String, Value> = owner.map(|(key, value)| (key.to_owned(), value.into())).into();
    assert_eq!(stalled.resource, owner);
    assert_eq!(stalled.attributes["k8s.job.stall.cause"], "ImagePull");
    assert_eq!(stalled.attributes["k8s.pod.name"], "report-x");
    let sentence = stalled.body.as_str().unwrap();
    assert!(sentence.starts_with("Job report: Stalled for "), "{sentence}");
    let labels = "cause=\"ImagePull\",job=\"report\",k8s_cluster_name=\"c1\",k8s_job_name=\"report\",\
                  k8s_namespace_name=\"shop\",service_name=\"report\"";
    until_scraped(&prometheus, &format!("k8s_job_stalled{{{labels}}} 1")).await;

    let running = json!({"running": {"startedAt": ago(0)}});
    store.put(Resource::Pods, pod(running)).unwrap();
    until("a recovery", &intake, |intake| {
        find(intake, "k8s.job.recovered").is_some()
    })
    .await;
    let recovered = find(&intake, "k8s.job.recovered").unwrap();
    assert_eq!(recovered.attributes["k8s.job.stall.cause"], "ImagePull");
    assert!(!recovered.attributes.contains_key("k8s.job.outcome"));
    let over = ("ImagePull".to_owned(), 0.0);
    let is_over = |intake: &OtlpIntake| values(intake, "k8s.job.stalled", "cause").last() == Some(&over);
    until("the end of the gauge", &intake, is_over).await;
    stop(setup, &intake).await;
}

#[tokio::test]
async fn a_missed_run_reaches_the_backends() {
    let (mut setup, intake, prometheus) = start("missed").await;
    setup.collect(&pipeline(&intake, &prometheus), &[], &[]).await;
    setup.simulator.store().put(Resource::CronJobs, cronjob()).unwrap();

    until("a missed run", &intake, |intake| {
        find(intake, "k8s.cronjob.missed").is_some()
    })
    .await;
    let missed = find(&intake, "k8s.cronjob.missed").unwrap();
    assert_eq!(missed.resource["k8s.cronjob.name"], "tick");
    assert_eq!(missed.attributes["k8s.cronjob.missed.reason"], "ControllerLate");
    assert_eq!(missed.attributes["k8s.cronjob.schedule"], "@every 2s");
    let is_counted = |intake: &OtlpIntake| {
        let runs = values(intake, "k8s.cronjob.missed_runs", "reason");
        runs.iter()
            .any(|(reason, count)| reason == "ControllerLate" && *count >= 1.0)
    };
    until("a count of it", &intake, is_counted).await;
    let labels = "job=\"tick\",k8s_cluster_name=\"c1\",k8s_cronjob_name=\"tick\",k8s_namespace_name=\"shop\"";
    let service = "service_name=\"tick\"";
    for line in [
        format!("k8s_cronjob_missed_runs_total{{{labels},reason=\"ControllerLate\",{service}}}"),
        format!("k8s_cronjob_next_schedule_time_seconds{{{labels},{service}}}"),
        format!("k8s_cronjob_consecutive_failures{{{labels},{service}}} 0"),
        format!("k8s_cronjob_suspended{{{labels},{service}}} 0"),
    ] {
        until_scraped(&prometheus, &line).await;
    }
    stop(setup, &intake).await;
}
