//! Obstacles before any container started: scheduling, devices, volumes and the sandbox.

use job_event::evidence::{Container, ContainerRole, ContainerState, Event, Pod};

use crate::case::{Case, shifted};
use crate::cause::Cause;
use crate::finding::Finding;
use crate::rules::start::{self, failed_start, waiting};
use crate::rules::state::main_started;
use crate::rules::{scheduling, sides};
use crate::texts;

/// The maximum age of the last Event about an obstacle. The kubelet retries at least every 2 minutes
/// (`pkg/volume/util/operationexecutor`, back-off up to 2m2s), and at least one of many Events passes every 5 minutes
/// (`client-go/tools/record/events_cache.go`); twice that silence means that the obstacle is gone.
const OBSTACLE_SECONDS: i64 = 600;

/// A younger Pod without a message of a scheduler is not evidence of a problem.
const SCHEDULING_SECONDS: i64 = 10;

/// Evidence: `spec.nodeName` is empty; see [`scheduling`].
pub(super) fn unscheduled<'a>(case: &Case<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    let finding = scheduling::unscheduled(case, pod)?;
    let young = match (pod.created, case.decided) {
        (Some(created), Some(decided)) => decided < shifted(created, SCHEDULING_SECONDS),
        _ => false,
    };
    (finding.message.is_some() || pod.not_scheduled.is_some() || !young).then_some(finding)
}

/// Evidence: Event `FailedPrepareDynamicResources` (`pkg/kubelet/kuberuntime/kuberuntime_manager.go`) or
/// `FailedResourceClaimCreation` (`pkg/controller/resourceclaim/controller.go`), and no container ever started.
pub(super) fn devices_not_prepared<'a>(case: &Case<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    let reasons = ["FailedPrepareDynamicResources", "FailedResourceClaimCreation"];
    before_start(case, pod, Cause::DeviceUnavailable, &reasons)
}

/// Evidence: Event `FailedMount`, `FailedAttachVolume` or `FailedMapVolume` (`pkg/kubelet/kubelet.go`,
/// `pkg/controller/volume/attachdetach`), and no container ever started. No waiting reason names volumes.
pub(super) fn volume_not_mounted<'a>(case: &Case<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    let reasons = ["FailedMount", "FailedAttachVolume", "FailedMapVolume"];
    before_start(case, pod, Cause::VolumeUnavailable, &reasons)
}

/// Evidence: Event `FailedCreatePodSandBox`, `NetworkNotReady` or `FailedCreatePodContainer`
/// (`pkg/kubelet/kuberuntime/kuberuntime_manager.go`, `pkg/kubelet/kubelet.go`), and no container ever started. A memory
/// limit of the Pod may be too low for its sandbox.
pub(super) fn sandbox_not_created<'a>(case: &Case<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    let reasons = ["FailedCreatePodSandBox", "NetworkNotReady", "FailedCreatePodContainer"];
    let finding = before_start(case, pod, Cause::SandboxFailed, &reasons)?;
    Some(match finding.message.and_then(texts::memory_text) {
        Some(text) => finding.known(text),
        None => finding,
    })
}

/// Evidence: no container that may be the work had started, and no error was reported.
pub(super) fn slow_start<'a>(case: &Case<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    let waited = |container: &Container| container.state == ContainerState::Waiting;
    // Containers that were never seen prove nothing about a Pod in a later phase than `Pending`.
    let pending = &*pod.phase == "Pending" || pod.containers.iter().any(waited);
    if !pending || main_started(pod) && !sides::work_waits(pod) {
        return None;
    }
    // An unknown reason may well be an error.
    let unknown = waiting(pod, |_| true).filter(|(container, _)| !start::is_known(container));
    let failed = |event: &Event| &*event.reason == "Failed";
    if let Some((container, message)) = unknown.or_else(|| failed_start(case, pod, failed)) {
        return Some(Finding::on(Cause::Unknown, pod).container(container).message(message));
    }
    let waits = |container: &&Container| container.role != ContainerRole::Sidecar && !container.started;
    let finding = Finding::on(Cause::SlowStart, pod);
    Some(match pod.containers.iter().find(waits) {
        Some(container) => finding.container(container),
        None => finding,
    })
}

/// A recent Event about an obstacle before the first start of a container.
fn before_start<'a>(case: &Case<'a>, pod: &'a Pod, cause: Cause, reasons: &[&str]) -> Option<Finding<'a>> {
    if &*pod.phase == "Running" || pod.containers.iter().any(|container| container.started) {
        return None;
    }
    let event = case.pod_event(pod, reasons)?;
    let overcome = match (event.last, case.decided) {
        (Some(last), Some(decided)) => last < shifted(decided, -OBSTACLE_SECONDS),
        _ => false,
    };
    (!overcome).then(|| Finding::on(cause, pod).message(&event.message).at(event.last))
}
