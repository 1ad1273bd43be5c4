//! How long a stall lasts before it is reported.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use job_judge::Cause;

/// When stalled Jobs are reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StallSettings {
    /// False if no stall is reported.
    pub enabled: bool,
    /// How long a Job makes no progress before it is reported, unless its cause has its own value.
    pub after: SignedDuration,
    /// The same for single causes; `None` if a cause is not reported.
    pub causes: BTreeMap<Cause, Option<SignedDuration>>,
    /// When a run is longer than usual; `None` if that is not reported.
    pub running_long: Option<RunningLongSettings>,
}

/// When a run is longer than usual: longer than `max(factor × p95, p95 + floor)` of the completed runs of its owner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RunningLongSettings {
    /// How many completed runs must be known.
    pub min_runs: usize,
    /// The multiple of p95.
    pub factor: f64,
    /// The minimum difference from p95.
    pub floor: SignedDuration,
}

impl Eq for RunningLongSettings {}

impl Default for RunningLongSettings {
    fn default() -> Self {
        RunningLongSettings {
            min_runs: 10,
            factor: 3.0,
            floor: SignedDuration::from_mins(10),
        }
    }
}

impl Default for StallSettings {
    fn default() -> Self {
        StallSettings {
            enabled: true,
            after: SignedDuration::from_mins(2),
            causes: BTreeMap::from([
                // Autoscalers take minutes to add a node.
                (Cause::Unschedulable, Some(SignedDuration::from_mins(10))),
                (Cause::DeviceUnavailable, Some(SignedDuration::from_mins(10))),
                // Gates and queues delay Jobs on purpose.
                (Cause::SchedulingGated, None),
                (Cause::AwaitingAdmission, None),
            ]),
            running_long: Some(RunningLongSettings::default()),
        }
    }
}

impl StallSettings {
    /// Reports every stall after the same time, including causes with a default of their own. A Job that waits for its admission is
    /// not reported.
    pub fn all_after(after: SignedDuration) -> Self {
        StallSettings {
            after,
            causes: BTreeMap::from([(Cause::AwaitingAdmission, None)]),
            ..StallSettings::default()
        }
    }

    /// How long a stall with this cause lasts before it is reported; `None` if it is not reported.
    pub fn after(&self, cause: Cause) -> Option<SignedDuration> {
        self.causes.get(&cause).copied().unwrap_or(Some(self.after))
    }

    /// The same for a Job with an annotation, which applies to every cause except `RunningLong`: a run that is longer than usual is
    /// reported at once, because its limit is long enough.
    pub(super) fn after_for(&self, cause: Cause, annotated: Option<Option<SignedDuration>>) -> Option<SignedDuration> {
        match annotated {
            Some(None) => None,
            _ if cause == Cause::RunningLong => self.causes.get(&cause).copied().unwrap_or(Some(SignedDuration::ZERO)),
            Some(after) => after,
            None => self.after(cause),
        }
    }
}
