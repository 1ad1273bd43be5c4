use collector_runtime::Inbox;
use collector_runtime::component::Kind;
use collector_runtime::component::{Exporter, Running};
use collector_runtime::storage::memory::MemoryStorage;
use collector_runtime::succession::Succession;
use collector_testing::{Host, batch, id};
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::support::{create, get, missed};

fn slot(number: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + number).unwrap()
}

/// Runs the exporter after a predecessor, sends it these events, and replaces it. Returns the number of events that it had before
/// these, and its succession.
async fn generation(host: &Host, yaml: &str, after: Succession, events: std::ops::Range<i64>) -> (u64, Succession) {
    let mut exporter = Box::new(create(host, &format!("endpoint: 127.0.0.1:0\n{yaml}")).unwrap());
    exporter.start().await.unwrap();
    let address = exporter.address().unwrap();
    let (sender, receiver) = mpsc::channel(8);
    let mut input = Inbox::empty();
    input.add(receiver);
    let running = Running {
        shutdown: CancellationToken::new(),
        health: host.health.reporter(&host.id),
        succession: after,
    };
    let task = tokio::spawn(exporter.run(input, running.clone()));
    let kept = loop {
        let answer = get(address, "/api/v1/overview", "").await;
        match answer.status {
            200 => break answer.json()["totals"]["kept"].as_u64().unwrap(),
            _ => tokio::task::yield_now().await,
        }
    };
    for number in events {
        let (batch, delivery) = batch(missed(slot(number)));
        sender.send(batch).await.unwrap();
        delivery.await;
    }
    running.succession.replace_with_same_services();
    running.shutdown.cancel();
    drop(sender);
    task.await.unwrap().unwrap();
    (kept, Succession::after(running.succession.take_left()))
}

#[tokio::test]
async fn a_successor_has_the_events() {
    let host = Host::new("web");
    let (_, left) = generation(&host, "", Succession::default(), 0..5).await;
    let (kept, left) = generation(&host, "", left, 5..6).await;
    assert_eq!(kept, 5);
    let (kept, _) = generation(&host, "max_events: 2", left, 0..0).await;
    assert_eq!(kept, 2, "its limit applies");
}

#[tokio::test]
async fn a_successor_continues_with_the_claimed_store() {
    let storage = MemoryStorage::new();
    let host = Host::new("web").with_storage("file_storage", storage.clone());
    let stored = || storage.content(Kind::Exporter, &id("web")).len();
    let settings = "storage: file_storage";
    let (_, left) = generation(&host, settings, Succession::default(), 0..2).await;
    let (kept, left) = generation(&host, settings, left, 2..4).await;
    assert_eq!((kept, stored()), (2, 4));
    // Without a store, and with one again.
    let (kept, left) = generation(&host, "", left, 4..5).await;
    assert_eq!((kept, stored()), (4, 4));
    let (kept, _) = generation(&host, settings, left, 5..6).await;
    assert_eq!((kept, stored()), (5, 6));
}
