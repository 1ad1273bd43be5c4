//! The pure state machine: it takes observations and returns each finished Job once. No I/O and no clock.
//!
//! A Job is known by its UID, never by its name. It has a record from first sight until it is reported, then a
//! tombstone of a few bytes for as long as it exists, then an entry among the recently removed. So however often it is
//! listed, repeated or delivered late, it is reported once. [`outbox`] holds the state of its report.

mod annotations;
pub mod checkpoint;
mod container;
mod cronjobs;
mod early;
mod event;
mod extracted;
mod from_events;
mod gaps;
mod interruptions;
mod job;
mod jobs;
mod lists;
mod node;
mod notices;
mod origin;
pub mod outbox;
mod owned;
mod owner;
mod pod;
mod pool;
mod recovery;
pub mod replay;
mod reporting;
mod resume;
pub mod snapshot;
mod stalls;
mod state;
mod time;

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use jiff::{SignedDuration, Timestamp};
use job_event::evidence::{Evidence, Gap};
use job_watch::{Kind, Object, Observation, Source};

pub use event::is_verdict;
pub use from_events::named_pod;

pub use annotations::InvalidAnnotation;
pub use cronjobs::{CronJobState, MissedRunSettings};
pub use extracted::Extracted;
pub use owner::{NamingRule, OwnerSettings};
pub use stalls::{RunningLongSettings, StallSettings};
pub use state::{Counts, OwnerState};

use self::checkpoint::Checkpoint;
use self::cronjobs::CronJobs;
use self::early::Early;
use self::event::EventRecord;
use self::extracted::Namespaces;
use self::interruptions::Interruptions;
use self::job::JobRecord;
use self::node::NodeEvents;
use self::notices::AnnouncedNotices;
use self::outbox::Outbox;
use self::owned::PodEventTypes;
use self::pod::PodRecord;
use self::pool::Pools;
use self::recovery::Recoveries;
use self::resume::ResumePoints;
use self::stalls::Stalls;
use self::state::{StalledOwners, States};
use job_event::Uid;

/// How many Jobs may have Pods waiting for them, unless more Jobs are known, and how many Pods each.
const EARLY_PODS: (usize, usize) = (512, 64);
/// How many objects may have Events waiting for them; [`event::merge`] bounds the Events of each.
const EARLY_EVENTS: usize = 1024;
/// How many UIDs of removed Jobs are remembered, so that a late version does not bring one back.
const REMOVED: usize = 4096;
/// How long the API server keeps Events by default (`--event-ttl`). The Events of a Job that is older when it is first
/// listed may have expired.
const EVENTS_KEPT: SignedDuration = SignedDuration::from_hours(1);
/// How many reported Jobs the checkpoint lists, unless another one is restored.
const TOMBSTONES: usize = 32_768;
/// How long a Job whose end was not seen waits for its Events, which are listed separately.
const WAIT_FOR_EVENTS: SignedDuration = SignedDuration::from_secs(5);

/// How to treat Jobs that finished before the first list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnFirstStart {
    /// They count as reported.
    #[default]
    IgnoreFinished,
    /// They are reported.
    ReportFinished,
}

/// How the tracker behaves.
#[derive(Clone, Debug)]
pub struct TrackerSettings {
    /// How long after a Job's verdict evidence may still arrive before it is reported.
    pub settle: SignedDuration,
    /// How to treat Jobs that finished before the first start.
    pub on_first_start: OnFirstStart,
    /// How long before the first start a Job may have finished to be reported.
    pub finished_max_age: SignedDuration,
    /// True if deleted Jobs are reported from their Events. False with a label selector: Events do not show whether
    /// their Job matches.
    pub recovers: bool,
    /// When stalled Jobs are reported.
    pub stalls: StallSettings,
    /// When runs of CronJobs that did not start are reported.
    pub missed: MissedRunSettings,
    /// How the owner of a Job is found.
    pub owner: OwnerSettings,
}

