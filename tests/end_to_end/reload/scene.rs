//! A collector whose configuration a test changes, between a simulated cluster and two intakes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;

use jiff::Timestamp;
use serde_json::Value;
use simulator::otlp_intake::{OtlpIntake, PointValue, ReceivedRecord};
use simulator::{Ending, Ids, JobGenerator, Player};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::cluster::{BINARY, Cluster};
use crate::deployment::{PATIENCE, WATCHES};
use crate::http::answer;

/// The settings that tests change. The rest is the same in every configuration of a test.
#[derive(Clone)]
pub(crate) struct Pipeline {
    /// The URL of `otlp_http`.
    pub endpoint: String,
    /// Further keys of `otlp_http`, in the flow style.
    pub exporter: String,
    /// `connectors::job_metrics::interval`.
    pub interval: &'static str,
    /// `receivers::k8s_job::settle_time`.
    pub settle_time: &'static str,
    /// `service::telemetry::logs::level`.
    pub level: &'static str,
    /// Further exporters, in the block style, and their use in the pipeline of logs.
    pub extra: Option<(&'static str, &'static str)>,
}

impl Pipeline {
    /// The pipeline with which a test begins.
    pub(crate) fn to(intake: &OtlpIntake) -> Pipeline {
        Pipeline {
            endpoint: intake.url(),
            exporter: "timeout: 5s".into(),
            interval: "1s",
            settle_time: "100ms",
            level: "info",
            extra: None,
        }
    }

    fn yaml(&self, cluster: &Cluster) -> String {
        let (exporter, used) = self.extra.unwrap_or_default();
        format!(
            "receivers:
  k8s_job:
    kubeconfig: {kubeconfig}
    settle_time: {settle_time}
    collection_interval: 1h
processors:
  reason_enrichment:
connectors:
  job_metrics:
    interval: {interval}
exporters:
  otlp_http: {{endpoint: \"{endpoint}\", {further}}}
{exporter}
extensions:
  health_check: {{endpoint: 127.0.0.1:0}}
service:
  extensions: [health_check]
  telemetry:
    logs: {{level: {level}}}
    metrics: {{readers: [{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: 0, without_scope_info: true}}}}}}}}]}}
  pipelines:
    logs:
      receivers: [k8s_job]
      processors: [reason_enrichment]
      exporters: [otlp_http, job_metrics{used}]
    metrics:
      receivers: [k8s_job, job_metrics]
      exporters: [otlp_http]
",
            kubeconfig = cluster.kubeconfig().display(),
            settle_time = self.settle_time,
            interval = self.interval,
            endpoint = self.endpoint,
            further = self.exporter,
            level = self.level,
        )
    }
}

/// The cluster, the intakes, and the collector.
pub(crate) struct Scene {
    pub cluster: Cluster,
    /// Where the first configuration sends.
    pub first: OtlpIntake,
    /// Where another one may send.
    pub second: OtlpIntake,
    process: Child,
    log: watch::Receiver<String>,
    jobs: JobGenerator,
    created: usize,
}

impl Scene {
    /// Starts all with the pipeline to the first intake, and waits until the collector watches. `name` is unique to the test.
    pub(crate) async fn start(name: &str, args: &str) -> Scene {
        Scene::start_with(name, args, |_| "pipeline.yaml".into()).await
    }

    /// As [`Scene::start`]; `path` prepares the folder and returns where in it the configuration is.
    pub(crate) async fn start_with(name: &str, args: &str, path: impl FnOnce(&Cluster) -> PathBuf) -> Scene {
        let scene = Scene::launch(name, args, path).await;
        scene.until_watching().await;
        scene
    }

