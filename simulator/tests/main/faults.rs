//! Scripted faults.

use crate::client::{Next, event, get, pod, started, watch};
use serde_json::json;
use simulator::{Cut, Fault, Matching, Resource, Verb};

#[tokio::test]
async fn faults_hit_only_matching_requests() {
    let (simulator, _) = started().await;
    let jobs = "/apis/batch/v1/jobs";
    let status = |code, retry_after| Fault::Status { code, retry_after };
    simulator.answer_next(2, Matching::new(Verb::List, Resource::Jobs), status(429, Some(7)));
    simulator.answer_next(1, Matching::new(Verb::Watch, Resource::Jobs), status(410, None));
    simulator.answer_next(1, Matching::new(Verb::Watch, Resource::Pods), Fault::ExpiredInBand);
    for _ in 0..2 {
        let limited = get(&simulator, jobs).await;
        assert_eq!((limited.status, limited.headers["retry-after"].as_str()), (429, "7"));
        assert_eq!(limited.json()["details"]["retryAfterSeconds"], 7);
    }
    assert_eq!(get(&simulator, jobs).await.status, 200);
    assert_eq!(get(&simulator, "/apis/batch/v1/jobs?watch=1").await.status, 410);
    let expired = get(&simulator, "/api/v1/pods?watch=1&resourceVersion=1000").await;
    assert_eq!(
        (expired.status, &expired.lines()[0]["object"]["code"]),
        (200, &json!(410))
    );
    for code in [401, 403, 500, 503] {
        simulator.answer_next(1, Matching::default(), status(code, None));
        let answer = get(&simulator, jobs).await;
        assert_eq!((answer.status, &answer.json()["code"]), (code, &json!(code)));
    }
    simulator.shutdown().await;
}

#[tokio::test]
async fn a_stalled_watch_sends_nothing_until_resumed() {
    let (simulator, store) = started().await;
    let from = store.resource_version();
    let mut stream = watch(&simulator, &format!("/api/v1/pods?watch=1&resourceVersion={from}")).await;
    simulator.stall_watches();
    store.create(Resource::Pods, pod("a", json!({}), "Pending")).unwrap();
    // The cut shows that nothing was sent before it.
    simulator.cut_watches(Cut::End);
    assert_eq!(stream.next().await, Next::End);
    let mut stream = watch(&simulator, &format!("/api/v1/pods?watch=1&resourceVersion={from}")).await;
    assert_eq!(stream.status, 200);
    simulator.resume_watches();
    assert_eq!(stream.event().await, event("ADDED", "a"));
    assert_eq!(simulator.open_watches(), 1);
    simulator.expire_watches();
    assert_eq!(stream.event().await.0, "ERROR");
    simulator.shutdown().await;
}

#[tokio::test]
async fn one_resource_can_stall_while_others_continue() {
    let (simulator, store) = started().await;
    let from = store.resource_version();
    let mut pods = watch(&simulator, &format!("/api/v1/pods?watch=1&resourceVersion={from}")).await;
    let jobs = format!("/apis/batch/v1/jobs?watch=1&resourceVersion={from}");
    let mut jobs = watch(&simulator, &jobs).await;
    simulator.stall_watches_of(Resource::Pods);
    store
        .create(Resource::Pods, pod("first", json!({}), "Pending"))
        .unwrap();
    store.create(Resource::Jobs, pod("second", json!({}), "")).unwrap();
    assert_eq!(jobs.event().await, event("ADDED", "second"));
    // The cut shows that nothing was sent before it.
    simulator.cut_watches_of(Resource::Pods, Cut::End);
    assert_eq!(pods.next().await, Next::End);
    let mut pods = watch(&simulator, &format!("/api/v1/pods?watch=1&resourceVersion={from}")).await;
    simulator.resume_watches_of(Resource::Pods);
    assert_eq!(pods.event().await, event("ADDED", "first"));
}

#[tokio::test]
async fn a_watch_can_repeat_its_last_event() {
    let (simulator, store) = started().await;
    let from = store.resource_version();
    let mut pods = watch(&simulator, &format!("/api/v1/pods?watch=1&resourceVersion={from}")).await;
    store.create(Resource::Pods, pod("a", json!({}), "Pending")).unwrap();
    assert_eq!(pods.event().await, event("ADDED", "a"));
    simulator.repeat_last();
    assert_eq!(pods.event().await, event("ADDED", "a"));
    store.delete(Resource::Pods, "n", "a").unwrap();
    assert_eq!(pods.event().await, event("DELETED", "a"));
}
