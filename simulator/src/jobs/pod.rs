//! The kubelet's state of a Pod, and the status that it derives (`pkg/kubelet/status/generate.go`).

use super::controller::has_tracking_finalizer;
use super::run::ScenarioRun;
use super::scenario::AttemptScript;
use crate::resource::{ChangeType, Resource};
use serde_json::{Value, json};
use std::time::Duration;

const BUSYBOX: &str = "sha256:651a3e85ec21103ff0e600807e7350afff30e3d347bbea849ec21a7a4e1a434c";

/// The kubelet's state of a Pod.
#[derive(Debug, Default)]
pub(super) struct PodRun {
    pub object: Value,
    pub attempt: AttemptScript,
    pub phase: &'static str,
    pub scheduled: bool,
    pub ready: bool,
    pub deleting: bool,
    pub counted: bool,
    pub gone: bool,
    pub restarts: usize,
    pub finished_at: Option<Duration>,
    /// The number of the current plan; steps of earlier plans do not happen.
    pub plan: u32,
    pub sandbox: bool,
    pub state: Value,
    pub last_state: Value,
    pub container_id: Option<String>,
    pub started: Option<String>,
    pub running_since: Option<Duration>,
    /// The last transition of each condition: type, status, time.
    pub transitions: Vec<(&'static str, &'static str, String)>,
    pub eviction: Option<String>,
    /// The number of tries to pull the image or to create the container.
    pub tries: u32,
}

impl PodRun {
    pub(super) fn name(&self) -> &str {
        self.object["metadata"]["name"].as_str().unwrap_or_default()
    }

    pub(super) fn uid(&self) -> &str {
        self.object["metadata"]["uid"].as_str().unwrap_or_default()
    }

    /// The name of the first container.
    pub(super) fn container(&self) -> &str {
        self.object["spec"]["containers"][0]["name"]
            .as_str()
            .unwrap_or_default()
    }

    /// The image of the first container.
    pub(super) fn image(&self) -> &str {
        self.object["spec"]["containers"][0]["image"]
            .as_str()
            .unwrap_or_default()
    }

    /// Sets the time at which the Pod is deleted at the latest.
    pub(super) fn mark_deleted(&mut self, time: String, grace_seconds: u64) {
        let metadata = &mut self.object["metadata"];
        metadata["deletionTimestamp"] = time.into();
        metadata["deletionGracePeriodSeconds"] = grace_seconds.into();
        metadata["generation"] = 2.into();
    }

    pub(super) fn terminal(&self) -> bool {
        self.gone || matches!(self.phase, "Failed" | "Succeeded")
    }

    pub(super) fn failed(&self) -> bool {
        self.phase == "Failed"
    }

    pub(super) fn active(&self) -> bool {
        !self.terminal() && !self.deleting
    }

    pub(super) fn is_tracked(&self) -> bool {
        !self.gone && has_tracking_finalizer(&self.object)
    }

    pub(super) fn running(&self) -> bool {
        self.state["running"].is_object()
    }
}

impl ScenarioRun<'_> {
    /// Writes a version of a Pod, `after` from now.
    pub(super) fn write_pod(&mut self, index: usize, after: Duration, change: ChangeType) {
        let object = self.pods[index].object.clone();
        self.write(after, Resource::Pods, change, &object);
    }

    /// Writes the status of a Pod, as the kubelet reports it.
    pub(super) fn report(&mut self, index: usize, after: Duration) {
        let time = self.time(after);
        let pod = &mut self.pods[index];
        let names: Vec<String> = pod.object["spec"]["containers"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|container| container["name"].as_str().unwrap_or_default().to_owned())
            .collect();
        let mut conditions = conditions(pod, &names, &time);
        let generation = pod.object["metadata"]["generation"].clone();
        if let (Some(message), true) = (&pod.eviction, pod.terminal()) {
            conditions.push(json!({
                "type": "DisruptionTarget", "observedGeneration": generation, "status": "True", "lastProbeTime": null,
                "lastTransitionTime": time, "reason": "TerminationByKubelet", "message": message,
            }));
            pod.object["status"]["reason"] = "Evicted".into();
            pod.object["status"]["message"] = message.as_str().into();
        }
        let statuses: Vec<Value> = names
            .iter()
            .enumerate()
            .map(|(at, name)| container_status(pod, at, name))
            .collect();
        let status = &mut pod.object["status"];
        status["observedGeneration"] = generation;
        status["phase"] = pod.phase.into();
        status["conditions"] = conditions.into();
        status["containerStatuses"] = statuses.into();
        if pod.container_id.is_some() {
            status["hostIP"] = "192.168.0.2".into();
            status["podIP"] = "10.244.0.17".into();
            status["podIPs"] = json!([{"ip": "10.244.0.17"}]);
        }
        self.write_pod(index, after, ChangeType::Modified);
        self.pod_changed();
    }
}

