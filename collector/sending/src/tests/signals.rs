//! Signals that do not hold each other back.

use collector_runtime::process_status::Process;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_full_queue_of_one_signal_lets_the_others_pass() {
    let never = (0..1000).map(|_| SendOutcome::Retry {
        after: Some(Duration::from_secs(100_000)),
        why: "HTTP 503".into(),
    });
    let destination = Scripted::new(never);
    let queue = QueueSettings {
        queue_size: 1,
        ..QueueSettings::default()
    };
    let retry = RetrySettings {
        max_elapsed_time: collector_config::Duration::from_secs(0),
        ..RetrySettings::default()
    };
    let metrics = OwnMetrics::new();
    let health = Health::new();
    let running = Running {
        shutdown: CancellationToken::new(),
        health: health.reporter(id()),
        succession: Default::default(),
    };
    let mut inbox = Inbox::empty();
    let (to_metrics, channel) = mpsc::channel(1);
    inbox.add(channel);
    let (to_logs, channel) = mpsc::channel(1);
    inbox.add(channel);
    let sender = Sender::new(destination.clone(), id(), retry, queue, metrics.meter());
    let run = tokio::spawn(sender.run(inbox, running));

    // One is sent, one waits for a place, one waits in the inbox: there is no room for a fourth.
    for _ in 0..3 {
        let (ack, _) = Ack::new();
        to_metrics.send(Batch::new(points(1), ack)).await.unwrap();
        settle().await;
    }
    assert!(to_metrics.try_reserve().is_err());
    let queues = Process::new(&health).status().queues;
    let shown: Vec<_> = queues
        .iter()
        .map(|queue| (&*queue.signal, queue.size, queue.capacity))
        .collect();
    assert_eq!(
        shown,
        [("metrics", 1, 1)],
        "in the unit of the sizer, and only of signals that arrived"
    );
    destination.script.lock().unwrap().clear();
    let (ack, delivery) = Ack::new();
    to_logs.send(Batch::new(logs(1), ack)).await.unwrap();
    assert_eq!(delivery.await, Outcome::Delivered);
    run.abort();
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_stays_full_makes_the_exporter_unhealthy() {
    let destination = Scripted::new([]).closed();
    let queue = QueueSettings {
        queue_size: 1,
        ..QueueSettings::default()
    };
    let fixture = start(&destination, RetrySettings::default(), queue);
    let (first, second) = (fixture.send(logs(1)).await, fixture.send(logs(1)).await);
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(fixture.status(), Status::Ok, "a burst is not a problem");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let full = "logs: the sending queue is full (1 requests)";
    assert_eq!(fixture.status(), Status::RecoverableError(full.into()));
    destination.gate.add_permits(2);
    assert_eq!((first.await, second.await), (Outcome::Delivered, Outcome::Delivered));
    assert_eq!(fixture.status(), Status::Ok);
}

#[tokio::test(start_paused = true)]
async fn the_bytes_of_what_is_held_can_bound_the_queue() {
    let destination = Scripted::new([]).closed();
    let one = encoded(&named(&["a"])).len() as u64;
    let queue = QueueSettings {
        queue_size: 2 * one,
        sizer: Some(Sizer::Bytes),
        block_on_overflow: false,
        ..QueueSettings::default()
    };
    let fixture = start(&destination, RetrySettings::default(), queue);
    let first = fixture.send(named(&["a"])).await;
    settle().await;
    let too_much = fixture.send(named(&["b", "c"])).await;
    assert_eq!(too_much.await, Outcome::Dropped("the sending queue is full".into()));
    let second = fixture.send(named(&["d"])).await;
    tokio::time::sleep(Duration::from_secs(90)).await;
    for (name, value) in [
        ("otelcol_exporter_queue_size", 2 * one),
        ("otelcol_exporter_queue_capacity", 2 * one),
        ("otelcol_exporter_queue_size_bytes", 2 * one),
        ("otelcol_exporter_in_flight_requests", 2),
        ("otelcol_exporter_queue_oldest_age_seconds", 90),
    ] {
        assert_eq!(fixture.metrics.sum(name), Some(value), "{name}");
    }
    destination.gate.add_permits(2);
    assert_eq!((first.await, second.await), (Outcome::Delivered, Outcome::Delivered));
    settle().await;
    let metrics = &fixture.metrics;
    assert_eq!(metrics.sum("otelcol_exporter_in_flight_requests"), Some(0));
    assert_eq!(metrics.sum("otelcol_exporter_queue_oldest_age_seconds"), Some(0));
    let metrics = fixture.end().await;
    assert_eq!(metrics.sum("otelcol_exporter_enqueue_failed_log_records"), Some(2));
}
