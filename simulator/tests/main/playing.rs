//! Recordings and scenarios played into a store.

use crate::client::{Next, watch};
use serde_json::Value;
use simulator::{
    Ids, ObjectStore, Player, Resource, Simulator, SimulatorOptions, TimelineStep, demo_scenarios, recording, timeline,
};
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::Instant;

/// The steps of a recording.
pub(crate) fn recorded(name: &str) -> Vec<TimelineStep> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/recordings/{name}.jsonl.gz"));
    recording::read(&path).unwrap()
}

fn without_version(object: &Value) -> Value {
    let mut object = object.clone();
    object["metadata"].as_object_mut().unwrap().remove("resourceVersion");
    object
}

#[tokio::test]
async fn a_watch_reports_a_recording_unchanged() {
    let simulator = Simulator::start(SimulatorOptions::default()).await.unwrap();
    let steps = timeline::together([recorded("deadline-seed"), recorded("ttl0-failure")]);
    let mut player = Player::new(simulator.store().clone(), steps.clone());
    let mut stream = watch(&simulator, "/api/v1/pods?watch=1").await;
    player.play_all();
    let mut version = 0;
    for step in steps.iter().filter(|step| step.resource == Resource::Pods) {
        let Next::Line(line) = stream.next().await else {
            panic!("the stream ended")
        };
        assert_eq!(line["type"], step.change.as_str());
        assert_eq!(without_version(&line["object"]), without_version(&step.object));
        let next: u64 = line["object"]["metadata"]["resourceVersion"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap();
        assert!(next > version, "versions go up");
        version = next;
    }
    // Both recordings delete the Pods, and one of them the Job.
    assert_eq!(simulator.store().count(Resource::Pods), 0);
    assert_eq!(simulator.store().count(Resource::Jobs), 1);
    simulator.shutdown().await;
}

#[test]
fn a_recording_can_be_played_step_by_step() {
    let store = ObjectStore::default();
    let steps = recorded("deadline-seed");
    let count = steps.len();
    let mut player = Player::new(store.clone(), steps);
    let first = store.resource_version();
    for done in 0..count {
        assert_eq!(
            (player.remaining(), store.resource_version()),
            (count - done, first + done as u64)
        );
        assert!(player.step());
    }
    assert!(!player.step());
}

#[test]
fn changes_of_deleted_objects_are_skipped() {
    let store = ObjectStore::default();
    let mut player = Player::new(store.clone(), recorded("deadline-seed"));
    player.step();
    store
        .delete(Resource::Jobs, "deadline-seed", "deadline-exceeded-test-job")
        .unwrap();
    player.play_all();
    assert_eq!(store.count(Resource::Jobs), 0);
}

#[tokio::test(start_paused = true)]
async fn a_timeline_takes_its_time_divided_by_the_speed() {
    let steps = timeline::one_after_another(
        [recorded("backoff-oom"), recorded("backoff-oom")],
        Duration::from_secs(60),
    );
    let length = steps.last().unwrap().at;
    for speed in [1.0, 8.0] {
        let begin = Instant::now();
        Player::new(ObjectStore::default(), steps.clone()).play(speed).await;
        // Timers have a resolution of a millisecond.
        let off = begin.elapsed().abs_diff(length.div_f64(speed));
        assert!(off <= Duration::from_millis(2), "speed {speed}: off by {off:?}");
    }
    let begin = Instant::now();
    Player::new(ObjectStore::default(), steps).play(f64::INFINITY).await;
    assert!(begin.elapsed() <= Duration::from_millis(2));
}

#[tokio::test(start_paused = true)]
async fn the_demo_plays_to_its_end() {
    let mut ids = Ids::new(1);
    let start = "2026-11-23T16:14:16Z".parse().unwrap();
    let steps = timeline::together(
        demo_scenarios()
            .unwrap()
            .iter()
            .map(|scenario| scenario.timeline(start, &mut ids)),
    );
    let store = ObjectStore::default();
    let mut player = Player::new(store.clone(), steps);
    player.play(10.0).await;
    assert_eq!(player.remaining(), 0);
    // The Jobs of the CronJob and with a time to live of zero are deleted.
    assert_eq!(store.count(Resource::Jobs), 9);
}
