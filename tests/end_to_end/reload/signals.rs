//! SIGHUP: changed components are replaced, the others continue, and nothing is lost or repeated.

use std::collections::BTreeMap;

use super::scene::{Pipeline, Scene};

/// Every one of these Jobs has one event, at either of the intakes.
pub(super) fn assert_each_once(scene: &Scene, uids: &[String]) {
    let mut events = Scene::events(&scene.first);
    for (uid, count) in Scene::events(&scene.second) {
        *events.entry(uid).or_default() += count;
    }
    let expected: BTreeMap<String, usize> = uids.iter().map(|uid| (uid.clone(), 1)).collect();
    assert_eq!(events, expected, "{}", scene.log());
    assert_eq!(
        scene.failures(),
        i64::try_from(uids.len()).expect("few Jobs"),
        "{}",
        scene.log()
    );
}

#[tokio::test]
async fn a_changed_endpoint_moves_events_and_loses_none() {
    let mut scene = Scene::start("reload-endpoint", "").await;
    let mut uids = scene.fail_jobs(20);
    let to_second = Pipeline::to(&scene.second);
    scene.reload(&to_second).await;
    let after = scene.fail_jobs(20);
    uids.extend_from_slice(&after);
    scene.until_reported(uids.len()).await;
    assert_each_once(&scene, &uids);
    let at_first = Scene::events(&scene.first);
    assert!(
        after.iter().all(|uid| !at_first.contains_key(uid)),
        "Jobs after the reload are reported to the new backend"
    );
    scene.stop().await;
    let line = scene.until_lines("configuration reloaded", 1).await;
    assert!(
        line.contains("changed=\"exporters::otlp_http\"") && line.contains("receivers::k8s_job"),
        "{line}"
    );
}

#[tokio::test]
async fn unchanged_receivers_keep_their_watches() {
    let mut scene = Scene::start("reload-watches", "").await;
    let uids = scene.fail_jobs(5);
    scene.until_reported(uids.len()).await;
    let before = scene.requests();
    let mut pipeline = Pipeline::to(&scene.second);
    pipeline.interval = "2s";
    scene.reload(&pipeline).await;
    pipeline.extra = Some(("  debug:", ", debug"));
    scene.reload(&pipeline).await;
    let more = scene.fail_jobs(5);
    scene.until_reported(uids.len() + more.len()).await;
    assert_eq!(scene.requests(), before, "no list, no watch");
    assert_each_once(&scene, &[uids, more].concat());
    scene.stop().await;
}

#[tokio::test]
async fn a_changed_receiver_reports_each_job_once() {
    let mut scene = Scene::start("reload-receiver", "").await;
    let mut uids = scene.fail_jobs(10);
    for settle_time in ["150ms", "200ms", "100ms"] {
        let pipeline = Pipeline {
            settle_time,
            ..Pipeline::to(&scene.first)
        };
        scene.reload(&pipeline).await;
        uids.extend(scene.fail_jobs(10));
    }
    scene.until_reported(uids.len()).await;
    scene.stop().await;
    assert_each_once(&scene, &uids);
}

#[tokio::test]
async fn reloads_under_load_lose_and_repeat_nothing() {
    let mut scene = Scene::start("reload-load", "").await;
    let mut uids = Vec::new();
    for round in 0..12_usize {
        uids.extend(scene.fail_jobs(10));
        let mut pipeline = Pipeline::to(if round % 2 == 0 { &scene.second } else { &scene.first });
        pipeline.interval = ["1s", "2s"][round / 2 % 2];
        pipeline.settle_time = ["100ms", "50ms", "200ms"][round % 3];
        pipeline.extra = (round % 4 == 3).then_some(("  debug:", ", debug"));
        // No waiting between the Jobs and the reload: their events are in flight.
        scene.reload(&pipeline).await;
    }
    scene.until_reported(uids.len()).await;
    let reloads = scene
        .own_metric("otelcol_config_reloads_total{outcome=\"success\"}")
        .await;
    assert!((reloads - 12.0).abs() < 0.1, "{reloads} reloads\n{}", scene.log());
    scene.stop().await;
    assert_each_once(&scene, &uids);
}

#[tokio::test]
async fn a_reload_leaves_an_unavailable_backend() {
    let mut scene = Scene::start("reload-unavailable", "").await;
    scene.first.refuse_connections(true).await;
    let mut uids = scene.fail_jobs(10);
    // The exporter has tried in vain, so that these events are in its queue.
    scene.until_lines("WARN", 2).await;
    let to_second = Pipeline::to(&scene.second);
    scene.reload(&to_second).await;
    uids.extend(scene.fail_jobs(10));
    scene.until_reported(uids.len()).await;
    scene.stop().await;
    assert_each_once(&scene, &uids);
}

#[tokio::test]
async fn an_unchanged_configuration_changes_nothing() {
    let scene = Scene::start("reload-unchanged", "").await;
    let before = scene.requests();
    let pipeline = Pipeline::to(&scene.first);
    scene.reload(&pipeline).await;
    let line = scene.until_lines("configuration reloaded", 1).await;
    assert!(
        !line.contains(" added=") && !line.contains(" removed=") && !line.contains(" changed="),
        "{line}"
    );
    assert_eq!(scene.requests(), before);
}

#[tokio::test]
async fn the_log_level_applies_and_the_encoding_needs_a_restart() {
    let scene = Scene::start("reload-level", "").await;
    let mut pipeline = Pipeline::to(&scene.first);
    pipeline.level = "debug, encoding: json";
    scene.reload(&pipeline).await;
    let line = scene.until_lines("applies after a restart", 1).await;
    assert!(line.contains("service::telemetry::logs::encoding"), "{line}");
    // A changed exporter starts, which is a line of this level.
    pipeline.exporter = "timeout: 6s".into();
    scene.reload(&pipeline).await;
    assert!(!scene.lines("DEBUG").is_empty(), "{}", scene.log());
    pipeline.level = "error";
    scene.write(&pipeline);
    scene.signal("HUP");
    // The line about this reload is below the new level.
    scene.until_lines("reloading the configuration", 3).await;
    scene.write_text("receivers: [");
    scene.signal("HUP");
    scene.until_lines("reload failed", 1).await;
    assert_eq!(scene.lines("reloading the configuration").len(), 3, "{}", scene.log());
}

#[tokio::test]
async fn sighup_during_startup_ends_nothing() {
    let mut scene = Scene::launch("reload-startup", "", |_| "pipeline.yaml".into()).await;
    // No component runs yet.
    scene.until_lines(" starting ", 1).await;
    scene.signal("HUP");
    scene.until_watching().await;
    scene.until_lines("configuration reloaded", 1).await;
    let uids = scene.fail_jobs(3);
    scene.until_reported(uids.len()).await;
    let log = scene.stop().await;
    assert!(log.trim_end().ends_with("stopped"), "{log}");
}