impl Default for TrackerSettings {
    fn default() -> Self {
        TrackerSettings {
            settle: SignedDuration::from_secs(1),
            on_first_start: OnFirstStart::default(),
            finished_max_age: SignedDuration::MAX,
            recovers: false,
            stalls: StallSettings::default(),
            missed: MissedRunSettings::default(),
            owner: OwnerSettings::default(),
        }
    }
}

/// The number of objects in the tracker, by kind.
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

/// How an object was observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// In a list, which is always current.
    Listed,
    /// In a watch from before the list, so it may be from before a restart.
    Replayed,
    /// In a watch.
    Live,
}

#[derive(Debug)]
enum JobEntry {
    Live(Box<JobRecord>),
    Reported {
        scope: u16,
        /// As in [`JobRecord`].
        in_list: bool,
    },
}

/// Everything known about the Jobs of a cluster.
#[derive(Debug)]
pub struct Tracker {
    settings: TrackerSettings,
    jobs: HashMap<Uid, JobEntry>,
    /// The Job of each Pod of a Job that is not reported yet, from first sight: an orphaned Pod loses its owner.
    pods: HashMap<Uid, Uid>,
    cronjobs: CronJobs,
    namespaces: Namespaces,
    early_pods: Early<PodRecord>,
    early_events: Early<EventRecord>,
    pod_event_types: PodEventTypes,
    node_events: NodeEvents,
    due: BTreeSet<(Timestamp, Uid)>,
    removed: HashSet<Uid>,
    removed_order: VecDeque<Uid>,
    /// The lists that have begun and not ended. Those of Jobs and Pods, which may be very many, mark the records instead of
    /// collecting UIDs, and those of Events, which may be even more, miss nothing.
    lists: HashMap<Source, HashSet<Uid>>,
    /// The sources that have delivered a complete list.
    listed: HashSet<Source>,
    /// The sources that replay changes from before their list, and the version of the list.
    replays: HashMap<Source, u64>,
    /// The same whose replays seem over, because nothing more came: the rest may still arrive.
    silent_replays: HashMap<Source, u64>,
    /// Jobs that are gone and known only from the beginning of a replay: an earlier process may have reported them.
    half_replayed: HashSet<Uid>,
    resume_points: ResumePoints,
    forbidden: HashSet<Source>,
    interruptions: Interruptions,
    ended: States,
    stalled_owners: StalledOwners,
    pools: Pools,
    outbox: Outbox,
    announced: AnnouncedNotices,
    /// The names of the scopes from 1 on.
    scopes: Vec<Box<str>>,
    recoveries: Recoveries,
    stalls: Stalls,
    /// Unobserved Jobs that were dropped because there were too many.
    dropped: u64,
    invalid_annotations: VecDeque<InvalidAnnotation>,
    /// When something was last observed.
    now: Timestamp,
    /// How long that observation waited to be read, up to a quarter of the settle time.
    waited: SignedDuration,
    /// When the last Job that was observed to have ended is due.
    settled: Timestamp,
}

impl Tracker {
    /// An empty tracker.
    pub fn new(mut settings: TrackerSettings) -> Self {
        Tracker {
            pools: Pools::new(std::mem::take(&mut settings.owner)),
            settings,
            jobs: HashMap::new(),
            pods: HashMap::new(),
            cronjobs: CronJobs::default(),
            namespaces: Namespaces::default(),
            early_pods: Early::new(EARLY_PODS.0),
            early_events: Early::new(EARLY_EVENTS),
            pod_event_types: PodEventTypes::default(),
            node_events: NodeEvents::default(),
            due: BTreeSet::new(),
            removed: HashSet::new(),
            removed_order: VecDeque::new(),
            lists: HashMap::new(),
            listed: HashSet::new(),
            replays: HashMap::new(),
            silent_replays: HashMap::new(),
            half_replayed: HashSet::new(),
            resume_points: ResumePoints::default(),
            forbidden: HashSet::new(),
            interruptions: Interruptions::default(),
            ended: States::default(),
            stalled_owners: StalledOwners::default(),
            outbox: Outbox::new(Checkpoint::new(TOMBSTONES)),
            announced: AnnouncedNotices::default(),
            scopes: Vec::new(),
            recoveries: Recoveries::default(),
            stalls: Stalls::default(),
            dropped: 0,
            invalid_annotations: VecDeque::new(),
            now: Timestamp::MIN,
            waited: SignedDuration::ZERO,
            settled: Timestamp::MIN,
        }
    }

