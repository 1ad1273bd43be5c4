//! Obstacles before any container started: scheduling, devices, volumes and the sandbox.

use jiff::Timestamp;
use job_event::evidence::{Container, ContainerRole, ContainerState, Event, Pod};

use crate::case::{Case, is_terminal, last_end, shifted, telling};
use crate::cause::Cause;
use crate::finding::Finding;
use crate::rules::stage::{self, Stage};
use crate::rules::start::{self, failed_start, waiting};
use crate::rules::state::main_started;
use crate::rules::{image, scheduling, sides};
use crate::texts::{self, SANDBOX, STORAGE, VOLUME};

/// The longest silence of a kubelet about an obstacle that lasts, seconds. It retries at least every 2 min 2 s
/// (`pkg/util/goroutinemap/exponentialbackoff`), and after a burst of 25 Events about an object one passes every 5 minutes
/// (`client-go/tools/record/events_cache.go`); this is twice that.
const LONGEST_SILENCE: i64 = 600;
/// How many Events about a Pod may use up that burst, with some that are not known.
const BURST: i64 = 20;

/// The time that an attempt may take beyond its back-off, seconds. The kubelet retries a volume by itself, a sandbox with the
/// whole Pod every 10 to 15 s (`pkg/kubelet/pod_workers.go`). A controller reports an error once, until the kubelet has waited
/// 2 min 3 s for the volume (`podAttachAndMountTimeout` in `pkg/kubelet/volumemanager/volume_manager.go`).
const MOUNT_SECONDS: i64 = 10;
const SYNC_SECONDS: i64 = 30;
const CONTROLLER_SECONDS: i64 = 300;

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
/// `FailedResourceClaimCreation` (`pkg/controller/resourceclaim/controller.go`), and no later stage of the Pod.
pub(super) fn devices_not_prepared<'a>(case: &Case<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    let event = lasting(case, pod, |reason| match reason {
        "FailedPrepareDynamicResources" => Some((Stage::ReadyToStart, SYNC_SECONDS)),
        "FailedResourceClaimCreation" => Some((Stage::Scheduled, CONTROLLER_SECONDS)),
        _ => None,
    })?;
    Some(reported(Cause::DeviceUnavailable, pod, event))
}

/// Evidence: Event `FailedMount`, `FailedAttachVolume` or `FailedMapVolume` (`pkg/kubelet/kubelet.go`,
/// `pkg/controller/volume/attachdetach`), and no later stage of the Pod. No waiting reason names volumes.
pub(super) fn volume_not_mounted<'a>(case: &Case<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    let event = lasting(case, pod, |reason| match reason {
        "FailedMount" | "FailedMapVolume" => Some((Stage::ReadyToStart, MOUNT_SECONDS)),
        "FailedAttachVolume" => Some((Stage::ReadyToStart, CONTROLLER_SECONDS)),
        _ => None,
    })?;
    let finding = reported(Cause::VolumeUnavailable, pod, event);
    Some(
        match VOLUME.find(&event.message).or_else(|| STORAGE.find(&event.message)) {
            Some(text) => finding.known(text),
            None => finding,
        },
    )
}

/// Evidence: Event `FailedCreatePodSandBox`, `NetworkNotReady` or `FailedCreatePodContainer`
/// (`pkg/kubelet/kuberuntime/kuberuntime_manager.go`, `pkg/kubelet/kubelet.go`), and no later stage of the Pod. A memory
/// limit of the Pod may be too low for its sandbox.
pub(super) fn sandbox_not_created<'a>(case: &Case<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    let event = lasting(case, pod, |reason| match reason {
        "FailedCreatePodSandBox" | "NetworkNotReady" | "FailedCreatePodContainer" => {
            Some((Stage::ReadyToStart, SYNC_SECONDS))
        }
        _ => None,
    })?;
    let finding = reported(Cause::SandboxFailed, pod, event);
    Some(
        match SANDBOX
            .find(&event.message)
            .or_else(|| texts::memory_text(&event.message))
        {
            Some(text) => finding.known(text),
            None => finding,
        },
    )
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
    // An error of a pull that the rules before this one left out has passed.
    let failed = |event: &Event| &*event.reason == "Failed" && !image::is_image_event(&event.reason, &event.message);
    if let Some((container, message)) = unknown.or_else(|| failed_start(case, pod, failed)) {
        return Some(Finding::on(Cause::Unknown, pod).container(container).message(message));
    }
    let waits = |container: &&Container| container.role != ContainerRole::Sidecar && !container.started;
    let finding = Finding::on(Cause::SlowStart, pod);
    let Some(container) = pod.containers.iter().find(waits) else {
        return Some(finding);
    };
    let pulling = stage::pull_in_progress(case, pod, container);
    Some(
        finding
            .container(container)
            .message(pulling.map_or("", |event| &event.message)),
    )
}

