//! A real API server with etcd on loopback, for tests and benchmarks: the programs are given by the environment.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "tests and benchmarks use different parts, and may end with a panic"
)]

pub(crate) mod admin;
mod certificates;
pub(crate) mod collector;
pub(crate) mod jobs;
pub(crate) mod process;

use std::path::{Path, PathBuf};
use std::time::Duration;

use kube::Client;
use kube::config::AuthInfo;
use serde_json::{Value, json};

use admin::Admin;
use certificates::Certificates;
use process::{Process, free_ports};

/// The token of the administrator.
const TOKEN: &str = "admin-of-this-test";
/// How long a server may take to become ready.
const PATIENCE: Duration = Duration::from_secs(120);
/// A port can be taken by another process between its choice and its use.
const TRIES: usize = 3;

/// The programs of a control plane.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    etcd: PathBuf,
    api_server: PathBuf,
    controller_manager: Option<PathBuf>,
}

impl Programs {
    /// Those in `ETCD`, `KUBE_APISERVER` and `KUBE_CONTROLLER_MANAGER`; `None` without the first two.
    pub(crate) fn from_env() -> Option<Programs> {
        let program = |variable: &str| {
            let path = PathBuf::from(std::env::var_os(variable)?);
            assert!(path.is_file(), "{variable}: {} is not a file", path.display());
            // Servers run in their own folder.
            Some(std::path::absolute(path).unwrap())
        };
        Some(Programs {
            etcd: program("ETCD")?,
            api_server: program("KUBE_APISERVER")?,
            controller_manager: program("KUBE_CONTROLLER_MANAGER"),
        })
    }

    /// True if Jobs can be run by the real Job controller.
    pub(crate) fn have_controllers(&self) -> bool {
        self.controller_manager.is_some()
    }
}

/// A running etcd and kube-apiserver. They end when it is dropped, and when this process ends.
#[derive(Debug)]
pub(crate) struct ControlPlane {
    programs: Programs,
    folder: PathBuf,
    certificates: Certificates,
    flags: Vec<String>,
    etcd_port: u16,
    port: u16,
    api_server: Option<Process>,
    controllers: Option<Process>,
    etcd: Process,
}

impl ControlPlane {
    /// Starts both in an empty folder and waits until they are ready. `flags` are further arguments of the API server.
    pub(crate) async fn start(programs: &Programs, folder: &Path, flags: &[&str]) -> ControlPlane {
        std::fs::create_dir_all(folder).unwrap();
        let folder = std::path::absolute(folder).unwrap();
        let mut problem = String::new();
        for _ in 0..TRIES {
            let _ = std::fs::remove_dir_all(folder.join("etcd"));
            let [client, peer, port] = free_ports();
            let mut plane = ControlPlane {
                etcd: start_etcd(programs, &folder, client, peer),
                programs: programs.clone(),
                certificates: Certificates::write(&folder),
                flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
                folder: folder.clone(),
                etcd_port: client,
                port,
                api_server: None,
                controllers: None,
            };
            match plane.start_api_server().await {
                Ok(()) => return plane,
                Err(error) => problem = error,
            }
        }
        panic!("the API server did not start: {problem}");
    }

    /// The URL of the API server.
    pub(crate) fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// The process id of the API server.
    pub(crate) fn api_server_pid(&self) -> u32 {
        self.api_server.as_ref().expect("it runs").pid()
    }

    /// A client with every permission. It belongs to the runtime of its caller.
    pub(crate) fn client(&self) -> Client {
        client(&self.url(), Some(&self.certificates.authority_pem), Some(TOKEN))
    }

    /// Writes objects as the administrator.
    pub(crate) fn admin(&self) -> Admin {
        Admin::new(self.client())
    }

    /// The content of a kubeconfig with the administrator's permissions.
    pub(crate) fn kubeconfig(&self) -> String {
        self.kubeconfig_with(TOKEN)
    }

