//! The table of metrics in `deploy/generate/src/table.rs` against the metrics that the binary emits: names, kinds, units and
//! attributes in OTLP, and names, types and labels in Prometheus.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use deploy_generate::table::{METRICS, Metric, MetricKind, MetricSource, OVERFLOW, RESOURCE};
use jiff::{SignedDuration, Timestamp};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{self as otlp, ResourceMetrics};
use serde_json::{Value, json};
use simulator::otlp_intake::{DATADOG, IntakeOptions, OtlpIntake, ReceivedData};
use simulator::{Resource, SimulatorOptions};

use super::setup::{PATIENCE, Setup, scenario, until};
use super::together::{free_address, scrape};

/// Metrics that appear only when something is lost or fails; `tests/docs/operating.rs` finds their names in the sources.
const ONLY_ON_FAILURE: [&str; 3] = [
    "otelcol_k8s_job_lost",
    "otelcol_k8s_job_notices_lost",
    "otelcol_k8s_job_watch_failures",
];

fn pipeline(intake: &OtlpIntake, prometheus: &str, own: &str) -> String {
    let port = own.rsplit(':').next().unwrap();
    format!(
        "receivers:\n  k8s_job:\n    collection_interval: 1s\n    cluster_name: c1\n    stalled: {{after: 1s}}\n    \
         missed_runs: {{grace: 1s}}\nprocessors:\n  reason_enrichment:\nconnectors:\n  job_metrics: {{interval: 1s}}\nexporters:\n  \
         otlp_http: {{endpoint: \"{}\", headers: {{dd-api-key: key}}}}\n  \
         prometheus: {{endpoint: \"{prometheus}\", start_at_zero: 0s}}\nservice:\n  telemetry:\n    metrics:\n      readers:\n        \
         - pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: {port}}}}}}}\n  pipelines:\n    \
         logs: {{receivers: [k8s_job], processors: [reason_enrichment], exporters: [otlp_http, job_metrics]}}\n    \
         metrics: {{receivers: [k8s_job, job_metrics], exporters: [otlp_http, prometheus]}}\n",
        intake.url()
    )
}

fn ago(seconds: i64) -> String {
    let time = Timestamp::now() - SignedDuration::from_secs(seconds);
    Timestamp::from_second(time.as_second()).unwrap().to_string()
}

/// A Job that is controlled by another object and whose Pod cannot pull its image.
fn stalled(setup: &Setup) {
    let store = setup.simulator.store();
    let owner = |api: &str, kind: &str, name: &str, uid: &str| json!([{"apiVersion": api, "kind": kind, "name": name, "uid": uid, "controller": true}]);
    let job = json!({"apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"uid": "job-a", "name": "consumer-x7k2p", "namespace": "shop", "creationTimestamp": ago(60),
            "labels": {"tags.datadoghq.com/env": "live", "tags.datadoghq.com/version": "2"},
            "ownerReferences": owner("keda.sh/v1alpha1", "ScaledJob", "consumer", "scaled-1")},
        "spec": {"backoffLimit": 6, "completions": 1, "parallelism": 1,
            "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "main"}]}}},
        "status": {"startTime": ago(60), "active": 1, "ready": 0}});
    store.put(Resource::Jobs, job).unwrap();
    let waiting =
        json!({"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image \"shop/consumer:2\""}});
    let pod = json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"uid": "pod-a", "name": "consumer-x7k2p-1", "namespace": "shop", "creationTimestamp": ago(60),
            "labels": {"job-name": "consumer-x7k2p"},
            "ownerReferences": owner("batch/v1", "Job", "consumer-x7k2p", "job-a")},
        "spec": {"nodeName": "node1", "restartPolicy": "Never", "containers": [{"name": "main", "image": "shop/consumer:2"}]},
        "status": {"phase": "Pending", "startTime": ago(60),
            "conditions": [{"type": "PodScheduled", "status": "True", "lastTransitionTime": ago(60)}],
            "containerStatuses": [{"name": "main", "image": "shop/consumer:2", "restartCount": 0, "state": waiting}]}});
    store.put(Resource::Pods, pod).unwrap();
}

