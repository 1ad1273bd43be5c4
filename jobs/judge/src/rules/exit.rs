//! How a container ended: its reason and exit code, and the Events around it.
//!
//! Sources: reasons come from the container runtime (`toCRIContainerStatus` of containerd and CRI-O) through
//! `toKubeContainerStatus` in `pkg/kubelet/kuberuntime/kuberuntime_container.go`; `ContainerStatusUnknown` and
//! `RestartingAllContainers` are the kubelet's own (`pkg/kubelet/kubelet_pods.go`, `pkg/kubelet/status/status_manager.go`).
//! Exit codes above 128 follow the shell's convention, 128 plus the signal.

use job_event::evidence::{Container, Event, Pod, Termination};

use crate::cause::Cause;
use crate::finding::Finding;
use crate::world::{World, is_about, seen_between, shifted};

/// How long a container has to end when it is told to, unless its Pod says otherwise.
const GRACE_SECONDS: i64 = 30;
/// How long before a container is told to stop the last probe can have failed.
const PROBE_SECONDS: i64 = 30;
/// The same for a container that ended by itself on being told to stop: the Event's way takes a little.
const ANSWERED_SECONDS: i64 = 5;
/// How far apart a node's SystemOOM and the death it caused can be.
const SYSTEM_OOM_WINDOW_SECONDS: i64 = 10;
/// How long after the death it caused the Event of a failed hook may say that it was.
const HOOK_WINDOW_SECONDS: i64 = 5;

/// Whether a termination is a failure. An out-of-memory kill is one with any exit code; a restart of all containers
/// in place (`RestartAllContainers`) is none, whatever its code.
pub fn is_failure(termination: &Termination) -> bool {
    match &*termination.reason {
        "OOMKilled" => true,
        "RestartingAllContainers" => false,
        _ => termination.exit_code != 0,
    }
}

/// The signal that an exit code stands for.
pub fn signal_of(exit_code: i32) -> Option<i32> {
    exit_code.checked_sub(128).filter(|signal| (1..=64).contains(signal))
}

/// The name of a signal, without `SIG`.
pub fn signal_name(signal: i32) -> Option<&'static str> {
    Some(match signal {
        1 => "HUP",
        2 => "INT",
        3 => "QUIT",
        4 => "ILL",
        5 => "TRAP",
        6 => "ABRT",
        7 => "BUS",
        8 => "FPE",
        9 => "KILL",
        11 => "SEGV",
        13 => "PIPE",
        15 => "TERM",
        24 => "XCPU",
        25 => "XFSZ",
        31 => "SYS",
        _ => return None,
    })
}

/// What an exit code alone tells.
pub fn exit_code_cause(exit_code: i32) -> Cause {
    match exit_code {
        126..=128 => Cause::ContainerStart,
        129 | 130 | 137 | 143 => Cause::Killed,
        131 | 132 | 133 | 134 | 135 | 136 | 139 | 141 | 152 | 153 | 159 => Cause::Crashed,
        _ => Cause::NonZeroExit,
    }
}

