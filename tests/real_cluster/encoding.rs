//! Protobuf and JSON.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::case::Case;
use crate::control_plane::collector::{Attributes, Settings, events};
use crate::tap::{Changes, Exchange};

const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

/// A Job with a Pod that fails, as a collector sees it that requests every encoding it can read, or JSON alone.
async fn report(case: &Case, name: &str, json: bool) -> (Attributes, Vec<Exchange>) {
    let changes = Changes {
        json,
        ..Changes::default()
    };
    let (mut collector, tap) = case.tapped(name, &Settings::default(), changes).await;
    collector.start_watching().await;
    let job = case.job(name).await;
    let pod = job.create_pod(&case.admin, "pod").await.unwrap();
    let path = format!(
        "/api/v1/namespaces/{}/pods/{}/status",
        case.namespace,
        pod["metadata"]["name"].as_str().unwrap()
    );
    let state = json!({"terminated": {
        "exitCode": 137, "reason": "OOMKilled", "message": "größer als erlaubt",
        "startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:00:01Z",
    }});
    let status = json!({"status": {
        "phase": "Failed",
        "containerStatuses": [{
            "name": "main", "image": "i", "imageID": "", "ready": false, "restartCount": 0, "state": state,
        }],
    }});
    case.admin.patch(&path, &status).await.unwrap();
    job.fail(&case.admin, "BackoffLimitExceeded").await;
    case.until_reported(std::slice::from_ref(&job), &[&collector]).await;
    let exchanges = tap.exchanges();
    collector.stop().await;
    let event = events(&case.intake).remove(&job.uid).unwrap().remove(0);
    let attributes = event.into_iter().filter(|(key, _)| is_of_no_job(key));
    let attributes = attributes.map(|(key, value)| (key, without_identity(value, name)));
    (attributes.collect(), exchanges)
}

/// True if the value does not differ from Job to Job.
fn is_of_no_job(key: &str) -> bool {
    let differs = ["uid", "time", "duration", "start", "end"];
    !differs.iter().any(|part| key.contains(part))
}

/// A value without UIDs, times and the Job's name; some values are JSON in a text.
fn without_identity(value: Value, name: &str) -> Value {
    match value {
        Value::String(text) => match serde_json::from_str(&text) {
            Ok(inner @ (Value::Array(_) | Value::Object(_))) => without_identity(inner, name),
            _ if text.parse::<Timestamp>().is_ok() => "TIME".into(),
            _ => text.replace(name, "NAME").into(),
        },
        Value::Array(all) => all.into_iter().map(|value| without_identity(value, name)).collect(),
        Value::Object(map) => {
            let kept = map.into_iter().filter(|(key, _)| is_of_no_job(key));
            kept.map(|(key, value)| (key, without_identity(value, name))).collect()
        }
        other => other,
    }
}

/// The lists and watches of Jobs and Pods that were answered.
fn reads(exchanges: &[Exchange]) -> Vec<&Exchange> {
    let reads = |exchange: &&Exchange| {
        let of = |resource| exchange.lists(resource) || exchange.watches(resource);
        exchange.status == 200 && (of("jobs") || of("pods"))
    };
    exchanges.iter().filter(reads).collect()
}

#[tokio::test]
#[ignore = "needs an API server"]
async fn reads_protobuf_and_reports_the_same_as_from_json() {
    let case = Case::shared("encoding").await;
    let (from_protobuf, exchanges) = report(&case, "first", false).await;
    let read = reads(&exchanges);
    assert!(read.len() >= 2, "{exchanges:#?}");
    for exchange in read {
        assert!(exchange.accept.contains(PROTOBUF), "{exchange:#?}");
        assert!(
            exchange.accept.contains("application/json"),
            "no fallback: {exchange:#?}"
        );
        assert!(exchange.content_type.starts_with(PROTOBUF), "{exchange:#?}");
    }
    let (from_json, exchanges) = report(&case, "other", true).await;
    for exchange in reads(&exchanges) {
        assert!(exchange.content_type.starts_with("application/json"), "{exchange:#?}");
    }
    assert_eq!(from_protobuf, from_json);
    let cause = from_json["k8s.job.failure.cause"].to_string();
    assert!(cause.contains("OutOfMemory") || cause.contains("OOM"), "{cause}");
    case.end().await;
}
