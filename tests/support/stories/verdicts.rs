//! What the Job controller decides: failure and success policies, indexes, deadlines, collateral victims, CronJobs.

use job_judge::Cause;
use serde_json::{Value, json};

use super::story::{Story, condition, ended, running, status, time, unknown_end};

const BACKOFF: &str = "BackoffLimitExceeded";
const DEADLINE: &str = "DeadlineExceeded";
const DEADLINE_TEXT: &str = "Job was active longer than specified deadline";

pub fn stories() -> Vec<Story> {
    let mut stories = policies();
    stories.extend(indexes());
    stories.extend(deadlines());
    stories.extend(victims());
    stories.extend(cronjobs());
    stories.extend(others());
    stories
}

fn indexed(index: usize) -> Value {
    json!({"metadata": {"annotations": {"batch.kubernetes.io/job-completion-index": index.to_string()}}})
}

fn evicted(story: Story, pod: &str, at: i64) -> Story {
    story
        .at(at)
        .conditions(
            &format!("pods/{pod}"),
            &[condition(
                "DisruptionTarget",
                true,
                "EvictionByEvictionAPI",
                "Eviction API: evicting",
                at,
            )],
        )
        .deletes(pod)
}

fn policies() -> Vec<Story> {
    let failed = Story::failed("pfp-exit", "PodFailurePolicy", Cause::NonZeroExit)
        .job(json!({"parallelism": 2, "completions": 2}))
        .pod("a")
        .pod("b")
        .at(1)
        .runs("a")
        .runs("b")
        .at(5)
        .ends("a", 42, "Error")
        .at(6)
        .controller_deletes("b")
        .verdict(
            "PodFailurePolicy",
            "Container main for pod pfp-exit/a failed with exit code 42 matching FailJob rule at index 0",
        )
        .at(36)
        .goes("b", &ended("main-b", 137, "Error", 1, 36))
        .at(37)
        .finished();
    let disruption = Story::failed("pfp-disruption", "PodFailurePolicy", Cause::NodeDrained)
        .job(json!({}))
        .pod("a")
        .at(1)
        .runs("a");
    // With a failure policy the controller waits until the Pod has ended.
    let disruption = evicted(disruption, "a", 5)
        .at(7)
        .states(
            "a",
            "Failed",
            &[status("main", &ended("main-0", 143, "Error", 1, 7), None, 0)],
        )
        .at(8)
        .verdict(
            "PodFailurePolicy",
            "Pod pfp-disruption/a has condition DisruptionTarget matching FailJob rule at index 0",
        )
        .gone("pods/a")
        .at(9)
        .finished();
    let ignored = Story::failed("pfp-ignore", BACKOFF, Cause::NonZeroExit)
        .job(json!({"backoffLimit": 0}))
        .pod("a")
        .at(1)
        .runs("a");
    let ignored = evicted(ignored, "a", 5)
        .at(7)
        .goes("a", &ended("main-0", 143, "Error", 1, 7))
        .at(8)
        .pod("b")
        .at(9)
        .runs("b")
        .at(12)
        .ends("b", 5, "Error")
        .at(13)
        .backoff();
    // The rule names a sidecar, by its exit code.
    let sidecar = json!({"spec": {"initContainers": [{"name": "proxy", "image": "registry.example/proxy:1", "restartPolicy": "Always"}]}});
    let of_sidecar = Story::failed("pfp-sidecar", "PodFailurePolicy", Cause::NonZeroExit)
        .job(json!({}))
        .pod_of("j", "a", sidecar)
        .at(1)
        .admitted("a")
        .states(
            "a",
            "Running",
            &[
                status("proxy", &running(1), None, 0),
                status("main", &running(1), None, 0),
            ],
        )
        .at(5)
        .states(
            "a",
            "Failed",
            &[
                status("proxy", &ended("proxy-0", 7, "Error", 1, 5), None, 0),
                status("main", &ended("main-0", 1, "Error", 1, 5), None, 0),
            ],
        )
        .at(6)
        .verdict(
            "PodFailurePolicy",
            "Container proxy for pod pfp-sidecar/a failed with exit code 7 matching FailJob rule at index 1",
        )
        .finished();
    // The Pod it names was never seen.
    let unseen = Story::failed("pfp-unseen", "PodFailurePolicy", Cause::ContainerStart)
        .job(json!({}))
        .at(6)
        .verdict(
            "PodFailurePolicy",
            "Container main for pod pfp-unseen/a failed with exit code 127 matching FailJob rule at index 0",
        )
        .finished();
    vec![failed, disruption, ignored, of_sidecar, unseen]
}

