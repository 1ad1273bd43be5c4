//! The whole receiver, `record` and `explain` against an API server, or another server in its place, with replies that
//! no API server sends.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::support::running::{START, run, run_with};
use crate::support::{Api, Piece, Reply, empty_list, lines, status};
use collector_runtime::health::Status;
use jiff::{SignedDuration, Timestamp};
use job_event::evidence::Gap;
use job_watch::Kind;
use job_watch::WatchError;
use job_watch::container_log::{LogQuery, log};
use job_watch::raw::{self, EventType, RawUpdate};
use job_watch::snapshot::Snapshot;
use job_watch::watch::request::{Target, targets};
use serde_json::{Value, json};
use tokio::sync::mpsc;

const LIST: &str = "/jobs?limit";
const WATCH: &str = "/jobs?watch=true";

/// Successful answers that are not the requested list of Jobs.
const NO_LISTS: [&str; 7] = [
    "{}",
    r#"{"message":"ok"}"#,
    r#"{"kind":"Status","apiVersion":"v1","status":"Failure","code":500,"message":"etcd"}"#,
    r#"{"metadata":{"resourceVersion":"9"},"items":null}"#,
    r#"{"kind":"JobList","apiVersion":"batch/v1","metadata":{"resourceVersion":"9"},"items":null}"#,
    r#"{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"9"},"items":[]}"#,
    "<html>sign in</html>",
];

fn job(uid: &str, version: u64, failed: bool) -> Value {
    let conditions = match failed {
        true => json!([{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded",
            "lastTransitionTime": "2026-11-23T17:00:00Z"}]),
        false => json!([]),
    };
    json!({"kind": "Job", "apiVersion": "batch/v1",
        "metadata": {"uid": uid, "name": uid, "namespace": "n", "resourceVersion": version.to_string(),
            "creationTimestamp": "2026-11-23T16:59:00Z"},
        "spec": {"completions": 1, "parallelism": 1, "backoffLimit": 0}, "status": {"conditions": conditions}})
}

fn list(version: u64, items: &[Value]) -> Reply {
    Reply::List(version, String::new(), items.to_vec())
}

fn line(kind: &str, object: &Value) -> String {
    json!({"type": kind, "object": object}).to_string()
}

fn gone() -> Reply {
    let status = json!({"kind": "Status", "status": "Failure", "code": 410, "reason": "Expired"});
    Reply::Stream(vec![
        Piece::Wait(Duration::from_secs(20)),
        Piece::Data(format!("{}\n", line("ERROR", &status))),
    ])
}

