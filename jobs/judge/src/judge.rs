//! The judgement: a pure function of the evidence.

use std::collections::BTreeMap;

use jiff::Timestamp;
use job_event::evidence::{ContainerRole, Evidence};
use job_event::outcome::Outcome;
use serde::{Deserialize, Serialize};

use crate::attempts::{self, AttemptOutcome, PodAttempt};
use crate::cause::{Category, Cause, Retry};
use crate::rules::{exit, policy, retry, verdict};
use crate::summary;
use crate::world::World;

/// The most attempts that a judgement lists, the latest ones; [`Judgement::attempt_failures`] counts all of them.
pub const MAX_ATTEMPTS: usize = 100;

/// Whether anything is known to be missing from the evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quality {
    /// Nothing is.
    Complete,
    /// Something is: the cause may be broader than it could be.
    Partial,
}

impl Quality {
    /// Its name in events.
    pub fn as_str(self) -> &'static str {
        match self {
            Quality::Complete => "complete",
            Quality::Partial => "partial",
        }
    }
}

/// What became of a Job, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// How it ended.
    pub outcome: Outcome,
    /// The verdict condition's reason, verbatim; `None` if there is none or it gives none.
    pub reason: Option<String>,
    /// The verdict condition's message, verbatim.
    pub message: Option<String>,
    /// Why, for a Job that failed.
    pub cause: Option<Cause>,
    /// What kind of cause it is.
    pub category: Option<Category>,
    /// Whether running it again, unchanged, can help.
    pub retry: Option<Retry>,
    /// One or two sentences for a person.
    pub summary: String,
    /// What to do next, for a Job that failed.
    pub next_step: Option<String>,
    /// The attempts that ended, oldest first, at most the latest [`MAX_ATTEMPTS`].
    pub attempts: Vec<Attempt>,
    /// How many attempts failed, by cause; all of them.
    pub attempt_failures: BTreeMap<Cause, u64>,
    /// The index of the rule of `spec.podFailurePolicy` that failed the Job, if one did.
    pub failure_policy_rule: Option<u32>,
    /// `status.failedIndexes`, as written.
    pub failed_indexes: Option<String>,
    /// Whether anything is known to be missing from the evidence.
    pub quality: Quality,
}

/// One attempt that ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// The Pod's name.
    pub pod: String,
    /// The Pod's UID.
    pub uid: String,
    /// The container that tells most of it: the one to blame, else the default one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// What that container is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<ContainerRole>,
    /// Its exit code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The signal that ended it, from the runtime or from the exit code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// How the attempt ended.
    pub outcome: AttemptOutcome,
    /// Why it failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<Timestamp>,
    /// The completion index of an Indexed Job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<String>,
    /// The node it ran on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
}

impl Attempt {
    fn of(attempt: &PodAttempt<'_>) -> Attempt {
        let exit_code = attempt
            .finding
            .and_then(|finding| finding.exit_code)
            .or(attempt.termination.filter(|end| end.ran).map(|end| end.exit_code));
        Attempt {
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
    let world = World::new(evidence);
    let job = &evidence.job;
    let outcome = job.outcome();
    let attempts = attempts::attempts(&world);
    let finding = (outcome == Outcome::Failed).then(|| verdict::verdict(&world, &attempts));
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
        retry: finding.map(|finding| retry::retry(&finding)),
        summary: summary::summary(&world, outcome, finding.as_ref(), &attempts),
        next_step: finding.map(|finding| retry::next_step(&finding).to_owned()),
        failure_policy_rule: (outcome == Outcome::Failed && world.reason() == "PodFailurePolicy")
            .then(|| policy::rule(&job.verdict()?.message))
            .flatten(),
        attempts: attempts.iter().skip(first_listed).map(Attempt::of).collect(),
        attempt_failures,
        failed_indexes: job.status.failed_indexes.as_deref().map(str::to_owned),
        quality: if evidence.gaps.is_empty() {
            Quality::Complete
        } else {
            Quality::Partial
        },
    }
}
