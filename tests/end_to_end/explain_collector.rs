//! `explain` of Jobs that only the collector remembers: the real binary asks the real collector, with the exporter `web`, through
//! the simulated API server's proxy.

use jiff::SignedDuration;
use serde_json::{Value, json};
use simulator::Resource;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::cluster::{BINARY, Cluster, Ran};
use crate::deployment::{PATIENCE, WATCHES};
use crate::explain::{MINUTES_AGO, assert_contains};
use crate::explain_stalled::{add, records};

/// So long ago that no Event of it exists.
pub(crate) const LONG_AGO: SignedDuration = SignedDuration::from_mins(90);

const PIPELINE: &str = "
receivers:
  k8s_job:
    settle_time: 100ms
    stalled: {after: 1s}
    storage: file_storage
processors:
  reason_enrichment:
exporters:
  web:
    endpoint: 127.0.0.1:0
    storage: file_storage
extensions:
  file_storage:
    directory: FOLDER
service:
  extensions: [file_storage]
  telemetry:
    metrics:
      readers: []
  pipelines:
    logs:
      receivers: [k8s_job]
      processors: [reason_enrichment]
      exporters: [web]
";

/// A running collector behind the Service that `explain` asks.
pub(crate) struct Collector {
    process: Child,
    address: String,
}

impl Collector {
    /// Starts it and waits until it watches.
    pub(crate) async fn start(cluster: &Cluster) -> Collector {
        let folder = cluster.folder.join("store");
        std::fs::create_dir_all(&folder).expect("a folder");
        let config = cluster.folder.join("pipeline.yaml");
        let pipeline = PIPELINE.replace("FOLDER", &folder.display().to_string());
        std::fs::write(&config, pipeline).expect("a file");
        let opened = cluster.simulator.opened_watches();
        let mut process = cluster
            .command(BINARY, &format!("run --config {}", config.display()))
            .spawn()
            .expect("the collector starts");
        let mut log = BufReader::new(process.stderr.take().expect("a pipe")).lines();
        let mut seen = String::new();
        let address = loop {
            let line = timeout(PATIENCE, log.next_line()).await.expect("the address");
            let line = line
                .expect("the log")
                .unwrap_or_else(|| panic!("no address in\n{seen}"));
            seen.push_str(&format!("{line}\n"));
            if line.contains("serving the page") {
                let url = line.split("http://").nth(1).expect("a URL");
                break url.split(['/', '"']).next().expect("an address").to_owned();
            }
        };
        // Nobody may be kept from writing its log.
        tokio::spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
        timeout(PATIENCE, cluster.simulator.until_opened(opened + WATCHES))
            .await
            .expect("it watches");
        let endpoint = address.parse().expect("an address");
        let name = "kube-job-collector";
        cluster.simulator.set_service(name, name, "web", Some(endpoint));
        Collector { process, address }
    }

    /// The live stream of its events, which begins now.
    pub(crate) async fn stream(&self) -> EventStream {
        let mut stream = TcpStream::connect(&self.address).await.expect("it listens");
        let request = "GET /api/v1/stream HTTP/1.1\r\nhost: localhost\r\n\r\n";
        stream.write_all(request.as_bytes()).await.expect("a request");
        let mut stream = EventStream(BufReader::new(stream));
        stream.until(": connected").await;
        stream
    }

    /// Stops it, and waits until it has ended.
    async fn stop(mut self) {
        let pid = self.process.id().expect("it runs").to_string();
        let sent = Command::new("kill").args(["-s", "TERM", &pid]).status().await;
        assert!(sent.expect("kill").success());
        let ended = timeout(PATIENCE, self.process.wait()).await.expect("it stops");
        assert!(ended.expect("a status").success());
    }
}

/// Server-sent events.
pub(crate) struct EventStream(BufReader<TcpStream>);

impl EventStream {
    /// Reads until a line contains all of this text.
    pub(crate) async fn until(&mut self, text: &str) {
        let reading = async {
            let mut line = String::new();
            while !line.contains(text) {
                line.clear();
                let read = self.0.read_line(&mut line).await.expect("the stream");
                assert!(read > 0, "the stream ended before {text:?}");
            }
        };
        timeout(PATIENCE, reading)
            .await
            .unwrap_or_else(|_| panic!("no {text:?}"));
    }
}

/// Deletes everything in a namespace, as if it had happened an hour ago.
pub(crate) fn forget(cluster: &Cluster) {
    let store = cluster.simulator.store();
    for resource in [Resource::Jobs, Resource::Pods, Resource::Events, Resource::CronJobs] {
        for object in store.list(resource) {
            let text = |key: &str| object["metadata"][key].as_str().expect("a text").to_owned();
            store
                .delete(resource, &text("namespace"), &text("name"))
                .expect("it goes");
        }
    }
}

