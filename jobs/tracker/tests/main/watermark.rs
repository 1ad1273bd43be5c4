//! The watermark of the checkpoint during a list.

use jiff::Timestamp;
use job_event::Uid;
use job_tracker::checkpoint::Checkpoint;
use job_tracker::outbox::AckEvent;
use job_tracker::{Tracker, TrackerSettings};
use job_watch::model::Job;
use job_watch::{Kind, Object, Observation, Source};
use serde_json::json;

#[test]
fn the_watermark_stays_while_jobs_are_listed() {
    let at = |second| Timestamp::from_second(second).unwrap();
    let seen = |name: &str, second| {
        let job = json!({"metadata": {"uid": name, "name": name, "namespace": "n"}, "status": {"conditions": [
            {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "lastTransitionTime": at(second)}]}});
        Observation::Listed(Object::Job(Box::new(serde_json::from_value(job).unwrap())))
    };
    let jobs = Source {
        kind: Kind::Jobs,
        scope: 0,
    };
    let mut tracker = Tracker::new(TrackerSettings::default());
    tracker.restore(Checkpoint::new(100), Vec::new());
    tracker.begin(at(0));
    let now = at(5000);
    tracker.apply(jobs, Observation::ListBegins, now);
    tracker.apply(jobs, seen("first-page", 4000), now);
    let reported = tracker.poll(at(5010)).unwrap();
    assert_eq!(&*reported.job.name, "first-page");
    tracker
        .outbox()
        .apply(&Uid::new(&reported.job.uid), AckEvent::Acknowledged);
    let stored = tracker.outbox().encode(at(5010));
    let mut after = Tracker::new(TrackerSettings::default());
    after.restore(Checkpoint::decode(stored, 100).unwrap(), Vec::new());
    after.begin(at(5020));
    after.apply(jobs, Observation::ListBegins, at(5020));
    for job in [seen("first-page", 4000), seen("second-page", 10)] {
        after.apply(jobs, job, at(5020));
    }
    after.apply(jobs, Observation::ListEnds, at(5020));
    assert_eq!(&*after.poll(at(5030)).unwrap().job.name, "second-page");
    assert!(after.poll(at(5030)).is_none());
}

#[test]
fn the_rest_of_a_replay_that_paused_is_no_news() {
    let at = |second| Timestamp::from_second(second).unwrap();
    let old = json!({"metadata": {"uid": "old", "name": "old", "namespace": "n", "resourceVersion": "7"}, "status": {"conditions": [
        {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "lastTransitionTime": at(4000)}]}});
    let old: Box<Job> = Box::new(serde_json::from_value(old).unwrap());
    let jobs = Source {
        kind: Kind::Jobs,
        scope: 0,
    };
    let mut tracker = Tracker::new(TrackerSettings::default());
    tracker.restore(Checkpoint::new(100), Vec::new());
    tracker.begin(at(5000));
    for observation in [
        Observation::ListBegins,
        Observation::ReplayBegins { version: 10 },
        Observation::ListEnds,
        Observation::ReplayEnds { complete: true },
        Observation::Deleted(Object::Job(old)),
    ] {
        tracker.apply(jobs, observation, at(5001));
    }
    assert!(tracker.poll(at(5010)).is_none(), "it finished before Jobs are reported");
}
