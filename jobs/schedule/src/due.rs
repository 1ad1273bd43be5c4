//! The slots that are due: `mostRecentScheduleTime` of the CronJob controller.

use jiff::{SignedDuration, Timestamp};

use crate::Schedule;

/// With more missed slots than this, the controller warns with the Event `TooManyMissedTimes`, and starts the most recent one.
const MAX_MISSED: i64 = 100;

/// The slots that are due, as the controller sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// The slot for which the controller starts a Job.
    pub latest: Option<Timestamp>,
    /// The number of due slots if there are at least two, else 0. An estimate from the distance of the first two.
    pub missed: i64,
}

impl Due {
    /// True if the controller emits the Event `TooManyMissedTimes`.
    pub fn is_too_many(&self) -> bool {
        self.missed > MAX_MISSED
    }
}

impl Schedule {
    /// The slots due at `now`. `after` is the last scheduled time or else the creation of the CronJob, and not before `now` minus
    /// `startingDeadlineSeconds`. `None` if the schedule has no further slots: the controller emits the Event `InvalidSchedule`.
    pub fn due(&self, after: Timestamp, now: Timestamp) -> Option<Due> {
        let first = self.next(after)?;
        if now < first {
            return Some(Due {
                latest: None,
                missed: 0,
            });
        }
        let second = self.next(first)?;
        if now < second {
            return Some(Due {
                latest: Some(first),
                missed: 0,
            });
        }
        let distance = second.as_second() - first.as_second();
        if distance < 1 {
            return None;
        }
        let missed = now.duration_since(first).as_secs() / distance + 1;
        // The controller's own estimate: with irregular slots it may lie after the most recent one, which is then never started.
        let near = first
            .checked_add(SignedDuration::from_secs((missed - 2) * distance))
            .ok()?;
        let latest = self.slots(near, now).last();
        Some(Due { latest, missed })
    }
}
