//! Pods without a node, in the words of plugins and of other schedulers.

use job_judge::{Cause, Retry};

use super::pending::unscheduled;
use super::story::Story;

pub(super) fn stories() -> Vec<Story> {
    vec![
        unscheduled(
            "volume-binding-filter",
            Cause::VolumeUnavailable,
            "SchedulerError",
            "running \"VolumeBinding\" filter plugin: checking volumes: could not get storageclass \"fast\"",
        )
        .next_step("Look at the Events of the PersistentVolumeClaim"),
        unscheduled(
            "dra-reserve",
            Cause::DeviceUnavailable,
            "Unschedulable",
            "running Reserve plugin \"DynamicResources\": waiting for resource driver to allocate resource",
        )
        .next_step("Look at the ResourceClaim"),
        unscheduled(
            "cordoned",
            Cause::Unschedulable,
            "Unschedulable",
            "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable.",
        )
        .next_step("Uncordon nodes"),
        unscheduled(
            "selector-matches-nothing",
            Cause::Unschedulable,
            "Unschedulable",
            "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector. preemption: 0/3 nodes are available: 3 \
             Preemption is not helpful for scheduling.",
        )
        .retry(Retry::Maybe)
        .next_step("Correct nodeSelector and nodeAffinity"),
        unscheduled(
            "volcano-gang",
            Cause::Unschedulable,
            "Unschedulable",
            "pod group is not ready, 3 Pending, 4 minAvailable; Pending: 3 Unschedulable",
        )
        .next_step("Look at the PodGroup"),
        unscheduled(
            "coscheduling-siblings",
            Cause::Unschedulable,
            "Unschedulable",
            "0/10 nodes are available: 10 pre-filter pod a cannot find enough sibling pods, current pods number: 1, minMember of \
             group: 8.",
        )
        .next_step("Look at the PodGroup"),
        unscheduled(
            "yunikorn-queue",
            Cause::Unschedulable,
            "Unschedulable",
            "Request 'a' does not fit in queue 'root.batch' (requested map[pods:1 vcore:4000], available map[vcore:1000])",
        )
        .next_step("Raise the quota of the scheduler's queue"),
        unscheduled(
            "fargate-privileged",
            Cause::Unschedulable,
            "Unschedulable",
            "Pod not supported on Fargate: invalid SecurityContext fields: Privileged",
        )
        .retry(Retry::No)
        .next_step("Remove the setting named in the message"),
        unscheduled(
            "kai-gpus",
            Cause::DeviceUnavailable,
            "Unschedulable",
            "No nodes with enough resources were found: 2 node(s) didn't have enough resources: GPUs.",
        )
        .next_step("Check that nodes offer the GPU"),
    ]
}
