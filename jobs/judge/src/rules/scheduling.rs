//! Messages of the scheduler about a Pod without a node.
//!
//! Sources: `pkg/scheduler/framework/plugins/{volumebinding,volumerestrictions,nodevolumelimits}` and
//! `dynamicresources` of Kubernetes for the texts; `pkg/registry/core/pod/strategy.go` for `SchedulingGated`;
//! `pkg/scheduler/schedule_one.go` for the condition `PodScheduled` and the Event `FailedScheduling`.

use job_event::evidence::{Container, ContainerState, Pod};

use crate::case::Case;
use crate::cause::Cause;
use crate::finding::Finding;

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

/// The cause named in a message of the scheduler.
fn text_cause(message: &str) -> Cause {
    // `0/N nodes are available: 1 <reason>, 2 <reason>. preemption: ...`: the reasons before the part on preemption.
    let reasons = message.split(" preemption: ").next().unwrap_or(message);
    let mut volume = VOLUME_TEXTS.iter().any(|text| reasons.contains(text));
    let device = DEVICE_TEXTS.iter().any(|text| reasons.contains(text)) || lacks_device(reasons);
    // If nodes also lack room, the volume is not the only obstacle.
    volume &= !reasons.contains("Insufficient ");
    match (volume, device) {
        (true, false) => Cause::VolumeUnavailable,
        (false, true) => Cause::DeviceUnavailable,
        _ => Cause::Unschedulable,
    }
}

/// True if the nodes lack only devices: `Insufficient nvidia.com/gpu`. Extended resources have a domain.
fn lacks_device(reasons: &str) -> bool {
    let mut lacking = reasons
        .split("Insufficient ")
        .skip(1)
        .filter_map(|rest| rest.split([',', ' ', ';']).next())
        .map(|resource| resource.trim_end_matches('.'))
        .peekable();
    lacking.peek().is_some() && lacking.all(|resource| resource.contains('/'))
}

/// The cause of a Pod without a node; `None` if it had one, which a status of the kubelet proves.
///
/// Evidence: the condition `PodScheduled` that was not true, else the Event `FailedScheduling` (but not the one
/// about a Pod that is being deleted), else the absence of both: no scheduler looked at the Pod.
pub(crate) fn unscheduled<'a>(case: &Case<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    let with_kubelet = |container: &Container| container.started || container.state != ContainerState::Absent;
    if pod.node.is_some() || pod.start_time.is_some() || pod.containers.iter().any(with_kubelet) {
        return None;
    }
    if let Some(condition) = pod.not_scheduled.as_deref() {
        let cause = match &*condition.reason {
            "SchedulingGated" => Cause::SchedulingGated,
            _ => text_cause(&condition.message),
        };
        return Some(Finding::on(cause, pod).message(&condition.message));
    }
    let event = case
        .events(&pod.uid)
        .find(|event| &*event.reason == "FailedScheduling" && !event.message.contains("skip schedule deleting pod"));
    Some(match event {
        Some(event) => Finding::on(text_cause(&event.message), pod).message(&event.message),
        None => Finding::on(Cause::Unschedulable, pod),
    })
}
