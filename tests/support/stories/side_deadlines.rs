//! Side containers that are not native sidecars, at the deadline of the Job.

use job_event::evidence::ContainerRole;
use job_judge::{Cause, Retry};
use serde_json::{Value, json};

use super::kubelet::{ended, running, status, waiting};
use super::story::{DEADLINE, Story, on_failure};

pub(super) const APP: &str = "registry.example/app:9";
pub(super) const CLOUD_SQL: &str = "gcr.io/cloud-sql-connectors/cloud-sql-proxy:2.11";
pub(super) const ISTIO: &str = "registry.example:5000/mirror/istio/proxyv2:1.20";

/// A Pod with these regular containers: name and image.
pub(super) fn pod(containers: &[(&str, &str)]) -> Value {
    let containers: Vec<Value> = containers
        .iter()
        .map(|(name, image)| json!({"name": name, "image": image}))
        .collect();
    json!({"spec": {"containers": containers}})
}

/// The same, with the annotation that names the work.
pub(super) fn annotated(work: &str, containers: &[(&str, &str)]) -> Value {
    let mut pod = pod(containers);
    pod["metadata"] = json!({"annotations": {"kubectl.kubernetes.io/default-container": work}});
    pod
}

/// The statuses of containers that were never restarted.
pub(super) fn statuses(states: &[(&str, Value)]) -> Vec<Value> {
    states
        .iter()
        .map(|(name, state)| status(name, state, None, 0))
        .collect()
}

/// An end at that second of a container that ran from second 1 on.
pub(super) fn ends(code: i32, finished: i64) -> Value {
    let reason = if code == 0 { "Completed" } else { "Error" };
    ended("run-0", code, reason, 1, finished)
}

/// A Job whose deadline passes at second 60. From second 30 on the containers of its Pod are in these states.
fn deadline(name: &'static str, cause: Cause, pod: Value, states: &[(&str, Value)]) -> Story {
    let after: Vec<(&str, Value)> = states
        .iter()
        .map(|(name, state)| match state.get("running") {
            Some(_) => (*name, ends(143, 61)),
            None => (*name, state.clone()),
        })
        .collect();
    Story::failed(name, DEADLINE, cause)
        .job(json!({"activeDeadlineSeconds": 60}))
        .pod_of("j", "a", pod)
        .at(1)
        .admitted("a")
        .at(30)
        .states("a", "Running", &statuses(states))
        .at(60)
        .controller_deletes("a")
        .deadline_exceeded()
        .at(62)
        .states("a", "Failed", &statuses(&after))
        .gone("pods/a")
        .at(63)
        .finished()
}

pub(super) fn stories() -> Vec<Story> {
    let mut stories = finished_work();
    stories.extend(failed_work());
    stories.extend(work_of_its_own());
    stories.push(proxy_restarted_before_the_end());
    stories.push(proxy_loops_after_the_end());
    stories
}

/// The work ended with 0, another container did not end.
fn finished_work() -> Vec<Story> {
    let blocked = Cause::SidecarBlockedCompletion;
    vec![
        deadline(
            "proxy-first",
            blocked,
            pod(&[("cloud-sql-proxy", CLOUD_SQL), ("createdb", APP)]),
            &[("cloud-sql-proxy", running(1)), ("createdb", ends(0, 8))],
        )
        .retry(Retry::No)
        .sentence("container createdb finished, but container cloud-sql-proxy kept the Pod running.")
        .next_step("Make the proxy a native sidecar (initContainers with restartPolicy: Always"),
        deadline(
            "proxy-by-image-first",
            blocked,
            pod(&[("sidecar", ISTIO), ("migrate", APP)]),
            &[("sidecar", running(1)), ("migrate", ends(0, 8))],
        )
        .sentence("container migrate finished, but container sidecar kept the Pod running.")
        .next_step("Run Istio's proxy as a native sidecar"),
        deadline(
            "unknown-proxy-first",
            blocked,
            pod(&[("helper", APP), ("migrate", APP)]),
            &[("helper", running(1)), ("migrate", ends(0, 8))],
        )
        .sentence("container migrate finished, but container helper kept the Pod running.")
        .next_step("Make the other container a native sidecar"),
        deadline(
            "two-side-containers",
            blocked,
            pod(&[
                ("fluent-bit", "fluent/fluent-bit:3"),
                ("shipper", APP),
                ("migrate", APP),
            ]),
            &[
                ("fluent-bit", running(1)),
                ("shipper", running(1)),
                ("migrate", ends(0, 8)),
            ],
        )
        .sentence("container migrate finished, but container shipper kept the Pod running."),
        // An image of one's own with a name that resembles a well-known one is the work.
        deadline(
            "work-that-resembles-a-side-container",
            blocked,
            pod(&[("fluent-bit", "fluent/fluent-bit:3"), ("otel", "mycorp/otel-migrate:1")]),
            &[("fluent-bit", running(1)), ("otel", ends(0, 8))],
        )
        .sentence("container otel finished, but container fluent-bit kept the Pod running."),
    ]
}

