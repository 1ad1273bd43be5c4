//! The scheduler and the kubelet: the life of a Pod, as its versions and Events show it
//! (`pkg/kubelet/kubelet_pods.go`, `pkg/kubelet/status/status_manager.go`).

use super::controller::is_held;
use super::events::{Note, Source};
use super::objects;
use super::run::{Action, Run, ms};
use super::scenario::Attempt;
use crate::resource::{ChangeType, Resource};
use serde_json::{Value, json};
use std::time::Duration;

/// Delay before the second restart of a container, doubled with each (`MaxContainerBackOff` caps it).
const RESTART_BACKOFF: Duration = Duration::from_secs(10);
const MAX_RESTART_BACKOFF: Duration = Duration::from_secs(300);
const STATUS_UNKNOWN: &str = "The container could not be located when the pod was terminated";
const BUSYBOX: &str = "sha256:651a3e85ec21103ff0e600807e7350afff30e3d347bbea849ec21a7a4e1a434c";

/// A Pod as the kubelet knows it.
#[derive(Debug)]
pub(super) struct PodRun {
    pub object: Value,
    attempt: Attempt,
    phase: &'static str,
    pub scheduled: bool,
    pub ready: bool,
    pub deleting: bool,
    pub counted: bool,
    pub gone: bool,
    pub restarts: usize,
    pub finished_at: Option<Duration>,
    /// Steps planned in an earlier life do not happen any more.
    pub life: u32,
    sandbox: bool,
    state: Value,
    last_state: Value,
    container_id: Option<String>,
    started: Option<String>,
    running_since: Option<Duration>,
    /// When a condition last changed: type, status, time.
    transitions: Vec<(&'static str, &'static str, String)>,
    eviction: Option<String>,
    /// Tries to pull the image, or to create the container.
    tries: u32,
}

/// A step of a Pod.
#[derive(Clone, Debug)]
pub(super) enum PodStep {
    Bind,
    Admit,
    Sandbox,
    Pull,
    PullFailed,
    CreateFailed,
    StartFailed,
    Running,
    Exit {
        code: i32,
        reason: &'static str,
        message: Option<String>,
    },
    ReportExit,
    BackOff,
    Restart,
    Evict(String),
    Revert,
    Terminal,
    Remove,
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

    fn running(&self) -> bool {
        self.state["running"].is_object()
    }
}

