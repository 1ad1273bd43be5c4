//! The state and the ports that a replaced component leaves to its successor.

use super::scene::{Pipeline, Scene};
use super::signals::assert_each_once;
use crate::http::answer;

/// The settings of the receiver, of which tests change one.
const SETTLE_TIME: &str = "settle_time: 100ms";

#[tokio::test]
async fn a_receiver_that_decides_otherwise_reports_each_job_once() {
    let mut scene = Scene::start("reload-owners", "").await;
    let base = scene.yaml(&Pipeline::to(&scene.first));
    let mut uids = Vec::new();
    for owner in ["{generate_name: false}", "{controller: false}", "{}"] {
        // The end of some of them is not observed by either receiver: their Events show it.
        uids.extend(scene.fail_jobs(10));
        let before = scene.requests();
        let text = base.replace(SETTLE_TIME, &format!("{SETTLE_TIME}\n    owner: {owner}"));
        scene.reload_text(&text).await;
        uids.extend(scene.fail_jobs(10));
        scene.until_reported(uids.len()).await;
        assert!(scene.requests() > before, "it lists again");
    }
    let log = scene.stop().await;
    assert!(log.contains("resuming from the checkpoint"), "{log}");
    assert!(!log.contains("no checkpoint: first start"), "{log}");
    assert_each_once(&scene, &uids);
}

#[tokio::test]
async fn a_receiver_that_only_reports_otherwise_keeps_its_watches() {
    let mut scene = Scene::start("reload-continued", "").await;
    let before = scene.requests();
    let mut uids = scene.fail_jobs(10);
    let base = scene.yaml(&Pipeline::to(&scene.first));
    scene
        .reload_text(&base.replace(SETTLE_TIME, "settle_time: 50ms\n    cluster_name: c"))
        .await;
    uids.extend(scene.fail_jobs(10));
    scene.until_reported(uids.len()).await;
    assert_eq!(scene.requests(), before, "no list, no watch");
    scene.stop().await;
    assert_each_once(&scene, &uids);
}

#[tokio::test]
async fn with_a_store_replaced_components_report_each_job_once() {
    let mut scene = Scene::start("reload-stored", "").await;
    let base = scene.yaml(&Pipeline::to(&scene.first));
    let storage = format!(
        "file_storage: {{directory: {}, create_directory: true",
        scene.file("state").display()
    );
    let mut uids = Vec::new();
    // The store is added, used, restarted with other settings, and removed.
    for (settle_time, interval, timeout) in [
        ("100ms", "1s", Some("1s")),
        ("50ms", "2s", Some("1s")),
        ("50ms", "2s", Some("2s")),
        ("100ms", "1s", None),
    ] {
        uids.extend(scene.fail_jobs(10));
        let text = base
            .replace(SETTLE_TIME, &format!("settle_time: {settle_time}"))
            .replace("interval: 1s", &format!("interval: {interval}"));
        let text = match timeout {
            Some(timeout) => text
                .replace("settle_time:", "storage: file_storage\n    settle_time:")
                .replace("    interval:", "    storage: file_storage\n    interval:")
                .replace(
                    "extensions:\n",
                    &format!("extensions:\n  {storage}, timeout: {timeout}}}\n"),
                )
                .replace("[health_check]", "[health_check, file_storage]"),
            None => text,
        };
        scene.reload_text(&text).await;
        uids.extend(scene.fail_jobs(10));
        scene.until_reported(uids.len()).await;
    }
    scene.stop().await;
    assert_each_once(&scene, &uids);
}

#[tokio::test]
async fn a_changed_receiver_watches_while_the_backend_is_unavailable() {
    let mut scene = Scene::start("reload-shared", "").await;
    // With a leader elector the store is one that replicas share.
    let storage = format!(
        "k8s_leader_elector: {{kubeconfig: {kubeconfig}, lease_namespace: default}}\n  \
         k8s_storage: {{kubeconfig: {kubeconfig}, namespace: default, k8s_leader_elector: k8s_leader_elector}}",
        kubeconfig = scene.cluster.kubeconfig().display()
    );
    let base = scene
        .yaml(&Pipeline::to(&scene.first))
        .replace(
            SETTLE_TIME,
            &format!("{SETTLE_TIME}\n    storage: k8s_storage\n    k8s_leader_elector: k8s_leader_elector"),
        )
        .replace("extensions:\n", &format!("extensions:\n  {storage}\n"))
        .replace("[health_check]", "[health_check, k8s_leader_elector, k8s_storage]");
    scene.reload_text(&base).await;
    scene.until_lines("initial lists complete", 2).await;
    scene.first.refuse_connections(true).await;
    let uids = scene.fail_jobs(5);
    scene.until_lines("failed, retrying in", 1).await;
    let text = base.replace(
        SETTLE_TIME,
        &format!("{SETTLE_TIME}\n    owner: {{generate_name: false}}"),
    );
    scene.reload_text(&text).await;
    scene.until_lines("initial lists complete", 3).await;
    scene.first.refuse_connections(false).await;
    scene.until_reported(uids.len()).await;
    scene.stop().await;
}

#[tokio::test]
async fn changed_components_keep_their_ports() {
    let mut scene = Scene::start("reload-ports", "").await;
    let exporter = |endpoint: &str, further: &str| {
        format!("exporters:\n  prometheus: {{endpoint: \"{endpoint}\", metric_expiration: {further}}}\n")
    };
    let base = scene.yaml(&Pipeline::to(&scene.first));
    let base = base.replace("exporters: [otlp_http]\n", "exporters: [otlp_http, prometheus]\n");
    scene
        .reload_text(&base.replace("exporters:\n", &exporter("127.0.0.1:0", "1h")))
        .await;
    let line = scene.until_lines("serving metrics", 1).await;
    let metrics = line.split("http://").nth(1).and_then(|rest| rest.split('/').next());
    let metrics = metrics.expect("an address").to_owned();
    let line = scene.until_lines("health check listening", 1).await;
    let health = line.rsplit("endpoint=").next().expect("an address").trim().to_owned();
    for (expiration, path) in [("2h", "/a"), ("3h", "/b")] {
        let check = format!("health_check: {{endpoint: \"{health}\", path: {path}}}");
        let text = base
            .replace("exporters:\n", &exporter(&metrics, expiration))
            .replace("health_check: {endpoint: 127.0.0.1:0}", &check);
        scene.reload_text(&text).await;
        for (address, path) in [(&health, path), (&metrics, "/metrics")] {
            let (head, _) = answer(address, path, "*/*").await.expect("an answer");
            assert!(head.contains(" 200 "), "{path}: {head}");
        }
    }
    let uids = scene.fail_jobs(5);
    scene.until_reported(uids.len()).await;
    let (_, page) = answer(&metrics, "/metrics", "*/*").await.expect("an answer");
    assert!(page.contains("k8s_job_failures"), "{page}");
    scene.stop().await;
}
