//! Runs of CronJobs that did not start.

use jiff::{SignedDuration, Timestamp};
use job_event::Notice;

use crate::Tracker;
use crate::checkpoint::Mark;

/// When a run that did not start is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MissedRunSettings {
    /// False if no missed run is reported.
    pub enabled: bool,
    /// How late a run may start. `startingDeadlineSeconds`, if shorter, counts instead.
    pub grace: SignedDuration,
}

impl Default for MissedRunSettings {
    fn default() -> Self {
        MissedRunSettings {
            enabled: true,
            grace: SignedDuration::from_secs(60),
        }
    }
}

impl Tracker {
    /// The next missed runs that are known at `now`, with their mark.
    pub(crate) fn next_missed(&mut self, now: Timestamp) -> Option<(Notice, Mark)> {
        let _ = now;
        None
    }

    /// When the next slot is decided.
    pub(crate) fn next_slot_check(&self) -> Option<Timestamp> {
        None
    }

    /// The watches of Jobs and CronJobs have delivered everything that happened before `at`.
    pub fn watched_until(&mut self, at: Timestamp) {
        let _ = at;
    }
}
