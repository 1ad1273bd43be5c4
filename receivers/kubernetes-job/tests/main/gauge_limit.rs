//! The limit on the series of the gauges.

use std::collections::{BTreeMap, BTreeSet};

use collector_data::Payload;
use collector_testing::Log;
use job_event::attributes as attr;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use serde_json::{Value, json};

use crate::support::running::{Run, run};
use crate::support::{Api, Reply};

/// The gauges of one collection: for each metric the value of each owner; the overflow's owner is the attribute.
type Collection = BTreeMap<String, BTreeMap<String, f64>>;

fn described(attributes: &[KeyValue]) -> String {
    let one = |attribute: &KeyValue| match attribute.value.as_ref().unwrap().value.as_ref().unwrap() {
        Any::StringValue(text) => format!("{}={text}", attribute.key),
        Any::BoolValue(truth) => format!("{}={truth}", attribute.key),
        other => panic!("{other:?}"),
    };
    attributes.iter().map(one).collect::<Vec<_>>().join(" ")
}

/// The next collection, which ends with an overflow of `k8s.job.pod.active` or of `k8s.cronjob.suspended`.
async fn collection(run: &mut Run, last: &str) -> Collection {
    let mut found = Collection::new();
    loop {
        let batch = run.gauges.recv().await.unwrap();
        let Payload::Metrics(resources) = &*batch.payload else {
            panic!("not metrics")
        };
        assert!(!resources.is_empty());
        for resource in resources {
            let owner = described(&resource.resource.as_ref().unwrap().attributes);
            for metric in resource.scope_metrics.iter().flat_map(|scope| &scope.metrics) {
                let Some(Data::Gauge(gauge)) = &metric.data else {
                    panic!("not a gauge")
                };
                for point in &gauge.data_points {
                    let value = match point.value {
                        Some(Number::AsInt(value)) => value as f64,
                        Some(Number::AsDouble(value)) => value,
                        None => panic!("no value"),
                    };
                    let key = format!("{owner} {}", described(&point.attributes));
                    let series = found.entry(metric.name.clone()).or_default();
                    assert_eq!(series.insert(key, value), None, "two points of a series");
                }
            }
        }
        batch.ack.delivered();
        if found.get(last).is_some_and(|series| series.contains_key(OVERFLOW)) {
            return found;
        }
    }
}

const OVERFLOW: &str = "k8s.cluster.name=c1 otel.metric.overflow=true";

fn list(part: &str, objects: Vec<Value>) -> Api {
    let api = Api::new();
    api.then(part, [Reply::List(7, String::new(), objects)]);
    api
}

fn metadata(kind: &str, n: usize) -> Value {
    let (uid, name) = (format!("{kind}-{n}"), format!("{kind}-{n:04}"));
    json!({"uid": uid, "name": name, "namespace": "n", "resourceVersion": "5",
        "creationTimestamp": "2026-11-23T16:59:00Z"})
}

#[tokio::test(start_paused = true)]
async fn jobs_beyond_the_limit_are_summed_and_the_others_stay() {
    let (log, _guard) = Log::capture();
    let job = |n| json!({"metadata": metadata("job", n), "spec": {"parallelism": 1}, "status": {"active": 2}});
    let api = list("/jobs?", (0..1700).map(job).collect());
    let settings = r#"{"cluster_name":"c1","cardinality_limit":300,"collection_interval":"30s"}"#;
    let mut run = run(api.client(), settings).await;
    let mut first = None;
    for _ in 0..3 {
        let collection = collection(&mut run, attr::METRIC_POD_ACTIVE).await;
        let active = &collection[attr::METRIC_POD_ACTIVE];
        assert_eq!(active.len(), 300);
        assert_eq!(active[OVERFLOW], 2.0 * (1700.0 - 299.0));
        assert_eq!(active.values().sum::<f64>(), 2.0 * 1700.0);
        let owners: BTreeSet<String> = active.keys().cloned().collect();
        assert_eq!(
            *first.get_or_insert(owners.clone()),
            owners,
            "the same Jobs keep their series"
        );
    }
    let warnings = log.lines("more series than its limit");
    let of_active: Vec<_> = warnings
        .iter()
        .filter(|line| line.contains("k8s.job.pod.active"))
        .collect();
    assert_eq!(of_active.len(), 1, "{warnings:?}");
    assert!(
        of_active[0].contains("receivers::k8s_job::cardinality_limit"),
        "{warnings:?}"
    );
    let own = run.points("k8s.job.pod.active");
    assert_eq!(
        own,
        [
            "otelcol_k8s_job_overflowed_points[metric=k8s.job.pod.active, receiver=k8s_job] 4203",
            "otelcol_k8s_job_series[metric=k8s.job.pod.active, receiver=k8s_job] 300",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn cronjobs_beyond_the_limit_show_the_worst() {
    // The longer ago the last success, the later the next run.
    let cronjob = |n: usize| {
        json!({"metadata": metadata("cron", n),
            "spec": {"schedule": format!("{n} 18 * * *"), "timeZone": "Etc/UTC", "suspend": n >= 6},
            "status": {"lastSuccessfulTime": format!("2026-11-23T16:{:02}:00Z", 30 - n)}})
    };
    let api = list("/cronjobs?", (0..8).map(cronjob).collect());
    let settings = r#"{"cluster_name":"c1","cardinality_limit":1,"collection_interval":"60s"}"#;
    let mut run = run(api.client(), settings).await;
    let collection = collection(&mut run, attr::METRIC_SUSPENDED).await;
    let value = |metric: &str| {
        let series = &collection[metric];
        assert_eq!(series.len(), 1, "{metric}: {series:?}");
        series[OVERFLOW]
    };
    assert_eq!(value(attr::METRIC_SUSPENDED), 2.0);
    let seconds = |time: &str| time.parse::<jiff::Timestamp>().unwrap().as_second() as f64;
    assert_eq!(value(attr::METRIC_NEXT_SCHEDULE), seconds("2026-11-23T18:00:00Z"));
    let oldest = seconds("2026-11-23T17:01:00Z") - seconds("2026-11-23T16:23:00Z");
    assert!(
        (value(attr::METRIC_LAST_SUCCESS_AGE) - oldest).abs() < 30.0,
        "{collection:?}"
    );
    assert_eq!(value(attr::METRIC_CONSECUTIVE_FAILURES), 0.0);
}

#[tokio::test(start_paused = true)]
async fn without_a_limit_every_job_has_its_gauges() {
    let job = |n| json!({"metadata": metadata("job", n), "spec": {"parallelism": 1}, "status": {"active": 2}});
    let api = list("/jobs?", (0..2100).map(job).collect());
    let mut run = run(api.client(), r#"{"cardinality_limit":0}"#).await;
    let mut owners = 0;
    while owners < 2100 {
        let batch = run.gauges.recv().await.unwrap();
        let Payload::Metrics(resources) = &*batch.payload else {
            panic!("not metrics")
        };
        owners += resources.len();
        batch.ack.delivered();
    }
    assert_eq!(owners, 2100);
    assert_eq!(run.points("_series"), [""; 0]);
}