    /// Applies other settings to what is observed and reported from now on. Those of stalls, missed runs and owners must be the
    /// same: they apply to the state as well.
    pub fn change_settings(&mut self, settings: TrackerSettings) {
        // The pools have the settings of owners.
        let owner = std::mem::take(&mut self.settings.owner);
        self.settings = TrackerSettings { owner, ..settings };
    }

    /// Applies an observation made at `now`, which waited for up to `waited` to be read. That time counts toward the settle time, up to
    /// a quarter of it, so that evidence in flight can still arrive.
    pub fn apply_waited(&mut self, source: Source, observation: Observation, now: Timestamp, waited: SignedDuration) {
        self.waited = waited.min(self.settings.settle / 4);
        self.apply(source, observation, now);
        self.waited = SignedDuration::ZERO;
    }

    /// Applies an observation made at `now`.
    pub fn apply(&mut self, source: Source, observation: Observation, now: Timestamp) {
        self.now = now;
        if let Observation::Listed(object) | Observation::Changed(object) | Observation::Deleted(object) = &observation
        {
            self.outbox.time_passes(now, object.metadata().creation_timestamp);
        }
        match observation {
            Observation::ListBegins => self.list_begins(source, now),
            Observation::Listed(object) => {
                if matches!(source.kind, Kind::CronJobs | Kind::Namespaces)
                    && let Some(seen) = self.lists.get_mut(&source)
                {
                    seen.insert(object.uid());
                }
                self.object(source, &object, Seen::Listed, now);
            }
            Observation::ListLacks => self.list_lacks(source),
            Observation::ListEnds => self.list_ends(source, now),
            Observation::ReplayBegins { version } => {
                self.replays.insert(source, version);
            }
            Observation::ReplayEnds { complete } => self.replay_ends(source, complete, now),
            Observation::Changed(object) => {
                let seen = self.seen(source, &object);
                self.object(source, &object, seen, now);
            }
            Observation::Deleted(object) => {
                let seen = self.seen(source, &object);
                self.object(source, &object, seen, now);
                if seen == Seen::Live || !self.is_known_later(&object) {
                    self.object_gone(&object, now);
                }
            }
            Observation::Forbidden => {
                self.forbidden.insert(source);
            }
            Observation::Interrupted => self.interruptions.begin(source),
            Observation::Recovered => self.interruptions.end(source, now),
        }
    }

    /// The unfinished Jobs, in order of their namespaces, names and UIDs.
    pub fn into_unfinished(mut self) -> Vec<Evidence> {
        let mut records: Vec<(Uid, JobRecord)> = self
            .jobs
            .drain()
            .filter_map(|(uid, entry)| match entry {
                JobEntry::Live(record) if !record.is_due => Some((uid, *record)),
                _ => None,
            })
            .collect();
        records.sort_by(|(a_uid, a), (b_uid, b)| (&a.namespace, &a.name, a_uid).cmp(&(&b.namespace, &b.name, b_uid)));
        let gaps = self.general_gaps(None);
        let evidence = |(uid, record): (Uid, JobRecord)| self.evidence(uid, record, &gaps);
        records.into_iter().map(evidence).collect()
    }

