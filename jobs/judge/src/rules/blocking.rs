//! Why a Pod had not finished at the verdict: one rule for each obstacle, in the order of the Pod's life. The first that
//! matches wins, because later obstacles cannot have begun.
//!
//! The rules look at the time before the verdict: states of versions of the Pod without a `deletionTimestamp`,
//! latched waiting reasons and Events. Deletion rewrites `ImagePullBackOff` to `ContainerCreating` and then to
//! `ContainerStatusUnknown`/137 (`pkg/kubelet/kubelet_pods.go`, `pkg/kubelet/status/status_manager.go`).

use job_event::evidence::{Container, ContainerRole, ContainerState, Event, Pod};

use crate::case::{Case, shifted};
use crate::cause::Cause;
use crate::finding::Finding;
use crate::rules::start::{self, failed_start, waiting};
use crate::rules::state::{container_state, default_container, last_counted, main_started};
use crate::rules::{exit, image, scheduling};

/// The maximum age of the last Event about an obstacle. The kubelet retries at least every 2 minutes
/// (`pkg/volume/util/operationexecutor`, back-off up to 2m2s), and at least one of many Events passes every 5 minutes
/// (`client-go/tools/record/events_cache.go`); twice that silence means that the obstacle is gone.
const OBSTACLE_SECONDS: i64 = 600;

type BlockingRule = for<'a> fn(&Case<'a>, &'a Pod) -> Option<Finding<'a>>;

/// The rules in order. The first [`ERROR_RULES`] prove an error, the others explain the time that passed.
const RULES: [BlockingRule; 12] = [
    unscheduled,
    image_not_pulled,
    container_not_created,
    crash_loop,
    devices_not_prepared,
    volume_not_mounted,
    sandbox_not_created,
    stuck_terminating,
    node_not_ready,
    blocked_by_sidecar,
    still_running,
    slow_start,
];

/// How many of [`RULES`] prove an error.
const ERROR_RULES: usize = 7;

/// A younger Pod without a message of a scheduler is not evidence of a problem.
const SCHEDULING_SECONDS: i64 = 10;

/// Why the Pod had not finished, and the place of the rule that matched: lower is more specific.
pub(crate) fn blocking_rule<'a>(case: &Case<'a>, pod: &'a Pod) -> (usize, Finding<'a>) {
    RULES
        .iter()
        .enumerate()
        .find_map(|(place, rule)| Some((place, rule(case, pod)?)))
        .unwrap_or((RULES.len(), Finding::on(Cause::Unknown, pod)))
}

/// The error that kept the Pod from starting or finishing, if there was one.
pub(crate) fn blocking_error<'a>(case: &Case<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    RULES.iter().take(ERROR_RULES).find_map(|rule| rule(case, pod))
}

/// Evidence: `spec.nodeName` is empty; see [`scheduling`].
fn unscheduled<'a>(case: &Case<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    let finding = scheduling::unscheduled(case, pod)?;
    let young = match (pod.created, case.decided) {
        (Some(created), Some(decided)) => decided < shifted(created, SCHEDULING_SECONDS),
        _ => false,
    };
    (finding.message.is_some() || pod.not_scheduled.is_some() || !young).then_some(finding)
}

/// Evidence: a latched waiting reason of the image family on a container that never started; or, for a Pod that was seen
/// too late for that, an Event of its pull.
fn image_not_pulled<'a>(case: &Case<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    let (container, message) = waiting(pod, image::is_image_reason)
        .or_else(|| failed_start(case, pod, |event| image::is_image_event(&event.reason, &event.message)))?;
    Some(Finding::on(Cause::ImagePull, pod).container(container).message(message))
}

/// The container could not be created or started. Evidence: a latched waiting reason on a container that never started; or,
/// for a Pod that was seen too late for that, the Event `Failed` with a known text.
fn container_not_created<'a>(case: &Case<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    let on = |cause| move |(container, message)| Finding::on(cause, pod).container(container).message(message);
    let (config, not_started) = (on(Cause::ContainerConfig), on(Cause::ContainerStart));
    waiting(pod, start::is_config_reason)
        .map(config)
        .or_else(|| waiting(pod, start::is_start_reason).map(not_started))
        .or_else(|| failed_start(case, pod, start::is_config_event).map(config))
        .or_else(|| failed_start(case, pod, start::is_start_event).map(not_started))
}

/// A container failed repeatedly, or failed while another container kept the Pod alive. Evidence: the last termination
/// of a container that is not running, or has been running for less than half of the Job's time.
fn crash_loop<'a>(case: &Case<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    let is_default = |container: &Container| default_container(pod).is_some_and(|c| c.name == container.name);
    let failed = |container: &'a Container| {
        let termination = last_counted(case, pod, container)?;
        let state = container_state(case, pod, container);
        let restarted = container.restarts > 0 || state == ContainerState::Waiting;
        let looping = match state {
            ContainerState::Running => container.restarts > 0 && !has_run_for_long(case, container),
            ContainerState::Terminated => restarted || is_default(container) || container.role == ContainerRole::Init,
            ContainerState::Waiting | ContainerState::Absent => restarted,
        };
        if !looping || !exit::is_failure(termination) {
            return None;
        }
        let finding = exit::termination_cause(case, pod, container, termination)?;
        Some((container.restarts, is_default(container), finding))
    };
    // The container with the most restarts is the one that fails; on a tie the default container.
    let in_role = |role| {
        let containers = pod.containers.iter().filter(|c| c.role == role);
        let most = containers
            .filter_map(failed)
            .max_by_key(|(restarts, is_default, _)| (*restarts, *is_default));
        most.map(|(_, _, finding)| finding)
    };
    in_role(ContainerRole::Init)
        .or_else(|| in_role(ContainerRole::Main))
        .or_else(|| (!main_started(pod)).then(|| in_role(ContainerRole::Sidecar)).flatten())
}

