//! Messages of schedulers about a Pod without a node.

use job_event::evidence::{Event, Pod};
use job_judge::{Cause, Judgement, Retry};

use crate::support::*;

/// Judges a Job whose Pod had no node until the deadline.
pub(crate) fn judged(message: &str, events: Vec<Event>) -> Judgement {
    let pending = Pod {
        node: None,
        start_time: None,
        not_scheduled: not_scheduled("Unschedulable", message).filter(|_| !message.is_empty()),
        ..pod("Pending", vec![container("main")])
    };
    deadline(pending, events)
}

fn check(rows: &[(&str, Cause, Retry, &str)]) {
    for (message, cause, retry, next_step) in rows {
        assert_advice(judged(message, vec![]), message, *cause, *retry, next_step);
    }
}

#[test]
fn plugins_are_known_by_name() {
    check(&[
        (
            "running PreBind plugin \"VolumeBinding\": binding volumes: context deadline exceeded",
            Cause::VolumeUnavailable,
            Retry::Maybe,
            "PersistentVolumeClaim",
        ),
        (
            "running PreBind plugin \"VolumeBinding\": Operation cannot be fulfilled on persistentvolumeclaims \"data\"",
            Cause::VolumeUnavailable,
            Retry::Maybe,
            "PersistentVolumeClaim",
        ),
        (
            "error while running \"VolumeBinding\" prefilter plugin for pod \"j-a\": could not find v1.PersistentVolumeClaim",
            Cause::VolumeUnavailable,
            Retry::Maybe,
            "PersistentVolumeClaim",
        ),
        (
            "running \"VolumeZone\" filter plugin: could not find PersistentVolume",
            Cause::VolumeUnavailable,
            Retry::Maybe,
            "PersistentVolume",
        ),
        (
            "running Reserve plugin \"DynamicResources\": waiting for resource driver to allocate resource",
            Cause::DeviceUnavailable,
            Retry::Maybe,
            "DRA driver",
        ),
        (
            "running Bind plugin \"DefaultBinder\": Operation cannot be fulfilled on pods/binding \"j-a\": etcdserver: timeout",
            Cause::Unschedulable,
            Retry::Maybe,
            "log of the scheduler",
        ),
    ]);
}

#[test]
fn nodes_that_suit_the_pod_decide_the_next_step() {
    check(&[
        (
            "0/6 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, 5 Insufficient \
             cpu. preemption: 0/6 nodes are available: 1 Preemption is not helpful for scheduling, 5 No preemption victims found.",
            Cause::Unschedulable,
            Retry::Maybe,
            "Request less",
        ),
        (
            "0/6 nodes are available: 1 Insufficient cpu, 5 node(s) had untolerated taint {dedicated: gpu}.",
            Cause::Unschedulable,
            Retry::Maybe,
            "Request less",
        ),
        (
            "0/6 nodes are available: 6 node(s) didn't match Pod's node affinity/selector.",
            Cause::Unschedulable,
            Retry::Maybe,
            "nodeSelector",
        ),
        (
            "0/6 nodes are available: 6 node(s) had untolerated taint {dedicated: gpu}.",
            Cause::Unschedulable,
            Retry::Maybe,
            "toleration",
        ),
        (
            "0/6 nodes are available: 5 node(s) didn't match Pod's node affinity/selector, 1 Insufficient memory.",
            Cause::Unschedulable,
            Retry::Maybe,
            "Request less",
        ),
        (
            "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint {node.kubernetes.io/unreachable: }.",
            Cause::Unschedulable,
            Retry::Maybe,
            "not ready",
        ),
        (
            "0/3 nodes are available: 3 node(s) were unschedulable.",
            Cause::Unschedulable,
            Retry::Maybe,
            "Uncordon",
        ),
        (
            "0/3 nodes are available: 3 node(s) had untolerated taint {node.kubernetes.io/not-ready: }.",
            Cause::Unschedulable,
            Retry::Maybe,
            "not ready",
        ),
    ]);
}

#[test]
fn each_reason_of_the_scheduler_has_a_next_step() {
    check(&[
        (
            "0/3 nodes are available: 3 Too many pods.",
            Cause::Unschedulable,
            Retry::Maybe,
            "Request less",
        ),
        (
            "0/3 nodes are available: 3 node(s) didn't match pod topology spread constraints.",
            Cause::Unschedulable,
            Retry::Maybe,
            "topologySpreadConstraints",
        ),
        (
            "0/3 nodes are available: 3 node(s) didn't satisfy existing pods anti-affinity rules.",
            Cause::Unschedulable,
            Retry::Maybe,
            "anti-affinity",
        ),
        (
            "0/3 nodes are available: 3 node(s) didn't have free ports for the requested pod ports.",
            Cause::Unschedulable,
            Retry::Maybe,
            "hostPort",
        ),
        (
            "no nodes available to schedule pods",
            Cause::Unschedulable,
            Retry::Maybe,
            "Add nodes",
        ),
        (
            "0/0 nodes are available.",
            Cause::Unschedulable,
            Retry::Maybe,
            "Add nodes",
        ),
    ]);
}

