//! Side containers that are not native sidecars and that fail beside the work.

use job_event::evidence::ContainerRole;
use job_judge::{Cause, Retry};
use serde_json::{Value, json};

use super::kubelet::{ended, running};
use super::side_deadlines::{APP, CLOUD_SQL, ISTIO, annotated, ends, pod, statuses};
use super::story::{BACKOFF, Story};

/// A Job that fails with its only Pod, whose containers end in these states.
fn fails(name: &'static str, cause: Cause, pod: Value, states: &[(&str, Value)]) -> Story {
    let begins: Vec<(&str, Value)> = states.iter().map(|(name, _)| (*name, running(1))).collect();
    Story::failed(name, BACKOFF, cause)
        .job(json!({"backoffLimit": 0}))
        .pod_of("j", "a", pod)
        .at(1)
        .admitted("a")
        .at(2)
        .states("a", "Running", &statuses(&begins))
        .at(60)
        .states("a", "Failed", &statuses(states))
        .at(61)
        .backoff()
}

pub(super) fn stories() -> Vec<Story> {
    let mut stories = after_success();
    stories.extend(maybe_work());
    stories.extend(before_the_work_failed());
    stories.push(policy_on_a_side_container());
    stories.push(deadline_of_the_pod());
    stories.extend(with_events());
    stories
}

/// An Event says more about the end of the side container, and may be missing.
fn with_events() -> Vec<Story> {
    let runs = |name, cause, containers: &[(&str, &str)]| {
        let states: Vec<(&str, Value)> = containers.iter().map(|(name, _)| (*name, running(1))).collect();
        Story::failed(name, BACKOFF, cause)
            .job(json!({"backoffLimit": 0}))
            .pod_of("j", "a", pod(containers))
            .at(1)
            .admitted("a")
            .at(2)
            .states("a", "Running", &statuses(&states))
            .at(40)
    };
    let fails = |story: Story, states: &[(&str, Value)]| {
        let story = story.at(50).states("a", "Failed", &statuses(states));
        story.at(51).backoff()
    };
    vec![
        fails(
            runs(
                "helper-probe-fails-at-the-end",
                Cause::SidecarFailed,
                &[("report", APP), ("tunnel", APP)],
            )
            .warns(
                "pods/a{tunnel}",
                "Unhealthy",
                "Liveness probe failed: connection refused",
            ),
            &[("report", ends(0, 41)), ("tunnel", ends(143, 42))],
        )
        .sentence("container tunnel exited with code 143 (SIGTERM): “Liveness probe failed: connection refused”."),
        fails(
            runs(
                "proxy-hook-fails-after-success",
                Cause::SidecarFailed,
                &[("report", APP), ("cloud-sql-proxy", CLOUD_SQL)],
            )
            .warns("pods/a{cloud-sql-proxy}", "FailedPostStartHook", "PostStartHook failed"),
            &[("report", ends(0, 20)), ("cloud-sql-proxy", ends(137, 41))],
        ),
        fails(
            runs(
                "proxy-out-of-node-memory-before-failure",
                Cause::OutOfMemory,
                &[("report", APP), ("cloud-sql-proxy", CLOUD_SQL)],
            )
            .warns(
                "nodes/node1",
                "SystemOOM",
                "System OOM encountered, victim process: proxy, pid: 1",
            ),
            &[("report", ends(1, 45)), ("cloud-sql-proxy", ends(137, 40))],
        )
        .sentence("; container report exited with code 1."),
    ]
}

/// The Pod's own deadline ends only the proxy.
fn deadline_of_the_pod() -> Story {
    let message = "Pod was active on the node longer than the specified deadline";
    let states = [("report", ends(0, 8)), ("cloud-sql-proxy", running(1))];
    Story::failed("pod-deadline-beside-proxy", BACKOFF, Cause::SidecarBlockedCompletion)
        .sentence("container report finished, but container cloud-sql-proxy kept the Pod running.")
        .job(json!({"backoffLimit": 0}))
        .pod_of("j", "a", pod(&[("report", APP), ("cloud-sql-proxy", CLOUD_SQL)]))
        .at(1)
        .admitted("a")
        .at(9)
        .states("a", "Running", &statuses(&states))
        .at(60)
        .patch(
            "pods/a",
            json!({"status": {"reason": "DeadlineExceeded", "message": message}}),
        )
        .tell("pods/a", "Normal", "DeadlineExceeded", message)
        .at(62)
        .states(
            "a",
            "Failed",
            &statuses(&[("report", ends(0, 8)), ("cloud-sql-proxy", ends(143, 61))]),
        )
        .at(63)
        .backoff()
}

