//! Containers restarted in place, and the deadline of a Pod.

use job_judge::Cause;
use serde_json::json;

use super::kubelet::{ended, running, status, unknown_end, waiting};
use super::story::{BACKOFF, DEADLINE, Story, condition, on_failure};

const LOOPS: &str = "back-off 20s restarting failed container=main pod=a";

pub(super) fn stories() -> Vec<Story> {
    vec![
        oom_onfailure(),
        deadline_crashloop(),
        restart_all_containers(),
        pod_deadline(),
        pod_deadline_image(),
    ]
}

fn oom_onfailure() -> Story {
    Story::failed("oom-onfailure", BACKOFF, Cause::OutOfMemory)
        .attempts(&[Cause::OutOfMemory, Cause::OutOfMemory])
        .job(on_failure(2))
        .pod("a")
        .at(1)
        .runs("a")
        .at(4)
        .states(
            "a",
            "Running",
            &[status(
                "main",
                &running(4),
                Some(&ended("main-0", 137, "OOMKilled", 1, 3)),
                1,
            )],
        )
        .at(7)
        .states(
            "a",
            "Running",
            &[status(
                "main",
                &waiting("CrashLoopBackOff", LOOPS),
                Some(&ended("main-1", 137, "OOMKilled", 4, 6)),
                1,
            )],
        )
        .at(20)
        .states(
            "a",
            "Running",
            &[status(
                "main",
                &running(20),
                Some(&ended("main-1", 137, "OOMKilled", 4, 6)),
                2,
            )],
        )
        .controller_deletes("a")
        .backoff_limit_exceeded()
        .at(22)
        .states(
            "a",
            "Failed",
            &[status("main", &ended("main-2", 143, "Error", 20, 22), None, 2)],
        )
        .gone("pods/a")
        .at(23)
        .finished()
}

fn deadline_crashloop() -> Story {
    Story::failed("deadline-crashloop", DEADLINE, Cause::NonZeroExit)
.attempts(&[Cause::NonZeroExit, Cause::NonZeroExit])
            .job(json!({"activeDeadlineSeconds": 60, "backoffLimit": 100, "template": {"spec": {"restartPolicy": "OnFailure"}}}))
            .pod("a")
            .at(1)
            .runs("a")
            .at(5)
            .states("a", "Running", &[status("main", &running(5), Some(&ended("main-0", 1, "Error", 1, 4)), 1)])
            .at(10)
            .states("a", "Running", &[status("main", &waiting("CrashLoopBackOff", LOOPS), Some(&ended("main-1", 1, "Error", 5, 9)), 1)])
            .at(60)
            .controller_deletes("a")
            .deadline_exceeded()
            .at(61)
            .states("a", "Failed", &[status("main", &ended("main-1", 1, "Error", 5, 9), None, 1)])
            .gone("pods/a")
            .at(62)
            .finished()
}

/// A restart of all containers in place by a rule of the Pod is not a failure.
fn restart_all_containers() -> Story {
    Story::failed("restart-all-containers", BACKOFF, Cause::NonZeroExit)
        .job(json!({"backoffLimit": 0}))
        .pod("a")
        .at(1)
        .runs("a")
        .at(5)
        .conditions("pods/a", &[condition("AllContainersRestarting", true, "", "", 5)])
        .states(
            "a",
            "Running",
            &[status(
                "main",
                &waiting("RestartingAllContainers", ""),
                Some(&ended("main-0", 137, "RestartingAllContainers", 1, 5)),
                1,
            )],
        )
        .at(6)
        .states(
            "a",
            "Running",
            &[status(
                "main",
                &running(6),
                Some(&ended("main-0", 137, "RestartingAllContainers", 1, 5)),
                1,
            )],
        )
        .at(9)
        .states(
            "a",
            "Failed",
            &[status("main", &ended("main-1", 9, "Error", 6, 9), None, 1)],
        )
        .at(10)
        .backoff()
}

/// The Pod's own deadline while it ran.
fn pod_deadline() -> Story {
    Story::one_try("pod-deadline", Cause::RanTooLong)
.sentence("Pod a ran longer than its own activeDeadlineSeconds.")
            .at(1)
            .runs("a")
            .at(11)
            .patch("pods/a", json!({"status": {"reason": "DeadlineExceeded", "message": "Pod was active on the node longer than the specified deadline"}}))
            .tell("pods/a", "Normal", "DeadlineExceeded", "Pod was active on the node longer than the specified deadline")
            .ends("a", 137, "Error")
            .at(12)
            .backoff()
}

fn pod_deadline_image() -> Story {
    Story::one_try("pod-deadline-image", Cause::ImagePull)
            .at(1)
            .admitted("a")
            .at(2)
            .waits("a", "ErrImagePull", "manifest unknown")
            .waits("a", "ImagePullBackOff", "Back-off pulling image")
            .at(11)
            .patch("pods/a", json!({"status": {"reason": "DeadlineExceeded", "message": "Pod was active on the node longer than the specified deadline"}}))
            .states("a", "Failed", &[status("main", &unknown_end(), None, 0)])
            .at(12)
            .backoff()
}
