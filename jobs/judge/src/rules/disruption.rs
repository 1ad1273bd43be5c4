//! Pods that the system ended: condition `DisruptionTarget`, and `status.reason` where there is none.
//!
//! Sources: `pkg/scheduler/framework/preemption/executor.go`, `pkg/registry/core/pod/storage/eviction.go`,
//! `pkg/controller/tainteviction`, `pkg/controller/devicetainteviction`, `pkg/controller/podgc/gc_controller.go`,
//! `pkg/kubelet/eviction/eviction_manager.go` and `helpers.go`, `pkg/kubelet/nodeshutdown`,
//! `pkg/kubelet/preemption/preemption.go`, `pkg/kubelet/active_deadline.go` of Kubernetes.

use job_event::evidence::{Condition, Pod};

use crate::cause::Cause;
use crate::finding::Finding;
use crate::rules::blocking;
use crate::world::World;

/// What a `DisruptionTarget` condition (true, latched) tells; `None` for a reason that is not known.
pub fn disruption<'a>(world: &World<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    let condition = pod.disruption.as_deref()?;
    let cause = match &*condition.reason {
        "PreemptionByScheduler" => Cause::Preempted,
        "EvictionByEvictionAPI" => Cause::NodeDrained,
        "DeletionByPodGC" => Cause::NodeLost,
        "DeletionByDeviceTaintManager" => Cause::DeviceUnavailable,
        "DeletionByTaintManager" if node_was_lost(world, pod, condition) => Cause::NodeLost,
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
    Some(Finding::on(cause, pod).message(message).at(condition.since))
}

/// Whether the taint that evicted the Pod was that of a node that is not ready. A Pod may tolerate that for any time, so an
/// Event on it may be old.
fn node_was_lost(world: &World<'_>, pod: &Pod, condition: &Condition) -> bool {
    match pod.node_outage {
        Some(_) => world.node_not_ready(pod, condition.since),
        None => world.pod_event(pod, &["NodeNotReady"]).is_some(),
    }
}

/// The kubelet publishes the condition together with `status.reason`; should that be missing, its message tells.
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

/// What `status.reason` of a Pod without `DisruptionTarget` tells; `None` if it is empty or nobody knows it.
pub fn status_reason<'a>(world: &World<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    let cause = match &*pod.reason {
        "Evicted" if own_limit(&pod.message) => Cause::EphemeralStorageExceeded,
        "Evicted" if names_node(&pod.message) => Cause::NodePressure,
        "Terminated" | "NodeShutdown" => Cause::NodeShutdown,
        "NodeLost" => Cause::NodeLost,
        "Preempting" => Cause::Preempted,
        "DeadlineExceeded" => {
            // The Pod's own deadline: the question is what it was waiting for, if it never began.
            if !pod.containers.iter().any(|container| container.started) {
                let finding = blocking::blocking_cause(world, pod);
                return Some(finding.at(finding.at.or(pod.not_ready_since)));
            }
            Cause::RanTooLong
        }
        _ => return None,
    };
    Some(Finding::on(cause, pod).message(&pod.message).at(last_end(pod)))
}

/// Whether the kubelet evicted the Pod for a limit of the Pod's own, not for the node's sake.
fn own_limit(message: &str) -> bool {
    message.contains("Usage of EmptyDir")
        || message.contains("Pod ephemeral local storage")
        || message.contains("exceeded its local ephemeral")
}

/// Whether the kubelet evicted or refused the Pod for its node's sake (`nodeLowMessageFmt` and `nodeConditionMessageFmt`
/// in `pkg/kubelet/eviction`).
fn names_node(message: &str) -> bool {
    message.contains("The node was low on resource") || message.contains("The node had condition")
}

fn last_end(pod: &Pod) -> Option<jiff::Timestamp> {
    pod.containers
        .iter()
        .flat_map(|container| &container.terminations)
        .filter_map(|termination| termination.finished)
        .max()
        .or(pod.not_ready_since)
}
