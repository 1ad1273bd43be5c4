//! Jobs that end in a gap of the watch of Jobs, whose Events are listed before they are.

use jiff::{SignedDuration, Timestamp};
use job_event::Evidence;
use job_tracker::replay::read_line;
use job_tracker::{Tracker, TrackerSettings};
use job_watch::{Kind, Object, Observation, Source};
use serde_json::{Value, json};

const START: &str = "2026-11-23T17:00:00Z";

struct Cluster {
    tracker: Tracker,
    now: Timestamp,
}

impl Cluster {
    /// Nothing exists, and everything is listed.
    fn start() -> Cluster {
        let now: Timestamp = START.parse().unwrap();
        let tracker = Tracker::new(TrackerSettings {
            recovers: true,
            ..TrackerSettings::default()
        });
        let mut cluster = Cluster { tracker, now };
        cluster.list(Kind::Jobs, []);
        cluster.list(Kind::JobEvents, []);
        cluster
    }

    fn observe(&mut self, kind: Kind, observation: Observation) {
        self.tracker.apply(Source { kind, scope: 0 }, observation, self.now);
    }

    fn list<const N: usize>(&mut self, kind: Kind, objects: [Object; N]) {
        self.observe(kind, Observation::ListBegins);
        for object in objects {
            self.observe(kind, Observation::Listed(object));
        }
        self.observe(kind, Observation::ListEnds);
    }

    /// The Jobs that are reported in this time.
    fn pass(&mut self, seconds: i64) -> Vec<Evidence> {
        self.now += SignedDuration::from_secs(seconds);
        std::iter::from_fn(|| self.tracker.poll(self.now)).collect()
    }

    /// The time, in the form of the API.
    fn time(&self) -> Value {
        json!(self.now)
    }

    /// A Job that has failed now, and the Event about it.
    fn failed(&self) -> (Object, Object) {
        let time = self.time();
        let metadata = json!({"uid": "u", "name": "import", "namespace": "n", "creationTimestamp": time});
        let condition =
            json!({"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "lastTransitionTime": time});
        let job = json!({"metadata": metadata, "spec": {"backoffLimit": 3}, "status": {"conditions": [condition]}});
        let event = json!({"metadata": {"name": "e", "namespace": "n", "uid": "e", "creationTimestamp": time},
            "type": "Warning", "reason": "BackoffLimitExceeded", "message": "m", "count": 1,
            "source": {"component": "job-controller"}, "firstTimestamp": time, "lastTimestamp": time,
            "involvedObject": {"kind": "Job", "apiVersion": "batch/v1", "namespace": "n", "name": "import", "uid": "u"}});
        (object("jobs", &job), object("events", &event))
    }
}

fn object(resource: &str, object: &Value) -> Object {
    let line = json!({"t": 0, "resource": resource, "type": "ADDED", "object": object});
    match read_line(&line.to_string()).unwrap().observation {
        Some(Observation::Changed(object)) => object,
        other => panic!("{other:?}"),
    }
}

/// True if it was built from the Job itself.
fn is_complete(reports: &[Evidence]) -> bool {
    matches!(reports, [evidence] if evidence.job.spec.backoff_limit == Some(3))
}

#[test]
fn a_job_is_not_reported_from_its_event_before_jobs_are_listed_again() {
    for starts_after_events in [true, false] {
        let mut cluster = Cluster::start();
        cluster.pass(100);
        let (job, event) = cluster.failed();
        cluster.observe(Kind::Jobs, Observation::Interrupted);
        cluster.pass(10);
        if starts_after_events {
            cluster.list(Kind::JobEvents, [event]);
            assert_eq!(cluster.pass(20), [], "the watch of Jobs fails");
            cluster.observe(Kind::Jobs, Observation::ListBegins);
        } else {
            cluster.observe(Kind::Jobs, Observation::ListBegins);
            cluster.observe(Kind::Jobs, Observation::Recovered);
            cluster.list(Kind::JobEvents, [event]);
        }
        assert_eq!(cluster.pass(20), [], "the list is not complete");
        cluster.observe(Kind::Jobs, Observation::Listed(job));
        cluster.observe(Kind::Jobs, Observation::ListEnds);
        assert!(is_complete(&cluster.pass(5)));
        assert_eq!(cluster.pass(300), []);
    }
}

#[test]
fn a_job_that_a_list_lacks_is_reported_soon_from_its_event() {
    let mut cluster = Cluster::start();
    cluster.pass(100);
    let (_, event) = cluster.failed();
    cluster.observe(Kind::Jobs, Observation::Interrupted);
    cluster.pass(10);
    cluster.observe(Kind::Jobs, Observation::ListBegins);
    cluster.list(Kind::JobEvents, [event]);
    cluster.pass(20);
    cluster.observe(Kind::Jobs, Observation::ListEnds);
    let reports = cluster.pass(2);
    assert_eq!(reports.len(), 1);
    assert!(!is_complete(&reports), "it was deleted");
}

#[test]
fn a_list_proves_nothing_about_jobs_that_end_while_it_is_read() {
    let mut cluster = Cluster::start();
    cluster.pass(100);
    cluster.observe(Kind::Jobs, Observation::ListBegins);
    cluster.pass(10);
    let (job, event) = cluster.failed();
    cluster.observe(Kind::JobEvents, Observation::Changed(event));
    cluster.pass(10);
    cluster.observe(Kind::Jobs, Observation::ListEnds);
    assert_eq!(cluster.pass(20), [], "the watch after the list is late");
    cluster.observe(Kind::Jobs, Observation::Changed(job));
    assert!(is_complete(&cluster.pass(5)));
}

#[test]
fn a_job_whose_event_is_under_way_is_not_reported_from_the_event_about_its_end() {
    let mut cluster = Cluster::start();
    let (job, event) = cluster.failed();
    cluster.observe(Kind::Jobs, Observation::Changed(job.clone()));
    assert!(is_complete(&cluster.pass(5)), "the backend does not answer");
    cluster.observe(Kind::Jobs, Observation::Deleted(job));
    // More deleted Jobs than the tracker remembers.
    for number in 0..5000 {
        let other = json!({"metadata": {"uid": format!("other-{number}"), "name": "other", "namespace": "n"}});
        let other = object("jobs", &other);
        cluster.observe(Kind::Jobs, Observation::Changed(other.clone()));
        cluster.observe(Kind::Jobs, Observation::Deleted(other));
    }
    cluster.pass(20);
    cluster.list(Kind::JobEvents, [event]);
    assert_eq!(cluster.pass(300), []);
}
