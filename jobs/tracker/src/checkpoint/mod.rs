//! Records which Jobs have been reported, so that after a restart none is reported twice or missed. Pure.
//!
//! Its size is bounded. Each separately watched scope of the cluster has a watermark, in verdict time: all Jobs decided before
//! it have been reported, except those listed as late. The UIDs of Jobs reported after it are listed. The watermark stays
//! behind the latest verdict, because a verdict reaches the API server some time after its timestamp.

mod format;
mod marks;
mod marks_format;

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use job_event::Uid;
use job_watch::Kind;

use crate::outbox::{AckEvent, AckState};

/// How far a stored time may be ahead of the local clock before one of them counts as wrong.
const SKEW: SignedDuration = SignedDuration::from_secs(60);
/// How far a watermark may be ahead of the local clock: it follows the cluster's time, so the local clock may be behind.
/// A watermark farther ahead is wrong.
const FAR: SignedDuration = SignedDuration::from_hours(24);

pub use format::Unreadable;
pub(crate) use marks::{AnnouncedRuns, CronJobMark, Mark, Marks, StallMark};

/// The Jobs that have been reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// By namespace, or one for the whole cluster under the empty name.
    pub(crate) scopes: BTreeMap<Box<str>, Scope>,
    /// By their short UIDs.
    pub(crate) reported: HashMap<u64, FinishedJob>,
    /// Decided before the watermark and not reported; short UIDs.
    pub(crate) late: HashSet<u64>,
    /// Unfinished Jobs and CronJobs.
    pub(crate) marks: Marks,
    /// Where the next process resumes its watches.
    pub(crate) positions: Vec<StoredPosition>,
    /// When the watches were there, seconds since 1970.
    pub(crate) positions_at: i64,
    /// True if they have changed since it was last encoded.
    has_new_positions: bool,
    /// Maximum number of listed reported Jobs.
    pub(crate) capacity: usize,
    /// Maximum size of the stored form, bytes: marks that do not fit are omitted, the least important first.
    pub(crate) max_size: usize,
    /// The number of marks that the stored form lacks.
    omitted: usize,
    /// True if it has changed since it was last encoded.
    pub(crate) is_dirty: bool,
    /// When it was last stored.
    saved_at: Option<Timestamp>,
    /// True if its scopes have the names of version 1.
    is_misnamed: bool,
}

/// A separately watched scope of the cluster. Times are seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scope {
    /// When it was first watched: Jobs decided earlier are not reported.
    pub(crate) since: i64,
    /// Jobs decided earlier have been reported.
    pub(crate) watermark: i64,
}

impl Scope {
    /// Jobs decided earlier need no report, unless they are late.
    pub(crate) fn floor(self) -> i64 {
        self.since.max(self.watermark)
    }
}

/// A finished Job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FinishedJob {
    pub(crate) scope: Box<str>,
    /// When it was decided, seconds since 1970.
    pub(crate) at: i64,
    /// How many seconds later its last Pod was gone, or the Job itself: its controller writes nothing more about it.
    pub(crate) over: Option<u32>,
    pub(crate) state: AckState,
    /// When it was observed as finished, by the local clock, seconds since 1970. Not stored. With 32 bits it takes no room beside
    /// the other fields, and there may be 32,768 Jobs.
    pub(crate) observed: u32,
}

/// The version up to which one watch had observed everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredPosition {
    pub(crate) kind: Kind,
    pub(crate) scope: Box<str>,
    pub(crate) version: u64,
}

impl FinishedJob {
    pub(crate) fn new(state: AckState, scope: &str, at: Timestamp, observed: i64) -> Self {
        FinishedJob {
            scope: scope.into(),
            at: at.as_second(),
            over: None,
            state,
            observed: u32::try_from(observed.max(0)).unwrap_or(u32::MAX),
        }
    }
}

/// Times of a stored checkpoint that lie in the future.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FromTheFuture {
    /// The latest of them.
    pub latest: Timestamp,
    /// True if Jobs that finished before now, and were not reported, count as reported, because the start of reporting
    /// was lost.
    pub is_corrected: bool,
}

