//! Changes of a CronJob, and the Events of its controller, as facts about its slots.
//!
//! `metadata.generation` counts the changes of the spec. An unchanged generation proves that neither the schedule nor `suspend`
//! has changed since, even while no watch was running.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use job_watch::model;

use super::allowance::Allowance;
use super::notes::Note;
use super::plan::Plan;
use super::slots::{NEVER, Slots};
use crate::checkpoint::CronJobMark;
use crate::event::shorten;

/// The longest message that is kept, bytes.
const MESSAGE: usize = 256;

/// The circumstances of an observation of a CronJob.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    /// True if it is from a list, so that earlier changes may be unobserved.
    pub(crate) listed: bool,
    /// Seconds since 1970.
    pub(crate) now: i64,
    pub(crate) mark: Option<CronJobMark>,
    pub(crate) scope: u16,
}

fn second(time: Option<Timestamp>) -> i64 {
    time.map_or(0, Timestamp::as_second)
}

impl Slots {
    /// A version of the CronJob was observed.
    pub(crate) fn observe(&mut self, cronjob: &model::CronJob, plan: Arc<Plan>, seen: Seen) {
        let (metadata, spec, status) = (&cronjob.metadata, &cronjob.spec, &cronjob.status);
        // Only its last two bytes are stored; 1 means that the spec never changed.
        let generation = metadata.generation.map_or(0, |generation| generation.max(0) % 65_536);
        let generation = match u16::try_from(generation).unwrap_or(0) {
            1 if metadata.generation != Some(1) => 2,
            generation => generation,
        };
        let was_active = self.is_active;
        self.scope = seen.scope;
        self.is_suspended = spec.suspend == Some(true);
        let annotation = metadata.annotations.missed_runs.as_deref().map(str::trim);
        let is_silenced = annotation.is_some_and(|value| value.eq_ignore_ascii_case("off"));
        self.has_invalid_annotation = annotation.is_some() && !is_silenced;
        self.is_active = !self.is_suspended && !is_silenced && metadata.deletion_timestamp.is_none();
        self.forbids = spec.concurrency_policy.as_deref() == Some("Forbid");
        self.deadline = spec.starting_deadline_seconds.unwrap_or(NEVER);
        let created = second(metadata.creation_timestamp);
        let last = second(status.last_schedule_time);
        let base = if last > 0 { last } else { created };
        let old = self.plan.replace(plan.clone());
        let is_other_plan = old.as_ref().is_some_and(|old| *old != plan);
        let is_unknown = seen.listed && (generation == 0 || generation != self.generation);
        let is_changed = old.is_some() && (is_other_plan || (self.is_active && !was_active) || is_unknown);
        if old.is_none() {
            self.begin(created, last, generation, seen);
        }
        self.generation = generation;
        if is_changed && (self.invalid_since == 0 || is_other_plan) {
            self.starts_over(seen.now, base);
            self.check_schedule(seen.now);
        }
        if !self.is_active {
            self.notes.clear();
        }
        self.scheduled(last);
        self.observe_active(!status.active.is_empty(), seen.now);
    }

    /// The CronJob is seen for the first time: sets which slots are to be decided.
    fn begin(&mut self, created: i64, last: i64, generation: u16, seen: Seen) {
        let Some(plan) = self.plan.clone() else { return };
        let base = if last > 0 { last } else { created };
        let reported = seen.mark.map_or(0, |mark| mark.slot);
        let is_invalid = plan.problem(seen.now).is_some();
        let known = if is_invalid { plan.fingerprint() } else { generation };
        let is_same = known > 0 && seen.mark.is_some_and(|mark| mark.generation == known);
        let from = if is_same {
            reported.max(created)
        } else if generation == 1 {
            created.max(last).max(reported)
        } else {
            // The CronJob may have been suspended before, or have had another schedule.
            seen.now.max(created).max(reported)
        };
        self.cursor = plan.aligned(from, base);
        self.notes.forget(self.cursor);
        self.allowance = Allowance::known_from(created, seen.now);
        self.check_schedule(seen.now);
        if is_invalid && is_same {
            self.cursor = self.invalid_since;
        }
    }

    /// Reports once that the schedule has no slots.
    fn check_schedule(&mut self, now: i64) {
        if self.plan.as_ref().is_some_and(|plan| plan.problem(now).is_some()) {
            self.invalid_since = now.max(self.cursor + 1);
        }
    }

    /// `status.active` has an entry, or has none.
    fn observe_active(&mut self, is_active: bool, now: i64) {
        let (from, until) = self.running;
        match is_active {
            true if until != NEVER => {
                self.ran = self.running;
                self.running = (self.last_scheduled, NEVER);
            }
            false if until == NEVER => self.running = (from, now),
            _ => {}
        }
    }

    /// An Event of the CronJob controller.
    pub(crate) fn event(&mut self, event: &model::Event, listed: bool) {
        let series = event.series.as_ref().and_then(|series| series.last_observed_time);
        let first = event.first_timestamp.or(event.event_time);
        let last = series.or(event.last_timestamp).or(first);
        let created = event.metadata.creation_timestamp;
        let (first, last) = (second(first.or(created)), second(last.or(created)));
        let count = if listed { event.count.max(1) } else { 1 };
        self.allowance.wrote(last, count.into());
        match &*event.reason {
            "JobAlreadyActive" => {
                self.note_at(first, Note::Forbidden);
                self.note_at(last, Note::Forbidden);
                self.forbidding = joined(self.forbidding, first, last);
            }
            "FailedCreate" | "FailedGet" => {
                self.note_at(last, Note::CreationFailed);
                self.failing = joined(self.failing, first, last);
                self.message = Some(shorten(&event.message, MESSAGE).into());
            }
            "MissSchedule" => {
                if let Some(slot) = missed_slot(&event.message) {
                    self.note(slot, Note::DeadlinePassed);
                }
            }
            "TooManyMissedTimes" => self.too_many = self.too_many.max(last),
            "UnparseableSchedule" | "InvalidSchedule" | "UnknownTimeZone" => self.invalid_event(event, first, last),
            _ => {}
        }
    }

    /// The controller says that it cannot evaluate the schedule.
    fn invalid_event(&mut self, event: &model::Event, first: i64, last: i64) {
        let is_known = self.invalid_since > 0;
        if !is_known && (self.plan.is_none() || last <= self.cursor.max(self.last_scheduled)) {
            return;
        }
        self.message = Some(shorten(&event.message, MESSAGE).into());
        if !is_known {
            self.invalid_since = if first > self.cursor { first } else { last };
        }
    }
}

/// The times of an Event and of the ones before it, if they overlap; else those of the later one.
fn joined(known: (i64, i64), first: i64, last: i64) -> (i64, i64) {
    match known {
        (from, until) if first <= until && from <= last => (from.min(first), until.max(last)),
        (_, until) if last > until => (first, last),
        known => known,
    }
}

/// `Missed scheduled time to start a job: Sat, 28 Nov 2026 12:17:00 +0000`: the slot.
fn missed_slot(message: &str) -> Option<i64> {
    let (_, time) = message.split_once("Missed scheduled time to start a job: ")?;
    let time = rfc2822::DateTimeParser::new().parse_timestamp(time.trim()).ok()?;
    Some(time.as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_slot_of_a_missed_deadline() {
        let message = "Missed scheduled time to start a job: Sat, 28 Nov 2026 12:17:00 +0000";
        let slot: Timestamp = "2026-11-28T12:17:00Z".parse().unwrap();
        assert_eq!(missed_slot(message), Some(slot.as_second()));
        assert_eq!(missed_slot("Missed scheduled time to start a job: now"), None);
    }
}
