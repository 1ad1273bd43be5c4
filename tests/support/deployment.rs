//! The real binary between a simulated cluster and an OTLP intake, over real sockets.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use simulator::otlp_intake::{OtlpIntake, PointValue};
use simulator::{Simulator, SimulatorOptions};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};

/// Upper bound on anything a test waits for: only a broken collector takes this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// How many watches the receiver keeps open: Jobs, Pods, CronJobs, Events of Jobs, of CronJobs, of Pods (two) and of nodes.
pub(crate) const WATCHES: usize = 8;

/// A cluster, an intake, and the collector between them.
pub(crate) struct Deployment {
    /// The cluster.
    pub simulator: Simulator,
    /// Where the collector sends.
    pub intake: OtlpIntake,
    collector: Child,
    folder: PathBuf,
}

impl Deployment {
    /// Starts all three and waits until the collector watches. `name` is unique to the test.
    pub(crate) async fn start(name: &str) -> Deployment {
        Deployment::start_with(name, Stdio::piped(), SimulatorOptions::default()).await
    }

    /// As [`Deployment::start`], with that as the collector's standard error, and a cluster with these options.
    pub(crate) async fn start_with(name: &str, stderr: Stdio, options: SimulatorOptions) -> Deployment {
        let simulator = Simulator::start(options).await.expect("the simulator starts");
        let intake = OtlpIntake::start(Some("key".into())).await.expect("the intake starts");
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let kubeconfig = folder.join("kubeconfig");
        simulator.write_kubeconfig(&kubeconfig).expect("a kubeconfig");
        let collector = Command::new(env!("CARGO_BIN_EXE_kube-job-collector"))
            .args(["run", "--config", concat!(env!("CARGO_MANIFEST_DIR"), "/pipeline.yaml")])
            .args([
                "--set",
                &format!("receivers.k8s_job.kubeconfig={}", kubeconfig.display()),
            ])
            .args([
                "--set",
                &format!("exporters.otlp_http/datadog.endpoint={}", intake.url()),
            ])
            .args(["--set", "extensions.health_check.endpoint=127.0.0.1:0"])
            .args(["--set", "service.telemetry.metrics.readers=[]"])
            .args(["--set", "connectors.job_metrics.interval=1s"])
            .env_clear()
            .env("DD_API_KEY", "key")
            .env("K8S_CLUSTER_NAME", "test")
            .stdin(Stdio::null())
            .stderr(stderr)
            .kill_on_drop(true)
            .spawn()
            .expect("the collector starts");
        let world = Deployment {
            simulator,
            intake,
            collector,
            folder,
        };
        world.until_opened(WATCHES).await;
        world
    }

    /// Waits until the collector has opened that many watches since its start.
    pub(crate) async fn until_opened(&self, watches: usize) {
        let opened = self.simulator.until_opened(watches);
        tokio::time::timeout(PATIENCE, opened)
            .await
            .expect("the collector opens its watches");
    }

    /// Waits until an event about each of these UIDs has arrived.
    pub(crate) async fn events_about(&self, uids: &BTreeSet<String>) {
        let mut arrivals = self.intake.subscribe();
        let all = async {
            loop {
                let here: BTreeSet<String> = self.events().into_keys().collect();
                if uids.is_subset(&here) {
                    return;
                }
                let _ = arrivals.recv().await;
            }
        };
        if tokio::time::timeout(PATIENCE, all).await.is_err() {
            let here: BTreeSet<String> = self.events().into_keys().collect();
            panic!("no event about {:?}", uids.difference(&here).collect::<Vec<_>>());
        }
    }

    /// The events of finished Jobs that arrived, by Job UID.
    pub(crate) fn events(&self) -> BTreeMap<String, Vec<BTreeMap<String, Value>>> {
        let mut events: BTreeMap<String, Vec<_>> = BTreeMap::new();
        let records = self.intake.records().into_iter();
        for record in records.filter(|record| record.event_name == "k8s.job.finished") {
            let uid = record.attributes["k8s.job.uid"].as_str().expect("a UID").to_owned();
            events.entry(uid).or_default().push(record.attributes);
        }
        events
    }

    /// The sum over all points of a delta sum, by (owner, reason, cause).
    pub(crate) fn sums(&self, metric: &str) -> BTreeMap<(String, String, String), i64> {
        let mut sums = BTreeMap::new();
        for point in self.intake.points().into_iter().filter(|p| p.metric == metric) {
            let PointValue::Int(value) = point.value else {
                panic!("{metric} is not an integer sum")
            };
            let resource = |key: &str| point.resource.get(key).cloned();
            let owner = resource("k8s.cronjob.name")
                .or_else(|| resource("k8s.job.name"))
                .expect("an owner");
            let namespace = resource("k8s.namespace.name").expect("a namespace");
            let attribute = |key: &str| point.attributes.get(key).cloned().unwrap_or_default();
            let key = (format!("{namespace}/{owner}"), attribute("reason"), attribute("cause"));
            *sums.entry(key).or_default() += value;
        }
        sums
    }

    /// Sends the collector a signal: `HUP`, `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.collector.id().expect("it runs").to_string();
        let sent = std::process::Command::new("kill").args(["-s", name, &pid]).status();
        assert!(sent.expect("kill").success());
    }

    /// Stops the collector, waits until it has drained, and returns its log, unless that was written elsewhere.
    pub(crate) async fn stop(&mut self) -> String {
        self.signal("TERM");
        let mut log = String::new();
        let stderr = self.collector.stderr.take();
        let ended = async {
            if let Some(mut stderr) = stderr {
                stderr.read_to_string(&mut log).await.expect("the log");
            }
            self.collector.wait().await.expect("an exit status")
        };
        let status = tokio::time::timeout(PATIENCE, ended).await.expect("it stops");
        assert!(status.success(), "{status}\n{log}");
        log
    }
}

impl Drop for Deployment {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
