//! Containers that the runtime cannot create or start: its message says whether the command, the configuration, the memory
//! limit, a device or the runtime itself is the reason.

use job_judge::{Cause, Retry};
use serde_json::{Value, json};

use super::kubelet::{status, waiting};
use super::pending::{never_made, stuck};
use super::story::{BACKOFF, Story, time};

const CONTAINERD: &str = "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create \
                          failed: unable to start container process: ";
const CRIO: &str = "container create failed: time=\"2026-11-23T12:00:03Z\" level=error msg=\"";
const DOCKER: &str = "failed to start container \"0d3b\": Error response from daemon: OCI runtime create failed: \
                      container_linux.go:380: starting container process caused: ";

pub(super) fn stories() -> Vec<Story> {
    let mut stories = commands();
    stories.extend(memory());
    stories.extend(devices());
    stories.extend(runtime());
    stories.extend(configuration());
    stories.extend(events());
    stories
}

/// The end of a container that was never started, as containerd (`StartError`) or docker (`ContainerCannotRun`) reports it.
fn not_started(reason: &str, code: i32, message: &str) -> Value {
    json!({"terminated": {"exitCode": code, "reason": reason, "message": message, "containerID": "containerd://main-0",
        "startedAt": "1970-01-01T00:00:00Z", "finishedAt": time(3)}})
}

/// One attempt whose container is not started.
fn fails(name: &'static str, cause: Cause, reason: &str, code: i32, message: &str) -> Story {
    Story::failed(name, BACKOFF, cause)
        .job(json!({"backoffLimit": 0}))
        .pod("a")
        .at(1)
        .admitted("a")
        .at(3)
        .waits("a", "RunContainerError", message)
        .warns("pods/a{main}", "Failed", &format!("Error: {message}"))
        .at(4)
        .states(
            "a",
            "Failed",
            &[status("main", &not_started(reason, code, message), None, 0)],
        )
        .at(5)
        .backoff()
}

fn containerd(name: &'static str, cause: Cause, message: &str) -> Story {
    fails(name, cause, "StartError", 128, &format!("{CONTAINERD}{message}"))
}

fn docker(name: &'static str, cause: Cause, code: i32, message: &str) -> Story {
    fails(
        name,
        cause,
        "ContainerCannotRun",
        code,
        &format!("{DOCKER}{message}: unknown"),
    )
}

/// A container that is never created before the deadline.
fn never_created(name: &'static str, cause: Cause, message: &str) -> Story {
    let event = format!("Error: {message}");
    stuck(name, cause, &[("CreateContainerError", message)], &[("Failed", &event)])
}

fn crio(name: &'static str, cause: Cause, message: &str) -> Story {
    never_created(name, cause, &format!("{CRIO}{message}\""))
}

fn commands() -> Vec<Story> {
    vec![
        crio(
            "command-crio",
            Cause::ContainerStart,
            "runc create failed: unable to start container process: exec: \\\"python app.py\\\": executable file not found in $PATH",
        )
        .next_step("Check command, args")
        .retry(Retry::No),
        docker(
            "command-docker",
            Cause::ContainerStart,
            127,
            "exec: \"migrate\": executable file not found in $PATH",
        )
        .next_step("Check command, args"),
        docker("command-denied", Cause::ContainerStart, 126, "exec: \"/app/run.sh\": permission denied"),
        containerd(
            "working-dir",
            Cause::ContainerStart,
            "error during container init: chdir to cwd (\"/srv/app\") set in config.json failed: no such file or directory",
        )
        .next_step("Check command, args and workingDir"),
        crio(
            "architecture-crun",
            Cause::ContainerStart,
            "exec container process `/usr/bin/job`: Exec format error",
        )
        .next_step("Use an image for the architecture")
        .retry(Retry::No),
        containerd("start-unknown-text", Cause::ContainerStart, "error during container init: quota of tokens")
            .next_step("Read the message of the container runtime")
            .retry(Retry::No),
    ]
}

