//! Messages of the kubelet about the node: rejections, devices and evictions.

use job_event::evidence::Pod;
use job_judge::{Cause, Judgement, Retry};

use crate::support::*;

/// Judges a Job whose only Pod failed with that `status.reason` and `status.message`.
fn ended_as(reason: &str, message: &str, disruption: Option<&str>) -> Judgement {
    let failed = Pod {
        reason: reason.into(),
        message: message.into(),
        disruption: disruption.and_then(|reason| disrupted(reason, 10)),
        ..pod("Failed", vec![])
    };
    with(job("BackoffLimitExceeded", 20), vec![failed], vec![])
}

fn check(reason: &str, rows: &[(&str, Cause, Retry, &str)]) {
    for (message, cause, retry, next_step) in rows {
        assert_advice(ended_as(reason, message, None), message, *cause, *retry, next_step);
    }
}

#[test]
fn devices_that_could_not_be_allocated_differ_from_other_rejections() {
    let device = Cause::DeviceUnavailable;
    check(
        "UnexpectedAdmissionError",
        &[
            (
                "Pod was rejected: Allocate failed due to requested number of devices unavailable for nvidia.com/gpu. Requested: \
                 1, Available: 0, which is unexpected",
                device,
                Retry::Maybe,
                "device plugin",
            ),
            (
                "Pod was rejected: Allocate failed due to no healthy devices present; cannot allocate unhealthy devices \
                 nvidia.com/mig-1g.5gb, which is unexpected",
                device,
                Retry::Maybe,
                "unhealthy",
            ),
            (
                "Pod Allocate failed due to device plugin GetPreferredAllocation rpc failed with err: rpc error: code = Unknown \
                 desc = error creating nvml.Device 5: nvml: GPU is lost, which is unexpected",
                device,
                Retry::Maybe,
                "driver",
            ),
            (
                "Allocate failed due to rpc error: code = Unavailable desc = error reading from server: EOF, which is unexpected",
                device,
                Retry::Maybe,
                "log of the device plugin",
            ),
            (
                "Allocate failed due to rpc error: code = Unknown desc = request for 'nvidia.com/gpu: 2' too large: maximum \
                 request size for shared resources is 1, which is unexpected",
                device,
                Retry::No,
                "Request only one",
            ),
            (
                "Allocate failed due to cannot allocate unregistered device nvidia.com/gpu, which is unexpected",
                device,
                Retry::Maybe,
                "not registered its devices",
            ),
            (
                "Allocate failed due to not enough cpus available to satisfy request: requested=4, available=2, which is unexpected",
                Cause::NodeRejected,
                Retry::Maybe,
                "NUMA",
            ),
        ],
    );
}

#[test]
fn rejections_have_next_steps_by_reason() {
    for (reason, message, retry, next_step) in [
        (
            "OutOfcpu",
            "Node didn't have enough resource: cpu, requested: 4000, used: 100, capacity: 2000",
            Retry::Yes,
            "Run it again",
        ),
        (
            "OutOfnvidia.com/gpu",
            "Node didn't have enough resource: nvidia.com/gpu",
            Retry::Yes,
            "device plugin",
        ),
        (
            "NodeAffinity",
            "Predicate NodeAffinity failed",
            Retry::Maybe,
            "nodeSelector",
        ),
        (
            "MatchNodeSelector",
            "Predicate MatchNodeSelector failed",
            Retry::Maybe,
            "nodeSelector",
        ),
        (
            "TopologyAffinityError",
            "Resources cannot be allocated with Topology locality",
            Retry::Maybe,
            "NUMA",
        ),
        (
            "SysctlForbidden",
            "forbidden sysctl: \"kernel.msgmax\" not allowlisted",
            Retry::No,
            "sysctl",
        ),
        (
            "PodOSNotSupported",
            "Failed to admit pod as the OS field doesn't match node OS",
            Retry::No,
            "operating system",
        ),
        (
            "ProviderFailed",
            "api call failed: the requested resource is not available",
            Retry::Maybe,
            "provider",
        ),
    ] {
        check(reason, &[(message, Cause::NodeRejected, retry, next_step)]);
    }
}

