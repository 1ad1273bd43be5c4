//! Pods that do not start before the deadline: configuration, scheduling, volumes, devices, sandboxes.

use job_judge::{Cause, Retry};
use serde_json::{Value, json};

use super::kubelet::{ended, running, status, unknown_end, waiting};
use super::story::{DEADLINE, Story, condition, time};

const CONTAINERD: &str = "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create \
                      failed: unable to start container process: error during container init: exec: \"/nope\": stat /nope: \
                      no such file or directory";
const LOOPS: &str = "back-off 10s restarting failed container=main pod=a_exec-missing-restarts(0d3b)";

pub(super) fn stories() -> Vec<Story> {
    let mut stories = configuration();
    stories.extend(scheduling());
    stories.extend(kubelet());
    stories
}

pub(super) fn waiting_for(name: &'static str, cause: Cause) -> Story {
    Story::failed(name, DEADLINE, cause)
        .job(json!({"activeDeadlineSeconds": 20}))
        .pod("a")
}

/// A Pod whose container waits, first with one reason, then with another.
pub(super) fn stuck(name: &'static str, cause: Cause, waits: &[(&str, &str)], events: &[(&str, &str)]) -> Story {
    let mut story = waiting_for(name, cause).at(1).admitted("a");
    for (reason, message) in waits {
        story = story.at(2).waits("a", reason, message);
    }
    for (reason, message) in events {
        story = story.warns("pods/a{main}", reason, message);
    }
    if cause == Cause::ImagePull && events.is_empty() {
        let (reason, message) = waits[0];
        story = story
            .warns(
                "pods/a{main}",
                "Failed",
                &format!("Failed to pull image \"registry.example/app:9\": {message}"),
            )
            .warns("pods/a{main}", "Failed", &format!("Error: {reason}"));
    }
    // The deletion resets the waiting reason before the container that never started gets its end.
    story
        .at(20)
        .controller_deletes("a")
        .deadline_exceeded()
        .waits("a", "ContainerCreating", "")
        .at(22)
        .goes("a", &unknown_end())
        .at(23)
        .finished()
}

/// A Pod without a node.
pub(super) fn unscheduled(name: &'static str, cause: Cause, reason: &str, message: &str) -> Story {
    without_node(name, cause, reason, message, |story| story)
}

/// A Pod without a node, with more Events before its deadline.
pub(super) fn without_node(
    name: &'static str,
    cause: Cause,
    reason: &str,
    message: &str,
    more: impl FnOnce(Story) -> Story,
) -> Story {
    let said = condition("PodScheduled", false, reason, message, 0);
    let mut story = waiting_for(name, cause).conditions("pods/a", &[said]);
    if reason == "Unschedulable" {
        story = story.warns("pods/a", "FailedScheduling", message);
    }
    ungranted(more(story))
}

/// The deadline of a Pod without a node, which is gone at once.
fn ungranted(story: Story) -> Story {
    story
        .at(20)
        .controller_deletes("a")
        .warns("pods/a", "FailedScheduling", "skip schedule deleting pod: ns/a")
        .deadline_exceeded()
        .gone("pods/a")
        .at(21)
        .finished()
}

/// A Pod on its node whose container the kubelet never creates; it retries with a back-off that doubles.
pub(super) fn never_made(name: &'static str, cause: Cause, reason: &str, message: &str) -> Story {
    let story = waiting_for(name, cause).at(1).admitted("a");
    let tries = [2, 3, 5, 9, 17].into_iter();
    tries
        .fold(story, |story, second| story.at(second).warns("pods/a", reason, message))
        .at(20)
        .deadline("a", &unknown_end())
}

/// The end of a container that was never started.
fn start_error(run: &str) -> Value {
    json!({"terminated": {"exitCode": 128, "reason": "StartError", "message": CONTAINERD,
        "startedAt": "1970-01-01T00:00:00Z", "finishedAt": time(3),
        "containerID": format!("containerd://{run}")}})
}

