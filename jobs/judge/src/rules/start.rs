//! Errors of the kubelet when it starts a container: latched waiting reasons, and Events if no waiting reason was observed.

use job_event::MessageDetail;
use job_event::evidence::{Container, Event, Pod};

use crate::case::{Case, telling};
use crate::finding::Finding;
use crate::rules::image;
use crate::rules::stage::is_named_by;
use crate::texts;

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
/// one that says most.
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
        let event = telling(events(case, pod, container).filter(|event| is_kind(event)))?;
        Some((container, &*event.message))
    })
}

/// The Events of a container since it last started, latest first, without those of an attempt that the deletion of the Pod
/// interrupted.
pub(crate) fn events<'a>(case: &Case<'a>, pod: &'a Pod, container: &'a Container) -> impl Iterator<Item = &'a Event> {
    let named = || {
        let events = case.events(&pod.uid);
        events.filter(|event| is_named_by(event, container))
    };
    let canceled = named().find(|event| event.message.ends_with("context canceled"));
    named()
        .take_while(|event| &*event.reason != "Started")
        .filter(move |event| !is_aftermath(pod, event, canceled))
}

/// True for the Event of a canceled pull or start, and for the bare reason that the kubelet writes beside it
/// (`Error: ErrImagePull`), also where the former is missing.
fn is_aftermath(pod: &Pod, event: &Event, canceled: Option<&Event>) -> bool {
    let is_beside = |canceled: &Event| {
        let apart = event.first.zip(canceled.first);
        apart.is_none_or(|(a, b)| a.duration_since(b).as_secs().abs() <= 2)
    };
    let requested = pod.deletion.map(|deletion| deletion.requested);
    let is_late = requested.is_some() && event.first >= requested;
    let is_bare = MessageDetail::of(&event.message) <= MessageDetail::Retry;
    is_bare && &*event.reason == "Failed" && (is_late || canceled.is_some_and(is_beside))
}

/// The message of a waiting reason, or of an Event of the same kind about the container if that says more.
pub(crate) fn message<'a>(
    case: &Case<'a>,
    pod: &'a Pod,
    container: &'a Container,
    waiting: &'a str,
    is_kind: impl Fn(&Event) -> bool,
) -> &'a str {
    let event = telling(events(case, pod, container).filter(|event| is_kind(event)));
    let event = event.map_or("", |event| &*event.message);
    match MessageDetail::of(event) > MessageDetail::of(waiting) {
        true => event,
        false => waiting,
    }
}

/// A container that could not be created or started: the message of the runtime decides why.
pub(crate) fn not_started(finding: Finding<'_>) -> Finding<'_> {
    match finding.message.and_then(texts::runtime_text) {
        Some(text) => finding.known(text),
        None => finding,
    }
}

/// A container that the kubelet could not configure: its message decides the retry and the next step.
pub(crate) fn not_configured(finding: Finding<'_>) -> Finding<'_> {
    match finding.message.and_then(texts::config_text) {
        Some(text) => finding.known(text),
        None => finding,
    }
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
    let text = error_text(event).unwrap_or_default();
    let missing = (text.starts_with("configmap ") || text.starts_with("secret ")) && text.ends_with(" not found");
    let known = [
        "couldn't find key ",
        "container has runAsNonRoot",
        "configmaps \"",
        "secrets \"",
        "failed to sync configmap cache",
        "failed to sync secret cache",
        "failed to prepare subPath",
        "failed to create subPath",
        "services have not yet been read",
        "cannot find volume",
        "host IP unknown",
    ];
    missing || known.iter().any(|start| text.starts_with(start))
}

/// `Error: container create failed: ...` of CRI-O, `Error: failed to create containerd task: ...`, any other error of the
/// runtime on creating or starting the container, and the hooks of `startContainer`.
pub(crate) fn is_start_event(event: &Event) -> bool {
    let hook = &*event.reason == "Failed" && event.message.starts_with("Internal Pre");
    let is_error = |text: &str| !image::is_image_reason(text.trim()) && !is_config_event(event);
    hook || error_text(event).is_some_and(is_error)
}

/// The text of the kubelet's Event `Failed` about a container: `recordContainerEvent` in
/// `pkg/kubelet/kuberuntime/kuberuntime_container.go` writes `Error: TEXT`.
fn error_text(event: &Event) -> Option<&str> {
    let is_kubelet = matches!(&*event.component, "kubelet" | "");
    let message = &*event.message;
    let message = message
        .strip_prefix("(combined from similar events): ")
        .unwrap_or(message);
    let failed = is_kubelet && &*event.reason == "Failed";
    message.strip_prefix("Error: ").filter(|_| failed)
}
