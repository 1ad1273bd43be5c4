//! The slots of one CronJob: which of them started, and which were missed and why. Pure. Times are seconds since 1970.
//!
//! A slot is decided at the end of its grace period, and only with proof that nothing is missing (`Proof`). It needs no report if
//! a Job was created for it in time. A slot without a Job is missed if Jobs are observed without a gap since before it, or if
//! `status.lastScheduleTime` is before it: the controller never goes back. Otherwise its Job may have been created and removed
//! unobserved, and nothing is reported.

use std::sync::Arc;

use crate::pool::Tags;
use job_event::notice::MissReason;

use super::allowance::Allowance;
use super::fate::Fate;
use super::notes::{Note, Notes};
use super::plan::Plan;
use crate::checkpoint::AnnouncedRuns;

/// After the grace period: creation times have whole seconds, and a Job takes a moment to arrive.
pub(crate) const SETTLE: i64 = 1;
/// How long a missed run waits for Events that explain it, whose watch is proven less often than the others.
pub(crate) const EVENTS_WAIT: i64 = 180;
/// More missed runs of one reason are summarised in one event.
const SINGLE: u32 = 3;
/// More slots at once: the controller itself warns with `TooManyMissedTimes` (`pkg/controller/cronjob/utils.go`).
const TOO_MANY: u32 = 100;
/// The most slots in one event.
const SUMMARISED: u32 = 100_000;
/// How long the API server keeps Events (`--event-ttl`).
pub(crate) const EVENTS_KEPT: i64 = 3600;

/// The time until the next check for an acknowledgement or an Event.
const RETRY: i64 = 5;
/// No slot, or no deadline.
pub(crate) const NEVER: i64 = i64::MAX;

/// How far the observation of Jobs, CronJobs and their Events is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Proof {
    /// Every change of Jobs and CronJobs before is observed.
    pub(crate) until: i64,
    /// No Job was created and removed unobserved since.
    pub(crate) since: i64,
    /// The same as `until` for Events about CronJobs; `None` if they cannot be read.
    pub(crate) events: Option<i64>,
    /// Earlier Events may have expired unobserved.
    pub(crate) events_since: i64,
}

/// The slots of a CronJob.
#[derive(Debug)]
pub(crate) struct Slots {
    /// `None` before the CronJob itself is seen.
    pub(crate) plan: Option<Arc<Plan>>,
    pub(crate) tags: Option<Arc<Tags>>,
    /// The CronJob controller's latest message about a Job that it could not create, or about the schedule.
    pub(crate) message: Option<Box<str>>,
    pub(crate) notes: Notes,
    /// `metadata.generation`, modulo 65,536; 0 if unknown.
    pub(crate) generation: u16,
    pub(crate) scope: u16,
    /// False while it is suspended, deleted or silenced.
    pub(crate) is_active: bool,
    pub(crate) is_suspended: bool,
    /// True if its annotation `k8s-job-collector/missed-runs` cannot be read.
    pub(crate) has_invalid_annotation: bool,
    pub(crate) forbids: bool,
    /// True if a Job of it was seen, so that its Jobs match the selector.
    pub(crate) has_jobs: bool,
    /// The controller started a run outside of the schedule as evaluated here, so no slot is certain.
    pub(crate) is_refuted: bool,
    /// When the controller could first not evaluate the schedule; 0 if it can.
    pub(crate) invalid_since: i64,
    /// `startingDeadlineSeconds`.
    pub(crate) deadline: i64,
    /// Slots up to it are decided.
    pub(crate) cursor: i64,
    /// Starts of slots up to it may be forgotten.
    pub(crate) known_from: i64,
    /// The last slot of the event that is not acknowledged; 0 if there is none.
    pub(crate) pending: i64,
    /// Missed slots that are reported once that one is acknowledged.
    pub(crate) waiting: Option<MissedSlots>,
    /// `status.lastScheduleTime`.
    pub(crate) last_scheduled: i64,
    pub(crate) allowance: Allowance,
    /// The first and the last time of the latest Event about a Job that could not be created: it may concern each slot between.
    pub(crate) failing: (i64, i64),
    /// The same of the latest Event `JobAlreadyActive`.
    pub(crate) forbidding: (i64, i64),
    /// When the controller last wrote `TooManyMissedTimes`.
    pub(crate) too_many: i64,
    /// The time from which `status.active` has an entry, and its end; [`NEVER`] while it has one.
    pub(crate) running: (i64, i64),
    /// The same for the period before.
    pub(crate) ran: (i64, i64),
    /// Nothing is decided before.
    pub(crate) not_before: i64,
    /// When it is looked at next; [`NEVER`] if nothing is expected.
    pub(crate) due: i64,
}

