//! The exporter `k8s_events`: Events on the Jobs and CronJobs of a simulated cluster, as people and programs see them.

use std::path::Path;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use simulator::{Fault, Ids, Matching, Resource, Scenario, Simulator, SimulatorOptions, Verb};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::backends::notices::{cronjob, job, pod};
use crate::backends::setup::{PATIENCE, Setup};
use crate::backends::together::free_address;
use crate::http;
use crate::oracle;

const CREATE: Matching = Matching {
    resource: Some(Resource::Events),
    verb: Some(Verb::Create),
};

/// A pipeline from the receiver with these settings to the exporter.
fn pipeline(receiver: &str) -> String {
    format!(
        "receivers:\n  k8s_job: {{{receiver}}}\nprocessors:\n  reason_enrichment:\nexporters:\n  k8s_events:\n    \
         retry_on_failure: {{initial_interval: 100ms}}\nservice:\n  pipelines:\n    \
         logs: {{receivers: [k8s_job], processors: [reason_enrichment], exporters: [k8s_events]}}\n"
    )
}

/// Starts the collector, or starts it again after a kill.
async fn collect(setup: &mut Setup, config: &str) {
    let kubeconfig = setup.folder.join("kubeconfig");
    let kubeconfig = format!("exporters.k8s_events.kubeconfig={}", kubeconfig.display());
    setup
        .collect(config, &[kubeconfig], &[("HOSTNAME", "collector-7f9c")])
        .await;
}

/// Plays a shipped scenario that began a minute ago.
fn play(setup: &Setup, name: &str, seed: u64) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("simulator/scenarios/{name}.yaml"));
    let scenario = Scenario::parse(&std::fs::read_to_string(path).unwrap()).unwrap();
    let start = Timestamp::now() - SignedDuration::from_mins(1);
    setup.play(scenario.timeline(start, &mut Ids::new(seed)));
}

/// A watch of the Events that the collector writes.
struct Written(BufReader<TcpStream>);

impl Written {
    async fn watch(simulator: &Simulator) -> Written {
        let mut stream = TcpStream::connect(simulator.address()).await.unwrap();
        let request = "GET /api/v1/events?watch=1&resourceVersion=1000&fieldSelector=reportingComponent%3Dkube-job-collector \
                       HTTP/1.1\r\nhost: simulator\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        Written(BufReader::new(stream))
    }

    /// The next Event: `KIND/NAME`, reason and message.
    async fn next(&mut self) -> (String, String, String) {
        let next = async {
            loop {
                let mut line = String::new();
                assert!(self.0.read_line(&mut line).await.unwrap() > 0, "the watch ended");
                if line.starts_with("{\"type\":\"ADDED\"") {
                    let event: Value = serde_json::from_str(&line).unwrap();
                    return event["object"].clone();
                }
            }
        };
        let event = tokio::time::timeout(PATIENCE, next)
            .await
            .expect("the collector writes an Event");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let object = &event["involvedObject"];
        let name = format!("{}/{}", text(&object["kind"]), text(&object["name"]));
        (name, text(&event["reason"]), text(&event["message"]))
    }

    /// The next Events in the order of their objects.
    async fn take(&mut self, count: usize) -> Vec<(String, String, String)> {
        let mut events = Vec::new();
        for _ in 0..count {
            events.push(self.next().await);
        }
        events.sort();
        events
    }
}

/// The Events in the cluster that the collector wrote.
fn own(simulator: &Simulator) -> Vec<Value> {
    let events = simulator.store().list(Resource::Events).into_iter();
    events
        .filter(|event| event["reportingComponent"] == "kube-job-collector")
        .collect()
}

