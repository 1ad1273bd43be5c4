//! Pods that do not start.

use job_judge::Cause;
use serde_json::json;

use super::super::story::condition;
use super::{StallStory, job, one_pod};

const NOT_FOUND: &str = "rpc error: code = NotFound desc = failed to pull and unpack image \"registry.example/app:9\": failed to \
                         resolve reference \"registry.example/app:9\": registry.example/app:9: not found";
const NO_CPU: &str = "0/3 nodes are available: 3 Insufficient cpu.";
const SANDBOX: &str = "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox \
                       \"0d3b\": plugin type=\"calico\" failed (add): error getting ClusterInformation: connection is unauthorized";

pub(super) fn stories() -> Vec<StallStory> {
    let mut stories = images();
    stories.extend(before_images());
    stories.extend(scheduling());
    stories
}

/// The pull of the image of Pod `a` fails for the first time.
fn pull_fails(story: super::Story, second: i64) -> super::Story {
    let message = format!("Failed to pull image \"registry.example/app:9\": {NOT_FOUND}");
    story
        .at(second)
        .warns("pods/a{main}", "Failed", &message)
        .waits("a", "ErrImagePull", NOT_FOUND)
}

fn images() -> Vec<StallStory> {
    let pulls = |story: super::Story, second| {
        story.at(second).tell(
            "pods/a{main}",
            "Normal",
            "Pulling",
            "Pulling image \"registry.example/app:9\"",
        )
    };
    let created = |name| one_pod(name).at(1).admitted("a");
    let missing = "configmap \"settings\" not found";
    vec![
        pull_fails(created("image-missing"), 2)
            .at(15)
            .waits(
                "a",
                "ImagePullBackOff",
                &format!("Back-off pulling image: ErrImagePull: {NOT_FOUND}"),
            )
            .stalls(200, &[(Cause::ImagePull, 2, 200)]),
        pulls(created("image-large"), 2).at(240).runs("a").moves(300),
        pull_fails(created("image-pushed-late"), 2)
            .at(100)
            .runs("a")
            .at(400)
            .ends("a", 0, "Completed")
            .completes(402)
            .stalls(420, &[(Cause::ImagePull, 2, 99)]),
        pull_fails(created("registry-blip"), 2).at(20).runs("a").moves(200),
        // Without Events the beginning of the error is unknown, so the whole wait counts.
        pull_fails(pulls(created("pull-that-failed-once-after-minutes"), 2), 200)
            .at(220)
            .runs("a")
            .stalls_without_events(300, &[], &[Cause::ImagePull]),
        created("configuration-after-a-slow-pull")
            .at(150)
            .tell(
                "pods/a{main}",
                "Normal",
                "Pulled",
                "Successfully pulled image \"registry.example/app:9\"",
            )
            .warns("pods/a{main}", "Failed", &format!("Error: {missing}"))
            .waits("a", "CreateContainerConfigError", missing)
            .stalls(300, &[(Cause::ContainerConfig, 150, 300)]),
        created("no-error-for-minutes").moves(400),
        created("unknown-waiting-reason")
            .at(3)
            .waits("a", "NewReason", "why")
            .moves(300),
    ]
}

fn before_images() -> Vec<StallStory> {
    let created = |name| one_pod(name).at(1).admitted("a");
    let volume = "MountVolume.SetUp failed for volume \"v\" : secret \"absent\" not found";
    let attach = "Multi-Attach error for volume \"pvc-1\" Volume is already used by pod(s) b";
    vec![
        created("volume-missing")
            .repeats(&[2, 3, 5, 9, 17, 33, 65, 129], "pods/a", "FailedMount", volume)
            .stalls_without_events(200, &[(Cause::VolumeUnavailable, 1, 200)], &[]),
        created("volume-attached-late")
            .repeats(&[2], "pods/a", "FailedAttachVolume", attach)
            .by("attachdetach-controller")
            .at(60)
            .runs("a")
            .stalls_without_events(200, &[(Cause::VolumeUnavailable, 1, 59)], &[]),
        created("sandbox-heals")
            .repeats(&[2, 14, 27, 39, 52, 64], "pods/a", "FailedCreatePodSandBox", SANDBOX)
            .at(70)
            .runs("a")
            .stalls_without_events(200, &[(Cause::SandboxFailed, 1, 69)], &[]),
        created("sandbox-fails-once")
            .repeats(&[2], "pods/a", "FailedCreatePodSandBox", SANDBOX)
            .at(15)
            .runs("a")
            .moves(200),
        created("device-plugin-not-ready")
            .repeats(
                &[2, 5, 14, 28, 42, 56, 70, 84, 98],
                "pods/a",
                "FailedPrepareDynamicResources",
                "Failed to prepare dynamic resources: prepare dynamic resources: DRA driver gpu.example.com is not registered",
            )
            .stalls_without_events(110, &[(Cause::DeviceUnavailable, 1, 110)], &[]),
    ]
}

fn scheduling() -> Vec<StallStory> {
    let unschedulable = |message| condition("PodScheduled", false, "Unschedulable", message, 0);
    let gated = condition("PodScheduled", false, "SchedulingGated", "Scheduling is blocked", 0);
    vec![
        one_pod("autoscaler-adds-a-node")
            .conditions("pods/a", &[unschedulable(NO_CPU)])
            .warns("pods/a", "FailedScheduling", NO_CPU)
            .at(10)
            .tell(
                "pods/a",
                "Normal",
                "TriggeredScaleUp",
                "pod triggered scale-up: [{pool 1->2 (max: 5)}]",
            )
            .by("cluster-autoscaler")
            .at(90)
            .runs("a")
            .stalls(200, &[(Cause::Unschedulable, 0, 89)]),
        one_pod("autoscaler-is-quick")
            .conditions("pods/a", &[unschedulable(NO_CPU)])
            .at(25)
            .runs("a")
            .moves(200),
        one_pod("scheduler-takes-its-time").at(45).runs("a").moves(200),
        one_pod("no-such-scheduler").stalls(200, &[(Cause::Unschedulable, 0, 200)]),
        one_pod("no-gpu")
            .conditions(
                "pods/a",
                &[unschedulable("0/3 nodes are available: 3 Insufficient nvidia.com/gpu.")],
            )
            .stalls(200, &[(Cause::DeviceUnavailable, 0, 200)]),
        one_pod("claim-not-bound")
            .conditions(
                "pods/a",
                &[unschedulable(
                    "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims.",
                )],
            )
            .stalls(200, &[(Cause::VolumeUnavailable, 0, 200)]),
        one_pod("gated")
            .conditions("pods/a", std::slice::from_ref(&gated))
            .stalls(200, &[(Cause::SchedulingGated, 0, 200)]),
        one_pod("gate-removed")
            .conditions("pods/a", &[gated])
            .at(100)
            .runs("a")
            .stalls(200, &[(Cause::SchedulingGated, 0, 99)]),
        // The first Pod worked until its eviction.
        job("evicted-then-unschedulable", json!({}))
            .pod("a")
            .at(1)
            .runs("a")
            .at(60)
            .disrupted("a", "EvictionByEvictionAPI", "Eviction API: evicting")
            .deletes("a")
            .another(61, "b")
            .conditions(
                "pods/b",
                &[condition("PodScheduled", false, "Unschedulable", NO_CPU, 61)],
            )
            .at(70)
            .goes("a", &super::ended("main-0", 143, "Error", 1, 70))
            .stalls(200, &[(Cause::Unschedulable, 61, 200)]),
    ]
}
