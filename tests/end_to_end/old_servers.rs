//! Servers older than the recorded ones: their Pods are observed, and their version is reported.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};
use simulator::timeline::TimelineStep;
use simulator::{ChangeType, Player, Resource, SimulatorOptions, recording};

use crate::cluster::Cluster;
use crate::deployment::Deployment;
use crate::older::as_in_1_25;
use crate::record::{explained, file, start, stop, until_recorded};
use crate::support::{corpus, expected};

/// A server without the labels `batch.kubernetes.io/job-name` and `batch.kubernetes.io/controller-uid`.
fn old_server() -> SimulatorOptions {
    SimulatorOptions {
        version: "v1.25.16-eks-a5ec690".into(),
        ..SimulatorOptions::default()
    }
}

/// A reported case, and the cause of its one Job.
fn reported(name: &str) -> (PathBuf, Value) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reported");
    let all = std::fs::read_to_string(folder.join("expected.json")).expect("expected.json");
    let all: BTreeMap<String, Value> = serde_json::from_str(&all).expect("JSON");
    (folder.join(format!("{name}.jsonl")), all[name]["jobs"][0].clone())
}

/// The recording as an old server would have made it.
fn older(path: &Path) -> Vec<TimelineStep> {
    let mut steps = recording::read(path).expect("a recording");
    for step in &mut steps {
        as_in_1_25(step.resource.plural(), &mut step.object);
    }
    steps
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

#[tokio::test]
async fn explain_sees_the_pods_of_an_old_server() {
    for name in ["evicted-request-0", "exec-format-exit-1"] {
        let (path, job) = reported(name);
        let cluster = Cluster::start_with(&format!("explain-old-{name}"), old_server()).await;
        let steps = older(&path);
        let namespace = text(&steps[0].object["metadata"], "namespace").to_owned();
        Player::new(cluster.simulator.store().clone(), steps).play_all();
        let target = format!("{} -n {namespace}", text(&job, "name"));

        let ran = cluster.run(&format!("explain {target} -o json")).await;
        assert_eq!((ran.code, &*ran.err), (Some(1), ""), "{name}");
        let record: Value = serde_json::from_str(&ran.out).expect("a record");
        for key in ["outcome", "reason", "cause"] {
            assert_eq!(record[key], job[key], "{name}: {key}");
        }

        for target in [target, format!("--all-failed -n {namespace}")] {
            let ran = cluster.run(&format!("explain {target}")).await;
            assert!(ran.out.contains(text(&job, "cause")), "{name}: {}", ran.out);
            assert!(
                !ran.out.contains("deleted, with their exit codes"),
                "{name}: {}",
                ran.out
            );
            assert!(
                ran.out.ends_with("\nServer Version: v1.25.16-eks-a5ec690\n"),
                "{}",
                ran.out
            );
            assert!(
                ran.err
                    .starts_with("About Kubernetes v1.25.16-eks-a5ec690: it is older than 1.27, the oldest version"),
                "{}",
                ran.err
            );
        }
    }
}

#[tokio::test]
async fn explain_reads_the_autoscalers_refusal_for_many_pods() {
    let cluster = Cluster::start("explain-scale-up").await;
    let store = cluster.simulator.store();
    let job = json!({"metadata": {"name": "train", "namespace": "ml", "uid": "train"},
        "spec": {"parallelism": 9, "completions": 9}, "status": {"active": 9}});
    store.create(Resource::Jobs, job).expect("a Job");
    let refused = json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
        "message": "0/3 nodes are available: 3 Insufficient cpu."});
    for number in 0..9 {
        let name = format!("train-{number}");
        let pod = json!({"metadata": {"name": name, "namespace": "ml", "uid": name,
                "labels": {"job-name": "train", "controller-uid": "train"},
                "ownerReferences": [{"apiVersion": "batch/v1", "kind": "Job", "name": "train", "uid": "train",
                    "controller": true}]},
            "spec": {"containers": [{"name": "main"}]}, "status": {"phase": "Pending", "conditions": [refused]}});
        store.create(Resource::Pods, pod).expect("a Pod");
        let event = json!({"metadata": {"name": name, "namespace": "ml", "uid": format!("about {name}")},
            "type": "Normal", "reason": "NotTriggerScaleUp", "source": {"component": "cluster-autoscaler"},
            "message": "pod didn't trigger scale-up: 2 max node group size reached",
            "involvedObject": {"kind": "Pod", "apiVersion": "v1", "name": name, "namespace": "ml", "uid": name}});
        store.create(Resource::Events, event).expect("an Event");
    }
    let ran = cluster.run("explain train -n ml -o json").await;
    let record: Value = serde_json::from_str(&ran.out).expect("a record");
    let summary = text(&record, "summary");
    assert!(summary.contains("max node group size"), "{summary}");
}

/// Rancher and other gateways serve several clusters on one host.
#[tokio::test]
async fn every_request_has_the_path_of_the_server() {
    let cluster = Cluster::start("explain-gateway").await;
    let config = std::fs::read_to_string(cluster.kubeconfig()).expect("a kubeconfig");
    let url = cluster.simulator.url();
    std::fs::write(
        cluster.kubeconfig(),
        config.replace(&url, &format!("{url}/k8s/clusters/c-m-1")),
    )
    .expect("written");
    let ran = cluster.run("explain --all-failed -A").await;
    assert_eq!(ran.code, Some(2), "the simulator serves no such path: {}", ran.out);
    let requests = cluster.simulator.requests();
    let paths: BTreeSet<&str> = requests.iter().map(|request| &*request.path).collect();
    let collector = "/api/v1/namespaces/kube-job-collector/services/kube-job-collector:web/proxy/api/v1/events";
    let expected = [collector, "/apis/batch/v1/jobs", "/version"].map(|path| format!("/k8s/clusters/c-m-1{path}"));
    let expected: BTreeSet<&str> = expected.iter().map(String::as_str).collect();
    assert_eq!(paths, expected);
}

