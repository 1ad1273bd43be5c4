//! Protobuf and JSON.

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
    let state = serde_json::json!({"terminated": {
        "exitCode": 137, "reason": "OOMKilled", "message": "größer als erlaubt",
        "startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:00:01Z",
    }});
    let status = serde_json::json!({"status": {
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
    let mut attributes = events(&case.intake).remove(&job.uid).unwrap().remove(0);
    // The identity and the times of the Job.
    let differs = |key: &str| key.contains("uid") || key.contains("time") || key.contains("duration");
    attributes.retain(|key, _| !differs(key));
    let named = |value: &serde_json::Value| value.to_string().replace(name, "NAME");
    let attributes = attributes.into_iter().map(|(key, value)| (key, named(&value).into()));
    (attributes.collect(), exchanges)
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
