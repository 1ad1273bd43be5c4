//! A Pod as the kubelet knows it, and how its status says so (`pkg/kubelet/status/generate.go`).

use super::controller::is_held;
use super::objects;
use super::run::Run;
use super::scenario::Attempt;
use crate::resource::{ChangeType, Resource};
use serde_json::{Value, json};
use std::time::Duration;

const BUSYBOX: &str = "sha256:651a3e85ec21103ff0e600807e7350afff30e3d347bbea849ec21a7a4e1a434c";

/// A Pod as the kubelet knows it.
#[derive(Debug)]
pub(super) struct PodRun {
    pub object: Value,
    pub attempt: Attempt,
    pub phase: &'static str,
    pub scheduled: bool,
    pub ready: bool,
    pub deleting: bool,
    pub counted: bool,
    pub gone: bool,
    pub restarts: usize,
    pub finished_at: Option<Duration>,
    /// Steps planned in an earlier life do not happen any more.
    pub life: u32,
    pub sandbox: bool,
    pub state: Value,
    pub last_state: Value,
    pub container_id: Option<String>,
    pub started: Option<String>,
    pub running_since: Option<Duration>,
    /// When a condition last changed: type, status, time.
    pub transitions: Vec<(&'static str, &'static str, String)>,
    pub eviction: Option<String>,
    /// Tries to pull the image, or to create the container.
    pub tries: u32,
}

impl PodRun {
    pub fn name(&self) -> &str {
        self.object["metadata"]["name"].as_str().unwrap_or_default()
    }

    pub fn uid(&self) -> &str {
        self.object["metadata"]["uid"].as_str().unwrap_or_default()
    }

    pub fn terminal(&self) -> bool {
        self.gone || matches!(self.phase, "Failed" | "Succeeded")
    }

    pub fn failed(&self) -> bool {
        self.phase == "Failed"
    }

    pub fn active(&self) -> bool {
        !self.terminal() && !self.deleting
    }

    pub fn held(&self) -> bool {
        !self.gone && is_held(&self.object)
    }

    pub fn running(&self) -> bool {
        self.state["running"].is_object()
    }
}

impl Run<'_> {
    /// Writes the status of a Pod, as the kubelet sees it.
    pub fn report(&mut self, index: usize, after: Duration) {
        let time = self.time(after);
        let Some(pod) = self.pods.get_mut(index) else { return };
        let generation = pod.object["metadata"]["generation"].clone();
        let names: Vec<String> = pod.object["spec"]["containers"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|container| container["name"].as_str().unwrap_or_default().to_owned())
            .collect();
        let ended = if pod.state["terminated"].is_object() && !will_restart(pod) {
            if pod.state["terminated"]["exitCode"] == 0 {
                Some("PodCompleted")
            } else {
                Some("PodFailed")
            }
        } else {
            None
        };
        let unknown = pod.state["terminated"]["reason"] == "ContainerStatusUnknown";
        let mut conditions = Vec::new();
        let flag = |yes: bool| if yes { "True" } else { "False" };
        for (kind, status) in [
            ("PodReadyToStartContainers", flag(pod.sandbox)),
            ("Initialized", "True"),
            ("Ready", flag(pod.ready)),
            ("ContainersReady", flag(pod.ready)),
            ("PodScheduled", "True"),
        ] {
            let mut condition = json!({
                "type": kind,
                "observedGeneration": generation,
                "status": status,
                "lastProbeTime": null,
                "lastTransitionTime": transition(&mut pod.transitions, kind, status, &time),
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
            conditions.push(condition);
        }
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
        objects::own_status(&mut pod.object, "kubelet", "v1", &time);
        let object = pod.object.clone();
        self.write(after, Resource::Pods, ChangeType::Modified, &object);
        self.pod_changed();
    }
}

fn will_restart(pod: &PodRun) -> bool {
    let failed = pod.state["terminated"]["exitCode"] != 0;
    failed && pod.object["spec"]["restartPolicy"] == "OnFailure" && !pod.terminal()
}

pub(super) fn image(pod: &PodRun) -> String {
    pod.object["spec"]["containers"][0]["image"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
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
