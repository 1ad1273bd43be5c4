use std::time::Duration;

use jiff::Timestamp;
use tokio::time::timeout;

use crate::support::{Served, Stream, missed};

fn slot(number: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + number).unwrap()
}

/// The last id in a text.
fn last_id(text: &str) -> String {
    let id = text.lines().rev().find_map(|line| line.strip_prefix("id: "));
    id.unwrap().to_owned()
}

#[tokio::test]
async fn each_event_reaches_every_client() {
    let served = Served::start("").await;
    served.send(missed(slot(0))).await;
    let mut clients = Vec::new();
    for _ in 0..100 {
        clients.push(Stream::connect(served.address, "").await);
    }
    assert!(
        served
            .host
            .metrics
            .points()
            .contains(&"otelcol_exporter_web_clients[exporter=web] 100".into())
    );
    for number in 1..=3 {
        served.send(missed(slot(number))).await;
    }
    for client in &mut clients {
        for number in 1..=3 {
            let text = client.until("\n\n").await;
            let text = match text.trim().is_empty() {
                true => client.until("\n\n").await,
                false => text,
            };
            assert!(
                text.contains("event: event\n") && text.contains(&slot(number).to_string()),
                "{text}"
            );
        }
    }
}

#[tokio::test]
async fn a_client_that_connects_again_misses_nothing() {
    let served = Served::start("").await;
    let mut client = Stream::silent(served.address, "").await;
    let begin = client.until(": connected").await;
    assert!(begin.contains("retry: 2000\n"), "{begin}");
    let begin = last_id(&begin);
    for number in 1..=2 {
        served.send(missed(slot(number))).await;
    }
    let first = last_id(&client.until("event: event").await);
    drop(client);
    served.send(missed(slot(3))).await;
    for (id, expected) in [(begin, vec![1, 2, 3]), (first, vec![2, 3])] {
        let mut client = Stream::silent(served.address, &format!("last-event-id: {id}\r\n")).await;
        let missed = client.until(": connected").await;
        let found: Vec<i64> = (0..=3)
            .filter(|number| missed.contains(&slot(*number).to_string()))
            .collect();
        assert_eq!(found, expected, "{missed}");
        assert!(!missed.contains("event: reload"), "{missed}");
    }
}

#[tokio::test]
async fn a_client_that_missed_too_much_loads_its_page_again() {
    let served = Served::start("max_events: 2").await;
    let mut client = Stream::silent(served.address, "").await;
    let begin = last_id(&client.until(": connected").await);
    for number in 0..4 {
        served.send(missed(slot(number))).await;
    }
    for id in [begin, "0-1".into(), "x".into(), String::new()] {
        let mut client = Stream::silent(served.address, &format!("last-event-id: {id}\r\n")).await;
        client.until("event: reload\ndata: {}\n\n").await;
        served.send(missed(slot(100 + id.len() as i64))).await;
        client.until("event: event").await;
    }
}

#[tokio::test]
async fn a_slow_client_does_not_delay_the_pipeline() {
    let served = Served::start("").await;
    let mut slow = Stream::connect(served.address, "").await;
    // More than the buffers of a socket and the bounded channel hold.
    const EVENTS: i64 = 20_000;
    for number in 0..EVENTS {
        served.send(missed(slot(number))).await;
    }
    slow.until("event: reload").await;
    served.send(missed(slot(EVENTS))).await;
    slow.until(&slot(EVENTS).to_string()).await;
}

#[tokio::test]
async fn streams_end_on_shutdown() {
    let mut served = Served::start("").await;
    let client = Stream::connect(served.address, "").await;
    served.running.shut_down();
    let rest = timeout(Duration::from_secs(20), client.rest())
        .await
        .expect("the stream ends");
    assert!(!rest.contains("event: event"), "{rest}");
    served.running.close_inbox();
    served.running.ended().await.unwrap();
}
