//! Pods that never came to run: images, configuration, volumes, devices, scheduling, admission. The deadline ends them.

use job_judge::Cause;
use serde_json::{Value, json};

use super::story::{Story, condition, ended, running, status, unknown_end, waiting};

const DEADLINE: &str = "DeadlineExceeded";

fn waiting_for(name: &'static str, cause: Cause) -> Story {
    Story::failed(name, DEADLINE, cause)
        .job(json!({"activeDeadlineSeconds": 20}))
        .pod("a")
}

/// A Pod whose container waits, first with one reason, then with another.
fn stuck(name: &'static str, cause: Cause, waits: &[(&str, &str)], events: &[(&str, &str)]) -> Story {
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
    // The deletion takes the waiting reason back before it ends the container that never was.
    story
        .at(20)
        .controller_deletes("a")
        .verdict(DEADLINE, "Job was active longer than specified deadline")
        .waits("a", "ContainerCreating", "")
        .at(22)
        .goes("a", &unknown_end())
        .at(23)
        .finished()
}

/// A Pod without a node.
fn unscheduled(name: &'static str, cause: Cause, reason: &str, message: &str) -> Story {
    let said = condition("PodScheduled", false, reason, message, 0);
    let mut story = waiting_for(name, cause).conditions("pods/a", &[said]);
    if reason == "Unschedulable" {
        story = story.warns("pods/a", "FailedScheduling", message);
    }
    ungranted(story)
}

/// The deadline of a Pod without a node, which is gone at once.
fn ungranted(story: Story) -> Story {
    story
        .at(20)
        .controller_deletes("a")
        .warns("pods/a", "FailedScheduling", "skip schedule deleting pod: ns/a")
        .verdict(DEADLINE, "Job was active longer than specified deadline")
        .gone("pods/a")
        .at(21)
        .finished()
}

/// A Pod on its node about which the kubelet warns and whose container is never made.
fn never_made(name: &'static str, cause: Cause, reason: &str, message: &str) -> Story {
    waiting_for(name, cause)
        .at(1)
        .admitted("a")
        .at(3)
        .warns("pods/a", reason, message)
        .at(20)
        .deadline("a", &unknown_end())
}

/// A Job whose Pods the API server does not take.
fn refused(name: &'static str, cause: Cause, error: &str) -> Story {
    Story::failed(name, DEADLINE, cause)
        .job(json!({"activeDeadlineSeconds": 20}))
        .patch("jobs/j", json!({"status": {"active": 0}}))
        .warns("jobs/j", "FailedCreate", &format!("Error creating: {error}"))
        .at(2)
        .warns(
            "jobs/j",
            "FailedCreate",
            &format!("(combined from similar events): Error creating: {error}"),
        )
        .at(20)
        .verdict(DEADLINE, "Job was active longer than specified deadline")
        .finished()
}

pub fn stories() -> Vec<Story> {
    let mut stories = images();
    stories.extend(configuration());
    stories.extend(scheduling());
    stories.extend(kubelet());
    stories.extend(admission());
    stories
}

fn images() -> Vec<Story> {
    let image = "registry.example/app:9";
    let backed_off = |why: &str| format!("Back-off pulling image \"{image}\": {why}");
    let not_found = format!(
        "failed to pull and unpack image \"{image}\": failed to resolve reference \"{image}\": {image}: not found"
    );
    let crio = format!(
        "unable to pull image or OCI artifact: pull image err: initializing source docker://{image}: reading manifest 9 in \
         {image}: manifest unknown"
    );
    let registry = format!("image pull failed for {image} because the registry is unavailable: dial tcp: i/o timeout");
    let signature = format!(
        "image pull failed for {image} because the signature validation failed: Source image rejected: A signature was \
         required, but no signature exists"
    );
    let never = format!("Container image \"{image}\" is not present with pull policy of Never");
    let invalid = "Failed to apply default image tag \"Bad:::name\": couldn't parse image name \"Bad:::name\": invalid \
                   reference format: repository name (library/Bad:::name) must be lowercase";
    let inspect = format!("Failed to inspect image \"{image}\": rpc error: code = Unknown desc = layer not known");
    vec![
        stuck(
            "image-not-found",
            Cause::ImagePull,
            &[
                ("ErrImagePull", &not_found),
                ("ImagePullBackOff", &backed_off(&format!("ErrImagePull: {not_found}"))),
            ],
            &[
                ("Failed", &format!("Failed to pull image \"{image}\": {not_found}")),
                ("Failed", "Error: ErrImagePull"),
            ],
        ),
        stuck(
            "image-not-found-crio",
            Cause::ImagePull,
            &[
                ("ErrImagePull", &crio),
                ("ImagePullBackOff", &backed_off(&format!("ErrImagePull: {crio}"))),
            ],
            &[],
        ),
        stuck(
            "image-never",
            Cause::ImagePull,
            &[("ErrImageNeverPull", &never)],
            &[("ErrImageNeverPull", &never), ("Failed", "Error: ErrImageNeverPull")],
        ),
        stuck(
            "image-invalid",
            Cause::ImagePull,
            &[("InvalidImageName", invalid)],
            &[("InspectFailed", invalid), ("Failed", "Error: InvalidImageName")],
        ),
        stuck(
            "image-registry-unavailable",
            Cause::ImagePull,
            &[
                ("RegistryUnavailable", &registry),
                (
                    "ImagePullBackOff",
                    &backed_off(&format!("RegistryUnavailable: {registry}")),
                ),
            ],
            &[],
        ),
        stuck(
            "image-signature",
            Cause::ImagePull,
            &[
                ("SignatureValidationFailed", &signature),
                (
                    "ImagePullBackOff",
                    &backed_off(&format!("SignatureValidationFailed: {signature}")),
                ),
            ],
            &[],
        ),
        stuck(
            "image-inspect",
            Cause::ImagePull,
            &[("ImageInspectError", &inspect)],
            &[("InspectFailed", &inspect)],
        ),
        image_of_an_init_container(),
        image_of_a_second_try(),
    ]
}