fn memory() -> Vec<Story> {
    vec![
        containerd(
            "memory-init-oom",
            Cause::OutOfMemory,
            "container init was OOM-killed (memory limit too low?)",
        )
        .sentence("container main could not be started for lack of memory")
        .next_step("Raise resources.limits.memory")
        .retry(Retry::No),
        docker(
            "memory-limit-busy",
            Cause::OutOfMemory,
            128,
            "process_linux.go:458: setting cgroup config for procHooks process caused: failed to write \"4194304\": write \
             /sys/fs/cgroup/memory/kubepods/burstable/pod0d3b/main/memory.limit_in_bytes: device or resource busy",
        )
        .next_step("Raise resources.limits.memory"),
        crio(
            "memory-pipe-eof",
            Cause::OutOfMemory,
            "container_linux.go:366: starting container process caused: process_linux.go:351: getting the final child's pid from \
             pipe caused: EOF",
        )
        .next_step("Raise resources.limits.memory")
        .retry(Retry::No),
        never_created(
            "memory-crio-minimum",
            Cause::OutOfMemory,
            "set memory limit 4194304 too low; should be at least 12582912",
        ),
        never_made(
            "memory-sandbox",
            Cause::OutOfMemory,
            "FailedCreatePodSandBox",
            "Failed to create pod sandbox: rpc error: code = Unknown desc = pod set memory limit 1048576 too low; should be at least \
             12582912",
        )
        .sentence("Pod a could not be started for lack of memory"),
        never_created("memory-clone", Cause::OutOfMemory, "container create failed: clone: Cannot allocate memory"),
    ]
}

fn devices() -> Vec<Story> {
    vec![
        containerd(
            "device-hook",
            Cause::DeviceUnavailable,
            "error during container init: error running hook #0: error running hook: exit status 1, stdout: , stderr: \
             Auto-detected mode as 'legacy'\nnvidia-container-cli: initialization error: nvml error: driver/library version \
             mismatch: unknown",
        )
        .next_step("Check the device's driver")
        .retry(Retry::Maybe),
        fails(
            "device-cdi",
            Cause::DeviceUnavailable,
            "StartError",
            128,
            "failed to create containerd task: failed to create shim task: OCI runtime create failed: could not apply required \
             modification to OCI specification: error modifying OCI spec: failed to inject CDI devices: unresolvable CDI devices \
             nvidia.com/gpu=all: unknown",
        )
        .next_step("Check the CDI specifications"),
        never_created(
            "device-docker",
            Cause::DeviceUnavailable,
            "Error response from daemon: could not select device driver \"\" with capabilities: [[gpu]]",
        ),
        crio(
            "device-hook-crun",
            Cause::DeviceUnavailable,
            "error executing hook `/usr/libexec/oci/hooks.d/set-up-device` (exit code: 1)",
        )
        .next_step("Look at the OCI hook"),
    ]
}

fn runtime() -> Vec<Story> {
    vec![
        never_created(
            "runtime-content-missing",
            Cause::RuntimeFailed,
            "failed to create containerd container: error unpacking image: failed to extract layer sha256:7d0f: failed to get reader \
             from content store: content digest sha256:5f70: not found",
        )
        .next_step("Remove the image from that node")
        .retry(Retry::Maybe),
        stuck(
            "runtime-name-reserved",
            Cause::RuntimeFailed,
            &[
                ("CreateContainerError", "context deadline exceeded"),
                (
                    "CreateContainerError",
                    "failed to reserve container name \"main_a_ns_0d3b_0\": name \"main_a_ns_0d3b_0\" is reserved for \"5f70\"",
                ),
            ],
            &[("Failed", "Error: context deadline exceeded")],
        )
        .sentence("node node1 could not start container main")
        .next_step("Run it again")
        .retry(Retry::Yes),
        never_created(
            "runtime-disk-full",
            Cause::RuntimeFailed,
            "failed to create containerd container: failed to create temp dir: mkdir \
             /var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/new-555311316: no space left on device",
        )
        .next_step("Free space")
        .retry(Retry::Maybe),
        fails(
            "runtime-shim",
            Cause::RuntimeFailed,
            "StartError",
            128,
            "failed to create containerd task: failed to start shim: failed to resolve runtime path: exec: \
             \"containerd-shim-runc-v1\": executable file not found in $PATH: unknown",
        ),
        containerd(
            "runtime-cgroup",
            Cause::RuntimeFailed,
            "unable to apply cgroup configuration: unable to start unit \"cri-containerd-0d3b.scope\": Message recipient \
             disconnected from message bus without replying",
        )
        .next_step("Look at systemd and the cgroups"),
        crio(
            "runtime-open-files",
            Cause::RuntimeFailed,
            "open /proc/self/fd: too many open files",
        ),
    ]
}

