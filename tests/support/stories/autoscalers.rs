//! Pods without a node, and what the autoscaler reports about them.

use job_judge::{Cause, Retry};

use super::pending::without_node;
use super::story::Story;

const CPU: &str = "0/3 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, 2 \
                   Insufficient cpu. preemption: 0/3 nodes are available: 1 Preemption is not helpful for scheduling, 2 No \
                   preemption victims found for incoming pod.";
const GPU: &str = "0/4 nodes are available: 4 Insufficient nvidia.com/gpu. preemption: 0/4 nodes are available: 4 No preemption \
                   victims found for incoming pod.";

/// A Pod that the scheduler cannot place, and Events of an autoscaler.
fn scaled(name: &'static str, cause: Cause, lacking: &str, component: &str, events: &[(&str, &str)]) -> Story {
    without_node(name, cause, "Unschedulable", lacking, |story| {
        let mut story = story.at(2);
        for (reason, message) in events {
            let kind = match *reason {
                "FailedScaleUp" | "FailedScheduling" => "Warning",
                _ => "Normal",
            };
            story = story.tell("pods/a", kind, reason, message).by(component);
        }
        story
    })
    .retry(Retry::Maybe)
}

pub(super) fn stories() -> Vec<Story> {
    let mut stories = cluster_autoscaler();
    stories.extend(karpenter());
    stories
}

fn cluster_autoscaler() -> Vec<Story> {
    let component = "cluster-autoscaler";
    vec![
        scaled(
            "autoscaler-gce-quota",
            Cause::DeviceUnavailable,
            GPU,
            component,
            &[
                ("TriggeredScaleUp", "pod triggered scale-up: [{gpu-pool 0->1 (max: 4)}]"),
                (
                    "FailedScaleUp",
                    "Node scale up in zones us-central1-c associated with this pod failed: GCE quota exceeded. Pod is at risk of \
                     not being scheduled.",
                ),
                (
                    "NotTriggerScaleUp",
                    "pod didn't trigger scale-up: 1 in backoff after failed scale-up, 2 node(s) didn't match Pod's node \
                     affinity/selector",
                ),
            ],
        )
        .sentence("4 Insufficient nvidia.com/gpu”; the autoscaler reported “Node scale up in zones us-central1-c")
        .next_step("Raise the cloud account's quota"),
        scaled(
            "autoscaler-gce-stockout",
            Cause::Unschedulable,
            CPU,
            component,
            &[(
                "FailedScaleUp",
                "Node scale up in zones europe-west4-a associated with this pod failed: GCE out of resources. Pod is at risk of \
                 not being scheduled.",
            )],
        )
        .next_step("Run it again later"),
        scaled(
            "autoscaler-at-maximum",
            Cause::Unschedulable,
            CPU,
            component,
            &[(
                "NotTriggerScaleUp",
                "pod didn't trigger scale-up: 12 node(s) didn't match Pod's node affinity/selector, 3 max node group size reached",
            )],
        )
        .sentence("the autoscaler reported “pod didn't trigger scale-up")
        .next_step("Raise the maximum size of the node group"),
        scaled(
            "autoscaler-no-group-fits",
            Cause::Unschedulable,
            CPU,
            component,
            &[(
                "NotTriggerScaleUp",
                "pod didn't trigger scale-up (it wouldn't fit if a new node is added): 1 Insufficient cpu",
            )],
        )
        .next_step("Request less, or add a node group"),
        scaled(
            "autoscaler-too-slow",
            Cause::Unschedulable,
            CPU,
            component,
            &[("TriggeredScaleUp", "pod triggered scale-up: [{pool-1 3->4 (max: 10)}]")],
        )
        .next_step("Raise activeDeadlineSeconds or keep spare nodes"),
    ]
}

fn karpenter() -> Vec<Story> {
    vec![
        scaled(
            "karpenter-no-instance-type",
            Cause::Unschedulable,
            CPU,
            "karpenter",
            &[(
                "FailedScheduling",
                "Failed to schedule pod, incompatible with nodepool \"default\", daemonset overhead={\"cpu\":\"180m\",\"pods\":\"4\"}, \
                 no instance type satisfied resources {\"cpu\":\"192180m\",\"pods\":\"5\"} and requirements \
                 karpenter.sh/capacity-type In [spot], kubernetes.io/arch In [amd64] (no instance type which had enough resources \
                 and the required offering met the scheduling requirements)",
            )],
        )
        .sentence("2 Insufficient cpu”; the autoscaler reported “Failed to schedule pod, incompatible with nodepool")
        .next_step("Request less, or let a NodePool use instance types"),
        scaled(
            "karpenter-limits",
            Cause::Unschedulable,
            CPU,
            "karpenter",
            &[(
                "FailedScheduling",
                "Failed to schedule pod, all available instance types exceed limits for nodepool: \"default\"",
            )],
        )
        .next_step("Raise the maximum size"),
    ]
}
