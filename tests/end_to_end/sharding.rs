//! Several collectors with the configuration of `docs/sharding.md`, each with the namespaces of its shard.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use job_watch::shard::Shard;
use serde_json::{Value, json};
use simulator::otlp_intake::{OtlpIntake, PointValue};
use simulator::{Resource, Simulator, SimulatorOptions};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};

use crate::deployment::{PATIENCE, WATCHES};

/// Names that are spread over four shards: at least five in each.
const NAMESPACES: [&str; 28] = [
    "payments", "reports", "shop", "data", "a", "b", "web", "api", "billing", "orders", "search", "mail", "team-a",
    "team-b", "default", "staging", "jobs", "etl", "ml", "crm", "audit", "cache", "n1", "n2", "alpha", "beta", "gamma",
    "delta",
];

/// The configuration of the page.
fn pipeline() -> &'static str {
    let page = include_str!("../../docs/sharding.md");
    let block = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next());
    block.expect("the configuration")
}

/// A cluster, and collectors that each send to an intake of their own.
struct Shards {
    simulator: Simulator,
    folder: PathBuf,
    /// The next Job.
    next: u32,
    /// The namespaces of all Jobs, by UID.
    jobs: BTreeMap<String, String>,
    intakes: Vec<OtlpIntake>,
}

/// A running collector.
struct Collector {
    child: Child,
    name: String,
}

