//! A Pod that was never seen, built from the Events that it left. Pure.
//!
//! Events are best effort, and expire: an Event proves that something happened, a missing one proves little. So a container
//! is running only if the kubelet stopped it ("Killing"), and waits only if its pull began and no later stage followed.
//!
//! Sources for the texts: `pkg/kubelet/kuberuntime/kuberuntime_{container,manager}.go`, `pkg/kubelet/images/image_manager.go`,
//! `pkg/scheduler/schedule_one.go`, `pkg/controller/controller_utils.go` and `pkg/controller/tainteviction` of Kubernetes.

use jiff::Timestamp;
use job_event::evidence::{Condition, Container, ContainerRole, ContainerState, Event, Job, Pod, PodDeletion, Waiting};
use job_watch::model;

use super::event::{SUCCESSFUL_CREATE, SUCCESSFUL_DELETE};
use super::origin::{self, About};

/// The traces of a Pod.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traces<'a> {
    pub name: &'a str,
    pub uid: &'a str,
    /// The Events about it, oldest first.
    pub events: &'a [Event],
    /// When its Job's controller created it.
    pub created: Option<Timestamp>,
    /// When its Job's controller deleted it.
    pub deleted: Option<Timestamp>,
    /// True if Events of type `Normal` about it would be among the Events.
    pub normal_too: bool,
}

/// The Pod, with exactly those states that its Events prove.
pub(crate) fn pod(traces: Traces<'_>, job: &Job) -> Pod {
    let deletion = traces.deleted.map(|requested| PodDeletion {
        requested,
        grace_seconds: 0,
        seen_late: false,
    });
    let mut pod = Pod {
        name: traces.name.into(),
        uid: traces.uid.into(),
        index: job.spec.indexed.then(|| index(traces.name)).flatten(),
        node: node(traces.events),
        created: traces.created,
        ready_to_start: ready_to_start(traces.events),
        deletion,
        containers: containers(&traces, deletion.is_some()),
        removed: true,
        from_events: true,
        ..Pod::default()
    };
    pod.not_scheduled = not_scheduled(&traces, &pod, job).map(Box::new);
    if traces.deleted.is_none() {
        ended_by_the_system(&mut pod, traces.events);
    }
    pod
}

/// The name of the Pod that an Event of the Job controller says it created or deleted.
pub fn named_pod(event: &model::Event) -> Option<&str> {
    match &*event.reason {
        _ if origin::about(event) != Some(About::Job) => None,
        SUCCESSFUL_CREATE => created_pod(&event.message),
        SUCCESSFUL_DELETE => deleted_pod(&event.message),
        _ => None,
    }
}

/// `Created pod: NAME`, `(combined from similar events): Created pod: NAME`: the name.
pub(crate) fn created_pod(message: &str) -> Option<&str> {
    message.rsplit_once("Created pod: ").map(|(_, name)| name.trim())
}

/// `Deleted pod: NAME`: the name.
pub(crate) fn deleted_pod(message: &str) -> Option<&str> {
    message.rsplit_once("Deleted pod: ").map(|(_, name)| name.trim())
}

/// True for the Event of a pull that the deletion of the Pod cut off: it says nothing about the image.
pub(crate) fn is_aftermath(event: &Event, deleted: Option<Timestamp>) -> bool {
    &*event.reason == "Failed" && deleted.is_some() && event.first >= deleted
}

/// The completion index in the name of a Pod of an Indexed Job: `JOB-INDEX-SUFFIX`.
fn index(name: &str) -> Option<Box<str>> {
    let (rest, _) = name.rsplit_once('-')?;
    let (_, index) = rest.rsplit_once('-')?;
    index.parse::<u32>().is_ok().then(|| index.into())
}

/// `Successfully assigned NAMESPACE/POD to NODE`
fn node(events: &[Event]) -> Option<Box<str>> {
    let scheduled = events.iter().find(|event| &*event.reason == "Scheduled")?;
    let (_, node) = scheduled.message.rsplit_once(" to ")?;
    Some(node.trim()).filter(|node| !node.is_empty()).map(Box::from)
}

