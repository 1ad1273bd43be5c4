//! A story of one namespace: the lines of a recording, written by hand, and the expected verdict.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use job_judge::Cause;
use serde_json::{Value, json};

use super::expected::Expected;

/// The reason of a Job whose attempts are used up.
pub(super) const BACKOFF: &str = "BackoffLimitExceeded";
/// The reason of a Job that exceeds its `activeDeadlineSeconds`.
pub(super) const DEADLINE: &str = "DeadlineExceeded";

/// The lines of a recording, and the expected verdict on its first Job.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    pub name: &'static str,
    pub expected: Expected,
    pub lines: Vec<Value>,
    pub now: i64,
    pub(super) version: u64,
    pub(super) objects: BTreeMap<String, Value>,
    /// The number of deleted Pods.
    pub(super) gone: usize,
}

/// Seconds after the beginning, as the API writes them.
pub(crate) fn time(seconds: i64) -> String {
    let start: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
    (start + SignedDuration::from_secs(seconds)).to_string()
}

/// Merges a patch into an object: maps key by key, null removes, all else replaces (RFC 7386).
fn merge(object: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else {
        *object = patch.clone();
        return;
    };
    if !object.is_object() {
        *object = json!({});
    }
    let map = object.as_object_mut().unwrap();
    for (key, value) in patch {
        if value.is_null() {
            map.remove(key);
        } else {
            merge(map.entry(key).or_insert(Value::Null), value);
        }
    }
}

/// The UID of the object with that name.
fn uid(story: &str, key: &str) -> String {
    let hash = |seed: u64| {
        format!("{story}/{key}").bytes().fold(seed, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
    };
    let (a, b) = (hash(0xcbf2_9ce4_8422_2325), hash(0x9e37_79b9_7f4a_7c15));
    format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        a >> 32,
        a >> 16 & 0xffff,
        a & 0xfff,
        b >> 48 & 0xfff,
        b & 0xffff_ffff_ffff
    )
}

/// The spec of a Job whose Pods restart their containers in place.
pub(crate) fn on_failure(backoff_limit: i32) -> Value {
    json!({"backoffLimit": backoff_limit, "template": {"spec": {"restartPolicy": "OnFailure"}}})
}

/// A condition.
pub(crate) fn condition(kind: &str, status: bool, reason: &str, message: &str, since: i64) -> Value {
    let status = if status { "True" } else { "False" };
    let mut condition =
        json!({"type": kind, "status": status, "lastProbeTime": null, "lastTransitionTime": time(since)});
    for (key, text) in [("reason", reason), ("message", message)] {
        if !text.is_empty() {
            condition[key] = text.into();
        }
    }
    condition
}

impl Story {
    /// A Job that fails.
    pub(crate) fn failed(name: &'static str, reason: &'static str, cause: Cause) -> Story {
        Story::new(name, Expected::new("Failed", Some(reason), Some(cause)))
    }

    /// A Job that fails for its back-off limit after its only Pod, `a`.
    pub(crate) fn one_try(name: &'static str, cause: Cause) -> Story {
        Story::failed(name, BACKOFF, cause)
            .job(json!({"backoffLimit": 0}))
            .pod("a")
    }

    /// A Job that does not fail.
    pub(crate) fn other(name: &'static str, outcome: &'static str, reason: Option<&'static str>) -> Story {
        Story::new(name, Expected::new(outcome, reason, None))
    }

    fn new(name: &'static str, expected: Expected) -> Story {
        Story {
            name,
            expected,
            lines: Vec::new(),
            now: 0,
            version: 1000,
            objects: BTreeMap::new(),
            gone: 0,
        }
    }

    /// Moves to that second.
    pub(crate) fn at(mut self, second: i64) -> Story {
        assert!(second >= self.now);
        self.now = second;
        self
    }