impl Checkpoint {
    /// An empty checkpoint that lists at most `capacity` reported Jobs.
    pub fn new(capacity: usize) -> Self {
        Checkpoint {
            scopes: BTreeMap::new(),
            reported: HashMap::new(),
            late: HashSet::new(),
            marks: Marks::default(),
            positions: Vec::new(),
            positions_at: 0,
            has_new_positions: false,
            capacity,
            max_size: usize::MAX,
            omitted: 0,
            is_dirty: false,
            saved_at: None,
            is_misnamed: false,
        }
    }

    /// The same checkpoint, whose stored form has at most this many bytes.
    #[must_use]
    pub fn with_max_size(self, bytes: usize) -> Self {
        Checkpoint {
            max_size: bytes,
            ..self
        }
    }

    /// The number of stalls, CronJobs and histories that the stored form lacks because it would be too large.
    pub fn omitted(&self) -> usize {
        self.omitted
    }

    /// When the process that stored it last did so.
    pub fn saved_at(&self) -> Option<Timestamp> {
        self.saved_at
    }

    /// True if it has changed since it was last encoded.
    pub fn is_dirty(&self) -> bool {
        self.is_dirty
    }

    /// True if the watches have advanced since it was last encoded.
    pub fn has_new_positions(&self) -> bool {
        self.has_new_positions
    }

    pub(crate) fn set_positions(&mut self, at: i64, positions: Vec<StoredPosition>) {
        self.has_new_positions |= positions != self.positions;
        self.positions = positions;
        self.positions_at = at;
    }

    /// The same checkpoint, which no store has yet.
    #[must_use]
    pub fn unsaved(self) -> Self {
        Checkpoint { is_dirty: true, ..self }
    }

    /// True if a Job decided at that time has been reported.
    pub fn is_reported(&self, scope: &str, uid: &Uid, at: Timestamp) -> bool {
        let is_late = || self.late.contains(&uid.short());
        let scope = self.scopes.get(scope);
        self.lists(uid) || scope.is_some_and(|scope| at.as_second() < scope.floor() && !is_late())
    }

    /// True if the Job is listed as reported.
    pub fn lists(&self, uid: &Uid) -> bool {
        self.reported.contains_key(&uid.short())
    }

    /// Corrects times that are impossible if the local clock, which shows `now`, is right. To be called after a start.
    pub fn correct(&mut self, now: Timestamp) -> Option<FromTheFuture> {
        let after = |by: SignedDuration| now.checked_add(by).unwrap_or(Timestamp::MAX).as_second();
        let mut latest = self.saved_at.map_or(0, Timestamp::as_second);
        let mut is_corrected = false;
        for scope in self.scopes.values_mut() {
            latest = latest.max(scope.floor());
            for (time, bound) in [(&mut scope.since, SKEW), (&mut scope.watermark, FAR)] {
                if *time > after(bound) {
                    *time = now.as_second();
                    is_corrected = true;
                }
            }
        }
        let is_mark_corrected = self.marks.correct(now.as_second(), after(SKEW));
        self.is_dirty |= is_corrected || is_mark_corrected;
        (latest > after(SKEW)).then(|| FromTheFuture {
            latest: Timestamp::from_second(latest).unwrap_or(Timestamp::MAX),
            is_corrected,
        })
    }

    /// Names the scopes: the namespaces that are watched separately, in the order of the settings. Version 1 named the first
    /// one as if it were the whole cluster, and each other one as the one before it.
    pub fn name_scopes(&mut self, names: &[Box<str>]) {
        if !std::mem::take(&mut self.is_misnamed) || names.is_empty() {
            return;
        }
        let old = std::iter::once("").chain(names.iter().map(|name| &**name));
        let names: HashMap<&str, &Box<str>> = old.zip(names).collect();
        let scopes = std::mem::take(&mut self.scopes).into_iter();
        let named = scopes.filter_map(|(old, scope)| Some(((*names.get(&*old)?).clone(), scope)));
        self.scopes = named.collect();
        self.reported.retain(|_, job| match names.get(&*job.scope) {
            Some(name) => {
                job.scope = (*name).clone();
                true
            }
            None => false,
        });
        self.is_dirty = true;
    }

    pub(crate) fn apply_to_all(&mut self, event: AckEvent) {
        for job in self.reported.values_mut() {
            job.state = job.state.on(event);
        }
    }
}