/// The pull of an image begins when the volumes and the sandbox are ready.
fn ready_to_start(events: &[Event]) -> Option<Timestamp> {
    let later = |event: &&Event| matches!(&*event.reason, "Pulling" | "Pulled" | "Created" | "Started");
    events.iter().filter(later).filter_map(|event| event.first).min()
}

/// `Stopping container NAME`: it was running, and its Pod is being deleted or evicted.
fn is_stop(event: &Event) -> bool {
    &*event.reason == "Killing" && event.message.starts_with("Stopping container")
}

/// The containers that Events name, in the order of their start. The kubelet starts them in the order of the spec.
fn containers(traces: &Traces<'_>, is_deleted: bool) -> Vec<Container> {
    let mut paths: Vec<&str> = Vec::new();
    for event in traces.events {
        if role(&event.field_path).is_some() && !paths.contains(&&*event.field_path) {
            paths.push(&event.field_path);
        }
    }
    paths.sort_by_key(|path| {
        let of_it = || traces.events.iter().filter(|event| *event.field_path == **path);
        let started = of_it()
            .filter(|event| &*event.reason == "Started")
            .filter_map(|event| event.first);
        (
            role(path) == Some(ContainerRole::Main),
            of_it().filter_map(|event| event.first).min(),
            started.min(),
        )
    });
    let mut containers: Vec<Container> = paths.iter().filter_map(|path| container(traces, path)).collect();
    let any_running = containers
        .iter()
        .any(|container| container.state == ContainerState::Running);
    for container in &mut containers {
        let never_failed = container.restarts == 0 && container.waiting.is_none();
        container.state = match container.state {
            ContainerState::Running if !is_deleted => ContainerState::Absent,
            // The kubelet stops all running containers of a Pod, so this one had ended.
            ContainerState::Absent if is_deleted && any_running && container.started && never_failed => {
                ContainerState::Terminated
            }
            state => state,
        };
    }
    containers
}

fn role(field_path: &str) -> Option<ContainerRole> {
    if field_path.starts_with("spec.containers{") {
        Some(ContainerRole::Main)
    } else if field_path.starts_with("spec.initContainers{") {
        Some(ContainerRole::Init)
    } else {
        None
    }
}

fn container(traces: &Traces<'_>, path: &str) -> Option<Container> {
    let role = role(path)?;
    let (_, name) = path.split_once('{')?;
    let of_it = || traces.events.iter().filter(|event| &*event.field_path == path);
    let find = |reason: &str| of_it().find(|event| &*event.reason == reason);
    let started = find("Started");
    let stopped = of_it().any(is_stop);
    let backoff = of_it().find(|event| event.message.starts_with("Back-off restarting"));
    // A second pull follows a failed one.
    let first_pull = find("Pulling").is_some_and(|event| event.count == 1);
    let pulling = first_pull && find("Pulled").is_none() && find("Created").is_none();
    let has_started = started.is_some() || stopped || backoff.is_some();
    // A container whose start is not among Events that go back to its creation may have been restarted unseen.
    let start_known = started.is_some() || traces.created.is_none();
    let is_error = |event: &Event| {
        let reasons = ["Failed", "InspectFailed", "ErrImageNeverPull", "BackOff"];
        reasons.contains(&&*event.reason) && !is_aftermath(event, traces.deleted)
    };
    Some(Container {
        name: name.trim_end_matches('}').into(),
        role,
        image: of_it().find_map(image).unwrap_or_default(),
        state: if stopped && start_known {
            ContainerState::Running
        } else if pulling && !has_started && !of_it().any(is_error) {
            ContainerState::Waiting
        } else {
            ContainerState::Absent
        },
        waiting: backoff.map(|event| {
            Box::new(Waiting {
                reason: "CrashLoopBackOff".into(),
                message: event.message.clone(),
            })
        }),
        started: has_started,
        running_since: started.and_then(|event| event.last),
        restarts: started.map_or(0, |event| event.count.saturating_sub(1)),
        ..Container::default()
    })
}

