//! Records which Jobs have been reported, so that after a restart none is reported twice or missed. Pure.
//!
//! Its size is bounded. Each separately watched scope of the cluster has a watermark, in verdict time: all Jobs decided before
//! it have been reported, except those listed as late. The UIDs of Jobs reported after it are listed. The watermark stays
//! [`MARGIN`] behind the latest verdict, because a verdict reaches the API server some time after its timestamp.
//!
//! Clocks are not trusted. Verdicts keep their own timestamps, so that a restart finds them. No watermark passes the cluster's
//! time, the time of the newest object, since a verdict may have any timestamp. The local clock only determines from when Jobs
//! are reported; a verdict observed live, or a start with another clock, corrects it.

mod format;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use job_event::Uid;

/// How far the watermark stays behind the latest reported verdict, seconds. Controllers' clocks may differ by as much.
const MARGIN: i64 = 300;
/// The Event of a verdict may be dated a second or more after it, and is looked up here by its own time.
const EVENT_DELAY: i64 = 60;
/// How far a stored time may be ahead of the local clock before one of them counts as wrong.
const SKEW: SignedDuration = SignedDuration::from_secs(60);
/// How far a watermark may be ahead of the local clock: it follows the cluster's time, so the local clock may be behind.
/// A watermark farther ahead is wrong.
const FAR: SignedDuration = SignedDuration::from_hours(24);

pub use format::Unreadable;

/// The Jobs that have been reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// By namespace, or one for the whole cluster under the empty name.
    parts: BTreeMap<Box<str>, Part>,
    /// By their short UIDs.
    told: HashMap<u64, Told>,
    /// Decided before the watermark and not reported; short UIDs.
    late: HashSet<u64>,
    /// Decided, report pending.
    pending: HashMap<Uid, Told>,
    /// Scopes whose Jobs are being listed: their finished Jobs are not all known yet, so their watermarks stay.
    listing: BTreeSet<Box<str>>,
    /// Maximum number of listed reported Jobs.
    capacity: usize,
    /// When it was last stored.
    saved_at: Option<Timestamp>,
    is_dirty: bool,
    /// The latest time that the API server gave to an object, or that the local clock has shown.
    time: i64,
    /// The same without the local clock.
    cluster_time: i64,
    /// True if its scopes have the names of version 1.
    is_misnamed: bool,
}

/// A separately watched scope of the cluster. Times are seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    /// When it was first watched: Jobs decided earlier are not reported.
    since: i64,
    /// Jobs decided earlier have been reported.
    watermark: i64,
}

impl Part {
    /// Jobs decided earlier need no report, unless they are late.
    fn floor(self) -> i64 {
        self.since.max(self.watermark)
    }
}

