//! Obstacles before a container starts, and how they end.

use job_tracker::StallSettings;
use serde_json::json;

use crate::replayed::{check, notices_with};
use crate::stories::Story;
use crate::stories::kubelet::{running, status, waiting};
use crate::stories::story::condition;
use crate::story;

const UNAUTHORIZED: &str = "failed to pull and unpack image \"quay.io/acme/report:4\": failed to resolve reference \
                            \"quay.io/acme/report:4\": unexpected status from HEAD request to \
                            https://quay.io/v2/acme/report/manifests/4: 401 UNAUTHORIZED";
const NO_NODE: &str = "0/40 nodes are available: 12 Insufficient memory, 28 node(s) didn't match Pod's node affinity/selector. \
                       preemption: 0/40 nodes are available: 40 Preemption is not helpful for scheduling.";

/// A Job whose image cannot be pulled from second 2 on.
fn pulls(story: Story) -> Story {
    story
        .job(json!({}))
        .pod("a")
        .at(1)
        .admitted("a")
        .at(2)
        .waits("a", "ErrImagePull", UNAUTHORIZED)
        .warns("pods/a{main}", "Failed", UNAUTHORIZED)
        .warns("pods/a{main}", "Failed", "Error: ErrImagePull")
        .at(16)
        .waits(
            "a",
            "ImagePullBackOff",
            &format!("Back-off pulling image \"quay.io/acme/report:4\": ErrImagePull: {UNAUTHORIZED}"),
        )
}

/// The only Pod of the Job ends well, and the Job with it.
fn completes(story: Story) -> Story {
    let complete = condition("Complete", true, "CompletionsReached", "", story.now);
    story
        .ends("a", 0, "Completed")
        .patch("jobs/j", json!({"status": {"active": 0, "succeeded": 1}}))
        .conditions("jobs/j", &[complete])
}

/// A Pod without a node.
fn unscheduled(story: Story) -> Story {
    let now = story.now;
    story
        .job(json!({}))
        .pod("a")
        .conditions(
            "pods/a",
            &[condition("PodScheduled", false, "Unschedulable", NO_NODE, now)],
        )
        .warns("pods/a", "FailedScheduling", NO_NODE)
}

/// The Job controller cannot create a Pod.
fn refused(story: Story, why: &str) -> Story {
    let message = format!("Error creating: pods \"j-x7k2p\" is forbidden: {why}");
    story
        .job(json!({}))
        .patch("jobs/j", json!({"status": {"active": 0}}))
        .at(1)
        .warns("jobs/j", "FailedCreate", &message)
        .at(12)
        .warns("jobs/j", "FailedCreate", &message)
}

#[test]
fn an_obstacle_is_reported_while_it_lasts() {
    let cni = "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox \"8a1\": plugin \
               type=\"calico\" failed (add): error getting ClusterInformation: connection is unauthorized: Unauthorized";
    let volume = "MountVolume.SetUp failed for volume \"cert\" : secret \"tls-report\" not found";
    check(vec![
        (pulls(story("quay-unauthorized")), &["stalled ImagePull"]),
        (unscheduled(story("no-node")), &["stalled Unschedulable"]),
        (
            refused(story("quota"), "exceeded quota: team, requested: requests.cpu=8, used: requests.cpu=60, limited: requests.cpu=64"),
            &["stalled QuotaExceeded"],
        ),
        (
            refused(
                story("webhook"),
                "admission webhook \"validation.gatekeeper.sh\" denied the request: [require-owner] missing label owner",
            )
            .at(13),
            &["stalled AdmissionDenied"],
        ),
        (
            story("cni")
                .job(json!({}))
                .pod("a")
                .at(1)
                .admitted("a")
                .at(3)
                .warns("pods/a", "FailedCreatePodSandBox", cni)
                .at(15)
                .warns("pods/a", "FailedCreatePodSandBox", cni),
            &["stalled SandboxFailed"],
        ),
        (
            story("secret-volume")
                .job(json!({"template": {"spec": {"restartPolicy": "OnFailure"}}}))
                .pod("a")
                .at(1)
                .admitted("a")
                .at(2)
                .warns("pods/a", "FailedMount", volume)
                .at(18)
                .warns("pods/a", "FailedMount", volume),
            &["stalled VolumeUnavailable"],
        ),
        (
            story("config")
                .job(json!({}))
                .pod("a")
                .at(1)
                .admitted("a")
                .at(2)
                .waits("a", "CreateContainerConfigError", "couldn't find key token in Secret shop/api")
                .warns("pods/a{main}", "Failed", "Error: couldn't find key token in Secret shop/api"),
            &["stalled ContainerConfig"],
        ),
    ]);
}

