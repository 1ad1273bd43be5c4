//! The recordings of a real cluster, played by the simulator through real sockets to the real binary: one event and one
//! count for each decided Job, in spite of any faults of the watches.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::time::Duration;

use crate::deployment::{Deployment, WATCHES};
use crate::support::{corpus, expected};
use serde_json::Value;
use simulator::timeline::{TimelineStep, one_after_another};
use simulator::{ChangeType, Cut, Fault, Matching, Player, Resource, SimulatorOptions, Verb, recording};

/// All recordings, one after another.
fn story() -> Vec<TimelineStep> {
    let read = |name: &String| recording::read(&corpus().join(format!("{name}.jsonl.gz"))).expect("a recording");
    one_after_another(expected().keys().map(read), Duration::ZERO)
}

/// The Jobs of all recordings that end, by UID.
fn decided() -> BTreeMap<String, Value> {
    expected()
        .into_values()
        .flatten()
        .filter(|job| {
            ["Failed", "Succeeded", "Deleted", "Replaced"]
                .iter()
                .any(|o| job["outcome"] == *o)
        })
        .map(|job| (job["uid"].as_str().expect("a UID").to_owned(), job))
        .collect()
}

/// The Jobs that are deleted in these steps, by UID.
fn gone_in(steps: &[TimelineStep]) -> BTreeSet<String> {
    steps
        .iter()
        .filter(|s| s.resource == Resource::Jobs && s.change == ChangeType::Deleted)
        .map(|s| s.object["metadata"]["uid"].as_str().expect("a UID").to_owned())
        .collect()
}

/// One event for each decided Job, as expected, and counts that add up to them.
fn check(deployment: &Deployment) {
    let decided = decided();
    let events = deployment.events();
    assert_eq!(
        events.keys().collect::<Vec<_>>(),
        decided.keys().collect::<Vec<_>>(),
        "events and decided Jobs"
    );
    for (uid, records) in &events {
        assert_eq!(records.len(), 1, "{uid}: one event, no more");
        let (event, job) = (&records[0], &decided[uid]);
        let text = |key: &str| event.get(key).cloned().unwrap_or(Value::Null);
        assert_eq!(text("k8s.job.outcome"), job["outcome"], "{uid}");
        assert_eq!(text("log.record.uid"), *uid);
        if job["outcome"] == "Failed" {
            assert_eq!(text("k8s.job.failure.reason"), job["reason"], "{uid}");
            assert_eq!(text("k8s.job.failure.cause"), job["cause"], "{uid}");
        }
    }

    let count = |outcome: &str| decided.values().filter(|j| j["outcome"] == outcome).count() as i64;
    assert_eq!(
        deployment.sums("k8s.job.failures").values().sum::<i64>(),
        count("Failed")
    );
    assert_eq!(
        deployment.sums("k8s.job.completions").values().sum::<i64>(),
        count("Succeeded")
    );
    let failures = deployment.sums("k8s.job.failures");
    let of = |owner: &str, reason: &str, cause: &str| {
        failures
            .get(&(owner.to_owned(), reason.to_owned(), cause.to_owned()))
            .copied()
            .unwrap_or_default()
    };
    assert_eq!(
        of(
            "deadline-seed/deadline-exceeded-test-job",
            "DeadlineExceeded",
            "RanTooLong"
        ),
        1
    );
    assert_eq!(
        of("cron-failing/nightly", "BackoffLimitExceeded", "NonZeroExit"),
        4,
        "runs of a CronJob share a series"
    );
    assert_eq!(
        of("recreated-same-name/j", "BackoffLimitExceeded", "NonZeroExit"),
        2,
        "one name, two UIDs"
    );
    assert_eq!(
        deployment.intake.violations(),
        [],
        "no two points in one second of a series"
    );
}

async fn finish(mut deployment: Deployment) {
    deployment
        .events_about(&decided().into_keys().collect::<BTreeSet<_>>())
        .await;
    // Draining sends the counts of the last interval.
    let log = deployment.stop().await;
    assert!(!log.contains("ERROR"), "{log}");
    check(&deployment);
}

#[tokio::test]
async fn each_decided_job_gives_one_event_and_one_count() {
    let deployment = Deployment::start("plain").await;
    Player::new(deployment.simulator.store().clone(), story()).play_all();
    finish(deployment).await;
}

#[tokio::test]
async fn also_when_every_watch_is_cut_and_resumed_in_the_middle() {
    let deployment = Deployment::start("cut").await;
    let steps = story();
    let half = steps.len() / 2;
    let mut player = Player::new(deployment.simulator.store().clone(), steps);
    while player.remaining() > half {
        player.step();
    }
    let opened = deployment.simulator.opened_watches();
    assert_eq!(deployment.simulator.cut_watches(Cut::ResetMidLine), WATCHES);
    player.play_all();
    deployment.until_opened(opened + WATCHES).await;
    finish(deployment).await;
}