impl Default for Slots {
    fn default() -> Self {
        Slots {
            plan: None,
            tags: None,
            message: None,
            notes: Notes::default(),
            generation: 0,
            scope: 0,
            is_active: false,
            is_suspended: false,
            has_invalid_annotation: false,
            forbids: false,
            has_jobs: false,
            is_refuted: false,
            invalid_since: 0,
            deadline: NEVER,
            cursor: 0,
            known_from: 0,
            pending: 0,
            waiting: None,
            last_scheduled: 0,
            allowance: Allowance::default(),
            failing: (0, 0),
            forbidding: (0, 0),
            too_many: 0,
            running: (0, 0),
            ran: (0, 0),
            not_before: 0,
            due: NEVER,
        }
    }
}

/// Missed slots of one reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MissedSlots {
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) count: u32,
    pub(crate) reason: MissReason,
}

impl Slots {
    /// The grace period of this CronJob.
    pub(crate) fn grace(&self, grace: i64) -> i64 {
        grace.min(self.deadline.max(0))
    }

    /// A Job for `slot` was created at `created`.
    pub(crate) fn started(&mut self, slot: i64, created: i64) {
        self.has_jobs = true;
        let late = u32::try_from((created - slot).max(0)).unwrap_or(u32::MAX);
        self.note_start(slot, Note::Started(late));
    }

    /// `status.lastScheduleTime` is `slot`.
    pub(crate) fn scheduled(&mut self, slot: i64) {
        if slot > self.last_scheduled {
            self.last_scheduled = slot;
            self.note_start(slot, Note::Scheduled);
        }
    }

    fn note_start(&mut self, slot: i64, note: Note) {
        if slot <= self.cursor {
            return;
        }
        if self.invalid_since > 0 {
            // The controller can evaluate it after all.
            self.is_refuted = self.plan.as_ref().is_some_and(|plan| !plan.is_valid());
            self.invalid_since = 0;
        }
        if let Some(plan) = &self.plan
            && !plan.is_slot(slot, self.cursor)
        {
            match plan.is_relative() {
                // With a starting deadline, the controller moves the slots of `@every`.
                true => self.pass(slot),
                false => self.is_refuted = true,
            }
            return;
        }
        self.add_note(slot, note);
    }

    fn add_note(&mut self, slot: i64, note: Note) {
        if let Some(forgotten) = self.notes.add(slot, note) {
            self.known_from = self.known_from.max(forgotten);
        }
    }

    /// The controller wrote an Event at `at` about the latest slot.
    pub(crate) fn note_at(&mut self, at: i64, note: Note) {
        let slot = self.plan.as_ref().and_then(|plan| plan.latest(at, self.cursor));
        if let Some(slot) = slot.filter(|slot| *slot > self.cursor) {
            self.add_note(slot, note);
        }
    }

    /// The controller wrote an Event about this slot.
    pub(crate) fn note(&mut self, slot: i64, note: Note) {
        let is_slot = self.plan.as_ref().is_some_and(|plan| plan.is_slot(slot, self.cursor));
        if is_slot && slot > self.cursor {
            self.add_note(slot, note);
        }
    }

    /// Slots up to `slot` need no report.
    pub(crate) fn pass(&mut self, slot: i64) {
        self.cursor = self.cursor.max(slot);
        self.notes.forget(self.cursor);
    }

    /// The spec is in force since `at`: earlier slots do not count. `base` is the slot before, for `@every`.
    pub(crate) fn starts_over(&mut self, at: i64, base: i64) {
        self.notes.clear();
        self.message = None;
        (self.is_refuted, self.invalid_since) = (false, 0);
        self.cursor = match &self.plan {
            Some(plan) => plan.aligned(at, base).max(self.cursor),
            None => at.max(self.cursor),
        };
    }

    /// Another process decided the slots up to `slot`. Starts since then may be forgotten.
    pub(crate) fn resume_from(&mut self, slot: i64) {
        self.known_from = self.known_from.max(self.cursor);
        self.waiting = None;
        self.cursor = slot;
        self.notes.forget(slot);
    }

    /// When it is looked at next.
    pub(crate) fn next_due(&self, grace: i64) -> i64 {
        match self.waiting {
            Some(_) => 0,
            None => self.slot_due(grace),
        }
    }

    /// When the next slot can be decided.
    fn slot_due(&self, grace: i64) -> i64 {
        if self.invalid_since > 0 {
            let is_open = self.invalid_since > self.cursor && !self.is_refuted && self.is_active;
            return if is_open { self.invalid_since + grace } else { NEVER };
        }
        match self.next_slot() {
            Some(slot) => (slot + self.grace(grace) + SETTLE).max(self.not_before),
            None => NEVER,
        }
    }

    /// The first slot that is not decided.
    fn next_slot(&self) -> Option<i64> {
        if !self.is_active || self.is_refuted || self.invalid_since > 0 {
            return None;
        }
        self.plan.as_ref()?.next(self.cursor)
    }

