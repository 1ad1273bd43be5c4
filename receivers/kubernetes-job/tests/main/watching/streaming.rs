//! Streaming lists, and the lists in pages that replace them.

use std::time::Duration;

use job_watch::version::SharedVersion;
use job_watch::watch::streaming::StreamingLists;
use job_watch::{Kind, Object};
use tokio::time::Instant;

use super::{LIST, WATCH, Watching, asked, bookmark, gone, job, resume, watch, watch_with};
use crate::support::{Api, Piece, Reply, lines, status};

const STREAM: &str = "/jobs?sendInitialEvents=true&resourceVersionMatch=NotOlderThan&watch=true";

/// An API server of this version.
fn server(version: &str) -> Api {
    let api = Api::new();
    let body = format!(r#"{{"gitVersion":"{version}"}}"#);
    api.then("/version", [Reply::Whole(200, None, body)]);
    api
}

/// The bookmark that ends the initial events.
fn end(version: u64) -> String {
    let metadata = format!(r#"{{"resourceVersion":"{version}","annotations":{{"k8s.io/initial-events-end":"true"}}}}"#);
    format!(r#"{{"type":"BOOKMARK","object":{{"kind":"Job","metadata":{metadata}}}}}"#)
}

fn data(lines: &[&str]) -> Piece {
    Piece::Data(lines.iter().map(|line| format!("{line}\n")).collect())
}

/// The number of requested streams and pages.
fn lists(api: &Api) -> (usize, usize) {
    (api.asked(STREAM).len(), api.asked(LIST).len())
}

#[tokio::test(start_paused = true)]
async fn streams_a_list_and_watches_on_its_connection() {
    let api = server("v1.34.1");
    // A chunk may end anywhere.
    let chunk = [
        &*job("ADDED", "a", 3),
        &job("ADDED", "b", 4),
        &end(9),
        &job("MODIFIED", "a", 10),
    ];
    let later = data(&[&job("DELETED", "b", 11)]);
    api.then(STREAM, [Reply::Stream(vec![data(&chunk), later, Piece::Hang])]);
    let mut watching = watch(&api);
    let reports = watching.reports(7).await;
    assert_eq!(
        reports,
        ["list", "listed a", "listed b", "end", "works", "changed a", "deleted b"]
    );
    assert!(watching.first_list.is_over());
    assert_eq!(lists(&api), (1, 0));
    assert!(
        !api.asked(STREAM)[0].uri.contains("resourceVersion="),
        "a consistent list"
    );
    // The next watch begins where this one was.
    let next = asked(&api, WATCH, 1).await;
    assert!(next[0].uri.contains("resourceVersion=11"), "{next:?}");
    assert!((80.0..=100.0).contains(&next[0].at), "{next:?}");
}

#[tokio::test(start_paused = true)]
async fn a_resumed_watch_follows_its_streamed_list() {
    let api = server("v1.34.1");
    // The changes after the list, on its connection, are replayed with the rest.
    let chunk = [&*job("ADDED", "b", 4), &end(9), &job("ADDED", "c", 10)];
    api.then(STREAM, [Reply::Stream(vec![data(&chunk), Piece::Hang])]);
    let changes = [&*job("ADDED", "a", 6), &job("DELETED", "a", 8), &job("ADDED", "c", 10)];
    api.then(WATCH, [lines(&changes)]);
    let mut watching = resume(&api, 5);
    let listed = watching.reports(4).await;
    assert_eq!(listed, ["list", "listed b", "replay up to 9", "end"]);
    let replayed = watching.reports(5).await;
    assert_eq!(replayed, ["changed a", "deleted a", "changed c", "replayed", "works"]);
    let watches = api.asked(WATCH);
    assert!(
        watches.len() == 1 && watches[0].uri.contains("resourceVersion=5&"),
        "{watches:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_list_ends_at_its_marked_bookmark_only() {
    let api = server("v1.37.2");
    let first = data(&[&job("ADDED", "a", 3)]);
    let pause = Piece::Wait(Duration::from_secs(14));
    let pieces = vec![pause.clone(), first, pause, data(&[&end(9)]), Piece::Hang];
    api.then(STREAM, [Reply::Stream(pieces)]);
    let mut watching = watch(&api);
    assert_eq!(watching.reports(2).await, ["list", "listed a"]);
    assert!(!watching.first_list.is_over());
    assert_eq!(watching.reports(2).await, ["end", "works"]);
    assert_eq!(lists(&api), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn changes_before_the_end_of_a_list_belong_to_it() {
    let api = server("v1.34.1");
    let bad = r#"{"type":"ADDED","object":{"kind":"Job","metadata":{"name":"x"}}}"#;
    let chunk = [
        &*job("ADDED", "a", 3),
        &job("MODIFIED", "a", 5),
        &job("DELETED", "b", 6),
        bad,
        &end(9),
    ];
    api.then(STREAM, [lines(&chunk)]);
    let reports = watch(&api).reports(8).await;
    assert_eq!(
        reports,
        [
            "list",
            "listed a",
            "listed a",
            "deleted b",
            "lacks",
            "undecodable",
            "end",
            "works"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn servers_without_streaming_lists_are_not_asked_for_one() {
    for version in ["v1.31.4", "v1.33.2+k3s1", "v0.0.0-master", "unknown"] {
        let api = server(version);
        assert_eq!(watch(&api).reports(3).await, ["list", "end", "works"]);
        assert_eq!(lists(&api), (0, 1), "{version}");
    }
    // Without a version, there is no wait either.
    let api = Api::new();
    assert_eq!(watch(&api).reports(3).await, ["list", "end", "works"]);
    asked(&api, WATCH, 1).await;
    assert_eq!(lists(&api), (0, 1));
    assert!(api.asked(WATCH)[0].at < 0.1);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_was_not_reached_is_asked_for_its_version() {
    let api = Api::new();
    let version = Reply::Whole(200, None, r#"{"gitVersion":"v1.34.1"}"#.into());
    api.then("/version", [Reply::Refused, version]);
    api.then(LIST, [Reply::Refused]);
    api.then(STREAM, [lines(&[&end(9)])]);
    let reports = watch(&api).reports(4).await;
    assert_eq!(reports, ["connection x1", "list", "end", "works"]);
    assert_eq!(lists(&api), (1, 1));
}

/// Streams that end or stop before the list is complete, and what is received of them.
fn not_streamed() -> Vec<(Reply, Vec<&'static str>)> {
    let object = || data(&[&job("ADDED", "a", 3)]);
    let ends = Piece::Wait(Duration::ZERO);
    vec![
        (status(422, None), vec![]),
        (status(400, None), vec![]),
        (status(405, None), vec![]),
        (Reply::Stream(vec![ends.clone()]), vec![]),
        (Reply::Stream(vec![object(), ends]), vec!["list", "listed a"]),
        (Reply::Stream(vec![Piece::Hang]), vec![]),
        (Reply::Stream(vec![object(), Piece::Hang]), vec!["list", "listed a"]),
        // A server that ignores the parameters sends changes next.
        (
            Reply::Stream(vec![object(), bookmark(9), Piece::Hang]),
            vec!["list", "listed a"],
        ),
    ]
}

#[tokio::test(start_paused = true)]
async fn pages_follow_a_refused_stream_at_once_and_for_all_watches() {
    for (reply, received) in not_streamed() {
        let api = server("v1.34.1");
        api.then(STREAM, [reply.clone()]);
        api.then(WATCH, [lines(&[&gone()])]);
        let streaming = StreamingLists::of(SharedVersion::default());
        let watch = |kind, object| watch_with(&api, kind, &[], object, streaming.clone());
        let mut jobs = watch(Kind::Jobs, Object::Job);
        let expected = [received.as_slice(), &["list", "end", "works"]].concat();
        assert_eq!(jobs.reports(expected.len()).await, expected, "{reply:?}");
        let page = &api.asked(LIST)[0];
        assert!(page.at <= 15.1, "{page:?}");
        // A list after an expired version is in pages, too, and so are the lists of other watches.
        assert_eq!(jobs.reports(3).await, ["410 x1", "list", "end"]);
        assert_eq!(lists(&api), (1, 2), "{reply:?}");
        let mut cronjobs = watch_with(&api, Kind::CronJobs, &[], Object::CronJob, streaming.clone());
        assert_eq!(cronjobs.reports(3).await, ["list", "end", "works"]);
        assert_eq!(api.asked("/cronjobs?sendInitialEvents").len(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_of_one_stream_leads_to_pages_of_its_list() {
    let in_band = |code| {
        let status = format!(r#"{{"kind":"Status","status":"Failure","message":"m","code":{code}}}"#);
        lines(&[&format!(r#"{{"type":"ERROR","object":{status}}}"#)])
    };
    for reply in [
        status(403, None),
        status(404, None),
        in_band(504),
        in_band(500),
        in_band(410),
    ] {
        let api = server("v1.34.1");
        api.then(STREAM, [reply.clone(), lines(&[&end(9), &job("ADDED", "a", 10)])]);
        api.then(WATCH, [lines(&[&gone()])]);
        let mut watching = watch(&api);
        let reports = watching.reports(7).await;
        let expected = [
            "list",
            "end",
            "works",
            "410 x1",
            "list",
            "end",
            "works after 0s by list",
        ];
        assert_eq!(reports, expected, "{reply:?}");
        assert_eq!(lists(&api), (2, 1), "the list after an expired version is streamed");
    }
}

#[tokio::test(start_paused = true)]
async fn a_denied_stream_is_denied_once() {
    let api = server("v1.34.1");
    let stream = "/cronjobs?sendInitialEvents";
    api.then(stream, vec![status(403, None); 9]);
    api.then("/cronjobs?limit", vec![status(403, None); 2]);
    let streaming = StreamingLists::of(SharedVersion::default());
    let mut watching = watch_with(&api, Kind::CronJobs, &[], Object::CronJob, streaming);
    let reports = watching.reports(7).await;
    let denied = ["forbidden", "403 x1", "forbidden", "403 x2"];
    assert_eq!(reports, [denied.as_slice(), &["list", "end", "works"]].concat());
    assert_eq!(api.asked(stream).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_reset_stream_is_retried_like_a_list() {
    let api = server("v1.34.1");
    // Nothing was received: the server is not reached.
    let refused = vec![Reply::Refused, Reply::Stream(vec![Piece::Reset])];
    api.then(STREAM, refused);
    let half = || Reply::Stream(vec![data(&[&job("ADDED", "a", 3)]), Piece::Reset]);
    api.then(STREAM, [half()]);
    api.then(STREAM, [lines(&[&job("ADDED", "a", 3), &end(9)])]);
    let reports = watch(&api).reports(9).await;
    assert_eq!(
        reports,
        [
            "connection x1",
            "connection x2",
            "list",
            "listed a",
            "connection x3",
            "list",
            "listed a",
            "end",
            "works"
        ]
    );
    let at: Vec<f64> = api.asked(STREAM).iter().map(|asked| asked.at).collect();
    assert!((0.4..=0.9).contains(&(at[1] - at[0])) && at[2] - at[1] <= 1.7, "{at:?}");
    assert!((1.6..=3.3).contains(&(at[3] - at[2])), "the delay of a list: {at:?}");
    assert_eq!(lists(&api), (4, 0));
}

#[tokio::test(start_paused = true)]
async fn a_list_whose_streams_break_is_read_in_pages() {
    let api = server("v1.34.1");
    let half = || Reply::Stream(vec![data(&[&job("ADDED", "a", 3)]), Piece::Reset]);
    api.then(STREAM, [half(), half(), half()]);
    let reports = watch(&api).reports(9).await;
    let broken = |times| ["list".to_owned(), "listed a".into(), format!("connection x{times}")];
    let expected: Vec<String> = [broken(1), broken(2)].concat();
    assert_eq!(reports[..6], expected);
    assert_eq!(reports[6..], ["list", "end", "works"]);
    assert_eq!(lists(&api), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_not_answered_is_retried() {
    for (reply, failure, pause) in [
        (Reply::Silence, "silence x1", 60.0),
        (status(503, Some(7)), "503 x1", 7.0),
        (status(401, None), "401 x1", 0.4),
    ] {
        let api = server("v1.34.1");
        api.then(STREAM, [reply, lines(&[&end(9)])]);
        assert_eq!(watch(&api).reports(3).await, [failure, "list", "end"]);
        let at: Vec<f64> = api.asked(STREAM).iter().map(|asked| asked.at).collect();
        assert!((pause..=pause + 1.0).contains(&at[1]), "{at:?}");
    }
}

/// A watch after a streaming list, and how long it lasted before the next one.
async fn lasted(pieces: Vec<Piece>) -> (f64, Watching) {
    let api = server("v1.34.1");
    api.then(STREAM, [Reply::Stream(pieces)]);
    let mut watching = watch(&api);
    assert_eq!(watching.reports(3).await, ["list", "end", "works"]);
    let next = asked(&api, WATCH, 1).await;
    (next[0].at, watching)
}

#[tokio::test(start_paused = true)]
async fn a_silent_watch_after_a_list_is_replaced_without_a_failure() {
    let (at, mut watching) = lasted(vec![data(&[&end(9)]), Piece::Hang]).await;
    assert!((80.0..=100.0).contains(&at), "{at}");
    let silent = tokio::time::timeout(Duration::from_secs(60), watching.reports(1)).await;
    assert!(silent.is_err(), "{silent:?}");
}

#[tokio::test(start_paused = true)]
async fn a_watch_after_a_list_expects_bookmarks_once_it_has_them() {
    let minute = || Piece::Wait(Duration::from_secs(60));
    let pieces = vec![
        data(&[&end(9)]),
        minute(),
        bookmark(10),
        minute(),
        bookmark(11),
        Piece::Hang,
    ];
    let began = Instant::now();
    let (at, mut watching) = lasted(pieces).await;
    assert!((210.0..=225.0).contains(&at), "{at} of {:?}", began.elapsed());
    assert_eq!(watching.reports(1).await, ["silence x1"]);
}
