//! Rejections of a Pod by the kubelet of its node, by `status.reason`.

use super::{Family, KnownText};
use crate::category::Retry;
use crate::cause::Cause;

const fn row(says: &'static [&'static str], retry: Retry, next_step: &'static str, source: &'static str) -> KnownText {
    KnownText {
        says,
        cause: Cause::NodeRejected,
        retry,
        next_step,
        source,
    }
}

/// Searched after the texts on devices, which prove a cause of their own.
pub(crate) const REJECTION: Family = Family {
    name: "Rejections by the kubelet",
    searched_in: "`status.reason`, else `status.message`, of a Pod that failed at once.",
    texts: &[
        row(
            &["no space left on device", "failed to write checkpoint file"],
            Retry::Maybe,
            "Free space on the disk of that node, because the kubelet could not write its state; then run it again.",
            "Kubernetes: pkg/kubelet/checkpointmanager, pkg/kubelet/cm/devicemanager/manager.go",
        ),
        row(
            &["recover from admission failure"],
            Retry::Maybe,
            "Free resources on that node, because the kubelet found no Pods to preempt for this critical Pod; then run it again.",
            "Kubernetes: pkg/kubelet/preemption/preemption.go",
        ),
        row(
            &["outof*/"],
            Retry::Yes,
            "Run it again; if it fails again, look at the device plugin on that node: the kubelet counts fewer devices than \
             the scheduler.",
            "Kubernetes: pkg/kubelet/lifecycle/predicate.go",
        ),
        row(
            &["outof"],
            Retry::Yes,
            "Run it again: Pods that no scheduler assigned (spec.nodeName, another scheduler) or that had just started used the node's \
             resources.",
            "Kubernetes: pkg/kubelet/lifecycle/predicate.go; kai-scheduler/KAI-Scheduler#306",
        ),
        row(
            &["nodeaffinity", "nodename", "matchnodeselector", "hostname"],
            Retry::Maybe,
            "Check nodeSelector and nodeAffinity against the node's labels, which changed or were set after the node registered; \
             then run it again.",
            "Kubernetes: pkg/kubelet/lifecycle/predicate.go",
        ),
        row(
            &["tainttoleration"],
            Retry::Maybe,
            "Add a toleration for the taint of the node, or run it again on another node.",
            "Kubernetes: pkg/kubelet/lifecycle/predicate.go",
        ),
        row(
            &["nodeports", "podfitshostports"],
            Retry::Maybe,
            "Remove hostPort, or run it again when the port is free on the node.",
            "Kubernetes: pkg/kubelet/lifecycle/predicate.go",
        ),
        row(
            &["sysctlforbidden"],
            Retry::No,
            "Remove the sysctl named in the message, or allow it on the nodes (allowedUnsafeSysctls of the kubelet).",
            "Kubernetes: pkg/kubelet/sysctl/allowlist.go",
        ),
        row(
            &["apparmor"],
            Retry::No,
            "Load the AppArmor profile on the nodes, or use nodes that support AppArmor.",
            "Kubernetes: pkg/security/apparmor/validate.go",
        ),
        row(
            &["podosselectornodelabeldoesnotmatch", "podosnotsupported"],
            Retry::No,
            "Restrict the Pod to nodes of its operating system (spec.os, nodeSelector kubernetes.io/os).",
            "Kubernetes: pkg/kubelet/lifecycle/handlers.go",
        ),
        row(
            &[
                "supplementalgroupspolicynotsupported",
                "podlevelresourcesnotsupported",
                "podfeatureunsupported",
                "initcontainerrestartpolicyforbidden",
            ],
            Retry::No,
            "Use nodes whose Kubernetes version supports the feature named in the message, or remove it from the Pod.",
            "Kubernetes: pkg/kubelet/lifecycle/{handlers,predicate}.go",
        ),
        row(
            &[
                "topologyaffinityerror",
                "smtalignmenterror",
                "emptypodsharedpoolerror",
                "not enough cpus available",
            ],
            Retry::Maybe,
            "Run it again; if it fails again, request CPUs and devices that fit one NUMA node or whole cores, or use nodes with another \
             topologyManagerPolicy.",
            "Kubernetes: pkg/kubelet/cm/{topologymanager,cpumanager,admission}",
        ),
        row(
            &["providerfailed", "providercreatefailed"],
            Retry::Maybe,
            "Read the message: the provider of the virtual node could not create the container; then run it again.",
            "virtual-kubelet/virtual-kubelet: node/pod.go",
        ),
    ],
};