#[tokio::test]
async fn record_sees_the_pods_of_an_old_server() {
    let (path, job) = reported("evicted-request-0");
    let cluster = Cluster::start_with("record-old", old_server()).await;
    Player::new(cluster.simulator.store().clone(), older(&path)).play_all();
    let recording = file(&cluster, "old.jsonl");
    let child = start(&cluster, &format!("record -A -o {recording}")).await;
    until_recorded(&cluster, &recording).await;
    assert_eq!(stop(child, "-TERM").await.code, Some(0));
    let records = explained(&cluster, &recording).await;
    assert_eq!(records[0]["cause"], job["cause"]);
}

#[tokio::test]
async fn explain_finds_pods_without_labels_by_their_owner() {
    let (path, job) = reported("exec-format-exit-1");
    let mut steps = recording::read(&path).expect("a recording");
    for step in &mut steps {
        let object = &mut step.object;
        match step.resource {
            Resource::Jobs => {
                object["spec"]["manualSelector"] = true.into();
                object["spec"]["selector"] = json!({"matchLabels": {"app": "certgen"}});
                object["spec"]["template"]["metadata"]["labels"] = json!({"app": "certgen"});
            }
            Resource::Pods => object["metadata"]["labels"] = json!({"app": "certgen"}),
            _ => {}
        }
    }
    let cluster = Cluster::start("explain-manual-selector").await;
    let namespace = text(&steps[0].object["metadata"], "namespace").to_owned();
    let mut foreign = steps
        .iter()
        .find(|step| step.resource == Resource::Pods)
        .expect("a Pod")
        .object
        .clone();
    foreign["metadata"]["name"] = "foreign".into();
    foreign["metadata"]["uid"] = "foreign".into();
    foreign["metadata"]["ownerReferences"] = json!([]);
    Player::new(cluster.simulator.store().clone(), steps).play_all();
    cluster
        .simulator
        .store()
        .create(Resource::Pods, foreign)
        .expect("a Pod");

    for target in [text(&job, "name"), "--all-failed"] {
        let ran = cluster.run(&format!("explain {target} -n {namespace} -o json")).await;
        let record: Value = serde_json::from_str(&ran.out).expect("a record");
        assert_eq!(record["cause"], job["cause"], "{target}");
        assert_eq!(&*ran.err, "", "{target}");
    }
}

#[tokio::test]
async fn explain_names_a_tested_version_without_a_caveat() {
    let cluster = Cluster::start("explain-version").await;
    let (path, job) = reported("exec-format-exit-1");
    Player::new(
        cluster.simulator.store().clone(),
        recording::read(&path).expect("a recording"),
    )
    .play_all();
    let ran = cluster.run("explain --all-failed -A").await;
    assert_eq!(&*ran.err, "");
    assert!(ran.out.contains(text(&job, "name")), "{}", ran.out);
    assert!(ran.out.ends_with("\nServer Version: v1.36.2\n"), "{}", ran.out);
}

#[tokio::test]
async fn the_collector_sees_the_pods_of_an_old_server() {
    let mut deployment = Deployment::start_with("old-server", Stdio::piped(), old_server()).await;
    let mut wanted: BTreeMap<String, Value> = BTreeMap::new();
    let recorded = [
        "deadline-imagepull",
        "oom-onfailure",
        "backoff-exit1-retries",
        "success",
    ];
    let recorded = recorded.map(|name| (corpus().join(format!("{name}.jsonl.gz")), expected()[name][0].clone()));
    let cases = ["evicted-request-0", "exec-format-exit-1"].map(reported);
    for (path, job) in recorded.into_iter().chain(cases) {
        wanted.insert(text(&job, "uid").to_owned(), job);
        Player::new(deployment.simulator.store().clone(), older(&path)).play_all();
    }
    deployment
        .events_about(&wanted.keys().cloned().collect::<BTreeSet<_>>())
        .await;
    let log = deployment.stop().await;
    for (uid, job) in &wanted {
        let event = &deployment.events()[uid][0];
        let found = |key: &str| event.get(key).cloned().unwrap_or(Value::Null);
        let name = text(job, "name");
        assert_eq!(found("k8s.job.outcome"), job["outcome"], "{name}");
        if job["outcome"] == "Failed" {
            assert_eq!(found("k8s.job.failure.reason"), job["reason"], "{name}");
            assert_eq!(found("k8s.job.failure.cause"), job["cause"], "{name}");
        }
        assert_eq!(found("k8s.job.evidence.quality"), "complete", "{name}");
    }
    let version = "version=\"v1.25.16-eks-a5ec690\"";
    let warning = log
        .lines()
        .find(|line| line.contains("this version of Kubernetes is not tested"));
    let warning = warning.expect("a warning about the version");
    assert!(
        warning.contains(version) && warning.contains("DisruptionTarget"),
        "{warning}"
    );
}

#[test]
fn a_played_recording_has_the_shape_of_1_25() {
    let steps = older(&corpus().join("deadline-imagepull.jsonl.gz"));
    let text = steps.iter().map(|step| step.object.to_string()).collect::<String>();
    for newer in [
        "FailureTarget",
        "batch.kubernetes.io/job-name",
        "PodReadyToStartContainers",
    ] {
        assert!(!text.contains(newer), "{newer}");
    }
    let pods = steps
        .iter()
        .filter(|step| step.resource == Resource::Pods && step.change == ChangeType::Added);
    assert!(pods.clone().count() > 0);
    assert!(
        pods.into_iter()
            .all(|step| step.object["metadata"]["labels"]["job-name"].is_string())
    );
}
