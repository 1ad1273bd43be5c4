//! Pods that the system or somebody ended: disruptions, evictions, lost nodes, deletions, refusals of the kubelet.

use job_judge::Cause;
use serde_json::{Value, json};

use super::story::{Story, condition, ended, running, status, time, unknown_end};

const BACKOFF: &str = "BackoffLimitExceeded";

fn one_try(name: &'static str, cause: Cause) -> Story {
    Story::failed(name, BACKOFF, cause)
        .job(json!({"backoffLimit": 0}))
        .pod("a")
}

/// A Pod that somebody disrupts through the API: the condition, the deletion, the verdict a second later, the end.
fn disrupted(name: &'static str, cause: Cause, reason: &str, message: &str) -> Story {
    one_try(name, cause)
        .at(1)
        .runs("a")
        .at(10)
        .conditions("pods/a", &[condition("DisruptionTarget", true, reason, message, 10)])
        .deletes("a")
        .at(11)
        .verdict(BACKOFF, "Job has reached the specified backoff limit")
        .at(13)
        .goes("a", &ended("main-0", 143, "Error", 1, 13))
        .at(14)
        .finished()
}

/// What the kubelet does to a Pod as a whole.
fn by_kubelet(name: &'static str, cause: Cause, reason: &str, message: &str, disruption: Option<&str>) -> Story {
    let mut story = one_try(name, cause).at(1).runs("a").at(10);
    if let Some(text) = disruption {
        story = story.conditions(
            "pods/a",
            &[condition("DisruptionTarget", true, "TerminationByKubelet", text, 10)],
        );
    }
    story
        .patch("pods/a", json!({"status": {"reason": reason, "message": message}}))
        .ends("a", 137, "Error")
        .warns("pods/a", reason, message)
        .at(11)
        .backoff()
}

/// A Pod that its kubelet refuses: no statuses, no conditions.
fn rejected(name: &'static str, cause: Cause, reason: &str, message: &str) -> Story {
    one_try(name, cause)
        .patch("pods/a", json!({"spec": {"nodeName": "node1"}}))
        .at(1)
        .patch(
            "pods/a",
            json!({"status": {"phase": "Failed", "reason": reason, "startTime": time(1),
                "message": format!("Pod was rejected: {message}")}}),
        )
        .warns("pods/a", reason, message)
        .at(2)
        .backoff()
}

pub fn stories() -> Vec<Story> {
    let mut stories = disruptions();
    stories.extend(evictions());
    stories.extend(rejections());
    stories.extend(deletions());
    stories.extend(lost_nodes());
    stories
}

fn disruptions() -> Vec<Story> {
    vec![
        disrupted(
            "evict-api",
            Cause::NodeDrained,
            "EvictionByEvictionAPI",
            "Eviction API: evicting",
        ),
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
        ),
        failed_before_drain(),
        // A preemption that was called off, and a program that fails later.
        one_try("preemption-called-off", Cause::NonZeroExit)
            .at(1)
            .runs("a")
            .at(5)
            .conditions(
                "pods/a",
                &[condition(
                    "DisruptionTarget",
                    true,
                    "PreemptionByScheduler",
                    "preempting",
                    5,
                )],
            )
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
            .backoff(),
    ]
}

/// The program had failed when the drain came; its proxy kept the Pod alive.
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
        .conditions(
            "pods/a",
            &[condition(
                "DisruptionTarget",
                true,
                "EvictionByEvictionAPI",
                "Eviction API: evicting",
                10,
            )],
        )
        .deletes("a")
        .at(11)
        .verdict(BACKOFF, "Job has reached the specified backoff limit")
        .at(13)
        .states("a", "Failed", &states(&ended("proxy-0", 143, "Error", 1, 13)))
        .gone("pods/a")
        .at(14)
        .finished()
}

fn evictions() -> Vec<Story> {
    let memory = "The node was low on resource: memory. Threshold quantity: 100Mi, available: 52Mi. Container main was using \
                  900Mi, request is 64Mi, has larger consumption of memory. ";
    let pids = "The node was low on resource: pids. Threshold quantity: 1000, available: 12. ";
    let shutdown = "Pod was terminated in response to imminent node shutdown.";
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
            shutdown,
            Some(shutdown),
        ),
        // The program ends well while its node shuts down: the reason is there all the same.
        Story::other("node-shutdown-in-time", "Succeeded", Some("CompletionsReached"))
            .job(json!({"backoffLimit": 0}))
            .pod("a")
            .at(1)
            .runs("a")
            .at(10)
            .conditions(
                "pods/a",
                &[condition(
                    "DisruptionTarget",
                    true,
                    "TerminationByKubelet",
                    shutdown,
                    10,
                )],
            )
            .patch(
                "pods/a",
                json!({"status": {"reason": "Terminated", "message": shutdown}}),
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
            ),
    ]
}

