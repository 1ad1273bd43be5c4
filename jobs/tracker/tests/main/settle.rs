//! When a verdict is due: once the evidence in flight has had the settle time to arrive.

use jiff::{SignedDuration, Timestamp};
use job_tracker::checkpoint::Checkpoint;
use job_tracker::{Tracker, TrackerSettings};
use job_watch::{Kind, Object, Observation, Source};
use serde_json::json;

const JOBS: Source = Source {
    kind: Kind::Jobs,
    scope: 0,
};

fn second(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn tracker() -> Tracker {
    let mut tracker = Tracker::new(TrackerSettings {
        settle: SignedDuration::from_secs(1),
        ..TrackerSettings::default()
    });
    tracker.restore(Checkpoint::new(100), Vec::new());
    tracker.begin(Timestamp::UNIX_EPOCH);
    tracker
}

/// A Job has failed, and may have waited for so many milliseconds to be observed.
fn fails(tracker: &mut Tracker, name: &str, now: Timestamp, waited: i64) {
    let job = json!({"metadata": {"uid": name, "name": name, "namespace": "n"}, "status": {"conditions": [
        {"type": "Failed", "status": "True", "reason": "DeadlineExceeded", "lastTransitionTime": now}]}});
    let job = Object::Job(Box::new(serde_json::from_value(job).unwrap()));
    tracker.apply_waited(
        JOBS,
        Observation::Changed(job),
        now,
        SignedDuration::from_millis(waited),
    );
}

/// How long after its observation a Job is due, milliseconds.
fn due_after(waited: i64) -> i128 {
    let mut tracker = tracker();
    fails(&mut tracker, "a", second(1000), waited);
    tracker
        .next_deadline()
        .unwrap()
        .duration_since(second(1000))
        .as_millis()
}

#[test]
fn waiting_to_be_read_is_part_of_the_settle_time() {
    assert_eq!([0, 25, 175].map(due_after), [1000, 975, 825]);
    // Evidence in flight can still arrive.
    assert_eq!([250, 251, 60_000].map(due_after), [750, 750, 750]);
}

#[test]
fn jobs_are_reported_in_the_order_in_which_they_are_observed() {
    let mut tracker = tracker();
    let ms = SignedDuration::from_millis;
    for (name, at, waited) in [("b", 0, 0), ("a", 100, 175), ("0", 110, 0)] {
        fails(&mut tracker, name, second(1000) + ms(at), waited);
    }
    let mut names = Vec::new();
    while let Some(evidence) = tracker.poll(second(1001) + ms(110)) {
        names.push(evidence.job.name.to_string());
    }
    assert_eq!(names, ["b", "a", "0"]);
    // A clock that is set back delays nothing.
    fails(&mut tracker, "c", second(500), 0);
    assert_eq!(tracker.next_deadline(), Some(second(501)));
}
