//! Attempts that fail one after the other, and attempts that end for another reason.

use job_judge::Cause;
use serde_json::{Value, json};

use super::super::kubelet::ended;
use super::super::story::on_failure;
use super::{StallStory, Story, job, one_pod};

pub(super) fn stories() -> Vec<StallStory> {
    let mut stories = in_place();
    stories.extend(with_new_pods());
    stories.extend(not_its_fault());
    stories
}

fn in_place() -> Vec<StallStory> {
    let restarting = |name| job(name, on_failure(20)).pod("a").at(1).admitted("a");
    vec![
        restarting("crash-loop")
            .restarts(
                "a",
                &[
                    (1, 2, 3),
                    (3, 4, 3),
                    (16, 17, 3),
                    (40, 41, 3),
                    (90, 91, 3),
                    (180, 181, 3),
                ],
            )
            .stalls(300, &[(Cause::NonZeroExit, 2, 300)]),
        restarting("flaky-program")
            .restarts("a", &[(1, 20, 3), (21, 300, 0)])
            .moves(310),
        restarting("first-failure-after-a-long-run")
            .restarts("a", &[(1, 600, 3)])
            .restarted("a", 601, 1)
            .moves(900),
        restarting("two-failures-then-a-long-run")
            .restarts("a", &[(1, 5, 3), (6, 10, 3)])
            .restarted("a", 22, 2)
            .stalls(500, &[(Cause::NonZeroExit, 5, 140)]),
        restarting("crash-loop-of-long-runs")
            .restarts("a", &[(1, 200, 3), (201, 400, 3), (412, 640, 3), (662, 850, 3)])
            .stalls(880, &[(Cause::NonZeroExit, 200, 880)]),
        restarting("killed-again-and-again")
            .restarts("a", &[(1, 2, 137), (3, 4, 137), (16, 17, 137)])
            .stalls(100, &[(Cause::Killed, 2, 100)]),
    ]
}

fn with_new_pods() -> Vec<StallStory> {
    vec![
        job("crash-loop-of-pods", json!({"backoffLimit": 20}))
            .pod("a")
            .fails("a", 1, 5)
            .another(15, "b")
            .fails("b", 16, 20)
            .another(40, "c")
            .fails("c", 41, 45)
            .another(85, "d")
            .fails("d", 86, 90)
            .stalls(160, &[(Cause::NonZeroExit, 5, 160)]),
        one_pod("one-failure")
            .fails("a", 1, 5)
            .another(15, "b")
            .at(16)
            .runs("b")
            .moves(400),
        one_pod("a-controller-that-is-slow-to-retry")
            .fails("a", 1, 5)
            .moves(300),
        one_pod("second-retry-works")
            .fails("a", 1, 5)
            .another(15, "b")
            .fails("b", 16, 20)
            .another(40, "c")
            .at(41)
            .runs("c")
            .at(300)
            .ends("c", 0, "Completed")
            .completes(301)
            .stalls(310, &[(Cause::NonZeroExit, 5, 160)]),
        job("fails-by-its-limit", json!({"backoffLimit": 1}))
            .pod("a")
            .fails("a", 1, 5)
            .another(15, "b")
            .fails("b", 16, 25)
            .backoff()
            .moves(100),
        job("a-retry-without-an-image", json!({"backoffLimit": 20}))
            .pod("a")
            .fails("a", 1, 5)
            .another(15, "b")
            .fails("b", 16, 20)
            .another(40, "c")
            .at(41)
            .admitted("c")
            .at(42)
            .waits("c", "ErrImagePull", "not found")
            .stalls(120, &[(Cause::NonZeroExit, 5, 41), (Cause::ImagePull, 41, 120)]),
        job("fails-between-successes", json!({"completions": 5}))
            .pod("a")
            .fails("a", 1, 5)
            .another(15, "b")
            .at(16)
            .runs("b")
            .at(30)
            .ends("b", 0, "Completed")
            .another(31, "c")
            .fails("c", 32, 40)
            .another(50, "d")
            .at(51)
            .runs("d")
            .at(90)
            .ends("d", 0, "Completed")
            .another(91, "e")
            .fails("e", 92, 100)
            .moves(200),
        rejected_again_and_again(),
    ]
}

/// Nodes that have no room after all reject each Pod at once.
fn rejected_again_and_again() -> StallStory {
    let reject = |story: Story, pod: &str| {
        let status = json!({"status": {"phase": "Failed", "reason": "OutOfcpu", "message": "Pod was rejected: Node didn't have \
                    enough resource: cpu, requested: 4000, used: 14750, capacity: 15890"}});
        story
            .patch(&format!("pods/{pod}"), json!({"spec": {"nodeName": "node1"}}))
            .patch(&format!("pods/{pod}"), status)
            .idle()
    };
    let story = reject(
        job("rejected-again-and-again", json!({"backoffLimit": 20}))
            .pod("a")
            .at(1),
        "a",
    );
    let story = reject(story.another(11, "b").at(12), "b");
    reject(story.another(32, "c").at(33), "c").stalls(100, &[(Cause::NodeRejected, 0, 100)])
}

fn not_its_fault() -> Vec<StallStory> {
    let evicted = |story: Story, pod: &str, from: i64, at: i64| {
        story
            .at(from)
            .runs(pod)
            .at(at)
            .disrupted(pod, "EvictionByEvictionAPI", "Eviction API: evicting")
            .deletes(pod)
            .at(at + 2)
            .goes(pod, &killed(from, at + 2))
    };
    let story = evicted(one_pod("evicted-twice"), "a", 1, 50).another(53, "b");
    let twice = evicted(story, "b", 54, 120).another(123, "c").at(124).runs("c");
    let preempted = |story: Story, pod: &str, at: i64| {
        let message = "default-scheduler: preempting to accommodate a higher priority pod";
        story
            .at(at)
            .disrupted(pod, "PreemptionByScheduler", message)
            .deletes(pod)
            .at(at + 3)
            .goes(pod, &killed(1, at + 3))
    };
    vec![
        twice.moves(600),
        preempted(one_pod("preempted").at(1).runs("a"), "a", 50)
            .another(54, "b")
            .at(70)
            .runs("b")
            .moves(300),
        one_pod("deleted-by-a-user")
            .at(1)
            .runs("a")
            .at(30)
            .deletes("a")
            .another(31, "b")
            .at(32)
            .runs("b")
            .at(60)
            .goes("a", &killed(1, 60))
            .moves(300),
    ]
}

fn killed(from: i64, to: i64) -> Value {
    ended("main-0", 143, "Error", from, to)
}
