//! Credentials that are renewed while the collector runs, against a simulated API server.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use job_watch::client::{AuthType, ClientError, connect, explain};
use kube::client::Body;
use simulator::{ApiToken, Simulator, SimulatorOptions};

/// A simulated API server that accepts the token `old`, and a temporary folder.
struct Cluster {
    api: Simulator,
    folder: PathBuf,
}

impl Cluster {
    async fn start(name: &str) -> Cluster {
        let options = SimulatorOptions {
            tokens: vec![ApiToken::admin("old")],
            ..SimulatorOptions::default()
        };
        let api = Simulator::start(options).await.unwrap();
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("credentials-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Cluster { api, folder }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes a kubeconfig with this user.
    fn write(&self, user: &str) {
        let server = self.api.address();
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{{name: a, context: {{cluster: c, user: me}}}}]\n\
             clusters: [{{name: c, cluster: {{server: 'http://{server}'}}}}]\nusers: [{{name: me, user: {user}}}]\n"
        );
        std::fs::write(self.file("kubeconfig"), text).unwrap();
    }

    /// Writes a plugin that prints the token in the file `token`, after the script ran.
    fn plugin(&self, script: &str) -> String {
        let (plugin, token) = (self.file("plugin"), self.file("token"));
        let text = format!(
            "#!/bin/sh\n{script}\nprintf '{{\"kind\":\"ExecCredential\",\"status\":{{\"token\":\"%s\"}}}}' \"$(cat {})\"\n",
            token.display()
        );
        // Under another name first: a program that is being written cannot be run.
        std::fs::write(self.file("plugin.new"), text).unwrap();
        std::fs::set_permissions(self.file("plugin.new"), PermissionsExt::from_mode(0o755)).unwrap();
        std::fs::rename(self.file("plugin.new"), &plugin).unwrap();
        format!(
            "{{exec: {{apiVersion: client.authentication.k8s.io/v1, command: {}, args: [s3cret-arg], \
             env: [{{name: KEY, value: s3cret-env}}], interactiveMode: Never}}}}",
            plugin.display()
        )
    }

    async fn client(&self) -> kube::Client {
        self.try_client().await.unwrap()
    }