/// The image in a message: `Pulling image "X"`, `Container image "X" already present on machine`.
fn image(event: &Event) -> Option<Box<str>> {
    let (head, rest) = event.message.split_once(" image \"")?;
    let (image, _) = rest.split_once('"')?;
    let known = [
        "Pulling",
        "Container",
        "Successfully pulled",
        "Failed to pull",
        "Back-off pulling",
    ];
    known.contains(&head).then(|| image.into())
}

/// Why the Pod had no node, if Events prove that it never got one: the scheduler refused to place it, and did so until
/// shortly before the end if a later success would not be among the Events. A gated Pod leaves no Event at all.
fn not_scheduled(traces: &Traces<'_>, pod: &Pod, job: &Job) -> Option<Condition> {
    if pod.node.is_some() || !pod.containers.is_empty() {
        return None;
    }
    if job.spec.gated && traces.events.is_empty() && traces.normal_too {
        let by_controller = traces.created.is_some() && traces.deleted.is_some();
        return by_controller.then(|| condition("PodScheduled", false, "SchedulingGated", "", traces.created));
    }
    let refused = |event: &&Event| matches!(&*event.reason, "FailedScheduling" | "Unschedulable");
    let is_late = |event: &&Event| event.message.contains("skip schedule deleting pod");
    // Only a Pod without a node is in the scheduler's queue.
    let still_queued = traces.events.iter().any(|event| is_late(&event));
    let mut refusals = traces.events.iter().filter(refused).filter(|event| !is_late(event));
    // Karpenter says why it made no node, the scheduler why it found none.
    let latest = refusals
        .clone()
        .max_by_key(|event| (!event.component.starts_with("karpenter"), event.last))?;
    let first = refusals.by_ref().filter_map(|event| event.first).min();
    let other = |event: &Event| is_of_kubelet(event);
    if traces.events.iter().any(other) || !(still_queued || traces.normal_too || lasted(first, latest.last, job)) {
        return None;
    }
    Some(condition(
        "PodScheduled",
        false,
        "Unschedulable",
        &latest.message,
        latest.last,
    ))
}

/// True for an Event that only a kubelet writes: the Pod had a node.
fn is_of_kubelet(event: &Event) -> bool {
    matches!(
        &*event.reason,
        "FailedMount"
            | "FailedMapVolume"
            | "FailedCreatePodSandBox"
            | "NetworkNotReady"
            | "FailedCreatePodContainer"
            | "FailedPrepareDynamicResources"
            | "FailedKillPod"
            | "Evicted"
    )
}

/// True if an obstacle took at least as long as everything after it.
fn lasted(first: Option<Timestamp>, last: Option<Timestamp>, job: &Job) -> bool {
    match (first, last, job.decided_at()) {
        (Some(first), Some(last), Some(decided)) => decided.duration_since(last) <= last.duration_since(first),
        _ => false,
    }
}

/// Sets the end of a Pod that the system ended, as its status would have said.
fn ended_by_the_system(pod: &mut Pod, events: &[Event]) {
    for event in events {
        let disruption = |reason| {
            Some(Box::new(condition(
                "DisruptionTarget",
                true,
                reason,
                &event.message,
                event.first,
            )))
        };
        match &*event.reason {
            "Preempted" => pod.disruption = disruption("PreemptionByScheduler"),
            "TaintManagerEviction" if event.message.starts_with("Marking for deletion") => {
                pod.disruption = disruption("DeletionByTaintManager");
            }
            // A cancelled eviction.
            "TaintManagerEviction" => pod.disruption = None,
            reason @ ("Evicted" | "Preempting" | "DeadlineExceeded" | "UnexpectedAdmissionError" | "NodeAffinity")
            | reason @ ("OutOfcpu" | "OutOfmemory" | "OutOfpods" | "OutOfephemeral-storage") => {
                pod.reason = reason.into();
                pod.message = event.message.clone();
            }
            _ => continue,
        }
    }
    if pod.disruption.is_some() || !pod.reason.is_empty() {
        pod.phase = "Failed".into();
    }
}

fn condition(kind: &str, is_true: bool, reason: &str, message: &str, since: Option<Timestamp>) -> Condition {
    Condition {
        kind: kind.into(),
        is_true,
        reason: reason.into(),
        message: message.into(),
        since,
    }
}
