//! A configuration that is invalid or does not start: the old one continues to run, and log, `/readyz` and metrics say why.

use super::scene::{Pipeline, Scene};

/// The gauge of the last reload, and the counts of successes and failures.
async fn own_metrics(scene: &Scene) -> (f64, f64, f64) {
    let count = |outcome| format!("otelcol_config_reloads_total{{outcome=\"{outcome}\"}}");
    (
        scene.own_metric("otelcol_config_last_reload_successful").await,
        scene.own_metric(&count("success")).await,
        scene.own_metric(&count("failure")).await,
    )
}

#[tokio::test]
async fn an_invalid_file_leaves_the_old_configuration_running() {
    let mut scene = Scene::start("reload-invalid", "").await;
    let started = scene
        .own_metric("otelcol_config_last_reload_success_timestamp_seconds")
        .await;
    assert!(started > 1_700_000_000.0, "{started}");
    assert_eq!(own_metrics(&scene).await, (1.0, 0.0, 0.0));

    let right = scene.yaml(&Pipeline::to(&scene.second));
    let wrong = right
        .replace("settle_time: 100ms", "settle_time: soon")
        .replace("interval: 1s", "intervall: 1s");
    scene.write_text(&wrong);
    scene.signal("HUP");
    scene.until_lines("reload failed", 1).await;
    let path = scene.file("pipeline.yaml").display().to_string();
    for (position, key) in [
        ("4:18", "receivers::k8s_job::settle_time"),
        ("10:5", "connectors::job_metrics::intervall"),
    ] {
        let line = scene.until_lines(&format!("position={path}:{position}"), 1).await;
        assert!(line.contains("ERROR") && line.contains(key), "{line}");
    }
    let (code, body) = scene.readiness().await;
    assert_eq!(code, 200, "{body:#}");
    let shown = &body["configuration"];
    assert_eq!(shown["status"], "reload failed", "{body:#}");
    let reason = shown["reason"].as_str().expect("a reason");
    assert!(
        reason.starts_with(&format!("{path}:4:18: receivers::k8s_job::settle_time: "))
            && reason.ends_with("(and 1 more)"),
        "{reason}"
    );
    assert_eq!(own_metrics(&scene).await, (0.0, 0.0, 1.0));
    let mut uids = scene.fail_jobs(5);
    scene.until_reported(uids.len()).await;
    assert_eq!(Scene::events(&scene.first).len(), uids.len(), "the old pipeline runs");

    scene.write_text(&right);
    scene.signal("HUP");
    scene.until_lines("configuration reloaded", 1).await;
    let (code, body) = scene.readiness().await;
    assert_eq!(
        (code, &body["configuration"]["status"]),
        (200, &"applied".into()),
        "{body:#}"
    );
    assert_eq!(own_metrics(&scene).await, (1.0, 1.0, 1.0));
    let last = scene
        .own_metric("otelcol_config_last_reload_success_timestamp_seconds")
        .await;
    assert!(last >= started, "{last}");
    uids.extend(scene.fail_jobs(5));
    scene.until_reported(uids.len()).await;
    assert_eq!(Scene::events(&scene.second).len(), 5, "{}", scene.log());
    scene.stop().await;
}

#[tokio::test]
async fn a_component_that_does_not_start_leaves_the_old_configuration_running() {
    let mut scene = Scene::start("reload-port", "").await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let right = scene.yaml(&Pipeline::to(&scene.first));
    let wrong = right
        .replace(
            "exporters:\n  otlp_http",
            &format!("exporters:\n  prometheus: {{endpoint: {address}}}\n  otlp_http"),
        )
        .replace("exporters: [otlp_http]", "exporters: [otlp_http, prometheus]");
    scene.write_text(&wrong);
    scene.signal("HUP");
    let line = scene.until_lines("reload failed", 1).await;
    assert!(
        line.contains("exporters::prometheus") && line.contains(&address),
        "{line}"
    );
    let (code, body) = scene.readiness().await;
    assert_eq!(
        (code, &body["configuration"]["status"]),
        (200, &"reload failed".into()),
        "{body:#}"
    );
    assert_eq!(body["components"].get("exporters::prometheus"), None, "{body:#}");
    let uids = scene.fail_jobs(5);
    scene.until_reported(uids.len()).await;
    assert_eq!(own_metrics(&scene).await, (0.0, 0.0, 1.0));
    drop(taken);
    scene.signal("HUP");
    scene.until_lines("configuration reloaded", 1).await;
    assert_eq!(own_metrics(&scene).await, (1.0, 1.0, 1.0));
    scene.stop().await;
}

#[tokio::test]
async fn with_strict_a_warning_refuses_the_reload() {
    let scene = Scene::start("reload-strict", "--strict").await;
    let right = scene.yaml(&Pipeline::to(&scene.first));
    scene.write_text(&right.replace("exporters:\n  otlp_http", "exporters:\n  debug:\n  otlp_http"));
    scene.signal("HUP");
    scene.until_lines("reload failed", 1).await;
    let line = scene.until_lines("with --strict this warning is an error", 1).await;
    assert!(
        line.contains("pipeline.yaml:12:3") && line.contains("exporters::debug"),
        "{line}"
    );
}

#[tokio::test]
async fn errors_of_a_reload_show_no_secret() {
    let scene = Scene::start("reload-secret", "").await;
    let mut pipeline = Pipeline::to(&scene.first);
    pipeline.endpoint = "ftp://${env:SECRET}@h".into();
    pipeline.exporter = "headers: {dd-api-key: [\"${env:SECRET}\"]}, timeout: \"${env:SECRET}\"".into();
    scene.write(&pipeline);
    scene.signal("HUP");
    scene.until_lines("reload failed", 1).await;
    let (_, body) = scene.readiness().await;
    assert_eq!(body["configuration"]["status"], "reload failed", "{body:#}");
    assert!(!body.to_string().contains("hunter2"), "{body:#}");
    assert!(!scene.log().contains("hunter2"), "{}", scene.log());
}

#[tokio::test]
async fn a_missing_file_is_a_failed_reload() {
    let mut scene = Scene::start("reload-missing", "").await;
    std::fs::remove_file(scene.file("pipeline.yaml")).expect("the file");
    scene.signal("HUP");
    let line = scene.until_lines("reload failed", 1).await;
    assert!(
        line.contains("cannot read the configuration") && line.contains("pipeline.yaml"),
        "{line}"
    );
    let uids = scene.fail_jobs(3);
    scene.until_reported(uids.len()).await;
    scene.reload(&Pipeline::to(&scene.first)).await;
    scene.stop().await;
}
