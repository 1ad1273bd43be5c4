//! Why a Pod that had not finished when the Job was decided had not: one rule for each obstacle, in the order of
//! the Pod's life. The first that holds wins, because what comes later cannot have begun.
//!
//! The rules look at the world before the verdict: states of versions of the Pod without a `deletionTimestamp`,
//! latched waiting reasons and Events. Deletion rewrites `ImagePullBackOff` to `ContainerCreating` and then to
//! `ContainerStatusUnknown`/137 (`pkg/kubelet/kubelet_pods.go`, `pkg/kubelet/status/status_manager.go`).

use jiff::SignedDuration;
use job_event::evidence::{Container, ContainerRole, ContainerState, Event, Pod, Termination};

use crate::cause::Cause;
use crate::finding::Finding;
use crate::rules::{attempt, exit, image, scheduling};
use crate::world::{World, is_about, is_terminal, shifted};

/// How old the last Event about an obstacle may be. The kubelet tries again every 2 minutes at least
/// (`pkg/volume/util/operationexecutor`, back-off up to 2m2s), and of many Events one passes every 5 minutes
/// (`client-go/tools/record/events_cache.go`); after twice that silence the obstacle has been overcome.
const OBSTACLE_SECONDS: i64 = 600;

type Rule = for<'a> fn(&World<'a>, &'a Pod) -> Option<Finding<'a>>;

/// The rules in order. The first [`ERROR_RULES`] stand for an error, the others for the time that passed.
const RULES: [Rule; 12] = [
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

/// How many of [`RULES`] stand for an error.
const ERROR_RULES: usize = 7;

/// A Pod that is younger than this and which no scheduler has spoken about yet tells nothing.
const SCHEDULING_SECONDS: i64 = 10;

/// Why the Pod had not finished, and the place of the rule that says so: lower is more specific.
pub fn blocking_rule<'a>(world: &World<'a>, pod: &'a Pod) -> (usize, Finding<'a>) {
    RULES
        .iter()
        .enumerate()
        .find_map(|(place, rule)| Some((place, rule(world, pod)?)))
        .unwrap_or((RULES.len(), Finding::on(Cause::Unknown, pod)))
}

/// Why the Pod had not finished.
pub fn blocking_cause<'a>(world: &World<'a>, pod: &'a Pod) -> Finding<'a> {
    blocking_rule(world, pod).1
}

/// The error that kept the Pod from starting or finishing, if there was one.
pub fn blocking_error<'a>(world: &World<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    RULES.iter().take(ERROR_RULES).find_map(|rule| rule(world, pod))
}

/// No node. Evidence: `spec.nodeName` is empty; see [`scheduling`].
fn unscheduled<'a>(world: &World<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    let finding = scheduling::unscheduled(world, pod)?;
    let young = match (pod.created, world.decided) {
        (Some(created), Some(decided)) => decided < shifted(created, SCHEDULING_SECONDS),
        _ => false,
    };
    // Without any word from a scheduler only time tells that there is something wrong.
    (finding.message.is_some() || pod.not_scheduled.is_some() || !young).then_some(finding)
}

/// No image. Evidence: a latched waiting reason of the image family on a container that never started; or, for a Pod
/// that was seen too late for that, an Event of its pull.
fn image_not_pulled<'a>(world: &World<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    waiting(pod, image::is_image_reason)
        .or_else(|| failed_start(world, pod, |event| image::is_image_event(&event.reason, &event.message)))
        .map(|(container, message)| Finding::on(Cause::ImagePull, pod).container(container).message(message))
}

/// The container could not be made or started. Evidence: a latched waiting reason
/// (`pkg/kubelet/kuberuntime/kuberuntime_container.go`) on a container that never started; or, for a Pod that was seen
/// too late for that, the Event `Failed` with a text that is known.
fn container_not_created<'a>(world: &World<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    let config =
        waiting(pod, |reason| reason == "CreateContainerConfigError").map(|found| (Cause::ContainerConfig, found));
    let start = || waiting(pod, is_start_error).map(|found| (Cause::ContainerStart, found));
    let named = || failed_start(world, pod, is_config_event).map(|found| (Cause::ContainerConfig, found));
    let not_made = || failed_start(world, pod, is_start_event).map(|found| (Cause::ContainerStart, found));
    let (cause, (container, message)) = config.or_else(start).or_else(named).or_else(not_made)?;
    Some(Finding::on(cause, pod).container(container).message(message))
}

