//! Jobs of one owner are one state, and one resource.

use job_event::evidence::OwnerRule;
use job_tracker::{NamingRule, OwnerSettings, Tracker, TrackerSettings};
use job_watch::extract::{Extraction, LabelSource};
use job_watch::{Kind, Object, Observation, Source};
use regex::Regex;
use serde_json::{Value, json};

const NOW: &str = "2026-11-28T12:00:00Z";

fn observe(tracker: &mut Tracker, kind: Kind, object: Object) {
    let source = Source { kind, scope: 0 };
    tracker.apply(source, Observation::Changed(object), NOW.parse().unwrap());
}

fn job(tracker: &mut Tracker, metadata: Value, status: &Value) {
    let job = json!({"metadata": metadata, "spec": {"parallelism": 1}, "status": status});
    let job = Object::Job(Box::new(serde_json::from_value(job).unwrap()));
    observe(tracker, Kind::Jobs, job);
}

#[test]
fn ten_thousand_jobs_of_one_owner_are_one_state() {
    let mut tracker = Tracker::new(TrackerSettings::default());
    for n in 0..10_000 {
        let metadata = json!({"name": format!("etl-{n:05}"), "generateName": "etl-", "namespace": "n",
            "uid": format!("00000000-0000-0000-0000-{n:012x}"), "ownerReferences": [{"apiVersion": "keda.sh/v1alpha1",
                "kind": "ScaledJob", "name": "etl", "uid": "s", "controller": true}]});
        job(&mut tracker, metadata, &json!({"active": 1}));
    }
    let states: Vec<_> = tracker.states().collect();
    let [state] = &states[..] else {
        panic!("{}", states.len())
    };
    assert_eq!((state.counts.active, state.counts.max_parallel), (10_000, 10_000));
    let owner = state.job();
    assert_eq!((owner.owner().kind, owner.owner().name), ("ScaledJob", "etl"));
}

#[test]
fn equal_names_in_a_namespace_are_one_state_by_any_rule() {
    let mut tracker = Tracker::new(TrackerSettings {
        owner: OwnerSettings {
            rules: vec![NamingRule::of_match(Regex::new("^import-by-hand$").unwrap(), "import")],
            ..OwnerSettings::default()
        },
        ..TrackerSettings::default()
    });
    for (name, prefix, namespace) in [
        ("import", "", "n"),
        ("import-x7k2p", "import-", "n"),
        ("import-by-hand", "", "n"),
        ("import", "", "other"),
    ] {
        let uid = format!("{namespace}-{name}");
        let metadata = json!({"name": name, "generateName": prefix, "namespace": namespace, "uid": uid});
        job(&mut tracker, metadata, &json!({"active": 1}));
    }
    let active: Vec<i64> = tracker.states().map(|state| state.counts.active).collect();
    assert_eq!(active, [3, 1]);
}

#[test]
fn a_label_is_the_owner_and_may_change() {
    let mut extraction = Extraction::default();
    extraction.keep_label(LabelSource::Job, "team");
    let wanted = extraction.of(Kind::Jobs).map(|wanted| &**wanted);
    let mut tracker = Tracker::new(TrackerSettings {
        owner: OwnerSettings {
            rules: vec![NamingRule::of_label("team")],
            ..OwnerSettings::default()
        },
        ..TrackerSettings::default()
    });
    for (version, labels, expected) in [
        (1, json!({}), "a"),
        (2, json!({"team": "billing"}), "billing"),
        (3, json!({"team": "shipping"}), "shipping"),
    ] {
        let line = json!({"type": "MODIFIED", "object": {"metadata": {"name": "a", "namespace": "n", "uid": "u",
            "resourceVersion": version.to_string(), "labels": labels}}});
        let line = job_watch::decode::watch_line_with(line.to_string().as_bytes(), wanted).unwrap();
        let job_watch::decode::WatchEvent::Modified(job) = line else {
            panic!("{line:?}")
        };
        observe(&mut tracker, Kind::Jobs, Object::Job(Box::new(job)));
        let owners: Vec<_> = tracker
            .states()
            .map(|state| state.job().owner().name.to_owned())
            .collect();
        assert_eq!(owners, [expected]);
    }
}

#[test]
fn rules_apply_to_a_job_known_from_its_events() {
    let mut tracker = Tracker::new(TrackerSettings {
        recovers: true,
        owner: OwnerSettings {
            rules: vec![NamingRule::of_match(Regex::new("^(.+)-[a-z0-9]+$").unwrap(), "$1")],
            ..OwnerSettings::default()
        },
        ..TrackerSettings::default()
    });
    let event = json!({"metadata": {"name": "e", "namespace": "n", "uid": "e"}, "type": "Warning",
        "reason": "BackoffLimitExceeded", "message": "Job has reached the specified backoff limit",
        "source": {"component": "job-controller"}, "firstTimestamp": NOW, "lastTimestamp": NOW, "count": 1,
        "involvedObject": {"kind": "Job", "apiVersion": "batch/v1", "namespace": "n", "name": "import-x7k2p", "uid": "u"}});
    let begin = NOW.parse().unwrap();
    tracker.begin(begin);
    observe(
        &mut tracker,
        Kind::JobEvents,
        Object::Event(Box::new(serde_json::from_value(event).unwrap())),
    );
    let late = "2026-11-28T13:00:00Z".parse().unwrap();
    let job = tracker.poll(late).unwrap().job;
    let owner = job.owner();
    assert_eq!(
        (owner.rule, owner.name, &*job.name),
        (OwnerRule::Rule, "import", "import-x7k2p")
    );
}
