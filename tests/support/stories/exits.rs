//! How containers end: codes, signals, probes, hooks, init containers and sidecars, attempts of different kinds.

use job_judge::Cause;
use serde_json::{Value, json};

use super::story::{Story, condition, ended, running, status, unknown_end, waiting};

const BACKOFF: &str = "BackoffLimitExceeded";
const DEADLINE: &str = "DeadlineExceeded";

fn one_try(name: &'static str, cause: Cause) -> Story {
    Story::failed(name, BACKOFF, cause)
        .job(json!({"backoffLimit": 0}))
        .pod("a")
}

/// A container that ends after 8 s.
fn ends(name: &'static str, cause: Cause, code: i32, reason: &str) -> Story {
    one_try(name, cause)
        .at(1)
        .runs("a")
        .at(9)
        .ends("a", code, reason)
        .at(10)
        .backoff()
}

/// Attempts one after another, each with its end.
fn attempts(name: &'static str, cause: Cause, ends: &[(i32, &str)]) -> Story {
    let mut story = Story::failed(name, BACKOFF, cause).job(json!({"backoffLimit": ends.len() - 1}));
    let mut now = 1;
    for (number, (code, reason)) in ends.iter().enumerate() {
        let pod = format!("p{number}");
        story = story.at(now).pod(&pod).runs(&pod).at(now + 5).ends(&pod, *code, reason);
        now += 15;
    }
    story.backoff()
}

pub fn stories() -> Vec<Story> {
    let mut stories = vec![
        ends("exit-3", Cause::NonZeroExit, 3, "Error"),
        ends("exit-file-missing-crio", Cause::NonZeroExit, -1, "Error"),
        ends("shell-127", Cause::ContainerStart, 127, "Error"),
        ends("not-executable", Cause::ContainerStart, 126, "Error"),
        ends("segv", Cause::Crashed, 139, "Error"),
        ends("abort", Cause::Crashed, 134, "Error"),
        ends("seccomp-crio", Cause::Crashed, 137, "seccomp killed"),
        ends("oom", Cause::OutOfMemory, 137, "OOMKilled"),
        ends("oom-of-a-child", Cause::OutOfMemory, 1, "OOMKilled"),
        ends("killed-by-nobody-known", Cause::Killed, 137, "Error"),
        ends("terminated-by-itself", Cause::Killed, 143, "Error"),
        attempts(
            "mixed-attempts",
            Cause::NonZeroExit,
            &[(137, "OOMKilled"), (1, "Error")],
        ),
        attempts(
            "mixed-attempts-oom-last",
            Cause::OutOfMemory,
            &[(1, "Error"), (137, "OOMKilled")],
        ),
        attempts(
            "mixed-attempts-kill-last",
            Cause::OutOfMemory,
            &[(137, "OOMKilled"), (137, "Error")],
        ),
    ];
    stories.extend(probes_and_hooks());
    stories.extend(init_and_sidecars());
    stories.extend(restarts());
    stories
}

fn probes_and_hooks() -> Vec<Story> {
    let probe = |name, code, text: &str| {
        one_try(name, Cause::ProbeFailed)
            .at(1)
            .runs("a")
            .at(8)
            .warns("pods/a{main}", "Unhealthy", text)
            .at(9)
            .tell("pods/a{main}", "Normal", "Killing", "Stopping container main")
            .at(12)
            .ends("a", code, "Error")
            .at(13)
            .backoff()
    };
    vec![
        probe(
            "liveness",
            137,
            "Liveness probe failed: cat: can't open '/healthy': No such file or directory",
        ),
        probe(
            "startup-probe",
            143,
            "Startup probe failed: dial tcp 10.0.0.4:80: connect: connection refused",
        ),
        probe(
            "liveness-heeded",
            2,
            "Liveness probe errored and resulted in unknown state: context deadline exceeded",
        ),
        // Readiness kills nobody.
        one_try("readiness", Cause::Killed)
            .at(1)
            .runs("a")
            .at(8)
            .warns(
                "pods/a{main}",
                "Unhealthy",
                "Readiness probe failed: HTTP probe failed with statuscode: 503",
            )
            .at(12)
            .ends("a", 137, "Error")
            .at(13)
            .backoff(),
        one_try("post-start-hook", Cause::ContainerStart)
            .at(1)
            .runs("a")
            .at(3)
            .warns("pods/a{main}", "FailedPostStartHook", "PostStartHook failed")
            .at(4)
            .ends("a", 137, "Error")
            .at(5)
            .backoff(),
        // Restarted in place for a failed probe: the state of the deleted Pod is a consequence, `lastState` is not.
        Story::failed("liveness-restarts", BACKOFF, Cause::ProbeFailed)
            .job(json!({"backoffLimit": 1, "template": {"spec": {"restartPolicy": "OnFailure"}}}))
            .pod("a")
            .at(1)
            .runs("a")
            .at(8)
            .warns("pods/a{main}", "Unhealthy", "Liveness probe failed: no answer")
            .at(12)
            .states(
                "a",
                "Running",
                &[status(
                    "main",
                    &running(12),
                    Some(&ended("main-0", 137, "Error", 1, 12)),
                    1,
                )],
            )
            .at(13)
            .controller_deletes("a")
            .verdict(BACKOFF, "Job has reached the specified backoff limit")
            .at(43)
            .states(
                "a",
                "Failed",
                &[status("main", &ended("main-1", 137, "Error", 12, 43), None, 1)],
            )
            .gone("pods/a")
            .at(44)
            .finished(),
    ]
}