fn configuration() -> Vec<Story> {
    let crio = "container create failed: time=\"2026-11-23T12:00:02Z\" level=error msg=\"runc create failed: unable to start \
                container process: error during container init: exec: \\\"/nope\\\": stat /nope: no such file or directory\"";
    let nonroot = "container has runAsNonRoot and image will run as root (pod: \"a_nonroot(0d3b)\", container: main)";
    let key = "couldn't find key password in Secret ns/db";
    vec![
        stuck(
            "nonroot",
            Cause::ContainerConfig,
            &[("CreateContainerConfigError", nonroot)],
            &[("Failed", &format!("Error: {nonroot}"))],
        )
        .attempts(&[])
        .retry(Retry::No),
        stuck(
            "secret-key-missing",
            Cause::ContainerConfig,
            &[("CreateContainerConfigError", key)],
            &[("Failed", &format!("Error: {key}"))],
        ),
        stuck(
            "exec-missing-crio",
            Cause::ContainerStart,
            &[("CreateContainerError", crio)],
            &[("Failed", &format!("Error: {crio}"))],
        )
        .attempts(&[]),
        stuck(
            "pre-create-hook",
            Cause::ContainerStart,
            &[("PreCreateHookError", "not enough cpus available to satisfy request")],
            &[(
                "Failed",
                "Internal PreCreateContainer hook failed: not enough cpus available to satisfy request",
            )],
        ),
        exec_missing_containerd(),
        exec_missing_restarts(),
    ]
}

fn exec_missing_containerd() -> Story {
    Story::failed("exec-missing-containerd", "BackoffLimitExceeded", Cause::ContainerStart)
        .job(json!({"backoffLimit": 0}))
        .pod("a")
        .at(1)
        .admitted("a")
        .at(3)
        .waits("a", "RunContainerError", CONTAINERD)
        .states("a", "Failed", &[status("main", &start_error("main-0"), None, 0)])
        .at(4)
        .backoff()
}

fn exec_missing_restarts() -> Story {
    Story::failed("exec-missing-restarts", DEADLINE, Cause::ContainerStart)
        .job(json!({"activeDeadlineSeconds": 20, "template": {"spec": {"restartPolicy": "OnFailure"}}}))
        .pod("a")
        .at(1)
        .admitted("a")
        .at(3)
        .waits("a", "RunContainerError", CONTAINERD)
        .at(5)
        .states(
            "a",
            "Running",
            &[status(
                "main",
                &waiting("CrashLoopBackOff", LOOPS),
                Some(&start_error("main-0")),
                1,
            )],
        )
        .at(20)
        .controller_deletes("a")
        .deadline_exceeded()
        .at(21)
        .states("a", "Failed", &[status("main", &start_error("main-0"), None, 1)])
        .gone("pods/a")
        .at(22)
        .finished()
}

