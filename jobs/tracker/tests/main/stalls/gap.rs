//! Jobs that are created while the watches are broken, and whose Pods and Events are listed before they are.

use job_event::Evidence;
use job_event::evidence::Gap;
use job_tracker::replay::read_line;
use serde_json::json;

use super::cluster::Cluster;

/// More than the Pods of unknown Jobs that are kept if few Jobs are known.
const CREATED: usize = 600;
/// Long enough for a Job without Pods to be reported as stalled, seconds.
const LONG: i64 = 300;

/// The unfinished Jobs after the gap, of which so many were known before it. None is reported as stalled: their Pods run.
fn after_gap(known: usize) -> Vec<Evidence> {
    let mut cluster = Cluster::new(10);
    for job in 0..known {
        cluster.run(&format!("known-{job}"));
    }
    cluster.unobserved(|cluster| {
        for job in 0..CREATED {
            let name = format!("created-{job}");
            let status = json!({"startTime": cluster.now});
            cluster.create_with(&name, |job| job["status"] = status);
            cluster.run(&name);
        }
    });
    cluster.list_pods_first();
    cluster.wait(LONG);
    assert_eq!(cluster.take(), [""; 0]);
    cluster.tracker.into_unfinished()
}

#[test]
fn as_many_jobs_as_known_ones_get_their_pods() {
    let jobs = after_gap(CREATED);
    assert_eq!(jobs.len(), 2 * CREATED);
    let without_pod: Vec<&str> = jobs
        .iter()
        .filter(|job| job.pods.is_empty())
        .map(|job| &*job.job.name)
        .collect();
    assert_eq!(without_pod, [""; 0]);
}

#[test]
fn a_job_whose_pods_were_dropped_is_not_said_to_have_no_pods() {
    let jobs = after_gap(0);
    assert_eq!(jobs.len(), CREATED);
    let without_pod: Vec<&Evidence> = jobs.iter().filter(|job| job.pods.is_empty()).collect();
    assert!(!without_pod.is_empty(), "more were kept than this test expects");
    assert!(without_pod.iter().all(|job| job.gaps == [Gap::JoinedLate]));
}

#[test]
fn a_job_whose_events_were_dropped_is_not_said_to_have_no_pods() {
    let mut cluster = Cluster::new(10);
    let names: Vec<String> = (0..3 * CREATED).map(|job| format!("created-{job}")).collect();
    cluster.unobserved(|cluster| {
        for name in &names {
            let status = json!({"startTime": cluster.now});
            cluster.create_with(name, |job| job["status"] = status);
        }
    });
    for name in &names {
        let event = json!({"metadata": {"uid": format!("{name}-event"), "namespace": "n"}, "reason": "FailedCreate",
            "message": format!("Error creating: pods \"{name}-0\" is forbidden: exceeded quota: q, requested: pods=1, \
                                used: pods=1, limited: pods=1"),
            "type": "Warning", "source": {"component": "job-controller"}, "lastTimestamp": cluster.now,
            "involvedObject": {"apiVersion": "batch/v1", "kind": "Job", "namespace": "n", "name": name, "uid": format!("uid-{name}")}});
        let line = json!({"t": 0, "resource": "events", "type": "ADDED", "object": event});
        let recorded = read_line(&line.to_string()).unwrap();
        cluster
            .tracker
            .apply(recorded.source, recorded.observation.unwrap(), cluster.now);
    }
    cluster.list_pods_first();
    cluster.wait(LONG);
    let events = cluster.take();
    assert!(
        (CREATED..names.len()).contains(&events.len()),
        "{} of {}",
        events.len(),
        names.len()
    );
    let is_quota = |event: &&String| event.ends_with(" QuotaExceeded");
    assert_eq!(events.iter().find(|event| !is_quota(event)), None);
}
