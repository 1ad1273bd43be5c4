//! A simulated cluster, and the collector with the test's configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use simulator::otlp_intake::{OtlpIntake, PointValue, ReceivedPoint};
use simulator::{Ids, Player, Resource, Scenario, Simulator, SimulatorOptions, TimelineStep};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};

/// Upper bound on anything a test waits for: only a broken collector takes this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
/// How many watches the receiver keeps open.
const WATCHES: usize = 8;

/// A cluster with a folder for a test's files and, optionally, the collector.
pub(crate) struct Setup {
    /// The cluster.
    pub simulator: Simulator,
    /// A folder of this test alone.
    pub folder: PathBuf,
    collector: Option<Child>,
}

impl Setup {
    /// An empty cluster. `name` is unique to the test.
    pub(crate) async fn new(name: &str) -> Setup {
        Setup::with(name, SimulatorOptions::default()).await
    }

    /// The same with other options.
    pub(crate) async fn with(name: &str, options: SimulatorOptions) -> Setup {
        let simulator = Simulator::start(options).await.unwrap();
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("backends-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        simulator.write_kubeconfig(&folder.join("kubeconfig")).unwrap();
        Setup {
            simulator,
            folder,
            collector: None,
        }
    }

    /// Starts the collector with this configuration and these settings above it, and waits until it watches.
    pub(crate) async fn collect(&mut self, config: &str, set: &[String], environment: &[(&str, &str)]) {
        let file = self.folder.join("pipeline.yaml");
        std::fs::write(&file, config).unwrap();
        let kubeconfig = format!(
            "receivers.k8s_job.kubeconfig={}",
            self.folder.join("kubeconfig").display()
        );
        let mut command = Command::new(env!("CARGO_BIN_EXE_kube-job-collector"));
        command
            .args(["run", "--config"])
            .arg(&file)
            .args(["--set", &kubeconfig]);
        for setting in set {
            command.args(["--set", setting]);
        }
        let child = command
            .env_clear()
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        self.collector = Some(child.unwrap());
        let opened = self.simulator.until_opened(WATCHES);
        if tokio::time::timeout(PATIENCE, opened).await.is_err() {
            panic!("the collector does not watch:\n{}", self.stop().await);
        }
    }

    /// Plays these steps at once.
    pub(crate) fn play(&self, steps: Vec<TimelineStep>) {
        Player::new(self.simulator.store().clone(), steps).play_all();
    }

    /// Stops the collector, waits until it has drained, and returns its log.
    pub(crate) async fn stop(&mut self) -> String {
        let mut collector = self.collector.take().unwrap();
        if let Some(pid) = collector.id() {
            let kill = std::process::Command::new("kill")
                .args(["-TERM", &pid.to_string()])
                .status();
            assert!(kill.unwrap().success());
        }
        let mut log = String::new();
        let mut stderr = collector.stderr.take().unwrap();
        let ended = async {
            stderr.read_to_string(&mut log).await.unwrap();
            collector.wait().await.unwrap()
        };
        let status = tokio::time::timeout(PATIENCE, ended).await.expect("it stops");
        assert!(status.success(), "{status}\n{log}");
        log
    }
}

impl Drop for Setup {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The steps of a shipped scenario that begins a minute ago, its Jobs changed by `change`.
pub(super) fn scenario(name: &str, seed: u64, change: impl Fn(&mut Value)) -> Vec<TimelineStep> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("simulator/scenarios/{name}.yaml"));
    let scenario = Scenario::parse(&std::fs::read_to_string(path).unwrap()).unwrap();
    let start = Timestamp::now() - SignedDuration::from_mins(1);
    let mut steps = scenario.timeline(start, &mut Ids::new(seed));
    for step in steps.iter_mut().filter(|step| step.resource == Resource::Jobs) {
        change(&mut step.object);
    }
    steps
}

/// The UIDs of the Jobs in these steps.
pub(super) fn jobs(steps: &[TimelineStep]) -> BTreeSet<String> {
    let jobs = steps.iter().filter(|step| step.resource == Resource::Jobs);
    jobs.map(|step| step.object["metadata"]["uid"].as_str().unwrap().to_owned())
        .collect()
}

/// The UIDs of the finished Jobs whose events have arrived.
pub(super) fn arrived(intake: &OtlpIntake) -> BTreeSet<String> {
    let uid = |uid: &Value| uid.as_str().unwrap().to_owned();
    let records = intake.records().into_iter();
    let finished = records.filter(|record| record.event_name == "k8s.job.finished");
    finished.map(|record| uid(&record.attributes["k8s.job.uid"])).collect()
}

/// The shipped pipeline on any ports, sending to `intake`, with the shortest intervals.
pub(crate) fn to_datadog(intake: &OtlpIntake) -> [String; 5] {
    [
        format!("exporters.otlp_http/datadog.endpoint={}", intake.url()),
        "extensions.health_check.endpoint=127.0.0.1:0".into(),
        "service.telemetry.metrics.readers=[]".into(),
        "connectors.job_metrics.interval=1s".into(),
        "receivers.k8s_job.collection_interval=1s".into(),
    ]
}

/// Waits until the condition holds; checks it whenever data arrives.
pub(crate) async fn until(what: &str, intake: &OtlpIntake, is_so: impl Fn(&OtlpIntake) -> bool) {
    let mut arrivals = intake.subscribe();
    let waiting = async {
        while !is_so(intake) {
            let _ = arrivals.recv().await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, waiting).await;
    assert!(
        waited.is_ok(),
        "{what} did not happen; received: {} requests",
        intake.received().len()
    );
}

/// Counts by metric and series; a series is everything that distinguishes points except the time.
pub(super) type Totals = BTreeMap<String, i64>;

/// The metrics that are compared.
pub(super) const COUNTS: [&str; 3] = ["k8s.job.failures", "k8s.job.completions", "k8s.job.attempt.failures"];

/// The name of a point's series.
pub(super) fn series(point: &ReceivedPoint) -> String {
    let owner = ["k8s.cronjob.name", "k8s.job.name"]
        .iter()
        .find_map(|key| point.resource.get(*key));
    let reason = point.attributes.get("reason").map_or("", |reason| reason.as_str());
    let cause = point.attributes.get("cause").map_or("", |cause| cause.as_str());
    format!(
        "{} {} {reason} {cause}",
        point.metric,
        owner.map_or("", |owner| owner.as_str())
    )
}

/// Waits until the received counts reach these totals.
pub(super) async fn until_totals(name: &str, intake: &OtlpIntake, sums: fn(&OtlpIntake) -> Totals, expected: &Totals) {
    let mut arrivals = intake.subscribe();
    let waiting = async {
        while sums(intake) != *expected {
            let _ = arrivals.recv().await;
        }
    };
    if tokio::time::timeout(PATIENCE, waiting).await.is_err() {
        let found: BTreeSet<_> = sums(intake).into_iter().collect();
        let expected: BTreeSet<_> = expected.clone().into_iter().collect();
        let (more, less) = (&found - &expected, &expected - &found);
        panic!("{name} has {more:#?}, expected {less:#?} instead");
    }
}

/// The sums of deltas.
pub(super) fn sums(intake: &OtlpIntake) -> Totals {
    let mut totals = Totals::new();
    for point in intake.points().iter().filter(|point| COUNTS.contains(&&*point.metric)) {
        let PointValue::Int(value) = point.value else {
            panic!("{point:?} is not a count")
        };
        *totals.entry(series(point)).or_default() += value;
    }
    totals
}
