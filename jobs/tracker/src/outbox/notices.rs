//! The reports of notices: events about unfinished Jobs and missed runs. They have the states of a finished Job's report, and
//! leave a [`Mark`] in the checkpoint once they are acknowledged.

use job_event::Uid;

use super::{AckEvent, AckState, Outbox};
use crate::checkpoint::Mark;

/// A notice that is not acknowledged.
#[derive(Debug)]
pub(super) struct PendingNotice {
    pub(super) mark: Mark,
    pub(super) state: AckState,
}

impl Outbox {
    /// A notice is to be reported; false if it is pending or was reported before.
    pub(crate) fn add_notice(&mut self, key: Uid, mark: Mark) -> bool {
        if self.notices.contains_key(&key) || self.checkpoint.marks.covers(&mark) {
            return false;
        }
        let state = AckState::Observed.on(AckEvent::Finished);
        self.notices.insert(key, PendingNotice { mark, state });
        true
    }

    /// True if the report is not acknowledged yet.
    pub fn is_pending(&self, key: &Uid) -> bool {
        self.pending.contains_key(key) || self.notices.contains_key(key)
    }

    /// True if a pending notice satisfies the condition.
    pub(crate) fn any_notice(&self, condition: impl Fn(&Mark) -> bool) -> bool {
        self.notices.values().any(|notice| condition(&notice.mark))
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
                self.notices.remove(key);
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

    /// Drops the notices that another process has reported.
    pub(super) fn drop_reported_notices(&mut self) {
        let marks = &self.checkpoint.marks;
        self.notices.retain(|_, notice| !marks.covers(&notice.mark));
    }
}
