//! The known traps of Kubernetes watches (the table in the README), against an API server that answers by a script, on
//! a paused clock.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use crate::support::running::run;
use crate::support::{Api, Piece, Reply, status};
use collector_runtime::health::Status;
use job_event::evidence::Gap;
use job_watch::Kind;
use serde_json::{Value, json};

const LIST: &str = "/jobs?limit";
const WATCH: &str = "/jobs?watch=true";
const HOUR: Duration = Duration::from_secs(3600);

/// A Job of this UID in this version, failed or still running. Its name is always the same.
fn job(uid: &str, version: u64, failed: bool) -> Value {
    let conditions = match failed {
        true => json!([{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded",
            "message": "Job has reached the specified backoff limit", "lastTransitionTime": "2026-11-23T17:00:00Z"}]),
        false => json!([]),
    };
    json!({"kind": "Job", "apiVersion": "batch/v1",
        "metadata": {"uid": uid, "name": "j", "namespace": "n", "resourceVersion": version.to_string(),
            "creationTimestamp": "2026-11-23T16:59:00Z"},
        "spec": {"completions": 1, "parallelism": 1, "backoffLimit": 0}, "status": {"conditions": conditions}})
}

fn list(version: u64, next: &str, items: &[Value]) -> Reply {
    Reply::List(version, next.into(), items.to_vec())
}

fn line(kind: &str, object: &Value) -> Piece {
    Piece::Data(format!("{}\n", json!({"type": kind, "object": object})))
}

fn seconds(seconds: u64) -> Piece {
    Piece::Wait(Duration::from_secs(seconds))
}

/// Events, a few seconds, and then this end.
fn watch(lines: impl IntoIterator<Item = Piece>, end: Piece) -> Reply {
    Reply::Stream(lines.into_iter().chain([seconds(20), end]).collect())
}

/// The version is too old.
fn gone() -> Piece {
    line(
        "ERROR",
        &json!({"kind": "Status", "status": "Failure", "code": 410, "reason": "Expired",
        "message": "too old resource version: 5 (9)"}),
    )
}

#[tokio::test(start_paused = true)]
async fn reports_a_repeated_job_once() {
    let api = Api::new();
    let failed = || line("MODIFIED", &job("u", 7, true));
    api.then(
        LIST,
        [list(5, "", &[job("u", 5, false)]), list(9, "", &[job("u", 7, true)])],
    );
    api.then(
        WATCH,
        [
            watch([failed(), failed(), line("ADDED", &job("u", 7, true))], Piece::Reset),
            watch([failed()], gone()),
            watch([line("ADDED", &job("u", 7, true)), failed(), failed()], Piece::Hang),
        ],
    );
    let mut running = run(api.client(), "{}").await;
    assert_eq!(&*running.next_event().await.job.uid, "u");
    running.no_event_for(HOUR).await;
    assert!(api.asked(WATCH).len() > 3 && api.asked(LIST).len() == 2);
    assert_eq!(running.points("k8s_job_decided").len(), 1);
    assert!(running.points("k8s_job_decided")[0].ends_with(" 1"));
}

#[tokio::test(start_paused = true)]
async fn a_truncated_list_removes_nothing() {
    let api = Api::new();
    let running_job = || job("u", 5, false);
    api.then(
        LIST,
        [
            list(5, "", &[running_job()]),
            // It is on the second page, which never arrives.
            list(9, "t", &[]),
            status(500, None),
            list(9, "t", &[]),
            list(9, "", &[running_job()]),
        ],
    );
    api.then(
        WATCH,
        [
            watch([], gone()),
            Reply::Stream(vec![seconds(200), line("MODIFIED", &job("u", 12, true))]),
            Reply::Stream(vec![seconds(60), line("MODIFIED", &job("u", 12, true)), Piece::Hang]),
        ],
    );
    let mut running = run(api.client(), "{}").await;
    let evidence = running.next_event().await;
    assert_eq!(evidence.job.reason(), Some("BackoffLimitExceeded"));
    assert_eq!(evidence.gaps, [Gap::WatchInterrupted]);
    running.no_event_for(HOUR).await;
}

