//! Init containers and sidecars.

use job_event::evidence::ContainerRole;
use job_judge::Cause;
use serde_json::{Value, json};

use super::kubelet::{ended, running, status, waiting};
use super::story::{BACKOFF, DEADLINE, Story, on_failure};

fn with_init(name: &str, restart: Option<&str>) -> Value {
    let mut container = json!({"name": name, "image": "registry.example/side:1"});
    if let Some(policy) = restart {
        container["restartPolicy"] = policy.into();
    }
    json!({"spec": {"initContainers": [container]}})
}

fn blocked(name: &'static str, pod: &Value, main: &str) -> Story {
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
        .deadline_exceeded()
        .at(50)
        .states("a", "Failed", &statuses(&ended("proxy-0", 137, "Error", 1, 50)))
        .gone("pods/a")
        .at(51)
        .finished()
}

pub(super) fn stories() -> Vec<Story> {
    let legacy = json!({"spec": {"containers": [
        {"name": "main", "image": "registry.example/app:9"}, {"name": "proxy", "image": "registry.example/proxy:1"}]}});
    let annotated = json!({"metadata": {"annotations": {"kubectl.kubernetes.io/default-container": "work"}},
        "spec": {"containers": [
            {"name": "proxy", "image": "registry.example/proxy:1"}, {"name": "work", "image": "registry.example/app:9"}]}});
    vec![
        blocked("legacy-sidecar", &legacy, "main")
            .sentence("container main finished, but container proxy kept the Pod running."),
        blocked("legacy-sidecar-first", &annotated, "work"),
        deadline_init(),
        init_fails(),
        native_sidecar_kill(),
        sidecar_crashloop(),
    ]
}

fn deadline_init() -> Story {
    Story::failed("deadline-init", DEADLINE, Cause::RanTooLong)
        .sentence("init container migrate was still running")
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
        .deadline_exceeded()
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
        .finished()
}

fn init_fails() -> Story {
    Story::failed("init-fails", BACKOFF, Cause::NonZeroExit)
        .blames("migrate", ContainerRole::Init, 4)
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
        .backoff()
}

/// The kubelet kills the sidecar when the main container has ended: a consequence, not the cause.
fn native_sidecar_kill() -> Story {
    Story::failed("native-sidecar-kill", BACKOFF, Cause::NonZeroExit)
        .blames("main", ContainerRole::Main, 2)
        .asserts(|judgement| assert!(!judgement.summary.contains("proxy")))
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
        .backoff()
}

fn sidecar_crashloop() -> Story {
    Story::failed("sidecar-crashloop", BACKOFF, Cause::NonZeroExit)
        .blames("proxy", ContainerRole::Sidecar, 1)
        .job(on_failure(3))
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
        .backoff_limit_exceeded()
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
        .finished()
}