fn with_init(name: &str, restart: Option<&str>) -> Value {
    let mut container = json!({"name": name, "image": "registry.example/side:1"});
    if let Some(policy) = restart {
        container["restartPolicy"] = policy.into();
    }
    json!({"spec": {"initContainers": [container]}})
}

fn init_and_sidecars() -> Vec<Story> {
    let legacy = json!({"spec": {"containers": [
        {"name": "main", "image": "registry.example/app:9"}, {"name": "proxy", "image": "registry.example/proxy:1"}]}});
    let annotated = json!({"metadata": {"annotations": {"kubectl.kubernetes.io/default-container": "work"}},
        "spec": {"containers": [
            {"name": "proxy", "image": "registry.example/proxy:1"}, {"name": "work", "image": "registry.example/app:9"}]}});
    let blocked = |name, pod: &Value, main: &str| {
        let statuses = |proxy: &Value| {
            [
                status(main, &ended("main-0", 0, "Completed", 1, 3), None, 0),
                status("proxy", proxy, None, 0),
            ]
        };
        Story::failed(name, DEADLINE, Cause::SidecarBlockedCompletion)
            .job(json!({"activeDeadlineSeconds": 20}))
            .pod_of("j", "a", pod.clone())
            .at(1)
            .admitted("a")
            .at(3)
            .states("a", "Running", &statuses(&running(1)))
            .at(20)
            .controller_deletes("a")
            .verdict(DEADLINE, "Job was active longer than specified deadline")
            .at(50)
            .states("a", "Failed", &statuses(&ended("proxy-0", 137, "Error", 1, 50)))
            .gone("pods/a")
            .at(51)
            .finished()
    };
    vec![
        blocked("legacy-sidecar", &legacy, "main"),
        blocked("legacy-sidecar-first", &annotated, "work"),
        Story::failed("deadline-init", DEADLINE, Cause::RanTooLong)
            .job(json!({"activeDeadlineSeconds": 20}))
            .pod_of("j", "a", with_init("migrate", None))
            .at(1)
            .admitted("a")
            .states(
                "a",
                "Pending",
                &[
                    status("migrate", &running(1), None, 0),
                    status("main", &waiting("PodInitializing", ""), None, 0),
                ],
            )
            .at(20)
            .controller_deletes("a")
            .verdict(DEADLINE, "Job was active longer than specified deadline")
            .at(50)
            .states(
                "a",
                "Failed",
                &[
                    status("migrate", &ended("init-0", 137, "Error", 1, 50), None, 0),
                    status("main", &waiting("PodInitializing", ""), None, 0),
                ],
            )
            .gone("pods/a")
            .at(51)
            .finished(),
        Story::failed("init-fails", BACKOFF, Cause::NonZeroExit)
            .job(json!({"backoffLimit": 0}))
            .pod_of("j", "a", with_init("migrate", None))
            .at(1)
            .admitted("a")
            .at(3)
            .states(
                "a",
                "Failed",
                &[
                    status("migrate", &ended("init-0", 4, "Error", 1, 3), None, 0),
                    status("main", &waiting("PodInitializing", ""), None, 0),
                ],
            )
            .at(4)
            .backoff(),
        // The sidecar is killed when the main container is done: that is not why.
        Story::failed("native-sidecar-kill", BACKOFF, Cause::NonZeroExit)
            .job(json!({"backoffLimit": 0}))
            .pod_of("j", "a", with_init("proxy", Some("Always")))
            .at(1)
            .admitted("a")
            .states(
                "a",
                "Running",
                &[
                    status("proxy", &running(1), None, 0),
                    status("main", &running(2), None, 0),
                ],
            )
            .at(5)
            .states(
                "a",
                "Running",
                &[
                    status("proxy", &running(1), None, 0),
                    status("main", &ended("main-0", 2, "Error", 2, 5), None, 0),
                ],
            )
            .at(35)
            .states(
                "a",
                "Failed",
                &[
                    status("proxy", &ended("proxy-0", 137, "Error", 1, 35), None, 0),
                    status("main", &ended("main-0", 2, "Error", 2, 5), None, 0),
                ],
            )
            .at(36)
            .backoff(),
        Story::failed("sidecar-crashloop", BACKOFF, Cause::NonZeroExit)
            .job(json!({"backoffLimit": 3, "template": {"spec": {"restartPolicy": "OnFailure"}}}))
            .pod_of("j", "a", with_init("proxy", Some("Always")))
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
                "Running",
                &[
                    status("proxy", &running(5), Some(&ended("proxy-0", 1, "Error", 1, 4)), 1),
                    status("main", &running(1), None, 0),
                ],
            )
            .at(20)
            .states(
                "a",
                "Running",
                &[
                    status("proxy", &running(20), Some(&ended("proxy-1", 1, "Error", 5, 6)), 2),
                    status("main", &running(1), None, 0),
                ],
            )
            .at(50)
            .states(
                "a",
                "Running",
                &[
                    status("proxy", &running(50), Some(&ended("proxy-2", 1, "Error", 20, 21)), 3),
                    status("main", &running(1), None, 0),
                ],
            )
            .controller_deletes("a")
            .verdict(BACKOFF, "Job has reached the specified backoff limit")
            .at(80)
            .states(
                "a",
                "Failed",
                &[
                    status("proxy", &ended("proxy-3", 143, "Error", 50, 80), None, 3),
                    status("main", &ended("main-0", 137, "Error", 1, 80), None, 0),
                ],
            )
            .gone("pods/a")
            .at(81)
            .finished(),
    ]
}

