//! The attributes of points by the settings, and the limit on series.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use collector_config::Settings;
use collector_data::{Ack, Delivery, Payload};
use collector_runtime::component::Create;
use collector_runtime::storage::memory::MemoryStorage;
use collector_testing::{Consumer, Host, Log, Running};
use job_event::{attributes as attr, otlp};
use job_metrics_connector::factory;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::logs::v1::ResourceLogs;
use opentelemetry_proto::tonic::metrics::v1::ResourceMetrics;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;

use crate::support::{completed, failed};

/// The connector between a sender and a consumer.
struct Connected {
    host: Host,
    running: Running,
    consumer: Consumer,
}

impl Connected {
    async fn start(host: Host, yaml: &str) -> Connected {
        let (outputs, consumer) = Consumer::new();
        let connector = host.create(&factory(), yaml).unwrap();
        let running = Running::connector(&host, connector, outputs).await.unwrap();
        Connected {
            host,
            running,
            consumer,
        }
    }

    async fn send(&self, events: Vec<ResourceLogs>) -> Delivery {
        self.running.send(Payload::Logs(events)).await
    }

    async fn next(&mut self) -> (Vec<ResourceMetrics>, Ack) {
        let batch = self.consumer.recv().await.unwrap();
        let Payload::Metrics(metrics) = &*batch.payload else {
            panic!("metrics are expected")
        };
        (metrics.clone(), batch.ack)
    }
}

/// The event with further attributes.
fn with(mut event: ResourceLogs, attributes: &[(&str, &str)]) -> ResourceLogs {
    let record = &mut event.scope_logs[0].log_records[0];
    for (key, value) in attributes {
        otlp::set(&mut record.attributes, otlp::text(key, value));
    }
    event
}

/// `key=value` of each attribute.
fn described(attributes: &[KeyValue]) -> String {
    let one = |attribute: &KeyValue| match attribute.value.as_ref().unwrap().value.as_ref().unwrap() {
        Any::StringValue(text) => format!("{}={text}", attribute.key),
        Any::BoolValue(truth) => format!("{}={truth}", attribute.key),
        other => panic!("{other:?}"),
    };
    attributes.iter().map(one).collect::<Vec<_>>().join(" ")
}

/// The value of each series: metric, resource, attributes of the point. A histogram has its count.
type Series = BTreeMap<(String, String, String), i64>;

fn series(metrics: &[ResourceMetrics]) -> Series {
    let mut found = Series::new();
    for resource in metrics {
        let owner = described(&resource.resource.as_ref().unwrap().attributes);
        for metric in resource.scope_metrics.iter().flat_map(|scope| &scope.metrics) {
            let points: Vec<(&[KeyValue], i64)> = match metric.data.as_ref().unwrap() {
                Data::Sum(sum) => {
                    let value = |value: Option<Value>| match value {
                        Some(Value::AsInt(value)) => value,
                        other => panic!("{other:?}"),
                    };
                    let points = sum.data_points.iter();
                    points.map(|point| (&*point.attributes, value(point.value))).collect()
                }
                Data::ExponentialHistogram(histogram) => {
                    let points = histogram.data_points.iter();
                    points.map(|point| (&*point.attributes, point.count as i64)).collect()
                }
                other => panic!("{other:?}"),
            };
            for (attributes, value) in points {
                let key = (metric.name.clone(), owner.clone(), described(attributes));
                assert!(found.insert(key.clone(), value).is_none(), "{key:?} has two points");
            }
        }
    }
    found
}

/// The attributes of the points of a metric.
fn points<'a>(series: &'a Series, metric: &str) -> Vec<(&'a str, i64)> {
    let of_metric = series.iter().filter(|((name, ..), _)| name == metric);
    of_metric.map(|((.., point), value)| (&**point, *value)).collect()
}

