//! Pods that the system ended before Kubernetes 1.26, which wrote no condition `DisruptionTarget`.

use job_judge::{Cause, Retry};
use serde_json::json;

use super::kubelet::ended;
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

/// A Pod that the scheduler or the taint manager deletes, which only an Event says.
fn deleted(name: &'static str, cause: Cause, reason: &str, message: &str) -> Story {
    Story::one_try(name, cause)
        .at(1)
        .runs("a")
        .at(10)
        .tell("pods/a", "Normal", reason, message)
        .deletes("a")
        .at(11)
        .backoff_limit_exceeded()
        .at(13)
        .goes("a", &ended("main-0", 143, "Error", 1, 13))
        .at(14)
        .finished()
        .retry(Retry::Yes)
}

pub(super) fn stories() -> Vec<Story> {
    vec![
        deleted(
            "preempted-before-1.26",
            Cause::Preempted,
            "Preempted",
            "Preempted by pod 0f0b66f4 on node node1",
        ),
        deleted(
            "taint-before-1.26",
            Cause::NodeDrained,
            "TaintManagerEviction",
            "Marking for deletion Pod ns/a",
        ),
        deleted(
            "taint-cancelled",
            Cause::PodDeleted,
            "TaintManagerEviction",
            "Cancelling deletion of Pod ns/a",
        ),
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