#[tokio::test]
async fn also_when_a_watch_is_answered_with_410() {
    let deployment = Deployment::start("gone").await;
    let steps = story();
    let (before, after) = steps.split_at(steps.len() / 3);
    Player::new(deployment.simulator.store().clone(), before.to_vec()).play_all();
    // The play pauses until everything was observed and listed again: no client can observe objects that are created
    // and deleted in between.
    deployment.events_about(&gone_in(before)).await;
    let gone = Fault::Status {
        code: 410,
        retry_after: None,
    };
    for (resource, answer, watches) in [(Resource::Jobs, gone, 1), (Resource::Pods, Fault::ExpiredInBand, 2)] {
        let opened = deployment.simulator.opened_watches();
        deployment
            .simulator
            .answer_next(1, Matching::new(Verb::Watch, resource), answer);
        deployment.simulator.cut_watches_of(resource, Cut::End);
        deployment.until_opened(opened + watches).await;
    }
    Player::new(deployment.simulator.store().clone(), after.to_vec()).play_all();
    finish(deployment).await;
}

/// Cases without a recording: a run that its CronJob replaced, one that was merely deleted, a node without memory,
/// which only its own Event shows, and a node that is silent.
#[tokio::test]
async fn stories_are_reported_as_expected() {
    let mut deployment = Deployment::start("stories").await;
    let names = ["cron-replace", "cron-deleted", "system-oom", "node-lost-without-event"];
    let stories = names.map(crate::stories::named);
    for story in &stories {
        let text: String = story.lines.iter().map(|line| format!("{line}\n")).collect();
        let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.jsonl", story.name));
        std::fs::write(&path, text).expect("a file");
        let steps = recording::read(&path).expect("a recording");
        Player::new(deployment.simulator.store().clone(), steps).play_all();
    }
    let uids: BTreeSet<String> = stories.iter().map(|story| story.uid("jobs/j")).collect();
    deployment.events_about(&uids).await;
    let log = deployment.stop().await;
    assert!(!log.contains("ERROR"), "{log}");
    let events = deployment.events();
    for story in &stories {
        let records = &events[&story.uid("jobs/j")];
        assert_eq!(records.len(), 1, "{}", story.name);
        let text = |key: &str| records[0].get(key).and_then(Value::as_str);
        assert_eq!(text("k8s.job.outcome"), Some(story.expected.outcome), "{}", story.name);
        let cause = story.expected.cause.map(|cause| cause.as_str());
        assert_eq!(text("k8s.job.failure.cause"), cause, "{}", story.name);
    }
    let failures = deployment.sums("k8s.job.failures").values().sum::<i64>();
    assert_eq!(failures, 2, "a replaced or deleted run is not a failure");
}

#[tokio::test]
async fn it_asks_for_what_its_cluster_role_allows_and_for_pods_of_jobs_only() {
    let mut requests = Vec::new();
    // A streaming list is a watch; a server without them is asked for pages.
    for version in ["v1.36.2", "v1.33.4"] {
        let options = SimulatorOptions {
            version: version.into(),
            ..SimulatorOptions::default()
        };
        let mut deployment = Deployment::start_with("access", Stdio::piped(), options).await;
        deployment.stop().await;
        requests.extend(deployment.simulator.requests());
    }
    for request in requests.iter().filter(|r| r.resource == Some(Resource::Pods)) {
        assert!(request.query.contains("labelSelector=job-name"), "{}", request.query);
    }
    let asked: BTreeSet<_> = requests
        .iter()
        .filter_map(|r| {
            Some((
                r.resource?.group().to_owned(),
                r.resource?.plural().to_owned(),
                r.verb?.as_str().to_owned(),
            ))
        })
        .collect();
    assert_eq!(asked, cluster_role());
}

/// The rules of the deployed ClusterRole: group, resource, verb.
fn cluster_role() -> BTreeSet<(String, String, String)> {
    let text = include_str!("../../deploy/kustomize/base/rbac.yaml");
    let documents: Vec<Value> = serde_yaml::from_multiple(text).expect("YAML");
    let role = documents
        .iter()
        .find(|d| d["kind"] == "ClusterRole")
        .expect("a ClusterRole");
    let texts = |rule: &Value, key: &str| -> Vec<String> {
        rule[key]
            .as_array()
            .expect("a list")
            .iter()
            .map(|v| v.as_str().expect("a text").to_owned())
            .collect()
    };
    let mut allowed = BTreeSet::new();
    for rule in role["rules"].as_array().expect("rules") {
        for group in texts(rule, "apiGroups") {
            for resource in texts(rule, "resources") {
                for verb in texts(rule, "verbs") {
                    allowed.insert((group.clone(), resource.clone(), verb));
                }
            }
        }
    }
    allowed
}

#[test]
fn the_recordings_hold_what_this_test_is_about() {
    // Deleted Jobs, failures, and Jobs that are deleted within a second of their end.
    let steps = story();
    assert!(
        steps
            .iter()
            .any(|s| s.resource == Resource::Jobs && s.change == ChangeType::Deleted)
    );
    assert_eq!(decided().len(), 69);
}
