//! The origin of a Job: the span that started it, and the previous run of its CronJob.

use jiff::Timestamp;
use job_event::evidence::Evidence;
use job_tracker::replay::read_line;
use job_tracker::{Tracker, TrackerSettings};
use serde_json::{Value, json};

fn parent(last: u8) -> String {
    format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{last:02x}")
}

fn apply(tracker: &mut Tracker, resource: &str, object: &Value) {
    let line = json!({"t": 0, "resource": resource, "type": "ADDED", "object": object});
    let recorded = read_line(&line.to_string()).unwrap();
    tracker.apply(recorded.source, recorded.observation.unwrap(), Timestamp::UNIX_EPOCH);
}

fn traceparent(job: Value) -> Option<String> {
    let mut tracker = Tracker::new(TrackerSettings::default());
    apply(&mut tracker, "jobs", &job);
    let evidence = tracker.into_unfinished().remove(0);
    evidence.job.traceparent.map(|parent| parent.to_string())
}

#[test]
fn reads_the_traceparent_of_a_job() {
    let env = |name: &str, value: String| {
        json!([{"name": "A", "value": "b"}, {"name": name, "value": value}, {"name": "C",
        "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}])
    };
    let job = |annotation: Option<String>, template: Option<String>, env: Value| {
        json!({"metadata": {"uid": "u", "name": "j", "annotations": {"traceparent": annotation}},
            "spec": {"template": {"metadata": {"annotations": {"traceparent": template}},
                "spec": {"containers": [{"name": "a"}, {"name": "b", "env": env}]}}}})
    };
    let all = env("TRACEPARENT", parent(3));
    assert_eq!(
        traceparent(job(Some(parent(1)), Some(parent(2)), all.clone())),
        Some(parent(1))
    );
    assert_eq!(traceparent(job(None, Some(parent(2)), all.clone())), Some(parent(2)));
    assert_eq!(traceparent(job(None, None, all.clone())), Some(parent(3)));
    assert_eq!(traceparent(job(None, None, env("OTHER", parent(3)))), None);
    // An invalid one counts as none.
    assert_eq!(traceparent(job(Some("yes".into()), None, all)), Some(parent(3)));
    assert_eq!(traceparent(job(None, None, env("TRACEPARENT", "yes".into()))), None);
    assert_eq!(traceparent(job(None, None, json!("no list"))), None);
}

/// A run of the CronJob `c`; `ended` runs have completed.
fn run(uid: &str, minute: usize, ended: bool) -> Value {
    let created = format!("2026-11-23T12:{minute:02}:00Z");
    let conditions = if ended {
        json!([{"type": "Complete", "status": "True"}])
    } else {
        json!([])
    };
    json!({"metadata": {"uid": uid, "name": uid, "creationTimestamp": created,
            "annotations": {"traceparent": parent(u8::try_from(minute).unwrap())},
            "ownerReferences": [{"apiVersion": "batch/v1", "kind": "CronJob", "controller": true, "uid": "c", "name": "c"}]},
        "status": {"conditions": conditions}})
}

/// The run before each, by the names of those that have not ended.
fn previous(tracker: Tracker) -> Vec<(String, Option<String>)> {
    let name_and_previous = |Evidence { job, .. }| {
        let previous = job.cronjob.unwrap().previous;
        let text = previous.map(|run| format!("{} {}", run.uid, run.traceparent.unwrap()));
        (job.name.into(), text)
    };
    tracker.into_unfinished().into_iter().map(name_and_previous).collect()
}

#[test]
fn a_run_knows_its_previous_run_in_any_order() {
    let cronjob = json!({"metadata": {"uid": "c", "name": "c"}});
    let orders = [[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], [3, 5, 0, 2, 4, 1]];
    for order in orders {
        let mut tracker = Tracker::new(TrackerSettings::default());
        apply(&mut tracker, "cronjobs", &cronjob);
        for minute in order {
            apply(&mut tracker, "jobs", &run(&format!("run-{minute}"), minute, minute < 4));
        }
        let expected = [("run-4", "run-3", 3), ("run-5", "run-4", 4)]
            .map(|(name, before, minute)| (name.to_owned(), Some(format!("{before} {}", parent(minute)))));
        assert_eq!(previous(tracker), expected, "{order:?}");
    }
    let mut tracker = Tracker::new(TrackerSettings::default());
    apply(&mut tracker, "jobs", &run("run-0", 0, false));
    assert_eq!(
        previous(tracker),
        [("run-0".to_owned(), None)],
        "the first has none before it"
    );
}
