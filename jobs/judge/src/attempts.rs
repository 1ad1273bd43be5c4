//! The attempts of a Job: each Pod is one, and under `restartPolicy: OnFailure` each run of a container.

use jiff::Timestamp;
use job_event::Outcome;
use job_event::evidence::{Container, ContainerState, Pod, Termination};
use serde::{Deserialize, Serialize};

use crate::case::{Case, last_end};
use crate::cause::Cause;
use crate::finding::Finding;
use crate::rules::{attempt, exit, sides, state};

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptOutcome {
    /// It failed by itself, or the system or a user ended it.
    Failed,
    /// It completed.
    Succeeded,
    /// The Job's verdict, deletion or suspension ended it.
    Stopped,
}

impl AttemptOutcome {
    /// The name in events.
    pub fn as_str(self) -> &'static str {
        match self {
            AttemptOutcome::Failed => "failed",
            AttemptOutcome::Succeeded => "succeeded",
            AttemptOutcome::Stopped => "stopped",
        }
    }
}

/// One attempt, with its evidence.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PodAttempt<'a> {
    pub(crate) pod: &'a Pod,
    pub(crate) outcome: AttemptOutcome,
    /// The cause, if it failed.
    pub(crate) finding: Option<Finding<'a>>,
    /// The container to blame, else the work.
    pub(crate) container: Option<&'a Container>,
    /// The end of that container.
    pub(crate) termination: Option<&'a Termination>,
    pub(crate) start: Option<Timestamp>,
    pub(crate) end: Option<Timestamp>,
}

impl<'a> PodAttempt<'a> {
    /// The cause, if it failed.
    pub(crate) fn cause(&self) -> Option<Cause> {
        self.finding.map(|finding| finding.cause)
    }

    fn failed(case: &Case<'a>, pod: &'a Pod, finding: Finding<'a>) -> Self {
        PodAttempt::new(case, pod, AttemptOutcome::Failed, Some(finding))
    }

    fn new(case: &Case<'a>, pod: &'a Pod, outcome: AttemptOutcome, finding: Option<Finding<'a>>) -> Self {
        let container = finding
            .and_then(|finding| finding.container)
            .or_else(|| sides::work(case, pod));
        let named = finding.and_then(|finding| finding.termination);
        // Earlier runs of a restarted container are attempts of their own.
        let last_run = container.and_then(|c| c.terminations.iter().find(|end| end.attempt == c.restarts));
        let termination = named.or(last_run);
        // containerd writes 1970 as the start of a container that never started.
        let started = termination
            .and_then(|termination| termination.started)
            .filter(|started| pod.created.is_none_or(|created| *started >= created));
        let restarted = container
            .filter(|container| container.restarts > 0)
            .and_then(|container| container.running_since);
        PodAttempt {
            pod,
            outcome,
            finding,
            container,
            termination,
            start: match named {
                Some(_) => started.or(pod.start_time).or(pod.created),
                None => restarted.or(pod.start_time).or(pod.created),
            },
            end: finding
                .and_then(|finding| finding.at)
                .or_else(|| last_end(pod).max(pod.deletion.map(|deletion| deletion.requested)))
                .or(pod.not_ready_since)
                .or(pod.created)
                // The clock of a node may be late, but no Pod ends before its creation.
                .map(|end| pod.created.map_or(end, |created| end.max(created))),
        }
    }
}

/// Every attempt that ended, in the order of their ends, as the Job controller orders them
/// (`getFinishedTime` in `pkg/controller/job/backoff_utils.go` of Kubernetes).
pub(crate) fn attempts<'a>(case: &Case<'a>) -> Vec<PodAttempt<'a>> {
    let mut attempts: Vec<PodAttempt<'a>> = Vec::with_capacity(case.evidence.pods.len());
    for pod in &case.evidence.pods {
        if case.restarts_in_place() {
            restarted_attempts(case, pod, &mut attempts);
        } else {
            attempts.extend(pod_attempt(case, pod));
        }
    }
    // Among ends in the same second, the container with more restarts counts as the later one.
    attempts.sort_by_key(|attempt| (attempt.end, attempt.container.map_or(0, |container| container.restarts)));
    attempts
}

/// The one attempt that a Pod of `restartPolicy: Never` is; `None` while it is alive, or if its end was not seen.
fn pod_attempt<'a>(case: &Case<'a>, pod: &'a Pod) -> Option<PodAttempt<'a>> {
    if case.is_collateral(pod) {
        return Some(PodAttempt::new(case, pod, AttemptOutcome::Stopped, None));
    }
    // The Job controller counts a deleted Pod as failed at once, even if it then completes.
    let counted_when_deleted = pod.deletion.is_some() && case.job().outcome() == Outcome::Failed;
    if &*pod.phase == "Succeeded" && !counted_when_deleted {
        return Some(PodAttempt::new(case, pod, AttemptOutcome::Succeeded, None));
    }
    (&*pod.phase == "Failed" || pod.deletion.is_some())
        .then(|| PodAttempt::failed(case, pod, attempt::attempt_cause(case, pod)))
}

/// The attempts of a Pod whose containers are restarted in place: each failed run of a container, and the end of the
/// Pod itself if the system or a user ended it.
fn restarted_attempts<'a>(case: &Case<'a>, pod: &'a Pod, attempts: &mut Vec<PodAttempt<'a>>) {
    let before = attempts.len();
    let collateral = case.is_collateral(pod);
    // A disruption can be cancelled, and a node that shuts down lets a Pod complete: the system ended only a Pod that
    // failed or was deleted.
    let ended = &*pod.phase == "Failed" || pod.deletion.is_some();
    let system = if collateral || !ended {
        None
    } else {
        attempt::system_cause(case, pod)
    };
    for container in &pod.containers {
        for termination in &container.terminations {
            // The system ends the last run of each container together with the Pod.
            let consequence = system.is_some() && pod.deletion.is_none() && termination.attempt == container.restarts;
            if exit::is_failure(termination) && attempt::counts(case, pod, termination) && !consequence {
                attempts.extend(
                    sides::termination_cause(case, pod, container, termination)
                        .map(|finding| PodAttempt::failed(case, pod, finding)),
                );
            }
        }
    }
    if let Some(finding) = system {
        // A program that failed before the disruption is in the list already.
        if finding.termination.is_none() {
            attempts.push(PodAttempt::failed(case, pod, finding));
        }
    } else if collateral {
        let running = pod
            .containers
            .iter()
            .any(|c| state::container_state(case, pod, c) == ContainerState::Running);
        let never_started = !pod.containers.iter().any(|c| c.started);
        if running || never_started {
            attempts.push(PodAttempt::new(case, pod, AttemptOutcome::Stopped, None));
        }
    } else if pod.deletion.is_some() {
        attempts.push(PodAttempt::failed(case, pod, attempt::attempt_cause(case, pod)));
    } else if &*pod.phase == "Succeeded" {
        attempts.push(PodAttempt::new(case, pod, AttemptOutcome::Succeeded, None));
    } else if &*pod.phase == "Failed" && attempts.len() == before {
        attempts.push(PodAttempt::failed(case, pod, attempt::attempt_cause(case, pod)));
    }
}
