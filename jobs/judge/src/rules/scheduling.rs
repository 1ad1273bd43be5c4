//! What the scheduler says of a Pod without a node.
//!
//! Sources: `pkg/scheduler/framework/plugins/{volumebinding,volumerestrictions,nodevolumelimits}` and
//! `dynamicresources` of Kubernetes for the texts; `pkg/registry/core/pod/strategy.go` for `SchedulingGated`;
//! `pkg/scheduler/schedule_one.go` for the condition `PodScheduled` and the Event `FailedScheduling`.

use job_event::evidence::{Container, ContainerState, Pod};

use crate::cause::Cause;
use crate::finding::Finding;
use crate::world::World;

const VOLUME_TEXTS: [&str; 12] = [
    "persistentvolumeclaim",
    "unbound immediate PersistentVolumeClaims",
    "non-existent persistentvolume",
    "available persistent volumes to bind",
    "exceed max volume count",
    "ReadWriteOncePod",
    "volume node affinity conflict",
    "unbound PersistentVolumeClaims",
    "non-existent pv(s)",
    "no available volume zone",
    "no available disk",
    "enough free storage",
];

const DEVICE_TEXTS: [&str; 5] = [
    "resourceclaim",
    "ResourceClaim",
    "cannot allocate all claims",
    "device class",
    "DeviceClass",
];

/// What a message of the scheduler is about.
pub fn text_cause(message: &str) -> Cause {
    // `0/N nodes are available: 1 <reason>, 2 <reason>. preemption: ...`: the reasons before the part on preemption.
    let reasons = message.split(" preemption: ").next().unwrap_or(message);
    let mut volume = VOLUME_TEXTS.iter().any(|text| reasons.contains(text));
    let device = DEVICE_TEXTS.iter().any(|text| reasons.contains(text)) || lacks_device(reasons);
    // Nodes that lack room as well are not the volume's fault: only a message about volumes alone is specific.
    volume &= !reasons.contains("Insufficient ");
    match (volume, device) {
        (true, false) => Cause::VolumeUnavailable,
        (false, true) => Cause::DeviceUnavailable,
        _ => Cause::Unschedulable,
    }
}

/// `Insufficient nvidia.com/gpu`: extended resources have a domain; a Pod lacks a device if nothing else is short.
fn lacks_device(reasons: &str) -> bool {
    let mut lacking = reasons
        .split("Insufficient ")
        .skip(1)
        .filter_map(|rest| rest.split([',', ' ', ';']).next())
        .map(|resource| resource.trim_end_matches('.'))
        .peekable();
    lacking.peek().is_some() && lacking.all(|resource| resource.contains('/'))
}

/// Why a Pod without a node had none; `None` if it had one. What only a kubelet writes proves that it had.
///
/// Evidence: the condition `PodScheduled` that was not true, else the Event `FailedScheduling` (but not the one
/// about a Pod that is being deleted), else the absence of both: no scheduler took the Pod up.
pub fn unscheduled<'a>(world: &World<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    let with_kubelet = |container: &Container| container.started || container.state != ContainerState::Absent;
    if pod.node.is_some() || pod.start_time.is_some() || pod.containers.iter().any(with_kubelet) {
        return None;
    }
    if let Some(condition) = pod.not_scheduled.as_deref() {
        if &*condition.reason == "SchedulingGated" {
            return Some(Finding::on(Cause::SchedulingGated, pod).message(&condition.message));
        }
        return Some(Finding::on(text_cause(&condition.message), pod).message(&condition.message));
    }
    let event = world
        .events(&pod.uid)
        .find(|event| &*event.reason == "FailedScheduling" && !event.message.contains("skip schedule deleting pod"));
    Some(match event {
        Some(event) => Finding::on(text_cause(&event.message), pod).message(&event.message),
        None => Finding::on(Cause::Unschedulable, pod),
    })
}
