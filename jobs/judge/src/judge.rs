//! The judgement: a pure function of the evidence.

use std::collections::BTreeMap;

use jiff::Timestamp;
use job_event::evidence::{ContainerRole, Evidence};
use job_event::outcome::Outcome;
use serde::{Deserialize, Serialize};

use crate::advice::Advice;
use crate::attempts::{self, AttemptOutcome, PodAttempt};
use crate::case::Case;
use crate::category::{Category, Retry};
use crate::cause::Cause;
use crate::rules::{exit, policy, verdict};
use crate::stall::Stall;
use crate::summary;

/// The most attempts that a judgement lists, the latest ones; [`Judgement::attempt_failures`] counts all of them.
const MAX_ATTEMPTS: usize = 100;

/// The completeness of the evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quality {
    /// Nothing is known to be missing.
    Complete,
    /// Something is missing: the cause may be broader than it could be.
    Partial,
    /// The Pod was never seen: the cause is proven by Events alone.
    Events,
}

impl Quality {
    /// The name in events.
    pub fn as_str(self) -> &'static str {
        match self {
            Quality::Complete => "complete",
            Quality::Partial => "partial",
            Quality::Events => "events",
        }
    }
}

/// The outcome of a Job, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// How the Job ended.
    pub outcome: Outcome,
    /// The verdict condition's reason, verbatim; `None` if there is none or it gives none.
    pub reason: Option<String>,
    /// The verdict condition's message, verbatim.
    pub message: Option<String>,
    /// The cause, if the Job failed.
    pub cause: Option<Cause>,
    /// The kind of the cause.
    pub category: Option<Category>,
    /// The effect of running the Job again without a change.
    pub retry: Option<Retry>,
    /// One or two sentences for a person.
    pub summary: String,
    /// The next step, if the Job failed.
    pub next_step: Option<String>,
    /// The attempts that ended, oldest first, at most the latest [`MAX_ATTEMPTS`].
    pub attempts: Vec<JudgedAttempt>,
    /// How many attempts failed, by cause; all of them.
    pub attempt_failures: BTreeMap<Cause, u64>,
    /// The index of the rule of `spec.podFailurePolicy` that failed the Job, if one did.
    pub failure_policy_rule: Option<u32>,
    /// `status.failedIndexes`, as written.
    pub failed_indexes: Option<String>,
    /// Why an unfinished Job makes no progress ([`crate::judge_at`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stall: Option<Stall>,
    /// The completeness of the evidence.
    pub quality: Quality,
}

/// One attempt that ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JudgedAttempt {
    /// The Pod's name.
    pub pod: String,
    /// The Pod's UID.
    pub uid: String,
    /// The container to blame, else the work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// The role of that container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<ContainerRole>,
    /// The container's exit code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The signal that ended the container, from the runtime or from the exit code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// How the attempt ended.
    pub outcome: AttemptOutcome,
    /// The cause, if the attempt failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// The start of the attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Timestamp>,
    /// The end of the attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<Timestamp>,
    /// The completion index of an Indexed Job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<String>,
    /// The Pod's node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
}

impl JudgedAttempt {
    fn of(attempt: &PodAttempt<'_>) -> JudgedAttempt {
        let exit_code = attempt
            .finding
            .and_then(|finding| finding.exit_code)
            .or(attempt.termination.filter(|end| end.ran).map(|end| end.exit_code));
        JudgedAttempt {
            pod: attempt.pod.name.to_string(),
            uid: attempt.pod.uid.to_string(),
            container: attempt.container.map(|container| container.name.to_string()),
            role: attempt.container.map(|container| container.role),
            exit_code,
            signal: attempt
                .termination
                .and_then(|end| end.signal.filter(|signal| *signal != 0))
                .or_else(|| exit_code.and_then(exit::signal_of)),
            outcome: attempt.outcome,
            cause: attempt.cause(),
            start: attempt.start,
            end: attempt.end,
            index: attempt.pod.index.as_deref().map(str::to_owned),
            node: attempt.pod.node.as_deref().map(str::to_owned),
        }
    }
}

/// Judges a Job by its evidence. Pure: the same evidence gives the same judgement.
pub fn judge(evidence: &Evidence) -> Judgement {
    let case = Case::new(evidence);
    let job = &evidence.job;
    let outcome = job.outcome();
    let attempts = attempts::attempts(&case);
    let finding = (outcome == Outcome::Failed).then(|| verdict::verdict(&case, &attempts));
    let advice = finding.as_ref().map(Advice::of);
    let mut attempt_failures = BTreeMap::new();
    for cause in attempts.iter().filter_map(PodAttempt::cause) {
        *attempt_failures.entry(cause).or_insert(0) += 1;
    }
    let first_listed = attempts.len().saturating_sub(MAX_ATTEMPTS);
    Judgement {
        outcome,
        reason: job.reason().map(str::to_owned),
        message: job
            .verdict()
            .map(|verdict| verdict.message.to_string())
            .filter(|message| !message.is_empty()),
        cause: finding.map(|finding| finding.cause),
        category: finding.map(|finding| finding.cause.category()),
        retry: advice.map(|advice| advice.retry),
        summary: summary::summary(&case, outcome, finding.as_ref(), &attempts),
        next_step: advice.map(|advice| advice.next_step.to_owned()),
        failure_policy_rule: (outcome == Outcome::Failed && case.reason() == "PodFailurePolicy")
            .then(|| policy::rule(&job.verdict()?.message))
            .flatten(),
        attempts: attempts.iter().skip(first_listed).map(JudgedAttempt::of).collect(),
        attempt_failures,
        failed_indexes: job.status.failed_indexes.as_deref().map(str::to_owned),
        stall: None,
        quality: match finding.and_then(|finding| finding.pod.filter(|_| finding.cause != Cause::Unknown)) {
            Some(pod) if pod.from_events => Quality::Events,
            _ if evidence.gaps.is_empty() && !evidence.pods.iter().any(|pod| pod.from_events) => Quality::Complete,
            _ => Quality::Partial,
        },
    }
}
