//! Messages of container runtimes about containers that they could not create or start, and similar messages of programs.

use job_event::evidence::*;
use job_judge::{Cause, Retry};

use crate::support::*;

const CONTAINERD: &str = "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create \
                          failed: unable to start container process: error during container init: ";
const CRIO: &str = "container create failed: time=\"2026-11-23T12:00:03Z\" level=error msg=\"";
const DOCKER: &str = "failed to start container \"0d3b\": Error response from daemon: OCI runtime create failed: \
                      container_linux.go:380: starting container process caused: ";

/// The verdict on a container that waits with that message until the deadline.
fn not_created(message: &str) -> (Cause, Retry) {
    let judgement = deadline(
        pod("Pending", vec![waiting("main", "CreateContainerError", message)]),
        vec![],
    );
    (judgement.cause.unwrap(), judgement.retry.unwrap())
}

/// The verdict on an attempt with reason `StartError`.
fn start_error(message: &str) -> (Cause, Retry) {
    let end = Termination {
        started: Some(jiff::Timestamp::UNIX_EPOCH),
        message: message.into(),
        ..end(128, "StartError", 5)
    };
    let judgement = with(
        job("BackoffLimitExceeded", 20),
        vec![pod("Failed", vec![ended("main", end)])],
        vec![],
    );
    (judgement.cause.unwrap(), judgement.retry.unwrap())
}

/// The verdict on a Pod whose waiting reason was not observed, only the kubelet's Event.
fn event_alone(message: &str) -> (Cause, Retry) {
    let event = Event {
        field_path: "spec.containers{main}".into(),
        ..event("pod-a", "Failed", &format!("Error: {message}"), 9)
    };
    let late = Container {
        state: ContainerState::Waiting,
        ..container("main")
    };
    let judgement = deadline(pod("Pending", vec![late]), vec![event]);
    (judgement.cause.unwrap(), judgement.retry.unwrap())
}

/// Each message means the same wherever the runtime's words arrive.
fn mean(cause: Cause, retry: Retry, messages: &[String]) {
    for message in messages {
        for found in [not_created(message), start_error(message), event_alone(message)] {
            assert_eq!(found, (cause, retry), "{message}");
        }
    }
}

fn wrapped(wrapper: &str, messages: &[&str]) -> Vec<String> {
    messages.iter().map(|message| format!("{wrapper}{message}")).collect()
}

#[test]
fn a_command_that_cannot_be_executed() {
    let containerd = wrapped(
        CONTAINERD,
        &[
            "exec: \"kube-schedulerrrr\": executable file not found in $PATH: unknown",
            "exec: \"./build/main-linux\": permission denied: unknown",
            "exec: \"/no/such/binary\": stat /no/such/binary: no such file or directory",
            "exec: \"/data\": is a directory: unknown",
            "exec /entrypoint.sh: no such file or directory",
            "exec /bin/sh: argument list too long",
            "chdir to cwd (\"/srv/app\") set in config.json failed: permission denied: unknown",
            "exec: \"no space left on device\": executable file not found in $PATH",
        ],
    );
    let crio = wrapped(
        CRIO,
        &[
            "runc create failed: unable to start container process: exec /deployments/run-java.sh: permission denied\"",
            "runc create failed: unable to start container process: exec: \\\"asdf\\\": executable file not found in $PATH\"",
        ],
    );
    let docker = wrapped(
        DOCKER,
        &[
            "exec: \"foo\": executable file not found in $PATH: unknown",
            "exec format error: unknown",
        ],
    );
    let others = wrapped(
        "",
        &[
            "container create failed: executable file `foo` not found in $PATH: No such file or directory",
            "container create failed: open executable: Permission denied",
            "container create failed: exec container process (missing dynamic library?) `/app/job`: No such file or directory",
            "oci runtime error: container_linux.go:247: starting container process caused \"exec: \\\"foo\\\": executable file not \
             found in $PATH\"",
            "Error response from daemon: Container command '/run.sh' not found or does not exist.",
            "failed to generate container \"0d3b\" spec: failed to generate spec: no command specified",
            "failed to create containerd task: failed to create shim task: the file sleepp was not found: unknown",
            "failed to start containerd task \"main\": hcs::System::CreateProcess main: The system cannot find the file specified.: \
             unknown",
            "hcs::CreateComputeSystem main: The container operating system does not match the host operating system.",
        ],
    );
    for messages in [containerd, crio, docker, others] {
        mean(Cause::ContainerStart, Retry::No, &messages);
    }
}

