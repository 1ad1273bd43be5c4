//! Jobs with `manualSelector: true`, whose Pods may lack the label by which Pods are watched.

use job_event::evidence::Gap;
use job_tracker::snapshot;
use job_watch::Kind;
use job_watch::Object;
use job_watch::snapshot::Snapshot;
use serde_json::{Value, json};

use crate::shapes::{now, watched};

/// A running Job whose Pods get these labels, and no others.
fn job(labels: Value) -> Value {
    json!({"metadata": {"uid": "u", "name": "j", "namespace": "n"}, "spec": {"manualSelector": true,
        "selector": {"matchLabels": {"app": "j"}}, "template": {"metadata": {"labels": labels}}}})
}

fn pod() -> Value {
    json!({"metadata": {"uid": "p", "name": "j-1", "namespace": "n", "labels": {"app": "j"}, "ownerReferences":
            [{"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "u", "controller": true}]},
        "spec": {"containers": [{"name": "main"}]}, "status": {"phase": "Running"}})
}

#[test]
fn pods_that_no_watch_selects_are_a_gap() {
    let unlabeled = job(json!({"app": "j"}));
    assert_eq!(watched(&[("jobs", &unlabeled)]).gaps, [Gap::PodsNotSelected]);
    assert_eq!(watched(&[("jobs", &unlabeled), ("pods", &pod())]).gaps, []);
    let labeled = job(json!({"app": "j", "job-name": "j"}));
    assert_eq!(watched(&[("jobs", &labeled)]).gaps, []);
}

#[test]
fn a_pod_that_no_watch_selects_may_still_exist() {
    let event = |kind: &str, api_version: &str, uid: &str, name: &str, reason: &str, message: &str| {
        json!({"metadata": {"uid": reason, "name": reason, "namespace": "n"}, "reason": reason, "message": message,
            "type": "Warning", "source": {"component": if kind == "Job" { "job-controller" } else { "kubelet" }},
            "involvedObject": {"kind": kind, "apiVersion": api_version, "namespace": "n", "name": name, "uid": uid}})
    };
    let created = event("Job", "batch/v1", "u", "j", "SuccessfulCreate", "Created pod: j-1");
    let failed = event("Pod", "v1", "p", "j-1", "FailedMount", "secret \"s\" not found");
    let evidence = watched(&[
        ("jobs", &job(json!({"app": "j"}))),
        ("events", &created),
        ("events", &failed),
    ]);
    assert_eq!(evidence.gaps, [Gap::PodsNotSelected]);
    let pods: Vec<_> = evidence.pods.iter().map(|pod| (&*pod.name, pod.removed)).collect();
    assert_eq!(pods, [("j-1", false)]);
}

#[test]
fn a_snapshot_has_the_pods_of_every_job() {
    let mut objects = Snapshot::default();
    let job = serde_json::from_value(job(json!({"app": "j"}))).unwrap();
    objects.objects.insert(Kind::Jobs, vec![Object::Job(job)]);
    let evidence = snapshot::evidence(objects, now()).remove(0);
    assert!(!evidence.gaps.contains(&Gap::PodsNotSelected), "{:?}", evidence.gaps);
}
