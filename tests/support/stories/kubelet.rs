//! The kubelet of a story: states of containers and Pods.

use serde_json::{Value, json};

use super::story::{Story, condition, time};

pub(crate) fn waiting(reason: &str, message: &str) -> Value {
    let mut waiting = json!({"reason": reason});
    if !message.is_empty() {
        waiting["message"] = message.into();
    }
    json!({"waiting": waiting})
}

pub(crate) fn running(since: i64) -> Value {
    json!({"running": {"startedAt": time(since)}})
}

/// An end of a container that ran; `run` names its container id.
pub(crate) fn ended(run: &str, code: i32, reason: &str, started: i64, finished: i64) -> Value {
    json!({"terminated": {"exitCode": code, "reason": reason, "startedAt": time(started), "finishedAt": time(finished),
        "containerID": format!("containerd://{run}")}})
}

/// The end that the kubelet reports of a container that it cannot find, or that never started.
pub(crate) fn unknown_end() -> Value {
    json!({"terminated": {"exitCode": 137, "reason": "ContainerStatusUnknown", "startedAt": null, "finishedAt": null,
        "message": "The container could not be located when the pod was terminated"}})
}

/// The status of a container.
pub(crate) fn status(name: &str, state: &Value, last: Option<&Value>, restarts: i32) -> Value {
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
    /// A Pod is bound to node `node1`, and the kubelet creates its containers.
    pub(crate) fn admitted(self, pod: &str) -> Story {
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
    pub(super) fn containers(&self, pod: &str, key: &str) -> Vec<String> {
        let containers = self.objects[&format!("pods/{pod}")]["spec"][key].as_array();
        containers
            .into_iter()
            .flatten()
            .map(|container| container["name"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The Pod's containers are in these states; `phase` is the Pod's.
    pub(crate) fn states(self, pod: &str, phase: &str, statuses: &[Value]) -> Story {
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
    pub(crate) fn runs(self, pod: &str) -> Story {
        let state = status("main", &running(self.now), None, 0);
        self.admitted(pod).states(pod, "Running", &[state])
    }

    /// The only container of a Pod ends, and the Pod with it.
    pub(crate) fn ends(self, pod: &str, code: i32, reason: &str) -> Story {
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
    pub(crate) fn waits(self, pod: &str, reason: &str, message: &str) -> Story {
        self.states(pod, "Pending", &[status("main", &waiting(reason, message), None, 0)])
    }

    /// A deleted Pod ends: its only container gets this state, then the Pod is removed.
    pub(crate) fn goes(self, pod: &str, state: &Value) -> Story {
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

    /// A true condition `DisruptionTarget` of a Pod.
    pub(crate) fn disrupted(self, pod: &str, reason: &str, message: &str) -> Story {
        let condition = condition("DisruptionTarget", true, reason, message, self.now);
        self.conditions(&format!("pods/{pod}"), &[condition])
    }
}