/// The Event, among those whose reason has a limit, that says most about an obstacle that had lasted until the verdict. The
/// limit is the stage that the obstacle precedes, and the allowance for [`has_ceased`].
fn lasting<'a>(case: &Case<'a>, pod: &'a Pod, limit: impl Fn(&str) -> Option<(Stage, i64)>) -> Option<&'a Event> {
    // All containers share the volumes and the sandbox of the first one.
    if main_started(pod) {
        return None;
    }
    let limited = |event: &'a Event| limit(&event.reason).map(|(stage, allowance)| (event, stage, allowance));
    let mut obstacles: Vec<(&Event, Stage, i64)> = case.events(&pod.uid).filter_map(limited).collect();
    obstacles
        .retain(|(event, stage, _)| !is_aftermath(case, pod, event) && !stage::reached_since(case, pod, *stage, event));
    let is_busy = events_by(case, pod, obstacles.first()?.0) >= BURST;
    let has_ceased = |(event, _, allowance): &(&Event, Stage, i64)| {
        let allowance = if is_busy { LONGEST_SILENCE } else { *allowance };
        has_ceased(case, pod, event, allowance)
    };
    if obstacles.iter().all(has_ceased) {
        return None;
    }
    // One of them lasts, so the kubelet may have dropped repetitions of the others, and a controller reports only once.
    let counts = |obstacle: &(&Event, Stage, i64)| {
        is_busy || &*obstacle.0.reason == "FailedAttachVolume" || !has_ceased(obstacle)
    };
    telling(
        obstacles
            .iter()
            .filter(|obstacle| counts(obstacle))
            .map(|obstacle| obstacle.0),
    )
}

/// True for a mount that failed because the Pod was being deleted: its objects are no longer registered
/// (`pkg/kubelet/util/manager` of Kubernetes).
fn is_aftermath<'a>(case: &Case<'a>, pod: &'a Pod, event: &Event) -> bool {
    event.message.ends_with(" not registered") && event.first >= tried_until(case, pod).or(Some(Timestamp::MAX))
}

/// True if the kubelet would have reported the obstacle again, had it lasted.
///
/// The back-off doubles the time between two tries, and a try takes no longer than the first one did, so an error repeats
/// before the Pod is twice as old; this allows for twice that. Clocks: the kubelet may be behind the API server by as much as
/// it accepted the Pod before its creation.
fn has_ceased<'a>(case: &Case<'a>, pod: &'a Pod, event: &Event, allowance: i64) -> bool {
    let seconds = |from: Option<Timestamp>, to: Option<Timestamp>| {
        from.zip(to)
            .map_or(0, |(from, to)| to.duration_since(from).as_secs().max(0))
    };
    let last = event.last.or(case.decided);
    let behind = seconds(pod.start_time, pod.created);
    let Some(until) = tried_until(case, pod) else {
        let is_repeated = event.count > 1 || event.first < event.last;
        return !is_repeated && seconds(last, case.decided) - behind > LONGEST_SILENCE;
    };
    let age = seconds(pod.start_time.or(pod.created), last);
    let silence = age.saturating_mul(2).saturating_add(allowance).min(LONGEST_SILENCE);
    seconds(last, Some(until)) - behind > silence
}

/// The end of the time in which the kubelet tried to start the Pod: the request to delete it, or the verdict; `None` if it
/// ended by itself at an unknown time.
fn tried_until<'a>(case: &Case<'a>, pod: &'a Pod) -> Option<Timestamp> {
    match &pod.deletion {
        Some(deletion) if !deletion.seen_late || case.is_collateral(pod) => Some(
            case.decided
                .map_or(deletion.requested, |decided| decided.min(deletion.requested)),
        ),
        _ if is_terminal(&pod.phase) => last_end(pod),
        _ => case.decided,
    }
}

/// How many Events about the Pod the author of this one is known to have written.
fn events_by(case: &Case<'_>, pod: &Pod, event: &Event) -> i64 {
    let by_same = case.events(&pod.uid).filter(|other| other.component == event.component);
    by_same.map(|other| i64::from(other.count.max(1))).sum()
}

fn reported<'a>(cause: Cause, pod: &'a Pod, event: &'a Event) -> Finding<'a> {
    Finding::on(cause, pod).message(&event.message).at(event.last)
}
