//! The process and its environment: standard error and signals.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write;

use crate::deployment::Deployment;
use crate::support::corpus;
use simulator::SimulatorOptions;
use simulator::{ChangeType, Player, Resource, recording};

/// Plays a recording and waits until every Job of it that failed was reported.
async fn reports(deployment: &Deployment) {
    let steps = recording::read(&corpus().join("deadline-seed.jsonl.gz")).expect("a recording");
    let jobs = steps
        .iter()
        .filter(|step| step.resource == Resource::Jobs && step.change != ChangeType::Deleted);
    let uids: BTreeSet<String> = jobs
        .map(|step| step.object["metadata"]["uid"].as_str().expect("a UID").to_owned())
        .collect();
    assert!(!uids.is_empty());
    Player::new(deployment.simulator.store().clone(), steps).play_all();
    deployment.events_about(&uids).await;
}

#[tokio::test]
async fn reports_while_standard_error_is_on_a_full_disk() {
    let full = OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
    let mut deployment = Deployment::start_with("full", full.into(), SimulatorOptions::default()).await;
    reports(&deployment).await;
    deployment.stop().await;
}

#[tokio::test]
async fn reports_while_nobody_reads_standard_error() {
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    // The capacity of a pipe: every further write blocks.
    writer.write_all(&[b'x'; 64 * 1024]).expect("room");
    let mut deployment = Deployment::start_with("unread", writer.into(), SimulatorOptions::default()).await;
    reports(&deployment).await;
    deployment.stop().await;
    drop(reader);
}

#[tokio::test]
async fn reports_after_the_reader_of_standard_error_has_gone() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut deployment = Deployment::start_with("gone-reader", writer.into(), SimulatorOptions::default()).await;
    reports(&deployment).await;
    deployment.stop().await;
}

#[tokio::test]
async fn the_log_names_cluster_destinations_and_what_was_listed() {
    let mut deployment = Deployment::start("startup").await;
    let (server, endpoint) = (deployment.simulator.url(), deployment.intake.url());
    reports(&deployment).await;
    let log = deployment.stop().await;
    for parts in [
        &["starting ", "version=", "pipeline.yaml"][..],
        &["exporting ", "exporter=otlp_http/datadog", &endpoint],
        &[
            "watching the cluster ",
            &server,
            "version=\"v1.",
            "context=",
            "namespaces=\"all\"",
        ],
        &["initial lists complete ", "jobs=0", "cronjobs=0"],
    ] {
        let found = log.lines().filter(|line| parts.iter().all(|part| line.contains(part)));
        assert_eq!(found.count(), 1, "{parts:?} in\n{log}");
    }
}

#[tokio::test]
async fn a_flood_of_unusable_objects_is_a_few_log_lines() {
    let mut deployment = Deployment::start("flood").await;
    for number in 0..2000 {
        let object = serde_json::json!({
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": format!("without-uid-{number}"), "namespace": "shop", "uid": ""},
        });
        let stored = deployment.simulator.store().put(Resource::Jobs, object);
        stored.expect("the simulator takes what no API server would");
    }
    reports(&deployment).await;
    let log = deployment.stop().await;
    let lines = log.matches("skipped an unusable object").count();
    assert!((1..20).contains(&lines), "{lines} lines in\n{log}");
}