fn scheduling() -> Vec<Story> {
    let cpu = "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 Preemption is not helpful \
               for scheduling.";
    let pvc = "0/1 nodes are available: persistentvolumeclaim \"nope\" not found. preemption: 0/1 nodes are available: 1 \
               Preemption is not helpful for scheduling.";
    let unbound = "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found";
    let bind = "0/3 nodes are available: 3 node(s) didn't find available persistent volumes to bind. preemption: 0/3 nodes \
                are available: 3 Preemption is not helpful for scheduling.";
    let mixed = "0/3 nodes are available: 1 node(s) had volume node affinity conflict, 2 Insufficient memory.";
    let taints = "0/2 nodes are available: 2 node(s) had untolerated taint(s). preemption: 0/2 nodes are available: 2 \
                  Preemption is not helpful for scheduling.";
    let claims = "0/1 nodes are available: 1 cannot allocate all claims. still not schedulable, preemption: 0/1 nodes are \
                  available: 1 Preemption is not helpful for scheduling.";
    let class = "0/1 nodes are available: device class gpu.example.com does not exist. preemption: 0/1 nodes are available: 1 \
                 Preemption is not helpful for scheduling.";
    let gpu = "0/4 nodes are available: 4 Insufficient nvidia.com/gpu. preemption: 0/4 nodes are available: 4 No preemption \
               victims found for incoming pod.";
    let gang = "waiting for minCount pods from a gang to be scheduled";
    vec![
        unscheduled("unschedulable-cpu", Cause::Unschedulable, "Unschedulable", cpu)
            .sentence("Pod a could not be scheduled: “0/1 nodes are available: 1 Insufficient cpu”."),
        unscheduled("unschedulable-taints", Cause::Unschedulable, "Unschedulable", taints),
        unscheduled("unschedulable-mixed", Cause::Unschedulable, "Unschedulable", mixed),
        unscheduled("unschedulable-gang", Cause::Unschedulable, "Unschedulable", gang),
        unscheduled(
            "scheduler-error",
            Cause::VolumeUnavailable,
            "SchedulerError",
            "running PreBind plugin \"VolumeBinding\": binding volumes: context deadline exceeded",
        ),
        unscheduled("pvc-missing", Cause::VolumeUnavailable, "Unschedulable", pvc),
        unscheduled("pvc-unbound", Cause::VolumeUnavailable, "Unschedulable", unbound),
        unscheduled("pvc-no-volume", Cause::VolumeUnavailable, "Unschedulable", bind),
        unscheduled("dra-claims", Cause::DeviceUnavailable, "Unschedulable", claims)
            .sentence("“0/1 nodes are available: 1 cannot allocate all claims”."),
        unscheduled("dra-class", Cause::DeviceUnavailable, "Unschedulable", class),
        unscheduled("gpu-insufficient", Cause::DeviceUnavailable, "Unschedulable", gpu),
        unscheduled(
            "scheduling-gated",
            Cause::SchedulingGated,
            "SchedulingGated",
            "Scheduling is blocked due to non-empty scheduling gates",
        ),
        // No scheduler looked at the Pod.
        ungranted(
            waiting_for("no-scheduler", Cause::Unschedulable)
                .sentence("Pod a was not scheduled, and no scheduler reported why."),
        ),
    ]
}

fn kubelet() -> Vec<Story> {
    vec![
        never_made(
            "mount-secret",
            Cause::VolumeUnavailable,
            "FailedMount",
            "MountVolume.SetUp failed for volume \"v\" : secret \"nope\" not found",
        ),
        never_made(
            "attach-elsewhere",
            Cause::VolumeUnavailable,
            "FailedAttachVolume",
            "Multi-Attach error for volume \"pvc-1\" Volume is already used by pod(s) other-1",
        ),
        never_made(
            "map-volume",
            Cause::VolumeUnavailable,
            "FailedMapVolume",
            "MapVolume.SetUpDevice failed for volume \"pvc-1\"",
        ),
        never_made(
            "sandbox",
            Cause::SandboxFailed,
            "FailedCreatePodSandBox",
            "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox: plugin \
             type=\"calico\" failed (add): no IP addresses available in range set",
        ),
        never_made(
            "network-not-ready",
            Cause::SandboxFailed,
            "NetworkNotReady",
            "network is not ready: container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady",
        ),
        never_made(
            "cgroup",
            Cause::SandboxFailed,
            "FailedCreatePodContainer",
            "unable to ensure pod container exists: no space left on device",
        ),
        never_made(
            "dra-prepare",
            Cause::DeviceUnavailable,
            "FailedPrepareDynamicResources",
            "Failed to prepare dynamic resources: NodePrepareResources failed for claim ns/gpu: device not found",
        ),
        slow_start(),
        mounted_at_last(),
    ]
}

fn slow_start() -> Story {
    waiting_for("slow-start", Cause::SlowStart)
        .at(1)
        .admitted("a")
        .at(20)
        .deadline("a", &unknown_end())
}

/// An obstacle that passed.
fn mounted_at_last() -> Story {
    waiting_for("mounted-at-last", Cause::RanTooLong)
        .at(1)
        .admitted("a")
        .warns(
            "pods/a",
            "FailedMount",
            "MountVolume.SetUp failed for volume \"v\" : timed out waiting for the condition",
        )
        .at(5)
        .states("a", "Running", &[status("main", &running(5), None, 0)])
        .at(20)
        .deadline("a", &ended("main-0", 137, "Error", 5, 22))
}
