//! Pods that were never seen, joined to their Jobs by the names in the Events of the Job controller.

use jiff::{SignedDuration, Timestamp};
use job_event::evidence::{Evidence, Pod};
use job_tracker::replay::read_line;
use job_tracker::{Tracker, TrackerSettings, snapshot};
use job_watch::snapshot::Snapshot;
use job_watch::{Kind, Object};
use serde_json::{Value, json};

fn apply(tracker: &mut Tracker, resource: &str, object: Value) {
    let line = json!({"t": 0, "resource": resource, "type": "ADDED", "object": object});
    let recorded = read_line(&line.to_string()).unwrap();
    tracker.apply(recorded.source, recorded.observation.unwrap(), Timestamp::UNIX_EPOCH);
}

fn job(number: usize) -> Value {
    json!({"metadata": {"uid": format!("job-{number}"), "name": format!("j-{number}"), "namespace": "n"},
        "status": {"failed": 1, "conditions": [{"type": "FailureTarget", "status": "True", "reason": "DeadlineExceeded",
            "lastTransitionTime": "2026-11-23T16:01:00Z"}]}})
}

/// An Event of the Job controller that names the Pod of that number.
fn names_pod(number: usize, reason: &str) -> Value {
    let verb = if reason == "SuccessfulCreate" {
        "Created"
    } else {
        "Deleted"
    };
    json!({"metadata": {"uid": format!("{reason}-{number}"), "namespace": "n"}, "reason": reason,
        "message": format!("{verb} pod: p-{number}"), "source": {"component": "job-controller"},
        "firstTimestamp": "2026-11-23T16:01:00Z", "lastTimestamp": "2026-11-23T16:01:00Z",
        "involvedObject": {"apiVersion": "batch/v1", "kind": "Job", "uid": format!("job-{number}")}})
}

fn of_pod(namespace: &str, number: usize, uid: &str) -> Value {
    json!({"metadata": {"uid": format!("e-{uid}"), "namespace": namespace}, "type": "Warning", "reason": "Failed",
        "message": "Failed to pull image \"a:1\": not found", "source": {"component": "kubelet"},
        "firstTimestamp": "2026-11-23T16:00:10Z", "lastTimestamp": "2026-11-23T16:00:50Z", "count": 4,
        "involvedObject": {"apiVersion": "v1", "kind": "Pod", "name": format!("p-{number}"), "uid": uid,
            "fieldPath": "spec.containers{main}"}})
}

fn only_job(mut tracker: Tracker) -> Evidence {
    let mut jobs: Vec<Evidence> = std::iter::from_fn(|| tracker.drain(true)).collect();
    assert_eq!(jobs.len(), 1);
    jobs.remove(0)
}

#[test]
fn a_collector_that_starts_late_knows_a_gone_pod_by_its_warnings() {
    let mut tracker = Tracker::new(TrackerSettings::default());
    for (resource, object) in [
        ("events", of_pod("n", 1, "p")),
        ("jobs", job(1)),
        ("events", names_pod(1, "SuccessfulCreate")),
        ("events", names_pod(1, "SuccessfulDelete")),
    ] {
        apply(&mut tracker, resource, object);
    }
    let evidence = only_job(tracker);
    let [pod] = &evidence.pods[..] else {
        panic!("{evidence:?}")
    };
    assert!(pod.from_events && pod.removed);
    assert_eq!((&*pod.name, &*pod.uid, &*pod.containers[0].image), ("p-1", "p", "a:1"));
    assert!(pod.deletion.is_some());
    assert_eq!(evidence.events.iter().filter(|event| *event.uid == *pod.uid).count(), 1);
}

#[test]
fn events_of_another_namespace_or_of_two_pods_do_not_count() {
    for uids in [&[("evil", "p")][..], &[("n", "p"), ("n", "q")]] {
        let mut tracker = Tracker::new(TrackerSettings::default());
        for (namespace, uid) in uids {
            apply(&mut tracker, "events", of_pod(namespace, 1, uid));
        }
        apply(&mut tracker, "jobs", job(1));
        apply(&mut tracker, "events", names_pod(1, "SuccessfulCreate"));
        assert_eq!(only_job(tracker).pods, [], "{uids:?}");
    }
}

#[test]
fn a_pod_that_is_seen_is_not_built_from_events() {
    let pod = json!({"metadata": {"uid": "p", "name": "p-1", "namespace": "n", "ownerReferences":
        [{"apiVersion": "batch/v1", "kind": "Job", "controller": true, "uid": "job-1", "name": "j-1"}]}});
    for pod_first in [false, true] {
        let mut tracker = Tracker::new(TrackerSettings::default());
        apply(&mut tracker, "events", of_pod("n", 1, "p"));
        apply(&mut tracker, "jobs", job(1));
        let mut rest = [("pods", pod.clone()), ("events", names_pod(1, "SuccessfulCreate"))];
        if !pod_first {
            rest.reverse();
        }
        for (resource, object) in rest {
            apply(&mut tracker, resource, object);
        }
        let evidence = only_job(tracker);
        let seen: Vec<bool> = evidence.pods.iter().map(|pod| pod.from_events).collect();
        assert_eq!(seen, [false]);
        let reasons: Vec<&str> = evidence.events.iter().map(|event| &*event.reason).collect();
        assert_eq!(reasons, ["Failed"], "the creation says nothing more");
    }
}

#[test]
fn waiting_events_are_bounded_in_a_collector() {
    let mut tracker = Tracker::new(TrackerSettings::default());
    for number in 0..5_000 {
        apply(&mut tracker, "events", of_pod("n", number, &format!("p{number}")));
    }
    assert_eq!(tracker.sizes().early, 1024);
}

#[test]
fn a_snapshot_of_a_large_cluster_keeps_every_event() {
    const JOBS: usize = 5_000;
    let object = |value: Value| Object::Event(serde_json::from_value(value).unwrap());
    let mut found = Snapshot::default();
    let jobs = (0..JOBS).map(|number| Object::Job(serde_json::from_value(job(number)).unwrap()));
    found.objects.insert(Kind::Jobs, jobs.collect());
    let named = (0..JOBS).map(|number| object(names_pod(number, "SuccessfulCreate")));
    found.objects.insert(Kind::JobEvents, named.collect());
    let left = (0..JOBS).map(|number| object(of_pod("n", number, &format!("p{number}"))));
    found.objects.insert(Kind::PodEvents, left.collect());
    let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(1);
    let evidence = snapshot::evidence(found, now);
    assert_eq!(evidence.len(), JOBS);
    let is_joined = |evidence: &Evidence| matches!(&evidence.pods[..], [Pod { from_events: true, .. }]);
    assert!(evidence.iter().all(is_joined));
}
