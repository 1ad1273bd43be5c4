//! Events of autoscalers about a Pod without a node: they change the next step, while the scheduler proves the cause.

use job_event::evidence::Event;
use job_judge::{Cause, Retry};

use crate::scheduler::judged;
use crate::support::*;

fn said(component: &str, reason: &str, message: &str, last: i64) -> Event {
    Event {
        component: component.into(),
        ..event("pod-a", reason, message, last)
    }
}

/// Judges a Job whose Pod lacked a device, with these Events of an autoscaler.
fn check(rows: Vec<(Vec<Event>, &str, &str)>) {
    for (events, part, next_step) in rows {
        let judgement = judged("0/4 nodes are available: 4 Insufficient nvidia.com/gpu.", events);
        assert_eq!(judgement.cause, Some(Cause::DeviceUnavailable));
        assert_eq!(judgement.retry, Some(Retry::Maybe));
        let summary = judgement.summary;
        let joined = "4 Insufficient nvidia.com/gpu”; the autoscaler reported";
        assert!(summary.contains(joined) && summary.contains(part), "{summary}");
        let found = judgement.next_step.unwrap();
        assert!(found.contains(next_step), "{part}\n{found}");
    }
}

#[test]
fn the_cluster_autoscaler_decides_the_next_step() {
    let autoscaler = |reason: &str, message: &str, last| said("cluster-autoscaler", reason, message, last);
    check(vec![
        (
            vec![
                autoscaler(
                    "TriggeredScaleUp",
                    "pod triggered scale-up: [{gpu-pool 0->1 (max: 4)}]",
                    5,
                ),
                autoscaler(
                    "FailedScaleUp",
                    "Node scale up in zones us-central1-c associated with this pod failed: GCE quota exceeded. Pod is at risk of \
                     not being scheduled.",
                    10,
                ),
                autoscaler(
                    "NotTriggerScaleUp",
                    "pod didn't trigger scale-up: 1 in backoff after failed scale-up",
                    20,
                ),
            ],
            "the autoscaler reported “Node scale up in zones us-central1-c associated with this pod failed: GCE quota exceeded",
            "quota",
        ),
        (
            vec![autoscaler(
                "FailedScaleUp",
                "Node scale up in zones a associated with this pod failed: GCE out of resources. Pod is at risk of not being scheduled.",
                10,
            )],
            "GCE out of resources",
            "Run it again later",
        ),
        (
            vec![autoscaler(
                "NotTriggerScaleUp",
                "pod didn't trigger scale-up: 1 max node group size reached, 2 Insufficient cpu, 1 node(s) had untolerated taint {a: b}",
                10,
            )],
            "1 max node group size reached",
            "maximum size",
        ),
        (
            vec![autoscaler(
                "NotTriggerScaleUp",
                "pod didn't trigger scale-up (it wouldn't fit if a new node is added): 2 Insufficient cpu",
                10,
            )],
            "2 Insufficient cpu",
            "larger machines",
        ),
        (
            vec![autoscaler(
                "NotTriggerScaleUp",
                "pod didn't trigger scale-up (it wouldn't fit if a new node is added): 2 node(s) had taint {a: b}",
                10,
            )],
            "2 node(s) had taint",
            "labels and taints",
        ),
        (
            vec![autoscaler(
                "TriggeredScaleUp",
                "pod triggered scale-up: [{gpu-pool 0->1 (max: 4)}]",
                5,
            )],
            "pod triggered scale-up",
            "not ready in time",
        ),
    ]);
}

#[test]
fn karpenter_decides_the_next_step() {
    let karpenter = |reason: &str, message: &str| said("karpenter", reason, message, 10);
    check(vec![
        (
            vec![karpenter(
                "FailedScheduling",
                "Failed to schedule pod, incompatible with nodepool \"default\", daemonset overhead={\"cpu\":\"180m\",\"pods\":\"4\"}, \
                 no instance type satisfied resources {\"cpu\":\"64180m\",\"pods\":\"5\"} and requirements \
                 karpenter.sh/capacity-type In [spot] (no instance type which had enough resources)",
            )],
            "incompatible with nodepool",
            "instance types",
        ),
        (
            vec![karpenter(
                "FailedScheduling",
                "Failed to schedule pod, all available instance types exceed limits for nodepool: \"default\"",
            )],
            "exceed limits for nodepool",
            "limits of the NodePool",
        ),
        (
            vec![karpenter(
                "Nominated",
                "Pod should schedule on: nodeclaim/default-x7k2p",
            )],
            "nodeclaim/default-x7k2p",
            "not ready in time",
        ),
    ]);
}

#[test]
fn an_autoscaler_alone_proves_no_device() {
    let message = "Failed to schedule pod, did not tolerate gpu=true:NoSchedule";
    let judgement = judged("", vec![said("karpenter", "FailedScheduling", message, 10)]);
    assert_eq!(judgement.cause, Some(Cause::Unschedulable));
    assert!(judgement.summary.contains("did not tolerate"), "{}", judgement.summary);
}

#[test]
fn a_missing_volume_keeps_its_next_step() {
    let scaled = "pod didn't trigger scale-up: 2 max node group size reached";
    let events = || vec![said("cluster-autoscaler", "NotTriggerScaleUp", scaled, 10)];
    let judgement = judged(
        "0/1 nodes are available: persistentvolumeclaim \"data\" not found.",
        events(),
    );
    assert_eq!(judgement.cause, Some(Cause::VolumeUnavailable));
    assert!(
        judgement
            .next_step
            .unwrap()
            .starts_with("Create the PersistentVolumeClaim")
    );
}