/// The conditions that the kubelet keeps.
fn conditions(pod: &mut PodRun, names: &[String], time: &str) -> Vec<Value> {
    let terminated = &pod.state["terminated"];
    let unknown = terminated["reason"] == "ContainerStatusUnknown";
    let ended = match &terminated["exitCode"] {
        Value::Null => None,
        _ if will_restart(pod) => None,
        code if *code == 0 => Some("PodCompleted"),
        _ => Some("PodFailed"),
    };
    let flag = |yes: bool| if yes { "True" } else { "False" };
    let statuses = [
        ("PodReadyToStartContainers", flag(pod.sandbox)),
        ("Initialized", "True"),
        ("Ready", flag(pod.ready)),
        ("ContainersReady", flag(pod.ready)),
        ("PodScheduled", "True"),
    ];
    let condition = |(kind, status)| {
        let mut condition = json!({
            "type": kind,
            "observedGeneration": pod.object["metadata"]["generation"],
            "status": status,
            "lastProbeTime": null,
            "lastTransitionTime": transition(&mut pod.transitions, kind, status, time),
        });
        match (kind, ended) {
            ("Ready" | "ContainersReady", Some(reason)) if !unknown => condition["reason"] = reason.into(),
            ("Initialized", Some("PodCompleted")) => condition["reason"] = "PodCompleted".into(),
            ("Ready" | "ContainersReady", _) if !pod.ready => {
                condition["reason"] = "ContainersNotReady".into();
                condition["message"] = format!("containers with unready status: [{}]", names.join(" ")).into();
            }
            _ => {}
        }
        condition
    };
    statuses.map(condition).into()
}

fn will_restart(pod: &PodRun) -> bool {
    let failed = pod.state["terminated"]["exitCode"] != 0;
    failed && pod.object["spec"]["restartPolicy"] == "OnFailure" && !pod.terminal()
}

pub(super) fn terminated(pod: &PodRun, code: i32, reason: &str, message: Option<&str>, time: &str) -> Value {
    let mut state = json!({
        "exitCode": code, "reason": reason, "startedAt": pod.started, "finishedAt": time,
        "containerID": pod.container_id,
    });
    if let Some(message) = message {
        state["message"] = message.into();
    }
    json!({"terminated": state})
}

fn container_status(pod: &PodRun, at: usize, name: &str) -> Value {
    let image = pod.object["spec"]["containers"][at]["image"].clone();
    let mut status = json!({
        "name": name,
        "state": pod.state,
        "lastState": pod.last_state,
        "ready": pod.ready,
        "restartCount": pod.restarts,
        "image": image,
        "imageID": "",
        "started": pod.running(),
    });
    if let Some(id) = &pod.container_id {
        status["containerID"] = id.as_str().into();
        status["imageID"] = BUSYBOX.into();
        status["resources"] = pod.object["spec"]["containers"][at]["resources"].clone();
        status["user"] = json!({"linux": {"uid": 0, "gid": 0, "supplementalGroups": [0]}});
    }
    status
}

fn transition(
    seen: &mut Vec<(&'static str, &'static str, String)>,
    kind: &'static str,
    status: &'static str,
    time: &str,
) -> String {
    match seen.iter_mut().find(|(known, ..)| *known == kind) {
        Some((_, known, since)) => {
            if *known != status {
                (*known, *since) = (status, time.to_owned());
            }
            since.clone()
        }
        None => {
            seen.push((kind, status, time.to_owned()));
            time.to_owned()
        }
    }
}
