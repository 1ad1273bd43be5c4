//! The real binary between a real API server and a simulated backend.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use simulator::otlp_intake::{OtlpIntake, PointValue};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

/// Upper bound on anything a test waits for.
const PATIENCE: Duration = Duration::from_secs(60);

/// The attributes of an event.
pub(crate) type Attributes = BTreeMap<String, Value>;

/// The settings of a collector that tests change.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// `k8s_job::settle_time`.
    pub(crate) settle: &'static str,
    /// The level of the log.
    pub(crate) log: &'static str,
    /// Further settings of the receiver, as lines of YAML without indentation.
    pub(crate) receiver: String,
    /// Where the state is stored.
    pub(crate) storage: Storage,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            settle: "200ms",
            log: "debug",
            receiver: String::new(),
            storage: Storage::None,
        }
    }
}

/// Where a collector stores its state.
#[derive(Clone, Debug, Default)]
pub(crate) enum Storage {
    /// Nowhere.
    #[default]
    None,
    /// In its folder.
    File,
    /// In ConfigMaps of this namespace, beside a Lease that elects a leader.
    Cluster(String),
}

/// A collector, running or not.
pub(crate) struct Collector {
    folder: PathBuf,
    child: Option<Child>,
    reader: Option<JoinHandle<()>>,
    log: Arc<Mutex<String>>,
}

impl Collector {
    /// A collector that is not started yet. Its name is unique within a test.
    pub(crate) fn new(
        folder: &Path,
        name: &str,
        kubeconfig: &str,
        intake: &OtlpIntake,
        settings: &Settings,
    ) -> Collector {
        let folder = folder.join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let collector = Collector {
            folder,
            child: None,
            reader: None,
            log: Arc::default(),
        };
        collector.write_kubeconfig(kubeconfig);
        let config = configuration(&collector.folder, intake, settings);
        std::fs::write(collector.folder.join("pipeline.yaml"), config).unwrap();
        collector
    }

    /// Writes its kubeconfig; a reader finds the old file or the new one.
    pub(crate) fn write_kubeconfig(&self, text: &str) {
        let new = self.folder.join("kubeconfig.new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(&new, self.folder.join("kubeconfig")).unwrap();
    }

    /// Starts the process.
    pub(crate) fn start(&mut self) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_kube-job-collector"))
            .args(["run", "--config"])
            .arg(self.folder.join("pipeline.yaml"))
            .env_clear()
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let log = Arc::clone(&self.log);
        self.reader = Some(tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
                log.push_str(&line);
                log.push('\n');
            }
        }));
        self.child = Some(child);
    }

    /// The process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().and_then(Child::id).expect("it runs")
    }

    /// Starts the process and waits until its first lists are complete.
    pub(crate) async fn start_watching(&mut self) {
        let begin = self.log().len();
        self.start();
        let mut child = self.child.take().expect("it has started");
        tokio::select! {
            () = self.until_logged_after(begin, "initial lists complete") => {}
            status = child.wait() => panic!("the collector ended: {status:?}\n{}", self.log()),
        }
        self.child = Some(child);
    }

    /// Kills the process, as a power cut does.
    pub(crate) async fn kill(&mut self) {
        self.child.as_mut().expect("it runs").start_kill().unwrap();
        self.wait().await;
    }

    /// Sends a signal to the process.
    pub(crate) async fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status().await;
        assert!(sent.unwrap().success());
    }

    /// Stops the process and waits until it has drained.
    pub(crate) async fn stop(&mut self) {
        self.signal("TERM").await;
        self.wait().await;
    }

    async fn wait(&mut self) {
        let mut child = self.child.take().expect("it runs");
        tokio::time::timeout(PATIENCE, child.wait())
            .await
            .expect("it ends")
            .unwrap();
        if let Some(reader) = self.reader.take() {
            reader.await.unwrap();
        }
    }

    /// The log of all its processes.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until the log has a line with this text.
    pub(crate) async fn until_logged(&self, text: &str) {
        self.until_logged_after(0, text).await;
    }

    /// Waits until the log has such a line after its first `begin` bytes.
    pub(crate) async fn until_logged_after(&self, begin: usize, text: &str) {
        let wait = async {
            while !self.log()[begin..].contains(text) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, wait).await.is_err() {
            panic!("expected {text:?} in the log:\n{}", self.log());
        }
    }
}

