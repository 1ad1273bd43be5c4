//! Where the next process resumes its watches, and the changes that a resumed watch replays.
//!
//! A restart replays the changes since a moment before the oldest verdict that is not stored, so that a Job which finished and was
//! deleted while no collector ran is observed after all. Objects in the list before are known in a later state, and Jobs that
//! the checkpoint has are not reported again.

use std::collections::VecDeque;

use jiff::Timestamp;
use job_watch::watches::Positions;
use job_watch::{Kind, Object, Source};

use super::{JobEntry, Seen, Tracker, scope_name};
use crate::checkpoint::StoredPosition;

/// The kinds whose watches resume. The others miss nothing by a list: the API server keeps Events for an hour, and of a CronJob
/// or a namespace that is gone nothing is needed.
pub(crate) const RESUMED: [Kind; 2] = [Kind::Jobs, Kind::Pods];
/// How long before a verdict its evidence is replayed, seconds. Evidence that is older is mostly in objects that still exist.
const MARGIN: i64 = 30;
/// Positions that are older, seconds, give way to any that come before the oldest verdict. The API server keeps the changes of 75 s, and
/// a process that is killed again and again may never be as old as [`MARGIN`]. Source: `eventFreshDuration` in
/// `staging/src/k8s.io/apiserver/pkg/storage/cacher/watch_cache.go`.
const OLD: i64 = 45;
/// How far the positions are apart that are kept, seconds.
const SPACING: i64 = 5;
/// How many are kept: those of 10 minutes, or of a longer time with larger distances.
const POINTS: usize = 120;

/// The positions of the watches in the recent past.
#[derive(Debug, Default)]
pub(crate) struct ResumePoints {
    /// When, seconds since 1970 by the local clock, and the positions; the oldest first.
    points: VecDeque<(i64, Positions)>,
    /// True if the first ones are those of an earlier process.
    are_restored: bool,
}

impl ResumePoints {
    /// Positions of an earlier process at this time, seconds since 1970. They are before everything that this one observes.
    pub(crate) fn new(at: i64, positions: Positions) -> ResumePoints {
        ResumePoints {
            points: VecDeque::from([(at, positions)]),
            are_restored: true,
        }
    }

    /// True if so many positions are recorded at `now`.
    fn is_due(&self, now: i64, count: usize) -> bool {
        // After a jump of the clock to the past, the later ones are useless. The first positions after a start are recorded as
        // soon as each list is complete.
        let is_due = |(at, last): &(i64, Positions)| now < *at || now - SPACING >= *at || last.len() < count;
        count > 0 && self.points.back().is_none_or(is_due)
    }

    /// Records the positions at `now`. `unstored` is when the oldest verdict that is not stored was observed; now, if there is none.
    fn record(&mut self, now: i64, mut all: Positions, unstored: i64) {
        // The clock of that process may have been ahead.
        if std::mem::take(&mut self.are_restored)
            && let Some((at, _)) = self.points.front_mut()
        {
            *at = (*at).min(now - SPACING);
        }
        // A watch whose list is not complete is still where the earlier process left it.
        for (source, version) in self.points.back().iter().flat_map(|(_, last)| last) {
            all.entry(*source).or_insert(*version);
        }
        let is_useless = |(at, last): &(i64, Positions)| *at > now || (now - SPACING < *at && last.len() < all.len());
        while self.points.back().is_some_and(is_useless) {
            self.points.pop_back();
        }
        self.points.push_back((now, all));
        while self.has_better_first(now, unstored.min(now)) {
            self.points.pop_front();
        }
        // The first one must stay.
        if self.points.len() > POINTS {
            self.points.remove(1);
        }
    }

    /// True if the second positions are better than the first ones. `unstored`: as in [`ResumePoints::record`], and not after `now`.
    fn has_better_first(&self, now: i64, unstored: i64) -> bool {
        let (Some((first, of_first)), Some((second, of_second))) = (self.points.front(), self.points.get(1)) else {
            return false;
        };
        let is_better = *second <= unstored - MARGIN && of_second.len() >= of_first.len();
        is_better || (*first < now - OLD && *second < unstored)
    }

    /// When the next process resumes, seconds since 1970, and at which positions.
    pub(crate) fn first(&self) -> Option<&(i64, Positions)> {
        // A watch without a position in the first one was not listed then.
        self.points.iter().find(|(_, positions)| !positions.is_empty())
    }
}

