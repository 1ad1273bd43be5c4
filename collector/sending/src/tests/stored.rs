//! The queue in a store: the stored requests, their order, and failures of the store.

use collector_runtime::storage::Change;

use super::*;

fn one_at_a_time() -> QueueSettings {
    QueueSettings {
        num_consumers: 1,
        ..QueueSettings::default()
    }
}

fn forever() -> RetrySettings {
    RetrySettings {
        max_elapsed_time: collector_config::Duration::from_secs(0),
        ..RetrySettings::default()
    }
}

fn keys(storage: &MemoryStorage) -> Vec<String> {
    storage.content(Kind::Exporter, &id()).into_keys().collect()
}

/// Writes into the exporter's store, past it.
async fn write(storage: &MemoryStorage, changes: Vec<Change>) {
    let store = storage.open(Kind::Exporter, &id()).await.unwrap();
    store.claim().await.unwrap();
    store.apply(changes).await.unwrap();
}

/// Three requests of an earlier run, none of which arrived.
async fn left_behind(storage: &MemoryStorage) {
    let away = Scripted::new([]).closed();
    let fixture = start_with(&away, forever(), one_at_a_time(), Some(storage));
    for name in ["a", "b", "c"] {
        assert_eq!(fixture.send(named(&[name])).await.await, Outcome::Delivered);
    }
    fixture.run.abort();
    assert!(fixture.run.await.unwrap_err().is_cancelled());
}

#[tokio::test(start_paused = true)]
async fn a_restart_sends_stored_requests_in_order() {
    let storage = MemoryStorage::new();
    left_behind(&storage).await;
    assert_eq!(keys(&storage).len(), 3);

    let destination = Scripted::new([]);
    let fixture = start_with(&destination, forever(), one_at_a_time(), Some(&storage));
    assert_eq!(fixture.send(named(&["d"])).await.await, Outcome::Delivered);
    let metrics = fixture.end().await;
    assert_eq!(destination.names(), ["a", "b", "c", "d"]);
    assert_eq!(keys(&storage), [""; 0]);
    assert_eq!(metrics.sum("otelcol_exporter_sent_log_records"), Some(4));
}

#[tokio::test(start_paused = true)]
async fn bodies_of_stored_requests_are_not_in_memory() {
    let storage = MemoryStorage::new();
    left_behind(&storage).await;
    let destination = Scripted::new([]).closed();
    let fixture = start_with(&destination, forever(), one_at_a_time(), Some(&storage));
    settle().await;
    // A value changed directly in the store is sent: it was not read before it was due.
    let last = keys(&storage).pop().unwrap();
    let other = Request::new(&named(&["z"]), "proto", "", encoded(&named(&["z"])));
    let store = storage.open(Kind::Exporter, &id()).await.unwrap();
    store.claim().await.unwrap();
    store.apply(vec![Change::Set(last, other.to_stored(0))]).await.unwrap();
    destination.gate.add_permits(1);
    settle().await;
    // The claim has also shut the sender out, which ends it.
    let ended = fixture.run.await.unwrap().unwrap_err();
    assert!(
        ended.to_string().contains("another replica has claimed the store"),
        "{ended}"
    );
    let destination = Scripted::new([]);
    start_with(&destination, forever(), one_at_a_time(), Some(&storage))
        .end()
        .await;
    assert_eq!(destination.names(), ["a", "b", "z"]);
}