#[test]
fn a_memory_limit_too_low_to_start() {
    let containerd = wrapped(
        CONTAINERD,
        &[
            "container init was OOM-killed (memory limit too low?): unknown",
            "error setting cgroup config for procHooks process: unable to set memory limit to 4194304 (current usage: 4640768, peak \
             usage: 6361088): unknown",
            "error setting cgroup config for procHooks process: failed to write \"4194304\": write \
             /sys/fs/cgroup/kubepods.slice/main.scope/memory.max: device or resource busy: unknown",
            "read init-p: connection reset by peer: unknown",
        ],
    );
    let docker = wrapped(
        DOCKER,
        &[
            "process_linux.go:319: getting the final child's pid from pipe caused \"EOF\": unknown",
            "process_linux.go:722: waiting for init preliminary setup caused: EOF: unknown",
        ],
    );
    let others = wrapped(
        "",
        &[
            "set memory limit 4194304 too low; should be at least 12582912",
            "Error response from daemon: Minimum memory limit allowed is 6MB",
            "container create failed: clone: Cannot allocate memory",
        ],
    );
    for messages in [containerd, docker, others] {
        mean(Cause::OutOfMemory, Retry::No, &messages);
    }
}

#[test]
fn a_memory_limit_too_low_for_the_sandbox() {
    let judged = |message: &str| {
        let event = event("pod-a", "FailedCreatePodSandBox", message, 50);
        deadline(pod("Pending", vec![container("main")]), vec![event])
    };
    for message in [
        "Failed to create pod sandbox: rpc error: code = Unknown desc = pod set memory limit 1048576 too low; should be at least \
         12582912",
        "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to start sandbox container task \"5f70\": failed to \
         create shim task: OCI runtime create failed: runc create failed: unable to start container process: container init was \
         OOM-killed (memory limit too low?): unknown",
    ] {
        let judgement = judged(message);
        assert_eq!(
            (judgement.cause, judgement.retry),
            (Some(Cause::OutOfMemory), Some(Retry::No))
        );
        let clause = "Pod j-a could not be started for lack of memory";
        assert!(judgement.summary.contains(clause), "{}", judgement.summary);
    }
    for other in [
        "Failed to create pod sandbox: rpc error: code = DeadlineExceeded desc = context deadline exceeded",
        "unable to ensure pod container exists: failed to create container for [kubepods burstable pod0d3b]: mkdir \
         /sys/fs/cgroup/memory/kubepods/burstable/pod0d3b: cannot allocate memory",
    ] {
        assert_eq!(judged(other).cause, Some(Cause::SandboxFailed), "{other}");
    }
}

#[test]
fn a_device_its_driver_or_its_hook() {
    let containerd = wrapped(
        CONTAINERD,
        &[
            "error running hook #0: error running hook: exit status 1, stdout: , stderr: Auto-detected mode as \
             'legacy'\nnvidia-container-cli: initialization error: nvml error: driver/library version mismatch: unknown",
            "error running prestart hook #0: exit status 1, stdout: , stderr: nvidia-container-cli: requirement error: unsatisfied \
             condition: cuda>=12.4, please update your driver to a newer version: unknown",
            "error running hook #0: error running hook: fork/exec /usr/bin/nvidia-container-runtime-hook: no such file or directory",
            "error running createContainer hook #1: exit status 1, stdout: , stderr: ",
        ],
    );
    let docker = wrapped(
        DOCKER,
        &["process_linux.go:545: container init caused: Running hook #0:: error running hook: exit status 1"],
    );
    let others = wrapped(
        "",
        &[
            "failed to create containerd container: CDI device injection failed: unresolvable CDI devices \
             management.nvidia.com/gpu=GPU-5f70",
            "Error response from daemon: could not select device driver \"\" with capabilities: [[gpu]]",
            "Error response from daemon: error gathering device information while adding custom device \"/dev/kfd\": no such file or \
             directory",
            "failed to generate container \"0d3b\" spec: failed to generate spec: lstat /dev/xdma0_user: no such file or directory",
            "failed to generate container \"0d3b\" spec: failed to generate spec: not a device node",
            "OCI runtime create failed: unable to retrieve OCI runtime error (open /run/containerd/log.json: no such file or \
             directory): exec: \"nvidia-container-runtime\": executable file not found in $PATH: unknown",
        ],
    );
    for messages in [containerd, docker, others] {
        mean(Cause::DeviceUnavailable, Retry::Maybe, &messages);
    }
}

