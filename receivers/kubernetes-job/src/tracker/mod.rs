//! The pure state machine: what was observed goes in, each Job that has ended comes out once. No I/O and no clock.
//!
//! A Job is known by its UID, never by its name. It has a record from first sight until it is reported, then a
//! tombstone of a few bytes for as long as it exists, then nothing but a place among the recently removed. So however
//! often it is listed, repeated or delivered late, it is reported once.

pub mod checkpoint;
mod cronjobs;
mod early;
mod event;
mod job;
mod node;
mod observation;
mod pod;
mod pool;
mod recovery;
mod state;
mod telling;
mod time;

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use jiff::{SignedDuration, Timestamp};
use job_event::evidence::{Evidence, Gap};

pub use observation::{Kind, Object, Observation, Source};
pub use state::{Counts, OwnerState};

use self::checkpoint::Checkpoint;
use self::cronjobs::CronJobs;
use self::early::Early;
use self::event::EventRecord;
use self::job::JobRecord;
use self::node::NodeEvents;
use self::pod::PodRecord;
use self::pool::Pools;
use self::recovery::Recoveries;
use self::state::States;
use crate::model;
use job_event::Uid;

/// How many Jobs may have Pods waiting for them, and how many Pods each.
const EARLY_PODS: (usize, usize) = (512, 64);
/// How many objects may have Events waiting for them; how many Events each has, [`event::merge`] bounds.
const EARLY_EVENTS: usize = 1024;
/// How many UIDs of removed Jobs are remembered, so that a late version does not bring one back.
const REMOVED: usize = 4096;
/// For how long the API server keeps Events by default (`--event-ttl`). Of what a Job that is older when it is first
/// listed has been through, nothing may be left.
const EVENTS_KEPT: SignedDuration = SignedDuration::from_hours(1);
/// How many Jobs that were told of the checkpoint lists, unless it is given another.
const LISTED: usize = 32_768;
/// How much longer a Job whose end was not seen is kept open: its Events may tell, and they are listed by themselves.
const WAIT_FOR_EVENTS: SignedDuration = SignedDuration::from_secs(5);

/// What to do with Jobs that had ended before the first list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFirstStart {
    /// They count as reported.
    #[default]
    IgnoreFinished,
    /// They are reported.
    ReportFinished,
}

/// How the tracker behaves.
#[derive(Clone, Copy, Debug)]
pub struct TrackerSettings {
    /// How long after a Job's verdict evidence may still arrive before it is reported.
    pub settle: SignedDuration,
    /// What to do with Jobs that had ended before the first start.
    pub on_first_start: OnFirstStart,
    /// How long before the first start they may have ended to be reported.
    pub finished_max_age: SignedDuration,
    /// Whether Jobs that ended and are gone are told from their Events. Not if only some Jobs are watched: Events do not
    /// say whether their Job is one of them.
    pub recovers: bool,
}

impl Default for TrackerSettings {
    fn default() -> Self {
        TrackerSettings {
            settle: SignedDuration::from_secs(1),
            on_first_start: OnFirstStart::default(),
            finished_max_age: SignedDuration::MAX,
            recovers: false,
        }
    }
}

/// How many things the tracker holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Jobs that are not reported yet.
    pub live: usize,
    /// Jobs that are reported and still exist.
    pub reported: usize,
    /// Pods of Jobs that are not reported yet.
    pub pods: usize,
    /// CronJobs.
    pub cronjobs: usize,
    /// Jobs that Pods wait for, and objects that Events wait for.
    pub early: usize,
    /// Removed Jobs that are remembered.
    pub removed: usize,
}

#[derive(Debug)]
enum Entry {
    Live(Box<JobRecord>),
    Reported { scope: u16 },
}

/// Everything known about the Jobs of a cluster.
#[derive(Debug)]
pub struct Tracker {
    settings: TrackerSettings,
    jobs: HashMap<Uid, Entry>,
    /// The Job of each Pod of a Job that is not reported yet, from first sight: an orphaned Pod loses its owner.
    pods: HashMap<Uid, Uid>,
    cronjobs: CronJobs,
    early_pods: Early<PodRecord>,
    early_events: Early<EventRecord>,
    node_events: NodeEvents,
    due: BTreeSet<(Timestamp, Uid)>,
    removed: HashSet<Uid>,
    removed_order: VecDeque<Uid>,
    /// The objects of the lists that have begun and not ended.
    lists: HashMap<Source, HashSet<Uid>>,
    /// The sources that have delivered a complete list.
    listed: HashSet<Source>,
    forbidden: HashSet<Source>,
    ended: States,
    pools: Pools,
    checkpoint: Checkpoint,
    /// The names of the scopes from 1 on.
    parts: Vec<Box<str>>,
    recoveries: Recoveries,
    /// When something was last observed.
    now: Timestamp,
}

