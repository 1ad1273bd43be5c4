//! The attempts of a Job: each Pod is one, and under `restartPolicy: OnFailure` each run of a container.

use jiff::Timestamp;
use job_event::Outcome;
use job_event::evidence::{Container, ContainerState, Pod, Termination};
use serde::{Deserialize, Serialize};

use crate::cause::Cause;
use crate::finding::Finding;
use crate::rules::{attempt, blocking, exit};
use crate::world::World;

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptOutcome {
    /// It failed.
    Failed,
    /// It did what it was asked to.
    Succeeded,
    /// The verdict on the Job, its deletion or its suspension ended it: no failure of its own.
    Stopped,
}

impl AttemptOutcome {
    /// Its name in events.
    pub fn as_str(self) -> &'static str {
        match self {
            AttemptOutcome::Failed => "failed",
            AttemptOutcome::Succeeded => "succeeded",
            AttemptOutcome::Stopped => "stopped",
        }
    }
}

/// One attempt, with the evidence it was read from.
#[derive(Clone, Copy, Debug)]
pub struct PodAttempt<'a> {
    /// The Pod.
    pub pod: &'a Pod,
    /// How it ended.
    pub outcome: AttemptOutcome,
    /// Why it failed; `None` for those that did not.
    pub finding: Option<Finding<'a>>,
    /// The container that tells most of it: the one to blame, else the default one.
    pub container: Option<&'a Container>,
    /// That container's end.
    pub termination: Option<&'a Termination>,
    /// When it began.
    pub start: Option<Timestamp>,
    /// When it ended.
    pub end: Option<Timestamp>,
}

impl<'a> PodAttempt<'a> {
    /// Why it failed, if it did.
    pub fn cause(&self) -> Option<Cause> {
        self.finding.map(|finding| finding.cause)
    }

    fn failed(pod: &'a Pod, finding: Finding<'a>) -> Self {
        PodAttempt::new(pod, AttemptOutcome::Failed, Some(finding))
    }

    fn new(pod: &'a Pod, outcome: AttemptOutcome, finding: Option<Finding<'a>>) -> Self {
        let container = finding
            .and_then(|finding| finding.container)
            .or_else(|| blocking::default_container(pod));
        let named = finding.and_then(|finding| finding.termination);
        // Of earlier runs of a restarted container other attempts tell.
        let last_run = container.and_then(|c| c.terminations.iter().find(|end| end.attempt == c.restarts));
        let termination = named.or(last_run);
        // containerd writes 1970 as the start of what never started.
        let started = termination
            .and_then(|termination| termination.started)
            .filter(|started| pod.created.is_none_or(|created| *started >= created));
        let restarted = container
            .filter(|container| container.restarts > 0)
            .and_then(|container| container.running_since);
        let ends = pod.containers.iter().flat_map(|container| &container.terminations);
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
                .or_else(|| {
                    let deleted = pod.deletion.map(|deletion| deletion.requested);
                    ends.filter_map(|end| end.finished).chain(deleted).max()
                })
                .or(pod.not_ready_since)
                .or(pod.created)
                // The clock of a node may be late, but nothing ends before it is made.
                .map(|end| pod.created.map_or(end, |created| end.max(created))),
        }
    }
}

/// Every attempt that ended, in the order of their ends, as the Job controller orders them
/// (`getFinishedTime` in `pkg/controller/job/backoff_utils.go` of Kubernetes).
pub fn attempts<'a>(world: &World<'a>) -> Vec<PodAttempt<'a>> {
    let mut attempts: Vec<PodAttempt<'a>> = Vec::with_capacity(world.evidence.pods.len());
    for pod in &world.evidence.pods {
        if world.restarts_in_place() {
            restarted_attempts(world, pod, &mut attempts);
        } else {
            attempts.extend(pod_attempt(world, pod));
        }
    }
    // Of ends in the same second the container that was restarted more often counts as the later one.
    attempts.sort_by_key(|attempt| (attempt.end, attempt.container.map_or(0, |container| container.restarts)));
    attempts
}

/// The one attempt that a Pod of `restartPolicy: Never` is; `None` while it lives, or if its end was not seen.
fn pod_attempt<'a>(world: &World<'a>, pod: &'a Pod) -> Option<PodAttempt<'a>> {
    if world.is_collateral(pod) {
        return Some(PodAttempt::new(pod, AttemptOutcome::Stopped, None));
    }
    // The controller counts a Pod that somebody deletes as failed at once, even if it then ends well.
    let counted_when_deleted = pod.deletion.is_some() && world.job().outcome() == Outcome::Failed;
    if &*pod.phase == "Succeeded" && !counted_when_deleted {
        return Some(PodAttempt::new(pod, AttemptOutcome::Succeeded, None));
    }
    (&*pod.phase == "Failed" || pod.deletion.is_some())
        .then(|| PodAttempt::failed(pod, attempt::attempt_cause(world, pod)))
}

/// The attempts of a Pod whose containers are restarted in place: each failed run of a container, and the end of the
/// Pod itself if the system or somebody ended it.
fn restarted_attempts<'a>(world: &World<'a>, pod: &'a Pod, attempts: &mut Vec<PodAttempt<'a>>) {
    let before = attempts.len();
    let collateral = world.is_collateral(pod);
    // A disruption can be called off, and a node that shuts down lets a Pod complete: only a Pod that failed or has to
    // go was ended by the system.
    let ended = &*pod.phase == "Failed" || pod.deletion.is_some();
    let system = if collateral || !ended {
        None
    } else {
        attempt::system_cause(world, pod)
    };
    for container in &pod.containers {
        for termination in &container.terminations {
            // What the system ended as a whole, it also ended container by container.
            let consequence = system.is_some() && pod.deletion.is_none() && termination.attempt == container.restarts;
            if exit::is_failure(termination) && attempt::counts(world, pod, termination) && !consequence {
                attempts.extend(
                    exit::termination_cause(world, pod, container, termination)
                        .map(|finding| PodAttempt::failed(pod, finding)),
                );
            }
        }
    }
    if let Some(finding) = system {
        // A program that failed before the disruption stands in the list already.
        if finding.termination.is_none() {
            attempts.push(PodAttempt::failed(pod, finding));
        }
    } else if collateral {
        let running = pod
            .containers
            .iter()
            .any(|c| blocking::state(world, pod, c) == ContainerState::Running);
        let never_started = !pod.containers.iter().any(|c| c.started);
        if running || never_started {
            attempts.push(PodAttempt::new(pod, AttemptOutcome::Stopped, None));
        }
    } else if pod.deletion.is_some() {
        attempts.push(PodAttempt::failed(pod, attempt::attempt_cause(world, pod)));
    } else if &*pod.phase == "Succeeded" {
        attempts.push(PodAttempt::new(pod, AttemptOutcome::Succeeded, None));
    } else if &*pod.phase == "Failed" && attempts.len() == before {
        attempts.push(PodAttempt::failed(pod, attempt::attempt_cause(world, pod)));
    }
}
