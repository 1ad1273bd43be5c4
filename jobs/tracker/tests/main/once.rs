//! Random scripts of relists, kills and stores: each finished Job is reported, and none again once that is stored.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use job_event::Uid;
use job_tracker::checkpoint::Checkpoint;
use job_tracker::outbox::AckEvent;
use job_tracker::replay::read_line;
use job_tracker::{Tracker, TrackerSettings};
use job_watch::watches::Positions;
use job_watch::{Kind, Observation, Source};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::{Value, json};

/// More Jobs than finish in one script: beyond this the watermark advances faster than a cluster may be late.
const TOMBSTONES: usize = 10_000;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// This many Jobs finish, and are deleted at once or stay.
    End(u8, bool),
    /// A Job fails whose Pods take so long to end.
    Lingers(u8),
    Wait(u16),
    /// The watches deliver this many changes.
    Watch(u8),
    /// The watches break and relist.
    Relist,
    /// The sent events are acknowledged.
    Deliver,
    Store,
    /// The process is killed and restarted. If this is set it resumes at the stored version.
    Kill(Option<Replay>),
}

/// The changes since the stored version that a watch replays.
#[derive(Clone, Copy, Debug)]
enum Replay {
    /// The API server still has so many of them, percent.
    Part(u8),
    /// After so many of them, percent, it is silent for a while.
    Pauses(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (1u8..12, any::<bool>()).prop_map(|(count, stays)| Step::End(count, stays)),
        2 => (0u8..200).prop_map(Step::Lingers),
        4 => (0u16..400).prop_map(Step::Wait),
        4 => (0u8..40).prop_map(Step::Watch),
        1 => Just(Step::Relist),
        4 => Just(Step::Deliver),
        3 => Just(Step::Store),
        3 => prop::option::of(replays()).prop_map(Step::Kill),
    ];
    prop::collection::vec(step, 1..80)
}

fn replays() -> impl Strategy<Value = Replay> {
    prop_oneof![
        Just(Replay::Part(100)),
        (0u8..100).prop_map(Replay::Part),
        (0u8..100).prop_map(Replay::Pauses)
    ]
}

/// A cluster, the stored checkpoint, and the tracker that watches the one and writes the other.
struct Cluster {
    now: Timestamp,
    jobs: BTreeMap<String, Value>,
    events: BTreeMap<String, Value>,
    /// The version of an object is the length of the log with it.
    log: Vec<(&'static str, &'static str, Value)>,
    position: usize,
    /// Jobs whose Pods have not ended yet, and when they do.
    lingering: Vec<(Timestamp, String)>,
    ended: BTreeSet<String>,
    tracker: Tracker,
    stored: Option<Bytes>,
    reported: BTreeSet<String>,
    in_flight: BTreeSet<String>,
    delivered: BTreeSet<String>,
    known_to_store: BTreeSet<String>,
}

fn source(kind: Kind) -> Source {
    Source { kind, scope: 0 }
}

fn observed(resource: &str, kind: &str, object: &Value) -> (Source, Observation) {
    let line = json!({"t": 0, "resource": resource, "type": kind, "object": object});
    let recorded = read_line(&line.to_string()).unwrap();
    (recorded.source, recorded.observation.unwrap())
}

fn tracker() -> Tracker {
    Tracker::new(TrackerSettings {
        recovers: true,
        ..Default::default()
    })
}