/// The first init container gets the end that stands for all; the main one stays as it was.
fn image_of_an_init_container() -> Story {
    let pod = json!({"spec": {"initContainers": [{"name": "migrate", "image": "registry.example/migrate:1"}]}});
    let states = |init: &Value| {
        [
            status("migrate", init, None, 0),
            status("main", &waiting("PodInitializing", ""), None, 0),
        ]
    };
    Story::failed("image-of-init", DEADLINE, Cause::ImagePull)
        .job(json!({"activeDeadlineSeconds": 20}))
        .pod_of("j", "a", pod)
        .at(1)
        .admitted("a")
        .at(3)
        .states(
            "a",
            "Pending",
            &states(&waiting(
                "ImagePullBackOff",
                "Back-off pulling image \"registry.example/migrate:1\"",
            )),
        )
        .warns(
            "pods/a{migrate}",
            "Failed",
            "Failed to pull image \"registry.example/migrate:1\": not found",
        )
        .at(20)
        .controller_deletes("a")
        .verdict(DEADLINE, "Job was active longer than specified deadline")
        .at(21)
        .states("a", "Pending", &states(&waiting("PodInitializing", "")))
        .states("a", "Failed", &states(&unknown_end()))
        .gone("pods/a")
        .at(22)
        .finished()
}

/// The image was there for the first attempt, which failed; of the second one it cannot be pulled.
fn image_of_a_second_try() -> Story {
    Story::failed("image-gone-on-retry", DEADLINE, Cause::ImagePull)
        .job(json!({"activeDeadlineSeconds": 60}))
        .pod("a")
        .at(1)
        .runs("a")
        .at(4)
        .ends("a", 1, "Error")
        .at(14)
        .pod("b")
        .at(15)
        .admitted("b")
        .at(16)
        .waits("b", "ErrImagePull", "pull access denied")
        .waits("b", "ImagePullBackOff", "Back-off pulling image")
        .warns(
            "pods/b{main}",
            "Failed",
            "Failed to pull image \"registry.example/app:9\": pull access denied",
        )
        .at(60)
        .deadline("b", &unknown_end())
}