impl Tracker {
    /// A tracker that knows nothing yet.
    pub fn new(settings: TrackerSettings) -> Self {
        Tracker {
            settings,
            jobs: HashMap::new(),
            pods: HashMap::new(),
            cronjobs: CronJobs::default(),
            early_pods: Early::new(EARLY_PODS.0),
            early_events: Early::new(EARLY_EVENTS),
            node_events: NodeEvents::default(),
            due: BTreeSet::new(),
            removed: HashSet::new(),
            removed_order: VecDeque::new(),
            lists: HashMap::new(),
            listed: HashSet::new(),
            forbidden: HashSet::new(),
            ended: States::default(),
            pools: Pools::default(),
            checkpoint: Checkpoint::new(LISTED),
            parts: Vec::new(),
            recoveries: Recoveries::default(),
            now: Timestamp::MIN,
        }
    }

    /// Takes in what was observed at `now`.
    pub fn apply(&mut self, source: Source, observation: Observation, now: Timestamp) {
        self.now = now;
        match observation {
            Observation::ListBegins => self.list_begins(source, now),
            Observation::Listed(object) => {
                if let Some(seen) = self.lists.get_mut(&source) {
                    seen.insert(object.uid());
                }
                self.object(source, &object, true, now);
            }
            Observation::ListEnds => self.list_ends(source, now),
            Observation::Changed(object) => self.object(source, &object, false, now),
            Observation::Deleted(object) => {
                self.object(source, &object, false, now);
                self.object_gone(&object, now);
            }
            Observation::Forbidden => {
                self.forbidden.insert(source);
            }
        }
    }

