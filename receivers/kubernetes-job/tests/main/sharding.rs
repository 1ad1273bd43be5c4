//! A receiver that watches the namespaces of one shard: `payments` is in shard 1 of 2 and 3 of 4, `reports` in 0.

use std::sync::Arc;
use std::time::Duration;

use collector_runtime::component::Kind;
use collector_runtime::storage::memory::MemoryStorage;
use serde_json::{Value, json};

use crate::support::running::{Run, id, run, run_with};
use crate::support::{Api, Reply, lines, status};

const LIST: &str = "/jobs?shardSelector=";
/// Shard 1 of 2.
const SHARD: &str = "shardSelector=shardRange%28object.metadata.namespace%2C%20%270x8000000000000000%27%2C%20\
                     %270x10000000000000000%27%29";
/// `extract` makes it watch namespaces.
const UPPER: &str = r#"{"sharding":{"shards":2,"shard":"collector-1"},
    "extract":{"labels":[{"key":"team","from":"namespace"}]}}"#;

/// A Job that failed two seconds after the start.
fn job(namespace: &str, name: &str) -> Value {
    let at = "2026-11-23T17:00:02Z";
    json!({"metadata": {"uid": format!("u-{namespace}-{name}"), "name": name, "namespace": namespace, "resourceVersion": "5"},
        "spec": {"backoffLimit": 0}, "status": {"conditions": [
            {"type": "FailureTarget", "status": "True", "reason": "BackoffLimitExceeded", "lastTransitionTime": at},
            {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "lastTransitionTime": at}]}})
}

fn added(jobs: &[Value]) -> Reply {
    let text: Vec<String> = jobs
        .iter()
        .map(|job| json!({"type": "ADDED", "object": job}).to_string())
        .collect();
    lines(&text.iter().map(String::as_str).collect::<Vec<_>>())
}

async fn names(run: &mut Run, count: usize) -> Vec<String> {
    let mut names = Vec::new();
    for _ in 0..count {
        names.push(run.next_event().await.job.name.to_string());
    }
    run.no_event_for(Duration::from_secs(600)).await;
    names.sort();
    names
}

#[tokio::test(start_paused = true)]
async fn reports_jobs_of_its_own_namespaces_only() {
    let api = Api::new();
    // A server without the feature gate ignores the parameter.
    let listed = ["payments", "reports"].map(|namespace| job(namespace, "listed"));
    api.then(
        &format!("/jobs?{SHARD}&limit"),
        [Reply::List(7, String::new(), listed.to_vec())],
    );
    let watched = ["reports", "payments", "search"].map(|namespace| job(namespace, "watched"));
    api.then(&format!("/jobs?{SHARD}&watch"), [added(&watched)]);
    let settings = r#"{"sharding":{"shards":2,"shard":"1"},"on_first_start":"report_finished"}"#;
    let mut run = run(api.client(), settings).await;
    assert_eq!(names(&mut run, 2).await, ["listed", "watched"]);
}

#[tokio::test(start_paused = true)]
async fn requests_the_shard_of_every_kind_but_nodes_and_namespaces() {
    let api = Api::new();
    let mut run = run(api.client(), UPPER).await;
    run.no_event_for(Duration::from_secs(60)).await;
    for part in ["limit=", "watch=true"] {
        let asked: Vec<String> = api.asked(part).into_iter().map(|asked| asked.uri).collect();
        assert!(asked.len() >= 9, "{asked:?}");
        for uri in asked {
            let is_whole = uri.contains("%3DNode%2C") || uri.contains("/namespaces?");
            assert_eq!(uri.contains(SHARD), !is_whole, "{uri}");
            assert_eq!(uri.contains("shardSelector"), !is_whole, "{uri}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_refuses_the_parameter_is_asked_without_it() {
    let api = Api::new();
    let message =
        r#"{"kind":"Status","status":"Failure","code":500,"message":"invalid shard selector: unknown function"}"#;
    api.then(LIST, [Reply::Whole(500, None, message.into())]);
    api.then(
        "/jobs?limit=",
        [Reply::List(
            7,
            String::new(),
            vec![job("reports", "a"), job("payments", "a")],
        )],
    );
    let settings = r#"{"sharding":{"shards":2,"shard":"1"},"on_first_start":"report_finished"}"#;
    let mut run = run(api.client(), settings).await;
    assert_eq!(run.next_event().await.job.namespace.to_string(), "payments");
    run.no_event_for(Duration::from_secs(60)).await;
    assert_eq!(api.asked(LIST).len(), 1);
    assert!(
        !api.asked("/jobs?watch=true").is_empty(),
        "the watch lacks the parameter, too"
    );
}

#[tokio::test(start_paused = true)]
async fn other_errors_keep_the_parameter() {
    let api = Api::new();
    api.then(LIST, [status(500, None), status(403, None), status(429, None)]);
    let mut run = run(api.client(), UPPER).await;
    run.no_event_for(Duration::from_secs(600)).await;
    assert!(api.asked("/jobs?limit").is_empty());
    assert!(api.asked(LIST).len() > 4);
}

async fn start(api: &Api, storage: &MemoryStorage, shard: Option<(u16, u16)>) -> Run {
    let settings = shard.map_or("{}".to_owned(), |(shard, shards)| {
        json!({"sharding": {"shards": shards, "shard": shard.to_string()}}).to_string()
    });
    let storage = Arc::new(storage.clone());
    run_with(api.client(), &settings, |receiver| receiver.with_storage(storage, id())).await
}

#[tokio::test(start_paused = true)]
async fn a_shard_continues_the_checkpoint_of_one_that_had_its_namespaces() {
    let storage = MemoryStorage::new();
    let api = Api::new();
    for (shard, stored) in [
        (None, None),
        (Some((1, 2)), Some("1 of 2")),
        (Some((3, 4)), Some("3 of 4")),
        (Some((15, 16)), Some("15 of 16")),
    ] {
        let run = start(&api, &storage, shard).await;
        run.until(|status| *status == collector_runtime::health::Status::Ok)
            .await;
        stop(run).await;
        let content = storage.content(Kind::Receiver, &id());
        let shard = content
            .get("shard")
            .map(|shard| String::from_utf8(shard.to_vec()).unwrap());
        assert_eq!(shard.as_deref(), stored);
    }
    for other in [None, Some((14, 16)), Some((3, 4)), Some((0, 2))] {
        let mut run = start(&api, &storage, other).await;
        let ended = (&mut run.task).await.unwrap().unwrap_err().to_string();
        for part in [
            "that of shard 15 of 16",
            "set `sharding` as it was",
            "delete the checkpoint",
        ] {
            assert!(ended.contains(part), "{other:?}: {ended}");
        }
        assert!(!ended.contains("  "), "{other:?}: {ended}");
    }
    let run = start(&api, &storage, Some((15, 16))).await;
    run.until(|status| *status == collector_runtime::health::Status::Ok)
        .await;
}

async fn stop(mut run: Run) {
    // An unchanged checkpoint is written once a minute.
    run.no_event_for(Duration::from_secs(70)).await;
    run.shutdown.cancel();
    (&mut run.task).await.unwrap().unwrap();
}