    /// The evidence of a Job, with that which is stored elsewhere.
    fn evidence(&mut self, uid: Uid, record: JobRecord, gaps: &[Gap]) -> Evidence {
        let extracted = self.extracted(&record);
        let mut evidence = record.into_evidence(uid, gaps);
        evidence.job.extracted = extracted.merged();
        self.cronjobs.job_ended(&mut evidence.job);
        self.add_gone_pods(&mut evidence);
        self.node_events.add_to(&mut evidence);
        evidence
    }

    /// Prepares for a source with Events of every type, about this many objects that no owner may precede.
    fn expect_all_events(&mut self, objects: usize) {
        self.pod_event_types.all_sent = true;
        self.early_events = Early::new(objects.max(EARLY_EVENTS));
    }

    /// The state of every unfinished Job, summed for each owner; Jobs that ended since the last call count once more.
    pub fn states(&mut self) -> impl ExactSizeIterator<Item = OwnerState> + Send + use<> {
        let mut states = std::mem::take(&mut self.ended);
        for (uid, entry) in &self.jobs {
            if let JobEntry::Live(record) = entry {
                states.add(record, self.extracted(record), false, self.stalls.reported(uid));
            }
        }
        states.add_over(&mut self.stalled_owners);
        states.into_states()
    }

    /// The number of objects it holds.
    pub fn sizes(&self) -> Sizes {
        let live = self
            .jobs
            .values()
            .filter(|entry| matches!(entry, JobEntry::Live(_)))
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

    fn object(&mut self, source: Source, object: &Object, seen: Seen, now: Timestamp) {
        self.forbidden.remove(&source);
        let listed = seen == Seen::Listed;
        match object {
            Object::CronJob(cronjob) => {
                let before = self.cronjobs.stalled_after_of(&object.uid());
                self.cronjob(source, cronjob, listed, now);
                self.note_annotation("CronJob", &cronjob.metadata, before);
            }
            Object::Job(job) => self.job(source, job, seen, now),
            Object::Pod(pod) => self.pod(pod, seen),
            Object::Event(event) => self.event(source, event, listed, now),
            Object::Namespace(namespace) => self.namespace(namespace, source.scope),
        }
    }

    fn object_gone(&mut self, object: &Object, now: Timestamp) {
        match object {
            Object::CronJob(_) => self.cronjob_gone(object.uid()),
            Object::Job(job) => self.job_deleted(job, now),
            Object::Pod(pod) => self.pod_gone(pod),
            Object::Namespace(_) => self.namespaces.gone(object.uid()),
            // An Event that has expired is still evidence.
            Object::Event(_) => {}
        }
    }
}

impl JobEntry {
    fn scope(&self) -> u16 {
        match self {
            JobEntry::Live(record) => record.scope,
            JobEntry::Reported { scope, .. } => *scope,
        }
    }

    fn is_removed(&self) -> bool {
        matches!(self, JobEntry::Live(record) if record.is_removed())
    }

    fn is_in_list(&self) -> bool {
        match self {
            JobEntry::Live(record) => record.in_list,
            JobEntry::Reported { in_list, .. } => *in_list,
        }
    }

    fn set_in_list(&mut self, now: bool) {
        match self {
            JobEntry::Live(record) => record.in_list = now,
            JobEntry::Reported { in_list, .. } => *in_list = now,
        }
    }
}

/// The name of a scope: a namespace, or none for the whole cluster.
fn scope_name(scopes: &[Box<str>], scope: u16) -> &str {
    usize::from(scope)
        .checked_sub(1)
        .and_then(|at| scopes.get(at))
        .map_or("", |name| name)
}

/// Jobs that finished earlier are not reported if watching begins at `now`.
fn report_since(settings: &TrackerSettings, now: Timestamp) -> Timestamp {
    match settings.on_first_start {
        OnFirstStart::IgnoreFinished => now,
        OnFirstStart::ReportFinished => now.checked_sub(settings.finished_max_age).unwrap_or(Timestamp::MIN),
    }
}
