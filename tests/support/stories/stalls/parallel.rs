//! Jobs with many Pods or indexes: they stall only if none of their Pods advances.

use job_judge::Cause;
use serde_json::{Value, json};

use super::{StallStory, Story, job};

const WAITS: &str = "not found";

fn indexed(name: &'static str, limit: Option<i32>) -> Story {
    let mut spec = json!({"parallelism": 2, "completions": 4, "completionMode": "Indexed", "backoffLimit": 20});
    if let Some(limit) = limit {
        spec["backoffLimitPerIndex"] = limit.into();
    }
    job(name, spec)
}

fn index(number: i32) -> Value {
    json!({"metadata": {"annotations": {"batch.kubernetes.io/job-completion-index": number.to_string()}}})
}

pub(super) fn stories() -> Vec<StallStory> {
    let three = |name| {
        job(name, json!({"parallelism": 3, "completions": 30}))
            .pod("a")
            .pod("b")
            .pod("c")
            .at(1)
            .admitted("a")
            .runs("b")
            .runs("c")
    };
    let stuck = |story: Story, pods: &[&str]| {
        pods.iter()
            .fold(story, |story, pod| story.waits(pod, "ErrImagePull", WAITS))
    };
    let mut stories = vec![
        stuck(three("one-of-three-is-stuck").at(2), &["a"]).moves(600),
        stuck(
            job("all-of-three-are-stuck", json!({"parallelism": 3, "completions": 3}))
                .pod("a")
                .pod("b")
                .pod("c")
                .at(1)
                .admitted("a")
                .admitted("b")
                .admitted("c")
                .at(2),
            &["a", "b", "c"],
        )
        .stalls(200, &[(Cause::ImagePull, 1, 200)]),
        // The last Pod that worked ended at 100.
        stuck(three("the-last-worker-ends").at(2), &["a"])
            .at(80)
            .ends("b", 0, "Completed")
            .at(100)
            .ends("c", 0, "Completed")
            .stalls(200, &[(Cause::ImagePull, 100, 200)]),
    ];
    stories.extend(retried());
    stories.extend(indexes());
    stories
}

fn retried() -> Vec<StallStory> {
    vec![
        job("three-fail-together-once", json!({"parallelism": 3, "completions": 3}))
            .pod("a")
            .pod("b")
            .pod("c")
            .at(1)
            .runs("a")
            .runs("b")
            .runs("c")
            .at(5)
            .ends("a", 3, "Error")
            .ends("b", 3, "Error")
            .ends("c", 3, "Error")
            .idle()
            .another(45, "d")
            .pod("e")
            .pod("f")
            .at(46)
            .runs("d")
            .runs("e")
            .runs("f")
            .moves(400),
        job(
            "a-worker-beside-a-crash-loop",
            json!({"parallelism": 2, "completions": 2, "backoffLimit": 20}),
        )
        .pod("w")
        .pod("a")
        .at(1)
        .runs("w")
        .fails("a", 1, 5)
        .another(15, "b")
        .fails("b", 16, 20)
        .another(40, "c")
        .fails("c", 41, 45)
        .moves(600),
        job("one-pod-after-the-other", json!({"completions": 3}))
            .pod("a")
            .at(1)
            .runs("a")
            .at(100)
            .ends("a", 0, "Completed")
            .another(101, "b")
            .at(102)
            .runs("b")
            .at(200)
            .ends("b", 0, "Completed")
            .idle()
            .another(260, "c")
            .at(262)
            .runs("c")
            .moves(400),
    ]
}

fn indexes() -> Vec<StallStory> {
    let fails = |story: Story, pod: &str, number: i32, from: i64, to: i64| {
        story.at(from).pod_of("j", pod, index(number)).fails(pod, from, to)
    };
    let one_loops = |name, limit| {
        let story = indexed(name, limit).pod_of("j", "w", index(1)).at(1).runs("w");
        let story = fails(story, "a", 0, 1, 5);
        let story = fails(story, "b", 0, 16, 20);
        fails(story, "c", 0, 41, 45)
    };
    vec![
        one_loops("one-index-loops-while-another-runs", Some(20)).moves(600),
        // Index 1 completes at 200, the next index then runs.
        one_loops("one-index-loops-while-others-follow", Some(20))
            .at(200)
            .ends("w", 0, "Completed")
            .at(201)
            .pod_of("j", "x", index(2))
            .at(202)
            .runs("x")
            .moves(600),
        one_loops("one-index-loops-and-the-others-are-done", Some(20))
            .at(200)
            .ends("w", 0, "Completed")
            .stalls(300, &[(Cause::NonZeroExit, 200, 300)]),
        one_loops("an-index-fails-for-good", Some(2))
            .patch("jobs/j", json!({"status": {"failedIndexes": "0"}}))
            .at(60)
            .ends("w", 0, "Completed")
            .moves(300),
        fails(
            fails(
                fails(indexed("every-index-loops", Some(20)), "a", 0, 1, 5),
                "b",
                1,
                6,
                9,
            ),
            "c",
            0,
            16,
            20,
        )
        .at(21)
        .pod_of("j", "d", index(1))
        .fails("d", 21, 25)
        .stalls(200, &[(Cause::NonZeroExit, 9, 200)]),
    ]
}
