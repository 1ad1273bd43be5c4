//! The cluster, the namespace and the backend of one test.

use std::path::{Path, PathBuf};

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use simulator::otlp_intake::OtlpIntake;
use tokio::sync::OnceCell;

use crate::control_plane::admin::Admin;
use crate::control_plane::collector::{Collector, Settings, until_reported};
use crate::control_plane::jobs::{PlayedJob, create_namespace};
use crate::control_plane::{ControlPlane, Programs};
use crate::tap::{Changes, Tap};

/// The variable with the path of a kubeconfig; its cluster is used where a test needs no control over the servers.
const KUBECONFIG: &str = "KUBECONFIG_REAL";

/// The servers that tests share if they need neither flags nor control.
static SHARED: OnceCell<ControlPlane> = OnceCell::const_new();

/// A namespace of a cluster, and a backend.
pub(crate) struct Case {
    pub(crate) admin: Admin,
    /// A kubeconfig with every permission.
    pub(crate) kubeconfig: String,
    pub(crate) intake: OtlpIntake,
    pub(crate) namespace: String,
    folder: PathBuf,
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("real-{name}-{}", std::process::id()))
}

/// The programs of own servers.
///
/// # Panics
/// Neither they nor a kubeconfig are given.
fn programs() -> Option<Programs> {
    let programs = Programs::from_env();
    assert!(
        programs.is_some() || std::env::var_os(KUBECONFIG).is_some(),
        "set ETCD and KUBE_APISERVER (and KUBE_CONTROLLER_MANAGER) to the paths of the programs, or {KUBECONFIG} to the \
         path of a kubeconfig; see docs/testing.md"
    );
    programs
}

impl Case {
    /// A namespace in the given cluster, else in servers that tests share.
    pub(crate) async fn shared(name: &str) -> Case {
        if let Some(path) = std::env::var_os(KUBECONFIG) {
            let kubeconfig = Kubeconfig::read_from(&path).expect("a kubeconfig");
            let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
            let client = Client::try_from(config.expect("a cluster")).expect("a client");
            let text = std::fs::read_to_string(path).expect("a kubeconfig");
            return Case::new(name, Admin::new(client), text).await;
        }
        let programs = programs().expect("programs without a kubeconfig");
        let start = || async move { ControlPlane::start(&programs, &folder("shared"), &[]).await };
        Case::of(name, SHARED.get_or_init(start).await).await
    }

    /// A namespace in servers of this test alone; `flags` are arguments of the API server. `None` without programs.
    pub(crate) async fn own(name: &str, flags: &[&str]) -> Option<(Case, ControlPlane)> {
        let Some(programs) = programs() else {
            println!("{name}: skipped, because it needs ETCD and KUBE_APISERVER");
            return None;
        };
        let plane = ControlPlane::start(&programs, &folder(&format!("{name}-servers")), flags).await;
        Some((Case::of(name, &plane).await, plane))
    }

    /// As [`Case::own`], with the controller of Jobs. `None` without its program.
    pub(crate) async fn with_controllers(name: &str) -> Option<(Case, ControlPlane)> {
        if !programs().is_some_and(|programs| programs.have_controllers()) {
            println!("{name}: skipped, because it needs KUBE_CONTROLLER_MANAGER");
            return None;
        }
        let (case, mut plane) = Case::own(name, &[]).await?;
        plane.start_controllers();
        Some((case, plane))
    }

    async fn of(name: &str, plane: &ControlPlane) -> Case {
        Case::new(name, plane.admin(), plane.kubeconfig()).await
    }

    async fn new(name: &str, admin: Admin, kubeconfig: String) -> Case {
        let namespace = format!("real-{name}-{}", std::process::id());
        create_namespace(&admin, &namespace).await;
        Case {
            admin,
            kubeconfig,
            intake: OtlpIntake::start(None).await.expect("the intake starts"),
            namespace,
            folder: folder(name),
        }
    }

    /// A collector of this case that is not started yet.
    pub(crate) fn collector(&self, name: &str, settings: &Settings) -> Collector {
        Collector::new(&self.folder, name, &self.kubeconfig, &self.intake, settings)
    }

    /// A collector that reaches the API server through a proxy.
    pub(crate) async fn tapped(&self, name: &str, settings: &Settings, changes: Changes) -> (Collector, Tap) {
        let tap = Tap::start(self.admin.client().clone(), changes).await;
        let collector = Collector::new(&self.folder, name, &tap.kubeconfig(), &self.intake, settings);
        (collector, tap)
    }

    /// Creates a Job that starts.
    pub(crate) async fn job(&self, name: &str) -> PlayedJob {
        let job = PlayedJob::create(&self.admin, &self.namespace, name).await;
        job.start(&self.admin).await;
        job
    }

    /// Creates a Job that fails.
    pub(crate) async fn failed_job(&self, name: &str) -> PlayedJob {
        let job = self.job(name).await;
        job.fail(&self.admin, "BackoffLimitExceeded").await;
        job
    }

    /// Waits until each of these Jobs has an event.
    pub(crate) async fn until_reported(&self, jobs: &[PlayedJob], collectors: &[&Collector]) {
        let uids = jobs.iter().map(|job| job.uid.as_str());
        until_reported(&self.intake, uids, collectors).await;
    }

    /// Deletes the namespace and the files.
    pub(crate) async fn end(self) {
        let path = format!("/api/v1/namespaces/{}", self.namespace);
        self.admin.delete(&path).await.expect("the namespace is deleted");
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
