//! Objects that claim to belong to a Job: only those of its own namespace and of its controllers are its evidence.

use jiff::{SignedDuration, Timestamp};
use job_event::Evidence;
use job_tracker::replay::read_line;
use job_tracker::{Tracker, TrackerSettings};
use job_watch::model::Event;
use job_watch::{Kind, Object, Observation, Source};
use serde_json::{Value, json};

const NOW: &str = "2026-11-23T17:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn tracker() -> Tracker {
    let mut tracker = Tracker::new(TrackerSettings {
        recovers: true,
        ..TrackerSettings::default()
    });
    tracker.begin(now() - SignedDuration::from_secs(60));
    tracker
}

fn apply(tracker: &mut Tracker, resource: &str, object: Value) {
    let line = json!({"t": 0, "resource": resource, "type": "ADDED", "object": object});
    let recorded = read_line(&line.to_string()).unwrap();
    tracker.apply(recorded.source, recorded.observation.unwrap(), now());
}

fn poll(tracker: &mut Tracker, seconds: i64) -> Vec<Evidence> {
    let at = now() + SignedDuration::from_secs(seconds);
    std::iter::from_fn(|| tracker.poll(at)).collect()
}

fn job(namespace: &str, name: &str, failed: bool) -> Value {
    let condition =
        json!({"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "lastTransitionTime": NOW});
    json!({"metadata": {"uid": format!("uid-{name}"), "name": name, "namespace": namespace},
        "status": {"conditions": if failed { vec![condition] } else { vec![] }}})
}

fn owner(job: &str) -> Value {
    json!([{"apiVersion": "batch/v1", "kind": "Job", "name": job, "uid": format!("uid-{job}"), "controller": true}])
}

fn pod(namespace: &str, name: &str, owners: Value) -> Value {
    json!({"metadata": {"uid": format!("{namespace}/{name}"), "name": name, "namespace": namespace, "ownerReferences": owners,
            "labels": {"batch.kubernetes.io/controller-uid": "uid-victim", "batch.kubernetes.io/job-name": "victim"}},
        "spec": {"containers": [{"name": "main"}]}, "status": {"phase": "Failed"}})
}

fn event(namespace: &str, kind: &str, name: &str, uid: &str, reason: &str) -> Value {
    let (api_version, component) = match kind {
        "Job" => ("batch/v1", "job-controller"),
        _ => ("v1", "kubelet"),
    };
    json!({"metadata": {"uid": format!("event of {namespace} about {uid}"), "name": "e", "namespace": namespace,
            "creationTimestamp": NOW},
        "involvedObject": {"apiVersion": api_version, "kind": kind, "name": name, "uid": uid, "namespace": namespace},
        "type": "Warning", "reason": reason, "message": format!("from {namespace}"), "count": 1,
        "source": {"component": component}, "firstTimestamp": NOW, "lastTimestamp": NOW})
}

/// The report of the Job, with foreign objects about it before and after it is known.
fn victim(others: &[(&str, Value)]) -> Evidence {
    let mut tracker = tracker();
    let others_say = |tracker: &mut Tracker| {
        for (resource, object) in others {
            apply(tracker, resource, object.clone());
        }
    };
    others_say(&mut tracker);
    apply(&mut tracker, "jobs", job("billing", "victim", false));
    others_say(&mut tracker);
    apply(&mut tracker, "pods", pod("billing", "own", owner("victim")));
    let own = event("billing", "Pod", "own", "billing/own", "FailedMount");
    apply(&mut tracker, "events", own);
    others_say(&mut tracker);
    apply(&mut tracker, "jobs", job("billing", "victim", true));
    let mut reported = poll(&mut tracker, 300);
    reported.retain(|evidence| &*evidence.job.namespace == "billing");
    assert_eq!(reported.len(), 1);
    reported.remove(0)
}

fn has_only_its_own(evidence: &Evidence) {
    let pods: Vec<&str> = evidence.pods.iter().map(|pod| &*pod.name).collect();
    assert_eq!(pods, ["own"]);
    let events: Vec<&str> = evidence.events.iter().map(|event| &*event.message).collect();
    assert_eq!(events, ["from billing"]);
    assert_eq!(&*evidence.events[0].component, "kubelet");
}

#[test]
fn ignores_pods_of_another_namespace() {
    has_only_its_own(&victim(&[
        ("pods", pod("evil", "by-label", json!([]))),
        ("pods", pod("evil", "by-owner", owner("victim"))),
    ]));
    let flood: Vec<(&str, Value)> = (0..600)
        .map(|n| ("pods", pod("evil", &format!("pod-{n}"), owner("victim"))))
        .collect();
    has_only_its_own(&victim(&flood));
}

#[test]
fn ignores_a_pod_with_only_the_label() {
    let of_another_kind = json!([{"apiVersion": "batch.volcano.sh/v1alpha1", "kind": "Job", "name": "victim",
        "uid": "uid-victim", "controller": true}]);
    has_only_its_own(&victim(&[
        ("pods", pod("billing", "by-label", json!([]))),
        ("pods", pod("billing", "of-another-kind", of_another_kind)),
    ]));
}

#[test]
fn an_orphaned_pod_stays_evidence() {
    let mut tracker = tracker();
    apply(&mut tracker, "jobs", job("billing", "victim", false));
    apply(&mut tracker, "pods", pod("billing", "own", owner("victim")));
    let mut orphan = pod("billing", "own", json!([]));
    orphan["status"]["reason"] = "Evicted".into();
    apply(&mut tracker, "pods", orphan);
    apply(&mut tracker, "jobs", job("billing", "victim", true));
    assert_eq!(&*poll(&mut tracker, 10)[0].pods[0].reason, "Evicted");
}

#[test]
fn ignores_events_of_another_namespace() {
    has_only_its_own(&victim(&[
        ("events", event("evil", "Job", "victim", "uid-victim", "FailedCreate")),
        ("events", event("evil", "Pod", "own", "billing/own", "FailedMount")),
    ]));
}

#[test]
fn flood_evicts_nothing_of_other_namespaces() {
    let mut tracker = tracker();
    apply(&mut tracker, "pods", pod("billing", "own", owner("victim")));
    let early = event("billing", "Job", "victim", "uid-victim", "FailedCreate");
    apply(&mut tracker, "events", early);
    for n in 0..2000 {
        let other = format!("other-{n}");
        apply(&mut tracker, "pods", pod("evil", &other, owner(&other)));
        let false_event = event("evil", "Job", &other, &other, "FailedCreate");
        apply(&mut tracker, "events", false_event);
    }
    apply(&mut tracker, "jobs", job("billing", "victim", true));
    let reported = poll(&mut tracker, 10);
    assert_eq!((reported[0].pods.len(), reported[0].events.len()), (1, 1));
}

#[test]
fn foreign_events_create_no_job() {
    let mut tracker = tracker();
    let mut volcano = event("ml", "Job", "train", "train", "DeadlineExceeded");
    volcano["involvedObject"]["apiVersion"] = "batch.volcano.sh/v1alpha1".into();
    let mut by_hand = event("ml", "Job", "payroll", "payroll", "BackoffLimitExceeded");
    by_hand["source"]["component"] = "kubectl".into();
    by_hand["reportingComponent"] = "kubectl".into();
    let mut anonymous = event("ml", "Job", "anonymous", "anonymous", "BackoffLimitExceeded");
    anonymous["source"] = Value::Null;
    for event in [volcano, by_hand, anonymous] {
        apply(&mut tracker, "events", event);
    }
    let gone = event("ml", "Job", "gone", "gone", "BackoffLimitExceeded");
    apply(&mut tracker, "events", gone);
    let reported = poll(&mut tracker, 300);
    assert_eq!(reported.len(), 1);
    assert_eq!(&*reported[0].job.name, "gone");
}

#[test]
fn a_flood_of_events_delays_no_other_namespace() {
    let mut tracker = tracker();
    let source = Source {
        kind: Kind::JobEvents,
        scope: 0,
    };
    let mut false_event: Event =
        serde_json::from_value(event("evil", "Job", "false", "false", "BackoffLimitExceeded")).unwrap();
    for n in 0..60_000 {
        false_event.involved_object.uid = format!("00000000-0000-0000-0000-{n:012x}").into();
        let object = Object::Event(Box::new(false_event.clone()));
        tracker.apply(source, Observation::Changed(object), now());
    }
    assert_eq!(tracker.take_dropped(), 10_000);
    let gone = event("shop", "Job", "gone", "gone", "BackoffLimitExceeded");
    apply(&mut tracker, "events", gone);
    apply(&mut tracker, "jobs", job("billing", "seen", true));
    assert_eq!(tracker.take_dropped(), 1, "one of those that are too many made room");
    let at = now() + SignedDuration::from_secs(300);
    let first: Vec<_> = (0..3).map(|_| tracker.poll(at).unwrap().job.name).collect();
    assert_eq!(&*first[0], "seen");
    assert!(first.contains(&"gone".into()), "{first:?}");
}

#[test]
fn a_job_that_claims_a_known_uid_elsewhere_changes_nothing() {
    let mut tracker = tracker();
    apply(&mut tracker, "jobs", job("billing", "victim", false));
    let claim = job("evil", "victim", true);
    apply(&mut tracker, "jobs", claim.clone());
    let line = json!({"t": 0, "resource": "jobs", "type": "DELETED", "object": claim});
    let recorded = read_line(&line.to_string()).unwrap();
    tracker.apply(recorded.source, recorded.observation.unwrap(), now());
    assert!(poll(&mut tracker, 300).is_empty());
    let unfinished = tracker.into_unfinished();
    assert_eq!((unfinished.len(), &*unfinished[0].job.namespace), (1, "billing"));
}