#[tokio::test]
async fn a_failed_run_is_on_the_job_and_the_cronjob() {
    let mut setup = Setup::new("k8s-events").await;
    collect(
        &mut setup,
        &pipeline("missed_runs: {enabled: false}, stalled: {enabled: false}"),
    )
    .await;
    let mut written = Written::watch(&setup.simulator).await;
    play(&setup, "cron-failing", 1);
    let run = written.take(2).await;
    let [(cronjob, reason, message), (job, of_job, _)] = &*run else {
        panic!("{run:?}")
    };
    assert_eq!(
        (&**cronjob, &**reason, &**of_job),
        ("CronJob/nightly", "NonZeroExit", "NonZeroExit")
    );
    let name = job.strip_prefix("Job/").unwrap();
    assert_eq!(
        *message,
        format!(
            "Job {name}: Failed after 1 attempt (backoffLimit: 0): container main exited with code 13. Next step: Read \
             the container's log around the time it ended; the exit code is the program's own."
        )
    );
    play(&setup, "out-of-memory", 2);
    let (job, reason, message) = written.next().await;
    assert_eq!((&*job, &*reason), ("Job/cohort-rollup", "OutOfMemory"));
    assert_eq!(
        message,
        "Failed after 1 attempt (backoffLimit: 0): container main was killed because it exceeded its memory limit. Next \
         step: Raise resources.limits.memory, or make the program use less."
    );
    let log = setup.stop().await;
    assert!(!log.contains("ERROR"), "{log}");
    let events = own(&setup.simulator);
    assert_eq!(events.len(), 3);
    for event in &events {
        let object = &event["involvedObject"];
        let resource = match object["kind"].as_str() {
            Some("Job") => Resource::Jobs,
            _ => Resource::CronJobs,
        };
        let text = |key: &str| object[key].as_str().unwrap_or_default();
        // The run is deleted, because the CronJob keeps no failed ones.
        if let Some(live) = setup.simulator.store().get(resource, text("namespace"), text("name")) {
            assert_eq!(object["uid"], live["metadata"]["uid"]);
        }
        assert_eq!(event["reportingInstance"], "collector-7f9c");
    }
    kubectl_shows_the_cause(&setup).await;
    explain_ignores_own_events(&setup, name).await;
}

/// The answers about a live Job, a deleted run and a CronJob do not depend on Events of the collector.
async fn explain_ignores_own_events(setup: &Setup, run: &str) {
    let explain = async |args: &str| {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_kube-job-collector"));
        let kubeconfig = setup.folder.join("kubeconfig");
        command
            .arg("explain")
            .args(args.split(' '))
            .env_clear()
            .env("KUBECONFIG", kubeconfig);
        let output = command.output().await.unwrap();
        let texts = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        (output.status.code(), texts)
    };
    let run = format!("{run} -n billing -o json");
    let all = [
        "cohort-rollup -n analytics -o json",
        &run,
        "cronjob/nightly -n billing -o json",
    ];
    let mut with = Vec::new();
    for args in all {
        with.push(explain(args).await);
    }
    assert!(with[0].1[0].contains("OutOfMemory"), "{with:?}");
    for event in own(&setup.simulator) {
        let text = |key: &str| event["metadata"][key].as_str().unwrap_or_default().to_owned();
        let (namespace, name) = (text("namespace"), text("name"));
        setup
            .simulator
            .store()
            .delete(Resource::Events, &namespace, &name)
            .unwrap();
    }
    for (args, with) in all.iter().zip(with) {
        assert_eq!(explain(args).await, with, "{args}");
    }
}

/// As people see it, if kubectl is in PATH.
async fn kubectl_shows_the_cause(setup: &Setup) {
    for args in ["describe job cohort-rollup", "events --for job/cohort-rollup"] {
        let mut kubectl = tokio::process::Command::new("kubectl");
        kubectl
            .arg("--kubeconfig")
            .arg(setup.folder.join("kubeconfig"))
            .args(["--cache-dir"])
            .arg(setup.folder.join("cache"))
            .args(["--namespace", "analytics"])
            .args(args.split(' '));
        let Ok(output) = kubectl.output().await else {
            return oracle::skip("kubectl", "https://kubernetes.io/docs/tasks/tools/");
        };
        let shown = String::from_utf8_lossy(&output.stdout);
        let line = shown.lines().find(|line| line.contains("OutOfMemory"));
        let line = line.unwrap_or_else(|| panic!("{shown}{}", String::from_utf8_lossy(&output.stderr)));
        assert!(
            line.contains("Warning") && line.ends_with("make the program use less."),
            "{line}"
        );
    }
}

