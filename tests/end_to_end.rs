//! The recordings of a real cluster, played by the simulator through real sockets to the real binary: one event and one
//! count for each Job that was decided, whatever happens to the watches.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;
use simulator::timeline::{Step, one_after_another};
use simulator::{Answer, ChangeType, Cut, Matching, Player, Resource, Verb, recording};
use support::{World, corpus, expected};

/// All recordings, one after another.
fn story() -> Vec<Step> {
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

/// One event for each decided Job, as expected, and counts that add up to them.
fn check(world: &World) {
    let decided = decided();
    let events = world.events();
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
    assert_eq!(world.sums("k8s.job.failures").values().sum::<i64>(), count("Failed"));
    assert_eq!(
        world.sums("k8s.job.completions").values().sum::<i64>(),
        count("Succeeded")
    );
    let failures = world.sums("k8s.job.failures");
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
    assert_eq!(world.intake.violations(), [], "no two points in one second of a series");
}

async fn finish(mut world: World) {
    world
        .events_about(&decided().into_keys().collect::<BTreeSet<_>>())
        .await;
    // Draining sends the counts of the last interval.
    let log = world.stop().await;
    assert!(!log.contains("ERROR"), "{log}");
    check(&world);
}

#[tokio::test]
async fn each_decided_job_gives_one_event_and_one_count() {
    let world = World::start("plain").await;
    Player::new(world.simulator.store().clone(), story()).play_all();
    finish(world).await;
}

#[tokio::test]
async fn also_when_every_watch_is_cut_and_resumed_in_the_middle() {
    let world = World::start("cut").await;
    let steps = story();
    let half = steps.len() / 2;
    let mut player = Player::new(world.simulator.store().clone(), steps);
    while player.remaining() > half {
        player.step();
    }
    let opened = world.simulator.opened_watches();
    assert_eq!(world.simulator.cut_watches(Cut::ResetMidLine), support::WATCHES);
    player.play_all();
    world.until_opened(opened + support::WATCHES).await;
    finish(world).await;
}

#[tokio::test]
async fn also_when_a_watch_is_answered_with_410() {
    let world = World::start("gone").await;
    let steps = story();
    // The play stands still meanwhile: what comes and goes before the new list, no client can see.
    let third = steps.len() / 3;
    let mut player = Player::new(world.simulator.store().clone(), steps);
    while player.remaining() > 2 * third {
        player.step();
    }
    let gone = Answer::Status {
        code: 410,
        retry_after: None,
    };
    for (resource, answer, watches) in [(Resource::Jobs, gone, 1), (Resource::Pods, Answer::ExpiredInBand, 2)] {
        let opened = world.simulator.opened_watches();
        world
            .simulator
            .answer_next(1, Matching::new(Verb::Watch, resource), answer);
        world.simulator.cut_watches_of(resource, Cut::End);
        world.until_opened(opened + watches).await;
    }
    player.play_all();
    finish(world).await;
}

#[tokio::test]
async fn pods_are_watched_by_label_only() {
    let mut world = World::start("selector").await;
    world.stop().await;
    let pods: Vec<_> = world
        .simulator
        .requests()
        .into_iter()
        .filter(|r| r.resource == Some(Resource::Pods))
        .collect();
    assert!(!pods.is_empty());
    for request in pods {
        assert!(
            request.query.contains("labelSelector=batch.kubernetes.io%2Fjob-name"),
            "{}",
            request.query
        );
    }
}

#[test]
fn the_recordings_hold_what_this_test_is_about() {
    // Deleted Jobs, failures, and Jobs that are gone within a second of their end.
    let steps = story();
    assert!(
        steps
            .iter()
            .any(|s| s.resource == Resource::Jobs && s.change == ChangeType::Deleted)
    );
    assert_eq!(decided().len(), 69);
}