/// A cluster without any trace of a Job that failed long ago, and the collector that has seen it.
pub(crate) async fn with_deleted_job(name: &str) -> (Cluster, Collector) {
    let cluster = Cluster::start(name).await;
    let collector = Collector::start(&cluster).await;
    let mut events = collector.stream().await;
    cluster.scenario("retries-exhausted", LONG_AGO).play_all();
    events.until("\"invoice-export\"").await;
    forget(&cluster);
    (cluster, collector)
}

/// The answer without the version of the server.
fn text(ran: &Ran) -> &str {
    ran.out.split("\nServer Version").next().unwrap_or_default()
}

#[tokio::test]
async fn a_job_that_was_deleted_long_ago_is_explained_in_full() {
    let (cluster, collector) = with_deleted_job("kept-deleted").await;
    let command = "explain invoice-export -n billing";
    let ran = cluster.run(command).await;
    assert_eq!((ran.code, &*ran.err), (Some(1), ""), "{}", ran.out);
    assert_contains(
        &ran.out,
        &[
            "billing/invoice-export  Failed  BackoffLimitExceeded\n  cause:    NonZeroExit (application), retry helps: maybe\n",
            "Failed after 3 attempts (backoffLimit: 2): container main exited with code 1: “cannot connect to postgres",
            "    attempt               container  exit  ended                 result\n    invoice-export-",
            "\n  next:     Read the container's log",
            "\n  source:   collector\n  note:     The Job is deleted; the collector kept its event.\n",
        ],
    );
    let as_json = cluster.run(&format!("{command} -o json")).await;
    let record = &records(&as_json)[0];
    assert_eq!(record["attempts"].as_array().map(Vec::len), Some(3), "{record:#}");
    assert_eq!(
        (
            &record["source"],
            &record["evidence"],
            &record["attempts"][0]["exit_code"]
        ),
        (&json!("collector"), &json!("complete"), &json!(1))
    );
    for key in ["next_step", "start_time", "decision_time"] {
        assert!(record[key].is_string(), "{key}: {record:#}");
    }
    assert!(record["duration"].as_f64() > Some(0.0), "{record:#}");

    // The same from what the collector stored.
    collector.stop().await;
    let _collector = Collector::start(&cluster).await;
    let again = cluster.run(command).await;
    assert_eq!((again.code, text(&again)), (Some(1), text(&ran)), "{}", again.err);

    let link = cluster.folder.join("kubectl-why_job");
    std::os::unix::fs::symlink(BINARY, &link).expect("a link");
    let mut plugin = cluster.command(&link, "job invoice-export -n billing");
    let plugin = Ran::from(plugin.output().await.expect("it runs"));
    assert_eq!((plugin.code, text(&plugin)), (Some(1), text(&ran)), "{}", plugin.err);
}

#[tokio::test]
async fn a_job_of_the_same_name_is_another_one() {
    let (cluster, _collector) = with_deleted_job("kept-same-name").await;
    let job = json!({"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": {"spec": {"containers": []}}},
        "metadata": {"namespace": "billing", "name": "invoice-export", "uid": "another"}, "status": {}});
    cluster.simulator.store().create(Resource::Jobs, job).expect("a Job");
    let ran = cluster.run("explain invoice-export -n billing").await;
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    assert_contains(
        &ran.out,
        &[
            "billing/invoice-export  Running\n",
            "  source:   cluster\n",
            "  note:     The collector keeps the event of another Job of this name (UID ",
            "(NonZeroExit).\n",
        ],
    );
}

#[tokio::test]
async fn a_failed_job_without_pods_is_explained_by_the_collector() {
    let cluster = Cluster::start("kept-pods").await;
    let collector = Collector::start(&cluster).await;
    let mut events = collector.stream().await;
    cluster.scenario("retries-exhausted", LONG_AGO).play_all();
    events.until("\"invoice-export\"").await;
    let store = cluster.simulator.store();
    for resource in [Resource::Pods, Resource::Events] {
        for object in store.list(resource) {
            let name = object["metadata"]["name"].as_str().expect("a name");
            store.delete(resource, "billing", name).expect("it goes");
        }
    }
    let of = async |args: &str| {
        let ran = cluster.run(&format!("explain {args} -o json")).await;
        let record = records(&ran).remove(0);
        (record["cause"].clone(), record["source"].clone())
    };
    let kept = (json!("NonZeroExit"), json!("collector"));
    for args in ["invoice-export -n billing", "--all-failed -A"] {
        assert_eq!(of(args).await, kept, "{args}");
        let without = (json!("Unknown"), json!("cluster"));
        assert_eq!(of(&format!("{args} --no-collector")).await, without, "{args}");
    }
}

