//! Jobs of CronJobs and of other managers, and Jobs that do not finish.

use job_judge::{AttemptOutcome, Cause, Judgement};
use serde_json::json;

use super::kubelet::{ended, status, unknown_end};
use super::story::{BACKOFF, Story, condition, time};

/// A run of CronJob `nightly` for the slot at that second.
fn run(story: Story, name: &str, slot: i64) -> Story {
    let uid = story.uid("cronjobs/nightly");
    story.named_job(
        name,
        json!({"backoffLimit": 0}),
        json!({"annotations": {"batch.kubernetes.io/cronjob-scheduled-timestamp": time(slot)},
            "ownerReferences": [{"apiVersion": "batch/v1", "kind": "CronJob", "controller": true, "name": "nightly", "uid": uid}]}),
    )
}

fn nightly(story: Story, policy: &str) -> Story {
    story.cronjob(
        "nightly",
        json!({"schedule": "* * * * *", "concurrencyPolicy": policy, "failedJobsHistoryLimit": 0}),
    )
}

/// The running Job is deleted right before the next run starts; the garbage collector deletes its Pods later.
fn replaced(name: &'static str, outcome: &'static str, policy: &str) -> Story {
    let story = Story::other(name, outcome, None).asserts(no_failure);
    let story = run(nightly(story, policy), "j", 0)
        .pod("a")
        .at(1)
        .runs("a")
        .at(60)
        .gone("jobs/j")
        .tell("cronjobs/nightly", "Normal", "SuccessfulDelete", "Deleted job j");
    run(story, "k", 60)
        .deletes("a")
        .at(62)
        .goes("a", &ended("main-0", 143, "Error", 1, 62))
}

/// A Job that is deleted as soon as it has failed.
fn history_limit() -> Story {
    let story = Story::failed("cron-history-0", BACKOFF, Cause::NonZeroExit);
    run(nightly(story, "Forbid"), "j", 0)
        .pod("a")
        .at(1)
        .runs("a")
        .at(3)
        .ends("a", 1, "Error")
        .at(4)
        .backoff()
        .gone("jobs/j")
        .tell("cronjobs/nightly", "Normal", "SuccessfulDelete", "Deleted job j")
        .deletes("a")
        .gone("pods/a")
}

fn no_failure(judgement: &Judgement) {
    assert!(judgement.attempt_failures.is_empty(), "{judgement:?}");
    let mut attempts = judgement.attempts.iter();
    assert!(attempts.all(|attempt| attempt.outcome == AttemptOutcome::Stopped));
}

pub(super) fn stories() -> Vec<Story> {
    vec![
        replaced("cron-replace", "Replaced", "Replace")
            .sentence("to start the next run of CronJob nightly (concurrencyPolicy: Replace)."),
        replaced("cron-deleted", "Deleted", "Allow"),
        history_limit(),
        orphaned(),
        suspended(),
        Story::other("managed-by", "Unmanaged", None).job(json!({"managedBy": "example.com/queue"})),
        managed_by_fails(),
        image_for_ever(),
        never_ran_and_lost(),
    ]
}

/// Deleted through the raw API: the Pod stays, and loses its owner.
fn orphaned() -> Story {
    Story::other("orphaned", "Deleted", None)
        .asserts(no_failure)
        .job(json!({}))
        .pod("a")
        .at(1)
        .runs("a")
        .at(5)
        .gone("jobs/j")
        .patch(
            "pods/a",
            json!({"metadata": {"ownerReferences": null, "finalizers": null}}),
        )
        .at(9)
        .ends("a", 1, "Error")
}

fn suspended() -> Story {
    Story::other("suspended", "Suspended", None)
        .asserts(no_failure)
        .job(json!({}))
        .pod("a")
        .at(1)
        .runs("a")
        .at(5)
        .patch("jobs/j", json!({"spec": {"suspend": true}}))
        .conditions(
            "jobs/j",
            &[condition("Suspended", true, "JobSuspended", "Job suspended", 5)],
        )
        .controller_deletes("a")
        .at(35)
        .goes("a", &ended("main-0", 137, "Error", 1, 35))
}

/// Another manager has reasons of its own.
fn managed_by_fails() -> Story {
    Story::failed("managed-by-fails", "QueueTimedOut", Cause::NonZeroExit)
        .job(json!({"managedBy": "example.com/queue"}))
        .patch("jobs/j", json!({"status": {"startTime": time(0)}}))
        .pod("a")
        .at(1)
        .runs("a")
        .at(5)
        .ends("a", 1, "Error")
        .at(6)
        .conditions("jobs/j", &[condition("Failed", true, "QueueTimedOut", "gave up", 6)])
}

/// Without activeDeadlineSeconds nothing ends a Job whose Pod cannot start.
fn image_for_ever() -> Story {
    Story::other("image-for-ever", "Running", None)
        .job(json!({}))
        .pod("a")
        .at(1)
        .admitted("a")
        .at(2)
        .waits("a", "ImagePullBackOff", "Back-off pulling image")
}

fn never_ran_and_lost() -> Story {
    Story::failed("never-ran-and-lost", BACKOFF, Cause::Unknown)
        .job(json!({"backoffLimit": 0}))
        .pod("a")
        .at(1)
        .admitted("a")
        .at(5)
        .states("a", "Failed", &[status("main", &unknown_end(), None, 0)])
        .at(6)
        .backoff()
}
