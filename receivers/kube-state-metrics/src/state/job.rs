//! The state and the series of a Job.

use super::encode::Points;
use super::families::*;
use job_watch::model;

/// The reasons that every failed Job has a series for. `Evicted` is a reason of Pods, never of Jobs, but queries may
/// name it.
const REASONS: [&str; 3] = ["BackoffLimitExceeded", "DeadlineExceeded", "Evicted"];

/// `status` of a condition.
#[derive(Clone, Copy, Debug, PartialEq)]
enum JobCondition {
    True,
    False,
    Unknown,
}

/// The state of a Job. Times are seconds since 1970.
#[derive(Debug, PartialEq)]
pub(super) struct JobState {
    created: Option<i64>,
    owners: Box<[OwnerLabels]>,
    parallelism: Option<i32>,
    completions: Option<i32>,
    deadline: Option<i64>,
    active: i32,
    ready: i32,
    succeeded: i32,
    failed: i32,
    start: Option<i64>,
    completion: Option<i64>,
    is_complete: Option<JobCondition>,
    has_failed: Option<JobCondition>,
    is_suspended: Option<JobCondition>,
    reason: Box<str>,
}

#[derive(Debug, PartialEq)]
struct OwnerLabels {
    kind: Box<str>,
    name: Box<str>,
    is_controller: bool,
}

impl JobState {
    pub(super) fn of(job: &model::Job) -> Self {
        let model::Job { metadata, spec, status } = job;
        let condition = |kind: &str| status.conditions.iter().find(|condition| &*condition.kind == kind);
        let status_of = |kind: &str| condition(kind).map(JobCondition::of);
        let failed = condition("Failed");
        JobState {
            created: metadata.creation_timestamp.map(|time| time.as_second()),
            owners: metadata.owner_references.iter().map(OwnerLabels::of).collect(),
            parallelism: spec.parallelism,
            completions: spec.completions,
            deadline: spec.active_deadline_seconds,
            active: status.active,
            ready: status.ready,
            succeeded: status.succeeded,
            failed: status.failed,
            start: status.start_time.map(|time| time.as_second()),
            completion: status.completion_time.map(|time| time.as_second()),
            is_complete: status_of("Complete"),
            has_failed: status_of("Failed"),
            is_suspended: status_of("Suspended"),
            reason: failed
                .filter(|failed| failed.is_true())
                .map(|failed| failed.reason.as_str().into())
                .unwrap_or_default(),
        }
    }

    pub(super) fn points(&self, points: &mut Points) {
        points.add(JOB_INFO, &[], 1);
        points.known(JOB_CREATED, self.created);
        for owner in &self.owners {
            let labels = [
                ("owner_kind", &*owner.kind),
                ("owner_name", &*owner.name),
                (
                    "owner_is_controller",
                    if owner.is_controller { "true" } else { "false" },
                ),
            ];
            points.add(JOB_OWNER, &labels, 1);
        }
        if self.owners.is_empty() {
            let labels = [("owner_kind", ""), ("owner_name", ""), ("owner_is_controller", "")];
            points.add(JOB_OWNER, &labels, 1);
        }
        points.known(JOB_PARALLELISM, self.parallelism.map(i64::from));
        points.known(JOB_COMPLETIONS, self.completions.map(i64::from));
        points.known(JOB_DEADLINE, self.deadline);
        points.add(JOB_ACTIVE, &[], self.active.into());
        points.add(JOB_READY, &[], self.ready.into());
        points.add(JOB_SUCCEEDED, &[], self.succeeded.into());
        self.failures(points);
        points.known(
            JOB_SUSPENDED,
            self.is_suspended.map(|it| i64::from(it == JobCondition::True)),
        );
        points.known(JOB_START, self.start);
        points.known(JOB_COMPLETION, self.completion);
        for (family, status) in [(JOB_COMPLETE, self.is_complete), (JOB_FAILED, self.has_failed)] {
            let Some(status) = status else { continue };
            for (name, condition) in JobCondition::ALL {
                points.add(family, &[("condition", name)], i64::from(status == condition));
            }
        }
    }

    /// A Job that has failed has a series for its reason, whatever it is and however many Pods have failed.
    fn failures(&self, points: &mut Points) {
        if self.has_failed != Some(JobCondition::True) {
            return points.add(JOB_STATUS_FAILED, &[], self.failed.into());
        }
        let own = REASONS
            .iter()
            .all(|reason| **reason != *self.reason)
            .then_some(&*self.reason);
        for reason in REASONS.into_iter().chain(own) {
            points.add(
                JOB_STATUS_FAILED,
                &[("reason", reason)],
                i64::from(*reason == *self.reason),
            );
        }
    }
}

impl JobCondition {
    const ALL: [(&'static str, JobCondition); 3] = [
        ("true", JobCondition::True),
        ("false", JobCondition::False),
        ("unknown", JobCondition::Unknown),
    ];

    fn of(condition: &model::Condition) -> Self {
        match &*condition.status {
            "True" => JobCondition::True,
            "False" => JobCondition::False,
            _ => JobCondition::Unknown,
        }
    }
}

impl OwnerLabels {
    fn of(owner: &model::Owner) -> Self {
        OwnerLabels {
            kind: owner.kind.as_str().into(),
            name: owner.name.as_str().into(),
            is_controller: owner.controller,
        }
    }
}
