//! The state of each CronJob for gauges and for `explain`.

use jiff::Timestamp;
use job_event::Outcome;
use job_event::evidence::Job;

use crate::checkpoint::CronJobMark;
use crate::{Extracted, Tracker};

/// The state of one CronJob.
#[derive(Clone, Debug, PartialEq)]
pub struct CronJobState {
    /// The CronJob, as the owner of a Job without a name.
    pub cronjob: Job,
    /// When a run last succeeded; `None` if none is known.
    pub last_success: Option<Timestamp>,
    /// How many runs failed since.
    pub consecutive_failures: u32,
    /// The next slot; `None` if it is suspended or its schedule is invalid.
    pub next_schedule: Option<Timestamp>,
    /// `spec.suspend`.
    pub is_suspended: bool,
    /// The labels and annotations that rules select of it and its namespace.
    pub extracted: Extracted,
}

impl CronJobMark {
    /// A run succeeded at `at`, seconds since 1970.
    pub(crate) fn succeeded(&mut self, at: i64) {
        self.last_success = self.last_success.max(at);
        if self.last_success >= self.last_failure {
            (self.failures, self.last_failure) = (0, 0);
        }
    }

    /// A run ended at `at`, seconds since 1970. Runs are counted in the order of their ends, so that one that is listed again
    /// after a restart does not count twice.
    pub(crate) fn ended(&mut self, outcome: Outcome, at: i64) {
        match outcome {
            Outcome::Succeeded => self.succeeded(at),
            Outcome::Failed if at > self.last_failure.max(self.last_success) => {
                self.last_failure = at;
                self.failures = self.failures.saturating_add(1);
            }
            _ => {}
        }
    }
}

impl Tracker {
    /// The state of every CronJob at `now`, in the order of their namespaces and names.
    pub fn cronjob_states(&self, now: Timestamp) -> Vec<CronJobState> {
        let mut states: Vec<(&str, CronJobState)> = Vec::new();
        for (uid, record) in self.cronjobs.existing_records() {
            let Some(slots) = &record.slots else { continue };
            let mark = self.outbox.checkpoint().marks.cronjobs.get(&uid.short());
            let mark = mark.copied().unwrap_or_default();
            let next = slots.plan.as_ref().and_then(|plan| plan.next(now.as_second()));
            let success = Some(mark.last_success).filter(|at| *at > 0);
            let state = CronJobState {
                cronjob: record.as_owner(),
                last_success: success.and_then(|at| Timestamp::from_second(at).ok()),
                consecutive_failures: mark.failures,
                next_schedule: next
                    .filter(|_| !slots.is_suspended && slots.invalid_since == 0)
                    .and_then(|at| Timestamp::from_second(at).ok()),
                is_suspended: slots.is_suspended,
                extracted: self.extracted_of_cronjob(uid, super::split(&record.name).0),
            };
            states.push((&record.name, state));
        }
        states.sort_by_key(|(name, _)| *name);
        states.into_iter().map(|(_, state)| state).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_failures_since_the_last_success() {
        let mut mark = CronJobMark::default();
        for (outcome, at, failures) in [
            (Outcome::Failed, 10, 1),
            (Outcome::Failed, 20, 2),
            // Listed again after a restart.
            (Outcome::Failed, 20, 2),
            (Outcome::Failed, 10, 2),
            (Outcome::Succeeded, 30, 0),
            (Outcome::Failed, 25, 0),
            (Outcome::Failed, 40, 1),
            // A success that was seen late.
            (Outcome::Succeeded, 35, 1),
        ] {
            mark.ended(outcome, at);
            assert_eq!(mark.failures, failures, "{outcome:?} at {at}");
        }
        mark.succeeded(50);
        assert_eq!((mark.failures, mark.last_success), (0, 50));
    }
}
