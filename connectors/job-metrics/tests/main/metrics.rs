//! Events in, points and acknowledgements out, under a paused clock.

use std::time::Duration;

use collector_data::{Outcome, Payload};
use collector_testing::Host;
use futures_util::poll;
use job_event::evidence::Removal;
use job_event::{attributes as attr, otlp};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{ExponentialHistogramDataPoint, NumberDataPoint, ResourceMetrics};

use crate::support::*;

fn sums<'a>(resource: &'a ResourceMetrics, name: &str) -> &'a [NumberDataPoint] {
    let metric = resource.scope_metrics[0]
        .metrics
        .iter()
        .find(|metric| metric.name == name);
    match metric.and_then(|metric| metric.data.as_ref()) {
        Some(Data::Sum(sum)) => {
            assert_eq!((sum.aggregation_temporality, sum.is_monotonic), (1, true), "{name}");
            &sum.data_points
        }
        None => &[],
        other => panic!("{name} is {other:?}"),
    }
}

fn durations(resource: &ResourceMetrics) -> &[ExponentialHistogramDataPoint] {
    let mut metrics = resource.scope_metrics[0].metrics.iter();
    match metrics
        .find(|metric| metric.name == attr::METRIC_DURATION)
        .and_then(|m| m.data.as_ref())
    {
        Some(Data::ExponentialHistogram(histogram)) => {
            assert_eq!(histogram.aggregation_temporality, 1);
            &histogram.data_points
        }
        None => &[],
        other => panic!("{other:?}"),
    }
}

