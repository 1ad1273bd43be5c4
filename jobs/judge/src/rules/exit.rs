//! How a container ended: its reason and exit code, and the Events around it.
//!
//! Sources: reasons come from the container runtime (`toCRIContainerStatus` of containerd and CRI-O) through
//! `toKubeContainerStatus` in `pkg/kubelet/kuberuntime/kuberuntime_container.go`; `ContainerStatusUnknown` and
//! `RestartingAllContainers` are the kubelet's own (`pkg/kubelet/kubelet_pods.go`, `pkg/kubelet/status/status_manager.go`).
//! Exit codes above 128 follow the shell's convention, 128 plus the signal.

use job_event::evidence::{Container, Event, Pod, Termination};

use crate::case::{Case, is_about, seen_between, shifted};
use crate::cause::Cause;
use crate::finding::Finding;

/// The default grace period of a Pod.
const GRACE_SECONDS: i64 = 30;
/// The longest time between the last failure of a probe and the request to stop the container.
const PROBE_SECONDS: i64 = 30;
/// The same for a container that ended by itself when it was stopped: the Event may be a little older.
const ANSWERED_SECONDS: i64 = 5;
/// The longest time between a node's SystemOOM and the end it caused.
const SYSTEM_OOM_WINDOW_SECONDS: i64 = 10;
/// The longest time between an end and the Event of the failed hook that caused it.
const HOOK_WINDOW_SECONDS: i64 = 5;

/// True for a failure. An out-of-memory kill is a failure with any exit code; a restart of all containers in place
/// (`RestartAllContainers`) never is.
pub(crate) fn is_failure(termination: &Termination) -> bool {
    match &*termination.reason {
        "OOMKilled" => true,
        "RestartingAllContainers" => false,
        _ => termination.exit_code != 0,
    }
}

/// The signal encoded in an exit code.
pub(crate) fn signal_of(exit_code: i32) -> Option<i32> {
    exit_code.checked_sub(128).filter(|signal| (1..=64).contains(signal))
}

/// The name of a signal, without `SIG`.
pub(crate) fn signal_name(signal: i32) -> Option<&'static str> {
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

/// The cause by the exit code alone.
pub(crate) fn exit_code_cause(exit_code: i32) -> Cause {
    match exit_code {
        126..=128 => Cause::ContainerStart,
        129 | 130 | 137 | 143 => Cause::Killed,
        131 | 132 | 133 | 134 | 135 | 136 | 139 | 141 | 152 | 153 | 159 => Cause::Crashed,
        _ => Cause::NonZeroExit,
    }
}

/// The cause of a termination; `None` if the container never ran.
pub(crate) fn termination_cause<'a>(
    case: &Case<'a>,
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
    // The kubelet lost the container: a failure of the node, but only if the container ran. A container that never ran gets
    // this status at the end of its Pod.
    let made_up = !termination.ran && termination.started.is_none() && termination.finished.is_none();
    if made_up || &*termination.reason == "ContainerStatusUnknown" {
        return (container.started || termination.ran).then(|| found(Cause::NodeLost));
    }
    match &*termination.reason {
        "OOMKilled" => return Some(found(Cause::OutOfMemory)),
        "StartError" | "ContainerCannotRun" => return Some(found(Cause::ContainerStart)),
        "seccomp killed" => return Some(found(Cause::Crashed)),
        // containerd lost the container.
        "Unknown" => return Some(found(Cause::NodeLost)),
        _ => {}
    }
    if matches!(code, 126..=128) {
        return Some(found(Cause::ContainerStart));
    }
    if let Some(event) = failed_probe(case, pod, container, termination) {
        return Some(found(Cause::ProbeFailed).message(&event.message));
    }
    if let Some(event) = failed_hook(case, pod, container, termination) {
        return Some(found(Cause::ContainerStart).message(&event.message));
    }
    if code == 137
        && let Some(event) = node_out_of_memory(case, pod, termination)
    {
        return Some(found(Cause::OutOfMemory).message(&event.message));
    }
    Some(found(exit_code_cause(code)))
}

/// Evidence: Event `Unhealthy` for a liveness or startup probe of that container shortly before its end
/// (`pkg/kubelet/prober/prober.go`). Under `restartPolicy: Never` no Event of the kubelet names the probe as the cause of
/// the kill. A program may exit on SIGTERM with a code of its own; then the probe must have failed within the grace period
/// before the end, because that failure caused the signal.
fn failed_probe<'a>(
    case: &Case<'a>,
    pod: &'a Pod,
    container: &Container,
    termination: &Termination,
) -> Option<&'a Event> {
    let finished = termination.finished?;
    let before = match termination.exit_code {
        137 | 143 => grace(pod).saturating_add(PROBE_SECONDS),
        // The program may have failed by itself, so an old Event proves nothing.
        _ => grace(pod).min(GRACE_SECONDS) + ANSWERED_SECONDS,
    };
    let from = termination.started.max(Some(shifted(finished, -before)))?;
    case.events(&pod.uid).find(|event| {
        &*event.reason == "Unhealthy"
            && is_about(event, container)
            && seen_between(event, from, finished)
            && (event.message.starts_with("Liveness probe") || event.message.starts_with("Startup probe"))
    })
}

/// The grace period of the Pod, seconds.
fn grace(pod: &Pod) -> i64 {
    pod.grace_seconds.unwrap_or(GRACE_SECONDS).max(0)
}

/// Evidence: Event `FailedPostStartHook` around the container's end (`startContainer` in `kuberuntime_container.go`):
/// the kubelet writes it, then stops the container, which may take the whole grace period.
fn failed_hook<'a>(
    case: &Case<'a>,
    pod: &'a Pod,
    container: &Container,
    termination: &Termination,
) -> Option<&'a Event> {
    let finished = termination.finished?;
    let before = grace(pod).saturating_add(ANSWERED_SECONDS);
    let from = termination.started.max(Some(shifted(finished, -before)))?;
    case.events(&pod.uid).find(|event| {
        &*event.reason == "FailedPostStartHook"
            && is_about(event, container)
            && seen_between(event, from, shifted(finished, HOOK_WINDOW_SECONDS))
    })
}

/// Evidence: Event `SystemOOM` on the Pod's node around the container's end (`pkg/kubelet/oom/oom_watcher_linux.go`):
/// the kernel freed memory of the node, which no runtime reports as OOMKilled.
fn node_out_of_memory<'a>(case: &Case<'a>, pod: &Pod, termination: &Termination) -> Option<&'a Event> {
    let finished = termination.finished?;
    let node = pod.node.as_deref()?;
    let [from, to] = [-SYSTEM_OOM_WINDOW_SECONDS, SYSTEM_OOM_WINDOW_SECONDS].map(|seconds| shifted(finished, seconds));
    case.evidence.events.iter().find(|event| {
        (&*event.kind, &*event.name, &*event.reason) == ("Node", node, "SystemOOM") && seen_between(event, from, to)
    })
}
