//! Labels and annotations of the watched objects on events and gauges, from the running receiver.

use std::time::Duration;

use collector_data::Payload;
use collector_runtime::health::Status;
use collector_testing::Log;
use job_event::attributes as attr;
use job_event::otlp::find_text;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use serde_json::{Value, json};

use crate::support::running::{Run, run};
use crate::support::{Api, Piece, Reply, status};

const RULES: &str = r#"{"extract": {
    "labels": [{"key": "team"}, {"key": "team", "from": "cronjob"}, {"key": "team", "from": "namespace"},
        {"key_regex": "app/(.*)", "tag_name": "app.$1", "from": "pod"}],
    "annotations": [{"key": "contact", "tag_name": "contact"}]}, "dimensions": [{"name": "contact"},
        {"name": "k8s.namespace.label.team", "default": "none"}, {"name": "missing", "default": "x"}, {"name": "absent"}]}"#;

fn metadata(uid: &str, labels: &Value) -> Value {
    json!({"uid": uid, "name": uid, "namespace": "n", "resourceVersion": "5", "labels": labels,
        "creationTimestamp": "2026-11-23T16:59:00Z"})
}

fn owned(uid: &str, labels: &Value, kind: &str, owner: &str) -> Value {
    let mut metadata = metadata(uid, labels);
    metadata["ownerReferences"] =
        json!([{"apiVersion": "batch/v1", "kind": kind, "name": owner, "uid": owner, "controller": true}]);
    metadata
}

fn job(team: &str) -> Value {
    let mut metadata = owned("job", &json!({"team": team}), "CronJob", "cron");
    metadata["annotations"] = json!({"contact": "ann", "other": "secret"});
    json!({"metadata": metadata, "status": {"startTime": "2026-11-23T16:59:00Z", "active": 1}})
}