    /// As [`Scene::start_with`], without waiting.
    pub(crate) async fn launch(name: &str, args: &str, path: impl FnOnce(&Cluster) -> PathBuf) -> Scene {
        let cluster = Cluster::start(name).await;
        let first = OtlpIntake::start(None).await.expect("the intake starts");
        let second = OtlpIntake::start(None).await.expect("the intake starts");
        let config = cluster.folder.join(path(&cluster));
        std::fs::write(&config, Pipeline::to(&first).yaml(&cluster)).expect("a configuration");
        let mut process = cluster
            .command(BINARY, &format!("run --config {} {args}", config.display()))
            .env("SECRET", "hunter2hunter2")
            .stdout(Stdio::null())
            .spawn()
            .expect("the collector starts");
        let (lines, log) = watch::channel(String::new());
        let mut stderr = BufReader::new(process.stderr.take().expect("a pipe")).lines();
        tokio::spawn(async move {
            while let Ok(Some(line)) = stderr.next_line().await {
                lines.send_modify(|log| *log = format!("{log}{line}\n"));
            }
        });
        Scene {
            jobs: JobGenerator::new("shop", 20, Timestamp::now(), Ids::new(1)),
            cluster,
            first,
            second,
            process,
            log,
            created: 0,
        }
    }

    /// Waits until the collector watches.
    pub(crate) async fn until_watching(&self) {
        timeout(PATIENCE, self.cluster.simulator.until_opened(WATCHES))
            .await
            .unwrap_or_else(|_| panic!("it does not watch:\n{}", self.log()));
        self.until_lines("initial lists complete", 1).await;
    }

    /// Replaces the configuration, as an editor does.
    pub(crate) fn write(&self, pipeline: &Pipeline) {
        self.write_text(&pipeline.yaml(&self.cluster));
    }

    /// The same with any text.
    pub(crate) fn write_text(&self, text: &str) {
        let (file, new) = (self.file("pipeline.yaml"), self.file("pipeline.yaml.new"));
        std::fs::write(&new, text).expect("a configuration");
        std::fs::rename(&new, &file).expect("a configuration");
    }

    /// The text of a pipeline.
    pub(crate) fn yaml(&self, pipeline: &Pipeline) -> String {
        pipeline.yaml(&self.cluster)
    }

