//! The stages of a Pod's life. Once one is reached, evidence of an obstacle before it counts no more.
//!
//! Source: `SyncPod` in `pkg/kubelet/kubelet.go` and `pkg/kubelet/kuberuntime/kuberuntime_manager.go` of Kubernetes: volumes,
//! then devices, the sandbox, and for each container its image, its creation and its start. Before Kubernetes 1.36 the
//! condition `PodReadyToStartContainers` turns true only after the first images are pulled, so Events count as well.
//!
//! Times are those of objects, never of their arrival, and have a resolution of one second. On a tie the stage counts as
//! reached, which makes the cause broader.

use jiff::Timestamp;
use job_event::evidence::{Container, ContainerState, Event, Pod};

use crate::case::{Case, is_about};
use crate::rules::{image, start};

/// A stage of a Pod's life, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// It has a node.
    Scheduled,
    /// Its volumes, devices and sandbox are ready: a container may be started.
    ReadyToStart,
    /// The image of a container is on the node.
    ImagePulled,
    /// A container has started.
    Started,
}

/// True if the Pod reached a stage at the time of the Event or later.
pub(crate) fn reached_since(case: &Case<'_>, pod: &Pod, stage: Stage, event: &Event) -> bool {
    let second = |at: Option<Timestamp>| at.map(Timestamp::as_second);
    let is_after = |(reached, at): (Stage, Option<Timestamp>)| {
        reached >= stage && (is_from_controller(event) || at.is_none() || second(at) >= second(event.last))
    };
    &*pod.phase == "Running" || of_pod(pod).any(is_after) || of_events(case, pod).any(is_after)
}

/// True for Events of controllers, whose clock may differ from the node's. Each reports what must precede the next stage, so
/// that stage proves more than the times.
fn is_from_controller(event: &Event) -> bool {
    matches!(&*event.reason, "FailedAttachVolume" | "FailedResourceClaimCreation")
}

/// The stages that the status of a Pod proves, each with the last time at which it was true; without a time that is unknown.
fn of_pod(pod: &Pod) -> impl Iterator<Item = (Stage, Option<Timestamp>)> {
    let scheduled = pod.node.as_ref().map(|_| (Stage::Scheduled, pod.start_time));
    let ready = pod.ready_to_start.map(|at| (Stage::ReadyToStart, Some(at)));
    let started = pod.containers.iter().filter(|container| container.started);
    scheduled
        .into_iter()
        .chain(ready)
        .chain(started.map(|container| (Stage::Started, last_seen_alive(container))))
}

/// The last time at which a container that started was alive, `None` if it is or that is unknown.
fn last_seen_alive(container: &Container) -> Option<Timestamp> {
    let ends = container.terminations.iter().filter(|end| end.ran);
    match container.state {
        ContainerState::Running => None,
        _ => ends.map(|end| end.finished.max(end.started)).max().flatten(),
    }
}

/// The stages that Events about the containers of a Pod prove: the kubelet handles containers in a sandbox that is ready.
fn of_events<'a>(case: &Case<'a>, pod: &'a Pod) -> impl Iterator<Item = (Stage, Option<Timestamp>)> {
    let of_containers = case.events(&pod.uid).filter(|event| !event.field_path.is_empty());
    of_containers.map(|event| (of_event(event).unwrap_or(Stage::ReadyToStart), event.last))
}

/// The stage of a container that an Event about it proves.
fn of_event(event: &Event) -> Option<Stage> {
    match &*event.reason {
        "Started" | "Unhealthy" | "FailedPostStartHook" => Some(Stage::Started),
        "BackOff" if event.message.contains("restarting failed container") => Some(Stage::Started),
        "Pulled" | "Created" | "Killing" => Some(Stage::ImagePulled),
        _ if start::is_config_event(event) || start::is_start_event(event) => Some(Stage::ImagePulled),
        _ => None,
    }
}

/// True if the image of a container was on the node after the last Event about an error of its pull.
pub(crate) fn has_image(case: &Case<'_>, pod: &Pod, container: &Container) -> bool {
    let about = || case.events(&pod.uid).filter(|event| is_named_by(event, container));
    let failed = about().filter(|event| image::is_image_event(&event.reason, &event.message));
    let pulled = about().filter(|event| of_event(event) >= Some(Stage::ImagePulled));
    let last = pulled.map(|event| event.last).max();
    last.is_some_and(|last| failed.map(|event| event.last).max() <= Some(last))
}

/// The Event about the pull of a container's image, if no later Event shows how the pull ended.
pub(crate) fn pull_in_progress<'a>(case: &Case<'a>, pod: &'a Pod, container: &'a Container) -> Option<&'a Event> {
    let mut events = start::events(case, pod, container);
    let pulling = start::events(case, pod, container).find(|event| &*event.reason == "Pulling")?;
    let ended = events.any(|event| &*event.reason != "Pulling" && event.last >= pulling.last);
    (!ended).then_some(pulling)
}

/// True if an Event names that container.
pub(crate) fn is_named_by(event: &Event, container: &Container) -> bool {
    !event.field_path.is_empty() && is_about(event, container)
}
