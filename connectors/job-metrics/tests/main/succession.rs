//! A reload replaces the connector: its successor continues the windows.

use std::sync::Arc;

use collector_data::Outcome;
use collector_runtime::storage::StoreError;
use collector_runtime::storage::memory::MemoryStorage;
use futures_util::poll;
use jiff::SignedDuration;
use opentelemetry_proto::tonic::metrics::v1::ResourceMetrics;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;

use crate::support::*;

/// The seconds after the start in which the points of a window begin and end.
fn span(metrics: &[ResourceMetrics]) -> (u64, u64) {
    let metrics = metrics.iter().flat_map(|owner| &owner.scope_metrics);
    let mut data = metrics
        .flat_map(|scope| &scope.metrics)
        .filter_map(|metric| metric.data.as_ref());
    let point = data.find_map(|data| match data {
        Data::Sum(sum) => sum.data_points.first(),
        _ => None,
    });
    let point = point.unwrap();
    let second = |nanos: u64| nanos / 1_000_000_000 - START_SECOND;
    (second(point.start_time_unix_nano), second(point.time_unix_nano))
}

fn bare(connector: job_metrics_connector::connector::JobMetrics) -> job_metrics_connector::connector::JobMetrics {
    connector
}

#[tokio::test(start_paused = true)]
async fn a_successor_continues_the_open_window() {
    let bench = Bench::start();
    let first = bench.send(vec![failed("u1", "j")]).await;
    let (succession, mut metrics) = bench.replace(false).await;
    assert!(metrics.recv().await.is_none(), "the window is not sent early");
    let mut bench = Bench::start_after(succession, 160, bare, SignedDuration::ZERO);
    let second = bench.send(vec![failed("u1", "j"), failed("u2", "j")]).await;
    let (points, ack) = bench.next().await;
    assert_eq!(span(&points), (0, 10), "{points:#?}");
    assert_eq!(points.len(), 1, "one owner: {points:#?}");
    ack.delivered();
    assert_eq!((first.await, second.await), (Outcome::Delivered, Outcome::Delivered));
}

#[tokio::test(start_paused = true)]
async fn windows_of_other_buckets_end_in_other_seconds() {
    let mut bench = Bench::start();
    let mut ends = Vec::new();
    for buckets in [160, 20, 160, 20] {
        let _counted = bench.send(vec![failed(&format!("u{}", ends.len()), "j")]).await;
        let (succession, _metrics) = bench.replace(false).await;
        bench = Bench::start_after(
            succession,
            if buckets == 160 { 20 } else { 160 },
            bare,
            SignedDuration::ZERO,
        );
        // The open window of the predecessor, at once.
        let (points, ack) = bench.next().await;
        ends.push(span(&points));
        ack.delivered();
    }
    assert_eq!(ends, [(0, 1), (1, 2), (2, 3), (3, 4)], "no time has passed");
}

#[tokio::test(start_paused = true)]
async fn events_of_windows_in_flight_are_acknowledged_later() {
    let mut bench = Bench::start();
    let mut counted = bench.send(vec![failed("u1", "j")]).await;
    let (_, ack) = bench.next().await;
    let (succession, _metrics) = bench.replace(false).await;
    let mut bench = Bench::start_after(succession, 160, bare, SignedDuration::ZERO);
    let mut again = bench.send(vec![failed("u1", "j")]).await;
    assert!(poll!(&mut counted).is_pending() && poll!(&mut again).is_pending());
    ack.delivered();
    assert_eq!((counted.await, again.await), (Outcome::Delivered, Outcome::Delivered));
    tokio::time::sleep(std::time::Duration::from_secs(30)).await;
    assert!(bench.metrics.try_recv().is_err(), "counted once");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_runs_on_is_kept_and_another_is_claimed() {
    let storage = MemoryStorage::new();
    let with =
        |connector: job_metrics_connector::connector::JobMetrics| connector.with_storage(Arc::new(storage.clone()));
    // The setting `storage` is added: the open window is sent, and later ones are stored.
    let bench = Bench::start();
    let first = bench.send(vec![failed("u1", "j")]).await;
    let (succession, _metrics) = bench.replace(false).await;
    let mut bench = Bench::start_after(succession, 160, with, SignedDuration::ZERO);
    let (points, ack) = bench.next().await;
    assert_eq!(span(&points), (0, 1));
    yield_now().await;
    let mut second = bench.send(vec![failed("u2", "j")]).await;
    let (_, other) = bench.next().await;
    assert!(storage.writes() > 0);
    ack.delivered();
    assert_eq!(first.await, Outcome::Delivered);
    // With the same store the window in flight is not sent again.
    let (succession, _metrics) = bench.replace(true).await;
    let mut bench = Bench::start_after(succession, 160, with, SignedDuration::ZERO);
    yield_now().await;
    assert!(bench.metrics.try_recv().is_err());
    assert!(poll!(&mut second).is_pending());
    other.delivered();
    assert_eq!(second.await, Outcome::Delivered);
}

#[tokio::test(start_paused = true)]
async fn a_successor_counts_the_events_that_waited_for_the_store() {
    let storage = MemoryStorage::new();
    let with =
        |connector: job_metrics_connector::connector::JobMetrics| connector.with_storage(Arc::new(storage.clone()));
    storage.fail(Some(StoreError::Unavailable("the disk is full".into())));
    let bench = Bench::start_with(with, SignedDuration::ZERO);
    let mut waits = bench.send(vec![failed("u1", "j")]).await;
    let replaced = bench.succession.clone();
    let (succession, _metrics) = bench.replace(true).await;
    let mut returned = replaced.take_returned();
    let batch = returned.pop().unwrap();
    assert!(returned.is_empty() && poll!(&mut waits).is_pending());

    let mut bench = Bench::start_after(succession, 160, with, SignedDuration::ZERO);
    bench.events.send(batch).await.unwrap();
    storage.fail(None);
    let (points, ack) = bench.next().await;
    assert_eq!(points.len(), 1, "{points:#?}");
    ack.delivered();
    assert_eq!(waits.await, Outcome::Delivered);
}
