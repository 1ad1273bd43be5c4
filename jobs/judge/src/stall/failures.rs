//! Attempts that fail in a row.
//!
//! Sources: `getRemainingTimeForFailuresCount` in `pkg/controller/job/backoff_utils.go` of Kubernetes (10 s, doubled with each
//! failure in a row, at most 10 min) and `MaxContainerBackOff` in `pkg/kubelet/kubelet.go` (the first restart at once, then the
//! same, at most 5 min).

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use job_event::evidence::{Container, ContainerRole, ContainerState, Pod, Termination};

use crate::advice::Advice;
use crate::attempts::{AttemptOutcome, PodAttempt};
use crate::case::{Case, is_terminal, shifted};
use crate::category::Retry;
use crate::cause::Cause;
use crate::finding::Finding;
use crate::rules::blocking::outlasts;
use crate::rules::{exit, indexes, sides, verdict};
use crate::summary::setting;
use job_event::span::span;

/// The back-off after the first failure, seconds.
const FIRST_BACK_OFF: i64 = 10;
/// The longest back-off between two Pods, seconds.
const LONGEST_BACK_OFF: i64 = 600;
/// The longest back-off between two starts of a container, seconds.
const LONGEST_RESTART_BACK_OFF: i64 = 300;

/// The failures since the last success: those of one index of an Indexed Job, or those of all Pods of another one. An end that
/// proves nothing about the next attempt, such as an eviction, is neither a failure nor a success.
#[derive(Clone)]
pub(super) struct Streak<'a> {
    index: Option<&'a str>,
    /// At least one, in the order of their ends.
    pub(super) failures: Vec<PodAttempt<'a>>,
    /// Restarts whose ends are not in the evidence.
    more: usize,
}

/// The attempt after the ones that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NextAttempt {
    /// A container of it runs.
    Running,
    /// Its Pod exists.
    Created,
    /// It follows when the back-off is over; the time is an estimate.
    At(Timestamp),
}

impl NextAttempt {
    /// `; the next attempt follows within about 3 min`.
    pub(super) fn clause(self, now: Timestamp) -> String {
        match self {
            NextAttempt::Running => "; the next attempt is running".into(),
            NextAttempt::Created => "; the next attempt has not started".into(),
            NextAttempt::At(due) if due > now => {
                let left = due.duration_since(now).as_secs();
                // An estimate has no odd seconds.
                let unit = if left < 60 { 10 } else { 60 };
                let left = (left + unit - 1) / unit * unit;
                format!(
                    "; the next attempt follows within about {}",
                    span(left.max(unit) as f64)
                )
            }
            NextAttempt::At(_) => "; the next attempt is due".into(),
        }
    }
}

/// True for an attempt that failed and may fail again for the same reason. A node without room also rejects the next Pod,
/// although a retry may help.
pub(super) fn is_failure(attempt: &PodAttempt<'_>) -> bool {
    let may_repeat = attempt
        .finding
        .is_some_and(|finding| finding.cause == Cause::NodeRejected || Advice::of(&finding).retry != Retry::Yes);
    attempt.outcome == AttemptOutcome::Failed && may_repeat
}