fn restarts() -> Vec<Story> {
    let loops = "back-off 20s restarting failed container=main pod=a";
    vec![
        Story::failed("oom-onfailure", BACKOFF, Cause::OutOfMemory)
            .job(json!({"backoffLimit": 2, "template": {"spec": {"restartPolicy": "OnFailure"}}}))
            .pod("a")
            .at(1)
            .runs("a")
            .at(4)
            .states("a", "Running", &[status("main", &running(4), Some(&ended("main-0", 137, "OOMKilled", 1, 3)), 1)])
            .at(7)
            .states("a", "Running", &[status("main", &waiting("CrashLoopBackOff", loops), Some(&ended("main-1", 137, "OOMKilled", 4, 6)), 1)])
            .at(20)
            .states("a", "Running", &[status("main", &running(20), Some(&ended("main-1", 137, "OOMKilled", 4, 6)), 2)])
            .controller_deletes("a")
            .verdict(BACKOFF, "Job has reached the specified backoff limit")
            .at(22)
            .states("a", "Failed", &[status("main", &ended("main-2", 143, "Error", 20, 22), None, 2)])
            .gone("pods/a")
            .at(23)
            .finished(),
        Story::failed("deadline-crashloop", DEADLINE, Cause::NonZeroExit)
            .job(json!({"activeDeadlineSeconds": 60, "backoffLimit": 100, "template": {"spec": {"restartPolicy": "OnFailure"}}}))
            .pod("a")
            .at(1)
            .runs("a")
            .at(5)
            .states("a", "Running", &[status("main", &running(5), Some(&ended("main-0", 1, "Error", 1, 4)), 1)])
            .at(10)
            .states("a", "Running", &[status("main", &waiting("CrashLoopBackOff", loops), Some(&ended("main-1", 1, "Error", 5, 9)), 1)])
            .at(60)
            .controller_deletes("a")
            .verdict(DEADLINE, "Job was active longer than specified deadline")
            .at(61)
            .states("a", "Failed", &[status("main", &ended("main-1", 1, "Error", 5, 9), None, 1)])
            .gone("pods/a")
            .at(62)
            .finished(),
        // A restart of all containers in place by a rule of the Pod is no failure, whatever it looks like.
        Story::failed("restart-all-containers", BACKOFF, Cause::NonZeroExit)
            .job(json!({"backoffLimit": 0}))
            .pod("a")
            .at(1)
            .runs("a")
            .at(5)
            .conditions("pods/a", &[condition("AllContainersRestarting", true, "", "", 5)])
            .states(
                "a",
                "Running",
                &[status("main", &waiting("RestartingAllContainers", ""), Some(&ended("main-0", 137, "RestartingAllContainers", 1, 5)), 1)],
            )
            .at(6)
            .states("a", "Running", &[status("main", &running(6), Some(&ended("main-0", 137, "RestartingAllContainers", 1, 5)), 1)])
            .at(9)
            .states("a", "Failed", &[status("main", &ended("main-1", 9, "Error", 6, 9), None, 1)])
            .at(10)
            .backoff(),
        // The Pod's own deadline, while it ran, and while it could not start.
        one_try("pod-deadline", Cause::RanTooLong)
            .at(1)
            .runs("a")
            .at(11)
            .patch("pods/a", json!({"status": {"reason": "DeadlineExceeded", "message": "Pod was active on the node longer than the specified deadline"}}))
            .tell("pods/a", "Normal", "DeadlineExceeded", "Pod was active on the node longer than the specified deadline")
            .ends("a", 137, "Error")
            .at(12)
            .backoff(),
        one_try("pod-deadline-image", Cause::ImagePull)
            .at(1)
            .admitted("a")
            .at(2)
            .waits("a", "ErrImagePull", "manifest unknown")
            .waits("a", "ImagePullBackOff", "Back-off pulling image")
            .at(11)
            .patch("pods/a", json!({"status": {"reason": "DeadlineExceeded", "message": "Pod was active on the node longer than the specified deadline"}}))
            .states("a", "Failed", &[status("main", &unknown_end(), None, 0)])
            .at(12)
            .backoff(),
    ]
}
