//! Objects as the API server returns them, with defaults. They have no `managedFields`, which no client here reads.

use crate::ids::Ids;
use serde_json::{Value, json};

/// The finalizer that holds a Pod until its Job has counted it (`pkg/controller/job/tracking_utils.go`).
pub(crate) const TRACKING: &str = "batch.kubernetes.io/job-tracking";

/// A Job from a manifest (or from the template of a CronJob), as created.
pub(crate) fn job(manifest: &Value, namespace: &str, created: &str, ids: &mut Ids) -> Value {
    let name = manifest["metadata"]["name"].clone();
    let uid = ids.uid();
    let controller_labels = json!({
        "batch.kubernetes.io/controller-uid": uid,
        "batch.kubernetes.io/job-name": name,
        "controller-uid": uid,
        "job-name": name,
    });
    let mut job = manifest.clone();
    let metadata = &mut job["metadata"];
    metadata["namespace"] = namespace.into();
    metadata["uid"] = uid.as_str().into();
    metadata["generation"] = 1.into();
    metadata["creationTimestamp"] = created.into();
    merge(&mut metadata["labels"], &controller_labels);
    let spec = &mut job["spec"];
    default(spec, "parallelism", json!(1));
    default(spec, "completions", json!(1));
    default(spec, "backoffLimit", json!(6));
    default(spec, "completionMode", json!("NonIndexed"));
    default(spec, "suspend", json!(false));
    default(spec, "podReplacementPolicy", json!("TerminatingOrFailed"));
    spec["manualSelector"] = false.into();
    spec["selector"] = json!({"matchLabels": {"batch.kubernetes.io/controller-uid": uid}});
    merge(&mut spec["template"]["metadata"]["labels"], &controller_labels);
    template_defaults(&mut spec["template"]["spec"]);
    job["status"] = json!({});
    job
}

/// A CronJob from a manifest, as created.
pub(crate) fn cron_job(manifest: &Value, namespace: &str, created: &str, ids: &mut Ids) -> Value {
    let mut cron = manifest.clone();
    let metadata = &mut cron["metadata"];
    metadata["namespace"] = namespace.into();
    metadata["uid"] = ids.uid().into();
    metadata["generation"] = 1.into();
    metadata["creationTimestamp"] = created.into();
    let spec = &mut cron["spec"];
    default(spec, "concurrencyPolicy", json!("Allow"));
    default(spec, "suspend", json!(false));
    default(spec, "successfulJobsHistoryLimit", json!(3));
    default(spec, "failedJobsHistoryLimit", json!(1));
    let template = &mut spec["jobTemplate"];
    default(template, "metadata", json!({}));
    template_defaults(&mut template["spec"]["template"]["spec"]);
    cron["status"] = json!({});
    cron
}

/// A Pod of a Job, as created.
pub(crate) fn pod(job: &Value, created: &str, ids: &mut Ids) -> Value {
    let template = &job["spec"]["template"];
    let metadata = &job["metadata"];
    let job_name = metadata["name"].as_str().unwrap_or_default();
    let (uid, volume) = (ids.uid(), format!("kube-api-access-{}", ids.suffix()));
    let mut spec = template["spec"].clone();
    let token = json!({"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}});
    let roots = json!({"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}});
    let field = json!({"apiVersion": "v1", "fieldPath": "metadata.namespace"});
    let namespace = json!({"downwardAPI": {"items": [{"path": "namespace", "fieldRef": field}]}});
    let projected = json!({"name": volume, "projected": {"sources": [token, roots, namespace], "defaultMode": 420}});
    push(&mut spec["volumes"], projected);
    let mount = json!({"name": volume, "readOnly": true, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"});
    for container in spec["containers"].as_array_mut().into_iter().flatten() {
        push(&mut container["volumeMounts"], mount.clone());
    }
    let toleration =
        |key: &str| json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300});
    spec["tolerations"] = json!([
        toleration("node.kubernetes.io/not-ready"),
        toleration("node.kubernetes.io/unreachable")
    ]);
    default(&mut spec, "serviceAccountName", json!("default"));
    default(&mut spec, "serviceAccount", json!("default"));
    default(&mut spec, "enableServiceLinks", json!(true));
    default(&mut spec, "preemptionPolicy", json!("PreemptLowerPriority"));
    default(&mut spec, "priority", json!(0));
    let quality = quality_of_service(&spec);
    json!({
        "metadata": {
            "name": format!("{job_name}-{}", ids.suffix()),
            "generateName": format!("{job_name}-"),
            "namespace": metadata["namespace"],
            "uid": uid,
            "generation": 1,
            "creationTimestamp": created,
            "labels": template["metadata"]["labels"],
            "ownerReferences": [owner("Job", job)],
            "finalizers": [TRACKING],
        },
        "spec": spec,
        "status": {"phase": "Pending", "qosClass": quality},
    })
}

/// The reference to a Job or CronJob that controls an object.
pub(crate) fn owner(kind: &str, object: &Value) -> Value {
    json!({
        "apiVersion": "batch/v1",
        "kind": kind,
        "name": object["metadata"]["name"],
        "uid": object["metadata"]["uid"],
        "controller": true,
        "blockOwnerDeletion": true,
    })
}

fn template_defaults(spec: &mut Value) {
    default(spec, "terminationGracePeriodSeconds", json!(30));
    default(spec, "dnsPolicy", json!("ClusterFirst"));
    default(spec, "securityContext", json!({}));
    default(spec, "schedulerName", json!("default-scheduler"));
    for container in spec["containers"].as_array_mut().into_iter().flatten() {
        default(container, "resources", json!({}));
        default(container, "terminationMessagePath", json!("/dev/termination-log"));
        default(container, "terminationMessagePolicy", json!("File"));
        let image = container["image"].as_str().unwrap_or_default();
        let latest = image.ends_with(":latest") || !image.rsplit('/').next().unwrap_or_default().contains([':', '@']);
        default(
            container,
            "imagePullPolicy",
            json!(if latest { "Always" } else { "IfNotPresent" }),
        );
    }
}

fn quality_of_service(spec: &Value) -> &'static str {
    let containers = spec["containers"].as_array();
    let has_resources = |container: &Value| {
        container["resources"]
            .as_object()
            .is_some_and(|resources| !resources.is_empty())
    };
    if containers.into_iter().flatten().any(has_resources) {
        "Burstable"
    } else {
        "BestEffort"
    }
}

fn default(object: &mut Value, key: &str, value: Value) {
    if object[key].is_null() {
        object[key] = value;
    }
}

fn push(list: &mut Value, value: Value) {
    match list.as_array_mut() {
        Some(list) => list.push(value),
        None => *list = json!([value]),
    }
}

fn merge(into: &mut Value, from: &Value) {
    for (key, value) in from.as_object().into_iter().flatten() {
        into[key.as_str()] = value.clone();
    }
}
