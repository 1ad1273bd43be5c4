use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use collector_data::Signal;
use serde_json::json;

use super::snapshot::{Readings, snapshot};
use super::*;
use crate::health::{ConfigurationStatus, QueueReading, Status, Statuses, WatchReading};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn none() -> Readings {
    Readings {
        queues: Vec::new(),
        watches: Vec::new(),
    }
}

fn statuses(reported: &[(&str, Status)]) -> Statuses {
    let health = Health::new();
    for (path, status) in reported {
        health.reporter(path).report(status.clone());
    }
    health.watch().borrow().clone()
}

fn jobs() -> WatchReading {
    WatchReading {
        resource: "jobs".into(),
        namespace: None,
        listed: true,
        denied: false,
        problem: None,
        silence: Duration::from_millis(2900),
        restarts: 4,
    }
}

#[test]
fn readiness_and_liveness_are_those_of_the_probes() {
    let failing = Status::RecoverableError("503".into());
    let dead = Status::PermanentError("panicked".into());
    for (status, alive, ready) in [
        (Status::Ok, true, true),
        (Status::Starting, true, false),
        (failing, true, false),
        (dead, false, false),
    ] {
        let found = snapshot(&statuses(&[("exporters::a", status.clone())]), none(), at(1), at(2));
        assert_eq!((found.alive, found.ready), (alive, ready), "{status:?}");
        let unhealthy: &[&str] = if ready { &[] } else { &["exporters::a"] };
        assert_eq!(found.unhealthy, unhealthy, "{status:?}");
        assert_eq!(found.components[0].status, status.as_str());
        assert_eq!(found.components[0].reason.as_deref(), status.reason());
    }
}

#[test]
fn a_watch_has_the_state_of_its_facts() {
    let failing = Some("HTTP 500".to_owned());
    for (listed, denied, problem, state, age) in [
        (false, false, None, "listing", None),
        (true, false, None, "watching", Some(2)),
        (true, false, failing.clone(), "failing", Some(2)),
        (false, false, failing.clone(), "failing", None),
        (false, true, failing, "denied", None),
    ] {
        let reading = WatchReading {
            listed,
            denied,
            problem,
            ..jobs()
        };
        let watches = vec![("receivers::k8s_job".to_owned(), reading)];
        let found = snapshot(&Statuses::default(), Readings { watches, ..none() }, at(1), at(2));
        let watch = &found.watches[0];
        assert_eq!((watch.state.as_str(), watch.last_message_age), (state, age));
        assert_eq!(watch.reason.is_some(), state == "failing");
    }
}

#[test]
fn an_elector_shows_the_leader() {
    let health = Health::new();
    let elector = health.reporter("extensions::k8s_leader_elector");
    elector.report(Status::Ok);
    elector.detail("lease", "ns/kube-job-collector");
    let leaders = || Process::new(&health).status().leaders;
    assert_eq!(leaders(), [], "it has no role yet");
    elector.detail("role", "standby");
    elector.detail("leader", "");
    assert_eq!(leaders()[0].leader, None);
    elector.detail("leader", "pod-1");
    let expected = LeaderState {
        elector: "extensions::k8s_leader_elector".into(),
        role: "standby".into(),
        leader: Some("pod-1".into()),
        lease: Some("ns/kube-job-collector".into()),
    };
    assert_eq!(leaders(), [expected]);
}

#[test]
fn json_omits_absent_values_and_can_be_read_back() {
    let health = Health::new();
    health.reporter("receivers::k8s_job").report(Status::Ok);
    health.report_configuration(ConfigurationStatus::ReloadFailed("unknown key".into()));
    let statuses = health.watch().borrow().clone();
    let queue = QueueReading {
        size: 3,
        capacity: 1000,
        unit: "requests",
    };
    let readings = Readings {
        queues: vec![("exporters::a".into(), Signal::Logs, queue)],
        watches: vec![("receivers::k8s_job".into(), jobs())],
    };
    let mut found = snapshot(&statuses, readings, at(0), at(60));
    found.components[0].since = at(1);
    found.configuration.as_mut().unwrap().since = at(2);
    let json = serde_json::to_value(&found).unwrap();
    let expected = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "time": "1970-01-01T00:01:00Z",
        "started": "1970-01-01T00:00:00Z",
        "alive": true,
        "ready": true,
        "unhealthy": [],
        "configuration": {"status": "reload failed", "since": "1970-01-01T00:00:02Z", "reason": "unknown key"},
        "components": [{"path": "receivers::k8s_job", "status": "StatusOK", "since": "1970-01-01T00:00:01Z"}],
        "queues": [
            {"exporter": "exporters::a", "signal": "logs", "size": 3, "capacity": 1000, "unit": "requests"},
        ],
        "watches": [
            {"receiver": "receivers::k8s_job", "resource": "jobs", "state": "watching", "last_message_age": 2, "restarts": 4},
        ],
        "leaders": [],
    });
    assert_eq!(json, expected);
    assert_eq!(serde_json::from_value::<ProcessStatus>(json).unwrap(), found);
}

#[test]
fn queues_and_watches_are_read_only_for_a_snapshot() {
    let health = Health::new();
    let reads = Arc::new(AtomicU64::new(0));
    let (queue, watches) = (Arc::new(()), Arc::new(()));
    let (of, counted) = (Arc::downgrade(&queue), Arc::clone(&reads));
    health.reporter("exporters::b").queue(Signal::Metrics, move || {
        of.upgrade()?;
        counted.fetch_add(1, Ordering::Relaxed);
        Some(QueueReading {
            size: 1,
            capacity: 2,
            unit: "items",
        })
    });
    let of = Arc::downgrade(&watches);
    health
        .reporter("receivers::k8s_job")
        .watches(move || of.upgrade().map(|_| vec![jobs(), jobs()]));
    assert_eq!(reads.load(Ordering::Relaxed), 0);
    let found = Process::new(&health).status();
    assert_eq!((found.queues.len(), found.watches.len()), (1, 2));
    assert_eq!(found.queues[0].exporter, "exporters::b");
    assert_eq!(reads.load(Ordering::Relaxed), 1);
    drop((queue, watches));
    let found = Process::new(&health).status();
    assert_eq!((found.queues.len(), found.watches.len()), (0, 0), "they have ended");
}

#[test]
fn a_receiver_shows_the_watches_it_registered_last() {
    let health = Health::new();
    let reporter = health.reporter("receivers::k8s_job");
    reporter.watches(|| Some(vec![jobs(), jobs()]));
    reporter.watches(|| Some(vec![jobs()]));
    assert_eq!(Process::new(&health).status().watches.len(), 1);
}
