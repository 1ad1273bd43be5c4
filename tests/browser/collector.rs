//! The real binary with the exporter `web`, between a simulated cluster and a browser.

use std::time::Duration;

use crate::browser::PATIENCE;
use crate::cluster::{BINARY, Cluster};
use crate::http::answer;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;
use tokio::time::timeout;

/// The watches of `k8s_job`.
const WATCHES: usize = 8;

const PIPELINE: &str = "
receivers:
  k8s_job:
    collection_interval: 1s
    # All watches deliver the Jobs of a day within this time, also on a busy machine.
    settle_time: 3s
    cluster_name: prod-eu-1
processors:
  reason_enrichment:
exporters:
  web:
    endpoint: 127.0.0.1:0
service:
  telemetry: {metrics: {readers: []}}
  pipelines:
    logs: {receivers: [k8s_job], processors: [reason_enrichment], exporters: [web]}
    metrics: {receivers: [k8s_job], exporters: [web]}
";

/// A running collector and its cluster.
pub(crate) struct Collector {
    pub(crate) cluster: Cluster,
    /// `127.0.0.1:PORT` of the pages.
    pub(crate) address: String,
    _process: Child,
}

impl Collector {
    /// Starts a collector on an empty cluster and waits until it watches. `name` is unique to the test.
    pub(crate) async fn start(name: &str) -> Collector {
        let cluster = Cluster::start(name).await;
        let config = cluster.folder.join("pipeline.yaml");
        std::fs::write(&config, PIPELINE).expect("a file");
        let mut process = cluster
            .command(BINARY, &format!("run --config {}", config.display()))
            .spawn()
            .expect("the collector starts");
        let mut log = BufReader::new(process.stderr.take().expect("a pipe")).lines();
        let address = async {
            let mut seen = String::new();
            loop {
                let Some(line) = log.next_line().await.expect("the log") else {
                    panic!("it ended:\n{seen}")
                };
                let address = line.split("http://").nth(1).and_then(|rest| rest.split('/').next());
                if let Some(address) = address.filter(|_| line.contains("serving the page")) {
                    return address.to_owned();
                }
                seen += &(line + "\n");
            }
        };
        let address = timeout(PATIENCE, address).await.expect("it names its address");
        tokio::spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
        let opened = cluster.simulator.until_opened(WATCHES);
        timeout(PATIENCE, opened).await.expect("it watches");
        Collector {
            cluster,
            address,
            _process: process,
        }
    }

    /// The URL of a page.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Waits until the JSON API shows at least that many events.
    pub(crate) async fn until_events(&self, query: &str, least: usize) {
        let mut last = String::new();
        let waiting = async {
            let mut pace = tokio::time::interval(Duration::from_millis(100));
            loop {
                pace.tick().await;
                let path = format!("/api/v1/events?limit=1&{query}");
                (_, last) = answer(&self.address, &path, "*/*").await.expect("an answer");
                let list: serde_json::Value = serde_json::from_str(&last).expect("JSON");
                if list["matching"]
                    .as_u64()
                    .is_some_and(|matching| matching as usize >= least)
                {
                    return;
                }
            }
        };
        let waited = timeout(PATIENCE, waiting).await;
        assert!(waited.is_ok(), "fewer than {least} events: {last}");
    }
}
