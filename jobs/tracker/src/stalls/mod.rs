//! Unfinished Jobs that make no progress.
//!
//! An update costs almost nothing here: each unfinished Job is checked periodically. A check first reads the record; the judge
//! evaluates the evidence only if the record may be that of a stalled Job. A Job that surely makes progress is checked rarely until
//! it changes. The marks of the checkpoint have the reported stalls, so a restart or a fail-over repeats none.
//! `docs/stalled-and-missed.md` defines a stall.

mod annotation;
mod check;
mod ended;
mod history;
mod settings;
mod wheel;

use std::collections::{HashMap, VecDeque};

use jiff::{SignedDuration, Timestamp};
use job_event::{Notice, Uid};
use job_judge::Cause;

pub(crate) use annotation::StalledAfter;
pub use settings::{RunningLongSettings, StallSettings};

use self::check::{Budget, Next};
use self::ended::EndedJob;
use self::wheel::Wheel;
use crate::checkpoint::Mark;
use crate::job::JobRecord;
use crate::{JobEntry, Tracker};
use job_watch::Kind;

/// How many Jobs one call checks.
const CHECKS: usize = 256;
/// The longest time between two checks of a Job that may be stalled, seconds.
const INTERVAL: i64 = 30;
/// The same of a Job that surely makes progress. A stall is dated by its evidence, so the first check after its beginning may be late.
const HEALTHY_INTERVAL: i64 = 120;
/// How long an incomplete list of Events delays the checks, seconds. Without Events causes are broader.
const LATE_EVENTS: i64 = 60;
/// The time between two checks of a Job that surely makes progress and does not change, seconds. Only the earlier runs of its owner,
/// once enough of them are known, can make it a long one meanwhile.
const RARE_INTERVAL: i64 = 900;
/// Rare checks are due in units of so many seconds: a [`Wheel`] of them reaches farther than [`RARE_INTERVAL`].
const RARE_UNIT: i64 = 8;

/// The checks of unfinished Jobs.
#[derive(Debug, Default)]
pub(crate) struct Stalls {
    wheel: Wheel,
    /// The checks of Jobs that surely make progress, by [`RARE_UNIT`]. An entry whose Job has changed since is obsolete.
    rare: Wheel,
    /// The stalls that the last checks found, reported or not.
    found: HashMap<Uid, FoundStall>,
    /// Jobs that have ended since their stall was reported.
    ended: VecDeque<EndedJob>,
    /// The second of the last check that could not report a recovery.
    ended_checked: Option<i64>,
    budget: Budget,
    /// No Job is checked before this second.
    paused_until: i64,
    /// When Jobs were last checked, seconds since 1970, if all that could be checked were.
    all_checked: Option<i64>,
    /// Since when the lists of Events are incomplete.
    without_events: Option<i64>,
    /// When the marks of Jobs that no list has shown are dropped.
    marks_dropped_at: Option<Timestamp>,
}

/// The stall that the last check of a Job found.
#[derive(Clone, Copy, Debug)]
struct FoundStall {
    cause: Cause,
    /// True if it is reported.
    is_reported: bool,
    /// True if it is over, and its recovery waits until the stall is acknowledged.
    is_over: bool,
    /// When it is reported, seconds since 1970; the maximum if it is not.
    due: i64,
    /// When the judge looked at the evidence, seconds since 1970.
    judged: i64,
}

impl Stalls {
    /// The cause of a Job's stall, if it lasts and is reported.
    pub(crate) fn reported(&self, uid: &Uid) -> Option<Cause> {
        let found = self.found.get(uid)?;
        (found.is_reported && !found.is_over).then_some(found.cause)
    }
}

impl Tracker {
    /// A Job or one of its Pods was observed: if the Job was checked rarely, it is checked as often as others again.
    pub(super) fn job_changed(&mut self, uid: Uid, now: Timestamp) {
        if let Some(JobEntry::Live(record)) = self.jobs.get_mut(&uid)
            && std::mem::take(&mut record.is_checked_rarely)
        {
            self.check_for_stalls(uid, now);
        }
    }

    /// Another process has led: Jobs whose stall it reported are checked soon, for a recovery.
    fn check_marked_jobs(&mut self, now: Timestamp) {
        let marks = &self.outbox.checkpoint().marks.stalls;
        if marks.is_empty() {
            return;
        }
        let marked: Vec<Uid> = self
            .jobs
            .keys()
            .filter(|uid| marks.contains_key(&uid.short()))
            .copied()
            .collect();
        for uid in marked {
            self.job_changed(uid, now);
        }
    }

    /// Checks begin: a Job got a record, or has changed.
    pub(super) fn check_for_stalls(&mut self, uid: Uid, now: Timestamp) {
        let Some(JobEntry::Live(record)) = self.jobs.get(&uid) else {
            return;
        };
        if self.settings.stalls.enabled {
            // Spread, because a list shows many Jobs at once.
            let interval = self.check_interval(record);
            let spread = i64::try_from(uid.short() % interval.unsigned_abs().max(1)).unwrap_or(0);
            let wheel = &mut self.stalls.wheel;
            wheel.advance(now.as_second());
            wheel.push(uid, now.as_second().saturating_add(1 + spread));
        }
    }