/// Evidence: Event `FailedPrepareDynamicResources` (`pkg/kubelet/kuberuntime/kuberuntime_manager.go`) or
/// `FailedResourceClaimCreation` (`pkg/controller/resourceclaim/controller.go`), and no container ever started.
fn devices_not_prepared<'a>(case: &Case<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    let reasons = ["FailedPrepareDynamicResources", "FailedResourceClaimCreation"];
    before_start(case, pod, Cause::DeviceUnavailable, &reasons)
}

/// Evidence: Event `FailedMount`, `FailedAttachVolume` or `FailedMapVolume` (`pkg/kubelet/kubelet.go`,
/// `pkg/controller/volume/attachdetach`), and no container ever started. No waiting reason names volumes.
fn volume_not_mounted<'a>(case: &Case<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    let reasons = ["FailedMount", "FailedAttachVolume", "FailedMapVolume"];
    before_start(case, pod, Cause::VolumeUnavailable, &reasons)
}

/// Evidence: Event `FailedCreatePodSandBox`, `NetworkNotReady` or `FailedCreatePodContainer`
/// (`pkg/kubelet/kuberuntime/kuberuntime_manager.go`, `pkg/kubelet/kubelet.go`), and no container ever started.
fn sandbox_not_created<'a>(case: &Case<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    let reasons = ["FailedCreatePodSandBox", "NetworkNotReady", "FailedCreatePodContainer"];
    before_start(case, pod, Cause::SandboxFailed, &reasons)
}

/// Evidence: a request to delete the Pod, more than its grace period before the verdict, and the Pod still existed.
fn stuck_terminating<'a>(case: &Case<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    let deletion = case.own_deletion(pod)?;
    if shifted(deletion.requested, deletion.grace_seconds) >= case.decided? {
        return None;
    }
    let lost = [case.decided, Some(deletion.requested)].map(|at| case.node_not_ready(pod, at));
    let cause = match lost.contains(&true) {
        true => Cause::NodeLost,
        false => Cause::StuckTerminating,
    };
    let event = case.pod_event(pod, &["FailedKillPod", "ExceededGracePeriod"]);
    let message = event.map_or("", |event| &*event.message);
    Some(Finding::on(cause, pod).message(message).at(Some(deletion.requested)))
}

/// Evidence: the Pod's node was not ready at the verdict ([`Case::node_not_ready`]).
fn node_not_ready<'a>(case: &Case<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    let decided = case.decided?;
    if !case.node_not_ready(pod, Some(decided)) {
        return None;
    }
    let event = case.pod_event(pod, &["NodeNotReady"]);
    let message = event.map_or("", |event| &*event.message);
    let since = pod.node_outage.map(|outage| outage.since);
    Some(Finding::on(Cause::NodeLost, pod).message(message).at(since))
}

/// Evidence: the default container had terminated with 0, and another one that is not a native sidecar was running.
fn blocked_by_sidecar<'a>(case: &Case<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    let default = default_container(pod)?;
    let done = container_state(case, pod, default) == ContainerState::Terminated
        && last_counted(case, pod, default).is_some_and(|termination| !exit::is_failure(termination));
    let other = pod.containers.iter().find(|container| {
        container.role == ContainerRole::Main
            && container.name != default.name
            && container_state(case, pod, container) == ContainerState::Running
    })?;
    done.then(|| Finding::on(Cause::SidecarBlockedCompletion, pod).container(other))
}

/// Evidence: a main or init container was running.
fn still_running<'a>(case: &Case<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    let running = |container: &&Container| {
        container.role != ContainerRole::Sidecar && container_state(case, pod, container) == ContainerState::Running
    };
    let container = default_container(pod)
        .filter(running)
        .or_else(|| pod.containers.iter().find(running))?;
    Some(Finding::on(Cause::RanTooLong, pod).container(container))
}

/// Evidence: no main container had started, and no error was reported.
fn slow_start<'a>(case: &Case<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    let waited = |container: &Container| container.state == ContainerState::Waiting;
    // Containers that were never seen prove nothing about a Pod in a later phase than `Pending`.
    let pending = &*pod.phase == "Pending" || pod.containers.iter().any(waited);
    if !pending || main_started(pod) {
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

/// True if a restarted container has been running for at least half of the Job's time.
fn has_run_for_long(case: &Case<'_>, container: &Container) -> bool {
    match (case.decided, container.running_since, case.duration()) {
        (Some(decided), Some(since), Some(duration)) => decided.duration_since(since) * 2 >= duration,
        _ => false,
    }
}