    async fn try_client(&self) -> Result<kube::Client, ClientError> {
        let connected = connect(AuthType::KubeConfig, Some(&self.file("kubeconfig")), None).await;
        connected.map(|connected| connected.client)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Lists Jobs: the status, or the error.
async fn list(client: &kube::Client) -> Result<u16, String> {
    let request = http::Request::get("/apis/batch/v1/jobs").body(Body::empty()).unwrap();
    let response = client.send(request).await.map_err(|error| explain(&error))?;
    Ok(response.status().as_u16())
}

#[tokio::test]
async fn reads_the_kubeconfig_again_after_a_401() {
    let cluster = Cluster::start("again").await;
    cluster.write("{token: old}");
    let client = cluster.client().await;
    assert_eq!(list(&client).await, Ok(200));
    assert!(cluster.api.replace_token("old", "new"));
    // Written before it is refused, so that the first refusal leads to the new token.
    cluster.write("{token: new}");
    assert_eq!([list(&client).await, list(&client).await], [Ok(401), Ok(200)]);
}

#[tokio::test]
async fn rejects_a_token_with_a_line_break_on_startup() {
    let cluster = Cluster::start("start").await;
    cluster.write("{token: \"s3cret\\ntoken\"}");
    let text = cluster.try_client().await.err().unwrap().to_string();
    assert!(
        text.ends_with(
            "kubeconfig: user \"me\": token cannot be sent: found a line break at byte 7 of 12; write the token on one \
             line, without quotes and spaces around it"
        ),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn survives_a_broken_kubeconfig() {
    let cluster = Cluster::start("meanwhile").await;
    cluster.write("{token: old}");
    let client = cluster.client().await;
    assert_eq!(list(&client).await, Ok(200));
    assert!(cluster.api.replace_token("old", "new"));
    cluster.write("{token: \"s3cret\\ntoken\"}");
    for _ in 0..2 {
        let problem = list(&client).await.unwrap_err();
        assert!(
            problem.contains("refuses the credentials (401), and kubeconfig")
                && problem.contains("a line break at byte 7"),
            "{problem}"
        );
        assert!(!problem.contains("s3cret"), "{problem}");
    }
    cluster.write("{token: new}");
    tokio::time::advance(std::time::Duration::from_secs(5)).await;
    assert_eq!([list(&client).await, list(&client).await], [Ok(401), Ok(200)]);
}

#[tokio::test]
async fn reads_a_token_file_again_after_a_401() {
    let cluster = Cluster::start("file").await;
    std::fs::write(cluster.file("token"), "old\n").unwrap();
    cluster.write("{tokenFile: token}");
    let client = cluster.client().await;
    assert_eq!(list(&client).await, Ok(200));
    assert!(cluster.api.replace_token("old", "new"));
    std::fs::write(cluster.file("token"), "new\n").unwrap();
    assert_eq!([list(&client).await, list(&client).await], [Ok(401), Ok(200)]);
}

#[tokio::test]
async fn runs_a_plugin_again_after_a_401() {
    let cluster = Cluster::start("plugin").await;
    std::fs::write(cluster.file("token"), "old").unwrap();
    cluster.write(&cluster.plugin(&format!("echo >> {}", cluster.file("runs").display())));
    let client = cluster.client().await;
    assert_eq!([list(&client).await, list(&client).await], [Ok(200), Ok(200)]);
    let runs = || std::fs::read_to_string(cluster.file("runs")).unwrap().len();
    assert_eq!(runs(), 1, "a credential is kept");
    assert!(cluster.api.replace_token("old", "new"));
    std::fs::write(cluster.file("token"), "new").unwrap();
    assert_eq!(list(&client).await, Ok(401));
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_secs(5)).await;
    tokio::time::resume();
    assert_eq!(list(&client).await, Ok(200));
    assert_eq!(runs(), 2);
}

#[tokio::test]
async fn hanging_plugin_blocks_nothing_else() {
    let cluster = Cluster::start("hangs").await;
    std::fs::write(cluster.file("token"), "old").unwrap();
    let hang = cluster.file("hang");
    std::fs::write(&hang, "").unwrap();
    cluster.write(&cluster.plugin(&format!("if [ -e {} ]; then exec sleep 86400; fi", hang.display())));
    let client = cluster.client().await;
    // On the only thread of this runtime: a blocking call would stop the clock and the test.
    tokio::time::pause();
    let problem = list(&client).await.unwrap_err();
    assert!(
        problem.contains("is still running after 8 s; it is killed after 30 s"),
        "{problem}"
    );
    // Killed in the meantime; requests fail at once until the pause is over.
    tokio::time::sleep(std::time::Duration::from_secs(23)).await;
    let problem = list(&client).await.unwrap_err();
    assert!(problem.contains("timed out after 30 s and was killed"), "{problem}");
    assert!(!problem.contains("s3cret"), "{problem}");
    std::fs::remove_file(&hang).unwrap();
    tokio::time::advance(std::time::Duration::from_secs(2)).await;
    tokio::time::resume();
    assert_eq!(list(&client).await, Ok(200));
}

#[tokio::test]
async fn retries_a_plugin_that_fails_on_startup() {
    let cluster = Cluster::start("fails").await;
    std::fs::write(cluster.file("token"), "old").unwrap();
    let user = cluster.plugin("echo s3cret-out; echo s3cret-err >&2; exit 7");
    cluster.write(&user);
    let client = cluster.client().await;
    let problem = list(&client).await.unwrap_err();
    assert!(problem.contains("plugin\" failed with exit status: 7"), "{problem}");
    assert!(!problem.contains("s3cret"), "{problem}");
    cluster.plugin("");
    tokio::time::pause();
    tokio::time::advance(std::time::Duration::from_secs(2)).await;
    tokio::time::resume();
    assert_eq!(list(&client).await, Ok(200));
}
