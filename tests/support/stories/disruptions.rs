//! Pods ended by the system: preemptions, drains, evictions, shutdowns.

use job_judge::{Cause, Retry};
use serde_json::{Value, json};

use super::kubelet::{ended, running, status};
use super::story::{BACKOFF, Story, condition, on_failure};

const SHUTDOWN: &str = "Pod was terminated in response to imminent node shutdown.";

pub(super) fn stories() -> Vec<Story> {
    let mut stories = disruptions();
    stories.extend(evictions());
    stories
}

/// A Pod disrupted through the API: the condition, the deletion, the verdict a second later, the end.
fn disrupted(name: &'static str, cause: Cause, reason: &str, message: &str) -> Story {
    Story::one_try(name, cause)
        .at(1)
        .runs("a")
        .at(10)
        .disrupted("a", reason, message)
        .deletes("a")
        .at(11)
        .backoff_limit_exceeded()
        .at(13)
        .goes("a", &ended("main-0", 143, "Error", 1, 13))
        .at(14)
        .finished()
}

/// A Pod ended by the kubelet as a whole.
fn by_kubelet(name: &'static str, cause: Cause, reason: &str, message: &str, disruption: Option<&str>) -> Story {
    let mut story = Story::one_try(name, cause).at(1).runs("a").at(10);
    if let Some(text) = disruption {
        story = story.disrupted("a", "TerminationByKubelet", text);
    }
    story
        .patch("pods/a", json!({"status": {"reason": reason, "message": message}}))
        .ends("a", 137, "Error")
        .warns("pods/a", reason, message)
        .at(11)
        .backoff()
}

fn disruptions() -> Vec<Story> {
    vec![
        disrupted(
            "evict-api",
            Cause::NodeDrained,
            "EvictionByEvictionAPI",
            "Eviction API: evicting",
        )
        .retry(Retry::Yes),
        disrupted(
            "preempted",
            Cause::Preempted,
            "PreemptionByScheduler",
            "default-scheduler: preempting to accommodate a higher priority pod",
        ),
        disrupted(
            "taint-drain",
            Cause::NodeDrained,
            "DeletionByTaintManager",
            "Taint manager: deleting due to NoExecute taint",
        ),
        disrupted(
            "device-taint",
            Cause::DeviceUnavailable,
            "DeletionByDeviceTaintManager",
            "Device Taint manager: deleting due to NoExecute taint",
        )
        .sentence("a device requested by Pod a was not available: “Device Taint manager"),
        failed_before_drain(),
        preemption_called_off(),
        drained_while_restarting(),
    ]
}

/// The program failed before the drain; its proxy kept the Pod alive.
fn failed_before_drain() -> Story {
    let pod = json!({"spec": {"containers": [
        {"name": "main", "image": "registry.example/app:9"}, {"name": "proxy", "image": "registry.example/proxy:1"}]}});
    let failed = ended("main-0", 3, "Error", 1, 9);
    let states = |proxy: &Value| [status("main", &failed, None, 0), status("proxy", proxy, None, 0)];
    Story::failed("failed-before-drain", BACKOFF, Cause::NonZeroExit)
        .job(json!({"backoffLimit": 0}))
        .pod_of("j", "a", pod)
        .at(1)
        .admitted("a")
        .states(
            "a",
            "Running",
            &[
                status("main", &running(1), None, 0),
                status("proxy", &running(1), None, 0),
            ],
        )
        .at(9)
        .states("a", "Running", &states(&running(1)))
        .at(10)
        .disrupted("a", "EvictionByEvictionAPI", "Eviction API: evicting")
        .deletes("a")
        .at(11)
        .backoff_limit_exceeded()
        .at(13)
        .states("a", "Failed", &states(&ended("proxy-0", 143, "Error", 1, 13)))
        .gone("pods/a")
        .at(14)
        .finished()
}