/// The answer to the first request is lost, and the collector is killed before another one.
#[tokio::test]
async fn a_killed_collector_writes_no_second_event() {
    let mut setup = Setup::new("k8s-events-killed").await;
    let storage = setup.folder.join("state");
    let config = pipeline("on_first_start: report_finished, storage: file_storage, stalled: {enabled: false}")
        + &format!(
            "  extensions: [file_storage]\nextensions:\n  file_storage: {{directory: {}, timeout: 30s}}\n",
            storage.display()
        );
    setup.simulator.answer_next(1, CREATE, Fault::LostAnswer);
    setup.simulator.answer_next(100, CREATE, Fault::Silence);
    collect(&mut setup, &config).await;
    let mut written = Written::watch(&setup.simulator).await;
    play(&setup, "out-of-memory", 1);
    let first = written.next().await;
    // The collector before is killed.
    let opened = setup.simulator.opened_watches();
    collect(&mut setup, &config).await;
    setup.simulator.clear_faults();
    let watching = setup.simulator.until_opened(opened + 8);
    tokio::time::timeout(PATIENCE, watching).await.expect("it watches");
    // The list contains the first Job, which is sent again; draining waits for both.
    play(&setup, "evicted", 2);
    assert_eq!(written.next().await.0, "Job/session-join");
    let log = setup.stop().await;
    assert!(!log.contains("ERROR"), "{log}");
    let requests = setup.simulator.requests();
    let creates = requests
        .iter()
        .filter(|request| request.verb == Some(Verb::Create) && request.resource == CREATE.resource);
    assert!(
        creates.count() >= 3,
        "the Event of the first Job is sent again after the kill"
    );
    assert_eq!(first.0, "Job/cohort-rollup");
    assert_eq!(own(&setup.simulator).len(), 2, "one for each Job");
}

#[tokio::test]
async fn stalls_and_missed_runs_become_events() {
    let options = SimulatorOptions {
        bookmark_interval: Duration::from_millis(500),
        ..SimulatorOptions::default()
    };
    let mut setup = Setup::with("k8s-events-notices", options).await;
    let store = setup.simulator.store().clone();
    store.put(Resource::Jobs, job()).unwrap();
    let message = "Back-off pulling image \"shop/report:2\"";
    let waiting = json!({"waiting": {"reason": "ImagePullBackOff", "message": message}});
    store.put(Resource::Pods, pod(waiting)).unwrap();
    collect(&mut setup, &pipeline("stalled: {after: 1s}, missed_runs: {grace: 1s}")).await;
    let mut written = Written::watch(&setup.simulator).await;
    let (object, reason, message) = written.next().await;
    assert_eq!((&*object, &*reason), ("Job/report", "StalledImagePull"));
    assert!(
        message.starts_with("Stalled for ") && message.contains(" Next step: "),
        "{message}"
    );
    store.put(Resource::CronJobs, cronjob()).unwrap();
    let (object, reason, message) = written.next().await;
    assert_eq!((&*object, &*reason), ("CronJob/tick", "MissedRunControllerLate"));
    assert!(message.contains("did not start in time"), "{message}");
    let log = setup.stop().await;
    assert!(!log.contains("ERROR"), "{log}");
    let stalls = own(&setup.simulator)
        .into_iter()
        .filter(|event| event["involvedObject"]["kind"] == "Job");
    assert_eq!(stalls.count(), 1, "the Event about the stall is no progress of the Job");
}

#[tokio::test]
async fn readiness_names_the_missing_permission() {
    let mut setup = Setup::new("k8s-events-forbidden").await;
    let health = free_address();
    let config = pipeline("stalled: {enabled: false}")
        + &format!("  extensions: [health_check]\nextensions:\n  health_check: {{endpoint: \"{health}\"}}\n");
    setup.simulator.forbid(Verb::Create, Resource::Events);
    collect(&mut setup, &config).await;
    let mut written = Written::watch(&setup.simulator).await;
    play(&setup, "out-of-memory", 1);
    let named = async {
        loop {
            let Ok((head, body)) = http::answer(&health, "/readyz", "*/*").await else {
                continue;
            };
            if body.contains("events is forbidden") {
                return (head, body);
            }
        }
    };
    let (head, body) = tokio::time::timeout(PATIENCE, named).await.expect("it is not ready");
    assert!(head.contains(" 503 "), "{head}");
    assert!(
        body.contains("exporters::k8s_events") && body.contains("verbs: [\\\"create\\\"]"),
        "{body}"
    );
    setup.simulator.permit(Verb::Create, Resource::Events);
    assert_eq!(written.next().await.0, "Job/cohort-rollup");
    let log = setup.stop().await;
    assert!(log.contains("sending works again"), "{log}");
    let startup = log
        .lines()
        .find(|line| line.contains("the account may not create events in every namespace"));
    assert!(startup.is_some_and(|line| line.contains("verbs: [")), "{log}");
}