fn configuration() -> Vec<Story> {
    let logs = "create container log directory for container main failed: mkdir /var/log/pods/ns_a_0d3b/main: no space left on device";
    let subpath = "failed to prepare subPath for volumeMount \"data\" of container \"main\"";
    vec![
        containerd(
            "mount-onto-file",
            Cause::ContainerConfig,
            "error during container init: error mounting \"/var/lib/kubelet/pods/0d3b/volumes/kubernetes.io~configmap/c\" to rootfs \
             at \"/etc/app.conf\": mount src=/var/lib/kubelet/pods/0d3b/volumes/kubernetes.io~configmap/c, dst=/etc/app.conf, \
             flags=MS_BIND|MS_REC: not a directory: unknown: Are you trying to mount a directory onto a file (or vice-versa)?",
        )
        .next_step("Compare the volumeMounts")
        .retry(Retry::No),
        containerd(
            "mount-read-only",
            Cause::ContainerConfig,
            "error during container init: error mounting \"/var/lib/kubelet/pods/0d3b/volumes/kubernetes.io~empty-dir/w\" to rootfs \
             at \"/work\": create mountpoint for /work mount: mkdirat \
             /run/containerd/io.containerd.runtime.v2.task/k8s.io/0d3b/rootfs/work: read-only file system",
        )
        .next_step("Create the mount point"),
        never_created(
            "user-missing",
            Cause::ContainerConfig,
            "Error response from daemon: unable to find user app: no matching entries in passwd file",
        )
        .next_step("Set runAsUser"),
        never_created(
            "seccomp-missing",
            Cause::ContainerConfig,
            "failed to create containerd container: cannot load seccomp profile \"/var/lib/kubelet/seccomp/profiles/audit.json\": open \
             /var/lib/kubelet/seccomp/profiles/audit.json: no such file or directory",
        )
        .next_step("Install the seccomp or AppArmor profile"),
        stuck(
            "subpath-missing",
            Cause::ContainerConfig,
            &[("CreateContainerConfigError", subpath)],
            &[("Failed", &format!("Error: {subpath}"))],
        )
        .next_step("Check the subPath"),
        stuck(
            "log-directory-disk-full",
            Cause::RuntimeFailed,
            &[("CreateContainerConfigError", logs)],
            &[("Failed", &format!("Error: {logs}"))],
        )
        .next_step("Look at the disk of that node")
        .retry(Retry::Maybe),
        stuck(
            "configmap-not-synced",
            Cause::ContainerConfig,
            &[(
                "CreateContainerConfigError",
                "failed to sync configmap cache: timed out waiting for the condition",
            )],
            &[(
                "Failed",
                "Error: failed to sync configmap cache: timed out waiting for the condition",
            )],
        )
        .retry(Retry::Yes),
        never_created(
            "volume-disconnected",
            Cause::VolumeUnavailable,
            "failed to generate container \"0d3b\" spec: failed to generate spec: failed to stat \
             \"/var/lib/kubelet/pods/0d3b/volumes/kubernetes.io~csi/bucket/mount\": stat \
             /var/lib/kubelet/pods/0d3b/volumes/kubernetes.io~csi/bucket/mount: transport endpoint is not connected",
        ),
    ]
}

/// A Pod whose waiting reasons were never seen: only the Events of its container say why.
fn only_events(name: &'static str, cause: Cause, message: &str) -> Story {
    stuck(name, cause, &[], &[("Failed", &format!("Error: {message}"))])
}

fn events() -> Vec<Story> {
    vec![
        only_events(
            "event-docker-command",
            Cause::ContainerStart,
            &format!("{DOCKER}exec: \"nope\": executable file not found in $PATH: unknown"),
        )
        .next_step("Check command, args"),
        only_events(
            "event-socket",
            Cause::RuntimeFailed,
            "rpc error: code = Unavailable desc = connection error: desc = \"transport: Error while dialing: dial unix \
             /run/containerd/containerd.sock: connect: connection refused\"",
        )
        .retry(Retry::Yes),
        only_events(
            "event-init-oom",
            Cause::OutOfMemory,
            &format!("{CONTAINERD}container init was OOM-killed (memory limit too low?)"),
        ),
        only_events("event-unknown", Cause::ContainerStart, "out of tokens"),
        // The Event says more than an empty message.
        stuck(
            "event-beside-empty-message",
            Cause::RuntimeFailed,
            &[("CreateContainerError", "")],
            &[("Failed", "Error: error reading image \"5f70\": image not known")],
        ),
        overcome(),
    ]
}

/// The container was created and started at last.
fn overcome() -> Story {
    Story::failed("created-at-last", "DeadlineExceeded", Cause::RanTooLong)
        .job(json!({"activeDeadlineSeconds": 20}))
        .pod("a")
        .at(1)
        .admitted("a")
        .states(
            "a",
            "Pending",
            &[status(
                "main",
                &waiting("CreateContainerError", "context deadline exceeded"),
                None,
                0,
            )],
        )
        .warns("pods/a{main}", "Failed", "Error: context deadline exceeded")
        .at(5)
        .states("a", "Running", &[status("main", &super::kubelet::running(5), None, 0)])
        .at(20)
        .deadline("a", &super::kubelet::ended("main-0", 137, "Error", 5, 22))
}