    /// The UID of an object of the story: `jobs/j`, `pods/a`.
    pub(crate) fn uid(&self, key: &str) -> String {
        uid(self.name, key)
    }

    fn write(mut self, resource: &str, kind: &str, mut object: Value) -> Story {
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        let t = self.now * 1000 + self.lines.len() as i64 % 500;
        let t = self.lines.last().map_or(t, |last| t.max(last["t"].as_i64().unwrap()));
        let key = format!("{resource}/{}", object["metadata"]["name"].as_str().unwrap());
        self.lines
            .push(json!({"t": t, "resource": resource, "type": kind, "object": object}));
        if kind == "DELETED" {
            self.gone += usize::from(resource == "pods");
            self.objects.remove(&key);
        } else {
            self.objects.insert(key, object);
        }
        self
    }

    fn metadata(&self, resource: &str, name: &str) -> Value {
        let namespace = self.name;
        let uid = self.uid(&format!("{resource}/{name}"));
        json!({"name": name, "namespace": namespace, "uid": uid, "creationTimestamp": time(self.now)})
    }

    /// A CronJob.
    pub(crate) fn cronjob(self, name: &str, spec: Value) -> Story {
        let mut object = json!({"metadata": self.metadata("cronjobs", name), "spec": spec, "status": {}});
        object["metadata"]["generation"] = 1.into();
        self.write("cronjobs", "ADDED", object)
    }

    /// A Job named `j` with these keys of its spec, which starts.
    pub(crate) fn job(self, spec: Value) -> Story {
        self.named_job("j", spec, json!({}))
    }

    /// A Job with more metadata.
    pub(crate) fn named_job(self, name: &str, spec: Value, metadata: Value) -> Story {
        let mut object = json!({"metadata": self.metadata("jobs", name), "status": {}, "spec": {
            "backoffLimit": 6, "completions": 1, "parallelism": 1, "completionMode": "NonIndexed", "suspend": false,
            "template": {"spec": {"restartPolicy": "Never"}}}});
        merge(&mut object["spec"], &spec);
        merge(&mut object["metadata"], &metadata);
        let key = format!("jobs/{name}");
        let started = json!({"status": {"startTime": time(self.now), "active": 1, "ready": 0}});
        let unmanaged = object["spec"].get("managedBy").is_some();
        let story = self.write("jobs", "ADDED", object);
        if unmanaged { story } else { story.patch(&key, started) }
    }

    /// A Pod of Job `j` with one container `main`, not yet on a node.
    pub(crate) fn pod(self, name: &str) -> Story {
        self.pod_of("j", name, json!({}))
    }

    /// A Pod of a Job with other keys of its spec, or labels and annotations under `metadata`.
    pub(crate) fn pod_of(self, job: &str, name: &str, patch: Value) -> Story {
        let job_uid = self.uid(&format!("jobs/{job}"));
        let policy = self.objects[&format!("jobs/{job}")]["spec"]["template"]["spec"]["restartPolicy"].clone();
        let mut object = json!({"metadata": self.metadata("pods", name), "status": {"phase": "Pending"}, "spec": {
            "restartPolicy": policy, "terminationGracePeriodSeconds": 30,
            "containers": [{"name": "main", "image": "registry.example/app:9"}]}});
        merge(
            &mut object["metadata"],
            &json!({"labels": {"batch.kubernetes.io/job-name": job, "batch.kubernetes.io/controller-uid": job_uid,
                    "job-name": job, "controller-uid": job_uid},
                "finalizers": ["batch.kubernetes.io/job-tracking"],
                "ownerReferences": [{"apiVersion": "batch/v1", "kind": "Job", "controller": true, "name": job,
                    "uid": job_uid}]}),
        );
        merge(&mut object, &patch);
        self.write("pods", "ADDED", object).tell(
            &format!("jobs/{job}"),
            "Normal",
            "SuccessfulCreate",
            &format!("Created pod: {name}"),
        )
    }

