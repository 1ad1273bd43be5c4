//! Events in the cluster: content, once for each record, selected by the settings.

use collector_data::Outcome;
use serde_json::json;
use simulator::Fault;

use crate::support::{CREATE, Cluster, cronjob, export, failed, finished, together};

#[tokio::test]
async fn writes_onto_the_job_and_its_cronjob() {
    let cluster = Cluster::start("objects").await;
    let (_host, running) = cluster.exporter("").await;
    assert_eq!(export(&running, cronjob()).await, Outcome::Delivered);
    assert_eq!(export(&running, failed("alone")).await, Outcome::Delivered);
    assert_eq!(
        cluster.summary(),
        [
            "CronJob/report ImagePull",
            "CronJob/report MissedRunConcurrencyForbidden",
            "CronJob/report StalledImagePull",
            "Job/alone OutOfMemory",
            "Job/report-29 ImagePull",
            "Job/report-29 StalledImagePull",
        ]
    );
    let events = cluster.events();
    let event = events
        .iter()
        .find(|event| event["involvedObject"]["name"] == "alone")
        .unwrap();
    assert_eq!(
        event["message"],
        "Failed: container main ran out of memory. Next step: Raise resources.limits.memory."
    );
    assert_eq!(event["type"], "Warning");
    assert_eq!(event["source"], json!({"component": "kube-job-collector"}));
    assert_eq!(event["lastTimestamp"], "2026-11-23T16:14:26Z");
}

#[tokio::test]
async fn the_same_record_makes_no_second_event() {
    let cluster = Cluster::start("once").await;
    for _ in 0..2 {
        let (_host, running) = cluster.exporter("").await;
        for _ in 0..2 {
            assert_eq!(
                export(&running, together([cronjob(), failed("a")])).await,
                Outcome::Delivered
            );
        }
        running.stop().await.unwrap();
    }
    assert_eq!(cluster.events().len(), 6);
}

#[tokio::test]
async fn a_lost_answer_makes_no_second_event() {
    let cluster = Cluster::start("lost").await;
    cluster.simulator.answer_next(2, CREATE, Fault::LostAnswer);
    cluster.simulator.answer_next(1, CREATE, Fault::Reset);
    let (host, running) = cluster.exporter("").await;
    assert_eq!(export(&running, failed("a")).await, Outcome::Delivered);
    assert_eq!(cluster.events().len(), 1);
    assert_eq!(cluster.attempts(), 4);
    assert_eq!(host.metrics.sum("otelcol_exporter_sent_log_records"), Some(1));
}

#[tokio::test]
async fn settings_select_events_and_outcomes() {
    let cluster = Cluster::start("selected").await;
    let (_host, running) = cluster
        .exporter("events: [k8s.job.finished]\noutcomes: [Succeeded, Deleted]")
        .await;
    let outcomes = ["Failed", "Succeeded", "Deleted", "Replaced"];
    let all = outcomes.map(|outcome| finished(&outcome.to_lowercase(), outcome));
    assert_eq!(
        export(&running, together(all.into_iter().chain([cronjob()]))).await,
        Outcome::Delivered
    );
    assert_eq!(
        cluster.summary(),
        ["Job/deleted JobDeleted", "Job/succeeded JobSucceeded"]
    );
    assert!(cluster.events().iter().all(|event| event["type"] == "Normal"));
}