fn jobs() -> Target {
    targets(&Kind::ALL, &[], &[], "")
        .into_iter()
        .find(|target| target.source.kind == Kind::Jobs)
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn invalid_list_removes_no_job() {
    for body in NO_LISTS {
        let api = Api::new();
        let bad = Reply::Whole(200, None, body.into());
        api.then(
            LIST,
            [list(5, &[job("u", 5, false)]), bad, list(9, &[job("u", 5, false)])],
        );
        let failed = line("MODIFIED", &job("u", 10, true));
        let later = vec![
            Piece::Wait(Duration::from_secs(60)),
            Piece::Data(format!("{failed}\n")),
            Piece::Hang,
        ];
        api.then(WATCH, [gone(), Reply::Stream(later)]);
        let mut running = run(api.client(), "{}").await;
        let evidence = running.next_event().await;
        assert_eq!(evidence.job.reason(), Some("BackoffLimitExceeded"), "{body}");
        assert!(evidence.gaps.contains(&Gap::WatchInterrupted), "{body}");
        assert!(!evidence.gaps.contains(&Gap::EndNotSeen), "{body}");
        running.no_event_for(Duration::from_secs(3600)).await;
        assert!(running.points("k8s_job_lost").is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn status_shows_an_invalid_first_list() {
    let api = Api::new();
    api.then(LIST, vec![Reply::Whole(200, None, "{}".into()); 3]);
    let running = run(api.client(), "{}").await;
    running.until(|status| status.reason().is_some()).await;
    let reason = running.status().reason().unwrap().to_owned();
    let expected = "expected a JobList (batch/v1), found an object without kind";
    assert!(reason.contains(expected), "{reason}");
    running.until(|status| *status == Status::Ok).await;
}

#[tokio::test(start_paused = true)]
async fn a_list_with_an_unusable_object_removes_no_job() {
    let api = Api::new();
    let unusable = json!({"kind": "Job", "metadata": {"name": "u", "namespace": "n"}});
    api.then(
        LIST,
        [
            list(5, &[job("u", 5, false)]),
            list(9, &[unusable]),
            list(12, &[job("u", 11, true)]),
        ],
    );
    api.then(WATCH, [gone(), gone()]);
    let mut running = run(api.client(), "{}").await;
    let evidence = running.next_event().await;
    assert_eq!(evidence.job.reason(), Some("BackoffLimitExceeded"));
    running.no_event_for(Duration::from_secs(3600)).await;
}

#[tokio::test(start_paused = true)]
async fn clock_changes_make_no_watch_silent() {
    let api = Api::new();
    let ahead = Arc::new(AtomicI64::new(0));
    let (began, offset) = (tokio::time::Instant::now(), Arc::clone(&ahead));
    let start: Timestamp = START.parse().unwrap();
    let clock = move || start + began.elapsed() + SignedDuration::from_secs(offset.load(Ordering::Relaxed));
    let client = api.client();
    let running = run_with(api.client(), "{}", |receiver| receiver.with(client, Arc::new(clock))).await;
    running.until(|status| *status == Status::Ok).await;
    for jump in [86_400, -86_400] {
        ahead.store(jump, Ordering::Relaxed);
        // Several checks, and less than a watch may be silent.
        for _ in 0..12 {
            tokio::time::sleep(Duration::from_secs(5)).await;
            assert_eq!(running.status(), Status::Ok, "clock set by {jump} s");
        }
        for point in running.points("watch_silence_seconds") {
            let age: f64 = point.rsplit(' ').next().unwrap().parse().unwrap();
            assert!(age < 300.0, "{point}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn explain_rejects_an_invalid_list() {
    for body in NO_LISTS {
        let api = Api::new();
        api.then(LIST, [Reply::Whole(200, None, body.into())]);
        let mut snapshot = Snapshot::default();
        let failure = snapshot.read(&api.client(), &jobs()).await.unwrap_err();
        assert!(matches!(failure, WatchError::BadList(_)), "{failure}");
        assert_eq!(snapshot.count(Kind::Jobs), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn explain_stops_at_an_endless_list() {
    for next in ["same", "another"] {
        let api = Api::new();
        let page = |number: u32| match next {
            "same" => Reply::List(5, next.into(), Vec::new()),
            _ => Reply::List(5, format!("{next}-{number}"), Vec::new()),
        };
        api.then(LIST, (0..100).map(page));
        let failure = Snapshot::default().read(&api.client(), &jobs()).await.unwrap_err();
        assert!(matches!(failure, WatchError::BadList(_)), "{failure}");
        assert!(api.asked(LIST).len() <= 16);
    }
    let api = Api::new();
    let endless = || {
        let piece = Piece::Data("y".repeat(1024 * 1024));
        Reply::Stream(std::iter::repeat_n(piece, 70).collect())
    };
    api.then(LIST, std::iter::repeat_with(endless).take(10));
    let failure = Snapshot::default().read(&api.client(), &jobs()).await.unwrap_err();
    assert!(matches!(failure, WatchError::TooLarge(_)), "{failure}");
    assert_eq!(api.asked(LIST).len(), 3, "pages of 500, 50 and 5 objects");
}

#[tokio::test(start_paused = true)]
async fn explain_skips_an_unusable_object() {
    let api = Api::new();
    api.then(
        LIST,
        [list(5, &[json!({"metadata": {"name": "x"}}), job("u", 5, true)])],
    );
    let mut snapshot = Snapshot::default();
    snapshot.read(&api.client(), &jobs()).await.unwrap();
    assert_eq!(snapshot.count(Kind::Jobs), 1);
    assert_eq!(
        snapshot.undecodable,
        ["object \"x\" in namespace \"\": metadata.uid is missing"]
    );
}

#[tokio::test(start_paused = true)]
async fn reads_no_more_of_a_log_than_requested() {
    let api = Api::new();
    let piece = Piece::Data("y".repeat(1024 * 1024));
    api.then("/log?", [Reply::Stream(std::iter::repeat_n(piece, 100).collect())]);
    let of = LogQuery {
        namespace: "n",
        pod: "p",
        container: "c",
        previous: false,
    };
    let failure = log(&api.client(), of, 10, 4096).await.unwrap_err();
    assert!(matches!(failure, WatchError::TooLarge(_)), "{failure}");
}

/// The first `count` reports about Jobs that `record` receives.
async fn recorded(api: &Api, count: usize) -> Vec<String> {
    let (sender, mut reports) = mpsc::channel(16);
    let recording = tokio::spawn(raw::run(api.client(), jobs(), (), sender));
    let mut names = Vec::new();
    while names.len() < count {
        let ((), report) = reports.recv().await.unwrap();
        names.push(match report {
            RawUpdate::Object(change, object) => {
                assert_eq!(
                    (&object["kind"], &object["apiVersion"]),
                    (&json!("Job"), &json!("batch/v1"))
                );
                let change = if change == EventType::Deleted {
                    "deleted"
                } else {
                    "changed"
                };
                format!("{change} {}", object["metadata"]["name"].as_str().unwrap())
            }
            RawUpdate::Listed => "listed".into(),
            RawUpdate::Skipped(_) => "skipped".into(),
            RawUpdate::Failed(failure) => match failure {
                WatchError::BadList(_) => "no list".into(),
                WatchError::TooLarge(_) => "too large".into(),
                other => other.to_string(),
            },
        });
    }
    recording.abort();
    names
}

#[tokio::test(start_paused = true)]
async fn record_accepts_only_the_requested_list() {
    let api = Api::new();
    let bad = NO_LISTS.map(|body| Reply::Whole(200, None, body.into()));
    api.then(LIST, [list(5, &[job("u", 5, false)])]);
    api.then(LIST, bad.clone());
    api.then(LIST, [list(9, &[job("u", 5, false)])]);
    api.then(WATCH, [gone(), lines(&[&line("DELETED", &job("u", 10, true))])]);
    let reports = recorded(&api, 4 + bad.len() + 1).await;
    assert_eq!(reports[..2], ["changed u", "listed"]);
    assert!(
        reports[3..3 + bad.len()].iter().all(|what| what == "no list"),
        "{reports:?}"
    );
    assert_eq!(
        reports[3 + bad.len()..],
        ["listed", "deleted u"],
        "nothing was removed before"
    );
}

#[tokio::test(start_paused = true)]
async fn record_skips_unusable_objects() {
    let api = Api::new();
    let foreign = json!({"kind": "Pod", "apiVersion": "v1", "metadata": {"uid": "p", "name": "p"}});
    api.then(
        LIST,
        [
            list(5, &[job("u", 5, false), json!(3), foreign.clone()]),
            // An object missing here may be an unreadable one.
            list(9, &[json!({"metadata": {"name": "u"}})]),
        ],
    );
    let unusable = [
        line("ADDED", &foreign),
        line("RENAMED", &job("v", 6, false)),
        "garbage".to_owned(),
    ];
    let unusable = unusable.iter().map(|line| Piece::Data(format!("{line}\n")));
    let long = std::iter::repeat_n(Piece::Data("y".repeat(1024 * 1024)), 17);
    let end = Piece::Data(format!("\n{}\n", line("ADDED", &job("w", 7, false))));
    api.then(
        WATCH,
        [Reply::Stream(unusable.chain(long).chain([end]).collect()), gone()],
    );
    let reports = recorded(&api, 11).await;
    let expected = [
        "skipped",
        "skipped",
        "changed u",
        "listed",
        "skipped",
        "skipped",
        "skipped",
        "skipped",
        "changed w",
    ];
    assert_eq!(reports[..9], expected);
    assert!(!reports.iter().any(|what| what.starts_with("deleted")), "{reports:?}");
}

#[tokio::test(start_paused = true)]
async fn record_never_completes_an_endless_list() {
    let api = Api::new();
    let endless = Reply::Stream(std::iter::repeat_n(Piece::Data("y".repeat(1024 * 1024)), 70).collect());
    api.then(
        LIST,
        [
            Reply::List(5, "same".into(), Vec::new()),
            Reply::List(5, "same".into(), Vec::new()),
        ],
    );
    api.then(LIST, [endless, status(500, None), empty_list(5)]);
    let reports = recorded(&api, 4).await;
    assert_eq!(reports, ["no list", "too large", "500 status 500", "listed"]);
}