#[test]
fn the_runtime_its_store_and_the_disk_of_the_node() {
    let passing = wrapped(
        "",
        &[
            "context deadline exceeded",
            "failed to reserve container name \"main_a_ns_0d3b_0\": name \"main_a_ns_0d3b_0\" is reserved for \"5f70\"",
            "Kubelet may be retrying requests that are timing out in CRI-O due to system load. Currently at stage container storage \
             creation: context deadline exceeded: error reserving ctr name k8s_main_a_ns_0d3b_0 for id 5f70: name is reserved",
            "Error response from daemon: Conflict. The container name \"/k8s_main_a_ns_0d3b_0\" is already in use by container \
             \"5f70\". You have to remove (or rename) that container to be able to reuse that name.",
            "rpc error: code = Unavailable desc = transport is closing",
            "failed to get sandbox container task: no running task found: task 5f70 not found: not found",
            "failed to create containerd task: failed to create shim task: ttrpc: closed: unknown",
            "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
        ],
    );
    mean(Cause::RuntimeFailed, Retry::Yes, &passing);
    let lasting = wrapped(
        "",
        &[
            "failed to get image from containerd \"sha256:1ebf\": image \"docker.io/library/import-2023@sha256:3c87\": not found",
            "failed to create containerd container: error unpacking image: failed to extract layer sha256:7d0f: failed to get reader \
             from content store: content digest sha256:5f70: not found",
            "failed to create containerd container: parent snapshot sha256:7d0f does not exist: not found",
            "failed to create containerd container: copying of parent failed: failed to copy files: copy file range failed: no space \
             left on device",
            "failed to create containerd container: mkdir /var/lib/containerd/io.containerd.snapshotter.v1.overlayfs: read-only file \
             system",
            "failed to create containerd container: get apparmor_parser version: exec: \"apparmor_parser\": executable file not found \
             in $PATH",
            "failed to create containerd task: failed to start shim: start failed: io.containerd.runc.v2: create new shim socket: \
             listen unix /run/containerd/s/5f70: bind: address already in use: exit status 1: unknown",
            "error reading image \"5f70\": locating image with ID \"5f70\": image not known",
            "error creating read-write layer with ID \"5f70\": Stat /var/lib/containers/storage/overlay/7d0f: no such file or \
             directory",
            "Error response from daemon: readlink /var/lib/docker/overlay2/l/ABCD: invalid argument",
            "Error response from daemon: devmapper: Thin Pool has 152 free data blocks which is less than minimum required 163840 \
             free data blocks.",
            "open /var/lib/containerd/io.containerd.metadata.v1.bolt/meta.db: input/output error",
        ],
    );
    let runc = wrapped(
        CONTAINERD,
        &[
            "unable to apply cgroup configuration: mkdir /sys/fs/cgroup/memory/kubepods/0d3b: no space left on device: unknown",
            "unable to apply cgroup configuration: unable to start unit \"cri-containerd-0d3b.scope\": Message recipient disconnected \
             from message bus without replying: unknown",
            "error setting cgroup config for procHooks process: failed to write \"200000\": write \
             /sys/fs/cgroup/cpu/kubepods/0d3b/cpu.cfs_quota_us: invalid argument: unknown",
            "mkdir /sys/fs/cgroup/memory/kubepods/burstable/pod0d3b: cannot allocate memory: unknown",
            "unable to join session keyring: unable to create session key: disk quota exceeded: unknown",
            "unable to init seccomp: error loading seccomp filter into kernel: error loading seccomp filter: errno 524: unknown",
            "error mounting \"proc\" to rootfs at \"/proc\": mount proc:/proc, flags: 0xe: operation not permitted: unknown",
            "open /proc/self/uid_map: too many open files: unknown",
            "inotify_add_watch /sys/fs/cgroup/memory/kubepods/0d3b: no space left on device: unknown",
        ],
    );
    for messages in [lasting, runc] {
        mean(Cause::RuntimeFailed, Retry::Maybe, &messages);
    }
}