/// A Job that was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Told {
    part: Box<str>,
    /// When it was decided.
    at: i64,
    /// When its last Pod was gone, or the Job itself: its controller writes nothing more about it.
    over: Option<i64>,
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
            parts: BTreeMap::new(),
            told: HashMap::new(),
            late: HashSet::new(),
            pending: HashMap::new(),
            listing: BTreeSet::new(),
            capacity,
            saved_at: None,
            is_dirty: false,
            time: 0,
            cluster_time: 0,
            is_misnamed: false,
        }
    }

    /// When the process that stored it last did so.
    pub fn saved_at(&self) -> Option<Timestamp> {
        self.saved_at
    }

    /// True if it has changed since it was last encoded.
    pub fn is_dirty(&self) -> bool {
        self.is_dirty
    }

    /// How many Jobs are on their way.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Time passes: the local clock shows `now`, and the API server made an object at `created`.
    pub fn passes(&mut self, now: Timestamp, created: Option<Timestamp>) {
        if let Some(created) = created {
            self.cluster_time = self.cluster_time.max(created.as_second());
        }
        self.time = now.as_second().max(self.cluster_time);
    }

    /// Registers a scope before it is watched. For the first one, Jobs decided before `since` are not reported.
    pub fn begin(&mut self, part: &str, since: Timestamp) {
        if self.parts.contains_key(part) {
            return;
        }
        // With a changed set of scopes, resume from the earliest watermark.
        let known = self.parts.values().map(|part| part.floor()).min();
        let since = known.unwrap_or(since.as_second().max(0));
        self.parts.insert(part.into(), Part { since, watermark: 0 });
        self.is_dirty = true;
    }

    /// A watch has shown a Job just after it was decided, at the time `at` as it says. What is decided from now on is
    /// reported: if that is before the time of the first start, the clock was ahead then.
    pub fn decided_now(&mut self, part: &str, at: Option<Timestamp>) {
        let Some(at) = at else { return };
        let now = at.as_second().max(self.cluster_time);
        if let Some(part) = self.parts.get_mut(part)
            && now < part.since
        {
            part.since = now;
            self.is_dirty = true;
        }
    }

    /// Puts right what cannot be if the local clock, which shows `now`, is right. To be called after a start.
    pub fn correct(&mut self, now: Timestamp) -> Option<FromTheFuture> {
        let after = |by: SignedDuration| now.checked_add(by).unwrap_or(Timestamp::MAX).as_second();
        let mut latest = self.saved_at.map_or(0, Timestamp::as_second);
        let mut is_corrected = false;
        for part in self.parts.values_mut() {
            latest = latest.max(part.floor());
            for (time, bound) in [(&mut part.since, SKEW), (&mut part.watermark, FAR)] {
                if *time > after(bound) {
                    *time = now.as_second();
                    is_corrected = true;
                }
            }
        }
        self.is_dirty |= is_corrected;
        (latest > after(SKEW)).then(|| FromTheFuture {
            latest: Timestamp::from_second(latest).unwrap_or(Timestamp::MAX),
            is_corrected,
        })
    }

    /// Gives the parts their names: the namespaces that are watched by themselves, in the order of the settings. Version 1
    /// called the first one of them as if it were the whole cluster, and each other one as the one before it.
    pub fn name_parts(&mut self, names: &[Box<str>]) {
        if !std::mem::take(&mut self.is_misnamed) || names.is_empty() {
            return;
        }
        let old = std::iter::once("").chain(names.iter().map(|name| &**name));
        let names: HashMap<&str, &Box<str>> = old.zip(names).collect();
        let parts = std::mem::take(&mut self.parts).into_iter();
        let named = parts.filter_map(|(old, part)| Some(((*names.get(&*old)?).clone(), part)));
        self.parts = named.collect();
        self.told.retain(|_, job| match names.get(&*job.part) {
            Some(name) => {
                job.part = (*name).clone();
                true
            }
            None => false,
        });
        self.is_dirty = true;
    }

    /// The Jobs of a part begin to be listed, perhaps again.
    pub fn list_begins(&mut self, part: &str) {
        self.listing.insert(part.into());
    }

    /// All Jobs of a part were listed.
    pub fn list_ends(&mut self, part: &str) {
        self.listing.remove(part);
    }

    /// True if a Job decided at that time has been reported.
    pub fn is_told(&self, part: &str, uid: &Uid, at: Timestamp) -> bool {
        self.lists(uid)
            || self
                .parts
                .get(part)
                .is_some_and(|part| at.as_second() < part.floor() && !self.late.contains(&uid.short()))
    }

    /// True if the Job is listed as reported.
    pub fn lists(&self, uid: &Uid) -> bool {
        self.told.contains_key(&uid.short())
    }

    /// A finished Job is about to be reported.
    pub fn decided(&mut self, part: &str, uid: Uid, at: Timestamp) {
        let told = Told {
            part: part.into(),
            at: at.as_second(),
            over: None,
        };
        self.pending.entry(uid).or_insert(told);
    }

    /// A Job needs no report: another process has reported it.
    pub fn told_elsewhere(&mut self, uid: &Uid) {
        self.pending.remove(uid);
    }

    /// Nothing more will be written about a Job: its last Pod is gone, or the Job is.
    pub fn over(&mut self, uid: &Uid, at: Timestamp) {
        let known = [self.pending.get_mut(uid), self.told.get_mut(&uid.short())];
        for job in known.into_iter().flatten() {
            if job.over.is_none() {
                job.over = Some(at.as_second());
                self.is_dirty = true;
            }
        }
    }

    /// A Job has been reported, or never can be.
    pub fn told(&mut self, uid: &Uid) {
        if let Some(job) = self.pending.remove(uid) {
            self.late.remove(&uid.short());
            self.told.insert(uid.short(), job);
            self.is_dirty = true;
            self.bound();
        }
    }

    /// A finished Job is not reported because of its finish time. It is listed if its Event may be dated
    /// after the watermark.
    pub fn passed_over(&mut self, part: &str, uid: Uid, at: Timestamp) {
        let floor = self
            .parts
            .get(part)
            .map_or(i64::MIN, |part| part.floor().min(self.time));
        if at.as_second() >= floor.saturating_sub(MARGIN + EVENT_DELAY) {
            self.decided(part, uid, at);
            self.told(&uid);
        }
    }

    /// Merges a checkpoint stored by another or an earlier process. Pending reports stay pending, unless it lists them as
    /// reported.
    pub fn adopt(&mut self, stored: Checkpoint) {
        let mut pending = std::mem::take(&mut self.pending);
        pending.retain(|uid, _| !stored.lists(uid));
        *self = Checkpoint {
            pending,
            listing: std::mem::take(&mut self.listing),
            capacity: self.capacity,
            time: self.time,
            cluster_time: self.cluster_time,
            ..stored
        };
    }

    /// Advances the watermarks, but not past a pending report or the cluster's time, and drops entries that lie
    /// before them.
    fn advance(&mut self) {
        let mut latest: HashMap<&str, i64> = HashMap::new();
        for job in self.told.values().filter(|job| job.at <= self.time) {
            let latest = latest.entry(&job.part).or_insert(i64::MIN);
            *latest = (*latest).max(job.at.saturating_sub(MARGIN));
        }
        for job in self.pending.values() {
            if let Some(latest) = latest.get_mut(&*job.part) {
                *latest = (*latest).min(job.at);
            }
        }
        for (name, part) in &mut self.parts {
            if let Some(latest) = latest.get(&**name)
                && !self.listing.contains(name)
            {
                part.watermark = part.watermark.max(*latest);
            }
        }
        let parts = &self.parts;
        self.told.retain(|_, job| {
            let watermark = parts.get(&job.part).map_or(i64::MIN, |part| part.watermark);
            let over = job.over.map(|over| over.max(job.at).saturating_add(EVENT_DELAY));
            over.is_none_or(|over| over >= watermark)
        });
        self.late = self
            .pending
            .iter()
            .filter(|(_, job)| parts.get(&job.part).is_some_and(|part| job.at < part.floor()))
            .map(|(uid, _)| uid.short())
            .collect();
    }

    /// If too many are listed the watermarks move up to the oldest, a whole second at a time.
    fn bound(&mut self) {
        // With some slack, as it takes a look at all of them.
        if self.told.len() > self.capacity + self.capacity / 4 {
            self.shrink();
        }
    }

    fn shrink(&mut self) {
        self.advance();
        if self.told.len() <= self.capacity {
            return;
        }
        let mut times: Vec<i64> = self.told.values().map(|job| job.at).collect();
        let excess = self.told.len() - self.capacity;
        let (_, last, _) = times.select_nth_unstable(excess - 1);
        let last = *last;
        for job in self.told.values().filter(|job| job.at <= last.min(self.time)) {
            if let Some(part) = self.parts.get_mut(&job.part) {
                part.watermark = part.watermark.max(job.at.saturating_add(1));
            }
        }
        self.told.retain(|_, job| job.at > last);
        self.advance();
    }
}

#[cfg(test)]
mod tests;
