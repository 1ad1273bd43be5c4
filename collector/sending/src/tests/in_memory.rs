//! The queue in memory: consumers, retries, acknowledgements, logs and metrics.

use super::*;

#[tokio::test(start_paused = true)]
async fn it_retries_with_growing_waits_until_it_is_accepted() {
    let destination = Scripted::new([busy(), busy(), busy()]);
    let fixture = start(&destination, RetrySettings::default(), QueueSettings::default());
    let delivery = fixture.send(logs(3)).await;
    assert_eq!(delivery.await, Outcome::Delivered);
    assert_eq!(destination.seconds(), [0.0, 5.0, 12.5, 23.75]);
    let metrics = fixture.end().await;
    assert_eq!(metrics.sum("otelcol_exporter_sent_log_records"), Some(3));
    assert_eq!(metrics.sum("otelcol_exporter_send_failed_log_records"), Some(0));
}

#[tokio::test(start_paused = true)]
async fn exhausted_retries_are_a_counted_loss() {
    let destination = Scripted::new((0..100).map(|_| busy()));
    let fixture = start(&destination, for_minutes(5), QueueSettings::default());
    let Outcome::Dropped(why) = fixture.send(points(4)).await.await else {
        panic!("not dropped")
    };
    assert!(why.contains("HTTP 503") && why.contains("max_elapsed_time"), "{why}");
    assert_eq!(destination.seconds().last(), Some(&300.0));
    let metrics = fixture.end().await;
    assert_eq!(metrics.sum("otelcol_exporter_send_failed_metric_points"), Some(4));
    assert_eq!(metrics.sum("otelcol_exporter_sent_metric_points"), Some(0));
}

