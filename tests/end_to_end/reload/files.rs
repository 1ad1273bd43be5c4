//! `--watch-config`: changed files are applied without a signal.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::AsyncWriteExt;

use super::scene::{Pipeline, Scene};
use crate::cluster::{BINARY, Cluster};

/// The shortest interval, so that tests need not wait.
const WATCH: &str = "--watch-config=100ms";

/// Puts a ConfigMap's file into a volume as the kubelet does (pkg/volume/util/atomic_writer.go): into a directory of its
/// own, to which the link `..data` is changed by a rename. The file's own link never changes.
fn mount(volume: &Path, version: &str, text: &str) {
    let directory = format!("..{version}");
    std::fs::create_dir_all(volume.join(&directory)).expect("a directory");
    std::fs::write(volume.join(&directory).join("pipeline.yaml"), text).expect("a file");
    symlink(&directory, volume.join("..data_tmp")).expect("a link");
    let old = std::fs::read_link(volume.join("..data"));
    std::fs::rename(volume.join("..data_tmp"), volume.join("..data")).expect("a link");
    match old {
        Ok(old) => std::fs::remove_dir_all(volume.join(old)).expect("the old directory"),
        Err(_) => symlink("..data/pipeline.yaml", volume.join("pipeline.yaml")).expect("a link"),
    }
}

/// An empty ConfigMap in a volume.
fn volume(cluster: &Cluster) -> PathBuf {
    mount(&cluster.folder.join("config"), "2026_11_29_03_00_00.1", "");
    "config/pipeline.yaml".into()
}

#[tokio::test]
async fn a_changed_config_map_is_applied() {
    let mut scene = Scene::start_with("reload-config-map", WATCH, volume).await;
    let mut uids = scene.fail_jobs(5);
    scene.until_reported(uids.len()).await;
    let before = scene.requests();
    let to_second = scene.yaml(&Pipeline::to(&scene.second));
    mount(&scene.file("config"), "2026_11_29_03_00_00.2", &to_second);
    let line = scene.until_lines("configuration reloaded", 1).await;
    assert!(line.contains("changed=\"exporters::otlp_http\""), "{line}");
    uids.extend(scene.fail_jobs(5));
    scene.until_reported(uids.len()).await;
    assert_eq!(Scene::events(&scene.first).len(), 5, "{}", scene.log());
    assert_eq!(Scene::events(&scene.second).len(), 5, "{}", scene.log());
    assert_eq!(scene.requests(), before, "the receiver kept its watches");
    scene.stop().await;
}

#[tokio::test]
async fn a_rewritten_config_map_with_equal_content_is_no_change() {
    let scene = Scene::start_with("reload-equal", WATCH, volume).await;
    let first = scene.yaml(&Pipeline::to(&scene.first));
    mount(&scene.file("config"), "2026_11_29_03_00_00.2", &first);
    let to_second = scene.yaml(&Pipeline::to(&scene.second));
    mount(&scene.file("config"), "2026_11_29_03_00_00.3", &to_second);
    scene.until_lines("configuration reloaded", 1).await;
    assert_eq!(scene.lines("reloading the configuration").len(), 1, "{}", scene.log());
}

#[tokio::test]
async fn an_invalid_config_map_is_refused_until_it_is_fixed() {
    let mut scene = Scene::start_with("reload-refused", WATCH, volume).await;
    mount(
        &scene.file("config"),
        "2026_11_29_03_00_00.2",
        "receivers:\n  k8s_jobs:\n",
    );
    scene.until_lines("reload failed", 1).await;
    let line = scene.until_lines("config/pipeline.yaml:2:3", 1).await;
    assert!(line.contains("k8s_jobs"), "{line}");
    let uids = scene.fail_jobs(5);
    scene.until_reported(uids.len()).await;
    // The old content is no change of what runs, and ends the failure.
    let first = scene.yaml(&Pipeline::to(&scene.first));
    mount(&scene.file("config"), "2026_11_29_03_00_00.3", &first);
    scene.until_lines("configuration reloaded", 1).await;
    let (_, body) = scene.readiness().await;
    assert_eq!(body["configuration"]["status"], "applied", "{body:#}");
    scene.stop().await;
}

#[tokio::test]
async fn a_signal_and_a_changed_file_are_one_reload() {
    let scene = Scene::start("reload-both", "--watch-config=1h").await;
    let to_second = Pipeline::to(&scene.second);
    scene.reload(&to_second).await;
    scene.reload(&Pipeline::to(&scene.first)).await;
    assert_eq!(scene.lines("trigger=\"changed file\"").len(), 0, "{}", scene.log());
}

/// Runs the binary with its configuration on standard input, and returns the process.
fn with_input(cluster: &Cluster, args: &str) -> tokio::process::Child {
    let mut command = cluster.command(BINARY, args);
    command.stdin(Stdio::piped()).spawn().expect("the binary runs")
}

#[tokio::test]
async fn standard_input_cannot_be_watched() {
    let cluster = Cluster::start("reload-stdin").await;
    for (args, expected) in [
        (
            "run --config - --watch-config",
            "--watch-config: standard input cannot be read again",
        ),
        (
            "run --config /dev/null --watch-config",
            "/dev/null is not a regular file",
        ),
        (
            "run --watch-config",
            "--watch-config needs a file to watch; add --config FILE",
        ),
        (
            "run --config a.yaml --watch-config=1ms",
            "`1ms` is too short, expected 100ms or more",
        ),
        ("run --config a.yaml --watch-config=soon", "`soon` is not a duration"),
    ] {
        let mut process = with_input(&cluster, args);
        drop(process.stdin.take());
        let output = process.wait_with_output().await.expect("it ends");
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args}: {text}");
        assert!(text.contains(expected), "{args}: {text}");
    }
}

#[tokio::test]
async fn sighup_with_standard_input_says_that_it_is_ignored() {
    let scene = Scene::start("reload-sighup-stdin", "").await;
    let mut process = with_input(&scene.cluster, "run --config -");
    let mut input = process.stdin.take().expect("a pipe");
    let text = scene.yaml(&Pipeline::to(&scene.first));
    input.write_all(text.as_bytes()).await.expect("it reads");
    drop(input);
    let watches = 2 * crate::deployment::WATCHES;
    let watching = scene.cluster.simulator.until_opened(watches);
    tokio::time::timeout(crate::deployment::PATIENCE, watching)
        .await
        .expect("it watches");
    let pid = process.id().expect("it runs").to_string();
    for signal in ["HUP", "TERM"] {
        let sent = std::process::Command::new("kill").args(["-s", signal, &pid]).status();
        assert!(sent.expect("kill").success());
    }
    let output = process.wait_with_output().await.expect("it ends");
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    assert!(log.contains("SIGHUP ignored"), "{log}");
}
