//! Finished Jobs from their verdict to the store: one [`AckState`] for each.
//!
//! The checkpoint is made of the acknowledged ones, so a Job whose event may not have arrived is reported again after a
//! restart. `docs/exactly-once.md` has the state diagram and what each crash leaves behind.

mod notices;
mod state;
mod watermark;

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use jiff::Timestamp;
use job_event::Uid;

pub use state::{AckEvent, AckState};

pub(crate) use self::notices::MaySend;
use self::notices::PendingNotice;

use crate::checkpoint::{Checkpoint, FinishedJob, Marks, Scope, StoredPosition};

/// Every finished Job that is not reported, and every reported one that the checkpoint lists.
#[derive(Debug)]
pub struct Outbox {
    /// Jobs whose event is not acknowledged.
    pending: HashMap<Uid, FinishedJob>,
    /// Notices whose event is not acknowledged.
    notices: HashMap<Uid, PendingNotice>,
    /// True if the checkpoint has notices before they are sent.
    announces: bool,
    /// Acknowledged Jobs.
    checkpoint: Checkpoint,
    /// Events to be sent again. A Job that changed its state since is skipped.
    deferred: Vec<Uid>,
    /// Jobs in the states `Sent` and `Deferred`.
    in_flight: usize,
    /// Jobs acknowledged since a checkpoint was last encoded.
    acknowledged: usize,
    /// Jobs acknowledged before that, and not stored yet.
    storing: usize,
    /// Scopes whose Jobs are being listed: their finished Jobs are not all known yet, so their watermarks stay.
    listing: BTreeSet<Box<str>>,
    /// Scopes whose Jobs have been listed.
    listed: BTreeSet<Box<str>>,
    /// The latest time that the API server gave to an object, or that the local clock has shown, seconds since 1970.
    time: i64,
    /// The same without the local clock.
    cluster_time: i64,
    /// The local clock, seconds since 1970.
    clock: i64,
}

impl Outbox {
    /// An outbox that resumes from `checkpoint`.
    pub fn new(checkpoint: Checkpoint) -> Self {
        Outbox {
            pending: HashMap::new(),
            notices: HashMap::new(),
            announces: false,
            checkpoint,
            deferred: Vec::new(),
            in_flight: 0,
            acknowledged: 0,
            storing: 0,
            listing: BTreeSet::new(),
            listed: BTreeSet::new(),
            time: 0,
            cluster_time: 0,
            clock: 0,
        }
    }

    /// The acknowledged Jobs.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The state of unfinished Jobs and CronJobs, to be changed.
    pub(crate) fn change_marks(&mut self) -> &mut Marks {
        self.checkpoint.is_dirty = true;
        &mut self.checkpoint.marks
    }

    /// The state of a Job.
    pub fn state(&self, uid: &Uid) -> AckState {
        let job = self.pending.get(uid);
        let job = job.or_else(|| self.checkpoint.reported.get(&uid.short()));
        let notice = self.notices.get(uid).map(|notice| notice.state);
        job.map(|job| job.state).or(notice).unwrap_or_default()
    }

    /// When the oldest of the verdicts that are not stored was observed, by the local clock, seconds since 1970.
    pub(crate) fn oldest_unstored(&self) -> Option<i64> {
        let pending = self.pending.values();
        let acknowledged = self.checkpoint.reported.values();
        let unstored = pending.chain(acknowledged.filter(|job| job.state != AckState::Stored));
        unstored.map(|job| job.observed.into()).min()
    }

    /// Where the next process resumes its watches, and when they were there, seconds since 1970.
    pub(crate) fn set_positions(&mut self, at: i64, positions: Vec<StoredPosition>) {
        self.checkpoint.set_positions(at, positions);
    }

    /// How many Jobs may have been reported without the store knowing.
    pub fn unstored(&self) -> usize {
        self.in_flight + self.acknowledged + self.storing
    }

    /// A Job finished at `at`, and is to be reported unless it has been.
    pub fn finished(&mut self, scope: &str, uid: Uid, at: Timestamp) {
        let state = self.state(&uid);
        if state == AckState::Observed {
            let job = FinishedJob::new(state.on(AckEvent::Finished), scope, at, self.clock);
            self.pending.insert(uid, job);
        }
    }

    /// A Job finished before Jobs are reported. It is listed if its Event may be dated after the watermark.
    pub(crate) fn skip(&mut self, scope: &str, uid: Uid, at: Timestamp) {
        let state = self.state(&uid);
        if state == AckState::Observed && self.is_near_watermark(scope, at) {
            let job = FinishedJob::new(state.on(AckEvent::Skipped), scope, at, self.clock);
            self.list(&uid, job);
        }
    }

    /// Applies an event in the life of one Job's report. Those of checkpoints concern all Jobs and have methods of
    /// their own.
    pub fn apply(&mut self, uid: &Uid, event: AckEvent) {
        if self.apply_to_notice(uid, event) {
            return;
        }
        let Some(job) = self.pending.get_mut(uid) else {
            return;
        };
        let before = job.state;
        job.state = before.on(event);
        let after = job.state;
        self.in_flight -= usize::from(before.is_in_flight());
        self.in_flight += usize::from(after.is_in_flight());
        match after {
            AckState::Deferred if before != after => self.deferred.push(*uid),
            AckState::Observed => {
                self.pending.remove(uid);
            }
            AckState::Acknowledged => {
                if let Some(job) = self.pending.remove(uid) {
                    self.acknowledged += 1;
                    self.list(uid, job);
                }
            }
            _ => {}
        }
    }

