//! Pods rejected by the kubelet of their node: `status.reason` of a Pod that failed at once and never had a container.
//!
//! Sources: `pkg/kubelet/lifecycle/predicate.go` and `handlers.go`, `pkg/kubelet/cm/admission/errors.go`,
//! `pkg/kubelet/cm/devicemanager/manager.go`, `pkg/kubelet/cm/topologymanager`, `pkg/kubelet/cm/cpumanager`,
//! `pkg/kubelet/sysctl/allowlist.go` and `admissionRejectionReasons` in `pkg/kubelet/kubelet.go` of Kubernetes;
//! `node/pod.go` of Virtual Kubelet for `ProviderFailed`.

use job_event::evidence::Pod;

use crate::cause::Cause;
use crate::finding::Finding;
use crate::texts::{DEVICE, REJECTION};

/// Reasons of the kubelet's admission, apart from `OutOf...`, which name the resource; `HostName`, `MatchNodeSelector` and
/// `PodFitsHostPorts` before Kubernetes 1.19.
const REASONS: [&str; 24] = [
    "AppArmor",
    "EmptyPodSharedPoolError",
    "HostName",
    "InitContainerRestartPolicyForbidden",
    "InvalidNodeInfo",
    "MatchNodeSelector",
    "NodeAffinity",
    "NodeName",
    "NodePorts",
    "PodFeatureUnsupported",
    "PodFitsHostPorts",
    "PodLevelResourcesNotSupported",
    "PodOSNotSupported",
    "PodOSSelectorNodeLabelDoesNotMatch",
    "ProviderFailed",
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
    // Only the device manager and its plugins write these texts.
    let device = DEVICE
        .find(&pod.message)
        .filter(|_| &*pod.reason == "UnexpectedAdmissionError");
    let finding = match (&*pod.reason, device) {
        (_, Some(device)) => Finding::on(Cause::DeviceUnavailable, pod).known(device),
        ("VolumeAttachmentLimitExceeded", None) => Finding::on(Cause::VolumeUnavailable, pod),
        (reason, None) => {
            let text = REJECTION.find(reason).or_else(|| REJECTION.find(&pod.message));
            Finding::on(Cause::NodeRejected, pod).advised(text)
        }
    };
    Some(finding.message(&pod.message).at(pod.start_time.or(pod.created)))
}