impl Shards {
    async fn start(name: &str, shard_selector: bool) -> Shards {
        let options = SimulatorOptions {
            shard_selector,
            bookmark_interval: Duration::from_secs(1),
            ..SimulatorOptions::default()
        };
        let simulator = Simulator::start(options).await.expect("the simulator starts");
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("shards-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        simulator
            .write_kubeconfig(&folder.join("kubeconfig"))
            .expect("a kubeconfig");
        std::fs::write(folder.join("pipeline.yaml"), pipeline()).expect("a file");
        Shards {
            simulator,
            folder,
            next: 0,
            jobs: BTreeMap::new(),
            intakes: Vec::new(),
        }
    }

    /// Starts a collector without waiting for it; its intake is the last one.
    async fn begin(&mut self, index: u16, count: u16) -> Collector {
        let intake = OtlpIntake::start(None).await.expect("the intake starts");
        let child = Command::new(env!("CARGO_BIN_EXE_kube-job-collector"))
            .args(["run", "--config"])
            .arg(self.folder.join("pipeline.yaml"))
            .args(["--set", "connectors.job_metrics.interval=1s"])
            .args(["--set", "receivers.k8s_job.settle_time=100ms"])
            // A start without the state before it would report Jobs twice.
            .args(["--set", "receivers.k8s_job.on_first_start=report_finished"])
            .args(["--set", "exporters.otlp_http.retry_on_failure.initial_interval=100ms"])
            .args(["--set", "service.telemetry.metrics.readers=[]"])
            .env_clear()
            .env("KUBECONFIG", self.folder.join("kubeconfig"))
            .env("OTLP_ENDPOINT", intake.url())
            .env("SHARDS", count.to_string())
            .env("POD_NAME", format!("collector-{index}"))
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the collector starts");
        self.intakes.push(intake);
        let name = format!("shard {index} of {count}");
        Collector { child, name }
    }

    /// Starts all collectors, and waits until they watch.
    async fn begin_all(&mut self, count: u16) -> Vec<Collector> {
        let indexes: Vec<u16> = (0..count).collect();
        self.begin_some(&indexes, count).await
    }

    /// The same for these shards.
    async fn begin_some(&mut self, indexes: &[u16], count: u16) -> Vec<Collector> {
        let before = self.simulator.opened_watches();
        let mut collectors = Vec::new();
        for index in indexes {
            collectors.push(self.begin(*index, count).await);
        }
        let opened = self.simulator.until_opened(before + WATCHES * indexes.len());
        tokio::time::timeout(PATIENCE, opened)
            .await
            .expect("the collectors watch");
        collectors
    }

    /// Creates a Job in each namespace that failed just now.
    fn fail_jobs(&mut self) {
        for namespace in NAMESPACES {
            self.next += 1;
            let (uid, name) = (
                format!("00000000-0000-0000-0000-{:012}", self.next),
                format!("job-{}", self.next),
            );
            let now = jiff::Timestamp::now();
            let at = jiff::Timestamp::from_second(now.as_second())
                .expect("a time")
                .to_string();
            let condition = |kind: &str| {
                json!({"type": kind, "status": "True", "reason": "BackoffLimitExceeded",
                    "message": "Job has reached the specified backoff limit", "lastTransitionTime": at})
            };
            let job = json!({
                "metadata": {"uid": uid, "name": name, "namespace": namespace, "creationTimestamp": at},
                "spec": {"backoffLimit": 0},
                "status": {"startTime": at, "failed": 1, "conditions": [condition("FailureTarget"), condition("Failed")]},
            });
            self.simulator.store().create(Resource::Jobs, job).expect("a new Job");
            self.jobs.insert(uid, namespace.to_owned());
        }
    }

    /// The events that arrived, by UID: the numbers of the intakes.
    fn events(&self) -> BTreeMap<String, Vec<usize>> {
        let mut events: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (at, intake) in self.intakes.iter().enumerate() {
            for record in intake.records() {
                if record.event_name == "k8s.job.finished" {
                    let uid = record.attributes["k8s.job.uid"].as_str().expect("a UID");
                    assert_eq!(record.attributes["log.record.uid"], Value::from(uid));
                    events.entry(uid.to_owned()).or_default().push(at);
                }
            }
        }
        events
    }

    /// How many Jobs the points count, by namespace and Job. A point that was sent again counts once.
    fn counts(&self) -> BTreeMap<(String, String), i64> {
        let mut seen = BTreeSet::new();
        let mut counts = BTreeMap::new();
        let points = self.intakes.iter().flat_map(OtlpIntake::points);
        for point in points.filter(|point| point.metric == "k8s.job.failures") {
            let PointValue::Int(value) = point.value else {
                panic!("no integer")
            };
            let resource = |key: &str| point.resource.get(key).cloned().expect("an attribute");
            let owner = (resource("k8s.namespace.name"), resource("k8s.job.name"));
            if seen.insert((owner.clone(), point.attributes.clone(), point.time_unix_nano)) {
                *counts.entry(owner).or_default() += value;
            }
        }
        counts
    }

    /// Waits until each Job has an event and a count.
    async fn until_all(&self) {
        let mut arrivals: Vec<_> = self.intakes.iter().map(OtlpIntake::subscribe).collect();
        let all = async {
            while self.events().len() < self.jobs.len() || self.counts().values().sum::<i64>() < self.jobs.len() as i64
            {
                let any = arrivals.iter_mut().map(|arrivals| Box::pin(arrivals.recv()));
                let _ = futures_util::future::select_all(any).await;
            }
        };
        if tokio::time::timeout(PATIENCE, all).await.is_err() {
            panic!(
                "{} Jobs, {} events, {:?}",
                self.jobs.len(),
                self.events().len(),
                self.counts()
            );
        }
    }

    /// One event and one count for each Job.
    fn check(&self, may_repeat: bool) {
        let events = self.events();
        assert_eq!(
            events.keys().collect::<Vec<_>>(),
            self.jobs.keys().collect::<Vec<_>>(),
            "lost 0"
        );
        for (uid, from) in &events {
            assert!(
                may_repeat || from.len() == 1,
                "{uid} of {}: twice, {from:?}",
                self.jobs[uid]
            );
        }
        let counts = self.counts();
        assert_eq!(counts.len(), self.jobs.len());
        assert!(counts.values().all(|count| *count == 1), "{counts:?}");
    }
}

impl Drop for Shards {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Collector {
    /// Sends SIGTERM, and waits until it has ended. Returns its log.
    async fn stop(self) -> String {
        let pid = self.child.id().expect("it runs").to_string();
        let sent = std::process::Command::new("kill").args(["-s", "TERM", &pid]).status();
        assert!(sent.expect("kill").success());
        let (log, is_success) = self.ended().await;
        assert!(is_success, "{log}");
        log
    }

