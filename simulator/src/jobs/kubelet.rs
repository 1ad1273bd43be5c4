//! The scheduler and the kubelet: the life of a Pod, as its versions and Events show it
//! (`pkg/kubelet/kubelet_pods.go`, `pkg/kubelet/status/status_manager.go`).

use super::events::{EventSource, Note};
use super::objects;
use super::pod::{PodRun, terminated};
use super::run::{PlannedAction, ScenarioRun, ms};
use super::scenario::AttemptScript;
use crate::resource::ChangeType;
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

impl PodStep {
    fn exit(code: i32, message: Option<String>) -> PodStep {
        let reason = if code == 0 { "Completed" } else { "Error" };
        PodStep::Exit { code, reason, message }
    }
}

impl ScenarioRun<'_> {
    pub(super) fn create_pod(&mut self) {
        let created = self.time(ms(0));
        let object = objects::pod(&self.job.object, &created, self.ids);
        let attempt = self.next_attempt();
        let index = self.pods.len();
        self.pods.push(PodRun {
            object,
            attempt,
            phase: "Pending",
            state: json!({"waiting": {"reason": "ContainerCreating"}}),
            last_state: json!({}),
            ..PodRun::default()
        });
        self.write_pod(index, ms(0), ChangeType::Added);
        self.plan_pod(index, ms(7), PodStep::Bind);
    }

    fn next_attempt(&mut self) -> AttemptScript {
        let attempt = self.scenario.attempt(self.attempts);
        self.attempts += 1;
        attempt
    }

    pub(super) fn plan_pod(&mut self, pod: usize, after: Duration, step: PodStep) {
        let plan = self.pods[pod].plan;
        self.plan(after, PlannedAction::Pod { pod, plan, step });
    }

    pub(super) fn pod_step(&mut self, index: usize, step: PodStep) {
        match step {
            PodStep::Bind => self.bind(index),
            PodStep::Admit => self.admit(index),
            PodStep::Sandbox => self.start_sandbox(index),
            PodStep::Pull => self.pull(index),
            PodStep::PullFailed => self.pull_failed(index),
            PodStep::CreateFailed => self.create_failed(index),
            PodStep::StartFailed => self.start_failed(index),
            PodStep::Running => self.start_container(index),
            PodStep::Exit { code, reason, message } => self.exit(index, code, reason, message),
            PodStep::ReportExit => {
                self.report(index, ms(0));
                self.plan_pod(index, ms(1200), PodStep::Terminal);
            }
            PodStep::BackOff => self.back_off(index),
            PodStep::Restart => self.restart(index),
            PodStep::Evict(message) => self.evict(index, message),
            PodStep::Revert => {
                // The kubelet drops the reason a container waits for once the Pod is being deleted.
                let pod = &mut self.pods[index];
                pod.sandbox = false;
                pod.state = json!({"waiting": {"reason": "ContainerCreating"}});
                self.report(index, ms(0));
                self.plan_pod(index, ms(700), PodStep::Terminal);
            }
            PodStep::Terminal => self.terminal(index),
            PodStep::Remove => {
                let time = self.time(ms(0));
                self.pods[index].mark_deleted(time, 0);
                self.pods[index].gone = true;
                self.write_pod(index, ms(0), ChangeType::Modified);
                self.write_pod(index, ms(2), ChangeType::Deleted);
                self.pod_changed();
            }
        }
    }

    fn bind(&mut self, index: usize) {
        let time = self.time(ms(0));
        let pod = &mut self.pods[index];
        let mut condition = json!({"type": "PodScheduled", "lastProbeTime": null, "lastTransitionTime": time});
        if let AttemptScript::Unschedulable(message) = pod.attempt.clone() {
            condition["status"] = "False".into();
            condition["observedGeneration"] = 1.into();
            condition["reason"] = "Unschedulable".into();
            condition["message"] = message.as_str().into();
            pod.object["status"]["conditions"] = json!([condition]);
            let note = Note::warning(EventSource::Scheduler, "FailedScheduling", &message);
            self.pod_event(index, ms(0), &note);
            self.write_pod(index, ms(9), ChangeType::Modified);
            return;
        }
        condition["status"] = "True".into();
        pod.scheduled = true;
        pod.object["spec"]["nodeName"] = "node1".into();
        pod.object["status"]["conditions"] = json!([condition]);
        pod.transitions.push(("PodScheduled", "True", time));
        let (namespace, name) = (&self.scenario.namespace, pod.name());
        let message = format!("Successfully assigned {namespace}/{name} to node1");
        self.write_pod(index, ms(0), ChangeType::Modified);
        let note = Note::normal(EventSource::Scheduler, "Scheduled", &message);
        self.pod_event(index, ms(6), &note);
        self.plan_pod(index, ms(23), PodStep::Admit);
    }

    fn admit(&mut self, index: usize) {
        let time = self.time(ms(0));
        self.pods[index].object["status"]["startTime"] = time.into();
        self.report(index, ms(0));
        let (after, next) = match self.pods[index].attempt {
            AttemptScript::ImagePullError(_) => (ms(700), PodStep::Pull),
            _ => (ms(437), PodStep::Sandbox),
        };
        self.plan_pod(index, after, next);
    }

    fn start_sandbox(&mut self, index: usize) {
        self.pods[index].sandbox = true;
        self.pulled(index, ms(0));
        self.report(index, ms(9));
        match self.pods[index].attempt.clone() {
            AttemptScript::MissingConfigMap(_) => self.plan_pod(index, ms(11), PodStep::CreateFailed),
            AttemptScript::StartError(message) => {
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

    fn start_failed(&mut self, index: usize) {
        let (now, time, container_id) = (self.now, self.time(ms(0)), self.ids.container_id());
        let pod = &mut self.pods[index];
        let AttemptScript::StartError(message) = &pod.attempt else {
            return;
        };
        pod.state = json!({"terminated": {
            "exitCode": 128, "reason": "StartError", "message": message,
            "startedAt": "1970-01-01T00:00:00Z", "finishedAt": time, "containerID": container_id,
        }});
        pod.container_id = Some(container_id);
        pod.finished_at = Some(now);
        self.report(index, ms(0));
        self.plan_pod(index, ms(1300), PodStep::Terminal);
    }

    fn start_container(&mut self, index: usize) {
        let (now, time, container_id) = (self.now, self.time(ms(0)), self.ids.container_id());
        let pod = &mut self.pods[index];
        pod.phase = "Running";
        pod.ready = true;
        pod.container_id = Some(container_id);
        pod.state = json!({"running": {"startedAt": time}});
        pod.started = Some(time);
        pod.running_since = Some(now);
        let (after, end) = match pod.attempt.clone() {
            AttemptScript::Exit { after, code, message } => (after, Some(PodStep::exit(code, message))),
            AttemptScript::OutOfMemory { after } => {
                let (code, reason, message) = (137, "OOMKilled", None);
                (after, Some(PodStep::Exit { code, reason, message }))
            }
            AttemptScript::Evicted { after, message } => (after, Some(PodStep::Evict(message))),
            _ => (ms(0), None),
        };
        self.report(index, ms(0));
        if let Some(end) = end {
            self.plan_pod(index, after, end);
        }
    }

    fn exit(&mut self, index: usize, code: i32, reason: &str, message: Option<String>) {
        let (now, time) = (self.now, self.time(ms(0)));
        let restarts = self.restarts_on_failure() && code != 0;
        let pod = &mut self.pods[index];
        pod.ready = false;
        pod.finished_at = Some(now);
        pod.state = terminated(pod, code, reason, message.as_deref(), &time);
        let (deleting, first) = (pod.deleting, pod.restarts == 0);
        let by_itself = matches!(pod.attempt, AttemptScript::Exit { .. });
        match (deleting, restarts, first) {
            (true, _, _) => {
                if by_itself {
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

    fn back_off(&mut self, index: usize) {
        let pod = &mut self.pods[index];
        let delay = RESTART_BACKOFF
            .saturating_mul(1 << pod.restarts.saturating_sub(1).min(10))
            .min(MAX_RESTART_BACKOFF);
        let message = format!(
            "back-off {}s restarting failed container={} pod={}_{}({})",
            delay.as_secs(),
            pod.container(),
            pod.name(),
            self.scenario.namespace,
            pod.uid()
        );
        pod.last_state = std::mem::take(&mut pod.state);
        pod.state = json!({"waiting": {"reason": "CrashLoopBackOff", "message": message}});
        self.back_off_event(index, ms(0));
        self.report(index, ms(40));
        self.plan_pod(index, delay, PodStep::Restart);
    }

    fn restart(&mut self, index: usize) {
        let attempt = self.next_attempt();
        let pod = &mut self.pods[index];
        if pod.state["terminated"].is_object() {
            pod.last_state = std::mem::take(&mut pod.state);
        }
        pod.restarts += 1;
        pod.attempt = attempt;
        self.pulled(index, ms(0));
        self.normal(index, ms(140), "Created", "Container created");
        self.normal(index, ms(300), "Started", "Container started");
        self.plan_pod(index, ms(340), PodStep::Running);
    }

    fn evict(&mut self, index: usize, message: String) {
        let (now, time) = (self.now, self.time(ms(0)));
        let note = Note::warning(EventSource::Kubelet, "Evicted", &message);
        self.pod_event(index, ms(0), &note);
        self.killing(index, ms(7));
        let pod = &mut self.pods[index];
        pod.eviction = Some(message);
        pod.finished_at = Some(now);
        pod.state = terminated(pod, 137, "Error", None, &time);
        self.plan_pod(index, ms(2300), PodStep::Terminal);
    }

    fn terminal(&mut self, index: usize) {
        let pod = &mut self.pods[index];
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

    /// Deletes a Pod for the job controller, as the API server and the kubelet do.
    pub(super) fn kill_pod(&mut self, index: usize) {
        let now = self.now;
        let pod = &self.pods[index];
        let configured = pod.object["spec"]["terminationGracePeriodSeconds"].as_u64();
        let seconds = if pod.scheduled { configured.unwrap_or(30) } else { 0 };
        let grace = Duration::from_secs(seconds);
        let deletion = self.time(grace);
        let pod = &mut self.pods[index];
        pod.plan += 1;
        pod.deleting = true;
        let never_started = pod.state["waiting"].is_object() && pod.container_id.is_none();
        pod.mark_deleted(deletion, seconds);
        if pod.state["waiting"]["reason"] == "CrashLoopBackOff" {
            // Nothing will restart the container: its state is its last one.
            pod.state = pod.last_state.clone();
        }
        let (scheduled, running) = (pod.scheduled, pod.running());
        let (after, code) = match pod.attempt {
            AttemptScript::Forever {
                on_sigterm: Some(code), ..
            } => (ms(110), code),
            // The container ignores the signal, but ends by itself before the grace period does.
            AttemptScript::Exit { after, code, .. } => match pod.running_since.map(|since| since + after) {
                Some(end) if end < now + grace => (end.saturating_sub(now).max(ms(110)), code),
                _ => (grace, 137),
            },
            _ => (grace, 137),
        };
        self.write_pod(index, ms(0), ChangeType::Modified);
        if running {
            self.killing(index, ms(40));
            self.report(index, ms(90));
            self.plan_pod(index, after, PodStep::exit(code, None));
        } else if scheduled && never_started {
            self.plan_pod(index, ms(2400), PodStep::Revert);
        } else if scheduled {
            self.plan_pod(index, ms(2200), PodStep::Terminal);
        }
    }
}