/// A cancelled preemption, and a program that fails later.
fn preemption_called_off() -> Story {
    Story::one_try("preemption-called-off", Cause::NonZeroExit)
        .at(1)
        .runs("a")
        .at(5)
        .disrupted("a", "PreemptionByScheduler", "preempting")
        .at(130)
        .conditions(
            "pods/a",
            &[condition(
                "DisruptionTarget",
                false,
                "PreemptionByScheduler",
                "preempting",
                130,
            )],
        )
        .at(200)
        .ends("a", 1, "Error")
        .at(201)
        .backoff()
}

fn evictions() -> Vec<Story> {
    let memory = "The node was low on resource: memory. Threshold quantity: 100Mi, available: 52Mi. Container main was using \
                  900Mi, request is 64Mi, has larger consumption of memory. ";
    let pids = "The node was low on resource: pids. Threshold quantity: 1000, available: 12. ";
    vec![
        by_kubelet(
            "node-pressure-memory",
            Cause::NodePressure,
            "Evicted",
            memory,
            Some(memory),
        ),
        by_kubelet("node-pressure-pids", Cause::NodePressure, "Evicted", pids, Some(pids)),
        by_kubelet(
            "emptydir-limit",
            Cause::EphemeralStorageExceeded,
            "Evicted",
            "Usage of EmptyDir volume \"work\" exceeds the limit \"5Mi\". ",
            None,
        ),
        by_kubelet(
            "pod-storage-limit",
            Cause::EphemeralStorageExceeded,
            "Evicted",
            "Pod ephemeral local storage usage exceeds the total limit of containers 10Mi. ",
            None,
        ),
        by_kubelet(
            "container-storage-limit",
            Cause::EphemeralStorageExceeded,
            "Evicted",
            "Container main exceeded its local ephemeral storage limit \"10Mi\". ",
            None,
        ),
        by_kubelet(
            "preempted-by-kubelet",
            Cause::Preempted,
            "Preempting",
            "Preempted in order to admit critical pod",
            Some("Pod was preempted by Kubelet to accommodate a critical pod."),
        ),
        by_kubelet(
            "node-shutdown",
            Cause::NodeShutdown,
            "Terminated",
            SHUTDOWN,
            Some(SHUTDOWN),
        ),
        node_shutdown_in_time(),
    ]
}

/// The program completes while its node shuts down: the Pod still has the reason.
fn node_shutdown_in_time() -> Story {
    Story::other("node-shutdown-in-time", "Succeeded", Some("CompletionsReached"))
        .job(json!({"backoffLimit": 0}))
        .pod("a")
        .at(1)
        .runs("a")
        .at(10)
        .disrupted("a", "TerminationByKubelet", SHUTDOWN)
        .patch(
            "pods/a",
            json!({"status": {"reason": "Terminated", "message": SHUTDOWN}}),
        )
        .ends("a", 0, "Completed")
        .at(11)
        .conditions(
            "jobs/j",
            &[
                condition(
                    "SuccessCriteriaMet",
                    true,
                    "CompletionsReached",
                    "Reached expected number of succeeded pods",
                    11,
                ),
                condition(
                    "Complete",
                    true,
                    "CompletionsReached",
                    "Reached expected number of succeeded pods",
                    11,
                ),
            ],
        )
}

fn drained_while_restarting() -> Story {
    Story::failed("drained-while-restarting", BACKOFF, Cause::NodeDrained)
        .job(on_failure(1))
        .pod("a")
        .at(1)
        .runs("a")
        .at(10)
        .disrupted("a", "EvictionByEvictionAPI", "Eviction API: evicting")
        .deletes("a")
        .at(12)
        .goes("a", &ended("main-0", 143, "Error", 1, 12))
        .at(22)
        .pod("b")
        .at(23)
        .runs("b")
        .at(30)
        .disrupted("b", "EvictionByEvictionAPI", "Eviction API: evicting")
        .deletes("b")
        .at(31)
        .backoff_limit_exceeded()
        .at(32)
        .goes("b", &ended("main-1", 143, "Error", 23, 32))
        .at(33)
        .finished()
}
