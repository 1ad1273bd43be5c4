//! Pods ended by the system: condition `DisruptionTarget`, and `status.reason` where there is none.
//!
//! Sources: `pkg/scheduler/framework/preemption/executor.go`, `pkg/registry/core/pod/storage/eviction.go`,
//! `pkg/controller/tainteviction`, `pkg/controller/devicetainteviction`, `pkg/controller/podgc/gc_controller.go`,
//! `pkg/kubelet/eviction/eviction_manager.go` and `helpers.go`, `pkg/kubelet/nodeshutdown`,
//! `pkg/kubelet/preemption/preemption.go`, `pkg/kubelet/active_deadline.go` of Kubernetes.

use jiff::Timestamp;
use job_event::evidence::{Condition, Pod};

use crate::case::{self, Case};
use crate::cause::Cause;
use crate::finding::Finding;
use crate::rules::{blocking, sides};
use crate::texts::EVICTION;

/// The cause named by a `DisruptionTarget` condition (true, latched); `None` for an unknown reason.
pub(crate) fn disruption<'a>(case: &Case<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    let condition = pod.disruption.as_deref()?;
    let cause = match &*condition.reason {
        // The second name is that of 1.25.
        "PreemptionByScheduler" | "PreemptionByKubeScheduler" => Cause::Preempted,
        "EvictionByEvictionAPI" => Cause::NodeDrained,
        "DeletionByPodGC" => Cause::NodeLost,
        "DeletionByDeviceTaintManager" => Cause::DeviceUnavailable,
        "DeletionByTaintManager" if node_was_lost(case, pod, condition.since) => Cause::NodeLost,
        "DeletionByTaintManager" => Cause::NodeDrained,
        "TerminationByKubelet" => match &*pod.reason {
            "Preempting" => Cause::Preempted,
            "Terminated" | "NodeShutdown" => Cause::NodeShutdown,
            "Evicted" => Cause::NodePressure,
            _ => by_kubelet_message(condition)?,
        },
        _ => return None,
    };
    let message = if pod.message.is_empty() {
        &condition.message
    } else {
        &pod.message
    };
    Some(evicted(cause, pod, message).at(condition.since))
}

/// With the known text about the resource that ran out, if the message names one.
fn evicted<'a>(cause: Cause, pod: &'a Pod, message: &'a str) -> Finding<'a> {
    let text = EVICTION.find(message).filter(|text| text.cause == cause);
    Finding::on(cause, pod).message(message).advised(text)
}

/// True if a node that was not ready had the taint that evicted the Pod. A Pod may tolerate the taint for any time, so the
/// Event may be old.
fn node_was_lost(case: &Case<'_>, pod: &Pod, evicted: Option<Timestamp>) -> bool {
    match pod.node_outage {
        Some(_) => case.node_not_ready(pod, evicted),
        None => case.pod_event(pod, &["NodeNotReady"]).is_some(),
    }
}

/// The cause by the condition's message, in case `status.reason`, which the kubelet publishes with it, is missing.
fn by_kubelet_message(condition: &Condition) -> Option<Cause> {
    let message = &condition.message;
    if message.starts_with("The node was low on resource") {
        Some(Cause::NodePressure)
    } else if message.contains("critical pod") {
        Some(Cause::Preempted)
    } else if message.contains("node shutdown") {
        Some(Cause::NodeShutdown)
    } else {
        None
    }
}

/// The cause named by `status.reason` of a Pod without `DisruptionTarget`; `None` if that is empty or unknown.
pub(crate) fn status_reason<'a>(case: &Case<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    let cause = match &*pod.reason {
        // Before 1.26 no condition names the disruption.
        "Evicted" => EVICTION.find(&pod.message)?.cause,
        // `Shutdown` before 1.22.
        "Terminated" | "NodeShutdown" | "Shutdown" => Cause::NodeShutdown,
        "NodeLost" => Cause::NodeLost,
        "Preempting" => Cause::Preempted,
        "DeadlineExceeded" => {
            // The Pod's own deadline: a Pod that never started was blocked by something.
            if !pod.containers.iter().any(|container| container.started) {
                let (_, finding) = blocking::blocking_rule(case, pod);
                return Some(finding.at(finding.at.or(pod.not_ready_since)));
            }
            if let Some(finding) = sides::ended_before_deadline(case, pod) {
                return Some(finding);
            }
            Cause::RanTooLong
        }
        _ => return None,
    };
    Some(evicted(cause, pod, &pod.message).at(case::last_end(pod).or(pod.not_ready_since)))
}

/// The disruption that deleted the Pod, by an Event. Evidence: before Kubernetes 1.26 no condition names the scheduler's
/// preemption or the taint manager, only `Preempted` and `TaintManagerEviction` do
/// (`pkg/scheduler/framework/preemption`, `pkg/controller/nodelifecycle/scheduler/taint_manager.go`).
pub(crate) fn by_event<'a>(case: &Case<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    let deletion = case.own_deletion(pod).filter(|_| pod.disruption.is_none())?;
    let event = case.pod_event(pod, &["Preempted", "TaintManagerEviction"])?;
    let cause = match &*event.reason {
        "Preempted" => Cause::Preempted,
        // The other message is `Cancelling deletion of Pod`.
        _ if !event.message.starts_with("Marking for deletion") => return None,
        _ if node_was_lost(case, pod, Some(deletion.requested)) => Cause::NodeLost,
        _ => Cause::NodeDrained,
    };
    Some(
        Finding::on(cause, pod)
            .message(&event.message)
            .at(Some(deletion.requested)),
    )
}
