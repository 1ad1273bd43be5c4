//! Restarts and replicas: what was told of is not told of again, and what was missed is told of.

use std::sync::Arc;
use std::time::Duration;

use crate::support::running::{Run, id, run_with};
use crate::support::{Api, Reply, empty_list, lines};
use collector_config::ComponentId;
use collector_data::{Batch, Payload};
use collector_runtime::component::Kind;
use collector_runtime::health::Status;
use collector_runtime::storage::memory::MemoryStorage;
use collector_runtime::storage::{Leadership, StoreError};
use job_event::Evidence;
use job_event::evidence::Gap;
use job_tracker::checkpoint::Checkpoint;
use job_tracker::outbox::AckEvent;
use job_tracker::{Tracker, TrackerSettings};
use job_watch::{Kind as ObjectKind, Object, Observation, Source};
use serde_json::{Value, json};
use tokio::sync::watch;

const JOBS: &str = "/jobs?";
const EVENTS: &str = "/events?fieldSelector=involvedObject.kind%3DJob&";

/// A Job that failed at that second after the start, or runs.
fn job(name: &str, failed: Option<i64>) -> Value {
    let conditions = failed.map(|second| {
        let at = time(second);
        json!([{"type": "FailureTarget", "status": "True", "reason": "BackoffLimitExceeded", "lastTransitionTime": at},
            {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "lastTransitionTime": at}])
    });
    json!({"metadata": {"uid": uid(name), "name": name, "namespace": "n", "resourceVersion": "5"},
        "spec": {"backoffLimit": 0}, "status": {"conditions": conditions.unwrap_or(json!([]))}})
}

fn uid(name: &str) -> String {
    format!(
        "00000000-0000-0000-0000-{:012x}",
        name.bytes()
            .fold(1u64, |n, b| (n * 131 + u64::from(b)) % 0xffff_ffff_ffff)
    )
}

fn time(second: i64) -> String {
    let start: jiff::Timestamp = crate::support::running::START.parse().unwrap();
    (start + jiff::SignedDuration::from_secs(second)).to_string()
}

/// The Job controller's Event about the end of a Job.
fn end_of(name: &str, second: i64) -> Value {
    json!({"metadata": {"uid": format!("event-{name}"), "name": format!("{name}.1"), "namespace": "n", "resourceVersion": "6"},
        "source": {"component": "job-controller"},
        "involvedObject": {"apiVersion": "batch/v1", "kind": "Job", "name": name, "namespace": "n", "uid": uid(name)},
        "type": "Warning", "reason": "BackoffLimitExceeded", "message": "Job has reached the specified backoff limit",
        "count": 1, "firstTimestamp": time(second), "lastTimestamp": time(second)})
}

fn list(objects: &[Value]) -> Reply {
    Reply::List(7, String::new(), objects.to_vec())
}

fn changes(objects: &[(&str, Value)]) -> Reply {
    let text: Vec<String> = objects
        .iter()
        .map(|(kind, object)| json!({"type": kind, "object": object}).to_string())
        .collect();
    lines(&text.iter().map(String::as_str).collect::<Vec<_>>())
}

async fn start(api: &Api, storage: &MemoryStorage) -> Run {
    start_with(api, storage, "{}").await
}

async fn start_with(api: &Api, storage: &MemoryStorage, settings: &str) -> Run {
    let storage = Arc::new(storage.clone());
    run_with(api.client(), settings, |receiver| receiver.with_storage(storage, id())).await
}

/// As `kill -9` does it.
async fn kill(mut run: Run) {
    run.task.abort();
    let _ = (&mut run.task).await;
}

async fn stop(mut run: Run) {
    run.shutdown.cancel();
    (&mut run.task).await.unwrap().unwrap();
}

async fn next(run: &mut Run) -> (Evidence, Batch) {
    let batch = tokio::time::timeout(Duration::from_secs(120), run.logs.recv())
        .await
        .expect("an event")
        .unwrap();
    let Payload::Logs(logs) = &*batch.payload else { panic!() };
    let evidence = job_event::otlp::evidence(&logs[0].scope_logs[0].log_records[0]).unwrap();
    (evidence, batch)
}

