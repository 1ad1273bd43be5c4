//! Pods deleted by a user.

use job_judge::{Cause, Retry};
use serde_json::json;

use super::kubelet::{ended, unknown_end};
use super::story::{BACKOFF, Story};

fn deleted(name: &'static str, policy: &str) -> Story {
    Story::failed(name, BACKOFF, Cause::PodDeleted)
        .job(json!({"backoffLimit": 0, "template": {"spec": {"restartPolicy": policy}}}))
        .pod("a")
        .at(1)
        .runs("a")
        .at(10)
        .deletes("a")
        .tell("pods/a{main}", "Normal", "Killing", "Stopping container main")
        .at(11)
        .backoff_limit_exceeded()
        .at(40)
        .goes("a", &ended("main-0", 137, "Error", 1, 40))
        .at(41)
        .finished()
}

pub(super) fn stories() -> Vec<Story> {
    vec![
        deleted("pod-deleted", "Never").retry(Retry::Yes),
        deleted("pod-deleted-onfailure", "OnFailure"),
        pod_deleted_ends_well(),
        pod_deleted_early(),
        cleaned_up(),
        stuck_terminating(),
    ]
}

/// A Pod that completes on SIGTERM still counts as failed.
fn pod_deleted_ends_well() -> Story {
    Story::one_try("pod-deleted-ends-well", Cause::PodDeleted)
        .at(1)
        .runs("a")
        .at(10)
        .deletes("a")
        .at(11)
        .backoff_limit_exceeded()
        .goes("a", &ended("main-0", 0, "Completed", 1, 11))
        .at(12)
        .finished()
}

/// The Pod was still starting.
fn pod_deleted_early() -> Story {
    Story::one_try("pod-deleted-early", Cause::PodDeleted)
        .at(1)
        .admitted("a")
        .at(2)
        .deletes("a")
        .at(3)
        .backoff_limit_exceeded()
        .at(4)
        .goes("a", &unknown_end())
        .at(5)
        .finished()
}

/// A user deletes a Pod that had failed by itself.
fn cleaned_up() -> Story {
    Story::one_try("cleaned-up", Cause::NonZeroExit)
        .at(1)
        .runs("a")
        .at(5)
        .ends("a", 1, "Error")
        .deletes("a")
        .gone("pods/a")
        .at(6)
        .backoff()
}

/// The Pod was deleted two minutes before the deadline, and still exists.
fn stuck_terminating() -> Story {
    Story::failed("stuck-terminating", "DeadlineExceeded", Cause::StuckTerminating)
        .sentence("(activeDeadlineSeconds: 200): Pod a was being deleted and did not terminate")
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
        .deadline_exceeded()
}