/// A CronJob that has succeeded, and whose controller starts no run any more.
fn cronjob() -> Value {
    json!({"apiVersion": "batch/v1", "kind": "CronJob",
        "metadata": {"uid": "cron-1", "name": "tick", "namespace": "shop", "creationTimestamp": ago(0), "generation": 1},
        "spec": {"schedule": "@every 2s", "concurrencyPolicy": "Allow", "suspend": false, "jobTemplate": {"spec": {}}},
        "status": {"lastSuccessfulTime": ago(30)}})
}

fn in_table(name: &str) -> &'static Metric {
    let found = METRICS.iter().find(|metric| metric.name == name);
    found.unwrap_or_else(|| panic!("the table of metrics lacks {name}"))
}

fn of_owners() -> impl Iterator<Item = &'static Metric> {
    METRICS.iter().filter(|metric| metric.source != MetricSource::Collector)
}

/// The resources with metrics that have arrived.
fn arrived(intake: &OtlpIntake) -> Vec<ResourceMetrics> {
    let received = intake.received();
    let requests = received.iter().filter_map(|received| match &received.payload {
        ReceivedData::Metrics(request) => Some(request.resource_metrics.clone()),
        _ => None,
    });
    requests.flatten().collect()
}

fn metrics(resources: &[ResourceMetrics]) -> impl Iterator<Item = &otlp::Metric> {
    resources
        .iter()
        .flat_map(|resource| &resource.scope_metrics)
        .flat_map(|scope| &scope.metrics)
}

/// The kind of a metric, and the attributes of its points.
fn read(metric: &otlp::Metric) -> (MetricKind, Vec<&[KeyValue]>) {
    match metric.data.as_ref().unwrap() {
        Data::Sum(sum) => {
            assert!(sum.is_monotonic, "{}", metric.name);
            let points = sum.data_points.iter().map(|point| &*point.attributes);
            (MetricKind::Sum, points.collect())
        }
        Data::Gauge(gauge) => {
            let points = gauge.data_points.iter().map(|point| &*point.attributes);
            (MetricKind::Gauge, points.collect())
        }
        Data::ExponentialHistogram(histogram) => {
            let points = histogram.data_points.iter().map(|point| &*point.attributes);
            (MetricKind::Histogram, points.collect())
        }
        other => panic!("{}: {other:?}", metric.name),
    }
}

/// Names, kinds, units and attributes in OTLP.
fn check_otlp(resources: &[ResourceMetrics]) {
    let mut attributes: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for metric in metrics(resources) {
        let row = in_table(&metric.name);
        let (kind, points) = read(metric);
        assert_eq!((kind, &*metric.unit), (row.kind, row.unit), "{}", row.name);
        let keys = points.into_iter().flatten().map(|attribute| &*attribute.key);
        attributes.entry(row.name).or_default().extend(keys);
    }
    for metric in of_owners() {
        let expected: BTreeSet<&str> = metric.attributes.iter().copied().collect();
        assert_eq!(attributes.get(metric.name), Some(&expected), "{}", metric.name);
    }
    let of_resources = resources.iter().filter_map(|resource| resource.resource.as_ref());
    let keys: BTreeSet<&str> = of_resources
        .flat_map(|resource| &resource.attributes)
        .map(|attribute| &*attribute.key)
        .collect();
    let expected: BTreeSet<&str> = RESOURCE.iter().map(|attribute| attribute.name).collect();
    assert_eq!(keys, expected, "attributes of resources");
}