    /// The next stall or recovery that is due at `now`, with its mark. One call does a bounded amount of work; if Jobs are left
    /// to be checked, [`Tracker::next_stall_check`] is due.
    pub(super) fn next_stall(&mut self, now: Timestamp) -> Option<(Notice, Mark)> {
        if !self.settings.stalls.enabled {
            return None;
        }
        self.stalls.all_checked = Some(now.as_second());
        self.drop_marks(now);
        if let Some(recovered) = self.next_ended(now) {
            self.stalls.all_checked = None;
            return Some(recovered);
        }
        let second = now.as_second();
        self.stalls.wheel.advance(second);
        self.stalls.rare.advance(second.div_euclid(RARE_UNIT));
        // A clock that is set back ends a pause.
        if (second..=second.saturating_add(1)).contains(&(self.stalls.paused_until - 1)) {
            return None;
        }
        if self.lacks_lists(second) {
            self.stalls.paused_until = second.saturating_add(1);
            return None;
        }
        for _ in 0..CHECKS {
            let (uid, is_obsolete) = match self.stalls.wheel.pop() {
                Some(uid) => (uid, false),
                None => {
                    let uid = self.stalls.rare.pop()?;
                    (uid, !self.takes_rare_check(uid))
                }
            };
            if is_obsolete {
                continue;
            }
            match self.check(uid, now) {
                Next::Never => {
                    self.stalls.found.remove(&uid);
                }
                Next::At(next) => self.stalls.wheel.push(uid, next),
                Next::Rarely(next) => self.check_rarely(uid, next),
                Next::Later => {
                    self.stalls.wheel.put_back(uid);
                    self.stalls.paused_until = second.saturating_add(1);
                    return None;
                }
                Next::Report(next, notice, mark) => {
                    self.stalls.wheel.push(uid, next);
                    self.stalls.all_checked = None;
                    return Some((notice, mark));
                }
            }
        }
        self.stalls.all_checked = None;
        None
    }

    /// Checks a Job in this second or later, unless it changes before.
    fn check_rarely(&mut self, uid: Uid, second: i64) {
        let Some(JobEntry::Live(record)) = self.jobs.get_mut(&uid) else {
            return;
        };
        record.is_checked_rarely = true;
        // An entry from before the last change comes earlier, and one is enough.
        if !std::mem::replace(&mut record.has_rare_check, true) {
            self.stalls
                .rare
                .push(uid, (second + RARE_UNIT - 1).div_euclid(RARE_UNIT));
        }
    }

    /// The entry of a rare check is due; false if it is obsolete.
    fn takes_rare_check(&mut self, uid: Uid) -> bool {
        let Some(JobEntry::Live(record)) = self.jobs.get_mut(&uid) else {
            return false;
        };
        record.has_rare_check = false;
        std::mem::take(&mut record.is_checked_rarely)
    }

    /// True if Jobs are left to be checked, or the end of a stall is not decided.
    pub(super) fn has_stalls_to_check(&self) -> bool {
        self.stalls.wheel.is_behind() || self.stalls.rare.is_behind() || !self.stalls.ended.is_empty()
    }

    /// When the next unfinished Job is checked.
    pub(super) fn next_stall_check(&self) -> Option<Timestamp> {
        let stalls = &self.stalls;
        let seconds = |second: i64| Timestamp::from_second(second).unwrap_or(Timestamp::MIN);
        // A check that was not possible is not repeated within the second.
        let pause = stalls.all_checked.map_or(i64::MIN, |second| second + 1);
        // Nothing is due while no Job may be checked.
        let may_check = stalls.all_checked.is_none_or(|second| stalls.wheel.has_passed(second));
        let rare = stalls.rare.next().map(|unit| unit.saturating_mul(RARE_UNIT));
        let next = stalls.wheel.next().into_iter().chain(rare).min().filter(|_| may_check);
        let check = next.map(|second| seconds(second.max(stalls.paused_until).max(pause)));
        let ended =
            (!stalls.ended.is_empty()).then(|| seconds(stalls.ended_checked.map_or(i64::MIN, |second| second + 1)));
        check.into_iter().chain(ended).chain(stalls.marks_dropped_at).min()
    }

    /// How often a Job is checked, seconds: often enough to report its stalls in time.
    fn check_interval(&self, record: &JobRecord) -> i64 {
        let settings = &self.settings.stalls;
        let causes = settings.causes.values().flatten();
        let least = causes.fold(settings.after, |least, after| least.min(*after));
        let own = self.stalled_after(record).flatten().unwrap_or(SignedDuration::MAX);
        (least.min(own).as_secs() / 2).clamp(1, HEALTHY_INTERVAL)
    }

    /// The annotation of a Job, else of its CronJob: how long a stall lasts before it is reported, or never.
    fn stalled_after(&self, record: &JobRecord) -> Option<Option<SignedDuration>> {
        let own = record.stalled_after.get();
        own.or_else(|| self.cronjobs.stalled_after_of(&record.cronjob()?).get())
    }

    /// True while a list is incomplete, or a watch replays what came before it, such as Pods that are gone by now: the evidence may be
    /// older than it seems.
    fn lacks_lists(&mut self, second: i64) -> bool {
        if !self.replays.is_empty() {
            return true;
        }
        if self.lists.is_empty() {
            self.stalls.without_events = None;
            return false;
        }
        let mut listing = self.lists.keys().filter(|source| !self.forbidden.contains(source));
        if listing.any(|source| matches!(source.kind, Kind::Jobs | Kind::Pods)) {
            return true;
        }
        let mut listing = self.lists.keys().filter(|source| !self.forbidden.contains(source));
        if !listing.any(|source| matches!(source.kind, Kind::JobEvents | Kind::PodEvents)) {
            self.stalls.without_events = None;
            return false;
        }
        let since = *self.stalls.without_events.get_or_insert(second);
        (since..since.saturating_add(LATE_EVENTS)).contains(&second)
    }
}
