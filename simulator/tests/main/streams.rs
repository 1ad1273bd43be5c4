//! Streaming lists: `sendInitialEvents`.

use crate::client::{EventStream, Next, event, get, pod, started, watch};
use serde_json::{Value, json};
use simulator::{Cut, Fault, Matching, Resource, Simulator, SimulatorOptions, Verb};

const STREAM: &str =
    "/api/v1/pods?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";

/// The next line, which is the end of the list; its version.
async fn end(stream: &mut EventStream) -> String {
    let Next::Line(line) = stream.next().await else {
        panic!("no line")
    };
    assert_eq!(
        (&line["type"], &line["object"]["kind"]),
        (&json!("BOOKMARK"), &json!("Pod"))
    );
    let metadata = &line["object"]["metadata"];
    assert_eq!(metadata["annotations"], json!({"k8s.io/initial-events-end": "true"}));
    metadata["resourceVersion"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_streaming_list_ends_with_a_bookmark_and_continues_as_a_watch() {
    let (simulator, store) = started().await;
    for name in ["b", "a"] {
        store
            .create(Resource::Pods, pod(name, json!({"app": "x"}), "Pending"))
            .unwrap();
    }
    store.create(Resource::Pods, pod("c", json!({}), "Pending")).unwrap();
    let mut stream = watch(&simulator, &format!("{STREAM}&labelSelector=app%3Dx")).await;
    assert_eq!(stream.event().await, event("ADDED", "a"));
    assert_eq!(stream.event().await, event("ADDED", "b"));
    assert_eq!(end(&mut stream).await, store.resource_version().to_string());
    assert_eq!(simulator.open_watches(), 1);
    store
        .update(Resource::Pods, pod("a", json!({"app": "x"}), "Running"))
        .unwrap();
    assert_eq!(stream.event().await, event("MODIFIED", "a"));
    simulator.cut_watches(Cut::End);
    assert_eq!(stream.next().await, Next::End);
    simulator.shutdown().await;
}

#[tokio::test]
async fn an_empty_streaming_list_has_its_end() {
    let (simulator, store) = started().await;
    for version in ["", "&resourceVersion=0", "&resourceVersion=1000"] {
        let mut stream = watch(&simulator, &format!("{STREAM}{version}")).await;
        assert_eq!(end(&mut stream).await, store.resource_version().to_string());
    }
    // Without bookmarks there is no end, and without initial events no list.
    store.create(Resource::Pods, pod("a", json!({}), "Pending")).unwrap();
    let path = STREAM.replace("&allowWatchBookmarks=true", "");
    let mut unmarked = watch(&simulator, &path).await;
    assert_eq!(unmarked.event().await, event("ADDED", "a"));
    let path = STREAM.replace("sendInitialEvents=true", "sendInitialEvents=false");
    let mut later = watch(&simulator, &path).await;
    simulator.until_opened(5).await;
    store.create(Resource::Pods, pod("b", json!({}), "Pending")).unwrap();
    assert_eq!(unmarked.event().await, event("ADDED", "b"));
    assert_eq!(later.event().await, event("ADDED", "b"));
    simulator.shutdown().await;
}

#[tokio::test]
async fn a_streaming_list_is_not_older_than_requested() {
    let (simulator, store) = started().await;
    let now = store.resource_version();
    let mut stream = watch(&simulator, &format!("{STREAM}&resourceVersion={}", now + 1)).await;
    let Next::Line(line) = stream.next().await else {
        panic!("no line")
    };
    assert_eq!((&line["type"], &line["object"]["code"]), (&json!("ERROR"), &json!(504)));
    assert_eq!(stream.next().await, Next::End);
    // Version 0 is served from the cache, which may be old.
    store.create(Resource::Pods, pod("a", json!({}), "Pending")).unwrap();
    simulator.lag_behind(1);
    let mut old = watch(&simulator, &format!("{STREAM}&resourceVersion=0")).await;
    assert_eq!(end(&mut old).await, now.to_string());
    assert_eq!(old.event().await, event("ADDED", "a"), "it catches up");
    let mut consistent = watch(&simulator, STREAM).await;
    assert_eq!(consistent.event().await, event("ADDED", "a"));
    simulator.shutdown().await;
}

#[tokio::test]
async fn options_are_checked_as_in_the_version() {
    let refused = |answer: Value| {
        assert_eq!((&answer["code"], &answer["reason"]), (&json!(422), &json!("Invalid")));
        answer["message"].as_str().unwrap().to_owned()
    };
    for version in ["v1.26.15", "v1.31.4", "v1.33.4+k3s1"] {
        let options = SimulatorOptions {
            version: version.into(),
            ..SimulatorOptions::default()
        };
        let old = Simulator::start(options).await.unwrap();
        let answer = get(&old, STREAM).await.json();
        assert_eq!(
            refused(answer),
            "ListOptions.meta.k8s.io \"\" is invalid: sendInitialEvents: Forbidden: sendInitialEvents is forbidden for \
             watch unless the WatchList feature gate is enabled",
            "{version}"
        );
        old.shutdown().await;
    }
    let (simulator, _) = started().await;
    let message = refused(
        get(&simulator, "/api/v1/pods?watch=1&sendInitialEvents=true")
            .await
            .json(),
    );
    assert!(
        message.contains("requires setting resourceVersionMatch to NotOlderThan"),
        "{message}"
    );
    let path = "/api/v1/pods?watch=1&resourceVersionMatch=NotOlderThan&resourceVersion=1";
    let message = refused(get(&simulator, path).await.json());
    assert!(
        message.contains("forbidden for watch unless sendInitialEvents is provided"),
        "{message}"
    );
    let answer = get(&simulator, "/api/v1/pods?sendInitialEvents=true").await.json();
    assert_eq!(answer["details"]["causes"][0]["field"], "sendInitialEvents");
    assert!(refused(answer).ends_with("sendInitialEvents is forbidden for list"));
    simulator.shutdown().await;
}

#[tokio::test]
async fn a_streaming_list_can_break() {
    let (simulator, store) = started().await;
    for name in ["a", "b", "c", "d"] {
        store.create(Resource::Pods, pod(name, json!({}), "Pending")).unwrap();
    }
    let watches = Matching::new(Verb::Watch, Resource::Pods);
    simulator.answer_next(1, watches, Fault::BrokenList);
    let mut stream = watch(&simulator, STREAM).await;
    let mut found = Vec::new();
    loop {
        match stream.next().await {
            Next::Line(line) => found.push(line["object"]["metadata"]["name"].as_str().unwrap().to_owned()),
            // The reset may overtake what was sent.
            Next::Broken | Next::CutLine(_) => break,
            Next::End => panic!("an orderly end"),
        }
    }
    assert!(
        ["a", "b"].starts_with(&found.iter().map(String::as_str).collect::<Vec<_>>()),
        "{found:?}"
    );
    assert_eq!(
        (simulator.open_watches(), simulator.opened_watches()),
        (0, 0),
        "it was no watch yet"
    );
    simulator.shutdown().await;
}
