//! Init containers and side containers.

use job_judge::Cause;
use serde_json::{Value, json};

use super::super::kubelet::{ended, running, status, waiting};
use super::super::story::on_failure;
use super::{StallStory, Story, job};

/// A Pod `a` with these regular containers, which all run from second 1 on.
fn beside(name: &'static str, containers: [&str; 2]) -> Story {
    let containers = containers.map(|name| json!({"name": name, "image": "registry.example/app:9"}));
    job(name, json!({}))
        .pod_of("j", "a", json!({"spec": {"containers": containers}}))
        .at(1)
        .admitted("a")
}

fn ends(name: &str, code: i32, second: i64) -> Value {
    let reason = if code == 0 { "Completed" } else { "Error" };
    status(name, &ended(&format!("{name}-0"), code, reason, 1, second), None, 0)
}

fn runs(name: &str) -> Value {
    status(name, &running(1), None, 0)
}

pub(super) fn stories() -> Vec<StallStory> {
    vec![
        beside("proxy-outlives-the-work", ["main", "istio-proxy"])
            .states("a", "Running", &[runs("main"), runs("istio-proxy")])
            .at(40)
            .states("a", "Running", &[ends("main", 0, 40), runs("istio-proxy")])
            .stalls(200, &[(Cause::SidecarBlockedCompletion, 40, 200)]),
        beside("proxy-ends-late", ["main", "istio-proxy"])
            .states("a", "Running", &[runs("main"), runs("istio-proxy")])
            .at(40)
            .states("a", "Running", &[ends("main", 0, 40), runs("istio-proxy")])
            .at(60)
            .states("a", "Succeeded", &[ends("main", 0, 40), ends("istio-proxy", 0, 60)])
            .completes(62)
            .moves(100),
        beside("work-failed-beside-a-proxy", ["main", "istio-proxy"])
            .states("a", "Running", &[runs("main"), runs("istio-proxy")])
            .at(40)
            .states("a", "Running", &[ends("main", 3, 40), runs("istio-proxy")])
            .stalls(200, &[(Cause::NonZeroExit, 40, 200)]),
        beside("helper-failed-beside-the-work", ["main", "metrics"])
            .states("a", "Running", &[runs("main"), runs("metrics")])
            .at(20)
            .states("a", "Running", &[runs("main"), ends("metrics", 1, 20)])
            .moves(600),
        beside("setup-ended-beside-the-work", ["main", "setup"])
            .states("a", "Running", &[runs("main"), ends("setup", 0, 20)])
            .moves(600),
        native_sidecar(),
        init_that_retries(),
        slow_init(),
        image_after_init(),
    ]
}

fn with_init(name: &str, restart: Option<&str>) -> Value {
    let mut container = json!({"name": name, "image": "registry.example/side:1"});
    if let Some(policy) = restart {
        container["restartPolicy"] = policy.into();
    }
    json!({"spec": {"initContainers": [container]}})
}

/// The kubelet stops a native sidecar when the work has ended.
fn native_sidecar() -> StallStory {
    job("native-sidecar-drains", json!({}))
        .pod_of("j", "a", with_init("proxy", Some("Always")))
        .at(1)
        .admitted("a")
        .states("a", "Running", &[runs("proxy"), runs("main")])
        .at(40)
        .states("a", "Running", &[runs("proxy"), ends("main", 0, 40)])
        .at(69)
        .states("a", "Succeeded", &[ends("proxy", 143, 69), ends("main", 0, 40)])
        .completes(70)
        .moves(120)
}

/// An init container waits for a database and fails until it is up.
fn init_that_retries() -> StallStory {
    let main = || status("main", &waiting("PodInitializing", ""), None, 0);
    let init = |from: i64, restarts: i32| {
        let last = ended(&format!("wait-{}", restarts - 1), 1, "Error", from - 2, from - 1);
        status(
            "wait-for-db",
            &running(from),
            Some(&last).filter(|_| restarts > 0),
            restarts,
        )
    };
    let end = |code: i32, from: i64, to: i64, restarts: i32| {
        let reason = if code == 0 { "Completed" } else { "Error" };
        status(
            "wait-for-db",
            &ended(&format!("wait-{restarts}"), code, reason, from, to),
            None,
            restarts,
        )
    };
    job("init-container-retries", on_failure(20))
        .pod_of("j", "a", with_init("wait-for-db", None))
        .at(1)
        .admitted("a")
        .states("a", "Pending", &[init(1, 0), main()])
        .at(3)
        .states("a", "Pending", &[end(1, 1, 3, 0), main()])
        .at(4)
        .states("a", "Pending", &[init(4, 1), main()])
        .at(6)
        .states("a", "Pending", &[end(1, 4, 6, 1), main()])
        .at(18)
        .states("a", "Pending", &[init(18, 2), main()])
        .at(20)
        .states("a", "Pending", &[end(1, 18, 20, 2), main()])
        .at(42)
        .states("a", "Pending", &[init(42, 3), main()])
        .at(60)
        .states(
            "a",
            "Running",
            &[end(0, 42, 60, 3), status("main", &running(60), None, 0)],
        )
        .stalls(400, &[(Cause::NonZeroExit, 3, 59)])
}

/// An init container that works for minutes.
fn slow_init() -> StallStory {
    job("init-container-works", json!({}))
        .pod_of("j", "a", with_init("migrate", None))
        .at(1)
        .admitted("a")
        .states(
            "a",
            "Pending",
            &[
                runs("migrate"),
                status("main", &waiting("PodInitializing", ""), None, 0),
            ],
        )
        .moves(600)
}

/// The image of the main container is missing, which shows only after the init container has worked.
fn image_after_init() -> StallStory {
    let main = |reason: &str| status("main", &waiting(reason, ""), None, 0);
    job("image-missing-after-init", json!({}))
        .pod_of("j", "a", with_init("migrate", None))
        .at(1)
        .admitted("a")
        .states("a", "Pending", &[runs("migrate"), main("PodInitializing")])
        .at(300)
        .states("a", "Pending", &[ends("migrate", 0, 300), main("PodInitializing")])
        .at(302)
        .states("a", "Pending", &[ends("migrate", 0, 300), main("ErrImagePull")])
        .stalls(400, &[(Cause::ImagePull, 300, 400)])
}
