//! Labels and annotations that rules select: which object gives them, and which version of it.

use jiff::Timestamp;
use job_event::evidence::Attribute;
use job_event::{Evidence, Notice};
use job_tracker::{OnFirstStart, StallSettings, Tracker, TrackerSettings};
use job_watch::decode::{WatchEvent, watch_line_with};
use job_watch::extract::{Extraction, LabelSource, MetadataField, Rule};
use job_watch::model::Watched;
use job_watch::{Kind, Object, Observation, Source};
use serde_json::{Value, json};

/// The label `team` of each object, the label `env` of any of them as `env`.
fn rules() -> Extraction {
    let mut extraction = Extraction::default();
    for origin in LabelSource::ALL {
        extraction.add(Rule::exact(origin, MetadataField::Labels, "team", ""));
        extraction.add(Rule::exact(origin, MetadataField::Labels, "env", "env"));
    }
    extraction
}

struct Case {
    tracker: Tracker,
    rules: Extraction,
    now: i64,
}

impl Case {
    fn new() -> Case {
        let settings = TrackerSettings {
            on_first_start: OnFirstStart::ReportFinished,
            stalls: StallSettings {
                enabled: true,
                ..Default::default()
            },
            ..Default::default()
        };
        Case {
            tracker: Tracker::new(settings),
            rules: rules(),
            now: 1_795_867_200,
        }
    }

    fn at(&self) -> Timestamp {
        Timestamp::from_second(self.now).unwrap()
    }

    fn observe(&mut self, kind: Kind, observation: Observation) {
        let now = self.at();
        self.tracker.apply(Source { kind, scope: 0 }, observation, now);
    }

    fn put<T: Watched>(&mut self, kind: Kind, object: fn(Box<T>) -> Object, json: &Value) {
        let line = json!({"type": "MODIFIED", "object": json}).to_string();
        let wanted = self.rules.of(kind).cloned();
        let WatchEvent::Modified(read) = watch_line_with::<T>(line.as_bytes(), wanted.as_deref()).unwrap() else {
            panic!("{line}");
        };
        self.observe(kind, Observation::Changed(object(Box::new(read))));
    }

    fn job(&mut self, labels: &Value, status: &Value) {
        let owner = json!([{"apiVersion": "batch/v1", "kind": "CronJob", "controller": true, "uid": "c", "name": "c"}]);
        let job = json!({"metadata": {"uid": "u", "name": "j", "namespace": "n", "labels": labels, "ownerReferences": owner,
            "creationTimestamp": "2026-11-28T11:59:00Z"}, "status": status});
        self.put(Kind::Jobs, Object::Job, &job);
    }

    fn pod(&mut self, name: &str, second: u32, phase: &str, team: &str) {
        let owner = json!([{"apiVersion": "batch/v1", "kind": "Job", "controller": true, "uid": "u", "name": "j"}]);
        let pod = json!({"metadata": {"uid": name, "name": name, "namespace": "n", "labels": {"team": team},
            "creationTimestamp": format!("2026-11-28T12:00:{second:02}Z"), "ownerReferences": owner},
            "spec": {"containers": [{"name": "main"}]}, "status": {"phase": phase}});
        self.put(Kind::Pods, Object::Pod, &pod);
    }

    fn cronjob(&mut self, labels: &Value) {
        let cronjob = json!({"metadata": {"uid": "c", "name": "c", "namespace": "n", "labels": labels,
            "creationTimestamp": "2026-11-28T11:00:00Z"}, "spec": {"schedule": "0 * * * *"}});
        self.put(Kind::CronJobs, Object::CronJob, &cronjob);
    }

    fn namespace(&mut self, labels: &Value) {
        let namespace = json!({"metadata": {"uid": "n", "name": "n", "labels": labels}});
        self.put(Kind::Namespaces, Object::Namespace, &namespace);
    }

    /// The attributes of the Job, which fails now.
    fn fail(&mut self, labels: &Value) -> Vec<String> {
        let failed =
            json!({"conditions": [{"type": "FailureTarget", "status": "True", "reason": "BackoffLimitExceeded"}]});
        self.job(labels, &failed);
        self.now += 10;
        pairs(&self.tracker.poll(self.at()).unwrap())
    }
}

fn pairs(evidence: &Evidence) -> Vec<String> {
    texts(&evidence.job.extracted)
}

fn texts(attributes: &[Attribute]) -> Vec<String> {
    let text = |attribute: &Attribute| format!("{}={}", attribute.name, attribute.value);
    attributes.iter().map(text).collect()
}

#[test]
fn an_event_has_the_labels_of_all_its_objects() {
    let mut case = Case::new();
    case.namespace(&json!({"team": "n", "env": "prod"}));
    case.cronjob(&json!({"team": "c", "env": "test"}));
    case.job(&json!({"team": "j"}), &json!({}));
    case.pod("p", 1, "Running", "p");
    let expected = [
        "env=test",
        "k8s.cronjob.label.team=c",
        "k8s.job.label.team=j",
        "k8s.namespace.label.team=n",
        "k8s.pod.label.team=p",
    ];
    assert_eq!(case.fail(&json!({"team": "j"})), expected);
}

