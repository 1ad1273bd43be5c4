//! Jobs that finish around a restart.

use std::time::Duration;

use collector_data::Ack;
use collector_runtime::health::Status;
use collector_runtime::storage::memory::MemoryStorage;
use job_event::evidence::Gap;
use serde_json::{Value, json};

use super::{EVENTS, JOBS, changes, end_of, job, kill, list, next, start, start_with, stop, time, uid};
use crate::support::Api;
use crate::support::Piece;
use crate::support::Reply;
use crate::support::empty_list;
use crate::support::status;

#[tokio::test(start_paused = true)]
async fn reports_jobs_finished_between_runs_once() {
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
        // Killed before the acknowledgement: the event is sent again.
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
async fn reports_jobs_deleted_between_runs_from_their_events() {
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
    assert_eq!(gaps.len(), 1, "the time between the runs: {gaps:?}");
    let mut reported = std::collections::BTreeMap::new();
    for _ in 0..2 {
        let evidence = run.next_event().await;
        reported.insert(evidence.job.name.to_string(), evidence);
    }
    let gone = &reported["gone"];
    assert_eq!(
        (gone.job.reason(), gone.job.outcome().as_str()),
        (Some("BackoffLimitExceeded"), "Failed")
    );
    assert_eq!((&*gone.job.namespace, &*gone.job.uid), ("n", &*uid("gone")));
    assert_eq!(gone.gaps, [Gap::EndNotSeen]);
    assert_eq!(gone.job.decided_at().unwrap().to_string(), time(70));
    assert!(!reported["there"].gaps.contains(&Gap::EndNotSeen));
    run.no_event_for(Duration::from_secs(60)).await;
    assert_eq!(run.points("otelcol_k8s_job_recovered").len(), 1);
    kill(run).await;

    let api = Api::new();
    api.then(EVENTS, [list(&events)]);
    let mut run = start(&api, &storage).await;
    run.no_event_for(Duration::from_secs(60)).await;
}

/// A version of a Job that failed at that second, or runs.
fn version(name: &str, failed: Option<i64>, version: u64) -> Value {
    let mut job = job(name, failed);
    job["metadata"]["resourceVersion"] = version.to_string().into();
    job
}

#[tokio::test(start_paused = true)]
async fn a_job_that_came_and_went_between_runs_is_reported_in_full() {
    let storage = MemoryStorage::new();
    let api = Api::new();
    let watch = format!("{JOBS}watch");
    api.then(&watch, [changes(&[("ADDED", version("a", None, 10))])]);
    let mut run = start(&api, &storage).await;
    run.no_event_for(Duration::from_secs(90)).await;
    kill(run).await;
    // No list and no Event has it. The watch resumes before the kill, so that it shows again what the first run observed.
    let replay = [
        ("ADDED", version("a", None, 10)),
        ("ADDED", version("gone", None, 20)),
        ("MODIFIED", version("gone", Some(95), 21)),
        ("DELETED", version("gone", Some(95), 22)),
        ("MODIFIED", version("a", Some(96), 23)),
    ];
    let list = |jobs: &[Value]| Reply::List(30, String::new(), jobs.to_vec());
    let mut again = Vec::new();
    for stored in [10, 23] {
        let api = Api::new();
        // The second time it sends more than it is asked for.
        api.then(&watch, [changes(&replay)]);
        api.then(JOBS, [list(&[version("a", Some(96), 23)])]);
        let mut run = start(&api, &storage).await;
        run.until(|status| *status == Status::Ok).await;
        let watches = api.asked(&watch);
        let version = format!("resourceVersion={stored}&");
        assert!(watches[0].uri.contains(&version), "{watches:?}");
        let mut names = Vec::new();
        while let Ok(evidence) = tokio::time::timeout(Duration::from_secs(60), run.next_event()).await {
            assert_eq!(evidence.job.outcome().as_str(), "Failed");
            assert_eq!(evidence.job.reason(), Some("BackoffLimitExceeded"));
            // The list shows the end of the other one first.
            let is_whole = evidence.gaps.is_empty();
            assert!(is_whole || &*evidence.job.name == "a", "{:?}", evidence.gaps);
            names.push(evidence.job.name.to_string());
        }
        again.push(names);
        let gaps = run.points("otelcol_k8s_job_watch_gap_seconds");
        assert!(gaps.iter().all(|gap| gap.contains("resume")), "{gaps:?}");
        // Killed as soon as the reports are stored: the same changes are replayed.
        kill(run).await;
    }
    again[0].sort_unstable();
    assert_eq!(again, [vec!["a".to_owned(), "gone".to_owned()], Vec::new()]);
}

#[tokio::test(start_paused = true)]
async fn an_expired_version_is_a_gap() {
    let storage = MemoryStorage::new();
    let api = Api::new();
    api.then(&format!("{JOBS}watch"), [changes(&[("ADDED", version("a", None, 10))])]);
    let mut run = start(&api, &storage).await;
    run.no_event_for(Duration::from_secs(90)).await;
    kill(run).await;
    let api = Api::new();
    api.then(&format!("{JOBS}watch"), [status(410, None)]);
    api.then(JOBS, [Reply::List(30, String::new(), Vec::new())]);
    let run = start(&api, &storage).await;
    run.until(|status| *status == Status::Ok).await;
    let gaps = run.points("otelcol_k8s_job_watch_gap_seconds");
    assert!(gaps.len() == 1 && gaps[0].contains("list"), "{gaps:?}");
}

#[tokio::test(start_paused = true)]
async fn a_deleted_run_keeps_its_cronjob() {
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
async fn with_a_selector_events_report_no_job() {
    let storage = MemoryStorage::new();
    for _ in 0..2 {
        let api = Api::new();
        api.then(EVENTS, [list(&[end_of("foreign", 50)])]);
        let mut run = start_with(&api, &storage, r#"{"label_selector":"team=a"}"#).await;
        run.no_event_for(Duration::from_secs(60)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn first_start_reports_finished_jobs_up_to_an_age() {
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
async fn stores_the_first_start_before_the_first_list() {
    let storage = MemoryStorage::new();
    let api = Api::new();
    api.then(JOBS, [Reply::Silence]);
    let mut run = start(&api, &storage).await;
    // Sooner than the delayed writes.
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
async fn a_job_ignored_on_first_start_stays_ignored() {
    let storage = MemoryStorage::new();
    let api = Api::new();
    api.then(JOBS, [list(&[job("old", Some(-1))])]);
    let mut run = start(&api, &storage).await;
    run.no_event_for(Duration::from_secs(9)).await;
    kill(run).await;
    // The Job is deleted; its Event is dated after the start.
    let api = Api::new();
    api.then(EVENTS, [list(&[end_of("old", 1)])]);
    let mut run = start(&api, &storage).await;
    run.no_event_for(Duration::from_secs(60)).await;
}

#[tokio::test(start_paused = true)]
async fn shutdown_reports_no_job_whose_end_is_unknown() {
    let storage = MemoryStorage::new();
    let api = Api::new();
    let gone = status(410, None);
    api.then(&format!("{JOBS}watch"), [changes(&[("ADDED", job("a", None))]), gone]);
    // The first watch ends, the second is refused, and the next list lacks the Job.
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
    assert!(run.logs.try_recv().is_err(), "its end is not known yet");

    let api = Api::new();
    api.then(EVENTS, [list(&[end_of("a", 1)])]);
    let mut run = start(&api, &storage).await;
    let evidence = run.next_event().await;
    assert_eq!((&*evidence.job.name, evidence.job.outcome().as_str()), ("a", "Failed"));
}

#[tokio::test(start_paused = true)]
async fn shutdown_reports_no_job_before_its_evidence_is_listed() {
    let storage = MemoryStorage::new();
    let run = start(&Api::new(), &storage).await;
    run.until(|status| *status == Status::Ok).await;
    stop(run).await;

    let api = Api::new();
    api.then(JOBS, [list(&[job("a", Some(20))])]);
    api.then("/pods?", [Reply::Silence]);
    let mut run = start(&api, &storage).await;
    run.no_event_for(Duration::from_secs(30)).await;
    run.shutdown.cancel();
    assert!(run.logs.recv().await.is_none(), "its Pods are not listed yet");
    (&mut run.task).await.unwrap().unwrap();

    let api = Api::new();
    api.then(JOBS, [list(&[job("a", Some(20))])]);
    let mut run = start(&api, &storage).await;
    assert_eq!(&*run.next_event().await.job.name, "a");
}

#[tokio::test(start_paused = true)]
async fn an_event_that_nobody_takes_before_the_shutdown_is_sent_again() {
    let deferred: fn(Ack) = |ack| ack.deferred("the store was not available");
    for refuse in [deferred, drop] {
        let storage = MemoryStorage::new();
        let run = start(&Api::new(), &storage).await;
        run.until(|status| *status == Status::Ok).await;
        stop(run).await;

        for _ in 0..2 {
            let api = Api::new();
            api.then(JOBS, [list(&[job("a", Some(20))])]);
            let mut run = start(&api, &storage).await;
            let (evidence, batch) = next(&mut run).await;
            assert_eq!(&*evidence.job.name, "a");
            run.shutdown.cancel();
            assert!(run.logs.recv().await.is_none());
            refuse(batch.ack);
            (&mut run.task).await.unwrap().unwrap();
        }
    }
}

/// A watch of Events that delivers the Event of a Job's end after three seconds.
fn late_event(name: &str, ended: i64) -> Reply {
    let event = json!({"type": "ADDED", "object": end_of(name, ended)});
    Reply::Stream(vec![
        Piece::Wait(Duration::from_secs(3)),
        Piece::Data(format!("{event}\n")),
        Piece::Hang,
    ])
}

#[tokio::test(start_paused = true)]
async fn a_late_event_reports_a_job_deleted_before_the_list() {
    let storage = MemoryStorage::new();
    let mut run = start(&Api::new(), &storage).await;
    run.no_event_for(Duration::from_secs(60)).await;
    kill(run).await;
    // It finished between the runs, and its Event arrives after the lists.
    let api = Api::new();
    api.then(&format!("{EVENTS}watch"), [late_event("gone", 30)]);
    let mut run = start(&api, &storage).await;
    let reported = tokio::time::timeout(Duration::from_secs(20), run.next_event()).await;
    assert_eq!(&*reported.expect("soon").job.name, "gone");
    kill(run).await;
    // By its clock this one finished after the list. Its own watch may be late, so it waits longer.
    let api = Api::new();
    api.then(&format!("{EVENTS}watch"), [late_event("late", 10_000)]);
    let mut run = start(&api, &storage).await;
    run.no_event_for(Duration::from_secs(60)).await;
    let reported = tokio::time::timeout(Duration::from_secs(200), run.next_event()).await;
    assert_eq!(&*reported.expect("in the end").job.name, "late");
}