/// The work ended with 0, and only a side container failed.
fn after_success() -> Vec<Story> {
    let proxied = || pod(&[("report", APP), ("cloud-sql-proxy", CLOUD_SQL)]);
    let failed = Cause::SidecarFailed;
    vec![
        fails(
            "proxy-stopped-after-success",
            failed,
            proxied(),
            &[("report", ends(0, 41)), ("cloud-sql-proxy", ends(143, 41))],
        )
        .retry(Retry::No)
        .sentence(
            "container report finished with code 0, but container cloud-sql-proxy exited with code 143 (SIGTERM).",
        )
        .next_step("Do not run it again, because the work is done; make the side container a native sidecar")
        .blames("cloud-sql-proxy", ContainerRole::Main, 143),
        fails(
            "proxy-out-of-memory-after-success",
            failed,
            proxied(),
            &[
                ("report", ends(0, 41)),
                ("cloud-sql-proxy", ended("run-0", 137, "OOMKilled", 1, 50)),
            ],
        )
        .retry(Retry::No)
        .sentence("but container cloud-sql-proxy was killed because it exceeded its memory limit."),
        fails(
            "first-proxy-fails-on-shutdown",
            failed,
            pod(&[("istio-proxy", ISTIO), ("report", APP)]),
            &[("istio-proxy", ends(1, 43)), ("report", ends(0, 41))],
        )
        .sentence("container report finished with code 0, but container istio-proxy exited with code 1."),
        fails(
            "unknown-side-container-stopped",
            failed,
            pod(&[("report", APP), ("tunnel", APP)]),
            &[("report", ends(0, 41)), ("tunnel", ends(143, 42))],
        )
        .sentence("container report finished with code 0, but container tunnel exited with code 143 (SIGTERM)."),
        fails(
            "annotation-makes-the-others-side-containers",
            failed,
            annotated("report", &[("tunnel", APP), ("report", APP)]),
            &[("tunnel", ends(1, 55)), ("report", ends(0, 41))],
        )
        .sentence("container report finished with code 0, but container tunnel exited with code 1."),
    ]
}

/// A container finished with 0, and one failed that may be work as well.
fn maybe_work() -> Vec<Story> {
    vec![
        fails(
            "second-container-fails",
            Cause::NonZeroExit,
            pod(&[("report", APP), ("upload", APP)]),
            &[("report", ends(0, 41)), ("upload", ends(1, 50))],
        )
        .sentence("container upload exited with code 1; container report finished with code 0."),
        fails(
            "second-container-killed",
            Cause::Killed,
            pod(&[("report", APP), ("upload", APP)]),
            &[("report", ends(0, 41)), ("upload", ends(137, 50))],
        )
        .sentence("the sender of the signal is unknown; container report finished with code 0.")
        .next_step("If this container only serves the one that finished, make it a native sidecar"),
        // The injector of a mesh writes the annotation for the first of two workers.
        fails(
            "annotation-of-a-mesh",
            Cause::NonZeroExit,
            annotated("report", &[("report", APP), ("upload", APP), ("istio-proxy", ISTIO)]),
            &[
                ("report", ends(0, 41)),
                ("upload", ends(1, 50)),
                ("istio-proxy", ends(0, 52)),
            ],
        )
        .blames("upload", ContainerRole::Main, 1),
    ]
}

/// Both failed: a side container that failed by itself before the work is the cause, one that was stopped is not.
fn before_the_work_failed() -> Vec<Story> {
    let proxied = || pod(&[("report", APP), ("cloud-sql-proxy", CLOUD_SQL)]);
    vec![
        fails(
            "proxy-out-of-memory-before-failure",
            Cause::OutOfMemory,
            proxied(),
            &[
                ("report", ends(1, 43)),
                ("cloud-sql-proxy", ended("run-0", 137, "OOMKilled", 1, 41)),
            ],
        )
        .sentence("its memory limit; container report exited with code 1.")
        .blames("cloud-sql-proxy", ContainerRole::Main, 137),
        fails(
            "proxy-stopped-before-failure",
            Cause::NonZeroExit,
            proxied(),
            &[("report", ends(3, 41)), ("cloud-sql-proxy", ends(143, 40))],
        )
        .sentence("container report exited with code 3.")
        .blames("report", ContainerRole::Main, 3),
        fails(
            "helper-stopped-before-failure",
            Cause::NonZeroExit,
            pod(&[("report", APP), ("tunnel", APP)]),
            &[("report", ends(3, 41)), ("tunnel", ends(143, 40))],
        )
        .blames("report", ContainerRole::Main, 3),
        fails(
            "proxy-killed-after-failure",
            Cause::NonZeroExit,
            pod(&[("cloud-sql-proxy", CLOUD_SQL), ("report", APP)]),
            &[("cloud-sql-proxy", ends(137, 59)), ("report", ends(3, 41))],
        )
        .sentence("container report exited with code 3.")
        .blames("report", ContainerRole::Main, 3),
    ]
}

/// The policy counts the end of the side container.
fn policy_on_a_side_container() -> Story {
    let name = "policy-on-a-side-container";
    Story::failed(name, "PodFailurePolicy", Cause::SidecarFailed)
        .sentence(
            "rule 0 of its podFailurePolicy: container report finished with code 0, but container cloud-sql-proxy",
        )
        .job(json!({}))
        .pod_of("j", "a", pod(&[("report", APP), ("cloud-sql-proxy", CLOUD_SQL)]))
        .at(1)
        .admitted("a")
        .at(42)
        .states(
            "a",
            "Failed",
            &statuses(&[("report", ends(0, 41)), ("cloud-sql-proxy", ends(143, 41))]),
        )
        .at(43)
        .verdict(
            "PodFailurePolicy",
            "Container cloud-sql-proxy for pod policy-on-a-side-container/a failed with exit code 143 matching FailJob \
             rule at index 0",
        )
        .finished()
}
