//! Unfinished Jobs that make no progress.

mod settings;

use jiff::Timestamp;
use job_event::Notice;

pub use settings::{RunningLongSettings, StallSettings};

use crate::Tracker;
use crate::checkpoint::Mark;

impl Tracker {
    /// The next stall or recovery that is due at `now`, with its mark.
    pub(super) fn next_stall(&mut self, now: Timestamp) -> Option<(Notice, Mark)> {
        let _ = now;
        None
    }

    /// When the next unfinished Job is checked.
    pub(super) fn next_stall_check(&self) -> Option<Timestamp> {
        None
    }
}
