//! Jobs with several Pods or indexes, deleted Pods, and lost nodes.

use serde_json::{Value, json};

use crate::replayed::check;
use crate::stories::Story;
use crate::stories::story::{condition, time};
use crate::story;

const DENIED: &str = "pull access denied, repository does not exist or may require authorization";

/// The Pod of an index.
fn index(story: Story, pod: &str, index: u32) -> Story {
    let metadata = json!({"metadata": {"annotations": {"batch.kubernetes.io/job-completion-index": index.to_string()},
        "labels": {"batch.kubernetes.io/job-completion-index": index.to_string()}}});
    story.pod_of("j", pod, metadata)
}

fn no_image(story: Story, pod: &str) -> Story {
    story
        .admitted(pod)
        .waits(pod, "ErrImagePull", DENIED)
        .warns(&format!("pods/{pod}{{main}}"), "Failed", DENIED)
}

fn counts(story: Story, status: Value) -> Story {
    story.patch("jobs/j", json!({"status": status}))
}

fn indexed() -> Value {
    json!({"completions": 3, "parallelism": 2, "completionMode": "Indexed"})
}

#[test]
fn a_job_that_advances_with_another_pod_is_not_stalled() {
    let two = json!({"completions": 2, "parallelism": 2});
    let blocked = |name, spec| {
        let story = index(index(story(name).job(spec), "a", 0), "b", 1).at(1).runs("a");
        counts(no_image(story, "b"), json!({"active": 2}))
    };
    check(vec![
        (blocked("one-of-two", two.clone()).at(900), &[]),
        (blocked("one-index", indexed()).at(900), &[]),
        // Nothing else advances once the other Pod has finished.
        (
            counts(
                blocked("then-alone", two).at(300).ends("a", 0, "Completed"),
                json!({"active": 1, "succeeded": 1}),
            )
            .at(900),
            &["stalled ImagePull"],
        ),
        (
            counts(
                index(
                    counts(
                        blocked("next-index", indexed()).at(300).ends("a", 0, "Completed"),
                        json!({"active": 1, "succeeded": 1, "completedIndexes": "0"}),
                    ),
                    "c",
                    2,
                )
                .at(302)
                .runs("c"),
                json!({"active": 2}),
            )
            .at(900),
            &[],
        ),
    ]);
}

#[test]
fn a_job_without_parallelism_is_not_stalled() {
    check(vec![(
        story("parallelism-0").job(json!({"parallelism": 0})).at(3600),
        &[],
    )]);
}

#[test]
fn a_pod_that_does_not_end_is_a_stall() {
    check(vec![
        // A finalizer of another controller; the Job controller replaces only Pods that have ended.
        (
            story("finalizer")
                .job(json!({"podReplacementPolicy": "Failed"}))
                .pod("a")
                .at(1)
                .runs("a")
                .at(30)
                .patch(
                    "pods/a",
                    json!({"metadata": {"finalizers": ["example.com/backup"],
                    "deletionTimestamp": time(60), "deletionGracePeriodSeconds": 30}}),
                )
                .patch("jobs/j", json!({"status": {"active": 0, "terminating": 1}}))
                .at(200),
            &["stalled StuckTerminating"],
        ),
        // The grace period is not over yet.
        (
            story("long-grace")
                .job(json!({"podReplacementPolicy": "Failed"}))
                .pod("a")
                .at(1)
                .runs("a")
                .at(30)
                .patch(
                    "pods/a",
                    json!({"metadata": {"deletionTimestamp": time(3630), "deletionGracePeriodSeconds": 3600}}),
                )
                .patch("jobs/j", json!({"status": {"active": 0, "terminating": 1}}))
                .at(400),
            &[],
        ),
    ]);
}

#[test]
fn a_lost_node_is_a_stall() {
    let lost = story("node-lost")
        .job(json!({}))
        .pod("a")
        .at(1)
        .runs("a")
        .at(60)
        .conditions("pods/a", &[condition("Ready", false, "", "", 60)])
        .warns("pods/a", "NodeNotReady", "Node is not ready")
        .by("node-controller")
        .at(360)
        .disrupted(
            "a",
            "DeletionByTaintManager",
            "Taint manager: deleting due to NoExecute taint",
        )
        .tell(
            "pods/a",
            "Normal",
            "TaintManagerEviction",
            "Marking for deletion Pod node-lost/a",
        )
        .by("taint-eviction-controller")
        .patch(
            "pods/a",
            json!({"metadata": {"deletionTimestamp": time(390), "deletionGracePeriodSeconds": 30}}),
        )
        .at(600);
    check(vec![(lost, &["stalled NodeLost"])]);
}

#[test]
fn late_events_of_a_finished_job_are_no_stall() {
    let complete = condition("Complete", true, "CompletionsReached", "", 20);
    let done = story("late-event")
        .job(json!({}))
        .pod("a")
        .at(1)
        .runs("a")
        .at(20)
        .ends("a", 0, "Completed")
        .patch("jobs/j", json!({"status": {"active": 0, "succeeded": 1}}))
        .conditions("jobs/j", &[complete])
        .at(80)
        .warns(
            "pods/a{main}",
            "BackOff",
            "Back-off restarting failed container main in pod a",
        )
        .at(400);
    check(vec![(done, &[])]);
}