fn indexes() -> Vec<Story> {
    let job = |more: Value| {
        let mut spec =
            json!({"completionMode": "Indexed", "completions": 3, "parallelism": 3, "backoffLimitPerIndex": 0});
        for (key, value) in more.as_object().unwrap() {
            spec[key] = value.clone();
        }
        spec
    };
    let three = |story: Story| {
        let story = (0..3).fold(story, |story, index| {
            story.pod_of("j", &format!("i{index}"), indexed(index))
        });
        (0..3).fold(story.at(1), |story, index| story.runs(&format!("i{index}")))
    };
    let failed_indexes = |story: Story, failed: &str, completed: &str| {
        story
            .patch(
                "jobs/j",
                json!({"status": {"failedIndexes": failed, "completedIndexes": completed}}),
            )
            .verdict("FailedIndexes", "Job has failed indexes")
            .finished()
    };
    let one = three(Story::failed("failed-indexes", "FailedIndexes", Cause::NonZeroExit).job(job(json!({}))))
        .at(5)
        .ends("i0", 0, "Completed")
        .ends("i1", 1, "Error")
        .ends("i2", 0, "Completed")
        .at(6);
    // FailIndex: the index is given up though its limit would have allowed another try.
    let fail_index = three(
        Story::failed("fail-index", "FailedIndexes", Cause::NonZeroExit).job(job(json!({"backoffLimitPerIndex": 3}))),
    )
    .at(5)
    .ends("i0", 0, "Completed")
    .ends("i1", 42, "Error")
    .ends("i2", 0, "Completed")
    .at(6);
    // Two indexes ran out of memory, one failed otherwise and last.
    let most = three(Story::failed("failed-indexes-most", "FailedIndexes", Cause::OutOfMemory).job(job(json!({}))))
        .at(5)
        .ends("i0", 137, "OOMKilled")
        .at(6)
        .ends("i1", 137, "OOMKilled")
        .at(7)
        .ends("i2", 1, "Error")
        .at(8);
    // An index that failed and then succeeded does not count.
    let retried = three(
        Story::failed("failed-indexes-retried", "FailedIndexes", Cause::OutOfMemory)
            .job(job(json!({"backoffLimitPerIndex": 1}))),
    )
    .at(5)
    .ends("i0", 1, "Error")
    .ends("i1", 137, "OOMKilled")
    .ends("i2", 0, "Completed")
    .at(15)
    .pod_of("j", "i0b", indexed(0))
    .runs("i0b")
    .pod_of("j", "i1b", indexed(1))
    .runs("i1b")
    .at(20)
    .ends("i1b", 137, "OOMKilled")
    .at(25)
    .ends("i0b", 0, "Completed")
    .at(26);
    let max = three(
        Story::failed("max-failed-indexes", "MaxFailedIndexesExceeded", Cause::NonZeroExit)
            .job(job(json!({"maxFailedIndexes": 0}))),
    )
    .at(5)
    .ends("i0", 1, "Error")
    .at(6)
    .controller_deletes("i1")
    .controller_deletes("i2")
    .patch("jobs/j", json!({"status": {"failedIndexes": "0"}}))
    .verdict(
        "MaxFailedIndexesExceeded",
        "Job has exceeded the specified maximal number of failed indexes",
    )
    .at(36)
    .goes("i1", &ended("main-i1", 137, "Error", 1, 36))
    .goes("i2", &ended("main-i2", 143, "Error", 1, 36))
    .at(37)
    .finished();
    // The leader succeeded, which is all the success policy asks for; the others are stopped, one had failed.
    let done = |kind| condition(kind, true, "SuccessPolicy", "Matched rules at index 0", 9);
    let success = three(
        Story::other("success-policy", "Succeeded", Some("SuccessPolicy")).job(job(json!({"backoffLimitPerIndex": 1}))),
    )
    .at(5)
    .ends("i1", 1, "Error")
    .at(8)
    .ends("i0", 0, "Completed")
    .at(9)
    .controller_deletes("i2")
    .conditions("jobs/j", &[done("SuccessCriteriaMet")])
    .at(39)
    .goes("i2", &ended("main-i2", 137, "Error", 1, 39))
    .at(40)
    .conditions("jobs/j", &[done("Complete")]);
    vec![
        failed_indexes(one, "1", "0,2"),
        failed_indexes(fail_index, "1", "0,2"),
        failed_indexes(most, "0-2", ""),
        failed_indexes(retried, "1", "0,2"),
        max,
        success,
    ]
}

