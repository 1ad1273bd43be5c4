//! Why the Job failed: the verdict's reason decides which attempts or Pods to ask.
//!
//! Source: `syncJob` in `pkg/controller/job/job_controller.go` of Kubernetes for what each reason means.

use std::collections::BTreeMap;

use job_event::evidence::{Gap, Pod};

use crate::attempts::{AttemptOutcome, PodAttempt};
use crate::cause::Cause;
use crate::finding::Finding;
use crate::rules::policy::{self, Match};
use crate::rules::{admission, attempt, blocking, collateral, exit, indexes};
use crate::world::{World, is_terminal};

/// Why the Job, which has failed, did. `attempts` in the order of their ends.
pub fn verdict<'a>(world: &World<'a>, attempts: &[PodAttempt<'a>]) -> Finding<'a> {
    let finding = match world.reason() {
        "DeadlineExceeded" => deadline(world, attempts),
        "PodFailurePolicy" => failure_policy(world).or_else(|| latest(attempts)),
        "FailedIndexes" | "MaxFailedIndexesExceeded" => failed_indexes(world, attempts).or_else(|| latest(attempts)),
        // `BackoffLimitExceeded`, and whatever another manager of Jobs may say.
        _ => latest(attempts),
    };
    finding.unwrap_or(Finding::of(Cause::Unknown))
}

/// The latest failed attempt that tells something: one that tells only that it was killed gives way to an older one
/// that tells more. A kill for lack of memory is at times reported as a plain one.
fn latest<'a>(attempts: &[PodAttempt<'a>]) -> Option<Finding<'a>> {
    let mut failures = attempts.iter().rev().filter_map(|attempt| attempt.finding);
    let latest = failures.next()?;
    if !matches!(latest.cause, Cause::Unknown | Cause::Killed) {
        return Some(latest);
    }
    let older = failures.find(|finding| !matches!(finding.cause, Cause::Unknown | Cause::Killed));
    Some(older.unwrap_or(latest))
}

/// Evidence: the verdict's message, which names the Pod and what matched.
fn failure_policy<'a>(world: &World<'a>) -> Option<Finding<'a>> {
    let message = &world.job().verdict()?.message;
    let pod = |name: &str| world.evidence.pods.iter().find(|pod| &*pod.name == name);
    Some(match policy::parse(message)? {
        Match::ExitCode {
            pod: name,
            container,
            exit_code,
        } => match pod(name) {
            Some(pod) => attempt::named_exit_cause(world, pod, container, exit_code),
            None => Finding {
                exit_code: Some(exit_code),
                ..Finding::of(exit::exit_code_cause(exit_code)).message(message)
            },
        },
        Match::Condition { pod: name, .. } => match pod(name) {
            Some(pod) => attempt::attempt_cause(world, pod),
            None => Finding::of(Cause::Unknown).message(message),
        },
    })
}

