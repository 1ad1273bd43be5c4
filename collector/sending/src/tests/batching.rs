//! `sending_queue::batch`: merging, splitting and acknowledging batches.

use super::*;

fn batching(min_size: u64, max_size: u64, sizer: Option<Sizer>) -> QueueSettings {
    QueueSettings {
        num_consumers: 1,
        batch: Some(BatchSettings {
            min_size,
            max_size,
            sizer,
            ..BatchSettings::default()
        }),
        ..QueueSettings::default()
    }
}

#[tokio::test(start_paused = true)]
async fn small_batches_wait_for_others_but_not_for_long() {
    let destination = Scripted::new([]);
    let fixture = start(&destination, RetrySettings::default(), batching(3, 0, None));
    let early = [fixture.send(named(&["a"])).await, fixture.send(named(&["b"])).await];
    settle().await;
    assert!(destination.attempts().is_empty());
    let full = fixture.send(named(&["c", "d"])).await;
    for delivery in early.into_iter().chain([full]) {
        assert_eq!(delivery.await, Outcome::Delivered);
    }
    assert_eq!(
        (destination.names(), destination.seconds()),
        (vec!["a b c d".into()], vec![0.0])
    );
    let late = fixture.send(named(&["e"])).await;
    assert_eq!(late.await, Outcome::Delivered);
    assert_eq!(destination.begin.elapsed(), Duration::from_millis(200));
    let last = fixture.send(named(&["f"])).await;
    fixture.end().await;
    assert_eq!(last.await, Outcome::Delivered);
    assert_eq!(destination.names(), ["a b c d", "e", "f"]);
    assert_eq!(
        destination.begin.elapsed(),
        Duration::from_millis(200),
        "the end waits for nothing"
    );
}

#[tokio::test(start_paused = true)]
async fn large_batches_are_cut_and_each_producer_hears_of_its_own_items() {
    let refused = SendOutcome::Permanent("HTTP 400".into());
    let destination = Scripted::new([SendOutcome::Accepted, refused, SendOutcome::Accepted]);
    let fixture = start(&destination, RetrySettings::default(), batching(4, 4, None));
    let first = fixture.send(named(&["a", "b", "c"])).await;
    let second = fixture.send(named(&["d", "e"])).await;
    let third = fixture.send(named(&["f", "g", "h"])).await;
    let fourth = fixture.send(named(&["i"])).await;
    assert_eq!(first.await, Outcome::Delivered);
    assert_eq!(second.await, Outcome::Rejected("HTTP 400".into()));
    assert_eq!(third.await, Outcome::Rejected("HTTP 400".into()));
    assert_eq!(fourth.await, Outcome::Delivered);
    assert_eq!(destination.names(), ["a b c d", "e f g h", "i"]);
}

#[tokio::test(start_paused = true)]
async fn bytes_can_be_the_measure_too() {
    let one = named(&["aaaa"]).encoded_len() as u64;
    assert_eq!(one, encoded(&named(&["aaaa"])).len() as u64);
    let destination = Scripted::new([]);
    let queue = batching(2 * one, 2 * one, Some(Sizer::Bytes));
    let fixture = start(&destination, RetrySettings::default(), queue);
    for names in [["aaaa"], ["bbbb"], ["cccc"]] {
        drop(fixture.send(named(&names)).await);
    }
    drop(fixture.send(named(&["d", "e", "f", "g", "h", "i", "j", "k"])).await);
    fixture.end().await;
    let seen = destination.seen.lock().unwrap().clone();
    assert!(
        seen.iter().all(|request| request.body.len() as u64 <= 2 * one),
        "{seen:?}"
    );
    assert_eq!(destination.names().join(" "), "aaaa bbbb cccc d e f g h i j k");
    assert!(seen.len() < 8);
}

#[tokio::test(start_paused = true)]
async fn two_points_of_one_series_in_one_second_stay_two() {
    let destination = Scripted::new([]);
    let fixture = start(&destination, RetrySettings::default(), batching(2, 0, None));
    let deliveries = [fixture.send(points(1)).await, fixture.send(points(1)).await];
    for delivery in deliveries {
        assert_eq!(delivery.await, Outcome::Delivered);
    }
    let seen = destination.seen.lock().unwrap().clone();
    let Payload::Metrics(resources) = destination.unpack(&seen[0]).unwrap() else {
        panic!("not metrics")
    };
    let Payload::Metrics(alone) = points(1) else {
        panic!("not metrics")
    };
    assert_eq!(resources, [alone.clone(), alone].concat());
}

#[tokio::test(start_paused = true)]
async fn signals_are_not_mixed() {
    let destination = Scripted::new([]);
    let fixture = start(&destination, RetrySettings::default(), batching(2, 0, None));
    for _ in 0..2 {
        drop(fixture.send(logs(1)).await);
        drop(fixture.send(points(1)).await);
    }
    fixture.end().await;
    let mut seen: Vec<(Signal, u64)> = destination
        .attempts()
        .iter()
        .map(|(_, signal, items)| (*signal, *items))
        .collect();
    seen.sort();
    assert_eq!(seen, [(Signal::Logs, 2), (Signal::Metrics, 2)]);
}

#[tokio::test(start_paused = true)]
async fn a_burst_is_a_few_requests_and_one_event_hardly_waits() {
    let destination = Scripted {
        takes: Duration::from_millis(50),
        ..Scripted::new([])
    };
    // As in the shipped pipelines.
    let queue = QueueSettings {
        num_consumers: 10,
        queue_size: 33_554_432,
        ..batching(2_097_152, 4_194_304, Some(Sizer::Bytes))
    };
    let queue = QueueSettings {
        sizer: Some(Sizer::Bytes),
        ..queue
    };
    let fixture = start(&destination, RetrySettings::default(), queue);
    assert_eq!(fixture.send(logs(1)).await.await, Outcome::Delivered);
    assert_eq!(destination.begin.elapsed(), Duration::from_millis(250));

    // An event of a failed Job has a kilobyte or more.
    let event = "e".repeat(1024);
    let mut deliveries = Vec::new();
    for _ in 0..20_000 {
        deliveries.push(fixture.send(named(&[&event])).await);
    }
    let burst = Instant::now();
    for delivery in deliveries {
        assert_eq!(delivery.await, Outcome::Delivered);
    }
    assert!(burst.elapsed() <= Duration::from_secs(1), "{:?}", burst.elapsed());
    let seen = destination.seen.lock().unwrap().clone();
    assert!(seen.len() <= 12, "{} requests", seen.len());
    assert!(seen.iter().all(|request| request.body.len() <= 4_194_304));
}
