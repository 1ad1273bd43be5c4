//! The fate of one slot: whether its run started, or why it was missed. Times are seconds since 1970.

use job_event::notice::MissReason;

use super::notes::Note;
use super::slots::{Proof, Slots};

/// The longest time after a slot at which an Event about a failed creation still concerns that slot, seconds.
const FAILING: i64 = 3600;

/// The decision about one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Started,
    /// Nothing can be proven.
    Uncertain,
    Missed(MissReason),
}

impl Slots {
    /// Decides a slot whose grace period is over.
    pub(super) fn fate(&self, slot: i64, proof: Proof, grace: i64) -> Fate {
        match self.notes.start(slot) {
            Some(Note::Started(late)) if i64::from(late) > self.grace(grace) => {}
            Some(_) => return Fate::Started,
            None if slot == self.last_scheduled => return Fate::Started,
            None => {
                let is_observed = slot >= proof.since && slot > self.known_from;
                if !is_observed && slot <= self.last_scheduled {
                    return Fate::Uncertain;
                }
            }
        }
        Fate::Missed(self.reason(slot, proof, grace))
    }

    fn reason(&self, slot: i64, proof: Proof, grace: i64) -> MissReason {
        let ends = slot + self.grace(grace);
        let overlaps = |(from, until): (i64, i64)| from > 0 && from < slot && until >= ends;
        let is_within = |(first, last): (i64, i64)| first <= ends && slot <= last;
        if self.notes.has(slot, Note::Forbidden) {
            MissReason::ConcurrencyForbidden
        } else if self.notes.has(slot, Note::CreationFailed) || is_within(self.failing) {
            MissReason::Unknown
        } else if self.forbids && (overlaps(self.running) || overlaps(self.ran)) {
            MissReason::ConcurrencyForbidden
        } else if is_within(self.forbidding) {
            MissReason::Unknown
        } else if self.notes.has(slot, Note::DeadlinePassed) || self.deadline <= grace {
            MissReason::StartingDeadlineExceeded
        } else if !self.events_are_complete(proof, slot, ends) {
            MissReason::Unknown
        } else if self.too_many >= slot {
            MissReason::TooManyMissedTimes
        } else {
            MissReason::ControllerLate
        }
    }

    /// True if the controller could not create a Job around that slot.
    pub(crate) fn is_failing(&self, slot: i64) -> bool {
        let (first, last) = self.failing;
        first > 0 && first <= slot + FAILING && slot <= last
    }

    /// True if the controller's Events would show an action on that slot: they are observed until `until`, and the controller
    /// dropped none.
    fn events_are_complete(&self, proof: Proof, slot: i64, until: i64) -> bool {
        let are_observed = slot >= proof.events_since && proof.events.is_some_and(|events| events >= until);
        are_observed && self.allowance.at_least_one(slot)
    }
}
