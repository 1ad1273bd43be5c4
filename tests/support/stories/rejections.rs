//! Pods rejected by the kubelet of their node.

use job_judge::{Cause, Retry};
use serde_json::json;

use super::story::{Story, time};

/// A Pod rejected by the kubelet: no statuses, no conditions.
fn rejected(name: &'static str, cause: Cause, reason: &str, message: &str) -> Story {
    Story::one_try(name, cause)
        .patch("pods/a", json!({"spec": {"nodeName": "node1"}}))
        .at(1)
        .patch(
            "pods/a",
            json!({"status": {"phase": "Failed", "reason": reason, "startTime": time(1),
                "message": format!("Pod was rejected: {message}")}}),
        )
        .warns("pods/a", reason, message)
        .at(2)
        .backoff()
}

pub(super) fn stories() -> Vec<Story> {
    let mut stories = devices();
    stories.extend(others());
    stories
}

fn devices() -> Vec<Story> {
    vec![
        rejected(
            "devices-unhealthy",
            Cause::DeviceUnavailable,
            "UnexpectedAdmissionError",
            "Allocate failed due to no healthy devices present; cannot allocate unhealthy devices example.com/gpu, which is unexpected",
        ),
        rejected(
            "devices-taken",
            Cause::DeviceUnavailable,
            "UnexpectedAdmissionError",
            "Allocate failed due to requested number of devices unavailable for example.com/gpu. Requested: 1, Available: 0, which is unexpected",
        ),
        rejected(
            "device-plugin-error",
            Cause::DeviceUnavailable,
            "UnexpectedAdmissionError",
            "Allocate failed due to device plugin GetPreferredAllocation rpc failed with err: rpc error: code = Unknown desc = \
             nvml: GPU is lost, which is unexpected",
        )
        .next_step("Look at the GPU and its driver"),
        rejected(
            "device-plugin-gone",
            Cause::DeviceUnavailable,
            "UnexpectedAdmissionError",
            "Allocate failed due to rpc error: code = Unavailable desc = error reading from server: EOF, which is unexpected",
        )
        .next_step("Look at the log of the device plugin"),
    ]
}

fn others() -> Vec<Story> {
    vec![
        rejected(
            "out-of-cpu",
            Cause::NodeRejected,
            "OutOfcpu",
            "Node didn't have enough resource: cpu, requested: 1000000, used: 100, capacity: 2000",
        )
        .retry(Retry::Yes),
        rejected(
            "node-affinity",
            Cause::NodeRejected,
            "NodeAffinity",
            "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
        ),
        rejected(
            "plugin-resources",
            Cause::NodeRejected,
            "UnexpectedAdmissionError",
            "Update plugin resources failed due to x, which is unexpected",
        ),
        rejected(
            "topology",
            Cause::NodeRejected,
            "TopologyAffinityError",
            "Resources cannot be allocated with Topology locality",
        )
        .retry(Retry::Maybe),
        rejected(
            "sysctl",
            Cause::NodeRejected,
            "SysctlForbidden",
            "forbidden sysctl: \"kernel.shm_rmid_forced\" not allowlisted",
        )
        .retry(Retry::No),
        rejected(
            "attachment-limit",
            Cause::VolumeUnavailable,
            "VolumeAttachmentLimitExceeded",
            "Node has reached its volume attachment limit, rejecting pod.",
        ),
        rejected(
            "virtual-node",
            Cause::NodeRejected,
            "ProviderFailed",
            "the requested resource is not available in the location 'westeurope' at this moment",
        )
        .next_step("Read the message: the provider of the virtual node"),
        rejected(
            "pressure-at-admission",
            Cause::NodePressure,
            "Evicted",
            "The node had condition: [MemoryPressure]. ",
        ),
        rejected(
            "shutdown-at-admission",
            Cause::NodeShutdown,
            "NodeShutdown",
            "Pod was rejected as the node is shutting down.",
        ),
    ]
}
