//! Jobs that have not finished: what they wait for.

use jiff::{SignedDuration, Timestamp};
use job_event::Outcome;
use job_event::evidence::{Evidence, Pod};

use crate::advice::Advice;
use crate::attempts;
use crate::case::{Case, is_terminal, shifted};
use crate::cause::Cause;
use crate::finding::{Beside, Finding};
use crate::judge::{Judgement, judge};
use crate::rules::{admission, blocking};
use crate::stall::{stall, unfinished};
use crate::summary;

/// A regular container ended within this time before `now`: the kubelet looks at containers once a second
/// (`genericPlegRelistPeriod` in `pkg/kubelet/kubelet.go`) and writes whole seconds, so the end of another one at the same
/// moment may not be known yet.
const ENDING_SECONDS: i64 = 1;

/// How long a Pod without a node and without a message of a scheduler may only be young, seconds.
const SLOW_SCHEDULER_SECONDS: i64 = 60;

/// A stall that lasts for less is not called one: an error often passes.
const STALLED_AFTER: SignedDuration = SignedDuration::from_secs(30);

/// Judges a Job at `now`: the summary of an unfinished Job names its stall or its obstacle, with a next step, or else the
/// container that is running or has not started.
pub fn judge_at(evidence: &Evidence, now: Timestamp) -> Judgement {
    let mut judgement = judge(evidence);
    let is_running = evidence.job.outcome() == Outcome::Running;
    let lasts = |since: Timestamp| now.duration_since(since) >= STALLED_AFTER;
    judgement.stall = stall(evidence, now).filter(|stall| is_running && lasts(stall.since));
    let case = Case {
        evidence,
        decided: Some(now),
    };
    if let Some(stall) = &judgement.stall {
        judgement.summary = stall.summary(now);
        judgement.next_step = Some(stall.next_step.clone());
    } else if !is_running {
        // The summary says how the Job ended, or why it has not begun.
    } else if let Some(finding) = obstacle(&case) {
        judgement.summary = format!("Not finished yet: {}.", summary::why_unfinished(&finding));
        judgement.next_step = Some(unfinished(Advice::of(&finding).next_step));
    } else if let Some(progress) = progress(&case) {
        judgement.summary = format!("Not finished yet: {progress}.");
    }
    judgement
}

/// The error of the latest live Pod that has one, or the side container that keeps a Pod running; without a live Pod the reason
/// why none could be created, else the cause of the last failure. Slow work is not an error.
fn obstacle<'a>(case: &Case<'a>) -> Option<Finding<'a>> {
    let live = live(case.evidence);
    if live.is_empty() {
        let last_failure = || {
            attempts::attempts(case)
                .iter()
                .rev()
                .find_map(|attempt| attempt.finding)
        };
        let is_idle = case.job().status.active == 0;
        return is_idle
            .then(|| admission::failed_create(case).or_else(last_failure))
            .flatten();
    }
    let mut obstacles = live.iter().filter_map(|pod| pod_obstacle(case, pod));
    obstacles.next().or_else(|| {
        let ending: Option<Vec<Finding<'_>>> = live.iter().map(|pod| blocking::ending(case, pod)).collect();
        ending?.into_iter().next()
    })
}

/// The Pods that have not ended, latest first.
pub(crate) fn live(evidence: &Evidence) -> Vec<&Pod> {
    let is_live = |pod: &&Pod| !pod.removed && !is_terminal(&pod.phase);
    evidence.pods.iter().filter(is_live).rev().collect()
}

/// The error that keeps a live Pod from starting or finishing, or the side container that keeps it running.
pub(crate) fn pod_obstacle<'a>(case: &Case<'a>, pod: &'a Pod) -> Option<Finding<'a>> {
    let now = case.decided?;
    let obstacle = blocking::blocking_error(case, pod).or_else(|| blocking::finished_beside(case, pod));
    obstacle.filter(|found| is_proven(found, now))
}

/// The state of an unfinished Job without an obstacle, as a clause: the container that is running or has not started.
fn progress(case: &Case<'_>) -> Option<String> {
    let mut live = live(case.evidence);
    live.retain(|pod| pod.deletion.is_none() && !pod.from_events);
    match live[..] {
        [] if case.job().spec.parallelism == Some(0) => Some("its parallelism is 0, so it has no Pod".into()),
        [] => None,
        [pod] => blocking::progress(case, pod).map(|finding| summary::why_unfinished(&finding)),
        ref pods => {
            let running = pods.iter().filter(|pod| &*pod.phase == "Running").count();
            Some(format!("{running} of {} Pods are running", pods.len()))
        }
    }
}

/// A Pod without a node and without a message of a scheduler may only be young, and one with a container that has just ended
/// may only be ending.
fn is_proven(finding: &Finding<'_>, now: Timestamp) -> bool {
    let is_old = |pod: &Pod| {
        pod.created
            .is_some_and(|created| now > shifted(created, SLOW_SCHEDULER_SECONDS))
    };
    match finding.cause {
        Cause::Unschedulable => finding.message.is_some() || finding.pod.is_some_and(is_old),
        Cause::SidecarBlockedCompletion => has_ended(finding, now),
        _ => !matches!(finding.beside, Some(Beside::Running(_))) || has_ended(finding, now),
    }
}

/// True if the container ended more than [`ENDING_SECONDS`] before `now`.
fn has_ended(finding: &Finding<'_>, now: Timestamp) -> bool {
    finding.at.is_some_and(|ended| now > shifted(ended, ENDING_SECONDS))
}
