//! Stores that are unavailable, small, or written by another release.

use std::time::Duration;

use collector_data::Batch;
use collector_runtime::component::Kind;
use collector_runtime::health::Status;
use collector_runtime::storage::StoreError;
use collector_runtime::storage::memory::MemoryStorage;
use serde_json::Value;

use super::{JOBS, changes, job, next, start, stop};
use crate::support::Api;
use crate::support::empty_list;
use crate::support::running::{Run, id};

#[tokio::test(start_paused = true)]
async fn an_unavailable_store_delays_the_start_and_shows_in_health() {
    let storage = MemoryStorage::new();
    storage.fail(Some(StoreError::Unavailable("the disk is full".into())));
    let api = Api::new();
    api.then(&format!("{JOBS}watch"), [changes(&[("ADDED", job("a", Some(2)))])]);
    let mut run = start(&api, &storage).await;
    run.until(|status| matches!(status, Status::RecoverableError(why) if why.contains("the disk is full")))
        .await;
    assert_eq!(
        api.asked("/jobs").len(),
        0,
        "nothing is listed before the checkpoint is read"
    );
    storage.fail(None);
    run.next_event().await;
    run.until(|status| *status == Status::Ok).await;
    // The same while it runs; the checkpoint is written once the store is available again.
    storage.fail(Some(StoreError::Unavailable("the disk is full".into())));
    run.until(|status| matches!(status, Status::RecoverableError(_))).await;
    storage.fail(None);
    run.until(|status| *status == Status::Ok).await;
    stop(run).await;
    assert_eq!(storage.content(Kind::Receiver, &id()).len(), 1);
}

/// A receiver with 1,500 failed Jobs, and the first 1,024 events: more may not be sent before these are acknowledged.
async fn with_many_jobs(storage: &MemoryStorage) -> (Run, Vec<Batch>) {
    let api = Api::new();
    let jobs: Vec<Value> = (0..1500).map(|n| job(&format!("j{n}"), Some(2))).collect();
    let added: Vec<(&str, Value)> = jobs.into_iter().map(|job| ("ADDED", job)).collect();
    api.then(&format!("{JOBS}watch"), [changes(&added)]);
    let mut run = start(&api, storage).await;
    let mut unacknowledged = Vec::new();
    for _ in 0..1024 {
        unacknowledged.push(next(&mut run).await.1);
    }
    (run, unacknowledged)
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_sends_no_more_jobs_than_the_store_allows() {
    let storage = MemoryStorage::new().with_capacity(200_000);
    let (mut run, unacknowledged) = with_many_jobs(&storage).await;
    run.shutdown.cancel();
    assert!(run.logs.recv().await.is_none(), "the others wait for the next start");
    for batch in unacknowledged {
        batch.ack.delivered();
    }
    (&mut run.task).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn bounds_reported_jobs_that_are_not_stored() {
    let storage = MemoryStorage::new().with_capacity(200_000);
    let (mut run, mut unacknowledged) = with_many_jobs(&storage).await;
    run.no_event_for(Duration::from_secs(60)).await;
    for batch in unacknowledged.drain(..) {
        batch.ack.delivered();
    }
    for _ in 1024..1500 {
        unacknowledged.push(next(&mut run).await.1);
    }
    assert!(storage.content(Kind::Receiver, &id())["checkpoint"].len() < 200_000);
}

#[tokio::test(start_paused = true)]
async fn keeps_a_checkpoint_of_a_later_version() {
    let storage = MemoryStorage::new();
    let api = Api::new();
    api.then(JOBS, [empty_list(1)]);
    let mut run = start(&api, &storage).await;
    run.until(|status| *status == Status::Ok).await;
    run.no_event_for(Duration::from_secs(5)).await;
    stop(run).await;
    let store = collector_runtime::storage::Storage::open(&storage, Kind::Receiver, &id())
        .await
        .unwrap();
    store.claim().await.unwrap();
    let later = collector_runtime::storage::Change::Set("checkpoint".into(), vec![9].into());
    store.apply(vec![later]).await.unwrap();
    let mut run = start(&api, &storage).await;
    let ended = (&mut run.task).await.unwrap().unwrap_err().to_string();
    assert!(ended.contains("version 9") && ended.contains("delete it"), "{ended}");
    assert_eq!(storage.content(Kind::Receiver, &id())["checkpoint"], vec![9]);
}