impl Run<'_> {
    pub fn create_pod(&mut self) {
        let created = self.time(ms(0));
        let object = objects::pod(&self.job.object, &created, self.ids);
        self.write(ms(0), Resource::Pods, ChangeType::Added, &object);
        let attempt = self.next_attempt();
        let index = self.pods.len();
        self.pods.push(PodRun {
            object,
            attempt,
            phase: "Pending",
            scheduled: false,
            ready: false,
            deleting: false,
            counted: false,
            gone: false,
            restarts: 0,
            finished_at: None,
            life: 0,
            sandbox: false,
            state: json!({"waiting": {"reason": "ContainerCreating"}}),
            last_state: json!({}),
            container_id: None,
            started: None,
            running_since: None,
            transitions: Vec::new(),
            eviction: None,
            tries: 0,
        });
        self.plan_pod(index, ms(7), PodStep::Bind);
    }

    fn next_attempt(&mut self) -> Attempt {
        let attempt = self.scenario.attempt(self.attempts);
        self.attempts += 1;
        attempt
    }

    fn plan_pod(&mut self, pod: usize, after: Duration, step: PodStep) {
        let life = self.pods.get(pod).map_or(0, |pod| pod.life);
        self.plan(after, Action::Pod { pod, life, step });
    }

    pub fn pod_step(&mut self, index: usize, step: PodStep) {
        let (now, time) = (self.now, self.time(ms(0)));
        let container_id = matches!(step, PodStep::Running | PodStep::StartFailed).then(|| self.ids.container_id());
        let Some(pod) = self.pods.get_mut(index) else { return };
        match step {
            PodStep::Bind => self.bind(index),
            PodStep::Admit => {
                pod.object["status"]["startTime"] = time.into();
                self.report(index, ms(0));
                let pulls = matches!(
                    self.pods.get(index).map(|pod| &pod.attempt),
                    Some(Attempt::ImagePullError(_))
                );
                let (after, next) = if pulls {
                    (ms(700), PodStep::Pull)
                } else {
                    (ms(437), PodStep::Sandbox)
                };
                self.plan_pod(index, after, next);
            }
            PodStep::Sandbox => {
                pod.sandbox = true;
                let attempt = pod.attempt.clone();
                self.pulled(index, ms(0));
                self.report(index, ms(9));
                match attempt {
                    Attempt::MissingConfigMap(_) => self.plan_pod(index, ms(11), PodStep::CreateFailed),
                    Attempt::StartError(message) => {
                        self.normal(index, ms(38), "Created", "Container created");
                        self.warning(index, ms(130), "Failed", &format!("Error: {message}"));
                        self.plan_pod(index, ms(670), PodStep::StartFailed);
                    }
                    _ => {
                        self.normal(index, ms(38), "Created", "Container created");
                        self.normal(index, ms(153), "Started", "Container started");
                        self.plan_pod(index, ms(156), PodStep::Running);
                    }
                }
            }
            PodStep::Pull => self.pull(index),
            PodStep::PullFailed => self.pull_failed(index),
            PodStep::CreateFailed => self.create_failed(index),
            PodStep::StartFailed => {
                let Attempt::StartError(message) = &pod.attempt else {
                    return;
                };
                let message = message.clone();
                pod.container_id = container_id.clone();
                pod.finished_at = Some(now);
                pod.state = json!({"terminated": {
                    "exitCode": 128, "reason": "StartError", "message": message,
                    "startedAt": "1970-01-01T00:00:00Z", "finishedAt": time, "containerID": container_id,
                }});
                self.report(index, ms(0));
                self.plan_pod(index, ms(1300), PodStep::Terminal);
            }
            PodStep::Running => {
                pod.phase = "Running";
                pod.ready = true;
                pod.container_id = container_id;
                pod.state = json!({"running": {"startedAt": time}});
                pod.started = Some(time);
                pod.running_since = Some(now);
                self.report(index, ms(0));
                self.plan_end(index);
            }
            PodStep::Exit { code, reason, message } => self.exit(index, code, reason, message),
            PodStep::ReportExit => {
                self.report(index, ms(0));
                self.plan_pod(index, ms(1200), PodStep::Terminal);
            }
            PodStep::BackOff => {
                let delay = RESTART_BACKOFF
                    .saturating_mul(1 << pod.restarts.saturating_sub(1).min(10))
                    .min(MAX_RESTART_BACKOFF);
                let container = pod.object["spec"]["containers"][0]["name"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned();
                let name = format!("{}_{}({})", pod.name(), self.scenario.namespace, pod.uid());
                pod.last_state = std::mem::take(&mut pod.state);
                let seconds = delay.as_secs();
                let message = format!("back-off {seconds}s restarting failed container={container} pod={name}");
                pod.state = json!({"waiting": {"reason": "CrashLoopBackOff", "message": message}});
                self.back_off_event(index, ms(0));
                self.report(index, ms(40));
                self.plan_pod(index, delay, PodStep::Restart);
            }
            PodStep::Restart => {
                if pod.state["terminated"].is_object() {
                    pod.last_state = std::mem::take(&mut pod.state);
                }
                pod.restarts += 1;
                let attempt = self.next_attempt();
                if let Some(pod) = self.pods.get_mut(index) {
                    pod.attempt = attempt;
                }
                self.pulled(index, ms(0));
                self.normal(index, ms(140), "Created", "Container created");
                self.normal(index, ms(300), "Started", "Container started");
                self.plan_pod(index, ms(340), PodStep::Running);
            }
            PodStep::Evict(message) => {
                self.warning_about_pod(index, "Evicted", &message);
                self.killing(index, ms(7));
                if let Some(pod) = self.pods.get_mut(index) {
                    pod.eviction = Some(message);
                    pod.finished_at = Some(now);
                    pod.state = terminated(pod, 137, "Error", None, &time);
                }
                self.plan_pod(index, ms(2300), PodStep::Terminal);
            }
            PodStep::Revert => {
                // The reasons a container waits for are forgotten once its Pod is being deleted.
                pod.sandbox = false;
                pod.state = json!({"waiting": {"reason": "ContainerCreating"}});
                self.report(index, ms(0));
                self.plan_pod(index, ms(700), PodStep::Terminal);
            }
            PodStep::Terminal => self.terminal(index),
            PodStep::Remove => {
                pod.object["metadata"]["deletionTimestamp"] = time.into();
                pod.object["metadata"]["deletionGracePeriodSeconds"] = 0.into();
                pod.gone = true;
                let object = pod.object.clone();
                self.write(ms(0), Resource::Pods, ChangeType::Modified, &object);
                self.write(ms(2), Resource::Pods, ChangeType::Deleted, &object);
                self.pod_changed();
            }
        }
    }

    /// The job controller deletes a Pod: what the API server and the kubelet do about it.
    pub fn kill_pod(&mut self, index: usize) {
        let (now, deleted_at) = (self.now, self.time(ms(0)));
        let Some(pod) = self.pods.get_mut(index) else { return };
        let asked = pod.object["spec"]["terminationGracePeriodSeconds"]
            .as_u64()
            .unwrap_or(30);
        let grace = if pod.scheduled { asked } else { 0 };
        pod.life += 1;
        pod.deleting = true;
        let heeds = match pod.attempt {
            Attempt::Forever { on_sigterm } => on_sigterm,
            _ => None,
        };
        let own_end = match pod.attempt {
            Attempt::Exit { after, code, .. } => pod.running_since.map(|since| (since + after, code)),
            _ => None,
        };
        let (scheduled, running) = (pod.scheduled, pod.running());
        let never_started = pod.state["waiting"].is_object() && pod.container_id.is_none();
        let deadline = self
            .timestamp(now + Duration::from_secs(grace))
            .strftime("%Y-%m-%dT%H:%M:%SZ")
            .to_string();
        let Some(pod) = self.pods.get_mut(index) else { return };
        let metadata = &mut pod.object["metadata"];
        metadata["deletionTimestamp"] = if grace == 0 { deleted_at } else { deadline }.into();
        metadata["deletionGracePeriodSeconds"] = grace.into();
        metadata["generation"] = 2.into();
        if pod.state["waiting"]["reason"] == "CrashLoopBackOff" {
            // Nothing will restart it: the container is what it last was.
            pod.state = pod.last_state.clone();
        }
        let object = pod.object.clone();
        self.write(ms(0), Resource::Pods, ChangeType::Modified, &object);
        if !scheduled {
            return;
        }
        if running {
            self.killing(index, ms(40));
            self.report(index, ms(90));
            let grace = Duration::from_secs(grace);
            let (after, code) = match (heeds, own_end) {
                (Some(code), _) => (ms(110), code),
                // It does not heed the signal, but ends by itself before the grace period does.
                (None, Some((end, code))) if end < now + grace => (end.saturating_sub(now).max(ms(110)), code),
                (None, _) => (grace, 137),
            };
            let reason = if code == 0 { "Completed" } else { "Error" };
            self.plan_pod(
                index,
                after,
                PodStep::Exit {
                    code,
                    reason,
                    message: None,
                },
            );
        } else if never_started {
            self.plan_pod(index, ms(2400), PodStep::Revert);
        } else {
            self.plan_pod(index, ms(2200), PodStep::Terminal);
        }
    }

    fn bind(&mut self, index: usize) {
        let time = self.time(ms(0));
        let Some(pod) = self.pods.get_mut(index) else { return };
        let condition = |status: &str| json!({"type": "PodScheduled", "status": status, "lastProbeTime": null, "lastTransitionTime": time});
        if let Attempt::Unschedulable(message) = pod.attempt.clone() {
            let mut condition = condition("False");
            condition["observedGeneration"] = 1.into();
            condition["reason"] = "Unschedulable".into();
            condition["message"] = message.as_str().into();
            pod.object["status"]["conditions"] = json!([condition]);
            let object = pod.object.clone();
            let note = Note {
                source: Source::Scheduler,
                warning: true,
                reason: "FailedScheduling",
                message: &message,
                container: false,
            };
            self.event(ms(0), Resource::Pods, &object, &note);
            self.write(ms(9), Resource::Pods, ChangeType::Modified, &object);
            return;
        }
        pod.scheduled = true;
        pod.object["spec"]["nodeName"] = "node1".into();
        pod.object["status"]["conditions"] = json!([condition("True")]);
        pod.transitions.push(("PodScheduled", "True", time.clone()));
        let message = format!(
            "Successfully assigned {}/{} to node1",
            self.scenario.namespace,
            pod.name()
        );
        let object = pod.object.clone();
        self.write(ms(0), Resource::Pods, ChangeType::Modified, &object);
        let note = Note {
            source: Source::Scheduler,
            warning: false,
            reason: "Scheduled",
            message: &message,
            container: false,
        };
        self.event(ms(6), Resource::Pods, &object, &note);
        self.plan_pod(index, ms(23), PodStep::Admit);
    }

    fn pull(&mut self, index: usize) {
        let Some(pod) = self.pods.get_mut(index) else { return };
        let Attempt::ImagePullError(error) = pod.attempt.clone() else {
            return;
        };
        pod.tries += 1;
        pod.sandbox = true;
        let (tries, image) = (pod.tries, image(pod));
        self.normal(index, ms(0), "Pulling", &format!("Pulling image \"{image}\""));
        if tries > 1 {
            let why = format!("Back-off pulling image \"{image}\": ErrImagePull: {error}");
            self.wait_for(index, "ImagePullBackOff", &why);
        }
        self.report(index, ms(15));
        self.warning(
            index,
            ms(33),
            "Failed",
            &format!("Failed to pull image \"{image}\": {error}"),
        );
        self.warning(index, ms(56), "Failed", "Error: ErrImagePull");
        if tries == 1 {
            self.plan_pod(index, ms(850), PodStep::PullFailed);
        } else {
            let delay = Duration::from_secs(13)
                .saturating_mul(1 << (tries - 1).min(4))
                .min(MAX_RESTART_BACKOFF);
            self.plan_pod(index, delay, PodStep::Pull);
        }
    }

    fn pull_failed(&mut self, index: usize) {
        let Some(pod) = self.pods.get_mut(index) else { return };
        let Attempt::ImagePullError(error) = pod.attempt.clone() else {
            return;
        };
        let image = image(pod);
        self.normal(index, ms(0), "BackOff", &format!("Back-off pulling image \"{image}\""));
        self.warning(index, ms(16), "Failed", "Error: ImagePullBackOff");
        self.wait_for(index, "ErrImagePull", &error);
        self.report(index, ms(28));
        self.plan_pod(index, ms(13_300), PodStep::Pull);
    }

    fn create_failed(&mut self, index: usize) {
        let Some(pod) = self.pods.get_mut(index) else { return };
        let Attempt::MissingConfigMap(name) = pod.attempt.clone() else {
            return;
        };
        pod.tries += 1;
        let tries = pod.tries;
        let why = format!("configmap \"{name}\" not found");
        if tries > 1 {
            self.pulled(index, ms(0));
        }
        self.warning(index, ms(3), "Failed", &format!("Error: {why}"));
        if tries == 2 {
            self.wait_for(index, "CreateContainerConfigError", &why);
            self.report(index, ms(8));
        }
        self.plan_pod(
            index,
            if tries == 1 { ms(900) } else { ms(12_000) },
            PodStep::CreateFailed,
        );
    }

    /// A container runs: plans how that ends.
    fn plan_end(&mut self, index: usize) {
        let Some(attempt) = self.pods.get(index).map(|pod| pod.attempt.clone()) else {
            return;
        };
        let (after, step) = match attempt {
            Attempt::Exit { after, code, message } => {
                let reason = if code == 0 { "Completed" } else { "Error" };
                (after, PodStep::Exit { code, reason, message })
            }
            Attempt::OutOfMemory { after } => (
                after,
                PodStep::Exit {
                    code: 137,
                    reason: "OOMKilled",
                    message: None,
                },
            ),
            Attempt::Evicted { after, message } => (after, PodStep::Evict(message)),
            _ => return,
        };
        self.plan_pod(index, after, step);
    }

    fn exit(&mut self, index: usize, code: i32, reason: &str, message: Option<String>) {
        let (now, time) = (self.now, self.time(ms(0)));
        let restarts = self.restarts_on_failure() && code != 0;
        let Some(pod) = self.pods.get_mut(index) else { return };
        pod.ready = false;
        pod.finished_at = Some(now);
        pod.state = terminated(pod, code, reason, message.as_deref(), &time);
        let (deleting, first) = (pod.deleting, pod.restarts == 0);
        let own_end = matches!(pod.attempt, Attempt::Exit { .. });
        match (deleting, restarts, first) {
            (true, _, _) => {
                if own_end {
                    self.report(index, ms(10));
                }
                self.plan_pod(index, ms(270), PodStep::Terminal);
            }
            (false, false, _) => self.plan_pod(index, ms(600), PodStep::ReportExit),
            (false, true, true) => {
                self.report(index, ms(110));
                self.plan_pod(index, ms(120), PodStep::Restart);
            }
            (false, true, false) => {
                self.back_off_event(index, ms(80));
                self.report(index, ms(110));
                self.plan_pod(index, ms(1110), PodStep::BackOff);
            }
        }
    }

    fn terminal(&mut self, index: usize) {
        let Some(pod) = self.pods.get_mut(index) else { return };
        pod.sandbox = false;
        pod.ready = false;
        if pod.state["waiting"].is_object() {
            pod.state = json!({"terminated": {
                "exitCode": 137, "reason": "ContainerStatusUnknown", "message": STATUS_UNKNOWN,
                "startedAt": null, "finishedAt": null,
            }});
        }
        let succeeded = pod.state["terminated"]["exitCode"] == 0 && pod.eviction.is_none();
        pod.phase = if succeeded { "Succeeded" } else { "Failed" };
        let deleting = pod.deleting;
        self.report(index, ms(0));
        if deleting {
            self.plan_pod(index, ms(360), PodStep::Remove);
        }
    }

    /// Writes the status of a Pod, as the kubelet sees it.
    fn report(&mut self, index: usize, after: Duration) {
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

    fn wait_for(&mut self, index: usize, reason: &str, message: &str) {
        if let Some(pod) = self.pods.get_mut(index) {
            pod.state = json!({"waiting": {"reason": reason, "message": message}});
        }
    }

    fn pulled(&mut self, index: usize, after: Duration) {
        let image = self.pods.get(index).map(image).unwrap_or_default();
        let message = format!("Container image \"{image}\" already present on machine and can be accessed by the pod");
        self.normal(index, after, "Pulled", &message);
    }

    fn killing(&mut self, index: usize, after: Duration) {
        let container = self
            .pods
            .get(index)
            .map(|pod| pod.object["spec"]["containers"][0]["name"].clone());
        let container = container.as_ref().and_then(Value::as_str).unwrap_or_default();
        self.normal(index, after, "Killing", &format!("Stopping container {container}"));
    }

    fn back_off_event(&mut self, index: usize, after: Duration) {
        let Some(pod) = self.pods.get(index) else { return };
        let container = pod.object["spec"]["containers"][0]["name"].as_str().unwrap_or_default();
        let (name, namespace, uid) = (pod.name(), &self.scenario.namespace, pod.uid());
        let message = format!("Back-off restarting failed container {container} in pod {name}_{namespace}({uid})");
        self.warning(index, after, "BackOff", &message);
    }

    fn normal(&mut self, index: usize, after: Duration, reason: &str, message: &str) {
        self.pod_event(
            index,
            after,
            Note {
                source: Source::Kubelet,
                warning: false,
                reason,
                message,
                container: true,
            },
        );
    }

    fn warning(&mut self, index: usize, after: Duration, reason: &str, message: &str) {
        self.pod_event(
            index,
            after,
            Note {
                source: Source::Kubelet,
                warning: true,
                reason,
                message,
                container: true,
            },
        );
    }

    fn warning_about_pod(&mut self, index: usize, reason: &str, message: &str) {
        self.pod_event(
            index,
            ms(0),
            Note {
                source: Source::Kubelet,
                warning: true,
                reason,
                message,
                container: false,
            },
        );
    }

    fn pod_event(&mut self, index: usize, after: Duration, note: Note<'_>) {
        let Some(object) = self.pods.get(index).map(|pod| pod.object.clone()) else {
            return;
        };
        self.event(after, Resource::Pods, &object, &note);
    }
}

fn will_restart(pod: &PodRun) -> bool {
    let failed = pod.state["terminated"]["exitCode"] != 0;
    failed && pod.object["spec"]["restartPolicy"] == "OnFailure" && !pod.terminal()
}

fn image(pod: &PodRun) -> String {
    pod.object["spec"]["containers"][0]["image"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

fn terminated(pod: &PodRun, code: i32, reason: &str, message: Option<&str>, time: &str) -> Value {
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
