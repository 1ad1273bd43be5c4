//! An exporter that a reload replaces.

use futures_util::FutureExt;

use super::*;

impl Fixture {
    /// Replaces the exporter. Returns the batches for its successor, and the metrics afterwards.
    async fn replace(mut self) -> (Vec<Batch>, OwnMetrics) {
        self.succession.replace();
        self.shutdown.cancel();
        self.input = None;
        self.run.await.unwrap().unwrap();
        (self.succession.take_returned(), self.metrics)
    }
}

fn batch_names(batches: &[Batch]) -> Vec<String> {
    let mut all: Vec<String> = batches
        .iter()
        .map(|batch| names(&Request::new(&batch.payload, "proto", "", encoded(&batch.payload))))
        .collect();
    all.sort();
    all
}

#[tokio::test(start_paused = true)]
async fn gives_undelivered_requests_to_its_successor() {
    let destination = Scripted::new((0..100).map(|_| busy()));
    let fixture = start(&destination, RetrySettings::default(), QueueSettings::default());
    let mut deliveries = Vec::new();
    for name in ["a", "b", "c"] {
        deliveries.push(fixture.send(named(&[name])).await);
    }
    settle().await;
    let before = Instant::now();
    let (returned, metrics) = fixture.replace().await;
    assert_eq!(before.elapsed(), Duration::ZERO, "it does not wait for a retry");
    assert_eq!(batch_names(&returned), ["a", "b", "c"]);
    assert!(deliveries.iter_mut().all(|delivery| delivery.now_or_never().is_none()));
    returned.into_iter().for_each(|batch| batch.ack.delivered());
    for delivery in deliveries {
        assert_eq!(delivery.await, Outcome::Delivered);
    }
    assert_eq!(metrics.sum("otelcol_exporter_send_failed_log_records"), Some(0));
}

#[tokio::test(start_paused = true)]
async fn finishes_the_attempts_in_flight() {
    let destination = Scripted::new([]).closed();
    let queue = QueueSettings {
        num_consumers: 1,
        ..QueueSettings::default()
    };
    let fixture = start(&destination, RetrySettings::default(), queue);
    let first = fixture.send(named(&["a"])).await;
    let second = fixture.send(named(&["b"])).await;
    settle().await;
    let gate = Arc::clone(&destination.gate);
    let replaced = tokio::spawn(fixture.replace());
    settle().await;
    assert!(!replaced.is_finished(), "an attempt is in flight");
    gate.add_permits(1);
    let (returned, _) = replaced.await.unwrap();
    assert_eq!(first.await, Outcome::Delivered);
    assert_eq!(batch_names(&returned), ["b"]);
    assert_eq!(destination.names(), ["a"]);
    assert!(second.now_or_never().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_does_not_keep_it_from_ending() {
    let destination = Scripted::new((0..100).map(|_| busy()));
    let queue = QueueSettings {
        queue_size: 1,
        block_on_overflow: true,
        ..QueueSettings::default()
    };
    let fixture = start(&destination, RetrySettings::default(), queue);
    let mut deliveries = Vec::new();
    // One in the queue, one that waits for room, one in the inbox.
    for name in ["a", "b", "c"] {
        deliveries.push(fixture.send(named(&[name])).await);
    }
    settle().await;
    let (returned, _) = fixture.replace().await;
    assert_eq!(batch_names(&returned), ["a", "b", "c"]);
    assert!(deliveries.into_iter().all(|delivery| delivery.now_or_never().is_none()));
}

#[tokio::test(start_paused = true)]
async fn a_persistent_queue_stays_in_the_store() {
    let storage = MemoryStorage::new();
    let destination = Scripted::new((0..100).map(|_| busy()));
    let fixture = start_with(
        &destination,
        RetrySettings::default(),
        QueueSettings::default(),
        Some(&storage),
    );
    for name in ["a", "b", "c"] {
        assert_eq!(fixture.send(named(&[name])).await.await, Outcome::Delivered);
    }
    settle().await;
    let attempts = destination.attempts().len();
    let (returned, _) = fixture.replace().await;
    assert_eq!(returned.len(), 0);
    assert_eq!(destination.attempts().len(), attempts, "no further attempt");
    assert_eq!(storage.content(Kind::Exporter, &id()).len(), 3);
}

#[tokio::test(start_paused = true)]
async fn gauges_of_an_ended_exporter_have_no_points() {
    let destination = Scripted::new([]);
    let fixture = start(&destination, RetrySettings::default(), QueueSettings::default());
    assert_eq!(fixture.send(logs(1)).await.await, Outcome::Delivered);
    assert!(fixture.metrics.sum("otelcol_exporter_queue_capacity").is_some());
    let (_, metrics) = fixture.replace().await;
    assert_eq!(metrics.sum("otelcol_exporter_queue_capacity"), None);
    assert_eq!(metrics.sum("otelcol_exporter_queue_size"), None);
    assert_eq!(metrics.sum("otelcol_exporter_sent_log_records"), Some(1));
}
