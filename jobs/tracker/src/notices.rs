//! The events about unfinished Jobs and missed runs, each once.

use std::collections::VecDeque;

use jiff::Timestamp;
use job_event::{Notice, Uid};

use super::Tracker;
use super::outbox::{AckEvent, MaySend};

/// How many notices wait for the store at most; further ones are not decided yet.
const WAITING: usize = 1024;

/// Notices that are sent once the store has their announcement, oldest first.
#[derive(Debug, Default)]
pub(crate) struct AnnouncedNotices(VecDeque<(Uid, Notice)>);

impl Tracker {
    /// The next notice to report at `now`; it counts as sent. To be called until it returns `None`, and again each time the
    /// checkpoint is written.
    pub fn next_notice(&mut self, now: Timestamp) -> Option<Notice> {
        loop {
            let (key, notice) = match self.next_announced() {
                Some(announced) => announced,
                None if self.announced.0.len() >= WAITING => return None,
                None => {
                    let (notice, mark) = self.next_stall(now).or_else(|| self.next_missed(now))?;
                    let key = notice.key();
                    if !self.outbox.add_notice(key, &notice, mark) {
                        continue;
                    }
                    (key, notice)
                }
            };
            match self.outbox.may_send(&key) {
                MaySend::Now => {
                    self.outbox.apply(&key, AckEvent::Sent);
                    return Some(notice);
                }
                MaySend::Later => self.announced.0.push_back((key, notice)),
                MaySend::Never => {}
            }
        }
    }

    /// True if a notice waits until the store has its announcement.
    pub fn waits_for_store(&self) -> bool {
        !self.announced.0.is_empty()
    }

    /// The oldest notice that need not wait for the store any more.
    fn next_announced(&mut self) -> Option<(Uid, Notice)> {
        let (key, _) = self.announced.0.front()?;
        match self.outbox.may_send(key) {
            MaySend::Later => None,
            MaySend::Now | MaySend::Never => self.announced.0.pop_front(),
        }
    }

    /// True if the last call of [`Tracker::next_notice`] has left something to decide.
    pub fn has_notices_to_decide(&self) -> bool {
        self.has_stalls_to_check()
    }

    /// When [`Tracker::next_notice`] may return the next one, if nothing more is observed.
    pub fn next_notice_deadline(&self) -> Option<Timestamp> {
        if self.announced.0.len() >= WAITING {
            return None;
        }
        self.next_stall_check().into_iter().chain(self.next_slot_check()).min()
    }
}
