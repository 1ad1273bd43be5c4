//! Objects in shapes that the recordings do not have: debuggers, Events of the newer API, absent defaults.

use jiff::Timestamp;
use job_event::Evidence;
use job_tracker::replay::read_line;
use job_tracker::{Tracker, TrackerSettings};
use serde_json::{Value, json};

pub(crate) fn now() -> Timestamp {
    "2026-11-23T17:00:00Z".parse().unwrap()
}

/// The evidence about the only Job after these objects were added.
pub(crate) fn watched(objects: &[(&str, &Value)]) -> Evidence {
    let mut tracker = Tracker::new(TrackerSettings::default());
    for (resource, object) in objects {
        let line = json!({"t": 0, "resource": resource, "type": "ADDED", "object": object});
        let recorded = read_line(&line.to_string()).unwrap();
        tracker.apply(recorded.source, recorded.observation.unwrap(), now());
    }
    tracker.into_unfinished().remove(0)
}

fn job() -> Value {
    json!({"metadata": {"uid": "u", "name": "j", "namespace": "n"}, "spec": {"backoffLimit": 0}, "status": {"active": 1}})
}

fn pod() -> Value {
    json!({"metadata": {"uid": "p", "name": "j-1", "namespace": "n", "ownerReferences":
            [{"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "u", "controller": true}]},
        "spec": {"containers": [{"name": "main"}], "ephemeralContainers": [{"name": "debugger", "targetContainerName": "main"}]},
        "status": {"phase": "Running",
            "containerStatuses": [{"name": "main", "state": {"running": {"startedAt": "2026-11-23T16:59:00Z"}}}],
            "ephemeralContainerStatuses": [{"name": "debugger", "state": {"terminated":
                {"exitCode": 137, "reason": "OOMKilled", "containerID": "containerd://d"}}}]}})
}

fn event(field_path: &str, reason: &str) -> Value {
    json!({"metadata": {"uid": format!("{field_path}{reason}"), "name": "e", "namespace": "n"}, "type": "Warning",
        "reason": reason, "message": "Failed to pull image \"x\": not found", "source": {"component": "kubelet"},
        "involvedObject": {"kind": "Pod", "apiVersion": "v1", "uid": "p", "name": "j-1", "fieldPath": field_path}})
}

#[test]
fn a_debugger_in_a_pod_is_no_evidence() {
    let (main, debugger) = (
        event("spec.containers{main}", "Failed"),
        event("spec.ephemeralContainers{debugger}", "BackOff"),
    );
    let evidence = watched(&[
        ("jobs", &job()),
        ("pods", &pod()),
        ("events", &debugger),
        ("events", &main),
    ]);
    let containers: Vec<&str> = evidence.pods[0].containers.iter().map(|c| &*c.name).collect();
    assert_eq!(containers, ["main"]);
    assert!(evidence.pods[0].containers[0].terminations.is_empty());
    let reasons: Vec<&str> = evidence.events.iter().map(|event| &*event.reason).collect();
    assert_eq!(reasons, ["Failed"]);
}

#[test]
fn events_of_the_newer_api_are_read() {
    let newer = json!({"metadata": {"uid": "e", "name": "e", "namespace": "n"}, "type": "Warning",
        "reason": "FailedScheduling", "message": "0/3 nodes are available", "reportingComponent": "default-scheduler",
        "reportingInstance": "default-scheduler-m1", "action": "Scheduling", "source": {}, "firstTimestamp": null,
        "lastTimestamp": null, "eventTime": "2026-11-23T16:59:00.123456Z",
        "series": {"count": 7, "lastObservedTime": "2026-11-23T16:59:30.654321Z"},
        "involvedObject": {"kind": "Pod", "apiVersion": "v1", "uid": "p", "name": "j-1", "namespace": "n"}});
    let evidence = watched(&[("jobs", &job()), ("pods", &pod()), ("events", &newer)]);
    let event = &evidence.events[0];
    assert_eq!((&*event.component, event.count), ("default-scheduler", 7));
    let text = |time: Option<Timestamp>| time.map(|time| time.to_string());
    assert_eq!(text(event.first).as_deref(), Some("2026-11-23T16:59:00.123456Z"));
    assert_eq!(text(event.last).as_deref(), Some("2026-11-23T16:59:30.654321Z"));
}

#[test]
fn absent_fields_of_older_servers_are_absent_evidence() {
    let evidence = watched(&[("jobs", &job()), ("pods", &pod())]);
    let spec = &evidence.job.spec;
    assert_eq!(
        (&spec.restart_policy, spec.completions, spec.indexed),
        (&None, None, false)
    );
    assert_eq!(
        (evidence.job.status.ready, &evidence.job.status.failed_indexes),
        (0, &None)
    );
    assert_eq!(evidence.pods[0].ready_to_start, None);
    assert!(evidence.gaps.is_empty(), "{:?}", evidence.gaps);
}