impl Tracker {
    /// The versions at which an earlier process stopped.
    pub fn stored_positions(&self) -> Positions {
        let stored = &self.outbox.checkpoint().positions;
        let scopes = match self.scopes.len() {
            0 => 0..1,
            last => 1..last + 1,
        };
        let sources = scopes.filter_map(|scope| u16::try_from(scope).ok());
        let sources = sources.flat_map(|scope| RESUMED.map(|kind| Source { kind, scope }));
        let position = |source: Source| {
            let scope = scope_name(&self.scopes, source.scope);
            let found = stored.iter().find(|at| at.kind == source.kind && *at.scope == *scope)?;
            Some((source, found.version))
        };
        sources.filter_map(position).collect()
    }

    /// Records the positions of the watches at `now`, for the next checkpoint. To be called between observations.
    pub fn record_positions(&mut self, now: Timestamp, positions: &Positions) {
        let now = now.as_second();
        // During a replay they are still those of the earlier process.
        let is_current = |source: &Source| {
            RESUMED.contains(&source.kind) && self.listed.contains(source) && !self.replays.contains_key(source)
        };
        let current = positions.iter().filter(|(source, _)| is_current(source));
        if !self.resume_points.is_due(now, current.clone().count()) {
            return;
        }
        let current = current.map(|(source, version)| (*source, *version)).collect();
        let unstored = self.outbox.oldest_unstored().unwrap_or(now);
        self.resume_points.record(now, current, unstored);
        let Some((at, first)) = self.resume_points.first() else {
            return;
        };
        let stored = first.iter().map(|(source, version)| StoredPosition {
            kind: source.kind,
            scope: scope_name(&self.scopes, source.scope).into(),
            version: *version,
        });
        self.outbox.set_positions(*at, stored.collect());
    }

    /// How an object of a watch was observed.
    pub(super) fn seen(&mut self, source: Source, object: &Object) -> Seen {
        let silent = self.silent_replays.get(&source);
        let Some(listed) = self.replays.get(&source).or(silent).copied() else {
            return Seen::Live;
        };
        let version = object.metadata().resource_version.parse();
        if version.is_ok_and(|version: u64| version <= listed) {
            return Seen::Replayed;
        }
        if self.silent_replays.remove(&source).is_some() {
            self.all_is_replayed(source);
        }
        Seen::Live
    }

    /// True if a later version of this Job is known: it left the selection of the watch, and came back.
    pub(super) fn is_known_later(&self, object: &Object) -> bool {
        let Some(JobEntry::Live(record)) = self.jobs.get(&object.uid()) else {
            return false;
        };
        record.is_later_than(&object.metadata().resource_version)
    }

    /// A replay ends: nothing more came, or the API server no longer had all changes. Then the deletions of objects that only this
    /// replay has shown may be among the missing ones.
    pub(super) fn replay_ends(&mut self, source: Source, complete: bool, now: Timestamp) {
        let Some(listed) = self.replays.remove(&source) else {
            return;
        };
        if complete {
            self.silent_replays.insert(source, listed);
        } else {
            self.all_is_replayed(source);
            let gone = self.unlisted_are_gone(source, now);
            self.half_replayed.extend(gone);
        }
    }

    /// Every change from before the list was observed, so that the watermark may pass Jobs that finished before.
    fn all_is_replayed(&mut self, source: Source) {
        if source.kind == Kind::Jobs {
            self.outbox.list_ends(scope_name(&self.scopes, source.scope));
        }
    }
}

#[cfg(test)]
mod tests {
    use job_watch::Observation;

    use super::*;
    use crate::TrackerSettings;
    use crate::checkpoint::Checkpoint;

    const JOBS: Source = Source {
        kind: Kind::Jobs,
        scope: 0,
    };

    fn first(points: &ResumePoints) -> Option<u64> {
        points.first()?.1.get(&JOBS).copied()
    }

    fn record(points: &mut ResumePoints, now: i64, unstored: i64) {
        let positions = Positions::from([(JOBS, u64::try_from(now).unwrap())]);
        if points.is_due(now, positions.len()) {
            points.record(now, positions, unstored);
        }
    }

    #[test]
    fn first_positions_are_known_once_each_list_is_complete() {
        let mut points = ResumePoints::default();
        let pods = Source {
            kind: Kind::Pods,
            ..JOBS
        };
        let mut positions = Positions::new();
        for (now, listed) in [(1000, None), (1001, Some((JOBS, 7))), (1002, Some((pods, 8)))] {
            positions.extend(listed);
            assert_eq!(points.is_due(now, positions.len()), !positions.is_empty());
            points.record(now, positions.clone(), now);
            assert!(!points.is_due(now, positions.len()));
        }
        assert_eq!(points.first(), Some(&(1002, positions)));
    }

