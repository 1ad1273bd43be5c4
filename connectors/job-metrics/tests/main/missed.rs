//! Missed runs of CronJobs: each is counted once.

use std::sync::Arc;
use std::time::Duration;

use collector_data::Outcome;
use collector_runtime::storage::memory::MemoryStorage;
use futures_util::poll;
use jiff::SignedDuration;
use job_event::notice::{MissReason, RecoveredJob, StalledJob};
use job_event::{Notice, attributes as attr, otlp};
use opentelemetry_proto::tonic::logs::v1::ResourceLogs;
use opentelemetry_proto::tonic::metrics::v1::ResourceMetrics;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;

use crate::support::*;

/// The owner, reason and count of each missed run.
fn missed_runs(metrics: &[ResourceMetrics]) -> Vec<(String, String, i64)> {
    let mut found = Vec::new();
    for resource in metrics {
        let owner = &resource.resource.as_ref().unwrap().attributes;
        let owner = otlp::find_text(owner, attr::CRONJOB_NAME).unwrap_or_default();
        for metric in resource.scope_metrics.iter().flat_map(|scope| &scope.metrics) {
            let Some(Data::Sum(sum)) = &metric.data else { continue };
            if metric.name != attr::METRIC_MISSED_RUNS {
                continue;
            }
            assert_eq!(
                (&*metric.unit, sum.aggregation_temporality, sum.is_monotonic),
                ("{run}", 1, true)
            );
            for point in &sum.data_points {
                let reason = otlp::find_text(&point.attributes, attr::POINT_REASON).unwrap();
                let Some(Value::AsInt(count)) = point.value else {
                    panic!("{point:?}")
                };
                assert_eq!(point.attributes.len(), 1);
                found.push((owner.to_owned(), reason.to_owned(), count));
            }
        }
    }
    found
}

fn stalled() -> ResourceLogs {
    let notice = Notice::Stalled(Box::new(StalledJob {
        job: job("u1", "j", None, 0).job,
        cause: "ImagePull",
        category: "configuration",
        retry: "no",
        summary: String::new(),
        next_step: String::new(),
        container: None,
        index: None,
        since: second(0),
        at: second(120),
    }));
    otlp::encode_notice(&notice, None, second(120))
}

fn recovered() -> ResourceLogs {
    let notice = Notice::Recovered(Box::new(RecoveredJob {
        job: job("u1", "j", None, 0).job,
        causes: vec!["ImagePull".into()],
        since: second(0),
        at: second(180),
        outcome: None,
    }));
    otlp::encode_notice(&notice, None, second(180))
}

#[tokio::test(start_paused = true)]
async fn counts_missed_runs_by_owner_and_reason() {
    let mut bench = Bench::start();
    let mut delivery = bench
        .send(vec![
            missed("nightly", MissReason::ControllerLate, 0, 1),
            missed("nightly", MissReason::ControllerLate, 5, 3),
            missed("nightly", MissReason::ConcurrencyForbidden, 10, 1),
            missed("hourly", MissReason::Unknown, 0, 1),
            completed("u1", "job", 1),
        ])
        .await;
    let (metrics, ack) = bench.next().await;
    let mut found = missed_runs(&metrics);
    found.sort_unstable();
    let expected = [
        ("hourly", "Unknown", 1),
        ("nightly", "ConcurrencyForbidden", 1),
        ("nightly", "ControllerLate", 4),
    ];
    assert_eq!(
        found,
        expected.map(|(owner, reason, count)| (owner.into(), reason.into(), count))
    );
    assert!(poll!(&mut delivery).is_pending(), "acknowledged with its points");
    ack.delivered();
    assert_eq!(delivery.await, Outcome::Delivered);
}

#[tokio::test(start_paused = true)]
async fn counts_a_repeated_missed_run_once() {
    let mut bench = Bench::start();
    let event = missed("nightly", MissReason::ControllerLate, 0, 2);
    let first = bench.send(vec![event.clone(), event.clone()]).await;
    let (metrics, ack) = bench.next().await;
    assert_eq!(missed_runs(&metrics), [("nightly".into(), "ControllerLate".into(), 2)]);
    ack.delivered();
    assert_eq!(first.await, Outcome::Delivered);
    let again = bench.send(vec![event]).await;
    assert_eq!(again.await, Outcome::Delivered);
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert!(bench.metrics.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_restart_counts_no_missed_run_again() {
    let storage = MemoryStorage::new();
    let start = || {
        let storage = Arc::new(storage.clone());
        Bench::start_with(|connector| connector.with_storage(storage), SignedDuration::ZERO)
    };
    let event = missed("nightly", MissReason::StartingDeadlineExceeded, 0, 1);
    let mut bench = start();
    let _lost = bench.send(vec![event.clone()]).await;
    let (before, ack) = bench.next().await;
    bench.task.abort();
    drop(ack);
    let mut bench = start();
    let (again, ack) = bench.next().await;
    assert_eq!(again, before);
    let resent = bench.send(vec![event]).await;
    ack.delivered();
    assert_eq!(resent.await, Outcome::Delivered);
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert!(bench.metrics.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn stalls_and_recoveries_are_acknowledged_and_not_counted() {
    let mut bench = Bench::start();
    let delivery = bench.send(vec![stalled(), recovered()]).await;
    assert_eq!(delivery.await, Outcome::Delivered);
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert!(bench.metrics.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_missed_run_is_acknowledged_and_not_counted() {
    let mut bench = Bench::start();
    let mut event = missed("nightly", MissReason::Unknown, 0, 1);
    otlp::remove(&mut event.scope_logs[0].log_records[0].attributes, attr::MISSED_COUNT);
    let delivery = bench.send(vec![event]).await;
    assert_eq!(delivery.await, Outcome::Delivered);
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert!(bench.metrics.try_recv().is_err());
}
