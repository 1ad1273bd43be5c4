//! Watches and servers that fall silent.

use std::time::Duration;

use super::{LIST, WATCH, asked, bookmark, job, watch};
use crate::support::{Api, Asked, Piece, Reply, empty_list, lines};

/// Seconds between the first two requested watches.
fn pause(api: &Api) -> f64 {
    let asked = api.asked(WATCH);
    asked[1].at - asked[0].at
}

#[tokio::test(start_paused = true)]
async fn replaces_a_silent_watch() {
    let api = Api::new();
    api.then(
        WATCH,
        [Reply::Stream(vec![Piece::Hang]), lines(&[&job("ADDED", "a", 6)])],
    );
    let mut watching = watch(&api);
    let reports = watching.reports(6).await;
    assert_eq!(reports[3], "silence x1");
    assert!(
        reports[4].starts_with("works after 1") && reports[4].ends_with("s by resume"),
        "{reports:?}"
    );
    assert_eq!(reports[5], "changed a");
    let waited = pause(&api);
    assert!((105.0..=136.0).contains(&waited), "{waited}");
    assert_eq!(api.asked(LIST).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn repeated_silence_is_no_recovery() {
    let api = Api::new();
    let ends = Piece::Wait(Duration::from_secs(80));
    api.then(WATCH, vec![Reply::Stream(vec![Piece::Hang]); 3]);
    api.then(WATCH, [Reply::Stream(vec![ends])]);
    let mut watching = watch(&api);
    let reports = watching.reports(7).await;
    assert_eq!(reports[3..6], ["silence x1", "silence x2", "silence x3"]);
    // An end at the timeout is proof enough, on a cluster without changes.
    let (_, gap) = reports[6].split_once("works after ").unwrap();
    let gap: u64 = gap.strip_suffix("s by resume").unwrap().parse().unwrap();
    assert!((3 * 105..3 * 138).contains(&gap), "{reports:?}");
}

/// The requested length of the n-th watch.
fn asked_to_last(asked: &Asked) -> u64 {
    let (_, seconds) = asked.uri.split_once("timeoutSeconds=").unwrap();
    seconds.parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn missing_bookmarks_show_after_90_seconds() {
    let api = Api::new();
    let minute = Duration::from_secs(60);
    // The first watch is a short one, since nothing is known of bookmarks yet.
    let ends = Piece::Wait(Duration::from_secs(30));
    api.then(
        WATCH,
        [
            Reply::Stream(vec![Piece::Wait(minute), bookmark(6), ends]),
            Reply::Stream(vec![Piece::Wait(minute), bookmark(7), Piece::Hang]),
            lines(&[&job("ADDED", "a", 8)]),
        ],
    );
    let mut watching = watch(&api);
    let reports = watching.reports(6).await;
    assert_eq!(reports[3], "silence x1");
    assert!(
        reports[4].starts_with("works after 9") || reports[4].starts_with("works after 100s"),
        "{reports:?}"
    );
    let asked = asked(&api, WATCH, 3).await;
    assert!((90..120).contains(&asked_to_last(&asked[0])), "{asked:?}");
    assert!((240..300).contains(&asked_to_last(&asked[1])), "{asked:?}");
    let waited = asked[2].at - asked[1].at - 60.0;
    assert!((90.0..=101.0).contains(&waited), "{waited}");
    assert!(asked[2].uri.contains("resourceVersion=7"), "{asked:?}");
    assert_eq!(api.asked(LIST).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_server_without_bookmarks_costs_one_watch() {
    let api = Api::new();
    let minute = Duration::from_secs(60);
    // The first learns that bookmarks arrive; the next expects them in vain; the following ones do not, and end before
    // the shortest length of a short watch.
    let ends = |seconds| Piece::Wait(Duration::from_secs(seconds));
    api.then(
        WATCH,
        [
            Reply::Stream(vec![Piece::Wait(minute), bookmark(6), ends(30)]),
            Reply::Stream(vec![ends(280)]),
            Reply::Stream(vec![ends(100)]),
            Reply::Stream(vec![ends(100)]),
        ],
    );
    let mut watching = watch(&api);
    let reports = watching.reports(5).await;
    assert_eq!(reports[3], "silence x1");
    assert!(
        reports[4].starts_with("works after 9") || reports[4].starts_with("works after 100s"),
        "{reports:?}"
    );
    let asked = asked(&api, WATCH, 5).await;
    assert!((240..300).contains(&asked_to_last(&asked[1])), "{asked:?}");
    let waited = asked[2].at - asked[1].at;
    assert!((90.0..=101.0).contains(&waited), "{waited}");
    for asked in &asked[2..] {
        assert!((90..120).contains(&asked_to_last(asked)), "{asked:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn replaces_a_watch_that_outlives_its_timeout() {
    let api = Api::new();
    let talks = (6..60).flat_map(|n| {
        [
            Piece::Data(format!("{}\n", job("ADDED", "a", n))),
            Piece::Wait(Duration::from_secs(5)),
        ]
    });
    api.then(WATCH, [Reply::Stream(talks.collect())]);
    let mut watching = watch(&api);
    asked(&api, WATCH, 2).await;
    let reports = watching.reports(3 + 20).await;
    assert!(reports[3..].iter().all(|reports| reports == "changed a"), "{reports:?}");
    assert!((105.0..=136.0).contains(&pause(&api)), "{}", pause(&api));
}

#[tokio::test(start_paused = true)]
async fn times_out_an_answer_that_trickles() {
    let trickle = |times| (0..times).flat_map(|_| [Piece::Data(" ".into()), Piece::Wait(Duration::from_secs(10))]);
    let api = Api::new();
    api.then(LIST, [Reply::Stream(trickle(1000).collect()), empty_list(5)]);
    api.then(WATCH, [Reply::Stream(trickle(1000).collect())]);
    let mut watching = watch(&api);
    let mut reports = watching.reports(6).await;
    reports.dedup();
    assert_eq!(reports, ["slow x1", "list", "end", "works", "slow x1"]);
    let lists = api.asked(LIST);
    assert!((300.0..302.0).contains(&lists[1].at), "{lists:?}");
    asked(&api, WATCH, 2).await;
    assert!((105.0..=137.0).contains(&pause(&api)), "{}", pause(&api));
}

#[tokio::test(start_paused = true)]
async fn times_out_a_server_that_never_answers() {
    let api = Api::new();
    api.then(LIST, [Reply::Silence, Reply::Refused, empty_list(5)]);
    let mut watching = watch(&api);
    assert_eq!(
        watching.reports(4).await,
        ["silence x1", "connection x2", "list", "end"]
    );
}