    /// Decides the slots that can be decided, up to the first missed ones, which it returns. Sets `due`.
    pub(crate) fn decide(&mut self, proof: Proof, grace: i64, now: i64) -> Option<MissedSlots> {
        if self.pending == 0
            && let Some(missed) = self.waiting.take()
        {
            self.report(missed, grace, now);
            return Some(missed);
        }
        loop {
            self.due = self.slot_due(grace);
            if self.due > proof.until.min(now) {
                if self.waiting.is_some() {
                    self.due = self.due.min(now + RETRY);
                }
                return None;
            }
            if self.invalid_since > 0 {
                return self.invalid();
            }
            let slot = self.next_slot()?;
            let Fate::Missed(reason) = self.fate(slot, proof, grace) else {
                self.pass(slot);
                continue;
            };
            let waits = proof.events.is_some_and(|events| events < self.due) && now < self.due + EVENTS_WAIT;
            if self.pending > 0 && !waits && self.add_to_waiting(slot, reason) {
                self.pass(slot);
                continue;
            }
            if self.pending > 0 || waits {
                // Checked again in a moment.
                self.due = now + RETRY;
                return None;
            }
            let missed = self.group(slot, reason, proof, grace, now);
            self.report(missed, grace, now);
            return Some(missed);
        }
    }

    /// False if slots that were missed for another reason wait already.
    fn add_to_waiting(&mut self, slot: i64, reason: MissReason) -> bool {
        let waiting = self.waiting.get_or_insert(MissedSlots {
            first: slot,
            last: slot,
            count: 0,
            reason,
        });
        let is_same = waiting.reason == reason;
        if is_same {
            (waiting.last, waiting.count) = (slot, waiting.count + 1);
        }
        is_same
    }

    /// Decides the slots that the controller reports as skipped, although their grace period is not over.
    pub(crate) fn decide_forbidden(&mut self) -> Option<MissedSlots> {
        let slot = self.notes.slots(Note::Forbidden).min()?;
        if !self.is_active || self.pending > 0 || self.notes.start(slot).is_some() {
            return None;
        }
        let missed = MissedSlots {
            first: slot,
            last: slot,
            count: 1,
            reason: MissReason::ConcurrencyForbidden,
        };
        self.pending = slot;
        self.pass(slot);
        // The next one.
        self.due = 0;
        Some(missed)
    }

    /// An event about these slots is to be reported.
    fn report(&mut self, missed: MissedSlots, grace: i64, now: i64) {
        self.pending = missed.last;
        self.pass(missed.last);
        let next = self.plan.as_ref().and_then(|plan| plan.next(missed.last));
        if next.is_some_and(|next| next - missed.last < self.grace(grace)) {
            // Slots follow each other faster than the grace period: one event in that time.
            self.not_before = now + self.grace(grace);
        }
        self.due = self.next_due(grace);
    }

    /// Missed runs that another process announced are reported again as they were.
    pub(crate) fn announced(&mut self, first: i64, runs: AnnouncedRuns, grace: i64) -> MissedSlots {
        self.pending = runs.last;
        self.pass(runs.last);
        self.due = self.next_due(grace);
        MissedSlots {
            first,
            last: runs.last,
            count: runs.count,
            reason: runs.reason,
        }
    }

    fn invalid(&mut self) -> Option<MissedSlots> {
        let at = self.invalid_since;
        (self.pending, self.cursor, self.due) = (at, at, NEVER);
        Some(MissedSlots {
            first: at,
            last: at,
            count: 1,
            reason: MissReason::InvalidSchedule,
        })
    }

    /// The slots that were missed for the same reason as `first` and can be decided: only the first one if they are few.
    fn group(&self, first: i64, reason: MissReason, proof: Proof, grace: i64, now: i64) -> MissedSlots {
        let mut missed = MissedSlots {
            first,
            last: first,
            count: 1,
            reason,
        };
        let decided = |slot: i64| slot + self.grace(grace) + SETTLE <= proof.until.min(now);
        let mut are_consecutive = true;
        let next = |slot: &i64| self.plan.as_ref().and_then(|plan| plan.next(*slot));
        for slot in std::iter::successors(next(&first), next).take_while(|slot| decided(*slot)) {
            match self.fate(slot, proof, grace) {
                Fate::Missed(other) if other == reason => {
                    (missed.last, missed.count) = (slot, missed.count + 1);
                }
                Fate::Missed(_) => break,
                Fate::Started | Fate::Uncertain => are_consecutive = false,
            }
            if missed.count >= SUMMARISED {
                break;
            }
        }
        if missed.count <= SINGLE {
            (missed.last, missed.count) = (first, 1);
        } else if missed.count > TOO_MANY && are_consecutive && is_broad(reason) && !self.is_failing(first) {
            missed.reason = MissReason::TooManyMissedTimes;
        }
        missed
    }
}

/// True for a reason that more than 100 slots at once make more specific.
fn is_broad(reason: MissReason) -> bool {
    matches!(reason, MissReason::ControllerLate | MissReason::Unknown)
}
