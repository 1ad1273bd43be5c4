//! Takes out of an object what must not be handed on. Pure.

use pipeline::config::REDACTED;
use serde_json::{Map, Value};

/// The one annotation that stays besides those of [`BATCH`]: a verdict depends on it.
const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";
/// Annotations of the Job and CronJob controllers.
const BATCH: &str = "batch.kubernetes.io/";

/// Removes, wherever it stands in the object, templates included: `managedFields`, annotations but for those that a
/// verdict may depend on, and the values of environment variables and of HTTP headers. References (`valueFrom`) stay.
pub fn redact(object: &mut Value) {
    match object {
        Value::Object(map) => {
            metadata(map);
            for key in ["env", "httpHeaders"] {
                values(map.get_mut(key));
            }
            map.values_mut().for_each(redact);
        }
        Value::Array(items) => items.iter_mut().for_each(redact),
        _ => {}
    }
}

fn metadata(object: &mut Map<String, Value>) {
    let Some(Value::Object(metadata)) = object.get_mut("metadata") else {
        return;
    };
    metadata.remove("managedFields");
    if let Some(Value::Object(annotations)) = metadata.get_mut("annotations") {
        annotations.retain(|key, _| key.starts_with(BATCH) || key == DEFAULT_CONTAINER);
        if annotations.is_empty() {
            metadata.remove("annotations");
        }
    }
}

/// `[{"name": ..., "value": ...}]`, as environment variables and HTTP headers are written.
fn values(list: Option<&mut Value>) {
    let items = list.and_then(Value::as_array_mut).into_iter().flatten();
    for item in items.filter_map(Value::as_object_mut) {
        if let Some(value) = item.get_mut("value") {
            *value = REDACTED.into();
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod_spec(env: Value) -> Value {
        json!({
            "initContainers": [{"name": "a", "env": env}],
            "containers": [{"name": "b", "env": env, "args": ["--x"], "livenessProbe":
                {"httpGet": {"path": "/", "httpHeaders": [{"name": "Authorization", "value": "s3cret"}]}}}],
            "ephemeralContainers": [{"name": "c", "env": env}],
        })
    }

    #[test]
    fn secrets_are_removed_at_every_depth() {
        let secret = || json!([{"name": "TOKEN", "value": "s3cret"}]);
        let annotations = json!({"kubectl.kubernetes.io/last-applied-configuration": "s3cret", "team": "s3cret"});
        let template = json!({"metadata": {"annotations": annotations}, "spec": pod_spec(secret())});
        let metadata = json!({"name": "x", "annotations": annotations, "managedFields": [{"manager": "s3cret"}]});
        let objects = [
            json!({"kind": "Pod", "metadata": metadata, "spec": pod_spec(secret())}),
            json!({"kind": "Job", "metadata": metadata, "spec": {"template": template}}),
            json!({"kind": "CronJob", "metadata": metadata, "spec": {"jobTemplate":
                {"metadata": {"annotations": annotations}, "spec": {"template": template}}}}),
        ];
        for mut object in objects {
            redact(&mut object);
            let text = object.to_string();
            assert!(!text.contains("s3cret"), "{text}");
            assert!(!text.contains("managedFields"), "{text}");
            assert_eq!(text.matches(REDACTED).count(), 4, "{text}");
        }
    }

    #[test]
    fn what_a_verdict_needs_stays() {
        let mut pod = json!({
            "metadata": {"name": "x", "labels": {"a": "b"}, "annotations": {
                "batch.kubernetes.io/job-completion-index": "3",
                "kubectl.kubernetes.io/default-container": "main"}},
            "spec": {"containers": [{"name": "main", "command": ["run"], "env": [
                {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}, {"name": "EMPTY"}]}]},
            "status": {"containerStatuses": [{"state": {"terminated": {"message": "disk full"}}}]},
        });
        let before = pod.clone();
        redact(&mut pod);
        assert_eq!(pod, before);
    }
}
