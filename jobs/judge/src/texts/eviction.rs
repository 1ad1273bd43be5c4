//! Evictions by the kubelet: the resource that the node or the Pod ran out of.

use super::{Family, row};
use crate::category::Retry;
use crate::cause::Cause;

const HELPERS: &str = "Kubernetes: pkg/kubelet/eviction/helpers.go";

/// The kubelet lists a container in the message only if it used more than it requests, so such a Pod was a part of the problem.
pub(crate) const EVICTION: Family = Family {
    name: "Evictions",
    searched_in: "`status.message` of a Pod that the kubelet evicted.",
    texts: &[
        row(
            &["usage of emptydir"],
            Cause::EphemeralStorageExceeded,
            Retry::No,
            "Raise the sizeLimit of the emptyDir named in the message, or write less to it.",
            HELPERS,
        ),
        row(
            &["exceeded its local ephemeral storage limit"],
            Cause::EphemeralStorageExceeded,
            Retry::No,
            "Raise limits.ephemeral-storage of the container named in the message (its log counts too), or write to a volume.",
            HELPERS,
        ),
        row(
            &["pod ephemeral local storage usage exceeds"],
            Cause::EphemeralStorageExceeded,
            Retry::No,
            "Raise limits.ephemeral-storage (emptyDir volumes and logs count too), or write to a volume.",
            HELPERS,
        ),
        row(
            &[
                "low on resource: ephemeral-storage*was using*request",
                "low on resource: [diskpressure]*was using*request",
                "low on resource: nodefs*was using*request",
            ],
            Cause::NodePressure,
            Retry::Maybe,
            "Set requests.ephemeral-storage to the container's usage in the message, or write to a volume: the Pod used more of the \
             node's disk than it requests.",
            "Kubernetes: pkg/kubelet/eviction/helpers.go (evictionMessage); libero/reviewer#977; nebari-dev/nebari#707",
        ),
        row(
            &[
                "low on resource: memory*was using*request",
                "low on resource: [memorypressure]*was using*request",
            ],
            Cause::NodePressure,
            Retry::Maybe,
            "Set requests.memory to the container's usage in the message: the Pod used more of the node's memory than it \
             requests; the scheduler then chooses a node with enough room.",
            "Kubernetes: pkg/kubelet/eviction/helpers.go (evictionMessage)",
        ),
        row(
            &["low on resource: inodes", "inodesfree"],
            Cause::NodePressure,
            Retry::Yes,
            "Run it again; the node ran out of inodes: write fewer small files, and remove unused images and files from that \
             node.",
            HELPERS,
        ),
        row(
            &["low on resource: pid", "pidpressure"],
            Cause::NodePressure,
            Retry::Yes,
            "Run it again; the node ran out of process ids: limit the processes of each Pod (podPidsLimit of the kubelet), \
             and look for the Pod that started too many.",
            HELPERS,
        ),
        row(
            &[
                "low on resource: ephemeral-storage",
                "low on resource: nodefs",
                "low on resource: imagefs",
                "diskpressure",
            ],
            Cause::NodePressure,
            Retry::Yes,
            "Run it again; free or enlarge the node's disk (images, logs, emptyDir volumes), and set requests.ephemeral-storage on \
             Pods that write to it.",
            "Kubernetes: pkg/kubelet/eviction/helpers.go; microsoft/DLWorkspace#1128",
        ),
        row(
            &["low on resource: memory", "memorypressure"],
            Cause::NodePressure,
            Retry::Yes,
            "Run it again; find the Pods that used the node's memory, and set requests.memory to the usage of each.",
            HELPERS,
        ),
        row(
            &["the node was low on", "the node had condition"],
            Cause::NodePressure,
            Retry::Yes,
            "Run it again; set requests that match the Pod's usage, so that it is scheduled to a node with enough room.",
            HELPERS,
        ),
    ],
};