    /// Waits until it has ended. Returns its log, and true if it succeeded.
    async fn ended(mut self) -> (String, bool) {
        let mut stderr = self.child.stderr.take().expect("a pipe");
        let mut log = String::new();
        let ended = async {
            stderr.read_to_string(&mut log).await.expect("the log");
            self.child.wait().await.expect("an exit status")
        };
        let ended = tokio::time::timeout(PATIENCE, ended).await;
        let status = ended.unwrap_or_else(|_| panic!("{} does not end", self.name));
        (log, status.success())
    }
}

/// The shard of each Job reports it, and no other one does.
async fn reports_each_job_once(count: u16, shard_selector: bool) {
    let mut shards = Shards::start(&format!("once-{count}-{shard_selector}"), shard_selector).await;
    shards.fail_jobs();
    let collectors = shards.begin_all(count).await;
    shards.fail_jobs();
    shards.fail_jobs();
    shards.until_all().await;
    for collector in collectors {
        let log = collector.stop().await;
        assert!(!log.contains("ERROR") && !log.contains("shardSelector"), "{log}");
    }
    shards.check(false);
    let mut per_shard = vec![0; usize::from(count)];
    for (uid, from) in shards.events() {
        let shard = Shard::new(u16::try_from(from[0]).expect("a number"), count).expect("a shard");
        assert!(
            shard.has_namespace(&shards.jobs[&uid]),
            "{uid} of {} by {shard}",
            shards.jobs[&uid]
        );
        per_shard[from[0]] += 1;
    }
    assert!(per_shard.iter().all(|jobs| *jobs >= 10), "{per_shard:?}");
}

#[tokio::test]
async fn two_shards_report_each_job_once() {
    reports_each_job_once(2, false).await;
}

#[tokio::test]
async fn four_shards_report_each_job_once() {
    reports_each_job_once(4, false).await;
}

#[tokio::test]
async fn four_shards_of_a_server_that_selects_report_each_job_once() {
    reports_each_job_once(4, true).await;
}

#[tokio::test]
async fn more_shards_lose_and_double_nothing() {
    let mut shards = Shards::start("more", true).await;
    // One collector without shards, then two, then four; Jobs finish before, while, and after none runs.
    let mut collectors = shards.begin_all(1).await;
    for count in [2, 4] {
        shards.fail_jobs();
        shards.until_all().await;
        shards.fail_jobs();
        for collector in collectors {
            collector.stop().await;
        }
        shards.fail_jobs();
        collectors = shards.begin_all(count).await;
        shards.fail_jobs();
        shards.until_all().await;
        shards.check(false);
    }
    // Fewer are an error that names the present number.
    for collector in collectors {
        collector.stop().await;
    }
    for (index, count) in [(1, 2), (0, 1), (4, 6)] {
        let (log, is_success) = shards.begin(index, count).await.ended().await;
        let expected = "4 shards is stored, expected shards: 4";
        assert!(
            !is_success && log.contains(expected),
            "shard {index} of {count}:\n{log}"
        );
    }
    shards.check(false);
}

#[tokio::test]
async fn more_shards_beside_the_old_ones_count_each_job_once() {
    let mut shards = Shards::start("beside", false).await;
    let mut old = shards.begin_all(2).await;
    shards.fail_jobs();
    shards.until_all().await;
    // As a StatefulSet does it: the new Pods first, then the others in reverse order, of which one is killed.
    shards.fail_jobs();
    let mut new = shards.begin_some(&[3, 2], 4).await;
    shards.fail_jobs();
    let second = old.pop().expect("shard 1 of 2");
    // Its next write fails, because its ConfigMap is claimed.
    let (log, is_success) = second.ended().await;
    assert!(!is_success && log.contains("is claimed by"), "{log}");
    new.push(shards.begin(1, 4).await);
    shards.fail_jobs();
    let mut first = old.pop().expect("shard 0 of 2");
    first.child.kill().await.expect("it is killed");
    new.push(shards.begin(0, 4).await);
    shards.fail_jobs();
    shards.until_all().await;
    for collector in new {
        let log = collector.stop().await;
        assert!(
            log.contains("continuing the state of a smaller number of shards"),
            "{log}"
        );
    }
    shards.check(true);
}