/// The most frequent cause of the last failures of the indexes that failed for good; of equals the latest.
/// Evidence: `status.failedIndexes` and the Pods of those indexes.
fn failed_indexes<'a>(world: &World<'a>, attempts: &[PodAttempt<'a>]) -> Option<Finding<'a>> {
    let failed = indexes::parse(world.job().status.failed_indexes.as_deref()?);
    let mut last_of_index: BTreeMap<&str, (usize, Finding<'a>)> = BTreeMap::new();
    for (place, attempt) in attempts.iter().enumerate() {
        if let (Some(finding), Some(index)) = (attempt.finding, attempt.pod.index.as_deref())
            && indexes::contains(&failed, index)
        {
            last_of_index.insert(index, (place, finding));
        }
    }
    let mut by_cause: BTreeMap<Cause, (usize, usize, Finding<'a>)> = BTreeMap::new();
    for (place, finding) in last_of_index.into_values() {
        let entry = by_cause.entry(finding.cause).or_insert((0, place, finding));
        entry.0 += 1;
        if place > entry.1 {
            (entry.1, entry.2) = (place, finding);
        }
    }
    by_cause
        .into_values()
        .max_by_key(|(count, place, _)| (*count, *place))
        .map(|(_, _, finding)| finding)
}

/// Why the Job had not finished when its `activeDeadlineSeconds` had passed.
fn deadline<'a>(world: &World<'a>, attempts: &[PodAttempt<'a>]) -> Option<Finding<'a>> {
    if world.evidence.pods.is_empty() {
        return Some(no_pods(world));
    }
    let live: Vec<&'a Pod> = world
        .evidence
        .pods
        .iter()
        .filter(|pod| blocking::is_live(world, pod))
        .collect();
    let Some(blocker) = most_frequent_blocker(world, &live) else {
        return between_pods(world, attempts);
    };
    if matches!(blocker.cause, Cause::RanTooLong | Cause::SlowStart)
        && let Some(failure) = earlier_failure(world, attempts, &live)
    {
        return Some(failure);
    }
    Some(blocker)
}

/// Of the Pods that had not ended, the most frequent obstacle; of equals the one that stands first in a Pod's life.
fn most_frequent_blocker<'a>(world: &World<'a>, live: &[&'a Pod]) -> Option<Finding<'a>> {
    let mut by_cause: BTreeMap<Cause, (usize, usize, Finding<'a>)> = BTreeMap::new();
    for pod in live {
        let (place, finding) = blocking::blocking_rule(world, pod);
        let entry = by_cause.entry(finding.cause).or_insert((0, place, finding));
        entry.0 += 1;
        if place < entry.1 {
            (entry.1, entry.2) = (place, finding);
        }
    }
    by_cause
        .into_values()
        .max_by_key(|(count, place, _)| (*count, std::cmp::Reverse(*place)))
        .map(|(_, _, finding)| finding)
}

/// The failure that cost the time, if the Pods alive at the deadline had less than half of it and a failure of the
/// same work came before them: the work of one index, or, without indexes, work that has not succeeded since.
fn earlier_failure<'a>(world: &World<'a>, attempts: &[PodAttempt<'a>], live: &[&'a Pod]) -> Option<Finding<'a>> {
    let duration = world.duration()?;
    let old = |pod: &&Pod| blocking::age(world, pod).is_none_or(|age| age * 2 >= duration);
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

/// No Pod was alive at the deadline: all had succeeded but the controller came to look too late, or the Job waited to
/// try again after a failure, or could not make new Pods.
fn between_pods<'a>(world: &World<'a>, attempts: &[PodAttempt<'a>]) -> Option<Finding<'a>> {
    let job = world.job();
    // The status counts a Pod some writes after its end, so the Pods themselves may be ahead of it.
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
    if missed_a_pod(world) {
        return None;
    }
    latest(attempts)
        .or_else(|| admission::failed_create(world))
        .or_else(|| (succeeded > 0).then(|| Finding::of(Cause::RanTooLong)))
}

/// Whether the Job had a Pod that was never seen, which may have been alive at the deadline. Evidence: the Job
/// controller's Event `SuccessfulDelete` that names another one, or, where something was missed, that it counts more.
fn missed_a_pod(world: &World<'_>) -> bool {
    let pods = &world.evidence.pods;
    let events = world.events(&world.evidence.job.uid);
    let mut deleted = events
        .filter(|event| &*event.reason == "SuccessfulDelete")
        .filter_map(|event| collateral::deleted_pod(&event.message));
    let missed = [Gap::JoinedLate, Gap::WatchInterrupted]
        .iter()
        .any(|gap| world.has_gap(*gap));
    let status = &world.job().status;
    let counted = i64::from(status.failed) + i64::from(status.succeeded);
    let more = i64::try_from(pods.len()).is_ok_and(|seen| counted > seen);
    // One that was gone after an interruption.
    let vanished = |pod: &Pod| pod.removed && pod.deletion.is_none() && !is_terminal(&pod.phase);
    pods.iter().any(vanished) || deleted.any(|name| !pods.iter().any(|pod| &*pod.name == name)) || missed && more
}

/// No Pod was ever seen. Evidence: Event `FailedCreate`, or that nothing hints at a Pod that was missed.
fn no_pods<'a>(world: &World<'a>) -> Finding<'a> {
    let status = &world.job().status;
    let missed = status.active > 0
        || status.failed > 0
        || status.succeeded > 0
        || world.job_event("SuccessfulCreate").is_some()
        || world.job_event("SuccessfulDelete").is_some();
    if missed {
        return Finding::of(Cause::Unknown);
    }
    if let Some(finding) = admission::failed_create(world) {
        return finding;
    }
    let blind = [Gap::PodsForbidden, Gap::JoinedLate, Gap::WatchInterrupted]
        .iter()
        .any(|gap| world.has_gap(*gap));
    if blind {
        return Finding::of(Cause::Unknown);
    }
    let message = world
        .job_event("UnknownCompletionMode")
        .map_or("", |event| &*event.message);
    Finding::of(Cause::NoPodsCreated).message(message)
}