    #[test]
    fn a_watch_that_lists_keeps_its_stored_position() {
        let pods = Source {
            kind: Kind::Pods,
            ..JOBS
        };
        let mut points = ResumePoints::new(900, Positions::from([(JOBS, 7), (pods, 8)]));
        for now in 1000..1040 {
            record(&mut points, now, now);
        }
        assert_eq!(
            points.first(),
            Some(&(1005, Positions::from([(JOBS, 1005), (pods, 8)])))
        );
    }

    #[test]
    fn resumes_before_the_oldest_verdict_that_is_not_stored() {
        let mut points = ResumePoints::new(990, Positions::from([(JOBS, 7)]));
        for now in 1000..1030 {
            record(&mut points, now, now);
        }
        assert_eq!(first(&points), Some(7), "the process is younger than the margin");
        for now in 1030..1100 {
            record(&mut points, now, now);
        }
        assert_eq!(first(&points), Some(1065));
        for now in 1100..1400 {
            record(&mut points, now, 1101);
        }
        assert_eq!(first(&points), Some(1100), "old positions give way");
        record(&mut points, 1400, 1400);
        assert_eq!(first(&points), Some(1370));
    }

    #[test]
    fn keeps_the_oldest_position_however_long_a_verdict_waits() {
        let mut points = ResumePoints::default();
        for now in 1000..100_000 {
            record(&mut points, now, 1031);
        }
        assert_eq!(first(&points), Some(1030));
        assert_eq!(points.points.len(), POINTS);
    }

    #[test]
    fn positions_advance_however_short_processes_live() {
        for life in 8..60 {
            let (mut at, mut stored) = (0, Positions::new());
            for start in (1000..2000).step_by(life + 2) {
                let mut points = ResumePoints::new(at, stored);
                let killed = start + i64::try_from(life).unwrap();
                for now in start..killed {
                    // Each verdict is stored after 3 s.
                    record(&mut points, now, start.max(now - 3));
                }
                (at, stored) = points.first().unwrap().clone();
                let age = killed + 2 - at;
                assert!(age < 75, "{age} s old after {start}, killed every {life} s");
                assert!(at < killed - 3, "before the verdicts that are not stored");
            }
        }
    }

    #[test]
    fn the_position_of_a_replay_is_not_a_new_one() {
        let mut tracker = Tracker::new(TrackerSettings::default());
        let mut checkpoint = Checkpoint::new(10);
        let position = |version| StoredPosition {
            kind: Kind::Jobs,
            scope: "".into(),
            version,
        };
        checkpoint.set_positions(1000, vec![position(7)]);
        tracker.restore(checkpoint, Vec::new());
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut stored = |observation, second, version| {
            tracker.apply(JOBS, observation, at(second));
            tracker.record_positions(at(second), &Positions::from([(JOBS, version)]));
            let checkpoint = tracker.outbox().checkpoint();
            (checkpoint.positions_at, checkpoint.positions[0].version)
        };
        assert_eq!(stored(Observation::ListBegins, 1050, 7), (1000, 7));
        assert_eq!(stored(Observation::ReplayBegins { version: 9 }, 1051, 7), (1000, 7));
        assert_eq!(stored(Observation::ListEnds, 1052, 7), (1000, 7));
        let end = Observation::ReplayEnds { complete: true };
        assert_eq!(stored(end, 1053, 9), (1000, 7), "not before all that is not stored");
        assert_eq!(stored(Observation::Recovered, 1059, 10), (1053, 9));
    }

    #[test]
    fn a_position_of_a_clock_ahead_is_kept_until_verdicts_are_stored() {
        let mut points = ResumePoints::new(5000, Positions::from([(JOBS, 7)]));
        for now in 1000..1020 {
            record(&mut points, now, 1000);
        }
        assert_eq!(first(&points), Some(7));
    }

    #[test]
    fn a_clock_that_is_set_back_drops_what_is_later() {
        let mut points = ResumePoints::default();
        for now in 1000..1200 {
            record(&mut points, now, now);
        }
        record(&mut points, 500, 500);
        assert_eq!(first(&points), Some(500));
        record(&mut points, 505, 505);
        assert_eq!(points.points.len(), 2);
    }
}