    /// A path in the folder of the test.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.cluster.folder.join(name)
    }

    /// Replaces the configuration, sends SIGHUP, and waits until it is applied.
    pub(crate) async fn reload(&self, pipeline: &Pipeline) {
        self.reload_text(&pipeline.yaml(&self.cluster)).await;
    }

    /// The same with any text.
    pub(crate) async fn reload_text(&self, text: &str) {
        let before = self.lines("configuration reloaded").len();
        self.write_text(text);
        self.signal("HUP");
        self.until_lines("configuration reloaded", before + 1).await;
    }

    /// Sends the collector a signal: `HUP`, `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.process.id().expect("it runs").to_string();
        let sent = std::process::Command::new("kill").args(["-s", name, &pid]).status();
        assert!(sent.expect("kill").success());
    }

    /// The log so far.
    pub(crate) fn log(&self) -> String {
        self.log.borrow().clone()
    }

    /// The lines of the log with this text.
    pub(crate) fn lines(&self, text: &str) -> Vec<String> {
        let log = self.log();
        log.lines()
            .filter(|line| line.contains(text))
            .map(str::to_owned)
            .collect()
    }

    /// Waits until the log has so many lines with this text, and returns the last of them.
    pub(crate) async fn until_lines(&self, text: &str, count: usize) -> String {
        let mut log = self.log.clone();
        let so = log.wait_for(|log| log.lines().filter(|line| line.contains(text)).count() >= count);
        match timeout(PATIENCE, so).await {
            Ok(Ok(_)) => {}
            _ => panic!("no {count} lines with {text:?} in\n{}", self.log()),
        }
        self.lines(text).swap_remove(count - 1)
    }

    /// Jobs fail and are deleted at once; their UIDs.
    pub(crate) fn fail_jobs(&mut self, count: usize) -> Vec<String> {
        let mut uids = Vec::new();
        for _ in 0..count {
            self.created += 1;
            let name = format!("job-{}", self.created);
            let job = self.jobs.job(&name, Ending::Failed, Some(0), Timestamp::now());
            uids.push(job.uid);
            Player::new(self.cluster.simulator.store().clone(), job.steps).play_all();
        }
        uids
    }

    /// How many events of each Job arrived at an intake.
    pub(crate) fn events(intake: &OtlpIntake) -> BTreeMap<String, usize> {
        let mut events = BTreeMap::new();
        let finished = |record: &ReceivedRecord| record.event_name == "k8s.job.finished";
        for record in intake.records().into_iter().filter(finished) {
            let uid = record.attributes["k8s.job.uid"].as_str().expect("a UID").to_owned();
            *events.entry(uid).or_default() += 1;
        }
        events
    }

    /// How many failures the points that arrived at both intakes count.
    pub(crate) fn failures(&self) -> i64 {
        let points = self.first.points().into_iter().chain(self.second.points());
        let counts = points.filter(|point| point.metric == "k8s.job.failures");
        counts
            .map(|point| match point.value {
                PointValue::Int(count) => count,
                _ => 0,
            })
            .sum()
    }

    /// Waits until the events of so many Jobs and their counts arrived at both intakes together.
    pub(crate) async fn until_reported(&self, jobs: usize) {
        let (mut first, mut second) = (self.first.subscribe(), self.second.subscribe());
        let arrived = async {
            loop {
                let events = Scene::events(&self.first).len() + Scene::events(&self.second).len();
                if events >= jobs && self.failures() >= i64::try_from(jobs).expect("few Jobs") {
                    return;
                }
                tokio::select! {
                    _ = first.recv() => {}
                    _ = second.recv() => {}
                }
            }
        };
        if timeout(PATIENCE, arrived).await.is_err() {
            let events = (Scene::events(&self.first).len(), Scene::events(&self.second).len());
            panic!(
                "expected {jobs} events and counts, found {events:?} and {}\n{}",
                self.failures(),
                self.log()
            );
        }
    }

    /// The status code and the body of `/readyz`.
    pub(crate) async fn readiness(&self) -> (u16, Value) {
        let line = self.until_lines("health check listening", 1).await;
        let address = line.rsplit("endpoint=").next().expect("an address").to_owned();
        let (head, body) = answer(address.trim(), "/readyz", "*/*").await.expect("an answer");
        let code = head.split(' ').nth(1).expect("a code").parse().expect("a number");
        (code, serde_json::from_str(&body).expect("JSON"))
    }

    /// The value of one of the collector's own metrics, with its labels.
    pub(crate) async fn own_metric(&self, series: &str) -> f64 {
        let line = self.until_lines("serving own metrics", 1).await;
        let address = line.split("http://").nth(1).and_then(|rest| rest.split('/').next());
        let (_, page) = answer(address.expect("an address"), "/metrics", "*/*")
            .await
            .expect("an answer");
        let values = page.lines().filter_map(|line| line.rsplit_once(' '));
        let value = values
            .filter(|(found, _)| *found == series)
            .map(|(_, value)| value)
            .next();
        let value = value.unwrap_or_else(|| panic!("no {series} in\n{page}"));
        value.parse().expect("a number")
    }

    /// The lists and watches that the collector has opened.
    pub(crate) fn requests(&self) -> usize {
        let requests = self.cluster.simulator.requests();
        requests.iter().filter(|request| request.verb.is_some()).count()
    }

    /// Stops the collector, waits until it has drained, and returns its log.
    pub(crate) async fn stop(&mut self) -> String {
        self.signal("TERM");
        let status = timeout(PATIENCE, self.process.wait()).await.expect("it stops");
        // The end of the log may arrive after the end of the process.
        while self.log.changed().await.is_ok() {}
        assert!(status.expect("an exit status").success(), "{}", self.log());
        self.log()
    }
}
