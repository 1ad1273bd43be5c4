//! The state of unfinished Jobs and of CronJobs in the checkpoint.

use std::collections::{BTreeMap, HashMap};

use job_event::notice::MissReason;

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
    /// When the last of these failed, seconds since 1970; 0 if there is none.
    pub(crate) last_failure: i64,
    /// `metadata.generation` of the CronJob at that slot: if it is unchanged, so are its schedule and `suspend`. Modulo 65,536; 0 if unknown. For an
    /// invalid schedule that was reported, its fingerprint.
    pub(crate) generation: u16,
}

/// Missed runs of one CronJob whose report may have been sent: it is sent again as it was, so that each run counts once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AnnouncedRuns {
    /// The last slot, seconds since 1970.
    pub(crate) last: i64,
    /// The number of slots.
    pub(crate) count: u32,
    /// Why they were missed.
    pub(crate) reason: MissReason,
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
    /// Stalls that may have been reported, and are not acknowledged: by Job and cause, with their beginning.
    pub(crate) announced_stalls: BTreeMap<(u64, Box<str>), i64>,
    /// The same of missed runs: by CronJob and first slot.
    pub(crate) announced_runs: BTreeMap<(u64, i64), AnnouncedRuns>,
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
        /// How many causes had been reported, recovered ones included. Another process may report one more before this event is
        /// acknowledged.
        causes: usize,
        /// True if the Job has ended, so that nothing more is reported about it.
        is_over: bool,
    },
    /// Missed runs were reported up to this slot, seconds since 1970.
    Missed { cronjob: u64, slot: i64 },
}

impl Marks {
    /// The event of `mark` is acknowledged.
    pub(crate) fn apply(&mut self, mark: Mark) {
        self.withdraw(&mark);
        match mark {
            Mark::Stalled { job, cause, since } => self.open_stall(job, cause, since),
            Mark::Recovered { job, is_over: true, .. } => {
                self.announced_stalls.retain(|(uid, _), _| *uid != job);
                self.stalls.remove(&job);
            }
            Mark::Recovered { job, causes, .. } => self.recover(job, causes),
            Mark::Missed { cronjob, slot } => {
                let cronjob = self.cronjobs.entry(cronjob).or_default();
                cronjob.slot = cronjob.slot.max(slot);
            }
        }
    }

    fn open_stall(&mut self, job: u64, cause: Box<str>, since: i64) {
        let stall = self.stalls.entry(job).or_default();
        if !std::mem::replace(&mut stall.is_open, true) {
            stall.since = since;
        }
        stall.since = stall.since.min(since);
        if !stall.causes.contains(&cause) {
            stall.causes.push(cause);
        }
    }

    /// A recovery from the first `causes` of a Job was reported.
    fn recover(&mut self, job: u64, causes: usize) {
        let Some(stall) = self.stalls.get_mut(&job) else { return };
        stall.recovered = stall.recovered.max(causes.min(stall.causes.len()));
        stall.is_open = stall.recovered < stall.causes.len();
        let recovered = stall.causes.get(..stall.recovered).unwrap_or_default();
        self.announced_stalls
            .retain(|(uid, cause), _| *uid != job || !recovered.contains(cause));
    }

    /// Another process announced these stalls, and may have reported them: they are reported again while they last, and a
    /// recovery is reported in any case.
    pub(super) fn resume_announced(&mut self) {
        for ((job, cause), since) in self.announced_stalls.clone() {
            self.open_stall(job, cause, since);
        }
    }

    /// True if the event of `mark` was acknowledged before.
    pub(crate) fn covers(&self, mark: &Mark) -> bool {
        match mark {
            Mark::Stalled { job, cause, .. } => {
                self.stalls.get(job).is_some_and(|stall| stall.causes.contains(cause)) && !self.announces(mark)
            }
            Mark::Recovered { job, .. } => self.stalls.get(job).is_none_or(|stall| !stall.is_open),
            Mark::Missed { cronjob, slot } => {
                self.cronjobs.get(cronjob).is_some_and(|mark| mark.slot >= *slot) && !self.announces(mark)
            }
        }
    }

    /// True if the event of `mark` may have been sent, and is not acknowledged.
    pub(crate) fn announces(&self, mark: &Mark) -> bool {
        match mark {
            Mark::Stalled { job, cause, .. } => self.announced_stalls.contains_key(&(*job, cause.clone())),
            Mark::Recovered { .. } => false,
            Mark::Missed { cronjob, slot } => {
                let runs = self.announced_runs.range((*cronjob, i64::MIN)..=(*cronjob, *slot));
                runs.into_iter().any(|(_, runs)| runs.last == *slot)
            }
        }
    }

    /// The event of `mark` is about to be sent. `runs` are the first slot and the rest of missed runs.
    pub(crate) fn announce(&mut self, mark: &Mark, runs: Option<(i64, AnnouncedRuns)>) {
        match (mark, runs) {
            (Mark::Stalled { job, cause, since }, _) => {
                self.announced_stalls.insert((*job, cause.clone()), *since);
            }
            (Mark::Missed { cronjob, .. }, Some((first, runs))) => {
                self.announced_runs.insert((*cronjob, first), runs);
            }
            _ => {}
        }
    }

    /// The event of `mark` is not sent after all.
    pub(crate) fn withdraw(&mut self, mark: &Mark) {
        match mark {
            Mark::Stalled { job, cause, .. } => {
                self.announced_stalls.remove(&(*job, cause.clone()));
            }
            Mark::Recovered { .. } => {}
            Mark::Missed { cronjob, slot } => {
                self.announced_runs
                    .retain(|(uid, _), runs| (*uid, runs.last) != (*cronjob, *slot));
            }
        }
    }

    /// A CronJob does not exist any more. Returns true if it was known.
    pub(crate) fn forget_cronjob(&mut self, cronjob: u64) -> bool {
        self.announced_runs.retain(|(uid, _), _| *uid != cronjob);
        self.cronjobs.remove(&cronjob).is_some()
    }

    /// Runs of CronJobs that this process saw end, and that the process which stored these marks did not.
    pub(crate) fn add_later_runs(&mut self, own: &Marks) {
        for (uid, own) in &own.cronjobs {
            if own.last_failure.max(own.last_success) == 0 {
                continue;
            }
            let mark = self.cronjobs.entry(*uid).or_default();
            let last = |mark: &CronJobMark| mark.last_failure.max(mark.last_success);
            if last(own) > last(mark) {
                mark.failures = own.failures;
                mark.last_failure = own.last_failure;
                mark.last_success = own.last_success.max(mark.last_success);
            }
        }
    }

    /// Corrects slots after `now`, which the local clock cannot have shown.
    pub(super) fn correct(&mut self, now: i64, latest: i64) -> bool {
        let mut is_corrected = false;
        for cronjob in self.cronjobs.values_mut() {
            for time in [&mut cronjob.slot, &mut cronjob.last_success, &mut cronjob.last_failure] {
                if *time > latest {
                    *time = now;
                    is_corrected = true;
                }
            }
        }
        is_corrected
    }
}
