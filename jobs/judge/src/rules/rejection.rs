//! Pods rejected by the kubelet of their node: `status.reason` of a Pod that failed at once and never had a container.
//!
//! Sources: `pkg/kubelet/lifecycle/predicate.go` and `handlers.go`, `pkg/kubelet/cm/admission/errors.go`,
//! `pkg/kubelet/cm/devicemanager/manager.go`, `pkg/kubelet/cm/topologymanager`, `pkg/kubelet/cm/cpumanager`,
//! `pkg/kubelet/sysctl/allowlist.go` and `admissionRejectionReasons` in `pkg/kubelet/kubelet.go` of Kubernetes.

use job_event::evidence::Pod;

use crate::cause::Cause;
use crate::finding::Finding;

/// Reasons of the kubelet's admission, apart from `OutOf...`, which name the resource.
const REASONS: [&str; 20] = [
    "AppArmor",
    "EmptyPodSharedPoolError",
    "InitContainerRestartPolicyForbidden",
    "InvalidNodeInfo",
    "NodeAffinity",
    "NodeName",
    "NodePorts",
    "PodFeatureUnsupported",
    "PodLevelResourcesNotSupported",
    "PodOSNotSupported",
    "PodOSSelectorNodeLabelDoesNotMatch",
    "SMTAlignmentError",
    "SupplementalGroupsPolicyNotSupported",
    "SysctlForbidden",
    "TaintToleration",
    "TopologyAffinityError",
    "UnexpectedAdmissionError",
    "UnexpectedPredicateFailureType",
    "UnknownReason",
    "VolumeAttachmentLimitExceeded",
];

/// The cause if the kubelet rejected the Pod. Evidence: `status.reason` and `status.message`.
pub(crate) fn rejection<'a>(pod: &'a Pod) -> Option<Finding<'a>> {
    if !pod.reason.starts_with("OutOf") && !REASONS.contains(&&*pod.reason) {
        return None;
    }
    let devices = pod.message.contains("devices unavailable") || pod.message.contains("no healthy devices");
    let cause = match &*pod.reason {
        "VolumeAttachmentLimitExceeded" => Cause::VolumeUnavailable,
        "UnexpectedAdmissionError" if devices => Cause::DeviceUnavailable,
        _ => Cause::NodeRejected,
    };
    Some(
        Finding::on(cause, pod)
            .message(&pod.message)
            .at(pod.start_time.or(pod.created)),
    )
}
