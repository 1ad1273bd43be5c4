//! Reasons of schedulers for a Pod without a node: the default one, its plugins, and other ones.

use super::{Family, KnownText, row};
use crate::category::Retry;
use crate::cause::Cause;

const fn unschedulable(says: &'static [&'static str], next_step: &'static str, source: &'static str) -> KnownText {
    row(says, Cause::Unschedulable, Retry::Maybe, next_step, source)
}

const fn volume(says: &'static [&'static str], next_step: &'static str, source: &'static str) -> KnownText {
    row(says, Cause::VolumeUnavailable, Retry::Maybe, next_step, source)
}

const fn device(says: &'static [&'static str], next_step: &'static str, source: &'static str) -> KnownText {
    row(says, Cause::DeviceUnavailable, Retry::Maybe, next_step, source)
}

const VOLUME_BINDING: &str = "Kubernetes: pkg/scheduler/framework/plugins/volumebinding";
const DYNAMIC_RESOURCES: &str = "Kubernetes: pkg/scheduler/framework/plugins/dynamicresources";
const FARGATE: &str = "docs.aws.amazon.com: eks/latest/userguide/fargate.html; kubernetes-sigs/aws-efs-csi-driver#589; \
                       aws/containers-roadmap#2034; aws/containers-roadmap#1890; aws/eks-distro-prow-jobs#11";