    /// The Jobs that have not ended, in order of their namespaces and names.
    pub fn into_unended(mut self) -> Vec<Evidence> {
        let mut records: Vec<(Uid, JobRecord)> = self
            .jobs
            .drain()
            .filter_map(|(uid, entry)| match entry {
                Entry::Live(record) if !record.is_due => Some((uid, *record)),
                _ => None,
            })
            .collect();
        records.sort_by(|(_, a), (_, b)| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
        let gaps = self.general_gaps(None);
        records
            .into_iter()
            .map(|(uid, record)| {
                let mut evidence = record.into_evidence(uid, &gaps);
                self.cronjobs.job_ended(&mut evidence.job);
                self.node_events.add_to(&mut evidence);
                evidence
            })
            .collect()
    }

    /// The state of every unfinished Job, summed for each owner; Jobs that ended since the last call count once more.
    pub fn states(&mut self) -> impl Iterator<Item = OwnerState> + Send + use<> {
        let mut states = std::mem::take(&mut self.ended);
        for entry in self.jobs.values() {
            if let Entry::Live(record) = entry {
                states.add(record, false);
            }
        }
        states.into_states()
    }

    /// How much it holds.
    pub fn sizes(&self) -> Sizes {
        let live = self
            .jobs
            .values()
            .filter(|entry| matches!(entry, Entry::Live(_)))
            .count();
        Sizes {
            live,
            reported: self.jobs.len() - live,
            pods: self.pods.len(),
            cronjobs: self.cronjobs.len(),
            early: self.early_pods.len() + self.early_events.len(),
            removed: self.removed.len(),
        }
    }

    fn object(&mut self, source: Source, object: &Object, listed: bool, now: Timestamp) {
        self.forbidden.remove(&source);
        match object {
            Object::CronJob(cronjob) => self.cronjobs.seen(cronjob),
            Object::Job(job) => self.job(source, job, listed, now),
            Object::Pod(pod) => self.pod(pod, listed),
            Object::Event(event) => self.event(source, event, listed, now),
        }
    }

    fn object_gone(&mut self, object: &Object, now: Timestamp) {
        let uid = object.uid();
        match object {
            Object::CronJob(_) => self.cronjobs.gone(uid),
            Object::Job(_) => self.job_gone(uid, None, now),
            Object::Pod(pod) => self.pod_gone(uid, pod),
            // Events expire; that they were there is what counts.
            Object::Event(_) => {}
        }
    }

    fn job(&mut self, source: Source, job: &model::Job, listed: bool, now: Timestamp) {
        let uid = Uid::new(&job.metadata.uid);
        match self.jobs.get_mut(&uid) {
            Some(Entry::Live(record)) => {
                record.apply(job, listed, &mut self.pools);
                return self.schedule(uid, now);
            }
            Some(Entry::Reported { .. }) => {
                if let Some(at) = job.finished_at() {
                    self.checkpoint.over(&uid, at.min(now));
                }
                return;
            }
            None => {}
        }
        if self.removed.contains(&uid) {
            return;
        }
        let mut record = JobRecord::new(job, source.scope, &mut self.pools);
        self.cronjobs.run_seen(uid, &record);
        if self.recoveries.forget(&uid) {
            self.checkpoint.told_elsewhere(&uid);
        }
        if self.is_told(source, &uid, &record, listed, now) {
            self.jobs.insert(uid, Entry::Reported { scope: source.scope });
            self.early_pods.take(uid);
            return;
        }
        let is_old = |created: Timestamp| now.duration_since(created) > EVENTS_KEPT;
        if listed && record.created.get().is_some_and(is_old) {
            record.note(Gap::JoinedLate);
        }
        for event in self.early_events.take(uid) {
            record.add_event(event);
        }
        let pods = self.early_pods.take(uid);
        self.cronjobs.job_added(uid, &record);
        self.jobs.insert(uid, Entry::Live(Box::new(record)));
        for pod in pods {
            self.add_pod(uid, pod);
        }
        self.schedule(uid, now);
    }

    /// Sets when a Job is reported, if it has ended.
    fn schedule(&mut self, uid: Uid, now: Timestamp) {
        let Some(Entry::Live(record)) = self.jobs.get_mut(&uid) else {
            return;
        };
        if record.is_due || !record.has_ended() {
            return;
        }
        let at = now.checked_add(self.settings.settle).unwrap_or(Timestamp::MAX);
        self.is_due(uid, at, now);
    }

    /// A Job is gone; with a gap if that was not seen but follows from a list.
    fn job_gone(&mut self, uid: Uid, gap: Option<Gap>, now: Timestamp) {
        match self.jobs.get_mut(&uid) {
            None => {}
            Some(Entry::Reported { .. }) => {
                self.jobs.remove(&uid);
                self.remember_removed(uid);
                self.checkpoint.over(&uid, now);
            }
            Some(Entry::Live(record)) => {
                let undecided = !record.is_due;
                record.remove(now);
                match gap {
                    Some(gap) if undecided => {
                        record.note(gap);
                        let wait = self.settings.settle.max(WAIT_FOR_EVENTS);
                        let at = now.checked_add(wait).unwrap_or(Timestamp::MAX);
                        self.is_due(uid, at, now);
                    }
                    _ => self.schedule(uid, now),
                }
            }
        }
    }

    fn pod(&mut self, pod: &model::Pod, listed: bool) {
        let uid = Uid::new(&pod.metadata.uid);
        let Some(job) = self.pods.get(&uid).copied().or_else(|| owner_of(pod)) else {
            return;
        };
        match self.jobs.get_mut(&job) {
            Some(Entry::Reported { .. }) => {}
            Some(Entry::Live(record)) => match record.pod(uid) {
                Some(known) => known.apply(pod, listed, &mut self.pools),
                None => {
                    let pod = PodRecord::new(pod, &mut self.pools);
                    self.add_pod(job, pod);
                }
            },
            None if self.removed.contains(&job) => {}
            None => {
                let waiting = self.early_pods.of(job);
                match waiting.iter_mut().find(|known| known.uid == uid) {
                    Some(known) => known.apply(pod, listed, &mut self.pools),
                    None => {
                        if waiting.len() >= EARLY_PODS.1 {
                            waiting.remove(0);
                        }
                        waiting.push(PodRecord::new(pod, &mut self.pools));
                    }
                }
            }
        }
    }

    fn add_pod(&mut self, job: Uid, pod: PodRecord) {
        let Some(Entry::Live(record)) = self.jobs.get_mut(&job) else {
            return;
        };
        self.pods.insert(pod.uid, job);
        for event in self.early_events.take(pod.uid) {
            record.add_event(event);
        }
        if let Some(omitted) = record.add_pod(pod) {
            self.pods.remove(&omitted);
        }
    }

    fn pod_gone(&mut self, uid: Uid, pod: &model::Pod) {
        let known = match self.pods.get(&uid).and_then(|job| self.jobs.get_mut(job)) {
            Some(Entry::Live(record)) => record.pod(uid),
            _ => owner_of(pod)
                .and_then(|job| self.early_pods.known(job))
                .and_then(|waiting| waiting.iter_mut().find(|pod| pod.uid == uid)),
        };
        if let Some(known) = known {
            known.removed = true;
        }
    }

    fn event(&mut self, source: Source, event: &model::Event, listed: bool, now: Timestamp) {
        let is_job = match &*event.involved_object.kind {
            "Job" => true,
            // Only warnings explain anything, and only they are watched.
            "Pod" if &*event.kind == "Warning" => false,
            "Node" => return self.node_events.seen(event, &mut self.pools),
            _ => return,
        };
        if !event::is_useful(event, is_job) {
            return;
        }
        let uid = Uid::new(&event.involved_object.uid);
        let job = if is_job { Some(&uid) } else { self.pods.get(&uid) };
        match job.and_then(|job| self.jobs.get_mut(job)) {
            Some(Entry::Live(record)) => record.add_event(EventRecord::new(event, &mut self.pools)),
            Some(Entry::Reported { .. }) => {}
            None if self.removed.contains(&uid) => {}
            None => {
                let record = EventRecord::new(event, &mut self.pools);
                if is_job {
                    self.may_be_gone(source, event, &record, listed, now);
                }
                event::merge(self.early_events.of(uid), record);
            }
        }
    }

    /// A list after the first one follows an interruption; all that lives may have changed unseen. Events are kept by
    /// the API server for an hour or more and CronJobs have no history, so their lists miss nothing.
    fn list_begins(&mut self, source: Source, now: Timestamp) {
        self.lists.insert(source, HashSet::new());
        if source.kind == Kind::Jobs {
            let part = part(&self.parts, source.scope);
            self.checkpoint.begin(part, first_told(&self.settings, now));
            self.checkpoint.list_begins(part);
        }
        if !matches!(source.kind, Kind::Jobs | Kind::Pods) || !self.listed.contains(&source) {
            return;
        }
        for entry in self.jobs.values_mut() {
            if let Entry::Live(record) = entry
                && record.scope == source.scope
            {
                record.note(Gap::WatchInterrupted);
            }
        }
    }

    fn list_ends(&mut self, source: Source, now: Timestamp) {
        let Some(seen) = self.lists.remove(&source) else { return };
        self.listed.insert(source);
        self.forbidden.remove(&source);
        match source.kind {
            Kind::Jobs => {
                self.checkpoint.list_ends(part(&self.parts, source.scope));
                self.recoveries.jobs_listed(source.scope, now);
                let gone: Vec<Uid> = self
                    .jobs
                    .iter()
                    .filter(|(uid, entry)| entry.scope() == source.scope && !seen.contains(uid) && !entry.is_removed())
                    .map(|(uid, _)| *uid)
                    .collect();
                for uid in gone {
                    self.job_gone(uid, Some(Gap::EndNotSeen), now);
                }
            }
            Kind::Pods => {
                for entry in self.jobs.values_mut() {
                    if let Entry::Live(record) = entry
                        && record.scope == source.scope
                    {
                        for pod in record.pods.iter_mut().filter(|pod| !seen.contains(&pod.uid)) {
                            pod.removed = true;
                        }
                    }
                }
            }
            // A CronJob of another scope is not in this list; with several scopes they end with their Jobs.
            Kind::CronJobs if source.scope == 0 => {
                for uid in self.cronjobs.existing() {
                    if !seen.contains(&uid) {
                        self.cronjobs.gone(uid);
                    }
                }
            }
            Kind::CronJobs | Kind::JobEvents | Kind::PodEvents | Kind::NodeEvents => {}
        }
    }

    fn general_gaps(&self, scope: Option<u16>) -> Vec<Gap> {
        let forbidden = |kinds: &[Kind]| {
            self.forbidden
                .iter()
                .any(|source| kinds.contains(&source.kind) && scope.is_none_or(|s| s == source.scope))
        };
        let mut gaps = Vec::new();
        if forbidden(&[Kind::Pods]) {
            gaps.push(Gap::PodsForbidden);
        }
        if forbidden(&[Kind::JobEvents, Kind::PodEvents]) {
            gaps.push(Gap::EventsForbidden);
        }
        gaps
    }

    fn remember_removed(&mut self, uid: Uid) {
        if self.removed.insert(uid) {
            self.removed_order.push_back(uid);
        }
        if self.removed_order.len() > REMOVED
            && let Some(oldest) = self.removed_order.pop_front()
        {
            self.removed.remove(&oldest);
        }
    }
}

impl Entry {
    fn scope(&self) -> u16 {
        match self {
            Entry::Live(record) => record.scope,
            Entry::Reported { scope } => *scope,
        }
    }

    fn is_removed(&self) -> bool {
        matches!(self, Entry::Live(record) if record.is_removed())
    }
}

/// The name of a part of the cluster: a namespace, or none for all of it.
fn part(parts: &[Box<str>], scope: u16) -> &str {
    usize::from(scope)
        .checked_sub(1)
        .and_then(|at| parts.get(at))
        .map_or("", |name| name)
}

/// From when on Jobs that ended are told of by who begins to watch at `now`.
fn first_told(settings: &TrackerSettings, now: Timestamp) -> Timestamp {
    match settings.on_first_start {
        OnFirstStart::IgnoreFinished => now,
        OnFirstStart::ReportFinished => now.checked_sub(settings.finished_max_age).unwrap_or(Timestamp::MIN),
    }
}

/// The UID of the Job that controls a Pod.
fn owner_of(pod: &model::Pod) -> Option<Uid> {
    let metadata = &pod.metadata;
    let owner = metadata.controller("Job").map(|owner| &owner.uid);
    owner
        .or(metadata.labels.controller_uid.as_ref())
        .map(|uid| Uid::new(uid))
}