#[test]
fn devices_that_were_not_prepared_have_next_steps() {
    for (message, retry, next_step) in [
        (
            "Failed to prepare dynamic resources: prepare dynamic resources: DRA driver compute-domain.nvidia.com is not registered",
            Retry::Maybe,
            "DRA driver",
        ),
        (
            "Failed to prepare dynamic resources: prepare dynamic resources: NodePrepareResources failed for ResourceClaim gpu: \
             error preparing devices",
            Retry::Maybe,
            "log of the DRA driver",
        ),
        (
            "Failed to prepare dynamic resources: fetch ResourceClaim ns/gpu: resourceclaims.resource.k8s.io \"gpu\" not found",
            Retry::No,
            "Create the ResourceClaim",
        ),
    ] {
        let events = vec![event("pod-a", "FailedPrepareDynamicResources", message, 50)];
        let judgement = deadline(pod("Pending", vec![container("main")]), events);
        assert_eq!(
            (judgement.cause, judgement.retry),
            (Some(Cause::DeviceUnavailable), Some(retry)),
            "{message}"
        );
        let found = judgement.next_step.unwrap();
        assert!(found.contains(next_step), "{message}\n{found}");
    }
}

#[test]
fn evictions_name_the_resource_that_ran_out() {
    let node = Cause::NodePressure;
    let own = Cause::EphemeralStorageExceeded;
    let rows = [
        (
            "The node was low on resource: ephemeral-storage. Container main was using 8250536Ki, which exceeds its request of 0. ",
            node,
            Retry::Maybe,
            "requests.ephemeral-storage",
        ),
        (
            "The node was low on resource: memory. Threshold quantity: 100Mi, available: 90Mi. Container main was using 4Gi, \
             request is 1Gi, has larger consumption of memory. ",
            node,
            Retry::Maybe,
            "requests.memory",
        ),
        (
            "The node was low on resource: memory. Threshold quantity: 100Mi, available: 90Mi. ",
            node,
            Retry::Yes,
            "node's memory",
        ),
        (
            "The node was low on resource: [DiskPressure]. ",
            node,
            Retry::Yes,
            "disk",
        ),
        ("Pod The node had condition: [DiskPressure]. ", node, Retry::Yes, "disk"),
        (
            "Pod was rejected: The node had condition: [MemoryPressure]. ",
            node,
            Retry::Yes,
            "memory",
        ),
        ("The node was low on resource: inodes. ", node, Retry::Yes, "inodes"),
        (
            "The node was low on resource: pids. Threshold quantity: 100, available: 90. ",
            node,
            Retry::Yes,
            "process ids",
        ),
        (
            "Container main exceeded its local ephemeral storage limit \"1Gi\". ",
            own,
            Retry::No,
            "limits.ephemeral-storage",
        ),
        (
            "pod ephemeral local storage usage exceeds the total limit of containers {{1073741824 0} {<nil>} 1Gi BinarySI}",
            own,
            Retry::No,
            "limits.ephemeral-storage",
        ),
        (
            "Usage of EmptyDir volume \"tmp\" exceeds the limit \"1Gi\". ",
            own,
            Retry::No,
            "sizeLimit",
        ),
    ];
    check("Evicted", &rows);
    // Since 1.26 a condition says the same.
    for (message, cause, retry, next_step) in rows.iter().filter(|row| row.1 == node) {
        let judgement = ended_as("Evicted", message, Some("TerminationByKubelet"));
        assert_eq!(
            (judgement.cause, judgement.retry),
            (Some(*cause), Some(*retry)),
            "{message}"
        );
        assert!(judgement.next_step.unwrap().contains(next_step), "{message}");
    }
    // Before 1.22.
    let shutdown = ended_as("Shutdown", "Node is shutting, evicting pods", None);
    assert_eq!(shutdown.cause, Some(Cause::NodeShutdown));
    // A text that no table knows proves nothing.
    assert_eq!(ended_as("Evicted", "by a robot", None).cause, Some(Cause::Unknown));
}
