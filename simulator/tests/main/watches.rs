//! Watches: resuming, selections, bookmarks.

use crate::client::{Next, event, get, pod, started, watch};
use serde_json::json;
use simulator::{Cut, Resource, Simulator, SimulatorOptions};
use std::time::Duration;

#[tokio::test]
async fn a_cut_watch_resumes_without_gap_or_repetition() {
    for cut in [Cut::End, Cut::EndMidLine, Cut::Reset, Cut::ResetMidLine] {
        let (simulator, store) = started().await;
        let list = get(&simulator, "/api/v1/pods").await.json();
        let from = list["metadata"]["resourceVersion"].as_str().unwrap();
        let mut first = watch(&simulator, &format!("/api/v1/pods?watch=1&resourceVersion={from}")).await;
        store.create(Resource::Pods, pod("a", json!({}), "Pending")).unwrap();
        let seen = match first.next().await {
            Next::Line(line) => line["object"]["metadata"]["resourceVersion"]
                .as_str()
                .unwrap()
                .to_owned(),
            other => panic!("{other:?}"),
        };
        simulator.cut_watches(cut);
        match (cut, first.next().await) {
            (Cut::End, Next::End) | (Cut::EndMidLine, Next::CutLine(_)) => {}
            // A reset may overtake the half line.
            (Cut::Reset | Cut::ResetMidLine, Next::Broken | Next::CutLine(_)) => {}
            (cut, next) => panic!("{cut:?}: {next:?}"),
        }
        store.update(Resource::Pods, pod("a", json!({}), "Running")).unwrap();
        store.delete(Resource::Pods, "n", "a").unwrap();
        let mut second = watch(&simulator, &format!("/api/v1/pods?watch=1&resourceVersion={seen}")).await;
        assert_eq!(second.event().await, event("MODIFIED", "a"));
        assert_eq!(second.event().await, event("DELETED", "a"));
        simulator.shutdown().await;
    }
}

#[tokio::test]
async fn a_version_before_the_window_gets_410_in_the_stream() {
    let (simulator, store) = started().await;
    let before = store.resource_version();
    store.create(Resource::Pods, pod("a", json!({}), "Pending")).unwrap();
    store.compact();
    let now = store.resource_version();
    let mut stream = watch(&simulator, &format!("/api/v1/pods?watch=1&resourceVersion={before}")).await;
    assert_eq!(stream.status, 200);
    let Next::Line(line) = stream.next().await else {
        panic!("no line")
    };
    assert_eq!((&line["type"], &line["object"]["code"]), (&json!("ERROR"), &json!(410)));
    assert_eq!(
        line["object"]["message"],
        format!("too old resource version: {before} ({now})")
    );
    assert_eq!(stream.next().await, Next::End);
    // The window moves by itself when it is full.
    let options = simulator::StoreOptions { window: 3 };
    let options = SimulatorOptions {
        store: options,
        ..Default::default()
    };
    let small = Simulator::start(options).await.unwrap();
    let before = small.store().resource_version();
    for name in ["a", "b", "c", "d"] {
        small
            .store()
            .create(Resource::Pods, pod(name, json!({}), "Pending"))
            .unwrap();
    }
    let mut gone = watch(&small, &format!("/api/v1/pods?watch=1&resourceVersion={before}")).await;
    assert_eq!(gone.event().await.0, "ERROR");
    let mut kept = watch(&small, &format!("/api/v1/pods?watch=1&resourceVersion={}", before + 1)).await;
    assert_eq!(kept.event().await, event("ADDED", "b"));
    small.shutdown().await;
    simulator.shutdown().await;
}

#[tokio::test]
async fn watches_report_entering_and_leaving_a_selection() {
    let (simulator, store) = started().await;
    let job = json!({"batch.kubernetes.io/job-name": "j"});
    let from = store.resource_version();
    let query = format!("watch=1&resourceVersion={from}&labelSelector=batch.kubernetes.io%2Fjob-name");
    let mut labelled = watch(&simulator, &format!("/api/v1/pods?{query}")).await;
    let query = format!("watch=1&resourceVersion={from}&fieldSelector=status.phase%3DRunning");
    let mut running = watch(&simulator, &format!("/api/v1/namespaces/n/pods?{query}")).await;
    store
        .create(Resource::Pods, pod("web", json!({"app": "web"}), "Running"))
        .unwrap();
    store.create(Resource::Pods, pod("a", job.clone(), "Pending")).unwrap();
    store.update(Resource::Pods, pod("a", job, "Running")).unwrap();
    store.update(Resource::Pods, pod("a", json!({}), "Failed")).unwrap();
    let version = store.resource_version();
    assert_eq!(labelled.event().await, event("ADDED", "a"));
    assert_eq!(labelled.event().await, event("MODIFIED", "a"));
    // The object that left has its last selected state, under the version at which it left.
    let Next::Line(left) = labelled.next().await else {
        panic!("no line")
    };
    assert_eq!(left["type"], "DELETED");
    assert_eq!(
        left["object"]["metadata"]["labels"]["batch.kubernetes.io/job-name"],
        "j"
    );
    assert_eq!(left["object"]["metadata"]["resourceVersion"], version.to_string());
    assert_eq!(running.event().await, event("ADDED", "web"));
    assert_eq!(running.event().await, event("ADDED", "a"));
    assert_eq!(running.event().await, event("DELETED", "a"));
    simulator.shutdown().await;
}

#[tokio::test]
async fn bookmarks_carry_the_version_of_the_store() {
    let options = SimulatorOptions {
        bookmark_interval: Duration::from_millis(1),
        ..SimulatorOptions::default()
    };
    let simulator = Simulator::start(options).await.unwrap();
    let store = simulator.store();
    let from = store.resource_version();
    // The version also counts changes of other resources.
    let other = json!({"metadata": {"namespace": "n", "name": "x"}});
    store.create(Resource::ConfigMaps, other).unwrap();
    let path = format!("/api/v1/pods?watch=1&resourceVersion={from}&allowWatchBookmarks=true");
    let mut stream = watch(&simulator, &path).await;
    let Next::Line(bookmark) = stream.next().await else {
        panic!("no line")
    };
    assert_eq!(
        (&bookmark["type"], &bookmark["object"]["kind"]),
        (&json!("BOOKMARK"), &json!("Pod"))
    );
    let expected = json!({"resourceVersion": store.resource_version().to_string()});
    assert_eq!(bookmark["object"]["metadata"], expected);
    simulator.shutdown().await;
}

#[tokio::test]
async fn a_restarted_server_serves_its_store() {
    let (simulator, store) = started().await;
    let from = store.resource_version();
    let port = simulator.address().port();
    let mut stream = watch(&simulator, "/api/v1/pods?watch=1").await;
    simulator.shutdown().await;
    assert_eq!(stream.next().await, Next::Broken);
    store.create(Resource::Pods, pod("a", json!({}), "Pending")).unwrap();
    let options = SimulatorOptions {
        port,
        ..Default::default()
    };
    let again = Simulator::start_with(options, store).await.unwrap();
    let mut stream = watch(&again, &format!("/api/v1/pods?watch=1&resourceVersion={from}")).await;
    assert_eq!(stream.event().await, event("ADDED", "a"));
    again.shutdown().await;
}
