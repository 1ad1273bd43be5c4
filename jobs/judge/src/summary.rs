//! The sentence for the person on call: how the Job ended, with the numbers that matter, and why.

use std::fmt::Display;

use job_event::Outcome;
use job_event::span::span;

use crate::advice::Advice;
use crate::attempts::{AttemptOutcome, PodAttempt};
use crate::case::Case;
use crate::cause::Cause;
use crate::clause;
use crate::finding::Finding;
use crate::quote::one_line;
use crate::rules::policy;

/// The most characters of a summary. Names that the API server accepts stay far below it.
pub(crate) const MAX_SUMMARY: usize = 2000;

/// One or two sentences about the end of the Job, on one line. `attempts` in the order of their ends.
pub(crate) fn summary(
    case: &Case<'_>,
    outcome: Outcome,
    finding: Option<&Finding<'_>>,
    attempts: &[PodAttempt<'_>],
) -> String {
    let text = match (outcome, finding) {
        (Outcome::Succeeded, _) => completed(case, attempts),
        (Outcome::Failed, Some(finding)) => failed(case, finding, attempts),
        (Outcome::Failed, None) => "Failed.".into(),
        (Outcome::Deleted, _) => format!("Deleted{}, before it finished.", after(case)),
        (Outcome::Replaced, _) => match &case.job().cronjob {
            Some(cronjob) => format!(
                "Deleted{} to start the next run of CronJob {} (concurrencyPolicy: Replace).",
                after(case),
                cronjob.name
            ),
            None => format!("Deleted{} to start the next run.", after(case)),
        },
        (Outcome::Running, _) => "Not finished yet.".into(),
        (Outcome::Suspended, _) => "Suspended.".into(),
        (Outcome::Unmanaged, _) => format!(
            "Managed by another controller{}, which has not reported a result yet.",
            setting("managedBy", case.job().spec.managed_by.as_deref())
        ),
    };
    // The API server accepts only harmless names, but a recording may hold any.
    one_line(&text, MAX_SUMMARY)
}

/// The cause of a finding as a clause, without a full stop.
pub(crate) fn why(finding: &Finding<'_>) -> String {
    clause(finding, Advice::of(finding).clause, false)
}

/// The same for a Job that has not finished.
pub(crate) fn why_unfinished(finding: &Finding<'_>) -> String {
    let since = finding.container.and_then(|container| container.running_since);
    let clause_now = match (finding.cause, since) {
        (Cause::SidecarBlockedCompletion, _) => "{work} finished, but {container} keeps the Pod running",
        (Cause::RanTooLong, Some(since)) => &format!("{{container}} has been running since {since}"),
        (Cause::RanTooLong, None) => "{container} is still running",
        (Cause::SlowStart, _) => "{container} has not started, and no error was reported",
        (Cause::Unknown, _) if finding.container.is_some() => "{container} waits{message}",
        (Cause::QuotaExceeded, _) => "a quota prevents the creation of Pods{message}",
        (Cause::SchedulingGated, _) => "{pod} is blocked by a scheduling gate",
        (Cause::StuckTerminating, _) => "{pod} is being deleted and does not terminate{message}",
        (Cause::NodeLost, _) if is_out(finding) => "{pod} is on {node}, which has not been ready since {since}",
        _ => Advice::of(finding).clause,
    };
    clause(finding, clause_now, true)
}

/// True if the node of the Pod as a whole is not ready.
fn is_out(finding: &Finding<'_>) -> bool {
    let outage = finding.pod.and_then(|pod| pod.node_outage);
    finding.container.is_none() && outage.is_some_and(|outage| !outage.over)
}

fn clause(finding: &Finding<'_>, clause: &str, unfinished: bool) -> String {
    let mut text = clause::fill(clause, finding);
    if !clause.contains("{work}") {
        text.push_str(&clause::beside(finding, unfinished));
    }
    text
}

/// ` after 10 s`, or nothing if the Job never started.
fn after(case: &Case<'_>) -> String {
    match case.duration() {
        Some(duration) => format!(" after {}", span(duration.as_secs_f64())),
        None => String::new(),
    }
}

/// ` (backoffLimit: 6)`, or nothing without a value.
pub(crate) fn setting(name: &str, value: Option<impl Display>) -> String {
    match value {
        Some(value) => format!(" ({name}: {value})"),
        None => String::new(),
    }
}

/// `1 failed attempt`, `2 failed attempts`.
fn failed_attempts(count: usize) -> String {
    match count {
        1 => "1 failed attempt".to_owned(),
        count => format!("{count} failed attempts"),
    }
}

fn completed(case: &Case<'_>, attempts: &[PodAttempt<'_>]) -> String {
    let after = after(case);
    let mut failures = attempts.iter().rev().filter_map(|attempt| attempt.finding.as_ref());
    let Some(last) = failures.next() else {
        return format!("Completed{after}.");
    };
    let count = 1 + failures.count();
    let because = if count == 1 { ":" } else { ", the last because" };
    let attempts = failed_attempts(count);
    format!("Completed{after}; succeeded after {attempts}{because} {}.", why(last))
}

