//! The scheduler and the kubelet: the life of a Pod, as its versions and Events show it
//! (`pkg/kubelet/kubelet_pods.go`, `pkg/kubelet/status/status_manager.go`).

use super::events::{Note, Source};
use super::objects;
use super::pod::{PodRun, terminated};
use super::run::{Action, Run, ms};
use super::scenario::Attempt;
use crate::resource::{ChangeType, Resource};
use serde_json::json;
use std::time::Duration;

/// Delay before the second restart of a container, doubled with each (`MaxContainerBackOff` caps it).
const RESTART_BACKOFF: Duration = Duration::from_secs(10);
pub(super) const MAX_RESTART_BACKOFF: Duration = Duration::from_secs(300);
const STATUS_UNKNOWN: &str = "The container could not be located when the pod was terminated";

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

    pub fn plan_pod(&mut self, pod: usize, after: Duration, step: PodStep) {
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
}