#[test]
fn the_last_observed_value_counts() {
    let mut case = Case::new();
    case.namespace(&json!({"team": "old"}));
    case.namespace(&json!({"team": "n"}));
    case.job(&json!({"team": "old", "env": "old"}), &json!({}));
    case.pod("p", 1, "Running", "old");
    case.pod("p", 1, "Running", "p");
    let found = case.fail(&json!({"team": "new"}));
    let expected = [
        "k8s.job.label.team=new",
        "k8s.namespace.label.team=n",
        "k8s.pod.label.team=p",
    ];
    assert_eq!(found, expected);
}

#[test]
fn the_failed_pod_that_was_created_last_describes_a_job() {
    let team = |pods: &[(&str, u32, &str)]| {
        let mut case = Case::new();
        case.job(&json!({}), &json!({}));
        for (name, second, phase) in pods {
            case.pod(name, *second, phase, name);
        }
        case.fail(&json!({}))
    };
    assert_eq!(
        team(&[("a", 1, "Running"), ("b", 2, "Running")]),
        ["k8s.pod.label.team=b"]
    );
    let pods = [("c", 3, "Running"), ("b", 2, "Failed"), ("a", 1, "Failed")];
    assert_eq!(team(&pods), ["k8s.pod.label.team=b"]);
    assert!(team(&[]).is_empty());
}

#[test]
fn labels_of_deleted_owners_remain_for_their_jobs() {
    let mut case = Case::new();
    case.namespace(&json!({"team": "n"}));
    case.cronjob(&json!({"team": "c"}));
    case.job(&json!({}), &json!({}));
    for kind in [Kind::Namespaces, Kind::CronJobs] {
        case.observe(kind, Observation::ListBegins);
        case.observe(kind, Observation::ListEnds);
    }
    let expected = ["k8s.cronjob.label.team=c", "k8s.namespace.label.team=n"];
    assert_eq!(case.fail(&json!({})), expected);
}

#[test]
fn a_namespace_without_its_label_has_none() {
    let mut case = Case::new();
    case.namespace(&json!({"team": "n"}));
    case.job(&json!({}), &json!({}));
    case.namespace(&json!({}));
    assert!(case.fail(&json!({})).is_empty());
}

#[test]
fn missed_runs_have_the_labels_of_cronjob_and_namespace() {
    let mut case = Case::new();
    for kind in [Kind::CronJobs, Kind::Jobs, Kind::CronJobEvents] {
        case.observe(kind, Observation::ListBegins);
        case.observe(kind, Observation::ListEnds);
    }
    case.namespace(&json!({"env": "prod"}));
    case.cronjob(&json!({"team": "c"}));
    let state = &case.tracker.cronjob_states(case.at())[0];
    assert_eq!(
        (state.extracted.get("env"), state.extracted.get("team")),
        (Some("prod"), None)
    );
    assert_eq!(state.extracted.get("k8s.cronjob.label.team"), Some("c"));
    // Two slots pass without a run.
    case.now += 2 * 3600;
    case.tracker.watched_until(case.at());
    let Some(Notice::Missed(missed)) = case.tracker.next_notice(case.at()) else {
        panic!("no run was missed");
    };
    assert_eq!(
        texts(&missed.cronjob.extracted),
        ["env=prod", "k8s.cronjob.label.team=c"]
    );
}

#[test]
fn a_stall_and_its_end_have_the_labels_of_the_job() {
    let mut case = Case::new();
    case.namespace(&json!({"env": "prod"}));
    case.job(&json!({"team": "j"}), &json!({"active": 1}));
    let waiting = json!({"metadata": {"uid": "p", "name": "p", "namespace": "n", "creationTimestamp": "2026-11-28T12:00:00Z",
        "ownerReferences": [{"apiVersion": "batch/v1", "kind": "Job", "controller": true, "uid": "u", "name": "j"}]},
        "spec": {"containers": [{"name": "main", "image": "a"}]}, "status": {"phase": "Pending", "containerStatuses": [
            {"name": "main", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}}}]}});
    case.put(Kind::Pods, Object::Pod, &waiting);
    let mut stalled = None;
    for _ in 0..120 {
        case.now += 10;
        stalled = stalled.or(case.tracker.next_notice(case.at()));
    }
    let Some(Notice::Stalled(stalled)) = stalled else {
        panic!("{stalled:?}");
    };
    assert_eq!(texts(&stalled.job.extracted), ["env=prod", "k8s.job.label.team=j"]);
}

#[test]
fn an_owner_has_the_labels_of_its_newest_job() {
    let mut case = Case::new();
    case.namespace(&json!({"env": "prod"}));
    case.job(&json!({"team": "old"}), &json!({"active": 1}));
    let newer = json!({"metadata": {"uid": "v", "name": "v", "namespace": "n", "labels": {"team": "new"},
        "creationTimestamp": "2026-11-28T12:30:00Z",
        "ownerReferences": [{"apiVersion": "batch/v1", "kind": "CronJob", "controller": true, "uid": "c", "name": "c"}]}});
    case.put(Kind::Jobs, Object::Job, &newer);
    let states: Vec<_> = case.tracker.states().collect();
    assert_eq!(states.len(), 1);
    assert_eq!(states[0].extracted.get("k8s.job.label.team"), Some("new"));
    assert_eq!(states[0].extracted.get("env"), Some("prod"));
}