/// The failures in a row of each index, or of the Job. Attempts before the last start of the Job do not count, nor do indexes
/// that have failed for good.
pub(super) fn streaks<'a>(case: &Case<'a>, attempts: &[PodAttempt<'a>]) -> Vec<Streak<'a>> {
    let job = case.job();
    let mut streaks: BTreeMap<Option<&str>, Vec<PodAttempt<'a>>> = BTreeMap::new();
    for attempt in attempts.iter().filter(|attempt| attempt.end >= job.status.start_time) {
        let index = attempt.pod.index.as_deref().filter(|_| job.spec.indexed);
        if attempt.outcome == AttemptOutcome::Succeeded {
            streaks.remove(&index);
        } else if is_failure(attempt) {
            streaks.entry(index).or_default().push(*attempt);
        }
    }
    let failed = job
        .status
        .failed_indexes
        .as_deref()
        .map(indexes::parse)
        .unwrap_or_default();
    let is_over = |index: &Option<&str>| index.is_some_and(|index| indexes::contains(&failed, index));
    let unfinished = streaks.into_iter().filter(|(index, _)| !is_over(index));
    unfinished
        .map(|(index, failures)| Streak {
            index,
            failures,
            more: 0,
        })
        .collect()
}

impl<'a> Streak<'a> {
    /// When the first of the attempts failed.
    pub(super) fn began(&self) -> Option<Timestamp> {
        self.failures.first()?.end
    }

    /// When the last of them failed.
    pub(super) fn ended(&self) -> Option<Timestamp> {
        self.last()?.end
    }

    /// Why they failed.
    pub(super) fn finding(&self) -> Option<Finding<'a>> {
        verdict::latest(&self.failures)
    }

    /// True for one of the attempts.
    pub(super) fn has(&self, attempt: &PodAttempt<'_>) -> bool {
        self.is_of(attempt.pod) && attempt.end >= self.began()
    }

    /// The last of the attempts.
    pub(super) fn last(&self) -> Option<&PodAttempt<'a>> {
        self.failures.last()
    }

    /// True for a Pod of the same index, or of a Job without indexes.
    pub(super) fn is_of(&self, pod: &Pod) -> bool {
        self.index.is_none_or(|index| pod.index.as_deref() == Some(index))
    }

    /// True for a Pod that was created after the first failure.
    pub(super) fn is_retry(&self, pod: &Pod) -> bool {
        self.is_of(pod) && pod.created >= self.began()
    }

    /// True if an attempt that followed a failure failed as well. Pods that started together are one attempt.
    pub(super) fn is_repeated(&self) -> bool {
        let Some((first, rest)) = self.failures.split_first() else {
            return false;
        };
        let in_place = |attempt: &PodAttempt<'_>| attempt.pod.uid == first.pod.uid;
        self.more > 0
            || rest
                .iter()
                .any(|attempt| in_place(attempt) || self.is_retry(attempt.pod))
    }

    /// The failures of one container that its kubelet restarts, and of the Pods before its Pod.
    pub(super) fn in_place(&self, pod: &Pod, container: &Container) -> Streak<'a> {
        let of_container = |attempt: &PodAttempt<'_>| {
            attempt.pod.uid == pod.uid && attempt.container.is_some_and(|c| c.name == container.name)
        };
        let before = |attempt: &PodAttempt<'_>| {
            attempt.pod.uid != pod.uid && (attempt.pod.removed || is_terminal(&attempt.pod.phase))
        };
        let failures = self
            .failures
            .iter()
            .filter(|attempt| of_container(attempt) || before(attempt));
        let failures: Vec<PodAttempt<'a>> = failures.copied().collect();
        let ended = i32::from(container.state != ContainerState::Running);
        let all = usize::try_from(container.restarts.saturating_add(ended)).unwrap_or_default();
        Streak {
            more: all.saturating_sub(container.terminations.len()),
            failures,
            ..*self
        }
    }

    /// The longest run of the attempts.
    fn longest(&self) -> SignedDuration {
        let run = |attempt: &PodAttempt<'_>| {
            let start = attempt.termination.and_then(|end| end.started).or(attempt.start)?;
            Some(attempt.end?.duration_since(start))
        };
        self.failures.iter().filter_map(run).max().unwrap_or_default()
    }

    /// True if a later Pod has come further than the attempts: its work ended with 0, its main container runs and theirs never
    /// did, or a container has run for longer than any of them ([`outlasts`]).
    pub(super) fn is_overcome(&self, case: &Case<'_>, pod: &Pod) -> bool {
        let beyond = has_worked(pod) && !self.failures.iter().any(|attempt| has_worked(attempt.pod));
        let done = sides::work(case, pod).is_some_and(|work| sides::finished(case, pod, work).is_some());
        let longest = self.longest();
        let runs = |container: &Container| {
            let since = container.running_since.filter(|_| is_running(container));
            let run = since.zip(case.decided).map(|(since, now)| now.duration_since(since));
            run.is_some_and(|run| outlasts(run, longest))
        };
        beyond || done || pod.containers.iter().any(runs)
    }

    /// The words after `Stalled for 2 min`: ` after 5 failed attempts in a row (backoffLimit: 20)`.
    pub(super) fn lead(&self, case: &Case<'_>) -> String {
        let spec = &case.job().spec;
        let (index, limit) = match (self.index, spec.backoff_limit_per_index) {
            (Some(index), Some(limit)) => (Some(index), setting("backoffLimitPerIndex", Some(limit))),
            (index, None) => (index, setting("backoffLimit", spec.backoff_limit)),
            (None, Some(_)) => (None, String::new()),
        };
        let of = index.map_or_else(String::new, |index| format!(" of index {index}"));
        let count = self.failures.len() + self.more;
        format!(" after {count} failed attempts{of} in a row{limit}")
    }

    /// When the next Pod follows.
    pub(super) fn next_pod(&self) -> NextAttempt {
        self.next(self.failures.len(), LONGEST_BACK_OFF)
    }

    /// When the kubelet starts the container again, unless it runs already. It restarts the container at once after the first
    /// failure.
    pub(super) fn next_start(&self, container: &Container) -> NextAttempt {
        match is_running(container) {
            true => NextAttempt::Running,
            false => self.next(
                usize::try_from(container.restarts).unwrap_or_default(),
                LONGEST_RESTART_BACK_OFF,
            ),
        }
    }

    /// After that many steps of the back-off.
    fn next(&self, steps: usize, longest: i64) -> NextAttempt {
        let back_off = match steps.checked_sub(1) {
            None => 0,
            Some(doublings) if doublings > 10 => longest,
            Some(doublings) => (FIRST_BACK_OFF << doublings).min(longest),
        };
        let last = self.last().and_then(|attempt| attempt.end);
        NextAttempt::At(last.map_or(Timestamp::UNIX_EPOCH, |end| shifted(end, back_off)))
    }
}

/// True if a main container of the Pod runs or has run.
fn has_worked(pod: &Pod) -> bool {
    pod.containers.iter().any(|container| {
        let ran = |end: &Termination| end.ran && !exit::never_started(end);
        let started = container.state == ContainerState::Running || container.terminations.iter().any(ran);
        container.role == ContainerRole::Main && started
    })
}

/// True if the container runs, and ends by itself.
pub(super) fn is_running(container: &Container) -> bool {
    container.state == ContainerState::Running && container.role != ContainerRole::Sidecar
}