#[test]
fn configuration_that_the_runtime_cannot_apply() {
    let containerd = wrapped(
        CONTAINERD,
        &[
            "error mounting \"/var/lib/kubelet/pods/0d3b/volumes/kubernetes.io~configmap/c\" to rootfs at \"/etc/app.conf\": mount \
             src=/var/lib/kubelet/c, dst=/etc/app.conf, flags=MS_BIND|MS_REC: not a directory: unknown: Are you trying to mount a \
             directory onto a file (or vice-versa)? Check if the specified host path exists and is the expected type",
            "error mounting \"/var/lib/kubelet/pods/0d3b/volume-subpaths/c/main/0\" to rootfs at \"/etc/app.conf\": mount \
             /var/lib/kubelet/pods/0d3b/volume-subpaths/c/main/0:/etc/app.conf: no such file or directory: unknown",
            "error mounting \"/var/lib/kubelet/pods/0d3b/volumes/w\" to rootfs at \"/work\": create mountpoint for /work mount: mkdirat \
             /run/containerd/io.containerd.runtime.v2.task/k8s.io/0d3b/rootfs/work: read-only file system: unknown",
            "unable to apply apparmor profile: apparmor failed to apply profile: write /proc/self/attr/apparmor/exec: no such file or \
             directory: unknown",
            "write sysctl key net.core.somaxconn: open /proc/sys/net/core/somaxconn: no such file or directory: unknown",
            "setup user: cannot set uid to unmapped user in user namespace: unknown",
        ],
    );
    let docker = wrapped(
        DOCKER,
        &[
            "process_linux.go:545: container init caused: rootfs_linux.go:76: mounting \"/var/lib/kubelet/pods/0d3b/c\" to rootfs \
           \"/var/lib/docker/overlay2/5f70/merged\" at \"/etc/app.conf\" caused: not a directory: unknown",
        ],
    );
    let others = wrapped(
        "",
        &[
            "Error response from daemon: unable to find user app: no matching entries in passwd file",
            "failed to create containerd container: mount callback failed on /var/lib/containerd/tmpmounts/containerd-mount1838: no \
             users found",
            "failed to generate container \"0d3b\" spec: failed to generate spec: unknown capability \"CAP_NOPE\"",
            "failed to create containerd container: cannot load seccomp profile \"/var/lib/kubelet/seccomp/audit.json\": open \
             /var/lib/kubelet/seccomp/audit.json: no such file or directory",
            "failed to generate container \"0d3b\" spec: AppArmor profile \"k8s-deny-write\" is not loaded",
            "failed to generate container \"0d3b\" spec: failed to generate spec: path \"/\" is mounted on \"/\" but it is not a shared \
             mount",
            "failed to generate container \"0d3b\" spec: failed to apply OCI options: relabel with \"system_u:object_r:data_t:s0\" \
             failed: lsetxattr: read-only file system",
            "Error response from daemon: invalid volume specification: '':/mnt/plugin/:ro'",
        ],
    );
    for messages in [containerd, docker, others] {
        mean(Cause::ContainerConfig, Retry::No, &messages);
    }
}

