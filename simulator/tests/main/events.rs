//! Events that a client creates.

use crate::client::{ApiReply, send, started};
use serde_json::{Value, json};
use simulator::{Resource, Simulator, Verb};

fn event(name: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut event = json!({
        "metadata": {"name": name, "namespace": "shop"},
        "involvedObject": {"apiVersion": "batch/v1", "kind": "Job", "namespace": "shop", "name": "j", "uid": "u"},
        "type": "Warning",
        "reason": "OutOfMemory",
        "message": "m",
        "count": 1,
    });
    change(&mut event);
    event.to_string()
}

async fn create(simulator: &Simulator, body: &str) -> ApiReply {
    send(simulator.address(), "POST", "/api/v1/namespaces/shop/events", &[], body).await
}

/// The status, the reason and the message of a refusal.
async fn refused(simulator: &Simulator, body: &str) -> (u16, String, String) {
    let reply = create(simulator, body).await;
    let text = |key: &str| reply.json()[key].as_str().unwrap_or_default().to_owned();
    (reply.status, text("reason"), text("message"))
}

#[tokio::test]
async fn a_second_event_of_a_name_already_exists() {
    let (simulator, store) = started().await;
    let reply = create(&simulator, &event("a", |_| {})).await;
    assert_eq!((reply.status, &reply.json()["kind"]), (201, &json!("Event")));
    let again = refused(&simulator, &event("a", |event| event["message"] = "other".into())).await;
    let message = "events \"a\" already exists".to_owned();
    assert_eq!(again, (409, "AlreadyExists".into(), message));
    assert_eq!(store.list(Resource::Events).len(), 1);
    assert_eq!(store.get(Resource::Events, "shop", "a").unwrap()["message"], "m");
}

#[tokio::test]
async fn invalid_events_are_refused() {
    let (simulator, store) = started().await;
    let other_namespace = event("a", |event| event["involvedObject"]["namespace"] = "other".into());
    let (code, reason, message) = refused(&simulator, &other_namespace).await;
    assert_eq!((code, &*reason), (422, "Invalid"));
    assert_eq!(
        message,
        "Event \"a\" is invalid: involvedObject.namespace: Invalid value: \"other\": does not match event.namespace"
    );
    let no_namespace = event("a", |event| event["involvedObject"]["namespace"] = Value::Null);
    assert_eq!(refused(&simulator, &no_namespace).await.0, 422);
    let (code, _, message) = refused(&simulator, &event(&"a".repeat(254), |_| {})).await;
    assert!(
        code == 422 && message.ends_with("must be no more than 253 characters"),
        "{message}"
    );
    let elsewhere = event("a", |event| event["metadata"]["namespace"] = "other".into());
    assert_eq!(refused(&simulator, &elsewhere).await.0, 400);
    let long = "x".repeat(1025);
    let newer = event("a", |event| {
        event["message"] = long.clone().into();
        event["eventTime"] = "2026-11-28T10:00:00.000000Z".into();
    });
    assert_eq!(refused(&simulator, &newer).await.0, 422);
    assert_eq!(store.count(Resource::Events), 0);
    let older = event("a", |event| event["message"] = long.into());
    assert_eq!(
        create(&simulator, &older).await.status,
        201,
        "not limited without eventTime"
    );
}

#[tokio::test]
async fn events_need_a_permission_and_a_namespace() {
    let (simulator, store) = started().await;
    simulator.forbid(Verb::Create, Resource::Events);
    let (code, _, message) = refused(&simulator, &event("a", |_| {})).await;
    assert_eq!(code, 403);
    assert_eq!(
        message,
        "events is forbidden: User \"system:admin\" cannot create resource \"events\" in API group \"\" in the namespace \
         \"shop\""
    );
    simulator.permit(Verb::Create, Resource::Events);
    let namespace =
        |name: &str, phase: &str| json!({"metadata": {"name": name, "uid": name}, "status": {"phase": phase}});
    store.put(Resource::Namespaces, namespace("other", "Active")).unwrap();
    let missing = refused(&simulator, &event("a", |_| {})).await;
    let message = "namespaces \"shop\" not found".to_owned();
    assert_eq!(missing, (404, "NotFound".into(), message));
    store
        .put(Resource::Namespaces, namespace("shop", "Terminating"))
        .unwrap();
    let reply = create(&simulator, &event("a", |_| {})).await;
    assert_eq!(reply.status, 403);
    assert_eq!(reply.json()["details"]["causes"][0]["reason"], "NamespaceTerminating");
    store.put(Resource::Namespaces, namespace("shop", "Active")).unwrap();
    assert_eq!(create(&simulator, &event("a", |_| {})).await.status, 201);
}