fn rejections() -> Vec<Story> {
    vec![
        rejected(
            "out-of-cpu",
            Cause::NodeRejected,
            "OutOfcpu",
            "Node didn't have enough resource: cpu, requested: 1000000, used: 100, capacity: 2000",
        ),
        rejected(
            "node-affinity",
            Cause::NodeRejected,
            "NodeAffinity",
            "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
        ),
        rejected(
            "devices-unhealthy",
            Cause::DeviceUnavailable,
            "UnexpectedAdmissionError",
            "Allocate failed due to no healthy devices present; cannot allocate unhealthy devices example.com/gpu, which is unexpected",
        ),
        rejected(
            "devices-taken",
            Cause::DeviceUnavailable,
            "UnexpectedAdmissionError",
            "Allocate failed due to requested number of devices unavailable for example.com/gpu. Requested: 1, Available: 0, which is unexpected",
        ),
        rejected(
            "plugin-resources",
            Cause::NodeRejected,
            "UnexpectedAdmissionError",
            "Update plugin resources failed due to x, which is unexpected",
        ),
        rejected(
            "topology",
            Cause::NodeRejected,
            "TopologyAffinityError",
            "Resources cannot be allocated with Topology locality",
        ),
        rejected(
            "sysctl",
            Cause::NodeRejected,
            "SysctlForbidden",
            "forbidden sysctl: \"kernel.shm_rmid_forced\" not allowlisted",
        ),
        rejected(
            "attachment-limit",
            Cause::VolumeUnavailable,
            "VolumeAttachmentLimitExceeded",
            "Node has reached its volume attachment limit, rejecting pod.",
        ),
        rejected(
            "pressure-at-admission",
            Cause::NodePressure,
            "Evicted",
            "The node had condition: [MemoryPressure]. ",
        ),
        rejected(
            "shutdown-at-admission",
            Cause::NodeShutdown,
            "NodeShutdown",
            "Pod was rejected as the node is shutting down.",
        ),
    ]
}

fn deletions() -> Vec<Story> {
    let deleted = |name, policy: &str| {
        Story::failed(name, BACKOFF, Cause::PodDeleted)
            .job(json!({"backoffLimit": 0, "template": {"spec": {"restartPolicy": policy}}}))
            .pod("a")
            .at(1)
            .runs("a")
            .at(10)
            .deletes("a")
            .tell("pods/a{main}", "Normal", "Killing", "Stopping container main")
            .at(11)
            .verdict(BACKOFF, "Job has reached the specified backoff limit")
            .at(40)
            .goes("a", &ended("main-0", 137, "Error", 1, 40))
            .at(41)
            .finished()
    };
    vec![
        deleted("pod-deleted", "Never"),
        deleted("pod-deleted-onfailure", "OnFailure"),
        // It ends well on SIGTERM, and counts as failed all the same.
        one_try("pod-deleted-ends-well", Cause::PodDeleted)
            .at(1)
            .runs("a")
            .at(10)
            .deletes("a")
            .at(11)
            .verdict(BACKOFF, "Job has reached the specified backoff limit")
            .goes("a", &ended("main-0", 0, "Completed", 1, 11))
            .at(12)
            .finished(),
        // It was starting.
        one_try("pod-deleted-early", Cause::PodDeleted)
            .at(1)
            .admitted("a")
            .at(2)
            .deletes("a")
            .at(3)
            .verdict(BACKOFF, "Job has reached the specified backoff limit")
            .at(4)
            .goes("a", &unknown_end())
            .at(5)
            .finished(),
        // Somebody cleans up a Pod that had failed by itself.
        one_try("cleaned-up", Cause::NonZeroExit)
            .at(1)
            .runs("a")
            .at(5)
            .ends("a", 1, "Error")
            .deletes("a")
            .gone("pods/a")
            .at(6)
            .backoff(),
        // The Pod was asked to go two minutes before the deadline, and stands yet.
        Story::failed("stuck-terminating", "DeadlineExceeded", Cause::StuckTerminating)
            .job(json!({"activeDeadlineSeconds": 200, "podReplacementPolicy": "Failed"}))
            .pod("a")
            .at(1)
            .runs("a")
            .at(60)
            .deletes("a")
            .at(100)
            .warns(
                "pods/a",
                "FailedKillPod",
                "error killing pod: failed to stop container: context deadline exceeded",
            )
            .at(200)
            .verdict("DeadlineExceeded", "Job was active longer than specified deadline"),
    ]
}

fn not_ready(since: i64) -> Value {
    condition("Ready", false, "", "", since)
}