#[test]
fn a_volume_whose_mount_is_broken() {
    let messages = wrapped(
        "failed to generate container \"0d3b\" spec: failed to generate spec: failed to stat \"/var/lib/kubelet/pods/0d3b/mount\": stat \
         /var/lib/kubelet/pods/0d3b/mount: ",
        &[
            "transport endpoint is not connected",
            "stale file handle",
            "no such file or directory",
        ],
    );
    mean(Cause::VolumeUnavailable, Retry::Maybe, &messages);
}

#[test]
fn the_words_of_a_program_are_its_own() {
    let texts = [
        "container init was OOM-killed (memory limit too low?)",
        "nvidia-container-cli: initialization error: driver/library version mismatch",
        "write /var/lib/data: no space left on device",
        "OCI runtime create failed: exec: \"nope\": executable file not found in $PATH",
    ];
    for (code, run) in [(1, 0), (1, 30), (126, 30), (127, 30), (128, 0), (128, 30)] {
        for text in texts {
            let end = Termination {
                started: Some(at(1)),
                message: text.into(),
                ..end(code, "Error", 1 + run)
            };
            let cause = backoff(pod("Failed", vec![ended("main", end)]), vec![]);
            assert_eq!(cause, Cause::NonZeroExit, "{code} after {run} s: {text}");
        }
    }
}

#[test]
fn a_run_of_two_seconds_is_no_failed_command() {
    let run = |code, seconds: i64| {
        let end = Termination {
            started: Some(at(1)),
            ..end(code, "Error", 1 + seconds)
        };
        backoff(pod("Failed", vec![ended("main", end)]), vec![])
    };
    for code in [126, 127] {
        assert_eq!(run(code, 0), Cause::ContainerStart);
        assert_eq!(run(code, 1), Cause::ContainerStart);
        assert_eq!(run(code, 2), Cause::NonZeroExit);
    }
    assert_eq!(run(128, 0), Cause::NonZeroExit);
}

#[test]
fn without_its_times_a_code_proves_no_failed_start() {
    let lost = Termination {
        started: None,
        ..end(127, "Error", 5)
    };
    let cause = |end: Termination| backoff(pod("Failed", vec![ended("main", end)]), vec![]);
    assert_eq!(cause(lost), Cause::NonZeroExit);
    // The runtime gives a container that it could not start the time zero.
    let zero = Termination {
        started: Some(jiff::Timestamp::UNIX_EPOCH),
        message: "no space left on device".into(),
        ..end(128, "SomethingNew", 5)
    };
    assert_eq!(cause(zero), Cause::RuntimeFailed);
}

#[test]
fn a_start_after_the_error_has_overcome_it() {
    let about = |reason: &str, message: &str, second| Event {
        field_path: "spec.containers{main}".into(),
        ..event("pod-a", reason, message, second)
    };
    let failed = about("Failed", "Error: context deadline exceeded", 9);
    let late = || {
        let waits = Container {
            state: ContainerState::Waiting,
            ..container("main")
        };
        pod("Pending", vec![waits])
    };
    assert_eq!(deadline(late(), vec![failed.clone()]).cause, Some(Cause::RuntimeFailed));
    let started = about("Started", "Started container main", 12);
    assert_ne!(
        deadline(late(), vec![failed, started]).cause,
        Some(Cause::RuntimeFailed)
    );
}

#[test]
fn a_failure_policy_means_the_end_behind_its_code() {
    let judged = |reason: &str, message: &str, pods: bool| {
        let mut evidence = job("PodFailurePolicy", 20);
        evidence.job.status.conditions[0].message =
            "Container main for pod ns/j-a failed with exit code 128 matching FailJob rule at index 0".into();
        let end = Termination {
            message: message.into(),
            ..end(128, reason, 9)
        };
        let pods = pods.then(|| pod("Failed", vec![ended("main", end)]));
        with(evidence, pods.into_iter().collect(), vec![]).cause
    };
    let limit = "container init was OOM-killed (memory limit too low?)";
    assert_eq!(judged("StartError", limit, true), Some(Cause::OutOfMemory));
    assert_eq!(judged("Error", limit, true), Some(Cause::NonZeroExit));
    // The code alone does not prove that the container was not started.
    assert_eq!(judged("", "", false), Some(Cause::NonZeroExit));
}
