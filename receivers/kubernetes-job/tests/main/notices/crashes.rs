//! The receiver is killed between the steps of a notice: each is delivered, and known by one id.

use std::collections::BTreeMap;
use std::time::Duration;

use collector_runtime::storage::memory::MemoryStorage;
use job_event::attributes as attr;
use opentelemetry_proto::tonic::logs::v1::LogRecord;

use super::{kill, missed, next, next_delivered, stalled, start, text};
use crate::support::Api;

/// The step after which the receiver is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The announcement is stored and the event sent.
    Sent,
    /// The event is acknowledged, and its mark not stored.
    Acknowledged,
    /// The mark is stored.
    Stored,
}

/// The first event, after which the receiver is killed at that step.
async fn killed_after(step: Step, api: &Api, storage: &MemoryStorage) -> LogRecord {
    let mut run = start(api, storage).await;
    let (record, batch) = next(&mut run).await;
    if step != Step::Sent {
        batch.ack.delivered();
        // A write follows a second later.
        let wait = if step == Step::Acknowledged { 300 } else { 5000 };
        tokio::time::sleep(Duration::from_millis(wait)).await;
    }
    kill(run).await;
    record
}

fn id(record: &LogRecord) -> &str {
    text(record, attr::RECORD_UID)
}

async fn a_stall_survives(step: Step) {
    let storage = MemoryStorage::new();
    let first = killed_after(step, &stalled::cluster(&["a"], None), &storage).await;
    assert_eq!(first.event_name, "k8s.job.stalled");
    let mut run = start(&stalled::cluster(&["a"], Some(120)), &storage).await;
    if step != Step::Stored {
        assert_eq!(id(&next_delivered(&mut run).await), id(&first), "{step:?}");
    }
    let recovered = next_delivered(&mut run).await;
    assert_eq!(recovered.event_name, "k8s.job.recovered");
    run.no_event_for(Duration::from_secs(600)).await;
    kill(run).await;
}

#[tokio::test(start_paused = true)]
async fn a_stall_survives_a_kill_after_it_was_sent() {
    a_stall_survives(Step::Sent).await;
}

#[tokio::test(start_paused = true)]
async fn a_stall_survives_a_kill_after_its_acknowledgement() {
    a_stall_survives(Step::Acknowledged).await;
}

#[tokio::test(start_paused = true)]
async fn a_stored_stall_survives_a_kill() {
    a_stall_survives(Step::Stored).await;
}

#[tokio::test(start_paused = true)]
async fn a_stall_that_is_over_after_a_kill_still_recovers() {
    let storage = MemoryStorage::new();
    killed_after(Step::Sent, &stalled::cluster(&["a"], None), &storage).await;
    // It moved while no collector ran.
    let mut run = start(&stalled::cluster_that_runs("a", 130), &storage).await;
    assert_eq!(next_delivered(&mut run).await.event_name, "k8s.job.recovered");
    run.no_event_for(Duration::from_secs(600)).await;
}

async fn missed_runs_survive(step: Step) {
    let storage = MemoryStorage::new();
    let first = killed_after(step, &missed::cluster(None, false), &storage).await;
    assert_eq!(first.event_name, "k8s.cronjob.missed");
    let mut run = start(&missed::cluster(None, false), &storage).await;
    let mut found = BTreeMap::new();
    for _ in 0..3 {
        let record = next_delivered(&mut run).await;
        assert!(found.insert(id(&record).to_owned(), record).is_none(), "an event twice");
    }
    match found.get(id(&first)) {
        Some(again) => {
            assert_ne!(step, Step::Stored);
            let slots = |record: &LogRecord| (text(record, attr::MISSED_LAST).to_owned(), missed::count(record));
            assert_eq!(slots(again), slots(&first), "the same slots");
        }
        None => assert_eq!(step, Step::Stored),
    }
    kill(run).await;
}

#[tokio::test(start_paused = true)]
async fn missed_runs_survive_a_kill_after_they_were_sent() {
    missed_runs_survive(Step::Sent).await;
}

#[tokio::test(start_paused = true)]
async fn missed_runs_survive_a_kill_after_acknowledgement() {
    missed_runs_survive(Step::Acknowledged).await;
}

#[tokio::test(start_paused = true)]
async fn stored_missed_runs_survive_a_kill() {
    missed_runs_survive(Step::Stored).await;
}