#[tokio::test(start_paused = true)]
async fn keeps_jobs_of_one_name_apart_by_uid() {
    let api = Api::new();
    api.then(
        LIST,
        [
            list(5, "", &[job("u1", 5, false)]),
            list(20, "", &[job("u3", 19, false)]),
        ],
    );
    api.then(
        WATCH,
        [
            watch(
                [
                    line("MODIFIED", &job("u1", 7, true)),
                    line("DELETED", &job("u1", 8, true)),
                    line("ADDED", &job("u2", 9, false)),
                    line("MODIFIED", &job("u2", 10, true)),
                ],
                // u2 is deleted and u3 created while no watch is open.
                gone(),
            ),
            watch([line("MODIFIED", &job("u3", 21, true))], Piece::Hang),
        ],
    );
    let mut running = run(api.client(), "{}").await;
    let mut reported = BTreeSet::new();
    for _ in 0..3 {
        let evidence = running.next_event().await;
        assert_eq!(evidence.job.reason(), Some("BackoffLimitExceeded"));
        reported.insert(evidence.job.uid);
    }
    assert!(reported.iter().map(|uid| &**uid).eq(["u1", "u2", "u3"]), "{reported:?}");
    running.no_event_for(HOUR).await;
}

#[tokio::test(start_paused = true)]
async fn an_older_list_reverts_no_verdict() {
    // Reported before the old list comes, and still settling when it comes.
    for settle in ["1s", "4m"] {
        let api = Api::new();
        // The second list is from an API server that lags behind: it has neither the end of `a` nor the deletion of
        // `b`.
        let old = [job("a", 5, false), job("b", 6, true)];
        // A list of an earlier version is rejected once.
        api.then(LIST, [list(6, "", &old[..1]), list(6, "", &old), list(6, "", &old)]);
        let end = |uid| {
            [
                line("MODIFIED", &job(uid, 7, true)),
                line("DELETED", &job(uid, 8, true)),
            ]
        };
        let [a, _] = end("a");
        let [b, b_gone] = end("b");
        api.then(
            WATCH,
            [
                watch([line("ADDED", &job("b", 6, false)), a, b, b_gone], gone()),
                // It catches up.
                watch(end("a").into_iter().chain(end("b")), Piece::Hang),
            ],
        );
        let mut running = run(api.client(), &format!(r#"{{"settle_time":"{settle}"}}"#)).await;
        let mut reported = BTreeSet::new();
        for _ in 0..2 {
            let evidence = running.next_event().await;
            assert_eq!(
                evidence.job.reason(),
                Some("BackoffLimitExceeded"),
                "settle_time {settle}"
            );
            reported.insert(evidence.job.uid);
        }
        assert!(reported.iter().map(|uid| &**uid).eq(["a", "b"]), "{reported:?}");
        running.no_event_for(HOUR).await;
        assert_eq!(api.asked(LIST).len(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn an_unusable_object_fails_no_list() {
    let api = Api::new();
    let bad = [
        Value::Null,
        json!("text"),
        json!({"metadata": {"name": "no-uid", "uid": {}}}),
        json!([]),
    ];
    let mut odd = job("u", 5, true);
    odd["spec"] = json!("not a spec");
    odd["metadata"]["labels"] = json!([1, 2]);
    let items: Vec<Value> = bad.into_iter().chain([odd]).collect();
    api.then(LIST, [list(5, "", &items)]);
    let mut running = run(api.client(), r#"{"on_first_start":"report_finished"}"#).await;
    assert_eq!(&*running.next_event().await.job.uid, "u");
    assert_eq!(
        running.points("undecodable"),
        ["otelcol_k8s_job_undecodable_objects[receiver=k8s_job, resource=jobs] 4"]
    );
    assert_eq!(api.asked(LIST).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn reads_a_status_of_many_lines() {
    let api = Api::new();
    let Reply::Whole(_, _, body) = status(503, None) else {
        panic!("not a whole reply")
    };
    assert!(body.lines().count() > 3, "{body}");
    api.then(LIST, vec![Reply::Whole(503, None, body); 2]);
    let running = run(api.client(), "{}").await;
    running.until(|status| status.reason().is_some()).await;
    assert_eq!(
        running.status().reason(),
        Some("jobs of the cluster: 503 status 503"),
        "the message of the Status, once"
    );
    running.until(|status| *status == Status::Ok).await;
}

#[tokio::test(start_paused = true)]
async fn names_a_compressed_reply() {
    let api = Api::new();
    api.then(LIST, [Reply::Compressed]);
    api.then(WATCH, vec![Reply::Compressed; 60]);
    let running = run(api.client(), "{}").await;
    running.until(|status| status.reason().is_some()).await;
    running.until(|status| *status == Status::Ok).await;
    // Then the watch, whose failures count after a minute.
    running.until(|status| status.reason().is_some()).await;
    assert_eq!(
        running.status().reason(),
        Some("jobs of the cluster: cannot read the reply: found content encoding \"gzip\", expected none")
    );
}

#[tokio::test(start_paused = true)]
async fn lists_consistently_in_pages_and_watches_from_a_version() {
    let api = Api::new();
    api.then(WATCH, [watch([], gone())]);
    let mut running = run(api.client(), "{}").await;
    running.no_event_for(HOUR).await;
    let mut asked = api.asked("/api");
    asked.retain(|asked| !asked.uri.contains("selfsubjectaccessreviews"));
    assert!(asked.len() > 50);
    for asked in asked.iter().map(|asked| &asked.uri) {
        let has = |parameter: &str| asked.contains(&format!("{parameter}="));
        assert!(!has("sendInitialEvents") && !has("resourceVersionMatch"), "{asked}");
        if has("watch") {
            assert!(
                has("resourceVersion") && has("timeoutSeconds") && has("allowWatchBookmarks"),
                "{asked}"
            );
            assert!(!asked.contains("resourceVersion=0"), "{asked}");
        } else {
            assert!(asked.contains("limit=500") && !has("resourceVersion"), "{asked}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_watch_is_measured_and_shows_in_health() {
    let api = Api::new();
    // Sixty failures take more than a minute, however short their delays are.
    api.then(WATCH, [watch([line("ADDED", &job("u", 6, false))], Piece::Reset)]);
    api.then(WATCH, vec![Reply::Refused; 60]);
    let running = run(api.client(), "{}").await;
    running.until(|status| *status == Status::Ok).await;
    let began = tokio::time::Instant::now();
    running.until(|status| status.reason().is_some()).await;
    let lasted = began.elapsed().as_secs();
    assert!((79..=90).contains(&lasted), "20 s until it broke, then 60 s: {lasted}");
    running.until(|status| *status == Status::Ok).await;
    let gaps = running.points("watch_gap_seconds[by=resume, receiver=k8s_job, resource=jobs]");
    let (_, length) = gaps[0].rsplit_once(' ').unwrap();
    // From the last line, 20 s before the connection broke, until the first watch that worked, 5 s before that was clear.
    let length: f64 = length.parse().unwrap();
    let lasted = began.elapsed().as_secs_f64();
    assert!((lasted - 6.0..=lasted - 4.0).contains(&length), "{length} of {lasted}");
    let silence = running.points("watch_silence_seconds");
    assert_eq!(silence.len(), Kind::ALL.len(), "one for each resource: {silence:?}");
}

/// The names of all test functions below this folder.
fn tests_in(folder: &Path) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            names.extend(tests_in(&path));
        } else if name.ends_with(".rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            for mark in ["#[test]", "#[tokio::test"] {
                let tests = text.split(mark).skip(1);
                names.extend(tests.filter_map(|after| {
                    let (_, name) = after.split_once("fn ")?;
                    Some(name.split('(').next()?.to_owned())
                }));
            }
        }
    }
    names
}

#[test]
fn every_trap_has_a_test_or_cannot_occur() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(package.join("README.md")).unwrap();
    let tests = tests_in(&package.join("../.."));
    let rows: Vec<Vec<&str>> = readme
        .lines()
        .filter(|line| line.starts_with("| W"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let ids: Vec<&str> = rows.iter().map(|row| row[0]).collect();
    assert_eq!(ids, (1..=20).map(|id| format!("W{id}")).collect::<Vec<_>>());
    for row in rows {
        let [id, _, _, held_by] = row[..] else {
            panic!("expected four columns, found {row:?}")
        };
        let named: Vec<&str> = held_by.split('`').skip(1).step_by(2).collect();
        assert!(
            !named.is_empty() || held_by.starts_with("cannot occur: "),
            "{id}: {held_by}"
        );
        for name in named {
            assert!(tests.contains(name), "{id}: there is no test `{name}`");
        }
    }
}

/// The controller's Event about the failure of the Job `u`.
fn failure_event() -> Value {
    json!({"metadata": {"uid": "e", "name": "j.1", "namespace": "n", "resourceVersion": "8"},
        "source": {"component": "job-controller"}, "type": "Warning", "reason": "BackoffLimitExceeded", "message": "m",
        "involvedObject": {"apiVersion": "batch/v1", "kind": "Job", "name": "j", "namespace": "n", "uid": "u"},
        "count": 1, "firstTimestamp": "2026-11-23T17:00:10Z", "lastTimestamp": "2026-11-23T17:00:10Z"})
}

/// A Job is gone after a gap, and the watch of Events about Jobs answers like this: it has this outcome, once.
async fn gone_in_a_gap(events: Vec<Reply>, outcome: &str) {
    let api = Api::new();
    api.then(LIST, [list(5, "", &[job("u", 5, false)]), list(9, "", &[])]);
    api.then(WATCH, [watch([seconds(30)], gone())]);
    api.then("involvedObject.kind%3DJob&watch=true", events);
    let mut running = run(api.client(), "{}").await;
    let evidence = running.next_event().await;
    assert_eq!(evidence.job.outcome().as_str(), outcome);
    assert!(evidence.gaps.contains(&Gap::EndNotSeen));
    running.no_event_for(HOUR).await;
}

#[tokio::test(start_paused = true)]
async fn waits_for_events_while_their_watch_is_silent() {
    // Its connection is dead, which shows when it does not end in time.
    let silent = || watch([], Piece::Hang);
    let shows_it = watch([line("ADDED", &failure_event())], Piece::Hang);
    gone_in_a_gap(vec![silent(), shows_it], "Failed").await;
    gone_in_a_gap(vec![silent(), silent()], "Deleted").await;
}

#[tokio::test(start_paused = true)]
async fn waits_for_events_while_their_watch_fails() {
    // It fails until 10 s to 90 s after the gap, or for longer than a Job waits.
    for (failures, outcome) in [(40, "Failed"), (1000, "Deleted")] {
        let mut events = vec![watch([], Piece::Reset)];
        events.extend(std::iter::repeat_with(|| status(500, None)).take(failures));
        events.push(watch([line("ADDED", &failure_event())], Piece::Hang));
        gone_in_a_gap(events, outcome).await;
    }
}

#[tokio::test(start_paused = true)]
async fn verdicts_that_arrive_together_keep_their_order() {
    let api = Api::new();
    // Not the order of their UIDs.
    let uids = ["u5", "u1", "u4", "u2", "u3"];
    let lines = uids.iter().zip(6..).map(|(uid, version)| {
        let event = json!({"type": "MODIFIED", "object": job(uid, version, true)});
        format!("{event}\n")
    });
    api.then(LIST, [list(5, "", &[])]);
    api.then(WATCH, [watch([seconds(1), Piece::Data(lines.collect())], Piece::Hang)]);
    let mut running = run(api.client(), "{}").await;
    let mut reported = Vec::new();
    for _ in uids {
        reported.push(running.next_event().await.job.uid.to_string());
    }
    assert_eq!(reported, uids);
}
