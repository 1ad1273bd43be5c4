//! Failure policies, success policies and indexes.

use job_event::evidence::ContainerRole;
use job_judge::{AttemptOutcome, Cause};
use serde_json::{Value, json};

use super::kubelet::{ended, running, status};
use super::story::{Story, condition};

pub(super) fn stories() -> Vec<Story> {
    vec![
        exit_code_of_a_policy(),
        disruption_of_a_policy(),
        ignored_disruption(),
        sidecar_of_a_policy(),
        unseen_pod_of_a_policy(),
        failed_index(),
        fail_index(),
        most_frequent_failure(),
        retried_index(),
        max_failed_indexes(),
        success_policy(),
    ]
}

fn policy_failure(name: &'static str, cause: Cause) -> Story {
    Story::failed(name, "PodFailurePolicy", cause)
}

fn evicted(story: Story, pod: &str, at: i64) -> Story {
    story
        .at(at)
        .disrupted(pod, "EvictionByEvictionAPI", "Eviction API: evicting")
        .deletes(pod)
}

fn exit_code_of_a_policy() -> Story {
    policy_failure("pfp-exit", Cause::NonZeroExit)
        .blames("main", ContainerRole::Main, 42)
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
        .finished()
}

/// With a failure policy the controller waits until the Pod has ended.
fn disruption_of_a_policy() -> Story {
    let story = policy_failure("pfp-disruption", Cause::NodeDrained)
        .job(json!({}))
        .pod("a")
        .at(1)
        .runs("a");
    evicted(story, "a", 5)
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
        .finished()
}

fn ignored_disruption() -> Story {
    let story = Story::one_try("pfp-ignore", Cause::NonZeroExit)
        .attempts(&[Cause::NodeDrained, Cause::NonZeroExit])
        .at(1)
        .runs("a");
    evicted(story, "a", 5)
        .at(7)
        .goes("a", &ended("main-0", 143, "Error", 1, 7))
        .at(8)
        .pod("b")
        .at(9)
        .runs("b")
        .at(12)
        .ends("b", 5, "Error")
        .at(13)
        .backoff()
}

/// The rule names the sidecar though the main container failed as well.
fn sidecar_of_a_policy() -> Story {
    let sidecar = json!({"spec": {"initContainers": [
        {"name": "proxy", "image": "registry.example/proxy:1", "restartPolicy": "Always"}]}});
    policy_failure("pfp-sidecar", Cause::NonZeroExit)
        .sentence("rule 1 of its podFailurePolicy: sidecar proxy exited with code 7")
        .asserts(|judgement| assert_eq!(judgement.failure_policy_rule, Some(1)))
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
        .finished()
}

/// The Pod named by the message was never seen.
fn unseen_pod_of_a_policy() -> Story {
    policy_failure("pfp-unseen", Cause::NonZeroExit)
        .sentence("a container exited with code 127: ")
        .job(json!({}))
        .at(6)
        .verdict(
            "PodFailurePolicy",
            "Container main for pod pfp-unseen/a failed with exit code 127 matching FailJob rule at index 0",
        )
        .finished()
}

fn indexed(index: usize) -> Value {
    json!({"metadata": {"annotations": {"batch.kubernetes.io/job-completion-index": index.to_string()}}})
}

/// A Job with three indexes, whose Pods `i0`, `i1` and `i2` run at second 5.
fn three_indexes(story: Story, retries: i32, max_failed: Option<i32>) -> Story {
    let story = story.job(json!({"completionMode": "Indexed", "completions": 3, "parallelism": 3,
        "backoffLimitPerIndex": retries, "maxFailedIndexes": max_failed}));
    let story = (0..3).fold(story, |story, index| {
        story.pod_of("j", &format!("i{index}"), indexed(index))
    });
    (0..3)
        .fold(story.at(1), |story, index| story.runs(&format!("i{index}")))
        .at(5)
}

fn fails_for_indexes(story: Story, failed: &str, completed: &str) -> Story {
    story
        .patch(
            "jobs/j",
            json!({"status": {"failedIndexes": failed, "completedIndexes": completed}}),
        )
        .verdict("FailedIndexes", "Job has failed indexes")
        .finished()
}

fn failed_index() -> Story {
    let story = Story::failed("failed-indexes", "FailedIndexes", Cause::NonZeroExit)
        .sentence("Index 1 failed (completions: 3): container main exited with code 1.");
    let story = three_indexes(story, 0, None)
        .ends("i0", 0, "Completed")
        .ends("i1", 1, "Error")
        .ends("i2", 0, "Completed")
        .at(6);
    fails_for_indexes(story, "1", "0,2")
}

/// `FailIndex`: the index fails though its limit allows a retry.
fn fail_index() -> Story {
    let story = Story::failed("fail-index", "FailedIndexes", Cause::NonZeroExit);
    let story = three_indexes(story, 3, None)
        .ends("i0", 0, "Completed")
        .ends("i1", 42, "Error")
        .ends("i2", 0, "Completed")
        .at(6);
    fails_for_indexes(story, "1", "0,2")
}

/// Two indexes ran out of memory, one failed otherwise and last.
fn most_frequent_failure() -> Story {
    let story = Story::failed("failed-indexes-most", "FailedIndexes", Cause::OutOfMemory);
    let story = three_indexes(story, 0, None)
        .ends("i0", 137, "OOMKilled")
        .at(6)
        .ends("i1", 137, "OOMKilled")
        .at(7)
        .ends("i2", 1, "Error")
        .at(8);
    fails_for_indexes(story, "0-2", "")
}

/// An index that failed and then succeeded does not count.
fn retried_index() -> Story {
    let story = Story::failed("failed-indexes-retried", "FailedIndexes", Cause::OutOfMemory);
    let story = three_indexes(story, 1, None)
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
    fails_for_indexes(story, "1", "0,2")
}

fn max_failed_indexes() -> Story {
    let story = Story::failed("max-failed-indexes", "MaxFailedIndexesExceeded", Cause::NonZeroExit)
        .sentence("Index 0 failed, more than allowed (maxFailedIndexes: 0): container main exited with code 1.")
        .attempts(&[Cause::NonZeroExit]);
    three_indexes(story, 0, Some(0))
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
        .finished()
}

/// The leader succeeded, which is all the success policy requires; the others are stopped, one had failed.
fn success_policy() -> Story {
    use AttemptOutcome::{Failed, Stopped, Succeeded};
    let done = |kind| condition(kind, true, "SuccessPolicy", "Matched rules at index 0", 9);
    let story = Story::other("success-policy", "Succeeded", Some("SuccessPolicy"))
        .sentence("succeeded after 1 failed attempt: container main exited with code 1.")
        .asserts(|judgement| {
            let attempts = judgement.attempts.iter();
            let found: Vec<_> = attempts.map(|a| (a.outcome, a.index.as_deref())).collect();
            assert_eq!(
                found,
                [(Failed, Some("1")), (Succeeded, Some("0")), (Stopped, Some("2"))]
            );
        });
    three_indexes(story, 1, None)
        .ends("i1", 1, "Error")
        .at(8)
        .ends("i0", 0, "Completed")
        .at(9)
        .controller_deletes("i2")
        .conditions("jobs/j", &[done("SuccessCriteriaMet")])
        .at(39)
        .goes("i2", &ended("main-i2", 137, "Error", 1, 39))
        .at(40)
        .conditions("jobs/j", &[done("Complete")])
}
