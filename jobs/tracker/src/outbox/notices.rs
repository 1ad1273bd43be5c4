//! The reports of notices: events about unfinished Jobs and missed runs. They have the states of a finished Job's report, and
//! leave a [`Mark`] in the checkpoint once they are acknowledged.
//!
//! A finished Job stays finished, so after a restart it is reported again as it was. A stall may be over by then, and missed
//! runs may be grouped differently. Both are therefore announced: the checkpoint has them before they are sent.

use std::collections::HashSet;

use job_event::{Notice, Uid};

use super::{AckEvent, AckState, Outbox};
use crate::checkpoint::{AnnouncedRuns, CronJobMark, Mark, Marks};

/// A notice that is not acknowledged.
#[derive(Debug)]
pub(super) struct PendingNotice {
    pub(super) mark: Mark,
    pub(super) state: AckState,
    announcement: Announcement,
}

/// An announcement on its path to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Announcement {
    /// No store has it.
    New,
    /// In a checkpoint that is being written.
    Storing,
    /// In the stored checkpoint, or not needed.
    Stored,
}

/// A notice that was added may be sent, or not yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MaySend {
    /// The notice may be sent.
    Now,
    /// The store does not have its announcement yet.
    Later,
    /// Another process has reported it, or it is sent already.
    Never,
}

impl Outbox {
    /// From now on, notices are announced in the store before they are sent.
    pub fn announce_notices(&mut self) {
        self.announces = true;
    }

    /// The state of unfinished Jobs and CronJobs that the checkpoint has.
    pub(crate) fn marks_mut(&mut self) -> &mut Marks {
        &mut self.checkpoint.marks
    }

    /// Changes the mark of a CronJob.
    pub(crate) fn change_mark(&mut self, cronjob: u64, change: impl FnOnce(&mut CronJobMark)) {
        let mark = self.checkpoint.marks.cronjobs.entry(cronjob).or_default();
        let before = *mark;
        change(mark);
        self.checkpoint.is_dirty |= *mark != before;
    }

    /// A CronJob does not exist any more.
    pub(crate) fn forget_cronjob(&mut self, cronjob: u64) {
        self.checkpoint.is_dirty |= self.checkpoint.marks.forget_cronjob(cronjob);
    }

    /// No other CronJobs exist.
    pub(crate) fn retain_cronjobs(&mut self, existing: &HashSet<u64>) {
        let gone = self
            .checkpoint
            .marks
            .cronjobs
            .keys()
            .filter(|uid| !existing.contains(uid));
        for uid in gone.copied().collect::<Vec<_>>() {
            self.forget_cronjob(uid);
        }
    }

    /// A notice is to be reported; false if it is pending or was reported before.
    pub(crate) fn add_notice(&mut self, key: Uid, notice: &Notice, mark: Mark) -> bool {
        let marks = &mut self.checkpoint.marks;
        if self.notices.contains_key(&key) || marks.covers(&mark) {
            return false;
        }
        let is_needed = self.announces && !matches!(mark, Mark::Recovered { .. });
        let announcement = match is_needed && !marks.announces(&mark) {
            true => Announcement::New,
            false => Announcement::Stored,
        };
        marks.announce(&mark, runs(notice));
        self.checkpoint.is_dirty |= announcement == Announcement::New;
        let pending = PendingNotice {
            mark,
            state: AckState::Observed.on(AckEvent::Finished),
            announcement,
        };
        self.notices.insert(key, pending);
        true
    }

    /// True if a notice that was added may be sent.
    pub(crate) fn may_send(&self, key: &Uid) -> MaySend {
        match self.notices.get(key) {
            Some(notice) if notice.state != AckState::Decided => MaySend::Never,
            Some(notice) if notice.announcement == Announcement::Stored => MaySend::Now,
            Some(_) => MaySend::Later,
            None => MaySend::Never,
        }
    }

    /// True if the report is not acknowledged yet.
    pub fn is_pending(&self, key: &Uid) -> bool {
        self.pending.contains_key(key) || self.notices.contains_key(key)
    }

    /// True if a pending notice satisfies the condition.
    pub(crate) fn any_notice(&self, condition: impl Fn(&Mark) -> bool) -> bool {
        self.notices.values().any(|notice| condition(&notice.mark))
    }

    /// The pending stalls of Jobs without a mark, by their keys.
    pub(crate) fn stalls_without_mark(&self) -> Vec<(Uid, u64)> {
        let marks = &self.checkpoint.marks.stalls;
        let notices = self.notices.iter();
        let unmarked = notices.filter_map(|(key, notice)| match notice.mark {
            Mark::Stalled { job, .. } if !marks.contains_key(&job) => Some((*key, job)),
            _ => None,
        });
        unmarked.collect()
    }

    /// Applies an event to the report of a notice; false if there is no such report.
    pub(super) fn apply_to_notice(&mut self, key: &Uid, event: AckEvent) -> bool {
        let Some(notice) = self.notices.get_mut(key) else {
            return false;
        };
        let before = notice.state;
        notice.state = before.on(event);
        let after = notice.state;
        self.in_flight -= usize::from(before.is_in_flight());
        self.in_flight += usize::from(after.is_in_flight());
        match after {
            AckState::Deferred if before != after => self.deferred.push(*key),
            AckState::Observed => {
                if let Some(notice) = self.notices.remove(key) {
                    self.checkpoint.marks.withdraw(&notice.mark);
                    self.checkpoint.is_dirty = true;
                }
            }
            AckState::Acknowledged => {
                if let Some(notice) = self.notices.remove(key) {
                    self.acknowledged += 1;
                    self.checkpoint.marks.apply(notice.mark);
                    self.checkpoint.is_dirty = true;
                }
            }
            _ => {}
        }
        true
    }

    /// A checkpoint was encoded, stored, or lost.
    pub(super) fn apply_to_announcements(&mut self, event: AckEvent) {
        for notice in self.notices.values_mut() {
            notice.announcement = match (notice.announcement, event) {
                (Announcement::New, AckEvent::Writing) => Announcement::Storing,
                (Announcement::Storing, AckEvent::Written) => Announcement::Stored,
                (Announcement::Storing, AckEvent::WriteLost) => {
                    self.checkpoint.is_dirty = true;
                    Announcement::New
                }
                (unchanged, _) => unchanged,
            };
        }
    }

    /// Drops the notices that another process has reported, and those that it does not know: none of them was sent, because the
    /// store never had their announcement, and the other process may have reported the same runs in another group.
    pub(super) fn adopt_notices(&mut self) {
        let marks = &self.checkpoint.marks;
        self.notices.retain(|_, notice| {
            let is_known = marks.announces(&notice.mark) || matches!(notice.mark, Mark::Recovered { .. });
            is_known && !marks.covers(&notice.mark)
        });
        for notice in self.notices.values_mut() {
            notice.announcement = Announcement::Stored;
        }
    }
}

fn runs(notice: &Notice) -> Option<(i64, AnnouncedRuns)> {
    let Notice::Missed(missed) = notice else {
        return None;
    };
    let runs = AnnouncedRuns {
        last: missed.last.as_second(),
        count: missed.count.try_into().unwrap_or(u32::MAX),
        reason: missed.reason,
    };
    Some((missed.first.as_second(), runs))
}

#[cfg(test)]
#[path = "notice_tests.rs"]
mod tests;