    /// The content of a kubeconfig with this token.
    pub(crate) fn kubeconfig_with(&self, token: &str) -> String {
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
             clusters: [{{name: c, cluster: {{server: '{}', certificate-authority: '{}'}}}}]\n\
             users: [{{name: c, user: {{token: '{token}'}}}}]\ncontexts: [{{name: c, context: {{cluster: c, user: c}}}}]\n",
            self.url(),
            self.certificates.authority.display(),
        )
    }

    /// Ends the API server: at once, as after a crash.
    pub(crate) fn kill_api_server(&mut self) {
        self.api_server = None;
    }

    /// Starts the API server at the same port, with an empty watch cache, and waits until it is ready.
    pub(crate) async fn start_api_server(&mut self) -> Result<(), String> {
        let (folder, port, certificates) = (&self.folder, self.port, &self.certificates);
        let file = |name: &str| folder.join(name).display().to_string();
        std::fs::write(file("tokens.csv"), format!("{TOKEN},admin,admin,system:masters\n")).unwrap();
        let mut arguments = vec![
            format!("--etcd-servers=http://127.0.0.1:{}", self.etcd_port),
            "--bind-address=127.0.0.1".into(),
            "--advertise-address=127.0.0.1".into(),
            format!("--secure-port={port}"),
            format!("--tls-cert-file={}", certificates.server.display()),
            format!("--tls-private-key-file={}", certificates.server_key.display()),
            format!("--token-auth-file={}", file("tokens.csv")),
            "--authorization-mode=RBAC".into(),
            "--service-account-issuer=https://kubernetes.default.svc".into(),
            format!("--service-account-key-file={}", certificates.tokens.display()),
            format!(
                "--service-account-signing-key-file={}",
                certificates.tokens_key.display()
            ),
            "--service-cluster-ip-range=10.0.0.0/24".into(),
            // Nothing creates the account that it requires of each Pod.
            "--disable-admission-plugins=ServiceAccount".into(),
            "--endpoint-reconciler-type=none".into(),
            "--max-requests-inflight=4000".into(),
            "--max-mutating-requests-inflight=2000".into(),
        ];
        arguments.extend(self.flags.iter().cloned());
        let log = self.folder.join("kube-apiserver.log");
        self.api_server = Some(Process::start(&self.programs.api_server, &arguments, &log));
        let admin = self.admin();
        let end = tokio::time::Instant::now() + PATIENCE;
        while !admin.is_ready().await {
            let running = self.api_server.as_mut().is_some_and(Process::is_running);
            if !running || tokio::time::Instant::now() > end {
                return Err(format!("{}:\n{}", log.display(), process::tail(&log)));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    /// Starts the controllers of Jobs, CronJobs and of what expires.
    pub(crate) fn start_controllers(&mut self) {
        let program = self.programs.controller_manager.as_ref().expect("a controller manager");
        let kubeconfig = self.folder.join("controllers.kubeconfig");
        std::fs::write(&kubeconfig, self.kubeconfig()).unwrap();
        let arguments = [
            format!("--kubeconfig={}", kubeconfig.display()),
            "--controllers=job-controller,cronjob-controller,ttl-after-finished-controller,garbage-collector-controller".into(),
            "--leader-elect=false".into(),
            "--secure-port=0".into(),
        ];
        let log = self.folder.join("kube-controller-manager.log");
        self.controllers = Some(Process::start(program, &arguments, &log));
    }

    /// Compacts etcd at its current revision: the history before it is gone.
    pub(crate) async fn compact(&self) {
        let etcd = Admin::new(client(&format!("http://127.0.0.1:{}", self.etcd_port), None, None));
        let range = etcd.post("/v3/kv/range", &json!({"key": "AA=="})).await.unwrap();
        let revision: &Value = &range["header"]["revision"];
        assert!(revision.is_string(), "etcd answered {range}");
        let body = json!({"revision": revision, "physical": true});
        etcd.post("/v3/kv/compaction", &body).await.unwrap();
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        (self.controllers, self.api_server) = (None, None);
        self.etcd.end();
        let _ = std::fs::remove_dir_all(self.folder.join("etcd"));
    }
}

fn start_etcd(programs: &Programs, folder: &Path, client: u16, peer: u16) -> Process {
    let (client, peer) = (format!("http://127.0.0.1:{client}"), format!("http://127.0.0.1:{peer}"));
    let arguments = [
        format!("--data-dir={}", folder.join("etcd").display()),
        format!("--listen-client-urls={client}"),
        format!("--advertise-client-urls={client}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=default={peer}"),
        "--unsafe-no-fsync".into(),
        format!("--quota-backend-bytes={}", 8_u64 << 30),
        "--log-level=warn".into(),
    ];
    Process::start(&programs.etcd, &arguments, &folder.join("etcd.log"))
}

/// A client for this server, which trusts the authority and presents the token.
pub(crate) fn client(url: &str, authority_pem: Option<&str>, token: Option<&str>) -> Client {
    // Fails if it is done.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut config = kube::Config::new(url.parse().unwrap());
    // It would hide failures from the tests.
    config.default_retry = false;
    // Without an authority no certificate is trusted; plain HTTP needs none.
    config.root_cert = Some(authority_pem.map(certificates::der).into_iter().collect());
    config.auth_info = AuthInfo {
        token: token.map(|token| token.to_owned().into()),
        ..AuthInfo::default()
    };
    Client::try_from(config).unwrap()
}
