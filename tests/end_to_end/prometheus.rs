//! A real Prometheus scrapes the real binary while the simulator plays: the alerts that fire. Skipped, with a message,
//! without Prometheus.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use crate::cluster::{BINARY, Cluster};
use crate::http::answer;
use crate::oracle;
use jiff::SignedDuration;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// Upper bound on anything that is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many watches `k8s_job` (8) and `kube_state_metrics` (2) keep open.
const WATCHES: usize = 10;

const PIPELINE: &str = "
receivers:
  k8s_job:
    collection_interval: 1s
    settle_time: 100ms
  kube_state_metrics:
    collection_interval: 1s
processors:
  reason_enrichment:
connectors:
  job_metrics:
    interval: 1s
exporters:
  prometheus:
    endpoint: 127.0.0.1:0
    enable_open_metrics: true
    start_at_zero: 4s
service:
  telemetry:
    metrics:
      readers:
        - pull: {exporter: {prometheus: {host: 127.0.0.1, port: 0}}}
  pipelines:
    logs:
      receivers: [k8s_job]
      processors: [reason_enrichment]
      exporters: [job_metrics]
    metrics:
      receivers: [k8s_job, kube_state_metrics, job_metrics]
      exporters: [prometheus]
";

/// The kubernetes-mixin's expression; ours are shipped.
const RULES: &str = "
groups:
  - name: jobs
    rules:
      - alert: KubeJobFailed
        expr: kube_job_failed{job=\"kube-state-metrics\"} > 0
";
const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/prometheus/rules.yaml");

/// The collector, and where it may be scraped.
struct Collector {
    _process: Child,
    exporter: String,
    own: String,
}

impl Collector {
    async fn start(cluster: &Cluster) -> Collector {
        let config = cluster.folder.join("pipeline.yaml");
        std::fs::write(&config, PIPELINE).expect("a file");
        let mut process = cluster
            .command(BINARY, &format!("run --config {}", config.display()))
            .spawn()
            .expect("the collector starts");
        let mut log = BufReader::new(process.stderr.take().expect("a pipe")).lines();
        let (mut exporter, mut own) = (None, None);
        while exporter.is_none() || own.is_none() {
            let line = timeout(PATIENCE, log.next_line()).await.expect("it says where");
            let line = line.expect("the log").expect("another line");
            let address = || {
                line.split("http://")
                    .nth(1)
                    .and_then(|rest| rest.split('/').next())
                    .map(str::to_owned)
            };
            if line.contains("serving own metrics") {
                own = address();
            } else if line.contains("serving metrics") {
                exporter = address();
            }
        }
        // Nobody may be kept from writing its log.
        tokio::spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
        timeout(PATIENCE, cluster.simulator.until_opened(WATCHES))
            .await
            .expect("it watches");
        Collector {
            _process: process,
            exporter: exporter.expect("an address"),
            own: own.expect("an address"),
        }
    }
}

/// The body of an answer.
async fn get(address: &str, path: &str, accept: &str) -> std::io::Result<String> {
    answer(address, path, accept).await.map(|(_, body)| body)
}

/// Sends requests until the answer is as wanted.
async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Result<T, String>) -> T {
    let mut last = String::new();
    let asking = async {
        let mut pace = tokio::time::interval(Duration::from_millis(100));
        loop {
            pace.tick().await;
            match ask().await {
                Ok(answer) => return answer,
                Err(why) => last = why,
            }
        }
    };
    let answered = timeout(PATIENCE, asking).await;
    answered.unwrap_or_else(|_| panic!("{what}: {last}"))
}

/// A server that scrapes, on loopback.
struct Prometheus {
    _process: Child,
    address: String,
}

