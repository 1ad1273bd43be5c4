//! Points that grow too old while the destination is away.

use opentelemetry_proto::tonic::metrics::v1::Sum;

use super::*;

fn at(seconds: &[u64]) -> Payload {
    let point = |second: &u64| NumberDataPoint {
        time_unix_nano: (MORNING + second) * 1_000_000_000,
        ..Default::default()
    };
    let sum = Sum {
        data_points: seconds.iter().map(point).collect(),
        aggregation_temporality: 1,
        is_monotonic: true,
    };
    Payload::Metrics(vec![ResourceMetrics {
        scope_metrics: vec![ScopeMetrics {
            metrics: vec![Metric {
                name: "k8s.job.failures".into(),
                data: Some(metric::Data::Sum(sum)),
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    }])
}

fn retry(max_age: u64) -> RetrySettings {
    RetrySettings {
        initial_interval: collector_config::Duration::from_secs(30),
        max_elapsed_time: collector_config::Duration::from_secs(0),
        max_metric_point_age: collector_config::Duration::from_secs(max_age),
        ..RetrySettings::default()
    }
}

#[tokio::test(start_paused = true)]
async fn old_points_are_dropped_and_the_younger_ones_of_the_request_still_go() {
    for stored in [false, true] {
        let destination = Scripted::new((0..4).map(|_| busy()));
        let storage = MemoryStorage::new();
        let fixture = start_with(
            &destination,
            retry(100),
            QueueSettings::default(),
            stored.then_some(&storage),
        );
        // Attempts at 0, 30, 60, 90 and 120 s: in the last one the first two points are too old.
        let outcome = fixture.send(at(&[0, 10, 20, 30])).await.await;
        match stored {
            true => assert_eq!(outcome, Outcome::Delivered),
            false => assert_eq!(
                outcome,
                Outcome::Rejected(
                    "2 metric points are older than 1m40s (retry_on_failure::max_metric_point_age)".into()
                )
            ),
        }
        let metrics = fixture.end().await;
        assert_eq!(destination.seconds(), [0.0, 30.0, 60.0, 90.0, 120.0]);
        let seen = destination.seen.lock().unwrap().clone();
        assert!(
            seen[..4]
                .iter()
                .all(|request| request.body == encoded(&at(&[0, 10, 20, 30])))
        );
        assert_eq!(seen[4].body, encoded(&at(&[20, 30])));
        assert_eq!(metrics.sum("otelcol_exporter_send_failed_metric_points"), Some(2));
        assert_eq!(metrics.sum("otelcol_exporter_sent_metric_points"), Some(2));
        assert!(storage.content(Kind::Exporter, &id()).is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_of_old_points_only_is_never_sent() {
    let destination = Scripted::new([]);
    let storage = MemoryStorage::new();
    let fixture = start_with(&destination, retry(100), QueueSettings::default(), Some(&storage));
    tokio::time::sleep(Duration::from_secs(200)).await;
    assert_eq!(fixture.send(at(&[0, 99])).await.await, Outcome::Delivered);
    assert_eq!(fixture.send(at(&[100])).await.await, Outcome::Delivered);
    let metrics = fixture.end().await;
    assert_eq!(destination.attempts().len(), 1);
    assert_eq!(metrics.sum("otelcol_exporter_send_failed_metric_points"), Some(2));
    assert!(storage.content(Kind::Exporter, &id()).is_empty());
}

#[tokio::test(start_paused = true)]
async fn without_the_setting_every_point_goes() {
    let destination = Scripted::new([]);
    let fixture = start(&destination, retry(0), QueueSettings::default());
    tokio::time::sleep(Duration::from_secs(1_000_000)).await;
    assert_eq!(fixture.send(at(&[0])).await.await, Outcome::Delivered);
}
