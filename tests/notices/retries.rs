//! Containers that fail again and again.

use serde_json::json;

use crate::replayed::check;
use crate::stories::Story;
use crate::stories::kubelet::{ended, running, status, waiting};
use crate::stories::story::on_failure;
use crate::story;

const LOOPS: &str = "back-off 40s restarting failed container=main pod=a";

/// The container `main` of Pod `a` fails for the `run`th time and is backed off.
fn backs_off(story: Story, run: i32, (code, reason): (i32, &str)) -> Story {
    let now = story.now;
    let end = ended(&format!("main-{run}"), code, reason, now - 2, now);
    story
        .states(
            "a",
            "Running",
            &[status("main", &waiting("CrashLoopBackOff", LOOPS), Some(&end), run)],
        )
        .warns(
            "pods/a{main}",
            "BackOff",
            "Back-off restarting failed container main in pod a",
        )
}

/// It runs again.
fn restarts(story: Story, run: i32, (code, reason): (i32, &str)) -> Story {
    let now = story.now;
    let end = ended(&format!("main-{}", run - 1), code, reason, now - 30, now - 28);
    story.states("a", "Running", &[status("main", &running(now), Some(&end), run)])
}

/// Failures of a container in place, at 4, 16, 40 and 90 s.
fn crash_loop(name: &'static str, end: (i32, &str)) -> Story {
    let mut story = story(name).job(on_failure(20)).pod("a").at(1).runs("a");
    for (run, second) in [(0, 4), (1, 16), (2, 40), (3, 90)] {
        if run > 0 {
            story = restarts(story.at(second - 2), run, end);
        }
        story = backs_off(story.at(second), run, end);
    }
    story.at(100)
}

/// Pods that fail one after the other, at these seconds.
fn failing_pods(name: &'static str, pods: &[(&'static str, i64)]) -> Story {
    let mut story = story(name).job(json!({"backoffLimit": 20}));
    for (number, (pod, second)) in pods.iter().enumerate() {
        story = story
            .at(second - 3)
            .pod(pod)
            .at(second - 2)
            .runs(pod)
            .at(*second)
            .ends(pod, 7, "Error");
        story = story.patch("jobs/j", json!({"status": {"active": 0, "failed": number + 1}}));
    }
    story
}

#[test]
fn containers_that_fail_again_and_again_are_a_stall() {
    check(vec![
        (crash_loop("exit-in-place", (3, "Error")), &["stalled NonZeroExit"]),
        (crash_loop("oom-in-place", (137, "OOMKilled")), &["stalled OutOfMemory"]),
        (
            failing_pods("exit-of-pods", &[("a", 4), ("b", 18), ("c", 42), ("d", 86)]).at(100),
            &["stalled NonZeroExit"],
        ),
        (
            crash_loop("exit-then-fixed", (3, "Error"))
                .at(170)
                .states(
                    "a",
                    "Running",
                    &[status(
                        "main",
                        &running(170),
                        Some(&ended("main-3", 3, "Error", 88, 90)),
                        4,
                    )],
                )
                .at(1000)
                .states(
                    "a",
                    "Succeeded",
                    &[status("main", &ended("main-4", 0, "Completed", 170, 1000), None, 4)],
                )
                .patch("jobs/j", json!({"status": {"active": 0, "succeeded": 1}}))
                .conditions(
                    "jobs/j",
                    &[crate::stories::story::condition(
                        "Complete",
                        true,
                        "CompletionsReached",
                        "",
                        1000,
                    )],
                ),
            &["stalled NonZeroExit", "recovered NonZeroExit"],
        ),
    ]);
}

#[test]
fn a_single_failure_is_no_stall() {
    check(vec![
        (
            failing_pods("one-pod-failed", &[("a", 4)])
                .at(15)
                .pod("b")
                .at(16)
                .runs("b")
                .at(900),
            &[],
        ),
        (
            backs_off(
                story("one-restart").job(on_failure(20)).pod("a").at(1).runs("a").at(4),
                0,
                (3, "Error"),
            )
            .at(14)
            .states(
                "a",
                "Running",
                &[status(
                    "main",
                    &running(14),
                    Some(&ended("main-0", 3, "Error", 2, 4)),
                    1,
                )],
            )
            .at(900),
            &[],
        ),
    ]);
}

#[test]
fn a_side_container_keeps_a_finished_pod_running() {
    let two = json!({"spec": {"containers": [{"name": "main", "image": "registry.example/app:9"},
        {"name": "cloud-sql-proxy", "image": "gcr.io/cloud-sql-connectors/cloud-sql-proxy:2"}]}});
    let beside = |name, code, reason| {
        story(name)
            .job(on_failure(3))
            .pod_of("j", "a", two.clone())
            .at(1)
            .admitted("a")
            .at(2)
            .states(
                "a",
                "Running",
                &[
                    status("main", &running(2), None, 0),
                    status("cloud-sql-proxy", &running(2), None, 0),
                ],
            )
            .at(20)
            .states(
                "a",
                "Running",
                &[
                    status("main", &ended("main-0", code, reason, 2, 20), None, 0),
                    status("cloud-sql-proxy", &running(2), None, 0),
                ],
            )
    };
    check(vec![
        (
            beside("proxy-runs-on", 0, "Completed").at(40),
            &["stalled SidecarBlockedCompletion"],
        ),
        (
            beside("proxy-ends", 0, "Completed")
                .at(40)
                .states(
                    "a",
                    "Succeeded",
                    &[
                        status("main", &ended("main-0", 0, "Completed", 2, 20), None, 0),
                        status("cloud-sql-proxy", &ended("p", 0, "Completed", 2, 40), None, 0),
                    ],
                )
                .patch("jobs/j", json!({"status": {"active": 0, "succeeded": 1}}))
                .at(41),
            &[],
        ),
    ]);
}
