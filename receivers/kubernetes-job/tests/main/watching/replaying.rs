//! Watches that resume at the version at which an earlier process stopped.

use std::time::Duration;

use serde_json::json;

use super::{LIST, WATCH, asked, bookmark, gone, job, resume};
use crate::support::{Api, Piece, Reply, empty_list, lines, status};

fn pieces(pieces: Vec<Piece>) -> Reply {
    Reply::Stream(pieces)
}

fn line(kind: &str, name: &str, version: u64) -> Piece {
    Piece::Data(format!("{}\n", job(kind, name, version)))
}

#[tokio::test(start_paused = true)]
async fn replays_what_came_and_went_before_the_list() {
    let api = Api::new();
    let listed = json!({"metadata": {"uid": "u-b", "name": "b", "resourceVersion": "3"}});
    api.then(LIST, [Reply::List(9, String::new(), vec![listed])]);
    api.then(WATCH, [lines(&[&job("ADDED", "a", 6), &job("DELETED", "a", 8)])]);
    let mut watching = resume(&api, 5);
    let expected = ["list", "listed b", "replay up to 9", "end", "changed a", "deleted a"];
    assert_eq!(watching.reports(6).await, expected);
    assert!(!watching.first_list.is_over(), "it has not observed everything");
    assert_eq!(watching.reports(2).await, ["replayed", "works"]);
    assert!(watching.first_list.is_over());
    let watches = api.asked(WATCH);
    assert_eq!(watches.len(), 1, "the same watch continues");
    assert!(watches[0].uri.contains("resourceVersion=5&"), "{watches:?}");
    assert!((0.5..0.6).contains(&tokio::time::Instant::now().duration_since(api.began()).as_secs_f64()));
}

#[tokio::test(start_paused = true)]
async fn a_replay_ends_with_the_version_of_the_list() {
    for last in [line("ADDED", "b", 9), bookmark(9), line("ADDED", "b", 12)] {
        let api = Api::new();
        api.then(LIST, [empty_list(9)]);
        let stream = vec![line("ADDED", "a", 6), last, Piece::Hang];
        api.then(WATCH, [pieces(stream)]);
        let mut watching = resume(&api, 5);
        let mut reports = watching.reports(6).await;
        if reports[4] == "changed b" {
            reports.remove(4);
            reports.extend(watching.reports(1).await);
        }
        assert_eq!(
            reports,
            ["list", "replay up to 9", "end", "changed a", "replayed", "works"]
        );
        assert_eq!(tokio::time::Instant::now(), api.began(), "without a pause");
    }
}

#[tokio::test(start_paused = true)]
async fn an_expired_version_leads_to_that_of_the_list() {
    for reply in [lines(&[&gone()]), status(410, None), status(400, None)] {
        let api = Api::new();
        api.then(LIST, [empty_list(9)]);
        api.then(WATCH, [reply, lines(&[&job("ADDED", "a", 10)])]);
        let mut watching = resume(&api, 5);
        let expected = ["list", "replay up to 9", "end", "expired", "works", "changed a"];
        assert_eq!(watching.reports(6).await, expected);
        let watches = api.asked(WATCH);
        assert!(watches[1].uri.contains("resourceVersion=9&"), "{watches:?}");
        assert_eq!(watches[1].at, watches[0].at, "at once");
        assert_eq!(api.asked(LIST).len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_version_after_that_of_the_list_is_of_another_cluster() {
    for (stored, listed) in [(12, 9), (9, 9)] {
        let api = Api::new();
        api.then(LIST, [empty_list(listed)]);
        let mut watching = resume(&api, stored);
        assert_eq!(watching.reports(3).await, ["list", "end", "works"]);
        let watches = asked(&api, WATCH, 1).await;
        assert!(watches[0].uri.contains("resourceVersion=9&"), "{watches:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_replay_that_breaks_goes_on_where_it_stopped() {
    let api = Api::new();
    api.then(LIST, [empty_list(9)]);
    api.then(
        WATCH,
        [
            pieces(vec![line("ADDED", "a", 6), Piece::Reset]),
            pieces(vec![line("DELETED", "a", 7), Piece::Hang]),
        ],
    );
    let mut watching = resume(&api, 5);
    let reports = watching.reports(8).await;
    assert_eq!(reports[3..5], ["changed a", "connection x1"]);
    assert_eq!(reports[5..7], ["deleted a", "replayed"]);
    assert!(reports[7].ends_with("s by resume"), "{reports:?}");
    assert!(api.asked(WATCH)[1].uri.contains("resourceVersion=6&"));
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_ends_may_have_more_to_replay() {
    let api = Api::new();
    api.then(LIST, [empty_list(9)]);
    api.then(
        WATCH,
        [
            pieces(vec![line("ADDED", "a", 6)]),
            pieces(vec![line("DELETED", "a", 7), Piece::Hang]),
        ],
    );
    let mut watching = resume(&api, 5);
    let expected = ["list", "replay up to 9", "end", "changed a", "deleted a", "replayed"];
    assert_eq!(watching.reports(6).await, expected);
    assert!(api.asked(WATCH)[1].uri.contains("resourceVersion=6&"));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_behind_is_asked_again() {
    let api = Api::new();
    api.then(LIST, [empty_list(9)]);
    api.then(WATCH, [status(504, Some(1)), lines(&[&job("ADDED", "a", 6)])]);
    let mut watching = resume(&api, 5);
    let expected = ["list", "replay up to 9", "end", "504 x1", "changed a"];
    assert_eq!(watching.reports(5).await, expected);
    assert!(api.asked(WATCH)[1].uri.contains("resourceVersion=5&"));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_sends_slowly_is_not_at_its_end() {
    let api = Api::new();
    api.then(LIST, [empty_list(9)]);
    let pause = || Piece::Wait(Duration::from_millis(400));
    let stream = vec![
        pause(),
        line("ADDED", "a", 6),
        pause(),
        line("DELETED", "a", 7),
        Piece::Hang,
    ];
    api.then(WATCH, [pieces(stream)]);
    let mut watching = resume(&api, 5);
    let expected = ["list", "replay up to 9", "end", "changed a", "deleted a", "replayed"];
    assert_eq!(watching.reports(6).await, expected);
}