    /// The next Job whose event was returned by the pipeline; the event counts as sent again.
    pub fn resend(&mut self) -> Option<Uid> {
        while let Some(uid) = self.deferred.pop() {
            if self.state(&uid) == AckState::Deferred {
                self.apply(&uid, AckEvent::Sent);
                return Some(uid);
            }
        }
        None
    }

    /// Nothing more is written about a Job: its last Pod is gone, or the Job is.
    pub fn over(&mut self, uid: &Uid, at: Timestamp) {
        let known = [
            self.pending.get_mut(uid),
            self.checkpoint.reported.get_mut(&uid.short()),
        ];
        for job in known.into_iter().flatten() {
            if job.over.is_none() {
                let after = at.as_second().saturating_sub(job.at).max(0);
                job.over = Some(after.try_into().unwrap_or(u32::MAX));
                self.checkpoint.is_dirty = true;
            }
        }
    }

    /// The checkpoint to be stored at `now`.
    pub fn encode(&mut self, now: Timestamp) -> Bytes {
        self.time_passes(now, None);
        self.shrink();
        self.storing += std::mem::take(&mut self.acknowledged);
        self.checkpoint.apply_to_all(AckEvent::Writing);
        self.apply_to_announcements(AckEvent::Writing);
        self.checkpoint.encode(now)
    }

    /// The store has the checkpoint that was last encoded.
    pub fn written(&mut self) {
        self.storing = 0;
        self.checkpoint.apply_to_all(AckEvent::Written);
        self.apply_to_announcements(AckEvent::Written);
    }

    /// The checkpoint that was last encoded may not be in the store: it has to be written again.
    pub fn write_lost(&mut self) {
        self.checkpoint.is_dirty |= self.storing > 0;
        self.acknowledged += std::mem::take(&mut self.storing);
        self.checkpoint.apply_to_all(AckEvent::WriteLost);
        self.apply_to_announcements(AckEvent::WriteLost);
    }

    /// Replaces the acknowledged Jobs by those that another process has stored. Pending reports stay pending, unless `stored`
    /// lists them.
    pub fn adopt(&mut self, stored: Checkpoint) {
        self.pending.retain(|uid, _| !stored.lists(uid));
        (self.acknowledged, self.storing) = (0, 0);
        let (capacity, max_size) = (self.checkpoint.capacity, self.checkpoint.max_size);
        let own = std::mem::replace(&mut self.checkpoint, stored);
        self.checkpoint.marks.add_later_runs(&own.marks);
        // That process may have watched other scopes.
        for (name, scope) in own.scopes {
            self.checkpoint.scopes.entry(name).or_insert(scope);
        }
        self.checkpoint.capacity = capacity;
        self.checkpoint.max_size = max_size;
        self.adopt_notices();
        let jobs = self.pending.values().map(|job| job.state);
        let notices = self.notices.values().map(|notice| notice.state);
        self.in_flight = jobs.chain(notices).filter(|state| state.is_in_flight()).count();
    }

    /// Registers a scope before it is watched. For the first one, Jobs that finished before `since` are not reported.
    pub fn begin(&mut self, scope: &str, since: Timestamp) {
        let scopes = &mut self.checkpoint.scopes;
        if scopes.contains_key(scope) {
            return;
        }
        // With a changed set of scopes, resume from the earliest watermark.
        let known = scopes.values().map(|scope| scope.floor()).min();
        let since = known.unwrap_or(since.as_second().max(0));
        scopes.insert(scope.into(), Scope { since, watermark: 0 });
        self.checkpoint.is_dirty = true;
    }

    /// A watch showed a Job just after it finished, at `at` by the Job's own timestamp. If that is before the first
    /// start, the local clock was ahead then, and Jobs are reported from `at` on.
    pub(crate) fn finished_live(&mut self, scope: &str, at: Option<Timestamp>) {
        let Some(at) = at else { return };
        let now = at.as_second().max(self.cluster_time);
        if let Some(scope) = self.checkpoint.scopes.get_mut(scope)
            && now < scope.since
        {
            scope.since = now;
            self.checkpoint.is_dirty = true;
        }
    }

    /// A list of the Jobs of a scope begins, perhaps again.
    pub(crate) fn list_begins(&mut self, scope: &str) {
        self.listing.insert(scope.into());
    }

    /// All Jobs of a scope were listed.
    pub(crate) fn list_ends(&mut self, scope: &str) {
        self.listing.remove(scope);
        self.listed.insert(scope.into());
    }

    fn list(&mut self, uid: &Uid, job: FinishedJob) {
        self.checkpoint.late.remove(&uid.short());
        self.checkpoint.reported.insert(uid.short(), job);
        self.checkpoint.is_dirty = true;
        self.bound();
    }
}

#[cfg(test)]
mod tests;