/// The intake's view: events by UID of the Job, in the order of their arrival.
pub(crate) fn events(intake: &OtlpIntake) -> BTreeMap<String, Vec<Attributes>> {
    let mut events: BTreeMap<String, Vec<Attributes>> = BTreeMap::new();
    let finished = intake
        .records()
        .into_iter()
        .filter(|record| record.event_name == "k8s.job.finished");
    for record in finished {
        let uid = record.attributes["k8s.job.uid"].as_str().expect("a UID").to_owned();
        events.entry(uid).or_default().push(record.attributes);
    }
    events
}

/// Waits until each of these Jobs has an event.
pub(crate) async fn until_reported(
    intake: &OtlpIntake,
    uids: impl IntoIterator<Item = &str>,
    collectors: &[&Collector],
) {
    let uids: Vec<&str> = uids.into_iter().collect();
    let mut arrivals = intake.subscribe();
    let wait = async {
        loop {
            let known = events(intake);
            if uids.iter().all(|uid| known.contains_key(*uid)) {
                return;
            }
            // After an error the missed ones are read now.
            let _ = arrivals.recv().await;
        }
    };
    if tokio::time::timeout(PATIENCE, wait).await.is_err() {
        let known = events(intake);
        let missing: Vec<&&str> = uids.iter().filter(|uid| !known.contains_key(**uid)).collect();
        let logs: String = collectors.iter().map(|collector| collector.log()).collect();
        panic!(
            "{} of {} Jobs without an event: {missing:?}\n{logs}",
            missing.len(),
            uids.len()
        );
    }
}

/// The number of failed Jobs that are counted in a namespace. A point that arrives again, with the same series and time,
/// counts once, as in a backend.
pub(crate) fn failures_in(intake: &OtlpIntake, namespace: &str) -> i64 {
    let mut counts = BTreeMap::new();
    for point in intake.points() {
        let of = point.resource.get("k8s.namespace.name").map(String::as_str);
        if point.metric == "k8s.job.failures" && of == Some(namespace) {
            let PointValue::Int(count) = point.value else {
                panic!("expected a count, found {:?}", point.value)
            };
            counts.insert((point.resource, point.attributes, point.time_unix_nano), count);
        }
    }
    counts.values().sum()
}

fn configuration(folder: &Path, intake: &OtlpIntake, settings: &Settings) -> String {
    let kubeconfig = folder.join("kubeconfig").display().to_string();
    let (state, elector, extensions, names) = match &settings.storage {
        Storage::None => ("", "", String::new(), ""),
        Storage::File => (
            "storage: file_storage",
            "",
            format!(
                "  file_storage: {{directory: {}/state, create_directory: true}}\n",
                folder.display()
            ),
            ", file_storage",
        ),
        Storage::Cluster(namespace) => (
            "storage: k8s_storage",
            "k8s_leader_elector: k8s_leader_elector",
            format!(
                "  k8s_leader_elector: {{kubeconfig: {kubeconfig}, lease_namespace: {namespace}, lease_duration: 3s, \
                 renew_deadline: 2s, retry_period: 500ms}}\n  \
                 k8s_storage: {{kubeconfig: {kubeconfig}, namespace: {namespace}, k8s_leader_elector: k8s_leader_elector}}\n"
            ),
            ", k8s_leader_elector, k8s_storage",
        ),
    };
    let receiver: String = settings.receiver.lines().map(|line| format!("    {line}\n")).collect();
    format!(
        "receivers:
  k8s_job:
    kubeconfig: {kubeconfig}
    settle_time: {settle}
    collection_interval: 1h
    {state}
    {elector}
{receiver}processors:
  reason_enrichment:
connectors:
  job_metrics:
    interval: 1s
    {state}
exporters:
  otlp_http:
    endpoint: {endpoint}
extensions:
  health_check: {{endpoint: '127.0.0.1:0'}}
{extensions}service:
  telemetry: {{logs: {{level: {level}}}, metrics: {{readers: []}}}}
  extensions: [health_check{names}]
  pipelines:
    logs: {{receivers: [k8s_job], processors: [reason_enrichment], exporters: [otlp_http, job_metrics]}}
    metrics: {{receivers: [k8s_job, job_metrics], exporters: [otlp_http]}}
",
        endpoint = intake.url(),
        settle = settings.settle,
        level = settings.log,
    )
}

impl Drop for Collector {
    fn drop(&mut self) {
        // `kill_on_drop` ends the process.
        self.child = None;
    }
}
