//! The outcome of a Job, read from its conditions.
//!
//! Source: `pkg/controller/job/job_controller.go` of Kubernetes: since 1.31 every Job that fails first gets the
//! condition `FailureTarget` and every one that completes `SuccessCriteriaMet`; `Failed` and `Complete` follow once
//! its Pods are gone, up to a grace period later or never. The first of them is the verdict.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::evidence::{Condition, Job};

/// The state of a Job: how it ended, or why it has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Outcome {
    /// It completed.
    Succeeded,
    /// Its controller decided that it failed.
    Failed,
    /// It was deleted before it was decided.
    Deleted,
    /// It was deleted to make room for the next run of its CronJob (`concurrencyPolicy: Replace`).
    Replaced,
    /// It has not ended.
    Running,
    /// It is suspended.
    Suspended,
    /// Another controller runs it (`managedBy`) and has not written a condition yet.
    Unmanaged,
}

impl Outcome {
    /// The name in events and on points.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Succeeded => "Succeeded",
            Outcome::Failed => "Failed",
            Outcome::Deleted => "Deleted",
            Outcome::Replaced => "Replaced",
            Outcome::Running => "Running",
            Outcome::Suspended => "Suspended",
            Outcome::Unmanaged => "Unmanaged",
        }
    }

    /// The outcome of that name.
    pub fn from_name(name: &str) -> Option<Outcome> {
        [
            Outcome::Succeeded,
            Outcome::Failed,
            Outcome::Deleted,
            Outcome::Replaced,
            Outcome::Running,
            Outcome::Suspended,
            Outcome::Unmanaged,
        ]
        .into_iter()
        .find(|outcome| outcome.as_str() == name)
    }

    /// True if the Job has ended, so that it is reported.
    pub fn is_final(self) -> bool {
        matches!(
            self,
            Outcome::Succeeded | Outcome::Failed | Outcome::Deleted | Outcome::Replaced
        )
    }
}

/// The outcome that a Job's conditions decide: it completed or failed; `None` if neither.
pub fn decided(conditions: &[Condition]) -> Option<Outcome> {
    verdict(conditions).map(|condition| match &*condition.kind {
        "SuccessCriteriaMet" | "Complete" => Outcome::Succeeded,
        _ => Outcome::Failed,
    })
}

/// True if a condition of this type says that the last Pod of a decided Job is gone.
pub fn is_finished(kind: &str) -> bool {
    matches!(kind, "Failed" | "Complete")
}

/// The condition that decides the Job; see [`Job::verdict`].
pub fn verdict(conditions: &[Condition]) -> Option<&Condition> {
    ["SuccessCriteriaMet", "Complete", "FailureTarget", "Failed"]
        .iter()
        .find_map(|kind| conditions.iter().find(|c| c.is_true && &*c.kind == *kind))
}

impl Job {
    /// The condition that decides the Job: success first (a Job whose success criteria are met can no longer
    /// fail), then `FailureTarget`, then `Failed` of clusters and managers that write only that.
    pub fn verdict(&self) -> Option<&Condition> {
        verdict(&self.status.conditions)
    }

    /// The outcome by conditions, then by deletion; else the reason why the Job has not ended.
    pub fn outcome(&self) -> Outcome {
        if let Some(outcome) = decided(&self.status.conditions) {
            return outcome;
        }
        match &self.removed {
            Some(removal) if removal.replaced => return Outcome::Replaced,
            Some(_) => return Outcome::Deleted,
            None => {}
        }
        if self.spec.managed_by.is_some() && self.status.conditions.is_empty() {
            return Outcome::Unmanaged;
        }
        let suspended = self
            .status
            .conditions
            .iter()
            .any(|c| c.is_true && &*c.kind == "Suspended");
        if suspended || self.spec.suspend {
            Outcome::Suspended
        } else {
            Outcome::Running
        }
    }

    /// The reason of the verdict, verbatim; `None` if the verdict or its reason is missing.
    pub fn reason(&self) -> Option<&str> {
        self.verdict().map(|c| &*c.reason).filter(|reason| !reason.is_empty())
    }

    /// The time of the verdict: its transition, or the deletion of the Job.
    pub fn decided_at(&self) -> Option<Timestamp> {
        match self.verdict() {
            Some(verdict) => verdict.since,
            None => self.removed.as_ref().map(|removal| removal.at),
        }
    }
}