fn configuration() -> Vec<Story> {
    let crio = "container create failed: time=\"2026-11-23T12:00:02Z\" level=error msg=\"runc create failed: unable to start \
                container process: error during container init: exec: \\\"/nope\\\": stat /nope: no such file or directory\"";
    let containerd = "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create \
                      failed: unable to start container process: error during container init: exec: \"/nope\": stat /nope: \
                      no such file or directory";
    let nonroot = "container has runAsNonRoot and image will run as root (pod: \"a_nonroot(0d3b)\", container: main)";
    let key = "couldn't find key password in Secret ns/db";
    let loops = "back-off 10s restarting failed container=main pod=a_exec-missing-restarts(0d3b)";
    let never = |run: &str| {
        json!({"terminated": {"exitCode": 128, "reason": "StartError", "message": containerd,
            "startedAt": "1970-01-01T00:00:00Z", "finishedAt": super::story::time(3),
            "containerID": format!("containerd://{run}")}})
    };
    vec![
        stuck(
            "nonroot",
            Cause::ContainerConfig,
            &[("CreateContainerConfigError", nonroot)],
            &[("Failed", &format!("Error: {nonroot}"))],
        ),
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
        ),
        stuck(
            "pre-create-hook",
            Cause::ContainerStart,
            &[("PreCreateHookError", "not enough cpus available to satisfy request")],
            &[(
                "Failed",
                "Internal PreCreateContainer hook failed: not enough cpus available to satisfy request",
            )],
        ),
        Story::failed("exec-missing-containerd", "BackoffLimitExceeded", Cause::ContainerStart)
            .job(json!({"backoffLimit": 0}))
            .pod("a")
            .at(1)
            .admitted("a")
            .at(3)
            .waits("a", "RunContainerError", containerd)
            .states("a", "Failed", &[status("main", &never("main-0"), None, 0)])
            .at(4)
            .backoff(),
        Story::failed("exec-missing-restarts", DEADLINE, Cause::ContainerStart)
            .job(json!({"activeDeadlineSeconds": 20, "template": {"spec": {"restartPolicy": "OnFailure"}}}))
            .pod("a")
            .at(1)
            .admitted("a")
            .at(3)
            .waits("a", "RunContainerError", containerd)
            .at(5)
            .states(
                "a",
                "Running",
                &[status(
                    "main",
                    &waiting("CrashLoopBackOff", loops),
                    Some(&never("main-0")),
                    1,
                )],
            )
            .at(20)
            .controller_deletes("a")
            .verdict(DEADLINE, "Job was active longer than specified deadline")
            .at(21)
            .states("a", "Failed", &[status("main", &never("main-0"), None, 1)])
            .gone("pods/a")
            .at(22)
            .finished(),
    ]
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
        unscheduled("unschedulable-cpu", Cause::Unschedulable, "Unschedulable", cpu),
        unscheduled("unschedulable-taints", Cause::Unschedulable, "Unschedulable", taints),
        unscheduled("unschedulable-mixed", Cause::Unschedulable, "Unschedulable", mixed),
        unscheduled("unschedulable-gang", Cause::Unschedulable, "Unschedulable", gang),
        unscheduled(
            "scheduler-error",
            Cause::Unschedulable,
            "SchedulerError",
            "running PreBind plugin \"VolumeBinding\": binding volumes: context deadline exceeded",
        ),
        unscheduled("pvc-missing", Cause::VolumeUnavailable, "Unschedulable", pvc),
        unscheduled("pvc-unbound", Cause::VolumeUnavailable, "Unschedulable", unbound),
        unscheduled("pvc-no-volume", Cause::VolumeUnavailable, "Unschedulable", bind),
        unscheduled("dra-claims", Cause::DeviceUnavailable, "Unschedulable", claims),
        unscheduled("dra-class", Cause::DeviceUnavailable, "Unschedulable", class),
        unscheduled("gpu-insufficient", Cause::DeviceUnavailable, "Unschedulable", gpu),
        unscheduled(
            "scheduling-gated",
            Cause::SchedulingGated,
            "SchedulingGated",
            "Scheduling is blocked due to non-empty scheduling gates",
        ),
        // No scheduler took the Pod up.
        ungranted(waiting_for("no-scheduler", Cause::Unschedulable)),
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
        waiting_for("slow-start", Cause::SlowStart)
            .at(1)
            .admitted("a")
            .at(20)
            .deadline("a", &unknown_end()),
        // What was in the way was not for long.
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
            .deadline("a", &ended("main-0", 137, "Error", 5, 22)),
    ]
}

fn admission() -> Vec<Story> {
    let forbidden = |why: &str| format!("pods \"j-x7k2p\" is forbidden: {why}");
    vec![
        refused(
            "quota",
            Cause::QuotaExceeded,
            &forbidden("exceeded quota: q, requested: pods=1, used: pods=0, limited: pods=0"),
        ),
        refused(
            "quota-limits",
            Cause::QuotaExceeded,
            &forbidden("failed quota: q: must specify limits.cpu for: main"),
        ),
        refused(
            "limit-range",
            Cause::AdmissionDenied,
            &forbidden("maximum memory usage per Container is 64Mi, but limit is 1Gi"),
        ),
        refused(
            "service-account",
            Cause::AdmissionDenied,
            &forbidden("error looking up service account ns/nope: serviceaccount \"nope\" not found"),
        ),
        refused(
            "pod-security",
            Cause::AdmissionDenied,
            &forbidden(
                "violates PodSecurity \"restricted:latest\": privileged (container \"main\" must not set securityContext.privileged=true)",
            ),
        ),
        refused(
            "scc",
            Cause::AdmissionDenied,
            &forbidden(
                "unable to validate against any security context constraint: [provider \"anyuid\": Forbidden: not usable by \
                 user or serviceaccount, provider restricted-v2: .containers[0].privileged: Invalid value: true]",
            ),
        ),
        refused(
            "webhook-denies",
            Cause::AdmissionDenied,
            "admission webhook \"images.example\" denied the request: image is not signed",
        ),
        refused(
            "webhook-down",
            Cause::AdmissionDenied,
            "Internal error occurred: failed calling webhook \"images.example\": failed to call webhook: Post \
             \"https://images.example.svc:443/\": dial tcp 10.0.0.7:443: connect: connection refused",
        ),
        refused(
            "admission-policy",
            Cause::AdmissionDenied,
            &forbidden(
                "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: failed expression: object.spec.x",
            ),
        ),
        refused(
            "priority-class",
            Cause::AdmissionDenied,
            &forbidden("no PriorityClass with name nope was found"),
        ),
        refused(
            "runtime-class",
            Cause::AdmissionDenied,
            &forbidden("pod rejected: RuntimeClass \"nope\" not found"),
        ),
        // Neither Pod nor Event: the controller was down, or the namespace is being deleted.
        Story::failed("no-pods", DEADLINE, Cause::NoPodsCreated)
            .job(json!({"activeDeadlineSeconds": 20}))
            .patch("jobs/j", json!({"status": {"active": 0}}))
            .at(20)
            .verdict(DEADLINE, "Job was active longer than specified deadline")
            .finished(),
    ]
}