    /// Changes an object.
    pub(crate) fn patch(self, key: &str, patch: Value) -> Story {
        let mut object = self.objects[key].clone();
        merge(&mut object, &patch);
        let resource = key.split('/').next().unwrap().to_owned();
        self.write(&resource, "MODIFIED", object)
    }

    /// Adds or replaces conditions of an object.
    pub(crate) fn conditions(self, key: &str, new: &[Value]) -> Story {
        let known = self.objects[key]["status"]["conditions"].as_array();
        let mut conditions: Vec<Value> = known.cloned().unwrap_or_default();
        conditions.retain(|known| new.iter().all(|new| new["type"] != known["type"]));
        conditions.extend_from_slice(new);
        self.patch(key, json!({"status": {"conditions": conditions}}))
    }

    /// Deletes an object, with its last state.
    pub(crate) fn gone(self, key: &str) -> Story {
        let object = self.objects[key].clone();
        let resource = key.split('/').next().unwrap().to_owned();
        self.write(&resource, "DELETED", object)
    }

    /// A user deletes a Pod.
    pub(crate) fn deletes(self, pod: &str) -> Story {
        let object = &self.objects[&format!("pods/{pod}")];
        let ended = matches!(object["status"]["phase"].as_str(), Some("Failed" | "Succeeded"));
        let grace = if ended || object["spec"].get("nodeName").is_none() {
            0
        } else {
            30
        };
        let patch = json!({"metadata": {"deletionTimestamp": time(self.now + grace),
            "deletionGracePeriodSeconds": grace}});
        self.patch(&format!("pods/{pod}"), patch)
    }

    /// An Event about an object: `jobs/j`, `pods/a`, `nodes/node1`, `pods/a{main}`.
    pub(crate) fn tell(self, about: &str, kind: &str, reason: &str, message: &str) -> Story {
        let (key, field) = match about.split_once('{') {
            Some((key, container)) => {
                let name = container.trim_end_matches('}').to_owned();
                let pod = key.trim_start_matches("pods/");
                let of = match self.containers(pod, "initContainers").contains(&name) {
                    true => "initContainers",
                    false => "containers",
                };
                (key, format!("spec.{of}{{{container}"))
            }
            None => (about, String::new()),
        };
        let (resource, name) = key.split_once('/').unwrap();
        let object = match resource {
            "jobs" => "Job",
            "cronjobs" => "CronJob",
            "pods" => "Pod",
            _ => "Node",
        };
        let uid = if object == "Node" {
            name.to_owned()
        } else {
            self.uid(key)
        };
        let number = self.lines.len();
        let (api_version, component) = match object {
            "Job" => ("batch/v1", "job-controller"),
            "CronJob" => ("batch/v1", "cronjob-controller"),
            "Node" if reason == "OOMKilling" => ("", "kernel-monitor"),
            _ => ("v1", "kubelet"),
        };
        let mut event = json!({"metadata": self.metadata("events", &format!("{name}.{number:x}")),
            "involvedObject": {"apiVersion": api_version, "kind": object, "name": name, "uid": uid,
                "namespace": self.name, "fieldPath": field},
            "type": kind, "reason": reason, "message": message, "count": 1, "source": {"component": component},
            "firstTimestamp": time(self.now), "lastTimestamp": time(self.now), "eventTime": null});
        if object == "Node" {
            event["metadata"]["namespace"] = "default".into();
            event["involvedObject"]["namespace"] = "".into();
        }
        self.write("events", "ADDED", event)
    }

    /// Another component wrote the last Event.
    pub(crate) fn by(mut self, component: &str) -> Story {
        let event = &mut self.lines.last_mut().expect("an Event")["object"];
        event["source"]["component"] = component.into();
        self
    }

    /// A warning.
    pub(crate) fn warns(self, about: &str, reason: &str, message: &str) -> Story {
        self.tell(about, "Warning", reason, message)
    }
}
