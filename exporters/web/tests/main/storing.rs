use std::collections::BTreeMap;

use bytes::Bytes;
use collector_data::Outcome;
use collector_runtime::component::Kind;
use collector_runtime::storage::memory::MemoryStorage;
use collector_runtime::storage::{Change, Leadership, Offer, Storage, StoreError};
use collector_testing::{Host, id};
use jiff::Timestamp;
use tokio::sync::watch;

use crate::support::{Served, get, missed, recorded};

const SETTINGS: &str = "storage: file_storage";

fn slot(number: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + number).unwrap()
}

async fn start(storage: &MemoryStorage, more: &str) -> Served {
    let host = Host::new("web").with_storage("file_storage", storage.clone());
    let served = Served::on(host, &format!("{SETTINGS}\n{more}")).await;
    until_ready(&served).await;
    served
}

/// Waits until the stored events are read.
async fn until_ready(served: &Served) {
    while served.get("/api/v1/overview").await.status == 503 {
        tokio::task::yield_now().await;
    }
}

fn stored(storage: &MemoryStorage) -> BTreeMap<String, Bytes> {
    storage.content(Kind::Exporter, &id("web"))
}

/// The ids of all kept events, latest received first.
async fn ids(served: &Served) -> Vec<String> {
    let listed = served.json("/events?limit=1000").await;
    let events = listed["events"].as_array().unwrap();
    events
        .iter()
        .map(|event| event["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn events_survive_a_crash_once_acknowledged() {
    let storage = MemoryStorage::new();
    let events = recorded("cron-failing");
    let served = start(&storage, "").await;
    for event in events.clone() {
        served.send(event).await;
    }
    let before = ids(&served).await;
    assert!(before.len() > 1);
    let path = served.json("/events?limit=1").await["events"][0].clone();
    let path = format!(
        "/jobs/{}/{}",
        path["namespace"].as_str().unwrap(),
        path["name"].as_str().unwrap()
    );
    let mut job = served.json(&path).await;
    served.running.kill().await;
    let again = start(&storage, "").await;
    assert_eq!(ids(&again).await, before);
    let mut job_again = again.json(&path).await;
    for job in [&mut job, &mut job_again] {
        job["now"].take();
    }
    assert_eq!(job_again, job);
    for event in events {
        again.send(event).await;
    }
    assert_eq!(ids(&again).await, before, "a resent event is known");
}

#[tokio::test]
async fn each_event_costs_one_small_write() {
    let storage = MemoryStorage::new();
    let served = start(&storage, "max_events: 3").await;
    for number in 0..6 {
        served.send(missed(slot(number))).await;
        let keys: Vec<String> = stored(&storage).into_keys().collect();
        assert_eq!(storage.writes(), usize::try_from(number + 1).unwrap());
        let from = (number - 1).max(1);
        let expected: Vec<String> = (from..=number + 1)
            .map(|number| format!("event/{number:016x}"))
            .collect();
        // An event that left memory leaves the store with the next write.
        assert_eq!(keys[keys.len() - expected.len()..], expected);
        assert!(keys.len() <= 3, "{keys:?}");
    }
}

#[tokio::test]
async fn damaged_entries_are_skipped_and_counted() {
    let storage = MemoryStorage::new();
    let served = start(&storage, "").await;
    for number in 0..4 {
        served.send(missed(slot(number))).await;
    }
    let before = ids(&served).await;
    served.running.kill().await;
    let store = storage.open(Kind::Exporter, &id("web")).await.unwrap();
    store.claim().await.unwrap();
    let key = |number: u64| format!("event/{number:016x}");
    let mut later = stored(&storage)[&key(3)].to_vec();
    later[0] = 2;
    let changes = vec![
        Change::Set(key(2), Bytes::from_static(b"\x01not zstd")),
        Change::Set(key(3), later.into()),
        Change::Set("event/x".into(), Bytes::from_static(b"")),
        Change::Set("event/ffffffffffffffff".into(), Bytes::from_static(b"")),
    ];
    store.apply(changes).await.unwrap();
    let served = start(&storage, "").await;
    assert_eq!(ids(&served).await, [before[0].clone(), before[3].clone()]);
    assert_eq!(served.host.metrics.sum("otelcol_exporter_web_damaged_events"), Some(4));
    served.send(missed(slot(9))).await;
    let keys: Vec<String> = stored(&storage).into_keys().collect();
    assert_eq!(keys, [1, 2, 3, 4, 5].map(key), "keys that are no numbers are deleted");
}

#[tokio::test]
async fn every_cut_of_a_stored_event_is_skipped() {
    let storage = MemoryStorage::new();
    let served = start(&storage, "").await;
    served.send(recorded("deadline-seed").remove(0)).await;
    served.running.kill().await;
    let (key, whole) = stored(&storage).pop_first().unwrap();
    let store = storage.open(Kind::Exporter, &id("web")).await.unwrap();
    for length in (0..whole.len()).step_by(whole.len() / 20) {
        store.claim().await.unwrap();
        store
            .apply(vec![Change::Set(key.clone(), whole.slice(..length))])
            .await
            .unwrap();
        let served = start(&storage, "").await;
        assert_eq!(served.kept().await, 0, "{length} bytes");
        served.running.kill().await;
    }
}

#[tokio::test]
async fn a_small_store_has_the_newest_events() {
    let storage = MemoryStorage::new().with_capacity(8000);
    let served = start(&storage, "").await;
    for number in 0..40 {
        drop(served.begin(missed(slot(number))).await);
    }
    // The last acknowledgement follows the last write.
    served.send(missed(slot(40))).await;
    let size: usize = stored(&storage)
        .iter()
        .map(|(key, value)| key.len() + value.len())
        .sum();
    assert!((7000..=8000).contains(&size), "{size}");
    assert_eq!(served.kept().await, 41, "memory has all of them");
    let all = ids(&served).await;
    served.running.kill().await;
    let again = start(&storage, "").await;
    let newest = ids(&again).await;
    assert!(newest.len() > 5, "{}", newest.len());
    assert_eq!(newest[..], all[..newest.len()]);
}

#[tokio::test]
async fn an_event_that_is_too_large_for_a_small_store_stays_in_memory() {
    let storage = MemoryStorage::new().with_capacity(4000);
    let served = start(&storage, "").await;
    served.send(recorded("backoff-exit1-retries").remove(0)).await;
    assert_eq!((served.kept().await, stored(&storage).len()), (1, 0));
    assert_eq!(served.host.metrics.sum("otelcol_exporter_web_unstored_events"), Some(1));
}

#[tokio::test(start_paused = true)]
async fn an_unavailable_store_delays_acknowledgements_for_seconds_only() {
    let storage = MemoryStorage::new();
    let host = Host::new("web").with_storage("file_storage", storage.clone());
    storage.fail(None);
    let served = Served::on(host, SETTINGS).await;
    served.send(missed(slot(0))).await;
    storage.fail(Some(StoreError::Unavailable("disk full".into())));
    let begun = tokio::time::Instant::now();
    let deliveries = [served.begin(missed(slot(1))).await, served.begin(missed(slot(2))).await];
    for delivery in deliveries {
        assert_eq!(delivery.await, Outcome::Delivered);
    }
    let waited = begun.elapsed().as_secs();
    assert!((5..6).contains(&waited), "{waited}");
    storage.fail(None);
    served.send(missed(slot(3))).await;
    assert_eq!(stored(&storage).len(), 4);
}

#[tokio::test]
async fn an_unusable_store_does_not_fail_the_pipeline() {
    let storage = MemoryStorage::new();
    let served = start(&storage, "").await;
    storage.fail(Some(StoreError::Permanent("broken".into())));
    served.send(missed(slot(0))).await;
    served.send(missed(slot(1))).await;
    assert_eq!(served.kept().await, 2);
    let status = served.json("/status").await;
    assert!(status.to_string().contains("cannot store events: broken"), "{status}");
    served.running.stop().await.unwrap();
}

/// A replica and the switch of its leadership.
async fn replica(storage: &MemoryStorage, leads: bool) -> (Served, watch::Sender<bool>) {
    let (sender, receiver) = watch::channel(leads);
    let leadership = Leadership(receiver);
    let elector = id("k8s_leader_elector");
    let storage = storage.replica(elector.clone(), leadership.clone());
    let offer = Offer {
        leadership: Some(leadership),
        ..Offer::default()
    };
    let host = Host::new("web")
        .with_storage("k8s_storage", storage)
        .with_offer("k8s_leader_elector", offer);
    let reporter = host.health.reporter("extensions::k8s_leader_elector");
    reporter.report(collector_runtime::health::Status::Ok);
    reporter.detail("leader", "pod-a");
    (Served::on(host, "storage: k8s_storage").await, sender)
}

#[tokio::test]
async fn a_standby_names_the_leader_and_takes_over_its_events() {
    let storage = MemoryStorage::new();
    let (first, first_leads) = replica(&storage, true).await;
    let (second, second_leads) = replica(&storage, false).await;
    until_ready(&first).await;
    first.send(missed(slot(0))).await;
    for path in [
        "/api/v1/overview",
        "/api/v1/events",
        "/api/v1/jobs/a/b",
        "/api/v1/owners/a/b/c",
        "/api/v1/stream",
    ] {
        let answer = get(second.address, path, "").await;
        assert_eq!(answer.status, 503, "{path}");
        let error = &answer.json()["error"];
        assert_eq!(
            (&error["code"], &error["leader"]),
            (&"standby".into(), &"pod-a".into()),
            "{path}"
        );
    }
    assert_eq!(second.get("/api/v1/status").await.status, 200);
    first_leads.send_replace(false);
    second_leads.send_replace(true);
    until_ready(&second).await;
    second.send(missed(slot(1))).await;
    let both = ids(&second).await;
    assert_eq!(both.len(), 2);
    assert_eq!(first.get("/api/v1/overview").await.status, 503);
    // The first one leads again, and reads the events of the second.
    second_leads.send_replace(false);
    first_leads.send_replace(true);
    until_ready(&first).await;
    assert_eq!(ids(&first).await, both);
    first.send(missed(slot(2))).await;
    assert_eq!(stored(&storage).len(), 3);
}

/// Two replicas believe for a moment that they lead, as after a pause of the first one.
#[tokio::test(start_paused = true)]
async fn a_replica_whose_write_is_fenced_claims_the_store_again() {
    let storage = MemoryStorage::new();
    let (first, _leads) = replica(&storage, true).await;
    until_ready(&first).await;
    let (second, second_leads) = replica(&storage, true).await;
    until_ready(&second).await;
    second_leads.send_replace(false);
    first.send(missed(slot(0))).await;
    assert_eq!(stored(&storage).len(), 1);
}

#[tokio::test]
async fn streams_end_when_another_replica_leads() {
    let storage = MemoryStorage::new();
    let (served, leads) = replica(&storage, true).await;
    until_ready(&served).await;
    let stream = crate::support::Stream::connect(served.address, "").await;
    leads.send_replace(false);
    stream.rest().await;
}