#[tokio::test(start_paused = true)]
async fn without_retries_the_first_failure_is_the_end() {
    let destination = Scripted::new([busy()]);
    let retry = RetrySettings {
        enabled: false,
        ..RetrySettings::default()
    };
    let fixture = start(&destination, retry, QueueSettings::default());
    assert!(matches!(fixture.send(logs(1)).await.await, Outcome::Dropped(_)));
    assert_eq!(destination.attempts().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_permanent_refusal_is_not_tried_again() {
    let destination = Scripted::new([SendOutcome::Permanent("HTTP 400: bad".into())]);
    let fixture = start(&destination, RetrySettings::default(), QueueSettings::default());
    let outcome = fixture.send(logs(2)).await.await;
    assert_eq!(outcome, Outcome::Rejected("HTTP 400: bad".into()));
    let metrics = fixture.end().await;
    assert_eq!(destination.attempts().len(), 1);
    assert_eq!(metrics.sum("otelcol_exporter_send_failed_log_records"), Some(2));
}

#[tokio::test(start_paused = true)]
async fn partial_success_is_delivered_and_counted() {
    let destination = Scripted::new([SendOutcome::Partial {
        rejected: 2,
        message: "no cumulative sums".into(),
    }]);
    let fixture = start(&destination, RetrySettings::default(), QueueSettings::default());
    assert_eq!(fixture.send(points(5)).await.await, Outcome::Delivered);
    let metrics = fixture.end().await;
    assert_eq!(metrics.sum("otelcol_exporter_sent_metric_points"), Some(3));
    assert_eq!(metrics.sum("otelcol_exporter_rejected_metric_points"), Some(2));
}

#[tokio::test(start_paused = true)]
async fn a_success_that_refuses_everything_is_a_refusal() {
    let destination = Scripted::new([SendOutcome::Partial {
        rejected: 1,
        message: "too old".into(),
    }]);
    let fixture = start(&destination, RetrySettings::default(), QueueSettings::default());
    let outcome = fixture.send(logs(1)).await.await;
    assert!(
        matches!(&outcome, Outcome::Rejected(why) if why.contains("too old")),
        "{outcome:?}"
    );
    let metrics = fixture.end().await;
    assert_eq!(metrics.sum("otelcol_exporter_rejected_log_records"), Some(1));
    assert_eq!(metrics.sum("otelcol_exporter_send_failed_log_records"), Some(0));
}

#[tokio::test(start_paused = true)]
async fn the_latest_answer_decides_the_health() {
    let permanent = SendOutcome::Permanent("HTTP 500".into());
    let destination = Scripted::new([busy(), permanent]);
    let fixture = start(&destination, RetrySettings::default(), QueueSettings::default());
    assert_eq!(fixture.send(logs(1)).await.await, Outcome::Rejected("HTTP 500".into()));
    assert_eq!(fixture.status(), Status::RecoverableError("logs: HTTP 500".into()));
    assert_eq!(fixture.send(logs(1)).await.await, Outcome::Delivered);
    assert_eq!(fixture.status(), Status::Ok);
}

#[tokio::test(start_paused = true)]
async fn the_worst_part_of_a_split_batch_counts_and_the_others_still_go() {
    let destination = Scripted::new([
        SendOutcome::TooLarge("HTTP 413".into()),
        SendOutcome::Permanent("too large".into()),
        busy(),
    ]);
    let fixture = start(&destination, RetrySettings::default(), QueueSettings::default());
    assert_eq!(fixture.send(logs(7)).await.await, Outcome::Rejected("too large".into()));
    let sizes: Vec<u64> = destination.attempts().iter().map(|(.., items)| *items).collect();
    assert_eq!(sizes, [7, 3, 4, 4]);
    let metrics = fixture.end().await;
    assert_eq!(metrics.sum("otelcol_exporter_sent_log_records"), Some(4));
    assert_eq!(metrics.sum("otelcol_exporter_send_failed_log_records"), Some(3));
}

#[tokio::test(start_paused = true)]
async fn nothing_to_send_is_delivered_without_a_request() {
    let destination = Scripted::new([]);
    let fixture = start(&destination, RetrySettings::default(), QueueSettings::default());
    assert_eq!(fixture.send(logs(0)).await.await, Outcome::Delivered);
    assert!(destination.attempts().is_empty());
}

#[tokio::test(start_paused = true)]
async fn new_work_goes_out_while_earlier_requests_are_retried() {
    let destination = Scripted::new([busy()]);
    let fixture = start(&destination, RetrySettings::default(), QueueSettings::default());
    let mut first = fixture.send(logs(1)).await;
    settle().await;
    let second = fixture.send(logs(2)).await;
    assert_eq!(second.await, Outcome::Delivered);
    assert!(futures_util::poll!(&mut first).is_pending());
    assert_eq!(destination.seconds(), [0.0, 0.0]);
    assert_eq!(first.await, Outcome::Delivered);
}

#[tokio::test(start_paused = true)]
async fn a_failing_signal_does_not_delay_another() {
    let destination = Scripted::new([busy()]);
    let queue = QueueSettings {
        num_consumers: 1,
        ..QueueSettings::default()
    };
    let fixture = start(&destination, RetrySettings::default(), queue);
    let mut metrics = fixture.send(points(1)).await;
    settle().await;
    assert_eq!(fixture.status(), Status::RecoverableError("metrics: HTTP 503".into()));
    assert_eq!(fixture.send(logs(1)).await.await, Outcome::Delivered);
    assert_eq!(
        fixture.status(),
        Status::RecoverableError("metrics: HTTP 503".into()),
        "delivered logs say nothing about metrics"
    );
    assert!(futures_util::poll!(&mut metrics).is_pending());
    assert_eq!(metrics.await, Outcome::Delivered);
    assert_eq!(fixture.status(), Status::Ok);
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_makes_the_producer_wait() {
    let destination = Scripted::new([]).closed();
    let queue = QueueSettings {
        queue_size: 2,
        ..QueueSettings::default()
    };
    let fixture = start(&destination, RetrySettings::default(), queue);
    // Two in the queue, one waiting for a place in it, one in the inbox.
    let mut deliveries = Vec::new();
    for _ in 0..4 {
        deliveries.push(fixture.send(logs(1)).await);
        settle().await;
    }
    let input = fixture.input.as_ref().unwrap();
    assert!(input.try_reserve().is_err(), "the inbox is full, so the producer waits");
    assert_eq!(fixture.metrics.sum("otelcol_exporter_queue_size"), Some(2));
    assert_eq!(fixture.metrics.sum("otelcol_exporter_queue_capacity"), Some(2));

    destination.gate.add_permits(100);
    for delivery in deliveries {
        assert_eq!(delivery.await, Outcome::Delivered);
    }
    settle().await;
    assert_eq!(fixture.metrics.sum("otelcol_exporter_queue_size"), Some(0));
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_drops_and_counts_if_configured() {
    let destination = Scripted::new([]).closed();
    let queue = QueueSettings {
        queue_size: 1,
        block_on_overflow: false,
        ..QueueSettings::default()
    };
    let fixture = start(&destination, RetrySettings::default(), queue);
    let first = fixture.send(logs(1)).await;
    settle().await;
    let second = fixture.send(logs(5)).await;
    assert_eq!(second.await, Outcome::Dropped("the sending queue is full".into()));
    destination.gate.add_permits(1);
    assert_eq!(first.await, Outcome::Delivered);
    let metrics = fixture.end().await;
    assert_eq!(metrics.sum("otelcol_exporter_enqueue_failed_log_records"), Some(5));
}

#[tokio::test(start_paused = true)]
async fn without_a_queue_batches_go_one_at_a_time() {
    let destination = Scripted::new([]).closed();
    let queue = QueueSettings {
        enabled: false,
        ..QueueSettings::default()
    };
    let fixture = start(&destination, RetrySettings::default(), queue);
    let first = fixture.send(logs(1)).await;
    settle().await;
    let second = fixture.send(logs(1)).await;
    settle().await;
    assert_eq!(destination.attempts().len(), 1);
    destination.gate.add_permits(2);
    assert_eq!((first.await, second.await), (Outcome::Delivered, Outcome::Delivered));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_input_drains_the_queue() {
    let destination = Scripted::new([busy(), busy(), busy(), busy()]);
    let queue = QueueSettings {
        num_consumers: 1,
        ..QueueSettings::default()
    };
    let fixture = start(&destination, RetrySettings::default(), queue);
    let deliveries = [
        fixture.send(logs(1)).await,
        fixture.send(logs(1)).await,
        fixture.send(points(1)).await,
    ];
    let metrics = fixture.end().await;
    for delivery in deliveries {
        assert_eq!(delivery.await, Outcome::Delivered);
    }
    assert_eq!(metrics.sum("otelcol_exporter_sent_log_records"), Some(2));
}

#[tokio::test(start_paused = true)]
async fn dropping_the_sender_counts_what_it_holds_as_lost() {
    let destination = Scripted::new([]).closed();
    let fixture = start(&destination, RetrySettings::default(), QueueSettings::default());
    let delivery = fixture.send(logs(1)).await;
    settle().await;
    fixture.run.abort();
    assert!(matches!(delivery.await, Outcome::Dropped(_)));
}

#[tokio::test(start_paused = true)]
async fn a_wrong_key_or_address_keeps_data_in_order() {
    let refused = || SendOutcome::Misconfigured("HTTP 403".into());
    let destination = Scripted::new([refused(), refused()]);
    let queue = QueueSettings {
        num_consumers: 1,
        ..QueueSettings::default()
    };
    let fixture = start(&destination, RetrySettings::default(), queue);
    let (first, second) = (fixture.send(named(&["a"])).await, fixture.send(named(&["b"])).await);
    settle().await;
    assert_eq!(fixture.status(), Status::RecoverableError("logs: HTTP 403".into()));
    assert_eq!((first.await, second.await), (Outcome::Delivered, Outcome::Delivered));
    assert_eq!(destination.names(), ["a", "a", "a", "b"]);
    assert_eq!(fixture.status(), Status::Ok);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_key_or_address_loses_data_if_configured() {
    let destination = Scripted::new([SendOutcome::Misconfigured("HTTP 403".into())]);
    let retry = RetrySettings {
        misconfigured: false,
        ..RetrySettings::default()
    };
    let fixture = start(&destination, retry, QueueSettings::default());
    assert_eq!(fixture.send(logs(1)).await.await, Outcome::Rejected("HTTP 403".into()));
    assert_eq!(fixture.status(), Status::RecoverableError("logs: HTTP 403".into()));
    assert_eq!(fixture.send(logs(1)).await.await, Outcome::Delivered);
    assert_eq!(fixture.status(), Status::Ok);
}