/// A watch with these events after as many seconds each.
fn watch(changes: impl IntoIterator<Item = (u64, &'static str, Value)>) -> Reply {
    let pieces = changes.into_iter().flat_map(|(seconds, kind, mut object)| {
        object["metadata"]["resourceVersion"] = "50".into();
        let line = format!("{}\n", json!({"type": kind, "object": object}));
        [Piece::Wait(Duration::from_secs(seconds)), Piece::Data(line)]
    });
    Reply::Stream(pieces.chain([Piece::Hang]).collect())
}

fn cluster() -> Api {
    let mut namespace = json!({"metadata": metadata("ns", &json!({"team": "n"}))});
    namespace["metadata"]["name"] = "n".into();
    cluster_with([Reply::List(7, String::new(), vec![namespace])])
}

/// A Job of team `new` that fails after 40 s; it was of team `old`. `namespaces` are the answers to lists of namespaces.
fn cluster_with(namespaces: impl IntoIterator<Item = Reply>) -> Api {
    let api = Api::new();
    let list = |objects: Vec<Value>| [Reply::List(7, String::new(), objects)];
    let mut failed = job("new");
    failed["status"]["conditions"] =
        json!([{"type": "FailureTarget", "status": "True", "reason": "BackoffLimitExceeded"}]);
    api.then(
        "/jobs?watch=true",
        [watch([(35, "MODIFIED", job("new")), (5, "MODIFIED", failed)])],
    );
    api.then("/jobs?", list(vec![job("old")]));
    let cronjob = json!({"metadata": metadata("cron", &json!({"team": "c"})), "spec": {"schedule": "0 0 1 1 *"}});
    api.then("/cronjobs?", list(vec![cronjob]));
    let pod = json!({"metadata": owned("pod", &json!({"app/tier": "batch", "x": "y"}), "Job", "job"),
        "spec": {"containers": [{"name": "main"}]}, "status": {"phase": "Running"}});
    api.then("/pods?", list(vec![pod]));
    api.then("/namespaces?", namespaces);
    api
}

async fn event(run: &mut Run) -> LogRecord {
    let batch = tokio::time::timeout(Duration::from_secs(600), run.logs.recv()).await;
    let batch = batch.expect("an event").unwrap();
    let Payload::Logs(logs) = &*batch.payload else {
        panic!("not logs")
    };
    batch.ack.delivered();
    logs[0].scope_logs[0].log_records[0].clone()
}

/// The attributes of the first point of each gauge in the next batch.
async fn points(run: &mut Run) -> Vec<Vec<(String, String)>> {
    let batch = run.gauges.recv().await.unwrap();
    let Payload::Metrics(resources) = &*batch.payload else {
        panic!("not metrics")
    };
    batch.ack.delivered();
    let metrics = resources.iter().flat_map(|resource| &resource.scope_metrics[0].metrics);
    let first = |metric: &opentelemetry_proto::tonic::metrics::v1::Metric| {
        let Some(Data::Gauge(gauge)) = &metric.data else {
            panic!("not a gauge")
        };
        let attributes = &gauge.data_points[0].attributes;
        let pair = |name: &String| (name.clone(), find_text(attributes, name).unwrap().to_owned());
        attributes.iter().map(|attribute| pair(&attribute.key)).collect()
    };
    metrics.map(first).collect()
}

#[tokio::test(start_paused = true)]
async fn an_event_has_the_selected_labels_of_all_objects() {
    let mut run = run(cluster().client(), RULES).await;
    let record = event(&mut run).await;
    for (name, value) in [
        ("k8s.job.label.team", "new"),
        ("k8s.cronjob.label.team", "c"),
        ("k8s.namespace.label.team", "n"),
        ("app.tier", "batch"),
        ("contact", "ann"),
        (attr::JOB_NAME, "job"),
        (attr::RECORD_UID, "job"),
    ] {
        assert_eq!(find_text(&record.attributes, name), Some(value), "{name}");
    }
    let texts = format!("{record:?}");
    assert!(
        !texts.contains("secret"),
        "only selected annotations are emitted: {texts}"
    );
}

#[tokio::test(start_paused = true)]
async fn gauges_have_the_labels_as_dimensions() {
    let mut run = run(cluster().client(), RULES).await;
    let all = points(&mut run).await;
    let pairs = |contact: Option<&str>| {
        let pairs = contact.map(|contact| ("contact", contact));
        let pairs = pairs
            .into_iter()
            .chain([("k8s.namespace.label.team", "n"), ("missing", "x")]);
        pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect::<Vec<_>>()
    };
    assert!(all.contains(&pairs(Some("ann"))), "of the Job: {all:?}");
    assert!(all.contains(&pairs(None)), "of the CronJob: {all:?}");
    assert!(
        all.iter()
            .all(|point| *point == pairs(Some("ann")) || *point == pairs(None)),
        "{all:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn forbidden_namespaces_cost_their_labels_only() {
    let (log, _guard) = Log::capture();
    let api = cluster_with((0..200).map(|_| status(403, None)));
    let mut run = run(api.client(), RULES).await;
    run.until(|status| matches!(status, Status::Ok)).await;
    let record = event(&mut run).await;
    assert_eq!(find_text(&record.attributes, "k8s.job.label.team"), Some("new"));
    assert_eq!(find_text(&record.attributes, "k8s.namespace.label.team"), None);
    assert_eq!(find_text(&record.attributes, attr::EVIDENCE_QUALITY), Some("complete"));
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let lines = log.lines("labels and annotations of namespaces will be missing");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0].contains("resources: [\"namespaces\"]") && lines[0].contains("ClusterRole"),
        "{lines:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn namespaces_are_watched_only_for_a_rule() {
    let api = cluster();
    let mut without = run(api.client(), r#"{"extract": {"labels": [{"key": "team"}]}}"#).await;
    event(&mut without).await;
    assert!(api.asked("/namespaces?").is_empty());
    let api = cluster();
    let settings =
        r#"{"namespaces": {"include": ["n"]}, "extract": {"labels": [{"key": "team", "from": "namespace"}]}}"#;
    let mut with = run(api.client(), settings).await;
    let record = event(&mut with).await;
    assert_eq!(find_text(&record.attributes, "k8s.namespace.label.team"), Some("n"));
    let asked = api.asked("/namespaces?");
    assert!(
        asked[0]
            .uri
            .starts_with("/api/v1/namespaces?fieldSelector=metadata.name%3Dn&limit="),
        "{asked:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn without_rules_an_event_has_no_labels() {
    let mut run = run(cluster().client(), "{}").await;
    let record = event(&mut run).await;
    let names = record.attributes.iter().map(|attribute| &*attribute.key);
    assert!(names.into_iter().all(|name| !name.contains(".label.")), "{record:?}");
}