#[tokio::test(start_paused = true)]
async fn age_and_size_of_the_queue_survive_a_restart() {
    let storage = MemoryStorage::new();
    let destination = Scripted::new([]).closed();
    let first = start_with(&destination, forever(), one_at_a_time(), Some(&storage));
    assert_eq!(first.send(named(&["a", "b"])).await.await, Outcome::Delivered);
    first.run.abort();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let queue = QueueSettings {
        sizer: Some(Sizer::Items),
        ..one_at_a_time()
    };
    let second = start_with(&destination, forever(), queue, Some(&storage));
    settle().await;
    assert_eq!(second.metrics.sum("otelcol_exporter_queue_size"), Some(2));
    assert_eq!(
        second.metrics.sum("otelcol_exporter_queue_oldest_age_seconds"),
        Some(60)
    );
    second.run.abort();
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_blocks_producers_after_a_restart() {
    let storage = MemoryStorage::new();
    left_behind(&storage).await;
    let destination = Scripted::new([]).closed();
    let queue = QueueSettings {
        queue_size: 2,
        ..one_at_a_time()
    };
    let fixture = start_with(&destination, forever(), queue, Some(&storage));
    let mut delivery = fixture.send(named(&["d"])).await;
    settle().await;
    assert!(
        futures_util::poll!(&mut delivery).is_pending(),
        "three wait, and two are allowed"
    );
    destination.gate.add_permits(1);
    settle().await;
    assert!(futures_util::poll!(&mut delivery).is_pending());
    destination.gate.add_permits(1);
    assert_eq!(delivery.await, Outcome::Delivered);
    destination.gate.add_permits(2);
    fixture.end().await;
    assert_eq!(destination.names(), ["a", "b", "c", "d"]);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_too_large_is_replaced_in_its_place() {
    let storage = MemoryStorage::new();
    let large = || SendOutcome::TooLarge("HTTP 413".into());
    let destination = Scripted::new([large(), large()]).closed();
    let fixture = start_with(&destination, forever(), one_at_a_time(), Some(&storage));
    for names in [&["a", "b", "c", "d"][..], &["e"]] {
        assert_eq!(fixture.send(named(names)).await.await, Outcome::Delivered);
    }
    let before = storage.writes();
    destination.gate.add_permits(2);
    settle().await;
    assert_eq!(storage.writes() - before, 2, "each cut is one transaction");
    let stored = keys(&storage);
    assert_eq!(stored.len(), 4, "{stored:?}");
    // The process dies now; the next one continues with the parts, in order.
    fixture.run.abort();
    let destination = Scripted::new([]);
    start_with(&destination, forever(), one_at_a_time(), Some(&storage))
        .end()
        .await;
    assert_eq!(destination.names(), ["a", "b", "c d", "e"]);
    assert_eq!(keys(&storage), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_request_is_set_aside() {
    let storage = MemoryStorage::new();
    left_behind(&storage).await;
    let stored = storage.content(Kind::Exporter, &id());
    let [first, second, _] = &keys(&storage)[..] else {
        panic!("{stored:?}")
    };
    let mut newer = stored[first].to_vec();
    newer[0] = 2;
    let damaged = stored[second].slice(..stored[second].len() - 1);
    let unknown = Change::Set("notes".into(), "?".into());
    write(
        &storage,
        vec![
            Change::Set(first.clone(), newer.into()),
            Change::Set(second.clone(), damaged),
            unknown,
        ],
    )
    .await;

    let destination = Scripted::new([]);
    let fixture = start_with(&destination, forever(), one_at_a_time(), Some(&storage));
    let metrics = fixture.end().await;
    assert_eq!(destination.names(), ["c"]);
    assert_eq!(metrics.sum("otelcol_exporter_queue_unreadable_requests"), Some(2));
    let aside = [
        "notes".to_owned(),
        format!("unreadable/{first}"),
        format!("unreadable/{second}"),
    ];
    assert_eq!(keys(&storage), aside);

    // A program that can read it moves it back; a new request does not get its number.
    let readable = Change::Set(aside[1].clone(), stored[first].clone());
    write(&storage, vec![readable]).await;
    let destination = Scripted::new([]);
    let fixture = start_with(&destination, forever(), one_at_a_time(), Some(&storage));
    assert_eq!(fixture.send(named(&["d"])).await.await, Outcome::Delivered);
    let metrics = fixture.end().await;
    assert_eq!(destination.names(), ["a", "d"]);
    assert_eq!(metrics.sum("otelcol_exporter_queue_unreadable_requests"), Some(0));
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_stops_the_intake_and_loses_nothing() {
    let storage = MemoryStorage::new();
    let destination = Scripted::new([]);
    let fixture = start_with(&destination, forever(), one_at_a_time(), Some(&storage));
    assert_eq!(fixture.send(named(&["a"])).await.await, Outcome::Delivered);
    settle().await;
    storage.fail(Some(StoreError::Unavailable("no space left on device".into())));
    let mut second = fixture.send(named(&["b"])).await;
    let third = fixture.send(named(&["c"])).await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert!(futures_util::poll!(&mut second).is_pending());
    assert!(fixture.input.as_ref().unwrap().try_reserve().is_err(), "producers wait");
    let expected = "cannot use the store: no space left on device";
    assert_eq!(fixture.status(), Status::RecoverableError(expected.into()));
    storage.fail(None);
    let healed = Instant::now();
    assert_eq!((second.await, third.await), (Outcome::Delivered, Outcome::Delivered));
    assert!(healed.elapsed() <= Duration::from_secs(3), "{:?}", healed.elapsed());
    assert_eq!(fixture.status(), Status::Ok);
    fixture.end().await;
    assert_eq!(destination.names(), ["a", "b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn requests_that_cannot_be_stored_are_sent_from_memory() {
    let storage = MemoryStorage::new();
    let destination = Scripted::new([]).closed();
    let fixture = start_with(&destination, forever(), one_at_a_time(), Some(&storage));
    settle().await;
    storage.fail(Some(StoreError::Permanent("too large".into())));
    let mut delivery = fixture.send(named(&["a"])).await;
    settle().await;
    assert!(
        futures_util::poll!(&mut delivery).is_pending(),
        "it is not delivered before it arrives"
    );
    destination.gate.add_permits(1);
    assert_eq!(delivery.await, Outcome::Delivered);
    assert_eq!(destination.names(), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn shutdown_leaves_undelivered_requests_in_the_store() {
    let storage = MemoryStorage::new();
    let asked = SendOutcome::Retry {
        after: Some(Duration::from_secs(600)),
        why: "HTTP 429".into(),
    };
    let destination = Scripted::new([asked, busy()]);
    let queue = QueueSettings {
        num_consumers: 2,
        queue_size: 3,
        ..QueueSettings::default()
    };
    let mut fixture = start_with(&destination, forever(), queue, Some(&storage));
    for name in ["a", "b", "c"] {
        assert_eq!(fixture.send(named(&[name])).await.await, Outcome::Delivered);
        settle().await;
    }
    // The queue is full, so this one waits for room; it is not lost either.
    let last = fixture.send(named(&["d"])).await;
    settle().await;
    destination.script.lock().unwrap().extend([busy(), busy(), busy()]);
    let begin = Instant::now();
    fixture.shutdown.cancel();
    fixture.input = None;
    fixture.run.await.unwrap().unwrap();
    assert_eq!(begin.elapsed(), Duration::ZERO, "nothing is waited for");
    assert_eq!(last.await, Outcome::Delivered);
    assert_eq!(keys(&storage).len(), 4);
    let destination = Scripted::new([]);
    start_with(&destination, forever(), one_at_a_time(), Some(&storage))
        .end()
        .await;
    assert_eq!(destination.names(), ["a", "b", "c", "d"]);
}

#[tokio::test(start_paused = true)]
async fn waiting_batches_share_a_transaction_within_capacity() {
    let storage = MemoryStorage::new();
    let destination = Scripted::new([]).closed();
    let (input, inbox) = mpsc::channel(10);
    let mut deliveries = Vec::new();
    for number in 0..10 {
        let (ack, delivery) = Ack::new();
        let name = number.to_string();
        input.send(Batch::new(named(&[&name]), ack)).await.unwrap();
        deliveries.push(delivery);
    }
    let queue = QueueSettings {
        queue_size: 6,
        ..one_at_a_time()
    };
    let health = Health::new();
    let running = Running {
        shutdown: CancellationToken::new(),
        health: health.reporter(id()),
        succession: Default::default(),
    };
    let metrics = OwnMetrics::new();
    let sender = Sender::new(destination.clone(), id(), forever(), queue, metrics.meter())
        .with_storage(Some(Arc::new(storage.clone())));
    let run = tokio::spawn(sender.run(inbox.into(), running));
    settle().await;
    assert_eq!((storage.writes(), keys(&storage).len()), (1, 6));
    assert!(futures_util::poll!(&mut deliveries[5]).is_ready());
    assert!(futures_util::poll!(&mut deliveries[6]).is_pending());
    destination.gate.add_permits(10);
    drop(input);
    run.await.unwrap().unwrap();
    let expected: Vec<String> = (0..10).map(|number| number.to_string()).collect();
    assert_eq!(destination.names(), expected);
}
