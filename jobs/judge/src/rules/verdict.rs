//! Why the Job failed: the verdict's reason selects the attempts or Pods that matter.
//!
//! Source: `syncJob` in `pkg/controller/job/job_controller.go` of Kubernetes for what each reason means.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use job_event::evidence::{Gap, Pod};

use crate::attempts::{AttemptOutcome, PodAttempt};
use crate::case::{Case, is_terminal};
use crate::cause::Cause;
use crate::finding::Finding;
use crate::rules::policy::{self, PolicyMatch};
use crate::rules::{admission, attempt, blocking, collateral, exit, indexes, state};

/// The cause of a failed Job. `attempts` in the order of their ends.
pub(crate) fn verdict<'a>(case: &Case<'a>, attempts: &[PodAttempt<'a>]) -> Finding<'a> {
    let finding = match case.reason() {
        "DeadlineExceeded" => deadline(case, attempts),
        "PodFailurePolicy" => failure_policy(case).or_else(|| latest(attempts)),
        "FailedIndexes" | "MaxFailedIndexesExceeded" => failed_indexes(case, attempts).or_else(|| latest(attempts)),
        // `BackoffLimitExceeded`, and the reasons of other managers of Jobs.
        _ => latest(attempts),
    };
    finding.unwrap_or_else(|| unknown(case))
}

/// No rule matched. The last error in the Events of a Pod that was never observed may still help a person.
fn unknown<'a>(case: &Case<'a>) -> Finding<'a> {
    let mut latest_first = case.evidence.pods.iter().rev();
    match latest_first.find(|pod| pod.from_events) {
        Some(pod) => blocking::last_words(case, pod),
        None => Finding::of(Cause::Unknown),
    }
}

/// The cause of the latest failed attempt, or of an older one if the latest was only killed: the runtime sometimes reports
/// an out-of-memory kill as a plain one.
pub(crate) fn latest<'a>(attempts: &[PodAttempt<'a>]) -> Option<Finding<'a>> {
    let mut failures = attempts.iter().rev().filter_map(|attempt| attempt.finding);
    let latest = failures.next()?;
    if !matches!(latest.cause, Cause::Unknown | Cause::Killed) {
        return Some(latest);
    }
    let older = failures.find(|finding| !matches!(finding.cause, Cause::Unknown | Cause::Killed));
    Some(older.unwrap_or(latest))
}

/// Evidence: the verdict's message, which names the Pod and the match.
fn failure_policy<'a>(case: &Case<'a>) -> Option<Finding<'a>> {
    let message = &case.job().verdict()?.message;
    let pod = |name: &str| case.evidence.pods.iter().find(|pod| &*pod.name == name);
    let PolicyMatch { pod: name, exit } = policy::parse(message)?;
    Some(match (pod(name), exit) {
        (Some(pod), Some((container, code))) => attempt::named_exit_cause(case, pod, container, code),
        (None, Some((_, code))) => Finding::of(exit::exit_code_cause(code))
            .message(message)
            .exit_code(code),
        (Some(pod), None) => attempt::attempt_cause(case, pod),
        (None, None) => Finding::of(Cause::Unknown).message(message),
    })
}

/// The most frequent cause of the last failures of the failed indexes; on a tie the latest.
/// Evidence: `status.failedIndexes` and the Pods of those indexes.
fn failed_indexes<'a>(case: &Case<'a>, attempts: &[PodAttempt<'a>]) -> Option<Finding<'a>> {
    let failed = indexes::parse(case.job().status.failed_indexes.as_deref()?);
    let mut last_of_index: BTreeMap<&str, (usize, Finding<'a>)> = BTreeMap::new();
    for (place, attempt) in attempts.iter().enumerate() {
        if let (Some(finding), Some(index)) = (attempt.finding, attempt.pod.index.as_deref())
            && indexes::contains(&failed, index)
        {
            last_of_index.insert(index, (place, finding));
        }
    }
    most_frequent(last_of_index.into_values())
}

/// The finding of the most frequent cause with the highest rank; on a tie of causes the one with the higher rank.
fn most_frequent<'a, Rank: Ord + Copy>(findings: impl Iterator<Item = (Rank, Finding<'a>)>) -> Option<Finding<'a>> {
    let mut by_cause: BTreeMap<Cause, (usize, Rank, Finding<'a>)> = BTreeMap::new();
    for (rank, finding) in findings {
        let entry = by_cause.entry(finding.cause).or_insert((0, rank, finding));
        entry.0 += 1;
        if rank > entry.1 {
            (entry.1, entry.2) = (rank, finding);
        }
    }
    let most = by_cause.into_values().max_by_key(|(count, rank, _)| (*count, *rank))?;
    Some(most.2)
}

