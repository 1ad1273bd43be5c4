//! Obstacles that passed before the deadline, others that lasted, and messages that say more than later ones.

use job_judge::{Cause, Retry};
use serde_json::json;

use super::kubelet::{ended, status, unknown_end, waiting};
use super::story::{DEADLINE, Story, condition};

/// An error of the first second, which the next attempt overcomes.
const CACHE: &str = "MountVolume.SetUp failed for volume \"kube-api-access-x\" : failed to sync configmap cache: timed out \
                     waiting for the condition";
const SECRET: &str = "MountVolume.SetUp failed for volume \"key\" : secret \"db-key\" not found";
const WAITED: &str = "Unable to attach or mount volumes: unmounted volumes=[key], unattached volumes=[key kube-api-access-x]: \
                      timed out waiting for the condition";
const ELSEWHERE: &str = "Multi-Attach error for volume \"pvc-1\" Volume is already used by pod(s) other-1";
const NETWORK: &str = "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox \
                       \"0f\": plugin type=\"flannel\" failed (add): open /run/flannel/subnet.env: no such file or directory";
const IMAGE: &str = "registry.example/app:9";

pub(super) fn stories() -> Vec<Story> {
    vec![
        mount_note_passed(),
        mount_note_on_an_old_server(),
        mount_never(),
        attached_at_last(),
        attached_elsewhere(),
        sandbox_passed(),
        sandbox_lost(),
        sandbox_of_an_old_node(),
        image_timeout_in_an_event(),
        image_error_of_a_newer_server(),
        runtime_down(),
        pull_cut_off(),
    ]
}

/// A Job whose only Pod is on its node.
fn on_a_node(name: &'static str, cause: Cause, deadline: i64) -> Story {
    Story::failed(name, DEADLINE, cause)
        .job(json!({"activeDeadlineSeconds": deadline}))
        .pod("a")
        .at(1)
        .admitted("a")
}

/// The kubelet reports the same at these seconds.
fn repeated(story: Story, seconds: &[i64], reason: &str, message: &str) -> Story {
    let warn = |story: Story, second: &i64| story.at(*second).warns("pods/a", reason, message);
    seconds.iter().fold(story, warn)
}

fn ready_to_start(story: Story, since: i64) -> Story {
    story.conditions("pods/a", &[condition("PodReadyToStartContainers", true, "", "", since)])
}

fn mount_note_passed() -> Story {
    let story = on_a_node("mount-note-passed", Cause::SlowStart, 20)
        .at(2)
        .warns("pods/a", "FailedMount", CACHE)
        .at(5);
    ready_to_start(story, 5)
        .at(20)
        .deadline("a", &unknown_end())
        .sentence("the volumes and the sandbox of Pod a were ready, but container main had not started.")
}

/// Without the condition only the silence of the kubelet shows it.
fn mount_note_on_an_old_server() -> Story {
    on_a_node("mount-note-on-an-old-server", Cause::SlowStart, 120)
        .at(2)
        .warns("pods/a", "FailedMount", CACHE)
        .at(120)
        .deadline("a", &unknown_end())
        .sentence("container main had not started, and no lasting error was reported.")
}

/// The error and the notice of the wait alternate.
fn mount_never() -> Story {
    let story = on_a_node("mount-never", Cause::VolumeUnavailable, 400);
    let story = repeated(story, &[2, 3, 5, 9, 17, 33, 65], "FailedMount", SECRET);
    let story = repeated(story, &[124], "FailedMount", WAITED);
    let story = repeated(story, &[129, 251], "FailedMount", SECRET);
    let story = repeated(story, &[259], "FailedMount", WAITED);
    let story = repeated(story, &[373], "FailedMount", SECRET);
    repeated(story, &[394], "FailedMount", WAITED)
        .at(400)
        .deadline("a", &unknown_end())
        .sentence("secret \"db-key\" not found")
        .retry(Retry::Maybe)
        .next_step("Create the Secret or ConfigMap")
}

/// The other node released the volume; the image was slow.
fn attached_at_last() -> Story {
    let story = on_a_node("attached-at-last", Cause::SlowStart, 400)
        .at(3)
        .warns("pods/a", "FailedAttachVolume", ELSEWHERE)
        .at(40);
    ready_to_start(story, 40).at(400).deadline("a", &unknown_end())
}

/// The attach/detach controller reports it once; the kubelet keeps waiting.
fn attached_elsewhere() -> Story {
    let story = on_a_node("attached-elsewhere", Cause::VolumeUnavailable, 600)
        .at(3)
        .warns("pods/a", "FailedAttachVolume", ELSEWHERE);
    repeated(story, &[124, 259, 394, 529], "FailedMount", WAITED)
        .at(600)
        .deadline("a", &unknown_end())
        .sentence("Multi-Attach error")
        .next_step("Look for the Pod or node that still uses the volume")
}

