//! A cluster with Jobs that are stuck or run, and the tracker that watches it.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use job_event::Notice;
use job_tracker::checkpoint::Checkpoint;
use job_tracker::outbox::AckEvent;
use job_tracker::replay::read_line;
use job_tracker::{OnFirstStart, StallSettings, Tracker, TrackerSettings};
use job_watch::{Kind, Observation, Source};
use serde_json::{Value, json};

/// More than any test needs.
const TOMBSTONES: usize = 40_000;
const KINDS: [(Kind, &str); 3] = [(Kind::CronJobs, "cronjobs"), (Kind::Jobs, "jobs"), (Kind::Pods, "pods")];

pub(crate) struct Cluster {
    pub now: Timestamp,
    pub tracker: Tracker,
    /// A replica that does not lead.
    standby: Option<Tracker>,
    settings: StallSettings,
    objects: BTreeMap<(&'static str, String), Value>,
    version: u64,
    /// How many Pods of each Job were replaced.
    replaced: BTreeMap<String, usize>,
    /// The events in the order of their emission, as words.
    pub events: Vec<String>,
    /// The notices in the same order.
    pub notices: Vec<Notice>,
    /// True if events are acknowledged when they are emitted.
    pub acknowledges: bool,
    /// The checkpoint that announced the last notices, if notices are announced.
    announced: Option<Bytes>,
    /// The ids of the acknowledged notices, and of those that this checkpoint knows.
    acknowledged: BTreeSet<String>,
    pub durable: BTreeSet<String>,
    /// The ids of the notices that the leader has sent, and of those that are not acknowledged.
    sent: BTreeSet<String>,
    unacknowledged: BTreeSet<String>,
}

pub(crate) fn seconds(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

fn tracker(settings: &StallSettings) -> Tracker {
    Tracker::new(TrackerSettings {
        stalls: settings.clone(),
        on_first_start: OnFirstStart::ReportFinished,
        ..TrackerSettings::default()
    })
}

impl Cluster {
    /// An empty cluster; every stall is reported after that many seconds.
    pub(crate) fn new(after: i64) -> Cluster {
        Cluster::with(StallSettings::all_after(seconds(after)))
    }

    pub(crate) fn with(settings: StallSettings) -> Cluster {
        let mut cluster = Cluster {
            now: "2026-11-28T12:00:00Z".parse().unwrap(),
            tracker: tracker(&settings),
            standby: None,
            settings,
            objects: BTreeMap::new(),
            version: 1,
            replaced: BTreeMap::new(),
            events: Vec::new(),
            notices: Vec::new(),
            acknowledges: true,
            announced: None,
            acknowledged: BTreeSet::new(),
            durable: BTreeSet::new(),
            sent: BTreeSet::new(),
            unacknowledged: BTreeSet::new(),
        };
        cluster.limit(TOMBSTONES);
        cluster
    }

    /// The process starts with a checkpoint that lists at most so many reported Jobs.
    pub(crate) fn limit(&mut self, tombstones: usize) {
        self.tracker.restore(Checkpoint::new(tombstones), Vec::new());
        self.list();
    }

    /// A Job without a Pod.
    pub(crate) fn create(&mut self, name: &str) {
        self.create_with(name, |_| {});
    }

    /// The same; `edit` changes the Job before it is created.
    pub(crate) fn create_with(&mut self, name: &str, edit: impl FnOnce(&mut Value)) {
        let mut job = json!({"metadata": {"name": name, "namespace": "n", "uid": uid(name), "creationTimestamp": self.now},
            "spec": {"backoffLimit": 6, "completions": 1, "parallelism": 1, "template": {"spec": {"restartPolicy": "Never"}}},
            "status": {"startTime": self.now, "active": 1}});
        edit(&mut job);
        self.put("jobs", name, job);
    }

    /// The Pod of a Job cannot start for a waiting reason; a Job that is new is created.
    pub(crate) fn wait_for(&mut self, name: &str, reason: &str, message: &str) {
        let waiting = json!({"state": {"waiting": {"reason": reason, "message": message}}});
        self.pod(name, "Pending", &waiting);
    }

    /// The image of a Job's Pod cannot be pulled.
    pub(crate) fn stick(&mut self, name: &str) {
        self.wait_for(
            name,
            "ErrImagePull",
            "rpc error: code = NotFound desc = image a:1: not found",
        );
    }

    /// The container of a Job's Pod runs.
    pub(crate) fn run(&mut self, name: &str) {
        let running = json!({"started": true, "ready": true, "containerID": "c1",
            "state": {"running": {"startedAt": self.now}}});
        self.pod(name, "Running", &running);
    }

    /// The Pod of a Job is deleted; the next one is another one.
    pub(crate) fn delete_pod(&mut self, name: &str) {
        *self.replaced.entry(name.to_owned()).or_default() += 1;
        let last = self.objects.remove(&("pods", name.to_owned())).unwrap();
        self.observe("pods", "DELETED", &last);
    }

    fn pod(&mut self, name: &str, phase: &str, status: &Value) {
        if !self.objects.contains_key(&("jobs", name.to_owned())) {
            self.create(name);
        }
        let known = self.objects.get(&("pods", name.to_owned()));
        let created = known.map_or(json!(self.now), |pod| pod["metadata"]["creationTimestamp"].clone());
        let mut container = json!({"name": "main", "restartCount": 0});
        container
            .as_object_mut()
            .unwrap()
            .extend(status.as_object().unwrap().clone());
        let pod = format!("{name}-{}", self.replaced.get(name).unwrap_or(&0));
        let pod = json!({"metadata": {"name": pod, "namespace": "n", "uid": uid(&pod),
                "creationTimestamp": created, "ownerReferences": [{"apiVersion": "batch/v1", "kind": "Job",
                    "name": name, "uid": uid(name), "controller": true}]},
            "spec": {"nodeName": "node", "containers": [{"name": "main", "image": "a:1"}]},
            "status": {"phase": phase, "startTime": created, "containerStatuses": [container], "conditions": [
                {"type": "PodScheduled", "status": "True", "lastTransitionTime": created},
                {"type": "PodReadyToStartContainers", "status": "True", "lastTransitionTime": created},
                {"type": "Ready", "status": if phase == "Running" { "True" } else { "False" },
                    "lastTransitionTime": self.now}]}});
        self.put("pods", name, pod);
    }

    /// A Job completes.
    pub(crate) fn complete(&mut self, name: &str) {
        self.end(name, &["SuccessCriteriaMet", "Complete"], "CompletionsReached");
    }

    /// A Job fails.
    pub(crate) fn fail(&mut self, name: &str) {
        self.end(name, &["FailureTarget", "Failed"], "BackoffLimitExceeded");
    }

    fn end(&mut self, name: &str, conditions: &[&str], reason: &str) {
        let now = self.now;
        let condition =
            |kind: &&str| json!({"type": kind, "status": "True", "reason": reason, "lastTransitionTime": now});
        let conditions: Vec<Value> = conditions.iter().map(condition).collect();
        let is_complete = reason == "CompletionsReached";
        self.edit("jobs", name, |job| {
            job["status"]["active"] = 0.into();
            job["status"]["conditions"] = conditions.into();
            if is_complete {
                job["status"]["succeeded"] = 1.into();
                job["status"]["completionTime"] = json!(now);
            }
        });
    }

    /// Changes an object.
    pub(crate) fn edit(&mut self, resource: &'static str, name: &str, change: impl FnOnce(&mut Value)) {
        let mut object = self.objects[&(resource, name.to_owned())].clone();
        change(&mut object);
        self.put(resource, name, object);
    }

    pub(crate) fn put(&mut self, resource: &'static str, name: &str, mut object: Value) {
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        self.observe(resource, "MODIFIED", &object);
        self.objects.insert((resource, name.to_owned()), object);
    }

    /// Deletes the objects of this name.
    pub(crate) fn delete(&mut self, name: &str) {
        for resource in ["pods", "jobs", "cronjobs"] {
            if let Some(last) = self.objects.remove(&(resource, name.to_owned())) {
                self.observe(resource, "DELETED", &last);
            }
        }
    }

    /// Deletes the objects of this name while no process watches.
    pub(crate) fn vanish(&mut self, name: &str) {
        self.objects.retain(|(_, of), _| of != name);
    }

    fn observe(&mut self, resource: &str, kind: &str, object: &Value) {
        for tracker in std::iter::once(&mut self.tracker).chain(&mut self.standby) {
            let (source, observation) = observed(resource, kind, object);
            tracker.apply(source, observation, self.now);
        }
    }

    /// Another replica starts, and does not lead.
    pub(crate) fn add_standby(&mut self) {
        let stored = self.store();
        let mut standby = tracker(&self.settings);
        standby.restore(Checkpoint::decode(stored, TOMBSTONES).unwrap(), Vec::new());
        let leader = std::mem::replace(&mut self.tracker, standby);
        self.list();
        self.standby = Some(std::mem::replace(&mut self.tracker, leader));
    }

    /// The standby leads from now on.
    pub(crate) fn take_over(&mut self) {
        let stored = match &self.announced {
            Some(stored) => stored.clone(),
            None => self.store(),
        };
        let standby = self.standby.take().unwrap();
        let mut former = std::mem::replace(&mut self.tracker, standby);
        for tracker in [&mut self.tracker, &mut former] {
            tracker.adopt(Checkpoint::decode(stored.clone(), TOMBSTONES).unwrap());
        }
        self.standby = Some(former);
        if self.announced.is_some() {
            self.lose_acknowledgements();
            self.announce();
        }
    }

    /// The watches break and relist.
    pub(crate) fn list(&mut self) {
        KINDS.into_iter().for_each(|kind| self.list_kind(kind));
    }

    /// This happens while the watches are broken.
    pub(crate) fn unobserved(&mut self, happens: impl FnOnce(&mut Cluster)) {
        let watching = std::mem::replace(&mut self.tracker, tracker(&self.settings));
        happens(self);
        self.tracker = watching;
    }

    /// The same as [`Cluster::list`], and Pods are listed before Jobs.
    pub(crate) fn list_pods_first(&mut self) {
        KINDS.into_iter().rev().for_each(|kind| self.list_kind(kind));
    }

    /// The watch of Pods breaks, and the list lacks the Pod of a Job.
    pub(crate) fn list_pods_without(&mut self, name: &str) {
        self.objects.remove(&("pods", name.to_owned())).unwrap();
        self.list_kind((Kind::Pods, "pods"));
    }

    fn list_kind(&mut self, (kind, resource): (Kind, &str)) {
        for tracker in std::iter::once(&mut self.tracker).chain(&mut self.standby) {
            let source = Source { kind, scope: 0 };
            tracker.apply(source, Observation::ListBegins, self.now);
            for ((_, _), object) in self.objects.iter().filter(|((of, _), _)| *of == resource) {
                let (_, observation) = observed(resource, "ADDED", object);
                let Observation::Changed(object) = observation else {
                    panic!("an object")
                };
                tracker.apply(source, Observation::Listed(object), self.now);
            }
            tracker.apply(source, Observation::ListEnds, self.now);
        }
    }

    /// Time passes; events are emitted when they are due.
    pub(crate) fn wait(&mut self, duration: i64) {
        let end = self.now + seconds(duration);
        self.emit();
        loop {
            let deadlines = [self.tracker.next_deadline(), self.tracker.next_notice_deadline()];
            let Some(next) = deadlines.into_iter().flatten().min().filter(|next| *next <= end) else {
                break;
            };
            self.now = self.now.max(next);
            self.emit();
        }
        self.now = end;
        self.emit();
    }

    /// Emits what is due.
    pub(crate) fn emit(&mut self) {
        loop {
            let (key, event) = if let Some(notice) = self.tracker.next_notice(self.now) {
                self.note(&notice);
                (notice.key(), words(&notice))
            } else if let Some(evidence) = self.tracker.poll(self.now) {
                let event = format!("{} {}", evidence.job.outcome().as_str(), evidence.job.name);
                (job_event::Uid::new(&evidence.job.uid), event)
            } else if self.announced.is_some() && self.tracker.outbox().checkpoint().is_dirty() {
                let stored = self.store();
                let Some(notice) = self.tracker.next_notice(self.now) else {
                    return;
                };
                self.announced = Some(stored);
                self.durable = self.acknowledged.clone();
                self.note(&notice);
                (notice.key(), words(&notice))
            } else {
                return;
            };
            self.events.push(event);
            if self.acknowledges {
                self.tracker.outbox().apply(&key, AckEvent::Acknowledged);
                self.acknowledged.extend(std::mem::take(&mut self.unacknowledged));
            }
        }
    }

    /// A notice is sent: not twice by one process, and not again once the store knows it.
    fn note(&mut self, notice: &Notice) {
        let id = notice.record_uid();
        assert!(!self.durable.contains(&id), "{id} is reported again");
        assert!(self.sent.insert(id.clone()), "{id} is reported twice");
        self.unacknowledged.insert(id);
        self.notices.push(notice.clone());
    }

    pub(crate) fn acknowledge(&mut self) {
        for notice in &self.notices {
            self.tracker.outbox().apply(&notice.key(), AckEvent::Acknowledged);
        }
        self.acknowledged.extend(std::mem::take(&mut self.unacknowledged));
    }

    pub(crate) fn store(&mut self) -> Bytes {
        let bytes = self.tracker.outbox().encode(self.now);
        self.tracker.outbox().written();
        bytes
    }

    /// Notices are announced in the store from now on.
    pub(crate) fn announce(&mut self) {
        self.announced = Some(self.store());
        self.durable = self.acknowledged.clone();
        self.tracker.outbox().announce_notices();
    }

    /// The process is killed and starts again. The store has what announced the last notices, and nothing later.
    pub(crate) fn crash(&mut self) {
        let stored = self.announced.clone().unwrap();
        self.lose_acknowledgements();
        self.start(stored);
        self.announce();
    }

    /// Another process leads, and knows what is stored.
    fn lose_acknowledgements(&mut self) {
        self.unacknowledged.clear();
        self.sent = self.durable.clone();
        self.acknowledged = self.durable.clone();
    }

    /// The process stores its checkpoint, ends and starts again.
    pub(crate) fn restart(&mut self) {
        let stored = self.store();
        self.start(stored);
    }

    /// A process starts with this checkpoint.
    pub(crate) fn start(&mut self, stored: Bytes) {
        self.unacknowledged.clear();
        self.sent = self.acknowledged.clone();
        self.tracker = tracker(&self.settings);
        self.tracker
            .restore(Checkpoint::decode(stored, TOMBSTONES).unwrap(), Vec::new());
        self.list();
    }

    /// The events since the last call.
    pub(crate) fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.events)
    }
}

fn uid(name: &str) -> String {
    format!("uid-{name}")
}

fn observed(resource: &str, kind: &str, object: &Value) -> (Source, Observation) {
    let line = json!({"t": 0, "resource": resource, "type": kind, "object": object});
    let recorded = read_line(&line.to_string()).unwrap();
    (recorded.source, recorded.observation.unwrap())
}

fn words(notice: &Notice) -> String {
    match notice {
        Notice::Stalled(stalled) => format!("stalled {} {}", stalled.job.name, stalled.cause),
        Notice::Recovered(recovered) => {
            let outcome = recovered.outcome.map_or("", |outcome| outcome.as_str());
            let words = format!(
                "recovered {} {} {outcome}",
                recovered.job.name,
                recovered.causes.join("+")
            );
            words.trim_end().to_owned()
        }
        Notice::Missed(missed) => format!("missed {}", missed.count),
    }
}