#[test]
fn an_obstacle_that_passes_is_a_recovery() {
    check(vec![
        (
            completes(pulls(story("heals-late")).at(70).runs("a").at(200)),
            &["stalled ImagePull", "recovered ImagePull"],
        ),
        (completes(pulls(story("heals-in-time")).at(25).runs("a").at(200)), &[]),
        (
            unscheduled(story("autoscaled")).at(70).runs("a").at(90),
            &["stalled Unschedulable", "recovered Unschedulable"],
        ),
        (
            refused(
                story("quota-raised"),
                "exceeded quota: team, requested: pods=1, used: pods=5, limited: pods=5",
            )
            .at(80)
            .pod("a")
            .patch("jobs/j", json!({"status": {"active": 1}}))
            .at(82)
            .runs("a")
            .at(200),
            &["stalled QuotaExceeded", "recovered QuotaExceeded"],
        ),
    ]);
}

#[test]
fn a_stalled_job_that_ends_has_recovered() {
    check(vec![
        (
            pulls(story("deleted"))
                .at(90)
                .deletes("a")
                .gone("pods/a")
                .gone("jobs/j")
                .at(120),
            &["stalled ImagePull", "recovered ImagePull Deleted"],
        ),
        (
            pulls(story("deadline"))
                .patch("jobs/j", json!({"spec": {"activeDeadlineSeconds": 120}}))
                .at(120)
                .controller_deletes("a")
                .deadline_exceeded()
                .at(121)
                .gone("pods/a")
                .finished()
                .at(140),
            &["stalled ImagePull", "recovered ImagePull Failed"],
        ),
    ]);
}

#[test]
fn each_cause_is_reported_once() {
    let gone = "0/40 nodes are available: 40 node(s) had untolerated taint {spot: true}.";
    check(vec![
        // A scheduled Pod is not work yet: the stall continues with another cause.
        (
            unscheduled(story("two-causes"))
                .at(60)
                .admitted("a")
                .at(61)
                .waits("a", "CreateContainerConfigError", "configmap \"app\" not found")
                .warns("pods/a{main}", "Failed", "Error: configmap \"app\" not found")
                .at(120),
            &["stalled Unschedulable", "stalled ContainerConfig"],
        ),
        // The text changes, the cause does not.
        (
            unscheduled(story("one-cause"))
                .at(50)
                .conditions("pods/a", &[condition("PodScheduled", false, "Unschedulable", gone, 0)])
                .warns("pods/a", "FailedScheduling", gone)
                .at(120),
            &["stalled Unschedulable"],
        ),
    ]);
}

#[test]
fn an_autoscaler_has_time_to_add_a_node() {
    let story = unscheduled(story("autoscaled-late")).at(500).runs("a").at(520);
    assert_eq!(notices_with(&story, StallSettings::default()), [""; 0]);
}

#[test]
fn a_job_that_was_stuck_before_the_recording_is_stalled() {
    // The objects as a recorder lists them hours later: the clock of the recording is set by a young Event.
    let mut late = pulls(story("listed-late"))
        .at(7200)
        .warns("pods/a{main}", "Failed", "Error: ImagePullBackOff");
    let last = |key: &str| {
        late.lines
            .iter()
            .rev()
            .find(|line| line["resource"] == key)
            .unwrap()
            .clone()
    };
    let mut lines = vec![last("jobs"), last("pods"), last("events")];
    for line in &mut lines {
        line["t"] = 0.into();
        line["type"] = "ADDED".into();
    }
    late.lines = lines;
    check(vec![(late, &["stalled ImagePull"])]);
}

#[test]
fn events_may_arrive_before_their_objects() {
    let mut quota = refused(
        story("events-first"),
        "exceeded quota: q, requested: pods=1, used: pods=0, limited: pods=0",
    );
    quota.lines.sort_by_key(|line| line["resource"] != "events");
    let mut image = pulls(story("pods-first"));
    image.lines.sort_by_key(|line| match line["resource"].as_str() {
        Some("events") => 0,
        Some("pods") => 1,
        _ => 2,
    });
    for story in [&mut quota, &mut image] {
        let mut times: Vec<_> = story.lines.iter().map(|line| line["t"].as_i64().unwrap()).collect();
        times.sort_unstable();
        for (line, time) in story.lines.iter_mut().zip(times) {
            line["t"] = time.into();
        }
    }
    check(vec![
        (quota, &["stalled QuotaExceeded"]),
        (image, &["stalled ImagePull"]),
    ]);
}

#[test]
fn a_slow_start_without_an_error_is_no_stall() {
    check(vec![
        (
            story("slow-pull")
                .job(json!({}))
                .pod("a")
                .at(1)
                .admitted("a")
                .tell(
                    "pods/a{main}",
                    "Normal",
                    "Pulling",
                    "Pulling image \"registry.example/app:9\"",
                )
                .at(400)
                .runs("a")
                .at(500),
            &[],
        ),
        (
            story("slow-init")
                .job(json!({}))
                .pod_of(
                    "j",
                    "a",
                    json!({"spec": {"initContainers": [{"name": "migrate", "image": "registry.example/app:9"}]}}),
                )
                .at(1)
                .admitted("a")
                .at(2)
                .states(
                    "a",
                    "Pending",
                    &[
                        status("migrate", &running(2), None, 0),
                        status("main", &waiting("PodInitializing", ""), None, 0),
                    ],
                )
                .at(500),
            &[],
        ),
    ]);
}
