//! Jobs that exceed their deadline, and Pods that the verdict ends.

use job_judge::Cause;
use serde_json::json;

use super::kubelet::ended;
use super::story::{BACKOFF, DEADLINE, Story, condition, time};

fn deadline_job(name: &'static str, cause: Cause) -> Story {
    Story::failed(name, DEADLINE, cause).job(json!({"activeDeadlineSeconds": 20}))
}

pub(super) fn stories() -> Vec<Story> {
    let mut stories = deadlines();
    stories.extend(victims());
    stories
}

fn deadlines() -> Vec<Story> {
    vec![
        deadline_running(),
        deadline_exit0(),
        deadline_after_success(),
        deadline_backoff_gap(),
        deadline_decided_twice(),
        deadline_after_resume(),
    ]
}

fn deadline_running() -> Story {
    deadline_job("deadline-running", Cause::RanTooLong)
        .attempts(&[])
        .pod("a")
        .at(1)
        .runs("a")
        .at(20)
        .controller_deletes("a")
        .deadline_exceeded()
        .at(50)
        .goes("a", &ended("main-0", 137, "Error", 1, 50))
        .at(51)
        .finished()
}

fn deadline_exit0() -> Story {
    deadline_job("deadline-exit0", Cause::RanTooLong)
        .attempts(&[])
        .pod("a")
        .at(1)
        .runs("a")
        .at(20)
        .deadline("a", &ended("main-0", 0, "Completed", 1, 22))
}

/// The last Pod succeeded, but the controller checked too late.
fn deadline_after_success() -> Story {
    deadline_job("deadline-after-success", Cause::RanTooLong)
        .pod("a")
        .at(1)
        .runs("a")
        .at(19)
        .ends("a", 0, "Completed")
        .at(21)
        .deadline_exceeded()
        .patch("jobs/j", json!({"status": {"succeeded": 1}}))
        .finished()
}

fn deadline_backoff_gap() -> Story {
    deadline_job("deadline-backoff-gap", Cause::NonZeroExit)
        .attempts(&[Cause::NonZeroExit, Cause::NonZeroExit])
        .pod("a")
        .at(1)
        .runs("a")
        .at(2)
        .ends("a", 1, "Error")
        .at(12)
        .pod("b")
        .at(13)
        .runs("b")
        .at(14)
        .ends("b", 1, "Error")
        .at(20)
        .deadline_exceeded()
        .finished()
}

/// The controller drops a verdict and repeats it: the Pod was deleted before it, and only the Event shows by whom.
fn deadline_decided_twice() -> Story {
    deadline_job("deadline-decided-twice", Cause::RanTooLong)
        .attempts(&[])
        .pod("a")
        .at(1)
        .runs("a")
        .at(20)
        .controller_deletes("a")
        .at(23)
        .deadline_exceeded()
        .goes("a", &ended("main-0", 143, "Error", 1, 22))
        .at(24)
        .finished()
}

/// The Job was suspended and resumed: its time runs from there.
fn deadline_after_resume() -> Story {
    Story::failed("deadline-after-resume", DEADLINE, Cause::RanTooLong)
        .attempts(&[])
        .job(json!({"activeDeadlineSeconds": 20}))
        .pod("a")
        .at(1)
        .runs("a")
        .at(10)
        .patch("jobs/j", json!({"spec": {"suspend": true}}))
        .conditions(
            "jobs/j",
            &[condition("Suspended", true, "JobSuspended", "Job suspended", 10)],
        )
        .controller_deletes("a")
        .patch("jobs/j", json!({"status": {"startTime": null}}))
        .at(12)
        .goes("a", &ended("main-0", 143, "Error", 1, 12))
        .at(60)
        .patch(
            "jobs/j",
            json!({"spec": {"suspend": false}, "status": {"startTime": time(60)}}),
        )
        .conditions(
            "jobs/j",
            &[condition("Suspended", false, "JobResumed", "Job resumed", 60)],
        )
        .pod("b")
        .at(61)
        .runs("b")
        .at(80)
        .deadline("b", &ended("main-0", 143, "Error", 61, 81))
}

fn victims() -> Vec<Story> {
    vec![parallel_collateral(), scaled_down(), ttl_0()]
}

fn parallel_collateral() -> Story {
    Story::failed("parallel-collateral", BACKOFF, Cause::NonZeroExit)
        .attempts(&[Cause::NonZeroExit])
        .job(json!({"backoffLimit": 0, "parallelism": 3, "completions": 3}))
        .pod("a")
        .pod("b")
        .pod("c")
        .at(1)
        .runs("a")
        .runs("b")
        .runs("c")
        .at(5)
        .ends("a", 1, "Error")
        .at(6)
        .controller_deletes("b")
        .controller_deletes("c")
        .backoff_limit_exceeded()
        .at(36)
        .goes("b", &ended("main-b", 137, "Error", 1, 36))
        .goes("c", &ended("main-c", 143, "Error", 1, 36))
        .patch("jobs/j", json!({"status": {"failed": 3}}))
        .at(37)
        .finished()
}

/// Parallelism was lowered: the deleted Pod had not failed.
fn scaled_down() -> Story {
    Story::failed("scaled-down", BACKOFF, Cause::NonZeroExit)
        .attempts(&[Cause::NonZeroExit])
        .job(json!({"backoffLimit": 0, "parallelism": 2, "completions": 2}))
        .pod("a")
        .pod("b")
        .at(1)
        .runs("a")
        .runs("b")
        .at(5)
        .patch("jobs/j", json!({"spec": {"parallelism": 1}}))
        .controller_deletes("b")
        .at(6)
        .goes("b", &ended("main-b", 143, "Error", 1, 6))
        .at(9)
        .ends("a", 6, "Error")
        .at(10)
        .backoff()
}

/// The Job and its Pods are gone within a second of its end.
fn ttl_0() -> Story {
    Story::failed("ttl-0", BACKOFF, Cause::NonZeroExit)
        .job(json!({"backoffLimit": 0, "ttlSecondsAfterFinished": 0}))
        .pod("a")
        .at(1)
        .runs("a")
        .at(5)
        .ends("a", 1, "Error")
        .at(6)
        .backoff()
        .patch(
            "jobs/j",
            json!({"metadata": {"deletionTimestamp": time(6), "finalizers": ["foregroundDeletion"]}}),
        )
        .patch(
            "pods/a",
            json!({"metadata": {"deletionTimestamp": time(6), "deletionGracePeriodSeconds": 0}}),
        )
        .gone("pods/a")
        .gone("jobs/j")
}
