//! The last 24 hours in buckets.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::views::{EventKind, Listed};

/// The length of a bucket, seconds.
const BUCKET_SECONDS: i64 = 30 * 60;
/// The number of buckets: 24 h.
const BUCKETS: usize = 48;

/// Counts of events over the last 24 hours, oldest bucket first.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Timeline {
    /// The beginning of the first bucket.
    pub start: Timestamp,
    /// The end of the last bucket, later than now.
    pub end: Timestamp,
    /// The length of a bucket, seconds.
    pub bucket_seconds: i64,
    /// The counts.
    pub buckets: Vec<Bucket>,
}

/// One bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Bucket {
    /// Its beginning.
    pub start: Timestamp,
    /// Jobs that failed.
    pub failed: u32,
    /// Jobs that succeeded.
    pub succeeded: u32,
    /// Jobs that were deleted or replaced before they were decided.
    pub deleted: u32,
    /// Stalls that were reported.
    pub stalled: u32,
    /// Runs that did not start.
    pub missed: u64,
}

impl Timeline {
    /// The buckets, without counts, whose last one contains `now`.
    pub(crate) fn new(now: Timestamp) -> Self {
        let end = (now.as_second().div_euclid(BUCKET_SECONDS) + 1) * BUCKET_SECONDS;
        let first = end - BUCKET_SECONDS * BUCKETS as i64;
        let at = |second: i64| Timestamp::from_second(second).unwrap_or(now);
        let bucket = |index: usize| Bucket {
            start: at(first + BUCKET_SECONDS * index as i64),
            failed: 0,
            succeeded: 0,
            deleted: 0,
            stalled: 0,
            missed: 0,
        };
        Timeline {
            start: at(first),
            end: at(end),
            bucket_seconds: BUCKET_SECONDS,
            buckets: (0..BUCKETS).map(bucket).collect(),
        }
    }

    /// Counts an event. One from the future, by a clock that is ahead, counts in the last bucket.
    pub(crate) fn add(&mut self, event: &Listed) {
        if event.time < self.start {
            return;
        }
        let after = event
            .time
            .duration_since(self.start)
            .max(SignedDuration::ZERO)
            .as_secs();
        let index = usize::try_from(after / BUCKET_SECONDS)
            .unwrap_or(usize::MAX)
            .min(BUCKETS - 1);
        let Some(bucket) = self.buckets.get_mut(index) else {
            return;
        };
        match (event.event, &*event.outcome) {
            (EventKind::Finished, "Failed") => bucket.failed += 1,
            (EventKind::Finished, "Succeeded") => bucket.succeeded += 1,
            (EventKind::Finished, _) => bucket.deleted += 1,
            (EventKind::Stalled, _) => bucket.stalled += 1,
            (EventKind::Missed, _) => bucket.missed += event.missed_runs,
            (EventKind::Recovered, _) => {}
        }
    }
}