fn uid(n: usize) -> String {
    format!("00000000-0000-0000-0000-{n:012x}")
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_unrelated_names_stay_within_the_limit() {
    const JOBS: usize = 10_000;
    let (log, _guard) = Log::capture();
    let mut connected = Connected::start(Host::new("job_metrics"), "interval: 10s").await;
    let (mut totals, mut counted) = (Series::new(), 0);
    for hundred in 0..JOBS / 100 {
        let jobs = (0..100).map(|n| hundred * 100 + n);
        let events = jobs.map(|n| failed(&uid(n), &format!("consumer-{n:05}"))).collect();
        let delivery = connected.send(events).await;
        if (hundred + 1) % 10 == 0 {
            let (metrics, ack) = connected.next().await;
            for (key, value) in series(&metrics) {
                counted += if key.0 == attr::METRIC_FAILURES { value } else { 0 };
                *totals.entry(key).or_default() += value;
            }
            ack.delivered();
        }
        drop(delivery);
    }
    while counted < JOBS as i64 {
        let (metrics, ack) = connected.next().await;
        for (key, value) in series(&metrics) {
            counted += if key.0 == attr::METRIC_FAILURES { value } else { 0 };
            *totals.entry(key).or_default() += value;
        }
        ack.delivered();
    }
    for metric in [attr::METRIC_FAILURES, attr::METRIC_DURATION] {
        let points = points(&totals, metric);
        assert_eq!(points.len(), 2000, "{metric}");
        assert_eq!(
            points.iter().map(|(_, value)| value).sum::<i64>(),
            JOBS as i64,
            "{metric}"
        );
        let overflow = (
            metric.to_owned(),
            "k8s.cluster.name=c1".to_owned(),
            "otel.metric.overflow=true".to_owned(),
        );
        assert_eq!(totals[&overflow], JOBS as i64 - 1999, "{metric}");
    }

    let warnings = log.lines("WARN");
    assert_eq!(warnings.len(), 2, "one for each metric: {warnings:?}");
    for part in [
        "k8s.job.failures",
        "limit=2000",
        "cardinality_limit",
        "k8s.job.name=consumer-",
        "every event has",
    ] {
        assert!(warnings.concat().contains(part), "{part}: {warnings:?}");
    }
    let own = connected.host.metrics.points();
    for expected in [
        "otelcol_job_metrics_overflowed_points[connector=job_metrics, metric=k8s.job.failures] 8001",
        "otelcol_job_metrics_series[connector=job_metrics, metric=k8s.job.duration] 2000",
    ] {
        assert!(own.iter().any(|point| point == expected), "{expected}: {own:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn known_owners_keep_their_series() {
    let mut connected = Connected::start(Host::new("job_metrics"), "{interval: 1s, cardinality_limit: 3}").await;
    for window in 0..5 {
        let names = ["z-known", "y-known", &format!("a-new-{window}")].map(str::to_owned);
        let names = if window == 0 { &names[..2] } else { &names[..] };
        let event = |(n, name): (usize, &String)| completed(&uid(window * 10 + n), name, 1);
        let _delivery = connected.send(names.iter().enumerate().map(event).collect()).await;
        let (metrics, ack) = connected.next().await;
        let found = series(&metrics);
        let owners: Vec<_> = found.keys().filter(|key| key.0 == attr::METRIC_COMPLETIONS).collect();
        assert_eq!(owners.len(), if window == 0 { 2 } else { 3 }, "{found:?}");
        assert!(owners.iter().all(|(_, owner, _)| !owner.contains("a-new")), "{found:?}");
        ack.delivered();
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_limit_every_owner_has_a_series() {
    let mut connected = Connected::start(Host::new("job_metrics"), "{interval: 10s, cardinality_limit: 0}").await;
    let events = (0..2500).map(|n| completed(&uid(n), &format!("j-{n}"), 1)).collect();
    let _delivery = connected.send(events).await;
    let (metrics, ack) = connected.next().await;
    assert_eq!(metrics.len(), 2500);
    assert!(connected.host.metrics.points().is_empty());
    ack.delivered();
}

#[tokio::test(start_paused = true)]
async fn a_restart_resends_the_same_overflow() {
    let storage = MemoryStorage::new();
    let host = || Host::new("job_metrics").with_storage("file_storage", storage.clone());
    let yaml = "{interval: 10s, cardinality_limit: 3, storage: file_storage}";
    let mut connected = Connected::start(host(), yaml).await;
    let events = || {
        (0..20)
            .map(|n| failed(&uid(n), &format!("j-{n:02}")))
            .collect::<Vec<_>>()
    };
    let _lost = connected.send(events()).await;
    let (before, ack) = connected.next().await;
    connected.running.kill().await;
    drop(ack);

    let mut connected = Connected::start(host(), yaml).await;
    let (again, ack) = connected.next().await;
    assert_eq!(again, before);
    ack.delivered();
    let found = series(&again);
    let failures: Vec<i64> = points(&found, attr::METRIC_FAILURES)
        .iter()
        .map(|(_, count)| *count)
        .collect();
    assert_eq!((failures.len(), failures.iter().sum::<i64>()), (3, 20));
    // Its events count once, also those in the overflow.
    let known = connected.send(events()).await;
    known.await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    connected.running.stop().await.unwrap();
    assert!(connected.consumer.recv().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn dimensions_are_on_the_points_of_every_metric() {
    let yaml = "{interval: 10s, dimensions: [{name: k8s.job.label.team}, {name: env, default: none}, {name: k8s.cluster.name}]}";
    let mut connected = Connected::start(Host::new("job_metrics"), yaml).await;
    let attempts = |event: ResourceLogs| {
        let mut event = event;
        let attempts = BTreeMap::from([("OutOfMemory".to_owned(), 2)]);
        let record = &mut event.scope_logs[0].log_records[0];
        otlp::set(
            &mut record.attributes,
            otlp::structure(attr::ATTEMPT_FAILURES, &attempts),
        );
        event
    };
    let _delivery = connected
        .send(vec![
            attempts(with(
                failed(&uid(1), "j"),
                &[("k8s.job.label.team", "pay"), ("env", "prod")],
            )),
            with(failed(&uid(2), "j"), &[("k8s.job.label.team", "ship")]),
            with(completed(&uid(3), "j", 1), &[("env", "")]),
        ])
        .await;
    let (metrics, ack) = connected.next().await;
    ack.delivered();
    assert_eq!(metrics.len(), 1, "one owner is one resource: {metrics:?}");
    let found = series(&metrics);
    let reason = "reason=DeadlineExceeded cause=RanTooLong category=timeout";
    let failures: BTreeSet<_> = points(&found, attr::METRIC_FAILURES).into_iter().collect();
    let expected = [
        (
            format!("{reason} k8s.job.label.team=pay env=prod k8s.cluster.name=c1"),
            1,
        ),
        (
            format!("{reason} k8s.job.label.team=ship env=none k8s.cluster.name=c1"),
            1,
        ),
    ];
    assert_eq!(
        failures,
        expected.iter().map(|(point, count)| (&**point, *count)).collect()
    );
    assert_eq!(
        points(&found, attr::METRIC_COMPLETIONS),
        [("env= k8s.cluster.name=c1", 1)]
    );
    assert_eq!(
        points(&found, attr::METRIC_ATTEMPT_FAILURES),
        [(
            "cause=OutOfMemory k8s.job.label.team=pay env=prod k8s.cluster.name=c1",
            2
        )]
    );
    assert_eq!(points(&found, attr::METRIC_DURATION).len(), 3);
    assert!(
        points(&found, attr::METRIC_DURATION)
            .iter()
            .all(|(point, _)| point.contains("env="))
    );
}

#[tokio::test(start_paused = true)]
async fn excluded_attributes_are_on_no_point() {
    let yaml = "{interval: 10s, exclude_dimensions: [reason, category, outcome]}";
    let mut connected = Connected::start(Host::new("job_metrics"), yaml).await;
    let other = with(failed(&uid(2), "j"), &[(attr::FAILURE_REASON, "BackoffLimitExceeded")]);
    let _delivery = connected
        .send(vec![failed(&uid(1), "j"), other, completed(&uid(3), "j", 1)])
        .await;
    let (metrics, ack) = connected.next().await;
    ack.delivered();
    let found = series(&metrics);
    assert_eq!(points(&found, attr::METRIC_FAILURES), [("cause=RanTooLong", 2)]);
    assert_eq!(points(&found, attr::METRIC_DURATION), [("", 3)]);
}

#[test]
fn invalid_dimensions_have_positions() {
    let host = Host::new("job_metrics");
    let errors = |yaml: &str| host.create(&factory(), yaml).map(|_| ()).unwrap_err().to_string();
    for (yaml, parts) in [
        (
            "dimensions: [{name: team}, {name: team}]",
            &["yaml:1:35: dimensions::1::name", "repeats `team`"][..],
        ),
        (
            "dimensions: [{name: cause}]",
            &["dimensions::0::name", "have `cause` already"],
        ),
        (
            "dimensions: [{name: otel.metric.overflow}]",
            &["dimensions::0::name", "choose another"],
        ),
        ("dimensions: [{name: ''}]", &["dimensions::0::name", "is empty"]),
        ("dimensions: [team]", &["yaml:1:14"]),
        (
            "exclude_dimensions: [reasons]",
            &["yaml:1:22: exclude_dimensions::0", "did you mean `reason`?"],
        ),
        ("cardinality_limit: -1", &["yaml:1:20: cardinality_limit"]),
    ] {
        let text = errors(yaml);
        for part in parts {
            assert!(text.contains(part), "{yaml}: {part:?} is missing in: {text}");
        }
    }
}

#[test]
fn warns_about_dimensions_with_unbounded_values() {
    let host = Host::new("job_metrics");
    let settings = Settings::from_yaml("dimensions: [{name: team}, {name: k8s.job.uid}]").unwrap();
    let create = Create {
        id: &host.id,
        settings: &settings,
        meter: &host.metrics.meter(),
        health: &host.health,
        provided: &host.provided,
    };
    (factory().create)(&create).map(|_| ()).unwrap();
    let warnings = settings.warnings();
    assert_eq!(warnings.0.len(), 1);
    let text = warnings.to_string();
    assert!(text.contains("yaml:1:35: dimensions::1::name: `k8s.job.uid`"), "{text}");
}