/// The work failed, another container did not end.
fn failed_work() -> Vec<Story> {
    vec![
        deadline(
            "work-failed-beside-first-proxy",
            Cause::NonZeroExit,
            pod(&[("istio-proxy", ISTIO), ("migrate", APP)]),
            &[("istio-proxy", running(1)), ("migrate", ends(2, 8))],
        )
        .sentence("container migrate exited with code 2; container istio-proxy kept the Pod running."),
        deadline(
            "work-failed-beside-unknown-proxy",
            Cause::NonZeroExit,
            pod(&[("helper", APP), ("migrate", APP)]),
            &[("helper", running(1)), ("migrate", ends(2, 8))],
        )
        .sentence("container migrate exited with code 2; container helper kept the Pod running."),
        deadline(
            "work-out-of-memory-beside-proxy",
            Cause::OutOfMemory,
            pod(&[("linkerd-proxy", "cr.l5d.io/linkerd/proxy:edge"), ("migrate", APP)]),
            &[
                ("linkerd-proxy", running(1)),
                ("migrate", ended("run-0", 137, "OOMKilled", 1, 8)),
            ],
        )
        .sentence("its memory limit; container linkerd-proxy kept the Pod running."),
    ]
}

/// The work had not ended.
fn work_of_its_own() -> Vec<Story> {
    vec![
        deadline(
            "side-container-named-by-the-annotation",
            Cause::RanTooLong,
            annotated("telegraf", &[("setup", APP), ("telegraf", "telegraf:1.30")]),
            &[("setup", ends(0, 8)), ("telegraf", running(1))],
        )
        .sentence("container telegraf was still running."),
        deadline(
            "side-container-ended-first",
            Cause::RanTooLong,
            pod(&[("vault-agent", "hashicorp/vault:1.15"), ("report", APP)]),
            &[("vault-agent", ends(0, 8)), ("report", running(1))],
        )
        .sentence("container report was still running."),
        deadline(
            "work-runs-on-without-its-proxy",
            Cause::RanTooLong,
            pod(&[("cloud-sql-proxy", CLOUD_SQL), ("report", APP)]),
            &[("cloud-sql-proxy", ends(1, 8)), ("report", running(1))],
        )
        .sentence("container report was still running; container cloud-sql-proxy exited with code 1."),
        deadline(
            "work-not-started-beside-its-proxy",
            Cause::SlowStart,
            pod(&[("istio-proxy", ISTIO), ("report", APP)]),
            &[
                ("istio-proxy", running(1)),
                ("report", waiting("ContainerCreating", "")),
            ],
        )
        .sentence("container report had not started, and no lasting error was reported."),
    ]
}

/// Restarted in place: the proxy failed while the work ran, and is up again after it.
fn proxy_restarted_before_the_end() -> Story {
    let failed = ended("proxy-0", 1, "Error", 1, 30);
    let up_again = status("cloud-sql-proxy", &running(40), Some(&failed), 1);
    Story::failed("proxy-restarted-then-blocks", DEADLINE, Cause::SidecarBlockedCompletion)
        .attempts(&[Cause::NonZeroExit])
        .job(json!({"activeDeadlineSeconds": 60, "template": {"spec": {"restartPolicy": "OnFailure"}}}))
        .pod_of("j", "a", pod(&[("cloud-sql-proxy", CLOUD_SQL), ("report", APP)]))
        .at(1)
        .admitted("a")
        .at(41)
        .states(
            "a",
            "Running",
            &[up_again.clone(), status("report", &running(1), None, 0)],
        )
        .at(51)
        .states("a", "Running", &[up_again, status("report", &ends(0, 50), None, 0)])
        .at(60)
        .controller_deletes("a")
        .deadline_exceeded()
        .at(62)
        .states(
            "a",
            "Failed",
            &[
                status("cloud-sql-proxy", &ended("proxy-1", 143, "Error", 40, 61), None, 1),
                status("report", &ends(0, 50), None, 0),
            ],
        )
        .gone("pods/a")
        .at(63)
        .finished()
}

/// Restarted in place: the proxy fails repeatedly after the work has ended, until the attempts are used up.
fn proxy_loops_after_the_end() -> Story {
    let done = status("report", &ends(0, 5), None, 0);
    let first = ended("proxy-0", 143, "Error", 1, 6);
    let second = ended("proxy-1", 1, "Error", 7, 8);
    Story::failed("proxy-loops-after-success", super::story::BACKOFF, Cause::SidecarFailed)
        .sentence("container report finished with code 0, but container cloud-sql-proxy exited with code 1.")
        .attempts(&[Cause::SidecarFailed, Cause::SidecarFailed])
        .blames("cloud-sql-proxy", ContainerRole::Main, 1)
        .job(on_failure(1))
        .pod_of("j", "a", pod(&[("report", APP), ("cloud-sql-proxy", CLOUD_SQL)]))
        .at(1)
        .admitted("a")
        .at(7)
        .states(
            "a",
            "Running",
            &[done.clone(), status("cloud-sql-proxy", &running(7), Some(&first), 1)],
        )
        .at(20)
        .states(
            "a",
            "Running",
            &[done.clone(), status("cloud-sql-proxy", &running(20), Some(&second), 2)],
        )
        .controller_deletes("a")
        .backoff_limit_exceeded()
        .at(22)
        .states(
            "a",
            "Failed",
            &[
                done,
                status("cloud-sql-proxy", &ended("proxy-2", 143, "Error", 20, 21), None, 2),
            ],
        )
        .gone("pods/a")
        .at(23)
        .finished()
}
