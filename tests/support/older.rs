//! The shape of objects in Kubernetes 1.25, made from those of a newer server.
//!
//! Sources in `kubernetes/kubernetes`: the labels `batch.kubernetes.io/{job-name,controller-uid}` since 1.27
//! (`pkg/registry/batch/job/strategy.go`); `FailureTarget` and `SuccessCriteriaMet` before `Failed` and `Complete`, which came
//! at the verdict until then, since 1.31 (`pkg/controller/job/job_controller.go`); `DisruptionTarget` since 1.26 and
//! `PodReadyToStartContainers` since 1.29 (`pkg/features/kube_features.go`); the error in the message of a back-off since 1.32
//! (`pkg/kubelet/images/image_manager.go`).

use serde_json::{Value, json};

/// Removes from an object of this resource (`jobs`, `pods`, ...) what Kubernetes 1.25 does not have, and its managed fields,
/// which repeat the names of all others.
pub(crate) fn as_in_1_25(resource: &str, object: &mut Value) {
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("managedFields");
    }
    for labels in [
        "/metadata/labels",
        "/spec/template/metadata/labels",
        "/spec/selector/matchLabels",
    ] {
        if let Some(labels) = object.pointer_mut(labels).and_then(Value::as_object_mut) {
            labels.retain(|key, _| !key.starts_with("batch.kubernetes.io/"));
        }
    }
    match resource {
        "jobs" => job(object),
        "pods" => pod(object),
        _ => {}
    }
}

fn job(job: &mut Value) {
    if let Some(spec) = job["spec"].as_object_mut() {
        for added in ["podReplacementPolicy", "podFailurePolicy", "manualSelector"] {
            spec.remove(added);
        }
    }
    let Some(status) = job["status"].as_object_mut() else {
        return;
    };
    for added in ["terminating", "uncountedTerminatedPods", "failedIndexes"] {
        status.remove(added);
    }
    let Some(conditions) = status.get_mut("conditions").and_then(Value::as_array_mut) else {
        return;
    };
    let mut seen = Vec::new();
    conditions.retain_mut(|condition| {
        let kind = match condition["type"].as_str() {
            Some("FailureTarget") => "Failed".to_owned(),
            Some("SuccessCriteriaMet") => "Complete".to_owned(),
            kind => kind.unwrap_or_default().to_owned(),
        };
        condition["type"] = kind.clone().into();
        let is_first = !seen.contains(&kind);
        seen.push(kind);
        is_first
    });
}

fn pod(pod: &mut Value) {
    let Some(status) = pod["status"].as_object_mut() else {
        return;
    };
    if let Some(conditions) = status.get_mut("conditions").and_then(Value::as_array_mut) {
        let added = ["DisruptionTarget", "PodReadyToStartContainers"];
        conditions.retain(|condition| !added.iter().any(|kind| condition["type"] == *kind));
    }
    for list in ["initContainerStatuses", "containerStatuses"] {
        for container in status.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            let waiting = &mut container["state"]["waiting"];
            if waiting["reason"] != "ImagePullBackOff" {
                continue;
            }
            let message = waiting["message"].as_str().unwrap_or_default();
            let short = message.split_once("\": ").map(|(head, _)| format!("{head}\""));
            if let Some(short) = short {
                waiting["message"] = short.into();
            }
        }
    }
}

#[test]
fn a_job_and_its_pod_look_as_in_1_25() {
    let mut job = json!({"status": {"failed": 1, "terminating": 0, "conditions": [
        {"type": "FailureTarget", "reason": "a"}, {"type": "Failed", "reason": "b"}]}});
    as_in_1_25("jobs", &mut job);
    assert_eq!(
        job["status"],
        json!({"failed": 1, "conditions": [{"type": "Failed", "reason": "a"}]})
    );
    let waiting = |message: &str| {
        json!({"metadata": {"labels": {"job-name": "j"}}, "status": {"conditions": [{"type": "Ready"}], "containerStatuses":
            [{"state": {"waiting": {"reason": "ImagePullBackOff", "message": message}}}]}})
    };
    let mut pod = waiting("Back-off pulling image \"x:1\": ErrImagePull: no \"y\": z");
    pod["metadata"]["labels"]["batch.kubernetes.io/job-name"] = "j".into();
    pod["status"]["conditions"] = json!([{"type": "Ready"}, {"type": "DisruptionTarget"}]);
    as_in_1_25("pods", &mut pod);
    assert_eq!(pod, waiting("Back-off pulling image \"x:1\""));
}
