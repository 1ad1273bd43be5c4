//! The objects that exist when the demo begins: a Job that makes no progress and has no deadline, and a CronJob whose latest run
//! did not start. Both have waited long enough to be reported with the shipped thresholds.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use simulator::{ChangeType, Resource, TimelineStep};

/// The UID of the stalled Job. The collector spreads its checks by UID; this one is among the first.
const STALLED: &str = "5a0f1c52-7c1e-4b0e-9a67-2f60a1f4c906";
/// The UID of the CronJob.
const CRONJOB: &str = "5a0f1c52-7c1e-4b0e-9a67-2f60a1f4c902";
/// The UID of its run that lasts.
const RUN: &str = "5a0f1c52-7c1e-4b0e-9a67-2f60a1f4c903";
/// How long ago the stalled Job was created, and the latest slot of the CronJob was due.
const AGO: SignedDuration = SignedDuration::from_mins(3);

/// The objects, and the UIDs of the events about them.
pub(super) fn objects(now: Timestamp) -> (Vec<TimelineStep>, [String; 2]) {
    let minute = now.as_second() - now.as_second().rem_euclid(60);
    let slot = second(minute - AGO.as_secs());
    let events = [
        format!("{STALLED}/stalled/ContainerConfig"),
        format!("{CRONJOB}/missed/{slot}"),
    ];
    let mut steps = stalled(second(now.as_second() - AGO.as_secs() - 5));
    steps.extend(missed(slot));
    (steps, events)
}

fn second(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn step(resource: Resource, object: Value) -> TimelineStep {
    TimelineStep {
        at: Duration::ZERO,
        resource,
        change: ChangeType::Added,
        object,
    }
}

/// A Job whose ConfigMap is missing.
fn stalled(created: Timestamp) -> Vec<TimelineStep> {
    let error = "configmap \"billing-settings\" not found";
    let waiting = json!({"waiting": {"reason": "CreateContainerConfigError", "message": error}});
    let event = json!({"apiVersion": "v1", "kind": "Event", "type": "Warning", "reason": "Failed",
        "message": format!("Error: {error}"), "count": 12, "firstTimestamp": created, "lastTimestamp": created,
        "metadata": {"name": "archive-invoices-8kzqw.1", "namespace": "billing", "uid": format!("{STALLED}-event"),
            "creationTimestamp": created},
        "involvedObject": {"apiVersion": "v1", "kind": "Pod", "name": "archive-invoices-8kzqw", "namespace": "billing",
            "uid": format!("{STALLED}-pod"), "fieldPath": "spec.containers{main}"},
        "source": {"component": "kubelet"}});
    let pod = pod(
        ("archive-invoices", STALLED),
        "archive-invoices-8kzqw",
        created,
        "Pending",
        &waiting,
    );
    vec![
        step(Resource::Jobs, job("archive-invoices", STALLED, created, json!({}))),
        step(Resource::Pods, pod),
        step(Resource::Events, event),
    ]
}

/// An hourly CronJob whose run of the hour before still runs at `slot`.
fn missed(slot: Timestamp) -> Vec<TimelineStep> {
    let last = second(slot.as_second() - 3600);
    let name = format!("sync-ledger-{}", last.as_second() / 60);
    let schedule = format!("{} * * * *", slot.as_second() / 60 % 60);
    let created = second(last.as_second() - 600);
    let active = json!([{"apiVersion": "batch/v1", "kind": "Job", "namespace": "billing", "name": name, "uid": RUN}]);
    let cronjob = json!({"apiVersion": "batch/v1", "kind": "CronJob",
        "metadata": {"name": "sync-ledger", "namespace": "billing", "uid": CRONJOB, "creationTimestamp": created,
            "generation": 1},
        "spec": {"schedule": schedule, "concurrencyPolicy": "Forbid", "suspend": false},
        "status": {"lastScheduleTime": last, "active": active}});
    let owner = json!({"ownerReferences": [{"apiVersion": "batch/v1", "kind": "CronJob", "controller": true,
            "name": "sync-ledger", "uid": CRONJOB}],
        "annotations": {"batch.kubernetes.io/cronjob-scheduled-timestamp": last}});
    let event = json!({"apiVersion": "v1", "kind": "Event", "type": "Normal", "reason": "JobAlreadyActive",
        "message": "Not starting job because prior execution is running and concurrency policy is Forbid",
        "count": 1, "firstTimestamp": slot, "lastTimestamp": slot,
        "metadata": {"name": "sync-ledger.1", "namespace": "billing", "uid": format!("{CRONJOB}-event"),
            "creationTimestamp": slot},
        "involvedObject": {"apiVersion": "batch/v1", "kind": "CronJob", "name": "sync-ledger", "namespace": "billing",
            "uid": CRONJOB},
        "source": {"component": "cronjob-controller"}});
    let running = json!({"running": {"startedAt": last}});
    vec![
        step(Resource::CronJobs, cronjob),
        step(Resource::Jobs, job(&name, RUN, last, owner)),
        step(
            Resource::Pods,
            pod((&name, RUN), "sync-ledger-x2vbp", last, "Running", &running),
        ),
        step(Resource::Events, event),
    ]
}

/// An unfinished Job with one Pod.
fn job(name: &str, uid: &str, created: Timestamp, metadata: Value) -> Value {
    let mut job = json!({"apiVersion": "batch/v1", "kind": "Job",
        "spec": {"backoffLimit": 6, "completions": 1, "parallelism": 1, "completionMode": "NonIndexed", "suspend": false,
            "template": {"spec": {"restartPolicy": "Never"}}},
        "status": {"startTime": created, "active": 1, "ready": 0}});
    job["metadata"] = metadata;
    job["metadata"]["name"] = name.into();
    job["metadata"]["namespace"] = "billing".into();
    job["metadata"]["uid"] = uid.into();
    job["metadata"]["creationTimestamp"] = created.to_string().into();
    job
}

/// The Pod of a Job, on a node.
fn pod((job, uid): (&str, &str), name: &str, created: Timestamp, phase: &str, state: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "billing", "uid": format!("{uid}-pod"), "creationTimestamp": created,
            "labels": {"batch.kubernetes.io/job-name": job, "batch.kubernetes.io/controller-uid": uid, "job-name": job,
                "controller-uid": uid},
            "ownerReferences": [{"apiVersion": "batch/v1", "kind": "Job", "controller": true, "name": job, "uid": uid}]},
        "spec": {"nodeName": "node1", "restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox"}]},
        "status": {"phase": phase, "startTime": created,
            "conditions": [{"type": "PodScheduled", "status": "True", "lastTransitionTime": created}],
            "containerStatuses": [{"name": "main", "image": "busybox", "restartCount": 0, "ready": false, "state": state}]}})
}