/// The node is silent: after 300 s the taint manager asks for the Pod to go, which nobody does until PodGC.
fn lost_nodes() -> Vec<Story> {
    let silent = |name, with_event: bool| {
        let story = one_try(name, Cause::NodeLost)
            .at(1)
            .runs("a")
            .at(50)
            .conditions("pods/a", &[not_ready(50)]);
        let story = match with_event {
            true => story.warns("pods/a", "NodeNotReady", "Node is not ready"),
            false => story,
        };
        story
            .at(355)
            .conditions(
                "pods/a",
                &[condition(
                    "DisruptionTarget",
                    true,
                    "DeletionByTaintManager",
                    "Taint manager: deleting due to NoExecute taint",
                    355,
                )],
            )
            .deletes("a")
            .at(356)
            .verdict(BACKOFF, "Job has reached the specified backoff limit")
    };
    vec![
        silent("node-lost", true),
        silent("node-lost-without-event", false),
        silent("node-lost-and-removed", true)
            .at(700)
            .patch("pods/a", json!({"status": {"phase": "Failed"}}))
            .gone("pods/a")
            .at(701)
            .finished(),
        // The node object was deleted.
        one_try("node-removed", Cause::NodeLost)
            .at(1)
            .runs("a")
            .at(100)
            .conditions(
                "pods/a",
                &[condition(
                    "DisruptionTarget",
                    true,
                    "DeletionByPodGC",
                    "PodGC: node no longer exists",
                    100,
                )],
            )
            .patch("pods/a", json!({"status": {"phase": "Failed"}}))
            .at(101)
            .verdict(BACKOFF, "Job has reached the specified backoff limit")
            .gone("pods/a")
            .finished(),
        // The deadline comes while the node is silent.
        Story::failed("deadline-on-a-lost-node", "DeadlineExceeded", Cause::NodeLost)
            .job(json!({"activeDeadlineSeconds": 120}))
            .pod("a")
            .at(1)
            .runs("a")
            .at(50)
            .conditions("pods/a", &[not_ready(50)])
            .warns("pods/a", "NodeNotReady", "Node is not ready")
            .at(120)
            .controller_deletes("a")
            .verdict("DeadlineExceeded", "Job was active longer than specified deadline"),
        // The node was silent for a while and came back long before the deadline.
        Story::failed(
            "deadline-on-a-node-that-came-back",
            "DeadlineExceeded",
            Cause::RanTooLong,
        )
        .job(json!({"activeDeadlineSeconds": 120}))
        .pod("a")
        .at(1)
        .runs("a")
        .at(50)
        .conditions("pods/a", &[not_ready(50)])
        .warns("pods/a", "NodeNotReady", "Node is not ready")
        .at(70)
        .conditions("pods/a", &[condition("Ready", true, "", "", 70)])
        .at(120)
        .deadline("a", &ended("main-0", 137, "Error", 1, 122)),
        // The machine rebooted: the kubelet does not find the container that ran.
        one_try("rebooted", Cause::NodeLost)
            .at(1)
            .runs("a")
            .at(90)
            .states("a", "Failed", &[status("main", &unknown_end(), None, 0)])
            .at(91)
            .backoff(),
        // containerd was restarted and lost the task.
        one_try("containerd-restarted", Cause::NodeLost)
            .at(1)
            .runs("a")
            .at(90)
            .ends("a", 255, "Unknown")
            .at(91)
            .backoff(),
        // The kernel of the node chose a process; the runtime does not call that OOMKilled.
        one_try("system-oom", Cause::OutOfMemory)
            .at(1)
            .runs("a")
            .at(30)
            .ends("a", 137, "Error")
            .at(31)
            .warns(
                "nodes/node1",
                "SystemOOM",
                "System OOM encountered, victim process: java, pid: 4711",
            )
            .backoff(),
        // The same on another node, or at another time, tells nothing.
        one_try("system-oom-elsewhere", Cause::Killed)
            .at(1)
            .runs("a")
            .at(30)
            .warns(
                "nodes/node2",
                "SystemOOM",
                "System OOM encountered, victim process: java, pid: 4711",
            )
            .ends("a", 137, "Error")
            .at(45)
            .warns(
                "nodes/node1",
                "SystemOOM",
                "System OOM encountered, victim process: dd, pid: 4712",
            )
            .backoff(),
        Story::failed("drained-while-restarting", BACKOFF, Cause::NodeDrained)
            .job(json!({"backoffLimit": 1, "template": {"spec": {"restartPolicy": "OnFailure"}}}))
            .pod("a")
            .at(1)
            .runs("a")
            .at(10)
            .conditions(
                "pods/a",
                &[condition(
                    "DisruptionTarget",
                    true,
                    "EvictionByEvictionAPI",
                    "Eviction API: evicting",
                    10,
                )],
            )
            .deletes("a")
            .at(12)
            .goes("a", &ended("main-0", 143, "Error", 1, 12))
            .at(22)
            .pod("b")
            .at(23)
            .states_of("b", &running(23))
            .at(30)
            .conditions(
                "pods/b",
                &[condition(
                    "DisruptionTarget",
                    true,
                    "EvictionByEvictionAPI",
                    "Eviction API: evicting",
                    30,
                )],
            )
            .deletes("b")
            .at(31)
            .verdict(BACKOFF, "Job has reached the specified backoff limit")
            .at(32)
            .goes("b", &ended("main-1", 143, "Error", 23, 32))
            .at(33)
            .finished(),
    ]
}

impl Story {
    /// A Pod is on its node and its container in that state.
    fn states_of(self, pod: &str, state: &Value) -> Story {
        self.admitted(pod)
            .states(pod, "Running", &[status("main", state, None, 0)])
    }
}
