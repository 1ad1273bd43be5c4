//! Objects that arrive before their owner, or late in the life of a Job.

use jiff::Timestamp;
use job_event::evidence::{ContainerState, Evidence, Pod};
use job_tracker::replay::read_line;
use job_tracker::{Tracker, TrackerSettings};
use serde_json::{Value, json};

fn apply(tracker: &mut Tracker, resource: &str, kind: &str, object: Value) {
    let line = json!({"t": 0, "resource": resource, "type": kind, "object": object});
    let recorded = read_line(&line.to_string()).unwrap();
    tracker.apply(recorded.source, recorded.observation.unwrap(), Timestamp::UNIX_EPOCH);
}

fn job() -> Value {
    json!({"metadata": {"uid": "job", "name": "j"}})
}

fn pod(number: usize, version: usize, phase: &str) -> Value {
    json!({"metadata": {"uid": format!("pod-{number}"), "name": format!("p-{number:03}"),
            "resourceVersion": version.to_string(),
            "ownerReferences": [{"apiVersion": "batch/v1", "kind": "Job", "controller": true, "uid": "job", "name": "j"}]},
        "spec": {"containers": [{"name": "main"}]}, "status": {"phase": phase}})
}

fn only_job(tracker: Tracker) -> Evidence {
    let mut jobs = tracker.into_unfinished();
    assert_eq!(jobs.len(), 1);
    jobs.remove(0)
}

#[test]
fn later_versions_of_waiting_pods_evict_none() {
    let mut tracker = Tracker::new(TrackerSettings::default());
    for version in 1..=3 {
        for number in 0..64 {
            apply(&mut tracker, "pods", "MODIFIED", pod(number, version, "Running"));
        }
    }
    apply(&mut tracker, "jobs", "ADDED", job());
    assert_eq!(only_job(tracker).pods.len(), 64);
}

#[test]
fn repeated_events_evict_no_waiting_event() {
    let mut tracker = Tracker::new(TrackerSettings::default());
    for round in 0..3 {
        for number in 0..16 {
            let event = json!({"metadata": {"uid": format!("event-{number}")}, "reason": "FailedCreate",
                "message": format!("refusal {number}: and so on"),
                "type": "Warning", "source": {"component": "job-controller"},
                "involvedObject": {"apiVersion": "batch/v1", "kind": "Job", "uid": "job"}, "count": round});
            apply(&mut tracker, "events", "MODIFIED", event);
        }
    }
    apply(&mut tracker, "jobs", "ADDED", job());
    assert_eq!(only_job(tracker).events.len(), 16);
}

#[test]
fn remembers_a_pod_deleted_before_its_job_is_known() {
    let mut tracker = Tracker::new(TrackerSettings::default());
    apply(&mut tracker, "pods", "ADDED", pod(1, 1, "Running"));
    apply(&mut tracker, "pods", "DELETED", pod(1, 2, "Running"));
    apply(&mut tracker, "jobs", "ADDED", job());
    assert!(only_job(tracker).pods[0].removed);
}

/// Phase, `deletionTimestamp` and grace, state of the container.
type Version<'a> = (&'a str, Option<(&'a str, i64)>, Value);

/// The Pod after these versions.
fn seen(versions: &[Version<'_>]) -> Pod {
    let mut tracker = Tracker::new(TrackerSettings::default());
    apply(&mut tracker, "jobs", "ADDED", job());
    for (version, (phase, deletion, state)) in versions.iter().enumerate() {
        let mut pod = pod(1, version + 1, phase);
        if let Some((at, grace)) = deletion {
            pod["metadata"]["deletionTimestamp"] = (*at).into();
            pod["metadata"]["deletionGracePeriodSeconds"] = (*grace).into();
        }
        pod["status"]["containerStatuses"] = json!([{"name": "main", "restartCount": i32::MIN,
            "lastState": {"terminated": {"exitCode": 0}}, "state": state}]);
        apply(&mut tracker, "pods", "MODIFIED", pod);
    }
    only_job(tracker).pods.remove(0)
}

#[test]
fn a_deletion_counts_unless_the_pod_had_ended_before() {
    let waiting = || json!({"waiting": {"reason": "ContainerCreating"}});
    let running = || json!({"running": {"startedAt": "2026-11-23T12:00:01Z"}});
    let ended = || json!({"terminated": {"exitCode": 137, "containerID": "c", "finishedAt": "2026-11-23T12:00:30Z"}});
    let at = Some(("2026-11-23T12:00:40Z", 30));

    assert!(
        seen(&[
            ("Running", None, running()),
            ("Failed", None, ended()),
            ("Failed", at, ended())
        ])
        .deletion
        .is_none()
    );
    // Its end was missed, or all of it was.
    let missed = seen(&[("Running", None, running()), ("Failed", at, ended())]);
    assert_eq!(
        missed.deletion.unwrap().requested,
        "2026-11-23T12:00:10Z".parse().unwrap()
    );
    assert_eq!(missed.containers[0].state, ContainerState::Running);
    assert!(seen(&[("Failed", at, ended())]).deletion.is_some());
    // Its start was missed, and no container starts in a Pod that is being deleted.
    let started = seen(&[("Pending", None, waiting()), ("Running", at, running())]);
    assert_eq!(started.containers[0].state, ContainerState::Running);
}

/// A Pod whose `Ready` is as given: status, reason, second of its transition; `ContainersReady` is the other status.
fn ready(version: usize, ready: (&str, &str, i64), containers_ready: &str) -> Value {
    let (status, reason, second) = ready;
    let since = Timestamp::from_second(second).unwrap().to_string();
    let mut pod = pod(1, version, "Running");
    pod["status"]["conditions"] = json!([
        {"type": "Ready", "status": status, "reason": reason, "lastTransitionTime": since},
        {"type": "ContainersReady", "status": containers_ready, "reason": reason, "lastTransitionTime": since},
    ]);
    pod
}

fn outage(versions: &[Value]) -> Option<(i64, Option<i64>)> {
    let mut tracker = Tracker::new(TrackerSettings::default());
    apply(&mut tracker, "jobs", "ADDED", job());
    for version in versions {
        apply(&mut tracker, "pods", "MODIFIED", version.clone());
    }
    let outage = only_job(tracker).pods[0].node_outage?;
    Some((outage.since.as_second(), outage.until.map(Timestamp::as_second)))
}

#[test]
fn not_ready_by_the_node_controller_is_a_node_outage() {
    let working = ready(1, ("True", "", 10), "True");
    let lost = ready(2, ("False", "", 20), "True");
    let back = ready(3, ("True", "", 30), "True");
    assert_eq!(outage(std::slice::from_ref(&working)), None);
    assert_eq!(outage(&[working.clone(), lost.clone()]), Some((20, None)));
    assert_eq!(
        outage(&[working.clone(), lost.clone(), back.clone()]),
        Some((20, Some(30)))
    );
    let ended = ready(3, ("False", "PodFailed", 35), "False");
    assert_eq!(outage(&[working.clone(), lost.clone(), ended]), Some((20, Some(35))));
    // If the kubelet reports not ready, it gives a reason, or containers are not ready.
    for kubelet in [
        ready(2, ("False", "ContainersNotReady", 20), "False"),
        ready(2, ("False", "ReadinessGatesNotReady", 20), "True"),
        ready(2, ("False", "", 20), "False"),
    ] {
        assert_eq!(outage(&[working.clone(), kubelet.clone()]), None, "{kubelet}");
    }
    let again = ready(4, ("False", "", 40), "True");
    assert_eq!(outage(&[lost, back, again]), Some((40, None)));
}