impl Cluster {
    fn start() -> Cluster {
        let mut cluster = Cluster {
            now: "2026-11-23T17:00:00Z".parse().unwrap(),
            jobs: BTreeMap::new(),
            events: BTreeMap::new(),
            log: Vec::new(),
            position: 0,
            lingering: Vec::new(),
            ended: BTreeSet::new(),
            tracker: tracker(),
            stored: None,
            reported: BTreeSet::new(),
            in_flight: BTreeSet::new(),
            delivered: BTreeSet::new(),
            known_to_store: BTreeSet::new(),
        };
        cluster.tracker.restore(Checkpoint::new(TOMBSTONES), Vec::new());
        cluster.list();
        cluster.store();
        cluster
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::End(count, stays) => {
                for _ in 0..count {
                    let uid = self.fail();
                    self.finish(&uid);
                    if !stays {
                        let last = self.jobs.remove(&uid).unwrap();
                        self.push("jobs", "DELETED", last);
                    }
                }
            }
            Step::Lingers(seconds) => {
                let uid = self.fail();
                self.lingering
                    .push((self.now + SignedDuration::from_secs(seconds.into()), uid));
            }
            Step::Wait(seconds) => {
                self.now += SignedDuration::from_secs(seconds.into());
                let (over, left) = std::mem::take(&mut self.lingering)
                    .into_iter()
                    .partition(|(at, _)| *at <= self.now);
                self.lingering = left;
                for (_, uid) in over {
                    self.finish(&uid);
                }
            }
            Step::Watch(count) => {
                let end = self.log.len().min(self.position + usize::from(count));
                for (resource, kind, object) in &self.log[self.position..end] {
                    let (source, observation) = observed(resource, kind, object);
                    self.tracker.apply(source, observation, self.now);
                }
                self.position = end;
            }
            Step::Relist => self.list(),
            Step::Deliver => {
                for uid in std::mem::take(&mut self.in_flight) {
                    self.tracker.outbox().apply(&Uid::new(&uid), AckEvent::Acknowledged);
                    self.delivered.insert(uid);
                }
            }
            Step::Store => self.store(),
            Step::Kill(replay) => {
                self.in_flight.clear();
                self.delivered = self.known_to_store.clone();
                self.tracker = tracker();
                let stored = Checkpoint::decode(self.stored.clone().unwrap(), TOMBSTONES).unwrap();
                self.tracker.restore(stored, Vec::new());
                let from = self.tracker.stored_positions().get(&source(Kind::Jobs)).copied();
                self.list_and_replay(from.zip(replay));
            }
        }
        self.report();
    }

    /// The object changes.
    fn push(&mut self, resource: &'static str, kind: &'static str, mut object: Value) -> Value {
        object["metadata"]["resourceVersion"] = (self.log.len() + 1).to_string().into();
        self.log.push((resource, kind, object.clone()));
        object
    }

    /// A Job is created and decided.
    fn fail(&mut self) -> String {
        let uid = format!("00000000-0000-0000-0000-{:012x}", self.ended.len() + 1);
        let decided = json!({"type": "FailureTarget", "status": "True", "reason": "BackoffLimitExceeded",
            "lastTransitionTime": self.now});
        let mut job = json!({"metadata": {"uid": uid, "name": uid, "namespace": "n"}, "spec": {"backoffLimit": 0},
            "status": {"active": 1}});
        self.push("jobs", "ADDED", job.clone());
        job["status"] = json!({"failed": 1, "conditions": [decided]});
        let job = self.push("jobs", "MODIFIED", job);
        self.jobs.insert(uid.clone(), job);
        self.ended.insert(uid.clone());
        uid
    }

    /// Its last Pod is deleted.
    fn finish(&mut self, uid: &str) {
        let mut job = self.jobs[uid].clone();
        let failed = json!({"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded",
            "lastTransitionTime": self.now});
        job["status"]["conditions"].as_array_mut().unwrap().push(failed);
        let job = self.push("jobs", "MODIFIED", job);
        self.jobs.insert(uid.to_owned(), job);
        let event = json!({"metadata": {"uid": format!("e{uid}"), "name": uid, "namespace": "n"}, "type": "Warning",
            "source": {"component": "job-controller"},
            "involvedObject": {"apiVersion": "batch/v1", "kind": "Job", "name": uid, "namespace": "n", "uid": uid},
            "reason": "BackoffLimitExceeded", "message": "m", "firstTimestamp": self.now, "lastTimestamp": self.now});
        let event = self.push("events", "ADDED", event);
        self.events.insert(uid.to_owned(), event);
    }

    fn list(&mut self) {
        self.list_and_replay(None);
    }

    /// Lists, and then watches from this version on.
    fn list_and_replay(&mut self, from: Option<(u64, Replay)>) {
        let version = self.log.len() as u64;
        let from = from.filter(|(from, _)| *from < version);
        for (kind, resource, objects) in [
            (Kind::Jobs, "jobs", &self.jobs),
            (Kind::JobEvents, "events", &self.events),
        ] {
            self.tracker.apply(source(kind), Observation::ListBegins, self.now);
            for object in objects.values() {
                let (source, observation) = observed(resource, "ADDED", object);
                let Observation::Changed(object) = observation else {
                    panic!()
                };
                self.tracker.apply(source, Observation::Listed(object), self.now);
            }
            if kind == Kind::Jobs && from.is_some() {
                self.tracker
                    .apply(source(kind), Observation::ReplayBegins { version }, self.now);
            }
            self.tracker.apply(source(kind), Observation::ListEnds, self.now);
        }
        self.position = self.log.len();
        let Some((from, replay)) = from else { return };
        let from = usize::try_from(from).unwrap();
        let changes = &self.log[from..];
        let (Replay::Part(percent) | Replay::Pauses(percent)) = replay;
        let had = changes.len() * usize::from(percent) / 100;
        for (resource, kind, object) in &changes[..had] {
            if *resource == "jobs" {
                let (source, observation) = observed(resource, kind, object);
                self.tracker.apply(source, observation, self.now);
            }
        }
        let complete = match replay {
            Replay::Part(percent) => percent == 100,
            Replay::Pauses(_) => {
                self.position = from + had;
                true
            }
        };
        self.tracker
            .apply(source(Kind::Jobs), Observation::ReplayEnds { complete }, self.now);
    }

    fn report(&mut self) {
        while let Some(evidence) = self.tracker.poll(self.now) {
            let uid = evidence.job.uid.to_string();
            assert_eq!(evidence.job.reason(), Some("BackoffLimitExceeded"));
            assert!(!self.known_to_store.contains(&uid), "{uid} is reported again");
            self.reported.insert(uid.clone());
            assert!(self.in_flight.insert(uid.clone()), "{uid} is reported twice");
            assert!(!self.delivered.contains(&uid), "{uid} is reported again");
        }
    }

    fn store(&mut self) {
        let positions = Positions::from([(source(Kind::Jobs), self.position as u64)]);
        self.tracker.record_positions(self.now, &positions);
        self.stored = Some(self.tracker.outbox().encode(self.now));
        self.known_to_store = self.delivered.clone();
    }
}

