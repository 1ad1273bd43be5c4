//! The beginning of an obstacle, and the last progress of a Job.

use jiff::Timestamp;
use job_event::evidence::{Container, Event, Pod};

use super::failures::{Streak, is_failure};
use crate::attempts::PodAttempt;
use crate::case::{Case, is_terminal, shifted};
use crate::cause::Cause;
use crate::finding::Finding;
use crate::rules::stage::is_named_by;
use crate::rules::{exit, image, start};

/// When the obstacle of a live Pod began. If the Events of an error are known, the first of them; else the earliest time at which
/// the Pod could have met it.
pub(super) fn obstacle(case: &Case<'_>, finding: &Finding<'_>) -> Option<Timestamp> {
    let pod = finding.pod?;
    let deleted = pod
        .deletion
        .map(|deletion| shifted(deletion.requested, deletion.grace_seconds));
    match finding.cause {
        Cause::NodeLost if pod.node_outage.is_some() => pod.node_outage.map(|outage| outage.since),
        Cause::StuckTerminating | Cause::NodeLost => deleted,
        Cause::SidecarBlockedCompletion => finding.at,
        _ if finding.termination.is_some() => finding.at,
        _ if pod.node.is_none() && pod.start_time.is_none() => {
            let condition = pod.not_scheduled.as_deref();
            condition.and_then(|condition| condition.since).max(pod.created)
        }
        _ => {
            let accepted = pod.start_time.max(pod.created);
            let reached = finding
                .container
                .map(|container| reached(case, pod, container, finding.cause));
            accepted.max(reached.flatten())
        }
    }
}

/// When the kubelet began with a container that cannot be started: the first error about it, and the progress of the containers
/// before it.
fn reached(case: &Case<'_>, pod: &Pod, container: &Container, cause: Cause) -> Option<Timestamp> {
    let is_error = |event: &&Event| match cause {
        Cause::ImagePull => image::is_image_event(&event.reason, &event.message),
        _ => start::is_config_event(event) || start::is_start_event(event),
    };
    let about = case.events(&pod.uid).filter(|event| is_named_by(event, container));
    let first = about.filter(is_error).filter_map(|event| event.first).min();
    let others = pod.containers.iter().filter(|other| other.name != container.name);
    let moved = others.filter_map(progress).max();
    first.max(moved)
}

/// When a container last did something that it had not done before: its first start, or its end with 0.
fn progress(container: &Container) -> Option<Timestamp> {
    let ends = container.terminations.iter();
    let ended = ends
        .clone()
        .filter(|end| !exit::is_failure(end))
        .filter_map(|end| end.finished)
        .max();
    let first_end = container.terminations.iter().find(|end| end.attempt == 0 && end.ran);
    let started = first_end.and_then(|end| end.started);
    let running = container.running_since.filter(|_| container.restarts == 0);
    ended.max(started).max(running)
}

/// The last progress of the Job: its start, a success, or the end of an attempt that was not one of several failures in a row.
pub(super) fn last_progress(case: &Case<'_>, attempts: &[PodAttempt<'_>], streaks: &[Streak<'_>]) -> Option<Timestamp> {
    let started = case.job().status.start_time.or(case.job().created);
    let in_a_row = |attempt: &PodAttempt<'_>| is_failure(attempt) && streaks.iter().any(|streak| streak.has(attempt));
    let has_ended = |pod: &Pod| pod.removed || is_terminal(&pod.phase);
    let ended = attempts
        .iter()
        .filter(|attempt| has_ended(attempt.pod) && !in_a_row(attempt));
    let ended = ended.filter_map(|attempt| attempt.end).max();
    let failed = streaks.iter().filter_map(Streak::began).max();
    started.max(ended).max(failed)
}