/// Why a container ended the way it did; `None` if the termination tells nothing (a container that never ran).
pub fn termination_cause<'a>(
    world: &World<'a>,
    pod: &'a Pod,
    container: &'a Container,
    termination: &'a Termination,
) -> Option<Finding<'a>> {
    let found = |cause| {
        Finding::on(cause, pod)
            .container(container)
            .termination(termination)
            .message(&termination.message)
    };
    let code = termination.exit_code;
    // The kubelet lost the container. If it ran, the node did it; if it never ran, this is only how a Pod ends.
    let made_up = !termination.ran && termination.started.is_none() && termination.finished.is_none();
    if made_up || &*termination.reason == "ContainerStatusUnknown" {
        return (container.started || termination.ran).then(|| found(Cause::NodeLost));
    }
    match &*termination.reason {
        "OOMKilled" => return Some(found(Cause::OutOfMemory)),
        "StartError" | "ContainerCannotRun" => return Some(found(Cause::ContainerStart)),
        "seccomp killed" => return Some(found(Cause::Crashed)),
        // containerd lost it.
        "Unknown" => return Some(found(Cause::NodeLost)),
        _ => {}
    }
    if matches!(code, 126..=128) {
        return Some(found(Cause::ContainerStart));
    }
    if let Some(event) = failed_probe(world, pod, container, termination) {
        return Some(found(Cause::ProbeFailed).message(&event.message));
    }
    if let Some(event) = failed_hook(world, pod, container, termination) {
        return Some(found(Cause::ContainerStart).message(&event.message));
    }
    if code == 137
        && let Some(event) = node_out_of_memory(world, pod, termination)
    {
        return Some(found(Cause::OutOfMemory).message(&event.message));
    }
    Some(found(exit_code_cause(code)))
}

/// Evidence: Event `Unhealthy` for a liveness or startup probe of that container shortly before its end
/// (`pkg/kubelet/prober/prober.go`). Under `restartPolicy: Never` no Event of the kubelet says that it was the probe
/// that killed the container. A program may answer SIGTERM with a code of its own; then the probe must have failed
/// within the grace period before, because that failure is what brought the signal.
fn failed_probe<'a>(
    world: &World<'a>,
    pod: &'a Pod,
    container: &Container,
    termination: &Termination,
) -> Option<&'a Event> {
    let finished = termination.finished?;
    let before = match termination.exit_code {
        137 | 143 => grace(pod).saturating_add(PROBE_SECONDS),
        // Of a program that may as well have failed by itself, long ago tells nothing.
        _ => grace(pod).min(GRACE_SECONDS) + ANSWERED_SECONDS,
    };
    let from = shifted(finished, -before);
    let from = termination.started.map_or(from, |started| from.max(started));
    world.events(&pod.uid).find(|event| {
        &*event.reason == "Unhealthy"
            && is_about(event, container)
            && seen_between(event, from, finished)
            && (event.message.starts_with("Liveness probe") || event.message.starts_with("Startup probe"))
    })
}

/// How long the Pod's containers have to end when they are told to, seconds.
fn grace(pod: &Pod) -> i64 {
    pod.grace_seconds.unwrap_or(GRACE_SECONDS).max(0)
}

/// Evidence: Event `FailedPostStartHook` around the container's end (`startContainer` in `kuberuntime_container.go`):
/// the kubelet writes it, then stops the container, which may take its whole grace period.
fn failed_hook<'a>(
    world: &World<'a>,
    pod: &'a Pod,
    container: &Container,
    termination: &Termination,
) -> Option<&'a Event> {
    let finished = termination.finished?;
    let from = shifted(finished, -(grace(pod).saturating_add(ANSWERED_SECONDS)));
    let from = termination.started.map_or(from, |started| from.max(started));
    world.events(&pod.uid).find(|event| {
        &*event.reason == "FailedPostStartHook"
            && is_about(event, container)
            && seen_between(event, from, shifted(finished, HOOK_WINDOW_SECONDS))
    })
}

/// Evidence: Event `SystemOOM` on the Pod's node around the container's end (`pkg/kubelet/oom/oom_watcher_linux.go`):
/// the kernel killed it for the node's sake, which no runtime reports as OOMKilled.
fn node_out_of_memory<'a>(world: &World<'a>, pod: &Pod, termination: &Termination) -> Option<&'a Event> {
    let finished = termination.finished?;
    let node = pod.node.as_deref()?;
    world.evidence.events.iter().find(|event| {
        &*event.kind == "Node"
            && &*event.name == node
            && &*event.reason == "SystemOOM"
            && seen_between(
                event,
                shifted(finished, -SYSTEM_OOM_WINDOW_SECONDS),
                shifted(finished, SYSTEM_OOM_WINDOW_SECONDS),
            )
    })
}
