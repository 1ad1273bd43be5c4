//! Lists that are invalid, forbidden, endless or too large, and unusable objects.

use std::time::Duration;

use collector_runtime::health::Status;
use job_watch::Kind;
use job_watch::Object;
use job_watch::decode::MAX_LINE;
use serde_json::json;

use super::{LIST, WATCH, asked, job, watch, watch_of};
use crate::support::running::run;
use crate::support::{Api, Piece, Reply, empty_list, lines, status};

#[tokio::test(start_paused = true)]
async fn retries_an_optional_forbidden_kind_rarely() {
    let api = Api::new();
    api.then("/cronjobs?limit", vec![status(403, None); 3]);
    let mut watching = watch_of(&api, Kind::CronJobs, &[], Object::CronJob);
    let reports = watching.reports(9).await;
    assert_eq!(
        reports,
        [
            "forbidden",
            "403 x1",
            "forbidden",
            "403 x2",
            "forbidden",
            "403 x3",
            "list",
            "end",
            "works"
        ]
    );
    let asked = api.asked("/cronjobs?limit");
    for pair in asked.windows(2) {
        let pause = pair[1].at - pair[0].at;
        assert!((200.0..=401.0).contains(&pause), "{pause} s");
    }
}

#[tokio::test(start_paused = true)]
async fn what_belongs_to_an_owner_waits_for_it_however_long_its_list_fails() {
    let cronjobs = "/cronjobs?limit";
    let (pods, job_events) = ("/pods?labelSelector=job-name&limit", "kind%3DJob&limit");
    let (pod_events, cronjob_events) = ("kind%3DPod%2Ctype%3DWarning&limit", "kind%3DCronJob&limit");
    for (fails, waits, goes_on) in [
        (
            LIST,
            &[pods, job_events, pod_events, cronjob_events][..],
            &[cronjobs][..],
        ),
        (cronjobs, &[cronjob_events], &[LIST, pods, job_events, pod_events]),
        (pods, &[], &[job_events, pod_events, cronjob_events]),
    ] {
        let api = Api::new();
        api.then(fails, vec![status(500, None); 6]);
        let running = run(api.client(), "{}").await;
        running.until(|status| *status == Status::Ok).await;
        let asked = api.asked(fails);
        let [fourth, works] = [3, 6].map(|at: usize| asked[at].at);
        let first = |list: &str| api.asked(list)[0].at;
        for list in waits {
            assert!(first(list) >= works, "{list} waits for {fails}");
        }
        for list in goes_on {
            assert!(first(list) < fourth, "{list} does not wait for {fails}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn retries_an_invalid_list() {
    for body in [
        "{}",
        "",
        "[]",
        "<html>sign in</html>",
        r#"{"message":"ok"}"#,
        r#"{"kind":"Status","apiVersion":"v1","status":"Failure","code":500}"#,
        r#"{"metadata":{"resourceVersion":"9"},"items":null}"#,
        r#"{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"9"},"items":[]}"#,
        r#"{"kind":"JobList","apiVersion":"batch/v1","metadata":{"resourceVersion":"9"},"items":null}"#,
        r#"{"kind":"JobList","apiVersion":"batch/v1","metadata":{"resourceVersion":"9"}}"#,
        r#"{"kind":"JobList","apiVersion":"batch/v1","metadata":{},"items":[]}"#,
        r#"{"kind":"JobList","apiVersion":"batch/v1","metadata":{"resourceVersion":"9"},"items":["#,
    ] {
        let api = Api::new();
        let bad = Reply::Whole(200, None, body.into());
        api.then(LIST, [bad.clone(), bad, empty_list(5)]);
        let mut watching = watch(&api);
        let reports = watching.reports(5).await;
        assert_eq!(reports, ["no list x1", "no list x2", "list", "end", "works"], "{body}");
        assert!(api.asked(LIST)[1].at >= 0.4, "at once");
    }
    for code in [201, 204, 206] {
        let api = Api::new();
        let part = r#"{"kind":"JobList","apiVersion":"batch/v1","metadata":{"resourceVersion":"9"},"items":[]}"#;
        api.then(LIST, [Reply::Whole(code, None, part.into())]);
        assert_eq!(watch(&api).reports(2).await, [&format!("{code} x1"), "list"]);
    }
}

#[tokio::test(start_paused = true)]
async fn page_of_another_list_completes_nothing() {
    let api = Api::new();
    let first = Reply::List(5, "t".into(), vec![named("a")]);
    api.then(LIST, [first, Reply::List(4, String::new(), Vec::new())]);
    let mut watching = watch(&api);
    let reports = watching.reports(6).await;
    assert_eq!(reports, ["list", "listed a", "no list x1", "list", "end", "works"]);
}

#[tokio::test(start_paused = true)]
async fn repeated_continue_token_fails_the_list() {
    let api = Api::new();
    api.then(LIST, vec![Reply::List(5, "same".into(), Vec::new()); 200]);
    let mut watching = watch(&api);
    let reports = watching.reports(20).await;
    assert!(
        reports
            .iter()
            .all(|what| what == "list" || what.starts_with("no list x")),
        "{reports:?}"
    );
    asked(&api, LIST, 20).await;
    let at = api.asked(LIST)[19].at;
    assert!(at > 60.0, "20 pages in {at} s");
}

#[tokio::test(start_paused = true)]
async fn endless_list_fails() {
    let api = Api::new();
    let pages = (0..200).map(|page| Reply::List(5, format!("t{page}"), Vec::new()));
    api.then(LIST, pages);
    let mut watching = watch(&api);
    assert_eq!(watching.reports(3).await, ["list", "no list x1", "list"]);
    assert_eq!(api.asked(LIST).iter().filter(|asked| asked.at < 0.1).count(), 16);
}

/// A list with one item of this size.
fn large_page(bytes: usize) -> Reply {
    let start = r#"{"kind":"JobList","apiVersion":"batch/v1","metadata":{"resourceVersion":"5"},"items":[{"x":""#;
    let piece = Piece::Data("y".repeat(1024 * 1024));
    let pieces = std::iter::once(Piece::Data(start.into())).chain(std::iter::repeat_n(piece, bytes >> 20));
    Reply::Stream(pieces.collect())
}

#[tokio::test(start_paused = true)]
async fn oversized_page_is_retried_with_a_smaller_limit() {
    let api = Api::new();
    api.then(LIST, [large_page(100 << 20), large_page(100 << 20), empty_list(5)]);
    let mut watching = watch(&api);
    let reports = watching.reports(5).await;
    assert_eq!(reports, ["too large x1", "too large x2", "list", "end", "works"]);
    let limits: Vec<String> = api.asked(LIST).iter().map(|asked| asked.uri.clone()).collect();
    for (uri, limit) in limits.iter().zip(["limit=500", "limit=50", "limit=5"]) {
        assert!(uri.ends_with(limit), "{limits:?}");
    }
}

fn named(name: &str) -> serde_json::Value {
    json!({"metadata": {"uid": name, "name": name, "namespace": "n"}})
}

#[tokio::test(start_paused = true)]
async fn skips_only_the_unusable_object() {
    let api = Api::new();
    let mut no_text = br#"{"kind":"JobList","apiVersion":"batch/v1","metadata":{"resourceVersion":"5"},"items":[
        {"metadata":{"uid":"a","name":"a?"}},{"metadata":{"name":"x"}},{"metadata":{"uid":"b","name":"b"}}]}"#
        .to_vec();
    for byte in no_text.iter_mut().filter(|byte| **byte == b'?') {
        *byte = 0xff;
    }
    api.then(LIST, [Reply::Stream(vec![Piece::Bytes(no_text)])]);
    let reports = watch(&api).reports(6).await;
    assert_eq!(
        reports,
        ["list", "listed a\u{fffd}", "lacks", "undecodable", "listed b", "end"]
    );
}

#[tokio::test(start_paused = true)]
async fn ignores_objects_of_another_namespace() {
    let api = Api::new();
    let other = json!({"metadata": {"uid": "o", "name": "o", "namespace": "other"}});
    api.then(LIST, [Reply::List(5, String::new(), vec![other.clone(), named("a")])]);
    let line = json!({"type": "DELETED", "object": other}).to_string();
    let last = json!({"type": "DELETED", "object": named("a")}).to_string();
    api.then(WATCH, [lines(&[&line, &last])]);
    let mut watching = watch_of(&api, Kind::Jobs, &["n".into()], Object::Job);
    let reports = watching.reports(8).await;
    assert_eq!(
        reports,
        [
            "list",
            "lacks",
            "undecodable",
            "listed a",
            "end",
            "works",
            "undecodable",
            "deleted a"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn skips_an_oversized_line() {
    let api = Api::new();
    let piece = Piece::Data("y".repeat(1024 * 1024));
    let long = std::iter::repeat_n(piece, (MAX_LINE >> 20) + 4);
    let next = Piece::Data(format!("\n{}\n", job("ADDED", "a", 7)));
    api.then(WATCH, [Reply::Stream(long.chain([next, Piece::Hang]).collect())]);
    let mut watching = watch(&api);
    assert_eq!(watching.reports(5).await[3..], ["undecodable", "changed a"]);
    assert_eq!(api.asked(WATCH).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn relists_if_the_watch_breaks_at_one_object() {
    let api = Api::new();
    let half = |end| Reply::Stream(vec![Piece::Data("{\"type\":\"ADDED\",".into()), end]);
    api.then(
        WATCH,
        [
            half(Piece::Reset),
            half(Piece::Wait(Duration::ZERO)),
            half(Piece::Reset),
        ],
    );
    let mut watching = watch(&api);
    let reports = watching.reports(8).await;
    assert_eq!(reports[3..], ["cut x1", "cut x2", "cut x3", "list", "end"]);
    assert_eq!(api.asked(LIST).len(), 2);
}
