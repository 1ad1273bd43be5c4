//! Watches that end, break or expire, and resume.

use std::time::Duration;

use serde_json::json;

use super::{LIST, WATCH, asked, bookmark, gone, job, watch};
use crate::support::{Api, Piece, Reply, empty_list, lines, status};

#[tokio::test(start_paused = true)]
async fn lists_in_pages_and_watches_from_its_version() {
    let api = Api::new();
    let page = |next: &str, name: &str| {
        let items = vec![json!({"metadata": {"uid": name, "name": name}})];
        Reply::List(5, next.into(), items)
    };
    api.then(LIST, [page("t1", "a"), page("", "b")]);
    api.then(WATCH, [lines(&[&job("MODIFIED", "a", 6), &job("DELETED", "b", 7)])]);
    let mut watching = watch(&api);
    let reports = watching.reports(7).await;
    assert_eq!(
        reports,
        ["list", "listed a", "listed b", "end", "works", "changed a", "deleted b"]
    );
    assert!(watching.first_list.is_over());
    assert!(api.asked(LIST)[1].uri.ends_with("continue=t1"));
    assert!(
        api.asked(WATCH)[0]
            .uri
            .contains("resourceVersion=5&allowWatchBookmarks=true&timeoutSeconds=")
    );
}

#[tokio::test(start_paused = true)]
async fn relists_ever_slower_while_versions_expire() {
    for reply in [lines(&[&gone()]), status(410, None), status(400, None)] {
        let api = Api::new();
        api.then(LIST, [empty_list(5), empty_list(9), empty_list(10)]);
        api.then(WATCH, [reply.clone(), reply, lines(&[&job("ADDED", "a", 11)])]);
        let mut watching = watch(&api);
        let mut reports = Vec::new();
        while reports.last().is_none_or(|last| last != "changed a") {
            reports.extend(watching.reports(1).await);
        }
        reports.retain(|what| !what.starts_with("works"));
        let code = if reports.iter().any(|what| what.contains("400")) {
            400
        } else {
            410
        };
        let (first, second) = (format!("{code} x1"), format!("{code} x2"));
        assert_eq!(
            reports,
            [
                "list",
                "end",
                &first,
                "list",
                "end",
                &second,
                "list",
                "end",
                "changed a"
            ]
        );
        let lists = api.asked(LIST);
        assert_eq!(lists.len(), 3);
        assert!((0.4..0.9).contains(&lists[1].at), "{lists:?}");
        assert!((0.8..1.7).contains(&(lists[2].at - lists[1].at)), "{lists:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn honors_retry_after_and_resumes() {
    let api = Api::new();
    api.then(LIST, [empty_list(5)]);
    api.then(
        WATCH,
        [
            status(429, Some(7)),
            status(503, None),
            status(500, None),
            status(504, Some(1)),
            status(401, None),
        ],
    );
    let mut watching = watch(&api);
    let reports = watching.reports(9).await;
    assert_eq!(reports[3..8], ["429 x1", "503 x2", "500 x3", "504 x4", "401 x5"]);
    // 7 s as asked, then delays of 0.8 s to 12.8 s, the upper half of each.
    assert!(
        reports[8].starts_with("works after ") && reports[8].ends_with("s by resume"),
        "{reports:?}"
    );
    let asked = api.asked(WATCH);
    assert!((7.0..7.1).contains(&(asked[1].at - asked[0].at)), "{asked:?}");
    assert!(asked.iter().all(|asked| asked.uri.contains("resourceVersion=5")));
    assert_eq!(api.asked(LIST).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn resumes_after_the_last_whole_object() {
    for end in [None, Some(Piece::Reset)] {
        let api = Api::new();
        api.then(LIST, [empty_list(5)]);
        let half = job("MODIFIED", "b", 7).split_at(60).0.to_owned();
        let pieces = [Piece::Data(format!("{}\n", job("ADDED", "a", 6))), Piece::Data(half)];
        api.then(
            WATCH,
            [
                Reply::Stream(pieces.into_iter().chain(end).collect()),
                lines(&[&job("MODIFIED", "b", 7)]),
            ],
        );
        let mut watching = watch(&api);
        let reports = watching.reports(7).await;
        assert_eq!(reports[3], "changed a");
        assert!(reports[4] == "cut x1" || reports[4] == "connection x1", "{reports:?}");
        assert_eq!(reports[5..], ["works after 0s by resume", "changed b"]);
        assert!(api.asked(WATCH)[1].uri.contains("resourceVersion=6"));
    }
}

#[tokio::test(start_paused = true)]
async fn bookmarks_advance_the_version() {
    let api = Api::new();
    api.then(LIST, [empty_list(5)]);
    let ends = Piece::Wait(Duration::from_secs(80));
    api.then(WATCH, [Reply::Stream(vec![bookmark(42), ends])]);
    let _watching = watch(&api);
    let asked = asked(&api, WATCH, 2).await;
    assert!(asked[1].uri.contains("resourceVersion=42"));
    assert!(
        (80.0..80.1).contains(&(asked[1].at - asked[0].at)),
        "a watch that ends well is followed at once"
    );
}

#[tokio::test(start_paused = true)]
async fn an_expired_continue_token_lists_without_pages() {
    let api = Api::new();
    let first = Reply::List(5, "t".into(), Vec::new());
    api.then("/jobs", [first, status(410, None), empty_list(6)]);
    let mut watching = watch(&api);
    assert_eq!(watching.reports(5).await, ["list", "410 x1", "list", "end", "works"]);
    let asked = api.asked("/jobs");
    assert!(asked[1].uri.contains("limit=500&continue=t"));
    assert_eq!(asked[2].uri, "/apis/batch/v1/jobs");
}

#[tokio::test(start_paused = true)]
async fn reports_forbidden_and_retries() {
    let api = Api::new();
    api.then(LIST, [status(403, None), status(403, None), empty_list(5)]);
    let mut watching = watch(&api);
    let reports = watching.reports(7).await;
    assert_eq!(
        reports,
        ["forbidden", "403 x1", "forbidden", "403 x2", "list", "end", "works"]
    );
    assert!(watching.first_list.is_over());
}

#[tokio::test(start_paused = true)]
async fn counts_unusable_objects_and_keeps_watching() {
    let api = Api::new();
    api.then(LIST, [empty_list(5)]);
    let no_uid = r#"{"type":"ADDED","object":{"kind":"Job","metadata":{"name":"x","resourceVersion":"6"}}}"#;
    api.then(WATCH, [lines(&["{\"type\":", no_uid, "", &job("ADDED", "a", 7)])]);
    let mut watching = watch(&api);
    assert_eq!(
        watching.reports(6).await[3..],
        ["undecodable", "undecodable", "changed a"]
    );
    assert_eq!(api.asked(WATCH).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn watches_that_end_at_once_back_off() {
    let api = Api::new();
    api.then(WATCH, std::iter::repeat_n(Reply::Stream(Vec::new()), 50));
    let mut watching = watch(&api);
    // The list, then one failure for each watch.
    let reports = watching.reports(3 + 20).await;
    assert_eq!(reports[22], "empty x20", "{reports:?}");
    let asked = api.asked(WATCH);
    // At least half of 0.8 s, of 1.6 s, and then of 3 s each.
    assert!(asked[19].at > 26.0, "{:?}", asked[19]);
}
