//! What the checkpoint remembers of unfinished Jobs and of CronJobs.

use std::collections::HashMap;

/// A Job that stalled and has not finished.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct StallMark {
    /// The beginning of the first stall that no recovery was reported for, seconds since 1970.
    pub(crate) since: i64,
    /// True if a stall was reported and no recovery since.
    pub(crate) is_open: bool,
    /// The causes that were reported, oldest first.
    pub(crate) causes: Vec<Box<str>>,
    /// How many of them a recovery was reported for.
    pub(crate) recovered: usize,
}

/// A CronJob.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CronJobMark {
    /// The last slot that needs no report any more: its run started, or its event is acknowledged. Seconds since 1970.
    pub(crate) slot: i64,
    /// How many runs failed since the last one that succeeded.
    pub(crate) failures: u32,
    /// When a run last succeeded, seconds since 1970; 0 if none is known.
    pub(crate) last_success: i64,
}

/// The state of unfinished Jobs and CronJobs, by short UIDs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// Jobs that stalled.
    pub(crate) stalls: HashMap<u64, StallMark>,
    /// CronJobs that exist.
    pub(crate) cronjobs: HashMap<u64, CronJobMark>,
    /// How long the last completed runs of each owner took: opaque bytes of `stalls::history`.
    pub(crate) histories: HashMap<u64, Box<[u8]>>,
}

/// The effect of an event on the marks once it is acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// A stall was reported.
    Stalled {
        job: u64,
        cause: Box<str>,
        /// Seconds since 1970.
        since: i64,
    },
    /// A recovery was reported.
    Recovered {
        job: u64,
        /// True if the Job has ended, so that nothing more is reported about it.
        is_over: bool,
    },
    /// Missed runs were reported up to this slot, seconds since 1970.
    Missed { cronjob: u64, slot: i64 },
}

impl Marks {
    /// The event of `mark` is acknowledged.
    pub(crate) fn apply(&mut self, mark: Mark) {
        match mark {
            Mark::Stalled { job, cause, since } => {
                let stall = self.stalls.entry(job).or_default();
                if !std::mem::replace(&mut stall.is_open, true) {
                    stall.since = since;
                }
                stall.since = stall.since.min(since);
                if !stall.causes.contains(&cause) {
                    stall.causes.push(cause);
                }
            }
            Mark::Recovered { job, is_over: true } => {
                self.stalls.remove(&job);
            }
            Mark::Recovered { job, is_over: false } => {
                if let Some(stall) = self.stalls.get_mut(&job) {
                    stall.is_open = false;
                    stall.recovered = stall.causes.len();
                }
            }
            Mark::Missed { cronjob, slot } => {
                let cronjob = self.cronjobs.entry(cronjob).or_default();
                cronjob.slot = cronjob.slot.max(slot);
            }
        }
    }

    /// True if the event of `mark` was acknowledged before.
    pub(crate) fn covers(&self, mark: &Mark) -> bool {
        match mark {
            Mark::Stalled { job, cause, .. } => self.stalls.get(job).is_some_and(|stall| stall.causes.contains(cause)),
            Mark::Recovered { job, .. } => self.stalls.get(job).is_none_or(|stall| !stall.is_open),
            Mark::Missed { cronjob, slot } => self.cronjobs.get(cronjob).is_some_and(|mark| mark.slot >= *slot),
        }
    }
}
