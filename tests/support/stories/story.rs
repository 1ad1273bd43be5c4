//! A story of one namespace, told as its watches would tell it: the form of a recording, made by hand.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use job_judge::Cause;
use serde_json::{Value, json};

/// What becomes of the story's first Job.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct End {
    pub outcome: &'static str,
    pub reason: Option<&'static str>,
    pub cause: Option<Cause>,
}

/// A story: lines of a recording, and how it ends.
#[derive(Clone, Debug)]
pub struct Story {
    pub name: &'static str,
    pub end: End,
    pub lines: Vec<Value>,
    now: i64,
    version: u64,
    objects: BTreeMap<String, Value>,
    /// How many Pods are gone.
    gone: usize,
}

/// Seconds after the beginning, as the API writes them.
pub fn time(seconds: i64) -> String {
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

/// The UID of what has that name.
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

/// A condition.
pub fn condition(kind: &str, status: bool, reason: &str, message: &str, since: i64) -> Value {
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

pub fn waiting(reason: &str, message: &str) -> Value {
    let mut waiting = json!({"reason": reason});
    if !message.is_empty() {
        waiting["message"] = message.into();
    }
    json!({"waiting": waiting})
}

pub fn running(since: i64) -> Value {
    json!({"running": {"startedAt": time(since)}})
}

/// An end of a container that ran; `run` names its container id.
pub fn ended(run: &str, code: i32, reason: &str, started: i64, finished: i64) -> Value {
    json!({"terminated": {"exitCode": code, "reason": reason, "startedAt": time(started), "finishedAt": time(finished),
        "containerID": format!("containerd://{run}")}})
}

/// How the kubelet reports a container that it cannot find, or that never was.
pub fn unknown_end() -> Value {
    json!({"terminated": {"exitCode": 137, "reason": "ContainerStatusUnknown", "startedAt": null, "finishedAt": null,
        "message": "The container could not be located when the pod was terminated"}})
}

/// A container's status.
pub fn status(name: &str, state: &Value, last: Option<&Value>, restarts: i32) -> Value {
    let id = state["terminated"]["containerID"].as_str().unwrap_or_default();
    let is_running = state.get("running").is_some();
    let id = if is_running {
        format!("containerd://{name}-{restarts}")
    } else {
        id.into()
    };
    json!({"name": name, "state": state, "lastState": last.cloned().unwrap_or(json!({})), "ready": is_running,
        "started": is_running, "restartCount": restarts, "image": "registry.example/app:9", "imageID": "",
        "containerID": id})
}

impl Story {
    /// A story that ends in a failure.
    pub fn failed(name: &'static str, reason: &'static str, cause: Cause) -> Story {
        Story::new(
            name,
            End {
                outcome: "Failed",
                reason: Some(reason),
                cause: Some(cause),
            },
        )
    }

    /// A story that ends otherwise.
    pub fn other(name: &'static str, outcome: &'static str, reason: Option<&'static str>) -> Story {
        Story::new(
            name,
            End {
                outcome,
                reason,
                cause: None,
            },
        )
    }

    fn new(name: &'static str, end: End) -> Story {
        Story {
            name,
            end,
            lines: Vec::new(),
            now: 0,
            version: 1000,
            objects: BTreeMap::new(),
            gone: 0,
        }
    }

    /// What follows happens at that second.
    pub fn at(mut self, second: i64) -> Story {
        assert!(second >= self.now);
        self.now = second;
        self
    }

    /// The UID of an object of the story: `jobs/j`, `pods/a`.
    pub fn uid(&self, key: &str) -> String {
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
    pub fn cronjob(self, name: &str, spec: Value) -> Story {
        let object = json!({"metadata": self.metadata("cronjobs", name), "spec": spec, "status": {}});
        self.write("cronjobs", "ADDED", object)
    }

    /// A Job named `j`, with these keys of its spec, and its start.
    pub fn job(self, spec: Value) -> Story {
        self.named_job("j", spec, json!({}))
    }

    /// A Job with more metadata.
    pub fn named_job(self, name: &str, spec: Value, metadata: Value) -> Story {
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
    pub fn pod(self, name: &str) -> Story {
        self.pod_of("j", name, json!({}))
    }

    /// A Pod of a Job with other keys of its spec, or labels and annotations under `metadata`.
    pub fn pod_of(self, job: &str, name: &str, patch: Value) -> Story {
        let job_uid = self.uid(&format!("jobs/{job}"));
        let policy = self.objects[&format!("jobs/{job}")]["spec"]["template"]["spec"]["restartPolicy"].clone();
        let mut object = json!({"metadata": self.metadata("pods", name), "status": {"phase": "Pending"}, "spec": {
            "restartPolicy": policy, "terminationGracePeriodSeconds": 30,
            "containers": [{"name": "main", "image": "registry.example/app:9"}]}});
        merge(
            &mut object["metadata"],
            &json!({"labels": {"batch.kubernetes.io/job-name": job, "batch.kubernetes.io/controller-uid": job_uid},
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
    pub fn patch(self, key: &str, patch: Value) -> Story {
        let mut object = self.objects[key].clone();
        merge(&mut object, &patch);
        let resource = key.split('/').next().unwrap().to_owned();
        self.write(&resource, "MODIFIED", object)
    }

    /// Adds or replaces conditions of an object.
    pub fn conditions(self, key: &str, new: &[Value]) -> Story {
        let known = self.objects[key]["status"]["conditions"].as_array();
        let mut conditions: Vec<Value> = known.cloned().unwrap_or_default();
        conditions.retain(|known| new.iter().all(|new| new["type"] != known["type"]));
        conditions.extend_from_slice(new);
        self.patch(key, json!({"status": {"conditions": conditions}}))
    }

    /// An object is gone, with its last state.
    pub fn gone(self, key: &str) -> Story {
        let object = self.objects[key].clone();
        let resource = key.split('/').next().unwrap().to_owned();
        self.write(&resource, "DELETED", object)
    }

    /// A Pod is given to node `node1`, and its kubelet makes its containers.
    pub fn admitted(self, pod: &str) -> Story {
        let key = format!("pods/{pod}");
        let now = self.now;
        let mains = self.containers(pod, "containers");
        let inits = self.containers(pod, "initContainers");
        let reason = if inits.is_empty() {
            "ContainerCreating"
        } else {
            "PodInitializing"
        };
        let statuses = |names: &[String]| -> Vec<Value> {
            names
                .iter()
                .map(|name| status(name, &waiting(reason, ""), None, 0))
                .collect()
        };
        let patch = json!({"status": {"startTime": time(now), "containerStatuses": statuses(&mains),
            "initContainerStatuses": statuses(&inits)}});
        self.patch(&key, json!({"spec": {"nodeName": "node1"}}))
            .conditions(
                &key,
                &[
                    condition("PodScheduled", true, "", "", now),
                    condition("Initialized", inits.is_empty(), "", "", now),
                    condition(
                        "Ready",
                        false,
                        "ContainersNotReady",
                        "containers with unready status",
                        now,
                    ),
                    condition(
                        "ContainersReady",
                        false,
                        "ContainersNotReady",
                        "containers with unready status",
                        now,
                    ),
                ],
            )
            .patch(&key, patch)
    }

    /// The names of the containers of a Pod's spec.
    fn containers(&self, pod: &str, key: &str) -> Vec<String> {
        let containers = self.objects[&format!("pods/{pod}")]["spec"][key].as_array();
        containers
            .into_iter()
            .flatten()
            .map(|container| container["name"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The Pod's containers are in these states; `phase` is the Pod's.
    pub fn states(self, pod: &str, phase: &str, statuses: &[Value]) -> Story {
        let inits = self.containers(pod, "initContainers");
        let of = |init: bool| -> Vec<&Value> {
            statuses
                .iter()
                .filter(|status| inits.iter().any(|name| status["name"] == **name) == init)
                .collect()
        };
        let patch =
            json!({"status": {"phase": phase, "containerStatuses": of(false), "initContainerStatuses": of(true)}});
        let key = format!("pods/{pod}");
        let now = self.now;
        let (ready, reason) = match phase {
            "Running" if statuses.iter().all(|status| status["ready"] == true) => (true, ""),
            "Failed" => (false, "PodFailed"),
            "Succeeded" => (false, "PodCompleted"),
            _ => (false, "ContainersNotReady"),
        };
        let conditions = ["Ready", "ContainersReady"].map(|kind| condition(kind, ready, reason, "", now));
        self.conditions(&key, &conditions).patch(&key, patch)
    }

    /// A Pod with one container is on its node and runs.
    pub fn runs(self, pod: &str) -> Story {
        let state = status("main", &running(self.now), None, 0);
        self.admitted(pod).states(pod, "Running", &[state])
    }

    /// The only container of a Pod ends, and the Pod with it.
    pub fn ends(self, pod: &str, code: i32, reason: &str) -> Story {
        let phase = if code == 0 && reason == "Completed" {
            "Succeeded"
        } else {
            "Failed"
        };
        let known = &self.objects[&format!("pods/{pod}")]["status"]["containerStatuses"][0]["state"];
        let mut end = ended("main-0", code, reason, self.now, self.now);
        end["terminated"]["startedAt"] = known["running"]["startedAt"].clone();
        self.states(pod, phase, &[status("main", &end, None, 0)])
    }

    /// The container `main` of a Pod waits.
    pub fn waits(self, pod: &str, reason: &str, message: &str) -> Story {
        self.states(pod, "Pending", &[status("main", &waiting(reason, message), None, 0)])
    }

    /// Somebody asks for a Pod to be deleted.
    pub fn deletes(self, pod: &str) -> Story {
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

    /// The Job controller deletes a Pod, and says so.
    pub fn controller_deletes(self, pod: &str) -> Story {
        let message = format!("Deleted pod: {pod}");
        self.deletes(pod).tell("jobs/j", "Normal", "SuccessfulDelete", &message)
    }

    /// A Pod that was asked to go does: its only container is in this state, then it is removed.
    pub fn goes(self, pod: &str, state: &Value) -> Story {
        let key = format!("pods/{pod}");
        let phase = if state["terminated"]["exitCode"] == 0 {
            "Succeeded"
        } else {
            "Failed"
        };
        let now = self.now;
        self.states(pod, phase, &[status("main", state, None, 0)])
            .patch(
                &key,
                json!({"metadata": {"deletionTimestamp": time(now), "deletionGracePeriodSeconds": 0,
                "finalizers": null}}),
            )
            .gone(&key)
    }

    /// The Job controller takes the verdict.
    pub fn verdict(self, reason: &str, message: &str) -> Story {
        let condition = condition("FailureTarget", true, reason, message, self.now);
        let job = self.uid("jobs/j");
        let of_job = |pod: &&Value| pod["metadata"]["labels"]["batch.kubernetes.io/controller-uid"] == *job;
        let pods = self.objects.values().filter(of_job);
        // Those that the verdict ends count as failed at once.
        let failed = pods.filter(|pod| pod["status"]["phase"] != "Succeeded").count() + self.gone;
        self.conditions("jobs/j", &[condition])
            .patch("jobs/j", json!({"status": {"active": 0, "failed": failed}}))
    }

    /// The Job's Pods are gone, and it is `Failed`.
    pub fn finished(self) -> Story {
        let conditions = self.objects["jobs/j"]["status"]["conditions"].as_array().unwrap();
        let verdict = conditions.iter().find(|c| c["type"] == "FailureTarget").unwrap();
        let [reason, message] = ["reason", "message"].map(|key| verdict[key].as_str().unwrap().to_owned());
        let failed = condition("Failed", true, &reason, &message, self.now);
        self.conditions("jobs/j", &[failed])
            .tell("jobs/j", "Warning", &reason, &message)
    }

    /// The verdict on a Job whose attempts are used up, and its end.
    pub fn backoff(self) -> Story {
        self.verdict("BackoffLimitExceeded", "Job has reached the specified backoff limit")
            .finished()
    }

    /// The deadline passes while that Pod, whose container never came to be or is in `state` in the end, is alive.
    pub fn deadline(self, pod: &str, state: &Value) -> Story {
        let now = self.now;
        self.controller_deletes(pod)
            .verdict("DeadlineExceeded", "Job was active longer than specified deadline")
            .at(now + 2)
            .goes(pod, state)
            .at(now + 4)
            .finished()
    }

    /// An Event about an object: `jobs/j`, `pods/a`, `nodes/node1`, `pods/a{main}`.
    pub fn tell(self, about: &str, kind: &str, reason: &str, message: &str) -> Story {
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

    /// A warning.
    pub fn warns(self, about: &str, reason: &str, message: &str) -> Story {
        self.tell(about, "Warning", reason, message)
    }
}
