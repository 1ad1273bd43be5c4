//! Reports of autoscalers about a Pod without a node.

use super::{Family, KnownText};
use crate::category::Retry;
use crate::cause::Cause;

const fn row(says: &'static [&'static str], next_step: &'static str, source: &'static str) -> KnownText {
    KnownText {
        says,
        cause: Cause::Unschedulable,
        retry: Retry::Maybe,
        next_step,
        source,
    }
}

/// The next step of a Job that an autoscaler did not help in time.
pub(crate) const NODE_REQUESTED_NEXT_STEP: &str = "Raise activeDeadlineSeconds or keep spare nodes: a node for the Pod was \
                                                   requested but not ready in time; if none ever joins, look at the autoscaler \
                                                   and the new machine.";

const CLUSTER_AUTOSCALER: &str = "kubernetes/autoscaler: cluster-autoscaler/core/scaleup, processors/status";

/// A report of an autoscaler changes the next step only: the scheduler's message proves the cause.
pub(crate) const AUTOSCALER: Family = Family {
    name: "Autoscalers",
    searched_in: "Events `FailedScaleUp`, `NotTriggerScaleUp`, `TriggeredScaleUp` and `Nominated`, and those of Karpenter, about a \
                  Pod without a node. They change the next step; the scheduler's message proves the cause.",
    texts: &[
        row(
            &[
                "quota exceeded",
                "quota_exceeded",
                "quotaexceeded",
                "exceeding approved",
                "vcpulimitexceeded",
                "vcpu limit",
                "vcpu capacity than your current",
                "instancelimitexceeded",
                "maxspotinstancecountexceeded",
            ],
            "Raise the cloud account's quota for this machine type (the autoscaler could not add a node), or use another \
             machine type or region; then run it again.",
            "kubernetes/autoscaler: cluster-autoscaler/cloudprovider/gce; huggingface/Google-Cloud-Containers#126; \
             cortexlabs/cortex#1685; AWS and Azure: error codes",
        ),
        row(
            &[
                "out of resources",
                "out_of_resources",
                "resource_pool_exhausted",
                "stockout",
                "insufficientinstancecapacity",
                "insufficient capacity",
                "insufficient regional resources",
                "unfulfillablecapacity",
                "overconstrained",
                "allocationfailed",
                "skunotavailable",
                "sku not available",
                "enough resources available to fulfill",
                "not available in location",
                "capacity is unavailable",
            ],
            "Run it again later, or let the autoscaler use other machine types, zones or on-demand capacity: the cloud \
             provider had no capacity for this machine type.",
            "kubernetes/autoscaler: cluster-autoscaler/cloudprovider/{gce,aws,azure}; AWS and Azure: error codes",
        ),
        row(
            &[
                "ip_space_exhausted",
                "ip space exhausted",
                "insufficientfreeaddressesinsubnet",
                "free addresses",
                "ran out of ips",
            ],
            "Enlarge the subnet of the nodes: it has no free addresses for another node.",
            "kubernetes/autoscaler: cluster-autoscaler/cloudprovider/gce; AWS: error codes",
        ),
        row(
            &[
                "service account deleted",
                "unauthorizedoperation",
                "permission",
                "authfailure",
                "forbidden",
            ],
            "Grant the cloud permission named in the message to the autoscaler or the node group.",
            "kubernetes/autoscaler: cluster-autoscaler/cloudprovider/gce/mig_info_provider.go",
        ),
        row(
            &[
                "max node group size reached",
                "max cluster",
                "max limit reached",
                "limit reached",
                "exceed limits for",
                "limits exceeded",
                "would exceed limits",
            ],
            "Raise the maximum size of the node group (or the limits of the NodePool), or request less.",
            "kubernetes/autoscaler: cluster-autoscaler/core/scaleup/orchestrator; kubernetes/autoscaler#5692; \
             kubernetes/autoscaler#3268; kubernetes-sigs/karpenter: pkg/controllers/provisioning/scheduling",
        ),
        row(
            &["no nodepools found", "no provisioners found"],
            "Create a NodePool for Karpenter, or make an existing one ready.",
            "kubernetes-sigs/karpenter: pkg/controllers/provisioning/provisioner.go",
        ),
        row(
            &[
                "no instance type",
                "instance type which",
                "all available instance types",
            ],
            "Request less, or let a NodePool use instance types that are large enough and fit the Pod's requirements.",
            "kubernetes-sigs/karpenter: pkg/controllers/provisioning/scheduling; aws/karpenter-provider-aws#5676",
        ),
        row(
            &[
                "did not tolerate",
                "incompatible requirements",
                "incompatible with nodepool",
                "incompatible with provisioner",
            ],
            "Make the Pod's tolerations, nodeSelector and affinity fit a NodePool, or add a NodePool that fits them.",
            "kubernetes-sigs/karpenter: pkg/controllers/provisioning/scheduling; kubernetes-sigs/karpenter#1162; \
             aws/karpenter-provider-aws#4738",
        ),
        row(
            &["in backoff after failed scale-up"],
            "Look at the autoscaler's status (ConfigMap cluster-autoscaler-status) and log: an earlier attempt to add a node failed.",
            CLUSTER_AUTOSCALER,
        ),
        row(
            &["volume node affinity conflict", "persistentvolume"],
            "Look at the volumes of the Pod: no node group can add a node that can use them.",
            CLUSTER_AUTOSCALER,
        ),
        row(
            &["insufficient", "too many pods"],
            "Request less, or add a node group with larger machines: no node group has machines that are large enough.",
            "kubernetes/autoscaler: cluster-autoscaler/core/scaleup; kubernetes/autoscaler#1607",
        ),
        row(
            &[
                "untolerated taint",
                "had taint",
                "node affinity",
                "node selector",
                "pod affinity",
                "anti-affinity",
            ],
            "Add a node group whose labels and taints fit the Pod, or change its nodeSelector, affinity and tolerations.",
            CLUSTER_AUTOSCALER,
        ),
        row(
            &["wouldn't fit if a new node is added"],
            "Compare the Pod's requests, selectors and tolerations with the node groups: no node that the autoscaler could add fits \
             the Pod.",
            "kubernetes/autoscaler: cluster-autoscaler/core/scaleup; kubernetes/autoscaler#2749",
        ),
        row(
            &["triggered scale-up", "pod should schedule on"],
            NODE_REQUESTED_NEXT_STEP,
            "kubernetes/autoscaler: cluster-autoscaler/processors/status/eventing_scale_up_processor.go; \
             kubernetes-sigs/karpenter: pkg/controllers/provisioning/scheduling/events.go",
        ),
        row(
            &["scale up", "scale-up"],
            "Look at the autoscaler's log and status (ConfigMap cluster-autoscaler-status): it could not add a node for the Pod.",
            CLUSTER_AUTOSCALER,
        ),
    ],
};