fn failed(case: &Case<'_>, finding: &Finding<'_>, attempts: &[PodAttempt<'_>]) -> String {
    let lead = lead(case, failures(case, finding, attempts));
    let mut text = format!("{lead}: {}.", why(finding));
    let index = finding.pod.and_then(|pod| pod.index.as_deref());
    if let ("BackoffLimitExceeded" | "DeadlineExceeded", Some(index)) = (case.reason(), index) {
        text.push_str(&format!(" Completion index: {}.", one_line(index, 20)));
    }
    if !case.evidence.gaps.is_empty() {
        text.push_str(" Some evidence is missing.");
    }
    text
}

/// How many attempts failed, without the Pod that was being deleted at the deadline: that one is the cause, not an attempt
/// before it.
fn failures(case: &Case<'_>, finding: &Finding<'_>, attempts: &[PodAttempt<'_>]) -> usize {
    let is_cause = |attempt: &PodAttempt<'_>| {
        finding.pod.is_some_and(|pod| pod.uid == attempt.pod.uid)
            && matches!(finding.cause, Cause::StuckTerminating | Cause::NodeLost)
            && case.reason() == "DeadlineExceeded"
    };
    let failed = attempts
        .iter()
        .filter(|attempt| attempt.outcome == AttemptOutcome::Failed);
    failed.filter(|attempt| !is_cause(attempt)).count()
}

/// The beginning of the sentence about a failed Job, up to the colon before the cause.
fn lead(case: &Case<'_>, failures: usize) -> String {
    let job = case.job();
    let spec = &job.spec;
    match case.reason() {
        "DeadlineExceeded" => {
            let attempts = match failures {
                0 => String::new(),
                count => format!(" and {}", failed_attempts(count)),
            };
            let limit = setting("activeDeadlineSeconds", spec.active_deadline_seconds);
            format!("Timed out{}{limit}{attempts}", after(case))
        }
        "BackoffLimitExceeded" => {
            let limit = match spec.backoff_limit_per_index {
                Some(limit) => setting("backoffLimitPerIndex", Some(limit)),
                None => setting("backoffLimit", spec.backoff_limit),
            };
            match failures {
                0 => format!("Reached its backoff limit{limit}"),
                1 => format!("Failed after 1 attempt{limit}"),
                count => format!("Failed after {count} attempts{limit}"),
            }
        }
        "PodFailurePolicy" => match job.verdict().and_then(|verdict| policy::rule(&verdict.message)) {
            Some(rule) => format!("Failed by rule {rule} of its podFailurePolicy"),
            None => "Failed by its podFailurePolicy".to_owned(),
        },
        "FailedIndexes" => format!(
            "{} failed{}",
            failed_indexes(case),
            setting("completions", spec.completions)
        ),
        "MaxFailedIndexesExceeded" => format!(
            "{} failed, more than allowed{}",
            failed_indexes(case),
            setting("maxFailedIndexes", spec.max_failed_indexes)
        ),
        "" => "Failed without a reason".to_owned(),
        other => format!("Failed with reason {}", one_line(other, 100)),
    }
}

/// `Index 1`, `Indexes 1,3-5`.
fn failed_indexes(case: &Case<'_>) -> String {
    let list = one_line(case.job().status.failed_indexes.as_deref().unwrap_or_default(), 60);
    match &*list {
        "" => "Indexes".to_owned(),
        list if list.contains([',', '-']) => format!("Indexes {list}"),
        list => format!("Index {list}"),
    }
}