/// It failed again and again, or failed while another container keeps the Pod alive. Evidence: the last termination
/// of a container that is not running, or has been running for less than half of the Job's time.
fn crash_loop<'a>(world: &World<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    let default = default_container(pod);
    let failed = |container: &'a Container| {
        let termination = last_counted(world, pod, container)?;
        let state = state(world, pod, container);
        let restarted = container.restarts > 0 || state == ContainerState::Waiting;
        let is_default = default.is_some_and(|default| default.name == container.name);
        let looping = match state {
            ContainerState::Running => container.restarts > 0 && !has_run_for_long(world, container),
            ContainerState::Terminated => restarted || is_default || container.role == ContainerRole::Init,
            ContainerState::Waiting | ContainerState::Absent => restarted,
        };
        (looping && exit::is_failure(termination))
            .then(|| exit::termination_cause(world, pod, container, termination))
            .flatten()
    };
    let of_role = |role| {
        let mut found: Vec<_> = pod
            .containers
            .iter()
            .filter(|c| c.role == role)
            .filter_map(failed)
            .collect();
        // The one that was restarted most often is the one that fails; of equals the default container.
        found.sort_by_key(|finding| {
            let container = finding.container;
            let is_default = container.map(|c| &c.name) == default.map(|c| &c.name);
            (container.map_or(0, |c| c.restarts), is_default)
        });
        found.pop()
    };
    let main_started = pod
        .containers
        .iter()
        .any(|container| container.role == ContainerRole::Main && container.started);
    of_role(ContainerRole::Init)
        .or_else(|| of_role(ContainerRole::Main))
        .or_else(|| (!main_started).then(|| of_role(ContainerRole::Sidecar)).flatten())
}

/// Evidence: Event `FailedPrepareDynamicResources` (`pkg/kubelet/kuberuntime/kuberuntime_manager.go`) or
/// `FailedResourceClaimCreation` (`pkg/controller/resourceclaim/controller.go`), and no container ever started.
fn devices_not_prepared<'a>(world: &World<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    obstacle(
        world,
        pod,
        Cause::DeviceUnavailable,
        &["FailedPrepareDynamicResources", "FailedResourceClaimCreation"],
    )
}

/// Evidence: Event `FailedMount`, `FailedAttachVolume` or `FailedMapVolume` (`pkg/kubelet/kubelet.go`,
/// `pkg/controller/volume/attachdetach`), and no container ever started. No waiting reason tells of volumes.
fn volume_not_mounted<'a>(world: &World<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    obstacle(
        world,
        pod,
        Cause::VolumeUnavailable,
        &["FailedMount", "FailedAttachVolume", "FailedMapVolume"],
    )
}

/// Evidence: Event `FailedCreatePodSandBox`, `NetworkNotReady` or `FailedCreatePodContainer`
/// (`pkg/kubelet/kuberuntime/kuberuntime_manager.go`, `pkg/kubelet/kubelet.go`), and no container ever started.
fn sandbox_not_created<'a>(world: &World<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    obstacle(
        world,
        pod,
        Cause::SandboxFailed,
        &["FailedCreatePodSandBox", "NetworkNotReady", "FailedCreatePodContainer"],
    )
}

/// Evidence: somebody asked to delete the Pod longer than its grace period before the verdict, and it still stood.
fn stuck_terminating<'a>(world: &World<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    let deletion = world.own_deletion(pod)?;
    if shifted(deletion.requested, deletion.grace_seconds) >= world.decided? {
        return None;
    }
    let lost = [world.decided, Some(deletion.requested)].map(|at| world.node_not_ready(pod, at));
    let cause = match lost.contains(&true) {
        true => Cause::NodeLost,
        false => Cause::StuckTerminating,
    };
    let message = world
        .pod_event(pod, &["FailedKillPod", "ExceededGracePeriod"])
        .map_or("", |event| &*event.message);
    Some(Finding::on(cause, pod).message(message).at(Some(deletion.requested)))
}

/// Evidence: the Pod's node was not ready at the verdict ([`World::node_not_ready`]).
fn node_not_ready<'a>(world: &World<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    let decided = world.decided?;
    let message = world
        .pod_event(pod, &["NodeNotReady"])
        .map_or("", |event| &*event.message);
    let since = pod.node_outage.map(|outage| outage.since);
    world
        .node_not_ready(pod, Some(decided))
        .then(|| Finding::on(Cause::NodeLost, pod).message(message).at(since))
}

