//! Replicas that share a store.

use std::time::Duration;

use collector_config::ComponentId;
use collector_runtime::health::Status;
use collector_runtime::storage::Leadership;
use collector_runtime::storage::memory::MemoryStorage;
use tokio::sync::watch;

use super::{JOBS, changes, job, next, start, stop};
use crate::support::Api;

fn replicas(storage: &MemoryStorage) -> [(watch::Sender<bool>, MemoryStorage); 2] {
    let elector = ComponentId {
        type_name: "k8s_leader_elector".into(),
        name: None,
    };
    [true, false].map(|leads| {
        let (sender, receiver) = watch::channel(leads);
        (sender, storage.replica(elector.clone(), Leadership(receiver)))
    })
}

#[tokio::test(start_paused = true)]
async fn a_new_leader_reports_unacknowledged_jobs() {
    let storage = MemoryStorage::new();
    let [(lead_a, a), (lead_b, b)] = replicas(&storage);
    let api = Api::new();
    // Both observe the same: three Jobs fail, one of them is deleted at once.
    for _ in 0..2 {
        api.then(
            &format!("{JOBS}watch"),
            [changes(&[
                ("ADDED", job("a", None)),
                ("MODIFIED", job("a", Some(2))),
                ("ADDED", job("b", Some(3))),
                ("ADDED", job("c", Some(3))),
                ("DELETED", job("c", Some(3))),
            ])],
        );
    }
    let mut first = start(&api, &a).await;
    first.until(|status| *status == Status::Ok).await;
    let mut second = start(&api, &b).await;
    second.until(|status| *status == Status::Ok).await;
    assert_eq!(&*first.next_event().await.job.name, "a");
    let (undelivered, batch) = next(&mut first).await;
    assert_eq!(&*undelivered.job.name, "b");
    let (second_undelivered, other) = next(&mut first).await;
    assert_eq!(&*second_undelivered.job.name, "c");
    second.no_event_for(Duration::from_secs(20)).await;

    lead_a.send_replace(false);
    lead_b.send_replace(true);
    let mut reported = [second.next_event().await, second.next_event().await];
    reported.sort_by(|a, b| a.job.name.cmp(&b.job.name));
    assert_eq!((&*reported[0].job.name, &*reported[1].job.name), ("b", "c"));
    assert_eq!(reported[0].job, undelivered.job, "the same event");
    second.no_event_for(Duration::from_secs(20)).await;

    // The old leader's events are deferred late; the new leader reports these Jobs.
    batch.ack.deferred("another replica leads");
    other.ack.deferred("another replica leads");
    first.no_event_for(Duration::from_secs(20)).await;
    assert_eq!(first.status(), Status::Ok, "a standby replica is healthy");
    // It leads again, and has the Jobs that the other replica reported.
    lead_b.send_replace(false);
    lead_a.send_replace(true);
    first.no_event_for(Duration::from_secs(20)).await;
}

#[tokio::test(start_paused = true)]
async fn the_leader_sends_a_deferred_event_again() {
    let storage = MemoryStorage::new();
    let [(_lead, a), _] = replicas(&storage);
    let api = Api::new();
    api.then(&format!("{JOBS}watch"), [changes(&[("ADDED", job("a", Some(2)))])]);
    let mut run = start(&api, &a).await;
    let (evidence, batch) = next(&mut run).await;
    batch.ack.deferred("another replica leads");
    let (again, batch) = next(&mut run).await;
    assert_eq!(again, evidence);
    batch.ack.delivered();
    run.no_event_for(Duration::from_secs(20)).await;
}

#[tokio::test(start_paused = true)]
async fn ends_when_another_collector_claims_the_store() {
    let storage = MemoryStorage::new();
    let api = Api::new();
    let mut old = start(&api, &storage).await;
    old.until(|status| *status == Status::Ok).await;
    let mut new = start(&api, &storage).await;
    new.until(|status| *status == Status::Ok).await;
    let ended = (&mut old.task).await.unwrap().unwrap_err().to_string();
    assert!(
        ended.contains("two collectors") && ended.contains("leader elector"),
        "{ended}"
    );
    new.no_event_for(Duration::from_secs(300)).await;
    stop(new).await;
}
