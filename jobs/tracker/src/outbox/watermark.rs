//! How the checkpoint stays small: watermarks replace the list of reported Jobs.
//!
//! Clocks are not trusted. Verdicts keep their own timestamps, so that a restart finds them. No watermark passes the cluster's
//! time, the time of the newest object, since a verdict may have any timestamp. The local clock only determines from when Jobs
//! are reported; a verdict observed live, or a start with another clock, corrects it.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;

use super::Outbox;

/// How far the watermark stays behind the latest reported verdict, seconds. Controllers' clocks may differ by as much.
const MARGIN: i64 = 300;
/// A restart replays changes from this long before a verdict that is not stored, at most, seconds: Jobs that were reported meanwhile must
/// still be listed.
const REPLAYED: i64 = 60;
/// The Event of a verdict may be dated a second or more after it, and is looked up here by its own time.
const EVENT_DELAY: i64 = 60;

impl Outbox {
    /// The local clock shows `now`, and the API server made an object at `created`.
    pub fn time_passes(&mut self, now: Timestamp, created: Option<Timestamp>) {
        if let Some(created) = created {
            self.cluster_time = self.cluster_time.max(created.as_second());
        }
        self.clock = now.as_second();
        self.time = now.as_second().max(self.cluster_time);
    }

    /// True if the Event of a Job that finished at `at` may be dated after the watermark.
    pub(super) fn is_near_watermark(&self, scope: &str, at: Timestamp) -> bool {
        let scope = self.checkpoint.scopes.get(scope);
        let floor = scope.map_or(i64::MIN, |scope| scope.floor().min(self.time));
        at.as_second() >= floor.saturating_sub(MARGIN + EVENT_DELAY)
    }

    /// Advances the watermarks, but not up to a pending report or the cluster's time, and drops entries that lie
    /// before them.
    fn advance(&mut self) {
        let checkpoint = &mut self.checkpoint;
        let mut latest: HashMap<&str, i64> = HashMap::new();
        for job in checkpoint.reported.values().filter(|job| job.at <= self.time) {
            let latest = latest.entry(&job.scope).or_insert(i64::MIN);
            *latest = (*latest).max(job.at.saturating_sub(MARGIN));
        }
        for job in self.pending.values() {
            if let Some(latest) = latest.get_mut(&*job.scope) {
                *latest = (*latest).min(job.at.saturating_sub(REPLAYED));
            }
        }
        for (name, scope) in &mut checkpoint.scopes {
            if let Some(latest) = latest.get(&**name)
                && !self.listing.contains(name)
            {
                scope.watermark = scope.watermark.max(*latest);
            }
        }
        let scopes = &checkpoint.scopes;
        checkpoint.reported.retain(|_, job| {
            let watermark = scopes.get(&job.scope).map_or(i64::MIN, |scope| scope.watermark);
            let over = job
                .over
                .map(|over| job.at.saturating_add(i64::from(over) + EVENT_DELAY));
            over.is_none_or(|over| over >= watermark)
        });
        let is_late = |scope: &str, at| scopes.get(scope).is_some_and(|scope| at < scope.floor());
        let late = self.pending.iter().filter(|(_, job)| is_late(&job.scope, job.at));
        let late: HashSet<u64> = late.map(|(uid, _)| uid.short()).collect();
        // Those of an earlier process are pending once they are listed.
        match scopes.keys().all(|name| self.listed.contains(name)) {
            true => checkpoint.late = late,
            false => checkpoint.late.extend(late),
        }
    }

    /// If too many are listed the watermarks move up to the oldest, a whole second at a time.
    pub(super) fn bound(&mut self) {
        // With some slack, because this looks at all of them.
        let capacity = self.checkpoint.capacity;
        if self.checkpoint.reported.len() > capacity + capacity / 4 {
            self.shrink();
        }
    }

    pub(super) fn shrink(&mut self) {
        self.advance();
        let checkpoint = &mut self.checkpoint;
        if checkpoint.reported.len() <= checkpoint.capacity {
            return;
        }
        let mut times: Vec<i64> = checkpoint.reported.values().map(|job| job.at).collect();
        let excess = checkpoint.reported.len() - checkpoint.capacity;
        let (_, last, _) = times.select_nth_unstable(excess - 1);
        let last = *last;
        for job in checkpoint.reported.values().filter(|job| job.at <= last.min(self.time)) {
            if let Some(scope) = checkpoint.scopes.get_mut(&job.scope) {
                scope.watermark = scope.watermark.max(job.at.saturating_add(1));
            }
        }
        checkpoint.reported.retain(|_, job| job.at > last);
        self.advance();
    }
}

#[cfg(test)]
#[path = "watermark_tests.rs"]
mod tests;
