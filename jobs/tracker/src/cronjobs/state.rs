//! The state of each CronJob for gauges and for `explain`.

use jiff::Timestamp;
use job_event::evidence::Job;

use crate::Tracker;

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
}

impl Tracker {
    /// The state of every CronJob at `now`, in the order of their namespaces and names.
    pub fn cronjob_states(&self, now: Timestamp) -> Vec<CronJobState> {
        let _ = now;
        Vec::new()
    }
}