#[tokio::test(start_paused = true)]
async fn what_ended_while_no_collector_ran_is_told_of_once_and_nothing_else() {
    let storage = MemoryStorage::new();
    let api = Api::new();
    api.then(
        &format!("{JOBS}watch"),
        [changes(&[("ADDED", job("a", None)), ("MODIFIED", job("a", Some(2)))])],
    );
    api.then(JOBS, [list(&[job("old", Some(-500))])]);
    let mut run = start(&api, &storage).await;
    assert_eq!(&*run.next_event().await.job.name, "a");
    run.no_event_for(Duration::from_secs(30)).await;
    kill(run).await;

    let later = [
        job("old", Some(-500)),
        job("a", Some(2)),
        job("b", Some(20)),
        job("c", None),
    ];
    for _ in 0..2 {
        let api = Api::new();
        api.then(JOBS, [list(&later)]);
        let mut run = start(&api, &storage).await;
        let (evidence, batch) = next(&mut run).await;
        assert_eq!(&*evidence.job.name, "b");
        assert_eq!(
            evidence.job.decided_at().unwrap().to_string(),
            time(20),
            "its true time"
        );
        run.no_event_for(Duration::from_secs(30)).await;
        // Killed before it was acknowledged: it comes again.
        kill(run).await;
        drop(batch);
    }
    let api = Api::new();
    api.then(JOBS, [list(&later)]);
    let mut run = start(&api, &storage).await;
    run.next_event().await;
    stop(run).await;
    let api = Api::new();
    api.then(JOBS, [list(&later)]);
    let mut run = start(&api, &storage).await;
    run.no_event_for(Duration::from_secs(120)).await;
}

#[tokio::test(start_paused = true)]
async fn what_ended_and_was_deleted_meanwhile_is_told_from_its_event() {
    let storage = MemoryStorage::new();
    let api = Api::new();
    api.then(EVENTS, [list(&[end_of("before", -100)])]);
    let mut run = start(&api, &storage).await;
    run.no_event_for(Duration::from_secs(60)).await;
    kill(run).await;

    let events = [end_of("before", -100), end_of("gone", 70), end_of("there", 71)];
    let api = Api::new();
    api.then(JOBS, [list(&[job("there", Some(71))])]);
    api.then(EVENTS, [list(&events)]);
    let mut run = start(&api, &storage).await;
    run.until(|status| *status == Status::Ok).await;
    let gaps = run.points("otelcol_k8s_job_watch_gap_seconds");
    assert_eq!(gaps.len(), 1, "the time in which nobody watched: {gaps:?}");
    let mut told = std::collections::BTreeMap::new();
    for _ in 0..2 {
        let evidence = run.next_event().await;
        told.insert(evidence.job.name.to_string(), evidence);
    }
    let gone = &told["gone"];
    assert_eq!(
        (gone.job.reason(), gone.job.outcome().as_str()),
        (Some("BackoffLimitExceeded"), "Failed")
    );
    assert_eq!((&*gone.job.namespace, &*gone.job.uid), ("n", &*uid("gone")));
    assert_eq!(gone.gaps, [Gap::EndNotSeen]);
    assert_eq!(gone.job.decided_at().unwrap().to_string(), time(70));
    assert!(!told["there"].gaps.contains(&Gap::EndNotSeen));
    run.no_event_for(Duration::from_secs(60)).await;
    assert_eq!(run.points("otelcol_k8s_job_recovered").len(), 1);
    kill(run).await;

    let api = Api::new();
    api.then(EVENTS, [list(&events)]);
    let mut run = start(&api, &storage).await;
    run.no_event_for(Duration::from_secs(60)).await;
}