/// The work was done, but a second container that is no native sidecar kept the Pod alive. Evidence: the default
/// container had terminated with 0, another regular one was running.
fn blocked_by_sidecar<'a>(world: &World<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    let default = default_container(pod)?;
    let done = state(world, pod, default) == ContainerState::Terminated
        && last_counted(world, pod, default).is_some_and(|termination| !exit::is_failure(termination));
    let other = pod.containers.iter().find(|container| {
        container.role == ContainerRole::Main
            && container.name != default.name
            && state(world, pod, container) == ContainerState::Running
    })?;
    done.then(|| Finding::on(Cause::SidecarBlockedCompletion, pod).container(other))
}

/// Evidence: a main or init container was running.
fn still_running<'a>(world: &World<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    let running = |container: &&Container| {
        container.role != ContainerRole::Sidecar && state(world, pod, container) == ContainerState::Running
    };
    let container = default_container(pod)
        .filter(running)
        .or_else(|| pod.containers.iter().find(running))?;
    Some(Finding::on(Cause::RanTooLong, pod).container(container))
}

/// Nothing had started and nothing tells of an error.
fn slow_start<'a>(world: &World<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    let started = |container: &Container| container.role == ContainerRole::Main && container.started;
    let waited = |container: &Container| container.state == ContainerState::Waiting;
    // Of a Pod that came further than `Pending`, containers that were never seen tell nothing.
    let pending = &*pod.phase == "Pending" || pod.containers.iter().any(waited);
    if !pending || pod.containers.iter().any(started) {
        return None;
    }
    // A reason that nobody knows may well be an error.
    if let Some((container, message)) = waiting(pod, |_| true).filter(|(container, _)| !is_understood(container)) {
        return Some(Finding::on(Cause::Unknown, pod).container(container).message(message));
    }
    let failed = |event: &Event| &*event.reason == "Failed";
    if let Some((container, message)) = failed_start(world, pod, failed) {
        return Some(Finding::on(Cause::Unknown, pod).container(container).message(message));
    }
    let waits = |container: &&Container| container.role != ContainerRole::Sidecar && !container.started;
    let finding = Finding::on(Cause::SlowStart, pod);
    Some(match pod.containers.iter().find(waits) {
        Some(container) => finding.container(container),
        None => finding,
    })
}

/// The container that a person means by "the Job": the one the annotation `kubectl.kubernetes.io/default-container`
/// names, else the first of `spec.containers`.
pub fn default_container(pod: &Pod) -> Option<&Container> {
    let mut mains = pod.containers.iter().filter(|c| c.role == ContainerRole::Main);
    match pod.default_container.as_deref() {
        Some(name) => mains.clone().find(|c| &*c.name == name).or_else(|| mains.next()),
        None => mains.next(),
    }
}

/// The state of a container before the Pod was asked to go. Where only its end was seen, and that too late, the times of
/// that end tell.
pub fn state(world: &World<'_>, pod: &Pod, container: &Container) -> ContainerState {
    if container.state == ContainerState::Running {
        // Its end may have been missed and seen only when the Pod had been asked to go.
        let missed = |end: &&Termination| end.ran && !end.before_deletion && end.attempt == container.restarts;
        let ended = container.terminations.iter().filter(missed);
        return match ended.into_iter().any(|end| attempt::counts(world, pod, end)) {
            true => ContainerState::Terminated,
            false => ContainerState::Running,
        };
    }
    if container.state == ContainerState::Terminated {
        return container.state;
    }
    let mut ends = container.terminations.iter();
    let Some(end) = ends.find(|end| end.ran && !end.before_deletion && end.attempt == container.restarts) else {
        return container.state;
    };
    if attempt::counts(world, pod, end) {
        ContainerState::Terminated
    } else if end.started.is_some_and(|started| Some(started) <= world.decided) {
        ContainerState::Running
    } else {
        container.state
    }
}

/// The last termination of a container that the deletion of the Pod did not cause.
fn last_counted<'a>(world: &World<'_>, pod: &Pod, container: &'a Container) -> Option<&'a Termination> {
    container
        .terminations
        .iter()
        .filter(|termination| attempt::counts(world, pod, termination))
        .max_by_key(|termination| termination.attempt)
}

/// The first container that never started and has a latched waiting reason of that kind, with its message.
fn waiting(pod: &Pod, is_kind: impl Fn(&str) -> bool) -> Option<(&Container, &str)> {
    pod.containers
        .iter()
        .filter(|container| !container.started)
        .find_map(|container| {
            let waiting = container
                .waiting
                .as_deref()
                .filter(|waiting| is_kind(&waiting.reason))?;
            Some((container, &*waiting.message))
        })
}