fn tags(attributes: &[opentelemetry_proto::tonic::common::v1::KeyValue]) -> Vec<(String, String)> {
    let text = |name: &str| otlp::find_text(attributes, name).unwrap_or("?").to_owned();
    attributes.iter().map(|kv| (kv.key.clone(), text(&kv.key))).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_failure_becomes_one_point_with_short_keys_in_a_window_of_whole_seconds() {
    let mut bench = Bench::start();
    let mut delivery = bench.send(vec![failed("u1", "report")]).await;
    assert!(bench.metrics.try_recv().is_err(), "nothing before the window ends");
    let (metrics, ack) = bench.next().await;
    assert_eq!(metrics.len(), 1);
    assert_eq!(
        tags(&metrics[0].resource.as_ref().unwrap().attributes),
        pairs(&[
            ("k8s.cluster.name", "c1"),
            ("k8s.job.name", "report"),
            ("k8s.namespace.name", "shop"),
            ("service.name", "report")
        ])
    );
    let points = sums(&metrics[0], "k8s.job.failures");
    assert_eq!(points.len(), 1);
    assert_eq!(points[0].value, Some(Value::AsInt(1)));
    assert_eq!(points[0].start_time_unix_nano, START_SECOND * 1_000_000_000);
    assert_eq!(points[0].time_unix_nano, (START_SECOND + 10) * 1_000_000_000);
    assert_eq!(
        tags(&points[0].attributes),
        pairs(&[
            ("reason", "DeadlineExceeded"),
            ("cause", "RanTooLong"),
            ("category", "timeout")
        ])
    );
    assert!(sums(&metrics[0], "k8s.job.completions").is_empty());
    let duration = &durations(&metrics[0])[0];
    assert_eq!(
        (duration.count, duration.sum, duration.max),
        (1, Some(10.0), Some(10.0))
    );
    assert_eq!(
        tags(&duration.attributes),
        pairs(&[("outcome", "Failed"), ("reason", "DeadlineExceeded")])
    );

    // The event is acknowledged when, and as, its point is.
    assert!(poll!(&mut delivery).is_pending());
    ack.rejected("400");
    assert_eq!(delivery.await, Outcome::Rejected("400".into()));
}

#[tokio::test(start_paused = true)]
async fn runs_of_a_cronjob_are_one_series_and_other_jobs_their_own() {
    let mut bench = Bench::start();
    let run = |uid: &str, name: &str, seconds| {
        let evidence = job(uid, name, Some(("Complete", "CompletionsReached")), seconds);
        let mut resource = event(&of_cronjob(evidence, "nightly"), &[]);
        // As a processor may add it that adds everything it knows.
        let attributes = &mut resource.resource.as_mut().unwrap().attributes;
        attributes.insert(0, otlp::text(attr::JOB_NAME, name));
        resource
    };
    let delivery = bench
        .send(vec![
            run("u1", "nightly-1", 4),
            run("u2", "nightly-2", 16),
            completed("u3", "once", 1),
        ])
        .await;
    let (metrics, ack) = bench.next().await;
    assert_eq!(metrics.len(), 2);
    let of = |key: &str| {
        metrics
            .iter()
            .find(|m| otlp::find_text(&m.resource.as_ref().unwrap().attributes, key).is_some())
            .unwrap()
    };
    let nightly = of(attr::CRONJOB_NAME);
    assert!(otlp::find_text(&nightly.resource.as_ref().unwrap().attributes, attr::JOB_NAME).is_none());
    let completions = sums(nightly, "k8s.job.completions");
    assert_eq!((completions.len(), &completions[0].value), (1, &Some(Value::AsInt(2))));
    assert!(completions[0].attributes.is_empty());
    assert_eq!(durations(nightly)[0].sum, Some(20.0));
    assert_eq!(
        tags(&durations(nightly)[0].attributes),
        pairs(&[("outcome", "Succeeded")])
    );
    assert_eq!(
        sums(of(attr::JOB_NAME), "k8s.job.completions")[0].value,
        Some(Value::AsInt(1))
    );
    ack.delivered();
    assert_eq!(delivery.await, Outcome::Delivered);
}

#[tokio::test(start_paused = true)]
async fn attempts_are_counted_by_cause_even_if_the_job_completed() {
    let mut bench = Bench::start();
    let mut resource = completed("u1", "j", 5);
    let record = &mut resource.scope_logs[0].log_records[0];
    let counts = [("OutOfMemory", 2), ("NonZeroExit", 1)].map(|(cause, count)| (cause.to_owned(), count));
    otlp::set(
        &mut record.attributes,
        otlp::structure(
            attr::ATTEMPT_FAILURES,
            &std::collections::BTreeMap::<String, u64>::from(counts),
        ),
    );
    let _delivery = bench.send(vec![resource]).await;
    let (metrics, ack) = bench.next().await;
    let found: Vec<_> = sums(&metrics[0], "k8s.job.attempt.failures")
        .iter()
        .map(|point| (tags(&point.attributes), point.value))
        .collect();
    assert_eq!(
        found,
        [
            (pairs(&[("cause", "NonZeroExit")]), Some(Value::AsInt(1))),
            (pairs(&[("cause", "OutOfMemory")]), Some(Value::AsInt(2))),
        ]
    );
    ack.delivered();
}

#[tokio::test(start_paused = true)]
async fn deleted_jobs_and_other_records_count_in_nothing_and_are_acknowledged() {
    let mut bench = Bench::start();
    let mut deleted = job("u1", "j", None, 0);
    deleted.job.removed = Some(Removal {
        at: second(5),
        replaced: true,
    });
    let deleted = bench.send(vec![event(&deleted, &[])]).await;
    let other = ResourceLogs {
        scope_logs: vec![ScopeLogs {
            log_records: vec![LogRecord::default()],
            ..Default::default()
        }],
        ..Default::default()
    };
    let other = bench.send(vec![other]).await;
    assert_eq!(other.await, Outcome::Delivered);
    assert_eq!(deleted.await, Outcome::Delivered);
    assert!(bench.metrics.try_recv().is_err(), "a window without data sends nothing");
}

#[tokio::test(start_paused = true)]
async fn an_event_that_comes_again_counts_once_whatever_became_of_its_counts() {
    let mut bench = Bench::start();
    let first = bench.send(vec![failed("u1", "j")]).await;
    let again = bench.send(vec![failed("u1", "j")]).await;
    let (metrics, ack) = bench.next().await;
    assert_eq!(sums(&metrics[0], "k8s.job.failures")[0].value, Some(Value::AsInt(1)));

    // Again while the counts are in flight: it shares their outcome.
    let mut late = bench.send(vec![failed("u1", "j")]).await;
    tokio::time::sleep(Duration::from_secs(25)).await;
    assert!(poll!(&mut late).is_pending());
    assert!(bench.metrics.try_recv().is_err());
    ack.delivered();
    assert_eq!(
        (first.await, again.await, late.await),
        (Outcome::Delivered, Outcome::Delivered, Outcome::Delivered)
    );

    // Another backend may have points that one backend refused, so the Job is not counted again.
    let lost = bench.send(vec![failed("u2", "j")]).await;
    let (_, ack) = bench.next().await;
    ack.dropped("given up");
    assert_eq!(lost.await, Outcome::Dropped("given up".into()));
    let resent = bench.send(vec![failed("u2", "j")]).await;
    assert_eq!(resent.await, Outcome::Delivered);
    tokio::time::sleep(Duration::from_secs(25)).await;
    assert!(bench.metrics.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn the_last_window_is_sent_at_the_end_in_a_second_of_its_own() {
    let mut bench = Bench::start();
    let _first = bench.send(vec![failed("u1", "j")]).await;
    let (metrics, ack) = bench.next().await;
    ack.delivered();
    let end = sums(&metrics[0], "k8s.job.failures")[0].time_unix_nano;

    // The inbox closes in the same second.
    let last = bench.send(vec![completed("u2", "j", 3)]).await;
    drop(bench.events);
    let batch = bench.metrics.recv().await.unwrap();
    let Payload::Metrics(metrics) = &*batch.payload else {
        panic!("metrics are expected")
    };
    let point = &sums(&metrics[0], "k8s.job.completions")[0];
    assert_eq!(
        (point.start_time_unix_nano, point.time_unix_nano),
        (end, end + 1_000_000_000)
    );
    assert!(
        bench.metrics.recv().await.is_none(),
        "nothing more can come, so the exporters can end"
    );
    assert!(!bench.task.is_finished(), "it waits for the acknowledgement");
    batch.ack.delivered();
    assert_eq!(last.await, Outcome::Delivered);
    bench.task.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn windows_follow_each_other_without_gaps_also_over_empty_ones() {
    let mut bench = Bench::start();
    tokio::time::sleep(Duration::from_secs(34)).await;
    let _delivery = bench.send(vec![failed("u1", "j")]).await;
    let (metrics, ack) = bench.next().await;
    let point = &sums(&metrics[0], "k8s.job.failures")[0];
    assert_eq!(point.start_time_unix_nano, (START_SECOND + 30) * 1_000_000_000);
    assert_eq!(point.time_unix_nano, (START_SECOND + 40) * 1_000_000_000);
    ack.delivered();
}

#[tokio::test(start_paused = true)]
async fn an_event_that_nobody_judged_counts_as_unknown() {
    let mut bench = Bench::start();
    let evidence = job("u1", "j", Some(("Failed", "BackoffLimitExceeded")), 7);
    let _delivery = bench.send(vec![event(&evidence, &[])]).await;
    let (metrics, ack) = bench.next().await;
    assert_eq!(
        tags(&sums(&metrics[0], "k8s.job.failures")[0].attributes),
        pairs(&[
            ("reason", "BackoffLimitExceeded"),
            ("cause", "Unknown"),
            ("category", "unknown")
        ])
    );
    ack.delivered();
}

#[test]
fn settings_are_checked_all_at_once() {
    let host = Host::new("job_metrics");
    let create = |yaml: &str| host.create(&job_metrics_connector::factory(), yaml).map(|_| ());
    create("{}").unwrap();
    create("{interval: 1m, histogram_max_size: 80}").unwrap();
    let errors = create("{interval: 500ms, histogram_max_size: 1}").unwrap_err();
    let paths: Vec<&str> = errors.0.iter().map(|error| &*error.path).collect();
    assert_eq!(paths, ["interval", "histogram_max_size"]);
    let text = create("interval: 500ms").unwrap_err().to_string();
    assert!(text.contains("500ms") && text.contains("1s or more"), "{text}");
    assert!(create("intervall: 10s").unwrap_err().to_string().contains("intervall"));
}