impl Prometheus {
    /// `None` without Prometheus.
    async fn start(folder: &Path, collector: &Collector) -> Option<Prometheus> {
        // The port is free now; Prometheus cannot choose one itself.
        let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let address = port.expect("a free port").to_string();
        let (exporter, own) = (&collector.exporter, &collector.own);
        let config = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [rules.yaml, '{SHIPPED}']\nscrape_configs:\n  \
             - {{job_name: kube-state-metrics, honor_labels: true, static_configs: [{{targets: ['{exporter}']}}]}}\n  \
             - {{job_name: collector, static_configs: [{{targets: ['{own}']}}]}}\n"
        );
        std::fs::write(folder.join("prometheus.yaml"), config).expect("a file");
        std::fs::write(folder.join("rules.yaml"), RULES).expect("a file");
        let process = Command::new("prometheus")
            .arg(format!("--config.file={}", folder.join("prometheus.yaml").display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("tsdb").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .ok()?;
        Some(Prometheus {
            _process: process,
            address,
        })
    }

    async fn api(&self, path: &str) -> Result<Value, String> {
        let body = get(&self.address, &format!("/api/v1/{path}"), "*/*").await;
        let body = body.map_err(|error| error.to_string())?;
        serde_json::from_str(&body).map_err(|error| format!("{error}: {body}"))
    }

    async fn query(&self, expression: &str) -> Result<Value, String> {
        let encoded: String = expression.bytes().map(|byte| format!("%{byte:02X}")).collect();
        self.api(&format!("query?query={encoded}")).await
    }

    /// The titles of the panels of Grafana's dashboard without data. Panics on an error.
    async fn empty_panels(&self) -> BTreeSet<String> {
        let dashboard = deploy_generate::grafana::dashboard();
        let mut empty = BTreeSet::new();
        for panel in dashboard["panels"].as_array().expect("panels") {
            let title = panel["title"].as_str().expect("a title").to_owned();
            let targets = panel["targets"].as_array().cloned().unwrap_or_default();
            let mut series = 0;
            for target in &targets {
                let query = deploy_generate::grafana::with_values(target["expr"].as_str().expect("a query"));
                let answer = self.query(&query).await.expect("an answer");
                assert_eq!(answer["status"], "success", "{title}: {query}: {answer}");
                series += answer["data"]["result"].as_array().expect("series").len();
            }
            if !targets.is_empty() && series == 0 {
                empty.insert(title);
            }
        }
        empty
    }

    /// The value of an expression that has one series.
    async fn value(&self, expression: &str) -> Result<f64, String> {
        let answer = self.query(expression).await?;
        let value = answer["data"]["result"][0]["value"][1]
            .as_str()
            .and_then(|value| value.parse().ok());
        value.ok_or_else(|| answer.to_string())
    }

    /// The alerts that fire, each with one of its labels.
    async fn firing(&self, alert: &str, label: &str) -> Result<BTreeSet<String>, String> {
        let answer = self.api("alerts").await?;
        let alerts = answer["data"]["alerts"].as_array().ok_or_else(|| answer.to_string())?;
        let of = alerts
            .iter()
            .filter(|found| found["labels"]["alertname"] == alert && found["state"] == "firing");
        Ok(of
            .map(|found| found["labels"][label].as_str().unwrap_or_default().to_owned())
            .collect())
    }
}

/// Waits until every target was scraped without an error.
async fn until_scraped(prometheus: &Prometheus) {
    until("both targets are up", async || {
        match prometheus.value("sum(up)").await? {
            2.0 => Ok(()),
            other => Err(format!("{other} of 2")),
        }
    })
    .await;
}

/// The names of the Jobs that failed.
fn failed_jobs(jobs: &[serde_json::Value]) -> BTreeSet<String> {
    jobs.iter()
        .filter(|job| {
            let conditions = job["status"]["conditions"].as_array().cloned().unwrap_or_default();
            conditions
                .iter()
                .any(|condition| condition["type"] == "Failed" && condition["status"] == "True")
        })
        .map(|job| job["metadata"]["name"].as_str().expect("a name").to_owned())
        .collect()
}

/// Waits until every panel of the Grafana dashboard has data that can have some here.
async fn until_panels_have_data(prometheus: &Prometheus) {
    // Nothing is stalled or lost, no run was missed, no CronJob exists, and this exporter has no queue.
    let without_data = [
        "All CronJobs",
        "CronJobs whose latest run failed",
        "Lost and dropped events",
        "Missed runs by reason",
        "Stalled Jobs by cause",
        "Stalled Jobs by owner and cause",
        "Time since the last success: the longest 10",
        "Used part of queues",
    ];
    until("panels with data", async || {
        let empty = prometheus.empty_panels().await;
        if empty.iter().all(|title| without_data.contains(&title.as_str())) {
            Ok(())
        } else {
            Err(format!("{empty:?}"))
        }
    })
    .await;
}

#[tokio::test]
async fn prometheus_evaluates_the_alerts() {
    let cluster = Cluster::start("prometheus").await;
    let collector = Collector::start(&cluster).await;
    let Some(prometheus) = Prometheus::start(&cluster.folder, &collector).await else {
        oracle::skip("prometheus", "Debian: apt-get install prometheus");
        return;
    };
    until_scraped(&prometheus).await;
    // One that stays after it failed, one that is deleted at once, and one that completes at the second attempt.
    for name in ["retries-exhausted", "ttl-zero", "success-after-retry"] {
        cluster.scenario(name, SignedDuration::ZERO).play_all();
    }
    let jobs = cluster.simulator.store().list(simulator::Resource::Jobs);
    let failed = failed_jobs(&jobs);
    assert_eq!((jobs.len(), failed.len()), (2, 1), "what the scenarios leave behind");

    // The state: as long as the Job exists.
    until("KubeJobFailed", async || {
        let firing = prometheus.firing("KubeJobFailed", "job_name").await?;
        if firing == failed {
            Ok(())
        } else {
            Err(format!("{firing:?} instead of {failed:?}"))
        }
    })
    .await;
    // The count: both failed Jobs, the deleted one included.
    until("JobFailed", async || {
        let reasons = prometheus.firing("JobFailed", "reason").await?;
        let count = prometheus.value("sum(k8s_job_failures_total)").await?;
        let rises = prometheus
            .value("count(increase(k8s_job_failures_total[2m]) > 0)")
            .await?;
        match (reasons.len(), count, rises) {
            (1, 2.0, 2.0) => Ok(()),
            other => Err(format!("{other:?} {reasons:?}")),
        }
    })
    .await;
    let complete = prometheus.value("sum(kube_job_complete{condition=\"true\"})").await;
    assert_eq!(complete, Ok(1.0));
    until_panels_have_data(&prometheus).await;
    let retried = "kube_job_status_failed{job_name!=\"\",reason=\"BackoffLimitExceeded\"}";
    assert_eq!(prometheus.value(retried).await, Ok(1.0));

    // Once the Job is deleted its series are, and the alert ends.
    for job in &jobs {
        let metadata = &job["metadata"];
        let text = |key: &str| metadata[key].as_str().expect("text").to_owned();
        let deleted = cluster
            .simulator
            .store()
            .delete(simulator::Resource::Jobs, &text("namespace"), &text("name"));
        deleted.expect("it is deleted");
    }
    until("the alert ends", async || {
        let firing = prometheus.firing("KubeJobFailed", "job_name").await?;
        if firing.is_empty() {
            Ok(())
        } else {
            Err(format!("{firing:?}"))
        }
    })
    .await;
    // The count stays.
    assert_eq!(prometheus.value("sum(k8s_job_failures_total)").await, Ok(2.0));
    // The collector's own metrics have the collector's names.
    let own = [
        "otelcol_process_uptime_seconds_total",
        "otelcol_process_memory_rss_bytes",
        "otelcol_process_cpu_seconds_total",
    ];
    for name in own {
        assert!(prometheus.value(name).await.is_ok_and(|value| value >= 0.0), "{name}");
    }
}

#[tokio::test]
async fn promtool_accepts_what_is_served() {
    let cluster = Cluster::start("promtool").await;
    let collector = Collector::start(&cluster).await;
    for name in ["retries-exhausted", "success-after-retry", "cron-failing"] {
        cluster.scenario(name, SignedDuration::ZERO).play_all();
    }
    let served = until("all families are served", async || {
        let text = get(&collector.exporter, "/metrics", "*/*")
            .await
            .map_err(|error| error.to_string())?;
        let wanted = [
            "kube_cronjob_info{",
            "kube_job_failed{",
            "k8s_job_failures_total{",
            "k8s_job_duration_seconds_count{",
        ];
        if wanted.iter().all(|name| text.contains(name)) {
            Ok(text)
        } else {
            Err(text)
        }
    })
    .await;
    let own = get(&collector.own, "/metrics", "*/*").await.expect("own metrics");
    assert!(own.contains("\notelcol_receiver_accepted_log_records_total{"), "{own}");
    for text in [served, own] {
        let mut command = Command::new("promtool");
        command
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let Ok(mut promtool) = command.kill_on_drop(true).spawn() else {
            oracle::skip("promtool", "Debian: apt-get install prometheus");
            return;
        };
        let mut stdin = promtool.stdin.take().expect("a pipe");
        stdin.write_all(text.as_bytes()).await.expect("it reads");
        drop(stdin);
        let output = promtool.wait_with_output().await.expect("it ends");
        let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        // 1: it cannot be read. Its advice on naming (3) is for those who choose names; those of kube-state-metrics are
        // given.
        assert!(matches!(output.status.code(), Some(0 | 3)), "{said}\n{text}");
    }
}