/// Whether a waiting reason says that the container could not be started.
fn is_start_error(reason: &str) -> bool {
    matches!(
        reason,
        "CreateContainerError"
            | "RunContainerError"
            | "PreCreateHookError"
            | "PreStartHookError"
            | "PostStartHookError"
    )
}

/// Whether a container waits, or waited, for something that is known.
fn is_understood(container: &Container) -> bool {
    container.waiting.as_deref().is_some_and(|waiting| {
        let reason = &*waiting.reason;
        image::is_image_reason(reason)
            || is_start_error(reason)
            || matches!(reason, "CreateContainerConfigError" | "CrashLoopBackOff")
    })
}

/// The first container that never started, has no latched waiting reason that says why, but an Event of that kind, with
/// the latest such Event's message.
fn failed_start<'a>(
    world: &World<'a>,
    pod: &'a Pod,
    is_kind: impl Fn(&Event) -> bool,
) -> Option<(&'a Container, &'a str)> {
    pod.containers
        .iter()
        .filter(|container| !container.started && !is_understood(container))
        .find_map(|container| {
            let mut events = world.events(&pod.uid);
            let event =
                events.find(|event| !event.field_path.is_empty() && is_about(event, container) && is_kind(event))?;
            Some((container, &*event.message))
        })
}

/// `Error: configmap "c" not found`, `Error: couldn't find key k in Secret ns/s`: the texts of
/// `makeEnvironmentVariables` in `pkg/kubelet/kubelet_pods.go` and of `verifyRunAsNonRoot`, in the Event `Failed` of `startContainer`.
fn is_config_event(event: &Event) -> bool {
    let text = event.message.strip_prefix("Error: ").unwrap_or_default();
    let missing = (text.starts_with("configmap ") || text.starts_with("secret ")) && text.ends_with(" not found");
    let known = ["couldn't find key ", "container has runAsNonRoot"];
    &*event.reason == "Failed" && (missing || known.iter().any(|start| text.starts_with(start)))
}

/// `Error: container create failed: ...` of CRI-O, `Error: failed to create containerd task: ...`, and the hooks of
/// `startContainer`.
fn is_start_event(event: &Event) -> bool {
    let text = event.message.strip_prefix("Error: ").unwrap_or(&event.message);
    let known = [
        "container create failed",
        "failed to create containerd ",
        "Internal PreCreateContainer hook failed",
        "Internal PreStartContainer hook failed",
    ];
    &*event.reason == "Failed" && known.iter().any(|start| text.starts_with(start))
}

/// An Event about what comes before the first container, if it is not overcome.
fn obstacle<'a>(world: &World<'a>, pod: &'a Pod, cause: Cause, reasons: &[&str]) -> Option<Finding<'a>> {
    if &*pod.phase == "Running" || pod.containers.iter().any(|container| container.started) {
        return None;
    }
    let event = world.pod_event(pod, reasons)?;
    let overcome = match (event.last, world.decided) {
        (Some(last), Some(decided)) => last < shifted(decided, -OBSTACLE_SECONDS),
        _ => false,
    };
    (!overcome).then(|| Finding::on(cause, pod).message(&event.message).at(event.last))
}

/// Whether a container that was restarted has since been running for at least half of the Job's time.
fn has_run_for_long(world: &World<'_>, container: &Container) -> bool {
    match (world.decided, container.running_since, world.duration()) {
        (Some(decided), Some(since), Some(duration)) => decided.duration_since(since) * 2 >= duration,
        _ => false,
    }
}

/// Whether the Pod had not ended when the Job was decided.
pub fn is_live(world: &World<'_>, pod: &Pod) -> bool {
    let Some(deletion) = &pod.deletion else {
        return !is_terminal(&pod.phase) && !pod.removed;
    };
    let Some(decided) = world.decided else {
        return !is_terminal(&pod.phase) && !pod.removed;
    };
    if deletion.requested >= decided || super::collateral::after_deadline(world, deletion) {
        return true;
    }
    if is_terminal(&pod.phase) {
        let ends = pod.containers.iter().flat_map(|container| &container.terminations);
        let end = ends.filter_map(|termination| termination.finished).max();
        return end.is_some_and(|end| end > decided);
    }
    !pod.removed
}

/// For how long the Pod had been alive when the Job was decided.
pub fn age(world: &World<'_>, pod: &Pod) -> Option<SignedDuration> {
    Some(world.decided?.duration_since(pod.start_time.or(pod.created)?))
}