/// The types of families, and the labels of their samples.
fn families(text: &str) -> BTreeMap<String, (String, BTreeSet<String>)> {
    let mut families: BTreeMap<String, (String, BTreeSet<String>)> = BTreeMap::new();
    let mut family = String::new();
    for line in text.lines() {
        if let Some(declared) = line.strip_prefix("# TYPE ") {
            let (name, kind) = declared.split_once(' ').unwrap();
            family = name.to_owned();
            families.entry(family.clone()).or_default().0 = kind.to_owned();
        } else if let Some((_, labels)) = line.split_once('{').filter(|_| !line.starts_with('#')) {
            let labels = labels
                .split("=\"")
                .map(|part| part.rsplit(['"', ',', '{']).next().unwrap_or_default());
            let labels = labels
                .filter(|label| !label.is_empty() && !label.starts_with('}') && !label.starts_with("otel_scope_"));
            families.get_mut(&family).unwrap().1.extend(labels.map(str::to_owned));
        }
    }
    families
}

/// Names, types and labels in the text for Prometheus.
fn check_prometheus(text: &str, metric: &Metric) {
    let families = families(text);
    let name = metric.prometheus;
    let (kind, labels) = families
        .get(name)
        .unwrap_or_else(|| panic!("{name} is not served:\n{text}"));
    let expected = match metric.kind {
        MetricKind::Sum => "counter",
        MetricKind::Gauge => "gauge",
        MetricKind::Histogram => "histogram",
    };
    assert_eq!(kind, expected, "{name}");
    let label = |attribute: &str| attribute.replace('.', "_");
    let mut known: BTreeSet<String> = metric.attributes.iter().map(|attribute| label(attribute)).collect();
    if metric.source != MetricSource::Collector {
        known.extend(RESOURCE.iter().map(|attribute| attribute.label.to_owned()));
        known.extend([label(OVERFLOW), "job".to_owned()]);
    }
    let unknown: Vec<_> = labels.difference(&known).filter(|label| *label != "le").collect();
    assert!(unknown.is_empty(), "{name} has the labels {unknown:?}");
    for attribute in metric.attributes {
        assert!(
            labels.contains(&label(attribute)),
            "{name} has no label {attribute}: {labels:?}"
        );
    }
}

#[tokio::test]
async fn emitted_metrics_are_those_of_the_table() {
    let options = SimulatorOptions {
        bookmark_interval: Duration::from_millis(500),
        ..SimulatorOptions::default()
    };
    let mut setup = Setup::with("metrics", options).await;
    let intake = OtlpIntake::start_with(IntakeOptions::of(DATADOG, "key")).await.unwrap();
    let (prometheus, own) = (free_address(), free_address());
    stalled(&setup);
    setup.collect(&pipeline(&intake, &prometheus, &own), &[], &[]).await;
    setup.simulator.store().put(Resource::CronJobs, cronjob()).unwrap();
    for (name, seed) in [("retries-exhausted", 1), ("success-after-retry", 2)] {
        setup.play(scenario(name, seed, |_| ()));
    }
    let wanted: BTreeSet<&str> = of_owners().map(|metric| metric.name).collect();
    let all = |intake: &OtlpIntake| {
        let arrived = arrived(intake);
        let names: BTreeSet<&str> = metrics(&arrived).map(|metric| &*metric.name).collect();
        wanted.is_subset(&names)
    };
    until("every metric", &intake, all).await;
    let is_served = |text: &str| of_owners().all(|metric| text.contains(&format!("# TYPE {} ", metric.prometheus)));
    let serving = async {
        loop {
            let text = scrape(&prometheus).await;
            if is_served(&text) {
                return text;
            }
        }
    };
    let served = tokio::time::timeout(PATIENCE, serving)
        .await
        .expect("every metric for Prometheus");
    let about_itself = scrape(&own).await;
    setup.stop().await;

    check_otlp(&arrived(&intake));
    for metric in of_owners() {
        check_prometheus(&served, metric);
    }
    let own = METRICS.iter().filter(|metric| metric.source == MetricSource::Collector);
    for metric in own.filter(|metric| !ONLY_ON_FAILURE.contains(&metric.name)) {
        check_prometheus(&about_itself, metric);
    }
}
