//! How a container ended: its reason and exit code, and the Events around it.
//!
//! Sources: reasons come from the container runtime (`toCRIContainerStatus` of containerd and CRI-O) through
//! `toKubeContainerStatus` in `pkg/kubelet/kuberuntime/kuberuntime_container.go`; `ContainerStatusUnknown` and
//! `RestartingAllContainers` are the kubelet's own (`pkg/kubelet/kubelet_pods.go`, `pkg/kubelet/status/status_manager.go`).
//! Exit codes above 128 follow the shell's convention, 128 plus the signal.

use jiff::Timestamp;
use job_event::evidence::{Container, Event, Pod, Termination, is_limit_oom, is_node_oom};

use crate::case::{Case, is_about, seen_between, shifted};
use crate::cause::Cause;
use crate::finding::Finding;
use crate::rules::{start, windows};

/// The default grace period of a Pod.
const GRACE_SECONDS: i64 = 30;
/// The longest time between the last failure of a probe and the request to stop the container.
const PROBE_SECONDS: i64 = 30;
/// The same for a container that ended by itself when it was stopped: the Event may be a little older.
const ANSWERED_SECONDS: i64 = 5;
/// The longest time between a node's SystemOOM and the end it caused.
const SYSTEM_OOM_WINDOW_SECONDS: i64 = 10;
/// The same for a process that exceeded a memory limit: both times are those of the node's clock, in whole seconds.
const LIMIT_OOM_WINDOW_SECONDS: i64 = 2;
/// A run with code 126 or 127 that lasted at least this many seconds was a program that worked. A shell reports these codes
/// within milliseconds if it cannot execute its command. The API cuts times to whole seconds: a difference of one second may
/// be such a run on a slow node, a difference of two proves that more than one second passed.
const WORKED_SECONDS: i64 = 2;
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

/// The cause by the exit code alone. 126 to 128 alone prove no failed start: programs choose them as well.
pub(crate) fn exit_code_cause(exit_code: i32) -> Cause {
    match exit_code {
        129 | 130 | 137 | 143 => Cause::Killed,
        131 | 132 | 133 | 134 | 135 | 136 | 139 | 141 | 152 | 153 | 159 => Cause::Crashed,
        _ => windows::status(exit_code).map_or(Cause::NonZeroExit, |status| status.cause),
    }
}

/// True for the exit codes of a program that was stopped.
pub(crate) fn is_stop(exit_code: i32) -> bool {
    matches!(exit_code, 137 | 143 | windows::CONTROL_C_EXIT)
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
        "seccomp killed" => return Some(found(Cause::Crashed)),
        // containerd lost the container.
        "Unknown" => return Some(found(Cause::NodeLost)),
        _ => {}
    }
    if never_started(termination) {
        return Some(start::not_started(found(Cause::ContainerStart)));
    }
    if command_failed(termination) {
        return Some(found(Cause::ContainerStart));
    }
    if let Some(event) = failed_probe(case, pod, container, termination) {
        return Some(found(Cause::ProbeFailed).message(&event.message));
    }
    if let Some(event) = failed_hook(case, pod, container, termination) {
        return Some(found(Cause::ContainerStart).message(&event.message));
    }
    if code == 137
        && let Some(event) = killed_for_memory(case, pod, termination)
    {
        return Some(found(Cause::OutOfMemory).message(&event.message));
    }
    Some(found(exit_code_cause(code)))
}

/// True if the runtime could not start the container. Evidence: the reason `StartError` (containerd) or `ContainerCannotRun`
/// (docker), or an end with code 126 to 128 of a container without an id or with the start time zero, which containerd writes
/// for it (`setExitCode` after a failed start in `internal/cri/server/container_start.go`).
pub(crate) fn never_started(termination: &Termination) -> bool {
    let zero = termination
        .started
        .is_some_and(|started| started <= Timestamp::UNIX_EPOCH);
    matches!(&*termination.reason, "StartError" | "ContainerCannotRun")
        || matches!(termination.exit_code, 126..=128) && (zero || !termination.ran)
}

/// True if a shell, or a program that executes others, did not find its command (127) or could not execute it (126).
/// Evidence: the code, a run that was too short for anything else ([`WORKED_SECONDS`]), and no message of the program other
/// than that error. Code 128 with reason `Error` is the program's own: git ends with it for every fatal error.
fn command_failed(termination: &Termination) -> bool {
    let (Some(started), Some(finished)) = (termination.started, termination.finished) else {
        return false;
    };
    let short = finished < shifted(started, WORKED_SECONDS);
    matches!(termination.exit_code, 126 | 127) && short && is_shell_error(&termination.message)
}

/// True if a log consists of the one line that the runtime writes into it if the program is of another architecture:
/// `exec /app: exec format error` (`libcontainer/system/linux.go` of runc, after the start of the container). The exit code
/// is that of the runtime's process, so the cause stays what the code says.
pub(crate) fn is_exec_format_error(message: &str) -> bool {
    let line = message.trim();
    let by_runtime = line.starts_with("exec /") || line.starts_with("standard_init_linux.go");
    by_runtime && !line.contains('\n') && ends_with(line.trim_end_matches('"'), "exec format error")
}

/// True if the last line of a container's message or log is a shell's error about a command, or if there is none.
fn is_shell_error(message: &str) -> bool {
    let last = message.trim().lines().next_back().unwrap_or_default();
    let last = last.trim_end_matches(['.', ' ']);
    let errors = [
        "not found",
        "no such file or directory",
        "permission denied",
        "exec format error",
        "is a directory",
    ];
    last.is_empty() || errors.iter().any(|error| ends_with(last, error))
}

/// True if the text ends with these words, without regard to case.
fn ends_with(text: &str, words: &str) -> bool {
    let start = text.len().checked_sub(words.len());
    start
        .and_then(|at| text.get(at..))
        .is_some_and(|end| end.eq_ignore_ascii_case(words))
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
        code if is_stop(code) => grace(pod).saturating_add(PROBE_SECONDS),
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
pub(crate) fn grace(pod: &Pod) -> i64 {
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

/// Evidence: Event `SystemOOM` (`pkg/kubelet/oom/oom_watcher_linux.go`) or `OOMKilling` of node-problem-detector on the Pod's
/// node around the container's end: the kernel killed a process, and the runtime did not report it as OOMKilled. A process
/// that exceeded a limit may belong to another Pod, so that kill counts only at the very time of the end.
fn killed_for_memory<'a>(case: &Case<'a>, pod: &Pod, termination: &Termination) -> Option<&'a Event> {
    let finished = termination.finished?;
    let node = pod.node.as_deref()?;
    case.evidence.events.iter().find(|event| {
        let window = if is_node_oom(&event.reason, &event.message) {
            SYSTEM_OOM_WINDOW_SECONDS
        } else if &*event.reason == "OOMKilling" && is_limit_oom(&event.message) {
            LIMIT_OOM_WINDOW_SECONDS
        } else {
            return false;
        };
        let [from, to] = [-window, window].map(|seconds| shifted(finished, seconds));
        (&*event.kind, &*event.name) == ("Node", node) && seen_between(event, from, to)
    })
}
