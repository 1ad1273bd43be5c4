//! Messages of schedulers and autoscalers about a Pod without a node.
//!
//! Sources: the texts are in [`SCHEDULER`] and [`AUTOSCALER`]; `pkg/registry/core/pod/strategy.go` of Kubernetes for
//! `SchedulingGated`; `pkg/scheduler/schedule_one.go` for the condition `PodScheduled` and the Event `FailedScheduling`;
//! `FitError` in `pkg/scheduler/framework/types.go` for the list of reasons.

use std::cmp::Reverse;

use job_event::evidence::{Container, ContainerState, Event, Pod};

use crate::case::Case;
use crate::cause::Cause;
use crate::finding::Finding;
use crate::texts::{AUTOSCALER, KnownText, SCHEDULER};

/// Reasons of Events in which a scheduler says why it found no node. KAI and Volcano also write `Unschedulable`.
const REASONS: [&str; 2] = ["FailedScheduling", "Unschedulable"];

/// One of the reasons in `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint {x: y}.`
#[derive(Clone, Copy)]
struct Reason {
    /// The number of nodes that it excludes.
    nodes: u32,
    /// True if the nodes lack a resource.
    lacks: bool,
    /// True if the nodes suit the Pod otherwise: they lack a resource, or are unhealthy or cordoned.
    suits: bool,
    /// The place of the known text in its family.
    place: Option<usize>,
}

impl Reason {
    fn new(text: &str, nodes: u32) -> Self {
        let lacks = text.starts_with("Insufficient ") || text.starts_with("Too many pods");
        Reason {
            nodes,
            lacks,
            suits: lacks || text.contains("were unschedulable") || text.contains("{node.kubernetes.io/"),
            place: SCHEDULER.place(text),
        }
    }

    fn text(&self) -> Option<&'static KnownText> {
        self.place.map(|place| &SCHEDULER.texts[place])
    }

    fn is(&self, cause: Cause) -> bool {
        self.text().is_some_and(|text| text.cause == cause)
    }
}

/// The reasons in a message, and the number of nodes. A message of another form is one reason for all nodes.
fn reasons(message: &str) -> (Vec<Reason>, u32) {
    // `... preemption: ...` says why no other Pod was preempted, which explains nothing.
    let message = message.split(" preemption: ").next().unwrap_or(message);
    let lists = [" available: ", " unavailable: ", " were found: "];
    let list = lists.iter().find_map(|lead| message.split_once(lead));
    let Some((head, list)) = list else {
        return (vec![Reason::new(message, u32::MAX)], u32::MAX);
    };
    // `0/3 nodes are`
    let total = head
        .split_once('/')
        .and_then(|(_, rest)| rest.split(' ').next()?.parse().ok());
    let total = total.unwrap_or(u32::MAX);
    let reasons = list.split(", ").enumerate().map(|(place, item)| {
        let counted = item
            .split_once(' ')
            .and_then(|(count, text)| Some((count.parse().ok()?, text)));
        match counted {
            Some((nodes, text)) => Reason::new(text, nodes),
            // A reason that holds for the Pod as a whole has no number; later ones continue the reason before them.
            None => Reason::new(item, if place == 0 { total } else { 0 }),
        }
    });
    (reasons.collect(), total)
}

/// The cause named in a message of the scheduler, and the known text of its main reason.
///
/// A volume or a device is the cause if nothing else was lacking, or if all nodes were excluded for it alone.
fn text_cause(message: &str) -> (Cause, Option<&'static KnownText>) {
    let (reasons, total) = reasons(message);
    let nodes = |counts: &dyn Fn(&Reason) -> bool| {
        let counted = reasons.iter().filter(|reason| counts(reason));
        counted.map(|reason| reason.nodes).max()
    };
    let proven = |cause| {
        let found = nodes(&|reason| reason.is(cause))?;
        let other = nodes(&|reason| reason.lacks && !reason.is(cause));
        let alone = other.is_none_or(|other| found >= total && other < total);
        alone.then(|| main_text(reasons.iter().filter(|reason| reason.is(cause))))
    };
    match (proven(Cause::VolumeUnavailable), proven(Cause::DeviceUnavailable)) {
        (Some(text), None) => (Cause::VolumeUnavailable, text),
        (None, Some(text)) => (Cause::DeviceUnavailable, text),
        _ => (Cause::Unschedulable, main_text(reasons.iter())),
    }
}

