//! Lists and watches against an API server that answers by a script, on a paused clock.

use std::time::Duration;

use crate::support::{Api, Piece, Reply, empty_list, lines, status};
use job_watch::decode::MAX_LINE;
use job_watch::model::Watched;
use job_watch::watch::gap::Gap;
use job_watch::watch::machine::Failure;
use job_watch::watch::request::targets;
use job_watch::watch::{Message, Report, Watch};
use job_watch::{Kind, Object, Observation};
use pacing::Random;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

const LIST: &str = "/jobs?limit";
const WATCH: &str = "/jobs?watch=true";

struct Watching {
    messages: mpsc::Receiver<Message>,
    first_list: CancellationToken,
    task: AbortHandle,
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What the delays are made from; `WATCHING_SEED` sets another one.
fn seed() -> u64 {
    let seed = std::env::var("WATCHING_SEED").map_or(1, |seed| seed.parse().unwrap());
    println!("seed {seed}");
    seed
}

fn watch(api: &Api) -> Watching {
    watch_of(api, Kind::Jobs, &[], Object::Job)
}

/// Watches a kind in the whole cluster, or in the first of these namespaces.
fn watch_of<T: Watched>(api: &Api, kind: Kind, namespaces: &[String], object: fn(Box<T>) -> Object) -> Watching {
    let (sender, messages) = mpsc::channel(256);
    let first_list = CancellationToken::new();
    let target = targets(namespaces, &[], "")
        .into_iter()
        .find(|target| target.source.kind == kind)
        .unwrap();
    let watch = Watch {
        client: api.client(),
        target,
        messages: sender,
        first_list: first_list.clone(),
        random: Random::seeded(seed()),
    };
    let task = tokio::spawn(watch.run(object)).abort_handle();
    Watching {
        messages,
        first_list,
        task,
    }
}

impl Watching {
    /// What is told until `count` things were told, in few words.
    async fn told(&mut self, count: usize) -> Vec<String> {
        let mut told = Vec::new();
        while told.len() < count {
            told.push(match self.messages.recv().await.unwrap().report {
                Report::Observed(Observation::ListBegins) => "list".into(),
                Report::Observed(Observation::ListLacks) => "lacks".into(),
                Report::Observed(Observation::ListEnds) => "end".into(),
                Report::Observed(Observation::Forbidden) => "forbidden".into(),
                Report::Observed(Observation::Listed(object)) => format!("listed {}", object.metadata().name),
                Report::Observed(Observation::Changed(object)) => format!("changed {}", object.metadata().name),
                Report::Observed(Observation::Deleted(object)) => format!("deleted {}", object.metadata().name),
                Report::Undecodable(_) => "undecodable".into(),
                Report::Works(None) => "works".into(),
                Report::Works(Some(Gap { length, ending })) => {
                    format!("works after {}s by {}", length.as_secs(), ending.as_str())
                }
                // Bookmarks and ends, which come and go.
                Report::Alive => continue,
                Report::Failed { failure, times } => match failure {
                    Failure::Status { code, .. } => format!("{code} x{times}"),
                    Failure::Connection(_) => format!("connection x{times}"),
                    Failure::Silence(_) => format!("silence x{times}"),
                    Failure::Slow(_) => format!("slow x{times}"),
                    Failure::Cut => format!("cut x{times}"),
                    Failure::Empty => format!("empty x{times}"),
                    Failure::Unreadable(_) => format!("unreadable x{times}"),
                    Failure::BadList(_) => format!("no list x{times}"),
                    Failure::TooLarge(_) => format!("too large x{times}"),
                },
            });
        }
        told
    }
}

fn job(kind: &str, name: &str, version: u64) -> String {
    format!(
        r#"{{"type":"{kind}","object":{{"kind":"Job","metadata":{{"uid":"u-{name}","name":"{name}","resourceVersion":"{version}"}}}}}}"#
    )
}

fn gone() -> String {
    r#"{"type":"ERROR","object":{"kind":"Status","status":"Failure","message":"too old resource version: 5 (9)","reason":"Expired","code":410}}"#
        .into()
}

/// Waits until `count` requests for `part` were made, an hour at most.
async fn asked(api: &Api, part: &str, count: usize) -> Vec<crate::support::Asked> {
    for _ in 0..360_000 {
        let asked = api.asked(part);
        if asked.len() >= count {
            return asked;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{part} was not asked {count} times: {:?}", api.asked(part));
}

#[tokio::test(start_paused = true)]
async fn a_list_in_pages_then_a_watch_from_its_version() {
    let api = Api::new();
    let page = |next: &str, name: &str| {
        let items = vec![json!({"metadata": {"uid": name, "name": name}})];
        Reply::List(5, next.into(), items)
    };
    api.then(LIST, [page("t1", "a"), page("", "b")]);
    api.then(WATCH, [lines(&[&job("MODIFIED", "a", 6), &job("DELETED", "b", 7)])]);
    let mut watching = watch(&api);
    let told = watching.told(7).await;
    assert_eq!(
        told,
        ["list", "listed a", "listed b", "end", "works", "changed a", "deleted b"]
    );
    assert!(watching.first_list.is_cancelled());
    assert!(api.asked(LIST)[1].uri.ends_with("continue=t1"));
    assert!(
        api.asked(WATCH)[0]
            .uri
            .contains("resourceVersion=5&allowWatchBookmarks=true&timeoutSeconds=")
    );
}

#[tokio::test(start_paused = true)]
async fn a_version_that_is_gone_leads_to_a_list_ever_slower() {
    for reply in [lines(&[&gone()]), status(410, None), status(400, None)] {
        let api = Api::new();
        api.then(LIST, [empty_list(5), empty_list(9), empty_list(10)]);
        api.then(WATCH, [reply.clone(), reply, lines(&[&job("ADDED", "a", 11)])]);
        let mut watching = watch(&api);
        let mut told = Vec::new();
        while told.last().is_none_or(|last| last != "changed a") {
            told.extend(watching.told(1).await);
        }
        told.retain(|what| !what.starts_with("works"));
        let code = if told.iter().any(|what| what.contains("400")) {
            400
        } else {
            410
        };
        let (first, second) = (format!("{code} x1"), format!("{code} x2"));
        assert_eq!(
            told,
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
async fn retry_after_is_followed_and_the_watch_goes_on_where_it_was() {
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
    let told = watching.told(9).await;
    assert_eq!(told[3..8], ["429 x1", "503 x2", "500 x3", "504 x4", "401 x5"]);
    // 7 s as asked, then delays of 0.8 s to 12.8 s, the upper half of each.
    assert!(
        told[8].starts_with("works after ") && told[8].ends_with("s by resume"),
        "{told:?}"
    );
    let asked = api.asked(WATCH);
    assert!((7.0..7.1).contains(&(asked[1].at - asked[0].at)), "{asked:?}");
    assert!(asked.iter().all(|asked| asked.uri.contains("resourceVersion=5")));
    assert_eq!(api.asked(LIST).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_breaks_inside_an_object_is_taken_up_at_the_last_whole_one() {
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
        let told = watching.told(7).await;
        assert_eq!(told[3], "changed a");
        assert!(told[4] == "cut x1" || told[4] == "connection x1", "{told:?}");
        assert_eq!(told[5..], ["works after 0s by resume", "changed b"]);
        assert!(api.asked(WATCH)[1].uri.contains("resourceVersion=6"));
    }
}

/// Seconds between the first two watches that were asked for.
fn pause(api: &Api) -> f64 {
    let asked = api.asked(WATCH);
    asked[1].at - asked[0].at
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_falls_silent_is_rebuilt() {
    let api = Api::new();
    api.then(
        WATCH,
        [Reply::Stream(vec![Piece::Hang]), lines(&[&job("ADDED", "a", 6)])],
    );
    let mut watching = watch(&api);
    let told = watching.told(6).await;
    assert_eq!(told[3], "silence x1");
    assert!(
        told[4].starts_with("works after 1") && told[4].ends_with("s by resume"),
        "{told:?}"
    );
    assert_eq!(told[5], "changed a");
    let waited = pause(&api);
    assert!((105.0..=136.0).contains(&waited), "{waited}");
    assert_eq!(api.asked(LIST).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn silence_after_silence_is_no_recovery() {
    let api = Api::new();
    let ends = Piece::Wait(Duration::from_secs(80));
    api.then(WATCH, vec![Reply::Stream(vec![Piece::Hang]); 3]);
    api.then(WATCH, [Reply::Stream(vec![ends])]);
    let mut watching = watch(&api);
    let told = watching.told(7).await;
    assert_eq!(told[3..6], ["silence x1", "silence x2", "silence x3"]);
    // An end in its time is proof enough, on a cluster where nothing happens.
    let (_, gap) = told[6].split_once("works after ").unwrap();
    let gap: u64 = gap.strip_suffix("s by resume").unwrap().parse().unwrap();
    assert!((3 * 105..3 * 138).contains(&gap), "{told:?}");
}

fn bookmark(version: u64) -> Piece {
    let object = format!(r#"{{"kind":"Job","metadata":{{"resourceVersion":"{version}"}}}}"#);
    Piece::Data(format!("{{\"type\":\"BOOKMARK\",\"object\":{object}}}\n"))
}

/// How long the n-th watch was asked to last.
fn asked_to_last(asked: &crate::support::Asked) -> u64 {
    let (_, seconds) = asked.uri.split_once("timeoutSeconds=").unwrap();
    seconds.parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn where_bookmarks_come_their_absence_tells_after_90_seconds() {
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
    let told = watching.told(6).await;
    assert_eq!(told[3], "silence x1");
    assert!(
        told[4].starts_with("works after 9") || told[4].starts_with("works after 100s"),
        "{told:?}"
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
async fn a_server_that_stops_sending_bookmarks_costs_one_watch() {
    let api = Api::new();
    let minute = Duration::from_secs(60);
    // One learns that bookmarks come; the next expects them in vain; those that follow do not, and end before the least
    // time that a short watch may last.
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
    let told = watching.told(5).await;
    assert_eq!(told[3], "silence x1");
    assert!(
        told[4].starts_with("works after 9") || told[4].starts_with("works after 100s"),
        "{told:?}"
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
async fn a_watch_that_outlives_its_time_is_asked_anew() {
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
    let told = watching.told(3 + 20).await;
    assert!(told[3..].iter().all(|told| told == "changed a"), "{told:?}");
    assert!((105.0..=136.0).contains(&pause(&api)), "{}", pause(&api));
}

#[tokio::test(start_paused = true)]
async fn what_trickles_in_and_is_never_whole_is_given_up() {
    let trickle = |times| (0..times).flat_map(|_| [Piece::Data(" ".into()), Piece::Wait(Duration::from_secs(10))]);
    let api = Api::new();
    api.then(LIST, [Reply::Stream(trickle(1000).collect()), empty_list(5)]);
    api.then(WATCH, [Reply::Stream(trickle(1000).collect())]);
    let mut watching = watch(&api);
    let mut told = watching.told(6).await;
    told.dedup();
    assert_eq!(told, ["slow x1", "list", "end", "works", "slow x1"]);
    let lists = api.asked(LIST);
    assert!((300.0..302.0).contains(&lists[1].at), "{lists:?}");
    asked(&api, WATCH, 2).await;
    assert!((105.0..=137.0).contains(&pause(&api)), "{}", pause(&api));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers_is_given_up() {
    let api = Api::new();
    api.then(LIST, [Reply::Silence, Reply::Refused, empty_list(5)]);
    let mut watching = watch(&api);
    assert_eq!(watching.told(4).await, ["silence x1", "connection x2", "list", "end"]);
}

#[tokio::test(start_paused = true)]
async fn bookmarks_move_the_version_on() {
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
async fn an_expired_token_leads_to_a_list_in_one_piece() {
    let api = Api::new();
    let first = Reply::List(5, "t".into(), Vec::new());
    api.then("/jobs", [first, status(410, None), empty_list(6)]);
    let mut watching = watch(&api);
    assert_eq!(watching.told(5).await, ["list", "410 x1", "list", "end", "works"]);
    let asked = api.asked("/jobs");
    assert!(asked[1].uri.contains("limit=500&continue=t"));
    assert_eq!(asked[2].uri, "/apis/batch/v1/jobs");
}

#[tokio::test(start_paused = true)]
async fn forbidden_is_told_and_tried_again() {
    let api = Api::new();
    api.then(LIST, [status(403, None), status(403, None), empty_list(5)]);
    let mut watching = watch(&api);
    let told = watching.told(7).await;
    assert_eq!(
        told,
        ["forbidden", "403 x1", "forbidden", "403 x2", "list", "end", "works"]
    );
    assert!(watching.first_list.is_cancelled());
}

#[tokio::test(start_paused = true)]
async fn counts_unusable_objects_and_keeps_watching() {
    let api = Api::new();
    api.then(LIST, [empty_list(5)]);
    let no_uid = r#"{"type":"ADDED","object":{"kind":"Job","metadata":{"name":"x","resourceVersion":"6"}}}"#;
    api.then(WATCH, [lines(&["{\"type\":", no_uid, "", &job("ADDED", "a", 7)])]);
    let mut watching = watch(&api);
    assert_eq!(watching.told(6).await[3..], ["undecodable", "undecodable", "changed a"]);
    assert_eq!(api.asked(WATCH).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn watches_that_end_at_once_do_not_spin() {
    let api = Api::new();
    api.then(WATCH, std::iter::repeat_n(Reply::Stream(Vec::new()), 50));
    let mut watching = watch(&api);
    // The list, then one failure for each watch.
    let told = watching.told(3 + 20).await;
    assert_eq!(told[22], "empty x20", "{told:?}");
    let asked = api.asked(WATCH);
    // At least half of 0.8 s, of 1.6 s, and then of 3 s each.
    assert!(asked[19].at > 26.0, "{:?}", asked[19]);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_allowed_and_not_needed_is_asked_for_rarely() {
    let api = Api::new();
    api.then("/cronjobs?limit", vec![status(403, None); 3]);
    let mut watching = watch_of(&api, Kind::CronJobs, &[], Object::CronJob);
    let told = watching.told(9).await;
    assert_eq!(
        told,
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
        let told = watching.told(5).await;
        assert_eq!(told, ["no list x1", "no list x2", "list", "end", "works"], "{body}");
        assert!(api.asked(LIST)[1].at >= 0.4, "at once");
    }
    for code in [201, 204, 206] {
        let api = Api::new();
        let part = r#"{"kind":"JobList","apiVersion":"batch/v1","metadata":{"resourceVersion":"9"},"items":[]}"#;
        api.then(LIST, [Reply::Whole(code, None, part.into())]);
        assert_eq!(watch(&api).told(2).await, [&format!("{code} x1"), "list"]);
    }
}

#[tokio::test(start_paused = true)]
async fn page_of_another_list_completes_nothing() {
    let api = Api::new();
    let first = Reply::List(5, "t".into(), vec![named("a")]);
    api.then(LIST, [first, Reply::List(4, String::new(), Vec::new())]);
    let mut watching = watch(&api);
    let told = watching.told(6).await;
    assert_eq!(told, ["list", "listed a", "no list x1", "list", "end", "works"]);
}

#[tokio::test(start_paused = true)]
async fn repeated_continue_token_fails_the_list() {
    let api = Api::new();
    api.then(LIST, vec![Reply::List(5, "same".into(), Vec::new()); 200]);
    let mut watching = watch(&api);
    let told = watching.told(20).await;
    assert!(
        told.iter().all(|what| what == "list" || what.starts_with("no list x")),
        "{told:?}"
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
    assert_eq!(watching.told(3).await, ["list", "no list x1", "list"]);
    assert_eq!(api.asked(LIST).iter().filter(|asked| asked.at < 0.1).count(), 16);
}

/// A list whose one item is so large.
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
    let told = watching.told(5).await;
    assert_eq!(told, ["too large x1", "too large x2", "list", "end", "works"]);
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
    let told = watch(&api).told(6).await;
    assert_eq!(
        told,
        ["list", "listed a\u{fffd}", "lacks", "undecodable", "listed b", "end"]
    );
}

#[tokio::test(start_paused = true)]
async fn an_object_of_another_namespace_is_not_taken() {
    let api = Api::new();
    let other = json!({"metadata": {"uid": "o", "name": "o", "namespace": "other"}});
    api.then(LIST, [Reply::List(5, String::new(), vec![other.clone(), named("a")])]);
    let line = json!({"type": "DELETED", "object": other}).to_string();
    let last = json!({"type": "DELETED", "object": named("a")}).to_string();
    api.then(WATCH, [lines(&[&line, &last])]);
    let mut watching = watch_of(&api, Kind::Jobs, &["n".into()], Object::Job);
    let told = watching.told(8).await;
    assert_eq!(
        told,
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
    assert_eq!(watching.told(5).await[3..], ["undecodable", "changed a"]);
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
    let told = watching.told(8).await;
    assert_eq!(told[3..], ["cut x1", "cut x2", "cut x3", "list", "end"]);
    assert_eq!(api.asked(LIST).len(), 2);
}