#[tokio::test]
async fn deleted_jobs_are_among_all_failed() {
    let (cluster, _collector) = with_deleted_job("kept-all-failed").await;
    cluster.scenario("deadline-exceeded", MINUTES_AGO).play_all();
    let mut command = cluster.command(BINARY, "explain --all-failed -A");
    let ran = Ran::from(command.env("COLUMNS", "80").output().await.expect("it runs"));
    assert_eq!((ran.code, &*ran.err), (Some(1), ""), "{}", ran.out);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert!(lines[0].starts_with("    namespace  job"), "{}", ran.out);
    assert!(
        lines[1].starts_with("    default    deadline…test-job  4m ago"),
        "{}",
        ran.out
    );
    assert!(lines[2].starts_with("    billing    invoice-export"), "{}", ran.out);
    assert_eq!(lines[3], "  total:    2 Jobs failed: 1 NonZeroExit, 1 RanTooLong");
    assert!(lines[..5].iter().all(|line| line.chars().count() <= 80), "{}", ran.out);
    assert_contains(
        &ran.out,
        &[
            "\n\nbilling/invoice-export  Failed",
            "    invoice-export-",
            "note:     The Job is deleted",
        ],
    );
    let ran = cluster.run("explain --all-failed -A --since 30m -o json").await;
    let names: Vec<Value> = records(&ran).iter().map(|record| record["name"].clone()).collect();
    assert_eq!(names, [json!("deadline-exceeded-test-job")]);
}

#[tokio::test]
async fn deleted_runs_join_the_table_of_their_cronjob() {
    let cluster = Cluster::start("kept-cronjob").await;
    let collector = Collector::start(&cluster).await;
    let mut events = collector.stream().await;
    add(&cluster, "cron-controller-down", SignedDuration::from_mins(11));
    let jobs = cluster.simulator.store().list(Resource::Jobs);
    let uids: Vec<String> = jobs
        .iter()
        .map(|job| job["metadata"]["uid"].as_str().expect("a UID").to_owned())
        .collect();
    events.until(uids.last().expect("a run")).await;
    let command = "explain cronjob c -n cron-controller-down";
    let before = cluster.run(&format!("{command} -o json")).await;
    let store = cluster.simulator.store();
    for resource in [Resource::Jobs, Resource::Pods, Resource::Events] {
        for object in store.list(resource) {
            let name = object["metadata"]["name"].as_str().expect("a name");
            store.delete(resource, "cron-controller-down", name).expect("it goes");
        }
    }
    let after = cluster.run(&format!("{command} -o json")).await;
    let table = |ran: &Ran| {
        let cronjob = records(ran).pop().expect("the CronJob");
        let runs = cronjob["runs"].as_array().expect("runs").clone();
        let of = |run: &Value| (run["name"].clone(), run["outcome"].clone(), run["slot"].is_string());
        runs.iter()
            .map(of)
            .filter(|(.., has_slot)| *has_slot)
            .collect::<Vec<_>>()
    };
    assert!(
        table(&after).len() >= table(&before).len(),
        "{}\n{}",
        before.out,
        after.out
    );
    assert!(
        table(&before).iter().all(|run| table(&after).contains(run)),
        "{}",
        after.out
    );
    for record in records(&after).iter().filter(|record| record["kind"].is_null()) {
        assert_eq!(record["source"], "collector", "{record:#}");
    }
}

#[tokio::test]
async fn a_stall_whose_events_have_expired_is_explained() {
    let cluster = Cluster::start("kept-stall").await;
    let collector = Collector::start(&cluster).await;
    let mut events = collector.stream().await;
    add(&cluster, "stuck-quota", MINUTES_AGO * 3);
    events.until("QuotaExceeded").await;
    let store = cluster.simulator.store();
    for event in store.list(Resource::Events) {
        let name = event["metadata"]["name"].as_str().expect("a name");
        store.delete(Resource::Events, "stuck-quota", name).expect("it expires");
    }
    for args in ["j -n stuck-quota", "--stalled -A"] {
        let ran = cluster.run(&format!("explain {args}")).await;
        assert_eq!(ran.code, Some(3), "{args}: {}{}", ran.out, ran.err);
        assert_contains(
            &ran.out,
            &[
                "stuck-quota/j  Running\n  cause:    QuotaExceeded",
                "  Not finished, stalled for 1",
                "  next:     ",
                "  source:   collector\n",
            ],
        );
    }
    let ran = cluster.run("explain j -n stuck-quota --no-collector").await;
    assert!(!ran.out.contains("QuotaExceeded"), "{}", ran.out);
}
