//! Wrong local clocks that are corrected: no Job is lost silently, and none is reported twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::support::running::{Run, START, id, run_with};
use crate::support::{Api, Piece, Reply, lines};
use collector_runtime::health::Status;
use collector_runtime::storage::memory::MemoryStorage;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::time::Instant;

const JOBS: &str = "/jobs?";
const DAY: i64 = 86_400;

/// The cluster's clock, which is right, and the local one, which is off by some seconds.
#[derive(Clone)]
struct Clocks {
    began: Instant,
    off: Arc<AtomicI64>,
}

impl Clocks {
    fn off_by(seconds: i64) -> Clocks {
        Clocks {
            began: Instant::now(),
            off: Arc::new(AtomicI64::new(seconds)),
        }
    }

    fn set(&self, seconds: i64) {
        self.off.store(seconds, Ordering::SeqCst);
    }

    async fn start(&self, api: &Api, storage: &MemoryStorage) -> Run {
        let (start, clocks): (Timestamp, _) = (START.parse().unwrap(), self.clone());
        let clock = move || {
            let off = SignedDuration::from_secs(clocks.off.load(Ordering::SeqCst));
            start + clocks.began.elapsed() + off
        };
        let (client, storage) = (api.client(), Arc::new(storage.clone()));
        run_with(api.client(), "{}", |receiver| {
            receiver.with(client, Arc::new(clock)).with_storage(storage, id())
        })
        .await
    }
}

fn time(second: i64) -> String {
    (START.parse::<Timestamp>().unwrap() + SignedDuration::from_secs(second)).to_string()
}

/// A Job that was created a second before it failed, at that second of the cluster's clock.
fn failed(name: &str, second: i64) -> Value {
    let condition = |kind: &str| json!({"type": kind, "status": "True", "reason": "BackoffLimitExceeded", "lastTransitionTime": time(second)});
    json!({"metadata": {"uid": format!("uid-{name}"), "name": name, "namespace": "n", "creationTimestamp": time(second - 1)},
        "status": {"conditions": [condition("FailureTarget"), condition("Failed")]}})
}

fn list(objects: &[Value]) -> Reply {
    let list =
        json!({"kind": "JobList", "apiVersion": "batch/v1", "metadata": {"resourceVersion": "7"}, "items": objects});
    Reply::Whole(200, None, list.to_string())
}

fn line(object: &Value) -> String {
    json!({"type": "ADDED", "object": object}).to_string()
}

async fn stop(mut run: Run) {
    run.shutdown.cancel();
    (&mut run.task).await.unwrap().unwrap();
}

async fn kill(mut run: Run) {
    run.task.abort();
    let _ = (&mut run.task).await;
}

async fn names(run: &mut Run, count: usize) -> Vec<String> {
    let mut names = Vec::new();
    for _ in 0..count {
        names.push(run.next_event().await.job.name.to_string());
    }
    run.no_event_for(Duration::from_secs(30)).await;
    names
}

#[tokio::test(start_paused = true)]
async fn reports_jobs_of_a_gap_after_a_fast_clock() {
    let (clocks, storage) = (Clocks::off_by(DAY), MemoryStorage::new());
    let api = Api::new();
    api.then(&format!("{JOBS}watch"), [lines(&[&line(&failed("first", 1))])]);
    let mut run = clocks.start(&api, &storage).await;
    assert_eq!(names(&mut run, 1).await, ["first"]);
    kill(run).await;
    clocks.set(0);
    let api = Api::new();
    let old = failed("old", -3600);
    api.then(JOBS, [list(&[old, failed("first", 1), failed("gap", 20)])]);
    let mut run = clocks.start(&api, &storage).await;
    assert_eq!(names(&mut run, 1).await, ["gap"]);
}

#[tokio::test(start_paused = true)]
async fn the_next_start_corrects_a_first_start_ahead_of_all_jobs() {
    let (clocks, storage) = (Clocks::off_by(DAY), MemoryStorage::new());
    let run = clocks.start(&Api::new(), &storage).await;
    run.until(|status| *status == Status::Ok).await;
    stop(run).await;
    clocks.set(0);
    let run = clocks.start(&Api::new(), &storage).await;
    run.until(|status| *status == Status::Ok).await;
    stop(run).await;
    tokio::time::advance(Duration::from_secs(60)).await;
    let api = Api::new();
    api.then(JOBS, [list(&[failed("old", -3600), failed("gap", 30)])]);
    let mut run = clocks.start(&api, &storage).await;
    assert_eq!(names(&mut run, 1).await, ["gap"]);
}

#[tokio::test(start_paused = true)]
async fn slow_clock_reports_nothing_twice() {
    let (clocks, storage) = (Clocks::off_by(0), MemoryStorage::new());
    let jobs = [failed("right", 1), failed("behind", 11), failed("right-again", 21)];
    let api = Api::new();
    let [first, second, third] = [0, 1, 2].map(|n| Piece::Data(format!("{}\n", line(&jobs[n]))));
    let wait = Piece::Wait(Duration::from_secs(10));
    let pieces = vec![first, wait.clone(), second, wait, third, Piece::Hang];
    api.then(&format!("{JOBS}watch"), [Reply::Stream(pieces)]);
    let mut run = clocks.start(&api, &storage).await;
    assert_eq!(&*run.next_event().await.job.name, "right");
    clocks.set(-7200);
    assert_eq!(&*run.next_event().await.job.name, "behind");
    tokio::time::sleep(Duration::from_secs(3)).await;
    clocks.set(0);
    assert_eq!(names(&mut run, 1).await, ["right-again"]);
    stop(run).await;
    let api = Api::new();
    api.then(JOBS, [list(&jobs)]);
    let mut run = clocks.start(&api, &storage).await;
    run.no_event_for(Duration::from_secs(60)).await;
}

#[tokio::test(start_paused = true)]
async fn clock_set_back_delays_no_job() {
    let (clocks, storage) = (Clocks::off_by(0), MemoryStorage::new());
    let api = Api::new();
    let pieces = vec![
        Piece::Wait(Duration::from_secs(1)),
        Piece::Data(format!("{}\n", line(&failed("a", 1)))),
        Piece::Hang,
    ];
    api.then(&format!("{JOBS}watch"), [Reply::Stream(pieces)]);
    let mut run = clocks.start(&api, &storage).await;
    run.no_event_for(Duration::from_millis(1500)).await;
    clocks.set(-7200);
    let event = tokio::time::timeout(Duration::from_secs(10), run.next_event()).await;
    assert_eq!(&*event.expect("within seconds").job.name, "a");
}