/// The network plugin of a new node was late; then the image was pulled until the deadline.
fn sandbox_passed() -> Story {
    let story = on_a_node("sandbox-passed", Cause::SlowStart, 300);
    repeated(story, &[2, 14], "FailedCreatePodSandBox", NETWORK)
        .at(27)
        .tell(
            "pods/a{main}",
            "Normal",
            "Pulling",
            &format!("Pulling image \"{IMAGE}\""),
        )
        .at(300)
        .deadline("a", &unknown_end())
        .sentence("image registry.example/app:9 was still being pulled for container main.")
        .next_step("Check the size of the image")
}

/// The sandbox was lost after the init container, and cannot be created again.
fn sandbox_lost() -> Story {
    let pod = json!({"spec": {"initContainers": [{"name": "migrate", "image": "registry.example/migrate:1"}]}});
    let story = Story::failed("sandbox-lost", DEADLINE, Cause::SandboxFailed)
        .job(json!({"activeDeadlineSeconds": 60}))
        .pod_of("j", "a", pod)
        .at(1)
        .admitted("a")
        .at(3);
    let story = ready_to_start(story, 3).at(8).states(
        "a",
        "Pending",
        &[
            status("migrate", &ended("migrate-0", 0, "Completed", 4, 8), None, 0),
            status("main", &waiting("PodInitializing", ""), None, 0),
        ],
    );
    let lost = condition("PodReadyToStartContainers", false, "", "", 12);
    let story = story.at(12).conditions("pods/a", &[lost]);
    repeated(story, &[13, 25, 38, 52], "FailedCreatePodSandBox", NETWORK)
        .at(60)
        .controller_deletes("a")
        .deadline_exceeded()
        .at(62)
        .gone("pods/a")
        .at(64)
        .finished()
}

fn sandbox_of_an_old_node() -> Story {
    let story = on_a_node("sandbox-address", Cause::SandboxFailed, 60);
    let message = "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox \"1a\": \
                   plugin type=\"aws-cni\" name=\"aws-cni\" failed (add): add cmd: failed to assign an IP address to container";
    repeated(story, &[2, 14, 27, 41, 53], "FailedCreatePodSandBox", message)
        .at(60)
        .deadline("a", &unknown_end())
        .retry(Retry::Maybe)
        .next_step("Check the free IP addresses")
}

/// Before Kubernetes 1.32 the status names only the image.
fn image_timeout_in_an_event() -> Story {
    let backoff = format!("Back-off pulling image \"{IMAGE}\"");
    let failed = format!(
        "Failed to pull image \"{IMAGE}\": rpc error: code = Unknown desc = failed to pull and unpack image: failed to do \
         request: Head \"https://registry.example/v2/app/manifests/9\": dial tcp 192.0.2.1:443: i/o timeout"
    );
    on_a_node("image-timeout-in-an-event", Cause::ImagePull, 90)
        .at(33)
        .waits("a", "ImagePullBackOff", &backoff)
        .warns("pods/a{main}", "Failed", &failed)
        .warns("pods/a{main}", "Failed", "Error: ErrImagePull")
        .at(48)
        .warns("pods/a{main}", "Failed", "Error: ImagePullBackOff")
        .at(90)
        .deadline("a", &unknown_end())
        .sentence("i/o timeout")
}

/// From Kubernetes 1.32 on the back-off has the error.
fn image_error_of_a_newer_server() -> Story {
    let backoff = format!("Back-off pulling image \"{IMAGE}\": ErrImagePull: {IMAGE}: not found");
    on_a_node("image-error-of-a-newer-server", Cause::ImagePull, 30)
        .at(3)
        .waits(
            "a",
            "ErrImagePull",
            "rpc error: code = Canceled desc = context canceled",
        )
        .at(15)
        .waits("a", "ImagePullBackOff", &backoff)
        .at(30)
        .deadline("a", &unknown_end())
        .sentence("“registry.example/app:9: not found”")
        .retry(Retry::No)
}

fn runtime_down() -> Story {
    let message = "Failed to create pod sandbox: rpc error: code = Unavailable desc = connection error: desc = \"transport: Error \
                   while dialing dial unix /run/containerd/containerd.sock: connect: connection refused\"";
    let story = on_a_node("runtime-down", Cause::RuntimeFailed, 60);
    repeated(story, &[2, 14, 27, 41, 53], "FailedCreatePodSandBox", message)
        .at(60)
        .deadline("a", &unknown_end())
        .sentence("node node1 could not create the sandbox of Pod a")
        .retry(Retry::Yes)
}

/// The deletion cancels the pull, which the kubelet reports as an error.
fn pull_cut_off() -> Story {
    let canceled = format!("Failed to pull image \"{IMAGE}\": failed to pull and unpack image: context canceled");
    on_a_node("pull-cut-off", Cause::SlowStart, 60)
        .at(3)
        .tell(
            "pods/a{main}",
            "Normal",
            "Pulling",
            &format!("Pulling image \"{IMAGE}\""),
        )
        .at(60)
        .controller_deletes("a")
        .deadline_exceeded()
        .warns("pods/a{main}", "Failed", &canceled)
        .warns("pods/a{main}", "Failed", "Error: ErrImagePull")
        .at(62)
        .goes("a", &unknown_end())
        .at(64)
        .finished()
        .sentence("image registry.example/app:9 was still being pulled for container main.")
}
