//! The objects that exist when the demo begins: two Jobs that make no progress and have no deadline, and a CronJob whose latest
//! run did not start. They have waited long enough to be reported with the shipped thresholds. One of the two Jobs recovers
//! during the demo.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use simulator::{ChangeType, Resource, TimelineStep};

/// The Job that stays stalled. The collector spreads its checks by UID; both UIDs are among the first.
const STALLED: WaitingJob = WaitingJob {
    name: "archive-invoices",
    uid: "5a0f1c52-7c1e-4b0e-9a67-2f60a1f4c906",
    pod: "archive-invoices-8kzqw",
    config_map: "billing-settings",
};
/// The Job that recovers.
const RECOVERING: WaitingJob = WaitingJob {
    name: "refresh-prices",
    uid: "5a0f1c52-7c1e-4b0e-9a67-2f60a1f4c98e",
    pod: "refresh-prices-t7wmd",
    config_map: "price-sources",
};
/// How long after the report of its stall its container starts, and ends, in the time of the cluster.
const STARTS: Duration = Duration::from_secs(10);
const ENDS: Duration = Duration::from_secs(20);
/// The UID of the CronJob.
const CRONJOB: &str = "5a0f1c52-7c1e-4b0e-9a67-2f60a1f4c902";
/// The UID of its run that lasts.
const RUN: &str = "5a0f1c52-7c1e-4b0e-9a67-2f60a1f4c903";
/// How long ago the stalled Jobs were created, and the latest slot of the CronJob was due.
const AGO: SignedDuration = SignedDuration::from_mins(3);

/// A Job whose container waits for a ConfigMap.
struct WaitingJob {
    name: &'static str,
    uid: &'static str,
    pod: &'static str,
    config_map: &'static str,
}

/// The objects, and the events about them.
pub(super) struct Before {
    pub objects: Vec<TimelineStep>,
    /// The UIDs of the expected events.
    pub expected: [String; 5],
    /// When the Jobs were created.
    created: Timestamp,
}

impl Before {
    /// The objects of a demo that begins at `now`.
    pub(super) fn new(now: Timestamp) -> Before {
        let minute = now.as_second() - now.as_second().rem_euclid(60);
        let slot = second(minute - AGO.as_secs());
        let created = second(now.as_second() - AGO.as_secs() - 5);
        let mut objects = STALLED.objects(created);
        objects.extend(RECOVERING.objects(created));
        objects.extend(missed(slot));
        Before {
            objects,
            expected: [
                STALLED.stall(),
                RECOVERING.stall(),
                format!("{}/recovered/ContainerConfig", RECOVERING.uid),
                RECOVERING.uid.to_owned(),
                format!("{CRONJOB}/missed/{slot}"),
            ],
            created,
        }
    }

    /// The steps that follow once the event with this UID has arrived at `now`, in a cluster `speed` times faster than real
    /// time: after the stall of the second Job somebody creates its ConfigMap.
    pub(super) fn after(&self, event: &str, now: Timestamp, speed: f64) -> Vec<TimelineStep> {
        match event == RECOVERING.stall() {
            true => RECOVERING.recovery(self.created, now, speed),
            false => Vec::new(),
        }
    }
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

impl WaitingJob {
    /// The UID of the event about its stall.
    fn stall(&self) -> String {
        format!("{}/stalled/ContainerConfig", self.uid)
    }

    fn objects(&self, created: Timestamp) -> Vec<TimelineStep> {
        let WaitingJob {
            name,
            uid,
            pod,
            config_map,
        } = self;
        let error = format!("configmap \"{config_map}\" not found");
        let waiting = json!({"waiting": {"reason": "CreateContainerConfigError", "message": error}});
        let event = json!({"apiVersion": "v1", "kind": "Event", "type": "Warning", "reason": "Failed",
            "message": format!("Error: {error}"), "count": 12, "firstTimestamp": created, "lastTimestamp": created,
            "metadata": {"name": format!("{pod}.1"), "namespace": "billing", "uid": format!("{uid}-event"),
                "creationTimestamp": created},
            "involvedObject": {"apiVersion": "v1", "kind": "Pod", "name": pod, "namespace": "billing",
                "uid": format!("{uid}-pod"), "fieldPath": "spec.containers{main}"},
            "source": {"component": "kubelet"}});
        vec![
            step(Resource::Jobs, job(name, uid, created, json!({}))),
            step(Resource::Pods, self.pod(created, "Pending", &waiting)),
            step(Resource::Events, event),
        ]
    }

    /// Its container starts, and the Job completes.
    fn recovery(&self, created: Timestamp, now: Timestamp, speed: f64) -> Vec<TimelineStep> {
        let time = |at: Duration| second(now.as_second() + at.div_f64(speed).as_secs_f64().ceil() as i64);
        let (started, ended) = (time(STARTS), time(ENDS));
        let running = json!({"running": {"startedAt": started}});
        let terminated = json!({"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": started,
            "finishedAt": ended}});
        let mut done = job(self.name, self.uid, created, json!({}));
        let condition = |kind: &str| {
            json!({"type": kind, "status": "True", "reason": "CompletionsReached", "lastTransitionTime": ended,
                "message": "Reached expected number of succeeded pods"})
        };
        done["status"] = json!({"startTime": created, "completionTime": ended, "succeeded": 1, "active": 0, "ready": 0,
            "conditions": [condition("SuccessCriteriaMet"), condition("Complete")]});
        let change = |at, resource, object| TimelineStep {
            at,
            resource,
            change: ChangeType::Modified,
            object,
        };
        vec![
            change(STARTS, Resource::Pods, self.pod(created, "Running", &running)),
            change(ENDS, Resource::Pods, self.pod(created, "Succeeded", &terminated)),
            change(ENDS, Resource::Jobs, done),
        ]
    }

    fn pod(&self, created: Timestamp, phase: &str, state: &Value) -> Value {
        pod((self.name, self.uid), self.pod, created, phase, state)
    }
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