/// The cause of a Job that had not finished at its `activeDeadlineSeconds`.
fn deadline<'a>(case: &Case<'a>, attempts: &[PodAttempt<'a>]) -> Option<Finding<'a>> {
    if case.evidence.pods.is_empty() {
        return Some(no_pods(case));
    }
    let live: Vec<&'a Pod> = case
        .evidence
        .pods
        .iter()
        .filter(|pod| state::is_live(case, pod))
        .collect();
    let Some(blocker) = most_frequent_blocker(case, &live) else {
        return between_pods(case, attempts);
    };
    if matches!(blocker.cause, Cause::RanTooLong | Cause::SlowStart)
        && let Some(failure) = earlier_failure(case, attempts, &live)
    {
        return Some(failure);
    }
    Some(blocker)
}

/// The most frequent obstacle of the live Pods; on a tie the first in a Pod's life.
fn most_frequent_blocker<'a>(case: &Case<'a>, live: &[&'a Pod]) -> Option<Finding<'a>> {
    most_frequent(live.iter().map(|pod| {
        let (place, finding) = blocking::blocking_rule(case, pod);
        (Reverse(place), finding)
    }))
}

/// The failure that used up the time: it preceded the Pods alive at the deadline, which had less than half of the time for
/// the same work. That is the work of the same index, or, without indexes, work that has not succeeded since.
fn earlier_failure<'a>(case: &Case<'a>, attempts: &[PodAttempt<'a>], live: &[&'a Pod]) -> Option<Finding<'a>> {
    let duration = case.duration()?;
    let old = |pod: &&Pod| state::age(case, pod).is_none_or(|age| age * 2 >= duration);
    if live.iter().any(old) {
        return None;
    }
    let same_work = |attempt: &&PodAttempt<'a>| live.iter().any(|pod| pod.index == attempt.pod.index);
    let mut latest_first = attempts.iter().rev().filter(same_work);
    let unfinished: Vec<PodAttempt<'a>> = latest_first
        .by_ref()
        .take_while(|attempt| attempt.outcome != AttemptOutcome::Succeeded)
        .copied()
        .collect();
    latest(&unfinished.into_iter().rev().collect::<Vec<_>>())
}

/// No Pod was alive at the deadline: all had succeeded but the controller checked too late, or the Job waited to retry
/// after a failure, or could not create new Pods.
fn between_pods<'a>(case: &Case<'a>, attempts: &[PodAttempt<'a>]) -> Option<Finding<'a>> {
    let job = case.job();
    // The status counts a Pod some updates after its end, so the Pods may be newer than the status.
    let seen = attempts
        .iter()
        .filter(|attempt| attempt.outcome == AttemptOutcome::Succeeded);
    let succeeded = i64::from(job.status.succeeded).max(i64::try_from(seen.count()).unwrap_or(i64::MAX));
    if job
        .spec
        .completions
        .is_some_and(|wanted| wanted > 0 && succeeded >= i64::from(wanted))
    {
        return Some(Finding::of(Cause::RanTooLong));
    }
    if missed_a_pod(case) {
        return None;
    }
    latest(attempts)
        .or_else(|| admission::failed_create(case))
        .or_else(|| (succeeded > 0).then(|| Finding::of(Cause::RanTooLong)))
}

/// True if the Job had a Pod that was never seen, which may have been alive at the deadline. Evidence: the Job
/// controller's Event `SuccessfulDelete` names another Pod, or, if the watch missed something, its status counts more.
fn missed_a_pod(case: &Case<'_>) -> bool {
    let pods = &case.evidence.pods;
    let events = case.events(&case.evidence.job.uid);
    let mut deleted = events
        .filter(|event| &*event.reason == "SuccessfulDelete")
        .filter_map(|event| collateral::deleted_pod(&event.message));
    let missed = case.has_gap(&[Gap::JoinedLate, Gap::WatchInterrupted]);
    let status = &case.job().status;
    let counted = i64::from(status.failed) + i64::from(status.succeeded);
    let more = i64::try_from(pods.len()).is_ok_and(|seen| counted > seen);
    // A Pod that was gone after an interruption.
    let vanished = |pod: &Pod| pod.removed && pod.deletion.is_none() && !is_terminal(&pod.phase);
    pods.iter().any(vanished) || deleted.any(|name| !pods.iter().any(|pod| &*pod.name == name)) || missed && more
}

/// No Pod was ever seen. Evidence: Event `FailedCreate`, or no sign of a missed Pod.
pub(crate) fn no_pods<'a>(case: &Case<'a>) -> Finding<'a> {
    let status = &case.job().status;
    let counts = [status.active, status.failed, status.succeeded];
    let missed = counts.iter().any(|count| *count > 0)
        || case.job_event("SuccessfulCreate").is_some()
        || case.job_event("SuccessfulDelete").is_some();
    if missed {
        return Finding::of(Cause::Unknown);
    }
    if let Some(finding) = admission::failed_create(case) {
        return finding;
    }
    let not_watched = [
        Gap::PodsForbidden,
        Gap::PodsNotSelected,
        Gap::JoinedLate,
        Gap::WatchInterrupted,
    ];
    // Another controller may run the Pods in another cluster.
    if case.has_gap(&not_watched) || case.job().spec.managed_by.is_some() {
        return Finding::of(Cause::Unknown);
    }
    let message = case
        .job_event("UnknownCompletionMode")
        .map_or("", |event| &*event.message);
    Finding::of(Cause::NoPodsCreated).message(message)
}