#[tokio::test(start_paused = true)]
async fn a_run_of_a_cronjob_that_is_gone_is_still_one_of_its_runs() {
    let storage = MemoryStorage::new();
    let mut run = start(&Api::new(), &storage).await;
    run.no_event_for(Duration::from_secs(90)).await;
    kill(run).await;
    let slot: jiff::Timestamp = time(60).parse().unwrap();
    let run_name = format!("nightly-{}", slot.as_second() / 60);
    let cronjob = json!({"metadata": {"uid": uid("nightly"), "name": "nightly", "namespace": "n", "resourceVersion": "5",
        "creationTimestamp": time(-7200)}, "spec": {"schedule": "* * * * *"}});
    let api = Api::new();
    api.then("/cronjobs?", [list(&[cronjob])]);
    api.then(EVENTS, [list(&[end_of(&run_name, 70), end_of("nightly-by-hand", 71)])]);
    let mut run = start(&api, &storage).await;
    for _ in 0..2 {
        let evidence = run.next_event().await;
        let name = evidence.job.name;
        let owner = evidence
            .job
            .cronjob
            .map(|cronjob| (cronjob.name, cronjob.scheduled, cronjob.schedule));
        let expected = ("nightly".into(), Some(slot), Some("* * * * *".into()));
        assert_eq!(owner, (*name == run_name).then_some(expected), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn with_a_selector_events_say_nothing_about_jobs_that_are_not_seen() {
    let storage = MemoryStorage::new();
    for _ in 0..2 {
        let api = Api::new();
        api.then(EVENTS, [list(&[end_of("foreign", 50)])]);
        let mut run = start_with(&api, &storage, r#"{"label_selector":"team=a"}"#).await;
        run.no_event_for(Duration::from_secs(60)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn on_first_start_what_had_ended_may_be_reported_up_to_an_age() {
    let storage = MemoryStorage::new();
    let api = Api::new();
    let jobs = [job("recent", Some(-60)), job("old", Some(-7200))];
    api.then(JOBS, [list(&jobs)]);
    let mut run = start_with(
        &api,
        &storage,
        r#"{"on_first_start":"report_finished","finished_max_age":"1h"}"#,
    )
    .await;
    assert_eq!(&*run.next_event().await.job.name, "recent");
    run.no_event_for(Duration::from_secs(60)).await;
    kill(run).await;
    let api = Api::new();
    api.then(JOBS, [list(&jobs)]);
    let mut run = start_with(&api, &storage, r#"{"on_first_start":"report_finished"}"#).await;
    run.no_event_for(Duration::from_secs(60)).await;
}

#[tokio::test(start_paused = true)]
async fn killed_before_anything_was_listed_the_next_start_is_not_the_first() {
    let storage = MemoryStorage::new();
    let api = Api::new();
    api.then(JOBS, [Reply::Silence]);
    let mut run = start(&api, &storage).await;
    // Sooner than anything is stored that is not in a hurry.
    run.no_event_for(Duration::from_millis(100)).await;
    kill(run).await;
    tokio::time::advance(Duration::from_secs(9)).await;
    let api = Api::new();
    api.then(JOBS, [list(&[job("before", Some(-60)), job("between", Some(1))])]);
    let mut run = start(&api, &storage).await;
    assert_eq!(&*run.next_event().await.job.name, "between");
    run.no_event_for(Duration::from_secs(60)).await;
}

#[tokio::test(start_paused = true)]
async fn a_job_that_ended_right_before_the_first_start_is_not_told_from_its_event_later() {
    let storage = MemoryStorage::new();
    let api = Api::new();
    api.then(JOBS, [list(&[job("old", Some(-1))])]);
    let mut run = start(&api, &storage).await;
    run.no_event_for(Duration::from_secs(9)).await;
    kill(run).await;
    // The Job is gone; its Event bears a time after the start.
    let api = Api::new();
    api.then(EVENTS, [list(&[end_of("old", 1)])]);
    let mut run = start(&api, &storage).await;
    run.no_event_for(Duration::from_secs(60)).await;
}

#[test]
fn while_jobs_are_being_listed_the_watermark_stays() {
    let at = |second| time(second).parse::<jiff::Timestamp>().unwrap();
    let seen = |name: &str, second| {
        let job = serde_json::from_value(job(name, Some(second))).unwrap();
        Observation::Listed(Object::Job(Box::new(job)))
    };
    let jobs = Source {
        kind: ObjectKind::Jobs,
        scope: 0,
    };
    let mut tracker = Tracker::new(TrackerSettings::default());
    tracker.restore(Checkpoint::new(100), Vec::new());
    tracker.begin(at(0));
    let now = at(5000);
    tracker.apply(jobs, Observation::ListBegins, now);
    tracker.apply(jobs, seen("first-page", 4000), now);
    let told = tracker.poll(at(5010)).unwrap();
    assert_eq!(&*told.job.name, "first-page");
    tracker
        .outbox()
        .apply(&job_event::Uid::new(&told.job.uid), AckEvent::Acknowledged);
    let stored = tracker.outbox().encode(at(5010));
    let mut after = Tracker::new(TrackerSettings::default());
    after.restore(Checkpoint::decode(stored, 100).unwrap(), Vec::new());
    after.begin(at(5020));
    after.apply(jobs, Observation::ListBegins, at(5020));
    for job in [seen("first-page", 4000), seen("second-page", 10)] {
        after.apply(jobs, job, at(5020));
    }
    after.apply(jobs, Observation::ListEnds, at(5020));
    assert_eq!(&*after.poll(at(5030)).unwrap().job.name, "second-page");
    assert!(after.poll(at(5030)).is_none());
}

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
async fn a_replica_that_takes_over_tells_of_what_the_leader_had_not_delivered() {
    let storage = MemoryStorage::new();
    let [(lead_a, a), (lead_b, b)] = replicas(&storage);
    let api = Api::new();
    // Both see the same: three Jobs fail, one of them is deleted at once.
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
    let (on_its_way, other) = next(&mut first).await;
    assert_eq!(&*on_its_way.job.name, "c");
    second.no_event_for(Duration::from_secs(20)).await;

    lead_a.send_replace(false);
    lead_b.send_replace(true);
    let mut told = [second.next_event().await, second.next_event().await];
    told.sort_by(|a, b| a.job.name.cmp(&b.job.name));
    assert_eq!((&*told[0].job.name, &*told[1].job.name), ("b", "c"));
    assert_eq!(told[0].job, undelivered.job, "the same event");
    second.no_event_for(Duration::from_secs(20)).await;

    // The old leader hears late that its events were not counted, and leaves them to the other.
    batch.ack.deferred("another replica counts");
    other.ack.deferred("another replica counts");
    first.no_event_for(Duration::from_secs(20)).await;
    assert_eq!(first.status(), Status::Ok, "standing by is no illness");
    // Back in the lead, it knows what the other has told of.
    lead_b.send_replace(false);
    lead_a.send_replace(true);
    first.no_event_for(Duration::from_secs(20)).await;
}

#[tokio::test(start_paused = true)]
async fn a_deferred_event_is_sent_again_by_whoever_leads() {
    let storage = MemoryStorage::new();
    let [(_lead, a), _] = replicas(&storage);
    let api = Api::new();
    api.then(&format!("{JOBS}watch"), [changes(&[("ADDED", job("a", Some(2)))])]);
    let mut run = start(&api, &a).await;
    let (evidence, batch) = next(&mut run).await;
    batch.ack.deferred("it may not count yet");
    let (again, batch) = next(&mut run).await;
    assert_eq!(again, evidence);
    batch.ack.delivered();
    run.no_event_for(Duration::from_secs(20)).await;
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_work_holds_up_the_start_and_shows_in_the_condition() {
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
        "nothing is read before it is known what was told of"
    );
    storage.fail(None);
    run.next_event().await;
    run.until(|status| *status == Status::Ok).await;
    // Later, too: what is not written down is bounded, and written when it works again.
    storage.fail(Some(StoreError::Unavailable("the disk is full".into())));
    run.until(|status| matches!(status, Status::RecoverableError(_))).await;
    storage.fail(None);
    run.until(|status| *status == Status::Ok).await;
    stop(run).await;
    assert_eq!(storage.content(Kind::Receiver, &id()).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn no_more_is_told_than_a_restart_may_repeat() {
    let storage = MemoryStorage::new().with_capacity(200_000);
    let api = Api::new();
    let jobs: Vec<Value> = (0..1500).map(|n| job(&format!("j{n}"), Some(2))).collect();
    let added: Vec<(&str, Value)> = jobs.into_iter().map(|job| ("ADDED", job)).collect();
    api.then(&format!("{JOBS}watch"), [changes(&added)]);
    let mut run = start(&api, &storage).await;
    let mut held = Vec::new();
    for _ in 0..1024 {
        held.push(next(&mut run).await.1);
    }
    run.no_event_for(Duration::from_secs(60)).await;
    for batch in held.drain(..) {
        batch.ack.delivered();
    }
    for _ in 1024..1500 {
        held.push(next(&mut run).await.1);
    }
    assert!(storage.content(Kind::Receiver, &id())["checkpoint"].len() < 200_000);
}

#[tokio::test(start_paused = true)]
async fn two_collectors_without_an_elector_do_not_take_turns() {
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

#[tokio::test(start_paused = true)]
async fn a_checkpoint_of_a_later_version_is_not_written_over() {
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

#[tokio::test(start_paused = true)]
async fn a_shutdown_does_not_say_deleted_of_a_job_whose_event_is_still_to_come() {
    let storage = MemoryStorage::new();
    let api = Api::new();
    let gone = crate::support::status(410, None);
    api.then(&format!("{JOBS}watch"), [changes(&[("ADDED", job("a", None))]), gone]);
    // The first watch ends, the second is refused, and the list has the Job no more.
    api.then(JOBS, [empty_list(1), empty_list(8)]);
    let mut run = start(&api, &storage).await;
    tokio::time::timeout(Duration::from_secs(600), async {
        while api.asked("/jobs?limit").len() < 2 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await
    .expect("a second list");
    run.shutdown.cancel();
    (&mut run.task).await.unwrap().unwrap();
    assert!(run.logs.try_recv().is_err(), "nothing is known of its end yet");

    let api = Api::new();
    api.then(EVENTS, [list(&[end_of("a", 1)])]);
    let mut run = start(&api, &storage).await;
    let evidence = run.next_event().await;
    assert_eq!((&*evidence.job.name, evidence.job.outcome().as_str()), ("a", "Failed"));
}

/// A watch of Events that says after three seconds what is left of a Job.
fn late_event(name: &str, ended: i64) -> Reply {
    let event = json!({"type": "ADDED", "object": end_of(name, ended)});
    Reply::Stream(vec![
        crate::support::Piece::Wait(Duration::from_secs(3)),
        crate::support::Piece::Data(format!("{event}\n")),
        crate::support::Piece::Hang,
    ])
}

#[tokio::test(start_paused = true)]
async fn an_event_that_comes_late_tells_of_a_job_that_was_gone_before_the_list() {
    let storage = MemoryStorage::new();
    let mut run = start(&Api::new(), &storage).await;
    run.no_event_for(Duration::from_secs(60)).await;
    kill(run).await;
    // It ended while nobody watched, and its Event comes after the lists.
    let api = Api::new();
    api.then(&format!("{EVENTS}watch"), [late_event("gone", 30)]);
    let mut run = start(&api, &storage).await;
    let told = tokio::time::timeout(Duration::from_secs(20), run.next_event()).await;
    assert_eq!(&*told.expect("soon").job.name, "gone");
    kill(run).await;
    // This one ended after the list, as its clock has it: its own stream may be late, so there is more patience.
    let api = Api::new();
    api.then(&format!("{EVENTS}watch"), [late_event("late", 10_000)]);
    let mut run = start(&api, &storage).await;
    run.no_event_for(Duration::from_secs(60)).await;
    let told = tokio::time::timeout(Duration::from_secs(200), run.next_event()).await;
    assert_eq!(&*told.expect("in the end").job.name, "late");
}