/// Searched in each of the reasons of `0/N nodes are available: ...`, and in other messages as a whole.
pub(crate) const SCHEDULER: Family = Family {
    name: "Schedulers",
    searched_in: "Reasons in the condition `PodScheduled` and in Events of schedulers about a Pod without a node. If a \
                  message has several reasons, the reason of the nodes that otherwise suit the Pod counts, else the first one \
                  in this table.",
    texts: &[
        unschedulable(
            &[
                "insufficient quotas",
                "queue resource quota insufficient",
                "does not fit in queue",
                "does not fit into*queue",
                "queue*overused",
                "resource in cluster is overused",
                "over quota",
                "overquota",
                "limit reached for queue",
            ],
            "Raise the quota of the scheduler's queue, wait for its other Pods to finish, or submit to another queue.",
            "volcano-sh/volcano: pkg/scheduler/plugins/capacity, proportion; apache/yunikorn-core: pkg/scheduler/objects; \
             koordinator-sh/koordinator#2389; volcano-sh/volcano#4311",
        ),
        volume(
            &[
                "running*plugin \"volumebinding\"",
                "running \"volumebinding\"",
                "binding volumes",
                "failed to provision volume",
            ],
            "Look at the Events of the PersistentVolumeClaim and at the CSI driver's provisioner: the scheduler chose a node, \
             but the volume was not bound.",
            "Kubernetes: pkg/scheduler/framework/runtime/framework.go, volumebinding/volume_binding.go; milvus-io/milvus-helm#389; \
             volcano-sh/volcano#4050",
        ),
        volume(
            &[
                "running*plugin \"volumezone\"",
                "running \"volumezone\"",
                "running*plugin \"volumerestrictions\"",
                "running \"volumerestrictions\"",
                "running*plugin \"nodevolumelimits\"",
                "running \"nodevolumelimits\"",
            ],
            "Look at the PersistentVolumeClaim, its PersistentVolume and its StorageClass: the scheduler could not evaluate them.",
            "Kubernetes: pkg/scheduler/framework/runtime/framework.go",
        ),
        device(
            &[
                "running*plugin \"dynamicresources\"",
                "running \"dynamicresources\"",
                "waiting for resource driver",
                "waiting for dynamic resource",
            ],
            "Look at the ResourceClaim and at the DRA driver that has to allocate it.",
            "Kubernetes: pkg/scheduler/framework/plugins/dynamicresources; kubernetes-sigs/dra-example-driver#34",
        ),
        device(
            &[
                "device class*does not exist",
                "deviceclass*not found",
                "deviceclass*does not exist",
            ],
            "Install the DRA driver that defines the DeviceClass, or correct the name of the class in the ResourceClaim.",
            DYNAMIC_RESOURCES,
        ),
        device(
            &[
                "resourceclaim*not found",
                "resourceclaim not created yet",
                "resourceclaimtemplate*not found",
            ],
            "Create the ResourceClaim or its template, or correct the reference in the Pod.",
            DYNAMIC_RESOURCES,
        ),
        device(
            &[
                "cannot allocate all claims",
                "resourceclaim",
                "resource claim",
                "device class",
                "deviceclass",
            ],
            "Compare the ResourceClaim's requests with the ResourceSlices of the nodes: no node has such a device free.",
            DYNAMIC_RESOURCES,
        ),
        device(
            &[
                "have enough resources: gpu",
                "gpu memory count on the node",
                "node is not a gpu node",
                "has*nvidia.com/mig-",
                "nodeinsufficientdevice",
                "cardinsufficient",
                "cardtypemismatch",
            ],
            "Check that nodes offer the GPU and that it is free: GPU operator, device plugin, MIG profile, queue of the Pod.",
            "kai-scheduler/KAI-Scheduler#39; kai-scheduler/KAI-Scheduler#256; kai-scheduler/KAI-Scheduler#1876; Project-HAMi/HAMi: pkg/scheduler",
        ),
        device(
            &["insufficient*/"],
            "Check that nodes offer the device and that it is free: device plugin, driver, MIG profile, node allocatable; add such \
             nodes or request fewer.",
            "Kubernetes: pkg/scheduler/framework/plugins/noderesources/fit.go",
        ),
        volume(
            &["persistentvolumeclaim*not found"],
            "Create the PersistentVolumeClaim named in the message, or correct the name in the Pod.",
            VOLUME_BINDING,
        ),
        volume(
            &[
                "persistentvolumeclaim*is being deleted",
                "persistentvolumeclaim*being deleted",
            ],
            "Wait for the deletion of the PersistentVolumeClaim named in the message, and create it again.",
            VOLUME_BINDING,
        ),
        volume(
            &[
                "persistentvolumeclaim*bound to non-existent",
                "non-existent persistentvolume",
                "non-existent pv(s)",
            ],
            "Delete the PersistentVolumeClaim and create it again: the PersistentVolume that it names does not exist.",
            VOLUME_BINDING,
        ),
        volume(
            &[
                "unbound immediate persistentvolumeclaims",
                "unbound persistentvolumeclaims",
                "available persistent volumes to bind",
            ],
            "Look at the Events of the PersistentVolumeClaim: its StorageClass must exist, and a provisioner or a matching \
             PersistentVolume must bind it.",
            VOLUME_BINDING,
        ),
        volume(
            &["volume node affinity conflict", "no available volume zone"],
            "Add a node with room in the zone of the PersistentVolume, or use a StorageClass with volumeBindingMode: \
             WaitForFirstConsumer.",
            "Kubernetes: pkg/scheduler/framework/plugins/volumebinding, volumezone",
        ),
        volume(
            &["exceed max volume count", "attachable-volumes"],
            "Add nodes, or use fewer volumes per Pod: the nodes have as many volumes attached as they support.",
            "Kubernetes: pkg/scheduler/framework/plugins/nodevolumelimits",
        ),
        volume(
            &["readwriteoncepod", "no available disk", "volume in use"],
            "Stop the Pod that uses the volume: only one Pod can use it at a time.",
            "Kubernetes: pkg/scheduler/framework/plugins/volumerestrictions",
        ),
        volume(
            &["enough free storage"],
            "Free or add storage in the storage pools of the nodes (CSIStorageCapacity).",
            VOLUME_BINDING,
        ),
        volume(
            &["persistentvolumeclaim"],
            "Look at the PersistentVolumeClaim named in the message and at its Events.",
            VOLUME_BINDING,
        ),
        row(
            &["not supported on fargate", "exceed the max fargate configuration"],
            Cause::Unschedulable,
            Retry::No,
            "Remove the setting named in the message from the Pod template, because Fargate does not support it, or change \
             the selectors of the Fargate profile so that a node group runs the Pod.",
            FARGATE,
        ),
        row(
            &["fargate capacity is unavailable", "pod provisioning timed out"],
            Cause::Unschedulable,
            Retry::Yes,
            "Run it again later, or add subnets of other zones to the Fargate profile: Fargate had no capacity.",
            FARGATE,
        ),
        unschedulable(
            &[
                "misconfigured fargate profile",
                "fargate profile*blocked",
                "cannot launch any fargate pods",
            ],
            "Correct the Fargate profile named in the message: its role, its subnets, or the limits of the account.",
            FARGATE,
        ),
        unschedulable(
            &[
                "pod group is not ready",
                "pod group is ready",
                "tasks in gang unschedulable",
                "enough sibling pods",
                "optimistic rejection in postfilter",
                "last failed in",
                "waiting on permit",
                "gang*rejected",
                "for gang scheduling",
                "pods from a gang",
            ],
            "Look at the PodGroup: its Pods start only when the minimum number of them fits at once; add capacity, or lower the minimum \
             or the requests.",
            "volcano-sh/volcano: pkg/scheduler/plugins/gang; kubernetes-sigs/scheduler-plugins#416; \
             koordinator-sh/koordinator#1475; volcano-sh/volcano#4978; Kubernetes: pkg/scheduler/framework/plugins/gangscheduling",
        ),
        unschedulable(
            &[
                "nodes available to schedule pods",
                "0/0 nodes are",
                "0 nodes are available",
            ],
            "Add nodes: the scheduler knows none; look for node groups scaled to zero and for nodes that did not join.",
            "Kubernetes: pkg/scheduler/schedule_one.go (ErrNoNodesAvailable)",
        ),
        unschedulable(
            &[
                "insufficient",
                "too many pods",
                "have enough resource",
                "nodes with enough resources",
            ],
            "Request less, or add nodes with enough room: compare the Pod's requests with what the nodes have free (kubectl \
             describe node).",
            "Kubernetes: pkg/scheduler/framework/plugins/noderesources/fit.go",
        ),
        unschedulable(
            &["topology spread constraints"],
            "Add nodes in the other zones, or set whenUnsatisfiable: ScheduleAnyway in topologySpreadConstraints.",
            "Kubernetes: pkg/scheduler/framework/plugins/podtopologyspread",
        ),
        unschedulable(
            &[
                "existing pods anti-affinity",
                "existing pods' anti-affinity",
                "pod anti-affinity rules",
            ],
            "Add nodes, or loosen the anti-affinity: Pods that must not share a node already run on all of them.",
            "Kubernetes: pkg/scheduler/framework/plugins/interpodaffinity",
        ),
        unschedulable(
            &["pod affinity rules", "pod affinity/anti-affinity"],
            "Start the Pods that podAffinity requires, or loosen podAffinity: more nodes do not help.",
            "Kubernetes: pkg/scheduler/framework/plugins/interpodaffinity",
        ),
        unschedulable(
            &["free ports for the requested pod ports", "have free ports"],
            "Remove hostPort, or add nodes on which that port is free.",
            "Kubernetes: pkg/scheduler/framework/plugins/nodeports",
        ),
        unschedulable(
            &["match the requested hostname", "requested node name"],
            "Correct nodeName: no node has that name.",
            "Kubernetes: pkg/scheduler/framework/plugins/nodename",
        ),
        unschedulable(
            &[
                "node affinity",
                "node selector",
                "match pod's node",
                "filtered out by the prefilter result",
            ],
            "Correct nodeSelector and nodeAffinity, or label nodes: more nodes without these labels do not help.",
            "Kubernetes: pkg/scheduler/framework/plugins/nodeaffinity; aws-ia/terraform-aws-eks-blueprints-addons#399",
        ),
        unschedulable(
            &[
                "node.kubernetes.io/not-ready",
                "node.kubernetes.io/unreachable",
                "node.kubernetes.io/disk-pressure",
                "node.kubernetes.io/memory-pressure",
                "node.kubernetes.io/pid-pressure",
                "node.kubernetes.io/network-unavailable",
                "node.cloudprovider.kubernetes.io/uninitialized",
                "had disk pressure",
                "had memory pressure",
                "were not ready",
            ],
            "Look at the nodes: the taint in the message says that they are not ready or run low on resources.",
            "Kubernetes: pkg/controller/nodelifecycle; kubernetes.io: docs/reference/labels-annotations-taints",
        ),
        unschedulable(
            &["were unschedulable", "node.kubernetes.io/unschedulable"],
            "Uncordon nodes (kubectl uncordon), or add others: the nodes are cordoned.",
            "Kubernetes: pkg/scheduler/framework/plugins/nodeunschedulable",
        ),
        unschedulable(
            &["untolerated taint", "had taint", "didn't tolerate", "did not tolerate"],
            "Add a toleration for the taint in the message, or remove the taint: more nodes with it do not help.",
            "Kubernetes: pkg/scheduler/framework/plugins/tainttoleration",
        ),
        unschedulable(
            &[
                "running*plugin",
                "running \"*\" filter",
                "binding rejected",
                "assumepod failed",
            ],
            "Look at the log of the scheduler, and at the object that the message names: scheduling failed with an error; then run it \
             again.",
            "Kubernetes: pkg/scheduler/framework/runtime/framework.go; Project-HAMi/HAMi#39",
        ),
    ],
};
