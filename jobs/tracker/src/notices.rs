//! The events about unfinished Jobs and missed runs, each once.

use jiff::Timestamp;
use job_event::Notice;

use super::Tracker;
use super::outbox::AckEvent;

impl Tracker {
    /// The next notice to report at `now`; it counts as sent. To be called until it returns `None`.
    pub fn next_notice(&mut self, now: Timestamp) -> Option<Notice> {
        loop {
            let (notice, mark) = self.next_stall(now).or_else(|| self.next_missed(now))?;
            let key = notice.key();
            if self.outbox.add_notice(key, mark) {
                self.outbox.apply(&key, AckEvent::Sent);
                return Some(notice);
            }
        }
    }

    /// When [`Tracker::next_notice`] may return the next one, if nothing more is observed.
    pub fn next_notice_deadline(&self) -> Option<Timestamp> {
        self.next_stall_check().into_iter().chain(self.next_slot_check()).min()
    }
}
