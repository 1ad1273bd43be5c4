//! Jobs whose live Pods make no progress.

use std::collections::BTreeMap;

use job_event::evidence::{Container, Gap, Pod};

use super::failures::{NextAttempt, Streak, is_running};
use super::{Obstacle, since};
use crate::case::Case;
use crate::cause::Cause;
use crate::finding::{Beside, Finding};
use crate::pending::pod_obstacle;
use crate::rules::blocking::has_run_for_long;
use crate::rules::{blocking, sides};

/// The obstacle of a Job whose live Pods, latest first, are all blocked: the most frequent one, on a tie that of the latest Pod.
/// It began when the last of them was blocked.
pub(super) fn obstacle<'a>(case: &Case<'a>, pods: &[&'a Pod], streaks: &[Streak<'a>]) -> Option<Obstacle<'a>> {
    if case.has_gap(&[Gap::PodsForbidden, Gap::PodsNotSelected]) {
        return None;
    }
    let obstacles: Option<Vec<Obstacle<'a>>> = pods.iter().map(|pod| of_pod(case, pod, streaks)).collect();
    let obstacles = obstacles?;
    let since = obstacles.iter().map(|obstacle| obstacle.since).max().flatten();
    let mut counts: BTreeMap<Cause, usize> = BTreeMap::new();
    for obstacle in &obstacles {
        *counts.entry(obstacle.finding.cause).or_default() += 1;
    }
    let most = counts.values().max().copied();
    let mut obstacles = obstacles.into_iter();
    let main = obstacles.find(|obstacle| counts.get(&obstacle.finding.cause).copied() == most)?;
    // A Pod that keeps failing is ready between its failures, so their number says nothing about it.
    if main.failures.is_none() && others_are_ready(case, pods) {
        return None;
    }
    Some(Obstacle { since, ..main })
}

/// True if the Job counts more ready Pods than kept Pods have a running container: some Pods that are not kept run.
fn others_are_ready(case: &Case<'_>, pods: &[&Pod]) -> bool {
    let may_be_ready = pods.iter().filter(|pod| pod.containers.iter().any(is_running));
    let ready = usize::try_from(case.evidence.job.status.ready).unwrap_or(0);
    case.has_gap(&[Gap::PodsOmitted]) && ready > may_be_ready.count()
}

/// The obstacle of one Pod; `None` for a Pod that works, or is new.
fn of_pod<'a>(case: &Case<'a>, pod: &'a Pod, streaks: &[Streak<'a>]) -> Option<Obstacle<'a>> {
    let streak = streaks.iter().find(|streak| streak.is_of(pod));
    if pod.from_events {
        return None;
    }
    if pod.deletion.is_some() {
        return blocked(case, blocking::ending(case, pod)?);
    }
    match pod_obstacle(case, pod) {
        Some(finding) if works_beside(case, pod, &finding) => return None,
        Some(finding) if finding.termination.is_none() => return blocked(case, finding),
        Some(finding) if case.restarts_in_place() => return restarted(pod, finding, streak?),
        // A container failed for good, while another one keeps the Pod running.
        Some(finding) if matches!(finding.beside, Some(Beside::Running(_))) => return blocked(case, finding),
        _ => {}
    }
    if let Some(finding) = blocking::ending(case, pod) {
        return blocked(case, finding);
    }
    retried(case, pod, streak?)
}

/// True if the work runs, and the obstacle is that of another container.
fn works_beside(case: &Case<'_>, pod: &Pod, finding: &Finding<'_>) -> bool {
    let works = |work: &&Container| is_running(work) && (work.restarts == 0 || has_run_for_long(case, work));
    let work = sides::work(case, pod).filter(works);
    let other = |work: &Container| finding.container.is_some_and(|container| container.name != work.name);
    finding.cause != Cause::SidecarBlockedCompletion && work.is_some_and(other)
}

fn blocked<'a>(case: &Case<'a>, finding: Finding<'a>) -> Option<Obstacle<'a>> {
    Some(Obstacle {
        since: since::obstacle(case, &finding),
        finding,
        failures: None,
    })
}

/// A container that fails again after each restart.
fn restarted<'a>(pod: &'a Pod, finding: Finding<'a>, streak: &Streak<'a>) -> Option<Obstacle<'a>> {
    let container = finding.container?;
    let streak = streak.in_place(pod, container);
    let is_killed = matches!(finding.cause, Cause::Killed | Cause::Unknown);
    streak.is_repeated().then(|| Obstacle {
        finding: streak.finding().filter(|_| is_killed).unwrap_or(finding),
        since: streak.began(),
        failures: Some((streak.clone(), streak.next_start(container))),
    })
}

/// A Pod that follows failed attempts and has not got further than these.
fn retried<'a>(case: &Case<'a>, pod: &'a Pod, streak: &Streak<'a>) -> Option<Obstacle<'a>> {
    if !streak.is_repeated() || !streak.is_retry(pod) || streak.is_overcome(case, pod) {
        return None;
    }
    let next = match pod.containers.iter().any(is_running) {
        true => NextAttempt::Running,
        false => NextAttempt::Created,
    };
    Some(Obstacle {
        finding: streak.finding()?,
        since: streak.began(),
        failures: Some((streak.clone(), next)),
    })
}
