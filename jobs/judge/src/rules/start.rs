//! Errors of the kubelet on starting a container: latched waiting reasons, and Events where those were not seen.

use job_event::evidence::{Container, Event, Pod};

use crate::case::{Case, is_about};
use crate::rules::image;

/// The first container that never started and has a latched waiting reason of that kind, with its message.
pub(crate) fn waiting(pod: &Pod, is_kind: impl Fn(&str) -> bool) -> Option<(&Container, &str)> {
    let mut containers = pod.containers.iter().filter(|container| !container.started);
    containers.find_map(|container| {
        let waiting = container.waiting.as_deref();
        let waiting = waiting.filter(|waiting| is_kind(&waiting.reason))?;
        Some((container, &*waiting.message))
    })
}

/// The first container that never started and has no known waiting reason but an Event of that kind, with the message of the
/// latest such Event.
pub(crate) fn failed_start<'a>(
    case: &Case<'a>,
    pod: &'a Pod,
    is_kind: impl Fn(&Event) -> bool,
) -> Option<(&'a Container, &'a str)> {
    let mut containers = pod.containers.iter();
    containers.find_map(|container| {
        if container.started || is_known(container) {
            return None;
        }
        let mut events = case.events(&pod.uid).filter(|event| !event.field_path.is_empty());
        let event = events.find(|event| is_about(event, container) && is_kind(event))?;
        Some((container, &*event.message))
    })
}

/// True for a waiting reason of a container that could not be configured.
pub(crate) fn is_config_reason(reason: &str) -> bool {
    reason == "CreateContainerConfigError"
}

/// True for a waiting reason of a container that could not be created or started
/// (`pkg/kubelet/kuberuntime/kuberuntime_container.go`).
pub(crate) fn is_start_reason(reason: &str) -> bool {
    matches!(
        reason,
        "CreateContainerError"
            | "RunContainerError"
            | "PreCreateHookError"
            | "PreStartHookError"
            | "PostStartHookError"
    )
}

/// True if the container's latched waiting reason is known to the rules.
pub(crate) fn is_known(container: &Container) -> bool {
    container.waiting.as_deref().is_some_and(|waiting| {
        let reason = &*waiting.reason;
        image::is_image_reason(reason)
            || is_start_reason(reason)
            || is_config_reason(reason)
            || reason == "CrashLoopBackOff"
    })
}

/// `Error: configmap "c" not found`, `Error: couldn't find key k in Secret ns/s`: the texts of `makeEnvironmentVariables` in
/// `pkg/kubelet/kubelet_pods.go` and of `verifyRunAsNonRoot`, in the Event `Failed` of `startContainer`.
pub(crate) fn is_config_event(event: &Event) -> bool {
    let text = event.message.strip_prefix("Error: ").unwrap_or_default();
    let missing = (text.starts_with("configmap ") || text.starts_with("secret ")) && text.ends_with(" not found");
    let known = ["couldn't find key ", "container has runAsNonRoot"];
    &*event.reason == "Failed" && (missing || known.iter().any(|start| text.starts_with(start)))
}

/// `Error: container create failed: ...` of CRI-O, `Error: failed to create containerd task: ...`, and the hooks of
/// `startContainer`.
pub(crate) fn is_start_event(event: &Event) -> bool {
    let text = event.message.strip_prefix("Error: ").unwrap_or(&event.message);
    let known = [
        "container create failed",
        "failed to create containerd ",
        "Internal PreCreateContainer hook failed",
        "Internal PreStartContainer hook failed",
    ];
    &*event.reason == "Failed" && known.iter().any(|start| text.starts_with(start))
}