#[test]
fn volumes_and_devices_are_causes_only_if_nothing_else_is_lacking() {
    for (message, cause) in [
        (
            "0/3 nodes are available: 3 node(s) had volume node affinity conflict.",
            Cause::VolumeUnavailable,
        ),
        (
            "0/3 nodes are available: 1 Insufficient memory, 2 node(s) had volume node affinity conflict.",
            Cause::Unschedulable,
        ),
        (
            "0/3 nodes are available: 3 node(s) exceed max volume count.",
            Cause::VolumeUnavailable,
        ),
        (
            "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.",
            Cause::DeviceUnavailable,
        ),
        // Every node lacks the device, one of them lacks more.
        (
            "0/3 nodes are available: 1 Insufficient cpu, 3 Insufficient nvidia.com/gpu.",
            Cause::DeviceUnavailable,
        ),
        (
            "0/3 nodes are available: 3 Insufficient cpu, 3 Insufficient nvidia.com/gpu.",
            Cause::Unschedulable,
        ),
        (
            "0/3 nodes are available: 1 Insufficient nvidia.com/gpu, 2 Insufficient cpu.",
            Cause::Unschedulable,
        ),
        (
            "0/3 nodes are available: 2 node(s) didn't match Pod's node affinity/selector, 1 Insufficient amd.com/gpu.",
            Cause::DeviceUnavailable,
        ),
        (
            "0/3 nodes are available: 3 Insufficient hugepages-2Mi.",
            Cause::Unschedulable,
        ),
    ] {
        assert_eq!(judged(message, vec![]).cause, Some(cause), "{message}");
    }
}

#[test]
fn other_schedulers_are_understood() {
    let not = Cause::Unschedulable;
    check(&[
        (
            "pod group is not ready, 3 Pending, 4 minAvailable; Pending: 1 Undetermined, 2 Unschedulable",
            not,
            Retry::Maybe,
            "PodGroup",
        ),
        (
            "0/3 nodes are unavailable: 3 Insufficient cpu.",
            not,
            Retry::Maybe,
            "Request less",
        ),
        (
            "0/2 nodes are unavailable: 2 Insufficient nvidia.com/gpu.",
            Cause::DeviceUnavailable,
            Retry::Maybe,
            "device plugin",
        ),
        (
            "Request 'j-a' does not fit in queue 'root.default' (requested map[memory:8589934592], available map[memory:0])",
            not,
            Retry::Maybe,
            "queue",
        ),
        (
            "0/9 nodes are available: Insufficient quotas [[nvidia.com/gpu]], quotaName: team, runtime: cpu:8,nvidia.com/gpu:1, used: \
             cpu:8, exceedDimensions: [nvidia.com/gpu].",
            not,
            Retry::Maybe,
            "queue",
        ),
        (
            "Application spark-1 does not fit into root.batch queue",
            not,
            Retry::Maybe,
            "queue",
        ),
        (
            "pod \"j-a\" rejected while waiting on permit: rejected due to timeout after waiting 60s at plugin Coscheduling",
            not,
            Retry::Maybe,
            "PodGroup",
        ),
        (
            "0/10 nodes are available: 10 pre-filter pod j-a cannot find enough sibling pods, current pods number: 1, minMember \
             of group: 8.",
            not,
            Retry::Maybe,
            "PodGroup",
        ),
        (
            "No nodes with enough resources were found: 2 node(s) didn't have enough resources: GPUs.",
            Cause::DeviceUnavailable,
            Retry::Maybe,
            "GPU",
        ),
        (
            "Pod not supported on Fargate: invalid SecurityContext fields: Privileged, volumes not supported: data is of an \
             unsupported volume Type",
            not,
            Retry::No,
            "Fargate",
        ),
        (
            "Fargate capacity is unavailable at this time. Please try again later or in a different availability zone",
            not,
            Retry::Yes,
            "Fargate",
        ),
        (
            "Your pod's cpu/memory requirements exceed the max Fargate configuration",
            not,
            Retry::No,
            "Fargate",
        ),
    ]);
}

#[test]
fn an_event_names_the_reason_that_a_group_does_not() {
    let detail = event(
        "pod-a",
        "FailedScheduling",
        "0/3 nodes are unavailable: 3 Insufficient nvidia.com/gpu.",
        30,
    );
    let judgement = judged("pod group is not ready, 1 Pending, 1 minAvailable", vec![detail]);
    assert_eq!(judgement.cause, Some(Cause::DeviceUnavailable));
    assert!(
        judgement.summary.contains("Insufficient nvidia.com/gpu"),
        "{}",
        judgement.summary
    );
}

#[test]
fn a_scheduler_that_does_not_run_reports_nothing() {
    let judgement = judged("", vec![]);
    assert_eq!(judgement.cause, Some(Cause::Unschedulable));
    assert!(judgement.next_step.unwrap().contains("schedulerName"));
}
