//! Lists, and the logs of Pods.

use crate::client::{get, pod, started};
use serde_json::{Value, json};
use simulator::{Resource, Simulator, SimulatorOptions};

fn names(list: &Value) -> Vec<&str> {
    list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["metadata"]["name"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn pages_are_consistent_with_the_first_one() {
    let (simulator, store) = started().await;
    for name in ["a", "b", "c", "d"] {
        store.create(Resource::Pods, pod(name, json!({}), "Pending")).unwrap();
    }
    let first = get(&simulator, "/api/v1/pods?limit=2").await.json();
    assert_eq!(
        (names(&first), &first["metadata"]["remainingItemCount"]),
        (vec!["a", "b"], &json!(2))
    );
    let token = first["metadata"]["continue"].as_str().unwrap().to_owned();
    store.delete(Resource::Pods, "n", "c").unwrap();
    store.update(Resource::Pods, pod("d", json!({}), "Failed")).unwrap();
    store.create(Resource::Pods, pod("e", json!({}), "Pending")).unwrap();
    let path = format!("/api/v1/pods?limit=2&continue={token}");
    let second = get(&simulator, &path).await.json();
    assert_eq!(names(&second), ["c", "d"]);
    assert_eq!(second["items"][1]["status"]["phase"], "Pending");
    assert_eq!(
        second["metadata"],
        json!({"resourceVersion": first["metadata"]["resourceVersion"]})
    );
    store.compact();
    let expired = get(&simulator, &path).await;
    assert_eq!((expired.status, &expired.json()["reason"]), (410, &json!("Expired")));
    let inconsistent = expired.json()["metadata"]["continue"].as_str().unwrap().to_owned();
    let rest = get(&simulator, &format!("/api/v1/pods?continue={inconsistent}"))
        .await
        .json();
    assert_eq!(names(&rest), ["d", "e"]);
    simulator.shutdown().await;
}

#[tokio::test]
async fn only_lists_with_version_0_may_be_old() {
    let (simulator, store) = started().await;
    store.create(Resource::Pods, pod("a", json!({}), "Pending")).unwrap();
    let before = store.resource_version();
    store.create(Resource::Pods, pod("b", json!({}), "Pending")).unwrap();
    simulator.lag_behind(1);
    let old = get(&simulator, "/api/v1/pods?resourceVersion=0").await.json();
    assert_eq!(names(&old), ["a"]);
    assert_eq!(old["metadata"]["resourceVersion"], before.to_string());
    assert_eq!(names(&get(&simulator, "/api/v1/pods").await.json()), ["a", "b"]);
    simulator.lag_behind(0);
    let new = get(&simulator, "/api/v1/pods?resourceVersion=0").await.json();
    assert_eq!(names(&new), ["a", "b"]);
}

#[tokio::test]
async fn logs_honour_tail_lines_and_limit_bytes() {
    let (simulator, store) = started().await;
    let mut pod = pod("a", json!({}), "Failed");
    pod["spec"]["containers"] = json!([{"name": "main"}]);
    store.create(Resource::Pods, pod).unwrap();
    simulator.set_log("n", "a", "main", "one\ntwo\nthrée\n");
    let log = |query: &str| format!("/api/v1/namespaces/n/pods/a/log{query}");
    assert_eq!(get(&simulator, &log("")).await.body, "one\ntwo\nthrée\n".as_bytes());
    assert_eq!(
        get(&simulator, &log("?container=main&tailLines=2")).await.body,
        "two\nthrée\n".as_bytes()
    );
    // Never half a character.
    assert_eq!(get(&simulator, &log("?tailLines=1&limitBytes=4")).await.body, b"thr");
    simulator.shutdown().await;
}

#[tokio::test]
async fn shards_are_selected_only_with_the_feature_gate() {
    // payments is in the upper half of the hashes, reports in the lower one.
    let upper = "shardRange(object.metadata.namespace,%20'0x8000000000000000',%20'0x10000000000000000')";
    for shard_selector in [false, true] {
        let options = SimulatorOptions {
            shard_selector,
            ..SimulatorOptions::default()
        };
        let simulator = Simulator::start(options).await.unwrap();
        for namespace in ["payments", "reports"] {
            let mut pod = pod("a", json!({}), "Pending");
            pod["metadata"]["namespace"] = namespace.into();
            simulator.store().create(Resource::Pods, pod).unwrap();
        }
        let list = get(&simulator, &format!("/api/v1/pods?shardSelector={upper}"))
            .await
            .json();
        let namespaces: Vec<&str> = list["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["metadata"]["namespace"].as_str().unwrap())
            .collect();
        match shard_selector {
            true => assert_eq!(namespaces, ["payments"]),
            false => assert_eq!(namespaces, ["payments", "reports"]),
        }
        assert_eq!(list["metadata"]["shardInfo"]["selector"].is_string(), shard_selector);
        let refused = get(&simulator, "/api/v1/pods?shardSelector=x").await;
        assert_eq!(refused.status, if shard_selector { 500 } else { 200 });
        simulator.shutdown().await;
    }
}
