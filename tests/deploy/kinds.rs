//! Objects against the types of the Kubernetes API, offline: an unknown field, a wrong type and a missing required field are errors.
//!
//! The types of `k8s-openapi` are generated from the OpenAPI of Kubernetes. They ignore unknown fields and fill in required ones, so
//! an object is read, written again, and compared.

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, PersistentVolumeClaim, Secret, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

fn written_again<T: DeserializeOwned + Serialize>(document: &Value) -> Result<Value, String> {
    let object: T = serde_json::from_value(document.clone()).map_err(|error| error.to_string())?;
    serde_json::to_value(object).map_err(|error| error.to_string())
}

/// Fails with the first field at which an object differs from the API.
pub(super) fn check(document: &Value) -> Result<(), String> {
    let kind = (super::word(&document["apiVersion"]), super::word(&document["kind"]));
    let again = match kind {
        ("apps/v1", "Deployment") => written_again::<Deployment>(document),
        ("apps/v1", "StatefulSet") => written_again::<StatefulSet>(document),
        ("v1", "ConfigMap") => written_again::<ConfigMap>(document),
        ("v1", "Namespace") => written_again::<Namespace>(document),
        ("v1", "PersistentVolumeClaim") => written_again::<PersistentVolumeClaim>(document),
        ("v1", "Secret") => written_again::<Secret>(document),
        ("v1", "Service") => written_again::<Service>(document),
        ("v1", "ServiceAccount") => written_again::<ServiceAccount>(document),
        ("networking.k8s.io/v1", "NetworkPolicy") => written_again::<NetworkPolicy>(document),
        ("policy/v1", "PodDisruptionBudget") => written_again::<PodDisruptionBudget>(document),
        ("rbac.authorization.k8s.io/v1", "ClusterRole") => written_again::<ClusterRole>(document),
        ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding") => written_again::<ClusterRoleBinding>(document),
        ("rbac.authorization.k8s.io/v1", "Role") => written_again::<Role>(document),
        ("rbac.authorization.k8s.io/v1", "RoleBinding") => written_again::<RoleBinding>(document),
        ("monitoring.coreos.com/v1", kind) => return check_monitoring(kind, document),
        (version, kind) => return Err(format!("unknown kind {version} {kind}")),
    }?;
    compare("", document, &again)
}

fn compare(path: &str, written: &Value, again: &Value) -> Result<(), String> {
    match (written, again) {
        (Value::Object(written), Value::Object(again)) => {
            for (key, value) in written.iter().filter(|(_, value)| !value.is_null()) {
                let path = format!("{path}.{key}");
                let found = again.get(key).ok_or_else(|| format!("{path}: unknown field"))?;
                compare(&path, value, found)?;
            }
            match again.keys().find(|key| !written.contains_key(*key)) {
                Some(key) => Err(format!("{path}.{key}: missing, but required")),
                None => Ok(()),
            }
        }
        (Value::Array(written), Value::Array(again)) if written.len() == again.len() => {
            let pairs = written.iter().zip(again).enumerate();
            pairs
                .into_iter()
                .try_for_each(|(at, (written, again))| compare(&format!("{path}[{at}]"), written, again))
        }
        _ if written == again => Ok(()),
        _ => Err(format!("{path}: found {written}, which the API reads as {again}")),
    }
}

/// The fields of the Prometheus operator's API that the chart uses.
fn check_monitoring(kind: &str, document: &Value) -> Result<(), String> {
    let strings = json!({"type": "object", "additionalProperties": {"type": "string"}});
    let strict = |properties: Value, required: Value| json!({"type": "object", "additionalProperties": false, "properties": properties, "required": required});
    let endpoint = strict(
        json!({"port": {"type": "string"}, "path": {"type": "string"}, "interval": {"type": "string"}, "honorLabels": {"type": "boolean"}}),
        json!(["port"]),
    );
    let endpoints = json!({"type": "array", "minItems": 1, "items": endpoint});
    let selector = strict(json!({"matchLabels": strings}), json!(["matchLabels"]));
    let rule = strict(
        json!({"alert": {"type": "string"}, "record": {"type": "string"}, "expr": {"type": ["string", "integer"]}, "for": {"type": "string"},
            "keep_firing_for": {"type": "string"}, "labels": strings, "annotations": strings}),
        json!(["expr"]),
    );
    let group = strict(
        json!({"name": {"type": "string"}, "interval": {"type": "string"}, "rules": {"type": "array", "minItems": 1, "items": rule}}),
        json!(["name", "rules"]),
    );
    let spec = match kind {
        "PodMonitor" => strict(
            json!({"selector": selector, "podMetricsEndpoints": endpoints}),
            json!(["selector", "podMetricsEndpoints"]),
        ),
        "ServiceMonitor" => strict(
            json!({"selector": selector, "endpoints": endpoints}),
            json!(["selector", "endpoints"]),
        ),
        "PrometheusRule" => strict(
            json!({"groups": {"type": "array", "minItems": 1, "items": group}}),
            json!(["groups"]),
        ),
        kind => return Err(format!("unknown kind {kind}")),
    };
    let metadata = strict(
        json!({"name": {"type": "string"}, "namespace": {"type": "string"}, "labels": strings}),
        json!(["name"]),
    );
    let schema = strict(
        json!({"apiVersion": true, "kind": true, "metadata": metadata, "spec": spec}),
        json!(["spec", "metadata"]),
    );
    jsonschema::validate(&schema, document).map_err(|error| format!("{}: {error}", error.instance_path()))
}

#[test]
fn an_object_that_differs_from_the_api_is_found() {
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"},
        "spec": {"ports": [{"name": "web", "port": 8090, "targetPort": "web"}]}});
    assert_eq!(check(&service), Ok(()));
    let with = |pointer: &str, value: Value| {
        let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
        let mut changed = service.clone();
        changed.pointer_mut(parent).expect("an object")[key] = value;
        check(&changed).expect_err(pointer)
    };
    assert_eq!(
        with("/spec/selectors", json!({"a": "b"})),
        ".spec.selectors: unknown field"
    );
    assert_eq!(
        with("/spec/ports", json!([{"name": "web", "port": 1, "prot": "TCP"}])),
        ".spec.ports[0].prot: unknown field"
    );
    assert!(with("/spec/ports", json!([{"port": "8090"}])).contains("invalid type"));
    assert!(with("/metadata/labels", json!({"a": 1})).contains("invalid type"));
    assert_eq!(
        with("/spec/ports", json!([{"name": "web"}])),
        ".spec.ports[0].port: missing, but required"
    );
    assert_eq!(with("/kind", json!("Servce")), "unknown kind v1 Servce");
    let monitor = json!({"apiVersion": "monitoring.coreos.com/v1", "kind": "PodMonitor", "metadata": {"name": "a"},
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "podMetricsEndpoints": [{"port": "metrics", "honourLabels": true}]}});
    assert!(check(&monitor).expect_err("an unknown field").contains("honourLabels"));
}
