//! Credentials of the API server: the real binary with credential plugins and tokens that do not work.

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::Duration;

use crate::cluster::{BINARY, Cluster, Ran};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::timeout;

/// Upper bound on anything a test waits for.
const PATIENCE: Duration = Duration::from_secs(60);

/// Replaces the cluster's user.
fn set_user(cluster: &Cluster, user: &str) {
    let server = cluster.simulator.address();
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{{name: a, context: {{cluster: c, user: me}}}}]\n\
         clusters: [{{name: c, cluster: {{server: 'http://{server}'}}}}]\nusers: [{{name: me, user: {user}}}]\n"
    );
    std::fs::write(cluster.kubeconfig(), text).expect("a kubeconfig");
}

/// A user with a plugin that is this shell script and has secrets in its arguments and its environment.
fn plugin(cluster: &Cluster, script: &str) -> String {
    let path = cluster.folder.join("plugin");
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("a plugin");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("a plugin");
    format!(
        "{{exec: {{apiVersion: client.authentication.k8s.io/v1, command: {}, args: [--key, s3cret-arg], \
         env: [{{name: KEY, value: s3cret-env}}], installHint: run the installer, interactiveMode: Never}}}}",
        path.display()
    )
}

async fn explained(cluster: &Cluster) -> Ran {
    cluster.run("explain --all-failed -A").await
}

#[tokio::test]
async fn a_failing_plugin_is_named_and_its_secrets_are_not() {
    let cluster = Cluster::start("plugin-fails").await;
    set_user(
        &cluster,
        &plugin(&cluster, "echo s3cret-out; echo s3cret-err >&2; exit 1"),
    );
    let recording = cluster.folder.join("recording.jsonl");
    for args in [
        "explain --all-failed -A",
        &format!("record -A -o {}", recording.display()),
    ] {
        let ran = cluster.run(args).await;
        assert_ne!(ran.code, Some(0), "{args}");
        assert!(
            ran.err.contains("/plugin\" failed with exit status: 1"),
            "{args}: {}",
            ran.err
        );
        assert!(
            !ran.err.contains("s3cret") && !ran.out.contains("s3cret"),
            "{args}: {}",
            ran.err
        );
    }
}

#[tokio::test]
async fn a_missing_plugin_is_named_with_its_hint() {
    let cluster = Cluster::start("plugin-missing").await;
    let user = plugin(&cluster, "");
    set_user(&cluster, &user);
    std::fs::remove_file(cluster.folder.join("plugin")).expect("it was there");
    let ran = explained(&cluster).await;
    assert_eq!(ran.code, Some(2));
    for words in [
        "user \"me\": credential plugin",
        "/plugin\" does not exist",
        "run the installer",
    ] {
        assert!(ran.err.contains(words), "{}", ran.err);
    }
}

#[tokio::test]
async fn a_token_with_a_line_break_is_an_error() {
    let cluster = Cluster::start("token-line-break").await;
    set_user(&cluster, "{token: \"s3cret\\ntoken\"}");
    let ran = explained(&cluster).await;
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.err
            .contains("kubeconfig: user \"me\": token cannot be sent: found a line break at byte 7 of 12"),
        "{}",
        ran.err
    );
    assert!(
        !ran.err.contains("s3cret") && !ran.err.contains("panicked"),
        "{}",
        ran.err
    );
}

#[tokio::test]
async fn auth_providers_lead_to_their_plugins() {
    let cluster = Cluster::start("auth-provider").await;
    set_user(&cluster, "{auth-provider: {name: gcp, config: {access-token: s3cret}}}");
    let ran = explained(&cluster).await;
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.err.contains("was removed from client-go") && ran.err.contains("gke-gcloud-auth-plugin"),
        "{}",
        ran.err
    );
    assert!(!ran.err.contains("s3cret"), "{}", ran.err);
}

#[tokio::test]
async fn plain_http_needs_no_certificates_of_the_system() {
    let cluster = Cluster::start("no-certificates").await;
    let run = async |cluster: &Cluster| {
        let mut command = cluster.command(BINARY, "explain --all-failed -A");
        let output = command
            .env("SSL_CERT_FILE", "/nonexistent")
            .env("SSL_CERT_DIR", "/nonexistent")
            .output();
        Ran::from(output.await.expect("the binary runs"))
    };
    let ran = run(&cluster).await;
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let kubeconfig = std::fs::read_to_string(cluster.kubeconfig()).expect("a kubeconfig");
    std::fs::write(cluster.kubeconfig(), kubeconfig.replace("http://", "https://")).expect("a kubeconfig");
    let ran = run(&cluster).await;
    assert_eq!(ran.code, Some(2), "{}", ran.err);
    assert!(
        ran.err.contains("the package ca-certificates") && ran.err.contains("SSL_CERT_FILE"),
        "{}",
        ran.err
    );
}

#[tokio::test]
async fn a_plugin_that_hangs_on_startup_leaves_signals_alone() {
    let cluster = Cluster::start("plugin-hangs").await;
    let started = cluster.folder.join("started");
    let script = format!("echo > {}; exec sleep 86400", started.display());
    set_user(&cluster, &plugin(&cluster, &script));
    let config = cluster.folder.join("pipeline.yaml");
    let text = format!(
        "receivers: {{k8s_job: {{auth_type: kubeConfig, kubeconfig: {}}}}}\nprocessors: {{reason_enrichment: }}\n\
         exporters: {{debug: }}\nservice:\n  pipelines:\n    logs: {{receivers: [k8s_job], processors: [reason_enrichment], \
         exporters: [debug]}}\n",
        cluster.kubeconfig().display()
    );
    std::fs::write(&config, text).expect("a file");
    let mut command = cluster.command(BINARY, &format!("run --config {}", config.display()));
    let mut child = command.stdout(Stdio::null()).spawn().expect("it starts");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    // The process continues while the plugin hangs: it logs that, and retries.
    let mut log = String::new();
    let said = async {
        while let Some(line) = lines.next_line().await.expect("its log") {
            log.push_str(&line);
            if line.contains("credential plugin is slow or hangs") {
                return true;
            }
        }
        false
    };
    assert!(timeout(PATIENCE, said).await.expect("it says so"), "{log}");
    assert!(started.exists() && !log.contains("s3cret"), "{log}");
    let pid = child.id().expect("it runs").to_string();
    let sent = std::process::Command::new("kill").args(["-TERM", &pid]).status();
    assert!(sent.expect("kill").success());
    let status = timeout(PATIENCE, child.wait())
        .await
        .expect("it ends")
        .expect("a status");
    assert_eq!(status.code(), Some(0), "{log}");
}
