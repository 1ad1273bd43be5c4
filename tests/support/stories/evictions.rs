//! Pods that the kubelet evicted before Kubernetes 1.26, which wrote no condition `DisruptionTarget`.

use job_judge::{Cause, Retry};
use serde_json::json;

use super::story::Story;

/// A running Pod that its kubelet evicts.
fn evicted(name: &'static str, cause: Cause, message: &str) -> Story {
    Story::one_try(name, cause)
        .at(1)
        .runs("a")
        .at(9)
        .tell("pods/a", "Warning", "Evicted", message)
        .at(10)
        .patch("pods/a", json!({"status": {"reason": "Evicted", "message": message}}))
        .ends("a", 137, "Error")
        .at(11)
        .backoff()
}

pub(super) fn stories() -> Vec<Story> {
    vec![
        evicted(
            "evicted-own-disk",
            Cause::NodePressure,
            "The node was low on resource: ephemeral-storage. Container main was using 8250536Ki, which exceeds its request of 0. ",
        )
        .sentence("8250536Ki")
        .retry(Retry::Maybe)
        .next_step("Set requests.ephemeral-storage"),
        evicted(
            "evicted-disk-pressure",
            Cause::NodePressure,
            "The node was low on resource: [DiskPressure]. ",
        )
        .retry(Retry::Yes)
        .next_step("Run it again; free or enlarge the node's disk"),
        evicted(
            "evicted-inodes",
            Cause::NodePressure,
            "The node was low on resource: inodes. ",
        )
        .retry(Retry::Yes)
        .next_step("Run it again; the node ran out of inodes"),
        evicted(
            "evicted-container-limit",
            Cause::EphemeralStorageExceeded,
            "Container main exceeded its local ephemeral storage limit \"1Gi\". ",
        )
        .retry(Retry::No)
        .next_step("Raise limits.ephemeral-storage"),
    ]
}