proptest! {
    // A fixed seed, so that every run plays the same scripts; `PROPTEST_RNG_SEED` plays others.
    #![proptest_config(ProptestConfig {
        cases: 150,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(15),
        ..ProptestConfig::default()
    })]

    #[test]
    fn reports_each_job_and_none_again_once_stored(script in steps()) {
        let mut cluster = Cluster::start();
        for step in script {
            cluster.step(step);
        }
        let restart = Step::Kill(Some(Replay::Part(100)));
        for step in [Step::Wait(300), restart, Step::Wait(10), Step::Deliver, Step::Store, restart, Step::Wait(10)] {
            cluster.step(step);
        }
        prop_assert_eq!(&cluster.reported, &cluster.ended);
        prop_assert_eq!(&cluster.known_to_store, &cluster.ended);
    }
}

#[test]
fn a_half_replayed_job_that_was_reported_is_not_reported_again() {
    use Step::{Deliver, End, Kill, Lingers, Store, Wait};
    let mut cluster = Cluster::start();
    for step in [
        End(8, true),
        Lingers(0),
        End(5, true),
        End(6, true),
        Lingers(0),
        End(8, true),
        Wait(0),
        End(7, false),
        Wait(110),
        Lingers(0),
        End(11, false),
        Lingers(0),
        End(3, true),
        Wait(251),
        End(6, false),
        Kill(Some(Replay::Pauses(0))),
        Wait(2),
        Deliver,
        Store,
        Kill(Some(Replay::Part(48))),
        Store,
        Wait(300),
    ] {
        cluster.step(step);
    }
}

#[test]
fn a_job_of_a_replay_that_broke_off_is_not_reported_again() {
    use Step::{Deliver, End, Kill, Relist, Store, Wait, Watch};
    let mut cluster = Cluster::start();
    for step in [
        End(9, false),
        End(8, false),
        End(10, false),
        Kill(None),
        Wait(361),
        End(1, false),
        Watch(2),
        Wait(1),
        Deliver,
        End(3, false),
        Store,
        End(3, false),
        End(3, false),
        Kill(Some(Replay::Pauses(6))),
        Relist,
    ] {
        cluster.step(step);
    }
    cluster.step(Wait(300));
}