/// The text of the main reason. The scheduler reports the first filter that a node did not pass, and resources come last
/// (`pkg/scheduler/apis/config/v1/default_plugins.go`): nodes that lack them had the right labels and taints.
fn main_text<'r>(reasons: impl Iterator<Item = &'r Reason>) -> Option<&'static KnownText> {
    let known = reasons.filter(|reason| reason.place.is_some());
    let main = known.max_by_key(|reason| {
        let nodes = if reason.suits { reason.nodes } else { 0 };
        (reason.suits, nodes, Reverse(reason.place), reason.nodes)
    });
    main?.text()
}

/// The cause of a Pod without a node; `None` if it had one, which a status of the kubelet proves.
///
/// Evidence: the condition `PodScheduled` that was not true, else an Event of a scheduler (but not the one about a Pod that is
/// being deleted), else the absence of both: no scheduler looked at the Pod.
pub(crate) fn unscheduled<'a>(case: &Case<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    let with_kubelet = |container: &Container| container.started || container.state != ContainerState::Absent;
    if pod.node.is_some() || pod.start_time.is_some() || pod.containers.iter().any(with_kubelet) {
        return None;
    }
    let condition = pod.not_scheduled.as_deref();
    // A missing Event does not prove that no scheduler looked at the Pod.
    if pod.from_events && condition.is_none() {
        return None;
    }
    if let Some(condition) = condition.filter(|condition| &*condition.reason == "SchedulingGated") {
        return Some(Finding::on(Cause::SchedulingGated, pod).message(&condition.message));
    }
    let said = condition
        .map(|condition| &*condition.message)
        .filter(|message| !message.is_empty());
    let message = match said {
        Some(message) if !is_general(message) => Some(message),
        said => nodes_event(case, pod, said.is_some()).or(said),
    };
    let found = match message {
        Some(message) => {
            let (cause, text) = text_cause(message);
            Finding::on(cause, pod).message(message).advised(text)
        }
        None => Finding::on(Cause::Unschedulable, pod),
    };
    // A Pod that is known from Events alone has the autoscaler's Event as its condition, if no scheduler wrote one.
    let autoscaler = autoscaler(case, pod).filter(|event| message != Some(&event.message));
    Some(match autoscaler {
        // No node that an autoscaler would add has a volume that is missing.
        Some(event) if found.cause != Cause::VolumeUnavailable || &*event.reason == "FailedScaleUp" => {
            found.autoscaler(autoscaler).advised(AUTOSCALER.find(&event.message))
        }
        Some(_) => found.autoscaler(autoscaler),
        None => found,
    })
}

/// The message of a scheduler's Event; with `nodes`, only one that names the reasons of nodes.
fn nodes_event<'a>(case: &Case<'a>, pod: &Pod, nodes: bool) -> Option<&'a str> {
    let said = |event: &&Event| {
        let skipped = is_karpenter(event) || event.message.contains("skip schedule deleting pod");
        REASONS.contains(&&*event.reason) && !skipped && (!nodes || !is_general(&event.message))
    };
    let mut events = case.events(&pod.uid).filter(said);
    events.next().map(|event| &*event.message)
}

/// True for a message about a group of Pods that names no reason of its own; an Event beside it often does.
fn is_general(message: &str) -> bool {
    let says_nodes = message.contains(" available: ") || message.contains(" unavailable: ");
    !says_nodes && (message.contains("pod group is ") || message.contains("optimistic rejection in PostFilter"))
}

fn is_karpenter(event: &Event) -> bool {
    event.component.starts_with("karpenter")
}

/// The Event of an autoscaler that says the most: an attempt that failed, then why there was none, then one that was under way.
/// Karpenter writes `FailedScheduling` and `Nominated` (`pkg/controllers/provisioning/scheduling/events.go`), the Cluster
/// Autoscaler the others (`processors/status/eventing_scale_up_processor.go`).
fn autoscaler<'a>(case: &Case<'a>, pod: &Pod) -> Option<&'a Event> {
    let latest = |says: &dyn Fn(&Event) -> bool| case.events(&pod.uid).find(|event| says(event));
    latest(&|event| &*event.reason == "FailedScaleUp")
        .or_else(|| latest(&|event| &*event.reason == "FailedScheduling" && is_karpenter(event)))
        .or_else(|| latest(&|event| &*event.reason == "NotTriggerScaleUp"))
        .or_else(|| latest(&|event| matches!(&*event.reason, "TriggeredScaleUp" | "Nominated")))
}
