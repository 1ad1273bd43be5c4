//! Bytes, which are the same on every machine.

use jiff::{SignedDuration, Timestamp};

use crate::support::{Served, recorded, recordings, with_time};

/// An answer of the overview, bytes.
const MOST: usize = 200 * 1024;

/// As many events of recordings as are kept by default, within the last day.
async fn full(more: &str) -> Served {
    let served = Served::start(more).await;
    let events: Vec<_> = recordings().iter().flat_map(|name| recorded(name)).collect();
    let now = Timestamp::now();
    for number in 0..2000 {
        let time = now - SignedDuration::from_secs(number * 40);
        let number = usize::try_from(number).unwrap();
        served
            .send(with_time(&events[number % events.len()], number, time))
            .await;
    }
    served
}

#[tokio::test]
async fn two_thousand_events_stay_within_their_limits() {
    let served = full("").await;
    let kept = served.kept().await;
    assert_eq!(kept, 2000);
    let bytes = served
        .host
        .metrics
        .sum("otelcol_exporter_web_events_size_bytes")
        .unwrap();
    assert!(bytes < 8 << 20, "{bytes} bytes");
    let overview = served.get("/api/v1/overview").await;
    assert!(overview.body.len() < MOST, "{} bytes", overview.body.len());
    let events = served.get("/api/v1/events").await;
    assert!(events.body.len() < MOST, "{} bytes", events.body.len());
    println!(
        "{bytes} bytes kept, {} bytes of overview, {} of events",
        overview.body.len(),
        events.body.len()
    );
}

#[tokio::test]
async fn max_bytes_bounds_the_kept_events() {
    let served = full("max_bytes: 65536").await;
    let bytes = served
        .host
        .metrics
        .sum("otelcol_exporter_web_events_size_bytes")
        .unwrap();
    assert!((32 * 1024..=65536).contains(&bytes), "{bytes}");
    assert!(served.kept().await > 10);
}