fn deadlines() -> Vec<Story> {
    let job = |name, cause| Story::failed(name, DEADLINE, cause).job(json!({"activeDeadlineSeconds": 20}));
    vec![
        job("deadline-running", Cause::RanTooLong)
            .pod("a")
            .at(1)
            .runs("a")
            .at(20)
            .controller_deletes("a")
            .verdict(DEADLINE, DEADLINE_TEXT)
            .at(50)
            .goes("a", &ended("main-0", 137, "Error", 1, 50))
            .at(51)
            .finished(),
        job("deadline-exit0", Cause::RanTooLong)
            .pod("a")
            .at(1)
            .runs("a")
            .at(20)
            .deadline("a", &ended("main-0", 0, "Completed", 1, 22)),
        // The last Pod succeeded, but the controller came to look too late.
        job("deadline-after-success", Cause::RanTooLong)
            .pod("a")
            .at(1)
            .runs("a")
            .at(19)
            .ends("a", 0, "Completed")
            .at(21)
            .verdict(DEADLINE, DEADLINE_TEXT)
            .patch("jobs/j", json!({"status": {"succeeded": 1}}))
            .finished(),
        job("deadline-backoff-gap", Cause::NonZeroExit)
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
            .verdict(DEADLINE, DEADLINE_TEXT)
            .finished(),
        // A verdict was dropped and taken again: the Pod was asked to go before it, and only the Event tells by whom.
        job("deadline-decided-twice", Cause::RanTooLong)
            .pod("a")
            .at(1)
            .runs("a")
            .at(20)
            .controller_deletes("a")
            .at(23)
            .verdict(DEADLINE, DEADLINE_TEXT)
            .goes("a", &ended("main-0", 143, "Error", 1, 22))
            .at(24)
            .finished(),
        // The Job was suspended and resumed: its time runs from there.
        Story::failed("deadline-after-resume", DEADLINE, Cause::RanTooLong)
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
            .deadline("b", &ended("main-0", 143, "Error", 61, 81)),
    ]
}

fn victims() -> Vec<Story> {
    vec![
        Story::failed("parallel-collateral", BACKOFF, Cause::NonZeroExit)
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
            .verdict(BACKOFF, "Job has reached the specified backoff limit")
            .at(36)
            .goes("b", &ended("main-b", 137, "Error", 1, 36))
            .goes("c", &ended("main-c", 143, "Error", 1, 36))
            .patch("jobs/j", json!({"status": {"failed": 3}}))
            .at(37)
            .finished(),
        // Parallelism was lowered: the Pod that had to go had not failed.
        Story::failed("scaled-down", BACKOFF, Cause::NonZeroExit)
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
            .backoff(),
        // The Job and its Pods are gone within a second of its end.
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
            .gone("jobs/j"),
    ]
}

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

fn cronjobs() -> Vec<Story> {
    let nightly = |story: Story, policy: &str| {
        story.cronjob(
            "nightly",
            json!({"schedule": "* * * * *", "concurrencyPolicy": policy, "failedJobsHistoryLimit": 0}),
        )
    };
    // The running Job goes right before the next one comes; the garbage collector deletes its Pods later.
    let replaced = |name, outcome, policy| {
        let story = run(nightly(Story::other(name, outcome, None), policy), "j", 0)
            .pod("a")
            .at(1)
            .runs("a")
            .at(60);
        let story = story
            .gone("jobs/j")
            .tell("cronjobs/nightly", "Normal", "SuccessfulDelete", "Deleted job j");
        run(story, "k", 60)
            .deletes("a")
            .at(62)
            .goes("a", &ended("main-0", 143, "Error", 1, 62))
    };
    let history = Story::failed("cron-history-0", BACKOFF, Cause::NonZeroExit);
    let history = run(nightly(history, "Forbid"), "j", 0)
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
        .gone("pods/a");
    vec![
        replaced("cron-replace", "Replaced", "Replace"),
        replaced("cron-deleted", "Deleted", "Allow"),
        history,
    ]
}

fn others() -> Vec<Story> {
    vec![
        // Deleted through the raw API: the Pod stays, and loses its owner.
        Story::other("orphaned", "Deleted", None)
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
            .ends("a", 1, "Error"),
        Story::other("suspended", "Suspended", None)
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
            .goes("a", &ended("main-0", 137, "Error", 1, 35)),
        Story::other("managed-by", "Unmanaged", None).job(json!({"managedBy": "example.com/queue"})),
        // Another manager has words of its own.
        Story::failed("managed-by-fails", "QueueTimedOut", Cause::NonZeroExit)
            .job(json!({"managedBy": "example.com/queue"}))
            .patch("jobs/j", json!({"status": {"startTime": time(0)}}))
            .pod("a")
            .at(1)
            .runs("a")
            .at(5)
            .ends("a", 1, "Error")
            .at(6)
            .conditions("jobs/j", &[condition("Failed", true, "QueueTimedOut", "gave up", 6)]),
        // Without activeDeadlineSeconds nothing ends a Job whose Pod cannot start.
        Story::other("image-for-ever", "Running", None)
            .job(json!({}))
            .pod("a")
            .at(1)
            .admitted("a")
            .at(2)
            .waits("a", "ImagePullBackOff", "Back-off pulling image"),
        Story::failed("never-ran-and-lost", BACKOFF, Cause::Unknown)
            .job(json!({"backoffLimit": 0}))
            .pod("a")
            .at(1)
            .admitted("a")
            .at(5)
            .states("a", "Failed", &[status("main", &unknown_end(), None, 0)])
            .at(6)
            .backoff(),
    ]
}
